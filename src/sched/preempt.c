/* The stop signal's handler: stops the thread it interrupts, or leaves a mark.
 *
 * Note [Interruption].  At the instant of the signal the thread is
 *   in a critical section:   runtime code, half-done: the mark makes the section's end stop it;
 *   in a restartable range:  between a test and what depends on it: the program counter goes back
 *                            to the range's start, then as below (Note [Restartable ranges]);
 *   anywhere else:           user code: its registers, saved by the kernel in the signal frame, and
 *                            its stack below are all that the collector needs.
 *   in a handler of the program: what that handler interrupted may have been a restartable range,
 *                            which must go back as well: Note [Outer frames];
 * The same signal asks for the thread's P when no stop is on: Note [Retaking a P] in monitor.c.
 * The handler runs on the thread's alternate stack, makes raw system calls only, and preserves
 * errno.  It waits inside the handler until the stop is over.
 *
 * Note [Outer frames].  A handler of the program may interrupt a restartable range; if the stop
 * arrives in the handler, the range would go on after the stop with what it read before: a cache
 * that was flushed, a flag that has changed.  So every frame of a program's handler on the thread's
 * stacks is found and looked at too, at each stop.  That the thread is in a handler shows nowhere.
 * Its mask does not tell: a handler may have SA_NODEFER, and the program may unblock a signal that
 * was blocked when the thread began, whose handler then runs with just that former mask.
 * Frames are found by the address that handlers return to (libc's, the same for all): a word on the
 * stack that equals it is followed by the context.  A frame that is not there any more, in memory
 * not overwritten yet, is taken for one; moving its program counter harms nobody.
 *
 * The search reads the live part of the stack, 64 MB of deep recursion in tens of milliseconds.
 * What makes it bearable:
 *   - It is done after the stop, by the thread itself.  The range goes on only when its handler and
 *     ours have returned, so a frame may be moved until then; the marker needs nothing of it, for
 *     what a range held is in the frame's registers wherever the frame goes on.  No pause contains
 *     it.
 *   - A long one is done in state BLOCKING: the stops that come meanwhile do not wait for it.  They
 *     find the thread's data by stop_frame, which stays until the end, and tells that the thread
 *     will scan its stack itself (scans_its_own in gc/stackroots.c), which it does before it goes
 *     on; a stop that may mark all there is scans it.  What the search writes meanwhile, where a
 *     frame goes on, is no pointer to an object.  The thread runs nothing of the program, so one
 *     search serves them all.
 *   - It is left out where no handler of the program can ever have run, because libc never set a
 *     signal's action in this process.  The kernel knows that for good (Note [Actions leave traces]
 *     in os/linux/signal.c): a handler that was removed while it runs, by SA_RESETHAND, itself or
 *     others, has left its trace (libc's own handlers are
 *     shielded from the stop signal), and one that is installed after the question was asked can
 *     not have interrupted this thread before, since it has been here all the time.  A question is
 *     64 system calls; so small stacks are searched without it, and nobody asks again after a yes.
 * Rejected, on doc/decisions/0012: to go by SA_ONSTACK or by the handlers that are installed now,
 * to interpose sigaction, the kernel's own restartable sequences.
 *
 * Answers to: signal_unix.go (doSigPreempt), preempt.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/race.h"
#include "base/ranges.h"
#include "os/os.h"
#include "sched/sched_internal.h"

static int stop_signal = SIGURG; /* constant after boot */
bool preempt_disable_rollback;

static uintptr_t handlers_return; /* constant after boot; 0: not known */
static uint32_t actions_touched;  /* atomic; set once: the program may have handlers */

/* A search of so much costs what the question costs whether there can be a frame. */
#define SEARCHED_UNASKED (256 * KB)

static bool on_goroutine_stack(const struct g *g, uintptr_t sp)
{
    return g != NULL && sp >= g->stack_lo && sp < g->stack_hi;
}

/* The end of the stack that holds sp, as far as it is known; else 0. */
static uintptr_t stack_end(const struct m *m, const void *frame, uintptr_t sp)
{
    uintptr_t lo, hi;
    const struct g *g = m->curg;
    if (on_goroutine_stack(g, sp)) return g->stack_hi;
    arch_frame_sigstack(frame, &lo, &hi);
    if (sp >= lo && sp < hi) return hi;
    lo = (uintptr_t)m->sigstack;
    return sp >= lo && sp < lo + m->sigstack_size ? lo + m->sigstack_size : 0;
}

static bool roll_back(struct m *m, void *frame)
{
    uintptr_t pc = arch_frame_pc(frame), back = ranges_rollback(pc);
    if (back == pc) return false;
    m->ranges_rolled++;
    if (!preempt_disable_rollback) arch_frame_set_pc(frame, back);
    return true;
}

/* Every frame in [lo, hi).  Returns the lowest place of the goroutine's stack that one of them
 * interrupted; 0: none. */
static uintptr_t roll_back_in(struct m *m, uintptr_t lo, uintptr_t hi)
{
    uintptr_t lowest = 0;
    m->outer_searched += hi - lo;
    for (void *f; (f = arch_frame_find(lo, hi, handlers_return)) != NULL;) {
        lo = (uintptr_t)f + sizeof(uintptr_t); /* no further: f may be old memory only */
        uintptr_t sp = arch_frame_sp(f);
        if (roll_back(m, f)) m->outer_rolled++;
        if (on_goroutine_stack(m->curg, sp) && (lowest == 0 || sp < lowest)) lowest = sp;
    }
    return lowest;
}

/* Where the interrupted thread's live data begins and ends on its present stack. */
struct live_part {
    uintptr_t lo, hi; /* hi 0: the stack is not known */
};

static struct live_part live_part(const struct m *m, const void *frame)
{
    uintptr_t sp = arch_frame_sp(frame);
    /* A handler that is just returning has popped its return address: it lies below sp, in what the
     * kernel leaves alone. */
    return (struct live_part){ sp - sizeof(uintptr_t), stack_end(m, frame, sp) };
}

static void roll_back_outer(struct m *m, const void *frame)
{
    struct live_part s = live_part(m, frame);
    if (s.hi == 0) return;
    uintptr_t lowest = roll_back_in(m, s.lo, s.hi);
    if (lowest != 0 && !on_goroutine_stack(m->curg, s.lo))
        roll_back_in(m, lowest - sizeof(uintptr_t), m->curg->stack_hi);
}

static bool handlers_may_run(void)
{
    if (atomic_load_relaxed(&actions_touched)) return true; /* a hint that saves asking */
    if (!os_signal_may_meet_handler(stop_signal)) return false;
    atomic_store_relaxed(&actions_touched, 1u);
    return true;
}

/* How much a search may have to read. */
static size_t search_bytes(const struct m *m, const void *frame)
{
    struct live_part s = live_part(m, frame);
    size_t here = s.hi == 0 ? 0 : s.hi - s.lo;
    bool apart = m->curg != NULL && !on_goroutine_stack(m->curg, s.lo);
    return apart ? here + (m->curg->stack_hi - m->curg->stack_lo) : here;
}

/* What this thread was stopped in may go on, when it was in state BLOCKING in the handler. */
static void blocking_is_over(struct m *m)
{
    m_leave_blocking_state(m, M_RUNTIME);
    m_scan_own(m);
    atomic_exchange_seq(&m->state, (uint32_t)M_USER);
    m_stop_wait(m, M_USER); /* one that came since then may not have signalled */
}

/* Note [Who is woken may stop the world] in monitor.c. */
static void retake(struct m *m)
{
    if (!retake_in_handler(m)) return;
    m_enter_blocking_state(m);
    sched_monitor_kick();
    blocking_is_over(m);
}

/* After the stop: Note [Outer frames]. */
static void settle_outer_frames(struct m *m, const void *frame)
{
    if (ARCH_FINDS_FRAMES_BY_RETURN && handlers_return == 0) return;
    if (search_bytes(m, frame) <= SEARCHED_UNASKED) {
        roll_back_outer(m, frame);
        return;
    }
    m_enter_blocking_state(m);
    if (handlers_may_run()) roll_back_outer(m, frame);
    blocking_is_over(m);
}

/* A signal stack that is set with SS_AUTODISARM is none while a handler runs on it: the kernel
 * forgets it until the handler returns.  A stop that arrives then finds no end of the stack that it
 * is on, neither the frame with the registers of what the handler interrupted.  So it is refused as
 * soon as a stop sees it: as what is in force, or as a stack that nobody knows while none is in
 * force, though every thread of ours begins with one. */
static void refuse_hidden_sigstack(const struct m *m, const void *frame)
{
    uintptr_t lo, hi;
    arch_frame_sigstack(frame, &lo, &hi);
    if (arch_frame_sigstack_is_hidden(frame))
        throw_msg(
            "this thread has an alternate signal stack with SS_AUTODISARM, which hides from the "
            "collector what the stack holds: use sigaltstack without that flag");
    if (lo == 0 && stack_end(m, frame, arch_frame_sp(frame)) == 0)
        throw_msg(
            "a thread is on an unknown stack and has no alternate signal stack: sigaltstack was "
            "called with SS_AUTODISARM, or with SS_DISABLE; neither is supported there");
}

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
    uintptr_t pc = arch_frame_pc(frame);
    if (race_is_inside(pc)) return; /* Note [Inside the sanitizer] in base/race.h */
    refuse_hidden_sigstack(m, frame);
    bool in_range = roll_back(m, frame); /* then in no handler: those make no calls of ours */
    m->stop_frame = frame;
    m->stop_sp = arch_frame_sp(frame);
    m->stop_pc = pc;
    if (stop)
        m_stop_wait(m, M_USER);
    else
        retake(m); /* Note [Retaking a P] */
    if (!in_range) settle_outer_frames(m, frame);
    m->stop_frame = NULL;
}

void preempt_install(int signo)
{
    stop_signal = signo;
    handlers_return = os_signal_libc_return(signo);
    int err = os_signal_install(signo, on_stop_signal, NULL);
    if (err != 0) throw_fmt("can not install the handler of signal %d (error %d)", signo, err);
}

void preempt_shield(void)
{
    os_signal_shield_libc(stop_signal);
}

int preempt_signal(void)
{
    return stop_signal;
}
