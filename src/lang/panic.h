/* Panics, deferred calls and the end of a goroutine, for the other files of this floor.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_PANIC_H
#define GORT_LANG_PANIC_H

#include "gort/panic.h"
#include "lang/lang.h"

/* One deferred call on the goroutine's list g->defers, the latest first: a collected object, or a
 * scoped one in a frame of the program (Note [Scoped calls] in panic.c). */
struct defer {
    struct defer *next;
    void (*fn)(void *); /* NULL: cancelled */
    void *arg;
    /* 0: a collected object.  Of a scoped one anything, until a panic unwinds (Note [Order of
     * unwinding] in panic_unwind.c): where its frame begins then, or UINTPTR_MAX: not known. */
    uintptr_t frame;
};

struct defer *defer_push(struct g *g, void (*fn)(void *), void *arg);
/* It will not be called. */
void defer_cancel(struct g *g, struct defer *d);
/* Calls fn(arg) with a context bound, which the caller unbinds; true: it left by panic_leave. */
bool panic_run(void *context, void (*fn)(void *), void *arg);
/* Leaves the innermost panic_run of g: Note [Leaving] in panic.c. */
_Noreturn void panic_leave(struct g *g);
/* The goroutine's function has ended: runs what is deferred. */
void defer_run_all(struct g *g);

#endif
