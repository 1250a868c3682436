// Marking beside the program: what must hold while the number of Ps changes, threads wait or
// attach, and the queue has no memory.  Each case failed when the line that it is for was taken
// out.
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "../gc/gc_test.h"
#include "gc/barrier.h"
#include "gc/mark.h"
#include "gc/pace.h"
#include "gc/stackroots.h"
#include "gc/work.h"
#include "marking.h"

static const struct gc_test_options checked = {
    .percent = 100, .gccheck = true, .gccheckmark = true, .clobber = true
};

// ---- threads that wait --------------------------------------------------------------------------

static struct m *waiter;   // atomic
static uint32_t may_go_on; // futex

static void wait_here(void *unused)
{
    (void)unused;
    while (atomic_load_acquire(&may_go_on) == 0)
        os_futex_wait(&may_go_on, 0, -1);
}

static void wait_inside(void *w)
{
    p_pin();
    atomic_store_release(&waiter, m_self());
    m_wait_stoppable(wait_here, NULL);
    p_unpin();
    group_done(w);
}

// A thread that is awake shows M_USER for a moment, between the two lines of
// m_leave_blocking_state.  It will not scan its stack when it goes on: who took it for one that
// does waited for that for ever.
static void scan_while_it_looks(void *unused)
{
    (void)unused;
    struct m *m = waiter;
    world_stop(STOP_TEST, NULL);
    CHECK_EQ(atomic_load_relaxed(&m->state), M_BLOCKING);
    g_grey_all_stw();
    atomic_store_relaxed(&m->state, (uint32_t)M_USER);
    uint32_t others = stackroots_begin_stw(false);
    atomic_store_relaxed(&m->state, (uint32_t)M_BLOCKING);
    CHECK(g_is_scanned(m->curg));
    CHECK(g_is_scanned(m_self()->curg));
    CHECK_EQ(others, 0);
    world_start();
}

static void who_waits_awake_is_scanned_in_the_stop(void)
{
    static struct group w = { .left = 1 };
    go(wait_inside, &w);
    while (atomic_load_acquire(&waiter) == NULL ||
           atomic_load_acquire(&waiter->state) != M_BLOCKING)
        g_yield();
    call_on_system_stack(scan_while_it_looks, NULL);
    atomic_store_release(&may_go_on, 1);
    os_futex_wake(&may_go_on, 1);
    group_wait(&w);
}

// ---- threads that attach ------------------------------------------------------------------------

enum { ATTACHING = 2 };
static uint32_t enough, attached; // atomic

static void *attach_often(void *unused)
{
    while (!atomic_load_relaxed(&enough)) {
        CHECK_EQ(m_attach(), 0);
        crit_enter(); /* the look reads two words: no cycle begins between */
        CHECK(g_is_scanned(g_self()));
        crit_exit();
        m_detach();
        atomic_fetch_add_relaxed(&attached, 1);
    }
    return unused;
}

// No attached thread runs on a grey stack, whatever stop it met on its way.
static void who_attaches_is_black(void)
{
    pthread_t t[ATTACHING];
    for (int i = 0; i < ATTACHING; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, attach_often, NULL), 0);
    for (int i = 0; i < test_count(2000) || atomic_load_relaxed(&attached) < 100; i++)
        gort_gc();
    atomic_store_relaxed(&enough, 1);
    blocking_enter(__builtin_frame_address(0), __builtin_frame_address(0), ARCH_OWN_FRAME_END());
    for (int i = 0; i < ATTACHING; i++)
        pthread_join(t[i], NULL);
    blocking_exit();
}

// ---- Ps that come -------------------------------------------------------------------------------

static uint32_t former;        // number of Ps
static uint64_t marked_by_new; // atomic
static uint32_t nothing_left;  // atomic

static void mark_on_a_new_p(void *w)
{
    while (heap_marking() && !atomic_load_relaxed(&nothing_left) &&
           atomic_load_relaxed(&marked_by_new) == 0) {
        bool left = true;
        struct p *p = p_pin();
        if (heap_marking() && p->id >= former)
            atomic_fetch_add_relaxed(&marked_by_new, mark_some(p, 256 * KB, &left));
        p_unpin();
        if (!left) atomic_store_relaxed(&nothing_left, 1);
        g_yield();
    }
    group_done(w);
}

static void a_p_that_comes_marks(void)
{
    static struct group w;
    prepare_marking();
    begin_marking();
    former = (uint32_t)p_count();
    p_set_count((int)former + 2);
    w.left = 4 * (former + 2);
    for (uint32_t i = w.left; i > 0; i--)
        go(mark_on_a_new_p, &w);
    group_wait(&w);
    CHECK_GT(marked_by_new, 0);
    end_marking(); // and gccheckmark says what was missed
}

// ---- Ps that go ---------------------------------------------------------------------------------

static node *slot;

static struct hidden overwritten;
static uint32_t is_done; // atomic

// The one reference that the collector may find is overwritten, on a P that then goes.
static void overwrite_on_a_p_that_goes(void *w)
{
    while (!atomic_load_acquire(&is_done)) {
        uint32_t no = 0;
        struct p *p = p_pin();
        bool mine = p->id != 0 && atomic_cas_acqrel(&is_done, &no, 1);
        if (mine) {
            CHECK(!is_marked(overwritten));
            gort_set(&slot, NULL);
            CHECK_GT(p->barrier.n, 0);
        }
        p_unpin();
        if (mine) {
            p_set_count(1);
            CHECK_EQ(p->barrier.n, 0);
        }
        g_yield();
    }
    group_done(w);
}

__attribute__((noinline)) static void fill_slot(void)
{
    gort_set(&slot, tree(3, 1));
    overwritten = hide(slot);
}

static void what_a_p_logged_is_kept_when_it_goes(void)
{
    static struct group w;
    fill_slot();
    scrub_stack();
    prepare_marking();
    begin_marking();
    w.left = 4 * (uint32_t)p_count();
    for (uint32_t i = w.left; i > 0; i--)
        go(overwrite_on_a_p_that_goes, &w);
    group_wait(&w);
    CHECK_EQ(p_count(), 1);
    end_marking();
    const node *x = shown(overwritten);
    CHECK_EQ(x->value, 1);
    CHECK_EQ(x->left->right->value, 5);
}

// ---- no memory for the queue --------------------------------------------------------------------

enum { KEPT = 2000, BYTES = 1000 };
static void **kept;
static uint32_t overflows;

static void note_overflows(const struct gc_cycle_record *r)
{
    overflows += r->overflows;
}

static void make_holes(void)
{
    gort_set(&kept, (void **)gort_alloc(KEPT * sizeof(void *)));
    for (int i = 0; i < 2 * KEPT; i++) {
        void *x = gort_alloc(BYTES);
        if (i % 2) gort_set(&kept[i / 2], x);
    }
    scrub_stack();
    gort_gc();
    gc_sweep_all();
}

// Free slots of open windows are marked, and hold anything: with clobberfree, no layout word.
static void free_slots_are_not_looked_at(void)
{
    gort_set_gc_percent(-1);
    build_wide();
    make_holes();
    void *opens_a_window = gort_alloc(BYTES);
    work_pool.fail_after = 0; // each word is marked where it is found
    gc_cycle_listener = note_overflows;
    gort_gc();
    CHECK_GT(overflows, 0);
    work_pool.fail_after = UINT64_MAX;
    gort_keep_alive(opens_a_window);
}

// ---- credit -------------------------------------------------------------------------------------

enum { CREDIT = 64 * MB };

// What a worker has marked is paid with before anybody marks himself, and is paid with once.
static void credit_is_taken_first(void)
{
    prepare_marking();
    begin_marking();
    uint64_t before = pace_credit_taken(), left = atomic_load_relaxed(&pace_shared.credit);
    uint64_t marked = pacer_work(&pace_shared).heap;
    pacer_credit_add(&pace_shared, CREDIT); // as workers do
    while (heap_marking() && pace_credit_taken() == before)
        gort_new(node);
    CHECK(heap_marking());
    uint64_t taken = pace_credit_taken() - before;
    CHECK_EQ(left + CREDIT - atomic_load_relaxed(&pace_shared.credit), taken);
    CHECK_EQ(pacer_work(&pace_shared).heap, marked);
    end_marking();
}

// ---- a stop waits for a step --------------------------------------------------------------------

enum { ARRAYS = 64, ARRAY_BYTES = 100 * KB };
static void **arrays;

static void a_step_is_short(void)
{
    bool left = true;
    uint64_t most = 0, all = 0, steps = 0; // that scanned large objects
    gort_set(&arrays, (void **)gort_alloc(ARRAYS * sizeof(void *)));
    for (int i = 0; i < ARRAYS; i++)
        gort_set(&arrays[i], gort_alloc(ARRAY_BYTES));
    prepare_marking();
    begin_marking();
    while (left) {
        uint64_t one = mark_some(p_pin(), 1, &left);
        p_unpin();
        if (one > most) most = one;
        all += one;
        steps += one > 2 * KB;
    }
    CHECK_GE(all, (uint64_t)ARRAYS * ARRAY_BYTES);
    CHECK_LE(most, 256 * KB); // a root job, and what is scanned as it is marked for it
    CHECK_GE(steps, (uint64_t)ARRAYS * ARRAY_BYTES / (64 * KB)); // Note [Budgets] in gc/mark.c
    end_marking();
}

int main(void)
{
    gc_test_child("waits", who_waits_awake_is_scanned_in_the_stop, 2, &checked);
    gc_test_child("attaches", who_attaches_is_black, 2, &gc_test_plain);
    gc_test_child("comes", a_p_that_comes_marks, 1, &checked);
    gc_test_child("comes", a_p_that_comes_marks, 2, &checked);
    gc_test_child("goes", what_a_p_logged_is_kept_when_it_goes, 2, &checked);
    gc_test_child("goes", what_a_p_logged_is_kept_when_it_goes, 4, &checked);
    gc_test_child("credit", credit_is_taken_first, 1, &gc_test_plain);
    gc_test_child("step", a_step_is_short, 1, &gc_test_plain);
    RUN_WITH(free_slots_are_not_looked_at, &checked);
    return 0;
}
