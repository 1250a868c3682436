/* Panics: a goroutine gives up what it does, and somebody above may catch that.
 *
 * A panic nobody catches prints `panic: MESSAGE` and the goroutine's trace on stderr, and the
 * process exits with 2.  Frames between gort_panic and the gort_try that catches it are left as by
 * longjmp.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_PANIC_H
#define GORT_PANIC_H

#include <gort/base.h>

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

GORT_END_DECLS

#endif
