/* Condition variables.
 *
 * A goroutine that waits takes a ticket before it unlocks the mutex; a signal gives out the next
 * ticket to be woken.  So a signal that comes between the unlock and the moment the goroutine is
 * queued is not lost: the goroutine finds that its ticket has been called, and does not wait.
 * Rejected: queueing before the unlock, which would let a signal ready a goroutine that has not
 * parked; unlocking the user's mutex in the commit, which reports misuse from the wrong stack.
 *
 * Invariants: (1) notify <= wait, as a distance (both wrap); (2) tickets in [notify, wait) are held
 * by goroutines that are queued or about to be; (3) those below notify were woken.
 *
 * Note [Giving a ticket up].  A goroutine whose context ends leaves, and nobody may call its ticket
 * afterwards: that signal would be lost to the others.  So its ticket is taken out: when all that hold
 * uncalled ones are queued, those after it move up by one, and `wait` goes down by one.  That all are
 * queued, `wait` tells: it is notify and as many as are in the queue; and the compare-and-swap that lowers
 * it fails if somebody took another meanwhile.  One who has a ticket and is not queued is on the way
 * there and waits for nothing, so whoever gives up yields until it has come.  Who ends the context does all
 * this, for the one that waits: that one keeps its place, and may be called, until it is out.  Once
 * called it returns as if the context went on.  Rejected: leaving the ticket in the queue without
 * a goroutine, for signals to skip: it would outlive the condition, whose memory may hold another.
 *
 * Locking: NOTIFY, one bucket, for notify and the queue.  Memory order: `wait` and `notify` are read
 * without the lock by signal, to leave early when nobody waits; sequentially consistent, so that a
 * signal after the ticket was taken (under the user's mutex) sees it.
 *
 * Answers to: sync/cond.go, notifyList in sema.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/unscanned.h"
#include "gort/sync.h"
#include "lang/addrq.h"
#include "lang/context.h"
#include "lang/mutex.h"

static struct addr_bucket table[ADDR_BUCKETS] = {
    [0 ... ADDR_BUCKETS - 1] = { .lock = LOCK_INIT(RANK_NOTIFY) },
};
UNSCANNED(table);

static bool called_before(uint32_t ticket, uint32_t next)
{
    return (int32_t)(ticket - next) < 0;
}

static struct addr_bucket *bucket_of(const gort_cond *c)
{
    return &table[addr_bucket_index(c)];
}

/* A wait that ends with its context: Note [Giving a ticket up].  In the frame of g. */
struct bound_wait {
    struct context_wait wait;
    struct g *g;
    gort_cond *c;
    struct sudog *s; /* from when it is queued until it runs again; NOTIFY */
    bool is_over;    /* it was called; NOTIFY */
    bool gave_up;    /* NOTIFY */
};

/* Bucket locked.  Out of the queue, called or not: s is about to go. */
static void bound_wait_over(struct bound_wait *w)
{
    w->s = NULL;
    w->is_over = true;
}

static void park_called(struct g *g, struct addr_bucket *b, struct sudog *s, struct bound_wait *w)
{
    g->waiting = s;
    g_park_unlock(&b->lock, WAIT_COND);
    g->waiting = NULL;
    if (w != NULL) {
        lock_acquire(&b->lock);
        bound_wait_over(w);
        lock_release(&b->lock);
    }
    sudog_release(s);
}

/* w: NULL without a context. */
static force_inline void wait_called(struct g *g, gort_cond *c, uint32_t ticket,
                                     struct bound_wait *w)
{
    struct addr_bucket *b = bucket_of(c);
    p_pin();
    lock_acquire(&b->lock);
    if (called_before(ticket, c->notify)) {
        if (w != NULL) bound_wait_over(w);
        lock_release(&b->lock);
    } else {
        struct sudog *s = sudog_acquire(g);
        s->g = g;
        s->object = c;
        s->ticket = ticket;
        s->is_select = s->success = false;
        lang_shade(c, NULL);
        addrq_push(b, s);
        if (w != NULL) w->s = s;
        park_called(g, b, s, w);
    }
    p_unpin();
}

static uint32_t count_queued(struct addr_bucket *b, const gort_cond *c)
{
    const struct sudog *last = addrq_last(b, c), *s = last;
    uint32_t n = 0;
    if (last == NULL) return 0;
    do
        n++;
    while ((s = s->next) != last);
    return n;
}

static void move_up(struct addr_bucket *b, const gort_cond *c, uint32_t after)
{
    struct sudog *last = addrq_last(b, c), *s = last;
    do
        if (called_before(after, s->ticket)) s->ticket--;
    while ((s = s->next) != last);
}

/* Bucket locked, w queued and not called.  false: somebody is on the way to the queue. */
static bool give_up(struct addr_bucket *b, struct bound_wait *w)
{
    gort_cond *c = w->c;
    uint32_t wait = atomic_load_relaxed(&c->notify) + count_queued(b, c);
    if (!atomic_cas_seq(&c->wait, &wait, wait - 1)) return false;
    move_up(b, c, w->s->ticket);
    (void)addrq_remove(b, w->s);
    w->gave_up = true;
    return true;
}

enum progress { TRY_AGAIN, LEFT_ALONE, GAVE_UP };

static enum progress try_to_give_up(struct bound_wait *w)
{
    struct addr_bucket *b = bucket_of(w->c);
    enum progress p = TRY_AGAIN;
    p_pin();
    lock_acquire(&b->lock);
    if (w->is_over || (w->s != NULL && called_before(w->s->ticket, w->c->notify)))
        p = LEFT_ALONE;
    else if (w->s != NULL && give_up(b, w))
        p = GAVE_UP;
    lock_release(&b->lock);
    if (p == GAVE_UP) g_ready(w->g);
    p_unpin();
    return p;
}

static void context_ended(struct context_wait *wait)
{
    while (try_to_give_up(container_of(wait, struct bound_wait, wait)) == TRY_AGAIN)
        g_yield();
}

/* It enters the context before it takes a ticket: who ends the context waits for tickets to be queued.
 * The mutex is held when the goroutine leaves, as when it returns. */
static never_inline void wait_bound(struct g *g, gort_cond *c, gort_mutex *m)
{
    struct bound_wait w = { .wait.wake = context_ended, .g = g, .c = c };
    if (!context_wait_enter(g, &w.wait)) context_leave(g);
    uint32_t ticket = atomic_fetch_add_seq(&c->wait, 1u);
    race_release(m);
    mutex_unlock(m);
    wait_called(g, c, ticket, &w);
    context_wait_leave(&w.wait);
    race_acquire(c);
    mutex_lock(g, m, WAIT_MUTEX);
    race_acquire(m);
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
    uint32_t ticket = atomic_fetch_add_seq(&c->wait, 1u);
    race_release(m);
    mutex_unlock(m);
    wait_called(g, c, ticket, NULL);
    race_acquire(c);
    mutex_lock(g, m, WAIT_MUTEX);
    race_acquire(m);
}

static bool nobody_waits(gort_cond *c)
{
    return atomic_load_seq(&c->wait) == atomic_load_seq(&c->notify);
}

void gort_cond_signal(gort_cond *c)
{
    (void)lang_enter("gort_cond_signal");
    race_release(c);
    if (nobody_waits(c)) return;
    struct addr_bucket *b = bucket_of(c);
    struct sudog *s = NULL;
    p_pin();
    lock_acquire(&b->lock);
    if (!nobody_waits(c)) {
        uint32_t ticket = c->notify;
        atomic_store_seq(&c->notify, ticket + 1);
        s = addrq_take_ticket(b, c, ticket); /* NULL: about to be queued, and will see notify */
    }
    lock_release(&b->lock);
    if (s != NULL) g_ready(s->g);
    p_unpin();
}

void gort_cond_broadcast(gort_cond *c)
{
    (void)lang_enter("gort_cond_broadcast");
    race_release(c);
    if (nobody_waits(c)) return;
    struct addr_bucket *b = bucket_of(c);
    p_pin();
    lock_acquire(&b->lock);
    /* All that are queued took their tickets before this load: they are below it. */
    atomic_store_seq(&c->notify, atomic_load_seq(&c->wait));
    struct sudog *s = addrq_take_all(b, c), *next;
    lock_release(&b->lock);
    for (; s != NULL; s = next) {
        next = s->next;
        s->next = NULL;
        g_ready(s->g); /* s is its goroutine's again */
    }
    p_unpin();
}
