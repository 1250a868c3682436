/* What the runtime has from the kernel, by what it is for.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_MEMORY_H
#define GORT_GC_MEMORY_H

#include "heap/heap.h"

/* Bytes; every one is in exactly one of the classes. */
struct memory_classes {
    /* Arenas: the heap. */
    uint64_t heap_objects, heap_unused, heap_free, heap_released;
    uint64_t work_buffers; /* part of metadata_other */
    /* Goroutine stacks: a page for each that was ever used. */
    uint64_t heap_stacks;
    /* The runtime's own. */
    uint64_t mspan_inuse, mspan_free;
    uint64_t mcache_inuse, mcache_free;
    uint64_t metadata_other;
    uint64_t os_stacks;
    uint64_t other;
    uint64_t profiling; /* buckets and records of profiles */
    uint64_t total;     /* the sum of all above, work_buffers once */
    /* The three sums of gort_stats; together the total. */
    uint64_t heap_sys, stack_sys, meta_sys;
    /* Address space without memory: of goroutine stacks and of sparse tables.  Not in the total. */
    uint64_t reserved;
    uint64_t kernel; /* what was asked of the kernel, counted where it was asked */
};

/* h is read with the world stopped; the rest as of now.  While nobody maps or unmaps,
 * total + reserved == kernel. */
void memory_read(const struct heap_stats *h, struct memory_classes *out);

#endif
