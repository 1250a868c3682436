/* Workers: goroutines that mark beside the program.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_WORKER_H
#define GORT_GC_WORKER_H

#include "sched/sched_data.h"

/* Sees that there are workers for nprocs Ps, as far as memory goes.  On a goroutine, outside
 * sections, without the cycle's semaphore: it may wait for a P. */
void workers_prepare(int nprocs);
/* World stopped: a cycle begins to mark beside the program.  Before the barrier is on. */
void workers_begin_stw(void);
/* World stopped, while it marks: from here on anew, fractional workers count their share. */
void workers_share_stw(void);
/* The scheduler's hooks: a worker for P p, which the calling M has, or NULL. */
struct g *workers_find(struct p *p);      /* though others could run */
struct g *workers_find_idle(struct p *p); /* for a P that has nothing else */
/* Is there something to mark that nobody has taken, or nothing left at all?  A hint; any thread. */
bool workers_wanted(void);

#endif
