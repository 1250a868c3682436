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
};

bool mutex_is_locked(const gort_mutex *m)
{
    return (atomic_load_relaxed(&m->state) & LOCKED) != 0; /* out of date unless by its holder */
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
    uint32_t old = atomic_load_relaxed(&a->m->state); /* other parts of the word may change */
    assert_that((old & (LOCKED | WOKEN)) == 0 && old >= WAITER);
    uint32_t change = (uint32_t)LOCKED - WAITER;
    if (!a->starving || old / WAITER == 1) change -= STARVING;
    (void)atomic_fetch_add_acqrel(&a->m->state, change);
}

/* Sleeps; true when the mutex is this goroutine's on return. */
static bool wait_for_turn(struct attempt *a)
{
    bool again = a->since != 0;
    if (!again) a->since = os_now();
    sema_acquire(a->g, &a->m->sema, again, a->reason);
    a->starving = a->starving || os_now() - a->since > STARVING_NS;
    if ((atomic_load_relaxed(&a->m->state) & STARVING) != 0) { /* only the one woken clears it */
        take_over(a);
        return true;
    }
    a->woken = true;
    a->spins = 0;
    return false;
}

static never_inline void lock_slow(struct g *g, gort_mutex *m, enum wait_reason reason)
{
    struct attempt a = { .g = g, .m = m, .reason = reason };
    uint32_t old = atomic_load_relaxed(&m->state);
    for (;;) {
        if ((old & (LOCKED | STARVING)) == LOCKED && may_spin(&a)) {
            spin(&a, old);
            old = atomic_load_relaxed(&m->state);
            continue;
        }
        if (!atomic_cas_acquire(&m->state, &old, wanted(&a, old))) continue;
        if ((old & (LOCKED | STARVING)) == 0) return;
        if (wait_for_turn(&a)) return;
        old = atomic_load_relaxed(&m->state);
    }
}

void mutex_lock(struct g *g, gort_mutex *m, enum wait_reason reason)
{
    if (!lock_fast(m)) lock_slow(g, m, reason);
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
    lock_slow(lang_enter("gort_mutex_lock"), m, WAIT_MUTEX);
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
