/* What hangs on objects (finalizers, weak references, cleanups, profile samples), all kinds
 * together: what the sweep tells them, the roots in their records, and the way in for who adds or
 * removes one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_SPECIALS_H
#define GORT_GC_SPECIALS_H

#include "gc/gc.h"
#include "gc/mark.h"
#include "heap/fixalloc.h"
#include "heap/special.h"

/* call calls fn(arg) as the function of a goroutine; NULL: nothing is to be done but calling it. */
void specials_init(void (*call)(void (*fn)(void *), void *arg));
/* Calls a finalizer or a cleanup.  On a goroutine, outside sections. */
void specials_call(void (*fn)(void *), void *arg);

/* The sweeper's hook (heap_hooks.dead_object). */
bool specials_dead_object(struct span *s, uintptr_t base, struct special **chain);
/* Has goroutines run what is queued, if some of them wait.  Any thread that may call g_ready,
 * outside critical sections and stops. */
void specials_wake(void);
/* The scheduler's hook (g_dead): what was called ended that goroutine, another takes its place. */
void specials_goroutine_ended(struct g *g);

/* ---- marking --------------------------------------------------------------------------------- */

/* Records that hold collected pointers are looked at in jobs of so many, all that were ever
 * made. */
#define SPECIALS_PER_JOB 4096
/* How many jobs there are.  World stopped. */
uint32_t specials_root_jobs_stw(void);
uint32_t specials_records_stw(void); /* that marking looks at, in use or not */
/* Marker. */
void specials_scan_job(struct marker *m, uint32_t job);
/* Emits the words of records that hold collected pointers: for checkmark.c.  World stopped. */
void specials_each_root(gc_emit_range emit, void *arg);

/* ---- adding and removing --------------------------------------------------------------------- */

/* The span of a collected object, of which obj is any address.  Throws, naming the call, if it is
 * none; also off goroutines. */
struct span *specials_span(const char *call, const void *obj);
/* Enters a critical section in which the span that lies at an address, perhaps of an object long
 * gone, is swept; no cycle begins until specials_leave.  Returns it; NULL: no span of objects lies
 * there.  May wait for another P, but never switches goroutines. */
struct span *specials_enter(uintptr_t address);
void specials_leave(void);
/* A collected pointer that a record takes up or gives up: Note [Records while marking]. */
void specials_shade(uintptr_t object);

/* Off-heap bytes of all kinds' records. */
uint64_t specials_bytes(void);

#endif
