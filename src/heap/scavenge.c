/* Giving free pages back to the kernel, and asking it for memory well.
 *
 * Note [Released in nobody's hands].  A run of pages that goes back to the kernel is taken out of
 * the bitmaps under the lock, like an allocation; then the lock is dropped for the system call,
 * which takes microseconds to hundreds of them; then the run is put back, marked as scavenged.  So
 *   1. nobody can allocate a page while the kernel takes its memory: it is in no bitmap, no cache
 *      and no span; what was written to it later could not vanish;
 *   2. nobody waits for the kernel with the lock;
 *   3. when the kernel refuses (locked pages) the run is put back as it was, but counts as written
 *      to; nothing is lost but the knowledge that it was zero;
 *   4. heap->released is raised before the run can be taken again, and is lowered after it was
 *      taken: so it never falls below zero;
 *   5. all of it is one critical section: a stopped world sees each page in the bitmaps, in a page
 *      cache or in a span, and heap->released equal to the scavenged bits (heap_validate.c).
 *
 * Note [Huge pages].  The kernel is asked for huge pages (2 MB) everywhere but in the first
 * SMALL_HEAP bytes of the heap.  A fault that brings 2 MB costs a quarter of the 512 faults that it
 * replaces, and marking misses the TLB less; but a program with a small heap would hold 2 MB for a
 * few objects.  What is below the line is populated two pages at a time instead
 * (doc/decisions/0010).  So that huge pages stay whole, wholly free blocks go back first and at
 * once, and dense chunks are let alone (pagealloc.c).  When part of a block must go, its chunk is
 * taken out of huge pages: else the kernel's own collapsing of pages (khugepaged) would bring back
 * what was given back, uncounted.  A chunk returns to huge pages when all of it is the kernel's
 * again.
 *
 * What an allocation does by itself: it has the pages provided that it will touch (scav_populate),
 * and when it took memory from the kernel it gives as much back where the goals ask for it
 * (scav_assist).  An assist is bounded by what was taken, so no allocation pays for a limit that
 * was lowered.
 *
 * Locking: HEAP, taken here.  Counters and goals: atomic, relaxed.
 * Answers to: mgcscavenge.go, the end of allocSpan in mheap.go, mem_linux.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/scavenge.h"

#include "base/assert.h"
#include "base/bits.h"
#include "os/os.h"

#define SMALL_HEAP (8 * MB)
#define STEP_PAGES 8 /* of one step of a forced release, where it is not a block */
#define ASSIST_LEAST                                                                               \
    ((size_t)1 * MB) /* an assist for the limit does up to this, or twice its due */
#define STRESS_BYTES ((size_t)1 * MB)
#define POPULATE_AHEAD 1 /* pages; more would gain nothing: doc/decisions/0010 */

_Static_assert(SMALL_HEAP % CHUNK_BYTES == 0, "huge pages go by chunks");

uint32_t scav_stress;

static struct {
    struct scav_goals goals; /* atomic words */
    /* Chunks, by number, for which no huge pages are asked.  Numbers, for what lies here is
     * scanned: an address would keep an object.  Moved once, by the first growth; HEAP. */
    uintptr_t small_first, small_end;
    struct scav_counts counts; /* atomic words */
    uint64_t takings;          /* atomic; while scav_stress is on */
    uint32_t held;             /* atomic; moved by the CPU limiter (gc/cpulimit.c) */
} scav = { .goals = { SCAV_NONE, SCAV_NONE, SCAV_NONE, 0 } };

/* ---- goals ----------------------------------------------------------------------------------- */

void scav_set_goals(const struct scav_goals *g)
{
    atomic_store_relaxed(&scav.goals.retained, g->retained);
    atomic_store_relaxed(&scav.goals.limit, g->limit);
    atomic_store_relaxed(&scav.goals.background, g->background);
}

void scav_set_others(uint64_t bytes)
{
    atomic_store_relaxed(&scav.goals.others, bytes);
}

void scav_get_goals(struct scav_goals *g)
{
    g->retained = atomic_load_relaxed(&scav.goals.retained);
    g->limit = atomic_load_relaxed(&scav.goals.limit);
    g->background = atomic_load_relaxed(&scav.goals.background);
    g->others = atomic_load_relaxed(&scav.goals.others);
}

uint64_t scav_retained(void)
{
    /* Released first: it never exceeds what was mapped before. */
    uint64_t released = atomic_load_relaxed(&heap->released);
    uint64_t mapped = atomic_load_relaxed(&heap->mapped);
    return mapped > released ? mapped - released : 0; /* read at different moments */
}

uint64_t scav_meta(void)
{
    return atomic_load_relaxed(&heap->meta) + atomic_load_relaxed(&heap->span_bytes) +
           atomic_load_relaxed(&heap->cache_bytes) + atomic_load_relaxed(&heap->table_bytes) +
           atomic_load_relaxed(&heap->arena_table_bytes);
}

uint64_t scav_total(void)
{
    return scav_retained() + scav_meta() + atomic_load_relaxed(&scav.goals.others);
}

bool scav_is_wanted(void)
{
    return scav_stress != 0 || scav_retained() > atomic_load_relaxed(&scav.goals.retained) ||
           scav_total() > atomic_load_relaxed(&scav.goals.background);
}

/* ---- huge pages ------------------------------------------------------------------------------ */

static bool huge_is_for(uintptr_t chunk)
{
    return heap->params.huge_pages && os_huge_page_size() == BLOCK_BYTES &&
           (chunk >> CHUNK_SHIFT) - scav.small_first >= scav.small_end - scav.small_first;
}

void scav_grown_locked(uintptr_t base, size_t size)
{
    uintptr_t end = base + size;
    if (!heap->params.huge_pages || os_huge_page_size() != BLOCK_BYTES) return;
    if (scav.small_end == 0) {
        size_t small = size < SMALL_HEAP ? size : SMALL_HEAP;
        os_mem_nohugepage((void *)base, small); /* they may be the system's default */
        scav.small_first = base >> CHUNK_SHIFT;
        base += small;
        scav.small_end = base >> CHUNK_SHIFT;
    }
    if (base == end) return;
    os_mem_hugepage((void *)base, end - base);
    pagealloc_set_huge(&heap->pages, base, end - base, true);
}

/* Part of a block of this chunk goes back. */
static void split_locked(uintptr_t chunk)
{
    if (!pagealloc_is_huge(&heap->pages, chunk)) return;
    os_mem_nohugepage((void *)chunk, CHUNK_BYTES);
    pagealloc_set_huge(&heap->pages, chunk, CHUNK_BYTES, false);
    atomic_fetch_add_relaxed(&scav.counts.splits, 1);
}

/* All of the chunk is the kernel's. */
static void rejoin_locked(uintptr_t chunk)
{
    if (pagealloc_is_huge(&heap->pages, chunk) || !huge_is_for(chunk)) return;
    os_mem_hugepage((void *)chunk, CHUNK_BYTES);
    pagealloc_set_huge(&heap->pages, chunk, CHUNK_BYTES, true);
}

/* ---- giving back ----------------------------------------------------------------------------- */

void scav_begin(struct scav_round *r, enum scav_origin origin)
{
    bool force = origin == SCAV_LIMIT || origin == SCAV_FORCED || scav_stress != 0;
    r->hunt = (struct page_hunt){ .below = UINTPTR_MAX, .blocks = true, .force = force };
    r->origin = origin;
}

static struct page_run take_run(struct page_hunt *h, size_t max_pages, size_t *n)
{
    lock_acquire(&heap->lock);
    struct page_run run = pagealloc_take_resident(&heap->pages, h, max_pages, n);
    if (run.base != 0 && *n != BLOCK_PAGES) split_locked(align_down(run.base, CHUNK_BYTES));
    lock_release(&heap->lock);
    return run;
}

static void put_run(uintptr_t base, size_t n, bool gone)
{
    uintptr_t chunk = align_down(base, CHUNK_BYTES);
    lock_acquire(&heap->lock);
    pagealloc_put_back(&heap->pages, base, n, gone);
    if (gone && pagealloc_chunk_is_scavenged(&heap->pages, chunk)) rejoin_locked(chunk);
    lock_release(&heap->lock);
}

/* The run, of which the kernel has run.scavenged pages already.  Bytes given back. */
static size_t release_run(struct page_run run, size_t n, enum scav_origin origin)
{
    bool gone = os_mem_release((void *)run.base, n << PAGE_SHIFT) == 0;
    size_t bytes = (n - run.scavenged) << PAGE_SHIFT;
    if (gone) {
        atomic_fetch_add_relaxed(&heap->released, bytes);
        atomic_fetch_add_relaxed(&heap->released_total, bytes);
        atomic_fetch_add_relaxed(&scav.counts.released[origin], bytes);
    }
    put_run(run.base, n, gone);
    if (gone) return bytes;
    atomic_fetch_sub_relaxed(&heap->released, run.scavenged << PAGE_SHIFT);
    atomic_fetch_add_relaxed(&scav.counts.refused, 1);
    return 0;
}

size_t scav_step(struct scav_round *r, size_t max_pages, bool *over)
{
    size_t n, bytes = 0;
    struct page_run run = take_run(&r->hunt, max_pages, &n);
    if (run.base != 0) bytes = release_run(run, n, r->origin);
    *over = false;
    if (r->hunt.below != 0) return bytes;
    *over = !r->hunt.blocks;
    r->hunt.blocks = false;
    r->hunt.below = UINTPTR_MAX;
    return bytes;
}

size_t scav_release(size_t bytes, enum scav_origin origin)
{
    struct scav_round r;
    size_t done = 0;
    scav_begin(&r, origin);
    for (bool over = false; !over && done < bytes;) {
        size_t left = (bytes - done) / PAGE_BYTES + ((bytes - done) % PAGE_BYTES != 0);
        done += scav_step(&r, left < STEP_PAGES ? left : STEP_PAGES, &over);
    }
    return done;
}

size_t heap_release_free(size_t bytes)
{
    return scav_release(bytes, SCAV_FORCED);
}

void scav_return_window_stw(struct mcache *c)
{
    lock_acquire(&heap->lock);
    pagealloc_return_window(&heap->pages, &c->pages);
    lock_release(&heap->lock);
}

void scav_generation_stw(void)
{
    pagealloc_generation_stw(&heap->pages);
}

void scav_generation(void)
{
    lock_acquire(&heap->lock);
    pagealloc_generation_stw(&heap->pages);
    lock_release(&heap->lock);
}

/* ---- records --------------------------------------------------------------------------------- */

#define RECORDS_LEAST (256 * KB) /* more of a kind than are used is not too much */

/* Spans will be as many more as the goals leave pages for them. */
static bool are_too_many(uint64_t least, uint64_t awake)
{
    uint64_t pages = atomic_load_relaxed(&heap->in_use) + atomic_load_relaxed(&heap->manual);
    uint64_t most = atomic_load_relaxed(&scav.goals.retained);
    if (scav_total() > atomic_load_relaxed(&scav.goals.background)) return awake > least;
    if (most == SCAV_NONE) return false;
    unsigned __int128 keep = least;
    if (most > pages && pages != 0) keep = keep * most / pages;
    return awake > keep + RECORDS_LEAST;
}

static bool spans_are_too_many(void)
{
    lock_acquire(&heap->lock);
    const struct slabs *p = &heap->span_records;
    uint64_t least = slabs_least(p), awake = p->awake;
    lock_release(&heap->lock);
    return are_too_many(least, awake);
}

static bool blocks_are_too_many(void)
{
    uint64_t least, awake;
    gcbits_bytes(&least, &awake);
    return are_too_many(least, awake);
}

bool scav_has_records(void)
{
    return spans_are_too_many() || blocks_are_too_many();
}

size_t scav_step_records(enum scav_origin origin, bool all)
{
    size_t bytes = 0;
    if (all || spans_are_too_many()) bytes = span_records_release();
    if (bytes == 0 && (all || blocks_are_too_many())) bytes = gcbits_release();
    atomic_fetch_add_relaxed(&scav.counts.records[origin], bytes);
    return bytes;
}

/* ---- on allocation --------------------------------------------------------------------------- */

size_t scav_populate(struct page_cache *c, uintptr_t base, size_t npages)
{
    if (pagealloc_is_huge(&heap->pages, base)) return 0; /* one fault brings the block */
    size_t more = pagecache_populate(c, base, npages, POPULATE_AHEAD);
    atomic_fetch_add_relaxed(&scav.counts.populated, more << PAGE_SHIFT);
    return more;
}

static uint64_t excess(uint64_t now, uint64_t goal)
{
    return now > goal ? now - goal : 0;
}

static size_t least(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

static void assist(size_t bytes, enum scav_origin origin)
{
    int64_t begin = os_now();
    scav_release(bytes, origin);
    atomic_fetch_add_relaxed(&scav.counts.assist_ns, (uint64_t)(os_now() - begin));
}

static cold_path void stress_slow(void)
{
    if (atomic_fetch_add_relaxed(&scav.takings, 1) % scav_stress != 0) return;
    atomic_fetch_add_relaxed(&scav.counts.stress, 1);
    scav_release(STRESS_BYTES, SCAV_FORCED);
    while (scav_step_records(SCAV_FORCED, true) != 0)
        continue;
}

void scav_set_held(bool held)
{
    if (atomic_load_relaxed(&scav.held) != held) atomic_store_relaxed(&scav.held, held);
}

void scav_assist(size_t taken, size_t grown)
{
    if (unlikely(scav_stress != 0)) stress_slow();
    uint64_t limit = atomic_load_relaxed(&scav.goals.limit);
    if (unlikely(limit != SCAV_NONE) && likely(!atomic_load_relaxed(&scav.held))) {
        uint64_t over = excess(scav_total(), limit);
        size_t most = 2 * taken > ASSIST_LEAST ? 2 * taken : ASSIST_LEAST;
        if (over != 0) assist(least(over, most), SCAV_LIMIT);
    }
    if (likely(grown == 0)) return;
    uint64_t over = excess(scav_retained(), atomic_load_relaxed(&scav.goals.retained));
    if (over != 0) assist(least(over, grown), SCAV_GROWTH);
}

/* ---- statistics ------------------------------------------------------------------------------ */

void scav_read_counts(struct scav_counts *out)
{
    for (unsigned i = 0; i < SCAV_ORIGINS; i++)
        out->released[i] = atomic_load_relaxed(&scav.counts.released[i]);
    for (unsigned i = 0; i < SCAV_ORIGINS; i++)
        out->records[i] = atomic_load_relaxed(&scav.counts.records[i]);
    out->moved = gcbits_moved();
    out->refused = atomic_load_relaxed(&scav.counts.refused);
    out->assist_ns = atomic_load_relaxed(&scav.counts.assist_ns);
    out->populated = atomic_load_relaxed(&scav.counts.populated);
    out->splits = atomic_load_relaxed(&scav.counts.splits);
    out->stress = atomic_load_relaxed(&scav.counts.stress);
}
