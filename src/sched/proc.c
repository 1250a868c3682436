/* The scheduler: parking, readying, switching, and looking for work.
 *
 * What it is: each M alternates between goroutines' stacks and its own system stack, where m_loop
 * looks for work.  A goroutine that parks switches straight to the next one of its P's queue when
 * there is one; only without local work, and every 64th time (to look at the global queue, timers
 * and the network), does it pass through the system stack.
 *
 * Note [Commit after the switch].  A goroutine that parks must not be run by another M before its
 * registers are saved.  So it does not release the lock that its waker needs: it leaves that to
 * `commit`, which whoever runs next on this thread calls first thing (switch_finish), on another
 * stack.  Rejected: releasing before the switch with an on-CPU flag that the next M spins on; the
 * spin is unbounded when the kernel takes the first M off its CPU.
 *
 * Invariants: (1) scheduler code runs inside one critical section; a switch happens at depth 1;
 * (2) an M in m_loop holds no lock; (3) m->curg is NULL exactly when no goroutine is current.
 *
 * Answers to: schedule, findRunnable, gopark, goready, Gosched in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>

#include "base/unscanned.h"
#include "os/os.h"
#include "sched/sanitize.h"
#include "sched/runq.h"

#define LOOK_AROUND 64 /* runs between looks at the global queue, timers and the network */

/* Note [Asked to look].  Sixty-four runs are microseconds, or as many time slices: goroutines that
 * hand over directly, each after some milliseconds, would let what is due wait for a second.  So
 * when something waits outside of the queues of Ps, the monitor moves sched.look_round on, and each
 * P that sees it, between two goroutines, looks around at once.  The end of the program asks in the
 * same way: `exiting` is stored before, with release, and read after look_round, with acquire.
 *
 * Note [Each queue its turn].  Where every run lasts longer than the monitor's round, a P is asked
 * to look around before each: goroutines that compute, and lose their P again and again, keep the
 * global queue filled, and one in a ring whose P always took from there would wait for as long as
 * they compute.  So a P that looked around and took one from the global queue takes the following
 * one from its ring, whoever asks.  A marker that runs between the two is not the following one:
 * what computes makes a worker due each time.  One that is put back because its stack is not yet
 * scanned had its turn. */

struct sched sched;
UNSCANNED(sched);
struct sched_shape sched_shape;
struct sched_debug sched_debug;
uint64_t sched_debug_yields, sched_debug_migrations;

/* ---- what belongs to a goroutine but lives in the thread ------------------------------------- */

/* errno lies at one distance from the thread pointer in every thread (the C library is loaded at
 * start, in static thread-local storage); reading it there, by assembly, is free of the address
 * that compilers keep across a switch. */
static intptr_t errno_offset; /* constant after boot */

static void find_errno(void)
{
    errno_offset = (intptr_t)__errno_location() - (intptr_t)arch_thread_pointer();
}

extern uintptr_t *__cxa_get_globals(void) __attribute__((weak));

static cold_path void exceptions_save(struct g *g)
{
    uintptr_t *x = __cxa_get_globals();
    g->cxa_globals[0] = x[0];
    g->cxa_globals[1] = x[1];
}

static cold_path void exceptions_restore(const struct g *g)
{
    uintptr_t *x = __cxa_get_globals();
    x[0] = g->cxa_globals[0];
    x[1] = g->cxa_globals[1];
}

static cold_path void exceptions_none(void)
{
    uintptr_t *x = __cxa_get_globals();
    x[0] = x[1] = 0;
}

/* There are exceptions, or mutexes are watched: constant after boot. */
static bool saves_more;

static cold_path void save_more(struct g *g)
{
    if (__cxa_get_globals != NULL) exceptions_save(g);
    if (sched_debug.mutex_check) mutexcheck_leaves(g);
}

static inline void thread_state_save(struct g *g)
{
    g->saved_errno = arch_thread_int(errno_offset);
    if (unlikely(saves_more)) save_more(g);
}

static inline void thread_state_restore(const struct g *g)
{
    arch_thread_int_set(errno_offset, g->saved_errno);
    if (unlikely(__cxa_get_globals != NULL)) exceptions_restore(g);
}

/* At boot. */
void sched_find_thread_state(void)
{
    find_errno();
    saves_more = __cxa_get_globals != NULL || sched_debug.mutex_check;
    if (sched_debug.mutex_check) mutexcheck_start();
}

/* A new goroutine starts with its own: no error, no exception. */
void thread_state_begin(void)
{
    arch_thread_int_set(errno_offset, 0);
    if (unlikely(__cxa_get_globals != NULL)) exceptions_none();
}

/* ---- switching ------------------------------------------------------------------------------ */

static force_inline void g_make_current(struct m *m, struct g *g)
{
    g->m = m;
    m->curg = g;
    atomic_store_relaxed(&m->p->gs_run, m->p->gs_run + 1);
    g_set_status(g, G_RUNNING);
    arch_tls_set_g(g);
}

static force_inline void finish(void)
{
    struct m *m = m_self();
    bool (*commit)(struct g *, void *) = m->commit;
    if (commit == NULL) return;
    m->commit = NULL;
    if (!commit(m->prev_g, m->commit_arg)) g_ready(m->prev_g);
}

/* First thing on the stack switched to: Note [Commit after the switch]. */
void switch_finish(void)
{
    finish();
}

/* The owner passes through the system stack for more than its own queue. */
static force_inline bool looks_around(const struct p *p)
{
    return p->gs_run % LOOK_AROUND == LOOK_AROUND - 1 ||
           p->looked != atomic_load_relaxed(&sched.look_round); /* a hint: find_near acquires */
}

void sched_ask_to_look(void)
{
    atomic_fetch_add_acqrel(&sched.look_round, 1u); /* pairs with find_near */
}

void sched_set_exiting(void)
{
    atomic_store_seq(&sched.exiting, 1u);
    sched_ask_to_look();
}

/* The next goroutine of this P if it may be switched to directly, else NULL: then m_loop
 * decides.  A newborn only where the caller asks for it; else it hatches. */
static force_inline struct g *next_local(struct m *m, bool newborns)
{
    struct p *p = m->p;
    if (unlikely(p == NULL || m->locked_g != NULL || world_wants_stop())) return NULL;
    if (unlikely(looks_around(p) || mark_is_wanted())) return NULL;
    struct g *next = runq_get(p);
    if (next == NULL) return NULL;
    if (is_newborn(next)) {
        if (newborns) return next;
        if (p->gfree != NULL) return g_hatch(p, next);
    } else if (likely(next->locked_m == NULL && !g_is_grey(next)))
        return next;
    runq_put(p, next, true);
    if (p->next_streak != 0) p->next_streak--; /* it has not had its turn */
    return NULL;
}

/* Leaves g (whose prev_g and commit are set) for the next goroutine, or for the system stack where
 * that is NULL.  Where to. */
static force_inline const struct arch_context *leave_for(struct m *m, void **fake, struct g *next)
{
    if (next != NULL) {
        g_make_current(m, next);
        sanitize_to_g(fake, next);
        return &next->ctx;
    }
    m->curg = NULL;
    arch_tls_set_g(NULL);
    m_set_state(m, M_RUNTIME);
    sanitize_to_system(fake, m);
    return &m->sched_ctx;
}

/* Returns when g runs again, perhaps on another thread.  Inline: as for wait_in in lang/chan.c. */
static force_inline void switch_inline(struct m *m, struct g *g)
{
    assert_that(crit_depth() == 1); /* locks may be held: commit releases them */
    thread_state_save(g);
    const struct arch_context *to = leave_for(m, &g->asan_fake_stack, next_local(m, false));
    /* One call for both: the return from it is predicted by the place of the call. */
    arch_switch(&g->ctx, to);
    sanitize_arrived(g);
    finish();
    thread_state_restore(g);
}

void switch_from(struct m *m, struct g *g)
{
    switch_inline(m, g);
}

bool switch_from_dead(struct m *m, struct g *g, bool may_live_again)
{
    assert_that(crit_depth() == 1);
    thread_state_save(g); /* it may have left a mutex locked */
    if (may_live_again) may_live_again = arch_fp_controls() == sched.fp_controls;
    struct g *next = next_local(m, may_live_again);
    if (next != NULL && is_newborn(next)) {
        g_live_again(m->p, g, next);
        g_make_current(m, g);
        return true;
    }
    m->prev_g = g;
    m->commit = g_bury;
    m->commit_arg = NULL;
    arch_switch_last(&g->ctx, leave_for(m, NULL, next));
    throw_msg("a dead goroutine runs");
}

#define SCAN_TURN_NS ((int64_t)10000000) /* as long as a goroutine may compute while others wait */

/* Note [Deep stacks] in gc/stackroots.c.  false: a stop is wanted, or it is the turn of others. */
static never_inline bool blacken_for_a_turn(struct m *m, struct g *g)
{
    int64_t begin = os_now();
    while (!g_blacken_some(g)) {
        if (world_wants_stop()) return false;
        if (os_now() - begin > SCAN_TURN_NS && sched_others_wait(m->p)) return false;
    }
    return true;
}

/* The order so far: Note [One order for each seed].  Of the one P. */
static struct {
    uint64_t hash, switches;
} order;

#define ORDER_MULTIPLIER UINT64_C(0x100000001b3)

static cold_path void note_turn(const struct g *g)
{
    if (g->no_objects) return; /* the runtime's own */
    order.hash = (order.hash ^ g->goid) * ORDER_MULTIPLIER;
    order.switches++;
    os_clock_advance(TURN_NS);
}

uint64_t sched_order(uint64_t *switches)
{
    *switches = order.switches;
    return order.hash;
}

/* From the system stack to g; returns when some goroutine of this M comes back. */
static void execute(struct m *m, struct g *g)
{
    if (g_is_grey(g) && !blacken_for_a_turn(m, g)) {
        m->p->global_run = m->p->gs_run - 1; /* Note [Each queue its turn] */
        global_put(g);
        return;
    }
    if (unlikely(sched_debug.deterministic)) note_turn(g);
    g_make_current(m, g);
    /* USER before the look at world_stopping: Note [Thread states]. */
    m_set_state(m, M_USER);
    atomic_fence_signal();
    if (world_wants_stop()) arch_crit_set_pending();
    sanitize_to_g(&m->asan_fake_stack, g);
    arch_switch(&m->sched_ctx, &g->ctx);
    sanitize_arrived_system(m);
    switch_finish();
}

/* ---- park, ready, yield ---------------------------------------------------------------------- */

void g_park(bool (*commit)(struct g *g, void *arg), void *arg, enum wait_reason reason)
{
    struct m *m = m_self();
    struct g *g = m->curg;
    assert_that(g != NULL && g == g_self());
    g->wait_reason = (uint8_t)reason;
    atomic_store_relaxed(&g->wait_since, atomic_load_relaxed(&sched.clock)); /* for reports */
    g_set_status(g, G_WAITING);
    m->prev_g = g;
    m->commit = commit;
    m->commit_arg = arg;
    switch_inline(m, g);
    g->wait_reason = WAIT_NONE;
}

static bool commit_unlock(struct g *g, void *lock)
{
    (void)g;
    lock_release(lock);
    return true;
}

void g_park_unlock(struct lock *l, enum wait_reason reason)
{
    struct m *m = m_self();
    struct g *g = m->curg;
    g->wait_reason = (uint8_t)reason;
    atomic_store_relaxed(&g->wait_since, atomic_load_relaxed(&sched.clock)); /* for reports */
    g_set_status(g, G_WAITING);
    m->prev_g = g;
    m->commit = commit_unlock;
    m->commit_arg = l;
    switch_inline(m, g);
    g->wait_reason = WAIT_NONE;
}

void global_put(struct g *g)
{
    lock_acquire(&sched.lock);
    global_put_locked(g);
    lock_release(&sched.lock);
}

void g_ready(struct g *g)
{
    struct p *p = m_self()->p;
    g_set_status(g, G_RUNNABLE);
    if (likely(p != NULL && !sched_debug.migrate)) {
        runq_put(p, g, true);
        if (p_count() == 1) return; /* the only P is running: us */
    } else {
        if (sched_debug.migrate) atomic_fetch_add_relaxed(&sched_debug_migrations, 1);
        global_put(g);
    }
    m_wake_for_work();
}

void g_ready_list(struct g *chain)
{
    while (chain != NULL) {
        struct g *g = chain;
        chain = g->sched_link;
        g_ready(g);
    }
}

/* Waking a thread costs about as much CPU as a dozen short requests, and pays only when they would
 * wait longer than that for this M.  What goroutines took here lately is the estimate; when it is
 * wrong the monitor sees the queue. */
#define WORTH_WAKING_NS 200000

static bool worth_waking(const struct p *p, uint32_t n)
{
    return p->run_ns == 0 || p->run_ns * (int64_t)n > WORTH_WAKING_NS;
}

void p_note_busy(struct p *p, int64_t now)
{
    p->busy_since = now;
    p->busy_run = p->gs_run;
}

void p_note_idle(struct p *p, int64_t now)
{
    uint64_t n = p->gs_run - p->busy_run;
    int64_t since = p->busy_since;
    p->busy_since = 0;
    if (n == 0 || since == 0) return;
    int64_t each = (now - since) / (int64_t)n + 1;
    p->run_ns = p->run_ns == 0 ? each : (7 * p->run_ns + each) / 8;
}

/* Waiting goroutines that the poller or the timers found.
 *
 * Note [Found later, run later].  Where others wait, and they would fill more than half of the ring
 * with them, they go to the end of the global queue.  A ring that overflows sends its oldest half
 * there, behind whoever came after them; and with many connections the poller brings a hundred more
 * at each look around, so that the same goroutines would be pushed out again and again.  Into an
 * empty ring they go all the same: who looked for work looks there first. */
static void inject(struct ready_list *l, bool runs_next)
{
    if (l->first == NULL) return;
    struct p *p = m_self()->p;
    bool was_empty = p != NULL && runq_empty(p);
    bool global = p == NULL || unlikely(sched_debug.migrate == 2) ||
                  (!was_empty && runq_length(p) + l->n > runq_limit() / 2);
    uint32_t n = l->n;
    for (struct g *g = l->first, *following; g != NULL; g = following) {
        following = g->sched_link;
        g_set_status(g, G_RUNNABLE);
        if (!global) runq_put(p, g, false);
    }
    if (global) global_put_list(l->first, l->last, n);
    l->first = l->last = NULL;
    l->n = 0;
    /* A few short ones in the queue of an M that looks for work are what it runs next. */
    if (runs_next && was_empty && (n == 1 || !worth_waking(p, n))) return;
    m_wake_for_work();
}

void ready_inject(struct ready_list *l)
{
    inject(l, false);
}

/* By an M that is about to take from its own queue. */
static void ready_inject_own(struct ready_list *l)
{
    inject(l, m_self()->p != NULL);
}

static bool commit_yield(struct g *g, void *arg)
{
    (void)arg;
    struct p *p = m_self()->p;
    g_set_status(g, G_RUNNABLE);
    if (p == NULL || sched_debug.migrate)
        global_put(g);
    else
        runq_put(p, g, false);
    return true;
}

/* The turn of the first in the ring of the only P, where it may be switched to directly: g goes to
 * the end instead.  NULL, with nothing changed: next_local decides. */
static force_inline struct g *ring_turn(struct p *p, struct g *g)
{
    uint32_t head = p->runq_head, tail = p->runq_tail; /* with one P nobody steals */
    if (unlikely(head == tail || p->run_next != NULL)) return NULL;
    struct g *next = p->runq[head % RUNQ_SIZE];
    if (unlikely(is_newborn(next))) return NULL;
    if (unlikely(next->locked_m != NULL || g_is_grey(next))) return NULL;
    atomic_store_relaxed(&p->runq_head, head + 1);
    atomic_store_relaxed(&p->runq[tail % RUNQ_SIZE], g);
    atomic_store_release(&p->runq_tail, tail + 1); /* A */
    p->next_streak = 0;
    return next;
}

/* With one P nobody can run g before its context is saved: straight to the next one, without a
 * commit.  false: that must be done in full.  Nothing but g is needed behind the switch, so this
 * saves few registers. */
static force_inline bool yield_directly(struct m *m, struct p *p, struct g *g)
{
    if (p_count() != 1 || unlikely(sched_debug.migrate || sanitize_switches)) return false;
    if (unlikely(m->locked_g != NULL || world_wants_stop())) return false;
    if (unlikely(looks_around(p) || mark_is_wanted())) return false;
    struct g *next = ring_turn(p, g);
    if (next == NULL) return false;
    thread_state_save(g);
    g_set_status(g, G_RUNNABLE);
    g_make_current(m, next);
    arch_switch(&g->ctx, &next->ctx);
    finish();
    thread_state_restore(g);
    return true;
}

static never_inline void yield_in_full(struct m *m, struct g *g)
{
    g_set_status(g, G_WAITING); /* commit_yield makes it runnable once its context is saved */
    m->prev_g = g;
    m->commit = commit_yield;
    m->commit_arg = NULL;
    switch_inline(m, g);
}

void g_yield(void)
{
    struct p *p = p_pin();
    struct m *m = m_self();
    struct g *g = m->curg;
    if (!yield_directly(m, p, g)) yield_in_full(m, g);
    p_unpin();
}

void sched_maybe_yield_slow(void)
{
    crit_enter();
    bool yes = random_below(sched_random(), sched_debug.rand_yield) == 0;
    crit_exit();
    if (!yes) return;
    atomic_fetch_add_relaxed(&sched_debug_yields, 1);
    g_yield();
}

void sched_others_first_slow(int64_t ns)
{
    os_clock_advance(ns);
    g_yield();
}

/* ---- looking for work: find_far is in steal.c ------------------------------------------------ */

void run_timers(struct p *p, int64_t now)
{
    if (!timer_is_due(p, now)) return;
    struct ready_list ready = { NULL, NULL, 0 };
    timer_run_due(p, now, &ready);
    ready_inject_own(&ready);
}

/* What fires goes to the end of the queue.  When that is long already it is no later for waiting
 * until the next look around; and a crowd that is due does not become a crowd of goroutines, each
 * with its stack, faster than these end. */
static void run_own_timers(struct p *p, bool around)
{
    if (timer_first(p) == 0) return;
    if (around || runq_length(p) < runq_limit() / 4) run_timers(p, os_now());
}

static void poll_now(void)
{
    if (netpoll_waiters() == 0 || atomic_load_relaxed(&sched.polling)) return;
    struct ready_list ready = { NULL, NULL, 0 };
    netpoll_poll(0, &ready);
    ready_inject_own(&ready);
}

static struct g *found_marker(struct g *g)
{
    if (g != NULL) g_set_status(g, G_RUNNABLE);
    return g;
}

/* Work without leaving this P: what is due, then the queues. */
static struct g *find_near(struct m *m)
{
    struct p *p = m->p;
    bool around = looks_around(p);
    run_own_timers(p, around);
    if (around) {
        p->looked = atomic_load_acquire(&sched.look_round); /* pairs with sched_ask_to_look */
        if (unlikely(atomic_load_relaxed(&sched.exiting))) m_sleep_for_ever(m);
        poll_now();
    }
    struct g *g = NULL;
    if (around && p->gs_run != p->global_run + 1) { /* Note [Each queue its turn] */
        g = global_get(p);
        if (g != NULL) {
            p->global_run = p->gs_run;
            return g;
        }
    }
    if (mark_is_wanted()) {
        g = found_marker(sched_hooks.find_mark_work(p));
        if (g != NULL && p->gs_run == p->global_run + 1) p->global_run++; /* the ring's turn yet */
    }
    if (g == NULL) g = runq_get(p);
    if (g == NULL) g = global_get(p);
    if (g == NULL) {
        poll_now();
        g = runq_get(p);
    }
    return g;
}

/* After the decrement of nspinning: Note [Work and sleepers], step 3 of who stops looking. */
static bool work_somewhere(void)
{
    if (atomic_load_seq(&sched.nrunq) != 0) return true;
    for (int i = 0; i < p_count(); i++)
        if (!runq_empty(sched.all_p[i])) return true;
    return false;
}

int64_t earliest_timer(void)
{
    int64_t first = 0;
    for (int i = 0; i < p_count(); i++) {
        int64_t t = timer_first(sched.all_p[i]);
        if (t != 0 && (first == 0 || t < first)) first = t;
    }
    return first;
}

/* Gives the P up.  false: there is work after all, and the M has a P again. */
static bool retire_p(struct m *m)
{
    p_note_idle(m->p, os_now());
    lock_acquire(&sched.lock);
    if (sched.nrunq != 0) {
        lock_release(&sched.lock);
        return false;
    }
    p_idle_put_locked(p_release(m));
    lock_release(&sched.lock);
    bool was_spinning = m->spinning;
    if (was_spinning) {
        m->spinning = false;
        atomic_fetch_sub_seq(&sched.nspinning, 1);
    }
    atomic_fence_seq(); /* step 2: the looks that follow are relaxed */
    if (!work_somewhere() || !p_take_idle(m)) return true;
    if (was_spinning) {
        m->spinning = true;
        atomic_fetch_add_seq(&sched.nspinning, 1);
    }
    return false;
}

static void poll_delay_and_wait(struct m *m, struct ready_list *ready)
{
    int64_t until = earliest_timer();
    atomic_store_seq(&sched.poll_until, until);
    atomic_fence_seq();
    /* A timer added before this look is seen by it; one added later sees poll_until, which the wait
     * must not outlast. */
    int64_t again = earliest_timer();
    if (again != 0 && (until == 0 || again < until)) until = again;
    int64_t delay = -1;
    if (until != 0) {
        delay = until - os_now();
        if (delay < 0) delay = 0;
    }
    bool logical = unlikely(sched_debug.deterministic) && until != 0;
    m_enter_blocking_state(m);
    netpoll_poll(logical ? 0 : delay, ready);
    m_leave_blocking_state(m, M_RUNTIME);
    if (logical && ready->first == NULL) os_clock_advance_to(until);
}

/* Waits in the poller if nobody else does and there is something to wait for.  true: the M has a P
 * again. */
static bool wait_in_poller(struct m *m)
{
    if (netpoll_waiters() == 0 && earliest_timer() == 0) return false;
    uint32_t nobody = 0;
    if (!atomic_cas_seq(&sched.polling, &nobody, 1)) return false;
    struct ready_list ready = { NULL, NULL, 0 };
    poll_delay_and_wait(m, &ready);
    atomic_store_seq(&sched.polling, 0);
    int64_t now = os_now();
    atomic_store_relaxed(&sched.clock, now);
    bool got = p_take_idle(m); /* first: Note [Late timers] in timer.c */
    for (int i = 0; i < p_count(); i++)
        timer_run_due(sched.all_p[i], now, &ready);
    if (got) p_note_busy(m->p, now);
    ready_inject_own(&ready);
    return got;
}

/* This M is about to run something: somebody else looks for more. */
static void stop_spinning(struct m *m)
{
    if (!m->spinning) return;
    m->spinning = false;
    atomic_fetch_sub_seq(&sched.nspinning, 1);
    m_wake_for_work();
}

/* Returns a goroutine to run; the M has a P then.  Sleeps until there is one. */
static struct g *find_runnable(struct m *m)
{
    for (;;) {
        if (world_wants_stop()) m_stop_point(m);
        if (m->p == NULL && m->spinning) { /* the stop took it: somebody else must look */
            m->spinning = false;
            atomic_fetch_sub_seq(&sched.nspinning, 1);
            m_wake_for_work();
        }
        if (unlikely(atomic_load_relaxed(&sched.exiting))) m_sleep_for_ever(m);
        if (m->p != NULL) {
            struct g *g = find_near(m);
            if (g == NULL) g = find_far(m);
            if (m->p == NULL) continue; /* a stop took it while find_far dozed */
            if (g == NULL && m->keeps_looking) continue;
            if (g == NULL && mark_is_wanted())
                g = found_marker(sched_hooks.find_idle_mark_work(m->p));
            if (g != NULL) {
                stop_spinning(m);
                return is_newborn(g) ? g_hatch(m->p, g) : g;
            }
            if (world_wants_stop()) continue;
            if (!retire_p(m)) continue;
        }
        if (wait_in_poller(m)) continue;
        if (m->p == NULL) m_stop(m);
    }
}

/* ---- goroutines locked to a thread ----------------------------------------------------------- */

/* g may run only on its own M: hand that one our P. */
static void start_locked(struct m *m, struct g *g)
{
    struct m *owner = g->locked_m;
    struct p *p = p_release(m);
    p->status = P_HANDED;
    lock_acquire(&sched.lock);
    sched.nactive++;
    lock_release(&sched.lock);
    owner->next_p = p;
    m_wake_blocking(m, owner, M_RUNTIME);
}

/* This M may run only locked_g, which is not running: sleep until some M brings a P for it.  The
 * note is clear at the start: it is cleared after each use, and nobody else wakes a locked M. */
static void stop_locked(struct m *m)
{
    if (m->p != NULL) p_handoff(p_release(m));
    while (m->p == NULL) {
        lock_acquire(&sched.lock);
        sched.nactive--;
        bool asleep = m_all_asleep_locked();
        lock_release(&sched.lock);
        if (asleep && m_deadlocked()) sched_hooks.deadlock();
        m_enter_blocking_state(m);
        note_wait(&m->park);
        note_clear(&m->park);
        m_leave_blocking_state(m, M_RUNTIME);
        struct p *p = m->next_p;
        m->next_p = NULL;
        if (p != NULL)
            p_acquire(m, p);
        else { /* a change of the number of Ps took it back */
            global_put(m->locked_g);
            m_wake_for_work();
        }
    }
}

/* The loop of every M, on its system stack, inside one critical section. */
void m_loop(void *arg)
{
    struct m *m = arg;
    for (;;) {
        struct g *g = m->locked_g;
        if (g != NULL) {
            stop_locked(m);
        } else {
            g = find_runnable(m);
            if (unlikely(g->locked_m != NULL && g->locked_m != m)) {
                start_locked(m, g);
                continue;
            }
        }
        execute(m, g);
    }
}

/* ---- for markers ----------------------------------------------------------------------------- */

bool sched_others_wait(struct p *p)
{
    return !runq_empty(p) || atomic_load_relaxed(&sched.nrunq) != 0;
}

void sched_give_queue_away(struct p *p)
{
    lock_acquire(&sched.lock);
    runq_drain_locked(p);
    lock_release(&sched.lock);
    m_wake_for_work();
}

void sched_wake_for_marking(void)
{
    if (atomic_load_relaxed(&sched.nidle_p) != 0) m_wake_for_work();
}

void sched_set_mark_wanted_stw(bool wanted)
{
    atomic_store_relaxed(&sched.mark_wanted, wanted); /* seen by all when the world runs again */
}
