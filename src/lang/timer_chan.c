/* Channels on which only the clock sends: what gort_after and tickers return.
 *
 * What it is: an unbuffered channel of int64_t whose sender is the clock.  No value is stored
 * anywhere: one is there while `when` has passed and nobody has taken it, and is `when` itself;
 * taking it sets `when` to the next time, or to none.  So nothing stale can be received once a
 * timer was stopped or set anew, and a slow receiver of a ticker finds one tick, not many.
 *
 * Note [Nobody waits].  The timer is in a heap of the scheduler only while somebody waits to
 * receive.  Otherwise the channel is an ordinary object, which dies when nothing points to it,
 * stopped or not; and a million of them that nobody waits for cost no more than their memory.
 * While it is in a heap the waiter's record keeps the channel (Note [Waiter records] in lang.h), in
 * which the timer lies.
 * Rejected: a record outside the heap, which the sweep would have to free.
 *
 * Who receives when the time has come and others wait already gets nothing, but waits behind them:
 * first come, first served.  The timer that is about to fire, or the next one, serves the first.
 *
 * `armed` says that the timer was given to a heap and has not come back:
 *
 *             timer_chan_settle: somebody waits, when != 0
 *      not armed --------------------------------------------> armed: WAITING in a heap
 *       ^    ^      settle: nobody waits, or another when         |         | timer_run_due (any M)
 *       |    +----------------------------------------------------+         v
 *       +------------------------------------------------------- armed: FIRED, on its way to `fire`
 *                            fire (that M)
 *
 *   In the last state settle can do nothing, and need not: fire settles anew by what it finds,
 *   under the lock.  It may come late, when the timer was set to another time: so it looks at
 *   `when` and the clock.  The channel does not die meanwhile: when it was taken from the heap
 *   somebody waited, so it was alive in the present cycle, and no other one begins in the M's
 *   critical section (Note [Late timers] in timer.c).
 *
 * Invariants, lock free: (1) somebody waits and when != 0: armed; (2) armed and WAITING: somebody
 * waits, and the timer's when is `when`.
 *
 * Locking: the channel's lock for all fields; TIMERS inside.
 * Answers to: maybeRunChan, blockTimerChan, unblockTimerChan in time.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/timer_chan.h"

#include "gort/mem.h"
#include "os/os.h"
#include "sched/timer.h"

/* In the channel's object, where another has its ring. */
struct clock {
    struct timer timer;
    int64_t when;   /* of the value that is next; 0: none */
    int64_t period; /* 0: only one */
    bool armed;
};
_Static_assert(_Alignof(struct clock) <= 16, "the ring is aligned to 16");

static struct clock *clock_of(const struct hchan *c)
{
    return (struct clock *)(uintptr_t)c->ring;
}

static bool is_due(const struct clock *k, int64_t now)
{
    return k->when != 0 && k->when <= now;
}

/* The value is taken.  Ticks that nobody took in time are left out. */
static void advance(struct clock *k, int64_t now)
{
    int64_t missed = k->period != 0 ? (now - k->when) / k->period : 0, next;
    if (k->period == 0)
        k->when = 0;
    else if (__builtin_mul_overflow(k->period, missed + 1, &next) ||
             __builtin_add_overflow(k->when, next, &k->when))
        k->when = INT64_MAX;
}

static void fire(struct timer *t, struct ready_list *ready)
{
    struct hchan *c = t->arg;
    struct clock *k = clock_of(c);
    struct g *wake;
    chan_lock(c);
    int64_t now = os_now(), value = k->when;
    k->armed = false;
    if (is_due(k, now) && chan_put_locked(c, &value, &wake)) {
        advance(k, now);
        ready_list_append(ready, wake);
    }
    timer_chan_settle(c);
    chan_unlock(c);
}

static void arm(struct hchan *c, struct clock *k)
{
    k->armed = true;
    k->timer.when = k->when;
    k->timer.fn = fire;
    k->timer.arg = c;
    k->timer.late = true;
    if (timer_add(m_self()->p, &k->timer)) sched_timer_added(k->when);
}

void timer_chan_settle(struct hchan *c)
{
    if (c->closed != CHAN_TIMER) return;
    struct clock *k = clock_of(c);
    bool wanted = c->recvq.first != NULL && k->when != 0;
    if (k->armed && (!wanted || k->timer.when != k->when))
        k->armed = !timer_remove(&k->timer); /* false: it has fired, and fire will come here */
    if (!k->armed && wanted) arm(c, k);
}

/* A select that another channel has decided waits no longer, though its record lies here until it
 * runs. */
static bool somebody_waits(const struct hchan *c)
{
    for (const struct sudog *s = c->recvq.first; s != NULL; s = s->next)
        if (!s->is_select || atomic_load_relaxed(&s->g->select_done) == 0)
            return true; /* as of now */
    return false;
}

bool timer_chan_is_due(const struct hchan *c)
{
    return is_due(clock_of(c), os_now()) && !somebody_waits(c);
}

int timer_chan_take(struct hchan *c, void *out)
{
    struct clock *k = clock_of(c);
    if (k->when == 0 || somebody_waits(c)) return GORT_EMPTY;
    int64_t now = os_now(), value = k->when;
    if (!is_due(k, now)) return GORT_EMPTY;
    advance(k, now);
    chan_move(c, out, &value);
    return GORT_GOT;
}

/* ---- for timers ----------------------------------------------------------------------------- */

struct hchan *timer_chan_make(int64_t when, int64_t period)
{
    struct hchan *c = gort_alloc_noscan(sizeof *c + sizeof(struct clock));
    struct clock *k = clock_of(c);
    lock_init(&c->lock, RANK_SELECT_CHAN);
    c->closed = CHAN_TIMER;
    c->noscan = true;
    c->elem_size = sizeof k->when;
    k->when = when;
    k->period = period;
    return c;
}

bool timer_chan_set(struct hchan *c, int64_t when, int64_t period)
{
    struct clock *k = clock_of(c);
    p_pin();
    chan_lock(c);
    bool was_active = k->when != 0;
    k->when = when;
    k->period = period;
    timer_chan_settle(c);
    chan_unlock(c);
    p_unpin();
    return was_active;
}

int64_t timer_chan_period(const struct hchan *c)
{
    return clock_of(c)->period; /* for who sets it: several at once have no right to an order */
}
