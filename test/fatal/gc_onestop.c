// The trace of a collection that marks in its first stop: of the CPU time, the markers' is the time of
// marking, and not the whole pause once more. A thread that computes has to be stopped first.
//
// EXPECT columns exit=0 env:GORTDEBUG=gctrace=1 env:GORTMAXPROCS=2
// EXPECT columns stderr=^gc \d+ @[\d.]+s \d+%: [\d.]+\+([\d.]+)\+[\d.]+ ms clock, [\d.]+\+0[.0]*/\1/0[.0]*\+[\d.]+ ms cpu
//
// Sanitizers have more data of their own than a small heap has roots.
// TEST skip=asan,ubsan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <stdlib.h>

static double in_one_stop(void)
{
    double n;
    if (gort_metric_read("/gort/gc/cycles/one-stop:gc-cycles", &n) != 0) abort();
    return n;
}

static int running, quit; // atomic

static void compute(void *unused)
{
    (void)unused;
    __atomic_store_n(&running, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&quit, __ATOMIC_RELAXED))
        ;
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    gort_go(compute, NULL);
    while (!__atomic_load_n(&running, __ATOMIC_RELAXED))
        gort_sleep(GORT_MS);
    while (in_one_stop() == 0) // the time limit is the other end
        gort_gc();
    __atomic_store_n(&quit, 1, __ATOMIC_RELAXED);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
