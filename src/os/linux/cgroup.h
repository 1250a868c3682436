/* The CPU quota of the control group that holds the process: see cgroup.c.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_OS_LINUX_CGROUP_H
#define GORT_OS_LINUX_CGROUP_H

#include "base/config.h"

/* CPUs that the quotas allow, times 1000; 0: no quota.  The two paths are /proc/self/cgroup and
 * /proc/self/mountinfo, or a test's imitations. */
uint64_t cgroup_milli_cpus(const char *membership, const char *mounts);

#endif
