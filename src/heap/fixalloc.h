/* Fixed-size off-heap records: for what the runtime itself needs (spans, specials, Gs, timers).
 *
 * Records come from mappings that double in size, so record i is found in O(1) and all records ever
 * handed out can be walked: that is how the collector finds pointers in them.  Memory is never
 * returned, so a stale pointer to a record always points at a record of the same kind.
 *
 * A record's memory is used for nothing of ours but its first word while it is free.
 *
 * Locking: FIXALLOC, inside.  Enumeration needs none: counts are published with release after the
 * record's memory is ready, and fixalloc_count's acquire pairs with it.
 * Answers to: mfixalloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_FIXALLOC_H
#define GORT_HEAP_FIXALLOC_H

#include "base/config.h"
#include "sync/lock.h"

#define FIXALLOC_CHUNKS 32

struct fixalloc {
    struct lock lock;
    uint32_t size;        /* bytes of a record */
    uint32_t first_count; /* records in chunk 0; chunk k has first_count << k; a power of two */
    uint32_t count;       /* records ever handed out: indices 0 .. count-1; atomic */
    bool zero;            /* every record handed out is zero, else only new ones are */
    void *free;           /* list of free records through their first word; lock */
    uint64_t in_use;      /* records handed out and not freed; lock */
    uint64_t *counter;    /* bytes of each mapping are added, atomic */
    char *chunks[FIXALLOC_CHUNKS]; /* set under lock; atomic */
};

/* size: a multiple of 8, at most 1 MB; records are aligned to the largest power of two that divides
 * size, up to the system page. */
void fixalloc_init(struct fixalloc *f, size_t size, bool zero, uint64_t *counter);
/* NULL: no memory. */
void *fixalloc_alloc(struct fixalloc *f);
/* Up to n records at once; returns how many. */
uint32_t fixalloc_alloc_many(struct fixalloc *f, void **out, uint32_t n);
void fixalloc_free(struct fixalloc *f, void *p);
void fixalloc_free_many(struct fixalloc *f, void *const *many, uint32_t n);

/* All records ever handed out, free ones included: the record's own state tells which are live. */
uint32_t fixalloc_count(const struct fixalloc *f);
void *fixalloc_at(const struct fixalloc *f, uint32_t i);
void fixalloc_each(const struct fixalloc *f, void (*fn)(void *record, void *arg), void *arg);

#endif
