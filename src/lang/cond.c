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
 * Locking: NOTIFY, one bucket, for notify and the queue.  Memory order: `wait` and `notify` are read
 * without the lock by signal, to leave early when nobody waits; sequentially consistent, so that a
 * signal after the ticket was taken (under the user's mutex) sees it.
 *
 * Answers to: sync/cond.go, notifyList in sema.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/sync.h"
#include "lang/addrq.h"
#include "lang/mutex.h"

static struct addr_bucket table[ADDR_BUCKETS] = {
    [0 ... ADDR_BUCKETS - 1] = { .lock = LOCK_INIT(RANK_NOTIFY) },
};

static bool called_before(uint32_t ticket, uint32_t next)
{
    return (int32_t)(ticket - next) < 0;
}

static void wait_called(struct g *g, gort_cond *c, uint32_t ticket)
{
    struct addr_bucket *b = &table[addr_bucket_index(c)];
    p_pin();
    lock_acquire(&b->lock);
    if (called_before(ticket, c->notify)) {
        lock_release(&b->lock);
    } else {
        struct sudog *s = sudog_acquire(g);
        s->g = g;
        s->object = c;
        s->ticket = ticket;
        s->is_select = s->success = false;
        lang_shade(c, NULL);
        addrq_push(b, s);
        g->waiting = s;
        g_park_unlock(&b->lock, WAIT_COND);
        g->waiting = NULL;
        sudog_release(s);
    }
    p_unpin();
}

void gort_cond_wait(gort_cond *c, gort_mutex *m)
{
    struct g *g = lang_enter_blocking("gort_cond_wait");
    if (!mutex_is_locked(m)) throw_msg("gort_cond_wait: the mutex is not locked");
    uint32_t ticket = atomic_fetch_add_seq(&c->wait, 1u);
    mutex_unlock(m);
    wait_called(g, c, ticket);
    mutex_lock(g, m, WAIT_MUTEX);
}

static bool nobody_waits(gort_cond *c)
{
    return atomic_load_seq(&c->wait) == atomic_load_seq(&c->notify);
}

void gort_cond_signal(gort_cond *c)
{
    (void)lang_enter("gort_cond_signal");
    if (nobody_waits(c)) return;
    struct addr_bucket *b = &table[addr_bucket_index(c)];
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
    if (nobody_waits(c)) return;
    struct addr_bucket *b = &table[addr_bucket_index(c)];
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
