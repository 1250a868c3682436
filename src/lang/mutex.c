/* The mutex: competition for speed, and a fair mode so that nobody starves.
 *
 * In the normal mode an unlock frees the mutex and wakes one waiter, which competes with whoever
 * runs by and usually loses to a goroutine that is on a CPU already: cheap, since a critical
 * section of user code is mostly shorter than a wake-up.  A waiter that lost keeps its place at the
 * front of the queue; if it has waited longer than STARVING_NS it switches the mutex to starving:
 * then an unlock hands the locked mutex to the first in the queue, and newcomers go to its end.
 * The waiter that is last, or has waited less, switches back.
 *
 * The state word: three bits, and above them the number of goroutines that wait or are about to.
 *
 *   LOCKED    somebody holds it
 *   WOKEN     a waiter is awake and competes, so that an unlock need not wake another
 *   STARVING  see above
 *
 *                     lock (newcomer, or the woken waiter)
 *      free, waiters ------------------------------------------> LOCKED, waiters
 *        ^    |  unlock: WOKEN, one unit of sema                     |      |
 *        |    v                                                      |      | woken waiter, late
 *      free, WOKEN <-------------------------------------------------+      v
 *                                unlock, somebody waits     LOCKED, STARVING, waiters
 *                                                               |        ^
 *                           unlock: STARVING, not LOCKED, and the unit of sema is the mutex
 *                                                               v        | first waiter takes it,
 *                                                        in hand-over ---+ or clears STARVING
 *
 * Invariants: (1) in hand-over only the waiter that gets the unit sets LOCKED; (2) the waiters in
 * the count are queued at sema, about to be, or woken and competing, which WOKEN or the hand-over
 * says;
 * (3) WOKEN is cleared by the competitor it stands for.
 *
 * Note [Giving up].  Who gives up is counted, is not in the queue of sema any more, and has no unit.
 * Each unit that an unlock gives out is for one of those who are queued there or about to be, never
 * more than one at a time (WOKEN and the hand-over see to that):
 *  - Out of a hand-over the unlock took one off the count for it.  So those who sleep are as many as
 *    the count, and one more while a unit is on its way.  Who gives up takes itself off the count;
 *    the unit, if there is one, goes to another.  But if the count is 0, it is the only one left:
 *    the unit is for it, and it has to take that and compete.
 *  - In a hand-over all who sleep are in the count.  The same, but here it is the only one left if
 *    the count is 1: then it is given the mutex.
 * Who is the only one left takes the unit as soon as it is there, or leaves it to a newcomer, who is
 * in the count.  It does not queue for it: the newcomer might be faster, and it wait on, for an
 * unlock that may be far.  The unit is due from an unlock that has changed the word and gives it
 * next.
 * The last one takes STARVING along, or nobody would be there for the hand-over.
 *
 * The object lives until all calls on it have returned: an unlock still looks at it after another
 * goroutine could have locked it.
 *
 * Memory order: the acquiring compare-and-swap of lock pairs with the releasing operation of
 * unlock; a hand-over is ordered by the semaphore.
 *
 * Answers to: internal/sync/mutex.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/mutex.h"

#include "lang/sema.h"
#include "os/os.h"

/* Programs have LOCKED compiled in, and 0 for a free mutex (gort/sync.h). */
enum { LOCKED = 1, WOKEN = 2, STARVING = 4, WAITER = 8 };

#define STARVING_NS ((int64_t)1000000)
#define SPINS 4
#define SPIN_PAUSES 30

/* One goroutine's attempt at a mutex that was not free. */
struct attempt {
    struct g *g;
    gort_mutex *m;
    enum wait_reason reason;
    int64_t since; /* when it began to wait, 0: not yet */
    bool starving; /* it has waited too long */
    bool woken;    /* it is the one that WOKEN stands for */
    int spins;
    struct mutex_wait *wait; /* NULL: not to be given up */
};

bool mutex_is_locked(const gort_mutex *m)
{
    return (atomic_load_relaxed(&m->state) & LOCKED) != 0; /* out of date unless by its holder */
}

bool mutex_is_wanted(const gort_mutex *m)
{
    return atomic_load_relaxed(&m->state) != 0; /* never 0 while somebody is in the queue of sema */
}

/* ---- locking -------------------------------------------------------------------------------- */

static force_inline bool lock_fast(gort_mutex *m)
{
    uint32_t free_word = 0;
    return atomic_cas_acquire(&m->state, &free_word, (uint32_t)LOCKED);
}

/* Spinning helps only when the holder runs on another CPU, and nobody here waits for this one. */
static bool may_spin(const struct attempt *a)
{
    if (a->spins >= SPINS || p_count() == 1 || a->g->is_attached) return false;
    struct p *p = p_pin();
    bool idle = atomic_load_relaxed(&p->runq_head) == p->runq_tail &&
                atomic_load_relaxed(&p->run_next) == NULL;
    p_unpin();
    return idle;
}

/* Before it sleeps: lets the holder know that it need not wake anybody else. */
static void spin(struct attempt *a, uint32_t old)
{
    if (!a->woken && (old & WOKEN) == 0 && old >= WAITER)
        a->woken = atomic_cas_relaxed(&a->m->state, &old, old | WOKEN);
    for (int i = 0; i < SPIN_PAUSES; i++)
        arch_pause();
    a->spins++;
}

/* What the attempt wants the word to become: locked if it is free, else itself in the queue. */
static uint32_t wanted(const struct attempt *a, uint32_t old)
{
    uint32_t want = old;
    if ((old & STARVING) == 0) want |= LOCKED;
    if ((old & (LOCKED | STARVING)) != 0) want += WAITER;
    if (a->starving && (old & LOCKED) != 0) want |= STARVING;
    if (a->woken) want &= ~(uint32_t)WOKEN;
    return want;
}

/* The word was handed over: nobody else can lock it, and this goroutine is still counted. */
static void take_over(const struct attempt *a)
{
    uint32_t old = atomic_load_relaxed(&a->m->state), want; /* the count may change meanwhile */
    do {
        assert_that((old & (LOCKED | WOKEN)) == 0 && old >= WAITER);
        want = old + LOCKED - WAITER;
        if (!a->starving || old / WAITER == 1) want &= ~(uint32_t)STARVING;
    } while (!atomic_cas_acqrel(&a->m->state, &old, want));
}

/* Note [Giving up].  false: a unit is for this one. */
static bool give_up(gort_mutex *m)
{
    uint32_t old = atomic_load_relaxed(&m->state), want;
    do {
        uint32_t least = (old & (LOCKED | STARVING)) == STARVING ? 2 * WAITER : WAITER;
        if (old < least) return false;
        want = old - WAITER;
        if (want < WAITER) want &= ~(uint32_t)STARVING;
    } while (!atomic_cas_acqrel(&m->state, &old, want));
    return true;
}

/* false: it was given up. */
static bool await_unit(struct attempt *a, bool again)
{
    uint32_t *sema = &a->m->sema;
    while (a->wait != NULL && a->wait->goes_on(a->wait))
        if (sema_acquire_until(a->g, sema, again, &a->wait->sema, a->reason)) return true;
    if (a->wait == NULL) {
        sema_acquire(a->g, sema, again, a->reason);
        return true;
    }
    for (;; g_yield()) { /* until the unlock has given */
        if (give_up(a->m)) return false;
        if (sema_try(sema)) return true;
    }
}

enum turn { COMPETES, HAS_LOCKED, GAVE_UP };

/* Sleeps. */
static enum turn wait_for_turn(struct attempt *a)
{
    bool again = a->since != 0;
    if (!again) a->since = os_now();
    if (!await_unit(a, again)) return GAVE_UP;
    a->starving = a->starving || os_now() - a->since > STARVING_NS;
    if ((atomic_load_relaxed(&a->m->state) & STARVING) != 0) { /* only the one woken clears it */
        take_over(a);
        return HAS_LOCKED;
    }
    a->woken = true;
    a->spins = 0;
    return COMPETES;
}

/* wait: NULL: it is not given up, and the result is true. */
static never_inline bool lock_slow(struct g *g, gort_mutex *m, struct mutex_wait *wait,
                                   enum wait_reason reason)
{
    struct attempt a = { .g = g, .m = m, .reason = reason, .wait = wait };
    uint32_t old = atomic_load_relaxed(&m->state);
    for (;;) {
        if ((old & (LOCKED | STARVING)) == LOCKED && may_spin(&a)) {
            spin(&a, old);
            old = atomic_load_relaxed(&m->state);
            continue;
        }
        if (!atomic_cas_acquire(&m->state, &old, wanted(&a, old))) continue;
        if ((old & (LOCKED | STARVING)) == 0) return true;
        enum turn turn = wait_for_turn(&a);
        if (turn != COMPETES) return turn == HAS_LOCKED;
        old = atomic_load_relaxed(&m->state);
    }
}

void mutex_lock(struct g *g, gort_mutex *m, enum wait_reason reason)
{
    if (!lock_fast(m)) lock_slow(g, m, NULL, reason);
}

bool mutex_lock_until(struct g *g, gort_mutex *m, struct mutex_wait *w, enum wait_reason reason)
{
    return lock_fast(m) || lock_slow(g, m, w, reason);
}

void mutex_end_wait(const gort_mutex *m, struct mutex_wait *w)
{
    sema_end_wait(&m->sema, &w->sema);
}

void mutex_end_waits(const gort_mutex *m)
{
    sema_end_waits(&m->sema);
}

void(gort_mutex_lock)(gort_mutex *m)
{
    struct g *g = lang_enter_blocking("gort_mutex_lock");
    mutex_lock(g, m, WAIT_MUTEX);
    race_acquire(m);
}

/* What the program has inlined could not lock it. */
void gort_mutex_lock_slow_(gort_mutex *m)
{
    lock_slow(lang_enter("gort_mutex_lock"), m, NULL, WAIT_MUTEX);
}

bool mutex_trylock(gort_mutex *m)
{
    uint32_t old = atomic_load_relaxed(&m->state);
    while ((old & (LOCKED | STARVING)) == 0)
        if (atomic_cas_acquire(&m->state, &old, old | LOCKED)) return true;
    return false;
}

bool gort_mutex_trylock(gort_mutex *m)
{
    (void)lang_enter("gort_mutex_trylock");
    if (!mutex_trylock(m)) return false;
    race_acquire(m);
    return true;
}

/* ---- unlocking ------------------------------------------------------------------------------ */

static never_inline void unlock_slow(gort_mutex *m, uint32_t old)
{
    uint32_t state = old - LOCKED;
    if (unlikely((old & LOCKED) == 0)) throw_msg("unlock of unlocked mutex");
    if ((state & STARVING) != 0) {
        sema_release(&m->sema); /* the unit is the mutex */
        return;
    }
    /* Nobody waits, or somebody competes already: whoever gets it will unlock it. */
    while (state >= WAITER && (state & (LOCKED | WOKEN | STARVING)) == 0) {
        if (!atomic_cas_relaxed(&m->state, &state, (state - WAITER) | WOKEN)) continue;
        sema_release(&m->sema);
        return;
    }
}

void mutex_unlock(gort_mutex *m)
{
    uint32_t old = atomic_fetch_sub_acqrel(&m->state, (uint32_t)LOCKED);
    if (unlikely(old != LOCKED)) unlock_slow(m, old);
}

void(gort_mutex_unlock)(gort_mutex *m)
{
    (void)lang_enter("gort_mutex_unlock");
    race_release(m);
    mutex_unlock(m);
}

/* What the program has inlined took LOCKED away. */
void gort_mutex_unlock_slow_(gort_mutex *m, uint32_t state)
{
    unlock_slow(m, state);
}
