// Giving free pages back: exact accounting, zero on reuse, beside allocation.
//
// TEST skip=emulated
// (the emulator does not tell what is resident)
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/mman.h>

#include "heap/scavenge.h"
#include "heap_test.h"

static struct mcache *caches[MAX_THREADS];

static size_t resident(uintptr_t base, size_t bytes)
{
    static unsigned char map[64 * MB / 4096];
    size_t n = 0, pages = bytes / os_page_size();
    CHECK_EQ(mincore((void *)base, bytes, map), 0);
    for (size_t i = 0; i < pages; i++)
        n += map[i] & 1;
    return n * os_page_size();
}

static void drop_all(void)
{
    begin_sweep(caches, 1);
    finish_sweep();
}

TEST(released_and_reused)
{
    struct heap_stats st;
    struct span *s = span_alloc_large(caches[0], 20 * MB, 8, true);
    uintptr_t base = s->base;
    CHECK_EQ(s->need_zero, 0);
    memset((void *)base, 0xee, 20 * MB);
    CHECK_EQ(heap_release_free(SIZE_MAX), 0); // all that is free was never touched
    drop_all();
    heap_read_stats(&st);
    CHECK_EQ(st.in_use, 0);
    CHECK_EQ(st.idle, 20 * MB);
    CHECK_EQ(heap_release_free(5 * MB), 6 * MB); // whole blocks, where they are free
    heap_read_stats(&st);
    CHECK_EQ(st.idle, 14 * MB);
    CHECK_EQ(st.released_total, 6 * MB);
    CHECK_EQ(resident(base, 20 * MB), 14 * MB);
    CHECK_EQ(resident(base, 14 * MB), 14 * MB); // from the top
    prove_whole(caches, 1);

    // Half old pages, half returned ones: must be zeroed; all returned: reads as zero.
    s = span_alloc_large(caches[0], 18 * MB, 8, true);
    CHECK_EQ(s->base, base);
    CHECK_EQ(s->need_zero, 1);
    drop_all();
    CHECK_EQ(heap_release_free(SIZE_MAX), 18 * MB);
    s = span_alloc_large(caches[0], 18 * MB, 8, true);
    CHECK_EQ(s->base, base);
    CHECK_EQ(s->need_zero, 0);
    for (size_t i = 0; i < 18 * MB; i += 512)
        CHECK_EQ(*(char *)(base + i), 0);
    heap_read_stats(&st);
    CHECK_EQ(st.released, st.sys - 18 * MB);
    CHECK_EQ(st.idle, 0);
    drop_all();
    prove_whole(caches, 1);
}

// Pages keep their marks through a page cache.  The first page brings its neighbour along, which
// stays zero.
TEST(through_the_page_cache)
{
    struct heap_stats st;
    heap_release_free(SIZE_MAX);
    struct span *s = span_alloc_small(caches[0], 4);
    CHECK_EQ(s->need_zero, 0);
    heap_read_stats(&st);
    CHECK_EQ(st.released, st.sys - 2 * PAGE_BYTES);
    CHECK_EQ(resident(s->base, CHUNK_BYTES), 2 * PAGE_BYTES);
    CHECK_NE(caches[0]->pages.free, 0);
    struct span *next = span_alloc_small(caches[0], 4);
    CHECK_EQ(next->base, s->base + PAGE_BYTES);
    CHECK_EQ(next->need_zero, 0);
    heap_read_stats(&st);
    CHECK_EQ(st.released, st.sys - 2 * PAGE_BYTES);
    span_free(s);
    span_free(next);
    mcache_release(caches[0]);
    heap_read_stats(&st);
    CHECK_EQ(st.released, st.sys - 2 * PAGE_BYTES);
    CHECK_EQ(heap_release_free(1), 2 * PAGE_BYTES); // a block that is all free
    heap_read_stats(&st);
    CHECK_EQ(st.released, st.sys);
    prove_whole(caches, 1);
}

// Note [Reclaim before growth]: garbage that is not swept yet makes room for what is allocated.
TEST(reclaim_before_growth)
{
    struct heap_stats before, st;
    for (int i = 0; i < 40; i++)
        CHECK(span_alloc_large(caches[0], MB, 8, true) != NULL);
    for (int i = 0; i < 2000; i++)
        CHECK_NE(take(caches[0], 20), 0);
    heap_read_stats(&before);
    begin_sweep(caches, 1); // nothing is marked, and nobody sweeps
    for (int i = 0; i < 40; i++) {
        CHECK(span_alloc_large(caches[0], MB, 8, true) != NULL);
        heap_read_stats(&st);
        CHECK_LE(st.in_use, before.in_use + MB);
        CHECK_LE(scav_retained(), before.sys - before.released + 2 * MB);
    }
    CHECK_EQ(st.sys, before.sys);
    finish_sweep();
    prove_whole(caches, 1);
    drop_all();
    mcache_release(caches[0]);
}

static int stop;

static void *allocate(void *arg)
{
    struct mcache *c = *(struct mcache **)arg;
    for (int64_t k = 0; k < test_count(20000); k++) {
        struct span *s = span_alloc_small(c, 4 + (unsigned)k % 100);
        uint64_t *p = (uint64_t *)s->base;
        size_t last = (s->limit - s->base) / 8 - 1;
        if (!s->need_zero) CHECK(p[0] == 0 && p[last] == 0);
        p[0] = p[last] = (uint64_t)k | 1;
        CHECK_EQ(p[0], (uint64_t)k | 1);
        span_free(s);
    }
    atomic_fetch_add_relaxed(&stop, 1);
    return NULL;
}

static void *release(void *arg)
{
    (void)arg;
    while (atomic_load_relaxed(&stop) < 3)
        heap_release_free(64 * PAGE_BYTES);
    return NULL;
}

static void *run_role(void *arg)
{
    return *(struct mcache **)arg != NULL ? allocate(arg) : release(arg);
}

TEST(beside_allocation)
{
    struct mcache *roles[4] = { NULL };
    for (int i = 0; i < 3; i++) {
        if (caches[i] == NULL) caches[i] = new_cache();
        roles[i] = caches[i];
    }
    run_threads(4, run_role, roles, sizeof(roles[0]));
    prove_whole(caches, 3);
    for (int i = 0; i < 3; i++)
        mcache_release(caches[i]);
    prove_whole(NULL, 0);
    heap_release_free(SIZE_MAX);
    CHECK_EQ(heap->released, heap->mapped);
    prove_whole(NULL, 0);
}

int main(void)
{
    heap_start();
    caches[0] = new_cache();
    RUN(released_and_reused);
    RUN(through_the_page_cache);
    RUN(reclaim_before_growth);
    RUN(beside_allocation);
    return 0;
}
