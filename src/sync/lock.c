/* The futex lock, and the checker of lock ranks.
 *
 * The word:
 *              acquire: cas                      acquire_slow: exchange
 *    free (0) ---------------> held (1) ------------------------------> held, sleepers (2)
 *      ^  ^                       |                                          |      ^
 *      |  |  release: exchange    |        release: exchange, wake one       |      |
 *      |  +-----------------------+                                          |      |
 *      +---------------------------------------------------------------------+      |
 *      +------------------------ acquire_slow: exchange --------------------------->+
 *
 *   0: nobody holds it.  1: one thread holds it, nobody sleeps or is about to.  2: one thread holds
 *   it, others may sleep; who slept takes it as 2, because it can not know whether it was alone.
 *
 * A waiter spins for some hundred nanoseconds first, when there is a second CPU on which the holder
 * can run; critical sections are shorter than a sleep.  Rejected: queue locks, whose hand-over
 * makes every holder wait for a scheduled-out successor; a longer spin, which steals the holder's
 * CPU where threads outnumber CPUs.
 *
 * Memory order: each acquiring operation on the word pairs with the releasing exchange of
 * lock_release.
 *
 * The checker (GORT_ASSERT_LEVEL >= 1) keeps the locks that a thread holds in a list of its own.
 *  (1) The ranks in the list never fall; equal ones only where the rank is "multi", by address.
 *  (2) A lock is in the list of exactly the thread that holds it.
 *  (3) A thread that the runtime knows (it has an M) takes locks in critical sections only, but for
 *      RANK_WORLD, which is waited for in blocking state.
 * lock_try_acquire can not deadlock but is checked alike: an order that holds sometimes is none.
 * The list is a thread-local, and no function here may be inlined into one that switches
 * goroutines: compilers keep the address of a thread-local across calls.
 *
 * Answers to: lock_futex.go, lockrank_on.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sync/lock.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "os/os.h"

enum { LOCK_FREE, LOCK_HELD, LOCK_SLEEPERS };

/* ---- the checker -------------------------------------------------------------------------- */

#define RANK_ROW(name, floor, multi) [RANK_##name] = { #name, floor, multi },
static const struct rank_info {
    const char *name;
    int floor;
    bool multi;
} rank_table[RANK_COUNT] = { [RANK_NONE] = { "NONE", 0, false }, LOCK_RANK_TABLE(RANK_ROW) };

#if GORT_ASSERT_LEVEL >= 1

/* A select over many channels holds a lock of each: beyond the list's end locks are counted, and
 * only the last of them is known, until it is released.  A lock that is no longer held says nothing
 * about order, and its memory may be gone: then the list's last one stands for all beyond it, which
 * errs towards accepting. */
#define HELD_LISTED 32

/* Only its own thread touches it; signal handlers take no locks. */
static __thread struct {
    int n;                      /* locks in the list */
    int deeper;                 /* locks beyond it; then n == HELD_LISTED */
    const struct lock *deepest; /* the last of those, held; NULL: none or not known */
    const struct lock *lock[HELD_LISTED];
} held __attribute__((__tls_model__("initial-exec")));

_Static_assert(sizeof(held) <= 1024, "static thread-local storage of a loaded library is scarce");

static const char *rank_name(const struct lock *l)
{
    return rank_table[l->rank].name;
}

_Noreturn static cold_path void order_violated(const struct lock *l, const struct lock *last)
{
    throw_fmt("lock order: %s (%p) acquired while holding %s (%p)", rank_name(l), (const void *)l,
              rank_name(last), (const void *)last);
}

static void check_order(const struct lock *l)
{
    if (held.n == 0) return;
    const struct lock *last = held.deepest != NULL ? held.deepest : held.lock[held.n - 1];
    bool rises =
        l->rank > last->rank || (l->rank == last->rank && rank_table[l->rank].multi && l > last);
    if (unlikely(!rises)) order_violated(l, last);
}

static never_inline void check_acquire(const struct lock *l)
{
    if (unlikely(l->rank == RANK_NONE || l->rank >= RANK_COUNT))
        throw_fmt("lock %p has no rank", (const void *)l);
    check_order(l);
    if (unlikely(arch_tls_m() != NULL && arch_crit_word() == 0 && l->rank != RANK_WORLD))
        throw_fmt("lock %s acquired outside a critical section", rank_name(l));
}

static never_inline void held_push(const struct lock *l)
{
    if (likely(held.n < HELD_LISTED)) {
        held.lock[held.n++] = l;
    } else {
        held.deeper++;
        held.deepest = l;
    }
}

static never_inline void held_remove(const struct lock *l)
{
    int i = held.n - 1;
    while (i >= 0 && held.lock[i] != l)
        i--;
    if (i < 0 && held.deeper > 0) {
        held.deeper--;
        if (l == held.deepest || held.deeper == 0) held.deepest = NULL;
        return;
    }
    if (unlikely(i < 0))
        throw_fmt("lock %s (%p) released by a thread that does not hold it", rank_name(l),
                  (const void *)l);
    check(held.deeper == 0); /* deeper ones are released first */
    for (held.n--; i < held.n; i++)
        held.lock[i] = held.lock[i + 1];
}

never_inline int lock_held_count(void)
{
    return held.n + held.deeper;
}

#else

static force_inline void check_acquire(const struct lock *l)
{
    (void)l;
}
static force_inline void held_push(const struct lock *l)
{
    (void)l;
}
static force_inline void held_remove(const struct lock *l)
{
    (void)l;
}

int lock_held_count(void)
{
    return 0;
}

#endif

bool lock_none_held(void)
{
    return lock_held_count() == 0;
}

const char *lock_rank_name(enum lock_rank rank)
{
    return (unsigned)rank < RANK_COUNT ? rank_table[rank].name : "?";
}

/* ---- the lock ----------------------------------------------------------------------------- */

#define SPIN_ROUNDS 4
#define SPIN_PAUSES 30

void lock_init(struct lock *l, enum lock_rank rank)
{
    l->word = LOCK_FREE;
    l->rank = rank;
}

static bool try_take(struct lock *l)
{
    uint32_t free = LOCK_FREE;
    return atomic_cas_acquire(&l->word, &free, LOCK_HELD); /* pairs with lock_release */
}

/* Rounds + 1, 0: not known yet; atomic, a hint: whoever stores says what he has seen, and the
 * monitor again after a second. */
static int known_rounds;

void lock_note_cpus(int cpus)
{
    atomic_store_relaxed(&known_rounds, (cpus > 1 ? SPIN_ROUNDS : 0) + 1);
}

/* Rounds worth spinning: none with one CPU, where the holder can not run meanwhile. */
int lock_spin_rounds(void)
{
    if (unlikely(atomic_load_relaxed(&known_rounds) == 0)) lock_note_cpus(os_cpu_count());
    return atomic_load_relaxed(&known_rounds) - 1;
}

static bool spin(struct lock *l)
{
    for (int rounds = lock_spin_rounds(); rounds > 0; rounds--) {
        /* Relaxed: only a hint whether the compare-and-swap is worth its cache line. */
        if (atomic_load_relaxed(&l->word) == LOCK_FREE && try_take(l)) return true;
        os_cpu_relax_thread(SPIN_PAUSES);
    }
    return false;
}

static cold_path void acquire_slow(struct lock *l)
{
    if (spin(l)) return;
    /* Acquire pairs with lock_release; the release half of the exchange is not needed. */
    while (atomic_exchange_acqrel(&l->word, LOCK_SLEEPERS) != LOCK_FREE)
        os_futex_wait(&l->word, LOCK_SLEEPERS, -1);
}

void lock_acquire(struct lock *l)
{
    check_acquire(l);
    if (unlikely(!try_take(l))) acquire_slow(l);
    held_push(l);
}

bool lock_try_acquire(struct lock *l)
{
    check_acquire(l);
    if (!try_take(l)) return false;
    held_push(l);
    return true;
}

void lock_release(struct lock *l)
{
    held_remove(l);
    uint32_t was = atomic_exchange_acqrel(&l->word, LOCK_FREE); /* pairs with every acquire above */
    if (unlikely(was == LOCK_SLEEPERS))
        os_futex_wake(&l->word, 1);
    else
        check(was == LOCK_HELD);
}

bool lock_is_held(const struct lock *l)
{
    return atomic_load_relaxed(&l->word) != LOCK_FREE; /* for assertions of the holder */
}
