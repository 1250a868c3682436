/* SIGSEGV, SIGBUS, SIGFPE and SIGILL: who hears of them.
 *
 *   where the program wants a panic, and can have   the goroutine, which panics
 *   one (lang/panic_fault.c)
 *   on a thread of the runtime or an attached one   sched_hooks.fault, which reports and ends
 *   on any other thread                             whoever handled the signal before gort_run,
 *                                                   else the default action; but one that was sent
 *                                                   is reported as on a thread of the runtime
 *
 * Memory that is lost and not needed now is no fault: Note [Memory that is lost].
 *
 * The handler runs on the thread's alternate stack, so that the overflow of a goroutine's stack can
 * be reported at all.  The default action is reached by restoring it and returning: the instruction
 * faults again.
 *
 * A signal that was sent to the process (by kill) comes to any thread that does not block it,
 * mostly to the one that called gort_run, which is none of the runtime's.  It says nothing about
 * that thread: who sends it wants to know what the process does.
 *
 * Note [Memory that is lost].  When the hardware loses a page that nobody reads at the moment, the
 * kernel tells programs that asked for it (PR_MCE_KILL of prctl, or the system's
 * vm.memory_failure_early_kill): SIGBUS with BUS_MCEERR_AO, "action optional", in the main thread
 * or the one that asked.  What that thread was doing has nothing to do with it, so nobody panics;
 * and nobody may ever touch the page, so the program goes on.  Who handled SIGBUS before gort_run
 * hears of it, and may have the data elsewhere; else it is reported.  Who touches the page later
 * faults (BUS_MCEERR_AR), as by any address.
 *
 * Answers to: sigpanic, sigfwd and sigtramp in signal_unix.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "rt/fault.h"

#include <signal.h>

#include "base/print.h"
#include "base/throw.h"
#include "lang/panic_fault.h"
#include "os/os.h"
#include "rt/env.h"
#include "sched/hooks.h"
#include "sched/sched.h"

static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };

/* What was installed before, in the order of fault_signals.  Constant after fault_install. */
static struct sigaction former[array_len(fault_signals)];

static const struct sigaction *former_of(int sig)
{
    size_t i = 0;
    while (fault_signals[i] != sig)
        i++;
    return &former[i];
}

static bool was_handled(int sig)
{
    const struct sigaction *a = former_of(sig);
    return (a->sa_flags & SA_SIGINFO) != 0 ||
           (a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN);
}

static void pass_on(int sig, siginfo_t *info, void *ucontext)
{
    const struct sigaction *a = former_of(sig);
    if ((a->sa_flags & SA_SIGINFO) != 0) {
        a->sa_sigaction(sig, info, ucontext);
    } else if (was_handled(sig)) {
        a->sa_handler(sig);
    } else {
        os_signal_restore_default(sig);
        if (info->si_code <= 0) os_thread_kill(os_thread_id(), sig); /* it does not come again */
    }
}

/* Note [Memory that is lost]. */
static bool is_lost_memory(int sig, const siginfo_t *info)
{
    return sig == SIGBUS && info->si_code == BUS_MCEERR_AO;
}

static void on_lost_memory(int sig, siginfo_t *info, void *ucontext)
{
    if (was_handled(sig))
        pass_on(sig, info, ucontext);
    else
        print_err("gort: the hardware lost the memory at address 0x%lx (%lu bytes); going on\n",
                  (unsigned long)info->si_addr, 1ul << info->si_addr_lsb);
}

static void on_fault(int sig, siginfo_t *info, void *ucontext)
{
    if (is_lost_memory(sig, info)) {
        on_lost_memory(sig, info, ucontext);
        return;
    }
    if (env.efence == 0 && panic_hand_over(sig, info, ucontext))
        return; /* there it is the finding */
    bool reported = m_self() != NULL || (info->si_code <= 0 && !was_handled(sig));
    if (reported && sched_hooks.fault != NULL) sched_hooks.fault(sig, info, ucontext);
    pass_on(sig, info, ucontext);
}

void fault_install(void)
{
    for (size_t i = 0; i < array_len(fault_signals); i++) {
        int err = os_signal_install(fault_signals[i], on_fault, &former[i]);
        if (err != 0)
            throw_fmt("can not install the handler of signal %d (error %d)", fault_signals[i], err);
    }
}
