/* The page allocator: which pages of the arenas are free, first fit by address.
 *
 * Bitmaps of 512 pages (a chunk, 4 MB) under a radix tree of summaries with five levels over the
 * 47-bit address space.  A summary packs three run lengths of free pages: from the start, the
 * longest anywhere, up to the end.  pagealloc.c says how and why.
 *
 * Locking: HEAP, the caller's.  Answers to: mpagealloc.go, mpallocbits.go, mpagecache.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_PAGEALLOC_H
#define GORT_HEAP_PAGEALLOC_H

#include "base/bits.h"
#include "heap/heap_data.h"

#define CHUNK_SHIFT 22 /* 4 MB */
#define CHUNK_BYTES ((size_t)1 << CHUNK_SHIFT)
#define CHUNK_PAGES (CHUNK_BYTES / PAGE_BYTES)
#define CHUNK_WORDS (CHUNK_PAGES / 64)
#define PAGE_LEVELS 5
#define PAGE_FANOUT_SHIFT 3
#define REGION_SHIFT 31 /* 2 GB: one node of level 1, whose lower levels are mapped together */
#define PAGE_ROOT_SHIFT (REGION_SHIFT + PAGE_FANOUT_SHIFT) /* 16 GB per node of level 0 */
#define PAGE_ROOTS ((size_t)1 << (ADDRESS_BITS - PAGE_ROOT_SHIFT))
#define PAGE_REGIONS ((size_t)1 << (ADDRESS_BITS - REGION_SHIFT))

/* Note [Free bits].  free bit set: the page is mapped and in nobody's hands.  scavenged bit set: the
 * page is free and reads as zero because the kernel has it back, or never gave it.  So zero memory
 * means "not ours", and scavenged is a subset of free. */
struct page_chunk {
    uint64_t free[CHUNK_WORDS];
    uint64_t scavenged[CHUNK_WORDS];
};

struct page_region {
    uint64_t level2[8];
    uint64_t level3[64];
    uint64_t level4[512];
    struct page_chunk chunks[512];
};

struct page_alloc {
    uint64_t *level0;             /* one summary per 16 GB */
    uint64_t *level1;             /* one per 2 GB */
    struct page_region **regions; /* one per 2 GB, NULL: no heap there */
    uintptr_t search;             /* no page below it is free */
    uint64_t *roots;              /* bit per node of level 0 that has heap */
    uint64_t root_count;          /* bits set in it */
    uint64_t *meta_counter;
    uint64_t free_pages;      /* free bits set */
    uint64_t scavenged_pages; /* scavenged bits set */
    uint64_t nodes_visited;   /* summaries and bitmap words looked at by searches, for tests */
    uint64_t searches;
};

struct page_run {
    uintptr_t base;   /* 0: none */
    size_t scavenged; /* how many of the pages were scavenged */
};

/* false: no memory. */
bool pagealloc_init(struct page_alloc *p, uint64_t *meta_counter);
/* Adds [base, base + bytes), chunk-aligned, as free and scavenged.  false: no memory for the
 * bitmaps, nothing changed. */
bool pagealloc_grow(struct page_alloc *p, uintptr_t base, size_t bytes);
/* First fit, at a multiple of align_pages (a power of two).  Base 0: no such run. */
struct page_run pagealloc_alloc(struct page_alloc *p, size_t npages, size_t align_pages);
void pagealloc_free(struct page_alloc *p, uintptr_t base, size_t npages);
/* Takes the first aligned 64-page window with a free page.  base 0: none. */
struct page_cache pagealloc_take_window(struct page_alloc *p);
/* Gives the free pages of a window back, with their scavenged bits; empties c. */
void pagealloc_return_window(struct page_alloc *p, struct page_cache *c);
/* The highest run of free, unscavenged pages of one chunk, of at most max pages, below limit;
 * taken: neither free nor scavenged until pagealloc_put_scavenged.  Base 0: none. */
uintptr_t pagealloc_take_unscavenged(struct page_alloc *p, uintptr_t limit, size_t max,
                                     size_t *npages);
/* Gives such a run back, as scavenged or not. */
void pagealloc_put_back(struct page_alloc *p, uintptr_t base, size_t npages, bool scavenged);
/* State of one page. */
bool pagealloc_is_free(const struct page_alloc *p, uintptr_t addr);
bool pagealloc_is_scavenged(const struct page_alloc *p, uintptr_t addr);
/* Recomputes every summary and count.  NULL: they agree; else what does not. */
const char *pagealloc_validate(const struct page_alloc *p);

/* ---- the per-P page cache (pagecache.c): no lock ------------------------------------------ */

#define PAGE_CACHE_PAGES 64
#define PAGE_CACHE_MAX_RUN 16 /* longer runs go to the page heap */

static inline bool pagecache_empty(const struct page_cache *c)
{
    return c->free == 0;
}
struct page_run pagecache_alloc(struct page_cache *c, size_t npages);
const char *pagecache_validate(const struct page_cache *c);

#endif
