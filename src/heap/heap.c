/* The heap's record: boot, generations, statistics.
 *
 * Boot order: the record itself, the arena table, the page allocator's tables, the span records;
 * then the pointer `heap` is set.  A refusal on the way leaves `heap` NULL.
 *
 * The accounting equations, proved by heap_validate_stw (heap_validate.c):
 *     mapped = in_use + manual + free + fenced;   free = what bitmaps and page caches hold;
 *     released = scavenged bits of bitmaps and page caches, and fenced;
 *     per class: allocs - frees = slots allocated in its spans;
 *     heap_live is the collector's: marked + charged since.
 *
 * Answers to: mheap.init in mheap.go, mstats.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/heap.h"

#include "base/assert.h"
#include "base/bits.h"
#include "heap/mcache.h"
#include "heap/persistent.h"
#include "heap/scavenge.h"
#include "os/os.h"

struct heap *heap;
struct heap_witness heap_witness;

static uint64_t handed_out(void)
{
    return persistent_mapped() - persistent_unused();
}

/* The two tables over the whole address space.  What they map and do not count is address space, of
 * which they count the pages that they touch later. */
static bool tables_init(struct heap *h)
{
    uint64_t before = handed_out(), meta = h->meta;
    if (!arena_init(h->params.arena_hint, &h->meta, &h->arena_table_bytes) ||
        !pagealloc_init(&h->pages, &h->table_bytes))
        return false;
    h->sparse = handed_out() - before - (h->meta - meta);
    return true;
}

bool heap_init(const struct heap_params *p)
{
    uint64_t meta = 0;
    check(heap == NULL);
    struct heap *h = persistent_map(sizeof(*h), &meta);
    if (h == NULL) return false;
    h->meta = meta;
    if (p != NULL) h->params = *p;
    lock_init(&h->lock, RANK_HEAP);
    if (!tables_init(h) || !gcbits_init(&h->meta, &h->asleep)) {
        persistent_unmap(h, sizeof(*h), &meta);
        return false;
    }
    slabs_init(&h->span_records, sizeof(struct span), SPAN_SLAB_BYTES, &h->span_bytes, &h->asleep);
    h->sweepgen = 2;             /* even; g - 2 does not wrap */
    h->sweepers = SWEEP_DRAINED; /* nothing to sweep in the first generation */
    h->pace.trigger = UINT64_MAX;
    heap = h;
    return true;
}

/* ---- generations --------------------------------------------------------------------------- */

void heap_sweepgen_advance_stw(void)
{
    uint32_t g = heap->sweepgen;
    check(heap_sweep_done());
    for (unsigned i = 0; GORT_ASSERT_LEVEL >= 1 && i < SPAN_CLASSES; i++) { /* 2 us of the pause */
        struct mcentral *m = &heap->central[i];
        assert_that(spanset_empty(mcentral_partial_unswept(m, g)));
        assert_that(spanset_empty(mcentral_full_unswept(m, g)));
    }
    heap->sweep_cursor = 0;
    heap->reclaim_cursor = 0;
    heap->kept = heap->survived = 0;
    heap->sweep.credit = 0;
    atomic_store_relaxed(&heap->sweepers, 0);
    atomic_store_relaxed(&heap->sweepgen, g + 2); /* the world's restart publishes it */
    heap_sweep_pace_begin_stw();
    gcbits_look_stw(scav_stress != 0);
}

void heap_set_marking_stw(bool on)
{
    atomic_store_relaxed(&heap->marking, on); /* seen by all when the world runs again */
}

void heap_hold_records_stw(bool hold)
{
    heap->hold_reuse = hold;
    if (hold) return;
    struct span *s;
    while ((s = heap->held_records) != NULL) {
        heap->held_records = s->next_free;
        slabs_give(&heap->span_records, s->place - 1);
    }
}

void heap_live_set_stw(uint64_t bytes)
{
    heap->counted = bytes;
    atomic_store_relaxed(&heap->live, bytes);
}

/* ---- statistics ----------------------------------------------------------------------------- */

/* Every read is of a counter of its own: relaxed. */
#define READ(field) atomic_load_relaxed(&heap->field)

static void read_classes(struct heap_stats *out)
{
    for (unsigned i = 1; i < SIZE_CLASSES; i++) {
        uint64_t size = size_class_table[i].size;
        /* Frees first: what was freed was allocated before. */
        uint64_t frees = READ(classes[i].frees), allocs = READ(classes[i].allocs);
        out->classes[i] = (struct heap_class_totals){ allocs, frees };
        out->mallocs += allocs;
        out->frees += frees;
        out->total_alloc += allocs * size;
        out->total_free += frees * size;
    }
}

/* Where the slow allocations ended is counted; the rest were hits.  Each opened a window first. */
static void read_ladder(struct heap_stats *out)
{
    struct heap_ladder *l = &out->ladder;
    uint64_t slots = out->mallocs - out->tiny_allocs - out->large_allocs;
    l->sweep = READ(refills_swept);
    l->page_cache = READ(from_page_cache);
    l->page_heap = READ(from_page_heap);
    l->kernel = READ(from_kernel);
    uint64_t made = l->page_cache + l->page_heap + l->kernel - out->large_allocs;
    /* A span or window that was taken, and returned before a slot of it was used, counts too
     * much. */
    l->central = out->refills > l->sweep + made ? out->refills - l->sweep - made : 0;
    l->window = out->windows > out->refills ? out->windows - out->refills : 0;
    l->hit = slots > out->windows ? slots - out->windows : 0;
}

/* Pages of the sparse tables that nothing has touched.  The page allocator counts, for each region,
 * its record and three pages of its tables. */
static uint64_t sparse_untouched(void)
{
    uint64_t touched = 3 * os_page_size();
    uint64_t each = align_up(sizeof(struct page_region), os_page_size()) + touched;
    touched = READ(table_bytes) / each * touched + READ(arena_table_bytes);
    return READ(sparse) > touched ? READ(sparse) - touched : 0;
}

static void read_records(struct heap_stats *out)
{
    uint64_t used = (out->span_allocs - out->span_frees) * sizeof(struct span);
    uint64_t all = READ(span_bytes);
    out->span_records_used = used < all ? used : all; /* read at different moments */
    out->span_records_free = all - out->span_records_used;
    out->caches = READ(cache_bytes);
    out->profile = READ(profile_bytes);
    out->meta = READ(meta) + READ(table_bytes) + READ(arena_table_bytes);
    out->sparse = sparse_untouched();
    out->asleep = READ(asleep);
}

void heap_read_stats(struct heap_stats *out)
{
    *out = (struct heap_stats){ .live = READ(live) };
    out->in_use = READ(in_use);
    out->manual = READ(manual);
    out->released = READ(released);
    out->sys = READ(mapped);
    uint64_t busy = out->in_use + out->manual + out->released;
    out->idle = out->sys > busy ? out->sys - busy : 0; /* read at different moments */
    out->tiny_allocs = READ(tiny_allocs);
    out->large_frees = READ(large_frees);
    out->large_allocs = READ(large_allocs);
    out->large_free_bytes = READ(large_free_bytes);
    out->large_alloc_bytes = READ(large_alloc_bytes);
    out->refills = READ(refills);
    out->windows = READ(windows);
    out->samples = READ(samples);
    out->fenced = READ(fenced);
    out->span_allocs = READ(span_allocs);
    out->span_frees = READ(span_frees);
    out->arena_grows = READ(arena_grows);
    out->released_total = READ(released_total);
    out->total_alloc = out->large_alloc_bytes;
    out->total_free = out->large_free_bytes;
    out->mallocs = out->large_allocs + out->tiny_allocs;
    out->frees = out->large_frees + out->tiny_allocs;
    read_classes(out);
    read_records(out);
    read_ladder(out);
    out->alloc = out->total_alloc - out->total_free;
    out->objects = out->mallocs - out->frees;
}

/* ---- spans ----------------------------------------------------------------------------------- */

uint32_t heap_span_count(void)
{
    return slabs_count(&heap->span_records);
}

struct span *heap_span_at(uint32_t i)
{
    return slabs_at(&heap->span_records, i);
}

void heap_each_span_stw(void (*fn)(struct span *s, void *arg), void *arg)
{
    uint32_t n = heap_span_count();
    for (uint32_t i = 0; i < n; i++) {
        struct span *s = heap_span_at(i);
        if (span_state_of(s) == SPAN_IN_USE) fn(s, arg);
    }
}
