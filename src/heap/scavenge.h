/* Giving free pages back to the kernel, and asking it for memory well: the mechanism.
 *
 * When and how much is decided above (gc/scavenger.h); the goals it sets here are what an
 * allocation has to keep by itself.
 *
 * Answers to: mgcscavenge.go, the end of allocSpan in mheap.go, mem_linux.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SCAVENGE_H
#define GORT_HEAP_SCAVENGE_H

#include "heap/heap.h"

/* On whose behalf memory is given back. */
enum scav_origin {
    SCAV_BACKGROUND, /* the scavenger's goroutine */
    SCAV_GROWTH,     /* an allocation that needed memory never used before, though some was free */
    SCAV_LIMIT,      /* an allocation that would have passed the memory limit */
    SCAV_FORCED,     /* gort_free_os_memory; out of memory */
    SCAV_ORIGINS
};

#define SCAV_NONE UINT64_MAX /* a goal: nothing has to be given back */

/* Bytes.  Each is an atomic word of its own, relaxed. */
struct scav_goals {
    uint64_t retained;   /* of heap memory that the kernel does not have, as much may stay */
    uint64_t limit;      /* of all memory of the runtime, as much may stay; SCAV_NONE: no limit */
    uint64_t background; /* ... as the scavenger aims at */
    uint64_t others;     /* memory of the runtime that is not this floor's */
};
void scav_set_goals(const struct scav_goals *g); /* but others, which is set by: */
void scav_set_others(uint64_t bytes);
void scav_get_goals(struct scav_goals *g);

/* Heap memory that the kernel does not have; this floor's records; both, and all other memory of
 * the runtime. */
uint64_t scav_retained(void);
uint64_t scav_meta(void);
uint64_t scav_total(void);
/* Is there more of either than the scavenger aims at? */
bool scav_is_wanted(void);

/* ---- giving back: in a critical section, without locks --------------------------------------- */

/* One walk downwards through the free pages: blocks that are wholly free first, then the rest. */
struct scav_round {
    struct page_hunt hunt;
    enum scav_origin origin;
};
void scav_begin(struct scav_round *r, enum scav_origin origin);
/* Looks at some chunks, and gives back at most max pages or one block.  Bytes; *over: the round has
 * ended. */
size_t scav_step(struct scav_round *r, size_t max_pages, bool *over);
/* Steps until so many bytes were given back, or the round has ended.  How many. */
size_t scav_release(size_t bytes, enum scav_origin origin);

/* The same of the records and marks of spans that are no more (Note [Records asleep] in span.c),
 * one slab or page of them: while there are more than the spans will need that the goals leave room
 * for, or whatever the goals if `all`.  Bytes; 0: there is nothing more to give back. */
size_t scav_step_records(enum scav_origin origin, bool all);
/* Would it give something back, without `all`? */
bool scav_has_records(void);

/* Gives the pages that a P's cache has taken and not used back to the heap.  World stopped. */
void scav_return_window_stw(struct mcache *c);

/* A collection's marking has ended: chunks age.  World stopped. */
void scav_generation_stw(void);
/* The same at any other time, in a critical section. */
void scav_generation(void);

/* ---- for the page heap ----------------------------------------------------------------------- */

/* The heap grew by [base, base + size).  Caller holds HEAP. */
void scav_grown_locked(uintptr_t base, size_t size);
/* Some of the npages just taken from c at base have no memory: has the kernel provide it, and that
 * of some pages after them, in one step instead of a fault for each.  How many more pages than
 * those taken have memory now. */
size_t scav_populate(struct page_cache *c, uintptr_t base, size_t npages);
/* `taken` bytes came from the kernel, `grown` bytes of chunks were used for the first time: gives
 * back what the goals ask for. */
void scav_assist(size_t taken, size_t grown);

/* While held, allocations give nothing back for the memory limit's sake: it would take too much of
 * the CPU.  Any time. */
void scav_set_held(bool held);

/* ---- test mode and statistics ---------------------------------------------------------------- */

/* > 0: gives back up to 1 MB at every n-th taking of memory that the kernel had, and always when
 * the scavenger looks; blocks of marks move wherever they can (GORTDEBUG=scavstress=N).  Constant
 * after boot. */
extern uint32_t scav_stress;

struct scav_counts {
    uint64_t released[SCAV_ORIGINS]; /* bytes of the heap, ever */
    uint64_t records[SCAV_ORIGINS];  /* bytes of records and marks, ever */
    uint64_t moved;                  /* blocks of marks: Note [Blocks that move] in gcbits.h */
    uint64_t refused;                /* runs that the kernel did not take */
    uint64_t assist_ns;              /* time that allocations gave memory back for */
    uint64_t populated;              /* bytes provided ahead of their use */
    uint64_t splits;                 /* chunks that were to have huge pages, and are not any more */
    uint64_t stress;                 /* how often scav_stress fired */
};
void scav_read_counts(struct scav_counts *out);

#endif
