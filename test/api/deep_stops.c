// A stop does not wait for the search of a deep stack for handlers of the program, and where the
// program never had one nothing is searched.
// TEST notmodes=determ
// TEST skip=asan,tsan,ubsan
// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>

#include "../goroutines.h"

#define DEPTH ((size_t)24 << 20)
#define STACK ((size_t)64 << 20)
#define SEARCHED "/gort/sched/stops/searched:bytes"

enum { STOPS = 5 };

static gort_waitgroup group;
static int quit, ready;

static __attribute__((noinline)) void compute_deep(void)
{
    volatile char frame[DEPTH];
    frame[0] = frame[DEPTH - 1] = 1;
    __asm__ volatile("" : : "r"(frame) : "memory"); // or a compiler keeps the two bytes only
    STORE(&ready, 1);
    while (!LOAD(&quit))
        continue;
    CHECK_EQ(frame[0] + frame[DEPTH - 1], 2);
}

static void deep(void *unused)
{
    (void)unused;
    compute_deep();
    gort_waitgroup_done(&group);
}

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

static double searched_in_stops(void)
{
    double before = metric(SEARCHED);
    for (int i = 0; i < STOPS; i++)
        gort_gc();
    return metric(SEARCHED) - before;
}

static void deep_stacks_are_searched_when_there_may_be_handlers(void)
{
    gort_go_options options = { .stack_size = STACK };
    gort_waitgroup_add(&group, 1);
    gort_go_opt(&options, deep, NULL);
    WAIT_FOR(LOAD(&ready));
    double searched = searched_in_stops();
#if defined(__x86_64__)                      // elsewhere libc leaves no trace of what it sets
    CHECK_LE(searched, (double)(DEPTH / 4)); // small stacks
#endif
    (void)searched;
    signal(SIGUSR1, SIG_IGN);
    // The search is done when the thread's own handler goes on, perhaps after the next stop; and
    // who has not gone on from a stop of before, for want of a CPU, is stopped anew by a later one
    // only.
    double before = metric(SEARCHED);
    WAIT_FOR((gort_gc(), metric(SEARCHED) - before >= (double)DEPTH));
    STORE(&quit, 1);
    gort_waitgroup_wait(&group);
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(deep_stacks_are_searched_when_there_may_be_handlers);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(test_main, argc, argv);
}
