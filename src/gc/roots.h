/* Roots: where marking starts.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_ROOTS_H
#define GORT_GC_ROOTS_H

#include "gc/gc.h"
#include "gc/gc_stats.h"
#include "gc/mark.h"

#define ROOT_JOB_BYTES (256 * KB) /* memory of one job */
#define ROOT_JOB_STACKS 8         /* goroutines of one job, */
#define ROOT_JOB_NEWBORNS 256     /* and of those that have not run yet */

struct root_range {
    uintptr_t lo, hi;
};

/* A growing array of ranges, off-heap.  Its owner's lock. */
struct root_list {
    struct root_range *a;
    uint32_t n, capacity;
};
/* Adds [lo, hi).  false: no memory.  Raw system calls only. */
bool root_list_add(struct root_list *l, uintptr_t lo, uintptr_t hi);

/* ---- before the stop ------------------------------------------------------------------------- */

/* Calls fn(arg), which stops the world and starts it again, with the loader's lock held: no library
 * comes or goes meanwhile; once more, with the lock let go of in between, where it returns false:
 * the stop was given up (world_try_stop).  The holder of the cycle's semaphore, in a critical
 * section; waits for the lock stoppably.  Note [The loader's lock] in dataroots.c. */
void roots_hold_loader(bool (*fn)(void *), void *arg);
/* Writable data of the program, and of its libraries: read inside roots_hold_loader. */
const struct root_list *roots_program(void);
const struct root_list *roots_libraries(void);
/* By a library's file name: is it the C library's, the loader's or a compiler runtime's? */
bool roots_is_system_library(const char *path);

/* ---- while the world is stopped -------------------------------------------------------------- */

/* Divides all roots into jobs; how many. */
uint32_t roots_prepare_stw(void);
/* So many of them, the first, are to be scanned in this stop: snapshots. */
uint32_t roots_stopped_jobs(void);
/* Scans one; any marker. */
void roots_scan_job(struct marker *m, uint32_t job);
/* Emits the words of all off-heap records of other floors: for checkmark.c. */
void roots_each_record(gc_emit_range emit, void *arg);
/* Registered ranges: gort_root_add, gort_root_remove (roots.c). */
void roots_init(void);
size_t roots_registered(void);
bool roots_registered_at(size_t i, struct root_range *out); /* false: there are fewer */
/* The one that the address lies in; false: none.  World stopped, signal-safe. */
bool roots_registered_around_stw(uintptr_t address, struct root_range *out);

#endif
