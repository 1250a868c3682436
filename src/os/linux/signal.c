/* Signals by raw system calls.
 *
 * Why not libc's sigaction: ThreadSanitizer replaces it and delivers to the program at a later
 * point of its choosing, whereas the stop of the world needs the handler where the thread was
 * interrupted.
 *
 * A handler runs on the alternate stack with every signal blocked but the four that faults raise:
 * a fault inside a handler must be reported, not end the process silently.
 *
 * Masks: the two signals that libc uses among its threads (cancellation, set-id) are left alone by
 * os_signal_block_all, as by libc itself: a thread that blocked them for good would hang setuid.
 *
 * Note [Actions leave traces].  On amd64 the kernel runs no handler whose action lacks SA_RESTORER,
 * so libc sets that flag, and the address beside it, whatever the action is: handler, SIG_DFL or
 * SIG_IGN.  exec clears both.  SA_RESETHAND takes the handler from an action when it is called, and
 * leaves flags and address.  So an action without the flag was never set by libc in this process,
 * and a handler that has been removed, by itself or by another thread while it runs, still shows.
 * Only a raw system call can wipe the trace; who makes those has handlers with return addresses of
 * their own, which os_signal_libc_return does not name either.  Our own actions are known by
 * theirs.  libc itself handles two signals, of which it installs one with the first thread: its
 * handlers are known by their numbers, which it refuses to programs, and count as absent once their
 * mask has been widened so that they can not be interrupted by the signal in question.  On arm64
 * libc leaves the flag alone: there any action may have had a handler.
 *
 * Answers to: signal_unix.go, os_linux.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/bits.h"
#include "base/unscanned.h"
#include "os/linux/syscall.h"
#include "os/os.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

#define KERNEL_MASK_BYTES 8
#define SIGNALS 64
#define ALTERNATE_STACK_ROOM (64 * KB)
#define ALTERNATE_FRAME_LEAST ((size_t)2048) /* where the kernel does not say */

SYSCALL_DEFINE_SIGRETURN;

static uint64_t signal_bit(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

static uint64_t fault_signals(void)
{
    return signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) | signal_bit(SIGILL);
}

static uint64_t libc_signals(void)
{
    return signal_bit(32) | signal_bit(33);
}

/* ---- actions ------------------------------------------------------------------------------ */

static int kernel_action(int sig, const struct kernel_sigaction *act, struct kernel_sigaction *old)
{
    return syscall_error(syscall_raw4(SYS_rt_sigaction, sig, act, old, KERNEL_MASK_BYTES));
}

static void action_to_libc(struct sigaction *out, const struct kernel_sigaction *in)
{
    memset(out, 0, sizeof(*out));
    out->sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)in->handler;
    out->sa_flags = (int)(in->flags & ~KERNEL_SA_RESTORER);
    memcpy(&out->sa_mask, &in->mask, sizeof(in->mask));
}

int os_signal_install(int sig, os_signal_handler fn, struct sigaction *old)
{
    struct kernel_sigaction before;
    struct kernel_sigaction act = {
        .handler = (void (*)(int, void *, void *))(uintptr_t)fn,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | KERNEL_SA_RESTORER,
        .restorer = syscall_sigreturn,
        .mask = ~fault_signals(),
    };
    if (sig < 1 || sig > SIGNALS) return EINVAL;
    int error = kernel_action(sig, &act, &before);
    if (error == 0 && old != NULL) action_to_libc(old, &before);
    return error;
}

static struct kernel_sigaction taken_from[SIGNALS + 1]; /* os_signal_take's callers take turns */
UNSCANNED(taken_from);

int os_signal_take(int sig, os_signal_handler fn)
{
    if (sig < 1 || sig > SIGNALS) return EINVAL;
    int error = kernel_action(sig, NULL, &taken_from[sig]);
    return error != 0 ? error : os_signal_install(sig, fn, NULL);
}

void os_signal_give_back(int sig)
{
    (void)kernel_action(sig, &taken_from[sig], NULL); /* as it was: can not fail */
}

int os_signal_restore_default(int sig)
{
    struct kernel_sigaction act = { .handler = NULL }; /* SIG_DFL */
    return sig < 1 || sig > SIGNALS ? EINVAL : kernel_action(sig, &act, NULL);
}

/* ---- masks -------------------------------------------------------------------------------- */

static void kernel_mask(int how, const uint64_t *set, uint64_t *old)
{
    syscall_raw4(SYS_rt_sigprocmask, how, set, old, KERNEL_MASK_BYTES);
}

void os_signal_unblock(int sig)
{
    uint64_t set = signal_bit(sig);
    kernel_mask(SIG_UNBLOCK, &set, NULL);
}

void os_signal_block_all(sigset_t *old)
{
    uint64_t all = ~libc_signals(), before = 0;
    kernel_mask(SIG_BLOCK, &all, &before);
    if (old == NULL) return;
    memset(old, 0, sizeof(*old));
    memcpy(old, &before, sizeof(before));
}

void os_signal_set_mask(const sigset_t *mask)
{
    uint64_t set;
    memcpy(&set, mask, sizeof(set));
    kernel_mask(SIG_SETMASK, &set, NULL);
}

static void no_handler(int sig)
{
    (void)sig;
}

uintptr_t os_signal_libc_return(int sig)
{
    struct sigaction act = { .sa_handler = no_handler }, before;
    struct kernel_sigaction seen = { .restorer = NULL };
    if (sigaction(sig, &act, &before) != 0) return 0;
    if (kernel_action(sig, NULL, &seen) != 0) seen.restorer = NULL;
    (void)sigaction(sig, &before, NULL);
    return (uintptr_t)seen.restorer;
}

static bool was_set(const struct kernel_sigaction *act)
{
    if (KERNEL_ACTIONS_LEAVE_TRACES) return (act->flags & KERNEL_SA_RESTORER) != 0;
    return act->handler != NULL; /* SIG_DFL */
}

void os_signal_shield_libc(int sig)
{
    struct kernel_sigaction act;
    for (int s = 1; s <= SIGNALS; s++) {
        if ((libc_signals() & signal_bit(s)) == 0 || kernel_action(s, NULL, &act) != 0) continue;
        if (!was_set(&act)) continue;
        act.mask |= signal_bit(sig);
        (void)kernel_action(s, &act, NULL); /* it has been valid: can not fail */
    }
}

static bool action_may_matter(int of, int sig)
{
    struct kernel_sigaction seen = { .restorer = NULL };
    if (kernel_action(of, NULL, &seen) != 0) return true; /* not seen with any kernel */
    if ((seen.flags & KERNEL_SA_RESTORER) == 0 || seen.restorer == syscall_sigreturn) return false;
    return (libc_signals() & signal_bit(of)) == 0 || (seen.mask & signal_bit(sig)) == 0;
}

bool os_signal_may_meet_handler(int sig)
{
    if (!KERNEL_ACTIONS_LEAVE_TRACES) return true;
    for (int of = 1; of <= SIGNALS; of++)
        if (action_may_matter(of, sig)) return true;
    return false;
}

/* ---- alternate stack ---------------------------------------------------------------------- */

size_t os_sigstack_size(void)
{
    size_t frame = getauxval(AT_MINSIGSTKSZ);
    if (frame < ALTERNATE_FRAME_LEAST) frame = ALTERNATE_FRAME_LEAST;
    return align_up(frame + ALTERNATE_STACK_ROOM, os_page_size());
}

void os_sigstack_get(void **lo, size_t *size)
{
    stack_t stack = { .ss_flags = SS_DISABLE };
    (void)syscall_raw2(SYS_sigaltstack, NULL, &stack); /* fails only for bad addresses */
    *lo = (stack.ss_flags & SS_DISABLE) != 0 ? NULL : stack.ss_sp;
    *size = *lo == NULL ? 0 : stack.ss_size;
}

int os_sigstack_set(void *lo, size_t size)
{
    stack_t stack = { .ss_sp = lo, .ss_size = size, .ss_flags = lo == NULL ? SS_DISABLE : 0 };
    return syscall_error(syscall_raw2(SYS_sigaltstack, &stack, NULL));
}
