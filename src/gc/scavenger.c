/* The scavenger: when memory goes back to the kernel, and the memory limit.
 *
 * Giving memory back costs the system call, and the fault when it is needed again; keeping it costs
 * others the memory.  So what the next cycle will need is kept: the pages that were in use when the
 * last one had marked, in proportion to how the heap goal moved since, and a tenth more.  What is
 * above goes back in the background, at one percent of the CPU.  Under a memory limit the aim is a
 * twentieth below the limit, whatever is kept then; allocations that would pass the limit give
 * memory back themselves (heap/scavenge.c), and the collector's goal is what the limit leaves for
 * objects.
 *
 * Note [Turns].  One percent is a budget: time that passes earns credit, a hundredth of it for each
 * P, up to SCAVENGER_MOST_NS; work spends it, by the CPU clock of the thread.  So the share holds
 * over any long time by construction, and nothing has to be tuned; the original steers the ratio of
 * work and sleep by a controller, since it measures elapsed time.  A turn begins with at least
 * SCAVENGER_LEAST_NS and ends when credit, wish or pages do.  Between turns the goroutine is parked
 * without a timer: a timer would be a reason to take a deadlocked program for a live one.  It
 * leaves word when its next turn is due, and the monitor, which looks around anyway, wakes it:
 * within 5 ms while the program runs, once a second while it is idle, and then the turn is longer.
 * When there is nothing to do nobody wakes.
 *
 * Note [Steady goals].  The heap goal of a small heap that turns over fast jumps from cycle to
 * cycle, by half and more, with what happened to be garbage when marking began.  Followed downwards
 * each time it had a tenth of such a program's time go into giving pages back and taking them
 * again.  So while a goal falls it follows at a distance: instead of a tenth above what is
 * expected, SCAVENGER_STEADY or a half may stay, whichever is less.  From 88 MB on that is less
 * than the tenth, and nothing changes.  And a heap may grow to PACER_MIN_HEAP whatever is live,
 * unless its percentage is small: what a cycle that began early found in use says nothing about
 * that, so as much is kept in any case.
 *
 * Who wakes it:
 *
 *   sweeper (all is swept)     gc/background.c   scavenger_swept
 *   monitor (a turn is due)    rt/sysmon.c       scavenger_tick
 *   a new limit or percentage                    gort_set_memory_limit
 *
 * The memory limit counts what the runtime has from the kernel: heap that was not given back,
 * stacks, and its own records; not the stacks of threads, nor what C libraries take.  `others`,
 * what floors above the heap have, is refreshed when goals are set and at each turn.
 *
 * The limit is soft.  When what is live does not fit, the program goes on above it: a cycle comes
 * after at least scavenger_runway bytes, so that marking stays a bounded multiple of allocating.
 *
 * Locking: cycle_lock for goals and limit.  Memory order: `due` is a hint; everything else is a
 * statistic or the goroutine's own: relaxed.
 * Answers to: mgcscavenge.go, debug.FreeOSMemory, debug.SetMemoryLimit.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/scavenger.h"

#include "base/atomic.h"
#include "base/print.h"
#include "gc/background.h"
#include "gc/cycle.h"
#include "gc/gc.h"
#include "gc/memory.h"
#include "gc/pacer.h"
#include "gc/sleeper.h"
#include "gort/mem.h"
#include "heap/scavenge.h"
#include "os/os.h"
#include "sched/stw.h"

#define STEP_PAGES 8                /* of one step, where it is not a block: 64 KB */
#define YIELD_NS ((int64_t)1000000) /* of work, between two yields */
#define RUNWAY_LEAST (1 * MB)
#define RUNWAY_PART 8
#define LIMIT_HEADROOM_PART 32 /* pages may come so near to the limit before a cycle begins */

bool scavenger_trace;

static struct {
    struct sleeper sleeper;
    struct scavenger_budget budget; /* the goroutine's own */
    int64_t due;                    /* atomic; when the monitor is to wake it, 0: not at all */
    struct scavenger_counts counts; /* atomic */
    uint64_t limit;                 /* atomic; cycle_lock */
    uint64_t in_use, last_goal;     /* of the last cycle; cycle_lock */
    uint64_t least;                 /* atomic; heap size below which the limit asks for no cycle */
    uint64_t traced[SCAV_ORIGINS];  /* bytes told by the last line; the sweeper's */
} scavenger = { .limit = SCAV_NONE };

/* ---- policy ---------------------------------------------------------------------------------- */

static uint64_t scaled(uint64_t n, uint64_t by, uint64_t of)
{
    unsigned __int128 x = (unsigned __int128)n * by / of;
    return x > UINT64_MAX ? UINT64_MAX : (uint64_t)x;
}

uint64_t scavenger_retained_goal(uint64_t in_use, uint64_t goal, uint64_t last_goal)
{
    if (last_goal == 0) return SCAV_NONE; /* nothing is known of the heap yet */
    if (goal != PACER_OFF && last_goal != PACER_OFF) in_use = scaled(in_use, goal, last_goal);
    uint64_t least = goal < PACER_MIN_HEAP ? goal : PACER_MIN_HEAP; /* Note [Steady goals] */
    return scaled(in_use > least ? in_use : least, 100 + SCAVENGER_RETAIN, 100);
}

uint64_t scavenger_steady_goal(uint64_t goal, uint64_t former)
{
    if (former <= goal) return goal;
    uint64_t most = goal / 2 < SCAVENGER_STEADY ? goal / 2 : SCAVENGER_STEADY;
    uint64_t tenth = goal - scaled(goal, 100, 100 + SCAVENGER_RETAIN);
    uint64_t high = goal + (most > tenth ? most - tenth : 0);
    return former < high ? former : high;
}

uint64_t scavenger_background_goal(uint64_t limit)
{
    return limit == SCAV_NONE ? SCAV_NONE : scaled(limit, 100 - SCAVENGER_REDUCE, 100);
}

uint64_t scavenger_runway(uint64_t marked)
{
    uint64_t part = marked / RUNWAY_PART;
    return part > RUNWAY_LEAST ? part : RUNWAY_LEAST;
}

void scavenger_earn(struct scavenger_budget *b, int64_t now, int procs)
{
    int64_t passed = b->last == 0 ? 0 : now - b->last, most = SCAVENGER_MOST_NS * procs;
    b->last = now;
    /* A year would not overflow; more than what fills it need not be multiplied. */
    int64_t earned = passed / SCAVENGER_SHARE >= 2 * SCAVENGER_MOST_NS
                         ? 2 * most
                         : passed * procs / SCAVENGER_SHARE;
    b->credit = b->credit + earned < most ? b->credit + earned : most;
}

void scavenger_spend(struct scavenger_budget *b, int64_t ns)
{
    b->credit -= ns;
}

int64_t scavenger_next(const struct scavenger_budget *b, int procs)
{
    int64_t lack = SCAVENGER_LEAST_NS - b->credit;
    return b->last + (lack > 0 ? lack * SCAVENGER_SHARE / procs : 0);
}

/* ---- goals ----------------------------------------------------------------------------------- */

/* What the runtime has beside the heap.  h as of some moment. */
static uint64_t read_others(const struct heap_stats *h)
{
    struct memory_classes c;
    memory_read(h, &c);
    uint64_t all = c.stack_sys + c.meta_sys - c.os_stacks, heaps = scav_meta();
    return all > heaps ? all - heaps : 0;
}

static void note_others(struct heap_stats *h)
{
    heap_read_stats(h);
    scav_set_others(read_others(h));
}

void scavenger_note_others(void)
{
    struct heap_stats h;
    note_others(&h);
}

void scavenger_cycle_stw(uint64_t last_goal)
{
    scavenger.in_use = atomic_load_relaxed(&heap->in_use) + atomic_load_relaxed(&heap->manual);
    scavenger.last_goal = last_goal;
    scav_generation_stw();
    /* Pages that an idle P has taken can not be given back by others. */
    for (int i = 0; i < p_count(); i++)
        if (p_at(i)->status == P_IDLE) scav_return_window_stw(p_at(i)->mcache);
}

/* In stops too, so without a look at what is beside the heap, which takes 3 us. */
void scavenger_pace(uint64_t goal)
{
    struct scav_goals former;
    scav_get_goals(&former);
    uint64_t retained = scavenger_retained_goal(scavenger.in_use, goal, scavenger.last_goal);
    struct scav_goals g = {
        .retained = scavenger_steady_goal(retained, former.retained),
        .limit = scavenger_limit(),
        .background = scavenger_background_goal(scavenger_limit()),
    };
    scav_set_goals(&g);
}

uint64_t scavenger_limit_goal(uint64_t marked)
{
    if (scavenger_limit() == SCAV_NONE) return UINT64_MAX;
    struct heap_stats h;
    note_others(&h);
    struct pacer_memory m = {
        .limit = scavenger_limit(), .mapped = scav_total(), .free = h.idle, .objects = h.alloc
    };
    uint64_t goal = pacer_limit_goal(&m, marked), least = marked + scavenger_runway(marked);
    atomic_store_relaxed(&scavenger.least, least);
    return goal > least ? goal : least;
}

/* By pages, as they are now: the goal was set when the heap was smaller, and with it what is lost
 * between objects.  Free pages do not count: the allocation that wants others gives them back.
 * While spans are left to sweep, what is in use says little. */
bool scavenger_limit_is_due(void)
{
    uint64_t limit = scavenger_limit();
    if (likely(limit == SCAV_NONE) || !heap_sweep_done()) return false;
    struct scav_goals g;
    scav_get_goals(&g);
    uint64_t used = atomic_load_relaxed(&heap->in_use) + atomic_load_relaxed(&heap->manual) +
                    scav_meta() + g.others;
    uint64_t part = limit / LIMIT_HEADROOM_PART;
    uint64_t headroom = part > RUNWAY_LEAST ? part : RUNWAY_LEAST;
    headroom +=
        3 * SCAVENGER_CYCLE_RUNWAY; /* and what is lost between objects, until all is swept */
    headroom += (uint64_t)p_count() * PAGE_CACHE_PAGES * PAGE_BYTES; /* free, but taken by Ps */
    return used + headroom >= limit && heap_live() >= atomic_load_relaxed(&scavenger.least);
}

uint64_t scavenger_limit(void)
{
    return atomic_load_relaxed(&scavenger.limit);
}

uint64_t scavenger_set_limit(uint64_t limit)
{
    uint64_t old = scavenger_limit();
    atomic_store_relaxed(&scavenger.limit, limit);
    return old;
}

/* ---- the goroutine --------------------------------------------------------------------------- */

/* One step in a critical section, charged to *spent. */
static bool step(struct scav_round *r, int64_t *spent)
{
    bool over;
    crit_enter();
    int64_t begin = os_thread_cpu();
    scav_step(r, STEP_PAGES, &over);
    *spent += os_thread_cpu() - begin;
    crit_exit();
    return !over;
}

static bool step_records(int64_t *spent)
{
    crit_enter();
    int64_t begin = os_thread_cpu();
    size_t bytes = scav_step_records(SCAV_BACKGROUND, false);
    *spent += os_thread_cpu() - begin;
    crit_exit();
    return bytes != 0;
}

static bool has_records(void)
{
    crit_enter();
    bool has = scav_has_records();
    crit_exit();
    return has;
}

/* Records and marks of spans.  true: there are more, for a later turn. */
static bool turn_records(int64_t credit, int64_t *spent)
{
    int64_t yielded = *spent;
    while (*spent < credit) {
        if (!step_records(spent)) return false;
        if (*spent - yielded < YIELD_NS) continue;
        yielded = *spent;
        g_yield();
    }
    return has_records();
}

/* true: there is more to do, later. */
static bool turn(int64_t credit, int64_t *spent)
{
    struct scav_round r;
    int64_t yielded = 0;
    scav_begin(&r, SCAV_BACKGROUND);
    while (scav_is_wanted()) {
        if (*spent >= credit && scav_stress == 0) return true;
        if (!step(&r, spent)) return false; /* the rest is dense: when the next cycle has ended */
        if (*spent - yielded < YIELD_NS) continue;
        yielded = *spent;
        g_yield();
    }
    return false;
}

static void take_turn(void)
{
    int procs = p_count();
    struct scavenger_budget *b = &scavenger.budget;
    int64_t spent = 0;
    scavenger_note_others();
    scavenger_earn(b, os_now(), procs);
    bool more = turn(b->credit, &spent);
    more |= turn_records(b->credit, &spent);
    scavenger_spend(b, spent);
    atomic_fetch_add_relaxed(&scavenger.counts.background_ns, (uint64_t)spent);
    atomic_fetch_add_relaxed(&scavenger.counts.turns, 1);
    if (more) atomic_store_relaxed(&scavenger.due, scavenger_next(b, procs));
}

static void scavenger_loop(void *unused)
{
    (void)unused;
    scavenger_earn(&scavenger.budget, os_now(), p_count());
    for (;;) {
        sleeper_park(&scavenger.sleeper, WAIT_GC_SCAVENGE);
        take_turn();
    }
}

void scavenger_start(void)
{
    sleeper_start(scavenger_loop, "gc scavenger");
}

bool scavenger_is_ready(void)
{
    return sleeper_is_ready(&scavenger.sleeper);
}

void scavenger_tick(int64_t now)
{
    int64_t due = atomic_load_relaxed(&scavenger.due); /* a hint: a turn too many does no harm */
    if (likely(due == 0) || now < due) return;
    atomic_store_relaxed(&scavenger.due, 0);
    sleeper_wake(&scavenger.sleeper);
}

/* ---- the trace ------------------------------------------------------------------------------- */

static uint64_t since_traced(const struct scav_counts *c, enum scav_origin o)
{
    uint64_t before = atomic_exchange_acqrel(&scavenger.traced[o], c->released[o]);
    return c->released[o] > before ? c->released[o] - before : 0;
}

/* In Go's format. */
static void trace(bool forced)
{
    struct scav_counts c;
    scav_read_counts(&c);
    uint64_t background = since_traced(&c, SCAV_BACKGROUND);
    uint64_t eager = since_traced(&c, SCAV_GROWTH) + since_traced(&c, SCAV_LIMIT) +
                     since_traced(&c, SCAV_FORCED);
    uint64_t in_use = atomic_load_relaxed(&heap->in_use), retained = scav_retained();
    print_err("scav %lu KiB work (bg), %lu KiB work (eager), %lu KiB now, %lu%% util%s\n",
              (unsigned long)(background / KB), (unsigned long)(eager / KB),
              (unsigned long)(atomic_load_relaxed(&heap->released) / KB),
              (unsigned long)(retained == 0 ? 0 : in_use * 100 / retained),
              forced ? " (forced)" : "");
}

void scavenger_swept(void)
{
    if (scavenger_trace) trace(false);
    if (scav_is_wanted() || has_records()) sleeper_wake(&scavenger.sleeper);
}

void scavenger_asked(void)
{
    crit_enter();
    scav_generation();
    crit_exit();
    scavenger_swept();
}

void scavenger_read_counts(struct scavenger_counts *out)
{
    out->background_ns = atomic_load_relaxed(&scavenger.counts.background_ns);
    out->turns = atomic_load_relaxed(&scavenger.counts.turns);
}

/* ---- public ---------------------------------------------------------------------------------- */

/* Steps of a critical section each until so much was given back or nothing is left. */
static void release_now(enum scav_origin origin, uint64_t bytes)
{
    struct scav_round r;
    bool over = false;
    scav_begin(&r, origin);
    for (uint64_t done = 0; !over && done < bytes;) {
        crit_enter();
        done += scav_step(&r, BLOCK_PAGES, &over);
        crit_exit();
    }
}

static void release_records_now(enum scav_origin origin)
{
    for (size_t bytes = 1; bytes != 0;) {
        crit_enter();
        bytes = scav_step_records(origin, true);
        crit_exit();
    }
}

static void return_windows(void *unused)
{
    (void)unused;
    world_stop(STOP_FREE_MEMORY, NULL);
    for (int i = 0; i < p_count(); i++)
        scav_return_window_stw(p_at(i)->mcache);
    world_start();
}

void gort_free_os_memory(void)
{
    g_require("gort_free_os_memory");
    sched_others_first(GC_TURN_NS);
    gc_collect(GC_CAUSE_FORCED);
    gc_sweep_all();
    gc_return_buffers();
    gc_trim_stacks();
    call_on_system_stack(return_windows, NULL);
    release_now(SCAV_FORCED, UINT64_MAX);
    release_records_now(SCAV_FORCED);
    if (scavenger_trace) trace(true);
}

/* A new limit is below what there is: what can be done at once. */
static void fit_into(uint64_t limit)
{
    gc_collect(GC_CAUSE_MEMORY);
    gc_sweep_all();
    gc_return_buffers();
    if (scav_total() > limit) release_records_now(SCAV_LIMIT);
    uint64_t total = scav_total();
    if (total > limit) release_now(SCAV_LIMIT, total - limit);
}

int64_t gort_set_memory_limit(int64_t bytes)
{
    g_require("gort_set_memory_limit");
    uint64_t old = bytes < 0 ? scavenger_limit()
                             : gc_set_limit(bytes == INT64_MAX ? SCAV_NONE : (uint64_t)bytes);
    if (bytes >= 0) {
        uint64_t limit = scavenger_limit();
        if (scav_total() > limit) fit_into(limit);
        gc_after_refill(); /* the new goal may lie below what is live */
        if (scav_is_wanted()) sleeper_wake(&scavenger.sleeper);
    }
    return old == SCAV_NONE ? INT64_MAX : (int64_t)old;
}
