/* Channels: make, send, receive, close.
 *
 * A value goes straight from the sender to a receiver that already waits: into the place on the
 * receiver's own stack (or wherever its `out` points), while the receiver is parked.  The ring is
 * used only when nobody waits.  So an element is copied once, a woken goroutine finds its operation
 * done and takes no lock again, and no third goroutine can get in between: order is FIFO for
 * elements and for waiters.
 *
 * Why one lock per channel: it is a futex word held for tens of instructions inside a critical
 * section, so its holder is never stopped by the collector.  Rejected for now: lock-free rings with
 * a sequence number per slot; they do not hand over to waiters, and select must lock several
 * channels at once.
 *
 * Note [Parked with the lock].  A goroutine that must wait queues its record, and the lock is
 * released by the commit of g_park, after its registers are saved.  Whoever finds the record under
 * the lock therefore finds a goroutine that may be run.
 *
 * Note [Try without the lock].  A try on a channel that is not ready is the common case of a
 * polling loop, and must not take the lock from those who work.  Sending: closed is read first,
 * then fullness.  A channel never reopens, and an open channel that is seen full later was both
 * open and full at some moment between.  Receiving: emptiness first, then closed: not closed later
 * implies not closed at the moment it was seen empty.
 *
 * Memory order: the lock orders everything; the acquires of the unlocked reads keep their order.
 *
 * Answers to: chan.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <limits.h>

#include "base/bits.h"
#include "gort/mem.h"
#include "gort/panic.h"
#include "lang/context.h"
#include "lang/timer_chan.h"

#define READY_BATCH 128 /* waiters woken in one critical section by close: Note [Closing] */

/* ---- making --------------------------------------------------------------------------------- */

void *gort_chan_make_raw(const struct gort_type *elem, size_t cap)
{
    size_t bytes;
    if (mul_overflows(elem->size, cap, &bytes) ||
        add_overflows(bytes, sizeof(struct hchan), &bytes))
        throw_fmt("gort_chan_make: %zu elements of %zu bytes overflow", cap, elem->size);
    bool noscan = (elem->flags & GORT_TYPE_NOSCAN) != 0 || elem->ptrdata == 0;
    struct hchan *c = noscan ? gort_alloc_noscan(bytes) : gort_alloc(bytes);
    lock_init(&c->lock, RANK_SELECT_CHAN);
    c->noscan = noscan;
    c->cap = cap;
    c->elem_size = elem->size;
    c->type = elem;
    return c;
}

/* ---- elements ------------------------------------------------------------------------------- */

cold_path void chan_log(const struct hchan *c, const void *dst, const void *src)
{
    if (c->noscan) return;
    if (dst == NULL)
        barrier_log_objects(c->type, src, NULL, 1);
    else
        barrier_log_objects(c->type, dst, src, 1);
}

static force_inline unsigned char *slot(struct hchan *c, size_t i)
{
    return c->ring + i * c->elem_size;
}

static force_inline size_t slot_after(const struct hchan *c, size_t i)
{
    return i + 1 == c->cap ? 0 : i + 1;
}

static force_inline void set_count(struct hchan *c, size_t n)
{
    atomic_store_relaxed(&c->count, n); /* unlocked readers: Note [Try without the lock] */
}

static force_inline void chan_wipe(void *place, size_t n)
{
    race_hide();
    memset(place, 0, n);
    race_show();
}

/* ---- for ThreadSanitizer -------------------------------------------------------------------- *
 * Note [Elements and races].  A receive comes after its send; without a buffer each also comes
 * before what the other does next; in one of C elements the k-th receive comes before the k+C-th
 * send's end.  So what goes through a buffer meets at its slot, as if the partner that waits had
 * done its half itself, and a send that finds a receiver waiting uses up a slot too.  Reads and
 * writes of the program's own variable are told by the goroutine whose call it is. */

static cold_path void race_pass_slow(struct hchan *c, size_t at, const struct g *partner)
{
    if (c->cap == 0) {
        race_fiber_meet(partner->race_fiber, c);
        return;
    }
    race_acquire_slow(slot(c, at));
    race_release_slow(slot(c, at));
    if (partner != NULL) race_fiber_pass(partner->race_fiber, slot(c, at));
}

/* One half of an element's way through slot `at`, and the partner's, if it waits. */
static force_inline void race_pass(struct hchan *c, size_t at, const struct sudog *s)
{
    if (unlikely(race_on)) race_pass_slow(c, at, s != NULL ? s->g : NULL);
}

/* The ring is empty and an element went past it. */
static force_inline void race_skip_slot(struct hchan *c)
{
    if (likely(!race_on) || c->cap == 0) return;
    c->send_at = c->recv_at = slot_after(c, c->recv_at);
}

/* ---- one attempt, lock held ----------------------------------------------------------------- */

/* The operation of waiter s is done; its goroutine is to be readied. */
static force_inline struct g *waiter_done(struct sudog *s, bool success)
{
    struct g *g = s->g;
    s->elem = NULL;
    s->success = success;
    g->wake_param = s;
    return g;
}

static force_inline bool put_locked(struct hchan *c, const void *elem, struct g **wake)
{
    assert_that(c->closed != CHAN_CLOSED);
    struct sudog *s = waitq_pop(&c->recvq);
    if (s != NULL) {
        race_pass(c, c->send_at, s);
        race_skip_slot(c);
        chan_move(c, s->elem, elem);
        *wake = waiter_done(s, true);
        return true;
    }
    *wake = NULL;
    if (c->count == c->cap) return false;
    race_pass(c, c->send_at, NULL);
    chan_move(c, slot(c, c->send_at), elem);
    c->send_at = slot_after(c, c->send_at);
    set_count(c, c->count + 1);
    return true;
}

bool chan_put_locked(struct hchan *c, const void *elem, struct g **wake)
{
    return put_locked(c, elem, wake);
}

/* The channel is full and s waits to send: the oldest element goes out, that of s takes its slot,
 * which is the end of the ring. */
static never_inline void take_and_refill(struct hchan *c, void *out, const struct sudog *s)
{
    unsigned char *place = slot(c, c->recv_at);
    chan_move(c, out, place);
    chan_move(c, place, s->elem);
    c->recv_at = slot_after(c, c->recv_at);
    c->send_at = c->recv_at;
}

static void take_from_ring(struct hchan *c, void *out)
{
    unsigned char *place = slot(c, c->recv_at);
    chan_move(c, out, place);
    if (!c->noscan) chan_wipe(place, c->elem_size); /* shaded as it left, if that is needed */
    c->recv_at = slot_after(c, c->recv_at);
    set_count(c, c->count - 1);
}

static force_inline int take_locked(struct hchan *c, void *out, struct g **wake)
{
    struct sudog *s = waitq_pop(&c->sendq);
    *wake = NULL;
    if (s != NULL) {
        race_pass(c, c->recv_at, s);
        if (c->cap == 0)
            chan_move(c, out, s->elem);
        else
            take_and_refill(c, out, s);
        *wake = waiter_done(s, true);
        return GORT_GOT;
    }
    if (c->count != 0) {
        race_pass(c, c->recv_at, NULL);
        take_from_ring(c, out);
        return GORT_GOT;
    }
    if (likely(!c->closed)) return GORT_EMPTY;
    if (c->closed == CHAN_TIMER) return timer_chan_take(c, out);
    race_acquire(&c->closed);
    chan_zero(c, out);
    return GORT_CLOSED;
}

int chan_take_locked(struct hchan *c, void *out, struct g **wake)
{
    return take_locked(c, out, wake);
}

/* ---- waiting -------------------------------------------------------------------------------- */

_Noreturn void chan_wait_for_ever(enum wait_reason reason)
{
    p_pin();
    for (;;)
        g_park(NULL, NULL, reason);
}

static bool commit_unlock(struct g *g, void *c)
{
    (void)g;
    chan_unlock(c);
    return true;
}

/* Note [Parked with the lock].  Lock held; released on return.  Whether a partner came, not close.
 * Inline, like the whole operations below: each frame between the switch and the caller is a return
 * that the processor predicts wrongly, because its prediction belongs to the other goroutine. */
static force_inline bool wait_in(struct g *g, struct hchan *c, struct waitq *q, void *elem,
                                 enum wait_reason reason)
{
    struct sudog *s = sudog_acquire(g);
    s->g = g;
    s->elem = elem;
    s->object = c;
    s->is_select = s->success = false;
    lang_shade(elem, c);
    waitq_push(q, s);
    if (q == &c->recvq && unlikely(c->closed)) timer_chan_settle(c);
    g->waiting = s;
    g->wake_param = NULL;
    /* Without a lock there is nothing to commit; g runs no earlier, for we have the only P. */
    g_park(chans_have_locks() ? commit_unlock : NULL, c, reason);
    assert_that(g->wake_param == s && s->elem == NULL);
    bool success = s->success;
    if (!success) race_acquire(&c->closed);
    g->waiting = NULL;
    g->wake_param = NULL;
    sudog_release(s);
    gort_keep_alive(c); /* its queue was in use until now */
    return success;
}

static force_inline void unlock_and_ready(struct hchan *c, struct g *wake)
{
    assert_heavy(chan_is_valid(c));
    chan_unlock(c);
    if (wake != NULL) g_ready(wake);
    p_unpin();
}

/* ---- sending -------------------------------------------------------------------------------- */

_Noreturn cold_path void chan_panic_send_closed(const struct hchan *c)
{
    if (c->closed == CHAN_TIMER) gort_panic("send on a timer's channel");
    gort_panic("send on closed channel");
}

/* Takes the lock of an open channel, in a section with a P; panics when it is closed. */
static force_inline void lock_open(struct hchan *c)
{
    p_pin();
    chan_lock(c);
    if (likely(!c->closed)) return;
    chan_unlock(c);
    p_unpin();
    chan_panic_send_closed(c);
}

static force_inline void send_whole(struct g *g, struct hchan *c, const void *elem)
{
    struct g *wake;
    lock_open(c);
    if (put_locked(c, elem, &wake)) {
        unlock_and_ready(c, wake);
        return;
    }
    bool sent = wait_in(g, c, &c->sendq, (void *)(uintptr_t)elem, WAIT_CHAN_SEND);
    p_unpin();
    if (unlikely(!sent)) chan_panic_send_closed(c);
}

void chan_send(struct g *g, struct hchan *c, const void *elem)
{
    send_whole(g, c, elem);
}

/* Note [Try without the lock]. */
static bool seems_full(const struct hchan *c)
{
    if (c->cap == 0) return atomic_load_relaxed(&c->recvq.first) == NULL;
    return atomic_load_relaxed(&c->count) == c->cap;
}

bool chan_try_send(struct hchan *c, const void *elem)
{
    struct g *wake;
    if (!atomic_load_acquire(&c->closed) && seems_full(c)) return false;
    lock_open(c);
    bool sent = chan_put_locked(c, elem, &wake);
    unlock_and_ready(c, wake);
    return sent;
}

void gort_send_raw(void *ch, const void *elem)
{
    struct g *g = lang_enter_blocking("gort_send");
    chan_race_read(ch, elem);
    if (unlikely(context_bound(g))) {
        gort_case k = { .ch = ch, .elem = (void *)(uintptr_t)elem, .kind = GORT_CASE_SEND };
        (void)select_bound(g, &k, 1, NULL);
        return;
    }
    if (unlikely(ch == NULL)) chan_wait_for_ever(WAIT_CHAN_SEND_NIL);
    send_whole(g, ch, elem);
}

bool gort_try_send_raw(void *ch, const void *elem)
{
    (void)lang_enter("gort_try_send");
    chan_race_read(ch, elem);
    return ch != NULL && chan_try_send(ch, elem);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static force_inline bool recv_whole(struct g *g, struct hchan *c, void *out)
{
    struct g *wake;
    p_pin();
    chan_lock(c);
    int got = take_locked(c, out, &wake);
    if (got != GORT_EMPTY) {
        unlock_and_ready(c, wake);
        return got == GORT_GOT;
    }
    bool success = wait_in(g, c, &c->recvq, out, WAIT_CHAN_RECV);
    p_unpin();
    return success;
}

bool chan_recv(struct g *g, struct hchan *c, void *out)
{
    return recv_whole(g, c, out);
}

/* Note [Try without the lock]. */
static bool seems_empty(const struct hchan *c)
{
    if (c->cap == 0) return atomic_load_acquire(&c->sendq.first) == NULL;
    return atomic_load_acquire(&c->count) == 0;
}

int chan_try_recv(struct hchan *c, void *out)
{
    struct g *wake;
    if (seems_empty(c) && !atomic_load_relaxed(&c->closed)) return GORT_EMPTY;
    p_pin();
    chan_lock(c);
    int got = chan_take_locked(c, out, &wake);
    unlock_and_ready(c, wake);
    return got;
}

bool gort_recv_raw(void *ch, void *out)
{
    struct g *g = lang_enter_blocking("gort_recv");
    if (unlikely(context_bound(g))) {
        gort_case k = { .ch = ch, .elem = out, .kind = GORT_CASE_RECV };
        (void)select_bound(g, &k, 1, NULL);
        return k.ok;
    }
    if (unlikely(ch == NULL)) chan_wait_for_ever(WAIT_CHAN_RECV_NIL);
    bool got = recv_whole(g, ch, out);
    chan_race_write(ch, out);
    return got;
}

int gort_try_recv_raw(void *ch, void *out)
{
    (void)lang_enter("gort_try_recv");
    int got = ch != NULL ? chan_try_recv(ch, out) : GORT_EMPTY;
    if (got != GORT_EMPTY) chan_race_write(ch, out);
    return got;
}

/* ---- closing -------------------------------------------------------------------------------- */

/* Takes waiters off q, as told that the channel is closed, at most n of them, into a chain that
 * begins at *chain; fewer: there is none left. */
static int release_some(struct hchan *c, struct waitq *q, int n, struct g **chain)
{
    struct sudog *s;
    int i = 0;
    for (; i < n && (s = waitq_pop(q)) != NULL; i++) {
        if (q == &c->recvq) chan_zero(c, s->elem);
        *chain = waiter_done(s, false);
        chain = &(*chain)->sched_link;
    }
    *chain = NULL;
    return i;
}

/* Readies a chain a batch at a time. */
static void ready_in_batches(struct g *chain)
{
    while (chain != NULL) {
        struct g *batch = chain, *last = chain;
        for (int i = 1; i < READY_BATCH && last->sched_link != NULL; i++)
            last = last->sched_link;
        chain = last->sched_link;
        last->sched_link = NULL;
        p_pin();
        g_ready_list(batch);
        p_unpin();
    }
}

/* A batch of those that wait to receive; false: it was the last. */
static bool wake_receivers(struct hchan *c)
{
    struct g *chain;
    bool more = release_some(c, &c->recvq, READY_BATCH, &chain) == READY_BATCH;
    assert_heavy(chan_is_valid(c));
    chan_unlock(c);
    g_ready_list(chain);
    p_unpin();
    return more;
}

/* Note [Closing].  A million that wait are woken a batch at a time, so that neither the world's
 * stop nor who uses the channel waits for all of them.  Meanwhile the channel is closed, and
 * receivers are queued on it: whoever comes finds it closed and does not look at them, and one
 * of a select that was decided otherwise takes its record back, as ever.  Senders, which nobody
 * should close a channel under, are taken off all at once: one that was still queued would be
 * received from. */
void gort_close_raw(void *ch)
{
    struct hchan *c = ch;
    struct g *senders;
    (void)lang_enter("gort_close");
    if (c == NULL) gort_panic("close of NULL channel");
    p_pin();
    chan_lock(c);
    if (c->closed) {
        chan_unlock(c);
        p_unpin();
        if (c->closed == CHAN_TIMER) gort_panic("close of a timer's channel");
        gort_panic("close of closed channel");
    }
    race_release(&c->closed);
    atomic_store_release(&c->closed,
                         (uint32_t)CHAN_CLOSED); /* pairs with the acquire in chan_try_send */
    (void)release_some(c, &c->sendq, INT_MAX, &senders);
    while (wake_receivers(c)) {
        p_pin();
        chan_lock(c);
    }
    ready_in_batches(senders);
    gort_keep_alive(c);
}

/* ---- looking -------------------------------------------------------------------------------- */

size_t gort_chan_len_raw(const void *ch)
{
    const struct hchan *c = ch;
    return c != NULL ? atomic_load_relaxed(&c->count) : 0; /* out of date when it is returned */
}

size_t gort_chan_cap_raw(const void *ch)
{
    const struct hchan *c = ch;
    return c != NULL ? c->cap : 0;
}

static bool waitq_is_valid(const struct hchan *c, const struct waitq *q)
{
    const struct sudog *prev = NULL;
    for (const struct sudog *s = q->first; s != NULL; prev = s, s = s->next)
        if (s->prev != prev || s->object != c || s->g == NULL) return false;
    return q->last == prev;
}

bool chan_is_valid(const struct hchan *c)
{
    if (!waitq_is_valid(c, &c->recvq) || !waitq_is_valid(c, &c->sendq)) return false;
    if (c->closed == CHAN_CLOSED && c->sendq.first != NULL) return false;
    if (c->count > c->cap) return false;
    if (c->cap == 0) return c->send_at == 0 && c->recv_at == 0;
    if (c->recvq.first != NULL && c->count != 0 && !c->recvq.first->is_select) return false;
    if (c->sendq.first != NULL && c->count != c->cap && !c->sendq.first->is_select) return false;
    if (c->send_at >= c->cap || c->recv_at >= c->cap) return false;
    return (c->recv_at + c->count) % c->cap == c->send_at;
}
