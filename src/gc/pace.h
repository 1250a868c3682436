/* Pacing: the pacer and what it counts, wired to the cycle and to allocation.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_PACE_H
#define GORT_GC_PACE_H

#include "gc/gc_stats.h"
#include "gc/pacer_shared.h"
#include "sched/sched_data.h"

/* Scan work, credit and workers of the present cycle; atomic. */
extern struct pacer_shared pace_shared;

struct pace_goals {
    uint64_t goal, trigger; /* heap_live; UINT64_MAX: none */
};

/* Boot. */
void pace_init(int percent);
/* The former; pace_goals after it.  As that. */
int pace_set_percent(int percent);
/* What applies now.  stopped: marking stops the world, so that nothing is allocated meanwhile.  The
 * holder of the cycle's lock; while marking beside the program, in a stop. */
struct pace_goals pace_goals(bool stopped);
/* World stopped, after pace_goals: what assists go by follows, if marking goes on. */
void pace_changed_stw(void);
/* World stopped, while marking: the number of Ps has changed. */
void pace_procs_stw(int procs);
/* World stopped: marking begins, at heap_live.  It has ended: r says what came of it, heap_end
 * included; who marked for how long is filled in. */
void pace_begin_stw(const struct gc_cycle_record *r);
void pace_end_stw(struct gc_cycle_record *r);

/* GORTDEBUG=gcpacertrace=1: the lines of the last cycle, and how long they are.  The listener. */
size_t pace_trace(const char **lines);

/* On a goroutine, outside sections, while marking: pays for what its P was charged with, by credit
 * or by marking.  false: some is owed, and nothing is there to mark. */
bool pace_assist(void);
/* Fractional workers: pacer.h. */
bool pace_fractional_due(int64_t spent, int64_t elapsed);
bool pace_fractional_over(int64_t spent, int64_t elapsed);
/* Bytes that nobody paid for, since who allocated them is exempt. */
uint64_t pace_forgiven(void);
/* Bytes that workers marked and allocation paid with, of all cycles. */
uint64_t pace_credit_taken(void);
/* Is the heap so far beyond its goal that who allocates, the caller, waits for the end of the
 * cycle?  A hint. */
bool pace_is_beyond(void);
/* Who waits for that, the P pinned, while marking: marks about so many bytes; how many. */
uint64_t pace_help(struct p *p, uint64_t bytes);

#endif
