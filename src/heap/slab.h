/* Records in slabs, whose memory goes back to the kernel when all records of a slab are free.
 *
 * For the two kinds of records whose number follows the heap: of spans, and blocks of their marks
 * and bits.  After a heap has shrunk they are more than what lives may weigh.  All else is in
 * fixalloc.h.
 *
 * A slab is up to 64 records in whole pages.  Records lie in mappings that double in size, so
 * record i is found in O(1), and all records that there ever were can be walked.  A record is free
 * or in somebody's hands; nothing is ever written into one here.
 *
 * Locking: the caller's, of which one guards each struct slabs; enumeration needs none
 * (fixalloc.h).
 * Answers to: nothing in the original, which keeps what it once took for them.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SLAB_H
#define GORT_HEAP_SLAB_H

#include "base/config.h"

#define SLAB_ITEMS 64
#define SLAB_CHUNKS 32
#define SLAB_NONE UINT32_MAX

/* Which list a slab is on:
 *
 *      first use      slabs_take           slabs_take, slabs_give
 *   (new) -----> ASLEEP -----> SPARSE <-----> PARTIAL <-----> FULL
 *                  ^            ^   | the last is given
 *                  |            |   v                slabs_take_empty
 *                  |            EMPTY ---------------------> GOING
 *                  |              ^                           |
 *                  |              +---- refused --------------+
 *                  +--------------------- gone ---------------+   slabs_put_back
 *
 * SPARSE: at most half of its records are in somebody's hands.  ASLEEP: the kernel has its memory,
 * which reads as zero.  GOING: in the hands of who gives it back. */
enum slab_list {
    SLAB_PARTIAL,
    SLAB_SPARSE,
    SLAB_EMPTY,
    SLAB_ASLEEP,
    SLAB_FULL,
    SLAB_GOING,
    SLAB_LISTS
};

struct slab {
    uint64_t free;       /* bit k: record k of it is free */
    uint64_t note;       /* its owner's, kept while it sleeps */
    uint32_t next, prev; /* on its list; SLAB_NONE: ends */
    uint32_t list;       /* enum slab_list; atomic, for slabs_is_sparse */
};

struct slabs {
    uint32_t size;  /* of a record */
    uint32_t each;  /* records of a slab */
    uint32_t bytes; /* of a slab */
    uint32_t first; /* slabs of chunk 0; chunk k has first << k */
    uint32_t count; /* slabs ever begun; atomic: release, after the chunk */
    uint32_t heads[SLAB_LISTS];
    uint32_t sparse;   /* slabs on SLAB_SPARSE */
    uint64_t in_use;   /* records in somebody's hands */
    uint64_t awake;    /* bytes of slabs that are not asleep */
    uint64_t *counter; /* awake slabs, and what describes slabs, are added; atomic */
    uint64_t *asleep;  /* bytes of what sleeps, or was never used, are added; atomic */
    char *chunks[SLAB_CHUNKS];
    struct slab *described[SLAB_CHUNKS]; /* the slabs of each chunk */
};

/* A slab has `bytes`, a multiple of 4096, and as many records as fit, but 64 at most. */
void slabs_init(struct slabs *p, uint32_t size, uint32_t bytes, uint64_t *counter,
                uint64_t *asleep);
/* NULL: no memory.  Records of slabs in use come first, of sparse ones last; then of empty ones.
 * The record is as its last owner left it, or zero.  *index: its number. */
void *slabs_take(struct slabs *p, uint32_t *index);
void slabs_give(struct slabs *p, uint32_t index);
/* A record for what is in this one of a sparse slab, so that its slab may become empty: one of a
 * slab that is not sparse, or of the sparse one that is to fill up first.  NULL: where it is is as
 * good.  *other: its number. */
void *slabs_take_better(struct slabs *p, uint32_t index, uint32_t *other);
/* Is it in a sparse slab?  Without a lock: as of some moment. */
bool slabs_is_sparse(const struct slabs *p, uint32_t index);

/* Records that there ever were: those of numbers below, free ones included. */
uint32_t slabs_count(const struct slabs *p);
void *slabs_at(const struct slabs *p, uint32_t index);
/* Bytes that would have memory if all empty slabs slept, or a little less. */
uint64_t slabs_least(const struct slabs *p);
/* Of the slab of this record.  Written by who has it GOING; read by who took a record of it. */
uint64_t *slabs_note(const struct slabs *p, uint32_t index);

/* An empty slab, taken from the lists; number of its first record; SLAB_NONE: there is none, or
 * slabs are no whole pages here.  Afterwards `gone` tells whether the kernel has its memory. */
uint32_t slabs_take_empty(struct slabs *p);
void slabs_put_back(struct slabs *p, uint32_t index, bool gone);

bool slabs_is_free(const struct slabs *p, uint32_t index);
/* NULL: whole.  *free: records that are free. */
const char *slabs_validate(const struct slabs *p, uint64_t *free);

#endif
