/* malloc: which way an object is allocated, and the tiny ones.
 *
 *      size            no pointers                 pointers
 *      to 8            tiny: packed in a block     slot, bitmap at the span's end
 *      to 512          slot                        slot, bitmap at the span's end
 *      to 32 KB        slot                        slot, layout word at its end
 *      above           span of its own             span of its own, layout word in its record
 *
 * The fastest path is inlined in the program: Note [Inline allocation] in gort/inline.h.  Untyped
 * memory whose size is not constant takes the same path here.  All else, and what finds its window
 * empty, takes one critical section of the thread, without atomic instructions, locks or division.
 * Everything that happens once in many allocations (a new window or span, the collector's trigger,
 * finalizers to wake, observers) hangs on the refill path.
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
        race_hide();
        mcache_prepare_for_sweep(c);
        uintptr_t x = s->unzeroed ? mcache_alloc_unzeroed_slow(c, spc, notes)
                                  : mcache_alloc_slow(c, spc, notes);
        race_show();
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

/* ---- tiny objects ---------------------------------------------------------------------------- */

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

/* 0 < size <= TINY_MAX, no pointers, align <= 8. */
static force_inline void *tiny_alloc(const struct shape *s)
{
    struct p *p = alloc_enter(s->call);
    uintptr_t x = mcache_take_tiny(p->mcache, s->size, s->align);
    if (x == 0) return tiny_block_slow(s, p);
    atomic_fence_release(); /* Note [Publishing] */
    p_unpin();
    return (void *)x;
}

/* ---- the ways -------------------------------------------------------------------------------- */

static force_inline void *alloc_pointer_free(const struct shape *s)
{
    if (s->size <= TINY_MAX && s->align <= 8) return tiny_alloc(s);
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

/* ---- untyped memory -------------------------------------------------------------------------- */

/* The inline paths, for sizes that the compiler does not know: Note [Inline allocation].  Slots of
 * 16 bytes and more are aligned to 16, but for those of 24, which sizes rounded up to 16 pass over.
 * NULL: not taken; what follows does all. */
#ifdef GORT_HAS_INLINE_ALLOC
static force_inline unsigned fast_class(size_t n)
{
    return size_class_fine[align_up(n, 16) / 8];
}

static force_inline long fast_window(unsigned class, bool noscan)
{
    return (long)(GORT_CACHE_CLASSES +
                  sizeof(struct gort_cache_class) * span_class_make(class, noscan));
}

static force_inline void *noscan_fast(size_t n)
{
    if (n - 1 < TINY_MAX) return gort_take_tiny_(n, 8);
    if (n - 1 >= BITMAP_MAX) return NULL;
    unsigned class = fast_class(n);
    return gort_take_noscan_at_(fast_window(class, true), (long)size_class_table[class].size);
}

/* gort_take_noscan_at_, which also fetches the slot that the window offers next: who does not zero
 * meets each one cold.  Which slot that is was read in the range; a stop since then, after which
 * the P may be another's, makes the hint useless and no more. */
static force_inline void *take_cold_at(long at, long size)
{
    uint64_t x, c, f, t;
    __asm__ volatile(GORT_TAKE_FIND_ GORT_TAKE_COMMIT_
                     : [x] "=&r"(x), [c] "=&r"(c), [f] "=&r"(f), [t] "=&r"(t)
                     : [at] "ri"(at), [size] "ri"(size)
                     : "memory", "cc");
    if (unlikely(x == 0)) return NULL; /* and t was not written */
    if (likely(t != 0)) arch_prefetch((char *)x + (long)(bits_ctz64(t) - bits_ctz64(f)) * size);
    return (void *)x;
}

/* Slots above BITMAP_MAX are zeroed by who takes them, if at all, so their windows are for all. */
static force_inline void *uninit_fast(size_t n)
{
    if (n - 1 < TINY_MAX) return gort_take_tiny_(n, 8);
    if (n - 1 >= SIZE_FINE_MAX) return NULL;
    unsigned class = fast_class(n);
    long size = (long)size_class_table[class].size;
    if (size <= (long)BITMAP_MAX) {
        long at =
            (long)(offsetof(struct gort_cache, unzeroed) + sizeof(struct gort_cache_class) * class);
        void *x = take_cold_at(at, size);
        if (x != NULL) return x;
    }
    return take_cold_at(fast_window(class, true), size);
}

static force_inline void *conservative_fast(size_t n)
{
    if (n - TINY_BYTES > BITMAP_MAX - TINY_BYTES) return NULL;
    unsigned class = fast_class(n);
    return gort_take_scan_at_(fast_window(class, false), (long)size_class_table[class].size,
                              ~(uint64_t)0 >> (64 - n / WORD_SIZE));
}
#else
static force_inline void *noscan_fast(size_t n)
{
    (void)n;
    return NULL;
}

static force_inline void *uninit_fast(size_t n)
{
    (void)n;
    return NULL;
}

static force_inline void *conservative_fast(size_t n)
{
    (void)n;
    return NULL;
}
#endif

static force_inline void *noscan_any(size_t n, bool unzeroed, const char *call)
{
    struct shape s = { .size = n,
                       .align = n < 16 ? 8 : 16,
                       .unzeroed = unzeroed && n > TINY_MAX,
                       /* tiny blocks are zero */ .noscan = true,
                       .call = call };
    return alloc_pointer_free(&s);
}

/* n below WORD_SIZE holds no whole word. */
static force_inline void *conservative_any(size_t n)
{
    struct shape s = { .size = n,
                       .align = n < 16 ? 8 : 16,
                       .noscan = n < WORD_SIZE,
                       .mask = ones(n),
                       .layout = layout_word(&alloc_conservative, LAYOUT_REPEAT, 0),
                       .call = "gort_alloc" };
    return s.noscan ? alloc_pointer_free(&s) : alloc_with_pointers(&s);
}

/* An object of no bytes is one byte, so that its address is its own. */
void *(gort_alloc_noscan)(size_t n)
{
    void *x = noscan_fast(n);
    return likely(x != NULL) ? x : noscan_any(n != 0 ? n : 1, false, "gort_alloc_noscan");
}

void *gort_alloc_uninit(size_t n)
{
    void *x = uninit_fast(n);
    return likely(x != NULL) ? x : noscan_any(n != 0 ? n : 1, true, "gort_alloc_uninit");
}

void *(gort_alloc)(size_t n)
{
    void *x = conservative_fast(n);
    return likely(x != NULL) ? x : conservative_any(n != 0 ? n : 1);
}
