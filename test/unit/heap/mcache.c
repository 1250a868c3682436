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
    RUN(statistics);
    RUN(unused_span_is_freed);
    RUN(threads);
    return 0;
}
