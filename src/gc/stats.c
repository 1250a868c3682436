/* The collector's totals, and the public calls that read or steer it.
 *
 * Locking: the totals are written by the holder of the cycle's semaphore only, and read under it,
 * so that a reader sees whole cycles.
 *
 * Answers to: mstats.go, debug.SetGCPercent, runtime.GC.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/assert.h"
#include "base/unscanned.h"
#include "gc/background.h"
#include "gc/barrier.h"
#include "gc/cleanup.h"
#include "gc/cycle.h"
#include "gc/finalizer.h"
#include "gc/gc.h"
#include "gc/memory.h"
#include "gc/pace.h"
#include "gc/stackroots.h"
#include "gc/weak.h"
#include "gc/work.h"
#include "gc/scavenger.h"
#include "gort/mem.h"
#include "heap/mcache.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"

static struct {
    struct gc_totals t; /* cycle_lock */
    int64_t boot;       /* os_now */
} stats;
UNSCANNED(stats);

void totals_init(int64_t boot)
{
    stats.boot = boot;
}

void totals_goal(uint64_t goal)
{
    stats.t.goal = goal;
}

void totals_add(const struct gc_cycle_record *r, int percent)
{
    struct gc_totals *t = &stats.t;
    t->pauses[t->cycles % GC_PAUSES_KEPT] = r->pause;
    t->cycles++;
    t->by_cause[r->cause]++;
    t->pause_total += r->pause;
    t->pause_last = r->pause;
    if (r->pause > t->pause_max) t->pause_max = r->pause;
    if (t->cycles == 1 || r->pause < t->pause_min) t->pause_min = r->pause;
    t->cpu += r->cpu;
    t->assist_ns += r->assist_ns;
    t->worker_ns += r->worker_ns;
    t->idle_ns += r->idle_ns;
    t->waiting_ns += r->waiting_ns;
    t->restarts += r->restarts;
    t->in_one_stop += r->in_one_stop;
    t->goal = r->goal_after;
    t->marked = r->heap_marked;
    t->objects_marked += r->objects;
    for (int k = 0; k < ROOT_KINDS; k++)
        t->root_jobs[k] += r->root_jobs[k];
    int64_t available = (r->started - stats.boot) * r->procs;
    t->cpu_fraction = available > 0 ? (double)t->cpu / (double)available : 0;
    t->percent = percent;
}

static void read_specials(struct gc_totals *t)
{
    struct finalizer_counts f;
    struct cleanup_counts c;
    struct weak_counts w;
    finalizer_read_counts(&f);
    cleanup_read_counts(&c);
    weak_read_counts(&w);
    t->finalizers_set = f.set;
    t->finalizers_queued = f.queued;
    t->finalizers_run = f.run;
    t->cleanups_added = c.added;
    t->cleanups_stopped = c.stopped;
    t->cleanups_queued = c.queued;
    t->cleanups_run = c.run;
    t->cleanup_goroutines = c.goroutines;
    t->weak_made = w.made;
    t->weak_cleared = w.cleared;
    t->weak_shaded = w.shaded;
}

static void read_counters(struct gc_totals *t)
{
    struct barrier_counts b;
    read_specials(t);
    heap_read_sweep_counts(&t->swept);
    barrier_read_counts(&b);
    t->barrier_flushes = b.flushes;
    t->barrier_logged = b.logged;
    t->stack_pieces = stackroots_pieces();
    t->work_buffers = atomic_load_relaxed(&work_pool.bytes); /* a statistic */
    t->exempt_bytes = pace_forgiven();
    t->assist_credit = pace_credit_taken();
    t->refused = gc_refused();
    t->work_returned = atomic_load_relaxed(&work_pool.returned);
    t->trigger = atomic_load_relaxed(&gc_trigger);
    t->percent = gc_percent();
}

void gc_read_totals(struct gc_totals *out)
{
    cycle_lock();
    *out = stats.t;
    cycle_unlock();
    read_counters(out);
}

/* ---- public ---------------------------------------------------------------------------------- */

void gort_gc(void)
{
    g_require("gort_gc");
    sched_others_first(GC_TURN_NS);
    gc_collect(GC_CAUSE_FORCED);
    gc_sweep_all();
    gc_check_swept();
    scavenger_asked();
}

int gort_set_gc_percent(int percent)
{
    g_require("gort_set_gc_percent");
    int old = gc_set_percent(percent);
    gc_after_refill(); /* the new goal may lie below what is live */
    return old;
}

bool gort_set_assist_exempt(bool exempt)
{
    g_require("gort_set_assist_exempt");
    struct g *g = g_self();
    bool old = g->assist_exempt;
    g->assist_exempt = exempt;
    return old;
}

static void read_heap_stopped(void *arg)
{
    world_stop(STOP_STATS, NULL);
    for (int i = 0; i < p_count(); i++)
        mcache_publish(p_at(i)->mcache);
    heap_read_stats(arg);
    world_start();
}

void gort_read_stats(gort_stats *out)
{
    struct heap_stats h;
    struct gc_totals t;
    struct memory_classes k;
    g_require("gort_read_stats");
    call_on_system_stack(read_heap_stopped, &h);
    gc_read_totals(&t);
    memory_read(&h, &k);
    *out = (gort_stats){
        .num_gc = t.cycles,
        .num_forced_gc = t.by_cause[GC_CAUSE_FORCED],
        .heap_marked = t.marked,
        .heap_live = h.live,
        .heap_alloc = h.alloc,
        .total_alloc = h.total_alloc,
        .mallocs = h.mallocs,
        .frees = h.frees,
        .heap_goal = t.goal,
        .heap_sys = h.sys,
        .heap_released = h.released,
        .stack_sys = k.stack_sys,
        .meta_sys = k.meta_sys,
        .pause_total_ns = t.pause_total,
        .pause_max_ns = t.pause_max,
        .pause_last_ns = t.pause_last,
        .gc_cpu_fraction = t.cpu_fraction,
    };
}
