/* The CPU limiter of the process: limiter.h, wired to Ps, cycle and monitor.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_CPULIMIT_H
#define GORT_GC_CPULIMIT_H

#include "gc/limiter.h"
#include "sched/hooks.h"

/* Boot, before there are Ps. */
void cpulimit_init(void);
/* The Ps on the idle list, and off it. */
void cpulimit_hooks_fill(struct sched_hooks *h);

/* Does collecting take too much?  Then nobody assists, nor waits for a cycle to end, nor gives
 * memory back for the limit's sake.  A hint, at any time. */
bool cpulimit_on(void);

/* A stop of the cycle from when it was asked for until now, world still stopped.  marking: from
 * here on; cycle: the number of the one that marks, or comes next. */
void cpulimit_stop_stw(int64_t begin, int64_t now, bool marking, uint64_t cycle);
/* Looks again, if that is due.  In a critical section, or the monitor's. */
void cpulimit_tick(int64_t now);
/* The same, sooner: somebody has assisted. */
void cpulimit_assisted(int64_t now);

/* The P, pinned, does this until cpulimit_leave.  false: it has something on already; no leave
 * then. */
bool cpulimit_enter(struct p *p, enum limiter_what what, int64_t now);
void cpulimit_leave(struct p *p, enum limiter_what what, int64_t now);
/* A P was kept from the program for so long, for want of marking. */
void cpulimit_add_assist(int64_t ns);

struct cpulimit_counts {
    uint64_t last_cycle; /* the last one in which it limited, 0: none */
    uint64_t on_ns;      /* time that it limited for */
    uint64_t overflow;   /* CPU ns that the collector took beyond the bucket */
};
void cpulimit_read(struct cpulimit_counts *out);

#endif
