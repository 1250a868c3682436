/* The monitor: a thread of the runtime that looks after what nobody else would notice.
 *
 * Its rounds are the scheduler's (sched/monitor.c: Ps of long computations, work, timers and
 * descriptors that nobody looks at).  Besides, a program that allocates nothing for GC_PERIOD_NS gets
 * a collection, so that finalizers run and memory is given back; and the scavenger, which has no timer, is
 * woken when its next turn is due.  The CPU limiter is looked at, or it would go on to limit a program in
 * which nobody marks.
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
#include "sched/sched_internal.h"

#define STACK_BYTES (64 * KB)

static void sysmon(void *arg)
{
    struct m *m = arg;
    m_setup_thread(m);
    arch_crit_enter(); /* for good */
    for (;;) {
        sched_monitor_round(m);
        int64_t now = os_now();
        if (gc_period_over(now)) gc_force_periodic();
        scavenger_tick(now);
        cpulimit_tick(now);
    }
}

void sysmon_start(void)
{
    crit_enter(); /* locks */
    struct m *m = m_alloc(false);
    crit_exit();
    if (m == NULL) throw_msg("out of memory: no record for the monitor");
    int err = os_thread_create(sysmon, m, STACK_BYTES);
    if (err != 0)
        throw_fmt("can not create a thread (have %d already): %s; see ulimit -v and ulimit -u",
                  m_count() - 1, strerror(err));
}
