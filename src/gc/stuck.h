/* Goroutines that can never run again.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_STUCK_H
#define GORT_GC_STUCK_H

#include "base/config.h"

struct g;

/* Finds them all and calls fn for each, in the stop.  Returns how many; or a negative errno: EBUSY
 * while threads exist that the runtime does not know, ENOTSUP when the process's memory can not be
 * looked through, ENOMEM.  On a goroutine, outside sections; waits for a cycle that marks. */
long stuck_find(void (*fn)(struct g *g, void *arg), void *arg);
/* The same by whoever holds the cycle's semaphore (cycle.h), while nobody marks. */
long stuck_find_locked(void (*fn)(struct g *g, void *arg), void *arg);

#endif
