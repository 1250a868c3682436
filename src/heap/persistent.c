/* Permanent off-heap memory.
 *
 * Small requests are cut from 256 KB chunks; a request above a quarter of that gets a mapping of
 * its own.  What is left of a chunk when the next one begins is lost, and counted as unused.  The
 * first words of a chunk link it to the one before, so that persistent_contains can tell.
 *
 * The statics here hold off-heap addresses only, so scanning the program's data finds nothing.
 *
 * Locking: PERSISTENT.  Counters of callers are added to atomically, relaxed: statistics.
 * Answers to: persistentalloc in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/persistent.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "os/os.h"
#include "sync/lock.h"

#define CHUNK (256 * KB)

struct chunk_head {
    struct chunk_head *before;
};

static struct {
    struct lock lock;
    struct chunk_head *chunk; /* newest; lock */
    uintptr_t next, end;      /* free part of it; lock */
    uint64_t unused;          /* bytes of chunks not handed out; atomic */
    uint64_t mapped;          /* bytes of chunks and own mappings; atomic */
} persistent = { .lock = LOCK_INIT(RANK_PERSISTENT) };

void *persistent_map(size_t size, uint64_t *counter)
{
    size = align_up(size, os_page_size());
    void *p = os_mem_map(NULL, size);
    if (p == NULL) return NULL;
    os_mem_name(p, size, "gort meta");
    atomic_fetch_add_relaxed(counter, size);
    atomic_fetch_add_relaxed(&persistent.mapped, size);
    return p;
}

void persistent_unmap(void *p, size_t size, uint64_t *counter)
{
    size = align_up(size, os_page_size());
    os_mem_unmap(p, size);
    atomic_fetch_sub_relaxed(counter, size);
    atomic_fetch_sub_relaxed(&persistent.mapped, size);
}

/* A new chunk; false: refused, the old one stays. */
static bool open_chunk_locked(void)
{
    struct chunk_head *c = os_mem_map(NULL, CHUNK);
    if (c == NULL) return false;
    os_mem_name(c, CHUNK, "gort meta");
    c->before = persistent.chunk;
    persistent.chunk = c;
    persistent.next = (uintptr_t)(c + 1);
    persistent.end = (uintptr_t)c + CHUNK;
    atomic_fetch_add_relaxed(&persistent.unused, CHUNK);
    atomic_fetch_add_relaxed(&persistent.mapped, CHUNK);
    return true;
}

/* Address of size bytes in the open chunk; 0: they do not fit. */
static uintptr_t cut_locked(size_t size, size_t align)
{
    uintptr_t p = align_up(persistent.next, align);
    if (persistent.next == 0 || p > persistent.end || size > persistent.end - p) return 0;
    persistent.next = p + size;
    return p;
}

void *persistent_alloc(size_t size, size_t align, uint64_t *counter)
{
    if (align == 0) align = 8;
    check(is_pow2(align) && align <= os_page_size() && size != 0);
    if (size > CHUNK / 4) return persistent_map(size, counter);
    lock_acquire(&persistent.lock);
    uintptr_t p = cut_locked(size, align);
    if (p == 0 && open_chunk_locked()) p = cut_locked(size, align);
    lock_release(&persistent.lock);
    if (p == 0) return NULL;
    atomic_fetch_sub_relaxed(&persistent.unused, size);
    atomic_fetch_add_relaxed(counter, size);
    return (void *)p;
}

uint64_t persistent_unused(void)
{
    return atomic_load_relaxed(&persistent.unused);
}

uint64_t persistent_mapped(void)
{
    return atomic_load_relaxed(&persistent.mapped);
}

bool persistent_contains(const void *p)
{
    bool found = false;
    lock_acquire(&persistent.lock);
    for (struct chunk_head *c = persistent.chunk; c != NULL && !found; c = c->before)
        found = (uintptr_t)p - (uintptr_t)c < CHUNK;
    lock_release(&persistent.lock);
    return found;
}
