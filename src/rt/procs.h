/* How many Ps a program gets that asks for no number, and following it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_RT_PROCS_H
#define GORT_RT_PROCS_H

#include "base/config.h"

/* What the machine gives at the moment: CPUs of the affinity mask, bounded by the container's
 * quota. */
int procs_by_default(void);
/* From now on the number of Ps follows that, until the program sets it.  On the main goroutine,
 * once. */
void procs_follow(void);
/* The monitor, once a round: looks whether it has changed. */
void procs_tick(int64_t now);

#endif
