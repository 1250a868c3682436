/* Where element i of a growing off-heap table lies: block k holds `first << k` elements, so a few
 * pointers reach every index and nothing ever moves.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_BLOCKS_H
#define GORT_SCHED_BLOCKS_H

#include "base/bits.h"

struct block_place {
    uint32_t block;
    uint32_t offset;
};

/* first: elements of block 0, a power of two. */
static inline struct block_place block_place_of(uint32_t index, uint32_t first)
{
    uint64_t shifted = (uint64_t)index + first;
    uint32_t block = bits_len64(shifted) - bits_len64(first);
    return (struct block_place){ block, (uint32_t)(shifted - ((uint64_t)first << block)) };
}

#endif
