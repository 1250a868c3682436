/* The process as a whole: random bytes, writing, the standard descriptors, leaving.
 *
 * Answers to: os_linux.go (getRandomData), write1 and exit in sys_linux_amd64.s, fds_unix.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>

#include "base/random.h"
#include "os/linux/syscall.h"
#include "os/os.h"

/* Bytes that differ from process to process, where the kernel gives none (a sandbox). */
static void weak_random_bytes(unsigned char *p, size_t n)
{
    struct random r;
    random_init(&r, (uint64_t)os_now() ^ ((uint64_t)os_thread_id() << 32) ^ (uintptr_t)p);
    while (n-- > 0)
        *p++ = (unsigned char)(random_next(&r) >> 56);
}

void os_random_bytes(void *buf, size_t n)
{
    unsigned char *p = buf;
    while (n > 0) {
        long got = syscall_raw3(SYS_getrandom, p, n, 0);
        if (got == -EINTR) continue;
        if (got <= 0) {
            weak_random_bytes(p, n);
            return;
        }
        p += got;
        n -= (size_t)got;
    }
}

void os_write(int fd, const void *buf, size_t n)
{
    const char *p = buf;
    while (n > 0) {
        long done = syscall_raw3(SYS_write, fd, p, n);
        if (done == -EINTR) continue;
        if (done <= 0) return;
        p += done;
        n -= (size_t)done;
    }
}

/* Of a thread of the program's own that opens files meanwhile the number may be another one. */
void os_std_fds_hold(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (syscall_raw3(SYS_fcntl, fd, F_GETFD, 0) >= 0) continue;
        long got = syscall_raw4(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
        if (got < 0) got = syscall_raw4(SYS_openat, AT_FDCWD, "/", O_PATH, 0);
        if (got > 2) syscall_raw1(SYS_close, got);
    }
}

_Noreturn void os_exit(int status)
{
    for (;;)
        syscall_raw1(SYS_exit_group, status);
}
