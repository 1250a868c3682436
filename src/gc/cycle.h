/* Between cycle.c and its statistics.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_CYCLE_H
#define GORT_GC_CYCLE_H

#include "gc/gc_stats.h"

/* Who may begin a cycle, or change what one depends on.  Waits as if stopped; on a goroutine,
 * outside critical sections. */
void cycle_lock(void);
void cycle_unlock(void);
int gc_percent(void);
uint64_t gc_refused(void);
/* GORTDEBUG=gccheck: proves the heap once it is swept.  Stops the world. */
void gc_check_swept(void);

/* stats.c: under cycle_lock, or with the world stopped by its holder. */
void totals_init(int64_t boot);
void totals_goal(uint64_t goal);
void totals_add(const struct gc_cycle_record *r, int percent);

#endif
