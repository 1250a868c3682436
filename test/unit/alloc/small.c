// Note [Small heaps] in gc/cycle.c: where nearly nothing is to be marked a cycle takes one stop;
// where it turns out to be more, the stop leaves off in time and marking goes on beside the program.
// Whatever a goroutine holds lives on, wherever its thread was.
//
// Sanitizers have more data of their own than a small heap has roots.
// TEST skip=asan,ubsan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "../../expect_fatal.h"
#include "gc/checkmark.h"
#include "gc/cycle.h"
#include "gc/mark.h"
#include "marking.h"
#include "os/os.h"
#include "sched/stack.h"

enum { ROOTS = GC_SMALL_ROOTS };

static const struct gc_test_options small = {
    .percent = 100, .gccheck = true, .gccheckmark = true, .clobber = true, .small = ROOTS
};

static struct gc_cycle_record last;

static void note_record(const struct gc_cycle_record *r)
{
    last = *r;
}

static uint64_t in_one_stop(void)
{
    struct gc_totals t;
    gc_read_totals(&t);
    return t.in_one_stop;
}

// The cycle after one that saw little.
static void begin(void)
{
    gc_cycle_listener = note_record;
    gort_set_gc_percent(-1);
    gort_gc();
    CHECK(!last.in_one_stop || last.number > 1); // of the first one nothing is known
    gort_gc();
    CHECK(last.in_one_stop);
}

static void one_stop_is_enough(void)
{
    begin();
    uint64_t before = in_one_stop();
    for (int i = 0; i < 20; i++) {
        node *x = tree(4, 1);
        gort_gc();
        CHECK(last.in_one_stop);
        CHECK_EQ(last.stops, 1);
        CHECK_EQ(last.restarts, 0);
        CHECK_GE(last.mark_end, last.mark_begin);
        CHECK_GE(last.started, last.mark_end);
        CHECK_LE(last.heap_end, last.heap_before); // nobody allocated
        CHECK_EQ(x->left->right->value, 5);
    }
    CHECK_EQ(in_one_stop() - before, 20);
}

// ---- verification -------------------------------------------------------------------------------

static struct hidden victim;

static void take_mark(bool before)
{
    struct span *s = span_of((uintptr_t)shown(victim));
    if (before) s->marks[span_index_of(s, (uintptr_t)shown(victim))] = SLOT_WHITE;
}

// Nobody has run since the stack was scanned, so this is no word of a dead frame.
static void misses_on_the_stack(void)
{
    begin();
    node *x = tree(0, 1);
    victim = hide(x);
    checkmark_observer = take_mark;
    gort_gc();
    gort_keep_alive(x);
}

static void run_misses(void *unused)
{
    (void)unused;
    gc_test_run(misses_on_the_stack, 1, &small);
}

TEST(what_a_stack_holds_is_missed)
{
    expect_fatal(run_misses, NULL, " did not mark 1 reachable object\nmissed: object ");
    expect_fatal(run_misses, NULL, "\n\tfrom root of kind stacks at 0x");
}

// ---- too much for a stop ------------------------------------------------------------------------

enum { LENGTH = 100000 };
static node *list;

__attribute__((noinline)) static void build_list(void)
{
    node *first = NULL;
    for (int i = LENGTH - 1; i >= 0; i--) {
        node *x = gort_new(node);
        x->value = (uint64_t)i;
        gort_init(&x->left, first);
        first = x;
    }
    gort_set(&list, first);
}

static void list_lives(void)
{
    uint64_t n = 0;
    for (const node *x = list; x != NULL; x = x->left)
        CHECK_EQ(x->value, n++);
    CHECK_EQ(n, LENGTH);
}

static void more_is_left_to_markers(void)
{
    begin();
    for (int i = 0; i < 5; i++) {
        build_list();
        gort_gc(); // expects little, and finds the list
        CHECK(!last.in_one_stop);
        CHECK_GE(last.stops, 2);
        CHECK_GE(last.objects, LENGTH);
        list_lives();
        gort_gc(); // knows of it
        CHECK(!last.in_one_stop);
        list_lives();
        gort_set(&list, NULL);
        scrub_stack();
        gort_gc(); // still expects it
        gort_gc();
        CHECK(last.in_one_stop);
        CHECK_LE(last.objects, 1000);
    }
}

static void many_roots_are_no_small_heap(void)
{
    void *wide_root = os_mem_map(NULL, ROOTS);
    CHECK(wide_root != NULL);
    begin();
    gort_root_add(wide_root, ROOTS);
    gort_gc(); // finds out
    gort_gc();
    CHECK(!last.in_one_stop);
    gort_root_remove(wide_root);
    gort_gc();
    gort_gc();
    CHECK(last.in_one_stop);
}

// ---- what is looked at in vain ------------------------------------------------------------------

static uint32_t ready, stop; // atomic
static struct group all;

static void wait_for_stop(void *unused)
{
    (void)unused;
    atomic_fetch_add_relaxed(&ready, 1);
    while (!atomic_load_relaxed(&stop))
        g_yield();
    group_done(&all);
}

static void many_dead_are_no_small_heap(void)
{
    enum { N = 600 }; // more than SMALL_STACKS
    begin();
    all.left = N;
    for (int i = 0; i < N; i++)
        go(wait_for_stop, NULL);
    while (atomic_load_relaxed(&ready) != N)
        g_yield();
    atomic_store_relaxed(&stop, 1);
    group_wait(&all);
    for (int i = 0; i < 4; i++) {
        gort_gc();
        CHECK(!last.in_one_stop);
    }
}

static void many_records_are_no_small_heap(void)
{
    enum { N = 5000 }; // more than SMALL_RECORDS
    begin();
    for (int i = 0; i < N; i++)
        gort_keep_alive(gort_weak_make(gort_new(node)));
    scrub_stack();
    for (int i = 0; i < 4; i++) {
        gort_gc();
        CHECK(!last.in_one_stop);
    }
}

// Stacks that were deep once and wait now lose their pages, but in one stop few of them: those of
// four jobs, whatever each has.
enum { WERE_DEEP = 60, FRAMES = 40, TRIMMED_IN_STOP = 32 };

// The frame is passed on, or compilers make a loop of it.
__attribute__((noinline)) static int go_deep(int depth, const volatile char *outer)
{
    volatile char frame[4096];
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = (char)depth;
    if (outer != NULL) frame[0] = outer[0];
    return depth == 0 ? 0 : go_deep(depth - 1, frame) + frame[512];
}

static void was_deep(void *unused)
{
    (void)unused;
    CHECK_EQ(go_deep(FRAMES, NULL), FRAMES * (FRAMES + 1) / 2);
    atomic_fetch_add_relaxed(&ready, 1);
    p_pin();
    g_park(NULL, NULL, WAIT_CHAN_RECV); // for ever
    p_unpin();
}

static uint64_t trimmed(void)
{
    struct stack_stats s;
    stack_read_stats(&s);
    return s.trimmed;
}

static void stacks_are_trimmed_bit_by_bit(void)
{
    begin();
    for (int i = 0; i < WERE_DEEP; i++)
        go(was_deep, NULL);
    while (atomic_load_relaxed(&ready) != WERE_DEEP)
        g_yield();
    int quiet = 0;
    uint64_t first = trimmed(), before = first;
    for (int i = 0; i < 3000 && quiet < 50; i++) { // 50: more than the cycles of a look
        g_yield();                                 // all but the last were in their wait before
        gort_gc();
        if (last.in_one_stop) CHECK_LE(trimmed() - before, TRIMMED_IN_STOP);
        quiet = trimmed() == before ? quiet + 1 : 0;
        before = trimmed();
    }
    CHECK(last.in_one_stop);
    CHECK_EQ(quiet, 50);
    CHECK_GE(before - first, WERE_DEEP);
}

// ---- what goroutines hold -----------------------------------------------------------------------

enum { GOROUTINES = 12, CYCLES = 60 };

static uint64_t sum(const node *x)
{
    return x == NULL ? 0 : x->value + sum(x->left) + sum(x->right);
}

// Depth 3, from 1: 1 to 15.
static void check_tree(const node *x)
{
    CHECK_EQ(sum(x), 120);
}

// Stopped wherever it computes, its tree nowhere but in its frame and registers; it hangs what it
// had anew below a new node each time.
static void compute(void *unused)
{
    (void)unused;
    node *x = tree(3, 1);
    atomic_fetch_add_relaxed(&ready, 1);
    while (!atomic_load_relaxed(&stop)) {
        node *y = gort_new(node);
        y->value = x->value;
        gort_init(&y->left, x->left);
        gort_init(&y->right, x->right);
        x = y;
        for (int i = 0; i < 200; i++)
            check_tree(x);
        if (random_next(sched_random()) % 64 == 0) g_yield();
    }
    check_tree(x);
    group_done(&all);
}

static void wait_parked(void *unused)
{
    (void)unused;
    node *x = tree(3, 1);
    atomic_fetch_add_relaxed(&ready, 1);
    while (!atomic_load_relaxed(&stop))
        g_yield();
    check_tree(x);
    group_done(&all);
}

static void what_goroutines_hold_lives(void)
{
    begin();
    all.left = GOROUTINES;
    for (int i = 0; i < GOROUTINES; i++)
        go(i % 3 == 0 ? wait_parked : compute, NULL);
    while (atomic_load_relaxed(&ready) != GOROUTINES)
        g_yield();
    uint64_t before = in_one_stop();
    for (int i = 0; i < CYCLES; i++) {
        gort_gc();
        g_yield();
    }
    // Their trees and stacks are little, whatever they do.
    CHECK_EQ(in_one_stop() - before, CYCLES);
    atomic_store_relaxed(&stop, 1);
    group_wait(&all);
}

// More than one piece of stack: nobody waits for it in a stop.
__attribute__((noinline)) static uint64_t recurse(int depth, const node *x)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    if (depth == 0) {
        atomic_fetch_add_relaxed(&ready, 1);
        for (int i = 1; !atomic_load_relaxed(&stop); i++) {
            check_tree(x);
            if (i % 1000 == 0) g_yield(); // nobody takes a P away here
        }
        return sum(x);
    }
    node *own = tree(3, 1);
    uint64_t n = recurse(depth - 1, own);
    check_tree(own);
    return n + (uint64_t)frame[0] * 0;
}

static void deep(void *unused)
{
    (void)unused;
    CHECK_EQ(recurse(40, tree(3, 1)), 120);
    group_done(&all);
}

static void deep_stacks_are_finished_later(void)
{
    begin();
    all.left = 1;
    go(deep, NULL);
    while (atomic_load_relaxed(&ready) == 0)
        g_yield();
    gort_gc(); // tries, and ends there if the goroutine waits just now
    for (int i = 0; i < 20; i++) {
        gort_gc();
        CHECK(!last.in_one_stop);
    }
    atomic_store_relaxed(&stop, 1);
    group_wait(&all);
    gort_gc();
    gort_gc();
    CHECK(last.in_one_stop);
}

int main(void)
{
    RUN(what_a_stack_holds_is_missed);
    gc_test_all("one", one_stop_is_enough, &small);
    gc_test_all("more", more_is_left_to_markers, &small);
    gc_test_all("roots", many_roots_are_no_small_heap, &small);
    gc_test_all("dead", many_dead_are_no_small_heap, &small);
    gc_test_all("records", many_records_are_no_small_heap, &small);
    gc_test_all("trimmed", stacks_are_trimmed_bit_by_bit, &small);
    gc_test_all("held", what_goroutines_hold_lives, &small);
    gc_test_all("deep", deep_stacks_are_finished_later, &small);
    return 0;
}
