/* Records of objects: which allocation made it, what became of it.  Only in modes that ask for
 * them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_OBJECTS_H
#define GORT_DIAG_OBJECTS_H

#include "diag/stack.h"
#include "sync/lfstack.h"

enum object_state {
    OBJECT_UNUSED, /* being written */
    OBJECT_LIVE,
    OBJECT_FREED,
};

/* One address at which an object began.  Off-heap, never freed; the allocation of another object at
 * the address begins it anew. */
struct object {
    struct object *next; /* of the same hash; constant */
    uintptr_t address;   /* constant */
    uint32_t state;      /* atomic; release by who allocates and who sweeps */
    uint32_t free_thread;
    bool repeats;                   /* its type */
    struct lfnode node;             /* freed, to be printed: alloctrace.c */
    struct object *print_next;      /* there */
    size_t size;                    /* as asked for */
    const struct gort_type *type;   /* NULL: none */
    const char *call;               /* constant text */
    uint64_t goid;                  /* the goroutine that allocated it */
    const struct stack *stack;      /* NULL: not kept */
    uint64_t free_cycle;            /* the collection that found it dead */
    uint64_t free_goid;             /* whose goroutine swept it; 0: none */
    const struct stack *free_stack; /* NULL: not kept */
};

/* Is any mode on that needs them? */
bool objects_wanted(void);
/* The record whose memory, whole pages of it when `pages`, holds the address.  NULL: none. */
const struct object *objects_covering(uintptr_t address, bool pages);
/* What is known of an address that was used wrongly: lines, or nothing. */
void objects_describe(struct print *out, uintptr_t address);
void objects_print_size(struct print *out, const struct object *o);
void objects_print_allocation(struct print *out, const struct object *o);
void objects_print_free(struct print *out, const struct object *o);
/* All records ever made. */
uint32_t objects_count(void);
const struct object *objects_at(uint32_t i);
/* Allocations and frees recorded since the start. */
struct object_counts {
    uint64_t allocs, frees;
};
void objects_read_counts(struct object_counts *out);

/* ---- the trace (alloctrace.c) ---------------------------------------------------------------- */

bool trace_wants(size_t size);
/* Around writing a record and printing it; frees that wait are printed first. */
void trace_begin(void);
void trace_allocation(const struct object *o);
void trace_end(void);
/* Critical section, any thread: to be printed later. */
void trace_free(struct object *o);
/* Prints frees that wait. */
void trace_flush(void);
uint64_t trace_printed(void); /* events */

#endif
