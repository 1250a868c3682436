/* SIGQUIT: see quit.h.
 *
 * The signal comes to any thread, at any instruction.  What goroutines that run are doing is seen
 * only when the world is stopped, and who stops it must not be one of those; so the handler has the
 * monitor do it, which holds no lock and belongs to no goroutine:
 *
 *     handler (any thread): asked = now; wakes the monitor   ->   monitor: stops the world, prints, ends
 *     handler again, a second later: prints, without stopping anything, and ends
 *
 * The second edge is for a runtime whose monitor does not come round: who wants to know why presses
 * the keys again.  Neither waits for ever: world_freeze has patience for some time only, and
 * goroutines on threads that did not stop are listed without their stacks.
 *
 * A handler of the program's stays, whether it was installed before gort_run or after, and so does
 * SIG_IGN, which a shell sets for what it starts in the background.
 *
 * Answers to: sighandler's case of SIGQUIT in signal_unix.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "rt/quit.h"

#include <signal.h>

#include "base/atomic.h"
#include "base/throw.h"
#include "os/os.h"
#include "rt/hooks.h"
#include "sched/sched_internal.h"

#define PATIENCE_NS ((int64_t)1000000000) /* of who asks again */

static int64_t asked; /* atomic: os_now of the first signal; 0: none came */

static void on_quit(int sig, siginfo_t *info, void *ucontext)
{
    int64_t first = 0, now = os_now();
    (void)info;
    (void)ucontext;
    if (rt_hooks.quit == NULL || atomic_load_seq(&sched.exiting) != 0) {
        os_signal_restore_default(sig); /* nobody would come */
        os_thread_kill(os_thread_id(), sig);
    } else if (atomic_cas_seq(&asked, &first, now)) {
        sched_monitor_kick();
    } else if (now - first >= PATIENCE_NS) {
        rt_hooks.quit(false);
    }
}

void quit_install(void)
{
    struct sigaction present;
    if (preempt_signal() == SIGQUIT || sigaction(SIGQUIT, NULL, &present) != 0) return;
    if ((present.sa_flags & SA_SIGINFO) != 0 || present.sa_handler != SIG_DFL) return;
    int err = os_signal_install(SIGQUIT, on_quit, NULL);
    if (err != 0) throw_fmt("can not install the handler of SIGQUIT (error %d)", err);
}

void quit_tick(void)
{
    if (atomic_load_relaxed(&asked) != 0) rt_hooks.quit(true); /* the kick's barrier orders it */
}
