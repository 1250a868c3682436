/* The collector's goroutines: the sweeper, the one that runs finalizers, the periodic collector.
 *
 * Sweeping is needed for two things: memory to allocate from, and the end of the cycle, since the
 * next one begins only after all is swept.  Allocation sweeps for the first as it needs (mcentral);
 * this goroutine does the rest in small batches between which others run, so it takes only what is
 * left of a P.  Where nothing is left, allocation pays (sweep_pay; Note [Sweep pace] in
 * heap/sweep.c).  Whoever wants the sweep to end (a new cycle, gort_gc) joins in (sweep_finish).
 *
 * Locking: none.  Answers to: bgsweep in mgcsweep.go, forcegchelper in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/background.h"

#include "base/assert.h"
#include "gc/finalizer.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "gc/scavenger.h"
#include "gc/specials.h"
#include "gc/sleeper.h"
#include "gc/work.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stack.h"

#define SWEEP_BATCH 10 /* spans between two yields of the sweeper */
#define YIELD_EVERY 10 /* batches between two yields of who finishes the sweep */

static struct sleeper sweeper, periodic;
/* ---- sweeping -------------------------------------------------------------------------------- */

/* Sweeps up to a batch, in one critical section.  How many spans; 0: no set holds one. */
static unsigned sweep_batch(enum sweep_reason why)
{
    crit_enter();
    unsigned n = heap_sweep_some(SWEEP_BATCH, why);
    crit_exit();
    return n;
}

/* What the cycle emptied (sudogs_flush_stw), a record's chunk at a time. */
static void trim_records(void)
{
    bool some;
    do {
        crit_enter();
        some = sudogs_trim();
        crit_exit();
    } while (some);
}

/* Memory of the mark queue.  Others may run between two batches. */
static void return_buffers(bool yield)
{
    for (bool more = true; more;) {
        crit_enter();
        more = work_return_some();
        crit_exit();
        if (more && yield) g_yield();
    }
}

void gc_return_buffers(void)
{
    return_buffers(false);
}

/* Pages of stacks that have been dead for a whole cycle.  Others may run between two batches. */
static void trim_stacks(bool yield)
{
    for (bool more = true; more;) {
        crit_enter();
        more = stack_trim_some();
        crit_exit();
        if (more && yield) g_yield();
    }
    crit_enter();
    stack_age();
    crit_exit();
}

void gc_trim_stacks(void)
{
    trim_stacks(false);
    trim_stacks(false); /* those that died lately too */
}

static void sweeper_loop(void *unused)
{
    (void)unused;
    for (;;) {
        sleeper_park(&sweeper, WAIT_GC_SWEEP);
        while (sweep_batch(SWEPT_BACKGROUND) != 0) {
            specials_wake();
            g_yield();
        }
        return_buffers(true);
        trim_records();
        trim_stacks(true);
        scavenger_swept();
    }
}

void sweeper_wake(void)
{
    sleeper_wake(&sweeper);
}

void sweep_pay(void)
{
    while (unlikely(heap_sweep_debt() > 0) && sweep_batch(SWEPT_PAID) != 0)
        ;
}

void sweep_finish(bool yield)
{
    for (uint32_t batch = 1;; batch++) {
        bool some = sweep_batch(SWEPT_FINISH) != 0;
        if (!some && heap_sweep_done()) break;
        if (yield && (!some || batch % YIELD_EVERY == 0))
            g_yield();
        else if (!some)
            os_thread_yield(); /* others are in the middle of their last spans */
    }
    specials_wake();
}

void sweep_take_counts(struct sweep_counts *out)
{
    static struct sweep_counts last; /* at the last call */
    struct sweep_counts now;
    heap_read_sweep_counts(&now);
    *out = now;
    for (int i = 0; i < SWEEP_REASONS; i++)
        out->spans[i] -= last.spans[i];
    out->pages -= last.pages;
    out->reclaimed -= last.reclaimed;
    out->credit_taken -= last.credit_taken;
    last = now;
}

void gc_sweep_all(void)
{
    sweep_finish(true);
}

void gc_sweep_all_nopark(void)
{
    sweep_finish(false);
}

/* ---- the periodic collection ----------------------------------------------------------------- */

static void periodic_loop(void *unused)
{
    (void)unused;
    for (;;) {
        sleeper_park(&periodic, WAIT_IDLE_SYSTEM);
        gc_collect(GC_CAUSE_PERIODIC);
    }
}

void gc_force_periodic(void)
{
    sleeper_wake(&periodic);
}

/* ---- start ----------------------------------------------------------------------------------- */

bool background_is_ready(void)
{
    return sleeper_is_ready(&sweeper) && scavenger_is_ready();
}

void background_wait_ready(void)
{
    while (!background_is_ready())
        g_yield();
}

void background_init(void)
{
    sleeper_start(sweeper_loop, "gc sweeper");
    finalizer_start();
    scavenger_start();
    sleeper_start(periodic_loop, "periodic gc");
}
