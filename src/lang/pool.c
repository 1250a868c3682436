/* Pools: objects to be used again, per P, forgotten at each collection.
 *
 * Each P has a shelf of places, which only its owner touches, in a critical section.
 *
 * Note [Hidden places].  The shelves are pointer-free memory, so marking does not see what is on
 * them: an object that is only there is garbage, and its memory is the sweeper's after the next
 * cycle.  A shelf therefore says in which cycle it was filled, and is taken for empty in any other.
 *   - Cycles are told by the heap's sweep generation, which changes at the end of marking, with the
 *     world stopped, and so not inside a section; no object is freed between two changes but by the
 *     sweep of the cycle before, and what was put since that cycle's marking ended is not its
 *     garbage.
 *   - An object that is put while marking runs was reachable when marking began, or is newer: it
 *     outlives this cycle.  One that is taken out while marking runs may have been hidden when it
 *     began: it is shaded as it leaves, before marking can end.
 * So no list of pools exists, no collection walks one, and a pool is collected like anything else.
 * Rejected: a list of all pools that each cycle clears (it must hold pools without keeping them),
 * and a second chance for what was cleared (it would have to be marked).
 *
 * Locking: none; critical sections.
 * Answers to: sync/pool.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/context.h"
#include "gort/mem.h"
#include "heap/heap.h"
#include "lang/lang.h"

#define SHELF_PLACES 31

struct shelf {
    uint32_t generation; /* the heap's sweep generation when it was filled; owner of the P */
    uint32_t n;
    void *place[SHELF_PLACES]; /* hidden: Note [Hidden places] */
};
_Static_assert(sizeof(struct shelf) == 256, "whole cache lines");

struct gort_pool {
    void *(*make)(void *arg);
    void *arg;
    struct shelf *shelves; /* of MAX_PROCS Ps; pointer-free */
};

gort_pool *gort_pool_make(void *(*make)(void *arg), void *arg)
{
    (void)lang_enter("gort_pool_make");
    gort_pool *p = gort_alloc(sizeof *p);
    p->make = make;
    gort_init(&p->arg, arg);
    gort_init(&p->shelves, (struct shelf *)gort_alloc_noscan(MAX_PROCS * sizeof(struct shelf)));
    return p;
}

/* The shelf of the P whose section this is, emptied if a collection came. */
static struct shelf *shelf_of(gort_pool *p, const struct p *owner)
{
    struct shelf *s = &p->shelves[owner->id];
    uint32_t generation = heap_sweepgen();
    if (s->generation != generation) {
        s->generation = generation;
        s->n = 0;
    }
    return s;
}

void *gort_pool_get(gort_pool *p)
{
    void *obj = NULL;
    (void)lang_enter("gort_pool_get");
    struct shelf *s = shelf_of(p, p_pin());
    if (s->n != 0) obj = s->place[--s->n];
    if (obj != NULL) lang_shade(obj, NULL);
    p_unpin();
    if (obj != NULL) race_acquire(obj);
    if (obj == NULL && p->make != NULL) obj = p->make(p->arg);
    return obj;
}

void gort_pool_put(gort_pool *p, void *obj)
{
    (void)lang_enter("gort_pool_put");
    if (obj == NULL) return;
    race_release(obj);
    struct shelf *s = shelf_of(p, p_pin());
    if (s->n < SHELF_PLACES) s->place[s->n++] = obj;
    p_unpin();
}
