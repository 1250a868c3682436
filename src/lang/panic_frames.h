/* What goes on in a goroutine, for the files that panic: the frames on g->tries, innermost first,
 * which lie on the goroutine's own stack.
 *
 *   TRY    a gort_try that has not returned; its scope are the calls deferred since it began
 *   PANIC  a panic that runs deferred calls
 *   EXIT   a gort_goexit that runs deferred calls
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_PANIC_FRAMES_H
#define GORT_LANG_PANIC_FRAMES_H

#include <setjmp.h>
#include <unwind.h>

#include "lang/panic.h"

enum frame_kind { FRAME_TRY, FRAME_PANIC, FRAME_EXIT };

struct frame {
    enum frame_kind kind;
    struct frame *outer;
};

struct panic_frame {
    struct frame frame;
    bool leaving;   /* Note [Leaving] in panic.c */
    bool recovered; /* by gort_recover: Note [Recovering] */
    bool again;     /* by gort_repanic */
    uintptr_t pc;   /* who raised it first */
    void *value;    /* of gort_panic_with */
    gort_panic_info info;
};

struct try_frame {
    struct frame frame;
    struct g *g;        /* whose it is */
    struct defer *base; /* g->defers when it began */
    void *context;      /* g->context outside */
    gort_panic_info *out;
    bool is_run;    /* of gort_context_run: Note [Leaving] */
    bool exiting;   /* a panic it catches came out of a goexit */
    bool recovered; /* the panic that arrived was */
    jmp_buf env;
    uintptr_t
        exceptions[2]; /* C++'s record of the goroutine: Note [Exceptions] in panic_unwind.c */
    /* While frames are unwound to here: what panics, and the unwinder's record. */
    struct panic_frame raised;
    struct _Unwind_Exception exception;
};

/* Panics as gort_panic, on behalf of the code at pc. */
_Noreturn void panic_at(uintptr_t pc, const char *format, ...) printf_like(2, 3);

/* Runs deferred calls down to base, but of the scoped ones only those of frames up to cfa.  Each is
 * taken off before it is called, so it is never called twice.  true: base is reached. */
bool defers_run(struct g *g, const struct defer *base, uintptr_t cfa);
/* The panic, whose deferred calls have not all run, ends at t. */
_Noreturn void panic_arrive(struct try_frame *t, const struct panic_frame *p);
/* The scopes of which all frames lie up to cfa end, from the innermost outwards. */
void exit_scopes(struct g *g, struct frame *exit, uintptr_t cfa);

/* panic_unwind.c: do frames have cleanups that want to run? */
bool unwind_wanted(void);
/* At a gort_try's beginning, and when a panic has arrived at it, where unwinding is wanted. */
void unwind_exceptions_save(struct try_frame *t);
void unwind_exceptions_restore(const struct try_frame *t);
/* Runs cleanups and deferred calls, frame by frame, then arrives. */
_Noreturn void unwind_to_try(struct try_frame *t, const struct panic_frame *p);
/* The same of all the goroutine's frames; then it ends. */
_Noreturn void unwind_and_exit(struct g *g);

#endif
