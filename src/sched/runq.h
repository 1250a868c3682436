/* The owner's ends of a P's run queue: Note [Run queue] in runq.c.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_RUNQ_H
#define GORT_SCHED_RUNQ_H

#include "base/atomic.h"
#include "sched/newborn.h"
#include "sched/sched_internal.h"

#define NEXT_STREAK_MAX 32 /* uses of run_next in a row while the ring waits */

static inline uint32_t runq_limit(void)
{
    return unlikely(sched_debug.tiny_runq) ? 4 : RUNQ_SIZE;
}

/* The owner's view; thieves may have taken some. */
static inline uint32_t runq_length(const struct p *p)
{
    return p->runq_tail - atomic_load_relaxed(&p->runq_head);
}

/* Anybody's view: head and tail are read apart in time. */
static inline uint32_t runq_length_seen(const struct p *p)
{
    uint32_t head = atomic_load_relaxed(&p->runq_head), tail = atomic_load_relaxed(&p->runq_tail);
    return tail - head <= RUNQ_SIZE ? tail - head : 0;
}

static inline void ring_put(struct p *p, struct g *g)
{
    for (;;) {
        uint32_t head = atomic_load_acquire(&p->runq_head); /* pairs with B */
        uint32_t tail = p->runq_tail;
        if (likely(tail - head < runq_limit())) {
            atomic_store_relaxed(&p->runq[tail % RUNQ_SIZE], g);
            atomic_store_release(&p->runq_tail, tail + 1); /* A */
            return;
        }
        if (runq_overflow_slow(p, g, head, tail)) return;
    }
}

/* next: runs before the others, and pushes the former next one into the ring. */
static inline void runq_put(struct p *p, struct g *g, bool next)
{
    if (next) {
        struct g *old;
        if (p_count() == 1) {
            old = p->run_next;
            p->run_next = g;
        } else {
            old = atomic_exchange_seq(&p->run_next, g);
        }
        if (old == NULL) return;
        g = old;
    }
    ring_put(p, g);
}

static inline struct g *next_take(struct p *p)
{
    struct g *g = atomic_load_relaxed(&p->run_next); /* confirmed by the exchange */
    if (g == NULL) return NULL;
    if (p_count() == 1) {
        p->run_next = NULL;
        return g;
    }
    /* Acquire is not needed (the owner put it there), but a thief may have taken it. */
    return atomic_exchange_acqrel(&p->run_next, (struct g *)NULL);
}

static inline struct g *ring_get(struct p *p)
{
    uint32_t head = atomic_load_acquire(&p->runq_head);
    for (;;) {
        if (p->runq_tail == head) return NULL;
        struct g *g = atomic_load_relaxed(&p->runq[head % RUNQ_SIZE]);
        /* The one after it, or who was there a turn of the ring ago: only a hint. */
        arch_prefetch(atomic_load_relaxed(&p->runq[(head + 1) % RUNQ_SIZE]));
        if (p_count() == 1) {
            p->runq_head = head + 1;
            return g;
        }
        if (atomic_cas_acqrel(&p->runq_head, &head, head + 1)) return g; /* B */
    }
}

static inline struct g *runq_get(struct p *p)
{
    if (likely(p->next_streak < NEXT_STREAK_MAX)) {
        struct g *g = next_take(p);
        if (g != NULL) {
            p->next_streak++;
            return g;
        }
    }
    p->next_streak = 0;
    struct g *g = ring_get(p);
    return g != NULL ? g : next_take(p);
}

#endif
