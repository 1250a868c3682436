/* Finalizers: records on objects, the queue of those that are due, the goroutine that runs them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_FINALIZER_H
#define GORT_GC_FINALIZER_H

#include "gc/mark.h"
#include "heap/special.h"

struct finalizer {
    struct special special; /* first: on the object, while it is set */
    struct lfnode node;     /* in the queue, once the object was found unreachable */
    struct finalizer *more; /* of other objects in the same slot, or next to be run */
    void (*fn)(void *obj);
    uintptr_t target; /* the object; hidden from marking */
    uintptr_t queued; /* in the queue: the object again, a root; else 0 */
};

/* call calls fn(obj) as the function of a goroutine; NULL: nothing is to be done but calling it. */
void finalizer_init(void (*call)(void (*fn)(void *), void *obj));
/* Starts the goroutine that runs queued finalizers, for ever. */
void finalizer_start(void);
/* The scheduler's hook (g_dead): a finalizer ended that goroutine, another takes its place. */
void finalizer_goroutine_ended(struct g *g);
/* Has that goroutine look at the queue, if it is not empty and nobody looks.  Any thread that may
 * call g_ready, outside critical sections and stops. */
void finalizer_wake(void);

/* The sweeper's hook (heap_hooks.dead_object). */
bool finalizer_dead_object(struct span *s, uintptr_t base, struct special **chain);

/* Marks what the finalizable objects of one arena point to, not the objects themselves.  Marker. */
void finalizer_scan_specials(struct marker *m, uint32_t arena);
/* Marks the objects in the queue.  Marker. */
void finalizer_scan_queue(struct marker *m);

struct finalizer_counts {
    uint64_t set, queued, run, meta;
};
void finalizer_read_counts(struct finalizer_counts *out);

#endif
