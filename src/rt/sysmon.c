/* The monitor: a thread of the runtime that looks after what nobody else would notice.
 *
 * Its rounds are the scheduler's (sched/monitor.c: Ps of long computations, work, timers and
 * descriptors that nobody looks at).  Besides
 *   - a program that allocates nothing for gc_period_ns gets a collection, so that finalizers run
 *     and memory is given back;
 *   - the scavenger, which has no timer, is woken when its next turn is due;
 *   - the CPU limiter is looked at, or it would go on to limit a program in which nobody marks;
 *   - the number of Ps follows the machine's (procs.c);
 *   - GORTDEBUG=schedtrace prints its line, and SIGQUIT its report (quit.c).
 * A round lasts half a time slice, 5 ms, while anything runs, and up to a second while all Ps are
 * idle, in which nothing can be late: timers and descriptors are waited for in the poller.
 *
 * It is an M, since it makes goroutines ready, but one without a P, without a loop and outside the
 * count of active threads: a program whose goroutines are all asleep is deadlocked although the
 * monitor lives.  It is in state BLOCKING but while it acts, all of it in one critical section.
 *
 * Answers to: sysmon in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "rt/sysmon.h"

#include <string.h>

#include "base/throw.h"
#include "gc/cpulimit.h"
#include "gc/gc.h"
#include "gc/scavenger.h"
#include "os/os.h"
#include "rt/env.h"
#include "rt/hooks.h"
#include "rt/procs.h"
#include "rt/quit.h"
#include "sched/sanitize.h"
#include "sched/sched_internal.h"

#define STACK_BYTES (64 * KB)
#define MS ((int64_t)1000000)

static int64_t trace_next; /* the monitor's */

/* At once after the start, then every env.schedtrace milliseconds. */
static void trace_tick(int64_t now)
{
    if (env.schedtrace == 0 || rt_hooks.sched_trace == NULL || now < trace_next) return;
    trace_next = now + (int64_t)env.schedtrace * MS;
    rt_hooks.sched_trace(env.scheddetail != 0);
}

/* What is to be done at certain times must not wait for a long round. */
static int64_t longest_round(void)
{
    int64_t ns = gc_period_ns / 2;
    if (env.schedtrace != 0 && (int64_t)env.schedtrace * MS < ns) ns = (int64_t)env.schedtrace * MS;
    return ns > MS ? ns : MS;
}

static void sysmon(void *arg)
{
    struct m *m = arg;
    m_setup_thread(m);
    sanitize_thread(m);
    arch_crit_enter(); /* for good */
    for (;;) {
        sched_monitor_round(m, longest_round());
        int64_t now = os_now();
        quit_tick();
        trace_tick(now);
        if (sched_debug.deterministic) continue; /* the rest depends on when it is done */
        procs_tick(now);
        if (gc_period_over(now)) gc_force_periodic();
        scavenger_tick(now);
        cpulimit_tick(now);
    }
}

void sysmon_start(void)
{
    crit_enter(); /* locks */
    struct m *m = m_alloc(false);
    m_count_made();
    crit_exit();
    if (m == NULL) throw_msg("out of memory: no record for the monitor");
    int err = os_thread_create(sysmon, m, STACK_BYTES);
    if (err != 0)
        throw_fmt("can not create a thread (have %d already): %s; see ulimit -v and ulimit -u",
                  m_count() - 1, strerror(err));
}
