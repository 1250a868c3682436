/* Sweeping a span: the mechanism.  When and what to sweep is the collector's.
 *
 * Note [One set, one popper].  A span that needs sweeping is in an unswept set until somebody pops
 * it.  Who pops it owns where it goes next.  Sweeping out of turn (span_ensure_swept,
 * heap_sweep_reclaim) claims the span by its generation but leaves it in the set: whoever pops
 * it later finds it swept, and puts it where it belongs; or finds it dead (a tombstone: its pages
 * were reclaimed) and frees the record.  Who pops a span that is being swept out of turn waits for
 * it, a bounded time, for sweepers are not stopped inside.
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

/* For what a span is swept. */
enum sweep_reason {
    SWEPT_BACKGROUND, /* the sweeper had time */
    SWEPT_ALLOC,      /* free slots were wanted */
    SWEPT_PAID,       /* allocation got ahead of the sweep: Note [Sweep pace] */
    SWEPT_RECLAIM,    /* pages were wanted */
    SWEPT_DEMAND,  /* this very span was: a record is to be put on it, it was weakly referenced */
    SWEPT_FLUSH,   /* a cache kept it beyond the end of the cycle */
    SWEPT_FINISH,  /* the next cycle, or a caller, waited for the end of the sweep */
    SWEPT_STOPPED, /* in the stop that ended marking: GORTDEBUG=gcstoptheworld=2 */
    SWEEP_REASONS
};

/* Claims the right to sweep: true when the span needed it and nobody else had claimed. */
bool span_sweep_claim(struct span *s);
/* The caller claimed.  true: the span was freed, do not touch it. */
bool span_sweep(struct span *s, enum sweep_mode mode, enum sweep_reason why);
/* true: s, which was in use when this section began or later, is swept in this generation, by the
 * caller or another.  false: a P cached it before the generation rose and has not flushed since
 * (Note [Flushing caches] in mcache.h): leave the section, so that a stop can be, and try again. */
bool span_ensure_swept(struct span *s);

/* A sweeper at work: while one is, the sweep is not done.  Counts what it sweeps. */
struct sweeper {
    enum sweep_reason why;
    struct mcache *cache; /* counts freed slots without atomics; NULL: none */
    uint32_t spans, pages, freed_pages;
    uint64_t survived; /* bytes */
};
/* false: every unswept set was seen empty. */
bool sweeper_enter(struct sweeper *w, enum sweep_reason why, struct mcache *c);
void sweeper_leave(struct sweeper *w);
/* The caller popped these from an unswept set, and will take one after the other: what sweeping
 * looks at is in no cache by then, and is fetched for all at once. */
void sweeper_fetch(struct span *const *spans, unsigned n);
/* The caller popped s from an unswept set.  On return it is swept and the caller's, or (false) it
 * was dead and its record is freed. */
bool sweeper_takes(struct sweeper *w, struct span *s);

/* Pops up to `most` spans from the unswept sets, at most SPANSET_MANY, and sweeps them.  Returns
 * how many; 0: no set holds one (others may still be sweeping theirs: heap_sweep_done). */
unsigned heap_sweep_some(unsigned most, enum sweep_reason why);
/* Sweeps the spans of arena pages that carry no mark until npages were freed, from a shared cursor
 * that heap_sweepgen_advance_stw resets; what was freed beyond that before is taken first.  Returns
 * pages freed or taken. */
size_t heap_sweep_reclaim(size_t npages);
/* Is everything swept, and every sweeper through with it?  Cached spans of Ps that have not flushed
 * since the generation rose are apart. */
bool heap_sweep_done(void);

/* ---- pace ------------------------------------------------------------------------------------ */

/* heap_live at which the next cycle is due; UINT64_MAX: never.  By whoever changes that. */
void heap_sweep_pace(uint64_t trigger);
/* The generation rose: all pages in use are to be swept.  By heap_sweepgen_advance_stw. */
void heap_sweep_pace_begin_stw(void);
/* How many pages more should have been swept by now: Note [Sweep pace] in sweep.c. */
int64_t heap_sweep_debt(void);

/* Since the start, by those who are through. */
struct sweep_counts {
    uint64_t spans[SWEEP_REASONS];
    uint64_t pages;        /* of them all */
    uint64_t reclaimed;    /* pages freed because pages were wanted */
    uint64_t credit_taken; /* pages wanted that had been freed before */
    uint64_t credit;       /* pages freed by this sweep and not taken yet */
};
void heap_read_sweep_counts(struct sweep_counts *out);

/* ---- hooks, installed once by boot before the second thread --------------------------------- */

struct heap_hooks {
    /* A slot with specials was not marked.  *chain: its specials, taken off the span, sorted by
     * kind.  The hook consumes what it will and leaves the rest.  true: the object is kept (its
     * mark bit is set, the rest goes back).  false: it dies, and *chain must be NULL.  No lock
     * held; the caller's critical section. */
    bool (*dead_object)(struct span *s, uintptr_t base, struct special **chain);
    /* Each freed slot, only while heap_params.trace_frees: diagnosis, poisoning.  NULL: none. */
    void (*freed)(struct span *s, uintptr_t base, size_t size);
};
void heap_set_hooks(const struct heap_hooks *h);

#endif
