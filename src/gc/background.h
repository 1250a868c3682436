/* The collector's goroutines: sweeper, finalizers, periodic collection.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_BACKGROUND_H
#define GORT_GC_BACKGROUND_H

#include "heap/sweep.h"

void background_init(void);
/* Do the sweeper and the scavenger wait for what they are for?  No cycle before; on a goroutine,
 * and lets others run. */
bool background_is_ready(void);
void background_wait_ready(void);
/* Gives the pages of all dead stacks back.  On a goroutine, outside sections; does not yield. */
void gc_trim_stacks(void);
/* Gives what the mark queue had back to the page heap.  On a goroutine, outside sections; does not
 * yield. */
void gc_return_buffers(void);
/* There is something to sweep again.  Outside stops and critical sections. */
void sweeper_wake(void);
/* Sweeps what is left and waits until others are through with theirs.  yield: lets goroutines run
 * meanwhile.  On a goroutine, outside sections. */
void sweep_finish(bool yield);
/* What was swept since the last call: by whoever begins a cycle, all being swept. */
void sweep_take_counts(struct sweep_counts *out);
/* Sweeps what the caller's allocation owes.  Outside sections; does not yield. */
void sweep_pay(void);

#endif
