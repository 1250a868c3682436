/* Pairs of bit arrays for the spans with more than 64 slots: marks and allocations.
 *
 * A pair belongs to a span record (Note [Whose bits] in heap_data.h), and goes back to a list by its
 * length when a record needs a longer one.
 *
 * Locking: GCBITS, inside.  Answers to: gcBits in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_GCBITS_H
#define GORT_HEAP_GCBITS_H

#include "base/atomic.h"
#include "base/config.h"

#define GCBITS_MAX_WORDS 16 /* 1024 slots */
#define GCBITS_CHUNK (64 * KB)

/* Two arrays of `words` words, side by side, both zero, on own cache lines when long enough to fill
 * one.  NULL: no memory. */
uint64_t *gcbits_alloc(uint32_t words, uint64_t *counter);
void gcbits_free(uint64_t *bits, uint32_t words);
/* Pairs handed out and not given back, for tests. */
uint64_t gcbits_in_use(void);

static inline uint32_t gcbits_words(uint32_t nelems)
{
    return (nelems + 63) / 64;
}
static inline bool gcbits_test(const uint64_t *bits, uint32_t i)
{
    /* Relaxed: a marker that misses a concurrent mark only repeats it. */
    return (atomic_load_relaxed(&bits[i / 64]) >> (i % 64) & 1) != 0;
}
/* true: this call set it. */
static inline bool gcbits_set(uint64_t *bits, uint32_t i)
{
    uint64_t m = (uint64_t)1 << (i % 64);
    return (atomic_fetch_or_relaxed(&bits[i / 64], m) & m) == 0;
}
/* The caller is the only one who writes this array now. */
static inline bool gcbits_set_single(uint64_t *bits, uint32_t i)
{
    uint64_t m = (uint64_t)1 << (i % 64), old = bits[i / 64];
    bits[i / 64] = old | m;
    return (old & m) == 0;
}
static inline void gcbits_clear_single(uint64_t *bits, uint32_t i)
{
    bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}
uint32_t gcbits_count(const uint64_t *bits, uint32_t nelems);

#endif
