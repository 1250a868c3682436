/* Time: nanoseconds as int64_t, on a clock that only goes forward; timers and tickers.
 *
 * A time that is over ends a wait, whatever waits: gort_sleep, gort_select_until, a channel of
 * gort_after or of a ticker in a select, or a goroutine of gort_timer_func.  Nothing here needs to
 * be stopped to be freed: a channel, timer or ticker that nothing points to is collected.  (A
 * function that is still to be called is called.)
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_TIME_H
#define GORT_TIME_H

#include <gort/base.h>
#include <gort/chan.h>

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

/* ---- timers: collected handles; their calls never block
 * ------------------------------------------
 *
 * A timer's channel has no buffer, length and capacity 0; on it comes, once the time is there, the
 * time it was set for.  Sending to it and closing it panic. */

typedef struct gort_timer gort_timer;

/* A channel on which one value comes, ns nanoseconds from now. */
GORT_API gort_chan(int64_t) gort_after(int64_t ns) GORT_ALLOCATES;
/* A timer that does the same on gort_timer_channel(t), and can be stopped and set anew. */
GORT_API gort_timer *gort_timer_make(int64_t ns) GORT_ALLOCATES;
GORT_API gort_chan(int64_t) gort_timer_channel(gort_timer *t) GORT_NONNULL(1);
/* Calls fn(arg) in a goroutine of its own, ns nanoseconds from now.  gort_timer_channel of it is
 * NULL. */
GORT_API gort_timer *gort_timer_func(int64_t ns, void (*fn)(void *arg), void *arg) GORT_NONNULL(2);
/* Stops t.  true: a call, or a value that nobody has received, was still to come, and will not;
 * false: it was over or stopped.  Does not wait for a function that was called already. */
GORT_API bool gort_timer_stop(gort_timer *t) GORT_NONNULL(1);
/* Sets t anew, to ns nanoseconds from now; of a ticker, the period too, which must be above 0
 * (panics).  A value that was there to be received is so no longer.  Returns as gort_timer_stop
 * would have. */
GORT_API bool gort_timer_reset(gort_timer *t, int64_t ns) GORT_NONNULL(1);

/* A value comes on c each period; those that nobody received before the next came are left out. */
typedef struct gort_ticker {
    gort_chan(int64_t) c;
    gort_timer *timer; /* to set the ticker anew, or to stop it */
} gort_ticker;
/* period: nanoseconds, above 0 (panics). */
GORT_API gort_ticker *gort_ticker_make(int64_t period);
/* Nothing comes any more.  The channel is not closed. */
GORT_API void gort_ticker_stop(gort_ticker *t) GORT_NONNULL(1);

GORT_END_DECLS

#endif
