/* Newborns: goroutines that were started and have not run yet.
 *
 * Note [Newborns].  A goroutine's record lies on its stack, so making one touches a page that is in
 * no cache, and where many are started before the first of them runs there is a stack for each,
 * though most run for a moment one after the other.  So gort_go makes only a small record with what
 * is to be called; it stands on the run queues as a goroutine would, told by the lowest bit of its
 * address, and hatches when its turn comes: it gets a stack, which mostly is the one on which the
 * goroutine before it has just ended.  Then there are as many stacks as there are goroutines that
 * have begun and not ended.
 *
 * What is asked for by a name or a size of stack, or with more arguments than fit, or by who has
 * other floating-point controls than the program began with (they are inherited), is a goroutine at
 * once, as is all that the runtime starts for itself: so nothing but gort_go and its kin makes
 * newborns, and no list but the run queues holds any.  ThreadSanitizer is told of a goroutine by
 * who starts it: there all are goroutines at once.
 *
 * Who hatches one owns the P, on the way from a queue to running it: next_local or find_runnable.
 * A goroutine that parks may hold locks there (Note [Commit after the switch] in proc.c), under
 * which no stack should be made; so it leaves newborns to the system stack when the P has no dead
 * goroutine at hand.
 *
 * Note [Roots of newborns].  Arguments of newborns are roots.  A cycle's snapshot holds those that
 * there are when the world is stopped; they are scanned beside the program, by place in the table
 * of all records, and not by queue.  One that hatches while marking runs takes its arguments to a
 * stack that nobody scans, from a record that perhaps nobody has scanned yet: so they are logged as
 * what a store overwrites is.  Hatching is inside one critical section, hence all on one side of
 * the stop that begins a cycle.  One that is made while marking runs needs neither: its maker's
 * stack is black, and what is on a black stack is marked or will be (Note [Snapshot] in
 * gc/cycle.c).  A marker may read a record while it is emptied and filled again: it then sees words
 * that the one or the other had, or a mixture of both, none of which does harm, and what it misses
 * was logged.
 *
 * Locking: a P's list belongs to who owns the P; the others are fixalloc's.
 * Answers to: the part of newproc1 in proc.go that does not need a stack.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/newborn.h"

#include "heap/fixalloc.h"
#include "sched/sched_internal.h"

#define MOVED (NEWBORNS_KEPT / 2) /* so many records come to a P, or go, at once */

static struct fixalloc newborns;

void newborns_init(void)
{
    fixalloc_init(&newborns, sizeof(struct newborn), false, &sched.meta_bytes);
}

cold_path void newborns_refill_slow(struct p *p)
{
    void *many[MOVED];
    uint32_t n = fixalloc_alloc_many(&newborns, many, MOVED);
    if (n == 0) throw_msg("out of memory: no record for a new goroutine");
    p->nnewborn_free += n;
    while (n > 0) {
        struct newborn *b = many[--n];
        b->next_free = p->newborn_free;
        p->newborn_free = b;
    }
}

cold_path void newborns_spill_slow(struct p *p)
{
    void *many[MOVED];
    uint32_t n = 0;
    for (; n < MOVED && p->newborn_free != NULL; n++) {
        many[n] = p->newborn_free;
        p->newborn_free = p->newborn_free->next_free;
    }
    p->nnewborn_free -= n;
    fixalloc_free_many(&newborns, many, n);
}

void newborns_flush_stw(struct p *p)
{
    while (p->nnewborn_free != 0)
        newborns_spill_slow(p);
}

/* ---- the table of all ------------------------------------------------------------------------ */

uint32_t newborns_table_size(void)
{
    return fixalloc_count(&newborns);
}

/* In the stop no record is on its way (nor is fixalloc's lock held): it is pending, with a P, or
 * with fixalloc. */
uint32_t newborns_to_scan_stw(void)
{
    uint64_t pending = newborns.in_use;
    for (int i = 0; i < p_count(); i++)
        pending -= p_at(i)->nnewborn_free;
    return pending != 0 ? newborns_table_size() : 0;
}

bool newborn_read(uint32_t index, struct newborn_view *out)
{
    const struct newborn *b = fixalloc_at(&newborns, index);
    uint64_t life = atomic_load_acquire(&b->life); /* pairs with g_start_bare in g.c */
    if (life == 0) return false;
    *out = (struct newborn_view){
        .goid = life & NEWBORN_GOID,
        .created_by = b->created_by,
        .created_pc = b->created_pc,
        .lo = (uintptr_t)b->copy,
        .hi = (uintptr_t)b->copy + (life >> NEWBORN_SIZE_SHIFT),
    };
    atomic_fence_acquire(); /* pairs with g_start_bare: of one life all of it */
    return atomic_load_relaxed(&b->life) == life;
}
