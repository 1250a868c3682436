/* Raw system calls: the processor's file, and the shapes that the backend uses.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_OS_LINUX_SYSCALL_H
#define GORT_OS_LINUX_SYSCALL_H

#include <sys/syscall.h>

#if defined(__x86_64__)
#include "os/linux/syscall_amd64.h"
#elif defined(__aarch64__)
#include "os/linux/syscall_arm64.h"
#else
#error "no raw system calls for this architecture yet"
#endif

#define SYSCALL_ARG_(x) ((long)(x))
#define syscall_raw0(nr) syscall_raw6((nr), 0, 0, 0, 0, 0, 0)
#define syscall_raw1(nr, a) syscall_raw6((nr), SYSCALL_ARG_(a), 0, 0, 0, 0, 0)
#define syscall_raw2(nr, a, b) syscall_raw6((nr), SYSCALL_ARG_(a), SYSCALL_ARG_(b), 0, 0, 0, 0)
#define syscall_raw3(nr, a, b, c)                                                                  \
    syscall_raw6((nr), SYSCALL_ARG_(a), SYSCALL_ARG_(b), SYSCALL_ARG_(c), 0, 0, 0)
#define syscall_raw4(nr, a, b, c, d)                                                               \
    syscall_raw6((nr), SYSCALL_ARG_(a), SYSCALL_ARG_(b), SYSCALL_ARG_(c), SYSCALL_ARG_(d), 0, 0)

/* 0, or the positive errno value of a failed call. */
static inline int syscall_error(long result)
{
    return result < 0 && result >= -4095 ? (int)-result : 0;
}

#endif
