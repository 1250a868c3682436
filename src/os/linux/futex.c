/* Sleeping on a word.  Private futexes with relative timeouts on the monotonic clock.
 *
 * Answers to: futexsleep and futexwakeup in os_linux.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "os/linux/syscall.h"
#include "os/os.h"

#define NS_PER_SECOND INT64_C(1000000000)

bool os_futex_wait(uint32_t *addr, uint32_t value, int64_t timeout_ns)
{
    struct timespec limit, *t = NULL;
    if (timeout_ns >= 0) {
        limit.tv_sec = (time_t)(timeout_ns / NS_PER_SECOND);
        limit.tv_nsec = (long)(timeout_ns % NS_PER_SECOND);
        t = &limit;
    }
    long r = syscall_raw4(SYS_futex, addr, FUTEX_WAIT_PRIVATE, value, t);
    return syscall_error(r) != ETIMEDOUT;
}

int os_futex_wake(uint32_t *addr, int n)
{
    long r = syscall_raw3(SYS_futex, addr, FUTEX_WAKE_PRIVATE, n);
    return r < 0 ? 0 : (int)r;
}
