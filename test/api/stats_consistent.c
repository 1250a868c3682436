// gort_read_stats: sums agree with each other and with what the program did, while other goroutines
// allocate too.
//
// TEST notmodes=efence,gcefence,determ
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "test.h"

#define OBJECT ((size_t)64)

static gort_stats before, after;
static char *volatile sink;

static void check_alone(const gort_stats *s)
{
    CHECK_LE(s->num_forced_gc, s->num_gc);
    CHECK_LE(s->frees, s->mallocs);
    CHECK_LE(s->heap_alloc, s->total_alloc);
    CHECK_LE(s->heap_released, s->heap_sys);
    CHECK_LE(s->heap_alloc, s->heap_sys - s->heap_released);
    CHECK_LE(s->pause_last_ns, s->pause_max_ns);
    CHECK_LE(s->pause_max_ns, s->pause_total_ns);
    CHECK_GT(s->meta_sys, 0);
    CHECK_GT(s->stack_sys, 0);
    CHECK(s->gc_cpu_fraction >= 0 && s->gc_cpu_fraction <= 1);
}

static void check_order(const gort_stats *a, const gort_stats *b)
{
    CHECK_LE(a->num_gc, b->num_gc);
    CHECK_LE(a->num_forced_gc, b->num_forced_gc);
    CHECK_LE(a->total_alloc, b->total_alloc);
    CHECK_LE(a->mallocs, b->mallocs);
    CHECK_LE(a->frees, b->frees);
    CHECK_LE(a->pause_total_ns, b->pause_total_ns);
    CHECK_LE(a->pause_max_ns, b->pause_max_ns);
}

TEST(allocations_are_counted_exactly)
{
    enum { COUNT = 1000 };
    gort_read_stats(&before);
    for (int i = 0; i < COUNT; i++)
        sink = gort_alloc_noscan(OBJECT);
    gort_read_stats(&after);
    check_order(&before, &after);
    CHECK_EQ(after.mallocs - before.mallocs, COUNT);
    CHECK_EQ(after.total_alloc - before.total_alloc, COUNT * OBJECT);
}

TEST(large_objects_are_counted)
{
    gort_read_stats(&before);
    sink = gort_alloc_noscan(10 << 20);
    gort_read_stats(&after);
    CHECK_EQ(after.mallocs - before.mallocs, 1);
    CHECK_GE(after.total_alloc - before.total_alloc, 10 << 20);
    CHECK_GE(after.heap_live, 0);
    sink = NULL;
}

TEST(tiny_objects_count_each)
{
    enum { COUNT = 256 };
    gort_read_stats(&before);
    for (int i = 0; i < COUNT; i++)
        sink = gort_alloc_noscan(1);
    gort_read_stats(&after);
    CHECK_GE(after.mallocs - before.mallocs, COUNT);
    sink = NULL;
}

TEST(collections_are_counted)
{
    gort_read_stats(&before);
    gort_gc();
    gort_read_stats(&after);
    CHECK_EQ(after.num_forced_gc - before.num_forced_gc, 1);
    CHECK_GT(after.num_gc, before.num_gc);
    CHECK_GT(after.pause_total_ns, before.pause_total_ns);
    CHECK_GT(after.pause_last_ns, 0);
}

TEST(garbage_is_freed)
{
    enum { COUNT = 4096 };
    for (int i = 0; i < COUNT; i++)
        sink = gort_alloc_noscan(OBJECT);
    sink = NULL;
    gort_read_stats(&before);
    gort_gc();
    gort_read_stats(&after);
    CHECK_GE(after.frees - before.frees, 0);
    CHECK_LE(after.heap_marked, after.heap_live);
    CHECK_LT(after.heap_alloc, 8 << 20);
}

static int running = 4;

static void allocate(void *arg)
{
    for (int64_t i = test_count(20000); i > 0; i--)
        memset(gort_alloc((size_t)(i % 500) + 1), 1, (size_t)(i % 500) + 1);
    __atomic_fetch_sub((int *)arg, 1, __ATOMIC_RELAXED);
}

TEST(sums_agree_while_others_allocate)
{
    gort_stats last, s;
    int rounds = 0;
    gort_read_stats(&last);
    for (int i = 0; i < 4; i++)
        gort_go(allocate, &running);
    while (__atomic_load_n(&running, __ATOMIC_RELAXED) != 0 || rounds < 10) {
        gort_read_stats(&s);
        check_alone(&s);
        check_order(&last, &s);
        last = s;
        gort_yield();
        rounds++;
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(allocations_are_counted_exactly);
    RUN(large_objects_are_counted);
    RUN(tiny_objects_count_each);
    RUN(collections_are_counted);
    RUN(garbage_is_freed);
    RUN(sums_agree_while_others_allocate);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
