/* Clocks.  libc's clock_gettime reads the monotonic clock through the vDSO in about 20 ns, takes no
 * lock and sets errno only on failure, which these clocks do not have.
 *
 * Answers to: nanotime1 in sys_linux_amd64.s.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <time.h>

#include "base/atomic.h"
#include "os/linux/syscall.h"
#include "os/os.h"

#define NS_PER_SECOND INT64_C(1000000000)

static int64_t clock_read(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static int64_t held; /* atomic; 0: the clock is the machine's */

int64_t os_now(void)
{
    int64_t logical = atomic_load_relaxed(&held);
    if (unlikely(logical != 0)) return logical;
    return clock_read(CLOCK_MONOTONIC);
}

void os_clock_hold(void)
{
    atomic_store_relaxed(&held, NS_PER_SECOND);
}

void os_clock_advance(int64_t ns)
{
    atomic_fetch_add_relaxed(&held, ns);
}

void os_clock_advance_to(int64_t now)
{
    int64_t before = atomic_load_relaxed(&held);
    while (before < now && !atomic_cas_relaxed(&held, &before, now))
        ;
}

int64_t os_thread_cpu(void)
{
    return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

/* The kernel names the clock by the thread's number (posix-timers_types.h): libc has no call for
 * that, but for a pthread_t, which must not have ended. */
#define CLOCK_PER_THREAD 4
#define CLOCK_OF_SCHEDULER 2

int64_t os_thread_cpu_of(int tid)
{
    clockid_t clock = (clockid_t)(~(uint32_t)tid << 3) | CLOCK_PER_THREAD | CLOCK_OF_SCHEDULER;
    struct timespec t;
    if (syscall_raw2(SYS_clock_gettime, clock, &t) != 0) return 0;
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

int64_t os_process_cpu(void)
{
    return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}
