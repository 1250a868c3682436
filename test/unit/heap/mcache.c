// Caches: every class, windows, publication, statistics, several threads at once.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "heap_test.h"

static struct mcache *caches[MAX_THREADS];

// Every span class: the slots of two spans are distinct, inside their span, and found again.
TEST(all_classes)
{
    struct mcache *c = caches[0];
    for (unsigned spc = 2; spc < SPAN_CLASSES; spc++) {
        size_t size = span_class_elem_size(spc);
        unsigned n = span_class_row(spc)->nelems[spc & 1];
        uintptr_t last = 0;
        for (unsigned k = 0; k < 2 * n; k++) {
            uintptr_t p = take(c, spc);
            CHECK_NE(p, 0);
            CHECK_NE(p, last);
            struct span *s;
            uint32_t i;
            uintptr_t base;
            CHECK(span_find_object(p + size - 1, &s, &i, &base));
            CHECK_EQ(base, p);
            CHECK_EQ(i, k % n);
            CHECK_EQ(s->span_class, spc);
            CHECK_EQ(mcache_slot_index(c, spc, p), i);
            CHECK_EQ(mcache_need_zero(c, spc), 0); // fresh memory
            memset((void *)p, 0xff, size);
            last = p;
        }
        if (spc % 16 == 0) prove_whole(caches, 1);
    }
    prove_whole(caches, 1);
}

// After publication exactly the slots taken are allocated, and the cache goes on.
TEST(publication)
{
    struct mcache *c = caches[0];
    mcache_flush(c);
    unsigned spc = span_class_make(size_class_of(24), false);
    unsigned n = span_class_row(spc)->nelems[0];
    uintptr_t first = take(c, spc);
    struct span *s = c->spans[spc];
    uint32_t before = mcache_slot_index(c, spc, first);
    for (unsigned k = 0; k < n - before; k++) {
        if (k != 0) CHECK_EQ(take(c, spc), first + k * 24);
        mcache_publish(c);
        CHECK_EQ(s->free_index, before + k + 1);
        for (uint32_t i = before; i < n; i++)
            CHECK_EQ(span_is_slot_allocated(s, i), i <= before + k);
    }
    CHECK_EQ(s->alloc_count, n);
    prove_whole(caches, 1);
}

static unsigned mark_of(const struct span *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = from + 1; i < to; i++)
        CHECK_EQ(span_slot_mark(s, i), span_slot_mark(s, from));
    return span_slot_mark(s, from);
}

// Note [Marks]: which slots a marker may mark, from window to window.
TEST(marks_of_windows)
{
    struct mcache *c = caches[0];
    unsigned spc = span_class_make(size_class_of(32), false);
    mcache_flush(c);
    uintptr_t first = take(c, spc);
    struct span *s = c->spans[spc];
    CHECK_EQ(span_index_of(s, first), 0); // of a new span
    CHECK_EQ(mark_of(s, 0, 64), SLOT_WHITE);
    CHECK_EQ(mark_of(s, 64, s->nelems), SLOT_CLOSED);
    // Marking begins: what is free can not be marked, nor what is allocated from it.
    mcache_publish(c);
    mcache_close_stw(c);
    CHECK_EQ(span_slot_mark(s, 0), SLOT_WHITE);
    CHECK_EQ(mark_of(s, 1, s->nelems), SLOT_CLOSED);
    heap_set_marking_stw(true);
    mcache_mark_begin_stw(c);
    for (int i = 1; i < 70; i++)
        CHECK_EQ(span_index_of(s, take(c, spc)), (uint32_t)i);
    CHECK_EQ(mark_of(s, 1, s->nelems), SLOT_CLOSED);
    uint64_t bytes = 0, objects = 0;
    heap_set_marking_stw(false);
    mcache_mark_end_stw(c, &bytes, &objects);
    CHECK_EQ(objects, 69);
    CHECK_EQ(bytes, 69 * 32);
    // The first one dies.
    begin_sweep(caches, 1);
    finish_sweep();
    CHECK_EQ(mark_of(s, 1, 70), SLOT_WHITE);
    CHECK_EQ(span_slot_mark(s, 0), SLOT_CLOSED);
    CHECK_EQ(mark_of(s, 70, s->nelems), SLOT_CLOSED);
    // A window that is given up is closed.
    CHECK_EQ(take(c, spc), first);
    CHECK_PTR_EQ(c->spans[spc], s);
    CHECK_EQ(mark_of(s, 0, 70), SLOT_WHITE);
    mcache_flush(c);
    CHECK_EQ(mark_of(s, 70, s->nelems), SLOT_CLOSED);
    prove_whole(caches, 1);
}

TEST(statistics)
{
    struct mcache *c = caches[0];
    struct heap_stats a, b;
    mcache_flush(c);
    heap_read_stats(&a);
    unsigned spc = span_class_make(size_class_of(64), true);
    for (int i = 0; i < 1000; i++)
        CHECK_NE(take(c, spc), 0);
    mcache_publish(c);
    heap_read_stats(&b);
    CHECK_EQ(b.mallocs - a.mallocs, 1000);
    CHECK_EQ(b.total_alloc - a.total_alloc, 64000);
    CHECK_EQ(b.objects - a.objects, 1000);
    CHECK_GE(b.live - a.live, 64000); // the whole cached span is charged
    mcache_flush(c);
    CHECK_EQ(heap_live() - a.live, 64000);
    CHECK_EQ(b.sys, b.in_use + b.manual + b.released + b.idle);
}

static unsigned length(const struct span *list)
{
    unsigned n = 0;
    for (; list != NULL; list = list->cache_next)
        n++;
    return n;
}

// Refills ask for one span, two, four, up to a limit; the others wait, and go back when others
// look.
TEST(batches)
{
    struct mcache *c = caches[0];
    unsigned spc = span_class_make(size_class_of(2048), true);
    struct span_batch *b = &c->batches[spc];
    mcache_flush(c);
    for (int i = 0; i < 100; i++) { // swept spans with a free slot
        struct span *s = span_alloc_small(c, spc);
        s->free_index = s->alloc_count = 1;
        s->marks[0] = SLOT_WHITE;
        mcentral_put_swept(s);
        heap->classes[spc / 2].allocs++;
    }
    unsigned held[] = { 0, 1, 0, 3, 2, 1, 0, 7 }; // ready ones after each refill
    for (size_t i = 0; i < array_len(held); i++) {
        while (c->fast.classes[spc].free != 0 || c->held[spc] != 0)
            CHECK_NE(take(c, spc), 0);
        uint64_t before = c->refills;
        CHECK_NE(take(c, spc), 0);
        CHECK_EQ(c->refills, before + 1);
        CHECK_EQ(length(b->ready), held[i]);
        CHECK_EQ(b->nready, held[i]);
        CHECK_EQ(length(b->used), i);
        CHECK_EQ(b->nused, i);
    }
    mcache_publish(c);
    CHECK(b->ready == NULL && b->used == NULL);
    prove_whole(caches, 1);
    CHECK_EQ(b->size, 8);
    mcache_flush(c);
    CHECK_EQ(b->size, 0);
    prove_whole(caches, 1);
    begin_sweep(caches, 1);
    finish_sweep();
    prove_whole(caches, 1);
}

// Takes without zeroing, from the fast path or the slow one.
static uintptr_t take_unzeroed(struct mcache *c, unsigned spc)
{
    struct mcache_notes notes = { false, false };
    uintptr_t p = mcache_take_from(&c->fast.unzeroed[spc >> 1], span_class_elem_size(spc));
    if (p == 0) p = mcache_alloc_unzeroed_slow(c, spc, &notes);
    return p;
}

static bool is_all(uintptr_t p, size_t size, unsigned char byte)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char *)p)[i] != byte) return false;
    return true;
}

// A span of the class whose slots hold 0xff, all but the first of them dead: that slot.
static uintptr_t used_span(struct mcache *c, unsigned spc)
{
    size_t size = span_class_elem_size(spc);
    mcache_flush(c);
    begin_sweep(caches, 1);
    finish_sweep();
    uintptr_t first = take(c, spc);
    for (unsigned i = mcache_slot_index(c, spc, first) + 1; i < c->spans[spc]->nelems; i++)
        memset((void *)take(c, spc), 0xff, size);
    mcache_publish(c);
    mark_object(first);
    begin_sweep(caches, 1);
    finish_sweep();
    return first;
}

// Note [Unzeroed windows]: old bytes are seen by who asked for any, and by nobody else.
TEST(unzeroed_windows)
{
    struct mcache *c = caches[0];
    unsigned spc = span_class_make(size_class_of(64), true);
    uintptr_t first = used_span(c, spc), p = 0;
    for (uintptr_t i = 1; i <= 3; i++) {
        p = take_unzeroed(c, spc);
        CHECK_EQ(p, first + 64 * i);
        CHECK(is_all(p, 64, 0xff)); // nobody zeroed it
        CHECK_EQ(mcache_take(c, spc, 64), 0);
        mcache_publish(c);
        prove_whole(caches, 1);
        CHECK_EQ(c->spans[spc]->free_index, mcache_slot_index(c, spc, p) + 1);
    }
    // Somebody else comes: from there on all is zero, also for those who do not ask.
    for (uintptr_t i = 4; i < 64; i++) {
        p = i % 3 == 1 ? take(c, spc) : take_unzeroed(c, spc);
        CHECK_EQ(p, first + 64 * i);
        CHECK(is_all(p, 64, 0));
        prove_whole(caches, 1);
    }
    // The next window begins anew; what is left of one that is given up is zeroed by who takes it.
    p = take_unzeroed(c, spc);
    CHECK_EQ(p, first + 64 * 64);
    CHECK(is_all(p, 64, 0xff));
    mcache_flush(c);
    prove_whole(caches, 1);
    p = take(c, spc);
    CHECK_EQ(p, first + 64 * 65);
    CHECK(is_all(p, 64, 0));
    mcache_flush(c);
    prove_whole(caches, 1);
}

// Samples come at the same distance from an unzeroed window, and from one that changes sides.
TEST(unzeroed_samples)
{
    struct mcache *c = caches[0];
    unsigned spc = span_class_make(size_class_of(64), true);
    uintptr_t first = used_span(c, spc);
    heap_set_observe_stw((struct heap_observe){ .rate = 1 << 20 });
    mcache_observe_stw(c);
    c->sample_left = 10 * 64;
    struct mcache_notes notes = { false, false };
    for (uintptr_t i = 1; i <= 10; i++)
        CHECK_EQ(i % 4 == 3 ? take(c, spc) : take_unzeroed(c, spc), first + 64 * i);
    CHECK_EQ(c->sample_left, 0);
    CHECK_EQ(mcache_alloc_unzeroed_slow(c, spc, &notes), first + 64 * 11);
    CHECK(notes.observe);
    heap_set_observe_stw((struct heap_observe){ .rate = 0 });
    mcache_observe_stw(c);
    mcache_flush(c);
    prove_whole(caches, 1);
}

// heap_live lags behind what was charged by less than a step, and not at all after publishing.
TEST(charges_gather)
{
    struct mcache *c = caches[0];
    unsigned spc = span_class_make(size_class_of(2048), true);
    mcache_flush(c);
    uint64_t live = heap_live(), taken = 0;
    bool charged = false;
    for (int i = 0; i < 100; i++) {
        struct mcache_notes notes = { false, false };
        uintptr_t p = mcache_take(c, spc, 2048);
        if (p == 0) p = mcache_alloc_slow(c, spc, &notes);
        CHECK_NE(p, 0);
        taken += 2048;
        CHECK_LT(taken, heap_live() - live + (uint64_t)MCACHE_LIVE_STEP + PAGE_BYTES);
        if (notes.charged) CHECK_EQ(c->live, 0);
        charged |= notes.charged;
    }
    CHECK(charged);
    mcache_flush(c);
    CHECK_EQ(heap_live() - live, taken);
}

// An unused cached span goes back whole.
TEST(unused_span_is_freed)
{
    struct mcache *c = caches[0];
    unsigned spc = span_class_make(size_class_of(30000), false);
    mcache_flush(c);
    uint64_t in_use = heap->in_use;
    CHECK(mcache_refill_span(c, spc));
    struct span *s = c->spans[spc];
    bool fresh = s->alloc_count == 0;
    mcache_flush(c);
    if (fresh) CHECK_EQ(heap->in_use, in_use);
    prove_whole(caches, 1);
}

struct worker {
    struct mcache *c;
    uint64_t seed;
    uintptr_t *objects;
    size_t count;
};

// Takes random slots, signs each, and finds its signatures whole in the end.
static void *work(void *arg)
{
    struct worker *w = arg;
    for (size_t k = 0; k < w->count; k++) {
        unsigned spc = 2 + test_random(&w->seed) % (2 * 40);
        uintptr_t p = take(w->c, spc);
        CHECK_NE(p, 0);
        w->objects[k] = p;
        *(uintptr_t *)p = p ^ (uintptr_t)w;
    }
    for (size_t k = 0; k < w->count; k++)
        CHECK_EQ(*(uintptr_t *)w->objects[k], w->objects[k] ^ (uintptr_t)w);
    return NULL;
}

TEST(threads)
{
    enum { N = 8 };
    static struct worker w[N];
    for (int i = 0; i < N; i++) {
        if (caches[i] == NULL) caches[i] = new_cache();
        w[i] = (struct worker){ caches[i], test_seed() + (uint64_t)i, NULL,
                                (size_t)test_count(50000) };
        w[i].objects = malloc(w[i].count * sizeof(uintptr_t));
    }
    run_threads(N, work, w, sizeof(w[0]));
    prove_whole(caches, N);
    for (int i = 0; i < N; i++)
        mcache_release(caches[i]);
    prove_whole(NULL, 0);
}

int main(void)
{
    heap_start();
    caches[0] = new_cache();
    RUN(all_classes);
    RUN(publication);
    RUN(marks_of_windows);
    RUN(statistics);
    RUN(batches);
    RUN(unzeroed_windows);
    RUN(unzeroed_samples);
    RUN(charges_gather);
    RUN(unused_span_is_freed);
    RUN(threads);
    return 0;
}
