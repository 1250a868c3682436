/* errno that belongs to the goroutine.
 *
 * A compiler may keep the address of the C library's errno in a register over a call, and after
 * that call the goroutine may run on another thread.  So errno is read through a function that is
 * neither inline nor const nor pure.  Code built without this header sees the thread's own errno,
 * which gort saves and restores around every switch.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ERRNO_H
#define GORT_ERRNO_H

#include <errno.h>

#include <gort/base.h>

GORT_BEGIN_DECLS

/* The address of the calling thread's errno: valid until the next call that may block.  Never
 * NULL, never fails; also works outside the runtime. */
GORT_API int *gort_errno_location(void) __attribute__((__noinline__, __returns_nonnull__));

GORT_END_DECLS

#undef errno
#define errno (*gort_errno_location())

#endif
