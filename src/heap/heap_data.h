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
#include "gort/inline.h"
#include "gort/type.h"
#include "sync/lock.h"

#define SIZE_CLASSES 68          /* 0 is "large" */
#define SPAN_CLASSES (SIZE_CLASSES * 2)
#define SMALL_MAX ((size_t)32768) /* largest small object, slot overhead included */
#define TINY_BYTES 16             /* block into which tiny pointer-free objects are packed */
#define TINY_SPAN_CLASS 5         /* class of 16 bytes, noscan: 2 * 2 + 1 */
#define BITMAP_MAX ((size_t)512)  /* objects up to this size have their pointer bits in the span */
#define ARENA_SHIFT 26
#define ARENA_BYTES ((size_t)1 << ARENA_SHIFT) /* 64 MB */
#define PAGES_PER_ARENA (ARENA_BYTES / PAGE_BYTES)
#define ADDRESS_BITS 47

_Static_assert(SPAN_CLASSES == GORT_SPAN_CLASSES, "gort/inline.h agrees");

/* Note [Span tail].  A span of objects of at most BITMAP_MAX bytes is one page.  The last
 * SPAN_MARK_TAIL bytes of that page are reserved for mark and scan bits kept beside the objects
 * (the page-wise marking engine); before them, in scan classes, lies the pointer bitmap: one bit
 * for each word of the page.  Both are outside the last slot (span->limit). */
#define SPAN_MARK_TAIL 128
#define SPAN_POINTER_BITMAP (PAGE_BYTES / 8 / 8)

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

struct special; /* heap/special.h */

/* Note [Sweep generation].  heap.sweepgen rises by 2 at each cycle.  For span s:
 *   s->sweepgen == g - 2   needs sweeping
 *   s->sweepgen == g - 1   is being swept by whoever moved it here (compare-and-swap)
 *   s->sweepgen == g       swept, ready to use
 *   s->sweepgen == g + 1   was cached by a P before the sweep began, needs sweeping when returned
 *   s->sweepgen == g + 3   swept, then cached by a P
 */
struct span {
    /* Set when the span is allocated, constant until it is freed. */
    uintptr_t base;  /* first byte */
    uintptr_t limit; /* end of the last slot */
    size_t npages;
    uint32_t elem_size; /* slot size; large spans: 0 when it does not fit, see large_size */
    uint32_t div_magic; /* index = (offset * div_magic) >> 32 */
    uint16_t nelems;
    uint8_t span_class;
    uint8_t layout; /* enum span_layout */
    uint8_t state;  /* enum span_state; atomic: written under HEAP, release; read by markers, acquire */
    uint8_t need_zero;    /* memory may hold old bytes; owner of the span */
    uint8_t large_zeroed; /* large object readable by the marker; atomic, release after zeroing */
    uint8_t reserved0;
    uint32_t sweepgen; /* atomic; Note [Sweep generation] */

    /* Allocation state: owned by the P that caches the span, else by the sweeper that claimed it. */
    uint16_t free_index;  /* slots below it are allocated, or were found so by the cache's window */
    uint16_t alloc_count; /* slots allocated, exact when the span is not cached */
    uint32_t reserved1;
    uint64_t *alloc_bits; /* bit set: slot was live at the last sweep; off-heap, nelems bits */
    uint64_t *mark_bits;  /* this cycle's marks; bits set with relaxed atomic or */

    size_t large_size;                   /* object bytes of a large span as asked for */
    const struct gort_type *large_type;  /* repeated every type->size bytes; NULL: noscan/conservative */

    struct lock special_lock;
    struct special *specials; /* sorted by offset; special_lock */
    struct list link;         /* on whichever list the state implies; the list's lock */
    uint64_t alloc_cycle;     /* number of the collection in which the span was made: diagnostics */
    uint64_t reserved2[2];
};

/* Per-P cache of free pages: a 64-page aligned window and which of them are free and scavenged. */
struct page_cache {
    uintptr_t base;      /* 0: empty */
    uint64_t free;       /* bit i: page i of the window is free and ours */
    uint64_t scavenged;  /* bit i: that page was given back to the kernel */
};

/* Per-P allocation cache.  Protected by: the thread that owns the P, in a critical section; while the
 * world is stopped, by the stopper. */
struct mcache {
    struct gort_cache fast; /* must be first: inline allocation reads it (gort/inline.h) */
    struct span *spans[SPAN_CLASSES]; /* current span of each class; the empty sentinel, never NULL */
    uintptr_t tiny;                   /* current tiny block, 0: none */
    uint32_t tiny_offset;             /* first free byte in it */
    uint32_t flush_gen;               /* heap.sweepgen at the last flush; atomic */
    struct page_cache pages;
    struct span *span_records[64]; /* free span records, so that most spans need no lock */
    uint32_t nspan_records;
    /* Statistics since the last flush, moved to the heap's totals by refill and flush. */
    uint64_t tiny_allocs;
    uint64_t small_alloc_count[SIZE_CLASSES]; /* objects */
    uint64_t large_alloc_count, large_alloc_bytes;
    uint64_t scan_alloc_bytes; /* bytes allocated in scan classes, for the pacer */
    uint64_t small_free_count[SIZE_CLASSES];
    uint64_t large_free_count, large_free_bytes;
};

_Static_assert(offsetof(struct mcache, fast) == 0, "the inline prefix comes first");

#endif
