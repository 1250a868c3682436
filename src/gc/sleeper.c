/* A system goroutine that sleeps until it is wanted, and those who want it.
 *
 * The goroutine publishes `parked` after its context is saved, then looks whether it is wanted; a
 * waker sets `wanted`, then takes `parked` by compare-and-swap.  Both stores are full barriers, so
 * either the goroutine sees that it is wanted or the waker sees it parked, and exactly one of them
 * takes `parked` back.
 *
 * Locking: none.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/sleeper.h"

#include "base/atomic.h"

static bool sleeper_unpark(struct sleeper *s)
{
    uint32_t parked = 1;
    return atomic_load_relaxed(&s->parked) != 0 /* a hint; ordered by the caller's exchange */
           && atomic_cas_seq(&s->parked, &parked, 0);
}

static bool sleeper_commit(struct g *g, void *arg)
{
    struct sleeper *s = arg;
    s->g = g;
    atomic_store_relaxed(&s->ready, 1u);
    atomic_exchange_seq(&s->parked, 1u);
    if (atomic_load_seq(&s->wanted) == 0) return true;
    return !sleeper_unpark(s); /* lost: the waker readies it */
}

void sleeper_park(struct sleeper *s, enum wait_reason why)
{
    while (atomic_exchange_seq(&s->wanted, 0u) == 0) {
        p_pin();
        g_park(sleeper_commit, s, why);
        p_unpin();
    }
}

void sleeper_wake(struct sleeper *s)
{
    atomic_exchange_seq(&s->wanted, 1u);
    if (!sleeper_unpark(s)) return;
    crit_enter();
    g_ready(s->g);
    crit_exit();
}

bool sleeper_is_ready(const struct sleeper *s)
{
    return atomic_load_relaxed(&s->ready) != 0; /* a look; what follows goes by parked */
}

void sleeper_start(void (*fn)(void *), const char *name)
{
    struct g_options o = { .name = name, .is_system = true, .no_objects = true };
    g_start(fn, NULL, &o, (uintptr_t)__builtin_return_address(0));
}
