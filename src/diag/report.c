/* Fatal reports: what is printed before the process ends.
 *
 *   throw, panic        the message was printed by whoever failed; here come the traces
 *   deadlock            every goroutine, with where it waits
 *   SIGQUIT             every goroutine, those that run too (rt/quit.c)
 *   fault               the signal, the address, the trace from the faulting instruction
 *   stack overflow      a fault in the guard below the stack of the goroutine that runs
 *
 * GORTTRACEBACK chooses how much: rt/env.h.  But for SIGQUIT the world is not stopped: the thread
 * that failed may be one that a stop would wait for.  But no goroutine is scheduled any more, so
 * that those that wait stay where they are.
 *
 * Only system calls that change nothing of libc are made; stdio is not flushed.
 *
 * Nothing names a symbol of this file: a constructor installs it.
 *
 * Answers to: panic.go (dopanic_m), signal_unix.go (sighandler, fatalsignal), checkdead in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <signal.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/throw.h"
#include "diag/callstack.h"
#include "diag/objects.h"
#include "diag/symbols.h"
#include "diag/traceback.h"
#include "gc/roots.h"
#include "rt/env.h"
#include "rt/hooks.h"
#include "sched/hooks.h"
#include "sched/sched.h"
#include "sched/sched_internal.h"
#include "sched/stack.h"
#include "sched/stw.h"

/* What is being reported.  Written by the one thread that throw_begin let through. */
static struct {
    void *ucontext; /* of a fault */
    bool everyone;  /* all goroutines, whatever GORTTRACEBACK says short of none */
    bool stopped;   /* the world is: those that run have traces */
} report;

/* ---- traces ---------------------------------------------------------------------------------- */

static void print_traces(void)
{
    struct print out;
    struct traceback t = { .out = &out,
                           .system = env.traceback >= TRACEBACK_SYSTEM,
                           .stopped = report.stopped };
    struct m *m = m_self();
    const struct g *self = m != NULL ? m->curg : NULL;
    if (env.traceback == TRACEBACK_NONE) return;
    arch_crit_enter(); /* for good */
    sched_set_exiting();
    print_init(&out, STDERR_FILENO);
    if (!report.everyone || self != NULL || t.system) traceback_self(&t, self, report.ucontext);
    if (report.everyone || env.traceback >= TRACEBACK_ALL) traceback_others(&t, self);
}

static void on_deadlock(void)
{
    throw_begin();
    report.everyone = true;
    print_err("fatal error: all goroutines are asleep - deadlock!\n");
    throw_finish();
}

#define FREEZE_NS ((int64_t)2000000000) /* patience with threads that do not stop */

static void on_quit(bool stop)
{
    throw_begin();
    if (stop && callstack_is_lock_free()) report.stopped = world_freeze(FREEZE_NS);
    report.everyone = true;
    print_err("SIGQUIT: quit\n");
    if (stop && !report.stopped) print_err("gort: not all threads could be stopped\n");
    throw_finish();
}

static void on_slow_stop(struct m *m, uintptr_t pc)
{
    print_err("gort: thread %d did not stop within a second; last seen in %s (pc=0x%lx)\n", m->tid,
              pc != 0 ? traceback_function(pc) : "the runtime", (unsigned long)pc);
}

/* ---- faults ---------------------------------------------------------------------------------- */

struct fault_name {
    int sig;
    const char *name, *meaning;
};

static const struct fault_name *fault_name(int sig)
{
    static const struct fault_name names[] = {
        { SIGSEGV, "SIGSEGV", "segmentation violation" },
        { SIGBUS, "SIGBUS", "bus error" },
        { SIGFPE, "SIGFPE", "arithmetic error" },
        { SIGILL, "SIGILL", "illegal instruction" },
    };
    static const struct fault_name unknown = { 0, "signal", "unexpected" };
    for (size_t i = 0; i < array_len(names); i++)
        if (names[i].sig == sig) return &names[i];
    return &unknown;
}

static const char *fault_meaning(const struct fault_name *n, const siginfo_t *info)
{
    if (n->sig == SIGBUS && info->si_code == BUS_MCEERR_AR) return "the hardware lost the memory";
    if (n->sig != SIGFPE) return n->meaning;
    switch (info->si_code) {
    case FPE_INTDIV:
        return "integer divide by zero";
    case FPE_INTOVF:
        return "integer overflow";
    case FPE_FLTDIV:
        return "floating-point divide by zero";
    default:
        return n->meaning;
    }
}

static void print_fault(int sig, const siginfo_t *info, uintptr_t pc)
{
    const struct fault_name *n = fault_name(sig);
    if (info->si_code <= 0)
        print_err("fatal error: %s sent by process %d\n", n->name, (int)info->si_pid);
    else if (sig == SIGSEGV && info->si_code == SI_KERNEL) /* not a canonical address */
        print_err("fatal error: %s: %s at an impossible address, pc=0x%lx\n", n->name,
                  fault_meaning(n, info), (unsigned long)pc);
    else
        print_err("fatal error: %s: %s at address 0x%lx, pc=0x%lx\n", n->name,
                  fault_meaning(n, info), (unsigned long)info->si_addr, (unsigned long)pc);
}

static void print_overflow(const struct g *g, uintptr_t pc)
{
    print_err("fatal error: stack overflow: goroutine %lu%s%.31s%s exceeded its stack of %lu bytes "
              "in function %s\n",
              (unsigned long)g->goid, g->name[0] != '\0' ? " (" : "", g->name,
              g->name[0] != '\0' ? ")" : "", (unsigned long)(g->stack_hi - g->stack_lo),
              traceback_function(pc));
}

/* A freed object of GORTDEBUG=efence, or one that the trace knows. */
static void describe_address(uintptr_t address)
{
    struct print out;
    print_init(&out, STDERR_FILENO);
    objects_describe(&out, address);
    print_flush(&out);
}

/* The collector reads registered ranges while the world is stopped; then the list stays as it is.
 * Regions that block run on meanwhile, and are not it. */
static void describe_root(uintptr_t address)
{
    struct root_range r;
    const struct m *m = m_self();
    if (m == NULL || (m->curg != NULL && m->curg->status == G_BLOCKING)) return;
    if (!world_is_stopped() || !roots_registered_around_stw(address, &r)) return;
    print_err("gort: the collector can not read the range 0x%lx + %lu of gort_root_add any more; "
              "gort_root_remove comes before munmap\n",
              (unsigned long)r.lo, (unsigned long)(r.hi - r.lo));
}

static void on_fault(int sig, void *siginfo, void *ucontext)
{
    const siginfo_t *info = siginfo;
    uintptr_t pc = arch_frame_pc(ucontext), address = (uintptr_t)info->si_addr;
    bool memory = (sig == SIGSEGV || sig == SIGBUS) && info->si_code > 0;
    throw_begin();
    report.ucontext = ucontext;
    report.everyone = info->si_code <= 0; /* sent: it says nothing about this thread, rt/fault.c */
    const struct g *owner = memory ? stack_guard_owner(address) : NULL;
    if (owner != NULL && owner == m_self()->curg)
        print_overflow(owner, pc);
    else
        print_fault(sig, info, pc);
    if (memory) {
        describe_root(address);
        describe_address(address);
    }
    throw_finish();
}

static void on_print_function(uintptr_t pc)
{
    print_err("%s", traceback_function(pc));
}

/* ---- installation ---------------------------------------------------------------------------- */

__attribute__((__constructor__)) static void report_install(void)
{
    static const struct sched_hooks hooks = {
        .deadlock = on_deadlock,
        .stop_slow = on_slow_stop,
        .fault = on_fault,
        .print_function = on_print_function,
    };
    symbols_init();
    traceback_init();
    throw_set_reporter(print_traces);
    sched_hooks_install(&hooks);
    rt_hooks.quit = on_quit;
}
