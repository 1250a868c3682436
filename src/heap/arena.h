/* Arenas: 64 MB pieces of address space, and the way from any address to its span.
 *
 * A table over the 47-bit address space, mapped without memory behind it, holds a pointer to struct
 * arena for each 64 MB that contains heap; struct arena holds a span pointer per page.  So span_of
 * is two dependent loads, for any 64-bit value whatever.
 *
 * Locking: entries are added under HEAP and never removed; readers need none.
 * Memory order: arena_register's release store of a table entry pairs with arena_of's acquire;
 * arena_set_spans' release store pairs with span_of's acquire.
 * Answers to: heapArena, arenaHints, spanOf in mheap.go; sysAlloc in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_ARENA_H
#define GORT_HEAP_ARENA_H

#include "base/atomic.h"
#include "heap/heap_data.h"

#define ARENA_TABLE_LEN ((size_t)1 << (ADDRESS_BITS - ARENA_SHIFT))
#define ARENA_BITMAP_WORDS (PAGES_PER_ARENA / 64)
#define ARENA_ANYWHERE UINTPTR_MAX /* as a hint: leave every placement to the kernel */

/* What the marker must know of a page, in one word: PAGE_OTHER, or of a span of slots its size
 * class, in the upper byte, with PAGE_NOSCAN if its objects have no pointers; below, which page of
 * its span it is, counted from 0; and where the span's marks begin.  So a word's slot is found from
 * the word and its page's alone.  0: not in use.  Every page of a span has its word from when the
 * span is published until it is hidden. */
#define PAGE_KIND_SHIFT 56
#define PAGE_NOSCAN 0x80u
#define PAGE_CLASS_MASK 0x7fu
#define PAGE_OTHER 0x7fu /* a large object, whose marks are not told */
#define PAGE_NUMBER_SHIFT 48
#define PAGE_NUMBERS ((size_t)1 << (PAGE_KIND_SHIFT - PAGE_NUMBER_SHIFT))
#define PAGE_MARKS_MASK (((uint64_t)1 << PAGE_NUMBER_SHIFT) - 1)

_Static_assert(ADDRESS_BITS <= PAGE_NUMBER_SHIFT, "there is room for an address");

/* Where the span of that page begins, of which info is said. */
static inline uintptr_t page_span_base(uint64_t info, uintptr_t page)
{
    return page - (info >> PAGE_NUMBER_SHIFT) % PAGE_NUMBERS * PAGE_BYTES;
}

struct arena {
    struct span *spans[PAGES_PER_ARENA];       /* page -> span, NULL: free or not ours; atomic */
    uint64_t in_use_pages[ARENA_BITMAP_WORDS]; /* first page of each in-use span; atomic or/and */
    uint64_t
        special_pages[ARENA_BITMAP_WORDS]; /* first page of in-use spans with specials; atomic */
    uint64_t page_info[PAGES_PER_ARENA];   /* PAGE_*; atomic */
    /* At a page of a slot that was marked, or at the first of its span: the number of that cycle,
     * as arena_stamp gives it.  Atomic; any marker. */
    uint8_t mark_stamp[PAGES_PER_ARENA];
    uintptr_t base;
    uintptr_t *check_from; /* gc/checkmark.c's, inside its stop; else NULL */
};

/* The table; off-heap, constant after arena_init. */
extern struct arena **arena_table;

/* NULL: address outside every arena. */
static inline struct arena *arena_of(uintptr_t addr)
{
    if (unlikely((addr >> ADDRESS_BITS) != 0)) return NULL;
    return atomic_load_acquire(&arena_table[addr >> ARENA_SHIFT]);
}
static inline size_t arena_page_index(uintptr_t addr)
{
    return (addr >> PAGE_SHIFT) & (PAGES_PER_ARENA - 1);
}
/* The span that owns the page of addr, NULL for a free page or a foreign address.  Says nothing of
 * the span's state: span_find_object does. */
static inline struct span *span_of(uintptr_t addr)
{
    struct arena *a = arena_of(addr);
    if (a == NULL) return NULL;
    return atomic_load_acquire(&a->spans[arena_page_index(addr)]);
}

/* Maps the table.  false: the kernel refused.  hint: where the first arena is asked for, 0 for the
 * default, ARENA_ANYWHERE.  counter: bytes of records are added to it; table_counter: pages of the
 * table that hold an entry. */
bool arena_init(uintptr_t hint, uint64_t *counter, uint64_t *table_counter);

/* Maps at least bytes of new heap memory, zero, aligned to 4 MB; when the kernel refuses whole
 * arenas, just what is needed.  Registered and ready for span_of.  false: refused, nothing changed.
 * Caller holds HEAP. */
bool arena_grow_locked(size_t bytes, uintptr_t *base, size_t *size);

/* Points npages pages from base at s (NULL to forget). */
void arena_set_spans(uintptr_t base, size_t npages, struct span *s);

/* How many 64 MB entries have a struct arena; entry i in order of creation.  Entries are never
 * removed; a count read is safe to walk up to. */
size_t arena_count(void);
struct arena *arena_at(size_t i);

/* Sets or clears bit of page addr in a bitmap of its arena; addr is heap. */
static inline void arena_bit_set(uint64_t *bitmap, uintptr_t addr)
{
    size_t i = arena_page_index(addr);
    atomic_fetch_or_relaxed(&bitmap[i / 64], (uint64_t)1 << (i % 64));
}
static inline void arena_bit_clear(uint64_t *bitmap, uintptr_t addr)
{
    size_t i = arena_page_index(addr);
    atomic_fetch_and_relaxed(&bitmap[i / 64], ~((uint64_t)1 << (i % 64)));
}
static inline bool arena_bit(const uint64_t *bitmap, uintptr_t addr)
{
    size_t i = arena_page_index(addr);
    return (atomic_load_relaxed(&bitmap[i / 64]) >> (i % 64) & 1) != 0;
}

/* What mark_stamp holds of a span in which something was marked while the sweep generation was g.
 * The stamp of 256 cycles ago is the same: such a span is swept in its turn, and not sooner. */
static inline uint8_t arena_stamp(uint32_t g)
{
    return (uint8_t)(g / 2);
}
static inline void arena_note_mark(struct arena *a, size_t page, uint8_t stamp)
{
    if (unlikely(atomic_load_relaxed(&a->mark_stamp[page]) != stamp))
        atomic_store_relaxed(&a->mark_stamp[page], stamp); /* several markers may: the same */
}

#endif
