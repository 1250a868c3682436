/* Timers: a 4-ary heap per P, and sleeping.
 *
 * What it is: the heap is two arrays in one mapping, the timers and their times side by side, so
 * that sifting compares within one or two cache lines and touches a timer (often in the cold top
 * page of a sleeping goroutine's stack) only to tell it its new place.
 *
 * Why this way: four children halve the depth of two.  A timer knows its place, so that removing it
 * is final: its memory is the caller's frame, which is about to go.  Rejected: marking removed
 * timers and dropping them later, which is cheaper only where timers have a life of their own; a
 * wheel, which rounds.
 *
 * State of a timer (t->state, under its heap's lock):
 *
 *            timer_add (owner)              timer_run_due (any M)
 *     IDLE --------------------> WAITING --------------------------> FIRED
 *      ^                            |                                  |
 *      +---- timer_remove (owner) --+          timer_add (owner) ------+--> WAITING
 *
 *   IDLE: in no heap.  WAITING: in t->p's heap at t->index.  FIRED: in no heap; t->p still names
 *   the heap it fired from, see below.
 *
 * Note [A timer leaves its frame].  fn is called under the heap's lock, and timer_run_due touches
 * *t before and during that call only (but if it is late, see there).  timer_remove takes the same
 * lock even when the timer has fired: so when it returns, nobody is about to touch *t.  It finds
 * the lock through t->p, which a firing leaves alone; only timer_move_all_stw changes it, and never
 * while a caller, who is in a critical section, is between reading it and using it.  A goroutine
 * that only the timer can wake need not call timer_remove: it runs after the ready list was handed
 * over, so after the lock.
 *
 * Note [Late timers].  What some timers do when they fire takes a lock that is held by others while
 * they add and remove timers, or takes long: those of channels, and those that start goroutines.
 * Such a timer (t->late) is FIRED under the heap's lock, and its fn is called after that is
 * released, in the same critical section and by an M with a P, for locks of channels want one.  In
 * between its owner can neither remove it (timer_remove says false) nor may it add it again: the
 * owner's lock tells fn and owner apart, and fn begins by taking that.  An M without a P leaves a
 * late timer in the heap, and those behind it: then all Ps are taken, and the M of one of them
 * comes by between two goroutines; a computation that lasts loses its P for it (monitor.c).
 *
 * Invariants of a heap (timer_heap_is_valid):
 *  (1) times[i] >= times[parent of i];  (2) a[i]->index == i, a[i]->p owns the heap, a[i] is
 *  WAITING, a[i]->when == times[i] > 0;  (3) first == times[0], or 0 when empty.
 *
 * Locking: TIMERS.  Memory order: `first` is a hint for readers without the lock.  Its store in
 * timer_add_locked is sequentially consistent, the first half of the recipe by which the thread
 * that sleeps in the poller can not miss an earlier time (sched_timer_added has the second).
 *
 * Answers to: time.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/timer.h"

#include <string.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/race.h"
#include "os/os.h"
#include "sched/sched_internal.h"

enum timer_state { TIMER_IDLE, TIMER_WAITING, TIMER_FIRED };

#define ARITY 4u
#define CAPACITY_MIN 256u
/* Timers fired in one call, so that a crowd that is due at once does not hold up a stop of the
 * world. What is left is still due: `first` says so to the next who looks. */
#define FIRE_MAX 512u
#define LATE_COST 8u /* one that is late counts as so many */

#define ENTRY_BYTES (sizeof(struct timer *) + sizeof(int64_t))
_Static_assert(CAPACITY_MIN *ENTRY_BYTES == 4096, "the first mapping is a page");

/* ---- the heap: lock held or world stopped ---------------------------------------------------- */

static int64_t *times_of(const struct timer_heap *h)
{
    return (int64_t *)(h->a + h->capacity);
}

static bool timer_heap_is_valid(const struct timer_heap *h)
{
    if (h->n == 0) return h->first == 0;
    const int64_t *times = times_of(h);
    for (uint32_t i = 0; i < h->n; i++) {
        const struct timer *t = h->a[i];
        if (i > 0 && times[i] < times[(i - 1) / ARITY]) return false;
        if (t->index != i || &t->p->timers != h || t->state != TIMER_WAITING) return false;
        if (t->when != times[i] || times[i] <= 0) return false;
    }
    return h->first == times[0];
}

/* All of a small heap; of a large one at some sizes only, for the check is linear. */
static never_inline __attribute__((__unused__)) bool timer_heap_seems_valid(
    const struct timer_heap *h)
{
    return (h->n >= 128 && (h->n & (h->n - 1)) != 0) || timer_heap_is_valid(h);
}

static void heap_put(struct timer_heap *h, uint32_t i, struct timer *t, int64_t when)
{
    h->a[i] = t;
    times_of(h)[i] = when;
    t->index = i;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer *t, int64_t when)
{
    const int64_t *times = times_of(h);
    while (i > 0) {
        uint32_t parent = (i - 1) / ARITY;
        if (times[parent] <= when) break;
        heap_put(h, i, h->a[parent], times[parent]);
        i = parent;
    }
    heap_put(h, i, t, when);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer *t, int64_t when)
{
    const int64_t *times = times_of(h);
    for (;;) {
        uint32_t child = i * ARITY + 1;
        if (child >= h->n) break;
        uint32_t end = child + ARITY < h->n ? child + ARITY : h->n, least = child;
        while (++child < end)
            if (times[child] < times[least]) least = child;
        if (times[least] >= when) break;
        heap_put(h, i, h->a[least], times[least]);
        i = least;
    }
    heap_put(h, i, t, when);
}

static void heap_delete(struct timer_heap *h, uint32_t i)
{
    uint32_t last = --h->n;
    if (i == last) return;
    struct timer *t = h->a[last];
    int64_t when = times_of(h)[last];
    if (i > 0 && when < times_of(h)[(i - 1) / ARITY])
        sift_up(h, i, t, when);
    else
        sift_down(h, i, t, when);
}

static void heap_grow(struct timer_heap *h)
{
    uint32_t capacity = h->capacity == 0 ? CAPACITY_MIN : 2 * h->capacity;
    struct timer **a = os_mem_map(NULL, capacity * ENTRY_BYTES);
    if (a == NULL) throw_fmt("out of memory: no room for more than %u timers of a P", h->capacity);
    atomic_fetch_add_relaxed(&sched.meta_bytes, capacity * ENTRY_BYTES);
    if (h->capacity != 0) {
        race_hide();
        memcpy(a, h->a, h->n * sizeof(*a));
        memcpy(a + capacity, times_of(h), h->n * sizeof(int64_t));
        race_show();
        os_mem_unmap(h->a, h->capacity * ENTRY_BYTES);
        atomic_fetch_sub_relaxed(&sched.meta_bytes, h->capacity * ENTRY_BYTES);
    }
    h->a = a;
    h->capacity = capacity;
}

static void heap_insert(struct p *p, struct timer *t)
{
    struct timer_heap *h = &p->timers;
    if (h->n == h->capacity) heap_grow(h);
    t->p = p;
    t->state = TIMER_WAITING;
    h->n++;
    sift_up(h, h->n - 1, t, t->when);
}

static int64_t heap_first(const struct timer_heap *h)
{
    return h->n > 0 ? times_of(h)[0] : 0;
}

/* ---- adding and removing -------------------------------------------------------------------- */

void timer_heap_init(struct timer_heap *h)
{
    lock_init(&h->lock, RANK_TIMERS);
    h->a = NULL;
    h->n = h->capacity = 0;
    h->first = 0;
}

bool timer_add_locked(struct p *p, struct timer *t)
{
    struct timer_heap *h = &p->timers;
    check(t->state != TIMER_WAITING);
    if (t->when <= 0) t->when = 1; /* long past; 0 says "none" elsewhere */
    heap_insert(p, t);
    bool earliest = h->a[0] == t;
    if (earliest) atomic_store_seq(&h->first, t->when); /* pairs with sched_timer_added's reader */
    assert_heavy(timer_heap_seems_valid(h));
    return earliest;
}

bool timer_remove_locked(struct p *p, struct timer *t)
{
    struct timer_heap *h = &p->timers;
    assert_that(t->p == p);
    if (t->state != TIMER_WAITING) return false;
    check(t->index < h->n && h->a[t->index] == t);
    heap_delete(h, t->index);
    t->state = TIMER_IDLE;
    atomic_store_relaxed(&h->first, heap_first(h)); /* later than before: nobody must learn */
    assert_heavy(timer_heap_seems_valid(h));
    return true;
}

bool timer_add(struct p *p, struct timer *t)
{
    lock_acquire(&p->timers.lock);
    bool earliest = timer_add_locked(p, t);
    lock_release(&p->timers.lock);
    return earliest;
}

/* Note [A timer leaves its frame]. */
bool timer_remove(struct timer *t)
{
    struct p *p = t->p;
    if (p == NULL) return false;
    lock_acquire(&p->timers.lock);
    bool waited = timer_remove_locked(p, t);
    lock_release(&p->timers.lock);
    return waited;
}

/* ---- firing --------------------------------------------------------------------------------- */

/* Fires those that are due, but for the late ones, which it returns. */
static struct timer *fire_locked(struct timer_heap *h, int64_t now, struct ready_list *ready)
{
    const struct m *m = m_self();
    bool may_be_late = m != NULL && m->p != NULL;
    struct timer *late = NULL, **end = &late;
    for (uint32_t cost = 0; cost < FIRE_MAX && h->n > 0 && times_of(h)[0] <= now;) {
        struct timer *t = h->a[0];
        if (t->late && !may_be_late) break;
        heap_delete(h, 0);
        t->state = TIMER_FIRED;
        cost += t->late ? LATE_COST : 1;
        if (t->late) {
            *end = t;
            end = &t->link;
        } else {
            t->fn(t, ready);
        }
    }
    *end = NULL;
    return late;
}

void timer_run_due(struct p *p, int64_t now, struct ready_list *ready)
{
    struct timer_heap *h = &p->timers;
    /* A hint: who adds an earlier one calls sched_timer_added. */
    if (!timer_is_due(p, now)) return;
    lock_acquire(&h->lock);
    struct timer *late = fire_locked(h, now, ready), *next;
    atomic_store_relaxed(&h->first, heap_first(h));
    assert_heavy(timer_heap_seems_valid(h));
    lock_release(&h->lock);
    for (; late != NULL; late = next) { /* Note [Late timers] */
        next = late->link;
        late->fn(late, ready);
    }
}

/* Without locks: the world is stopped, and the caller may hold SCHED, which comes after TIMERS. */
void timer_move_all_stw(struct p *from, struct p *heir)
{
    struct timer_heap *h = &from->timers;
    assert_that(from != heir && !lock_is_held(&h->lock) && !lock_is_held(&heir->timers.lock));
    for (uint32_t i = 0; i < h->n; i++)
        heap_insert(heir, h->a[i]);
    h->n = 0;
    atomic_store_relaxed(&h->first, 0);
    atomic_store_relaxed(&heir->timers.first, heap_first(&heir->timers));
    assert_heavy(timer_heap_is_valid(&heir->timers));
}

/* ---- sleeping ------------------------------------------------------------------------------- */

static void sleep_over(struct timer *t, struct ready_list *ready)
{
    ready_list_append(ready, t->arg);
}

/* After the switch, so that the timer can not wake a goroutine whose registers are not saved.
 * Once it is added, g may run elsewhere and *t be gone. */
static bool commit_sleep(struct g *g, void *arg)
{
    (void)g;
    struct timer *t = arg;
    int64_t when = t->when;
    struct p *p = m_self()->p;
    if (timer_add(p != NULL ? p : p_at(0), t)) sched_timer_added(when);
    return true;
}

int64_t timer_time_after(int64_t ns)
{
    int64_t now = os_now();
    if (ns <= 0) return now;
    return now > INT64_MAX - ns ? INT64_MAX : now + ns;
}

void g_sleep(int64_t ns)
{
    if (ns <= 0) {
        g_yield();
        return;
    }
    p_pin();
    struct timer t = {
        .when = timer_time_after(ns), .fn = sleep_over, .arg = m_self()->curg, .state = TIMER_IDLE
    };
    g_park(commit_sleep, &t, WAIT_SLEEP);
    p_unpin();
}
