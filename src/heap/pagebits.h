/* Runs of set bits, in words and chunks, and the packing of summaries.  Pure functions.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_PAGEBITS_H
#define GORT_HEAP_PAGEBITS_H

#include "base/bits.h"
#include "heap/pagealloc.h"

/* Lengths in pages of the free run at the start, of the longest, and of the one at the end. */
struct page_sum {
    size_t start, max, end;
};

#define SUM_BITS 21 /* pages of a root node: 2^21, which has a flag of its own */
#define SUM_ALL ((uint64_t)1 << 63)
#define SUM_FIELD (((uint64_t)1 << SUM_BITS) - 1)
_Static_assert(PAGE_ROOT_SHIFT - PAGE_SHIFT == SUM_BITS, "a root node has 2^SUM_BITS pages");
_Static_assert(3 * SUM_BITS <= 63, "three lengths and the flag fit a word");

static inline uint64_t sum_pack(struct page_sum s)
{
    if (s.max > SUM_FIELD) return SUM_ALL;
    return (uint64_t)s.start | (uint64_t)s.max << SUM_BITS | (uint64_t)s.end << (2 * SUM_BITS);
}
static inline struct page_sum sum_unpack(uint64_t w)
{
    if (unlikely((w & SUM_ALL) != 0)) {
        size_t n = (size_t)1 << SUM_BITS;
        return (struct page_sum){ n, n, n };
    }
    return (struct page_sum){ w & SUM_FIELD, w >> SUM_BITS & SUM_FIELD, w >> (2 * SUM_BITS) };
}

/* Bit i of the result: x has n ones from bit i upwards.  1 <= n <= 64. */
static inline uint64_t bits_runs_of(uint64_t x, unsigned n)
{
    /* After each step a bit stands for `have` ones; doubling needs log2 n steps. */
    for (unsigned have = 1; have < n && x != 0;) {
        unsigned step = have <= n - have ? have : n - have;
        x &= x >> step;
        have += step;
    }
    return x;
}
/* Ones from bit 0 upwards, and from bit 63 downwards. */
static inline unsigned bits_ones_low(uint64_t x)
{
    return ~x == 0 ? 64 : bits_ctz64(~x);
}
static inline unsigned bits_ones_high(uint64_t x)
{
    return ~x == 0 ? 64 : bits_clz64(~x);
}
/* n ones from bit `first`.  1 <= n, first + n <= 64. */
static inline uint64_t bits_mask(unsigned first, unsigned n)
{
    return (~(uint64_t)0 >> (64 - n)) << first;
}

/* The summary of one chunk's free bits. */
struct page_sum pagebits_summarize(const uint64_t free[CHUNK_WORDS]);
/* Joins n neighbours, each of `each` pages. */
struct page_sum pagebits_merge(const uint64_t *sums, size_t n, size_t each);
/* First run of n free pages of a chunk; CHUNK_PAGES: none.  *words counts the words looked at. */
size_t pagebits_find(const uint64_t free[CHUNK_WORDS], size_t n, uint64_t *words);
/* Index of the lowest free page, CHUNK_PAGES: none. */
size_t pagebits_first(const uint64_t free[CHUNK_WORDS]);

#endif
