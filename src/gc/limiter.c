/* The CPU limiter: assists stop when collecting takes more than half of the CPU for too long.
 *
 * A heap that does not fit its memory limit would be collected without end, each allocation paying
 * for all of it.  Better to pass the limit slowly than to stand still.
 *
 * A leaky bucket: the collector's CPU time fills it, the program's drains it, one for one, which
 * makes the limit a half.  Full, it limits until something has drained.  Its capacity, a second for
 * each P, is what the collector may take at a stretch; it never drains below empty, so an idle day
 * gives no credit.  The quarter that background marking has is counted by the clock while marking
 * is on; assists by what they report; stops in full.  Idle time is neither's, and is taken off the
 * total, or a program with one thread on many CPUs would never be limited.
 *
 * Note [Events in flight].  A P that assists for long would report it late, as time of a window in
 * which it did not happen.  So its event is a word, what and since when, and an update moves the
 * since to now and takes the time.  Both sides exchange the word by compare-and-swap: each ns is
 * counted once.  The stamp keeps the low 61 bits of the time.
 *
 * What is reported late all the same is cut off at what the window has left.  That is not so where
 * there is no window: who looked at the clock, and then was too late for the try-lock, comes with
 * times that he has taken out of the pools, and a moment before the last update.  They are kept for
 * the next one.
 *
 * Invariants: (1) fill <= capacity; (2) limiting means full, but for the time between a change of
 * the capacity and its check.
 *
 * Memory order: limiting, last and the pools are counts and hints: relaxed.  busy is a try-lock:
 * acquire in limiter_try pairs with the release in limiter_done.
 *
 * Answers to: mgclimit.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/limiter.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "gc/pacer.h"

bool limiter_limiting(const struct limiter *l)
{
    return atomic_load_relaxed(&l->limiting) != 0;
}

bool limiter_due(const struct limiter *l, int64_t now, int64_t period)
{
    return now - atomic_load_relaxed(&l->last) > period;
}

bool limiter_try(struct limiter *l)
{
    uint32_t free_word = 0;
    return atomic_cas_acquire(&l->busy, &free_word, 1u); /* pairs with limiter_done */
}

void limiter_done(struct limiter *l)
{
    atomic_store_release(&l->busy, 0u); /* pairs with limiter_try */
}

/* ---- the bucket ------------------------------------------------------------------------------ */

/* As of l->last. */
static void set_limiting(struct limiter *l, bool on)
{
    if (limiter_limiting(l) == on) return;
    if (on) {
        atomic_store_relaxed(&l->since, l->last);
        atomic_store_relaxed(&l->last_cycle, l->cycle);
    } else {
        atomic_store_relaxed(&l->on_ns, l->on_ns + (uint64_t)(l->last - l->since));
    }
    atomic_store_relaxed(&l->limiting, (uint32_t)on);
}

/* Two words that need not agree: a moment may be counted twice, or not yet. */
uint64_t limiter_on_ns(const struct limiter *l, int64_t now)
{
    uint64_t ns = atomic_load_relaxed(&l->on_ns);
    int64_t since = atomic_load_relaxed(&l->since);
    return limiter_limiting(l) && now > since ? ns + (uint64_t)(now - since) : ns;
}

static void fill_by(struct limiter *l, uint64_t ns)
{
    uint64_t room = l->capacity - l->fill;
    if (ns < room) {
        l->fill += ns;
        return;
    }
    atomic_store_relaxed(&l->overflow, l->overflow + ns - room);
    l->fill = l->capacity;
    set_limiting(l, true);
}

static void drain_by(struct limiter *l, uint64_t ns)
{
    l->fill = ns < l->fill ? l->fill - ns : 0;
    set_limiting(l, false);
}

/* Half and half changes nothing, and neither does no time at all. */
static void account(struct limiter *l, int64_t program, int64_t collector)
{
    if (collector > program) fill_by(l, (uint64_t)(collector - program));
    if (collector < program) drain_by(l, (uint64_t)(program - collector));
}

void limiter_update(struct limiter *l, int64_t now, struct limiter_times t)
{
    assert_that(!l->between);
    t.assist += l->kept.assist;
    t.idle += l->kept.idle;
    l->kept = (struct limiter_times){ 0, 0 };
    if (now <= l->last) { /* read before another's update: there is no window to put them in */
        l->kept = t;
        return;
    }
    int64_t total = (now - l->last) * l->procs;
    int64_t idle = t.idle < total ? t.idle : total;
    int64_t collector = t.assist < total - idle ? t.assist : total - idle;
    if (l->marking) collector += (int64_t)((double)total * PACER_UTILIZATION);
    atomic_store_relaxed(&l->last, now);
    account(l, total - idle - collector, collector);
}

void limiter_begin(struct limiter *l, int64_t now, struct limiter_times t, bool marking,
                   uint64_t cycle)
{
    limiter_update(l, now, t);
    l->marking = marking;
    l->cycle = cycle;
    l->between = true;
}

void limiter_end(struct limiter *l, int64_t now)
{
    assert_that(l->between);
    l->between = false;
    if (now < l->last) return;
    int64_t ns = now - l->last;
    atomic_store_relaxed(&l->last, now);
    account(l, 0, ns * l->procs);
}

void limiter_set_procs(struct limiter *l, int64_t now, struct limiter_times t, int procs)
{
    assert_that(procs > 0);
    limiter_update(l, now, t);
    l->procs = procs;
    l->capacity = (uint64_t)procs * LIMITER_PROC_NS;
    if (l->fill > l->capacity) l->fill = l->capacity;
    set_limiting(l, l->fill == l->capacity);
}

void limiter_init(struct limiter *l, int64_t now, int procs)
{
    static const struct limiter_times none;
    *l = (struct limiter){ .last = now, .cycle = 1 };
    limiter_set_procs(l, now, none, procs);
}

const char *limiter_fault(const struct limiter *l)
{
    if (l->fill > l->capacity) return "the bucket holds more than it can";
    if (l->capacity != (uint64_t)l->procs * LIMITER_PROC_NS) return "the capacity is not the Ps'";
    if (limiter_limiting(l) && l->fill != l->capacity) return "limiting, but not full";
    return NULL;
}

/* ---- what is added meanwhile ----------------------------------------------------------------- */

void limiter_add_assist(struct limiter_pool *p, int64_t ns)
{
    atomic_fetch_add_relaxed(&p->assist, ns);
}

void limiter_add_idle(struct limiter_pool *p, int64_t ns)
{
    atomic_fetch_add_relaxed(&p->idle, ns);
}

struct limiter_times limiter_drain(struct limiter_pool *p)
{
    return (struct limiter_times){ .assist = atomic_exchange_acqrel(&p->assist, INT64_C(0)),
                                   .idle = atomic_exchange_acqrel(&p->idle, INT64_C(0)) };
}

/* ---- Note [Events in flight] ----------------------------------------------------------------- */

#define WHAT_SHIFT 61
#define TIME_MASK ((UINT64_C(1) << WHAT_SHIFT) - 1)

_Static_assert(LIMITER_IDLE < 1 << (64 - WHAT_SHIFT), "what fits above the time");

static uint64_t event_word(enum limiter_what what, int64_t now)
{
    return (uint64_t)what << WHAT_SHIFT | ((uint64_t)now & TIME_MASK);
}

static enum limiter_what event_what(uint64_t word)
{
    return (enum limiter_what)(word >> WHAT_SHIFT);
}

/* 0 when `now` was read before the event began. */
static int64_t event_ns(uint64_t word, int64_t now)
{
    uint64_t since = word & TIME_MASK, to = (uint64_t)now & TIME_MASK;
    return to > since ? (int64_t)(to - since) : 0;
}

static void event_add(enum limiter_what what, int64_t ns, struct limiter_times *t)
{
    if (what == LIMITER_ASSIST) t->assist += ns;
    if (what == LIMITER_IDLE_MARK || what == LIMITER_IDLE) t->idle += ns;
}

bool limiter_start(struct limiter_event *e, enum limiter_what what, int64_t now)
{
    assert_that(what != LIMITER_NONE);
    if (event_what(atomic_load_relaxed(&e->word)) != LIMITER_NONE) return false;
    atomic_store_relaxed(&e->word, event_word(what, now));
    return true;
}

void limiter_consume(struct limiter_event *e, int64_t now, struct limiter_times *t)
{
    uint64_t old = atomic_load_relaxed(&e->word);
    enum limiter_what what;
    int64_t ns;
    do {
        what = event_what(old);
        ns = event_ns(old, now);
        if (what == LIMITER_NONE || ns == 0) return;
    } while (!atomic_cas_relaxed(&e->word, &old, event_word(what, now)));
    event_add(what, ns, t);
}

void limiter_stop(struct limiter_event *e, enum limiter_what what, int64_t now,
                  struct limiter_pool *p)
{
    struct limiter_times t = { 0, 0 };
    uint64_t old = atomic_load_relaxed(&e->word);
    do
        assert_that(event_what(old) == what);
    while (!atomic_cas_relaxed(&e->word, &old, event_word(LIMITER_NONE, 0)));
    event_add(what, event_ns(old, now), &t);
    if (t.assist != 0) limiter_add_assist(p, t.assist);
    if (t.idle != 0) limiter_add_idle(p, t.idle);
}
