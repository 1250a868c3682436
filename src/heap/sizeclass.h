/* Size classes: which slot sizes exist, how many slots a span of each has, and size -> class.
 *
 * The tables are made by tools/gen_sizeclasses.py, whose head says by which rule, and which proves
 * the division constants.  A span class is size class * 2 + noscan.
 *
 * Answers to: msize.go, internal/runtime/gc/sizeclasses.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SIZECLASS_H
#define GORT_HEAP_SIZECLASS_H

#include "heap/heap_data.h"

/* One row per class; 16 bytes, so that refill touches one line. */
struct size_class {
    uint32_t size;      /* bytes of a slot */
    uint32_t div_magic; /* offset / size == (offset * div_magic) >> 32 within a span */
    uint16_t nelems[2]; /* slots of a span: [0] scan, [1] noscan (Note [Span tail]) */
    uint8_t npages[2];  /* pages of a span, likewise */
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct size_class) == 16, "one row is 16 bytes");

#define SLOT_PAGES_MAX 10            /* pages of the longest span of slots */
#define SIZE_FINE_MAX ((size_t)1024) /* up to here the table steps by 8, above by 128 */

extern const struct size_class size_class_table[SIZE_CLASSES];
extern const uint8_t size_class_fine[SIZE_FINE_MAX / 8 + 1];
extern const uint8_t size_class_coarse[(SMALL_MAX - SIZE_FINE_MAX) / 128 + 1];

/* Smallest class that holds size bytes.  size <= SMALL_MAX; 0 gives class 1. */
static inline unsigned size_class_of(size_t size)
{
    if (size <= SIZE_FINE_MAX) return size_class_fine[(size + 7) >> 3];
    return size_class_coarse[(size - SIZE_FINE_MAX + 127) >> 7];
}

/* Smallest class of at least size bytes whose slots are all aligned to align (a power of two, at
 * most PAGE_BYTES).  0: none, so a large span it must be. */
unsigned size_class_aligned(size_t size, size_t align);

static inline unsigned span_class_make(unsigned size_class, bool noscan)
{
    return size_class * 2 + noscan;
}
static inline unsigned span_class_size_class(unsigned spc)
{
    return spc >> 1;
}
static inline bool span_class_noscan(unsigned spc)
{
    return (spc & 1) != 0;
}
static inline const struct size_class *span_class_row(unsigned spc)
{
    return &size_class_table[spc >> 1];
}
/* Bytes of a slot of a small span class. */
static inline size_t span_class_elem_size(unsigned spc)
{
    return size_class_table[spc >> 1].size;
}

#endif
