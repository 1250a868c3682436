/* malloc: which way an object is allocated, and the tiny ones.
 *
 *      size            no pointers                 pointers
 *      below 16        tiny: packed in a block     slot, bitmap at the span's end
 *      to 512          slot                        slot, bitmap at the span's end
 *      to 32 KB        slot                        slot, layout word at its end
 *      above           span of its own             span of its own, layout word in its record
 *
 * The fastest path is inlined in the program: Note [Inline allocation] in gort/inline.h.  What is not of
 * constant size, or finds its window empty, comes here: one critical section of the thread, without
 * atomic instructions, locks or division.  Everything that happens once in many allocations (a new
 * window or span, the collector's trigger, finalizers to wake, observers) hangs on the refill path.
 *
 * Never switches goroutines: the caller may hold a lock of pthreads or be inside qsort.  A
 * collection that is due runs on this thread, after the object is complete and outside its section;
 * the object is kept by the pointer in this function's frame.
 *
 * Answers to: malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/malloc.h"

#include "gort/mem.h"

const struct gort_type alloc_conservative = { .name = "conservative",
                                              .size = WORD_SIZE,
                                              .ptrdata = WORD_SIZE,
                                              .align = WORD_SIZE,
                                              .flags = GORT_TYPE_CONSERVATIVE };

never_inline uintptr_t alloc_slot_slow(struct p **p, unsigned spc, const struct shape *s,
                                       struct mcache_notes *notes)
{
    for (int attempt = 0;; attempt++) {
        struct mcache *c = (*p)->mcache;
        mcache_prepare_for_sweep(c);
        uintptr_t x = mcache_alloc_slow(c, spc, notes);
        if (likely(x != 0)) return x;
        p_unpin();
        alloc_no_memory_slow(attempt, s->size, s->call);
        *p = p_pin();
    }
}

/* Objects begin at the start of their pages, as they do in slots: finalizers and marks expect them
 * there. */
cold_path void *alloc_fenced_slow(const struct shape *s)
{
    p_unpin();
    return alloc_large(s);
}

/* ---- tiny objects --------------------------------------------------------------------------------- */

/* A fresh block for the object. */
static never_inline void *tiny_block_slow(const struct shape *s, struct p *p)
{
    struct mcache_notes notes = { false, false };
    if (unlikely(heap->params.never_reuse)) return alloc_fenced_slow(s);
    uintptr_t x = mcache_take(p->mcache, TINY_SPAN_CLASS, TINY_BYTES);
    if (x == 0) x = alloc_slot_slow(&p, TINY_SPAN_CLASS, s, &notes);
    mcache_offer_tiny(p->mcache, x, s->size);
    atomic_fence_release(); /* Note [Publishing] */
    alloc_leave((void *)x, s, notes);
    return (void *)x;
}

/* 0 < size < TINY_BYTES, no pointers, align <= 8. */
static force_inline void *tiny_alloc(const struct shape *s)
{
    struct p *p = alloc_enter(s->call);
    uintptr_t x = mcache_take_tiny(p->mcache, s->size, s->align);
    if (x == 0) return tiny_block_slow(s, p);
    atomic_fence_release(); /* Note [Publishing] */
    p_unpin();
    return (void *)x;
}

/* ---- the ways ------------------------------------------------------------------------------------- */

static force_inline void *alloc_pointer_free(const struct shape *s)
{
    if (s->size < TINY_BYTES && s->align <= 8) return tiny_alloc(s);
    if (s->size <= SMALL_MAX) {
        unsigned class = alloc_class(s->size, s->align);
        if (likely(class != 0)) return alloc_slot(s, class);
    }
    return alloc_large(s);
}

static force_inline void *alloc_with_pointers(const struct shape *s)
{
    if (s->size <= TYPED_MAX) {
        size_t want = s->size <= BITMAP_MAX ? s->size : s->size + WORD_SIZE;
        unsigned class = alloc_class(want, s->align);
        /* An alignment may ask for a slot beyond what a bitmap describes. */
        if (class != 0 && (s->size > BITMAP_MAX || size_class_table[class].size <= BITMAP_MAX))
            return alloc_slot(s, class);
    }
    return alloc_large(s);
}

never_inline void *alloc_any(const struct shape *s)
{
    return s->noscan ? alloc_pointer_free(s) : alloc_with_pointers(s);
}

/* ---- untyped memory ------------------------------------------------------------------------------- */

/* An object of no bytes is one byte, so that its address is its own. */
void *(gort_alloc_noscan)(size_t n)
{
    struct shape s = { .size = n != 0 ? n : 1,
                       .align = n < 16 ? 8 : 16,
                       .noscan = true,
                       .call = "gort_alloc_noscan" };
    return alloc_pointer_free(&s);
}

void *(gort_alloc)(size_t n)
{
    struct shape s = { .size = n != 0 ? n : 1,
                       .align = n < 16 ? 8 : 16,
                       .noscan = n < WORD_SIZE, /* no whole word */
                       .mask = ~(uint64_t)0,
                       .layout = layout_word(&alloc_conservative, LAYOUT_REPEAT, 0),
                       .call = "gort_alloc" };
    if (s.noscan) return alloc_pointer_free(&s);
    if (n < BITMAP_MAX) s.mask = ((uint64_t)1 << n / WORD_SIZE) - 1;
    return alloc_with_pointers(&s);
}
