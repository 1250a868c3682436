/* A channel: a ring of elements, and the goroutines that wait to send or to receive.
 *
 * One collected object holds header and ring.  When elements may hold pointers it is scanned
 * conservatively (the header's words point to records outside the heap, which scanning ignores);
 * otherwise it is never scanned.  Rejected: a ring of its own, which costs a second allocation and
 * a cache miss at each operation; a typed ring, which saves little, since a ring is mostly
 * elements.
 *
 * Invariants, while the lock is free:
 *  (1) count <= cap; slots recv_at .. recv_at + count (mod cap) hold elements, the others zero
 *      bytes (when elements may hold pointers);
 *  (2) receivers wait only when count == 0, senders only when count == cap; both at once only in
 *      selects of one goroutine that waits on both sides of an unbuffered channel;
 *  (3) on a closed channel nobody waits but receivers that are about to be woken (Note [Closing] in
 *      chan.c);
 *  (4) a queue's records are in order of arrival; one may belong to a select that another case has
 *      already decided: whoever takes it off finds out by select_done and takes the next.
 *
 * Locking: lock (RANK_SELECT_CHAN, by chan_lock) for all but the constants; the fields called
 * atomic are written under it and also read without, by try operations and gort_chan_len.
 *
 * Answers to: the types at the head of chan.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_HCHAN_H
#define GORT_LANG_HCHAN_H

#include <string.h>

#include "gort/chan.h"
#include "lang/lang.h"

struct waitq {           /* linked by sudog.next and prev; unlinked records have both NULL */
    struct sudog *first; /* atomic */
    struct sudog *last;
};

/* CHAN_TIMER: nobody sends but the clock (timer_chan.c); for ever.  One test tells the usual
 * kind. */
enum chan_kind { CHAN_OPEN, CHAN_CLOSED, CHAN_TIMER };

struct hchan {
    struct lock lock;
    uint32_t closed;  /* atomic; enum chan_kind; OPEN -> CLOSED, once */
    bool noscan;      /* elements hold no pointers; constant */
    size_t count;     /* elements in the ring; atomic */
    size_t cap;       /* constant */
    size_t elem_size; /* constant */
    size_t send_at;   /* slot that the next sender fills */
    size_t recv_at;   /* slot that the next receiver empties */
    struct waitq recvq, sendq;
    const struct gort_type *type; /* of an element; constant */
    unsigned char ring[] __attribute__((aligned(16)));
};
_Static_assert(sizeof(struct hchan) % 16 == 0, "the ring is aligned as the object is");

/* ---- the lock ------------------------------------------------------------------------------- *
 * Note [One P].  Whoever locks a channel has a P (p_pin), until the unlock.  With one P there is
 * nobody to exclude, and the lock is not touched: a round trip over a channel makes eight atomic
 * operations less.  The number of Ps changes only while the world is stopped, and so not between
 * lock and unlock, which are in one critical section, even if that ends on another stack.  What the
 * last holder of the P did is visible to the next one by the hand-over of the P. */

static force_inline bool chans_have_locks(void)
{
    return p_count() != 1;
}

static force_inline void chan_lock(struct hchan *c)
{
    if (chans_have_locks()) lock_acquire(&c->lock);
}

static force_inline void chan_unlock(struct hchan *c)
{
    if (chans_have_locks()) lock_release(&c->lock);
}

/* ---- elements: Note [Moving pointers] ------------------------------------------------------- */

/* dst is about to be overwritten by src (NULL: by zero bytes; dst NULL: src is dropped). */
void chan_log(const struct hchan *c, const void *dst, const void *src);

/* The sanitizer hears of elements by Note [Elements and races], not by this. */
static force_inline void chan_copy(void *dst, const void *src, size_t n)
{
    race_hide();
    memcpy(dst, src, n);
    race_show();
}

/* *dst = *src; dst NULL: the element is dropped.  In a critical section. */
static force_inline void chan_move(const struct hchan *c, void *dst, const void *src)
{
    if (unlikely(barrier_on())) chan_log(c, dst, src);
    if (dst == NULL) return;
    if (likely(c->elem_size == 8)) /* inline: most elements are a pointer or an integer */
        memcpy(dst, src, 8);
    else
        chan_copy(dst, src, c->elem_size);
}

/* Zeroes *dst, which is outside the ring; dst NULL: nothing.  In a critical section. */
static inline void chan_zero(const struct hchan *c, void *dst)
{
    if (dst == NULL) return;
    if (unlikely(barrier_on())) chan_log(c, dst, NULL);
    race_hide();
    memset(dst, 0, c->elem_size);
    race_show();
}

/* Note [Elements and races] in chan.c.  In a public call: its caller is who reads or writes. */
static force_inline void chan_race_read(const struct hchan *c, const void *elem)
{
    if (likely(!race_on) || c == NULL) return;
    race_read_slow(elem, c->elem_size, __builtin_return_address(0));
}
static force_inline void chan_race_write(const struct hchan *c, void *out)
{
    if (likely(!race_on) || c == NULL) return;
    race_write_slow(out, c->elem_size, __builtin_return_address(0));
}

/* ---- queues; lock held ---------------------------------------------------------------------- */

static inline void waitq_push(struct waitq *q, struct sudog *s)
{
    s->next = NULL;
    s->prev = q->last;
    if (q->last != NULL)
        q->last->next = s;
    else
        atomic_store_relaxed(&q->first, s); /* racy readers only compare it with NULL */
    q->last = s;
}

static inline void waitq_remove(struct waitq *q, struct sudog *s)
{
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        atomic_store_relaxed(&q->first, s->next);
    if (s->next != NULL)
        s->next->prev = s->prev;
    else
        q->last = s->prev;
    s->next = s->prev = NULL;
}

static inline bool waitq_has(const struct waitq *q, const struct sudog *s)
{
    return s->prev != NULL || s->next != NULL || q->first == s;
}

/* Of several wakers of one select (channels, its timer) the first decides it. */
static inline bool select_win(struct g *g)
{
    uint32_t open = 0;
    return atomic_cas_acqrel(&g->select_done, &open, 1u); /* pairs with the other wakers' */
}

/* The first waiter that is still to be had, off the queue; NULL: none. */
static inline struct sudog *waitq_pop(struct waitq *q)
{
    for (;;) {
        struct sudog *s = q->first;
        if (s == NULL) return NULL;
        waitq_remove(q, s);
        if (likely(!s->is_select) || select_win(s->g)) return s;
    }
}

/* ---- one attempt; lock held, not closed for sending ----------------------------------------- */

/* Sends if a receiver waits or there is room.  *wake: whom to g_ready once the lock is released,
 * or NULL. */
bool chan_put_locked(struct hchan *c, const void *elem, struct g **wake);
/* GORT_GOT, GORT_EMPTY, or GORT_CLOSED with *out zeroed.  *wake as above. */
int chan_take_locked(struct hchan *c, void *out, struct g **wake);

/* ---- whole operations ----------------------------------------------------------------------- */

/* Of goroutine g, outside sections, c not NULL.  Panic on a closed channel. */
void chan_send(struct g *g, struct hchan *c, const void *elem);
bool chan_try_send(struct hchan *c, const void *elem);
bool chan_recv(struct g *g, struct hchan *c, void *out);
int chan_try_recv(struct hchan *c, void *out);
_Noreturn void chan_panic_send_closed(const struct hchan *c); /* or a timer's */
/* Parks for ever. */
_Noreturn void chan_wait_for_ever(enum wait_reason reason);

/* Validator: the invariants above; lock held. */
bool chan_is_valid(const struct hchan *c);

#endif
