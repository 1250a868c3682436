// Where the sweep runs: beside the program, or, with gcstoptheworld=2, in the stop that ends marking.
// What is swept there has a count of its own.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "marking.h"

#define STOPPED(n)                                                                                 \
    {                                                                                              \
        .percent = 100, .gccheck = true, .clobber = true, .stoptheworld = n                        \
    }
static const struct gc_test_options beside = STOPPED(0), mark_stopped = STOPPED(1),
                                    all_stopped = STOPPED(2);

enum { NODES = 100000, SPANS = 300 }; // of 32 bytes in 8 KB, or more in larger ones
static node *kept;

// As the last stop of the collection ended.
static struct {
    struct sweep_counts counts;
    uint32_t stops;
    bool swept;
} at_end;

static void note_stop(enum stop_reason why, uint64_t pause, uint64_t stopping)
{
    (void)pause;
    (void)stopping;
    if (why != STOP_GC_MARK && why != STOP_GC_TERM) return;
    heap_read_sweep_counts(&at_end.counts);
    at_end.swept = heap_sweep_done();
    at_end.stops++;
}

// Every other one dies, so each span has something to sweep.
__attribute__((noinline)) static void build(void)
{
    for (int i = 0; i < NODES; i++) {
        node *x = gort_new(node);
        if (i % 2 == 0) continue;
        gort_init(&x->left, kept);
        gort_set(&kept, x);
    }
}

static uint64_t all_spans(const struct sweep_counts *c)
{
    uint64_t n = 0;
    for (int i = 0; i < SWEEP_REASONS; i++)
        n += c->spans[i];
    return n;
}

// What one collection sweeps: in its stops, and in all.
struct swept {
    uint64_t in_stops, stopped, all;
};

static struct swept collect(void)
{
    static const struct sched_hooks hooks = { .stop_over = note_stop };
    struct sweep_counts before, after;
    sched_hooks_install(&hooks);
    gort_set_gc_percent(-1);
    build();
    gort_gc(); // and sweeps all
    heap_read_sweep_counts(&before);
    at_end.stops = 0;
    gort_gc();
    heap_read_sweep_counts(&after);
    CHECK(heap_sweep_done());
    return (struct swept){
        .in_stops = all_spans(&at_end.counts) - all_spans(&before),
        .stopped = after.spans[SWEPT_STOPPED] - before.spans[SWEPT_STOPPED],
        .all = all_spans(&after) - all_spans(&before),
    };
}

static void sweeps_in_the_stop(void)
{
    struct swept s = collect();
    CHECK(at_end.swept);
    CHECK_EQ(at_end.stops, 1);
    CHECK_GE(s.stopped, SPANS);
    CHECK_EQ(s.stopped, s.all); // nothing is left for anybody else
    CHECK_EQ(s.in_stops, s.all);
}

static void sweeps_beside(void)
{
    struct swept s = collect();
    CHECK(!at_end.swept); // the world goes on with all of it before it
    if (gc_debug.stoptheworld == 0)
        CHECK_GE(at_end.stops, 2);
    else
        CHECK_EQ(at_end.stops, 1);
    CHECK_GE(s.all, SPANS);
    CHECK_EQ(s.stopped, 0);
    CHECK_EQ(s.in_stops, 0);
}

int main(void)
{
    RUN_WITH(sweeps_beside, &beside);
    RUN_WITH(sweeps_beside, &mark_stopped);
    RUN_WITH(sweeps_in_the_stop, &all_stopped);
    return 0;
}
