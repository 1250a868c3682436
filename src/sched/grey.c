/* Grey stacks: those that this cycle of the collector has not scanned yet.
 *
 * Note [No grey stack runs].  The collector marks from a snapshot of what was reachable when
 * marking began (Note [Snapshot] in gc/cycle.c).  So a stack must be scanned as it was then: no
 * goroutine executes an instruction of the program on a stack that is grey.  Whoever would let it
 * scans it first:
 *
 *   goroutine at the first stop       scanned by, before                     function
 *   its thread stopped                that thread, released                  m_scan_own
 *     (where little is to be marked)    the stopper, in the stop             gc/stackroots.c
 *   runnable or waiting               a marker; or the M that will run it    g_scan_claim; execute
 *   in a blocking region              a marker; or its thread, leaving       g_scan_claim; come_back
 *   its thread waits for the runtime  the stopper, in the stop; of a deep    gc/stackroots.c;
 *     (the stopper's own too)         one the rest: a marker, or its thread  m_blacken_own
 *   made later                        nobody: it holds what its maker held   g_init_common
 *   a thread attached later           nobody: gort did not know its stack    m_attach
 *
 * m_scan_own is called by m_stop_wait, and by blocking_is_over (preempt.c) where the thread was in
 * state BLOCKING in the stop signal's handler.
 *
 * scanned_cycle says how far a stack is, and is the claim at once: an older value is grey,
 * scan_cycle - 1 is being scanned, scan_cycle is black.  So arming all stacks is one store, however
 * many there are.  Who claims by compare-and-swap scans a piece, and gives the claim up again if
 * there is more: scan_at then says where the rest begins, and the value is an older one.  Whoever
 * claims next goes on there.  Who needs the stack meanwhile waits for a piece at most, and then
 * scans itself.  Who gave a claim up tells the collector (g_rest), so that markers go on where
 * nobody else does.  The scanner is in a critical section, or in state RUNTIME: a stop waits for a
 * piece, so in a stop nobody is at a stack; but some may have a rest (Note [Deep stacks] in
 * gc/stackroots.c).
 *
 * A grey stack does not change, from the first stop until it is black.  If it was not running at
 * the first stop, it does not begin to run: that takes black.  If it was, its own thread scans the
 * first piece, or the stopper does, and nobody else before: g_scan_claim leaves a running goroutine
 * alone.  From then on what is left of it is above the stack pointer that was recorded, and its
 * thread does not return there: m_scan_own, m_blacken_own.  The status may change from waiting to
 * runnable: both are scanned alike.  Others may store into the stack, as a sender does into a
 * receiver's variable: with a barrier.
 *
 * The thread of a goroutine scans on its system stack, which is unused while the goroutine is
 * current: the program's signal stack and what is left of the goroutine's own may be small.  In the
 * stop signal's handler all signals but those of faults are blocked; else one that arrived while
 * the stack pointer is off the signal stack would be put onto its top, where the handler's own
 * frame is.
 *
 * A thread that blocks in the kernel inside the program (not in a region that it declared) counts
 * as running, is stopped by a signal, and scans its own stack in the handler; or the stopper does,
 * where little is to be marked.
 *
 * Rejected: scanning stopped stacks in the stop (the pause grows with depth and number); suspending
 * one goroutine after the other, as the original does (a signal and a wait for each).
 *
 * Memory order: g_scanned's release pairs with g_is_grey's acquire: what the scanner queued is seen
 * by a stop that the goroutine's thread takes part in.  g_scan_left's release pairs with claim: who
 * goes on sees scan_at.
 *
 * Locking: none.  Answers to: suspendG in preempt.go, castogscanstatus in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/sched_internal.h"

#define CLAIM_PAUSES 100 /* then the CPU is given up */

void g_grey_all_stw(void)
{
    assert_that(world_is_stopped());
    atomic_store_relaxed(&sched.scan_cycle, sched.scan_cycle + 2); /* even for ever */
}

bool g_is_scanned(const struct g *g)
{
    return !g_is_grey(g);
}

/* false: somebody has it, or it is black. */
static bool claim(struct g *g)
{
    uint32_t black = atomic_load_relaxed(&sched.scan_cycle); /* changes in stops only */
    uint32_t seen = atomic_load_relaxed(&g->scanned_cycle);
    if (seen == black || seen == black - 1) return false;
    return atomic_cas_acqrel(&g->scanned_cycle, &seen, black - 1); /* pairs with g_scan_left */
}

bool g_scan_claim(struct g *g)
{
    uint32_t status = atomic_load_acquire(&g->status); /* before scanned_cycle: g_init_common */
    if (status == G_DEAD || status == G_RUNNING) return false;
    return claim(g);
}

bool g_scan_claim_rest(struct g *g)
{
    return atomic_load_relaxed(&g->scan_at) != 0 && claim(g); /* 0 again: black */
}

void g_scanned(struct g *g)
{
    atomic_store_release(&g->scanned_cycle, atomic_load_relaxed(&sched.scan_cycle));
}

void g_scanned_stw(struct g *g)
{
    g_scanned(g);
}

void g_scan_left(struct g *g)
{
    assert_that(g->scan_at != 0);
    atomic_store_release(&g->scanned_cycle, atomic_load_relaxed(&sched.scan_cycle) - 2);
}

static void wait_for_scanner(const struct g *g)
{
    uint32_t scanning = atomic_load_relaxed(&sched.scan_cycle) - 1;
    for (uint32_t n = 0; atomic_load_acquire(&g->scanned_cycle) == scanning; n++) {
        if (n < CLAIM_PAUSES)
            arch_pause();
        else
            os_thread_yield();
    }
}

never_inline bool g_blacken_some(struct g *g)
{
    if (!claim(g)) {
        wait_for_scanner(g);
    } else if (sched_hooks.g_scan(g)) {
        g_scanned(g);
    } else {
        g_scan_left(g);
        sched_hooks.g_rest(g);
    }
    return !g_is_grey(g);
}

/* ---- of the goroutine that runs here --------------------------------------------------------- */

/* Note [Who scans its own].  It may take hundreds of milliseconds, and goes on in pieces.  Between
 * two
 *   - a stop that is wanted is taken part in;
 *   - the P is given away if the monitor asked for it (Note [Retaking a P] in monitor.c): others
 *     run there, and markers.  The thread scans on without one, since the stack is its own either
 *     way; it is no time of the program, so it needs no P, and takes one at its next call as who
 *     computes does.  The monitor does not signal it, whose state is RUNTIME; so it looks.  It is
 *     done the way of the stop signal's handler, in which we may be: what the thread left is at an
 *     instruction of the program, or, in m_blacken_own, in a section that began for the wait alone
 *     (crit_depth 1), where a stop may take the P too.
 *     Markers may scan the rest meanwhile, as of any stack: it is on their list after each piece.
 * When the last such stack is black, marking may have ended, and it may be that nobody looks: a
 * thread without a P does not, and those that have one may have gone to sleep while nothing but
 * this stack was left.  So the last one wakes the monitor (sched_monitor_kick, which a handler may
 * call), who wakes a marker if there is something to do, to end the cycle among it.  The last one
 * is seen as such by itself: each looks after it has counted itself out. */

/* Whom the monitor wakes stops the world at once, to end the cycle, or to begin one: Note [Who is
 * woken may stop the world] in monitor.c.  Where the goroutine's data is has been recorded. */
static void kick_blocking(struct m *m, enum m_state then)
{
    m_enter_blocking_state(m);
    sched_monitor_kick();
    m_leave_blocking_state(m, then);
}

void m_own_is_black(struct m *m, enum m_state then)
{
    if (sched_hooks.stacks_done() && atomic_load_seq(&sched.nidle_p) != 0) kick_blocking(m, then);
}

void m_between_pieces(struct m *m, enum m_state then)
{
    if (atomic_load_relaxed(&m->retake_run) != 0 && retake_in_handler(m)) kick_blocking(m, then);
}

struct own_piece {
    struct g *g;
    bool black;
};

static void own_piece(void *arg)
{
    struct own_piece *p = arg;
    p->black = g_blacken_some(p->g);
}

bool m_blacken_some(struct m *m)
{
    struct own_piece p = { m->curg, false };
    uintptr_t here; /* not m->stop_sp, which says where the goroutine's data is */
    if (m->on_system != 0)
        own_piece(&p);
    else
        arch_call_on_stack(own_piece, &p, m_system_stack(m), &here);
    return p.black;
}

void m_blacken_own(struct m *m)
{
    enum m_state state = (enum m_state)atomic_load_relaxed(&m->state); /* own word */
    while (m->curg != NULL && g_is_grey(m->curg)) {
        if (m_blacken_some(m))
            m_own_is_black(m, state);
        else if (crit_depth() == 1)
            m_between_pieces(m, state);
        if (!world_wants_stop()) continue;
        m_enter_blocking_state(m);
        m_leave_blocking_state(m, state);
    }
}
