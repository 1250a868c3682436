/* The pacer: when the next collection starts.  Pure arithmetic over its inputs.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_PACER_H
#define GORT_GC_PACER_H

#include "base/config.h"

#define PACER_MIN_HEAP (4 * MB)    /* goal at 100 percent when next to nothing is live */
#define PACER_MIN_RUNWAY (64 * KB) /* a cycle starts at least so far above what the last one left */
#define PACER_OFF UINT64_MAX

struct pacer_input {
    uint64_t marked;  /* bytes of objects that the last cycle found live */
    uint64_t stacks;  /* bytes of stacks it scanned */
    uint64_t globals; /* bytes of program data and registered ranges it scanned */
    int percent;      /* negative: off */
};

struct pacer_output {
    uint64_t goal;    /* heap size that the next cycle is to end at, PACER_OFF: never */
    uint64_t trigger; /* heap size at which it starts */
};

struct pacer_output pacer_compute(const struct pacer_input *in);

#endif
