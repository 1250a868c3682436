/* Grey stacks: those that this cycle of the collector has not scanned yet.
 *
 * Note [No grey stack runs].  The collector marks from a snapshot of what was reachable when marking began
 * (Note [Snapshot] in gc/cycle.c).  So a stack must be scanned as it was then: no goroutine executes an
 * instruction of the program on a stack that is grey.  Whoever would let it scans it first:
 *
 *     goroutine at the first stop       scanned by, before                     function
 *     its thread stopped                that thread, released                  m_stop_wait
 *     runnable or waiting               a marker; or the M that will run it    g_scan_claim; execute
 *     in a blocking region              a marker; or its thread, leaving       g_scan_claim; come_back
 *     its thread waits for the runtime  the stopper, in the stop               gc/cycle.c
 *     made later                        nobody: it holds what its maker held   g_init_common
 *     a thread attached later           nobody: gort did not know its stack    m_attach
 *
 * scanned_cycle says how far a stack is, and is the claim at once: an older value is grey, scan_cycle - 1
 * is being scanned, scan_cycle is black.  So arming all stacks is one store, however many there are.
 * Who claims by compare-and-swap scans; who needs the stack meanwhile waits, for as long as a scan takes.
 * The scanner is in a critical section, or in state RUNTIME: a stop waits for it, so in a stop no stack
 * is half scanned.
 *
 * A claimed stack does not change.  It was not running at the first stop, else its own thread scans it,
 * and that is not claimed by others: g_scan_claim leaves a running goroutine alone.  And it does not begin
 * to run, since that takes a claim too.  The status may change from waiting to runnable: both are scanned
 * alike.  Others may store into the stack, as a sender does into a receiver's variable: with a barrier.
 *
 * A thread that blocks in the kernel inside the program (not in a region that it declared) counts as
 * running, is stopped by a signal, and scans its own stack in the handler.
 *
 * Rejected: scanning stopped stacks in the stop (the pause grows with depth and number); suspending one
 * goroutine after the other, as the original does (a signal and a wait for each).
 *
 * Memory order: g_scanned's release pairs with g_is_grey's acquire: what the scanner queued is seen by a
 * stop that the goroutine's thread takes part in.
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

/* false: somebody has it, or had it. */
static bool claim(struct g *g)
{
    uint32_t black = atomic_load_relaxed(&sched.scan_cycle); /* changes in stops only */
    uint32_t seen = atomic_load_relaxed(&g->scanned_cycle);
    if (seen == black || seen == black - 1) return false;
    return atomic_cas_acqrel(&g->scanned_cycle, &seen, black - 1);
}

bool g_scan_claim(struct g *g)
{
    uint32_t status = atomic_load_acquire(&g->status); /* before scanned_cycle: g_init_common */
    if (status == G_DEAD || status == G_RUNNING) return false;
    return claim(g);
}

void g_scanned(struct g *g)
{
    atomic_store_release(&g->scanned_cycle, atomic_load_relaxed(&sched.scan_cycle));
}

void g_scanned_stw(struct g *g)
{
    g_scanned(g);
}

never_inline void g_blacken(struct g *g)
{
    if (claim(g)) {
        sched_hooks.g_scan(g);
        g_scanned(g);
        return;
    }
    for (uint32_t round = 0; g_is_grey(g); round++) {
        if (round < CLAIM_PAUSES)
            arch_pause();
        else
            os_thread_yield();
    }
}
