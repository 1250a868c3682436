/* Goroutines that have not run yet, and have no stack: Note [Newborns] in newborn.c.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_NEWBORN_H
#define GORT_SCHED_NEWBORN_H

#include "base/atomic.h"
#include "sched/sched.h"

#define NEWBORN_SIZE_SHIFT 56
#define NEWBORN_GOID (((uint64_t)1 << NEWBORN_SIZE_SHIFT) - 1)

struct newborn {
    union {
        struct g *link; /* as sched_link of a goroutine */
        struct newborn *next_free;
    };
    struct g *ahead; /* as sched_ahead */
    uint64_t life;   /* goid, and bytes of copy << NEWBORN_SIZE_SHIFT; 0: free; atomic */
    uintptr_t created_pc;
    uint64_t created_by;
    void (*fn)(void *); /* is called with a copy of: */
    uintptr_t copy[GO_COPY_MOST / WORD_SIZE];
};
_Static_assert(sizeof(struct newborn) == 2 * CACHE_LINE, "two lines, of which mostly one is used");

#define NEWBORN_TAG ((uintptr_t)1)

/* What stands on a run queue may be one of these. */
static inline bool is_newborn(const struct g *g)
{
    return ((uintptr_t)g & NEWBORN_TAG) != 0;
}

static inline struct newborn *newborn_of(const struct g *g)
{
    return (struct newborn *)((uintptr_t)g - NEWBORN_TAG);
}

static inline struct g *newborn_as_g(struct newborn *n)
{
    return (struct g *)((uintptr_t)n + NEWBORN_TAG);
}

/* Where it is linked to the next one on a run queue. */
static inline struct g **queue_link(struct g *g)
{
    return is_newborn(g) ? &newborn_of(g)->link : &g->sched_link;
}

static inline struct g **queue_ahead(struct g *g)
{
    return is_newborn(g) ? &newborn_of(g)->ahead : &g->sched_ahead;
}

/* ---- records: of who owns p ------------------------------------------------------------------ */

#define NEWBORNS_KEPT 128 /* free records of a P */

void newborns_refill_slow(struct p *p); /* throws when there is no memory */
void newborns_spill_slow(struct p *p);

static force_inline struct newborn *newborn_take(struct p *p)
{
    if (unlikely(p->newborn_free == NULL)) newborns_refill_slow(p);
    struct newborn *b = p->newborn_free;
    p->newborn_free = b->next_free;
    p->nnewborn_free--;
    return b;
}

static force_inline void newborn_give(struct p *p, struct newborn *b)
{
    atomic_store_relaxed(&b->life, (uint64_t)0);
    b->next_free = p->newborn_free;
    p->newborn_free = b;
    if (unlikely(++p->nnewborn_free > NEWBORNS_KEPT)) newborns_spill_slow(p);
}

#endif
