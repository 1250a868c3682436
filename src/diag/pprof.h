/* Profiles in pprof's format (profile.proto): written to a descriptor as they are told.
 *
 *     struct pprof *p = pprof_begin(&head, fd, memory);   NULL: no memory
 *     pprof_sample(p, &sample);                           any number of times
 *     error = pprof_end(p);                               0 or errno
 *
 * On a goroutine, outside critical sections; writing may park.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_PPROF_H
#define GORT_DIAG_PPROF_H

#include "base/config.h"

#define PPROF_VALUES 4

struct pprof_type {
    const char *type, *unit;
};

struct pprof_head {
    struct pprof_type values[PPROF_VALUES]; /* what the values of each sample are */
    unsigned nvalues;
    struct pprof_type period_type;
    uint64_t period;
    const char *default_value; /* one of values: what is shown first */
    int64_t duration;          /* ns up to now */
    const char *drop;          /* regular expression: functions not shown, with what they call */
};

struct pprof_sample {
    const uintptr_t *pc; /* innermost first, at most CALLSTACK_MAX */
    unsigned npc;
    uint64_t values[PPROF_VALUES];
    uint64_t bytes; /* label "bytes": of one object; 0: none */
};

/* The memory that it takes meanwhile is counted in *memory. */
struct pprof *pprof_begin(const struct pprof_head *h, int fd, uint64_t *memory);
void pprof_sample(struct pprof *p, const struct pprof_sample *s);
int pprof_end(struct pprof *p);

#endif
