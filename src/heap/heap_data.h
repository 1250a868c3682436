/* Data of the heap floor that others may see: spans, per-P caches, page caches.  No prototypes.
 *
 * Words: a span is a run of pages with objects of one size class, or one large object, or memory
 * the runtime manages by hand; a span class is size class * 2 + noscan.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_HEAP_DATA_H
#define GORT_HEAP_HEAP_DATA_H

#include "base/config.h"
#include "base/list.h"
#include "base/random.h"
#include "gort/inline.h"
#include "sync/lfstack.h"
#include "sync/lock.h"

#define SIZE_CLASSES 68 /* 0 is "large" */
#define SPAN_CLASSES (SIZE_CLASSES * 2)
#define SMALL_MAX ((size_t)32768) /* largest small object, slot overhead included */
#define TINY_BYTES 16             /* block into which tiny pointer-free objects are packed, */
#define TINY_MAX GORT_TINY_MAX    /* those up to this size */
#define TINY_SPAN_CLASS 5         /* class of 16 bytes, noscan: 2 * 2 + 1 */
#define LARGE_SCAN_CLASS 0        /* span classes of large objects */
#define LARGE_NOSCAN_CLASS 1
#define BITMAP_MAX ((size_t)512) /* objects up to this size have their pointer bits in the span */
#define ARENA_SHIFT 26
#define ARENA_BYTES ((size_t)1 << ARENA_SHIFT) /* 64 MB */
#define PAGES_PER_ARENA (ARENA_BYTES / PAGE_BYTES)
#define ADDRESS_BITS 47
/* Larger requests are refused without asking the kernel, which promises without reserve: the span
 * pointers of what it promises cost a thousandth of it at once. */
#define LARGE_MAX ((size_t)1 << 40)

_Static_assert(SPAN_CLASSES == GORT_SPAN_CLASSES, "gort/inline.h agrees");
_Static_assert(BITMAP_MAX == GORT_SLOT_MAX, "inline allocation writes bitmaps");

/* Note [Span tail].  A span of objects of at most BITMAP_MAX bytes is one page; of those without
 * pointers, from 64 bytes on, it has four.  Without pointers slots fill it as far as they fit.
 * In scan classes the pointer bitmap lies near its end: one bit for each word of the page, at
 * span_pointer_bitmap(s).  SPAN_BITMAP_TAIL bytes after it are nobody's: the marker reads a slot's
 * bits as eight bytes from the byte that they begin in (pointer_mask), which for the last slots
 * reaches beyond the bitmap.  Both are outside the last slot (span->limit).  A span handed out has
 * its pointer bitmap zeroed. */
#define SPAN_BITMAP_TAIL 8
#define SPAN_POINTER_BITMAP (PAGE_BYTES / 8 / 8)

_Static_assert(GORT_PAGE_BITS / WORD_SIZE / 8 + sizeof(uint64_t) <=
                   SPAN_POINTER_BITMAP + SPAN_BITMAP_TAIL,
               "the bits of the last word before the bitmap are read within the page");
_Static_assert(PAGE_BYTES - SPAN_BITMAP_TAIL - SPAN_POINTER_BITMAP == GORT_PAGE_BITS,
               "inline allocation finds them");
_Static_assert(GORT_PAGE_BITS % sizeof(uint64_t) == 0, "the bitmap is written by words");

enum span_state {
    SPAN_DEAD,   /* record free, or pages not in use */
    SPAN_IN_USE, /* objects of the collected heap */
    SPAN_MANUAL, /* memory the runtime frees by hand (work buffers); never scanned or swept */
};

/* Where the pointers of an object are. */
enum span_layout {
    LAYOUT_NOSCAN,       /* no pointers */
    LAYOUT_BITMAP,       /* bit for each word at the span's tail */
    LAYOUT_TYPED_FOOTER, /* last word of each slot: its gort_type */
    LAYOUT_LARGE,        /* span->large_type */
};

/* What a slot's mark may be: Note [Marks]. */
#define SLOT_WHITE 0u
#define SLOT_MARKED 1u
#define SLOT_CLOSED 0x80u
#define INLINE_MARKS 16 /* marks of so many slots have room in the record */

struct special;   /* heap/special.h */
struct gort_type; /* gort/type.h */

/* Note [Sweep generation].  heap.sweepgen rises by 2 at each cycle.  For span s and g = sweepgen:
 *   s->sweepgen == g - 2   needs sweeping
 *   s->sweepgen == g - 1   is being swept by whoever moved it here (compare-and-swap)
 *   s->sweepgen == g       swept, ready to use
 *   s->sweepgen == g + 1   was cached by a P before the sweep began, needs sweeping when returned
 *   s->sweepgen == g + 3   swept, then cached by a P
 * Edges:
 *   g-2 -> g-1   span_sweep_claim                 (sweeper, allocating P, ensure_swept, reclaim)
 *   g-1 -> g     end of span_sweep, release       (the same thread)
 *   g   -> g+3   mcentral_cache_spans             (allocating P)
 *   g+3 -> g     mcentral_uncache_span, _many     (the P that holds it)
 *   g+1 -> g-1   mcentral_uncache_span, _many, then swept (the P that holds it)
 *
 * Note [Slots and windows].  A P allocates from its cached span in windows of 64 slots, always the
 * lowest free slot of the window first.  So slot i is allocated exactly when
 *     i < free_index, or alloc_bits has bit i,
 * where free_index, for a cached span, is brought up to date by mcache_publish from the window's
 * lowest free bit.  Between two publications the stored free_index is an older, lower value:
 * it errs towards "not allocated".  That is sound for conservative words while marking: every
 * cache is published at STW 1, and slots taken later are black.
 *
 * Note [Held slots].  Whoever must see an allocation (the memory profile's sampling, the modes that
 * watch every one) costs the fast path nothing: the slots that it must see are held back from the
 * window, so that the fast path finds it empty and calls; the slow path hands such a slot out and
 * says that it is to be observed.  Held slots of a class are the highest of its open window, are
 * free, and become offered or handed out from the lowest up.
 *
 * Note [Marks].  Each slot has a byte: SLOT_WHITE, SLOT_MARKED, or SLOT_CLOSED, "not to be marked".
 * A marker stores SLOT_MARKED where it found SLOT_WHITE, plainly: nothing is locked, several
 * markers may do so at once and all scan the object, which costs a scan and loses nothing.  A bit
 * would need a locked instruction, which costs more than all else that is done to an object.
 * Free slots are closed: those that sweeping frees, all of a new span, and all bytes beyond the
 * last slot as far as an address in the span can lead.  So a word that points to a free slot does
 * nothing, and the marker need not know what is allocated.  When a P opens a window its slots
 * become white, unless marking is on: what is allocated then stays closed, which is to say that it
 * is black.  When marking begins, the free slots of the windows that are open are closed
 * (mcache_close_stw), and so they are when a window is given up.
 * Of a span in no cache exactly the free slots are closed while no marking is on, and marked ones
 * are allocated.
 * A swept slot lives if it is allocated and not white.
 *
 * Note [Whose bits].  The bytes and alloc_bits belong to the span for its life.  They are within
 * the record, or in a block from gcbits.h that it gets and loses with its pages.  Sweeping thus
 * needs no memory and can not fail.  It may put a copy of the block in the block's place (Note
 * [Blocks that move] in gcbits.h): the pointers below are constant while marking is on, and while
 * the span is in a cache. */
struct span {
    /* Set when the span is allocated, constant until it is freed. */
    uintptr_t base;     /* first byte */
    uintptr_t limit;    /* end of the last slot; large: end of the pages */
    uint32_t elem_size; /* slot size; 0 for large spans: use span_elem_size */
    uint32_t div_magic; /* index = (offset * div_magic) >> 32; 0 for large spans */
    uint16_t nelems;    /* slots; 1 for large spans, 0 for manual ones */
    uint8_t span_class;
    uint8_t layout;    /* enum span_layout */
    uint8_t state;     /* enum span_state; atomic: release by whoever allocates or frees the span;
                     * read by markers, acquire */
    uint8_t need_zero; /* memory may hold old bytes; owner of the span */
    uint8_t large_zeroed; /* large object readable by the marker; atomic, release after zeroing */
    uint8_t in_set;       /* linked in a central set: whoever pushes and pops it */
    uint8_t *marks;       /* SLOT_*: Note [Marks]; atomic; markers, the P that caches the span, who
                           * holds the sweep's claim */
    uint64_t *alloc_bits; /* bit set: slot was live at the last sweep; Note [Whose bits] */
    size_t npages;
    /* Allocation state: owned by the P that caches the span, else by the sweeper that claimed it;
     * free_index is read by markers (relaxed: Note [Slots and windows]). */
    uint32_t sweepgen;   /* atomic; Note [Sweep generation] */
    uint16_t free_index; /* Note [Slots and windows] */
    uint16_t
        alloc_count; /* slots allocated: exact when not cached; cached: at the last publication */

    /* Second line. */
    uint8_t inline_marks[INLINE_MARKS];
    uint64_t inline_bits;
    uint8_t *bits;     /* block of marks and bits of the record, NULL: none; gcbits.h */
    size_t large_size; /* object bytes of a large span as asked for */
    const struct gort_type
        *large_type;          /* repeated every type->size bytes; NULL: noscan/conservative */
    struct special *specials; /* sorted: special.c; special_lock */
    struct lock special_lock;

    /* Third line. */
    struct lfnode set_node;   /* in a central set, when in_set */
    uint32_t place;           /* number of the record, plus 1; 0: it has never been used since its
                               * memory was the kernel's (Note [Records asleep] in span.c) */
    uint16_t bits_words;      /* words of allocation bits in `bits` */
    uint32_t bits_place;      /* which block `bits` is: gcbits_free */
    struct span *next_free;   /* list of held records; HEAP */
    uint64_t *manual_counter; /* manual spans: where their bytes are counted */
    uint64_t alloc_cycle;     /* sweepgen / 2 when the span was made: diagnostics */
    struct span *cache_next;  /* in a cache's batch; the cache's owner */
} cache_aligned;

_Static_assert(sizeof(struct span) == 3 * CACHE_LINE, "a span record is three lines");
_Static_assert(offsetof(struct span, inline_marks) == CACHE_LINE,
               "marking dirties the second line only");
_Static_assert(offsetof(struct span, set_node) == 2 * CACHE_LINE, "list links come last");

/* Which allocations are to be observed: each one, or one each `rate` bytes on average (0: none). */
struct heap_observe {
    bool every;
    uint64_t rate;
};

/* Per-P cache of free pages: a 64-page aligned window and which of them are free and scavenged. */
struct page_cache {
    uintptr_t base;     /* 0: empty */
    uint64_t free;      /* bit i: page i of the window is free and ours */
    uint64_t scavenged; /* bit i: that page was given back to the kernel; subset of zeroed */
    uint64_t zeroed;    /* bit i: that page reads as zero; subset of free */
};

#define MCACHE_SPAN_RECORDS 64

/* Spans of one class that a cache holds beside the current one: Note [Batches of spans] in
 * mcache.h. */
struct span_batch {
    struct span *ready; /* with free slots; through cache_next */
    struct span *used;  /* without; through cache_next */
    uint8_t nready, nused;
    uint8_t size;  /* how many to ask for next */
    uint8_t swept; /* the ready ones were swept when they were asked for */
};

/* Per-P allocation cache.  Protected by: the thread that owns the P, in a critical section; while
 * the world is stopped, by the stopper. */
struct mcache {
    struct gort_cache fast; /* must be first: inline allocation reads it (gort/inline.h) */
    /* Slots of the open window that are free but not offered to the fast path: Note [Held slots] */
    uint64_t held[SPAN_CLASSES];
    struct span
        *spans[SPAN_CLASSES]; /* current span of each class; the empty sentinel, never NULL */
    uint8_t next_window[SPAN_CLASSES]; /* window of spans[i] to load after the current one */
    bool unzeroed
        [SPAN_CLASSES]; /* the open window is not zeroed: Note [Unzeroed windows] in mcache.c */
    struct span_batch batches[SPAN_CLASSES]; /* beside spans[i] */
    uint64_t used[(SPAN_CLASSES + 63) / 64]; /* Note [Classes in use] in mcache.c */
    uint32_t flush_gen;                      /* heap.sweepgen at the last flush; atomic */
    int64_t live;                            /* charged, but not in heap_live yet */
    bool unseen;                             /* live went to heap_live, and nobody looked at that */
    int64_t sample_left;                     /* bytes to be offered before the next sample */
    struct random random;                    /* chooses samples */
    struct page_cache pages;
    struct span *span_records[MCACHE_SPAN_RECORDS]; /* free records: most spans need no lock */
    uint32_t nspan_records;
    /* Statistics since they were last moved to the heap's totals (mcache_flush_stats). */
    uint64_t tiny_allocs;
    uint64_t
        small_alloc_count[SIZE_CLASSES]; /* objects; counted by refill and publish, not by malloc */
    uint64_t small_free_count[SIZE_CLASSES]; /* objects; by sweeping for free slots */
    uint64_t refills_swept;                  /* refills by such sweeping */
    uint64_t refills;                        /* spans taken from the central lists */
    uint64_t windows;                        /* windows loaded from a span already cached */
    uint64_t samples;                        /* allocations that were to be observed */
    /* Note [Black slots] in mcache.c: marked by allocation in this cycle, open windows' free slots
     * included until it ends. */
    uint64_t black_bytes, black_objects;
    int64_t assist_bytes; /* charged to heap_live while marking, not paid for yet: gc/pace.c */
};

_Static_assert(offsetof(struct mcache, fast) == 0, "the inline prefix comes first");

#endif
