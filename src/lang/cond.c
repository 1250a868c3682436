/* Condition variables.
 *
 * A goroutine that waits is queued before it unlocks the mutex, so that a signal which comes
 * between the unlock and its parking finds it.  Whoever takes it off the queue calls it; what the
 * call does depends on how far it has come:
 *
 *                queue_locked              commit (of its parking)
 *      (waiter) -------------> NOT_PARKED -------------------------> PARKED
 *                                   |                                  |
 *                                   | call: nothing more               | call: g_ready
 *                                   +-------------> CALLED <-----------+
 *
 * One that was called first does not park: its commit fails.  Rejected: tickets, taken before the
 * unlock and given out by signals, as in Go, so that the queue may be entered later.  Tickets are
 * dense, so who leaves without a signal must renumber those behind it, and wait until all that
 * hold one have come to the queue: for n goroutines whose contexts end n * n steps.  Rejected too:
 * unlocking the user's mutex in the commit, which reports misuse from the wrong stack.
 *
 * Invariants: (1) `waiting` is the number of records in the queue; (2) a record that was taken off
 * the queue is called exactly once, by whoever took it, who looks at it no more afterwards: it is
 * its goroutine's.
 *
 * Note [Giving up].  A goroutine whose context ends leaves, and no signal may go to it afterwards:
 * that would be lost to the others.  Who ends the context takes it off the queue, under the lock,
 * and calls it; so a signal either took it before, and then it returns as if the context went on,
 * or never sees it.  One that is not queued yet is told, and will not queue.  A broadcast takes
 * the whole queue at once and calls one after the other, without the lock: those are no longer
 * queued though their links say so, which `broadcasts` tells, moved on by each broadcast and noted
 * by who is queued.  The wait stays on the context's list until after its record has been called,
 * and keeps the record so long.
 *
 * Locking: NOTIFY, one bucket, for the queue and the condition's fields.  Memory order: `waiting`
 * is read without the lock by signal, to leave early when nobody waits: who changed what others
 * wait for, under the user's mutex, comes after the unlock of each that looked before and is
 * queued.  The exchange of `call` and the compare-and-swap in commit release and acquire: what was
 * done before a signal is seen by who it wakes.
 *
 * Answers to: sync/cond.go, notifyList in sema.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/unscanned.h"
#include "gort/mem.h"
#include "gort/sync.h"
#include "lang/addrq.h"
#include "lang/context.h"
#include "lang/mutex.h"

#define CALL_BATCH 128 /* waiters called in one critical section by a broadcast */

static struct addr_bucket table[ADDR_BUCKETS] = {
    [0 ... ADDR_BUCKETS - 1] = { .lock = LOCK_INIT(RANK_NOTIFY) },
};
UNSCANNED(table);

enum call { NOT_PARKED, PARKED, CALLED };

/* A wait that ends with its context: Note [Giving up].  In the frame of its goroutine. */
struct bound_wait {
    struct context_wait wait;
    gort_cond *c;
    struct sudog *s; /* NULL: not queued yet; NOTIFY */
    bool gave_up;    /* NOTIFY */
};

static struct addr_bucket *bucket_of(const gort_cond *c)
{
    return &table[addr_bucket_index(c)];
}

/* s is off the queue, and its goroutine's again: invariant (2). */
static void call(struct sudog *s)
{
    struct g *g = s->g;
    if (atomic_exchange_acqrel(&s->call, (uint32_t)CALLED) == PARKED) g_ready(g);
}

static bool commit(struct g *g, void *record)
{
    uint32_t *call = &((struct sudog *)record)->call, expected = NOT_PARKED;
    (void)g;
    return atomic_cas_acqrel(call, &expected, (uint32_t)PARKED);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void set_waiting(gort_cond *c, uint32_t n)
{
    atomic_store_seq(&c->waiting, n);
}

static struct sudog *queue_locked(struct addr_bucket *b, struct g *g, gort_cond *c)
{
    struct sudog *s = sudog_acquire(g);
    s->g = g;
    s->object = c;
    s->call = NOT_PARKED;
    s->broadcasts = c->broadcasts;
    s->is_select = s->success = false;
    lang_shade(c, NULL);
    addrq_push(b, s);
    set_waiting(c, c->waiting + 1);
    g->waiting = s; /* a root from now on */
    return s;
}

/* NULL: the context ended first. */
static struct sudog *queue(struct g *g, gort_cond *c, struct bound_wait *w)
{
    struct addr_bucket *b = bucket_of(c);
    struct sudog *s = NULL;
    p_pin();
    lock_acquire(&b->lock);
    if (w == NULL || !w->gave_up) s = queue_locked(b, g, c);
    if (w != NULL) w->s = s;
    lock_release(&b->lock);
    p_unpin();
    return s;
}

static void park_until_called(struct g *g, struct sudog *s)
{
    p_pin();
    g_park(commit, s, WAIT_COND);
    g->waiting = NULL;
    p_unpin();
}

static void release(struct sudog *s)
{
    p_pin();
    sudog_release(s);
    p_unpin();
}

static void take_off(struct addr_bucket *b, gort_cond *c, struct sudog *s)
{
    (void)addrq_remove(b, s);
    set_waiting(c, c->waiting - 1);
}

/* Bucket locked. */
static bool is_queued(const gort_cond *c, const struct sudog *s)
{
    return s->broadcasts == c->broadcasts && s->next != NULL;
}

static void context_ended(struct context_wait *wait)
{
    struct bound_wait *w = container_of(wait, struct bound_wait, wait);
    struct addr_bucket *b = bucket_of(w->c);
    p_pin();
    lock_acquire(&b->lock);
    struct sudog *s = w->s != NULL && is_queued(w->c, w->s) ? w->s : NULL;
    if (s != NULL) take_off(b, w->c, s);
    w->gave_up = s != NULL || w->s == NULL;
    lock_release(&b->lock);
    if (s != NULL) call(s);
    p_unpin();
}

/* The mutex is held when the goroutine leaves, as when it returns. */
static never_inline void wait_bound(struct g *g, gort_cond *c, gort_mutex *m)
{
    struct bound_wait w = { .wait.wake = context_ended, .c = c };
    if (!context_wait_enter(g, &w.wait)) context_leave(g);
    struct sudog *s = queue(g, c, &w);
    if (s != NULL) {
        race_release(m);
        mutex_unlock(m);
        park_until_called(g, s);
    }
    context_wait_leave(&w.wait);
    if (s != NULL) {
        release(s);
        race_acquire(c);
        mutex_lock(g, m, WAIT_MUTEX);
        race_acquire(m);
    }
    if (w.gave_up) context_leave(g);
}

void gort_cond_wait(gort_cond *c, gort_mutex *m)
{
    struct g *g = lang_enter_blocking("gort_cond_wait");
    if (!mutex_is_locked(m)) throw_msg("gort_cond_wait: the mutex is not locked");
    if (unlikely(context_bound(g))) {
        wait_bound(g, c, m);
        return;
    }
    struct sudog *s = queue(g, c, NULL);
    race_release(m);
    mutex_unlock(m);
    park_until_called(g, s);
    release(s);
    race_acquire(c);
    mutex_lock(g, m, WAIT_MUTEX);
    race_acquire(m);
}

/* ---- signals -------------------------------------------------------------------------------- */

static bool nobody_waits(gort_cond *c)
{
    return atomic_load_seq(&c->waiting) == 0;
}

void gort_cond_signal(gort_cond *c)
{
    (void)lang_enter("gort_cond_signal");
    race_release(c);
    if (nobody_waits(c)) return;
    struct addr_bucket *b = bucket_of(c);
    p_pin();
    lock_acquire(&b->lock);
    struct sudog *s = addrq_pop(b, c);
    if (s != NULL) set_waiting(c, c->waiting - 1);
    lock_release(&b->lock);
    if (s != NULL) call(s);
    p_unpin();
}

/* Calls some of a chain, and returns the others.  Many do not keep the world from stopping, or its
 * P from others. */
static struct sudog *call_some(struct sudog *s)
{
    struct sudog *next;
    for (int n = 0; s != NULL && n < CALL_BATCH; n++, s = next) {
        next = s->next;
        s->next = NULL;
        call(s);
    }
    return s;
}

void gort_cond_broadcast(gort_cond *c)
{
    (void)lang_enter("gort_cond_broadcast");
    race_release(c);
    if (nobody_waits(c)) return;
    struct addr_bucket *b = bucket_of(c);
    p_pin();
    lock_acquire(&b->lock);
    struct sudog *s = addrq_take_all(b, c);
    set_waiting(c, 0);
    c->broadcasts++; /* Note [Giving up] */
    lock_release(&b->lock);
    s = call_some(s);
    p_unpin();
    while (s != NULL) {
        p_pin();
        s = call_some(s);
        p_unpin();
    }
    gort_keep_alive(c); /* those that are not called yet are not stuck */
}
