/* Timers: a 4-ary heap per P.
 *
 * Timer records are off-heap memory of their owner (a sleeping goroutine's stack, or a fixed-size
 * record of a higher floor), or lie in a collected object which something keeps while they wait.
 * Firing appends goroutines to a list of ready ones and calls nobody else (DESIGN section 1, circle
 * 5).
 *
 * Answers to: time.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_TIMER_H
#define GORT_SCHED_TIMER_H

#include "sched/sched_data.h"

struct ready_list { /* chain through g->sched_link */
    struct g *first, *last;
    uint32_t n;
};
static inline void ready_list_append(struct ready_list *l, struct g *g)
{
    g->sched_link = NULL;
    if (l->last != NULL)
        l->last->sched_link = g;
    else
        l->first = g;
    l->last = g;
    l->n++;
}

void timer_heap_init(struct timer_heap *h);
/* t->when, fn and arg are set; adds it to p's heap.  Returns true when it became the earliest of
 * that heap (the caller wakes the poller).  crit. */
bool timer_add(struct p *p, struct timer *t);
/* Takes it out of whichever heap it is in.  true: it was waiting and will not fire; false: it has
 * fired, or was never added.  After it returns nobody touches *t.  crit. */
bool timer_remove(struct timer *t);
/* The same under p's heap lock, held by the caller, who does something more in the same step.
 * timer_remove_locked: t was added to p's heap. */
bool timer_add_locked(struct p *p, struct timer *t);
bool timer_remove_locked(struct p *p, struct timer *t);
/* Fires what is due in p's heap at `now`, appending to ready.  Any M may call it for any P; one
 * without a P of its own leaves late timers to others.  crit. */
void timer_run_due(struct p *p, int64_t now, struct ready_list *ready);
/* Earliest `when` of p's heap, 0: none.  Racy. */
static inline int64_t timer_first(struct p *p)
{
    return __atomic_load_n(&p->timers.first, __ATOMIC_RELAXED);
}
static inline bool timer_is_due(struct p *p, int64_t now)
{
    int64_t first = timer_first(p);
    return first != 0 && first <= now;
}
/* A timer became the earliest of its heap: whoever sleeps in the poller learns of it (proc.c). */
void sched_timer_added(int64_t when);
/* P goes away (world stopped): all its timers to heir. */
void timer_move_all_stw(struct p *from, struct p *heir);
/* The time ns from now, which is not before now, nor after the end of time. */
int64_t timer_time_after(int64_t ns);
/* gort_sleep: parks the goroutine for ns (<= 0: yields).  Not in a section. */
void g_sleep(int64_t ns);

#endif
