/* The collector's goroutines: sweeper, finalizers, periodic collection.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_BACKGROUND_H
#define GORT_GC_BACKGROUND_H

#include "base/config.h"

void background_init(void);
/* There is something to sweep again.  Outside stops and critical sections. */
void sweeper_wake(void);
/* Sweeps what is left and waits until others are through with theirs.  yield: lets goroutines run
 * meanwhile.  On a goroutine, outside sections. */
void sweep_finish(bool yield);

struct sweep_counts {
    uint64_t background, finish; /* spans swept by the goroutine; before a cycle or on demand */
    uint64_t batches;
};
void sweep_read_counts(struct sweep_counts *out);

#endif
