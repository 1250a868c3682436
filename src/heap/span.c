/* Making and freeing spans.
 *
 * A span needs three things: a record, bit arrays when it has more than 64 slots, and pages.  They
 * are taken in this order and given back on failure, so that running out of any of them leaves the
 * heap as it was.  With a P's cache at hand records and single pages come from it without a lock.
 *
 * Publishing.  A record's fields are written while its state is SPAN_DEAD; then its pages point at
 * it; then the state is stored with release.  Who finds the record through an address loads the
 * state with acquire and sees the fields.  Freed: state first, then pages.
 *
 * Memory that reads as zero.  A free page is marked zeroed while the kernel has its memory, or gave
 * it and nobody wrote to it (Note [Free bits]).  A span of such pages needs no zeroing; there is no
 * other bookkeeping of fresh memory.
 *
 * Invariant: records are free only when nothing points at them (arena table, sets, caches).
 * Records freed while reuse is held wait in held_records (heap_hold_records_stw).
 *
 * Note [Records asleep].  A slab of records that are all free, and a page of blocks of bits that
 * are all free, may be given back to the kernel: then their memory reads as zero until it is used
 * again.  Who may still look at them then, with an address from before?
 *   1. A marker: at a record through the arena table, at its marks through page_info as well, in
 *      both cases by an address that it loaded earlier.  While it marks no record becomes free, for
 *      they are held, nor does the block of one; and what was free when marking began nothing led
 *      to when the world was stopped.
 *   2. A pop of a span set that lost: lfstack_pop and _pop_many read `next` of a record that others
 *      popped, and freed.  They read 0, or what the record's next life has there.  Then their swap
 *      fails, for the head was another push: if it is the same record again its count of pushes is
 *      higher.  That count is all that must outlive the memory: the slab keeps the highest of its
 *      records (slabs_note), and each of them goes on from there.  It never falls; and between two
 *      pushes of a record it rises by no more than records of that slab were pushed meanwhile, so
 *      what lfstack.c asks, that a count does not come round between two instructions of a pop, is
 *      asked of 2^20 pushes of a slab's records.
 *   3. Who sweeps unmarked spans out of turn (reclaim_word): reads sweepgen of a span that was in
 *      the arena table a moment before, and has been swept and freed by another since.  It reads
 *      the generation g of that sweep, or 0, or g of the record's next life: never g - 2, which is
 *      2 or more whenever a sweeper is at work, so it does not claim.  (Its swap may have met g - 2
 *      just before and write to the page: then it fails all the same, and a page has memory that is
 *      counted as asleep.)
 *   4. Who walks all records with the world stopped: reads SPAN_DEAD.
 * Who holds an object that is live holds its span: not free.  Releasing is one critical section, so
 * a stopped world sees no slab in between, and the slab is on no list meanwhile, so nobody gets a
 * record of it.  A record that wakes up has place 0, which tells who takes it to make its lock.
 *
 * Note [Fenced pages].  While heap_params.never_reuse is on, the pages of objects are not given
 * back to the page heap when their span is freed: the kernel takes their memory, and an access to
 * them faults, for ever.  They stay in `mapped`, count as released and as fenced, and lead to no
 * span; nobody scans or marks them.  The allocator gives each object a span of its own then
 * (alloc/malloc.c).  Manual spans are reused as ever.
 *
 * Locking: HEAP around pages and record lists.  Counters are atomic, relaxed.
 * Answers to: mheap.alloc, allocSpan, initSpan, freeSpan in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/span.h"

#include <string.h>

#include "base/assert.h"
#include "base/print.h"
#include "heap/heap.h"
#include "heap/pagebits.h"
#include "heap/poison.h"
#include "heap/scavenge.h"
#include "os/os.h"

/* The static bits keep marks and allocation tests of the sentinel harmless. */
struct span span_empty = {
    .marks = span_empty.inline_marks,
    .alloc_bits = &span_empty.inline_bits,
};

/* ---- records --------------------------------------------------------------------------------- */

/* Up to n records; those whose memory is new are made by record_prepare. */
static uint32_t records_pop(struct span **out, uint32_t *places, uint32_t n)
{
    uint32_t got = 0;
    lock_acquire(&heap->lock);
    while (got < n && (out[got] = slabs_take(&heap->span_records, &places[got])) != NULL)
        got++;
    lock_release(&heap->lock);
    return got;
}

/* Note [Records asleep]. */
static void record_prepare(struct span *s, uint32_t place)
{
    if (likely(s->place != 0)) return;
    lock_init(&s->special_lock, RANK_SPAN_SPECIALS);
    s->set_node.pushes = *slabs_note(&heap->span_records, place);
    s->place = place + 1;
}

static uint32_t records_take(struct span **out, uint32_t n)
{
    uint32_t places[MCACHE_SPAN_RECORDS];
    n = records_pop(out, places, n);
    for (uint32_t i = 0; i < n; i++)
        record_prepare(out[i], places[i]);
    return n;
}

/* Free from here on, or at the end of marking. */
static void record_push_locked(struct span *s)
{
    assert_that(s->state == SPAN_DEAD && !s->in_set);
    if (heap->hold_reuse) {
        s->next_free = heap->held_records;
        heap->held_records = s;
    } else
        slabs_give(&heap->span_records, s->place - 1);
}

static struct span *record_take(struct mcache *c)
{
    struct span *s;
    if (c == NULL) return records_take(&s, 1) == 0 ? NULL : s;
    if (c->nspan_records == 0)
        c->nspan_records = records_take(c->span_records, MCACHE_SPAN_RECORDS / 2);
    return c->nspan_records == 0 ? NULL : c->span_records[--c->nspan_records];
}

/* Undoes record_take. */
static void record_untake(struct mcache *c, struct span *s)
{
    if (c != NULL && c->nspan_records < MCACHE_SPAN_RECORDS) {
        c->span_records[c->nspan_records++] = s;
        return;
    }
    lock_acquire(&heap->lock);
    record_push_locked(s);
    lock_release(&heap->lock);
}

void span_records_return(struct mcache *c)
{
    lock_acquire(&heap->lock);
    while (c->nspan_records != 0)
        record_push_locked(c->span_records[--c->nspan_records]);
    lock_release(&heap->lock);
}

/* The record is the caller's. */
static void record_drop_block(struct span *s)
{
    if (s->bits == NULL) return;
    s->bits = NULL;
    gcbits_free(s->bits_words, s->bits_place);
    s->bits_words = 0;
}

/* The record's block fits `words` words of allocation bits. */
static bool record_fit_block(struct span *s, uint32_t words)
{
    if (s->bits_words >= words) return true;
    uint32_t place;
    uint8_t *bits = gcbits_alloc(words, &place);
    if (bits == NULL) return false;
    record_drop_block(s);
    s->bits = bits;
    s->bits_words = (uint16_t)words;
    s->bits_place = place;
    return true;
}

/* The record at number i of a slab that is in our hands loses what it has.  How often it was
 * pushed. */
static uint64_t record_settle(uint32_t i)
{
    struct span *s = heap_span_at(i);
    check(s->state == SPAN_DEAD && !s->in_set);
    record_drop_block(s);
    return s->set_node.pushes;
}

size_t span_records_release(void)
{
    struct slabs *p = &heap->span_records;
    lock_acquire(&heap->lock);
    uint32_t first = slabs_take_empty(p);
    lock_release(&heap->lock);
    if (first == SLAB_NONE) return 0;
    uint64_t most = *slabs_note(p, first);
    for (uint32_t i = first; i < first + p->each; i++) {
        uint64_t pushes = record_settle(i);
        most = pushes > most ? pushes : most;
    }
    *slabs_note(p, first) = most;
    bool gone = os_mem_release(heap_span_at(first), p->bytes) == 0;
    lock_acquire(&heap->lock);
    slabs_put_back(p, first, gone);
    lock_release(&heap->lock);
    return gone ? p->bytes : 0;
}

/* Gives the record marks, all closed, and allocation bits, all zero, for nelems slots.  An address
 * in the span leads to one of `reach` bytes, nelems or more. */
static bool record_fit_bits(struct span *s, uint32_t nelems, uint32_t reach)
{
    uint32_t words = gcbits_words(nelems);
    s->inline_bits = 0;
    s->alloc_bits = &s->inline_bits;
    s->marks = s->inline_marks;
    if (reach > INLINE_MARKS) {
        check(reach <= words * 64);
        if (!record_fit_block(s, words)) return false;
        s->marks = s->bits;
    }
    if (words > 1) {
        s->alloc_bits = gcbits_of_block(s->bits, s->bits_words);
        memset(s->alloc_bits, 0, words * sizeof(uint64_t));
    }
    memset(s->marks, SLOT_CLOSED, reach > INLINE_MARKS ? words * 64 : INLINE_MARKS);
    return true;
}

/* Indices to which addresses in a span of this class lead: the tail belongs to no slot, but the
 * marker does not look. */
static uint32_t mark_reach(const struct size_class *row, bool noscan)
{
    uint32_t last = (row->npages[noscan] * PAGE_BYTES - 1) / row->size;
    return last >= row->nelems[noscan] ? last + 1 : row->nelems[noscan];
}

/* ---- pages ----------------------------------------------------------------------------------- */

static bool heap_grow_locked(size_t npages)
{
    uintptr_t base;
    size_t size;
    if (npages > 2 * LARGE_MAX >> PAGE_SHIFT) return false;
    if (!arena_grow_locked(npages << PAGE_SHIFT, &base, &size)) return false;
    if (!pagealloc_grow(&heap->pages, base, size)) {
        os_mem_unmap((void *)base, size);
        return false;
    }
    scav_grown_locked(base, size);
    atomic_fetch_add_relaxed(&heap->mapped, size);
    atomic_fetch_add_relaxed(&heap->released, size);
    atomic_fetch_add_relaxed(&heap->arena_grows, 1);
    return true;
}

/* From the P's window, which it exchanges for another once it is used up.  *rung moves on when it
 * had to go further (struct heap_ladder). */
static struct page_run pages_from_cache(struct mcache *c, size_t npages, uint64_t **rung)
{
    struct page_run window = { .base = 0 }; /* what taking it changed */
    if (pagecache_empty(&c->pages)) {
        *rung = &heap->from_page_heap;
        lock_acquire(&heap->lock);
        c->pages = pagealloc_take_window(&heap->pages, &window);
        if (pagecache_empty(&c->pages) && heap_grow_locked(PAGE_CACHE_PAGES)) {
            *rung = &heap->from_kernel;
            c->pages = pagealloc_take_window(&heap->pages, &window);
        }
        lock_release(&heap->lock);
    }
    struct page_run r = pagecache_alloc(&c->pages, npages);
    if (r.scavenged != 0) r.scavenged += scav_populate(&c->pages, r.base, npages);
    r.scavenged += window.scavenged;
    r.grown = window.grown;
    return r;
}

static struct page_run pages_from_heap(size_t npages, size_t align_pages, uint64_t **rung)
{
    *rung = &heap->from_page_heap;
    lock_acquire(&heap->lock);
    struct page_run r = pagealloc_alloc(&heap->pages, npages, align_pages);
    if (r.base == 0 && heap_grow_locked(npages + align_pages - 1)) {
        *rung = &heap->from_kernel;
        r = pagealloc_alloc(&heap->pages, npages, align_pages);
    }
    lock_release(&heap->lock);
    return r;
}

/* counter: heap->in_use or heap->manual. */
static struct page_run pages_alloc(struct mcache *c, size_t npages, size_t align_pages,
                                   uint64_t *counter)
{
    struct page_run r = { .base = 0 };
    uint64_t *rung = &heap->from_page_cache;
    if (c != NULL && npages <= PAGE_CACHE_MAX_RUN && align_pages == 1)
        r = pages_from_cache(c, npages, &rung);
    if (r.base == 0) {
        struct page_run window = r; /* taken, but has no room */
        r = pages_from_heap(npages, align_pages, &rung);
        r.scavenged += window.scavenged;
        r.grown += window.grown;
    }
    if (r.scavenged != 0) {
        atomic_fetch_sub_relaxed(&heap->released, r.scavenged << PAGE_SHIFT);
        scav_assist(r.scavenged << PAGE_SHIFT, r.grown);
    }
    if (r.base == 0) return r;
    if (counter == &heap->in_use) atomic_fetch_add_relaxed(rung, 1);
    atomic_fetch_add_relaxed(counter, npages << PAGE_SHIFT);
    return r;
}

_Static_assert(SLOT_PAGES_MAX <= PAGE_NUMBERS, "a page's number in its span has room");

uint64_t span_page_info(const struct span *s, uintptr_t page)
{
    if (s->state != SPAN_IN_USE) return 0;
    uint64_t noscan = span_is_noscan(s) ? PAGE_NOSCAN : 0;
    if (span_is_large(s)) return (PAGE_OTHER | noscan) << PAGE_KIND_SHIFT;
    uint64_t number = (page - s->base) / PAGE_BYTES;
    return (span_class_size_class(s->span_class) | noscan) << PAGE_KIND_SHIFT |
           number << PAGE_NUMBER_SHIFT | (uintptr_t)s->marks;
}

/* What its state says of its pages.  Release: who sees a page's word sees its span. */
static void set_page_infos(const struct span *s)
{
    uintptr_t end = s->base + (s->npages << PAGE_SHIFT);
    for (uintptr_t a = s->base; a < end; a += PAGE_BYTES)
        atomic_store_release(&arena_of(a)->page_info[arena_page_index(a)], span_page_info(s, a));
}

/* Makes the span visible; the fields are written. */
static void publish(struct span *s, unsigned state)
{
    arena_set_spans(s->base, s->npages, s);
    atomic_store_release(&s->state, (uint8_t)state); /* pairs with span_state_of */
    if (state == SPAN_IN_USE) {
        struct arena *a = arena_of(s->base);
        arena_bit_set(a->in_use_pages, s->base);
        set_page_infos(s);
    }
    atomic_fetch_add_relaxed(&heap->span_allocs, 1);
}

/* Note [Fenced pages]. */
static cold_path void fence_pages(uintptr_t base, size_t npages)
{
    size_t bytes = npages << PAGE_SHIFT;
    os_mem_release((void *)base, bytes);
    int error = os_mem_guard((void *)base, bytes);
    if (error != 0)
        throw_fmt(
            "out of memory: freed memory can not be made inaccessible (error %d) after %lu MB "
            "of it: too many mappings (see vm.max_map_count)",
            error, (unsigned long)(atomic_load_relaxed(&heap->fenced) / MB));
    atomic_fetch_add_relaxed(&heap->fenced, bytes);
    atomic_fetch_add_relaxed(&heap->released, bytes);
    atomic_fetch_add_relaxed(&heap->debug.fenced, 1);
}

static void give_pages_back(uintptr_t base, size_t npages)
{
    lock_acquire(&heap->lock);
    pagealloc_free(&heap->pages, base, npages);
    lock_release(&heap->lock);
}

/* Hides the span and gives its pages back; the record is the caller's. */
static void release_pages(struct span *s, uint64_t *counter)
{
    bool in_use = s->state == SPAN_IN_USE;
    struct arena *a = arena_of(s->base);
    check(s->specials == NULL);
    atomic_store_release(&s->state, SPAN_DEAD);
    if (in_use) {
        arena_bit_clear(a->in_use_pages, s->base);
        set_page_infos(s);
    }
    arena_set_spans(s->base, s->npages, NULL);
    if (in_use && heap->params.poison) poison_close(s->base, s->npages << PAGE_SHIFT);
    if (unlikely(in_use && heap->params.never_reuse))
        fence_pages(s->base, s->npages);
    else
        give_pages_back(s->base, s->npages);
    atomic_fetch_sub_relaxed(counter, s->npages << PAGE_SHIFT);
    atomic_fetch_add_relaxed(&heap->span_frees, 1);
}

/* ---- spans ----------------------------------------------------------------------------------- */

/* Note [Reclaim before growth].  While spans are left to sweep, who makes a span first sweeps spans
 * that carry no mark until as many pages are free as it wants.  Else a heap full of garbage would
 * grow by all that is allocated before the sweeper has got to it.  Not for manual spans: the
 * collector makes those, under its own locks. */
static void reclaim_first(size_t npages)
{
    if (unlikely(!heap_sweep_done())) heap_sweep_reclaim(npages);
}

static void init_common(struct span *s, struct page_run r, size_t npages)
{
    s->base = r.base;
    s->npages = npages;
    s->need_zero = r.zeroed != npages;
    s->free_index = 0;
    s->alloc_count = 0;
    s->large_size = 0;
    s->large_type = NULL;
    s->large_zeroed = 0;
    s->manual_counter = NULL;
    s->alloc_cycle = heap_sweepgen() / 2;
    if (unlikely(heap->params.poison)) poison_open(r.base, npages << PAGE_SHIFT);
    atomic_store_relaxed(&s->sweepgen, heap_sweepgen()); /* published by the state */
}

static void init_small(struct span *s, struct page_run r, unsigned spc)
{
    const struct size_class *row = span_class_row(spc);
    bool noscan = span_class_noscan(spc);
    init_common(s, r, row->npages[noscan]);
    s->span_class = (uint8_t)spc;
    s->elem_size = row->size;
    s->div_magic = row->div_magic;
    s->nelems = row->nelems[noscan];
    s->limit = s->base + (uintptr_t)s->nelems * s->elem_size;
    s->layout = noscan                    ? LAYOUT_NOSCAN
                : row->size <= BITMAP_MAX ? LAYOUT_BITMAP
                                          : LAYOUT_TYPED_FOOTER;
    if (s->layout == LAYOUT_BITMAP && s->need_zero)
        memset(span_pointer_bitmap(s), 0, SPAN_POINTER_BITMAP);
    if (unlikely(heap->params.poison)) poison_close(s->base, s->limit - s->base);
}

struct span *span_alloc_small(struct mcache *c, unsigned spc)
{
    const struct size_class *row = span_class_row(spc);
    bool noscan = span_class_noscan(spc);
    reclaim_first(row->npages[noscan]);
    struct span *s = record_take(c);
    if (s == NULL) return NULL;
    struct page_run r = { .base = 0 };
    if (record_fit_bits(s, row->nelems[noscan], mark_reach(row, noscan)))
        r = pages_alloc(c, row->npages[noscan], 1, &heap->in_use);
    if (r.base == 0) {
        record_untake(c, s);
        return NULL;
    }
    init_small(s, r, spc);
    publish(s, SPAN_IN_USE);
    return s;
}

static void init_large(struct span *s, struct page_run r, size_t npages, size_t size, bool noscan)
{
    init_common(s, r, npages);
    s->span_class = noscan ? LARGE_NOSCAN_CLASS : LARGE_SCAN_CLASS;
    s->elem_size = 0;
    s->div_magic = 0;
    s->nelems = 1;
    s->limit = s->base + (npages << PAGE_SHIFT);
    s->layout = noscan ? LAYOUT_NOSCAN : LAYOUT_LARGE;
    s->free_index = 1;
    s->alloc_count = 1;
    s->large_size = size;
    s->large_zeroed = noscan;
    s->marks[0] = SLOT_WHITE;
}

#define ZERO_BY_KERNEL_MIN (MB / PAGE_BYTES)         /* pages; shorter runs are zeroed by hand, */
#define ZERO_BY_KERNEL_ALWAYS (32 * MB / PAGE_BYTES) /* longer ones by the kernel */

/* Some pages of a long run hold old bytes.  Zeroing all of it by hand would bring in memory that
 * has not been touched, and perhaps never will be: the kernel takes the pages back instead, when at
 * least half of them are zero, and in any case when the run is so long that programs seldom touch
 * all of it. */
static void zero_by_kernel(struct page_run *r, size_t npages)
{
    if (r->zeroed == npages || npages < ZERO_BY_KERNEL_MIN) return;
    if (r->zeroed < npages / 2 && npages < ZERO_BY_KERNEL_ALWAYS) return;
    if (os_mem_release((void *)r->base, npages << PAGE_SHIFT) == 0) r->zeroed = npages;
}

struct span *span_alloc_large(struct mcache *c, size_t size, size_t align, bool noscan)
{
    if (size > LARGE_MAX || align > LARGE_MAX) return NULL;
    size_t npages = size == 0 ? 1 : div_up(size, PAGE_BYTES);
    size_t align_pages = align <= PAGE_BYTES ? 1 : align >> PAGE_SHIFT;
    reclaim_first(npages);
    struct span *s = record_take(c);
    if (s == NULL) return NULL;
    record_fit_bits(s, 1, 1); /* inline: can not fail */
    struct page_run r = pages_alloc(c, npages, align_pages, &heap->in_use);
    if (r.base == 0) {
        record_untake(c, s);
        return NULL;
    }
    zero_by_kernel(&r, npages);
    init_large(s, r, npages, size, noscan);
    publish(s, SPAN_IN_USE);
    atomic_fetch_add_relaxed(&heap->large_allocs, 1);
    atomic_fetch_add_relaxed(&heap->large_alloc_bytes, npages << PAGE_SHIFT);
    heap_live_add((int64_t)(npages << PAGE_SHIFT));
    mcentral_put_swept(s);
    return s;
}

struct span *span_alloc_manual(size_t npages, uint64_t *counter)
{
    struct span *s = record_take(NULL);
    if (s == NULL) return NULL;
    record_fit_bits(s, 1, 1);
    struct page_run r = pages_alloc(NULL, npages, 1, &heap->manual);
    if (r.base == 0) {
        record_untake(NULL, s);
        return NULL;
    }
    init_common(s, r, npages);
    s->span_class = LARGE_NOSCAN_CLASS;
    s->elem_size = s->div_magic = s->nelems = 0;
    s->layout = LAYOUT_NOSCAN;
    s->limit = s->base + (npages << PAGE_SHIFT);
    s->manual_counter = counter;
    publish(s, SPAN_MANUAL);
    if (counter != NULL) atomic_fetch_add_relaxed(counter, npages << PAGE_SHIFT);
    return s;
}

/* Its block goes first, for once the record is pushed it is another's; but not while markers may
 * look at it. */
static void record_free(struct span *s)
{
    if (likely(!heap->hold_reuse)) record_drop_block(s); /* changes with the world stopped only */
    lock_acquire(&heap->lock);
    record_push_locked(s);
    lock_release(&heap->lock);
}

void span_free_manual(struct span *s)
{
    check(s->state == SPAN_MANUAL);
    if (s->manual_counter != NULL)
        atomic_fetch_sub_relaxed(s->manual_counter, s->npages << PAGE_SHIFT);
    release_pages(s, &heap->manual);
    record_free(s);
}

void span_free(struct span *s)
{
    check(s->state == SPAN_IN_USE && !s->in_set && s->alloc_count == 0);
    release_pages(s, &heap->in_use);
    record_free(s);
}

void span_free_pages(struct span *s)
{
    check(s->state == SPAN_IN_USE && s->alloc_count == 0);
    release_pages(s, &heap->in_use);
}

void span_free_tombstone(struct span *s)
{
    check(s->state == SPAN_DEAD && !s->in_set);
    record_free(s);
}

void span_settle(struct span *s)
{
    uint32_t place, words = s->bits_words;
    uint8_t *from = s->bits, *to = gcbits_copy_better(words, s->bits_place, &place);
    if (to == NULL) return;
    if (s->marks == from) s->marks = to;
    if (s->alloc_bits != &s->inline_bits) s->alloc_bits = gcbits_of_block(to, words);
    s->bits = to;
    set_page_infos(s);
    gcbits_free(words, s->bits_place);
    s->bits_place = place;
}

/* ---- looking --------------------------------------------------------------------------------- */

uint32_t span_count_free_from(const struct span *s, uint32_t first)
{
    uint32_t n = 0, words = gcbits_words(s->nelems);
    for (uint32_t w = first / 64; w < words; w++)
        n += bits_popcount64(span_free_slots(s, w, first));
    return n;
}

void span_print(const struct span *s)
{
    static const char *const states[] = { "dead", "in use", "manual" };
    print_err("span %p: %s, pages %p..%p, class %u, slot %zu x %u, allocated %u, free index %u, "
              "sweepgen %u of %u%s\n",
              (const void *)s, states[s->state % 3], (void *)s->base,
              (void *)(s->base + (s->npages << PAGE_SHIFT)), s->span_class, span_elem_size(s),
              s->nelems, s->alloc_count, s->free_index, s->sweepgen, heap_sweepgen(),
              s->in_set ? ", in a set" : "");
}

/* Note [Marks]: of a span that no P has cached, free slots are closed and marked ones allocated. */
static const char *validate_marks(const struct span *s)
{
    uint32_t g = heap_sweepgen(), bytes = span_mark_bytes(s);
    bool cached = s->sweepgen == g + 3 || s->sweepgen == g + 1;
    for (uint32_t i = 0; i < bytes; i++) {
        unsigned mark = span_slot_mark(s, i);
        if (mark != SLOT_WHITE && mark != SLOT_MARKED && mark != SLOT_CLOSED)
            return "span: no such mark";
        if (i >= s->nelems && mark != SLOT_CLOSED) return "span: a mark beyond the last slot";
        if (i >= s->nelems || cached) continue;
        if (mark != SLOT_CLOSED && !span_is_slot_allocated(s, i))
            return "span: a free slot is open";
    }
    return NULL;
}

static const char *validate_bits(const struct span *s)
{
    uint32_t words = gcbits_words(s->nelems);
    if (s->marks != s->inline_marks && (s->marks != s->bits || s->bits == NULL))
        return "span: marks are not the record's";
    if (s->marks != s->inline_marks && words > s->bits_words) return "span: block too short";
    if (words > 1 && (s->bits == NULL || words > s->bits_words)) return "span: block too short";
    if (s->alloc_bits != (words > 1 ? gcbits_of_block(s->bits, s->bits_words) : &s->inline_bits))
        return "span: bits are not the record's";
    if (s->nelems % 64 != 0 && s->alloc_bits[words - 1] >> (s->nelems % 64) != 0)
        return "span: a bit beyond the last slot";
    return validate_marks(s);
}

static const char *validate_shape(const struct span *s)
{
    if (s->base % PAGE_BYTES != 0 || s->npages == 0) return "span: pages";
    if (span_is_large(s)) {
        if (s->nelems != 1 || s->div_magic != 0 || s->span_class > 1) return "span: large shape";
        if (s->large_size > s->npages << PAGE_SHIFT) return "span: large object does not fit";
        return NULL;
    }
    const struct size_class *row = span_class_row(s->span_class);
    if (s->elem_size != row->size || s->npages != row->npages[span_is_noscan(s)])
        return "span: shape of its class";
    if (s->nelems != row->nelems[span_is_noscan(s)]) return "span: slots of its class";
    if (s->limit != s->base + (uintptr_t)s->nelems * s->elem_size) return "span: limit";
    return NULL;
}

const char *span_validate_stw(const struct span *s)
{
    if (s->state == SPAN_DEAD) return NULL;
    for (size_t i = 0; i < s->npages; i++) {
        uintptr_t page = s->base + (i << PAGE_SHIFT);
        if (span_of(page) != s) return "span: a page of it does not lead to it";
        if (pagealloc_is_free(&heap->pages, page)) return "span: a page of it is free";
    }
    if (s->state == SPAN_MANUAL) return NULL;
    const char *e = validate_shape(s);
    if (e == NULL) e = validate_bits(s);
    if (e != NULL) return e;
    if (s->free_index > s->nelems || s->alloc_count > s->nelems) return "span: counts";
    /* Published or not cached: the counts agree with the bits. */
    if (s->alloc_count != s->nelems - span_count_free_from(s, s->free_index))
        return "span: allocated slots are not what its bits say";
    if (!arena_bit(arena_of(s->base)->in_use_pages, s->base)) return "span: not listed as in use";
    bool special = arena_bit(arena_of(s->base)->special_pages, s->base);
    if (special != (s->specials != NULL)) return "span: listing of specials";
    return NULL;
}
