/* The contract with the operating system (floor 1).
 *
 * What it is: everything the runtime asks of the kernel, one prototype each, implemented by
 * src/os/linux/.  Policy above is tested with fakes of these where it matters.
 *
 * Conventions: functions that can fail return 0 or a positive errno value, or NULL for addresses;
 * they never print and never exit.  "Raw" functions make one system call and touch nothing of
 * libc's state but errno, which they preserve; they are the only ones allowed while the world is
 * stopped or in a signal handler.
 *
 * Answers to: os_linux.go, mem_linux.go, signal_unix.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_OS_OS_H
#define GORT_OS_OS_H

#include <signal.h>

#include "base/config.h"

/* ---- memory (raw) ------------------------------------------------------------------------- */

/* Address space without memory: not accessible.  hint may be NULL; the result may lie elsewhere.
 * size is a multiple of the system page.  NULL when refused. */
void *os_mem_reserve(void *hint, size_t size);
/* Readable and writable at once, zero on first touch, not charged (MAP_NORESERVE). */
void *os_mem_map(void *hint, size_t size);
/* As os_mem_map but exactly at addr, or NULL: never replaces what is mapped there. */
void *os_mem_map_at(void *addr, size_t size);
/* Makes part of a reservation readable and writable.  0 or errno. */
int os_mem_commit(void *addr, size_t size);
/* Gives the pages back to the kernel; they read as zero afterwards.  0 or errno. */
int os_mem_release(void *addr, size_t size);
void os_mem_unmap(void *addr, size_t size);
/* Bytes mapped or reserved by these calls and not unmapped, in whole pages.  A counter of its own:
 * whoever maps meanwhile may or may not be in it. */
uint64_t os_mem_mapped(void);
/* The lowest of these mappings that ends above `at`: [*lo, *hi).  false: there is none. */
bool os_mem_next_own(uintptr_t at, uintptr_t *lo, uintptr_t *hi);
bool os_mem_knows_own(void); /* false: there are too many to know them all */
/* Calls fn for all other private memory of the process that can be written and has been touched:
 * data, stacks of threads, malloc's.  In whole pages, in order.  false: not all could be looked
 * at. */
bool os_mem_each_other(void (*fn)(uintptr_t lo, uintptr_t hi, void *arg), void *arg);
/* Advice; failure is ignored. */
void os_mem_hugepage(void *addr, size_t size);
void os_mem_nohugepage(void *addr, size_t size);
/* Has the page at addr memory?  false also when it was swapped out, or can not be told. */
bool os_mem_is_resident(const void *addr);
/* Provides memory for these pages at once, as if each had been written to.  false: refused, perhaps
 * halfway; accesses fault as ever. */
bool os_mem_populate(void *addr, size_t size);
/* Whether core files contain these pages.  Advice. */
void os_mem_dump(void *addr, size_t size, bool yes);
/* An access to these pages faults; by MADV_GUARD_INSTALL, else mprotect.  0 or errno. */
int os_mem_guard(void *addr, size_t size);
/* The same for n ranges of `size` bytes, each `step` bytes above the former; in one call where the
 * kernel can.  How many have their guards, from the first on; below n *error is the next one's
 * errno. */
size_t os_mem_guard_each(void *addr, size_t size, size_t step, size_t n, int *error);
/* os_mem_populate for n ranges, likewise.  Advice. */
void os_mem_populate_each(void *addr, size_t size, size_t step, size_t n);
/* Names the mapping in /proc/PID/maps where the kernel can; failure is ignored. */
void os_mem_name(void *addr, size_t size, const char *name);
/* Test mode: the k-th mapping call from now fails with ENOMEM (once, or that one and all later
 * ones); 0 turns it off. */
void os_mem_fail_at(uint64_t k, bool persistent);
/* The same for ranges of os_mem_guard_each. */
void os_mem_fail_guard_at(uint64_t k, bool persistent);
uint64_t os_mem_failures(void); /* how often the mode fired */

size_t os_page_size(void);
size_t os_huge_page_size(void); /* 0 when the kernel has none, or has them turned off */

/* ---- futex (raw) -------------------------------------------------------------------------- */

/* Sleeps while *addr == value, until woken or timeout_ns passed (< 0: no limit).  Wakes also
 * without reason.  true unless the time ran out. */
bool os_futex_wait(uint32_t *addr, uint32_t value, int64_t timeout_ns);
/* Wakes at most n; returns how many. */
int os_futex_wake(uint32_t *addr, int n);

/* ---- threads ------------------------------------------------------------------------------ */

/* A detached thread with all signals blocked until it unblocks them, on a stack of stack_size
 * bytes (0: the system's default).  0 or errno (EAGAIN: limit reached).  Not raw. */
int os_thread_create(void (*fn)(void *), void *arg, size_t stack_size);
/* Test mode: the k-th creation from now and all later ones fail with EAGAIN; 0 turns it off. */
void os_thread_fail_at(uint64_t k);
uint64_t os_thread_failures(void);    /* how often the mode fired */
int os_thread_id(void);               /* kernel's number of the calling thread; raw */
int os_thread_kill(int tid, int sig); /* signal to one thread of this process; raw */
/* Is that thread of the process asleep in the kernel, and neither runs nor waits for a CPU?  It has
 * ended, or nobody can tell (no /proc, no descriptor): true.  raw */
bool os_thread_sleeps(int tid);
/* Extent [*lo, *hi) of the calling thread's stack.  Not raw. */
void os_thread_stack(uintptr_t *lo, uintptr_t *hi);
/* Threads of the process (INT_MAX: nobody can tell), and how many of them os_thread_create made,
 * which never end. */
int os_thread_count(void);
int os_threads_made(void);
uint64_t os_thread_stack_bytes(void); /* of the stacks of those, guards apart */
void os_thread_yield(void);           /* raw */
/* A full memory barrier on every running thread of the process.  false: not supported.  raw */
bool os_membarrier(void);
void os_cpu_relax_thread(unsigned rounds); /* busy wait of about `rounds` pauses */

/* Calls that loaded objects make of each other's functions: from now on those of `name` go to
 * `replacement`; *former, NULL before, is where those of this library went, each called once
 * before.  Not raw.  false: nothing can be replaced, since the program is linked statically.  What
 * is loaded later is not changed, and what a library calls inside itself. */
struct os_call {
    const char *name;
    void *replacement;
    void **former;
};
bool os_calls_replace(const struct os_call *calls, size_t n);

/* ---- signals (raw) ------------------------------------------------------------------------ */

typedef void (*os_signal_handler)(int sig, siginfo_t *info, void *ucontext);
/* Installs on the alternate stack, with SA_RESTART.  By raw system call, so that sanitizers do
 * not delay delivery.  old, when not NULL, receives the former action (for chaining). */
int os_signal_install(int sig, os_signal_handler fn, struct sigaction *old);
int os_signal_restore_default(int sig);
/* Installs fn in the same way, for the program, and remembers the action that was there, for
 * give_back.  One call at a time; sig is not taken.  0 or errno. */
int os_signal_take(int sig, os_signal_handler fn);
void os_signal_give_back(int sig);
void os_signal_unblock(int sig);
void os_signal_block_all(sigset_t *old);
void os_signal_set_mask(const sigset_t *mask);
/* Where handlers that the program installs by libc return to, which marks their frames on a stack.
 * At boot: installs and removes a handler of sig.  0: not known. */
uintptr_t os_signal_libc_return(int sig);
/* After the first thread was made: sig waits while a handler of libc's own signals runs. */
void os_signal_shield_libc(int sig);
/* Can sig meet a handler that was installed by libc?  false: the program never set a signal's
 * action, and libc's own are shielded.  One system call for each signal; raw.  Note [Actions leave
 * traces] in linux/signal.c. */
bool os_signal_may_meet_handler(int sig);
/* Bytes that an alternate stack of this machine needs: AT_MINSIGSTKSZ + 64 KB, page-rounded. */
size_t os_sigstack_size(void);
int os_sigstack_set(void *lo, size_t size); /* NULL: none */
/* The calling thread's present one; *lo NULL: none. */
void os_sigstack_get(void **lo, size_t *size);

/* ---- clock (raw, vDSO) -------------------------------------------------------------------- */

int64_t os_now(void); /* monotonic nanoseconds */
/* From now on os_now is what it was told last, at first 1 s, and moves by these only.  Any
 * thread. */
void os_clock_hold(void);
void os_clock_advance(int64_t ns);
void os_clock_advance_to(int64_t now); /* never back */
int64_t os_thread_cpu(void);           /* CPU time of the calling thread, ns */
int64_t os_process_cpu(void);          /* CPU time of the process, ns */
int64_t os_thread_cpu_of(int tid);     /* of any thread of the process; 0: it has ended */

/* ---- machine ------------------------------------------------------------------------------ */

int os_cpu_count(void); /* CPUs in the affinity mask of the process's first thread, at least 1 */
uint64_t os_cpu_quota_milli(void); /* CPUs that the container's quota allows, times 1000, 0: none */
int os_cpu_quota(void); /* CPUs the container's quota allows (rounded up, at least 2), 0: none */
uint64_t os_stack_limit(void);         /* RLIMIT_STACK in bytes, UINT64_MAX: none */
uint64_t os_address_space_limit(void); /* RLIMIT_AS in bytes, UINT64_MAX: none */
void os_random_bytes(void *buf, size_t n);
void os_write(int fd, const void *buf, size_t n); /* all of it, errors ignored; raw */
/* Opens those of 0, 1 and 2 that are closed: /dev/null, or where there is none, what can be neither
 * read nor written.  Else what is opened next, a connection say, would have the number, and reports
 * would go there.  raw */
void os_std_fds_hold(void);
_Noreturn void os_exit(int status); /* _exit: no handlers; raw */

#endif
