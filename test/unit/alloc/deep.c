// Note [Deep stacks] in gc/stackroots.c: a stack is scanned in pieces, a stop comes between two of
// them, and what the oldest frame held when marking began is kept, whoever scans it.  Markers find
// the rest, and the P of who scans its own is there for others.
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/mark.h"
#include "gc/pace.h"
#include "gc/roots.h"
#include "gc/stackroots.h"
#include "marking.h"
#include "sched/sched_internal.h"

static const struct gc_test_options clobbered = { .percent = 100,
                                                  .gccheck = true,
                                                  .clobber = true };

enum { ROUNDS = 2, SEVERAL = 16, FRAME = 8192, FRAMES = 256 };
#define VALUE UINT64_C(0x5a5a0002)
#define DEPTH ((uintptr_t)FRAME * FRAMES)

static struct hidden secret[SEVERAL];
static struct g *deep;             // atomic
static uint32_t stage;             // atomic
static uint32_t pieces, most_once; // of deep, by those who run it; bytes
static bool waits_for_a_stop;      // who scans deep, after the first piece
static bool asks_for_its_p;        // likewise

enum { PREPARED = 1, BETWEEN = 2, GONE_ON = 3 };

static void until(uint32_t s)
{
    while (atomic_load_acquire(&stage) < s)
        os_thread_yield();
}

// ---- what scans ---------------------------------------------------------------------------------

// As markers do that find the goroutine on the list while it is claimed.
static void forget_rests(void)
{
    uint64_t bytes = 0;
    while (stackroots_scan_rest(&bytes))
        continue;
    CHECK_EQ(bytes, 0);
}

// As the monitor does in the second piece; in the third the P is gone.
static void ask_for_the_p(struct m *m)
{
    if (pieces == 2) {
        CHECK(m->p != NULL);
        atomic_store_relaxed(&m->retake_run, m->p->gs_run);
    } else if (pieces == 3) {
        CHECK(m->p == NULL);
        atomic_store_release(&stage, BETWEEN);
    }
}

static bool scan_and_look(struct g *g)
{
    if (g != atomic_load_relaxed(&deep)) return stackroots_scan_piece(g);
    if (++pieces == 2 && waits_for_a_stop) {
        forget_rests();
        atomic_store_release(&stage, BETWEEN);
        while (atomic_load_acquire(&world_stopping) == 0)
            arch_pause();
    }
    if (asks_for_its_p) ask_for_the_p(m_self());
    uintptr_t from = g->scan_at;
    bool whole = stackroots_scan_piece(g);
    if (from != 0 && !whole && g->scan_at - from > most_once)
        most_once = (uint32_t)(g->scan_at - from);
    return whole;
}

// In this stop the stack is half scanned: nobody had to be waited for until it was black.  Markers
// find the rest, though they had forgotten it while it was claimed.
static void look_stopped(void *unused)
{
    (void)unused;
    world_stop(STOP_TEST, NULL);
    CHECK(!g_is_scanned(deep));
    CHECK(deep->scan_at > deep->stack_lo && deep->scan_at < deep->stack_hi);
    CHECK_EQ(stackroots_unfinished(), 1);
    CHECK(stackroots_has_rest());
    CHECK(!mark_looks_done());
    world_start();
}

// ---- what is deep -------------------------------------------------------------------------------

struct frame {
    node *volatile held[SEVERAL];
};

__attribute__((noinline)) static void hold(struct frame *f)
{
    for (int i = 0; i < SEVERAL; i++) {
        f->held[i] = tree(0, VALUE);
        secret[i] = hide(f->held[i]);
    }
}

static void let_go(struct frame *f)
{
    for (int i = 0; i < SEVERAL; i++)
        f->held[i] = NULL; // a local variable: no barrier
}

__attribute__((noinline)) static void descend(int frames, void (*at_bottom)(void))
{
    volatile char space[FRAME];
    space[0] = (char)frames;
    __asm__ volatile("" : : "r"(&space) : "memory");
    if (frames > 0)
        descend(frames - 1, at_bottom);
    else
        at_bottom();
    CHECK_EQ(space[0], (char)frames);
}

static void (*bottom)(void);
static struct group left;

static void be_deep(void *unused)
{
    struct frame f;
    (void)unused;
    hold(&f);
    scrub_stack();
    atomic_store_release(&deep, m_self()->curg);
    descend(FRAMES, bottom);
    CHECK(heap_marking());
    CHECK(g_is_scanned(g_self()));
    let_go(&f);
    scrub_stack();
    atomic_store_release(&stage, GONE_ON);
    group_done(&left);
}

static void start_deep(void (*fn)(void), bool waits)
{
    static const struct g_options o = { .stack_size = 4 * MB };
    sched_hooks.g_scan = scan_and_look;
    prepare_marking();
    bottom = fn;
    waits_for_a_stop = waits;
    asks_for_its_p = false;
    pieces = most_once = 0;
    left.left = 1;
    atomic_store_relaxed(&deep, (struct g *)NULL);
    atomic_store_relaxed(&stage, 0);
    g_start(be_deep, NULL, &o, 0);
}

static void end_and_check(void)
{
    group_wait(&left);
    scrub_stack();
    CHECK_EQ(stackroots_unfinished(), 0);
    end_marking();
    CHECK(!stackroots_has_rest());
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(((node *)shown(secret[i]))->value, VALUE);
}

// From `stage` PREPARED on the stack is deep; a cycle begins; its owner scans it.
static void a_stop_comes_between(void (*fn)(void), void (*then)(void))
{
    for (int round = 0; round < ROUNDS; round++) {
        start_deep(fn, true);
        until(PREPARED);
        then();
        until(BETWEEN);
        call_on_system_stack(look_stopped, NULL);
        end_and_check();
        CHECK_GE(pieces, DEPTH / STACK_PIECE_BYTES);
        CHECK_LE(most_once, STACK_PIECE_BYTES);
    }
}

// ---- by whom it is scanned ----------------------------------------------------------------------

static void compute(void)
{
    atomic_store_release(&stage, PREPARED);
    while (!heap_marking())
        arch_pause();
}

static void by_its_stopped_thread(void)
{
    a_stop_comes_between(compute, begin_marking);
}

static void park(void)
{
    p_pin();
    atomic_store_release(&stage, PREPARED);
    g_park(NULL, NULL, WAIT_SLEEP);
    p_unpin();
}

static void wake_it(void)
{
    while (atomic_load_acquire(&deep->status) != G_WAITING)
        os_thread_yield();
    begin_marking();
    crit_enter();
    g_ready(deep);
    crit_exit();
}

static void by_the_thread_that_will_run_it(void)
{
    a_stop_comes_between(park, wake_it);
}

__attribute__((noinline)) static void in_region(void *frame)
{
    blocking_enter(frame, __builtin_frame_address(0), ARCH_OWN_FRAME_END());
    atomic_store_release(&stage, PREPARED);
    while (!heap_marking())
        os_thread_yield();
    blocking_exit();
}

__attribute__((noinline)) static void block(void)
{
    in_region(__builtin_frame_address(0));
    __asm__ volatile("" ::: "memory"); // not a tail call, which would end the frame
}

static void by_its_thread_out_of_a_region(void)
{
    a_stop_comes_between(block, begin_marking);
}

static void wait_for_marking(void *unused)
{
    (void)unused;
    atomic_store_release(&stage, PREPARED);
    while (!heap_marking())
        os_thread_yield();
}

static void wait_inside(void)
{
    p_pin();
    m_wait_stoppable(wait_for_marking, NULL);
    p_unpin();
}

static void by_its_thread_out_of_a_wait(void)
{
    a_stop_comes_between(wait_inside, begin_marking);
}

static void begin_there(void)
{
    atomic_store_release(&stage, PREPARED);
    begin_marking();
}

static void nothing(void)
{
}

static void by_the_stopper(void)
{
    a_stop_comes_between(begin_there, nothing);
}

// The thread scans on without its P, which others have.
static void its_p_is_asked_for(void (*fn)(void), void (*then)(void))
{
    for (int round = 0; round < ROUNDS; round++) {
        start_deep(fn, false);
        asks_for_its_p = true;
        until(PREPARED);
        then();
        until(BETWEEN);
        crit_enter();
        struct p *p = orphans_take();
        CHECK(p != NULL && p->idle_next == NULL);
        p_handoff(p); // as the monitor does
        crit_exit();
        end_and_check();
    }
}

static void by_a_stopped_thread_without_its_p(void)
{
    its_p_is_asked_for(compute, begin_marking);
}

static void by_a_thread_that_waited_without_its_p(void)
{
    its_p_is_asked_for(wait_inside, begin_marking);
}

static void by_the_stopper_without_its_p(void)
{
    its_p_is_asked_for(begin_there, nothing);
}

static volatile char data[8 * ROOT_JOB_BYTES]; // roots too

// No more than it takes to have done something: Note [Budgets] in gc/mark.c.
static void mark_once(bool *more)
{
    struct scan_work before = pacer_work(&pace_shared);
    data[0] = 0;
    uint64_t done = mark_some(p_pin(), 1, more);
    p_unpin();
    struct scan_work now = pacer_work(&pace_shared);
    uint64_t globals = now.globals - before.globals, stacks = now.stacks - before.stacks;
    CHECK_LE(globals, ROOT_JOB_BYTES);
    CHECK_LE(stacks, ROOT_JOB_STACKS * STACK_PIECE_BYTES);
    CHECK_GE(done, globals + stacks + now.heap - before.heap);
}

// Without the goroutine's doing anything.
static void by_markers(void)
{
    bool more = true;
    start_deep(park, false);
    while (atomic_load_acquire(&stage) < PREPARED ||
           atomic_load_acquire(&deep->status) != G_WAITING)
        g_yield();
    begin_marking();
    uint64_t before = stackroots_pieces(), bytes = stackroots_bytes();
    while (more && !g_is_scanned(deep))
        mark_once(&more);
    CHECK(g_is_scanned(deep));
    CHECK_EQ(pieces, 0);
    CHECK_GE(stackroots_pieces() - before, DEPTH / STACK_PIECE_BYTES);
    CHECK_GE(stackroots_bytes() - bytes, DEPTH);
    crit_enter();
    g_ready(deep);
    crit_exit();
    end_and_check();
}

int main(void)
{
    gc_test_child("stopped", by_its_stopped_thread, 2, &clobbered);
    gc_test_child("woken", by_the_thread_that_will_run_it, 2, &clobbered);
    gc_test_child("region", by_its_thread_out_of_a_region, 2, &clobbered);
    gc_test_child("waiting", by_its_thread_out_of_a_wait, 2, &clobbered);
    gc_test_child("stopper", by_the_stopper, 2, &clobbered);
    gc_test_child("stopped, P wanted", by_a_stopped_thread_without_its_p, 2, &clobbered);
    gc_test_child("waiting, P wanted", by_a_thread_that_waited_without_its_p, 2, &clobbered);
    gc_test_child("stopper, P wanted", by_the_stopper_without_its_p, 2, &clobbered);
    gc_test_child("markers", by_markers, 1, &clobbered);
    gc_test_child("markers", by_markers, 2, &clobbered);
    return 0;
}
