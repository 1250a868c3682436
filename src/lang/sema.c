/* Semaphores: a count anywhere in memory, and the table of those who wait for it.
 *
 * A unit goes directly to the goroutine that has waited longest: its record is taken off the queue
 * and it runs with the unit in hand, without looking at the count again.  Rejected: adding the unit
 * to the count and letting the woken goroutine compete for it, which needs a loop, and lets
 * newcomers starve it; the mutex, which wants competition, competes on its own state word.
 *
 * Note [Count and waiters].  Taking and giving touch only the count when nobody waits.
 *      who waits (sema_acquire, lock held):     who gives (sema_release):
 *        1. waiters += 1                           1. count += 1
 *        2. take from count; got one: leave        2. waiters == 0: leave
 *        3. queue, park (releases the lock)        3. lock; take from count; got one: give it to
 *                                                     the first in the queue
 * Both sides' steps 1 and 2 are sequentially consistent, so one of them sees the other: either the
 * taker finds the unit, or the giver finds the waiter.  A giver that sees waiters at once skips 1
 * and looks in the queue under the lock first, so that a newcomer can not snatch the unit.
 *
 * Note [A count may be gone].  Once the unit is in the count, somebody may take it, return, and
 * leave the frame in which the count lay.  So after its step 1 the giver touches the count only if
 * somebody is queued there, who keeps it alive; otherwise it has an address and no more.
 *
 * test/model/sema.py goes through every interleaving of both.
 *
 * Locking: SEMATABLE, one bucket.  Memory order: a unit taken from the count acquires what the
 * giver released (both sequentially consistent); one handed over is ordered by the lock.
 *
 * Answers to: sema.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/sema.h"

#include "base/unscanned.h"
#include "gort/sync.h"
#include "lang/addrq.h"
#include "lang/context.h"

static struct addr_bucket table[ADDR_BUCKETS] = {
    [0 ... ADDR_BUCKETS - 1] = { .lock = LOCK_INIT(RANK_SEMATABLE) },
};
UNSCANNED(table);

static struct addr_bucket *bucket_of(const uint32_t *count)
{
    return &table[addr_bucket_index(count)];
}

static bool take(uint32_t *count)
{
    uint32_t n = atomic_load_seq(count); /* step 2 of Note [Count and waiters] */
    while (n != 0)
        if (atomic_cas_seq(count, &n, n - 1)) return true;
    return false;
}

static void give(uint32_t *count)
{
    if (unlikely(atomic_fetch_add_seq(count, 1u) == UINT32_MAX))
        throw_msg("semaphore count overflows");
}

static void waiters_add(struct addr_bucket *b, uint32_t n)
{
    atomic_fetch_add_seq(&b->waiters, n);
}

/* ---- taking --------------------------------------------------------------------------------- */

static void park_at(struct addr_bucket *b, struct g *g, uint32_t *count, bool first,
                    enum wait_reason reason)
{
    struct sudog *s = sudog_acquire(g);
    s->g = g;
    s->object = count;
    s->is_select = s->success = false;
    lang_shade(count, NULL);
    if (first)
        addrq_push_front(b, s);
    else
        addrq_push(b, s);
    g->waiting = s;
    g_park_unlock(&b->lock, reason);
    g->waiting = NULL;
    sudog_release(s);
}

static never_inline void acquire_slow(struct g *g, uint32_t *count, bool first,
                                      enum wait_reason reason)
{
    struct addr_bucket *b = bucket_of(count);
    p_pin();
    lock_acquire(&b->lock);
    waiters_add(b, 1);
    if (take(count)) {
        waiters_add(b, -1u);
        lock_release(&b->lock);
    } else {
        park_at(b, g, count, first, reason);
    }
    p_unpin();
}

void sema_acquire(struct g *g, uint32_t *count, bool first, enum wait_reason reason)
{
    if (!take(count)) acquire_slow(g, count, first, reason);
}

bool sema_try(uint32_t *count)
{
    return take(count);
}

/* ---- taking, or not ------------------------------------------------------------------------- *
 * Note [Two ways to wake].  The goroutine is queued at the count and at a channel, as in a select:
 * whoever takes one of its records off a queue must win select_done first (Note [Who decides a
 * select] in chan_select.c).  The loser's record, taken off by a giver, is off (next is NULL) and
 * is no longer counted in waiters; otherwise the goroutine takes it off itself. */

struct two_ways {
    struct g *g;
    struct addr_bucket *b;
    struct hchan *done;
    struct sudog *at_count, *at_done;
};

static bool commit_two_ways(struct g *g, void *arg)
{
    const struct two_ways *w = arg;
    struct hchan *done = w->done; /* once the first lock is released the frame may go */
    (void)g;
    lock_release(&w->b->lock);
    chan_unlock(done);
    return true;
}

static struct sudog *record_for(struct g *g, const void *object)
{
    struct sudog *s = sudog_acquire(g);
    s->g = g;
    s->object = (void *)(uintptr_t)object;
    s->is_select = true;
    s->success = false;
    lang_shade(object, NULL);
    return s;
}

/* Both locks held; released on return.  Whether it was given a unit. */
static bool park_two_ways(struct two_ways *w, uint32_t *count, enum wait_reason reason)
{
    struct g *g = w->g;
    w->at_count = record_for(g, count);
    w->at_done = record_for(g, w->done);
    addrq_push(w->b, w->at_count);
    waitq_push(&w->done->recvq, w->at_done);
    w->at_count->wait_link = w->at_done;
    g->waiting = w->at_count;
    g->wake_param = NULL;
    atomic_store_relaxed(&g->select_done, 0u); /* the locks order it */
    g_park(commit_two_ways, w, reason);
    bool given = g->wake_param != w->at_done;
    g->wake_param = NULL;
    return given;
}

static void leave_two_ways(struct two_ways *w)
{
    chan_lock(w->done);
    lock_acquire(&w->b->lock);
    if (waitq_has(&w->done->recvq, w->at_done)) waitq_remove(&w->done->recvq, w->at_done);
    if (addrq_remove(w->b, w->at_count)) waiters_add(w->b, -1u);
    lock_release(&w->b->lock);
    chan_unlock(w->done);
    w->g->waiting = NULL;
    w->at_count->wait_link = NULL;
    sudog_release(w->at_done);
    sudog_release(w->at_count);
}

static never_inline bool acquire_or_slow(struct g *g, uint32_t *count, struct hchan *done,
                                         enum wait_reason reason)
{
    struct two_ways w = { .g = g, .b = bucket_of(count), .done = done };
    bool given = true;
    p_pin();
    chan_lock(done);
    lock_acquire(&w.b->lock);
    waiters_add(w.b, 1);
    bool got = take(count), closed = done->closed;
    if (got || closed) {
        waiters_add(w.b, -1u);
        lock_release(&w.b->lock);
        chan_unlock(done);
        given = got;
    } else {
        given = park_two_ways(&w, count, reason);
        leave_two_ways(&w);
    }
    p_unpin();
    return given;
}

bool sema_acquire_or(struct g *g, uint32_t *count, struct hchan *done, enum wait_reason reason)
{
    if (take(count)) return true;
    if (done != NULL) return acquire_or_slow(g, count, done, reason);
    acquire_slow(g, count, false, reason);
    return true;
}

/* ---- taking, until it is ended -------------------------------------------------------------- *
 * Note [Waits that are ended].  Besides who gives a unit, three may wake the goroutine: its timer,
 * whoever ends its wait, and whoever ends all waits at the count.  The timer fires under a lock that
 * comes after the bucket's, so it leaves the record where it is, and all of them must win
 * select_done first, as in Note [Two ways to wake]; only who gives says so in the record.  A wait
 * that is ended before it is queued is not queued: `ended` and the epoch are looked at under the
 * lock, and who ends has changed them before it takes that.
 *      who waits: 1. seen <- epoch                who ends all: 1. changes what is to be looked at
 *                 2. looks whether to wait, and                 2. epoch += 1
 *                    until when                                 3. lock; wakes who is queued
 *                 3. lock; epoch is seen: queues
 * Either who ends finds it queued, or its lock comes first and 3 finds another epoch; else 1 read
 * the new epoch, and 2 sees the change. */

/* The frame is there until the bucket's lock is released: leave_ended takes it. */
static bool commit_until(struct g *g, void *arg)
{
    struct sema_wait *w = arg;
    struct addr_bucket *b = w->b;
    int64_t deadline = w->deadline;
    bool earliest = deadline != 0 && timer_add(m_self()->p, &w->timer);
    (void)g;
    lock_release(&b->lock);
    if (earliest) sched_timer_added(deadline);
    return true;
}

static void deadline_passed(struct timer *t, struct ready_list *ready)
{
    struct g *g = t->arg;
    if (select_win(g)) ready_list_append(ready, g);
}

/* The goroutine runs again.  Was it given a unit? */
static bool leave_ended(struct g *g, struct sema_wait *w)
{
    struct sudog *s = w->s;
    if (w->deadline != 0) (void)timer_remove(&w->timer);
    lock_acquire(&w->b->lock);
    if (addrq_remove(w->b, s)) waiters_add(w->b, -1u);
    w->s = NULL;
    lock_release(&w->b->lock);
    bool given = s->success;
    g->waiting = NULL;
    sudog_release(s);
    return given;
}

/* Bucket locked; released on return. */
static bool park_until(struct g *g, uint32_t *count, bool first, struct sema_wait *w,
                       enum wait_reason reason)
{
    w->s = record_for(g, count);
    if (first)
        addrq_push_front(w->b, w->s);
    else
        addrq_push(w->b, w->s);
    g->waiting = w->s;
    w->timer = (struct timer){ .when = w->deadline, .fn = deadline_passed, .arg = g };
    atomic_store_relaxed(&g->select_done, 0u); /* the lock orders it */
    g_park(commit_until, w, reason);
    return leave_ended(g, w);
}

bool sema_acquire_until(struct g *g, uint32_t *count, bool first, struct sema_wait *w,
                        enum wait_reason reason)
{
    if (take(count)) return true;
    w->b = bucket_of(count);
    p_pin();
    lock_acquire(&w->b->lock);
    waiters_add(w->b, 1);
    bool got = take(count);
    bool ends = w->ended || atomic_load_relaxed(w->epoch) != w->seen; /* ordered by the lock */
    if (got || ends) {
        waiters_add(w->b, -1u);
        lock_release(&w->b->lock);
    } else {
        got = park_until(g, count, first, w, reason);
    }
    p_unpin();
    return got;
}

void sema_end_wait(const uint32_t *count, struct sema_wait *w)
{
    struct addr_bucket *b = bucket_of(count);
    struct g *g = NULL;
    p_pin();
    lock_acquire(&b->lock);
    w->ended = true;
    if (w->s != NULL && addrq_remove(b, w->s)) {
        waiters_add(b, -1u);
        if (select_win(w->s->g)) g = w->s->g;
    }
    lock_release(&b->lock);
    if (g != NULL) g_ready(g);
    p_unpin();
}

/* ---- giving --------------------------------------------------------------------------------- */

/* The first that waits and is still to be had, off the queue and the count of waiters; NULL:
 * none. */
static struct sudog *pop_waiter(struct addr_bucket *b, const uint32_t *count)
{
    struct sudog *s;
    while ((s = addrq_pop(b, count)) != NULL) {
        waiters_add(b, -1u);
        if (likely(!s->is_select) || select_win(s->g)) break; /* Note [Two ways to wake] */
    }
    return s;
}

/* in_hand: the unit was not added to the count yet.  Else: Note [A count may be gone]. */
static never_inline void release_slow(struct addr_bucket *b, uint32_t *count, bool in_hand)
{
    struct sudog *s = NULL;
    p_pin();
    lock_acquire(&b->lock);
    bool taken = in_hand || (addrq_has(b, count) && take(count));
    if (taken) s = pop_waiter(b, count);
    if (s != NULL) s->success = true; /* Note [Waits that are ended] */
    if (taken && s == NULL) give(count);
    lock_release(&b->lock);
    if (s != NULL) g_ready(s->g);
    p_unpin();
}

void sema_release(uint32_t *count)
{
    struct addr_bucket *b = bucket_of(count);
    if (unlikely(atomic_load_seq(&b->waiters) != 0)) {
        release_slow(b, count, true);
        return;
    }
    give(count);
    if (unlikely(atomic_load_seq(&b->waiters) != 0)) release_slow(b, count, false);
}

/* In one section: with a queue of waiters as long as it gets, who ends them all is rare. */
void sema_end_waits(const uint32_t *count)
{
    struct addr_bucket *b = bucket_of(count);
    struct ready_list ready = { NULL, NULL, 0 };
    struct sudog *s;
    p_pin();
    lock_acquire(&b->lock);
    while ((s = pop_waiter(b, count)) != NULL)
        ready_list_append(&ready, s->g);
    lock_release(&b->lock);
    g_ready_list(ready.first);
    p_unpin();
}

/* ---- the public semaphore ------------------------------------------------------------------- */

void gort_sema_init(gort_sema *s, uint32_t n)
{
    atomic_store_release(&s->count, n);
}

void gort_sema_acquire(gort_sema *s)
{
    struct g *g = lang_enter_blocking("gort_sema_acquire");
    if (likely(!context_bound(g)))
        sema_acquire(g, &s->count, false, WAIT_SEMA);
    else if (!sema_acquire_or(g, &s->count, context_done(g), WAIT_SEMA))
        context_leave(g);
    race_acquire(s);
}

void gort_sema_release(gort_sema *s)
{
    (void)lang_enter("gort_sema_release");
    race_release(s);
    sema_release(&s->count);
}

/* ---- tests ---------------------------------------------------------------------------------- */

uint32_t sema_waiters(const uint32_t *count)
{
    struct addr_bucket *b = bucket_of(count);
    uint32_t n = 0;
    crit_enter();
    lock_acquire(&b->lock);
    for (struct sudog *s = b->root; s != NULL;) {
        if (s->object == count) {
            struct sudog *w = s;
            do
                n++;
            while ((w = w->next) != s);
            break;
        }
        s = (uintptr_t)count < (uintptr_t)s->object ? s->prev : s->elem;
    }
    lock_release(&b->lock);
    crit_exit();
    return n;
}

bool sema_table_is_valid(void)
{
    bool ok = true;
    for (int i = 0; i < ADDR_BUCKETS && ok; i++) {
        uint32_t records;
        crit_enter();
        lock_acquire(&table[i].lock);
        ok = addrq_is_valid(&table[i], &records) && records == table[i].waiters;
        lock_release(&table[i].lock);
        crit_exit();
    }
    return ok;
}
