// Markers and the monitor: whose P is asked for, who is woken when only the end of a cycle is left,
// who marks, and places of dedicated workers when cycles follow closely.
// SPDX-License-Identifier: BSD-3-Clause
#include <time.h>

#include "gc/gc.h"
#include "gc/stackroots.h"
#include "goroutines.h"
#include "heap/heap.h"
#include "sched/hooks.h"
#include "sched/sched_internal.h"

typedef struct node {
    struct node *left, *right;
    uint64_t value[2];
} node;
GORT_TYPE(node, left, right);

static node *kept;

static node *tree(int depth)
{
    node *x = gort_new(node);
    if (depth > 0) {
        gort_init(&x->left, tree(depth - 1));
        gort_init(&x->right, tree(depth - 1));
    }
    return x;
}

static void begin_marking(void)
{
    gort_set_gc_percent(100);
    while (!heap_marking())
        gort_new(node);
}

// ---- a thread that scans its own deep stack -----------------------------------------------------

enum { FRAME = 8192, FRAMES = 64 }; // eight pieces

static struct g *deep; // atomic
static uint32_t pieces, kicks;
static void (*before)(struct m *m); // the first piece
static gort_waitgroup left;

static bool scan_and_look(struct g *g)
{
    if (g == LOAD(&deep) && ADD(&pieces, 1) == 1) before(m_self());
    return stackroots_scan_piece(g);
}

__attribute__((noinline)) static void descend(int frames)
{
    volatile char space[FRAME];
    space[0] = (char)frames;
    __asm__ volatile("" : : "r"(&space) : "memory");
    if (frames > 0) {
        descend(frames - 1);
    } else {
        STORE(&deep, g_self());
        while (LOAD(&pieces) == 0) // marking may have ended when this thread goes on
            arch_pause();
    }
    CHECK_EQ(space[0], (char)frames);
}

static void be_deep(void *after)
{
    descend(FRAMES);
    ((void (*)(void))after)();
    gort_waitgroup_done(&left);
}

// The goroutine computes, and is deep, when a cycle begins.
static void scan_its_own(void (*look)(struct m *), void (*after)(void))
{
    static const struct g_options o = { .stack_size = 4 * MB };
    before = look;
    pieces = 0;
    STORE(&deep, NULL);
    sched_hooks.g_scan = scan_and_look;
    gort_set_gc_percent(-1);
    gort_gc();
    gort_waitgroup_add(&left, 1);
    g_start(be_deep, (void *)after, &o, 0);
    WAIT_FOR(LOAD(&deep) != NULL);
    begin_marking();
    gort_waitgroup_wait(&left);
    sched_hooks.g_scan = stackroots_scan_piece;
}

// There is nothing else to do, and nobody looks again for long.
static void wait_till_all_sleep(struct m *m)
{
    CHECK(m->p == NULL);
    while (LOAD(&sched.nidle_p) != (uint32_t)p_count() || LOAD(&sched.monitor_idle) == 0)
        os_thread_yield();
    kicks = LOAD(&sched.monitor_wake);
}

static bool woken;

static void see_the_monitor_woken(void)
{
    woken = LOAD(&sched.monitor_wake) != kicks;
    while (heap_marking())
        arch_pause();
}

// On one P, which others have: a goroutine that computes is without.  Again, where the monitor came
// round at the moment when the last piece was done: it was awake then, and somebody had the P.
TEST(the_last_own_stack_wakes_the_monitor)
{
    do
        scan_its_own(wait_till_all_sleep, see_the_monitor_woken);
    while (!woken);
}

static void wait_till_it_is_asked(struct m *m)
{
    while (m->p != NULL && __atomic_load_n(&m->retake_run, __ATOMIC_RELAXED) != m->p->gs_run)
        os_thread_yield();
}

static void see_it_gone(void)
{
    CHECK(m_self()->p == NULL);
}

TEST(the_monitor_gets_the_p_of_who_scans_its_own)
{
    scan_its_own(wait_till_it_is_asked, see_it_gone);
}

// ---- workers ------------------------------------------------------------------------------------

static void wait_for_the_end(void *retakes)
{
    const struct timespec a_little = { 0, 100000 };
    *(uint64_t *)retakes = sched_retakes();
    while (heap_marking())
        nanosleep(&a_little, NULL);
    *(uint64_t *)retakes = sched_retakes() - *(uint64_t *)retakes;
}

// Many time slices long.
TEST(workers_keep_their_ps)
{
    uint64_t retakes;
    gort_set_gc_percent(-1);
    gort_set(&kept, tree(19));
    uint32_t former = sched_debug.slice_us;
    do { // 15 each time if workers are retaken; a busy machine stops others, who are, at times
        gort_set_gc_percent(-1);
        gort_gc();
        sched_debug.slice_us = 500;
        begin_marking();
        gort_blocking(wait_for_the_end, &retakes);
        sched_debug.slice_us = former;
    } while (retakes > 3);
    gort_set(&kept, NULL);
}

static struct g *no_worker(struct p *p)
{
    (void)p;
    return NULL;
}

static double waiting(void)
{
    double seconds;
    CHECK_EQ(gort_metric_read("/gort/gc/mark-waiting:cpu-seconds", &seconds), 0);
    return seconds;
}

// What nobody else marks, who waits for the collection does, and it is counted.
TEST(callers_of_gort_gc_mark)
{
    struct sched_hooks former = sched_hooks;
    sched_hooks.find_mark_work = sched_hooks.find_idle_mark_work = no_worker;
    gort_set_gc_percent(-1);
    double before = waiting();
    gort_gc();
    CHECK_GT(waiting(), before);
    sched_hooks = former;
}

static void collect_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < test_count(150); i++)
        gort_gc();
    gort_waitgroup_done(&left);
}

// What a worker of one cycle gives back in the next one is noticed: pacer_dedicated_give.
TEST(places_are_of_one_cycle)
{
    for (int i = 0; i < 6; i++) {
        gort_waitgroup_add(&left, 1);
        gort_go(collect_often, NULL);
    }
    gort_waitgroup_wait(&left);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    gc_debug.small = 0; // marking is seen
    RUN_ON(1, the_last_own_stack_wakes_the_monitor);
    RUN_ON(2, the_monitor_gets_the_p_of_who_scans_its_own);
    RUN_ON(4, workers_keep_their_ps);
    RUN_ON(1, callers_of_gort_gc_mark);
    RUN_ON(8, places_are_of_one_cycle);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
