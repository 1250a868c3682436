/* A system goroutine that sleeps until it is wanted, and those who want it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_SLEEPER_H
#define GORT_GC_SLEEPER_H

#include "sched/sched.h"

struct sleeper {
    struct g *g;     /* set before parked */
    uint32_t parked; /* atomic */
    uint32_t wanted; /* atomic */
    uint32_t ready;  /* atomic; it has parked once */
};

/* On its goroutine, outside sections: returns once it is wanted, at once if it already is. */
void sleeper_park(struct sleeper *s, enum wait_reason why);
/* Any thread of the runtime, with locks or without, not while the world is stopped.  Calls between
 * two parkings count as one. */
void sleeper_wake(struct sleeper *s);
/* Has it come so far that it waits for its first call, or did it before?  Any thread. */
bool sleeper_is_ready(const struct sleeper *s);
/* A new system goroutine.  Its stack is not scanned: fn, and what it calls, holds no objects. */
void sleeper_start(void (*fn)(void *), const char *name);

#endif
