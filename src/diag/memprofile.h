/* The memory profile.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_MEMPROFILE_H
#define GORT_DIAG_MEMPROFILE_H

#include "base/config.h"

#define MEMPROFILE_RATE ((uint64_t)512 * KB)

struct memprofile_counts {
    uint64_t samples; /* taken */
    uint64_t live;    /* of them, not freed */
    uint64_t dropped; /* lost for want of memory */
    uint64_t buckets;
};
void memprofile_read_counts(struct memprofile_counts *out);

/* How many objects `sampled` ones of this size stand for. */
uint64_t memprofile_scale(uint64_t sampled, uint64_t size, uint64_t rate);

#endif
