/* The CPU limiter of the process: who tells it what.
 *
 *   what                                     who                                           how
 *   P on the idle list                       sched/p.c, by the hooks p_idle, p_busy        event
 *   idle worker marks                        worker.c                                      event
 *   assist marks                             pace.c                                        event
 *   allocation waits for a cycle to end      cycle.c                                       added
 *   allocation gives memory back             heap/scavenge.c counts it                     difference
 *   dedicated and fractional workers         a quarter of the Ps, while marking is on      clock
 *   stops of the cycle                       cycle.c                                       in full
 *
 * The limiter is looked at when somebody has marked, in the stops, and by the monitor: the first so
 * that it begins soon, the last so that it ends although nobody marks.  Whoever finds it due
 * updates it, and one at a time: who comes second leaves it.  An update is made in a critical
 * section, or in the monitor's state RUNTIME, so none is half-done in a stop; there the try-lock is
 * free.
 *
 * The number of Ps is taken over by the next update: the time before the change, at most
 * LIMITER_PERIOD_NS while anything runs, is counted with the new number's events and the old
 * number's total.
 *
 * Rejected: hooks into the heap's floor for the time of giving back.  It has a count already; what
 * came since the last look is the difference.
 *
 * Locking: limiter_try.  Memory order: what others read are hints and statistics: relaxed.
 * Answers to: gcCPULimiter's callers in mgc.go, mgcmark.go, mgcpacer.go, proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/cpulimit.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/throw.h"
#include "heap/scavenge.h"
#include "os/os.h"
#include "sched/sched.h"

static struct {
    struct limiter l;
    struct limiter_pool pool;
    uint64_t given_back; /* scav_counts.assist_ns at the last update; limiter_try */
} cpulimit;

bool cpulimit_on(void)
{
    return limiter_limiting(&cpulimit.l);
}

/* ---- events ---------------------------------------------------------------------------------- */

bool cpulimit_enter(struct p *p, enum limiter_what what, int64_t now)
{
    return limiter_start(&p->limiter_event, what, now);
}

void cpulimit_leave(struct p *p, enum limiter_what what, int64_t now)
{
    limiter_stop(&p->limiter_event, what, now, &cpulimit.pool);
}

void cpulimit_add_assist(int64_t ns)
{
    limiter_add_assist(&cpulimit.pool, ns);
}

static void p_idle(struct p *p)
{
    bool started = cpulimit_enter(p, LIMITER_IDLE, os_now());
    check(started); /* who marks has the P */
}

static void p_busy(struct p *p)
{
    cpulimit_leave(p, LIMITER_IDLE, os_now());
}

void cpulimit_hooks_fill(struct sched_hooks *h)
{
    h->p_idle = p_idle;
    h->p_busy = p_busy;
}

/* ---- updates --------------------------------------------------------------------------------- */

/* The holder of limiter_try. */
static struct limiter_times take_times(int64_t now)
{
    struct limiter_times t = limiter_drain(&cpulimit.pool);
    struct scav_counts c;
    for (int i = 0; i < p_count(); i++)
        limiter_consume(&p_at(i)->limiter_event, now, &t);
    scav_read_counts(&c);
    t.assist += (int64_t)(c.assist_ns - cpulimit.given_back);
    cpulimit.given_back = c.assist_ns;
    return t;
}

static void update(int64_t now)
{
    struct limiter_times t = take_times(now);
    if (p_count() != cpulimit.l.procs)
        limiter_set_procs(&cpulimit.l, now, t, p_count());
    else
        limiter_update(&cpulimit.l, now, t);
}

static void finish(void)
{
    scav_set_held(cpulimit_on());
    limiter_done(&cpulimit.l);
}

static void look(int64_t now, int64_t period)
{
    if (likely(!limiter_due(&cpulimit.l, now, period)) || !limiter_try(&cpulimit.l)) return;
    update(now);
    finish();
}

void cpulimit_tick(int64_t now)
{
    look(now, LIMITER_PERIOD_NS);
}

void cpulimit_assisted(int64_t now)
{
    look(now, LIMITER_ASSIST_PERIOD_NS);
}

void cpulimit_stop_stw(int64_t begin, int64_t now, bool marking, uint64_t cycle)
{
    static const struct limiter_times none;
    if (!limiter_try(&cpulimit.l)) throw_msg("somebody updates the CPU limiter in a stop");
    update(begin);
    limiter_begin(&cpulimit.l, begin, none, marking, cycle);
    limiter_end(&cpulimit.l, now);
    finish();
}

void cpulimit_read(struct cpulimit_counts *out)
{
    out->last_cycle = atomic_load_relaxed(&cpulimit.l.last_cycle);
    out->on_ns = limiter_on_ns(&cpulimit.l, os_now());
    out->overflow = atomic_load_relaxed(&cpulimit.l.overflow);
}

void cpulimit_init(void)
{
    limiter_init(&cpulimit.l, os_now(), 1);
}
