/* What src/diag remembers of collections and stops: filled by its listeners after each, read by
 * metrics.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_EVENTS_H
#define GORT_DIAG_EVENTS_H

#include "base/print.h"
#include "diag/histogram.h"
#include "gc/gc_stats.h"
#include "sched/stw.h"

/* All fields are atomic, relaxed: statistics; cycles may end on several threads at once. */
struct events {
    struct histogram pauses[STOP_REASONS];   /* stop asked for, to the world going on */
    struct histogram stopping[STOP_REASONS]; /* stop asked for, to all threads having stopped */
    struct histogram marking;                /* marking alone: mark_begin to mark_end */
    uint64_t scan_stacks, scan_globals, scan_heap; /* bytes, last cycle */
    uint64_t cpu;                                  /* ns, all cycles */
};
extern struct events events;

/* os_now when the library was loaded. */
int64_t events_start(void);

/* Go's gctrace line for the cycle; share: of all CPU time so far, what collections took. */
void gctrace_line(struct print *p, const struct gc_cycle_record *r, double share);
/* A duration in milliseconds, as that line has it. */
void gctrace_ms(struct print *p, int64_t ns);
/* Prints how the heap was swept after the cycle before r. */
void sweeptrace_print(const struct gc_cycle_record *r);

/* GORTDEBUG=goleaks: by whoever holds the cycle's semaphore. */
void goleaks_after_cycle(void);

#endif
