/* The collection cycle.
 *
 * The state of the collector, and who moves it.  `cycle` counts cycles begun; all edges are taken by
 * the one thread that holds `busy`, on whichever goroutine asked for the cycle:
 *
 *      gc_collect: busy taken, still wanted
 *   OFF --------------------------------------> FINISH SWEEP --> PREPARE (helpers, loader's lock)
 *    ^                                          world runs        world runs; this thread counts as
 *    |                                                            stopped while it waits
 *    |  world_start                                                          |
 *    |                                                                       | world_stop
 *   SWEEPING <-------- MARKTERM <------------------ MARK <-------------------+
 *    world runs         world stopped                world stopped, all markers
 *
 *   OFF, SWEEPING  gc_phase is GC_OFF; they differ only in what is left to sweep.
 *   MARK           every cache is published, so each slot is known to be allocated or free; no span
 *                  is made or freed; mark bits are 0 at first and rise.
 *   MARKTERM       everything reachable is marked; live bytes, goal and trigger are set; the sweep
 *                  generation rises; all caches are flushed.  Allocation here is fatal.
 *   From before the stop until the world runs the loader's lock is held: dataroots.c, Note [The
 *   loader's lock].
 *
 * A concurrent mark will split MARK into two stops with a world that runs between them; everything
 * that needs a place for that is there: phase, sweep generations, barrier buffers, stacks' scanned
 * cycle.
 *
 * Why the cycle runs on the thread that asked: allocation never switches goroutines (DESIGN 4, rule
 * 13), so a collector goroutine could not be waited for from malloc.  The goroutine's registers are
 * spilled and its stack frozen by call_on_system_stack, and it is scanned like any other.
 *
 * `busy` is a futex word and no runtime lock: it is held across stops and waits, outside critical
 * sections too; who waits for it counts as stopped.  Its holder does not park.
 *
 * Sharing: a request remembers `cycle` as it was when it was made.  Who gets busy and finds that a
 * cycle began since, has been served.
 *
 * Memory order: busy's release pairs with its acquire; everything else changes while the world is
 * stopped, which orders it for all.
 *
 * Answers to: gcStart, gcMarkTermination in mgc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/gc.h"

#include <string.h>

#include "base/assert.h"
#include "base/throw.h"
#include "gc/background.h"
#include "gc/barrier.h"
#include "gc/checkmark.h"
#include "gc/cycle.h"
#include "gc/mark.h"
#include "gc/pacer.h"
#include "gc/roots.h"
#include "gc/scavenger.h"
#include "gc/specials.h"
#include "heap/mcache.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"

uint32_t gc_phase;
uint64_t gc_trigger = UINT64_MAX;
struct gc_debug gc_debug;
struct gc_debug_counts gc_debug_counts;
void (*gc_describe_object)(struct print *out, uintptr_t object);
void (*gc_cycle_listener)(const struct gc_cycle_record *r);

static struct {
    uint32_t busy;                 /* futex: 0 free, 1 taken, 2 taken and waited for; atomic */
    uint32_t enabled;              /* atomic; set once, when the background goroutines run */
    uint64_t cycle;                /* atomic; cycles begun; moved by the holder of busy */
    int percent;                   /* atomic; the holder of busy */
    int64_t boot;                  /* os_now of gc_init */
    int64_t last_end;              /* atomic; os_now at the end of the last cycle */
    struct gc_cycle_record record; /* the present cycle; the holder of busy */
    struct mark_result result;     /* the last mark's; the holder of busy */
} gc;

const char *gc_cause_name(enum gc_cause c)
{
    static const char *const names[GC_CAUSES] = { "heap", "forced", "periodic", "memory",
                                                  "stress" };
    return c < GC_CAUSES ? names[c] : "unknown";
}

/* ---- the semaphore ------------------------------------------------------------------------------ */

static void busy_wait(void *unused)
{
    (void)unused;
    while (atomic_exchange_acqrel(&gc.busy, 2u) != 0) /* pairs with cycle_unlock */
        os_futex_wait(&gc.busy, 2, -1);
}

void cycle_lock(void)
{
    uint32_t free_word = 0;
    if (atomic_cas_acqrel(&gc.busy, &free_word, 1)) /* pairs with cycle_unlock */
        return;
    crit_enter();
    m_wait_stoppable(busy_wait, NULL);
    crit_exit();
}

void cycle_unlock(void)
{
    if (atomic_exchange_acqrel(&gc.busy, 0u) == 2) os_futex_wake(&gc.busy, 1);
}

/* ---- pacing ------------------------------------------------------------------------------------- */

static void pace(void)
{
    struct gc_cycle_record *r = &gc.record;
    struct pacer_input in = {
        .marked = r->heap_marked, .stacks = r->stacks, .globals = r->globals, .percent = gc.percent
    };
    struct pacer_output out = pacer_compute(&in);
    r->goal_after = out.goal;
    if (!atomic_load_relaxed(&gc.enabled)) return;
    uint64_t limited = scavenger_limit_goal(r->heap_marked);
    if (limited < out.goal) r->goal_after = limited;
    if (limited < out.trigger) out.trigger = limited;
    scavenger_pace(r->goal_after);
    atomic_store_relaxed(&gc_trigger, out.trigger); /* a threshold: orders nothing */
    heap_sweep_pace(out.trigger);
}

int gc_set_percent(int percent)
{
    cycle_lock();
    int old = gc.percent;
    atomic_store_relaxed(&gc.percent, percent < 0 ? -1 : percent);
    pace();
    totals_goal(gc.record.goal_after);
    cycle_unlock();
    return old;
}

uint64_t gc_set_limit(uint64_t limit)
{
    cycle_lock();
    uint64_t old = scavenger_set_limit(limit);
    pace();
    totals_goal(gc.record.goal_after);
    cycle_unlock();
    return old;
}

int gc_percent(void)
{
    return atomic_load_relaxed(&gc.percent); /* a statistic */
}

/* ---- the stopped part, on the system stack -------------------------------------------------------- */

static void each_cache(void (*fn)(struct mcache *c))
{
    for (int i = 0; i < p_count(); i++)
        fn(p_at(i)->mcache);
}

static void validate_stw(const char *when, bool swept)
{
    struct mcache *caches[MAX_PROCS];
    for (int i = 0; i < p_count(); i++)
        caches[i] = p_at(i)->mcache;
    const char *fault = heap_validate_stw(caches, (size_t)p_count());
    if (fault == NULL && swept) fault = heap_validate_live_stw(caches, (size_t)p_count());
    if (fault != NULL)
        throw_fmt("the heap is corrupt %s collection %lu: %s", when,
                  (unsigned long)gc.record.number, fault);
    atomic_fetch_add_relaxed(&gc_debug_counts.gccheck, 1);
}

static void set_phase_stw(enum gc_phases to)
{
    assert_that(world_is_stopped() && to == (gc_phase + 1) % 3);
    atomic_store_relaxed(&gc_phase, (uint32_t)to);
}

/* What was live, or an eighth of what is there when that is more: the heap grew. */
static uint64_t expected_live(const struct gc_cycle_record *r)
{
    uint64_t last = gc.result.bytes;
    return last > r->heap_before / 8 ? last : r->heap_before / 8;
}

static void mark_phase_stw(struct gc_cycle_record *r)
{
    if (!heap_sweep_done()) throw_msg("a collection begins before the last one was swept");
    each_cache(mcache_publish);
    r->heap_before = heap_live();
    if (gc_debug.gccheck) validate_stw("before", true);
    set_phase_stw(GC_MARK);
    mark_run_stw(r->procs, expected_live(r), &gc.result);
}

static void term_phase_stw(struct gc_cycle_record *r)
{
    set_phase_stw(GC_MARKTERM);
    r->mark_end = os_now();
    if (gc_debug.gccheckmark) checkmark_run_stw(r->number);
    r->heap_marked = gc.result.bytes;
    r->objects = gc.result.objects;
    r->scan_work = gc.result.scan_work;
    r->stacks = gc.result.root_bytes[ROOT_STACKS];
    r->globals = gc.result.root_bytes[ROOT_DATA] + gc.result.root_bytes[ROOT_RANGES] +
                 gc.result.root_bytes[ROOT_TLS];
    r->markers = gc.result.markers;
    r->overflows = gc.result.overflows;
    memcpy(r->root_jobs, gc.result.root_jobs, sizeof r->root_jobs);
    heap_live_set_stw(r->heap_marked);
    scavenger_cycle_stw(r->goal_before);
    pace();
    heap_sweepgen_advance_stw();
    each_cache(mcache_flush);
    if (gc_debug.gccheck) validate_stw("after", false);
    set_phase_stw(GC_OFF);
}

/* Others may have begun the next cycle meanwhile: then that one looks. */
static void check_swept_stopped(void *arg)
{
    (void)arg;
    world_stop(STOP_STATS, NULL);
    if (heap_sweep_done()) validate_stw("after the sweep of", true);
    world_start();
}

void gc_check_swept(void)
{
    if (likely(!gc_debug.gccheck)) return;
    cycle_lock();
    call_on_system_stack(check_swept_stopped, NULL);
    cycle_unlock();
}

/* In roots_hold_loader. */
static void cycle_stopped(void *arg)
{
    struct gc_cycle_record *r = arg;
    struct stop_result stop;
    world_stop(STOP_GC_MARK, &stop);
    int64_t cpu = os_thread_cpu();
    r->stop_begin = stop.begin;
    r->stopped = stop.stopped;
    r->procs = p_count();
    mark_phase_stw(r);
    term_phase_stw(r);
    r->cpu = gc.result.helper_cpu + (uint64_t)(os_thread_cpu() - cpu);
    r->started = os_now();
    r->pause = (uint64_t)(r->started - r->stop_begin);
    totals_add(r, gc.percent);
    world_start();
}

/* ---- a cycle ------------------------------------------------------------------------------------- */

/* What must not be done while the world is stopped, and needs locks that a stopped thread may hold;
 * nor with the loader's lock, for which a holder of those locks may wait. */
static void prepare_outside(void *unused)
{
    (void)unused;
    mark_prepare_helpers(p_count());
}

static void cycle_on_system(void *r)
{
    roots_hold_loader(cycle_stopped, r);
}

static void cycle_run(enum gc_cause cause)
{
    struct gc_cycle_record *r = &gc.record;
    uint64_t goal = r->goal_after;
    memset(r, 0, sizeof *r);
    r->number = gc.cycle + 1;
    r->cause = cause;
    r->goal_before = goal;
    r->begin = r->sweep_begin = os_now();
    sweep_finish(false);
    sweep_take_counts(&r->swept);
    crit_enter();
    m_wait_stoppable(prepare_outside, NULL);
    atomic_store_relaxed(&gc.cycle, r->number); /* compared after busy was taken */
    call_on_system_stack(cycle_on_system, r);
    crit_exit();
    atomic_store_relaxed(&gc.last_end, r->started);
}

static bool heap_is_due(void)
{
    return gc_is_due() || scavenger_limit_is_due();
}

static bool still_wanted(enum gc_cause cause, uint64_t seen)
{
    if (!atomic_load_relaxed(&gc.enabled)) /* set once */
        return false;
    switch (cause) {
    case GC_CAUSE_HEAP:
        return heap_is_due();
    case GC_CAUSE_PERIODIC:
        return gc_period_over(os_now());
    default:
        return atomic_load_relaxed(&gc.cycle) == seen; /* moves under busy */
    }
}

void gc_collect(enum gc_cause cause)
{
    uint64_t seen = atomic_load_relaxed(&gc.cycle); /* an older value only shares less */
    assert_that(crit_depth() == 0);
    cycle_lock();
    bool run = still_wanted(cause, seen);
    struct gc_cycle_record record = { .number = 0 }; /* scanned: no stale words */
    if (run) {
        cycle_run(cause);
        record = gc.record;
    }
    cycle_unlock();
    if (!run) return;
    sweeper_wake();
    specials_wake();
    if (gc_cycle_listener != NULL) gc_cycle_listener(&record);
}

bool gc_period_over(int64_t now)
{
    int64_t last = atomic_load_relaxed(&gc.last_end); /* racy: looked at again under busy */
    return gc_percent() >= 0 && atomic_load_relaxed(&gc.enabled) && now - last >= GC_PERIOD_NS;
}

void gc_after_refill(void)
{
    sweep_pay();
    if (unlikely(heap_is_due())) gc_collect(GC_CAUSE_HEAP);
    specials_wake();
}

/* ---- boot ---------------------------------------------------------------------------------------- */

void gc_init(const struct gc_options *o)
{
    struct heap_hooks hooks = { .dead_object = specials_dead_object,
                                .freed = o != NULL ? o->freed : NULL };
    gc.percent = o == NULL ? 100 : o->percent < 0 ? -1 : o->percent;
    if (o != NULL) gc_debug = o->debug;
    heap_set_observe_stw((struct heap_observe){ .every = gc_debug.gcstress != 0 });
    gc.boot = gc.last_end = os_now();
    scan_init();
    roots_init();
    specials_init(o != NULL ? o->call : NULL);
    totals_init(gc.boot);
    heap_set_hooks(&hooks);
    if (!work_init()) throw_msg("out of memory: no buffers for marking");
    pace();
    totals_goal(gc.record.goal_after);
}

static void p_gets_cache(struct p *p)
{
    if (p->mcache == NULL) {
        p->mcache = persistent_alloc(sizeof(struct mcache), CACHE_LINE, &heap->cache_bytes);
        if (p->mcache == NULL) throw_fmt("out of memory: no allocation cache for P %u", p->id);
        mcache_init(p->mcache);
    }
    if (m_self() != NULL && m_self()->p == p) arch_tls_set_cache(&p->mcache->fast);
}

/* The cache's record stays with the P's, for when it comes back. */
static void p_loses_cache(struct p *p, struct p *heir)
{
    (void)heir;
    mcache_release(p->mcache);
    barrier_flush_all_stw();
}

void gc_hooks_fill(struct sched_hooks *h)
{
    h->p_init = p_gets_cache;
    h->p_destroy = p_loses_cache;
    h->g_dead = specials_goroutine_ended;
    h->thread_start = roots_read_tls;
}

void gc_start_background(void)
{
    background_init();
    crit_enter();
    m_wait_stoppable(prepare_outside, NULL);
    crit_exit();
    cycle_lock();
    atomic_store_relaxed(&gc.enabled, 1); /* threads see it when they next take busy */
    pace();
    cycle_unlock();
}
