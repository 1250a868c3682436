// The percentage and the statistics.
// Counts collections: not in modes that collect at every few allocations.
// TEST notmodes=determ
// TEST modes=p1,p2,p4,p16,clobber,yield,migrate,slice
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

static void allocate(size_t bytes)
{
    for (size_t done = 0; done < bytes; done += 1024) {
        char *p = gort_alloc_noscan(1024);
        p[0] = 1;
    }
}

static gort_stats stats(void)
{
    gort_stats s;
    gort_read_stats(&s);
    return s;
}

static void the_percentage_is_returned(void)
{
    CHECK_EQ(gort_set_gc_percent(50), 100);
    CHECK_EQ(gort_set_gc_percent(-7), 50);
    CHECK_EQ(gort_set_gc_percent(200), -1);
    CHECK_EQ(gort_set_gc_percent(100), 200);
}

static void off_means_none(void)
{
    gort_set_gc_percent(-1);
    uint64_t before = stats().num_gc;
    allocate(40 << 20);
    CHECK_EQ(stats().num_gc, before);
    gort_gc(); // asked for, it runs
    CHECK_EQ(stats().num_gc, before + 1);
    gort_set_gc_percent(100);
}

static void lower_is_more_often(void)
{
    uint64_t n[2];
    for (int i = 0; i < 2; i++) {
        gort_gc();
        gort_set_gc_percent(i == 0 ? 400 : 50);
        uint64_t before = stats().num_gc;
        allocate(100 << 20);
        n[i] = stats().num_gc - before;
    }
    CHECK_GE(n[0], 2);
    CHECK_GE(n[1], 3 * n[0]);
    gort_set_gc_percent(100);
}

static void sums_agree(void)
{
    gort_gc();
    gort_stats a = stats();
    allocate(10 << 20);
    gort_stats b = stats();
    CHECK_GE(b.mallocs - a.mallocs, 10 << 10);
    CHECK_LE(b.mallocs - a.mallocs, 11 << 10);
    CHECK_GE(b.total_alloc - a.total_alloc, 10 << 20);
    CHECK_LE(b.total_alloc - a.total_alloc, 11 << 20);
    CHECK_GE(b.heap_sys, b.heap_released);
    CHECK_GT(b.stack_sys, 0);
    CHECK_GT(b.meta_sys, 0);
    CHECK_GE(b.heap_goal, 4 << 20);
    CHECK_GE(b.pause_total_ns, b.pause_max_ns);
    CHECK_GE(b.pause_max_ns, b.pause_last_ns);
    CHECK_GT(b.pause_last_ns, 0);
    CHECK(b.gc_cpu_fraction > 0 && b.gc_cpu_fraction < 1);
    CHECK_GE(b.num_gc, b.num_forced_gc);
    CHECK_GE(b.mallocs, b.frees);
}

static void racers(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++)
        gort_gc();
}

// Concurrent callers share cycles; each waits for one that began after its call.
static void callers_share_cycles(void)
{
    uint64_t before = stats().num_forced_gc;
    gort_waitgroup wg = { 0 };
    (void)wg;
    for (int i = 0; i < 8; i++)
        gort_go(racers, NULL);
    for (int i = 0; i < 5; i++)
        gort_gc();
    while (gort_num_goroutines() > 1)
        gort_sleep(GORT_MS);
    uint64_t cycles = stats().num_forced_gc - before;
    CHECK_GE(cycles, 5);
    CHECK_LE(cycles, 45);
}

// Less is allocated between two readings, and a span of the class is smaller, than what a P keeps
// to itself before it asks for a collection.
static void who_reads_statistics_collects(void)
{
    gort_gc();
    uint64_t before = stats().num_gc;
    for (int i = 0; i < 16 << 10 && stats().num_gc == before; i++) // at most 64 MB
        for (int k = 0; k < 10; k++)
            ((char *)gort_alloc_noscan(400))[0] = 1;
    CHECK_GT(stats().num_gc, before);
}

static void tests(void)
{
    RUN(the_percentage_is_returned);
    RUN(off_means_none);
    RUN(lower_is_more_often);
    RUN(sums_agree);
    RUN(callers_share_cycles);
    RUN(who_reads_statistics_collects);
}
GC_MAIN(tests)
