/* Counting semaphores for the sync objects of this floor: any uint32_t anywhere is one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_SEMA_H
#define GORT_LANG_SEMA_H

#include "lang/lang.h"

/* Takes one unit of *count; parks the goroutine g while there is none.  first: ahead of all who
 * wait there already.  Outside sections. */
void sema_acquire(struct g *g, uint32_t *count, bool first, enum wait_reason reason);
/* The same, first come first served, unless the channel `done` (NULL: none) is closed while it
 * waits: then false, and no unit was taken. */
bool sema_acquire_or(struct g *g, uint32_t *count, struct hchan *done, enum wait_reason reason);
/* Gives one unit: to the first who waits, else to *count.  Never switches goroutines. */
void sema_release(uint32_t *count);

/* How many goroutines wait at count, for tests: a moment ago. */
uint32_t sema_waiters(const uint32_t *count);
/* Validates the whole table, for tests. */
bool sema_table_is_valid(void);

#endif
