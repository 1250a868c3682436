// The validator: a heap in which one thing was broken by hand is found not to be whole, and the
// message names that thing.  Every finding of heap_validate.c, and those of spans and caches, is
// produced here.
//
// Each case runs in a child, on a heap with spans in every state.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <sys/wait.h>

#include "heap_test.h"

enum { SMALL = 2 * 4 }; // a span class of more than 64 slots, not a multiple of 64

static struct mcache *cache[2];
static struct span *partial; // in the central partial set, swept, some slots free
static struct span *full;    // in the central full set
static struct span *held;    // cache[0]'s, with a window open
static struct span *large, *noscan, *manual;
static struct special special[3];
static uint64_t counter;

static struct span *span_at(uintptr_t p)
{
    return span_of(p);
}

// Gives cache[0]'s spans back, keeping what is allocated.
static void settle(void)
{
    mcache_flush(cache[0]);
}

static void build(void)
{
    heap_start();
    for (int i = 0; i < 2; i++)
        cache[i] = new_cache();
    for (unsigned spc = 2; spc < SPAN_CLASSES; spc++)
        CHECK_NE(take(cache[0], spc), 0);
    uintptr_t p = take(cache[0], SMALL);
    partial = span_at(p);
    CHECK_GT(partial->nelems, 64);
    settle();
    CHECK(partial->in_set);
    // A span whose slots are all taken.
    p = take(cache[0], 2 * 40);
    full = span_at(p);
    while (span_at(take(cache[0], 2 * 40)) == full)
        ;
    settle();
    CHECK_EQ(full->alloc_count, full->nelems);
    CHECK(full->in_set);
    held = span_at(take(cache[0], 2 * 20));
    large = span_alloc_large(cache[0], 100 * KB, 8, false);
    noscan = span_alloc_large(cache[0], 300 * KB, 8, true);
    manual = span_alloc_manual(4, &counter);
    CHECK(large != NULL && noscan != NULL && manual != NULL);
    CHECK_NE(take(cache[1], SMALL), 0); // partial may be its span now
    mcache_flush(cache[1]);
    CHECK_NE(take(cache[1], 2 * 30), 0);
    prove_whole(cache, 2);
}

// ---- the frame of a case ------------------------------------------------------------------------

struct test_case {
    void (*corrupt)(void);
    const char *message, *name;
};
static struct test_case all[128];
static size_t ncases;

static void add_case(void (*corrupt)(void), const char *message, const char *name)
{
    CHECK_LT(ncases, array_len(all));
    all[ncases++] = (struct test_case){ corrupt, message, name };
}

// Defines what breaks the heap, and the finding that it must lead to.
#define CASE(id, message)                                                                          \
    static void id(void);                                                                          \
    __attribute__((constructor)) static void add_##id(void)                                        \
    {                                                                                              \
        add_case(id, message, #id);                                                                \
    }                                                                                              \
    static void id(void)

static void run_in_child(const struct test_case *c)
{
    alarm(60);
    build();
    c->corrupt();
    dup2(open("/dev/null", O_WRONLY), 2); // it prints the span
    const char *e = heap_validate_stw(cache, 2);
    if (e != NULL && strcmp(e, c->message) == 0) _exit(0);
    dprintf(1, "%s: expected \"%s\", found \"%s\"\n", c->name, c->message, e == NULL ? "whole" : e);
    _exit(1);
}

static void run_case(const struct test_case *c)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) run_in_child(c);
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (status != 0) dprintf(1, "%s: status %x\n", c->name, (unsigned)status);
    CHECK_EQ(status, 0);
}

static struct arena *arena(const struct span *s)
{
    return arena_of(s->base);
}

static struct span **page_entry(const struct span *s, size_t page)
{
    uintptr_t addr = s->base + (page << PAGE_SHIFT);
    return &arena_of(addr)->spans[arena_page_index(addr)];
}

static struct mcentral *central(const struct span *s)
{
    return &heap->central[s->span_class];
}

// ---- spans --------------------------------------------------------------------------------------

CASE(page_forgotten, "span: a page of it does not lead to it")
{
    *page_entry(large, 3) = NULL;
}

CASE(page_freed, "span: a page of it is free")
{
    pagealloc_free(&heap->pages, large->base + PAGE_BYTES, 1);
}

CASE(base_moved, "span: pages")
{
    partial->base += 8;
}

CASE(large_with_a_divisor, "span: large shape")
{
    large->div_magic = 1;
}

CASE(large_too_large, "span: large object does not fit")
{
    large->large_size = (large->npages << PAGE_SHIFT) + 1;
}

CASE(slot_size, "span: shape of its class")
{
    partial->elem_size += 8;
}

CASE(slot_count, "span: slots of its class")
{
    partial->nelems--;
}

CASE(end_of_slots, "span: limit")
{
    partial->limit -= 8;
}

static uint8_t foreign_bits[GCBITS_MAX_WORDS * 72] __attribute__((aligned(8)));

CASE(short_marks_elsewhere, "span: marks are not the record's")
{
    large->marks = foreign_bits;
}

CASE(long_marks_elsewhere, "span: marks are not the record's")
{
    partial->marks = foreign_bits;
}

CASE(short_bits_elsewhere, "span: bits are not the record's")
{
    large->alloc_bits = gcbits_of_block(foreign_bits, 1);
}

CASE(long_bits_elsewhere, "span: bits are not the record's")
{
    partial->alloc_bits = gcbits_of_block(foreign_bits, 2);
}

CASE(short_block, "span: block too short")
{
    partial->bits_words = 1;
}

CASE(bit_beyond_the_end, "span: a bit beyond the last slot")
{
    CHECK_NE(partial->nelems % 64, 0);
    gcbits_set_single(partial->alloc_bits, partial->nelems);
}

CASE(mark_beyond_the_end, "span: a mark beyond the last slot")
{
    CHECK_NE(partial->nelems % 64, 0);
    partial->marks[partial->nelems] = SLOT_WHITE;
}

CASE(strange_mark, "span: no such mark")
{
    partial->marks[0] = 2;
}

CASE(open_to_marks, "span: a free slot is open")
{
    CHECK(!span_is_slot_allocated(partial, partial->nelems - 1u));
    partial->marks[partial->nelems - 1] = SLOT_WHITE;
}

CASE(free_index_beyond_the_end, "span: counts")
{
    partial->free_index = (uint16_t)(partial->nelems + 1);
}

CASE(count_too_high, "span: allocated slots are not what its bits say")
{
    partial->alloc_count++;
}

CASE(allocation_bit, "span: allocated slots are not what its bits say")
{
    gcbits_set_single(partial->alloc_bits, partial->nelems - 1u);
}

CASE(not_listed, "span: not listed as in use")
{
    arena_bit_clear(arena(full)->in_use_pages, full->base);
}

CASE(special_bit, "span: listing of specials")
{
    arena_bit_set(arena(full)->special_pages, full->base);
}

// ---- records ------------------------------------------------------------------------------------

CASE(state, "record: no such state")
{
    partial->state = 3;
}

CASE(generation, "record: sweep generation")
{
    partial->sweepgen = heap_sweepgen() + 6;
}

CASE(bits_of_nobody, "sum: blocks of bits")
{
    uint32_t place;
    CHECK(gcbits_alloc(4, &place) != NULL);
}

CASE(record_lost, "sum: span records")
{
    CHECK(cache[0]->nspan_records > 0);
    cache[0]->nspan_records--;
}

// ---- specials -----------------------------------------------------------------------------------

static void add_special(int i, uint32_t slot, enum special_kind kind)
{
    special[i] = (struct special){ .kind = kind };
    CHECK(special_add(full, span_slot(full, slot), &special[i]));
}

CASE(special_kind, "special: no such kind")
{
    add_special(0, 0, SPECIAL_WEAK);
    special[0].kind = SPECIAL_KINDS;
}

CASE(special_outside, "special: in no slot")
{
    add_special(0, 0, SPECIAL_WEAK);
    special[0].offset = full->npages << PAGE_SHIFT;
}

CASE(special_of_a_free_slot, "special: of a free slot")
{
    special[0] = (struct special){ .kind = SPECIAL_WEAK };
    CHECK(special_add(partial, span_slot(partial, partial->nelems - 1u), &special[0]));
}

CASE(specials_unsorted, "special: order")
{
    add_special(0, 0, SPECIAL_WEAK);
    add_special(1, 1, SPECIAL_WEAK);
    special[0].offset = special[1].offset;
    special[1].offset = 0;
}

CASE(specials_linked_one_way, "special: links")
{
    add_special(0, 0, SPECIAL_WEAK);
    add_special(1, 1, SPECIAL_WEAK);
    special[0].prev = NULL;
}

CASE(two_of_a_kind, "special: order")
{
    add_special(0, 0, SPECIAL_WEAK);
    add_special(1, 0, SPECIAL_CLEANUP);
    special[1].kind = SPECIAL_WEAK;
}

CASE(specials_in_a_circle, "special: a circle")
{
    for (int i = 0; i < 3; i++)
        add_special(i, 0, SPECIAL_CLEANUP);
    special[0].next = &special[1];
}

// ---- sets ---------------------------------------------------------------------------------------

CASE(member_unaware, "set: a member does not know it")
{
    partial->in_set = 0;
}

CASE(member_of_another_class, "set: a span of another class")
{
    spanset_push(mcentral_partial_swept(&heap->central[4], heap_sweepgen()),
                 spanset_pop(mcentral_partial_swept(central(partial), heap_sweepgen())));
}

CASE(unswept_among_the_swept, "set: sweep generation")
{
    partial->sweepgen = heap_sweepgen() - 2;
}

CASE(full_among_the_partial, "set: full and partial mixed up")
{
    uint32_t g = heap_sweepgen();
    struct span *s = spanset_pop(mcentral_full_swept(central(full), g));
    spanset_push(mcentral_partial_swept(central(full), g), s);
}

CASE(empty_kept, "set: an empty span is kept")
{
    struct span *s = span_alloc_small(cache[0], 2 * 50);
    CHECK(s != NULL);
    spanset_push(mcentral_partial_swept(central(s), heap_sweepgen()), s);
}

// Its pages are gone, as if sweeping had reclaimed them; but it stays among the swept.
CASE(dead_among_the_swept, "set: a dead span is listed as swept")
{
    struct span *s = span_alloc_small(cache[0], 2 * 50);
    CHECK(s != NULL);
    spanset_push(mcentral_partial_swept(central(s), heap_sweepgen()), s);
    span_free_pages(s);
}

CASE(set_in_a_circle, "set: more members than there are spans")
{
    partial->set_node.next = mcentral_partial_swept(central(partial), heap_sweepgen())->stack.head;
}

CASE(span_lost, "sum: a span is in no set and in no cache")
{
    spanset_pop(mcentral_partial_swept(central(partial), heap_sweepgen()));
}

CASE(tombstone_lost, "sum: span records")
{
    struct span *s = span_alloc_small(cache[0], 2 * 50);
    CHECK(s != NULL);
    span_free_pages(s); // a dead record in nobody's hands
}

// ---- arenas -------------------------------------------------------------------------------------

CASE(table_entry_lost, "arena: not in the table")
{
    // A second arena, with nothing in it.
    struct span *s = span_alloc_large(cache[0], 2 * ARENA_BYTES, 8, true);
    uintptr_t last = s->base + ARENA_BYTES;
    CHECK(arena_of(last) != NULL);
    heap->large_frees++;
    heap->large_free_bytes += s->npages << PAGE_SHIFT;
    spanset_pop(mcentral_full_swept(central(s), heap_sweepgen()));
    s->alloc_count = 0;
    span_free(s);
    prove_whole(cache, 2);
    arena_table[last >> ARENA_SHIFT] = NULL;
}

CASE(page_of_a_dead_span, "arena: a page leads to a dead span")
{
    struct span *dead = cache[0]->span_records[0];
    CHECK_EQ(dead->state, SPAN_DEAD);
    *page_entry(manual, manual->npages) = dead; // nobody's page
}

CASE(page_of_another_span, "arena: a page leads to a span that it is no part of")
{
    *page_entry(manual, manual->npages) = manual;
}

CASE(kind_lost, "arena: kind of a page")
{
    arena(noscan)->page_info[arena_page_index(noscan->base + PAGE_BYTES)] = 0;
}

CASE(kind_wrong, "arena: kind of a page")
{
    arena(large)->page_info[arena_page_index(large->base)] ^= (uint64_t)PAGE_NOSCAN
                                                              << PAGE_KIND_SHIFT;
}

CASE(in_use_bit_too_many, "arena: listing of spans in use")
{
    arena_bit_set(arena(large)->in_use_pages, large->base + PAGE_BYTES);
}

CASE(special_bit_too_many, "arena: listing of specials")
{
    arena_bit_set(arena(large)->special_pages, large->base + PAGE_BYTES);
}

// ---- caches and lists ---------------------------------------------------------------------------

static void use_class(struct mcache *c, unsigned spc)
{
    c->used[spc / 64] |= (uint64_t)1 << spc % 64;
}

CASE(cached_twice, "sum: a span is in two caches, or in none and says so")
{
    unsigned spc = held->span_class;
    CHECK(cache[1]->spans[spc] != held);
    cache[1]->spans[spc] = held;
    use_class(cache[1], spc);
    cache[1]->next_window[spc] = cache[0]->next_window[spc];
    cache[1]->fast.classes[spc] = cache[0]->fast.classes[spc];
}

CASE(class_not_in_use, "cache: a span of a class that is not in use")
{
    unsigned spc = held->span_class;
    cache[0]->used[spc / 64] &= ~((uint64_t)1 << spc % 64);
}

CASE(counts_not_in_use, "cache: counts of a class that is not in use")
{
    unsigned i = SIZE_CLASSES - 1;
    while ((cache[0]->used[i / 32] >> i * 2 % 64 & 3) != 0)
        i--;
    cache[0]->small_free_count[i] = 1;
}

CASE(says_that_it_is_cached, "sum: a span is in two caches, or in none and says so")
{
    // In no set either.
    spanset_pop(mcentral_partial_swept(central(partial), heap_sweepgen()));
    partial->sweepgen = heap_sweepgen() + 3;
}

CASE(cached_of_another_class, "cache: a span of another class")
{
    cache[0]->spans[held->span_class ^ 1] = held;
    use_class(cache[0], held->span_class ^ 1);
}

CASE(cached_in_a_set, "cache: a cached span is in a set")
{
    held->in_set = 1;
}

CASE(record_in_use, "cache: a span record is not free")
{
    CHECK(cache[0]->nspan_records > 0);
    cache[0]->span_records[0] = partial;
}

// Two records that wait for the end of marking.
static void held_records(void)
{
    heap->hold_reuse = 1;
    CHECK_GT(cache[0]->nspan_records, 2);
    cache[0]->span_records[2]->next_free = cache[0]->span_records[1];
    heap->held_records = cache[0]->span_records[2];
    cache[0]->span_records[1] = cache[0]->span_records[--cache[0]->nspan_records];
    cache[0]->span_records[2] = cache[0]->span_records[--cache[0]->nspan_records];
    prove_whole(cache, 2);
}

CASE(list_with_a_used_record, "list: a free record is not free")
{
    held_records();
    heap->held_records->next_free = partial;
}

CASE(list_in_a_circle, "list: free records form a circle")
{
    held_records();
    heap->held_records->next_free->next_free = heap->held_records;
}

CASE(list_held_on, "list: records are held while reuse is not")
{
    held_records();
    heap->hold_reuse = 0;
}

CASE(record_held_twice, "sum: span records")
{
    held_records();
    cache[0]->span_records[cache[0]->nspan_records++] = heap->held_records;
}

// ---- slabs --------------------------------------------------------------------------------------

static struct slab *first_slab(void)
{
    return heap->span_records.described[0];
}

CASE(slab_with_a_used_record, "list: a free record is not free")
{
    slabs_give(&heap->span_records, partial->place - 1);
}

CASE(slab_record_listed_twice, "sum: span records")
{
    slabs_give(&heap->span_records, cache[0]->span_records[0]->place - 1);
}

CASE(slab_numbers, "record: its number")
{
    struct span *s = cache[0]->span_records[--cache[0]->nspan_records];
    slabs_give(&heap->span_records, s->place - 1);
    s->place++;
}

CASE(slab_on_no_list, "slabs: a slab is on no list")
{
    for (unsigned i = 0; i < SLAB_LISTS; i++)
        heap->span_records.heads[i] = SLAB_NONE;
}

CASE(slab_links, "slabs: links")
{
    first_slab()->prev = 0;
}

CASE(slab_list, "slabs: a slab is on another list than its records say")
{
    first_slab()->free = ~first_slab()->free == 0 ? 1 : ~(uint64_t)0;
}

CASE(slab_in_use, "slabs: records in use")
{
    heap->span_records.in_use++;
}

CASE(slab_sparse, "slabs: sparse ones")
{
    heap->span_records.sparse++;
}

CASE(slab_awake, "slabs: bytes awake")
{
    heap->span_records.awake += SPAN_SLAB_BYTES;
}

CASE(window_page_of_a_span, "page cache: a page of it is a span's")
{
    struct page_cache *c = &cache[1]->pages;
    c->base = align_down(partial->base, PAGE_CACHE_PAGES * PAGE_BYTES);
    c->free = (uint64_t)1 << ((partial->base - c->base) >> PAGE_SHIFT);
    c->scavenged = 0;
}

CASE(window_page_free, "page cache: a page of it is free in the page heap")
{
    struct page_cache *c = &cache[0]->pages;
    CHECK_NE(c->free, 0);
    pagealloc_free(&heap->pages, c->base + ((uintptr_t)bits_ctz64(c->free) << PAGE_SHIFT), 1);
}

// ---- sums ---------------------------------------------------------------------------------------

CASE(sum_in_use, "sum: pages in use")
{
    heap->in_use += PAGE_BYTES;
}

CASE(sum_manual, "sum: manual pages")
{
    heap->manual -= PAGE_BYTES;
}

CASE(sum_released, "sum: released pages")
{
    heap->released += PAGE_BYTES;
}

CASE(sum_mapped, "sum: mapped pages")
{
    heap->mapped += PAGE_BYTES;
}

CASE(sum_pages_lost, "sum: mapped pages")
{
    struct page_run r = pagealloc_alloc(&heap->pages, 1, 1);
    CHECK_NE(r.base, 0);
    heap->released -= r.scavenged << PAGE_SHIFT;
}

CASE(sum_spans, "sum: spans made and freed")
{
    heap->span_allocs++;
}

CASE(sum_slots, "sum: slots of a class")
{
    heap->classes[9].allocs++;
}

CASE(sum_frees, "sum: slots of a class")
{
    heap->classes[9].frees++;
}

CASE(sum_large, "sum: large objects")
{
    heap->large_frees++;
}

CASE(sum_large_bytes, "sum: bytes of large objects")
{
    heap->large_alloc_bytes += PAGE_BYTES;
}

// ---- live bytes ---------------------------------------------------------------------------------

// Everything is swept and live, as after a collection.
static void live_as_marked(void)
{
    struct heap_stats h;
    heap_read_stats(&h);
    begin_sweep(cache, 2);
    heap_live_set_stw(0);
    finish_sweep();
    heap_read_stats(&h);
    CHECK_EQ(h.alloc, 0);
}

TEST(live_bytes)
{
    build();
    live_as_marked();
    CHECK(heap_validate_live_stw(cache, 2) == NULL);
    for (int i = 0; i < 5000; i++) {
        CHECK_NE(take(cache[i % 2], 2 + (unsigned)i % (SPAN_CLASSES - 2)), 0);
        if (i % 100 == 0) CHECK(heap_validate_live_stw(cache, 2) == NULL);
        if (i % 1000 == 0) mcache_flush(cache[0]);
    }
    CHECK(span_alloc_large(cache[0], 100 * KB, 8, false) != NULL);
    CHECK(heap_validate_live_stw(cache, 2) == NULL);
    heap_live_add(8);
    CHECK_STR_EQ(heap_validate_live_stw(cache, 2), "sum: live bytes");
    heap_live_add(-8);
    heap->counted += 16;
    CHECK_STR_EQ(heap_validate_live_stw(cache, 2), "sum: live bytes");
    heap->counted -= 16;
    heap->survived += 16;
    CHECK_STR_EQ(heap_validate_live_stw(cache, 2), "sum: more survived than was marked");
    heap->survived -= 16;
    prove_whole(cache, 2);
}

// What is no corruption is not reported: unswept spans, tombstones, held records.
TEST(states_of_a_sweep_are_whole)
{
    begin_sweep(cache, 2);
    prove_whole(cache, 2);
    heap_hold_records_stw(true);
    CHECK_GT(heap_sweep_reclaim(SIZE_MAX), 0); // leaves tombstones
    prove_whole(cache, 2);
    while (heap_sweep_some(10, SWEPT_FINISH) != 0)
        prove_whole(cache, 2);
    CHECK(heap->held_records != NULL);
    prove_whole(cache, 2);
    heap_hold_records_stw(false);
    prove_whole(cache, 2);
}

TEST(every_finding)
{
    for (size_t i = 0; i < ncases; i++)
        run_case(&all[i]);
}

int main(void)
{
    CHECK_GT(ncases, 60);
    RUN(every_finding);
    RUN(live_bytes);
    RUN(states_of_a_sweep_are_whole);
    return 0;
}
