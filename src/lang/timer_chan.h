/* Channels on which only the clock sends.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_TIMER_CHAN_H
#define GORT_LANG_TIMER_CHAN_H

#include "lang/hchan.h"

/* A channel whose first value comes at `when` (0: never), and the following after `period` each (0:
 * none). */
struct hchan *timer_chan_make(int64_t when, int64_t period);
/* Sets both anew; what was due and not received is forgotten.  Was a value still to come, or to be
 * received?  Of a goroutine, outside sections. */
bool timer_chan_set(struct hchan *c, int64_t when, int64_t period);
int64_t timer_chan_period(const struct hchan *c);

/* For chan.c and chan_select.c; lock held. */

/* As chan_take_locked, of a channel of this kind with nothing in its ring. */
int timer_chan_take(struct hchan *c, void *out);
/* Would it take a value now?  If so, it still does when it is called after this. */
bool timer_chan_is_due(const struct hchan *c);
/* Waiters came or went: puts the timer into a heap, or takes it out.  Other channels: nothing. */
void timer_chan_settle(struct hchan *c);

#endif
