// Records whose memory goes back to the kernel: slabs of any records, and those of spans with their
// marks.
//
// TEST skip=emulated
// (the emulator does not tell what is resident)
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/mman.h>

#include "heap/scavenge.h"
#include "heap_test.h"

static struct mcache *caches[1];
static uint64_t counter, asleep;

static bool is_resident(const void *p, size_t bytes)
{
    unsigned char map[16];
    CHECK_EQ(mincore((void *)align_down((uintptr_t)p, os_page_size()), bytes, map), 0);
    for (size_t i = 0; i < div_up(bytes, os_page_size()); i++)
        if ((map[i] & 1) != 0) return true;
    return false;
}

static uint64_t prove_slabs(const struct slabs *p)
{
    uint64_t free;
    const char *error = slabs_validate(p, &free);
    CHECK_STR_EQ(error == NULL ? "whole" : error, "whole");
    return free;
}

// Puts it elsewhere, if that is better.
static bool move_record(struct slabs *p, uint64_t **held, uint32_t *number)
{
    uint32_t to;
    uint64_t *better = slabs_take_better(p, *number, &to);
    if (better == NULL) return false;
    CHECK_NE(to / p->each, *number / p->each);
    CHECK_PTR_EQ(slabs_at(p, to), better);
    slabs_give(p, *number);
    *held = better;
    *number = to;
    return true;
}

// ---- slabs --------------------------------------------------------------------------------------

// Random takings, returns and releases, against what the records must hold.
TEST(records_keep_what_is_in_them)
{
    enum { N = 3000 };
    static uint64_t *held[N];
    static uint32_t number[N];
    static const uint32_t sizes[] = { 64, 160, 192, 1152, 4096 };
    uint64_t seed = test_seed(), mapped = os_mem_mapped();
    for (size_t k = 0; k < array_len(sizes); k++) {
        struct slabs p;
        counter = asleep = 0;
        slabs_init(&p, sizes[k], 4096, &counter, &asleep);
        for (int i = 0; i < test_count(60000); i++) {
            size_t at = test_random(&seed) % N;
            if (held[at] != NULL) {
                CHECK_EQ(held[at][0], at);
                CHECK_EQ(held[at][sizes[k] / 8 - 1], at ^ number[at]);
                if (test_random(&seed) % 4 == 0 && move_record(&p, &held[at], &number[at])) {
                    held[at][0] = at;
                    held[at][sizes[k] / 8 - 1] = at ^ number[at];
                    continue;
                }
                slabs_give(&p, number[at]);
                held[at] = NULL;
            } else {
                held[at] = slabs_take(&p, &number[at]);
                CHECK(held[at] != NULL);
                CHECK_PTR_EQ(slabs_at(&p, number[at]), held[at]);
                CHECK_LT(number[at], slabs_count(&p));
                held[at][0] = at;
                held[at][sizes[k] / 8 - 1] = at ^ number[at];
            }
            if (i % 1000 != 0) continue;
            uint32_t going = slabs_take_empty(&p);
            if (going == SLAB_NONE) continue;
            bool gone = i % 3000 == 0;
            if (gone) CHECK_EQ(os_mem_release(slabs_at(&p, going), p.bytes), 0);
            slabs_put_back(&p, going, gone);
            prove_slabs(&p);
        }
        for (size_t at = 0; at < N; at++) {
            if (held[at] != NULL) slabs_give(&p, number[at]);
            held[at] = NULL;
        }
        CHECK_EQ(prove_slabs(&p), slabs_count(&p));
        CHECK_EQ(counter + asleep, os_mem_mapped() - mapped);
        mapped = os_mem_mapped();
        for (unsigned i = 0; i < SLAB_CHUNKS; i++) {
            size_t n = (size_t)p.first << i;
            if (p.chunks[i] == NULL) continue;
            os_mem_unmap(p.chunks[i], align_up(n * p.bytes, os_page_size()) +
                                          align_up(n * sizeof(struct slab), os_page_size()));
        }
        mapped = os_mem_mapped();
    }
}

// What is empty goes, to the byte; what is in use, or was not asked for, stays; and it comes back
// as zero.
TEST(memory_of_empty_slabs_goes)
{
    enum { SLABS = 40 };
    struct slabs p;
    uint32_t number[SLABS * 21], n = 0;
    counter = asleep = 0;
    slabs_init(&p, 192, 4096, &counter, &asleep);
    CHECK_EQ(p.each, 21);
    CHECK_EQ(slabs_take_empty(&p), SLAB_NONE);
    for (; n < array_len(number); n++)
        memset(slabs_take(&p, &number[n]), 0xee, 192);
    if (os_page_size() != 4096) return; // slabs are no pages: nothing can go
    CHECK_EQ(p.awake, SLABS * 4096);
    uint64_t all = counter + asleep;
    for (uint32_t i = 0; i < n; i++)
        if (i % 105 != 50) slabs_give(&p, number[i]); // one slab of five keeps a record
    unsigned gone = 0;
    for (uint32_t i; (i = slabs_take_empty(&p)) != SLAB_NONE; gone++) {
        char *memory = slabs_at(&p, i);
        CHECK(is_resident(memory, 4096));
        CHECK_EQ(os_mem_release(memory, p.bytes), 0);
        slabs_put_back(&p, i, true);
        CHECK(!is_resident(memory, 4096));
    }
    CHECK_EQ(gone, SLABS - SLABS / 5);
    CHECK_EQ(p.awake, SLABS / 5 * 4096);
    CHECK_EQ(counter + asleep, all);
    prove_slabs(&p);
    // First the free ones beside those in use; nothing wakes up for them.
    uint32_t at;
    for (int i = 0; i < SLABS / 5 * 20; i++)
        CHECK(slabs_take(&p, &at) != NULL);
    CHECK_EQ(p.awake, SLABS / 5 * 4096);
    uint64_t *fresh = slabs_take(&p, &at);
    for (int i = 0; i < 192 / 8; i++)
        CHECK_EQ(fresh[i], 0);
    CHECK_EQ(p.awake, (SLABS / 5 + 1) * 4096);
    prove_slabs(&p);
}

// Of slabs with one record each, or with a few more than half, those that are sparse fill one up.
TEST(scattered_records_gather)
{
    enum { SLABS = 40, EACH = 21 };
    static uint64_t *held[SLABS * EACH];
    static uint32_t number[SLABS * EACH];
    struct slabs p;
    counter = asleep = 0;
    slabs_init(&p, 192, 4096, &counter, &asleep);
    for (size_t i = 0; i < array_len(held); i++)
        CHECK((held[i] = slabs_take(&p, &number[i])) != NULL);
    CHECK_EQ(p.sparse, 0);
    for (size_t i = 0; i < array_len(held); i++) {
        bool keep = i / EACH < 4 ? i % EACH <= EACH / 2 : i % EACH == i / EACH % EACH;
        if (!keep) slabs_give(&p, number[i]);
        if (!keep) held[i] = NULL;
    }
    CHECK_EQ(p.sparse, SLABS - 4);
    CHECK_EQ(p.in_use, SLABS - 4 + 4 * (EACH / 2 + 1));
    for (size_t i = 0; i < array_len(held); i++)
        if (held[i] != NULL) move_record(&p, &held[i], &number[i]);
    prove_slabs(&p);
    CHECK_LE(p.sparse, 1);
    uint32_t empty = 0;
    while (slabs_take_empty(&p) != SLAB_NONE)
        empty += os_page_size() == 4096;
    if (os_page_size() == 4096) CHECK_EQ(empty, SLABS - 4);
}

TEST(no_memory_for_slabs)
{
    struct slabs p;
    uint32_t at;
    counter = asleep = 0;
    slabs_init(&p, 192, 4096, &counter, &asleep);
    os_mem_fail_at(1, true);
    CHECK(slabs_take(&p, &at) == NULL);
    CHECK_EQ(counter + asleep, 0);
    os_mem_fail_at(0, false);
    CHECK(slabs_take(&p, &at) != NULL);
    prove_slabs(&p);
}

// ---- records of spans ---------------------------------------------------------------------------

enum { SPANS = 6000, KEPT = 97 };
static struct span *spans[SPANS];

// Spans with blocks of several lengths, and without.
static void make_spans(void)
{
    static const unsigned classes[] = { 2 * 2, 2 * 4 + 1, 2 * 9, 2 * 20, 2 * 4 };
    for (int i = 0; i < SPANS; i++)
        if (spans[i] == NULL) {
            spans[i] = span_alloc_small(caches[0], classes[i % 5]);
            CHECK(spans[i] != NULL);
        }
}

static void free_spans(int keep_each)
{
    for (int i = 0; i < SPANS; i++) {
        if (spans[i] == NULL || (keep_each != 0 && i % keep_each == 0)) continue;
        span_free(spans[i]);
        spans[i] = NULL;
    }
}

static uint64_t release_all(void)
{
    uint64_t sum = 0;
    for (size_t bytes = 1; bytes != 0; sum += bytes)
        bytes = scav_step_records(SCAV_FORCED, true);
    return sum;
}

static uint64_t has_memory(void)
{
    struct heap_stats st;
    heap_read_stats(&st);
    CHECK_EQ(st.span_records_used + st.span_records_free, heap->span_bytes);
    return st.span_records_used + st.span_records_free + st.meta;
}

// Slabs that hold a record which somebody has: of a span, or a cache's.
static uint64_t slabs_in_use(void)
{
    const struct slabs *p = &heap->span_records;
    uint64_t n = 0;
    for (uint32_t i = 0; i < slabs_count(p); i += p->each) {
        bool used = false;
        for (uint32_t k = i; k < i + p->each; k++)
            used |= !slabs_is_free(p, k);
        n += used;
    }
    return n;
}

TEST(records_of_spans_go)
{
    make_spans();
    uint64_t peak = has_memory();
    struct scav_counts before, after;
    scav_read_counts(&before);
    free_spans(KEPT);
    span_records_return(caches[0]);
    CHECK_EQ(has_memory(), peak);
    if (os_page_size() != 4096) return;
    uint64_t bytes = release_all();
    CHECK_EQ(heap->span_records.awake, slabs_in_use() * SPAN_SLAB_BYTES);
    CHECK_EQ(has_memory(), peak - bytes);
    scav_read_counts(&after);
    CHECK_EQ(after.records[SCAV_FORCED] - before.records[SCAV_FORCED], bytes);
    CHECK_GE(bytes, (SPANS - SPANS / KEPT * 30) * sizeof(struct span)); // at least
    // What is kept is whole, and what comes back too.
    for (int i = 0; i < SPANS; i += KEPT)
        CHECK(span_state_of(spans[i]) == SPAN_IN_USE && span_of(spans[i]->base) == spans[i]);
    make_spans();
    for (int i = 0; i < SPANS; i++)
        CHECK(span_of(spans[i]->base) == spans[i] && heap_span_at(spans[i]->place - 1) == spans[i]);
    free_spans(0);
    prove_whole(caches, 1);
}

// The memory of an empty slab is not resident, and nobody need look to know.
TEST(kernel_has_their_memory)
{
    if (os_page_size() != 4096) return;
    make_spans();
    static uint8_t *blocks[SPANS];
    for (int i = 0; i < SPANS; i++)
        blocks[i] = spans[i]->bits;
    free_spans(0);
    span_records_return(caches[0]);
    release_all();
    for (int i = 0; i < SPANS; i++)
        CHECK(blocks[i] == NULL || !is_resident(blocks[i], 1));
    uint32_t n = slabs_count(&heap->span_records);
    for (uint32_t i = 0; i < n; i += heap->span_records.each) {
        bool awake = false;
        for (uint32_t k = i; k < i + heap->span_records.each; k++)
            awake |= !slabs_is_free(&heap->span_records, k);
        CHECK(awake || !is_resident(heap_span_at(i), SPAN_SLAB_BYTES));
    }
    uint64_t used, has;
    gcbits_bytes(&used, &has);
    CHECK_EQ(used, 0);
    CHECK_EQ(has, 0);
    prove_whole(caches, 1); // reads them all
}

// Note [Records asleep], 2: a record's count of pushes never falls.
TEST(counts_of_pushes_outlive_the_memory)
{
    static struct span_set set;
    uint64_t most = 0;
    make_spans();
    for (int i = 0; i < SPANS; i++)
        for (int k = 0; k <= i % 7; k++) {
            spanset_push(&set, spans[i]);
            CHECK_PTR_EQ(spanset_pop(&set), spans[i]);
        }
    static uint64_t pushes[SPANS * 4];
    uint32_t n = heap_span_count();
    CHECK_LE(n, array_len(pushes));
    for (int i = 0; i < SPANS; i++) {
        pushes[spans[i]->place - 1] = spans[i]->set_node.pushes;
        most = spans[i]->set_node.pushes > most ? spans[i]->set_node.pushes : most;
    }
    CHECK_GE(most, 7);
    free_spans(0);
    span_records_return(caches[0]);
    release_all();
    for (int round = 0; round < 2; round++) { // asleep twice
        make_spans();
        for (int i = 0; i < SPANS; i++)
            CHECK_GE(spans[i]->set_node.pushes, pushes[spans[i]->place - 1]);
        free_spans(0);
        span_records_return(caches[0]);
        release_all();
    }
    prove_whole(caches, 1);
}

// While marking, what is freed keeps its record, and its record its marks.
TEST(held_records_stay)
{
    static const unsigned spc = 2 * 4;
    static struct span *some[200];
    for (size_t i = 0; i < array_len(some); i++)
        CHECK((some[i] = span_alloc_small(caches[0], spc)) != NULL);
    heap_hold_records_stw(true);
    static uint8_t *marks[200];
    for (size_t i = 0; i < array_len(some); i++) {
        marks[i] = some[i]->marks;
        span_free(some[i]);
    }
    release_all();
    for (size_t i = 0; i < array_len(some); i++) {
        CHECK_PTR_EQ(some[i]->marks, marks[i]);
        CHECK_NE(some[i]->place, 0);
        for (uint32_t k = 0; k < gcbits_words(some[i]->nelems) * 64; k++)
            CHECK_EQ(marks[i][k], SLOT_CLOSED);
    }
    prove_whole(caches, 1);
    heap_hold_records_stw(false);
    prove_whole(caches, 1);
    span_records_return(caches[0]);
    release_all();
    if (os_page_size() == 4096) CHECK_EQ(heap->span_records.awake, slabs_in_use() * 4096);
    CHECK_EQ(gcbits_in_use(), 0);
    prove_whole(caches, 1);
}

// ---- beside others ------------------------------------------------------------------------------

static struct span_set shared;
static uint32_t makers; // at work

struct maker {
    struct mcache *cache;
    uint64_t seed;
};

// Some spans that nobody else knows, without a cache: the slab that just went to sleep is what they
// take first.
static void have_some(struct maker *m)
{
    struct span *mine[2 * SLAB_ITEMS];
    size_t n = 1 + test_random(&m->seed) % array_len(mine);
    for (size_t i = 0; i < n; i++)
        CHECK((mine[i] = span_alloc_small(NULL, 2 * 3)) !=
              NULL); // nobody else has blocks of that length
    for (size_t i = 0; i < n; i++) {
        CHECK(mine[i]->state == SPAN_IN_USE && span_of(mine[i]->base) == mine[i]);
        for (uint32_t k = 0; k < mine[i]->nelems; k++)
            CHECK_EQ(mine[i]->marks[k], SLOT_CLOSED);
        span_free(mine[i]);
    }
}

// Spans come and go, and wander through a set: pops read records that others freed.
static void *make_and_free(void *arg)
{
    struct maker *m = arg;
    static const unsigned classes[] = { 2 * 2, 2 * 4, 2 * 9, 2 * 20 };
    for (int i = 0; i < test_count(20000); i++) {
        struct span *s[SPANSET_MANY];
        unsigned n = spanset_pop_many(&shared, s, 1 + test_random(&m->seed) % SPANSET_MANY);
        for (unsigned k = 0; k < n; k++) {
            CHECK(s[k]->state == SPAN_IN_USE && span_of(s[k]->base) == s[k]);
            CHECK_EQ(s[k]->alloc_cycle, heap_sweepgen() / 2);
            if (test_random(&m->seed) % 2 != 0)
                span_free(s[k]);
            else
                spanset_push(&shared, s[k]);
        }
        if (i % 32 == 0) have_some(m);
        if (i % 3 != 0) continue;
        struct span *made = span_alloc_small(m->cache, classes[test_random(&m->seed) % 4]);
        CHECK(made != NULL);
        spanset_push(&shared, made);
    }
    atomic_fetch_sub_relaxed(&makers, 1);
    return NULL;
}

static void *release_them(void *arg)
{
    (void)arg;
    while (atomic_load_relaxed(&makers) != 0) {
        span_records_release();
        gcbits_release();
    }
    return NULL;
}

static void *work(void *arg)
{
    struct maker *m = arg;
    return m->cache == NULL ? release_them(m) : make_and_free(m);
}

TEST(beside_those_who_make_spans)
{
    enum { MAKERS = 3 };
    struct maker m[MAKERS + 1] = { { NULL, 0 } };
    struct mcache *all[MAKERS + 1] = { [MAKERS] = caches[0] };
    makers = MAKERS;
    for (int i = 0; i < MAKERS; i++)
        m[i + 1] = (struct maker){ all[i] = new_cache(), test_seed() + (uint64_t)i };
    run_threads(MAKERS + 1, work, m, sizeof(*m));
    for (struct span *s; (s = spanset_pop(&shared)) != NULL;)
        span_free(s);
    for (int i = 0; i < MAKERS; i++)
        mcache_release(all[i]);
    prove_whole(all, MAKERS + 1);
    release_all();
    prove_whole(all, MAKERS + 1);
    if (os_page_size() == 4096) CHECK_EQ(heap->span_records.awake, slabs_in_use() * 4096);
    for (int i = 0; i < MAKERS; i++)
        free(all[i]);
}

int main(void)
{
    RUN(records_keep_what_is_in_them);
    RUN(memory_of_empty_slabs_goes);
    RUN(scattered_records_gather);
    RUN(no_memory_for_slabs);
    heap_start();
    caches[0] = new_cache();
    RUN(records_of_spans_go);
    RUN(kernel_has_their_memory);
    RUN(counts_of_pushes_outlive_the_memory);
    RUN(held_records_stay);
    RUN(beside_those_who_make_spans);
    return 0;
}
