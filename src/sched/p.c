/* Processors: acquiring, releasing, handing over, and changing their number.
 *
 * A P's record is made once and kept for ever; "dead" ones beyond GORTMAXPROCS hold nothing.  A P
 * belongs to one M (m->p), or is on the idle list, or among the orphans (monitor.c), or is lent
 * (blocking.c), or is in the hands of the code that moves it between these.
 *
 * Answers to: acquirep, releasep, handoffp, procresize in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/persistent.h"
#include "sched/sched_internal.h"

struct p *p_at(int i)
{
    return sched.all_p[i];
}

/* Its P was taken while it computed; now it has one again, or needs none any more. */
void m_not_computing(struct m *m)
{
    if (likely(!m->computing)) return;
    m->computing = false;
    atomic_fetch_sub_relaxed(&sched.ncomputing, 1);
}

void p_acquire(struct m *m, struct p *p)
{
    m_not_computing(m);
    assert_that(m->p == NULL && p->m == NULL);
    m->p = p;
    atomic_store_relaxed(&p->m, m); /* the monitor peeks */
    p->status = P_RUNNING;
    if (m == m_self()) tls_use_cache_of(p);
}

struct p *p_release(struct m *m)
{
    struct p *p = m->p;
    assert_that(p != NULL && p->m == m && m == m_self());
    tls_use_cache_of(NULL);
    m->p = NULL;
    atomic_store_relaxed(&p->m, (struct m *)NULL);
    p->status = P_IDLE;
    return p;
}

void p_lend(struct m *m)
{
    struct p *p = p_release(m);
    p->status = P_LENT;
    atomic_store_relaxed(&p->lends, p->lends + 1);
    m->lent = p;
    atomic_store_release(&p->lender, m); /* pairs with p_take_lent */
}

bool p_take_lent(struct p *p, struct m *lender)
{
    return atomic_load_relaxed(&p->lender) == lender &&
           atomic_cas_acqrel(&p->lender, &lender, (struct m *)NULL);
}

void p_idle_put_locked(struct p *p)
{
    p->status = P_IDLE;
    p->idle_next = sched.idle_p;
    sched.idle_p = p;
    sched_hooks.p_idle(p);
    atomic_store_seq(&sched.nidle_p, sched.nidle_p + 1);
}

struct p *p_idle_get_locked(void)
{
    struct p *p = sched.idle_p;
    if (p == NULL) return NULL;
    sched.idle_p = p->idle_next;
    p->idle_next = NULL;
    atomic_store_seq(&sched.nidle_p, sched.nidle_p - 1);
    sched_hooks.p_busy(p);
    return p;
}

bool p_take_idle(struct m *m)
{
    /* Seq: who gives a P up and finds somebody in the poller leaves it to him; he has left it
     * before this. */
    if (atomic_load_seq(&sched.nidle_p) == 0) return false;
    lock_acquire(&sched.lock);
    struct p *p = p_idle_get_locked();
    lock_release(&sched.lock);
    if (p == NULL) return false;
    monitor_notice();
    p_acquire(m, p);
    return true;
}

/* p has just lost its M to a blocking region: start another M if there is work for it, else let it
 * be idle.  Step 3 of Note [Work and sleepers] for the work that p itself holds.
 *
 * Where nobody else is looking and no P is idle, others may have work that nobody knows of: an M
 * looks for it.  The only P has no others.  What else a looker would find is looked at here, under
 * the lock or after it: who makes work after that sees the P idle, and starts an M for it.  Who was
 * looking may have found something meanwhile, and started nobody because no P was idle yet: so
 * where this is the only idle one, it is looked again whether somebody looks. */
struct m *p_hand_over(struct p *p)
{
    bool work = sched_others_wait(p) || sched_hooks.mark_work() ||
                (timer_first(p) != 0 && timer_is_due(p, os_now()));
    if (!work && p_count() > 1 &&
        atomic_load_seq(&sched.nspinning) + atomic_load_seq(&sched.nidle_p) == 0) {
        uint32_t none = 0;
        if (atomic_cas_seq(&sched.nspinning, &none, 1))
            return m_give(p, true); /* everybody else is busy: somebody must look for work */
    }
    if (work) return m_give(p, false);
    lock_acquire(&sched.lock);
    if (sched.nrunq != 0) {
        lock_release(&sched.lock);
        return m_give(p, false);
    }
    p_idle_put_locked(p);
    bool alone = sched.nidle_p == 1 && p_count() > 1;
    /* The last P to become idle leaves somebody to watch the network and the timers. */
    bool watch = sched.nidle_p == (uint32_t)p_count() && atomic_load_seq(&sched.polling) == 0 &&
                 (netpoll_waiters() != 0 || earliest_timer() != 0);
    lock_release(&sched.lock);
    return watch || alone ? m_for_work() : NULL;
}

void p_handoff(struct p *p)
{
    struct m *m = p_hand_over(p);
    if (m != NULL) m_wake_blocking(m_self(), m, M_RUNTIME);
}

static void wake_parked(void *arg)
{
    struct m *m = arg;
    note_wake(&m->park);
}

void p_handoff_blocking(struct p *p)
{
    struct m *m = p_hand_over(p);
    if (m != NULL) m_wait_stoppable(wake_parked, m);
}

/* ---- the number of Ps ----------------------------------------------------------------------- */

static struct p *p_make(uint32_t id)
{
    struct p *p = persistent_alloc(sizeof(struct p), CACHE_LINE, &sched.meta_bytes);
    if (p == NULL) throw_fmt("out of memory: no record for P %u", id);
    p->id = id;
    random_init(&p->random, 1000 + id);
    timer_heap_init(&p->timers);
    return p;
}

static void p_revive(struct p *p)
{
    p->status = P_IDLE;
    atomic_store_relaxed(&p->m, (struct m *)NULL);
    sched_hooks.p_init(p);
    if (p->mcache != NULL) p->mcache->fast.cell = (uint64_t)p->id * GORT_COUNTER_STRIDE;
}

static void p_retire_locked(struct p *p)
{
    runq_drain_locked(p);
    dead_flush_stw(p);
    newborns_flush_stw(p);
    sudogs_flush_stw(p);
    p->status = P_DEAD;
}

/* Takes p from whoever has it: a stopped M, one that was woken with it, or that lent it. */
static void p_reclaim_stw(struct p *p)
{
    if (p->m != NULL) {
        p->m->p = NULL; /* empties its cache pointer itself: m_stop_wait */
        atomic_store_relaxed(&p->m, (struct m *)NULL);
    }
    for (struct m *m = m_all(); p->status == P_HANDED && m != NULL; m = m->all_next)
        if (m->next_p == p) {
            m->next_p = NULL;
            p->status = P_IDLE;
        }
    atomic_store_relaxed(&p->lender, (struct m *)NULL); /* it does not find p again */
    p->status = P_IDLE;
}

static void idle_list_rebuild_locked(void)
{
    while (p_idle_get_locked() != NULL)
        continue;
    for (int i = p_count() - 1; i >= 0; i--)
        if (sched.all_p[i]->status == P_IDLE) p_idle_put_locked(sched.all_p[i]);
}

/* The caller keeps a P: if its number is too high it takes over P 0. */
void p_resize_stw(int n)
{
    assert_that(n >= 1 && n <= MAX_PROCS);
    struct m *self = m_self();
    int old = p_count();
    for (int i = 0; i < n; i++)
        if (sched.all_p[i] == NULL) sched.all_p[i] = p_make((uint32_t)i);
    sched_shape.nprocs = n;
    for (int i = old; i < n; i++)
        p_revive(sched.all_p[i]);
    for (struct p *p = orphans_take(), *following; p != NULL; p = following) {
        following = p->idle_next;
        p->status = P_IDLE;
    }
    if (self != NULL && self->p != NULL && self->p->id >= (uint32_t)n) {
        p_reclaim_stw(sched.all_p[0]);
        p_release(self);
        p_acquire(self, sched.all_p[0]);
    }
    struct p *heir = self != NULL && self->p != NULL ? self->p : sched.all_p[0];
    for (int i = n; i < old; i++) {
        p_reclaim_stw(sched.all_p[i]);
        timer_move_all_stw(sched.all_p[i], heir);
        sched_hooks.p_destroy(sched.all_p[i], heir);
    }
    lock_acquire(&sched.lock);
    for (int i = n; i < old; i++)
        p_retire_locked(sched.all_p[i]);
    idle_list_rebuild_locked();
    lock_release(&sched.lock);
    sched_hooks.procs_changed(n);
}

struct set_call {
    int n, former;
    bool follows; /* gives way to a number that the program set */
};

static void set_count(void *arg)
{
    struct set_call *c = arg;
    world_stop(STOP_PROCS, NULL);
    c->former = p_count();
    if (c->n != c->former && !(c->follows && p_count_is_fixed())) p_resize_stw(c->n);
    world_start();
}

int p_set_count(int n)
{
    if (sched_debug.deterministic) return p_count(); /* it stays 1 */
    struct set_call c = { .n = n < MAX_PROCS ? n : MAX_PROCS };
    atomic_store_relaxed(&sched.procs_fixed, 1u); /* before the stop, which orders it */
    call_on_system_stack(set_count, &c);
    return c.former;
}

void p_follow_count(int n)
{
    struct set_call c = { .n = n, .follows = true };
    call_on_system_stack(set_count, &c);
}

bool p_count_is_fixed(void)
{
    return atomic_load_relaxed(&sched.procs_fixed) != 0; /* in a stop: exact */
}
