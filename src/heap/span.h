/* Spans: from addresses to objects, and the making and freeing of spans.
 *
 * Lookups are safe from any thread at any time while the span they name can not be freed: that is,
 * while marking (nothing is swept then), or for addresses of objects known to be live.
 *
 * Answers to: mspan in mheap.go, findObject in mbitmap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SPAN_H
#define GORT_HEAP_SPAN_H

#include "heap/arena.h"
#include "heap/gcbits.h"
#include "heap/sizeclass.h"
#include "heap/slab.h"

/* ---- objects ------------------------------------------------------------------------------ */

/* Bytes of a slot; for a large span all its pages. */
static inline size_t span_elem_size(const struct span *s)
{
    return s->elem_size != 0 ? s->elem_size : s->npages << PAGE_SHIFT;
}
static inline bool span_is_large(const struct span *s)
{
    return s->elem_size == 0;
}
static inline bool span_is_noscan(const struct span *s)
{
    return (s->span_class & 1) != 0;
}
static inline unsigned span_state_of(const struct span *s)
{
    return atomic_load_acquire(&s->state); /* pairs with span_set_state's release */
}
/* Index of the slot that holds addr, base <= addr < limit. */
static inline uint32_t span_index_of(const struct span *s, uintptr_t addr)
{
    uintptr_t offset = addr - s->base;
    return (uint32_t)((offset * (uint64_t)s->div_magic) >> 32); /* large: magic 0 */
}
static inline uintptr_t span_slot(const struct span *s, uint32_t index)
{
    return s->base + (uintptr_t)index * s->elem_size; /* large: index 0 */
}
/* Where does addr, which may be any 64-bit value, point?  true: into slot *index of in-use span *s,
 * which starts at *base.  The slot may be free: see span_is_slot_allocated.  The tail of a span
 * belongs to no slot. */
static inline bool span_find_object(uintptr_t addr, struct span **s, uint32_t *index,
                                    uintptr_t *base)
{
    struct span *sp = span_of(addr);
    if (sp == NULL || span_state_of(sp) != SPAN_IN_USE) return false;
    if (addr < sp->base || addr >= sp->limit) return false;
    uint32_t i = span_index_of(sp, addr);
    *s = sp;
    *index = i;
    *base = span_slot(sp, i);
    return true;
}
/* Is the slot allocated and published: Note [Slots and windows]. */
static inline bool span_is_slot_allocated(const struct span *s, uint32_t index)
{
    /* Relaxed: an older free_index errs towards free, which the note shows to be sound. */
    return index < atomic_load_relaxed(&s->free_index) || gcbits_test(s->alloc_bits, index);
}
static inline unsigned span_slot_mark(const struct span *s, uint32_t index)
{
    return atomic_load_relaxed(&s->marks[index]); /* Note [Marks]: a stale one repeats a mark */
}
/* Will the slot survive: is it allocated, and marked or black.  A free one is closed, so not white
 * either, and there may be anything in it. */
static inline bool span_is_marked(const struct span *s, uint32_t index)
{
    return span_slot_mark(s, index) != SLOT_WHITE && span_is_slot_allocated(s, index);
}
/* Marks; true: it was white, for one caller only: of large objects each that is counted twice
 * counts for much.  The marking of small ones does without (marker_mark). */
static inline bool span_mark(struct span *s, uint32_t index)
{
    uint8_t white = SLOT_WHITE;
    return span_slot_mark(s, index) == SLOT_WHITE &&
           atomic_cas_relaxed(&s->marks[index], &white, (uint8_t)SLOT_MARKED);
}
/* Bytes of marks that an address in the span may lead to: whole groups of 8. */
static inline uint32_t span_mark_bytes(const struct span *s)
{
    return s->marks == s->inline_marks ? INLINE_MARKS : gcbits_words(s->nelems) * 64;
}
/* Bit for each word of the page, LAYOUT_BITMAP only: Note [Span tail]. */
static inline uint64_t *span_pointer_bitmap(const struct span *s)
{
    return (uint64_t *)(s->base + GORT_PAGE_BITS);
}

/* ---- making and freeing -------------------------------------------------------------------- */

/* A span of slots, swept, empty, in no set.  c: the calling P's cache, or NULL.  NULL: no memory;
 * nothing changed that matters. */
struct span *span_alloc_small(struct mcache *c, unsigned span_class);
/* A span for one object of size bytes at least (whole pages), aligned to align (power of two; up to
 * PAGE_BYTES is free).  Its slot counts as allocated.  need_zero says whether the memory may hold
 * old bytes; large_zeroed is 0 until the caller has zeroed and stores 1 with release.  Statistics
 * and heap_live are counted; the span is in the central full set, so the collector sees it. */
struct span *span_alloc_large(struct mcache *c, size_t size, size_t align, bool noscan);
/* Pages the runtime frees by hand.  counter: the bytes are added and subtracted, atomically.
 * Memory may hold old bytes. */
struct span *span_alloc_manual(size_t npages, uint64_t *counter);
void span_free_manual(struct span *s);
/* Gives an in-use span in no set back to the page heap.  Used by sweeping. */
void span_free(struct span *s);

/* Record of a span that died while linked in a set, met by whoever pops it (sweep.h). */
void span_free_tombstone(struct span *s);

/* Its pages only: the record stays, for whoever pops the span from its set (sweep.h). */
void span_free_pages(struct span *s);

/* Moves its block, if that helps to empty a page of them: Note [Blocks that move] in gcbits.h.  The
 * caller sweeps the span: nobody else looks at its marks or bits. */
void span_settle(struct span *s);

/* Free slots of word w of the allocation bits, none below slot `first`. */
static inline uint64_t span_free_slots(const struct span *s, uint32_t w, uint32_t first)
{
    uint64_t free = ~s->alloc_bits[w];
    if (w == s->nelems / 64) free &= ((uint64_t)1 << (s->nelems % 64)) - 1;
    if (w == first / 64) free &= ~(uint64_t)0 << (first % 64);
    return w < first / 64 ? 0 : free;
}
/* How many, from slot `first` on. */
uint32_t span_count_free_from(const struct span *s, uint32_t first);
/* Few records, so that many slabs are empty after a peak: with three times as many a slab would
 * lose nothing at its end, and keep twice the memory then. */
#define SPAN_SLAB_BYTES 4096
/* Gives the memory of records back that nobody has; bytes, 0: no slab of them is empty.  In a
 * critical section, without locks: Note [Records asleep]. */
size_t span_records_release(void);
/* Gives a cache's free records back to the heap. */
void span_records_return(struct mcache *c);
/* What arena.page_info says of this page of it. */
uint64_t span_page_info(const struct span *s, uintptr_t page);
/* One line about a span, for reports. */
void span_print(const struct span *s);
/* NULL: holds its invariants. */
const char *span_validate_stw(const struct span *s);

/* The span that is every cache's current span before the first refill: no slot, never freed. */
extern struct span span_empty;

#endif
