/* Sweeping a span: the mechanism.  When and what to sweep is the collector's.
 *
 * Note [One set, one popper].  A span that needs sweeping is in an unswept set until somebody pops
 * it.  Who pops it owns where it goes next.  Sweeping out of turn (span_ensure_swept,
 * span_sweep_reclaim) claims the span by its generation but leaves it in the set: whoever pops
 * it later finds it swept, and puts it where it belongs; or finds it dead (a tombstone: its pages were
 * reclaimed) and frees the record.  Who pops a span that is being swept out of turn waits for it, a
 * bounded time, for sweepers are not stopped inside.
 *
 * Answers to: mgcsweep.go (the half about one span).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SWEEP_H
#define GORT_HEAP_SWEEP_H

#include "heap/span.h"
#include "heap/special.h"

/* What becomes of a swept span. */
enum sweep_mode {
    SWEEP_PUT,      /* freed when empty, else put on the right swept set; the caller popped it */
    SWEEP_PRESERVE, /* the caller, who popped it, will use it: neither freed nor put */
    SWEEP_IN_PLACE, /* it stays in the set that it is in, even when empty */
    SWEEP_RECLAIM,  /* as IN_PLACE, but its pages are freed when it is empty */
};

/* Claims the right to sweep: true when the span needed it and nobody else had claimed. */
bool span_sweep_claim(struct span *s);
/* The caller claimed.  true: the span was freed, do not touch it. */
bool span_sweep(struct span *s, enum sweep_mode mode);
/* Claims and sweeps.  *freed, when not NULL: as span_sweep.  false: not ours to sweep. */
bool span_sweep_try(struct span *s, enum sweep_mode mode, bool *freed);
/* true: s, which was in use when this section began or later, is swept in this generation, by the caller or
 * another.  false: a P cached it before the generation rose and has not flushed since (Note [Flushing
 * caches] in mcache.h): leave the section, so that a stop can be, and try again. */
bool span_ensure_swept(struct span *s);
/* The caller popped s from an unswept set.  On return it is swept and the caller's, or (false) it
 * was dead and its record is freed.  c: the cache of the P that allocates, which counts what was freed;
 * NULL: none. */
bool span_sweep_popped(struct span *s, struct mcache *c);

/* Around sweeping of spans from sets: false when every unswept set was seen empty.  Between them the
 * sweep is not done. */
bool heap_sweeper_enter(void);
void heap_sweeper_leave(void);

/* Pops one span from the unswept sets and sweeps it.  Returns its pages, or -1 when no set holds one
 * (others may still be sweeping theirs: heap_sweep_done).  *freed_pages, when not NULL: pages that it gave
 * back. */
int64_t heap_sweep_one(size_t *freed_pages);
/* Sweeps the spans of arena pages that carry no mark until npages were freed, from a shared cursor
 * that heap_sweepgen_advance_stw resets.  Returns pages freed. */
size_t heap_sweep_reclaim(size_t npages);
/* Is everything swept, and every sweeper through with it?  Cached spans of Ps that have not flushed
 * since the generation rose are apart. */
bool heap_sweep_done(void);

/* ---- hooks, installed once by boot before the second thread --------------------------------- */

struct heap_hooks {
    /* A slot with specials was not marked.  *chain: its specials, taken off the span, sorted by kind.
     * The hook consumes what it will and leaves the rest.  true: the object is kept (its mark bit
     * is set, the rest goes back).  false: it dies, and *chain must be NULL.  No lock held; the
     * caller's critical section. */
    bool (*dead_object)(struct span *s, uintptr_t base, struct special **chain);
    /* Each freed slot, only while heap_params.trace_frees: diagnosis, poisoning.  NULL: none. */
    void (*freed)(struct span *s, uintptr_t base, size_t size);
};
void heap_set_hooks(const struct heap_hooks *h);

#endif
