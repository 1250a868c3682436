/* Threads, and what threads do to each other.
 *
 * Threads come from pthread_create: the program's libraries expect their thread-locals, and
 * debuggers and sanitizers know such threads.  (Rejected: clone by hand, as Go does, which breaks
 * all three.)
 *
 * Answers to: newosproc in os_linux.go, _cgo_sys_thread_start.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "os/linux/syscall.h"
#include "os/os.h"

/* ---- creation ----------------------------------------------------------------------------- */

/* The failing mode.  Creations until they fail, that one included; 0: mode off. */
static uint64_t fail_countdown; /* atomic; orders nothing else: relaxed throughout */
static uint64_t fail_fired;

void os_thread_fail_at(uint64_t k)
{
    atomic_store_relaxed(&fail_countdown, k);
}

uint64_t os_thread_failures(void)
{
    return atomic_load_relaxed(&fail_fired);
}

/* Counts one creation: does it fail? */
static bool creation_fails(void)
{
    uint64_t now = atomic_load_relaxed(&fail_countdown);
    do {
        if (now == 0) return false;
    } while (now != 1 && !atomic_cas_relaxed(&fail_countdown, &now, now - 1));
    if (now != 1) return false;
    atomic_fetch_add_relaxed(&fail_fired, 1);
    return true;
}

static int made;             /* atomic */
static uint64_t stack_bytes; /* atomic; a statistic */

/* From the creator to the new thread, which frees it. */
struct thread_start {
    void (*fn)(void *);
    void *arg;
};

static void *thread_main(void *p)
{
    struct thread_start start = *(struct thread_start *)p;
    free(p);
    start.fn(start.arg);
    return NULL;
}

static int attr_prepare(pthread_attr_t *attr, size_t stack_size)
{
    int error = pthread_attr_setdetachstate(attr, PTHREAD_CREATE_DETACHED);
    if (error != 0 || stack_size == 0) return error;
    long smallest = sysconf(_SC_THREAD_STACK_MIN); /* counts the program's thread-locals */
    if (smallest > 0 && stack_size < (size_t)smallest) stack_size = (size_t)smallest;
    return pthread_attr_setstacksize(attr, align_up(stack_size, os_page_size()));
}

int os_thread_create(void (*fn)(void *), void *arg, size_t stack_size)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t mask;
    int saved = errno;
    if (creation_fails()) return EAGAIN;
    struct thread_start *start = malloc(sizeof(*start));
    if (start == NULL) return ENOMEM;
    *start = (struct thread_start){ fn, arg };

    int error = pthread_attr_init(&attr);
    if (error == 0) {
        error = attr_prepare(&attr, stack_size);
        if (error == 0) {
            pthread_attr_getstacksize(&attr, &stack_size); /* what it became */
            os_signal_block_all(&mask);                    /* the thread inherits it */
            atomic_fetch_add_relaxed(&made, 1); /* before: os_thread_count may have it at once */
            error = pthread_create(&thread, &attr, thread_main, start);
            os_signal_set_mask(&mask);
            if (error != 0) atomic_fetch_sub_relaxed(&made, 1);
        }
        pthread_attr_destroy(&attr);
    }
    if (error != 0)
        free(start);
    else
        atomic_fetch_add_relaxed(&stack_bytes, stack_size); /* a statistic */
    errno = saved;
    return error;
}

int os_threads_made(void)
{
    return atomic_load_relaxed(&made);
}

uint64_t os_thread_stack_bytes(void)
{
    return atomic_load_relaxed(&stack_bytes);
}

/* The 20th field of /proc/self/stat; the second one, the name in parentheses, may hold anything. */
int os_thread_count(void)
{
    char text[1024];
    int saved = errno, fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    errno = saved;
    if (n <= 0) return INT_MAX; /* no /proc, or no descriptor */
    text[n] = 0;
    const char *p = strrchr(text, ')');
    for (int field = 2; p != NULL && field < 20; field++)
        p = strchr(p + 1, ' ');
    return p != NULL ? atoi(p) : INT_MAX;
}

/* ---- identity ----------------------------------------------------------------------------- */

int os_thread_id(void)
{
    return (int)syscall_raw0(SYS_gettid);
}

int os_thread_kill(int tid, int sig)
{
    long process = syscall_raw0(SYS_getpid);
    return syscall_error(syscall_raw3(SYS_tgkill, process, tid, sig));
}

/* The third field of the thread's stat; the second one, its name, may hold anything. */
bool os_thread_sleeps(int tid)
{
    char text[512];
    format_into(text, sizeof text, "/proc/self/task/%d/stat", tid);
    long fd = syscall_raw4(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
    long n = fd < 0 ? -1 : syscall_raw3(SYS_read, fd, text, sizeof text - 1);
    if (fd >= 0) syscall_raw1(SYS_close, fd);
    if (n <= 0) return true; /* nobody can tell */
    text[n] = 0;
    const char *p = strrchr(text, ')');
    return p == NULL || p[1] != ' ' || p[2] != 'R';
}

void os_thread_stack(uintptr_t *lo, uintptr_t *hi)
{
    pthread_attr_t attr;
    void *base = NULL;
    size_t size = 0;
    int saved = errno;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &base, &size);
        pthread_attr_destroy(&attr);
    }
    errno = saved;
    *lo = (uintptr_t)base;
    *hi = (uintptr_t)base + size;
}

/* ---- running and waiting ------------------------------------------------------------------ */

void os_thread_yield(void)
{
    syscall_raw0(SYS_sched_yield);
}

void os_cpu_relax_thread(unsigned rounds)
{
    while (rounds-- > 0)
        arch_pause();
}

/* What registering with the kernel gave.  Several threads may register at once, harmlessly. */
enum { MEMBARRIER_UNKNOWN, MEMBARRIER_READY, MEMBARRIER_ABSENT };
static int membarrier_state; /* atomic; relaxed: the kernel orders what matters */

static long membarrier(int command)
{
    return syscall_raw3(SYS_membarrier, command, 0, 0);
}

static int membarrier_register(void)
{
    long r = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    int state = r == 0 ? MEMBARRIER_READY : MEMBARRIER_ABSENT;
    atomic_store_relaxed(&membarrier_state, state);
    return state;
}

/* Registering waits for a grace period when threads exist already: done while loading. */
__attribute__((constructor)) static void membarrier_init(void)
{
    membarrier_register();
}

bool os_membarrier(void)
{
    int state = atomic_load_relaxed(&membarrier_state);
    if (state == MEMBARRIER_UNKNOWN) /* called before the constructor ran */
        state = membarrier_register();
    return state == MEMBARRIER_READY && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}
