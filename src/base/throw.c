/* Fatal errors: one report, then the end of the process.
 *
 * The right to report is one word, taken by compare-and-swap and never given back:
 *
 *                    throw_begin: any thread
 *     nobody (0) ------------------------------> tid of the reporter ----> process ends
 *                                                 |            |
 *             throw_begin: the same thread again  |            |  throw_begin, throw_wait: another thread
 *             (the report itself failed)          v            v
 *                                       ends at once         sleeps until the process ends
 *
 * Only system calls that change nothing of libc's state are made here: the caller may be a signal
 * handler, may hold any lock, and every other thread may be stopped.
 *
 * Memory order: none is needed; the reporter function is stored with release and loaded with
 * acquire so that what it points to is initialised.
 *
 * Answers to: fatalthrow, dopanic_m and startpanic_m in panic.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/throw.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/print.h"

#define EXIT_STATUS 2

/* Thread that reports, 0: nobody.  Moved once, by throw_begin. */
static int reporting_thread;
static throw_reporter reporter; /* atomic */
static bool crash;              /* atomic; set at boot or by any thread */

void throw_set_reporter(throw_reporter fn)
{
    atomic_store_release(&reporter, fn); /* pairs with report_and_finish */
}

void throw_set_crash(bool on)
{
    atomic_store_relaxed(&crash, on); /* a lone switch: orders nothing */
}

static int thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

/* A core is wanted: the program's own handler of SIGABRT must not run in this state. */
_Noreturn static void end_with_core(void)
{
    struct sigaction act = { .sa_handler = SIG_DFL };
    sigaction(SIGABRT, &act, NULL);
    abort();
}

_Noreturn static void end_process(void)
{
    if (atomic_load_relaxed(&crash)) /* see throw_set_crash */
        end_with_core();
    for (;;)
        syscall(SYS_exit_group, EXIT_STATUS);
}

/* The process ends soon, by another thread.  Not pause(): it would need signals to be open. */
_Noreturn static void sleep_until_end(void)
{
    for (;;) {
        struct timespec t = { .tv_sec = 3600 };
        syscall(SYS_nanosleep, &t, NULL);
    }
}

/* Nothing but a fault interrupts a report: a thread that a stop signal held could wait for a
 * stopper that itself waits here for the end. */
static void block_signals(void)
{
    const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    uint64_t mask = UINT64_MAX;
    for (size_t i = 0; i < array_len(faults); i++)
        mask &= ~(UINT64_C(1) << (faults[i] - 1));
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, sizeof mask);
}

bool throw_is_on(void)
{
    return atomic_load_relaxed(&reporting_thread) != 0; /* a hint for those who do not report */
}

void throw_wait(void)
{
    int tid = atomic_load_relaxed(&reporting_thread); /* moves once */
    if (tid != 0 && tid != thread_id()) sleep_until_end();
}

void throw_begin(void)
{
    int none = 0, self = thread_id();
    if (atomic_cas_relaxed(&reporting_thread, &none, self)) { /* the word guards no data */
        block_signals();
        return;
    }
    if (none != self) sleep_until_end();
    print_err("fatal error: another error while reporting one\n");
    end_process();
}

_Noreturn never_inline void throw_finish(void)
{
    throw_reporter fn = atomic_load_acquire(&reporter); /* pairs with throw_set_reporter */
    if (fn != NULL) fn();
    end_process();
}

_Noreturn cold_path void throw_msg(const char *msg)
{
    throw_begin();
    print_err("fatal error: %s\n", msg);
    throw_finish();
}

_Noreturn cold_path void throw_fmt(const char *fmt, ...)
{
    va_list ap;
    struct print p;

    throw_begin();
    print_init(&p, STDERR_FILENO);
    print_fmt(&p, "fatal error: ");
    va_start(ap, fmt);
    print_vfmt(&p, fmt, ap);
    va_end(ap);
    print_fmt(&p, "\n");
    print_flush(&p);
    throw_finish();
}
