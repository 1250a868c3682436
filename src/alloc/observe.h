/* Observers of allocations: filled in by boot.
 *
 * Answers to: MemProfileRate in mprof.go, debug.allocfreetrace of older versions.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ALLOC_OBSERVE_H
#define GORT_ALLOC_OBSERVE_H

#include "heap/span.h"

/* One allocation that is observed: complete, about to be returned to the program. */
struct alloc_event {
    void *object;
    size_t size;                  /* as asked for */
    const char *call;             /* the public call */
    const struct gort_type *type; /* NULL: none was given */
    bool repeats;                 /* it does, to the object's end */
    const void *frame; /* an address in the frame of the public call, or of one that it called */
};

/* One object that the sweep found dead.  Its memory is still as it was. */
struct free_event {
    uintptr_t object;
    size_t size; /* of its slot */
};

#define ALLOC_OBSERVERS 4
/* Has fn called of each observed allocation: on the goroutine that allocated, outside critical
 * sections, while the object is kept.  fn never switches goroutines and never allocates collected
 * memory.  Before boot (by constructors) or at boot; at most ALLOC_OBSERVERS. */
void alloc_observer_add(void (*fn)(const struct alloc_event *e));
/* Which allocations are observed: each one, or one each `rate` bytes on average (0: none).
 * gcstress observes each.  At boot, between gc_init and sched_init. */
void alloc_observe(bool every, uint64_t rate);
/* From now on each one, whatever alloc_observe says later.  At boot. */
void alloc_observe_all(void);

/* Has fn called of each freed object while heap_params.trace_frees is on: by whoever sweeps, in a
 * critical section, perhaps with the world stopped.  fn takes only what lock rank allows and makes
 * only raw system calls.  Before boot; one. */
void alloc_free_observer_set(void (*fn)(const struct free_event *e));
/* heap_hooks.freed. */
void alloc_freed(struct span *s, uintptr_t base, size_t size);

#endif
