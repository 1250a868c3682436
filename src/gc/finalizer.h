/* Finalizers: records on objects, the queue of those that are due, the goroutine that runs them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_FINALIZER_H
#define GORT_GC_FINALIZER_H

#include "gc/gc.h"
#include "gc/mark.h"
#include "heap/special.h"
#include "sync/lfstack.h"

struct finalizer {
    struct special
        special;        /* first: on the object, while it is set; then next: the one to run next */
    struct lfnode node; /* in the queue, once the object was found unreachable */
    void (*fn)(void *obj);
    uintptr_t target; /* while it is set: the object, hidden from marking; else 0.  Atomic */
    uintptr_t queued; /* in the queue: the object, a root; else 0.  Atomic */
};

void finalizer_init(void);
/* Starts the goroutine that runs queued finalizers, for ever. */
void finalizer_start(void);
/* specials_goroutine_ended's and specials_wake's part. */
void finalizer_goroutine_ended(struct g *g);
void finalizer_wake(void);

/* The object of sp, in s, was found unreachable; sp is off its list.  Sweeper. */
void finalizer_queue(struct span *s, struct special *sp);

/* Records ever made; marks from those of [from, to).  Marker. */
uint32_t finalizer_count(void);
void finalizer_scan(struct marker *m, uint32_t from, uint32_t to);
/* Emits the words that hold objects in the queue.  World stopped. */
void finalizer_each_root(gc_emit_range emit, void *arg);

struct finalizer_counts {
    uint64_t set, queued, run;
};
void finalizer_read_counts(struct finalizer_counts *out);
uint64_t finalizer_bytes(void);

#endif
