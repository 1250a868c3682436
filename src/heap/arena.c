/* Placing arenas in the address space.
 *
 * New memory is asked for, in this order: right after the last (so that large spans find
 * neighbours); at a few of the hints, one per TB from 0x3b9f_0000_0000 up; anywhere.  When all are
 * refused the request shrinks from whole arenas to what is needed, so that an address space limit
 * is used up to the last 4 MB.  Mappings need not start at an arena: a struct arena stands for
 * 64 MB of address space of which any part may be ours.
 *
 * The hints matter for conservative scanning: two 32-bit numbers side by side are an address in the
 * heap where the upper one is the upper half of the heap's.  So that is no small number, as lengths
 * and counts are, but 15263, and the few after it in a heap of many GB.
 *
 * Invariants: table entry i is NULL or a struct arena whose base is i << ARENA_SHIFT; entries are
 * never removed.
 *
 * Locking: growth under HEAP.  Answers to: sysAlloc in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/arena.h"

#include "base/assert.h"
#include "base/bits.h"
#include "heap/fixalloc.h"
#include "heap/pagealloc.h"
#include "heap/persistent.h"
#include "os/os.h"

/* Sanitizers keep the usual place for their own tables: then the kernel places. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define HINT_DEFAULT ARENA_ANYWHERE
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define HINT_DEFAULT ARENA_ANYWHERE
#endif
#endif
#ifndef HINT_DEFAULT
#define HINT_DEFAULT ((uintptr_t)0x3b9f00000000)
#endif
#define HINT_STEP_SHIFT 40
#define HINT_COUNT 60 /* below 47 bits */
#define HINT_TRIES 8  /* occupied hints passed over in one growth */

struct arena **arena_table;

/* Off-heap, for it holds addresses where heap begins and ends. */
static struct placement {
    uintptr_t hint;     /* first hint, ARENA_ANYWHERE: none */
    unsigned next_hint; /* hints below were used or found occupied; HEAP */
    uintptr_t frontier; /* end of the newest mapping; HEAP */
    uint64_t *table_counter;
    struct fixalloc records; /* struct arena */
} * placement;

bool arena_init(uintptr_t hint, uint64_t *counter, uint64_t *table_counter)
{
    uint64_t uncounted = 0; /* sparse: register_range counts what it touches */
    struct arena **table = persistent_map(ARENA_TABLE_LEN * sizeof(void *), &uncounted);
    if (table == NULL) return false;
    struct placement *p = persistent_alloc(sizeof(*p), 0, counter);
    if (p == NULL) {
        persistent_unmap(table, ARENA_TABLE_LEN * sizeof(void *), &uncounted);
        return false;
    }
    p->hint = hint == 0 ? HINT_DEFAULT : hint;
    p->table_counter = table_counter;
    fixalloc_init(&p->records, sizeof(struct arena), false, counter);
    placement = p;
    arena_table = table;
    return true;
}

/* ---- placing -------------------------------------------------------------------------------- */

/* Maps exactly at addr; 0: taken, refused, or beyond the address space. */
static uintptr_t map_at(uintptr_t addr, size_t size)
{
    if (addr == 0 || (addr + size) >> ADDRESS_BITS != 0) return 0;
    return (uintptr_t)os_mem_map_at((void *)addr, size);
}

/* Maps wherever the kernel likes, and trims to a chunk's alignment. */
static uintptr_t map_anywhere(size_t size)
{
    size_t whole = size + CHUNK_BYTES;
    uintptr_t p = (uintptr_t)os_mem_map(NULL, whole);
    if (p == 0) return 0;
    if ((p + whole) >> ADDRESS_BITS != 0) {
        os_mem_unmap((void *)p, whole);
        return 0;
    }
    uintptr_t base = align_up(p, CHUNK_BYTES);
    if (base > p) os_mem_unmap((void *)p, base - p);
    if (base + size < p + whole) os_mem_unmap((void *)(base + size), p + whole - base - size);
    return base;
}

/* The next few hints.  Remembers those passed over only when memory was found: else they may have
 * been refused rather than occupied. */
static uintptr_t map_at_hints(size_t size, unsigned *passed)
{
    *passed = placement->next_hint;
    if (placement->hint == ARENA_ANYWHERE) return 0;
    unsigned last = placement->next_hint + HINT_TRIES;
    if (last > HINT_COUNT) last = HINT_COUNT;
    while (*passed < last) {
        uintptr_t at = placement->hint + ((uintptr_t)(*passed)++ << HINT_STEP_SHIFT);
        uintptr_t base = map_at(at, size);
        if (base != 0) return base;
    }
    return 0;
}

static uintptr_t place(size_t size)
{
    unsigned passed;
    uintptr_t base = map_at(placement->frontier, size);
    if (base != 0) return base;
    base = map_at_hints(size, &passed);
    if (base == 0) base = map_anywhere(size);
    if (base != 0) placement->next_hint = passed;
    return base;
}

/* ---- registering ----------------------------------------------------------------------------- */

/* Is i the first entry of its page of the table? */
static bool touches_page(size_t i)
{
    size_t n = os_page_size() / sizeof(struct arena *), first = align_down(i, n);
    for (size_t k = first; k < first + n && k < ARENA_TABLE_LEN; k++)
        if (arena_table[k] != NULL) return false;
    return true;
}

static bool register_range(uintptr_t base, size_t size)
{
    for (uintptr_t i = base >> ARENA_SHIFT; i <= (base + size - 1) >> ARENA_SHIFT; i++) {
        if (arena_table[i] != NULL) continue;
        struct arena *a = fixalloc_alloc(&placement->records);
        if (a == NULL) return false; /* those made stay: they stand for nothing yet */
        a->base = i << ARENA_SHIFT;
        if (touches_page(i)) atomic_fetch_add_relaxed(placement->table_counter, os_page_size());
        atomic_store_release(&arena_table[i], a); /* pairs with arena_of */
    }
    return true;
}

bool arena_grow_locked(size_t bytes, uintptr_t *base, size_t *size)
{
    if (bytes == 0 || bytes > (size_t)1 << (ADDRESS_BITS - 1)) return false;
    *size = align_up(bytes, ARENA_BYTES);
    *base = place(*size);
    if (*base == 0 && *size != align_up(bytes, CHUNK_BYTES)) {
        *size = align_up(bytes, CHUNK_BYTES);
        *base = place(*size);
    }
    if (*base == 0) return false;
    if (!register_range(*base, *size)) {
        os_mem_unmap((void *)*base, *size);
        return false;
    }
    os_mem_name((void *)*base, *size, "gort heap");
    placement->frontier = *base + *size;
    return true;
}

void arena_set_spans(uintptr_t base, size_t npages, struct span *s)
{
    while (npages != 0) {
        struct arena *a = arena_of(base);
        size_t first = arena_page_index(base);
        size_t n = npages < PAGES_PER_ARENA - first ? npages : PAGES_PER_ARENA - first;
        for (size_t i = first; i < first + n; i++)
            atomic_store_release(&a->spans[i], s); /* pairs with span_of */
        npages -= n;
        base += n << PAGE_SHIFT;
    }
}

size_t arena_count(void)
{
    return fixalloc_count(&placement->records);
}

struct arena *arena_at(size_t i)
{
    return fixalloc_at(&placement->records, (uint32_t)i);
}
