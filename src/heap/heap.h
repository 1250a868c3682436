/* The heap: its state, its counters, growth, and what proves it whole.
 *
 * Everything lives in one record outside the collected heap and outside the program's data (which
 * is scanned for pointers): static variables of this floor hold off-heap addresses only.
 *
 * Answers to: mheap in mheap.go, mstats.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_HEAP_H
#define GORT_HEAP_HEAP_H

#include "base/atomic.h"
#include "base/fields.h"
#include "heap/fixalloc.h"
#include "heap/mcentral.h"
#include "heap/pagealloc.h"
#include "heap/slab.h"
#include "heap/sweep.h"

struct heap_params {
    uintptr_t arena_hint; /* 0: default, ARENA_ANYWHERE: none */
    bool huge_pages;      /* ask for them in arenas */
    bool clobber_free;    /* fill freed slots with HEAP_CLOBBER */
    bool trace_frees;     /* call heap_hooks.freed */
    bool poison;          /* Note [Poison] in poison.h */
    bool never_reuse;     /* Note [Fenced pages] in span.c */
};
#define HEAP_CLOBBER 0xdeadbeefdeadbeefull

/* How often each of these modes did something: freed objects.  Atomic, relaxed. */
struct heap_debug_counts {
    uint64_t clobbered, poisoned, fenced;
};

/* What others know of objects, for fatal reports: diag/objects.c, in modes that keep records.
 * Filled in before main; NULL: nobody knows. */
struct heap_witness {
    /* Prints lines on where the object was allocated, and freed; or nothing. */
    void (*describe)(struct print *out, uintptr_t object);
    /* What the object that begins there was made as; or was, if it is freed. */
    struct contents (*contents)(uintptr_t object);
};
extern struct heap_witness heap_witness;
static inline struct contents heap_contents(uintptr_t object)
{
    if (heap_witness.contents == NULL) return (struct contents){ .type = NULL };
    return heap_witness.contents(object);
}

/* Totals since the start, by class.  Atomic adds, relaxed: statistics, no order needed. */
struct heap_class_totals {
    uint64_t allocs; /* slots */
    uint64_t frees;
};

/* Laid out by who writes what: read-mostly fields, the lock and what it guards, the sweepers' line,
 * the allocating Ps' lines. */
struct heap {
    uint32_t sweepgen; /* changed with the world stopped only */
    uint32_t marking;  /* objects are allocated marked; changed with the world stopped only */
    struct heap_params params; /* constant after boot, as are the hooks */
    struct heap_hooks hooks;
    struct heap_observe observe; /* changed with the world stopped only: mcache.h */

    struct lock lock cache_aligned; /* HEAP: pages, lists of records, growth */
    struct page_alloc pages;
    struct slabs span_records;
    struct span *held_records; /* freed while reuse was held; through next_free */
    uint32_t hold_reuse;       /* heap_hold_records_stw */

    uint32_t sweepers cache_aligned; /* atomic: sweepers at work, and SWEEP_DRAINED */
    uint32_t sweep_cursor;           /* atomic: next span class to look at for heap_sweep_some */
    uint64_t reclaim_cursor;         /* atomic: next page word to look at for heap_sweep_reclaim */
    struct sweep_counts sweep;       /* each atomic */
    uint64_t kept; /* atomic; bytes of unmarked objects that sweeping kept in this generation */
    /* Bytes that the markers counted in this generation, more than there are where two of them
     * marked an object at the same moment (Note [Marks]); the stopper's.  What sweeping found, and
     * kept; atomic. */
    uint64_t counted, survived;

    /* Note [Sweep pace] in sweep.c; each atomic.  Written at the end of a cycle, and when the
     * trigger changes. */
    struct sweep_pace {
        uint64_t trigger;     /* heap_live at which the next cycle is due */
        uint64_t end;         /* sweep.pages when all will be swept */
        uint64_t rate;        /* pages for each byte since the basis, in 2^-32 */
        uint64_t basis_live;  /* heap_live, */
        uint64_t basis_pages; /* and sweep.pages, when the rate was set */
    } pace cache_aligned;

    /* Counters, bytes unless said otherwise; atomic, relaxed: statistics. */
    uint64_t live cache_aligned; /* marked by the last cycle, plus allocated since; heap_live_add */

    uint64_t in_use cache_aligned;    /* pages of in-use spans */
    uint64_t released;                /* pages that the kernel has, page caches included */
    uint64_t span_allocs, span_frees; /* count; the cost ladder: page heap */

    uint64_t mapped cache_aligned; /* arenas: heap_sys */
    uint64_t manual;               /* pages of manual spans */
    uint64_t meta;                 /* records and tables of floors 3 and 5, and what follows */
    uint64_t span_bytes;           /* span records, free ones too, but not those that sleep */
    uint64_t asleep;               /* records of spans and blocks of bits that have no memory */
    uint64_t cache_bytes;          /* allocation caches of all Ps that there ever were */
    uint64_t profile_bytes;        /* buckets and records of profiles */
    uint64_t table_bytes;          /* page allocator: regions, and pages touched of its tables */
    uint64_t arena_table_bytes;    /* pages touched of the arena table */
    uint64_t sparse;               /* address space of these tables; constant after heap_init */
    uint64_t released_total;       /* ever given back by heap_release_free */
    uint64_t fenced;           /* pages of objects that are never used again; also in released */
    uint64_t arena_grows;      /* count; ... kernel */
    uint64_t refills, windows; /* count; ... central, window */
    uint64_t samples;          /* count; allocations observed */
    uint64_t refills_swept;    /* count; ... central, by sweeping for a free slot */
    uint64_t from_page_cache;  /* count; spans of objects by where their pages came from: */
    uint64_t from_page_heap;   /* the lock was taken */
    uint64_t from_kernel;      /* the heap grew for it */
    uint64_t tiny_allocs;      /* count */
    uint64_t large_allocs, large_frees; /* count */
    uint64_t large_alloc_bytes, large_free_bytes;
    struct heap_class_totals classes[SIZE_CLASSES];
    struct heap_debug_counts debug;

    struct mcentral central[SPAN_CLASSES];
};
#define SWEEP_DRAINED 0x80000000u

extern struct heap *heap; /* NULL before heap_init; constant after */

/* Once, at boot.  p NULL: defaults.  false: the kernel refused; nothing is left mapped that
 * matters. */
bool heap_init(const struct heap_params *p);

/* ---- generations --------------------------------------------------------------------------- */

static inline uint32_t heap_sweepgen(void)
{
    return atomic_load_relaxed(&heap->sweepgen); /* changes with the world stopped only */
}
/* Starts a sweep: every span in a set needs sweeping from now on.  All was swept before
 * (heap_sweep_done) and all caches published; caches are flushed by their owners before they
 * allocate again (mcache_prepare_for_sweep) or by the stopper.  World stopped. */
void heap_sweepgen_advance_stw(void);
/* Is the program running while marking is on?  Then what is allocated is black: Note [Marks]. */
static inline bool heap_marking(void)
{
    return unlikely(atomic_load_relaxed(&heap->marking) !=
                    0); /* changes with the world stopped only */
}
/* World stopped; followed by mcache_mark_begin_stw or mcache_mark_end_stw of every cache. */
void heap_set_marking_stw(bool on);
/* Something is marked in the span: notes it for who looks for spans without any. */
static inline void span_note_mark(const struct span *s)
{
    arena_note_mark(arena_of(s->base), arena_page_index(s->base), arena_stamp(heap_sweepgen()));
}
/* While held, freed span records are not reused (no record changes its meaning under a marker):
 * on at STW 1, off at STW 2. */
void heap_hold_records_stw(bool hold);

/* ---- live bytes ----------------------------------------------------------------------------- */

static inline uint64_t heap_live(void)
{
    return atomic_load_relaxed(&heap->live);
}
static inline void heap_live_add(int64_t bytes)
{
    if (bytes == 0) return; /* the common case of a span that was used up */
    atomic_fetch_add_relaxed(&heap->live, (uint64_t)bytes);
}
/* At the end of marking: what was marked.  World stopped; caches published. */
void heap_live_set_stw(uint64_t bytes);

/* ---- statistics ----------------------------------------------------------------------------- */

struct heap_stats {
    uint64_t live;     /* heap_live */
    uint64_t sys;      /* arenas */
    uint64_t in_use;   /* spans of objects */
    uint64_t manual;   /* spans freed by hand */
    uint64_t released; /* given back, or never touched */
    uint64_t idle;     /* free and not released: sys - in_use - manual - released */
    uint64_t meta;     /* records and tables of this floor and floor 5, but for: */
    uint64_t span_records_used, span_records_free; /* bytes: of spans that exist, and others */
    uint64_t caches;                               /* bytes: caches of Ps */
    uint64_t profile;                              /* bytes: buckets and records of profiles */
    uint64_t sparse; /* address space of tables that nothing has touched; in no other figure */
    uint64_t asleep; /* ... of records that have no memory (slab.h); likewise */
    uint64_t alloc;  /* bytes in objects, unswept garbage included */
    uint64_t total_alloc, total_free; /* bytes of slots */
    uint64_t mallocs, frees;          /* objects; tiny ones count in both */
    uint64_t objects;                 /* slots allocated now */
    uint64_t tiny_allocs;
    uint64_t large_allocs, large_frees, large_alloc_bytes, large_free_bytes;
    uint64_t samples;
    uint64_t fenced; /* address space of freed objects that is not used again; part of released */
    uint64_t refills, windows, span_allocs, span_frees, arena_grows, released_total;
    /* Where allocations ended; their sum is that of slots and large objects ever allocated. */
    struct heap_ladder {
        uint64_t hit;    /* a free slot of the open window: derived, the fast path counts nothing */
        uint64_t window; /* another window of the cached span */
        uint64_t central;    /* a swept span of the central list */
        uint64_t sweep;      /* a span of the central list that was swept for it */
        uint64_t page_cache; /* a new span, of the P's pages; from here on large objects too */
        uint64_t page_heap;  /* ... of the page heap's */
        uint64_t kernel;     /* ... of an arena that was mapped for it */
    } ladder;
    struct heap_class_totals classes[SIZE_CLASSES];
};
/* Exact when the world is stopped and all caches are published; else each figure is as of some
 * moment, and sums agree only roughly. */
void heap_read_stats(struct heap_stats *out);

/* ---- spans ----------------------------------------------------------------------------------- */

/* All span records ever made, free ones included: span_state_of tells.  Stable indices. */
uint32_t heap_span_count(void);
struct span *heap_span_at(uint32_t i);
/* In-use spans; fn must not make or free spans.  World stopped. */
void heap_each_span_stw(void (*fn)(struct span *s, void *arg), void *arg);

/* Proves the sums and the invariants of pages, spans, sets and caches.  NULL: whole.  caches: those
 * that hold spans or pages.  World stopped; publishes the caches. */
const char *heap_validate_stw(struct mcache **caches, size_t ncaches);
/* Proves heap_live, when everything is swept: what is allocated, and the free slots of cached
 * spans, which were charged with the span; less what only a finalizer kept, for that was not
 * marked. */
const char *heap_validate_live_stw(struct mcache **caches, size_t ncaches);

/* ---- returning memory ------------------------------------------------------------------------ */

/* Gives so many bytes of free pages back to the kernel, whatever the goals (scavenge.h), or all
 * there are; returns how many: the last block may be more than was asked for.  In a critical
 * section, without locks. */
size_t heap_release_free(size_t bytes);

#endif
