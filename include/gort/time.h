/* Time: nanoseconds as int64_t, on a clock that only goes forward.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_TIME_H
#define GORT_TIME_H

#include <gort/base.h>

/* Nanoseconds in a microsecond, a millisecond, a second. */
#define GORT_US ((int64_t)1000)
#define GORT_MS ((int64_t)1000000)
#define GORT_S ((int64_t)1000000000)

GORT_BEGIN_DECLS

/* Nanoseconds of the monotonic clock (CLOCK_MONOTONIC): deadlines are given on it.  Never
 * blocks; works outside the runtime too. */
GORT_API int64_t gort_now(void);

/* Parks the calling goroutine for at least ns nanoseconds; ns <= 0 yields. */
GORT_API void gort_sleep(int64_t ns);

GORT_END_DECLS

#endif
