/* Proof, with the world stopped, that the heap is whole: every page, span and slot counted once.
 *
 * Walks all span records, all arenas, all central sets, the caches and the lists of free records,
 * and compares what it meets with the counters.  Each failed comparison names itself by a constant
 * string; details of a span go to standard error.  A corrupt list may be a circle, so no walk is
 * longer than what there is to list.
 *
 * What is proved, beside what span, cache and page allocator prove of themselves:
 *   1. the arenas' span table and the records say the same of every page;
 *   2. each bit of the arenas' bitmaps stands for a span of which it is true;
 *   3. a span in use is in one set or one cache, and where its class, generation and counts say;
 *   4. a record is in use, or free in one place;
 *   5. a page is a span's, or free in the page heap or in one P's window;
 *   6. specials are sorted, in slots that are allocated, and no two of a kind that an address has
 *      one of;
 *   7. the counters are the sums: pages, spans, records, bit arrays, slots and large objects;
 *   8. heap_live (heap_validate_live_stw).
 *
 * test/unit/heap/validate.c breaks each of these and expects the message.
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
    uint64_t with_bits;   /* records that have bit arrays of their own */
    uint64_t says_cached; /* spans in use whose generation says so */
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

/* ---- records --------------------------------------------------------------------------------- */

static void prove_in_use(struct proof *p, const struct span *s)
{
    p->in_use_pages += s->npages;
    p->in_use_spans++;
    uint32_t g = heap_sweepgen();
    p->says_cached += s->sweepgen == g + 3 || s->sweepgen == g + 1;
    if (s->sweepgen != g && s->sweepgen != g - 2 && s->sweepgen != g + 3 && s->sweepgen != g + 1)
        fail(p, "record: sweep generation", s);
    if (span_is_large(s)) {
        p->large += s->alloc_count;
        p->large_bytes += s->alloc_count * (s->npages << PAGE_SHIFT);
    } else
        p->slots[span_class_size_class(s->span_class)] += s->alloc_count;
}

/* Does a belong behind b, which comes right before it in the list?  special.c. */
static bool special_follows(const struct span *s, const struct special *a, const struct special *b)
{
    uint32_t slot = span_index_of(s, s->base + a->offset);
    uint32_t above = span_index_of(s, s->base + b->offset);
    if (slot != above) return slot < above;
    if (a->kind != b->kind) return a->kind > b->kind;
    return a->kind == SPECIAL_CLEANUP || a->offset < b->offset;
}

static const char *special_fault(const struct span *s, const struct special *x)
{
    uintptr_t at = s->base + x->offset;
    if (x->kind >= SPECIAL_KINDS) return "special: no such kind";
    if (at >= s->limit) return "special: in no slot";
    if (!span_is_slot_allocated(s, span_index_of(s, at))) return "special: of a free slot";
    if (x->prev == NULL) return s->specials == x ? NULL : "special: links";
    if (x->prev->next != x) return "special: links";
    return special_follows(s, x, x->prev) ? NULL : "special: order";
}

static void prove_specials(struct proof *p, const struct span *s)
{
    bool odd = false;
    const struct special *slow = s->specials;
    for (const struct special *x = s->specials; x != NULL; x = x->next) {
        const char *fault = special_fault(s, x);
        if (fault != NULL) fail(p, fault, s);
        if (p->error != NULL) return;
        if (odd) slow = slow->next; /* half as fast: in a circle they meet */
        if (x->next == slow) fail(p, "special: a circle", s);
        odd = !odd;
    }
}

static void prove_record(struct proof *p, const struct span *s)
{
    const char *e = span_validate_stw(s);
    if (e != NULL) fail(p, e, s);
    p->with_bits += s->bits != NULL;
    if (s->state > SPAN_MANUAL) fail(p, "record: no such state", NULL);
    if (s->state == SPAN_IN_USE) prove_in_use(p, s);
    if (s->state == SPAN_IN_USE && e == NULL) prove_specials(p, s);
    if (s->state == SPAN_MANUAL) p->manual_pages += s->npages;
    if (s->state == SPAN_DEAD && s->in_set) p->tombstones++;
}

static void prove_records(struct proof *p)
{
    uint32_t n = heap_span_count();
    for (uint32_t i = 0; i < n; i++)
        prove_record(p, heap_span_at(i));
}

/* ---- sets ------------------------------------------------------------------------------------ */

struct set_walk {
    struct proof *proof;
    uint32_t g;
    unsigned span_class;
    bool swept, full;
};

static void prove_member(struct set_walk *w, const struct span *s)
{
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

static void prove_set(struct set_walk *w, const struct span_set *set)
{
    uint64_t most = heap_span_count();
    for (const struct span *s = NULL; (s = spanset_next_stw(set, s)) != NULL;) {
        prove_member(w, s);
        if (++w->proof->in_sets > most) {
            fail(w->proof, "set: more members than there are spans", s);
            return;
        }
    }
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
            prove_set(&w, set);
        }
    }
}

/* ---- arenas and lists ------------------------------------------------------------------------ */

/* One page's bits, which may be set for what it is and must not for anything else. */
static void prove_page(struct proof *p, const struct arena *a, uintptr_t addr, const struct span *s)
{
    bool in_use = s != NULL && s->state == SPAN_IN_USE, first = in_use && s->base == addr;
    if (a->page_info[arena_page_index(addr)] != (s != NULL ? span_page_info(s, addr) : 0))
        fail(p, "arena: kind of a page", s);
    if (arena_bit(a->in_use_pages, addr) != first) fail(p, "arena: listing of spans in use", s);
    if (arena_bit(a->special_pages, addr) != (first && s->specials != NULL))
        fail(p, "arena: listing of specials", s);
    if (s == NULL) return;
    if (s->state == SPAN_DEAD) fail(p, "arena: a page leads to a dead span", s);
    if (addr - s->base >= s->npages << PAGE_SHIFT)
        fail(p, "arena: a page leads to a span that it is no part of", s);
}

/* The table and the bitmaps of arenas list what the records say, and nothing else. */
static void prove_arenas(struct proof *p)
{
    for (size_t i = 0; i < arena_count(); i++) {
        const struct arena *a = arena_at(i);
        if (arena_table[a->base >> ARENA_SHIFT] != a) fail(p, "arena: not in the table", NULL);
        for (size_t page = 0; page < PAGES_PER_ARENA; page++)
            prove_page(p, a, a->base + (page << PAGE_SHIFT), a->spans[page]);
    }
}

/* Length of a list of free records. */
static uint64_t prove_free_list(struct proof *p, const struct span *s)
{
    uint64_t n = 0, most = heap_span_count();
    for (; s != NULL && n <= most; s = s->next_free, n++)
        if (s->state != SPAN_DEAD || s->in_set) fail(p, "list: a free record is not free", s);
    if (n > most) fail(p, "list: free records form a circle", NULL);
    return n;
}

/* Free records of slabs. */
static uint64_t prove_slabs(struct proof *p)
{
    uint64_t n = 0, met = 0;
    const char *e = slabs_validate(&heap->span_records, &n);
    if (e != NULL) fail(p, e, NULL);
    for (uint32_t i = 0; i < heap_span_count(); i++) {
        const struct span *s = heap_span_at(i);
        if (!slabs_is_free(&heap->span_records, i)) continue;
        if (s->state != SPAN_DEAD || s->in_set) fail(p, "list: a free record is not free", s);
        if (s->place != 0 && s->place != i + 1) fail(p, "record: its number", s);
        met++;
    }
    if (met != n) fail(p, "slabs: free records", NULL);
    return n;
}

/* The pages of a P's window are nobody else's. */
static void prove_window(struct proof *p, const struct page_cache *c)
{
    for (unsigned i = 0; i < PAGE_CACHE_PAGES; i++) {
        uintptr_t page = c->base + ((uintptr_t)i << PAGE_SHIFT);
        if ((c->free >> i & 1) == 0) continue;
        if (span_of(page) != NULL) fail(p, "page cache: a page of it is a span's", span_of(page));
        if (pagealloc_is_free(&heap->pages, page))
            fail(p, "page cache: a page of it is free in the page heap", NULL);
    }
    p->cache_free += bits_popcount64(c->free);
    p->cache_scavenged += bits_popcount64(c->scavenged);
}

static void prove_caches(struct proof *p, struct mcache **caches, size_t ncaches)
{
    for (size_t i = 0; i < ncaches; i++) {
        const struct mcache *c = caches[i];
        const char *e = mcache_validate_stw(c);
        if (e != NULL) fail(p, e, NULL);
        p->free_records += c->nspan_records;
        prove_window(p, &c->pages);
        for (unsigned k = 0; k < SPAN_CLASSES; k++)
            p->cached += c->spans[k] != &span_empty;
    }
    p->free_records += prove_free_list(p, heap->held_records) + prove_slabs(p);
    if (heap->held_records != NULL && !heap->hold_reuse)
        fail(p, "list: records are held while reuse is not", heap->held_records);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void prove_pages(struct proof *p)
{
    const char *e = pagealloc_validate(&heap->pages);
    if (e != NULL) fail(p, e, NULL);
    uint64_t free = heap->pages.free_pages + p->cache_free;
    uint64_t scavenged = heap->pages.scavenged_pages + p->cache_scavenged;
    if (heap->in_use != p->in_use_pages << PAGE_SHIFT) fail(p, "sum: pages in use", NULL);
    if (heap->manual != p->manual_pages << PAGE_SHIFT) fail(p, "sum: manual pages", NULL);
    if (heap->released != (scavenged << PAGE_SHIFT) + heap->fenced)
        fail(p, "sum: released pages", NULL);
    if (heap->mapped != heap->in_use + heap->manual + heap->fenced + (free << PAGE_SHIFT))
        fail(p, "sum: mapped pages", NULL);
}

static void prove_spans(struct proof *p)
{
    uint64_t manual = 0;
    for (uint32_t i = 0; i < heap_span_count(); i++)
        manual += heap_span_at(i)->state == SPAN_MANUAL;
    if (p->says_cached != p->cached)
        fail(p, "sum: a span is in two caches, or in none and says so", NULL);
    if (p->in_sets != p->in_use_spans - p->cached + p->tombstones)
        fail(p, "sum: a span is in no set and in no cache", NULL);
    if (heap->span_allocs - heap->span_frees != p->in_use_spans + manual)
        fail(p, "sum: spans made and freed", NULL);
    if (p->free_records + p->in_use_spans + manual + p->tombstones != heap_span_count())
        fail(p, "sum: span records", NULL);
    if (p->with_bits != gcbits_in_use()) fail(p, "sum: blocks of bits", NULL);
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

/* ---- live bytes ------------------------------------------------------------------------------ */

/* Bytes of the slots of a cached span that are free. */
static uint64_t unused_in(const struct mcache *c)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SPAN_CLASSES; i++) {
        const struct span *s = c->spans[i];
        if (s != &span_empty) sum += (uint64_t)(s->nelems - s->alloc_count) * s->elem_size;
    }
    return sum;
}

const char *heap_validate_live_stw(struct mcache **caches, size_t ncaches)
{
    struct heap_stats h;
    uint64_t charged = 0;
    check(heap_sweep_done());
    for (size_t i = 0; i < ncaches; i++) {
        mcache_publish(caches[i]);
        charged += unused_in(caches[i]);
    }
    heap_read_stats(&h);
    /* The heap's live bytes began as what markers counted.  Sweeping knows what there was: objects
     * that were marked twice once only, and those that it kept. */
    if (heap->survived > heap->counted + heap->kept) return "sum: more survived than was marked";
    return h.live + heap->survived == h.alloc + charged + heap->counted ? NULL : "sum: live bytes";
}
