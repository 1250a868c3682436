/* The monitor: a thread of the runtime that looks after what nobody else would notice.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_RT_SYSMON_H
#define GORT_RT_SYSMON_H

/* Starts it, once, when collections may begin.  Throws without a thread. */
void sysmon_start(void);

#endif
