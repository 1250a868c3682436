/* Allocation in slots: inlined into the public calls, so that each keeps only what it needs.
 *
 * Note [Publishing].  An object becomes visible to other goroutines only by a store of its address
 * that the program makes; before, in this order and in one critical section: its slot is taken, its
 * memory zeroed, the place of its pointers written (bitmap or layout word).  A release fence then
 * orders all that before the program's store: whoever finds the address in memory finds zeros and a
 * layout behind it, on machines that reorder stores too.  The collector, which stops no thread
 * inside a section, never sees a slot half-made.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ALLOC_MALLOC_H
#define GORT_ALLOC_MALLOC_H

#include <string.h>

#include "alloc/alloc.h"
#include "base/bits.h"
#include "base/race.h"
#include "gort/type.h"

/* Ones for whole words of the first `bytes` bytes, at most BITMAP_MAX. */
static inline uint64_t ones(size_t bytes)
{
    return bytes >= BITMAP_MAX ? ~(uint64_t)0 : ((uint64_t)1 << bytes / WORD_SIZE) - 1;
}

/* Of one object of at most BITMAP_MAX bytes, not NOSCAN. */
static inline uint64_t type_mask(const struct gort_type *t)
{
    return t->flags & GORT_TYPE_CONSERVATIVE ? ones(t->size) : t->mask;
}

/* The smallest class whose slots have this alignment; 0: none, a large span it must be.  All
 * classes but those of 8 and 24 bytes are multiples of 16, which a unit test proves. */
static force_inline unsigned alloc_class(size_t size, size_t align)
{
    if (align <= 8) return size_class_of(size);
    if (align == 16) return size_class_of(align_up(size, 16));
    return size_class_aligned(size, align);
}

/* With *p pinned; may unpin and pin again.  Throws without memory. */
uintptr_t alloc_slot_slow(struct p **p, unsigned spc, const struct shape *s,
                          struct mcache_notes *notes);
/* Ends the section; then what hangs on the slow path. */
static force_inline void alloc_leave(void *x, const struct shape *s, struct mcache_notes notes)
{
    p_unpin();
    if (unlikely(notes.charged)) gc_after_refill();
    if (unlikely(notes.observe)) alloc_observe_slow(x, s);
}

/* Pointer bits of the slot at x: n words, n <= 64.  Only the P that caches the span writes
 * there. */
static force_inline void alloc_write_bitmap(uintptr_t x, unsigned n, uint64_t mask)
{
    uintptr_t page = align_down(x, PAGE_BYTES);
    uint64_t *bitmap = (uint64_t *)(page + GORT_PAGE_BITS);
    unsigned first = (unsigned)((x - page) / WORD_SIZE), at = first / 64, shift = first % 64;
    uint64_t all = n == 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
    bitmap[at] = (bitmap[at] & ~(all << shift)) | mask << shift;
    if (shift + n > 64)
        bitmap[at + 1] = (bitmap[at + 1] & ~(all >> (64 - shift))) | mask >> (64 - shift);
}

/* A slot of a class: zeroed, its pointers described. */
static force_inline void *alloc_slot(const struct shape *s, unsigned class)
{
    unsigned spc = span_class_make(class, s->noscan);
    size_t elem = span_class_elem_size(spc);
    struct mcache_notes notes = { false, false };
    struct p *p = alloc_enter(s->call);
    uintptr_t x = mcache_take(p->mcache, spc, elem);
    if (unlikely(x == 0)) {
        if (unlikely(heap->params.never_reuse)) return alloc_fenced_slow(s);
        x = alloc_slot_slow(&p, spc, s, &notes);
    }
    if (elem > BITMAP_MAX) {
        if (s->unzeroed) {
            mcache_fetch_next(&p->mcache->fast.classes[spc], elem);
        } else if (mcache_need_zero(p->mcache, spc)) {
            race_hide();
            memset((void *)x, 0, elem);
            race_show();
        }
        if (!s->noscan) *(uint64_t *)(x + elem - WORD_SIZE) = s->layout;
    } else if (!s->noscan) {
        alloc_write_bitmap(x, (unsigned)(elem / WORD_SIZE), s->mask);
    }
    atomic_fence_release(); /* Note [Publishing] */
    alloc_leave((void *)x, s, notes);
    return (void *)x;
}

#endif
