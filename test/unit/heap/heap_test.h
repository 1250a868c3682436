// What the heap's tests share: threads, caches, and the proof that the heap is whole.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_HEAP_TEST_H
#define GORT_HEAP_TEST_H

#include <pthread.h>

#include "heap/heap.h"
#include "heap/mcache.h"
#include "os/os.h"
#include "test.h"

#define MAX_THREADS 16

// Fails with what does not hold.
static inline void prove_whole(struct mcache **caches, size_t n)
{
    const char *error = heap_validate_stw(caches, n);
    CHECK_STR_EQ(error == NULL ? "whole" : error, "whole");
}

static inline struct mcache *new_cache(void)
{
    struct mcache *c = aligned_alloc(CACHE_LINE, align_up(sizeof(*c), CACHE_LINE));
    mcache_init(c);
    return c;
}

static inline void heap_start(void)
{
    CHECK(heap_init(NULL));
}

// A slot, from the fast path or the slow one.
static inline uintptr_t take(struct mcache *c, unsigned spc)
{
    struct mcache_notes notes = { false, false };
    uintptr_t p = mcache_take(c, spc, span_class_elem_size(spc));
    if (p == 0) p = mcache_alloc_slow(c, spc, &notes);
    return p;
}

static inline void mark_object(uintptr_t p)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    CHECK(span_find_object(p, &s, &i, &base));
    CHECK(span_is_slot_allocated(s, i));
    span_mark(s, i);
    // As the marker does: of slots the page that the pointer leads to has the stamp.
    struct arena *a = arena_of(p);
    size_t page = arena_page_index(p);
    if ((atomic_load_acquire(&a->page_info[page]) & PAGE_MARKS_MASK) != 0)
        arena_note_mark(a, page, arena_stamp(heap_sweepgen()));
    else
        span_note_mark(s);
}

// One collection's frame: the caches are flushed, the generation rises.
static inline void begin_sweep(struct mcache **caches, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mcache_flush(caches[i]);
    heap_sweepgen_advance_stw();
    for (size_t i = 0; i < n; i++)
        mcache_prepare_for_sweep(caches[i]);
}

static inline void finish_sweep(void)
{
    while (heap_sweep_some(10, SWEPT_FINISH) != 0)
        ;
    CHECK(heap_sweep_done());
}

static inline void run_threads(int n, void *(*fn)(void *), void *args, size_t arg_size)
{
    pthread_t t[MAX_THREADS];
    for (int i = 0; i < n; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, fn, (char *)args + (size_t)i * arg_size), 0);
    for (int i = 0; i < n; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
}

#endif
