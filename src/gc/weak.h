/* Weak references: records on addresses, and the handles that lead to these.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_WEAK_H
#define GORT_GC_WEAK_H

#include "gc/gc.h"
#include "gc/mark.h"
#include "gort/mem.h"
#include "heap/special.h"

/* A collected object without pointers.  16 bytes, or it would share a block with tiny objects. */
struct gort_weak {
    uintptr_t object; /* the address, hidden from marking; 0: gone.  Atomic */
    uint64_t reserved;
};

void weak_init(void);

/* The handle of obj, any address in a collected object that the caller keeps alive; NULL: none
 * yet. */
struct gort_weak *weak_find(void *obj);
/* Makes handle, which is new, obj's.  Returns it, or another that obj got meanwhile. */
struct gort_weak *weak_add(void *obj, struct gort_weak *handle);

/* The object of sp was found unreachable; sp is off its list.  Sweeper, before anything can reuse
 * the object's memory, and before its finalizer can run. */
void weak_clear(struct special *sp);

/* Records ever made; marks from those of [from, to).  Marker. */
uint32_t weak_count(void);
void weak_scan(struct marker *m, uint32_t from, uint32_t to);
/* Emits the words that hold handles.  World stopped. */
void weak_each_root(gc_emit_range emit, void *arg);

struct weak_counts {
    uint64_t made, cleared; /* handles */
    uint64_t shaded;        /* gets while marking, of objects that were not gone */
};
void weak_read_counts(struct weak_counts *out);
uint64_t weak_bytes(void);

#endif
