/* The number of Ps follows the machine.
 *
 * A container's quota and the affinity mask change while a program runs: an orchestrator gives it
 * more or fewer CPUs.  Too many Ps are throttled together, in the middle of whatever they do; too
 * few leave CPUs unused.  So once a second the monitor looks, and when the number differs it wakes
 * a goroutine of the runtime's, since only a goroutine changes the number (it stops the world).
 *
 * Locks are told too, whether or not the number follows: with one CPU their waiters do not spin.
 *
 * Who sets the number, by GORTMAXPROCS or gort_max_procs, has decided: nothing follows from then
 * on.  The call sets sched.procs_fixed and then the number; the goroutine asks for it in the stop,
 * so that a number which the program set is never replaced: whichever of the two stops comes later,
 * it sees the flag, or is the program's own.
 *
 * Why the mask of the process's first thread: the program may pin any of its threads for a purpose
 * of its own; an orchestrator's change concerns all of them.
 *
 * Answers to: sysmonUpdateGOMAXPROCS, updateMaxProcsGoroutine, defaultGOMAXPROCS in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "rt/procs.h"

#include "base/atomic.h"
#include "gc/sleeper.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sync/lock.h"

#define LOOK_EVERY_NS ((int64_t)1000000000)

static struct sleeper updater;
static uint32_t following; /* atomic; set once */
static int64_t last_look;  /* the monitor's */

/* One CPU more than the quota allows would only be throttled. */
int procs_by_default(void)
{
    int n = os_cpu_count(), quota = os_cpu_quota();
    if (quota != 0 && quota < n) n = quota;
    return n < MAX_PROCS ? n : MAX_PROCS;
}

static void update(void *unused)
{
    (void)unused;
    for (;;) {
        sleeper_park(&updater, WAIT_MAX_PROCS);
        p_follow_count(procs_by_default());
    }
}

void procs_follow(void)
{
    sleeper_start(update, "max procs");
    atomic_store_relaxed(&following, 1); /* it parks before, or is woken when it does */
}

void procs_tick(int64_t now)
{
    if (now - last_look < LOOK_EVERY_NS) return;
    last_look = now;
    lock_note_cpus(os_cpu_count());
    if (atomic_load_relaxed(&following) == 0 || p_count_is_fixed()) return;
    if (procs_by_default() != p_count()) sleeper_wake(&updater);
}
