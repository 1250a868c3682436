/* Panics: a goroutine gives up what it does, and somebody above may catch that.
 *
 * A panic nobody catches prints `panic: MESSAGE` and the goroutine's trace on stderr, and the
 * process exits with 2.  Frames between gort_panic and the gort_try that catches it are left as by
 * longjmp, unless a file of the program that includes this header was compiled with -fexceptions,
 * as C++ always is: then their cleanup attributes and destructors are honoured, also by
 * gort_goexit.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_PANIC_H
#define GORT_PANIC_H

#include <gort/base.h>
#include <gort/inline.h>

GORT_BEGIN_DECLS

/* What a caught panic said. */
typedef struct {
    char message[256]; /* ends with a zero byte; a longer message is cut */
} gort_panic_info;

/* Panics with a message formatted as by printf.  Runs the deferred calls of the goroutine up to the
 * innermost gort_try, which then returns true. */
GORT_API void gort_panic(const char *format, ...) GORT_PRINTF(1, 2) GORT_NORETURN GORT_NONNULL(1);

/* Calls fn(arg).  Returns false when fn returned; true when it panicked, with *out filled in (out
 * may be NULL).  Either way fn's deferred calls have run.  gort_goexit passes through it.  Blocks
 * only where fn does. */
GORT_API bool gort_try(void (*fn)(void *arg), void *arg, gort_panic_info *out) GORT_NONNULL(1);

/* Has fn(arg) called when the innermost function started by gort_try, or else the goroutine's
 * function, ends, panics or exits the goroutine: last deferred, first called.  arg is scanned by
 * the collector.  Never blocks. */
GORT_API void gort_defer(void (*fn)(void *arg), void *arg) GORT_NONNULL(1);

/* Has fn(arg) called when the block that this stands in is left, by its end, return, break, goto, a
 * panic or gort_goexit: last deferred, first called.  For fn and arg as of gort_defer; arg lives in
 * the block's frame.  Costs about as much as calling fn.  A statement of its own.  longjmp must not
 * leave the block. */
#define gort_scoped_defer(fn, arg) GORT_SCOPED_DEFER_(GORT_CAT_(gort_scoped_, __COUNTER__), fn, arg)

/* Panics like gort_panic, with a value: the start of a collected object, or any address. */
GORT_API void gort_panic_with(void *value, const char *format, ...) GORT_PRINTF(2, 3) GORT_NORETURN
    GORT_NONNULL(2);

/* The value of the panic that this goroutine caught last, by gort_try or gort_recover.  NULL: it
 * had none, or nothing was caught. */
GORT_API void *gort_panic_value(void);

/* Panics again with what this goroutine caught last, its value too: if nobody catches it, the
 * report names the function that raised it first.  info: its message, or what is to be said
 * instead. */
GORT_API void gort_repanic(const gort_panic_info *info) GORT_NORETURN GORT_NONNULL(1);

/* In a deferred call: is it a panic that runs it?  Then *out is filled in (out may be NULL). */
GORT_API bool gort_panicking(gort_panic_info *out);

/* In a deferred call: ends the panic that runs it, if there is one, and fills *out in (out may be
 * NULL).  When the call and what else is deferred have run, gort_try returns false, as if its
 * function had returned; without a gort_try the goroutine ends as by gort_goexit.  Returns whether
 * there was a panic. */
GORT_API bool gort_recover(gort_panic_info *out);

/* Sets whether faults of the program's own code (SIGSEGV, SIGBUS, SIGFPE, SIGILL: a NULL that is
 * dereferenced, a division by zero) are panics of their goroutine, in the whole program.
 * Otherwise, and elsewhere (inside the C library, the runtime's critical sections, on other stacks,
 * when a stack overflows), they are fatal.  Returns the former value. */
GORT_API bool gort_set_panic_on_fault(bool on);

/* ---- what the macro is made of --------------------------------------------------------------- */

/* A scoped call: on the goroutine's list while its block lasts. */
struct gort_scoped_call {
    void *next;
    void (*fn)(void *);
    void *arg;
    uintptr_t frame; /* the runtime's, written when a panic unwinds frames */
};

/* What the end of the block knows of it.  Its address goes nowhere, so that a compiler sees through
 * it: fn is called directly, or inlined.  next is call->next, which nobody changes: what was
 * deferred before ends later. */
struct gort_scoped_end {
    struct gort_scoped_call *call;
    void *next;
    void (*fn)(void *);
    void *arg;
    void **list;
};

/* For compilers: what lies between may fault, and then the call is on the list. */
#define GORT_SCOPED_FENCE_() __asm__ volatile("" : : : "memory")

/* Not on a goroutine: says so, and ends. */
GORT_API void gort_scoped_foreign_slow_(void) GORT_NORETURN __attribute__((__cold__));
/* c is not the latest. */
GORT_API void gort_scoped_end_slow_(struct gort_scoped_call *c);

__attribute__((__always_inline__)) static inline struct gort_scoped_end gort_scoped_begin_(
    struct gort_scoped_call *c, void (*fn)(void *), void *arg)
{
    char *g = (char *)gort_self_();
    if (__builtin_expect(g == NULL, 0)) gort_scoped_foreign_slow_();
    void **list = (void **)(void *)(g + GORT_G_DEFERS);
    struct gort_scoped_end end = { c, *list, fn, arg, list };
    c->next = end.next;
    c->fn = fn;
    c->arg = arg;
    *list = c;
    GORT_SCOPED_FENCE_();
    return end;
}

__attribute__((__always_inline__)) static inline void gort_scoped_end_(struct gort_scoped_end *e)
{
    GORT_SCOPED_FENCE_();
    if (__builtin_expect(*e->list != e->call, 0)) {
        gort_scoped_end_slow_(e->call);
        return;
    }
    *e->list = e->next;
    e->fn(e->arg);
}

#define GORT_SCOPED_DEFER_(name, fn, arg)                                                          \
    GORT_SCOPED_DEFER_AS_(name, GORT_CAT_(name, call_), fn, arg)
#define GORT_SCOPED_DEFER_AS_(name, call, fn, arg)                                                 \
    struct gort_scoped_call call;                                                                  \
    __attribute__((__cleanup__(gort_scoped_end_), __unused__)) struct gort_scoped_end name =       \
        gort_scoped_begin_(&call, fn, arg)

/* This program has cleanups: see the head of this file. */
#if defined(__EXCEPTIONS) && !defined(GORT_INTERNAL)
GORT_API __attribute__((__weak__)) char gort_frames_have_cleanups_ = 1;
#endif

GORT_END_DECLS

#endif
