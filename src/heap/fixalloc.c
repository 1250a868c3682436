/* Fixed-size off-heap records in mappings that double.
 *
 * Chunk k holds first_count << k records, so 32 chunks suffice for ever, their directory fits the
 * allocator, and record i is in chunk log2(i / first_count + 1).  The original cuts equal chunks
 * from persistent memory and can not enumerate them.  Doubling costs address space only: pages that
 * no record has reached are never touched.
 *
 * Invariants:
 *   1. records 0 .. count-1 lie in chunks that exist;
 *   2. a record is either in somebody's hands or once in the free list: in_use + list length ==
 *      count.
 *
 * Memory order: count's release store, after the chunk pointer, pairs with the acquire load in
 * fixalloc_count; who read a count may find all records below it.
 * Answers to: mfixalloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/fixalloc.h"

#include <string.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/race.h"
#include "os/os.h"

#define FIRST_CHUNK (16 * KB)

void fixalloc_init(struct fixalloc *f, size_t size, bool zero, uint64_t *counter)
{
    check(size >= sizeof(void *) && size % 8 == 0 && size <= MB);
    *f = (struct fixalloc){ .size = (uint32_t)size, .zero = zero, .counter = counter };
    f->first_count = 1;
    while ((size_t)f->first_count * 2 * size <= FIRST_CHUNK)
        f->first_count *= 2;
    lock_init(&f->lock, RANK_FIXALLOC);
}

/* Chunk of record i, and its number in the chunk. */
static unsigned chunk_of(const struct fixalloc *f, uint32_t i, size_t *in_chunk)
{
    uint64_t j = (uint64_t)i / f->first_count + 1;
    unsigned k = bits_len64(j) - 1;
    *in_chunk = i - (size_t)f->first_count * (((size_t)1 << k) - 1);
    return k;
}

void *fixalloc_at(const struct fixalloc *f, uint32_t i)
{
    size_t in_chunk;
    unsigned k = chunk_of(f, i, &in_chunk);
    /* Relaxed: the caller read a count above i with acquire. */
    return atomic_load_relaxed(&f->chunks[k]) + in_chunk * f->size;
}

static void *pop_free_locked(struct fixalloc *f)
{
    void *p = f->free;
    if (p == NULL) return NULL;
    f->free = *(void **)p;
    race_hide();
    if (f->zero)
        memset(p, 0, f->size);
    else
        *(void **)p = NULL;
    race_show();
    return p;
}

/* The next record never handed out before. */
static void *extend_locked(struct fixalloc *f)
{
    size_t in_chunk;
    uint32_t i = f->count;
    check(i != UINT32_MAX);
    unsigned k = chunk_of(f, i, &in_chunk);
    if (f->chunks[k] == NULL) {
        size_t bytes = align_up(((size_t)f->first_count << k) * f->size, os_page_size());
        char *chunk = os_mem_map(NULL, bytes);
        if (chunk == NULL) return NULL;
        os_mem_name(chunk, bytes, "gort records");
        atomic_fetch_add_relaxed(f->counter, bytes);
        atomic_store_relaxed(&f->chunks[k], chunk); /* published by count */
    }
    atomic_store_release(&f->count, i + 1); /* pairs with fixalloc_count */
    return f->chunks[k] + in_chunk * f->size;
}

static void *alloc_locked(struct fixalloc *f)
{
    void *p = pop_free_locked(f);
    if (p == NULL) p = extend_locked(f);
    if (p != NULL) f->in_use++;
    return p;
}

void *fixalloc_alloc(struct fixalloc *f)
{
    lock_acquire(&f->lock);
    void *p = alloc_locked(f);
    lock_release(&f->lock);
    return p;
}

uint32_t fixalloc_alloc_many(struct fixalloc *f, void **out, uint32_t n)
{
    uint32_t got = 0;
    lock_acquire(&f->lock);
    while (got < n && (out[got] = alloc_locked(f)) != NULL)
        got++;
    lock_release(&f->lock);
    return got;
}

void fixalloc_free_many(struct fixalloc *f, void *const *many, uint32_t n)
{
    lock_acquire(&f->lock);
    check(f->in_use >= n);
    f->in_use -= n;
    for (uint32_t i = 0; i < n; i++) {
        *(void **)many[i] = f->free;
        f->free = many[i];
    }
    lock_release(&f->lock);
}

void fixalloc_free(struct fixalloc *f, void *p)
{
    fixalloc_free_many(f, &p, 1);
}

uint32_t fixalloc_count(const struct fixalloc *f)
{
    return atomic_load_acquire(&f->count); /* pairs with extend_locked */
}

void fixalloc_each(const struct fixalloc *f, void (*fn)(void *record, void *arg), void *arg)
{
    uint32_t n = fixalloc_count(f);
    for (uint32_t i = 0; i < n; i++)
        fn(fixalloc_at(f, i), arg);
}
