/* The scavenger: when memory goes back to the kernel, and the memory limit.
 *
 * Answers to: mgcscavenge.go, debug.FreeOSMemory, debug.SetMemoryLimit.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_SCAVENGER_H
#define GORT_GC_SCAVENGER_H

#include "base/config.h"

/* ---- policy: pure arithmetic ----------------------------------------------------------------- */

#define SCAVENGER_SHARE 100                   /* of the CPU time, one part in so many */
#define SCAVENGER_LEAST_NS ((int64_t)1000000) /* a turn is worth waking up for */
#define SCAVENGER_MOST_NS ((int64_t)10000000) /* saved up, for each P */
#define SCAVENGER_RETAIN 10                   /* percent of heap kept above what is expected */
#define SCAVENGER_STEADY (8 * MB)             /* instead of that percentage, after larger goals */
#define SCAVENGER_REDUCE 5                    /* percent below the limit that it aims at */

/* Heap memory to keep.  in_use: pages of spans when the last cycle had marked; goal, last_goal: of
 * the cycle to come and of the last one (UINT64_MAX: off; last_goal 0: there was none). */
uint64_t scavenger_retained_goal(uint64_t in_use, uint64_t goal, uint64_t last_goal);
/* What becomes of the goal, where `former` was the last one: see Note [Steady goals] in
 * scavenger.c. */
uint64_t scavenger_steady_goal(uint64_t goal, uint64_t former);
/* What it aims at under a limit (SCAV_NONE: none). */
uint64_t scavenger_background_goal(uint64_t limit);

/* CPU time that it may spend: earned by time that passes. */
struct scavenger_budget {
    int64_t credit; /* ns; below 0 when a turn took longer than it had */
    int64_t last;   /* when it was last earned; 0: never */
};
void scavenger_earn(struct scavenger_budget *b, int64_t now, int procs);
void scavenger_spend(struct scavenger_budget *b, int64_t ns);
/* From `last` on: when there will be enough for a turn. */
int64_t scavenger_next(const struct scavenger_budget *b, int procs);

/* A limit that is out of reach does not make the program collect all the time: what it may allocate
 * between two cycles at least, limit or not. */
uint64_t scavenger_runway(uint64_t marked);

/* A cycle that begins because the limit is near lets the program allocate so much until it ends. */
#define SCAVENGER_CYCLE_RUNWAY (512 * KB)

/* ---- the goroutine --------------------------------------------------------------------------- */

/* On a goroutine, once. */
void scavenger_start(void);
bool scavenger_is_ready(void);
/* All is swept: there may be memory to give back.  On a goroutine, outside sections. */
void scavenger_swept(void);
/* A collection that gort_gc asked for has been swept.  A chunk that was dense before a collection
 * is kept until the next one, since a program that allocates will fill it again.  Who asks for a
 * collection is often about to be idle, and no other would come: so this counts as the next one. */
void scavenger_asked(void);
/* For the monitor: wakes the goroutine when a turn is due. */
void scavenger_tick(int64_t now);

/* ---- for the cycle --------------------------------------------------------------------------- */

/* Marking has ended: what the heap held, for a cycle whose goal this was.  World stopped. */
void scavenger_cycle_stw(uint64_t last_goal);
/* The heap goal is now this one.  The holder of the cycle's lock. */
void scavenger_pace(uint64_t goal);
/* Reads what the runtime has beside the heap.  Any time, but it takes microseconds. */
void scavenger_note_others(void);
/* The goal that the memory limit allows after a cycle that marked so much; UINT64_MAX: there is no
 * limit.  The holder of the cycle's lock. */
uint64_t scavenger_limit_goal(uint64_t marked);

/* Is a cycle due because what is in use comes near the limit?  Any thread. */
bool scavenger_limit_is_due(void);

/* Bytes; SCAV_NONE: none.  The former.  Set by the holder of the cycle's lock, or at boot. */
uint64_t scavenger_limit(void);
uint64_t scavenger_set_limit(uint64_t limit);

/* GORTDEBUG=scavtrace=1.  Constant after boot. */
extern bool scavenger_trace;

struct scavenger_counts {
    uint64_t background_ns; /* CPU time */
    uint64_t turns;
};
void scavenger_read_counts(struct scavenger_counts *out);

#endif
