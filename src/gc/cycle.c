/* The collection cycle.
 *
 * The state of the collector, and who moves it.  `cycle` counts cycles begun, `ended` those marked.
 * All edges are taken by a thread that holds `busy`, on the goroutine that it happens to run:
 *
 *      begin_or_share: still wanted                         world_stop
 *   OFF ------------------------> FINISH SWEEP -> PREPARE --------------> STOPPED 1
 *    ^  (allocation, gort_gc, ..)   world runs     world runs                |
 *    |                                                                       | begin_stopped
 *    | end_stopped: all is marked                                            v
 *   STOPPED 2 <----------------------------------------------------------- MARK
 *    |          gc_try_end: it looks as if nothing were left                 ^
 *    |          (who marks, helps or waits)                                  | world runs; markers:
 *    +-----------------------------------------------------------------------+ workers, assists,
 *                 end_stopped: too much is left for a stop                     who waits for the
 *                 (Note [Stops that end marking])                              cycle
 *
 *   OFF        gc_phase is GC_OFF; the world runs, and sweeps.
 *   STOPPED 1  every cache is published, so each slot is known to be allocated or free; mark bits
 *              are 0.  Snapshots of roots without barriers are taken; barrier on, allocation black,
 *              stacks grey.
 *   MARK       gc_phase is GC_MARK.  No span is swept or freed.
 *   STOPPED 2  barrier buffers are emptied, what they and late scans left is marked.  Then
 *              GC_MARKTERM: live bytes, goal and trigger are set, the sweep generation rises,
 *              caches are flushed.
 *   Where nearly nothing is to be marked, STOPPED 1 goes on as STOPPED 2 (Note [Small heaps]).
 *   GORTDEBUG=gcstoptheworld=1 marks in STOPPED 1, with helper threads, and goes on to GC_MARKTERM
 *   there; =2 sweeps there, too.  From before STOPPED 1 until the world runs the loader's lock is
 *   held: dataroots.c, Note [The loader's lock].
 *
 * Note [Snapshot].  An object that is reachable at STOPPED 1, or allocated since, is not freed by
 * this cycle.  Allocated since: Note [Black slots] in heap/mcache.c, and large ones likewise.
 * Reachable at STOPPED 1: let x be one, and p a path to it, from a root along words of objects, as
 * it was in that stop.  By induction along p every object of it is marked, or there is work queued
 * that will mark it, when STOPPED 2 finds no work:
 *   - The root word.  Words of libraries' data, registered ranges, thread-locals and
 *     records are read in STOPPED 1.  Words of stacks and registers are read as they were then:
 *     Note [No grey stack runs] in sched/grey.c.  Words of the program's data are read later: when
 *     the word was overwritten before that, the store logged what it overwrote; the first such
 *     store logged the word as it was in the snapshot.
 *   - The next object.  Its predecessor is marked and was white at STOPPED 1 (all were), and
 *     allocated before: so it is scanned after it is marked, whole.  The word in it that leads on
 *     is read as it was, or was overwritten since, and logged.
 *   - Stores without barrier go into a goroutine's own local variables, and into new objects before
 *     any other goroutine sees them: the first are not read after their stack was scanned, the
 *     second never; neither is a word of p, but for local variables of a stack that is still grey:
 *     nobody runs on it.
 *   - Logging and storing are in one section, and the flag is the same throughout: Note [Test and
 *     store are one] in gc/barrier.c.  Logged words are in a buffer of a P or M until it is full or
 *     STOPPED 2 empties it; from there, as words of stacks, in the queue of words (gc/work.c).
 *   - Pointers that leave a record outside the heap are logged (DESIGN 4, rule 9), as are those
 *     that a weak reference hands out: those are the only ways to an object that is on no path p.
 * Nothing depends on what is stored: the deletion half of the barrier alone is needed, because no
 * stack is grey while its goroutine runs.  The stored word is logged too, for the sake of programs
 * whose own roots have no barrier.
 * STOPPED 2 is what makes this sound, not the way there: that nothing seems left is a hint, and a
 * wrong one costs a stop.  Who scans or marks is in a critical section, or in state RUNTIME,
 * throughout, and holds no work outside of it (mark_some): so in a stop all work is in the queues
 * or in barrier buffers.
 *
 * Note [Who ends a cycle].  Whoever finds that nothing seems left tries (gc_try_end): a worker or
 * an assist whose marker ran dry, and those who wait for the cycle.  One of the markers is the last
 * to be counted out of `working`, after it gave its work away; it, or a later one, sees the count
 * at 0 and the queues empty.  Stopped threads that are yet to scan their own stacks are counted in
 * own_stacks; the last one of them leaves words in the queue, which are work for others, or none.
 * Nor do all who allocate look: those that are exempt do not, nor anybody while the CPU limiter is
 * on.  So a worker that leaves off always looks, whether it ran dry or not, and "nothing is left"
 * is a reason to run one (workers_wanted): the scheduler asks whenever it looks for a goroutine,
 * and the monitor every few ms.
 *
 * Note [Stops that end marking].  A stop that finds much left lets the world go on (restarts).
 * Each is short: it queues what the barriers logged, at most a buffer for each P and M, and then
 * marks for as long as STEPS_IN_STOP steps find something to scan, or STOP_BYTES, and for
 * LOOKS_IN_STOP steps in all: many words may lead to nothing, of stacks that the last threads
 * scanned, or of barriers of thousands of threads.  A stack that is not black, which there may be
 * when an M took one up at the last moment, ends it at once.  There is no last one that marks what
 * is left, however much.  It ends all the same:
 *   - A stop that restarts for what it marked has marked at least STEPS_IN_STOP objects, or
 *     STOP_BYTES of them, that were white when marking began, and there are finitely many; what the
 *     barriers log again and again is marked already, and not counted among those steps.
 *   - One that restarts for its number of steps leaves the words to markers; but they come back,
 *     logged again, if that number is less than what the program logs between a look and a stop.
 *     So the number doubles each time (mark.lenient), and such stops are few: as many as it takes
 *     to outgrow that.
 * A program that restarts it for long must hide a path behind what it overwrites anew between two
 * stops, each time out of the part that the markers have not reached, before they reach it.  Metric
 * /gort/gc/restarts.
 *
 * Note [Small heaps].  A program that keeps little alive and allocates much collects thousands of
 * times a second, and there is next to nothing to mark: what a cycle costs it is a second stop,
 * threads that are woken to mark, and what was allocated meanwhile, which the cycle keeps.  So
 * where the last cycle scanned little, and there are few records that it would have to look at in
 * vain (is_small), the first stop goes on as the last one would: it scans the stacks of threads
 * that it stopped too (mark_begin_stw), for they can not do it themselves before they are released,
 * and marks as STOPPED 2 does, within the same bounds.  When nothing is left the cycle ends there.
 * Else nothing was done that marking beside the program would not have done: the barrier is on,
 * what is marked was reachable in this stop, the stacks that were not finished are grey; and the
 * world goes on in MARK.  The first cycle of a program never tries.
 * Where nobody allocates between the two stops, no runway is needed: the pacer learns that the
 * next cycle may begin close to its goal (pacer_trigger).  Metric /gort/gc/cycles/one-stop.
 *
 * Why the cycle runs on the thread that asked: allocation never switches goroutines (DESIGN 4, rule
 * 13), so a collector goroutine could not be waited for from malloc.  The goroutine's registers are
 * spilled and its stack frozen by call_on_system_stack, and it is scanned like any other.
 *
 * `busy` is a futex word and no runtime lock: it is held across stops and waits, outside critical
 * sections too; who waits for it counts as stopped.  Its holder does not park.  It is free in MARK.
 *
 * Sharing: a request remembers `cycle` as it was when it was made.  Who gets busy and finds that a
 * cycle began since, is served by it, and waits for its end; one that marks already when the
 * request is made is waited for, and another one begun.
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
#include "base/race.h"
#include "base/throw.h"
#include "gc/background.h"
#include "gc/barrier.h"
#include "gc/checkmark.h"
#include "gc/colors.h"
#include "gc/cpulimit.h"
#include "gc/cycle.h"
#include "gc/mark.h"
#include "gc/pace.h"
#include "gc/roots.h"
#include "gc/scavenger.h"
#include "gc/specials.h"
#include "gc/stackroots.h"
#include "gc/worker.h"
#include "heap/mcache.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"
#include "sync/lock.h"

#define HELP_BYTES (256 * KB) /* scanned between two looks, by who waits for a cycle */
#define HELP_WAIT_NS ((int64_t)50000)
#define SMALL_HEAP (16 * KB) /* of objects scanned in a cycle: Note [Small heaps] */
#define SMALL_STACKS 512     /* records of goroutines, */
#define SMALL_RECORDS 4096   /* of specials, and of newborns while there are any; living or not */

uint32_t gc_phase;
uint64_t gc_trigger = UINT64_MAX;
int64_t gc_period_ns = GC_PERIOD_NS;
struct gc_debug gc_debug;
struct gc_debug_counts gc_debug_counts;
void (*gc_cycle_listener)(const struct gc_cycle_record *r);

static struct {
    uint32_t busy;     /* futex: 0 free, 1 taken, 2 taken and waited for; atomic */
    struct m *holder;  /* of busy; atomic, by itself */
    uint32_t enabled;  /* atomic; set once, when the background goroutines are ready */
    uint64_t refused;  /* atomic; cycles that gate_is_open did not let begin */
    uint64_t cycle;    /* atomic; cycles begun; moved by the holder of busy */
    uint64_t ended;    /* atomic; of these, marked; in the stop that ends marking */
    uint32_t progress; /* futex: rises when a cycle has ended; atomic */
    uint32_t asleep;  /* on progress, or about to be: as in Note [Who sleeps over a stop]; atomic */
    int percent;      /* atomic; the holder of busy */
    int64_t boot;     /* os_now of gc_init */
    int64_t last_end; /* atomic; os_now at the end of the last cycle */
    struct gc_cycle_record record;    /* the present cycle; the holder of busy */
    struct mark_result result;        /* the last mark's; the holder of busy */
    uint64_t limited_ns, overflow_ns; /* by the CPU limiter, up to the last cycle's end; in stops */
} gc;

const char *gc_cause_name(enum gc_cause c)
{
    static const char *const names[GC_CAUSES] = { "heap", "forced", "periodic", "memory",
                                                  "stress" };
    return c < GC_CAUSES ? names[c] : "unknown";
}

/* ---- the semaphore --------------------------------------------------------------------------- */

static void busy_wait(void *unused)
{
    (void)unused;
    while (atomic_exchange_acqrel(&gc.busy, 2u) != 0) /* pairs with cycle_unlock */
        os_futex_wait(&gc.busy, 2, -1);
}

/* A listener is called with the lock, so that cycles are told in their order, each before its
 * gort_gc returns. */
static cold_path void wait_for_busy(void)
{
    if (atomic_load_relaxed(&gc.holder) == m_self()) /* nobody else stores this M */
        throw_msg("a listener of collections has allocated, or waits for one");
    crit_enter();
    m_wait_stoppable(busy_wait, NULL);
    crit_exit();
}

void cycle_lock(void)
{
    uint32_t free_word = 0;
    if (!atomic_cas_acqrel(&gc.busy, &free_word, 1)) /* pairs with cycle_unlock */
        wait_for_busy();
    atomic_store_relaxed(&gc.holder, m_self());
}

void cycle_unlock(void)
{
    atomic_store_relaxed(&gc.holder, (struct m *)NULL);
    if (atomic_exchange_acqrel(&gc.busy, 0u) == 2) os_futex_wake(&gc.busy, 1);
}

/* ---- pacing ---------------------------------------------------------------------------------- */

static void pace(void)
{
    struct gc_cycle_record *r = &gc.record;
    struct pace_goals g = pace_goals(gc_debug.stoptheworld != 0);
    r->goal_after = g.goal;
    if (!atomic_load_relaxed(&gc.enabled)) return;
    if (gc_phase != GC_OFF) return; /* the end of the cycle will look again */
    scavenger_pace(r->goal_after);
    atomic_store_relaxed(&gc_trigger, g.trigger); /* a threshold: orders nothing */
    heap_sweep_pace(g.trigger);
}

/* A new percentage or limit, and what was before. */
struct setting {
    bool is_limit;
    int percent;
    uint64_t limit;
};

/* Assists and workers read the pacer while they mark. */
static void set_stopped(void *arg)
{
    struct setting *s = arg;
    world_stop(STOP_SETTINGS, NULL);
    if (s->is_limit) {
        s->limit = scavenger_set_limit(s->limit);
    } else {
        atomic_store_relaxed(&gc.percent, s->percent < 0 ? -1 : s->percent);
        s->percent = pace_set_percent(s->percent);
    }
    pace();
    pace_changed_stw();
    totals_goal(gc.record.goal_after);
    world_start();
}

int gc_set_percent(int percent)
{
    struct setting s = { .percent = percent };
    cycle_lock();
    call_on_system_stack(set_stopped, &s);
    cycle_unlock();
    return s.percent;
}

uint64_t gc_set_limit(uint64_t limit)
{
    struct setting s = { .is_limit = true, .limit = limit };
    cycle_lock();
    call_on_system_stack(set_stopped, &s);
    cycle_unlock();
    return s.limit;
}

int gc_percent(void)
{
    return atomic_load_relaxed(&gc.percent); /* a statistic */
}

/* ---- the stopped part, on the system stack --------------------------------------------------- */

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

static void begin_stw(struct gc_cycle_record *r, bool small)
{
    if (!heap_sweep_done()) throw_msg("a collection begins before the last one was swept");
    for (int i = 0; i < p_count(); i++)
        if (mcache_is_stale(p_at(i)->mcache))
            throw_fmt("P %d has spans of the collection before the last one", i);
    each_cache(mcache_publish);
    r->heap_before = heap_live();
    if (gc_debug.gccheck) validate_stw("before", true);
    pace_begin_stw(r);
    stackroots_trim_stw(r->cause != GC_CAUSE_HEAP, small, r->begin);
    set_phase_stw(GC_MARK);
    each_cache(mcache_close_stw);
}

static void read_result(struct gc_cycle_record *r)
{
    r->heap_marked = gc.result.bytes;
    r->objects = gc.result.objects;
    r->scan_work = gc.result.scan_work;
    r->stacks = gc.result.root_bytes[ROOT_STACKS];
    r->globals = gc.result.root_bytes[ROOT_DATA] + gc.result.root_bytes[ROOT_LIBRARIES] +
                 gc.result.root_bytes[ROOT_RANGES] + gc.result.root_bytes[ROOT_TLS];
    r->markers = gc.result.markers;
    r->overflows = gc.result.overflows;
    memcpy(r->root_jobs, gc.result.root_jobs, sizeof r->root_jobs);
}

/* Everything reachable is marked. */
static void term_stw(struct gc_cycle_record *r)
{
    set_phase_stw(GC_MARKTERM);
    if (gc_debug.gccheckmark)
        checkmark_run_stw(r->number, r->in_one_stop || gc_debug.stoptheworld != 0);
    read_result(r);
    each_cache(mcache_flush); /* before the generation rises: nothing is swept in this stop */
    r->heap_end = heap_live();
    pace_end_stw(r);
    heap_live_set_stw(r->heap_marked);
    scavenger_cycle_stw(r->goal_before);
    heap_sweepgen_advance_stw();
    each_cache(mcache_flushed_stw);
    for (int i = 0; i < p_count(); i++) {
        sudogs_flush_stw(p_at(i));
        dead_flush_stw(p_at(i));
    }
    if (gc_debug.gccheck) validate_stw("after", false);
    if (gc_debug.stoptheworld == 2)
        while (heap_sweep_some(SPANSET_MANY, SWEPT_STOPPED) != 0)
            ;
    set_phase_stw(GC_OFF);
    pace();
}

static void note_stop(struct gc_cycle_record *r, const struct stop_result *stop)
{
    r->started = os_now();
    r->pause += (uint64_t)(r->started - stop->begin);
    r->stops++;
    bool marking = heap_marking();
    cpulimit_stop_stw(stop->begin, r->started, marking, marking ? r->number : r->number + 1);
}

/* The stop in which marking ended is over; cpu: of it and of the markers. */
static void close_record_stw(struct gc_cycle_record *r, uint64_t cpu)
{
    struct cpulimit_counts c;
    r->cpu = gc.result.helper_cpu + cpu;
    cpulimit_read(&c);
    r->limited_ns = c.on_ns - gc.limited_ns;
    r->overflow_ns = c.overflow - gc.overflow_ns;
    gc.limited_ns = c.on_ns;
    gc.overflow_ns = c.overflow;
    totals_add(r, gc.percent);
    atomic_store_release(&gc.ended, r->number); /* pairs with those who wait for it */
}

/* ---- beside the program ---------------------------------------------------------------------- */

static void marking_on_stw(bool small)
{
    atomic_store_relaxed(&gc_trigger, UINT64_MAX);
    mark_begin_stw(small);
    workers_begin_stw();
    heap_set_marking_stw(true);
    sched_set_mark_wanted_stw(true);
    barrier_set_stw(true);
    each_cache(mcache_mark_begin_stw);
}

static void marking_off_stw(void)
{
    barrier_set_stw(false);
    sched_set_mark_wanted_stw(false);
    heap_set_marking_stw(false);
    for (int i = 0; i < p_count(); i++)
        mcache_mark_end_stw(p_at(i)->mcache, &gc.result.bytes, &gc.result.objects);
}

static void ended_stw(struct gc_cycle_record *r, const struct stop_result *stop)
{
    if (unlikely(gc_debug.colors != 0)) colors_end_stw();
    marking_off_stw();
    term_stw(r);
    note_stop(r, stop);
    close_record_stw(r, r->pause);
}

/* Note [Stops that end marking]. */
static bool end_stopped(void *unused)
{
    (void)unused;
    struct gc_cycle_record *r = &gc.record;
    struct stop_result stop;
    if (unlikely(gc_debug.late_work != NULL)) gc_debug.late_work();
    if (!world_try_stop(STOP_GC_TERM, &stop)) return false;
    barrier_flush_all_stw();
    if (mark_end_stw(&gc.result)) {
        r->mark_end = stop.begin;
        ended_stw(r, &stop);
    } else {
        r->restarts++;
        note_stop(r, &stop);
    }
    world_start();
    return true;
}

/* Others may have begun the next cycle meanwhile: then that one looks. */
static void check_swept_stopped(void *arg)
{
    (void)arg;
    world_stop(STOP_STATS, NULL);
    if (gc_phase == GC_OFF && heap_sweep_done()) validate_stw("after the sweep of", true);
    world_start();
}

void gc_check_swept(void)
{
    if (likely(!gc_debug.gccheck)) return;
    cycle_lock();
    call_on_system_stack(check_swept_stopped, NULL);
    cycle_unlock();
}

/* Note [Small heaps].  By what the last cycle came to, and by what is looked at though it may hold
 * nothing: 512 records of dead goroutines, each in a page of its own, take about 20 us. */
static bool is_small(const struct gc_cycle_record *r)
{
    if (g_table_size() > SMALL_STACKS) return false;
    if (specials_records_stw() + newborns_to_scan_stw() > SMALL_RECORDS) return false;
    uint64_t roots = 0;
    for (int k = 0; k < ROOT_KINDS; k++)
        roots += gc.result.root_bytes[k];
    return r->number != 1 && gc.result.scan_work <= SMALL_HEAP && roots < gc_debug.small;
}

/* Marking will go on beside the program, if it is not done here. */
static void begin_beside_stw(struct gc_cycle_record *r, const struct stop_result *stop, bool small)
{
    marking_on_stw(small);
    if (unlikely(gc_debug.colors != 0)) colors_begin_stw(gc.result.scan_work);
    if (small && mark_end_stw(&gc.result)) {
        r->in_one_stop = true;
        r->mark_end = os_now();
        ended_stw(r, stop);
    } else {
        note_stop(r, stop);
        r->mark_begin = r->started;
    }
}

/* In roots_hold_loader. */
static bool begin_stopped(void *arg)
{
    struct gc_cycle_record *r = arg;
    struct stop_result stop;
    if (!world_try_stop(STOP_GC_MARK, &stop)) return false;
    int64_t cpu = gc_debug.stoptheworld != 0 ? os_thread_cpu() : 0; /* a system call */
    r->stop_begin = stop.begin;
    r->stopped = r->mark_begin = stop.stopped;
    r->procs = p_count();
    bool small = gc_debug.stoptheworld == 0 && is_small(r);
    begin_stw(r, small);
    if (gc_debug.stoptheworld == 0) {
        begin_beside_stw(r, &stop, small);
    } else {
        mark_run_stw(r->procs, expected_live(r), &gc.result);
        r->mark_end = os_now();
        term_stw(r);
        note_stop(r, &stop);
        close_record_stw(r, (uint64_t)(os_thread_cpu() - cpu));
    }
    world_start();
    return true;
}

/* ---- a cycle --------------------------------------------------------------------------------- */

/* What must not be done while the world is stopped, and needs locks that a stopped thread may hold;
 * nor with the loader's lock, for which a holder of those locks may wait. */
static void prepare_outside(void *unused)
{
    (void)unused;
    if (gc_debug.stoptheworld != 0) mark_prepare_helpers(p_count());
}

static void begin_on_system(void *r)
{
    roots_hold_loader(begin_stopped, r);
}

static void cycle_begin(enum gc_cause cause)
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
    crit_exit();
    atomic_store_relaxed(&gc.cycle, r->number); /* compared after busy was taken */
    call_on_system_stack(begin_on_system, r);   /* in no other section: Note [Who scans its own] */
}

/* Where a cycle can begin: not on a scheduler's stack or in a section, since a stop would wait for
 * this thread.  Locks are held in sections only (sync/lock.c): who holds one is refused with them,
 * and who kept one beyond its section is a fault of the runtime, which world_stop throws for. */
static bool may_stop_here(void)
{
    const struct m *m = m_self();
    return m != NULL && m->curg != NULL && m->on_system == 0 && crit_depth() == 0;
}

/* Nor before its background goroutines run; nor while a fatal error prints, which looks at
 * goroutines that nobody stops: the next refill asks again, but who demands a cycle would take what
 * is not collected for reachable, and waits for the end. */
static bool gate_is_open(enum gc_cause cause)
{
    bool may_stop = may_stop_here();
    if (may_stop && cause == GC_CAUSE_FORCED) throw_wait();
    bool open = may_stop && atomic_load_relaxed(&gc.enabled) && !throw_is_on();
    if (!open) atomic_fetch_add_relaxed(&gc.refused, 1);
    return open;
}

uint64_t gc_refused(void)
{
    return atomic_load_relaxed(&gc.refused); /* a statistic */
}

static bool heap_is_due(void)
{
    return gc_is_due() || scavenger_limit_is_due();
}

static bool still_wanted(enum gc_cause cause, uint64_t seen)
{
    switch (cause) {
    case GC_CAUSE_HEAP:
        return heap_is_due();
    case GC_CAUSE_PERIODIC:
        return gc_period_over(os_now());
    default:
        return atomic_load_relaxed(&gc.cycle) == seen; /* moves under busy */
    }
}

static bool has_ended(uint64_t cycle)
{
    return atomic_load_acquire(&gc.ended) >= cycle; /* pairs with the release in the stop */
}

/* Outside sections, with busy. */
static void cycle_ended(void)
{
    struct gc_cycle_record record = gc.record; /* whatever the listener allocates */
    atomic_store_relaxed(&gc.last_end, record.started);
    atomic_fetch_add_seq(&gc.progress, 1);
    if (atomic_load_seq(&gc.asleep) != 0) os_futex_wake(&gc.progress, INT32_MAX);
    sweeper_wake();
    specials_wake();
    scavenger_note_others();
    if (gc_cycle_listener != NULL) gc_cycle_listener(&record);
    if (unlikely(gc_debug.colors != 0)) colors_print(record.number);
}

static void end_on_system(void *unused)
{
    if (gc_debug.gccheckmark)
        roots_hold_loader(end_stopped, unused); /* it reads libraries' data again */
    else
        while (!end_stopped(unused))
            ;
}

bool gc_try_end(void)
{
    if (unlikely(throw_is_on())) return false; /* the world is frozen for good */
    cycle_lock();
    bool ended = gc_phase == GC_MARK && mark_looks_done();
    if (ended) {
        call_on_system_stack(end_on_system, NULL);
        ended = gc_phase == GC_OFF;
        if (ended) cycle_ended();
    }
    cycle_unlock();
    return ended;
}

static void wait_for_progress(void *seen)
{
    atomic_fetch_add_seq(&gc.asleep, 1);
    os_futex_wait(&gc.progress, *(uint32_t *)seen, HELP_WAIT_NS);
    atomic_fetch_sub_seq(&gc.asleep, 1);
}

static uint64_t help_plainly(struct p *p, uint64_t bytes)
{
    bool left;
    int64_t begin = os_now();
    uint64_t done = mark_some(p, bytes, &left);
    pacer_time_add(&pace_shared, PACER_TIME_WAITING, os_now() - begin);
    return done;
}

/* Marks a little, or tries to end that cycle.  false: others are at the last of it. */
static bool help_once(uint64_t cycle, uint64_t (*help)(struct p *p, uint64_t bytes))
{
    struct p *p = p_pin();
    uint64_t done = heap_marking() ? help(p, HELP_BYTES) : 0;
    p_unpin();
    if (unlikely(gc_debug.colors != 0)) colors_look_slow();
    return done != 0 || has_ended(cycle) || (mark_looks_done() && gc_try_end());
}

static void wait_for_others(uint32_t seen)
{
    crit_enter();
    m_wait_stoppable(wait_for_progress, &seen);
    crit_exit();
}

/* Marks until that cycle has ended.  Never switches goroutines. */
static void help_until_ended(uint64_t cycle)
{
    while (!has_ended(cycle)) {
        uint32_t seen = atomic_load_relaxed(&gc.progress);
        if (!help_once(cycle, help_plainly)) wait_for_others(seen);
    }
}

/* The same for who allocates, and only while the heap is too large.  All of it is time that its P
 * is kept from the program. */
static void wait_while_beyond(uint64_t cycle)
{
    while (pace_is_beyond() && !has_ended(cycle)) {
        uint32_t seen = atomic_load_relaxed(&gc.progress);
        if (help_once(cycle, pace_help)) continue;
        int64_t begin = os_now();
        wait_for_others(seen);
        cpulimit_add_assist(os_now() - begin);
    }
}

/* Begins a cycle, if it is wanted.  Returns the number of one that serves, 0: none is needed. */
static uint64_t begin_or_share(enum gc_cause cause)
{
    uint64_t seen = atomic_load_relaxed(&gc.cycle); /* an older value only shares less */
    /* Not with busy: it may have to wait for a P, and who waits for busy keeps one. */
    if (gc_debug.stoptheworld == 0) workers_prepare(p_count());
    for (;;) {
        cycle_lock();
        if (gc_phase != GC_MARK) break;
        uint64_t present = gc.cycle;
        cycle_unlock();
        if (cause == GC_CAUSE_HEAP || cause == GC_CAUSE_PERIODIC) return 0;
        if (present != seen) return present;
        help_until_ended(present); /* began before this call: not the one wanted */
    }
    uint64_t cycle = 0;
    if (still_wanted(cause, seen)) {
        cycle_begin(cause);
        cycle = gc.record.number;
        if (gc_phase == GC_OFF) cycle_ended(); /* marked in the stop */
    }
    cycle_unlock();
    return cycle;
}

void gc_collect(enum gc_cause cause)
{
    if (!gate_is_open(cause)) return;
    race_hide();
    uint64_t cycle = begin_or_share(cause);
    if (cycle != 0 && cause != GC_CAUSE_HEAP) {
        help_until_ended(cycle);
        cycle_lock(); /* who ended it has told others */
        cycle_unlock();
    }
    race_show();
}

bool gc_period_over(int64_t now)
{
    int64_t last = atomic_load_relaxed(&gc.last_end); /* racy: looked at again under busy */
    return gc_percent() >= 0 && atomic_load_relaxed(&gc.enabled) && now - last >= gc_period_ns;
}

/* What was allocated is paid for with marking: Note [Assists] in pace.c. */
static never_inline void assist(void)
{
    uint64_t cycle = atomic_load_relaxed(&gc.cycle); /* it marks, or has ended */
    if (!pace_assist() && mark_looks_done()) gc_try_end();
    if (unlikely(pace_is_beyond())) wait_while_beyond(cycle);
}

void gc_after_refill(void)
{
    assert_that(lock_none_held()); /* marking, stopping and waiting take locks of all ranks */
    race_hide();
    if (heap_marking())
        assist();
    else if (unlikely(heap_is_due()))
        gc_collect(GC_CAUSE_HEAP);
    else
        sweep_pay();
    specials_wake();
    race_show();
}

/* ---- boot ------------------------------------------------------------------------------------ */

void gc_init(const struct gc_options *o)
{
    struct heap_hooks hooks = { .dead_object = specials_dead_object,
                                .freed = o != NULL ? o->freed : NULL };
    gc.percent = o == NULL ? 100 : o->percent < 0 ? -1 : o->percent;
    if (o != NULL) gc_debug = o->debug;
    heap_set_observe_stw((struct heap_observe){ .every = gc_debug.gcstress != 0 });
    gc.boot = gc.last_end = os_now();
    cpulimit_init();
    scan_init();
    roots_init();
    specials_init(o != NULL ? o->call : NULL);
    totals_init(gc.boot);
    heap_set_hooks(&hooks);
    if (!work_init()) throw_msg("out of memory: no buffers for marking");
    pace_init(gc.percent);
    pace();
    totals_goal(gc.record.goal_after);
}

void gc_start_background(void)
{
    background_init();
    crit_enter();
    m_wait_stoppable(prepare_outside, NULL);
    crit_exit();
    background_wait_ready();
    scavenger_note_others();
    cycle_lock();
    atomic_store_relaxed(&gc.enabled, 1); /* threads see it when they next take busy */
    pace();
    cycle_unlock();
}
