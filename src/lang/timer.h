/* Timers, for the other files of this floor.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_TIMER_H
#define GORT_LANG_TIMER_H

#include "gort/time.h"
#include "lang/lang.h"

/* At boot, after the collector and before the scheduler. */
void timers_init(void);
/* gort_timer_func; is_system: the goroutine is one of the runtime's own. */
gort_timer *timer_func_make(int64_t ns, void (*fn)(void *), void *arg, bool is_system);

#endif
