/* Wait groups.
 *
 * One 64-bit word holds the count of things to wait for (upper half, signed) and of goroutines that
 * wait (lower half), so that "the count became 0 and w wait" is one atomic step.  Whoever makes that
 * step clears the word and wakes the w; until it has, nobody may add, which is checked.
 *
 * A group may lie in the waiter's frame: after the units of sema are given the group is not touched
 * (Note [A count may be gone] in sema.c).
 *
 * Memory order: sequentially consistent on the word; waking is ordered by the semaphore.
 * Answers to: sync/waitgroup.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/sync.h"
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

void gort_waitgroup_wait(gort_waitgroup *wg)
{
    struct g *g = lang_enter_blocking("gort_waitgroup_wait");
    uint64_t state = atomic_load_seq(&wg->state);
    do {
        if (count_of(state) == 0) return;
    } while (!atomic_cas_seq(&wg->state, &state, state + 1));
    sema_acquire(g, &wg->sema, false, WAIT_WAITGROUP);
    if (unlikely(atomic_load_seq(&wg->state) != 0))
        throw_msg("wait group misuse: reused before all that waited have returned");
}
