// From addresses to objects; large, aligned and manual spans; reuse of pages.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/mman.h>

#include "heap_test.h"

static struct mcache *cache;

static void expect_nothing(uintptr_t addr)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    CHECK(!span_find_object(addr, &s, &i, &base));
}

static void expect_object(uintptr_t addr, const struct span *want, uint32_t index)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    CHECK(span_find_object(addr, &s, &i, &base));
    CHECK_PTR_EQ(s, want);
    CHECK_EQ(i, index);
    CHECK_EQ(base, span_slot(want, index));
}

// Every byte of a span of every class.
TEST(interior_pointers)
{
    for (unsigned spc = 2; spc < SPAN_CLASSES; spc++) {
        struct span *s = span_alloc_small(cache, spc);
        size_t size = span_class_elem_size(spc);
        CHECK_EQ(span_elem_size(s), size);
        for (uintptr_t a = s->base; a < s->base + s->npages * PAGE_BYTES; a++) {
            CHECK_PTR_EQ(span_of(a), s);
            if (a < s->limit)
                expect_object(a, s, (uint32_t)((a - s->base) / size));
            else
                expect_nothing(a);
        }
        if (size <= BITMAP_MAX && spc % 2 == 0)
            CHECK_LE(s->limit, (uintptr_t)span_pointer_bitmap(s));
        span_free(s);
        expect_nothing(s->base);
    }
    prove_whole(&cache, 1);
}

TEST(foreign_addresses)
{
    static int global;
    int local = 0;
    uint64_t seed = test_seed();
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t some[] = { 0,
                         1,
                         PAGE_BYTES,
                         (uintptr_t)&global,
                         (uintptr_t)&local,
                         (uintptr_t)mapped,
                         (uintptr_t)heap,
                         (uintptr_t)arena_table,
                         (uintptr_t)malloc(10),
                         (uintptr_t)1 << 46,
                         ((uintptr_t)1 << 47) - 1,
                         (uintptr_t)1 << 47,
                         (uintptr_t)1 << 63,
                         UINTPTR_MAX,
                         UINTPTR_MAX - 8191 };
    for (size_t i = 0; i < array_len(some); i++) {
        CHECK(span_of(some[i]) == NULL);
        expect_nothing(some[i]);
    }
    struct span *s = span_alloc_small(cache, 2);
    for (unsigned bit = 47; bit < 64; bit++) // the right address, but for a high bit
        expect_nothing(s->base | (uintptr_t)1 << bit);
    for (int i = 0; i < 1000000; i++) {
        uintptr_t a = test_random(&seed) >> (test_random(&seed) % 24);
        struct span *found = span_of(a);
        if (found != NULL) CHECK(a - found->base < found->npages * PAGE_BYTES);
    }
    span_free(s);
}

TEST(large_objects)
{
    static const size_t sizes[] = { SMALL_MAX + 1, 40000,   65536,        65537, MB,
                                    5 * MB + 3,    64 * MB, 130 * MB + 1, 0,     1 };
    struct span *spans[array_len(sizes)];
    for (size_t i = 0; i < array_len(sizes); i++) {
        uint64_t live = heap_live();
        bool noscan = i % 2;
        struct span *s = spans[i] = span_alloc_large(cache, sizes[i], 8, noscan);
        CHECK(s != NULL);
        CHECK(span_is_large(s));
        CHECK_EQ(s->layout, noscan ? LAYOUT_NOSCAN : LAYOUT_LARGE);
        CHECK_EQ(s->large_size, sizes[i]);
        CHECK_EQ(s->large_zeroed, noscan);
        CHECK_GE(span_elem_size(s), sizes[i]);
        CHECK_EQ(heap_live() - live, span_elem_size(s));
        expect_object(s->base, s, 0);
        expect_object(s->base + (sizes[i] ? sizes[i] - 1 : 0), s, 0);
        expect_object(s->limit - 1, s, 0);
        CHECK(span_is_slot_allocated(s, 0));
        CHECK_PTR_NE(span_of(s->limit), s);
        span_mark(s, 0);
        span_note_mark(s);
    }
    prove_whole(&cache, 1);
    CHECK(span_alloc_large(cache, SIZE_MAX, 8, false) == NULL);
    CHECK(span_alloc_large(cache, LARGE_MAX + 1, 8, false) == NULL);
    CHECK(span_alloc_large(cache, 100000, (size_t)1 << 63, false) == NULL);
    prove_whole(&cache, 1);
    // Every second one dies.
    for (size_t i = 0; i < array_len(sizes); i += 2)
        spans[i]->marks[0] = SLOT_WHITE;
    begin_sweep(&cache, 1);
    finish_sweep();
    for (size_t i = 0; i < array_len(sizes); i++)
        CHECK_EQ(span_state_of(spans[i]), i % 2 ? SPAN_IN_USE : SPAN_DEAD);
    prove_whole(&cache, 1);
    begin_sweep(&cache, 1);
    finish_sweep();
    struct heap_stats st;
    heap_read_stats(&st);
    CHECK_EQ(st.large_allocs, array_len(sizes));
    CHECK_EQ(st.large_frees, array_len(sizes));
    CHECK_EQ(st.large_alloc_bytes, st.large_free_bytes);
}

TEST(aligned_large_objects)
{
    struct span *spans[12];
    for (unsigned i = 0; i < array_len(spans); i++) {
        size_t align = (size_t)4096 << i;
        spans[i] = span_alloc_large(cache, 50000, align, true);
        CHECK_EQ(spans[i]->base % align, 0);
        CHECK_EQ(spans[i]->npages, 7);
    }
    prove_whole(&cache, 1);
    begin_sweep(&cache, 1);
    finish_sweep();
    prove_whole(&cache, 1);
}

TEST(manual_spans)
{
    uint64_t counter = 0;
    struct span *s[50];
    for (size_t i = 0; i < 50; i++) {
        s[i] = span_alloc_manual(1 + i % 5, &counter);
        CHECK(s[i] != NULL);
        memset((void *)s[i]->base, 0x55, s[i]->npages * PAGE_BYTES);
        expect_nothing(s[i]->base); // no objects in it
        CHECK_PTR_EQ(span_of(s[i]->base), s[i]);
    }
    CHECK_EQ(counter, 10 * 15 * PAGE_BYTES);
    CHECK_EQ(heap->manual, counter);
    prove_whole(&cache, 1);
    for (size_t i = 0; i < 50; i++)
        span_free_manual(s[i]);
    CHECK_EQ(counter, 0);
    prove_whole(&cache, 1);
}

// A span on used pages says so, and its pointer bitmap is clean all the same.
TEST(reused_memory)
{
    struct span *s = span_alloc_small(NULL, 4);
    uintptr_t base = s->base;
    memset((void *)base, 0xff, PAGE_BYTES);
    span_free(s);
    s = span_alloc_small(NULL, 6);
    CHECK_EQ(s->base, base); // first fit
    CHECK_EQ(s->need_zero, 1);
    for (size_t i = 0; i < SPAN_POINTER_BITMAP / 8; i++)
        CHECK_EQ(span_pointer_bitmap(s)[i], 0);
    span_free(s);
}

// A record's next span begins with clear bits and closed marks, whatever its last one left.
TEST(clear_bits)
{
    for (unsigned spc = 2; spc < SPAN_CLASSES; spc++) {
        struct span *s = span_alloc_small(cache, spc);
        for (uint32_t i = 0; i < span_mark_bytes(s); i++)
            CHECK_EQ(span_slot_mark(s, i), SLOT_CLOSED);
        for (uint32_t i = 0; i < s->nelems; i++) {
            CHECK(!gcbits_test(s->alloc_bits, i));
            CHECK(!span_mark(s, i));
        }
        memset(s->marks, SLOT_MARKED, span_mark_bytes(s));
        for (uint32_t i = 0; i < s->nelems; i++)
            gcbits_set_single(s->alloc_bits, i);
        span_free(s);
        mcache_release(cache);
    }
}

// Whatever address in a span's page the marker meets, the page alone leads to the slot's mark, and
// behind the last slot it is closed: the marker does not look where the slots end.
static void check_marks_of_pages(struct span *s)
{
    uintptr_t end = s->base + s->npages * PAGE_BYTES;
    for (uintptr_t a = s->base; a < end; a++) {
        uintptr_t page = align_down(a, PAGE_BYTES);
        uint64_t info = span_page_info(s, page);
        CHECK_EQ(page_span_base(info, page), s->base);
        CHECK_EQ(info & PAGE_MARKS_MASK, (uintptr_t)s->marks);
        CHECK_EQ(info >> PAGE_KIND_SHIFT & PAGE_CLASS_MASK, span_class_size_class(s->span_class));
        CHECK_EQ(info >> PAGE_KIND_SHIFT >= PAGE_NOSCAN, span_is_noscan(s));
        if (a < s->limit) CHECK_LT(span_index_of(s, a), s->nelems);
    }
    uint32_t last = span_index_of(s, end - 1);
    CHECK_LT(last, span_mark_bytes(s));
    for (uint32_t i = s->nelems; i <= last; i++)
        CHECK(!span_mark(s, i));
}

TEST(every_address_has_a_mark)
{
    for (unsigned spc = 2; spc < SPAN_CLASSES; spc++) {
        struct span *s = span_alloc_small(cache, spc);
        check_marks_of_pages(s);
        span_free(s);
    }
}

struct marker {
    struct span *s;
    int id;
};

static int arrived; // both markers count up to the same number before each round

static void meet(int round)
{
    atomic_fetch_add_acqrel(&arrived, 1);
    for (int spins = 0; atomic_load_acquire(&arrived) < 2 * round; spins++)
        if (spins > 10000) os_thread_yield();
}

static void *mark_half(void *arg)
{
    struct marker *m = arg;
    int round = 0;
    for (int64_t k = 0; k < test_count(2000); k++) {
        if (m->id == 0) memset(m->s->marks, SLOT_WHITE, m->s->nelems);
        meet(++round);
        for (uint32_t i = (uint32_t)m->id; i < m->s->nelems; i += 2)
            CHECK(span_mark(m->s, i));
        meet(++round);
        for (uint32_t i = 0; i < m->s->nelems; i++)
            CHECK(!span_mark(m->s, i));
        meet(++round);
    }
    return NULL;
}

// Two markers mark neighbours at the same time, without locked instructions: no mark is lost.
TEST(marking_threads)
{
    struct span *s = span_alloc_small(cache, 3);
    struct marker m[2] = { { s, 0 }, { s, 1 } };
    run_threads(2, mark_half, m, sizeof(m[0]));
    memset(s->marks, SLOT_CLOSED, s->nelems);
    span_free(s);
}

// Records freed while reuse is held wait.
TEST(held_records)
{
    struct span *s = span_alloc_manual(1, NULL);
    heap_hold_records_stw(true);
    span_free_manual(s);
    for (int i = 0; i < 100; i++) {
        struct span *t = span_alloc_manual(1, NULL);
        CHECK_PTR_NE(t, s);
        span_free_manual(t);
    }
    prove_whole(&cache, 1);
    heap_hold_records_stw(false);
    CHECK(heap->held_records == NULL);
    struct span *t = span_alloc_manual(1, NULL);
    span_free_manual(t);
    prove_whole(&cache, 1);
}

static void count_span(struct span *s, void *arg)
{
    CHECK_EQ(span_state_of(s), SPAN_IN_USE);
    ++*(int *)arg;
}

TEST(enumeration)
{
    struct span *mine[20];
    int before = 0, now = 0;
    heap_each_span_stw(count_span, &before);
    for (int i = 0; i < 20; i++)
        mine[i] = span_alloc_small(cache, 2 + (unsigned)i);
    struct span *manual = span_alloc_manual(3, NULL);
    heap_each_span_stw(count_span, &now);
    CHECK_EQ(now, before + 20);
    for (int i = 0; i < 20; i++)
        span_free(mine[i]);
    span_free_manual(manual);
}

int main(void)
{
    heap_start();
    cache = new_cache();
    RUN(interior_pointers);
    RUN(foreign_addresses);
    RUN(large_objects);
    RUN(aligned_large_objects);
    RUN(manual_spans);
    RUN(reused_memory);
    RUN(clear_bits);
    RUN(every_address_has_a_mark);
    RUN(marking_threads);
    RUN(held_records);
    RUN(enumeration);
    mcache_release(cache);
    prove_whole(NULL, 0);
    return 0;
}
