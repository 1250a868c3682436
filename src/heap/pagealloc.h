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

/* Note [Free bits].  Three bits for each page, each a subset of the one before:
 *   free       mapped and in nobody's hands
 *   zeroed     and reads as zero
 *   scavenged  and the kernel has its memory: it was given back, or never touched
 * A page that is zeroed but not scavenged has memory that nobody has written to: its neighbour on
 * the same huge page was touched, or it was populated ahead of use.  So zero memory means "not
 * ours" in all three. */
struct page_chunk {
    uint64_t free[CHUNK_WORDS];
    uint64_t zeroed[CHUNK_WORDS];
    uint64_t scavenged[CHUNK_WORDS];
};

/* A huge page: what the kernel backs by one page where it was asked to (pagealloc_set_huge).  A
 * chunk is two of them. */
#define BLOCK_BYTES (2 * MB)
#define BLOCK_PAGES (BLOCK_BYTES / PAGE_BYTES)
#define BLOCK_WORDS (BLOCK_PAGES / 64)
#define CHUNK_BLOCKS (CHUNK_PAGES / BLOCK_PAGES)

/* A chunk with so many pages taken is dense: the rest of it is likely to be taken soon, so it is
 * let alone, and so are its huge pages. */
#define DENSE_PAGES (CHUNK_PAGES - CHUNK_PAGES / 32)
#define GENERATION_FIRST 3 /* dense_at of a chunk that was used but never dense is 1; unused, 0 */

struct page_region {
    uint64_t level2[8];
    uint64_t level3[64];
    uint64_t level4[512];
    struct page_chunk chunks[512];
    uint32_t dense_at[512]; /* generation in which the chunk was last found dense; 0: never used */
    uint64_t resident[8];   /* bit per chunk: perhaps it has free pages that are not scavenged */
    uint64_t huge[8];       /* bit per chunk: the kernel was asked to use huge pages */
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
    uint32_t generation;      /* collections so far, from GENERATION_FIRST; rises with the world
                               * stopped */
    uint64_t nodes_visited;   /* summaries and bitmap words looked at by searches, for tests */
    uint64_t searches;
};

struct page_run {
    uintptr_t base;   /* 0: none */
    size_t scavenged; /* pages that are not scavenged any more; more than the run's own when a huge
                       * page is now touched that had none of its memory */
    size_t zeroed;    /* how many of the run's pages are zero */
    size_t grown;     /* bytes of chunks from which pages were taken for the first time */
};

/* A search for pages to give back, downwards from the top.  Chunks above `below` were looked at. */
struct page_hunt {
    uintptr_t below; /* UINTPTR_MAX to begin; 0: the search has ended */
    bool blocks;     /* only blocks that are wholly free */
    bool force;      /* dense chunks too */
};

/* false: no memory. */
bool pagealloc_init(struct page_alloc *p, uint64_t *meta_counter);
/* Adds [base, base + bytes), chunk-aligned, as free and scavenged.  false: no memory for the
 * bitmaps, nothing changed. */
bool pagealloc_grow(struct page_alloc *p, uintptr_t base, size_t bytes);
/* First fit, at a multiple of align_pages (a power of two).  Base 0: no such run. */
struct page_run pagealloc_alloc(struct page_alloc *p, size_t npages, size_t align_pages);
void pagealloc_free(struct page_alloc *p, uintptr_t base, size_t npages);
/* Takes the first aligned 64-page window with a free page.  base 0: none.  account: receives
 * scavenged and grown, as if it were a run. */
struct page_cache pagealloc_take_window(struct page_alloc *p, struct page_run *account);
/* Gives the free pages of a window back, with their scavenged bits; empties c. */
void pagealloc_return_window(struct page_alloc *p, struct page_cache *c);
/* The next run of free pages with memory, in nobody's hands until pagealloc_put_back: a whole block
 * where it can be, else at most max pages within one.  base 0: none so far; the search goes on
 * while h->below is not 0 (it looks at a bounded number of chunks at once).  r.scavenged: pages of
 * the run that the kernel has already. */
struct page_run pagealloc_take_resident(struct page_alloc *p, struct page_hunt *h, size_t max,
                                        size_t *npages);
/* Gives such a run back, as scavenged or not. */
void pagealloc_put_back(struct page_alloc *p, uintptr_t base, size_t npages, bool scavenged);
/* A collection's marking has ended: what was dense before the last one may be given back.  World
 * stopped, or with the lock. */
void pagealloc_generation_stw(struct page_alloc *p);
/* Notes what the kernel was asked for: huge pages for the whole chunks of a range, or not. */
void pagealloc_set_huge(struct page_alloc *p, uintptr_t base, size_t bytes, bool huge);
bool pagealloc_is_huge(const struct page_alloc *p, uintptr_t addr);
/* State of one page. */
bool pagealloc_is_free(const struct page_alloc *p, uintptr_t addr);
bool pagealloc_is_scavenged(const struct page_alloc *p, uintptr_t addr);
bool pagealloc_is_zeroed(const struct page_alloc *p, uintptr_t addr);
bool pagealloc_chunk_is_scavenged(const struct page_alloc *p, uintptr_t chunk);
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
/* The run was just taken, and its memory is about to be touched for the first time: has the kernel
 * provide it, and that of up to `most` pages after it, in one step instead of a fault for each.
 * How many pages more than the run's are not scavenged any more. */
size_t pagecache_populate(struct page_cache *c, uintptr_t base, size_t npages, size_t most);
const char *pagecache_validate(const struct page_cache *c);

#endif
