// After a burst of selects a collection gives the memory of the waiter records back.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"
#include "gc_util.h"

enum { CASES = 4 };
static gort_chan(int) channels[CASES];
static gort_waitgroup wg;

static void wait_for_one(void *unused)
{
    (void)unused;
    int out[CASES];
    gort_case cases[CASES];
    for (int i = 0; i < CASES; i++)
        cases[i] = (gort_case)gort_on_recv(channels[i], &out[i]);
    gort_select(cases, CASES);
    gort_waitgroup_done(&wg);
}

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

TEST(memory_of_waiters_goes_back)
{
    int n = (int)test_count(5000);
    for (int round = 0; round < 3; round++) {
        double trimmed = metric("/gort/sched/waiters/trimmed:bytes");
        for (int i = 0; i < CASES; i++)
            gort_set(&channels[i], gort_chan_make(int, 0));
        gort_waitgroup_add(&wg, n);
        for (int i = 0; i < n; i++)
            gort_go(wait_for_one, NULL);
        while (metric("/gort/sched/waiters:bytes") < 72.0 * (CASES - 1) * n)
            gort_yield();
        for (int i = 0; i < CASES; i++)
            gort_close(channels[i]);
        gort_waitgroup_wait(&wg);
        // The sweeper does it, after its sweep.
        WAIT_FOR((gort_gc(), metric("/gort/sched/waiters:bytes") <= 65536));
        if (72 * (CASES - 1) * n > 4 * 65536)
            WAIT_FOR(metric("/gort/sched/waiters/trimmed:bytes") > trimmed);
    }
}

static void tests(void)
{
    RUN(memory_of_waiters_goes_back);
}
GC_MAIN(tests)
