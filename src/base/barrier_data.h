/* The write barrier's buffer: plain data that a P (and an M without a P) owns.
 *
 * A barrier with the flag set logs two words, the overwritten value and the stored one; when the
 * buffer is full the collector (floor 5) shades them in a batch.
 * Protected by: the owning thread inside a critical section; the stopper while the world is
 * stopped.
 *
 * Answers to: mwbbuf.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_BARRIER_DATA_H
#define GORT_BASE_BARRIER_DATA_H

#include "base/config.h"

#define BARRIER_ENTRIES 512

struct barrier_buffer {
    uint32_t n; /* entries used, at most BARRIER_ENTRIES */
    uint32_t reserved;
    uintptr_t entry[BARRIER_ENTRIES];
};

#endif
