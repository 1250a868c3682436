/* Observers of allocations: filled in by boot.
 *
 * Answers to: MemProfileRate in mprof.go, debug.allocfreetrace of older versions.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ALLOC_OBSERVE_H
#define GORT_ALLOC_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One allocation that is observed: complete, about to be returned to the program. */
struct alloc_event {
    void *object;
    size_t size;       /* as asked for */
    const char *call;  /* the public call */
    const void *frame; /* an address in the frame of the public call, or of one that it called */
};

#define ALLOC_OBSERVERS 4
/* Has fn called of each observed allocation: on the goroutine that allocated, outside critical sections,
 * while the object is kept.  fn never switches goroutines and never allocates collected memory.
 * Before boot (by constructors) or at boot; at most ALLOC_OBSERVERS. */
void alloc_observer_add(void (*fn)(const struct alloc_event *e));
/* Which allocations are observed: each one, or one each `rate` bytes on average (0: none).  gcstress
 * observes each.  At boot, between gc_init and sched_init. */
void alloc_observe(bool every, uint64_t rate);

#endif
