/* Timers and tickers as the program sees them.
 *
 * Two kinds.  One has a channel, and is nothing but that channel (timer_chan.c).  The other calls a
 * function, in a goroutine of its own, and does so although nobody holds the timer any more: so
 * there is a record outside the heap, which is in a heap of the scheduler from when it is set until
 * it fires or is stopped, and a root for the function's argument.  The handle that the program has
 * is a collected object which names the record.
 *
 * Note [Whose record].  A record serves one setting: when that is over it is free for another
 * timer's. A handle may outlive it.  Records are never unmapped, and each setting has a number,
 * given once; so a handle that finds another number in the record, under the record's lock, knows
 * that its time is over.
 * Rejected: a record as long as the handle lives, which the sweep would have to free.
 *
 *                arm (goroutine)                 timer_run_due (any M)               call_fire (that M)
 *      FREE ----------------------> WAITING, id ----------------------> FIRED, id ----------------------> FREE
 *                                      |  cancel, move (goroutine)
 *                                      +---------------------------> FREE, or WAITING again
 *
 *   Stopping in state FIRED is too late: the function is as good as called.
 *
 * Note [Arguments of timers].  A record's arg is a root that markers find by going through the
 * records (gc_add_records); it is shaded when it enters the record and when it goes from there to
 * the goroutine (Note [Records while marking] in specials.c).
 *
 * Locking: TIMER_HANDLE, a handle's: call and id, so that several who set one timer anew leave no
 * record that nobody can stop.  TIMER_CALL, a record's: id and what it belongs to; inside it
 * TIMERS, FIXALLOC.  Both are locks since stop and reset may come from anywhere, and call_fire runs
 * where there is no handle.
 * Answers to: time/sleep.go, time/tick.go; stop and modify in time.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/timer.h"

#include "base/race.h"
#include "gc/specials.h"
#include "gort/mem.h"
#include "gort/panic.h"
#include "gort/time.h"
#include "heap/fixalloc.h"
#include "lang/go.h"
#include "lang/timer_chan.h"
#include "sched/timer.h"

/* One setting of a timer that calls a function. */
struct call {
    struct timer
        timer; /* its first word is fixalloc's while free; arg: a root, 0 while free; atomic */
    struct lock lock; /* TIMER_CALL */
    uint64_t id;      /* lock; atomic; 0: of no handle */
    void (*fn)(void *);
    bool is_system; /* the goroutine is one of the runtime's */
};

struct gort_timer {
    struct hchan *channel; /* of the one kind, constant; NULL: of the other, which has: */
    void (*fn)(void *);    /* constant, as arg */
    void *arg;
    struct lock lock;  /* TIMER_HANDLE */
    struct call *call; /* the latest; lock */
    uint64_t id;       /* what it had; lock */
    bool is_system;    /* constant */
};

struct ticker {
    gort_ticker public; /* names the other part, which keeps both */
    gort_timer timer;
};

static struct {
    struct fixalloc records;
    uint64_t last_id; /* atomic */
} calls;

void timers_init(void)
{
    fixalloc_init(&calls.records, sizeof(struct call), false, sched_meta_counter());
    gc_add_records(&calls.records, offsetof(struct call, timer.arg));
}

/* ---- records --------------------------------------------------------------------------------- */

/* In a section, nobody's any more. */
static void call_free(struct call *c)
{
    atomic_store_relaxed(&c->timer.arg, NULL); /* Note [Arguments of timers] */
    fixalloc_free(&calls.records, c);
}

/* Note [Late timers] in sched/timer.c. */
static void call_fire(struct timer *t, struct ready_list *ready)
{
    struct call *c = container_of(t, struct call, timer);
    lock_acquire(&c->lock);
    atomic_store_relaxed(&c->id, 0);
    lock_release(&c->lock);
    void (*fn)(void *) = c->fn;
    void *arg = t->arg;
    bool is_system = c->is_system;
    specials_shade((uintptr_t)arg);
    race_acquire(c); /* who set it, the last time too, comes before what it calls */
    call_free(c);
    go_start_listed(ready, fn, arg, is_system, (uintptr_t)gort_timer_func + 1);
}

static struct call *call_alloc(void)
{
    struct call *c = fixalloc_alloc(&calls.records);
    if (c == NULL) throw_msg("out of memory: no record for a timer");
    if (c->lock.rank == RANK_NONE) lock_init(&c->lock, RANK_TIMER_CALL); /* never used before */
    return c;
}

/* Handle locked, or nobody else's yet; in a section with a P.  The earliest of its heap? */
static bool arm(gort_timer *t, int64_t when)
{
    struct call *c = call_alloc();
    c->timer.when = when;
    c->timer.fn = call_fire;
    c->timer.late = true;
    c->fn = t->fn;
    c->is_system = t->is_system;
    specials_shade((uintptr_t)t->arg);
    atomic_store_relaxed(&c->timer.arg, t->arg); /* a marker may look */
    race_release(c);
    t->call = c;
    t->id = atomic_fetch_add_relaxed(&calls.last_id, 1) + 1;
    atomic_store_relaxed(&c->id,
                         t->id); /* for others who have the record's lock it is not theirs */
    return timer_add(m_self()->p, &c->timer);
}

/* Handle locked.  Takes its record, still waiting, out of the heap, and locks it; NULL: its time is
 * over, or it never had one. */
static struct call *take_back(const gort_timer *t)
{
    struct call *c = t->call;
    if (c == NULL) return NULL;
    lock_acquire(&c->lock);
    if (atomic_load_relaxed(&c->id) == t->id && timer_remove(&c->timer)) return c;
    lock_release(&c->lock);
    return NULL;
}

/* ---- timers that call ------------------------------------------------------------------------ */

gort_timer *timer_func_make(int64_t ns, void (*fn)(void *), void *arg, bool is_system)
{
    gort_timer *t = gort_alloc(sizeof *t);
    int64_t when = timer_time_after(ns);
    lock_init(&t->lock, RANK_TIMER_HANDLE);
    t->fn = fn;
    gort_init(&t->arg, arg);
    t->is_system = is_system;
    p_pin();
    if (arm(t, when)) sched_timer_added(when);
    p_unpin();
    return t;
}

gort_timer *gort_timer_func(int64_t ns, void (*fn)(void *arg), void *arg)
{
    (void)lang_enter("gort_timer_func");
    lang_require_function(fn, "gort_timer_func");
    return timer_func_make(ns, fn, arg, false);
}

static bool func_stop(gort_timer *t)
{
    p_pin();
    lock_acquire(&t->lock);
    struct call *c = take_back(t);
    if (c != NULL) {
        atomic_store_relaxed(&c->id, 0);
        lock_release(&c->lock);
        call_free(c);
    }
    lock_release(&t->lock);
    p_unpin();
    return c != NULL;
}

static bool func_reset(gort_timer *t, int64_t when)
{
    p_pin();
    lock_acquire(&t->lock);
    struct call *c = take_back(t);
    bool earliest;
    if (c != NULL) {
        c->timer.when = when;
        race_release(c);
        earliest = timer_add(m_self()->p, &c->timer);
        lock_release(&c->lock);
    } else {
        earliest = arm(t, when);
    }
    lock_release(&t->lock);
    if (earliest) sched_timer_added(when);
    p_unpin();
    return c != NULL;
}

/* ---- timers with a channel ------------------------------------------------------------------- */

static gort_chan(int64_t) channel_of(struct hchan *c)
{
    return (gort_chan(int64_t))GORT_UNTYPED_(c);
}

gort_chan(int64_t) gort_after(int64_t ns)
{
    (void)lang_enter("gort_after");
    return channel_of(timer_chan_make(timer_time_after(ns), 0));
}

gort_timer *gort_timer_make(int64_t ns)
{
    (void)lang_enter("gort_timer_make");
    gort_timer *t = gort_alloc(sizeof *t);
    gort_init(&t->channel, timer_chan_make(timer_time_after(ns), 0));
    return t;
}

gort_chan(int64_t) gort_timer_channel(gort_timer *t)
{
    return channel_of(t->channel);
}

gort_ticker *gort_ticker_make(int64_t period)
{
    (void)lang_enter("gort_ticker_make");
    if (period <= 0) gort_panic("gort_ticker_make: a period of %lld ns", (long long)period);
    struct ticker *t = gort_alloc(sizeof *t);
    struct hchan *c = timer_chan_make(timer_time_after(period), period);
    gort_init(&t->timer.channel, c);
    gort_init((void **)&t->public.c, (void *)c);
    gort_init(&t->public.timer, &t->timer);
    return &t->public;
}

void gort_ticker_stop(gort_ticker *t)
{
    (void)gort_timer_stop(t->timer);
}

/* A ticker goes on at the new distance. */
static bool channel_reset(struct hchan *c, int64_t ns)
{
    bool ticks = timer_chan_period(c) != 0;
    if (ticks && ns <= 0) gort_panic("gort_timer_reset: a period of %lld ns", (long long)ns);
    return timer_chan_set(c, timer_time_after(ns), ticks ? ns : 0);
}

/* ---- both ------------------------------------------------------------------------------------ */

bool gort_timer_stop(gort_timer *t)
{
    (void)lang_enter("gort_timer_stop");
    if (t->channel == NULL) return func_stop(t);
    return timer_chan_set(t->channel, 0, timer_chan_period(t->channel));
}

bool gort_timer_reset(gort_timer *t, int64_t ns)
{
    (void)lang_enter("gort_timer_reset");
    if (t->channel == NULL) return func_reset(t, timer_time_after(ns));
    return channel_reset(t->channel, ns);
}
