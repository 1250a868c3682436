/* Traces: which functions a goroutine is in.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_TRACEBACK_H
#define GORT_DIAG_TRACEBACK_H

#include "base/print.h"
#include "sched/sched_data.h"

/* Loads what unwinding needs (the library of the compiler, on first use), at boot. */
void traceback_init(void);

struct traceback {
    struct print *out;
    bool system;  /* the runtime's frames and goroutines too */
    bool stopped; /* the world is: running goroutines have traces too */
};

/* The calling thread: from the innermost frame outside of throw, or with ucontext from the
 * instruction that a signal interrupted.  g: the goroutine that it runs, NULL: none. */
void traceback_self(const struct traceback *t, const struct g *g, void *ucontext);
/* The goroutine that made the public call inside of which this is called, on whichever stack. */
void traceback_caller(const struct traceback *t, const struct g *g);
/* Another goroutine, which is not DEAD: its frames; where these can not be had, says so. */
void traceback_other(const struct traceback *t, const struct g *g);
/* All goroutines but `except`; the runtime's own if t->system. */
void traceback_others(const struct traceback *t, const struct g *except);

/* Frames that were captured before (diag/stack.h), the runtime's at both ends left out. */
void traceback_frames(struct print *out, const uintptr_t *pcs, unsigned n);

/* The name of the function at pc, "?" when there is none.  Valid until the next call here. */
const char *traceback_function(uintptr_t pc);

#endif
