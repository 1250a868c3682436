/* Wait groups.
 *
 * One 64-bit word holds the count of things to wait for (upper half, signed) and of goroutines that
 * wait (lower half), so that "the count became 0 and w wait" is one atomic step.  Whoever makes
 * that step clears the word and wakes the w; until it has, nobody may add, which is checked.
 *
 * A group may lie in the waiter's frame: after the units of sema are given the group is not touched
 * (Note [A count may be gone] in sema.c).
 *
 * Memory order: sequentially consistent on the word; waking is ordered by the semaphore.
 * Answers to: sync/waitgroup.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/sync.h"
#include "lang/context.h"
#include "lang/sema.h"

static int32_t count_of(uint64_t state)
{
    return (int32_t)(state >> 32);
}

static uint32_t waiters_of(uint64_t state)
{
    return (uint32_t)state;
}

/* The count has become 0 and somebody waits: nothing may move meanwhile. */
static never_inline void wake_all(gort_waitgroup *wg, uint64_t state)
{
    if (!atomic_cas_seq(&wg->state, &state, UINT64_C(0)))
        throw_msg("wait group misuse: add from zero while goroutines that waited are being woken");
    for (uint32_t w = waiters_of(state); w > 0; w--)
        sema_release(&wg->sema);
}

static void add(gort_waitgroup *wg, int n)
{
    uint64_t change = (uint64_t)(uint32_t)n << 32;
    if (n < 0) race_release(wg);
    uint64_t state = atomic_fetch_add_seq(&wg->state, change) + change;
    int32_t count = count_of(state);
    if (unlikely(count < 0)) throw_msg("negative wait group counter");
    if (unlikely(waiters_of(state) != 0 && n > 0 && count == n))
        throw_msg("wait group misuse: add from zero while goroutines wait");
    if (count == 0 && waiters_of(state) != 0) wake_all(wg, state);
}

void gort_waitgroup_add(gort_waitgroup *wg, int n)
{
    (void)lang_enter("gort_waitgroup_add");
    add(wg, n);
}

void gort_waitgroup_done(gort_waitgroup *wg)
{
    (void)lang_enter("gort_waitgroup_done");
    add(wg, -1);
}

/* The context ended while g waited: takes it off the count of waiters.  false: the count of things
 * has become 0, and g's wake-up has been granted, or is about to be: it is waited for.
 *
 * If the group was used anew since, against the rules, what is taken off stands for a goroutine of
 * the new use; g's wake-up is still in sema, and goes to that one, which reports the misuse as any
 * other does, unless its own use has come to its end by then, and it returns as it should. */
static bool give_up(gort_waitgroup *wg)
{
    uint64_t state = atomic_load_seq(&wg->state);
    while (count_of(state) != 0 && waiters_of(state) != 0)
        if (atomic_cas_seq(&wg->state, &state, state - 1)) return true;
    return false;
}

static void wait_bound(struct g *g, gort_waitgroup *wg)
{
    if (sema_acquire_or(g, &wg->sema, context_done(g), WAIT_WAITGROUP)) return;
    if (give_up(wg)) context_leave(g);
    sema_acquire(g, &wg->sema, false, WAIT_WAITGROUP);
}

void gort_waitgroup_wait(gort_waitgroup *wg)
{
    struct g *g = lang_enter_blocking("gort_waitgroup_wait");
    uint64_t state = atomic_load_seq(&wg->state);
    do {
        if (count_of(state) == 0) {
            race_acquire(wg);
            return;
        }
    } while (!atomic_cas_seq(&wg->state, &state, state + 1));
    if (likely(!context_bound(g)))
        sema_acquire(g, &wg->sema, false, WAIT_WAITGROUP);
    else
        wait_bound(g, wg);
    race_acquire(wg);
    if (unlikely(atomic_load_seq(&wg->state) != 0))
        throw_msg("wait group misuse: reused before all that waited have returned");
}
