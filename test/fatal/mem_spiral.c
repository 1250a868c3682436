// The soft memory limit: kept where what is live fits; where it does not the CPU limiter keeps the
// program going, and says so in the trace.
//
// EXPECT fits env:GORTMEMLIMIT=64MiB exit=0 stdout=^fits$
// EXPECT spiral env:GORTMAXPROCS=1 env:GORTMEMLIMIT=16MiB env:GORTDEBUG=gctrace=1 exit=0 stdout=^alive$
// EXPECT spiral stderr=^gc \d+ limiter: [\d.]+ ms on, [\d.]+ ms cpu beyond$
// EXPECT spiral-2p env:GORTMAXPROCS=2 env:GORTMEMLIMIT=16MiB env:GORTDEBUG=gcpacertrace=1 exit=0 stdout=^alive$
// EXPECT spiral-2p stderr=^gc \d+ limiter: [\d.]+ ms on, [\d.]+ ms cpu beyond$
// TEST skip=asan,tsan timeout=300 serial
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct node {
    struct node *left, *right;
    uint64_t values[2];
} node;
GORT_TYPE(node, left, right);

static node **live;

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

static double limited(void)
{
    return metric("/gort/gc/limiter/on:seconds");
}

static void build(size_t bytes)
{
    size_t n = bytes / sizeof(node);
    gort_set(&live, (node **)gort_alloc(n * sizeof(node *)));
    for (size_t i = 0; i < n; i++) {
        gort_set(&live[i], gort_new(node));
        if (i > 0) gort_set(&live[i]->left, live[i / 2]);
    }
}

static void allocate(size_t bytes)
{
    for (size_t done = 0; done < bytes; done += sizeof(node)) {
        node *x = gort_new(node);
        x->values[0] = done;
        gort_keep_alive(x);
    }
}

// It is soft: what Ps hold, and who waits for a CPU while it assists.  A machine that stops a
// collector's thread for long makes the limiter act, and it may not hold then: again.
static void fits(void)
{
    double limits, most;
    build(12 << 20);
    do {
        limits = metric("/gc/limiter/last-enabled:gc-cycle");
        most = 0;
        for (int mb = 0; mb < test_count(500); mb++) {
            allocate(1 << 20);
            double now = metric("/gort/memory/counted:bytes");
            if (now > most) most = now;
        }
    } while (metric("/gc/limiter/last-enabled:gc-cycle") != limits);
    CHECK_LE(most, (double)(64 << 20) * 11 / 10);
    printf("fits\n");
}

// Half of the CPU is the program's, and the heap grows for it.  What the collector took beyond is
// little: it would be nearly as much as there is, if assists went on.
static void it_limits(void)
{
    double most = 0, before = metric("/gort/memory/counted:bytes"), cpu, elapsed;
    do {
        double on = limited();
        cpu = metric("/gort/gc/limiter/overflow:cpu-seconds");
        int64_t begin = gort_now();
        while (limited() < on + 0.5) {
            allocate(1 << 20);
            double now = metric("/gort/memory/counted:bytes");
            if (now > most) most = now;
        }
        elapsed = (double)(gort_now() - begin) / 1e9 * gort_max_procs(0);
        cpu = metric("/gort/gc/limiter/overflow:cpu-seconds") - cpu;
        // 0.1 on an idle machine; without it 0.7 each time; anything once, where it stops a
        // collector's thread
    } while (gort_max_procs(0) == 1 && cpu > elapsed / 2);
    CHECK_GT(most, before);
    CHECK_GE(metric("/gc/cycles/total:gc-cycles"), metric("/gc/limiter/last-enabled:gc-cycle") - 1);
}

// Is it on for all the time that a computation without an allocation takes?
static bool goes_on(void)
{
    double on = limited();
    for (volatile int i = 0; i < 20000000; i++)
        ;
    return limited() > on;
}

static void spiral(void)
{
    build(32 << 20);
    while (metric("/gc/limiter/last-enabled:gc-cycle") == 0)
        allocate(1 << 20);
    it_limits();
    gort_set_memory_limit(INT64_MAX);
    while (goes_on())
        continue;
    printf("alive\n");
}

static const char *which;

static int gort_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    if (strcmp(which, "fits") == 0)
        fits();
    else
        spiral();
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    return gort_run(gort_main, argc, argv);
}
