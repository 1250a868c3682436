/* The monitor: a thread of the runtime that looks after what nobody else would notice.
 *
 * Today that is one thing: a program that allocates nothing for GC_PERIOD_NS gets a collection, so
 * that finalizers run and memory is given back.
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
#include "gc/gc.h"
#include "os/os.h"
#include "sched/sched_internal.h"

#define LOOK_EVERY_NS ((int64_t)1000000000)
#define STACK_BYTES (64 * KB)

static void look(struct m *m)
{
    if (!gc_period_over(os_now())) return;
    m_leave_blocking_state(m, M_RUNTIME);
    gc_force_periodic();
    m_enter_blocking_state(m);
}

static void sysmon(void *arg)
{
    static uint32_t never; /* nobody wakes it */
    struct m *m = arg;
    m_setup_thread(m);
    arch_crit_enter(); /* for good */
    for (;;) {
        os_futex_wait(&never, 0, LOOK_EVERY_NS);
        look(m);
    }
}

void sysmon_start(void)
{
    struct m *m = m_alloc(false);
    if (m == NULL) throw_msg("out of memory: no record for the monitor");
    int err = os_thread_create(sysmon, m, STACK_BYTES);
    if (err != 0)
        throw_fmt("can not create a thread (have %d already): %s; it is the monitor's",
                  m_count() - 1, strerror(err));
}
