/* Proof, with the world stopped, that the heap is whole: every page, span and slot counted once.
 *
 * Walks all span records, all arenas and all central sets, and compares the sums with the counters.
 * Each failed comparison names itself by a constant string; details of a span go to standard
 * error.
 *
 * Answers to: nothing in the original; TestPageAccounting tests a part of it.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/assert.h"
#include "heap/heap.h"
#include "heap/mcache.h"

struct proof {
    const char *error;
    uint64_t in_use_pages, manual_pages;
    uint64_t in_use_spans, tombstones;
    uint64_t in_sets, cached;
    uint64_t free_records;
    uint64_t slots[SIZE_CLASSES];
    uint64_t large, large_bytes;
    uint64_t cache_free, cache_scavenged;
};

static void fail(struct proof *p, const char *error, const struct span *s)
{
    if (p->error != NULL) return;
    p->error = error;
    if (s != NULL) span_print(s);
}

/* ---- records ---------------------------------------------------------------------------------- */

static void prove_in_use(struct proof *p, const struct span *s)
{
    p->in_use_pages += s->npages;
    p->in_use_spans++;
    if (span_is_large(s)) {
        p->large += s->alloc_count;
        p->large_bytes += s->alloc_count * (s->npages << PAGE_SHIFT);
    } else
        p->slots[span_class_size_class(s->span_class)] += s->alloc_count;
}

static void prove_record(struct proof *p, const struct span *s)
{
    const char *e = span_validate_stw(s);
    if (e != NULL) fail(p, e, s);
    if (s->state == SPAN_IN_USE) prove_in_use(p, s);
    if (s->state == SPAN_MANUAL) p->manual_pages += s->npages;
    if (s->state == SPAN_DEAD && s->in_set) p->tombstones++;
}

static void prove_records(struct proof *p)
{
    uint32_t n = heap_span_count();
    for (uint32_t i = 0; i < n; i++)
        prove_record(p, heap_span_at(i));
}

/* ---- sets --------------------------------------------------------------------------------------- */

struct set_walk {
    struct proof *proof;
    uint32_t g;
    unsigned span_class;
    bool swept, full;
};

static void prove_member(struct span *s, void *arg)
{
    struct set_walk *w = arg;
    w->proof->in_sets++;
    if (!s->in_set) fail(w->proof, "set: a member does not know it", s);
    if (s->state == SPAN_DEAD && w->swept) fail(w->proof, "set: a dead span is listed as swept", s);
    if (s->state == SPAN_DEAD) return;
    if (s->span_class != w->span_class) fail(w->proof, "set: a span of another class", s);
    if (s->sweepgen != w->g && (w->swept || s->sweepgen != w->g - 2))
        fail(w->proof, "set: sweep generation", s);
    if (!w->swept) return;
    if (s->alloc_count == 0) fail(w->proof, "set: an empty span is kept", s);
    if ((s->alloc_count == s->nelems) != w->full)
        fail(w->proof, "set: full and partial mixed up", s);
}

static void prove_sets(struct proof *p)
{
    struct set_walk w = { .proof = p, .g = heap_sweepgen() };
    for (w.span_class = 0; w.span_class < SPAN_CLASSES; w.span_class++) {
        struct mcentral *m = &heap->central[w.span_class];
        for (int i = 0; i < 4; i++) {
            w.full = (i & 1) != 0;
            w.swept = (i & 2) != 0;
            struct span_set *set =
                w.full    ? (w.swept ? mcentral_full_swept(m, w.g) : mcentral_full_unswept(m, w.g))
                : w.swept ? mcentral_partial_swept(m, w.g)
                          : mcentral_partial_unswept(m, w.g);
            spanset_each_stw(set, prove_member, &w);
        }
    }
}

/* ---- arenas and lists --------------------------------------------------------------------------- */

/* The table and the bitmaps of arenas list what the records say, and nothing else. */
static void prove_arenas(struct proof *p)
{
    uint64_t pages = 0, spans = 0;
    for (size_t i = 0; i < arena_count(); i++) {
        const struct arena *a = arena_at(i);
        for (size_t page = 0; page < PAGES_PER_ARENA; page++) {
            const struct span *s = a->spans[page];
            if (s == NULL) continue;
            uintptr_t addr = a->base + (page << PAGE_SHIFT);
            if (s->state == SPAN_DEAD) fail(p, "arena: a page leads to a dead span", s);
            if (arena_bit(a->noscan_pages, addr) != (s->state == SPAN_IN_USE && span_is_noscan(s)))
                fail(p, "arena: listing of pointer-free pages", s);
            pages++;
        }
        for (size_t w = 0; w < ARENA_BITMAP_WORDS; w++)
            spans += bits_popcount64(a->in_use_pages[w]);
    }
    if (pages != p->in_use_pages + p->manual_pages) fail(p, "arena: pages of spans", NULL);
    if (spans != p->in_use_spans) fail(p, "arena: spans listed as in use", NULL);
}

static uint64_t list_length(const struct span *s)
{
    uint64_t n = 0;
    for (; s != NULL; s = s->next_free)
        n++;
    return n;
}

static void prove_caches(struct proof *p, struct mcache **caches, size_t ncaches)
{
    for (size_t i = 0; i < ncaches; i++) {
        const struct mcache *c = caches[i];
        const char *e = mcache_validate_stw(c);
        if (e != NULL) fail(p, e, NULL);
        p->free_records += c->nspan_records;
        p->cache_free += bits_popcount64(c->pages.free);
        p->cache_scavenged += bits_popcount64(c->pages.scavenged);
        for (unsigned k = 0; k < SPAN_CLASSES; k++)
            p->cached += c->spans[k] != &span_empty;
    }
    p->free_records += list_length(heap->free_records) + list_length(heap->held_records);
}

/* ---- sums ------------------------------------------------------------------------------------------ */

static void prove_pages(struct proof *p)
{
    const char *e = pagealloc_validate(&heap->pages);
    if (e != NULL) fail(p, e, NULL);
    uint64_t free = heap->pages.free_pages + p->cache_free;
    uint64_t scavenged = heap->pages.scavenged_pages + p->cache_scavenged;
    if (heap->in_use != p->in_use_pages << PAGE_SHIFT) fail(p, "sum: pages in use", NULL);
    if (heap->manual != p->manual_pages << PAGE_SHIFT) fail(p, "sum: manual pages", NULL);
    if (heap->released != scavenged << PAGE_SHIFT) fail(p, "sum: released pages", NULL);
    if (heap->mapped != heap->in_use + heap->manual + (free << PAGE_SHIFT))
        fail(p, "sum: mapped pages", NULL);
}

static void prove_spans(struct proof *p)
{
    uint64_t manual = 0;
    for (uint32_t i = 0; i < heap_span_count(); i++)
        manual += heap_span_at(i)->state == SPAN_MANUAL;
    if (p->in_sets != p->in_use_spans - p->cached + p->tombstones)
        fail(p, "sum: a span is in no set and in no cache", NULL);
    if (heap->span_allocs - heap->span_frees != p->in_use_spans + manual)
        fail(p, "sum: spans made and freed", NULL);
    if (p->free_records + p->in_use_spans + manual + p->tombstones != heap_span_count())
        fail(p, "sum: span records", NULL);
}

static void prove_objects(struct proof *p)
{
    for (unsigned i = 1; i < SIZE_CLASSES; i++)
        if (heap->classes[i].allocs - heap->classes[i].frees != p->slots[i])
            fail(p, "sum: slots of a class", NULL);
    if (heap->large_allocs - heap->large_frees != p->large) fail(p, "sum: large objects", NULL);
    if (heap->large_alloc_bytes - heap->large_free_bytes != p->large_bytes)
        fail(p, "sum: bytes of large objects", NULL);
}

const char *heap_validate_stw(struct mcache **caches, size_t ncaches)
{
    struct proof p = { .error = NULL };
    for (size_t i = 0; i < ncaches; i++)
        mcache_publish(caches[i]);
    prove_records(&p);
    prove_sets(&p);
    prove_arenas(&p);
    prove_caches(&p, caches, ncaches);
    prove_pages(&p);
    prove_spans(&p);
    prove_objects(&p);
    return p.error;
}
