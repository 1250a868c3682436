/* The stop signal's handler: stops the thread it interrupts, or leaves a mark.
 *
 * Note [Interruption].  At the instant of the signal the thread is
 *   in a critical section:   runtime code, half-done: the mark makes the section's end stop it;
 *   in a restartable range:  between a test and what depends on it: the program counter goes back to
 *                            the range's start, then as below (Note [Restartable ranges]);
 *   anywhere else:           user code: its registers, saved by the kernel in the signal frame, and
 *                            its stack below are all that the collector needs.
 * The same signal asks for the thread's P when no stop is on: Note [Retaking a P] in monitor.c.
 * The handler runs on the thread's alternate stack, makes raw system calls only, and preserves
 * errno.  It waits inside the handler until the stop is over.
 *
 * Answers to: signal_unix.go (doSigPreempt), preempt.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/ranges.h"
#include "os/os.h"
#include "sched/sched_internal.h"

static int stop_signal = SIGURG; /* constant after boot */
bool preempt_disable_rollback;

static void on_stop_signal(int sig, siginfo_t *info, void *frame)
{
    (void)sig;
    (void)info;
    struct m *m = m_self();
    if (m == NULL) return;
    bool stop = world_wants_stop();
    if (!stop && atomic_load_relaxed(&m->retake_run) == 0) return;
    if (crit_depth() != 0) {
        m->stops_deferred++;
        arch_crit_set_pending();
        return;
    }
    if (atomic_load_relaxed(&m->state) != M_USER) return; /* own word */
    uintptr_t pc = arch_frame_pc(frame), back = ranges_rollback(pc);
    if (back != pc) {
        m->ranges_rolled++;
        if (!preempt_disable_rollback) arch_frame_set_pc(frame, back);
    }
    if (!stop) {
        retake_in_handler(m); /* Note [Retaking a P] */
        return;
    }
    m->stop_frame = frame;
    m->stop_sp = arch_frame_sp(frame);
    m->stop_pc = pc;
    m_stop_wait(m, M_USER);
    m->stop_frame = NULL;
}

void preempt_install(int signo)
{
    stop_signal = signo;
    int err = os_signal_install(signo, on_stop_signal, NULL);
    if (err != 0) throw_fmt("can not install the handler of signal %d (error %d)", signo, err);
}

int preempt_signal(void)
{
    return stop_signal;
}
