/* A P's allocation cache.
 *
 * The open window of class spc is word next_window[spc] - 1 of the span's allocation bits; classes[spc]
 * holds its free slots as set bits.  Slots of windows before it are allocated.  So the state of every
 * slot follows from next_window and the lowest free bit, and the fast path writes one word only.
 * mcache_publish turns that into free_index for everybody else (Note [Slots and windows]).
 *
 * heap_live is charged for all free slots of a span when it is cached, so that the fast path need not
 * count; what is unused is given back when the span is returned, unless a cycle ended in between,
 * which set heap_live to what was marked.
 *
 * Invariants:
 *   1. spans[i] is the sentinel, or an in-use span with sweepgen g + 3 (g + 1 after the
 *      generation rose), in no set, and in no other cache;
 *   2. the bits of the open window are free slots of the span, not below its free_index;
 *   3. the sentinel's window is empty.
 *
 * Locking: none; whoever owns the P.  Answers to: mcache.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/mcache.h"

#include <string.h>

#include "base/assert.h"
#include "heap/heap.h"

/* How many words of allocation bits the span has. */
static unsigned window_count(const struct span *s)
{
    return gcbits_words(s->nelems);
}

static void set_empty(struct mcache *c, unsigned spc)
{
    c->spans[spc] = &span_empty;
    c->next_window[spc] = 0;
    c->fast.classes[spc] = (struct gort_cache_class){ 0, NULL };
}

void mcache_init(struct mcache *c)
{
    memset(c, 0, sizeof(*c));
    for (unsigned i = 0; i < SPAN_CLASSES; i++)
        set_empty(c, i);
    atomic_store_relaxed(&c->flush_gen, heap_sweepgen());
}

/* ---- windows ---------------------------------------------------------------------------------- */

bool mcache_next_window(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    struct gort_cache_class *open = &c->fast.classes[spc];
    assert_that(open->free == 0);
    for (unsigned w = c->next_window[spc]; w < window_count(s); w++) {
        uint64_t free = span_free_slots(s, w, s->free_index);
        if (free == 0) continue;
        c->next_window[spc] = (uint8_t)(w + 1);
        open->base = (char *)s->base + (size_t)w * 64 * s->elem_size;
        open->free = free;
        c->windows++;
        return true;
    }
    c->next_window[spc] = (uint8_t)window_count(s);
    return false;
}

/* The first slot that the cache has not handed out: slots below are allocated. */
static uint16_t first_unused(const struct mcache *c, unsigned spc)
{
    const struct span *s = c->spans[spc];
    uint64_t free = c->fast.classes[spc].free;
    unsigned past = c->next_window[spc] * 64u;
    if (free != 0) return (uint16_t)(past - 64 + bits_ctz64(free));
    if (past > s->nelems) return s->nelems;
    return (uint16_t)(past > s->free_index ? past : s->free_index);
}

/* Brings free_index and alloc_count up to date, and counts the slots taken since the last time. */
static void publish_class(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    if (s == &span_empty) return;
    uint16_t first = first_unused(c, spc);
    uint16_t allocated = (uint16_t)(s->nelems - span_count_free_from(s, first));
    check(allocated >= s->alloc_count);
    c->small_alloc_count[span_class_size_class(spc)] += allocated - s->alloc_count;
    s->alloc_count = allocated;
    atomic_store_relaxed(&s->free_index, first); /* read by markers, who start after this thread's
                                                  * stop, or see an older one: sound */
}

/* Bytes of the span's slots that nobody took; alloc_count is up to date. */
static int64_t unused_bytes(const struct span *s)
{
    return (int64_t)(s->nelems - s->alloc_count) * s->elem_size;
}

/* ---- refill ------------------------------------------------------------------------------------- */

bool mcache_refill_span(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    check(c->fast.classes[spc].free == 0);
    if (s != &span_empty) {
        publish_class(c, spc);
        set_empty(c, spc);
        /* Slots that are left are given up only when the caller did not use the span up. */
        if (atomic_load_relaxed(&s->sweepgen) == heap_sweepgen() + 3)
            heap_live_add(-unused_bytes(s));
        mcentral_uncache_span(s);
    }
    s = mcentral_cache_span(c, spc);
    if (s == NULL) return false;
    c->spans[spc] = s;
    c->next_window[spc] = (uint8_t)(s->free_index / 64);
    c->refills++;
    heap_live_add(unused_bytes(s));
    bool open = mcache_next_window(c, spc);
    check(open);
    return true;
}

bool mcache_refill(struct mcache *c, unsigned spc, bool *new_span)
{
    if (new_span != NULL) *new_span = false;
    if (c->fast.classes[spc].free != 0 || mcache_next_window(c, spc)) return true;
    if (!mcache_refill_span(c, spc)) return false;
    if (new_span != NULL) *new_span = true;
    return true;
}

uintptr_t mcache_alloc_slow(struct mcache *c, unsigned spc, bool *new_span)
{
    if (!mcache_refill(c, spc, new_span)) return 0;
    return mcache_take(c, spc, span_class_elem_size(spc));
}

/* ---- giving back ---------------------------------------------------------------------------------- */

/* Adds *from to the total and clears it. */
static void move_count(uint64_t *total, uint64_t *from)
{
    if (*from == 0) return;
    atomic_fetch_add_relaxed(total, *from);
    *from = 0;
}

void mcache_flush_stats(struct mcache *c)
{
    move_count(&heap->tiny_allocs, &c->tiny_allocs);
    move_count(&heap->scan_alloc_bytes, &c->scan_alloc_bytes);
    move_count(&heap->refills, &c->refills);
    move_count(&heap->windows, &c->windows);
    for (unsigned i = 1; i < SIZE_CLASSES; i++)
        move_count(&heap->classes[i].allocs, &c->small_alloc_count[i]);
}

void mcache_publish(struct mcache *c)
{
    for (unsigned i = 0; i < SPAN_CLASSES; i++)
        publish_class(c, i);
    mcache_flush_stats(c);
}

static void flush_class(struct mcache *c, unsigned spc)
{
    struct span *s = c->spans[spc];
    if (s == &span_empty) return;
    publish_class(c, spc);
    set_empty(c, spc);
    /* A stale span's slots are not in heap_live any more. */
    if (atomic_load_relaxed(&s->sweepgen) == heap_sweepgen() + 3) heap_live_add(-unused_bytes(s));
    mcentral_uncache_span(s);
}

void mcache_flush(struct mcache *c)
{
    for (unsigned i = 0; i < SPAN_CLASSES; i++)
        flush_class(c, i);
    c->tiny = 0;
    c->tiny_offset = 0;
    mcache_flush_stats(c);
    /* Release: who sees the generation (the collector, before it ends a sweep) sees the spans
     * returned.  Pairs with the collector's acquire load. */
    atomic_store_release(&c->flush_gen, heap_sweepgen());
}

void mcache_prepare_for_sweep(struct mcache *c)
{
    if (likely(c->flush_gen == heap_sweepgen())) return;
    mcache_flush(c);
}

void mcache_release(struct mcache *c)
{
    mcache_flush(c);
    span_records_return(c);
    lock_acquire(&heap->lock);
    pagealloc_return_window(&heap->pages, &c->pages);
    lock_release(&heap->lock);
}

/* ---- looking ---------------------------------------------------------------------------------------- */

static const char *validate_class(const struct mcache *c, unsigned spc)
{
    const struct span *s = c->spans[spc];
    const struct gort_cache_class *open = &c->fast.classes[spc];
    if (s == &span_empty) return open->free == 0 ? NULL : "cache: a window without a span";
    uint32_t g = heap_sweepgen();
    if (s->state != SPAN_IN_USE || s->span_class != spc) return "cache: a span of another class";
    if (s->sweepgen != g + 3 && s->sweepgen != g + 1) return "cache: a span that is not cached";
    if (s->in_set) return "cache: a cached span is in a set";
    if (open->free == 0) return NULL;
    unsigned w = c->next_window[spc] - 1u;
    if (w >= window_count(s)) return "cache: no such window";
    if ((uintptr_t)open->base != s->base + (uintptr_t)w * 64 * s->elem_size)
        return "cache: base of the window";
    if ((open->free & ~span_free_slots(s, w, s->free_index)) != 0)
        return "cache: a slot of the window is not free";
    return NULL;
}

const char *mcache_validate_stw(const struct mcache *c)
{
    const char *e = pagecache_validate(&c->pages);
    for (unsigned i = 0; e == NULL && i < SPAN_CLASSES; i++)
        e = validate_class(c, i);
    for (uint32_t i = 0; e == NULL && i < c->nspan_records; i++)
        if (c->span_records[i]->state != SPAN_DEAD) e = "cache: a span record is not free";
    return e;
}
