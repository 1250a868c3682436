// Markers and the monitor: whose P is asked for, who is woken when only the end of a cycle is left,
// who marks, and places of dedicated workers when cycles follow closely.
// SPDX-License-Identifier: BSD-3-Clause
#include <time.h>

#include "gc/gc.h"
#include "gc/pace.h"
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
static void (*begun)(void);         // meanwhile, the caller; NULL: nothing
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
    if (begun != NULL) begun();
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

// ---- waiting for the end ------------------------------------------------------------------------

static struct g *allocator;    // atomic
static bool waits;             // it was seen to
static uint32_t has_allocated; // atomic; much, without waiting

static void wait_till_the_allocator_waits(struct m *unused)
{
    (void)unused;
    while (!waits && !LOAD(&has_allocated)) {
        for (const struct m *m = m_all(); m != NULL; m = m->all_next)
            waits |= LOAD(&m->curg) == LOAD(&allocator) && LOAD(&m->state) == M_BLOCKING;
        os_thread_yield();
    }
}

static void do_nothing(void)
{
}

static void allocate_much(void)
{
    uint64_t most = heap_live() + 256 * MB;
    STORE(&allocator, g_self());
    while (heap_marking() && heap_live() < most)
        gort_keep_alive(gort_alloc_noscan(4096));
    STORE(&has_allocated, 1);
}

// Somebody else has what is left to mark: who allocates finds nothing to pay with, and goes on, but
// not far beyond the goal.
TEST(who_allocates_beyond_the_goal_waits)
{
    begun = allocate_much;
    scan_its_own(wait_till_the_allocator_waits, do_nothing);
    begun = NULL;
    CHECK(waits);
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

// ---- another number of Ps while marking ---------------------------------------------------------

static struct sched_hooks scheduler; // its hooks, while no_worker stands for them

static void find_no_workers(void)
{
    scheduler = sched_hooks;
    sched_hooks.find_mark_work = sched_hooks.find_idle_mark_work = no_worker;
}

static void find_workers(void)
{
    sched_hooks.find_mark_work = scheduler.find_mark_work;
    sched_hooks.find_idle_mark_work = scheduler.find_idle_mark_work;
}

// Marking has begun, and is left to the workers that the test takes; the caller pays for nothing.
static void begin_marking_alone(int procs)
{
    gort_set_gc_percent(-1);
    gort_set(&kept, tree(17)); // 8 MB, many sections
    gort_gc();
    find_no_workers();
    gort_max_procs(procs);
    gort_set_assist_exempt(true);
    begin_marking();
}

static void end_marking(void)
{
    find_workers();
    gort_gc();
    gort_set_assist_exempt(false);
    gort_set(&kept, NULL);
}

// A worker that the scheduler would find now, not yet run.  NULL: none is wanted.
static struct g *take_worker(void)
{
    struct g *g = scheduler.find_mark_work(p_pin());
    p_unpin();
    return g;
}

static struct g *dedicated_worker(void)
{
    int32_t places = LOAD(&pace_shared.dedicated);
    struct g *g;
    CHECK_GT(places, 0);
    while ((g = take_worker()) == NULL) // it is about to park
        gort_yield();
    CHECK_EQ(LOAD(&pace_shared.dedicated), places - 1);
    return g;
}

static void run_worker(struct g *g)
{
    p_pin(); // it may have lost its P
    g_ready(g);
    p_unpin();
}

enum { TURNS = 1000 };

// Two workers that each had a P to itself share the only one with the program.  They mark a section
// and leave; then nobody marks, whom the test does not let.  A worker that stayed would go on to
// the end of marking in the first of these turns.
TEST(dedicated_workers_leave_the_last_p)
{
    begin_marking_alone(8);
    struct g *first = dedicated_worker(), *second = dedicated_worker();
    CHECK_EQ(LOAD(&pace_shared.dedicated), 0);
    gort_max_procs(1);
    CHECK_EQ(LOAD(&pace_shared.dedicated), -2);
    run_worker(first);
    run_worker(second);
    for (int i = 0; i < TURNS; i++) {
        gort_yield();
        CHECK(heap_marking());
    }
    CHECK_EQ(LOAD(&pace_shared.dedicated), 0); // given back: none is out, and there are none
    end_marking();
}

// And not those whose places are left.
TEST(as_many_stay_as_there_are_places)
{
    begin_marking_alone(8);
    struct g *first = dedicated_worker();
    struct g *second = dedicated_worker();
    gort_max_procs(4); // one place
    CHECK_EQ(LOAD(&pace_shared.dedicated), -1);
    run_worker(first);
    run_worker(second);
    WAIT_FOR(!heap_marking());
    end_marking();
}

TEST(more_ps_have_more_dedicated_workers)
{
    begin_marking_alone(1);
    CHECK_EQ(LOAD(&pace_shared.dedicated), 0);
    gort_max_procs(8);
    struct g *first = dedicated_worker(), *second = dedicated_worker();
    CHECK(take_worker() == NULL); // no share of the others' time
    run_worker(first);
    run_worker(second);
    WAIT_FOR(!heap_marking());
    end_marking();
}

// What marking took before with other Ps is not made up for at one go.  The clock stands still, so
// all of a share that counted from the beginning of marking would be open.  Last, for that reason.
TEST(shares_count_from_the_new_number)
{
    os_clock_hold();
    begin_marking_alone(8);
    os_clock_advance(GORT_S);
    gort_max_procs(1);
    struct g *g;
    while ((g = take_worker()) == NULL)
        gort_yield();
    run_worker(g);
    for (int i = 0; i < TURNS; i++) {
        gort_yield();
        CHECK(heap_marking());
    }
    CHECK_GT(pacer_work(&pace_shared).heap, 0); // he was there
    end_marking();
}

// ---- what each kind is for ----------------------------------------------------------------------

// Who ends marking keeps its place until it has: a free one would be taken by each other P in turn,
// to wait with it.
static int32_t free_places; // atomic; seen by who was about to end marking

static void look_at_places(void)
{
    ADD(&free_places, LOAD(&pace_shared.dedicated));
}

TEST(who_ends_marking_keeps_its_place)
{
    begin_marking_alone(4); // one place
    STORE(&free_places, 0);
    gc_debug.late_work = look_at_places;
    while (heap_marking()) { // again, if there was more left than the stop would mark
        run_worker(dedicated_worker());
        WAIT_FOR(LOAD(&pace_shared.dedicated) == 1);
    }
    gc_debug.late_work = NULL;
    CHECK_EQ(LOAD(&free_places), 0);
    end_marking();
}

enum { YIELDERS = 16, GIVES = 4 };
static uint32_t turns[YIELDERS], enough; // atomic

static void yields(void *mine)
{
    for (uint32_t *n = mine; LOAD(&enough) == 0; gort_yield())
        ADD(n, 1);
    gort_waitgroup_done(&left);
}

// The worker that is out: there is one place.
static struct p *its_p;
static uint64_t its_run;   // of its P, when it gets it
static uint64_t before_it; // bytes scanned
static uint32_t looks;     // atomic

// Only to a P with others in its queue.
static struct g *worker_for_a_crowd(struct p *p)
{
    struct g *g = runq_empty(p) ? NULL : scheduler.find_mark_work(p);
    if (g == NULL) return NULL;
    its_p = p;
    its_run = p->gs_run + 1;
    before_it = pacer_work(&pace_shared).heap;
    return g;
}

// The worker has marked all, and has its P: whoever was in the queue runs elsewhere.  Not if it
// came for no more than one section's work.  Nor if the P was taken from it, for a late timer: then
// it came to another queue, or back to this one, and may have found nothing left there, as nobody
// gives a queue away who is about to leave.
static void wait_for_a_turn_of_each(void)
{
    uint32_t seen[YIELDERS];
    int64_t until = gort_now() + 200 * GORT_S;
    const struct p *p = m_self()->p;
    if (p != its_p || p->gs_run != its_run) return;
    if (pacer_work(&pace_shared).heap - before_it < MB) return;
    for (int i = 0; i < YIELDERS; i++)
        seen[i] = LOAD(&turns[i]);
    for (int i = 0; i < YIELDERS; i++)
        while (LOAD(&turns[i]) == seen[i]) {
            CHECK_LT(gort_now(), until);
            os_thread_yield();
        }
    ADD(&looks, 1);
}

// All Ps have yielders in their queues: those without the worker are never idle, and do not steal.
TEST(a_dedicated_worker_gives_its_queue_away)
{
    STORE(&enough, 0);
    STORE(&looks, 0);
    gort_waitgroup_add(&left, YIELDERS);
    for (int i = 0; i < YIELDERS; i++)
        gort_go(yields, &turns[i]);
    while (LOAD(&looks) < GIVES) {
        begin_marking_alone(4);
        gc_debug.late_work = wait_for_a_turn_of_each;
        sched_hooks.find_mark_work = worker_for_a_crowd;
        while (heap_marking()) // not asleep: a timer may be late
            gort_yield();
        gc_debug.late_work = NULL;
        CHECK_GT(pacer_time_of(&pace_shared, PACER_TIME_DEDICATED), 0);
        end_marking();
    }
    STORE(&enough, 1);
    gort_waitgroup_wait(&left);
}

// On one P there is no other kind, where it is never idle and nobody assists.
TEST(fractional_workers_get_a_cycle_done)
{
    begin_marking_alone(1);
    sched_hooks.find_mark_work = scheduler.find_mark_work;
    for (int i = 0; i < TURNS; i++) // the first share is open at once
        gort_yield();
    CHECK_GT(pacer_work(&pace_shared).heap, 0);
    WAIT_FOR(!heap_marking());
    CHECK_GT(pacer_time_of(&pace_shared, PACER_TIME_FRACTIONAL), 0);
    for (int kind = 0; kind < PACER_TIMES; kind++)
        if (kind != PACER_TIME_FRACTIONAL) CHECK_EQ(pacer_time_of(&pace_shared, kind), 0);
    end_marking();
}

static int count_workers(void)
{
    int n = 0;
    for (uint32_t i = 0; i < g_table_size(); i++) {
        const struct g *g = g_at(i);
        n += g != NULL && g->status != G_DEAD && strcmp(g->name, "gc worker") == 0;
    }
    return n;
}

// One for each P, as at the beginning of a cycle.  First, while there are few.
TEST(a_larger_number_makes_workers)
{
    begin_marking_alone(1);
    int procs = count_workers() + 7;
    gort_max_procs(procs);
    find_workers();
    WAIT_FOR(!heap_marking());
    WAIT_FOR(count_workers() >= procs);
    end_marking();
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
    RUN_ON(1, a_larger_number_makes_workers);
    RUN_ON(1, the_last_own_stack_wakes_the_monitor);
    RUN_ON(2, the_monitor_gets_the_p_of_who_scans_its_own);
    RUN_ON(2, who_allocates_beyond_the_goal_waits);
    RUN_ON(4, workers_keep_their_ps);
    RUN_ON(1, callers_of_gort_gc_mark);
    RUN_ON(4, who_ends_marking_keeps_its_place);
    RUN_ON(4, a_dedicated_worker_gives_its_queue_away);
    RUN_ON(1, fractional_workers_get_a_cycle_done);
    RUN_ON(8, dedicated_workers_leave_the_last_p);
    RUN_ON(8, as_many_stay_as_there_are_places);
    RUN_ON(1, more_ps_have_more_dedicated_workers);
    RUN_ON(8, places_are_of_one_cycle);
    RUN_ON(8, shares_count_from_the_new_number);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
