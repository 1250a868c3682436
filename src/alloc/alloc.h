/* What the files of malloc share.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ALLOC_ALLOC_H
#define GORT_ALLOC_ALLOC_H

#include "arch/arch.h"
#include "gc/gc.h"
#include "heap/mcache.h"
#include "sched/sched.h"

/* What to allocate.  In a caller that is inlined, all of it is constants but a size. */
struct shape {
    size_t size;
    size_t align;     /* a power of two */
    bool unzeroed;    /* any bytes will do; only without pointers */
    bool noscan;      /* no pointers; else by: */
    uint64_t mask;    /* size <= BITMAP_MAX: bit i: word i may be a pointer */
    uint64_t layout;  /* above, and where pages are its own: Note [Layout words] in gc/gc.h */
    const char *call; /* the public name, for reports */
};

#define TYPED_MAX (SMALL_MAX - WORD_SIZE) /* larger objects with pointers have their own span */

/* Every word may be a pointer: for objects in slots, which need a type. */
extern const struct gort_type alloc_conservative;

/* ---- guards (guard.c) ------------------------------------------------------------------------ */

/* Throws, saying where the caller is: Note [Guards]. */
void alloc_guard_slow(const char *call);
/* The first thing of every allocation; ends in a critical section with a P. */
static force_inline struct p *alloc_enter(const char *call)
{
    struct g *g = g_self();
    if (unlikely(g == NULL || arch_crit_word() != 0 ||
                 arch_stack_pointer() - g->stack_lo > g->stack_hi - g->stack_lo))
        alloc_guard_slow(call);
    return p_pin();
}

/* No memory for the attempt-th time (0 first), outside sections: collects, then gives memory back,
 * then throws with a report. */
void alloc_no_memory_slow(int attempt, size_t size, const char *call);
_Noreturn void alloc_overflow_slow(size_t n, size_t size, const char *call);
/* ---- observers (observe.c) ------------------------------------------------------------------- */

/* An allocation that is to be observed: x is kept meanwhile.  Outside sections. */
void alloc_observe_slow(void *x, const struct shape *s);

/* ---- ways to allocate ------------------------------------------------------------------------ */

/* Whatever the shape. */
void *alloc_any(const struct shape *s);
void *alloc_large(const struct shape *s);
/* For a slot, while memory is never reused: pages of its own.  With a P pinned, which it unpins. */
void *alloc_fenced_slow(const struct shape *s);

#endif
