/* The machine and the process's limits on it.
 *
 * Answers to: getCPUCount in os_linux.go, defaultGOMAXPROCS, sysargs.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sys/resource.h>

#include "base/bits.h"
#include "os/linux/cgroup.h"
#include "os/linux/syscall.h"
#include "os/os.h"

#define CPUS_MAX 65536 /* the kernel refuses a mask shorter than its own */
#define QUOTA_LEAST 2  /* below 2, concurrent collection would stop the program instead */

int os_cpu_count(void)
{
    uint64_t mask[CPUS_MAX / 64];
    long leader = syscall_raw0(SYS_getpid);
    long bytes = syscall_raw3(SYS_sched_getaffinity, leader, sizeof(mask), mask);
    unsigned n = 0;
    for (long i = 0; i < bytes / 8; i++)
        n += bits_popcount64(mask[i]);
    return n > 0 ? (int)n : 1;
}

uint64_t os_cpu_quota_milli(void)
{
    return cgroup_milli_cpus("/proc/self/cgroup", "/proc/self/mountinfo");
}

int os_cpu_quota(void)
{
    uint64_t milli = os_cpu_quota_milli();
    if (milli == 0 || milli > (uint64_t)CPUS_MAX * 1000) return 0;
    int cpus = (int)div_up(milli, 1000);
    return cpus < QUOTA_LEAST ? QUOTA_LEAST : cpus;
}

static uint64_t limit_of(int resource)
{
    struct {
        uint64_t soft, hard;
    } limit;
    if (syscall_raw4(SYS_prlimit64, 0, resource, NULL, &limit) != 0) return UINT64_MAX;
    return limit.soft; /* no limit is all ones */
}

uint64_t os_stack_limit(void)
{
    return limit_of(RLIMIT_STACK);
}

uint64_t os_address_space_limit(void)
{
    return limit_of(RLIMIT_AS);
}
