/* What the memory profile counts: a bucket for each call stack, size and rate.
 *
 * Note [Profile cycles].  An allocation is counted when it happens, but that an object is dead
 * shows only when a collection has marked and the sweep comes by.  Counted as they come, the frees
 * would lag behind, and the memory in use would seem more than it ever was.  So what is published
 * is the state at the end of some marking, with all frees that this marking led to.  Let cycle C be
 * the time from the end of marking number C to the next:
 *
 *      marking C-1 ends        marking C ends         marking C+1 ends
 *          |--- allocations a --->|--- sweeps free f --->|
 *                                 |--- allocations b --->|
 *                                                        ^ published: a and f, not b
 *
 * An allocation in cycle C is published as number C+2, a free in cycle C as number C+1: the objects
 * of a sweep that were allocated in cycle C-1 or before meet their allocations in the same number
 * or later, never earlier.  When cycle C begins, all of number C has happened.  When its sweep has
 * ended, so has all of number C+1, and a reader may take it.
 *
 * No bucket is touched at the end of marking: each knows up to which number it has published, and
 * moves on when it is next looked at.  Numbers C+1 and C+2 wait in pending[0] and [1].
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_MEMBUCKETS_H
#define GORT_DIAG_MEMBUCKETS_H

#include "sync/lock.h"

struct mem_counts {
    uint64_t allocs, frees; /* sampled objects */
};

struct mem_bucket {
    struct mem_bucket *chain; /* of the same head; constant */
    struct mem_bucket *older; /* all buckets, from the newest; constant */
    uint64_t hash;            /* of what follows, up to pc */
    uint64_t size;            /* bytes of each object */
    uint64_t rate;            /* at which they were sampled */
    uint32_t npc;
    uint32_t cycle; /* published holds numbers up to this one; lock, as all below */
    struct mem_counts published, pending[2];
    uintptr_t pc[]; /* constant */
};

struct mem_buckets {
    struct lock lock;          /* MEMPROFILE */
    struct mem_bucket **heads; /* NULL until the first use; lock */
    struct mem_bucket *newest; /* lock */
    uint64_t count;            /* atomic; lock to write */
    uint64_t *memory;          /* bytes taken are added; atomic */
};

struct mem_stack {
    uint64_t size, rate;
    const uintptr_t *pc;
    uint32_t npc;
};

void membuckets_init(struct mem_buckets *t, uint64_t *memory);
/* Takes the memory for the heads, once.  false: there is none.  In a critical section. */
bool membuckets_open(struct mem_buckets *t);
/* The bucket, a new one if need be; NULL: no memory.  Opened. */
struct mem_bucket *membuckets_get_locked(struct mem_buckets *t, const struct mem_stack *s,
                                         uint32_t cycle);
void mem_bucket_alloc_locked(struct mem_bucket *b, uint32_t cycle);
void mem_bucket_free_locked(struct mem_bucket *b, uint32_t cycle);

/* What a reader takes. */
enum mem_view {
    MEM_PUBLISHED, /* up to number C */
    MEM_SWEPT,     /* up to C+1: the sweep of cycle C has ended */
    MEM_ALL,       /* as counted: there was no marking yet */
};
struct mem_counts mem_bucket_read_locked(struct mem_bucket *b, uint32_t cycle, enum mem_view v);

#endif
