/* Blocks of marks and allocation bits for the spans that have too many slots for their record.
 *
 * A block belongs to a span record (Note [Whose bits] in heap_data.h), and goes back to the slabs
 * of its length when the record is freed.  A slot has a byte of marks (Note [Marks]) and a bit of
 * the allocation bits.
 *
 * Locking: GCBITS, inside.  Answers to: gcBits in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_GCBITS_H
#define GORT_HEAP_GCBITS_H

#include "base/atomic.h"
#include "base/config.h"

#define GCBITS_MAX_WORDS 16 /* 1024 slots */

/* Once.  Bytes go to the counters as slab.h says.  false: no memory. */
bool gcbits_init(uint64_t *counter, uint64_t *asleep);
/* A block for `words` words of allocation bits, at most GCBITS_MAX_WORDS, and so many times 64
 * marks, which come first.  Neither is initialised.  *place: what gcbits_free wants to know.  NULL:
 * no memory. */
uint8_t *gcbits_alloc(uint32_t words, uint32_t *place);
void gcbits_free(uint32_t words, uint32_t place);

/* Note [Blocks that move].  What lives on after a peak is scattered over the heap, and its blocks
 * over the pages of blocks: a page that holds one block for a span that stays can not go back.
 * Unlike a span's record a block is known to the record and to page_info alone, and between two
 * markings only who has the span looks at either.  So who sweeps a span, where blocks of this
 * length are scattered, also takes the block out of a page that is at most half in use
 * (span_settle).
 *     Whether they are scattered is asked when the sweep begins, before what has died gives its
 * blocks back: then they are those that outlived a cycle, and a heap that only breathes does not
 * move what it is about to free. */

/* World stopped; a sweep begins.  all: as if all blocks were. */
void gcbits_look_stw(bool all);
/* Are the blocks of this length scattered?  Until the next sweep. */
bool gcbits_are_scattered(uint32_t words);
/* A block where more are in use, with a copy of what is in this one, which the caller frees.  NULL:
 * there is none, or it would gain nothing. */
uint8_t *gcbits_copy_better(uint32_t words, uint32_t place, uint32_t *other);
/* Blocks so copied since the start. */
uint64_t gcbits_moved(void);

/* Gives the memory of blocks back that nobody has; bytes, 0: no page of it is free of others'.  In
 * a critical section. */
size_t gcbits_release(void);
/* Bytes that have memory, and those that gcbits_release would leave of them (slabs_least). */
void gcbits_bytes(uint64_t *least, uint64_t *awake);
static inline uint64_t *gcbits_of_block(uint8_t *block, uint32_t words)
{
    return (uint64_t *)(block + (size_t)words * 64);
}
/* Blocks handed out and not given back, for tests. */
uint64_t gcbits_in_use(void);

static inline uint32_t gcbits_words(uint32_t nelems)
{
    return (nelems + 63) / 64;
}
static inline bool gcbits_test(const uint64_t *bits, uint32_t i)
{
    /* Relaxed: written by who caches or sweeps the span; see Note [Slots and windows]. */
    return (atomic_load_relaxed(&bits[i / 64]) >> (i % 64) & 1) != 0;
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
