/* The memory profile's buckets: a hash table of fixed size with chains, in memory that is never
 * given back, so that records and readers may keep pointers.  Buckets are not removed: there are as
 * many as a program has places that allocate, times the ways there.
 *
 * Invariants: all of a bucket but its counts and cycle is constant once it is in the table;
 * published.allocs >= published.frees, also with the pending numbers added in their order.
 *
 * Locking: MEMPROFILE; its rank is below all that may be held while sweeping.  Answers to:
 * stkbucket, memRecord in mprof.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/membuckets.h"

#include <string.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "heap/persistent.h"

#define HEADS ((size_t)1 << 15)

void membuckets_init(struct mem_buckets *t, uint64_t *memory)
{
    *t = (struct mem_buckets){ .memory = memory };
    lock_init(&t->lock, RANK_MEMPROFILE);
}

bool membuckets_open(struct mem_buckets *t)
{
    lock_acquire(&t->lock);
    if (t->heads == NULL) t->heads = persistent_map(HEADS * sizeof *t->heads, t->memory);
    bool open = t->heads != NULL;
    lock_release(&t->lock);
    return open;
}

/* ---- finding --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t hash_of(const struct mem_stack *s)
{
    uint64_t h = mix(mix(s->npc, s->size), s->rate);
    for (uint32_t i = 0; i < s->npc; i++)
        h = mix(h, s->pc[i]);
    return h;
}

static bool is_for(const struct mem_bucket *b, const struct mem_stack *s, uint64_t hash)
{
    return b->hash == hash && b->size == s->size && b->rate == s->rate && b->npc == s->npc &&
           memcmp(b->pc, s->pc, s->npc * sizeof *s->pc) == 0;
}

static struct mem_bucket *make_locked(struct mem_buckets *t, const struct mem_stack *s,
                                      uint64_t hash)
{
    size_t pcs = s->npc * sizeof *s->pc;
    struct mem_bucket *b = persistent_alloc(sizeof *b + pcs, 0, t->memory);
    if (b == NULL) return NULL;
    *b = (struct mem_bucket){
        .older = t->newest, .hash = hash, .size = s->size, .rate = s->rate, .npc = s->npc
    };
    memcpy(b->pc, s->pc, pcs);
    return b;
}

struct mem_bucket *membuckets_get_locked(struct mem_buckets *t, const struct mem_stack *s,
                                         uint32_t cycle)
{
    uint64_t hash = hash_of(s);
    struct mem_bucket **head = &t->heads[hash % HEADS];
    for (struct mem_bucket *b = *head; b != NULL; b = b->chain)
        if (is_for(b, s, hash)) return b;
    struct mem_bucket *b = make_locked(t, s, hash);
    if (b == NULL) return NULL;
    b->cycle = cycle;
    b->chain = *head;
    *head = t->newest = b;
    atomic_store_relaxed(&t->count, t->count + 1); /* a statistic */
    return b;
}

/* ---- counting -------------------------------------------------------------------------------- */

static void add(struct mem_counts *to, const struct mem_counts *from)
{
    to->allocs += from->allocs;
    to->frees += from->frees;
}

/* Publishes what happened up to number `cycle`. */
static void advance(struct mem_bucket *b, uint32_t cycle)
{
    static const struct mem_counts none;
    for (unsigned n = 0; n < 2 && b->cycle != cycle; n++) {
        add(&b->published, &b->pending[0]);
        b->pending[0] = b->pending[1];
        b->pending[1] = none;
        b->cycle++;
    }
    b->cycle = cycle;
}

void mem_bucket_alloc_locked(struct mem_bucket *b, uint32_t cycle)
{
    advance(b, cycle);
    b->pending[1].allocs++;
}

void mem_bucket_free_locked(struct mem_bucket *b, uint32_t cycle)
{
    advance(b, cycle);
    b->pending[0].frees++;
}

struct mem_counts mem_bucket_read_locked(struct mem_bucket *b, uint32_t cycle, enum mem_view v)
{
    advance(b, cycle);
    struct mem_counts c = b->published;
    if (v >= MEM_SWEPT) add(&c, &b->pending[0]);
    if (v == MEM_ALL) add(&c, &b->pending[1]);
    assert_that(c.allocs >= c.frees);
    return c;
}
