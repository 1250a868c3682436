/* Cleanups: records on addresses, the queue of those that are due, the goroutines that run them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_CLEANUP_H
#define GORT_GC_CLEANUP_H

#include "gc/gc.h"
#include "gc/mark.h"
#include "gort/mem.h"
#include "heap/special.h"

struct cleanup;

/* A collected object without pointers. */
struct gort_cleanup {
    uintptr_t object;        /* the address, hidden from marking */
    uint64_t id;             /* of the cleanup: never used twice */
    struct cleanup *cleanup; /* its record, unless that has another id by now */
};

void cleanup_init(void);
/* Throws if there can be no cleanup of obj with fn and arg. */
void cleanup_check(const void *obj, void (*fn)(void *arg), const void *arg);
/* Adds one, of which handle, which is new, is the handle.  obj and arg passed cleanup_check and are
 * kept alive by the caller. */
void cleanup_add(struct gort_cleanup *handle, void *obj, void (*fn)(void *arg), void *arg);

/* The object of sp was found unreachable, and dies; sp is off its list.  Sweeper. */
void cleanup_queue(struct special *sp);
/* specials_goroutine_ended's and specials_wake's part. */
void cleanup_goroutine_ended(struct g *g);
void cleanup_wake(void);

/* Records ever made; marks from those of [from, to).  Marker. */
uint32_t cleanup_count(void);
void cleanup_scan(struct marker *m, uint32_t from, uint32_t to);
/* Emits the words that hold their arguments.  World stopped. */
void cleanup_each_root(gc_emit_range emit, void *arg);

struct cleanup_counts {
    uint64_t added, stopped, queued, run;
    uint64_t goroutines; /* that run them */
};
void cleanup_read_counts(struct cleanup_counts *out);
uint64_t cleanup_bytes(void);

#endif
