/* Metrics: everything the runtime counts, by name (gort/metrics.h).
 *
 * Reading takes a snapshot of all floors' counters; the table says which field of it a metric is.
 * Figures of the heap are taken with the world stopped, so that they agree among themselves
 * (allocated - freed = present); a metric that needs none of them stops nobody.  That stop is
 * counted like any other, before the world goes on, and everything else is read after it: so the
 * table as a whole has it in the counts, times and histograms of stops for statistics, and one
 * metric or histogram of stops is read without a stop of its own.
 *
 * Names are those of Go's runtime/metrics where the thing is the same; what only gort has is under
 * /gort/.  The table is sorted by name.
 *
 * Answers to: metrics.go, runtime/metrics/description.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/metrics.h"

#include <math.h>
#include <string.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/ranges.h"
#include "base/throw.h"
#include "base/unscanned.h"
#include "diag/events.h"
#include "diag/memprofile.h"
#include "diag/objects.h"
#include "gc/cpulimit.h"
#include "gc/gc.h"
#include "gc/memory.h"
#include "gc/scavenger.h"
#include "gort/mem.h"
#include "heap/heap.h"
#include "heap/mcache.h"
#include "heap/scavenge.h"
#include "heap/sizeclass.h"
#include "os/os.h"
#include "sched/netpoll.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/stw.h"

/* ---- the snapshot ---------------------------------------------------------------------------- */

struct snapshot {
    struct heap_stats heap;
    struct gc_totals gc;
    struct stack_stats stack;
    struct gc_debug_counts gc_debug;
    struct memprofile_counts profile;
    /* Sums of several. */
    struct memory_classes memory;
    uint64_t mapped;
    uint64_t allocs_objects, frees_objects;
    uint64_t scan_heap, scan_stacks, scan_globals, scan_total;
    uint64_t goal; /* UINT64_MAX becomes infinity */
    uint64_t cycles_automatic, process_cpu;
    /* The scheduler. */
    uint64_t goroutines, procs, threads, threads_idle, netpoll_waiters;
    uint64_t steals, steal_tries, gs_run, stops_deferred, ranges_rolled, outer_rolled;
    uint64_t outer_searched, retakes, retakes_refused, overflows, dozes, dozes_ended;
    uint64_t lends, lends_lost;
    uint64_t waiters_bytes, waiters_trimmed;
    struct stop_counts stops[STOP_REASONS];
    uint64_t stops_repeated, threads_limit;
    uint64_t yields, migrations, map_failures, thread_failures;
    struct heap_debug_counts heap_debug;
    struct object_counts records;
    uint64_t traced;
    uint64_t starting_size, ranges;
    int64_t gc_percent;
    /* The scavenger. */
    struct scav_counts scav;
    struct scavenger_counts scavenger;
    struct cpulimit_counts limiter;
    uint64_t scavenge_ns, memory_limit, memory_counted;
};

static void stop_and_read_heap(void *arg)
{
    world_stop(STOP_STATS, NULL);
    for (int i = 0; i < p_count(); i++)
        mcache_publish(p_at(i)->mcache);
    heap_read_stats(arg);
    world_start();
}

static void read_gc(struct snapshot *s)
{
    gc_read_totals(&s->gc);
    s->gc_debug.gcstress = atomic_load_relaxed(&gc_debug_counts.gcstress);
    s->gc_debug.gccheck = atomic_load_relaxed(&gc_debug_counts.gccheck);
    s->gc_debug.gccheckmark = atomic_load_relaxed(&gc_debug_counts.gccheckmark);
    s->gc_debug.stack_only = atomic_load_relaxed(&gc_debug_counts.stack_only);
    cpulimit_read(&s->limiter);
    s->cycles_automatic = s->gc.cycles - s->gc.by_cause[GC_CAUSE_FORCED];
    s->gc_percent = s->gc.percent;
    s->goal = s->gc.goal;
    s->scan_heap = atomic_load_relaxed(&events.scan_heap);
    s->scan_stacks = atomic_load_relaxed(&events.scan_stacks);
    s->scan_globals = atomic_load_relaxed(&events.scan_globals);
    s->scan_total = s->scan_heap + s->scan_stacks + s->scan_globals;
}

static void read_scavenger(struct snapshot *s)
{
    scav_read_counts(&s->scav);
    scavenger_read_counts(&s->scavenger);
    s->scavenge_ns = s->scav.assist_ns + s->scavenger.background_ns;
    s->memory_limit = scavenger_limit();
    s->memory_counted = scav_total();
}

/* The counters belong to the Ps and Ms that move them; an older value does no harm. */
static void read_sched(struct snapshot *s)
{
    s->goroutines = g_count();
    s->procs = (uint64_t)p_count();
    s->threads = (uint64_t)m_count();
    s->threads_idle = (uint64_t)m_count_idle();
    s->netpoll_waiters = netpoll_waiters();
    for (int i = 0; i < MAX_PROCS; i++) {
        struct p *p = p_at(i);
        if (p == NULL) break;
        s->steals += atomic_load_relaxed(&p->steals);
        s->steal_tries += atomic_load_relaxed(&p->steal_tries);
        s->gs_run += atomic_load_relaxed(&p->gs_run);
    }
    for (struct m *m = m_all(); m != NULL; m = m->all_next) {
        s->stops_deferred += atomic_load_relaxed(&m->stops_deferred);
        s->ranges_rolled += atomic_load_relaxed(&m->ranges_rolled);
        s->outer_rolled += atomic_load_relaxed(&m->outer_rolled);
        s->outer_searched += atomic_load_relaxed(&m->outer_searched);
    }
    for (int r = 0; r < STOP_REASONS; r++)
        world_read_stops((enum stop_reason)r, &s->stops[r]);
    s->stops_repeated = world_stop_repeats();
    s->threads_limit = m_limit();
    s->retakes = sched_retakes();
    s->retakes_refused = sched_retakes_refused();
    s->overflows = sched_overflows();
    s->dozes = sched_dozes(&s->dozes_ended);
    s->lends = sched_lends(&s->lends_lost);
    s->waiters_bytes = sudogs_bytes();
    s->waiters_trimmed = sudogs_trimmed();
    s->yields = atomic_load_relaxed(&sched_debug_yields);
    s->migrations = atomic_load_relaxed(&sched_debug_migrations);
}

static void read_debug(struct snapshot *s)
{
    s->heap_debug.clobbered = atomic_load_relaxed(&heap->debug.clobbered);
    s->heap_debug.poisoned = atomic_load_relaxed(&heap->debug.poisoned);
    s->heap_debug.fenced = atomic_load_relaxed(&heap->debug.fenced);
    objects_read_counts(&s->records);
    s->traced = trace_printed();
}

static void add_up(struct snapshot *s)
{
    const struct heap_stats *h = &s->heap;
    memory_read(h, &s->memory);
    s->allocs_objects = h->mallocs - h->tiny_allocs;
    s->frees_objects = h->frees - h->tiny_allocs;
}

static never_inline void snapshot_take(struct snapshot *s, bool with_heap)
{
    memset(s, 0, sizeof *s);
    if (with_heap) call_on_system_stack(stop_and_read_heap, &s->heap);
    read_gc(s);
    read_scavenger(s);
    read_sched(s);
    read_debug(s);
    stack_read_stats(&s->stack);
    memprofile_read_counts(&s->profile);
    if (with_heap) add_up(s);
    s->process_cpu = (uint64_t)os_process_cpu();
    s->mapped = os_mem_mapped() + ranges_bytes() + os_thread_stack_bytes();
    s->map_failures = os_mem_failures();
    s->thread_failures = os_thread_failures();
    s->starting_size = STACK_DEFAULT;
    s->ranges = ranges_count();
}

/* ---- the table ------------------------------------------------------------------------------- */

enum reading {
    AS_COUNT,   /* uint64_t */
    AS_SIGNED,  /* int64_t */
    AS_SECONDS, /* uint64_t of nanoseconds */
    AS_LIMIT,   /* uint64_t, UINT64_MAX is infinity */
    AS_DOUBLE,
    AS_DURATIONS, /* struct histogram at `histogram`, or of several there those of `which` */
    AS_ALLOCS,    /* heap.classes, by size */
    AS_FREES,
};

struct source {
    enum reading reading;
    bool heap;     /* needs the snapshot's heap */
    size_t offset; /* in the snapshot */
    const struct histogram *histogram;
    uint32_t which; /* bits: the histograms that are added up */
};

/* Stops that Go's names call "gc", and the others. */
#define GC_STOPS (1u << STOP_GC_MARK | 1u << STOP_GC_TERM)
#define OTHER_STOPS (ALL_STOPS & ~GC_STOPS)
#define ALL_STOPS ((1u << STOP_REASONS) - 1)

#define METRICS(X)                                                                                 \
    X("/cpu/classes/gc/mark/assist", "cpu-seconds", COUNTER, AS_SECONDS, false, gc.assist_ns,      \
      "Time that goroutines which allocate marked, instead of running.")                           \
    X("/cpu/classes/gc/mark/dedicated", "cpu-seconds", COUNTER, AS_SECONDS, false, gc.worker_ns,   \
      "Time that workers marked which have processors, or a share of them, to themselves.")        \
    X("/cpu/classes/gc/mark/idle", "cpu-seconds", COUNTER, AS_SECONDS, false, gc.idle_ns,          \
      "Time that workers marked on processors with nothing else to run.")                          \
    X("/cpu/classes/gc/total", "cpu-seconds", COUNTER, AS_SECONDS, false, gc.cpu,                  \
      "CPU time of all collections.")                                                              \
    X("/cpu/classes/scavenge/assist", "cpu-seconds", COUNTER, AS_SECONDS, false, scav.assist_ns,   \
      "Time that allocations spent on giving memory back.")                                        \
    X("/cpu/classes/scavenge/background", "cpu-seconds", COUNTER, AS_SECONDS, false,               \
      scavenger.background_ns, "CPU time of the scavenger's goroutine.")                           \
    X("/cpu/classes/scavenge/total", "cpu-seconds", COUNTER, AS_SECONDS, false, scavenge_ns,       \
      "The sum of /cpu/classes/scavenge.")                                                         \
    X("/gc/cleanups/executed", "cleanups", COUNTER, AS_COUNT, false, gc.cleanups_run,              \
      "Cleanups that have run.")                                                                   \
    X("/gc/cleanups/queued", "cleanups", COUNTER, AS_COUNT, false, gc.cleanups_queued,             \
      "Cleanups whose object became unreachable.")                                                 \
    X("/gc/cycles/automatic", "gc-cycles", COUNTER, AS_COUNT, false, cycles_automatic,             \
      "Collections that the runtime began.")                                                       \
    X("/gc/cycles/forced", "gc-cycles", COUNTER, AS_COUNT, false, gc.by_cause[GC_CAUSE_FORCED],    \
      "Collections that gort_gc asked for.")                                                       \
    X("/gc/cycles/total", "gc-cycles", COUNTER, AS_COUNT, false, gc.cycles, "All collections.")    \
    X("/gc/finalizers/executed", "finalizers", COUNTER, AS_COUNT, false, gc.finalizers_run,        \
      "Finalizers that have run.")                                                                 \
    X("/gc/finalizers/queued", "finalizers", COUNTER, AS_COUNT, false, gc.finalizers_queued,       \
      "Finalizers whose object became unreachable.")                                               \
    X("/gc/gogc", "percent", GAUGE, AS_SIGNED, false, gc_percent,                                  \
      "GORTGC or gort_set_gc_percent; negative: off.")                                             \
    X("/gc/gomemlimit", "bytes", GAUGE, AS_LIMIT, false, memory_limit,                             \
      "GORTMEMLIMIT or gort_set_memory_limit; infinite: none.")                                    \
    H("/gc/heap/allocs-by-size", "bytes", AS_ALLOCS, true, NULL, 0,                                \
      "Objects allocated, by size; of tiny ones the blocks.")                                      \
    X("/gc/heap/allocs", "bytes", COUNTER, AS_COUNT, true, heap.total_alloc,                       \
      "Memory allocated ever.")                                                                    \
    X("/gc/heap/allocs", "objects", COUNTER, AS_COUNT, true, allocs_objects,                       \
      "Objects allocated ever; of tiny ones the blocks.")                                          \
    H("/gc/heap/frees-by-size", "bytes", AS_FREES, true, NULL, 0, "Objects freed, by size.")       \
    X("/gc/heap/frees", "bytes", COUNTER, AS_COUNT, true, heap.total_free,                         \
      "Memory of objects freed ever.")                                                             \
    X("/gc/heap/frees", "objects", COUNTER, AS_COUNT, true, frees_objects,                         \
      "Objects freed ever; of tiny ones the blocks.")                                              \
    X("/gc/heap/goal", "bytes", GAUGE, AS_LIMIT, false, goal,                                      \
      "Heap size at which the next collection is to end; infinite: off.")                          \
    X("/gc/heap/live", "bytes", GAUGE, AS_COUNT, false, gc.marked,                                 \
      "What the last collection found live.")                                                      \
    X("/gc/heap/objects", "objects", GAUGE, AS_COUNT, true, heap.objects,                          \
      "Objects present, live or not yet swept.")                                                   \
    X("/gc/heap/tiny/allocs", "objects", COUNTER, AS_COUNT, true, heap.tiny_allocs,                \
      "Small pointer-free allocations that share a block with others.")                            \
    X("/gc/limiter/last-enabled", "gc-cycle", GAUGE, AS_COUNT, false, limiter.last_cycle,          \
      "The last collection in which the CPU limiter was on, or before which; 0: none.")            \
    X("/gc/scan/globals", "bytes", GAUGE, AS_COUNT, false, scan_globals,                           \
      "Writable data and registered ranges that the last collection scanned.")                     \
    X("/gc/scan/heap", "bytes", GAUGE, AS_COUNT, false, scan_heap,                                 \
      "Bytes of objects that the last collection scanned.")                                        \
    X("/gc/scan/stack", "bytes", GAUGE, AS_COUNT, false, scan_stacks,                              \
      "Bytes of stacks that the last collection scanned.")                                         \
    X("/gc/scan/total", "bytes", GAUGE, AS_COUNT, false, scan_total, "The sum of /gc/scan.")       \
    X("/gc/stack/starting-size", "bytes", GAUGE, AS_COUNT, false, starting_size,                   \
      "Address space of a new goroutine's stack.")                                                 \
    X("/gort/cpu/process", "cpu-seconds", COUNTER, AS_SECONDS, false, process_cpu,                 \
      "CPU time of the whole process.")                                                            \
    X("/gort/gc/assist/credit", "bytes", COUNTER, AS_COUNT, false, gc.assist_credit,               \
      "What workers marked and goroutines that allocate paid with, instead of marking.")           \
    X("/gort/gc/barrier/flushes", "events", COUNTER, AS_COUNT, false, gc.barrier_flushes,          \
      "Write-barrier buffers handed to the collector.")                                            \
    X("/gort/gc/barrier/logged", "pointers", COUNTER, AS_COUNT, false, gc.barrier_logged,          \
      "Pointers in these buffers.")                                                                \
    X("/gort/gc/cleanups/added", "cleanups", COUNTER, AS_COUNT, false, gc.cleanups_added,          \
      "Cleanups ever added.")                                                                      \
    X("/gort/gc/cleanups/goroutines", "goroutines", GAUGE, AS_COUNT, false, gc.cleanup_goroutines, \
      "Goroutines that run cleanups, or wait for some.")                                           \
    X("/gort/gc/cleanups/stopped", "cleanups", COUNTER, AS_COUNT, false, gc.cleanups_stopped,      \
      "Cleanups taken back before they were due.")                                                 \
    X("/gort/gc/cpu-fraction", "fraction", GAUGE, AS_DOUBLE, false, gc.cpu_fraction,               \
      "Of the CPU time available since the start, what collections took.")                         \
    X("/gort/gc/cycles/heap", "gc-cycles", COUNTER, AS_COUNT, false, gc.by_cause[GC_CAUSE_HEAP],   \
      "Collections because of the heap's size.")                                                   \
    X("/gort/gc/cycles/memory", "gc-cycles", COUNTER, AS_COUNT, false,                             \
      gc.by_cause[GC_CAUSE_MEMORY],                                                                \
      "Collections because there was no memory, or a new memory limit.")                           \
    X("/gort/gc/cycles/one-stop", "gc-cycles", COUNTER, AS_COUNT, false, gc.in_one_stop,           \
      "Collections of small heaps, which were marked in their first stop.")                        \
    X("/gort/gc/cycles/periodic", "gc-cycles", COUNTER, AS_COUNT, false,                           \
      gc.by_cause[GC_CAUSE_PERIODIC], "Collections because the last one was long ago.")            \
    X("/gort/gc/cycles/stress", "gc-cycles", COUNTER, AS_COUNT, false,                             \
      gc.by_cause[GC_CAUSE_STRESS], "Collections of GORTDEBUG=gcstress.")                          \
    X("/gort/gc/debug/gccheck", "events", COUNTER, AS_COUNT, false, gc_debug.gccheck,              \
      "Validations of GORTDEBUG=gccheck.")                                                         \
    X("/gort/gc/debug/gccheckmark-stack-only", "objects", COUNTER, AS_COUNT, false,                \
      gc_debug.stack_only, "Unmarked objects that it reached from stacks alone.")                  \
    X("/gort/gc/debug/gccheckmark", "events", COUNTER, AS_COUNT, false, gc_debug.gccheckmark,      \
      "Collections whose marks GORTDEBUG=gccheckmark has verified.")                               \
    X("/gort/gc/debug/gcstress", "events", COUNTER, AS_COUNT, false, gc_debug.gcstress,            \
      "Allocations at which GORTDEBUG=gcstress asked for a collection.")                           \
    X("/gort/gc/exempt", "bytes", COUNTER, AS_COUNT, false, gc.exempt_bytes,                       \
      "Memory allocated during collections by goroutines that are exempt from helping.")           \
    X("/gort/gc/finalizers/set", "finalizers", COUNTER, AS_COUNT, false, gc.finalizers_set,        \
      "Finalizers ever set.")                                                                      \
    X("/gort/gc/limiter/on", "seconds", COUNTER, AS_SECONDS, false, limiter.on_ns,                 \
      "Time that the CPU limiter was on: nobody assisted.")                                        \
    X("/gort/gc/limiter/overflow", "cpu-seconds", COUNTER, AS_SECONDS, false, limiter.overflow,    \
      "CPU time of collections beyond what the CPU limiter allows.")                               \
    X("/gort/gc/mark-waiting", "cpu-seconds", COUNTER, AS_SECONDS, false, gc.waiting_ns,           \
      "Time that callers of gort_gc marked while they waited for the collection's end.")           \
    H("/gort/gc/mark", "seconds", AS_DURATIONS, false, &events.marking, 1,                         \
      "Marking alone: from the program going on, if it does, to nothing left to mark.")            \
    X("/gort/gc/objects-marked", "objects", COUNTER, AS_COUNT, false, gc.objects_marked,           \
      "Objects marked by all collections.")                                                        \
    X("/gort/gc/pause/last", "seconds", GAUGE, AS_SECONDS, false, gc.pause_last,                   \
      "The pause of the last collection.")                                                         \
    X("/gort/gc/pause/max", "seconds", GAUGE, AS_SECONDS, false, gc.pause_max,                     \
      "The longest pause of a collection.")                                                        \
    X("/gort/gc/pause/total", "seconds", COUNTER, AS_SECONDS, false, gc.pause_total,               \
      "All pauses of collections.")                                                                \
    X("/gort/gc/reclaim/credit", "pages", GAUGE, AS_COUNT, false, gc.swept.credit,                 \
      "Pages that the present sweep has freed and that nobody wanted yet.")                        \
    X("/gort/gc/reclaim/freed", "pages", COUNTER, AS_COUNT, false, gc.swept.reclaimed,             \
      "Pages freed because pages were wanted.")                                                    \
    X("/gort/gc/reclaim/taken", "pages", COUNTER, AS_COUNT, false, gc.swept.credit_taken,          \
      "Pages that were wanted and had been freed before.")                                         \
    X("/gort/gc/refused", "events", COUNTER, AS_COUNT, false, gc.refused,                          \
      "Collections that were not begun, since the thread that asked must not.")                    \
    X("/gort/gc/restarts", "stops", COUNTER, AS_COUNT, false, gc.restarts,                         \
      "Stops that were to end marking, found too much left, and let the program go on.")           \
    X("/gort/gc/roots/data", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_DATA],            \
      "Pieces of the program's data that collections scanned.")                                    \
    X("/gort/gc/roots/libraries", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_LIBRARIES],  \
      "Pieces of libraries' data that collections scanned.")                                       \
    X("/gort/gc/roots/ranges", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_RANGES],        \
      "Pieces of registered ranges that collections scanned.")                                     \
    X("/gort/gc/roots/records", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_RECORDS],      \
      "Lists of the runtime's own records that collections scanned.")                              \
    X("/gort/gc/roots/specials", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_SPECIALS],    \
      "Pieces of the tables of finalizers, cleanups and weak references that were scanned.")       \
    X("/gort/gc/roots/stacks", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_STACKS],        \
      "Groups of goroutines, of 8 or of 256 newborn ones, that collections looked at.")            \
    X("/gort/gc/roots/thread-locals", "jobs", COUNTER, AS_COUNT, false, gc.root_jobs[ROOT_TLS],    \
      "Pieces of thread-local storage that collections scanned.")                                  \
    X("/gort/gc/stack-pieces", "events", COUNTER, AS_COUNT, false, gc.stack_pieces,                \
      "Pieces scanned of stacks that are too deep to be scanned in one: stops come in between.")   \
    X("/gort/gc/swept/alloc", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_ALLOC],      \
      "Spans swept because free slots were wanted.")                                               \
    X("/gort/gc/swept/background", "spans", COUNTER, AS_COUNT, false,                              \
      gc.swept.spans[SWEPT_BACKGROUND], "Spans swept by the runtime's own goroutine.")             \
    X("/gort/gc/swept/demand", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_DEMAND],    \
      "Spans swept because an object in them was asked about.")                                    \
    X("/gort/gc/swept/finish", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_FINISH],    \
      "Spans that were left when a collection was to begin, or the program waited for the sweep.") \
    X("/gort/gc/swept/flush", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_FLUSH],      \
      "Spans swept when an allocation cache gave them up.")                                        \
    X("/gort/gc/swept/pages", "pages", COUNTER, AS_COUNT, false, gc.swept.pages,                   \
      "Pages of 8 KB swept, whatever for.")                                                        \
    X("/gort/gc/swept/paid", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_PAID],        \
      "Spans swept because allocation got ahead of the sweep.")                                    \
    X("/gort/gc/swept/reclaim", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_RECLAIM],  \
      "Spans swept because free pages were wanted.")                                               \
    X("/gort/gc/swept/stopped", "spans", COUNTER, AS_COUNT, false, gc.swept.spans[SWEPT_STOPPED],  \
      "Spans swept while the world was stopped: by GORTDEBUG=gcstoptheworld=2 alone.")             \
    X("/gort/gc/trigger", "bytes", GAUGE, AS_LIMIT, false, gc.trigger,                             \
      "Heap size at which the next collection begins; infinite: off.")                             \
    X("/gort/gc/weak/cleared", "handles", COUNTER, AS_COUNT, false, gc.weak_cleared,               \
      "Weak references whose object became unreachable.")                                          \
    X("/gort/gc/weak/made", "handles", COUNTER, AS_COUNT, false, gc.weak_made,                     \
      "Weak references ever made, by address.")                                                    \
    X("/gort/gc/weak/shaded", "objects", COUNTER, AS_COUNT, false, gc.weak_shaded,                 \
      "Objects got from weak references while marking.")                                           \
    X("/gort/gc/work-buffers-returned", "bytes", COUNTER, AS_COUNT, false, gc.work_returned,       \
      "Memory of the mark queue that went back to the heap's free pages after collections.")       \
    X("/gort/gc/work-buffers", "bytes", GAUGE, AS_COUNT, false, gc.work_buffers,                   \
      "Memory of the mark queue.")                                                                 \
    X("/gort/heap/arena-grows", "events", COUNTER, AS_COUNT, true, heap.arena_grows,               \
      "Times the kernel was asked for memory.")                                                    \
    X("/gort/heap/debug/clobbered", "objects", COUNTER, AS_COUNT, false, heap_debug.clobbered,     \
      "Freed objects that GORTDEBUG=clobberfree has overwritten.")                                 \
    X("/gort/heap/debug/fenced", "bytes", GAUGE, AS_COUNT, true, heap.fenced,                      \
      "Address space of freed objects that GORTDEBUG=efence has made inaccessible.")               \
    X("/gort/heap/debug/fenced", "objects", COUNTER, AS_COUNT, false, heap_debug.fenced,           \
      "Freed objects that GORTDEBUG=efence has made inaccessible.")                                \
    X("/gort/heap/debug/poisoned", "objects", COUNTER, AS_COUNT, false, heap_debug.poisoned,       \
      "Freed objects that a sanitizer was told of.")                                               \
    X("/gort/heap/debug/recorded-allocs", "objects", COUNTER, AS_COUNT, false, records.allocs,     \
      "Allocations recorded for efence, leaks or allocfreetrace.")                                 \
    X("/gort/heap/debug/recorded-frees", "objects", COUNTER, AS_COUNT, false, records.frees,       \
      "Of these, objects that were freed.")                                                        \
    X("/gort/heap/debug/traced", "events", COUNTER, AS_COUNT, false, traced,                       \
      "Allocations and frees that GORTDEBUG=allocfreetrace has printed.")                          \
    X("/gort/heap/in-use", "bytes", GAUGE, AS_COUNT, true, heap.in_use, "Spans of objects.")       \
    X("/gort/heap/ladder/central", "objects", COUNTER, AS_COUNT, true, heap.ladder.central,        \
      "Allocations that took a swept span of the central list.")                                   \
    X("/gort/heap/ladder/hit", "objects", COUNTER, AS_COUNT, true, heap.ladder.hit,                \
      "Allocations that found a free slot in the open window.")                                    \
    X("/gort/heap/ladder/kernel", "objects", COUNTER, AS_COUNT, true, heap.ladder.kernel,          \
      "Allocations for which the kernel was asked for memory.")                                    \
    X("/gort/heap/ladder/page-cache", "objects", COUNTER, AS_COUNT, true, heap.ladder.page_cache,  \
      "Allocations that made a span of the P's own pages.")                                        \
    X("/gort/heap/ladder/page-heap", "objects", COUNTER, AS_COUNT, true, heap.ladder.page_heap,    \
      "Allocations that made a span of the page heap's.")                                          \
    X("/gort/heap/ladder/sweep", "objects", COUNTER, AS_COUNT, true, heap.ladder.sweep,            \
      "Allocations that swept a span for a free slot.")                                            \
    X("/gort/heap/ladder/window", "objects", COUNTER, AS_COUNT, true, heap.ladder.window,          \
      "Allocations that opened another window of the P's span.")                                   \
    X("/gort/heap/large/allocs", "objects", COUNTER, AS_COUNT, true, heap.large_allocs,            \
      "Objects with a span of their own, allocated ever.")                                         \
    X("/gort/heap/large/frees", "objects", COUNTER, AS_COUNT, true, heap.large_frees,              \
      "Of these, freed.")                                                                          \
    X("/gort/heap/records/background", "bytes", COUNTER, AS_COUNT, false,                          \
      scav.records[SCAV_BACKGROUND], "Records of spans given back by the scavenger's goroutine.")  \
    X("/gort/heap/records/forced", "bytes", COUNTER, AS_COUNT, false, scav.records[SCAV_FORCED],   \
      "Records of spans given back by gort_free_os_memory.")                                       \
    X("/gort/heap/records/limit", "bytes", COUNTER, AS_COUNT, false, scav.records[SCAV_LIMIT],     \
      "Records of spans given back when a memory limit was set.")                                  \
    X("/gort/heap/records/moved", "events", COUNTER, AS_COUNT, false, scav.moved,                  \
      "Blocks of marks that moved so that the memory of others could go back.")                    \
    X("/gort/heap/refills", "spans", COUNTER, AS_COUNT, true, heap.refills,                        \
      "Spans that Ps took from the central lists.")                                                \
    X("/gort/heap/released-total", "bytes", COUNTER, AS_COUNT, true, heap.released_total,          \
      "Memory ever given back to the kernel.")                                                     \
    X("/gort/heap/scavenge/background", "bytes", COUNTER, AS_COUNT, false,                         \
      scav.released[SCAV_BACKGROUND], "Memory given back by the scavenger's goroutine.")           \
    X("/gort/heap/scavenge/forced", "bytes", COUNTER, AS_COUNT, false, scav.released[SCAV_FORCED], \
      "Memory given back by gort_free_os_memory, or because there was none.")                      \
    X("/gort/heap/scavenge/growth", "bytes", COUNTER, AS_COUNT, false, scav.released[SCAV_GROWTH], \
      "Memory given back by allocations that needed memory never used before.")                    \
    X("/gort/heap/scavenge/limit", "bytes", COUNTER, AS_COUNT, false, scav.released[SCAV_LIMIT],   \
      "Memory given back by allocations that would have passed the memory limit.")                 \
    X("/gort/heap/scavenge/populated", "bytes", COUNTER, AS_COUNT, false, scav.populated,          \
      "Memory that the kernel provided ahead of its use.")                                         \
    X("/gort/heap/scavenge/refused", "events", COUNTER, AS_COUNT, false, scav.refused,             \
      "Times that the kernel did not take memory back.")                                           \
    X("/gort/heap/scavenge/splits", "events", COUNTER, AS_COUNT, false, scav.splits,               \
      "Chunks of 4 MB that have no huge pages any more, for part of one was given back.")          \
    X("/gort/heap/scavenge/stress", "events", COUNTER, AS_COUNT, false, scav.stress,               \
      "Times that GORTDEBUG=scavstress gave memory back.")                                         \
    X("/gort/heap/scavenge/turns", "events", COUNTER, AS_COUNT, false, scavenger.turns,            \
      "Turns of the scavenger's goroutine.")                                                       \
    X("/gort/heap/span-allocs", "spans", COUNTER, AS_COUNT, true, heap.span_allocs,                \
      "Spans made of pages.")                                                                      \
    X("/gort/heap/span-frees", "spans", COUNTER, AS_COUNT, true, heap.span_frees,                  \
      "Spans that became pages again.")                                                            \
    X("/gort/heap/sys", "bytes", GAUGE, AS_COUNT, true, heap.sys,                                  \
      "Memory mapped for the heap, released pages included.")                                      \
    X("/gort/heap/windows", "events", COUNTER, AS_COUNT, true, heap.windows,                       \
      "Windows of 64 slots that Ps opened.")                                                       \
    X("/gort/memory/counted", "bytes", GAUGE, AS_COUNT, false, memory_counted,                     \
      "Memory that counts against the memory limit.")                                              \
    X("/gort/memory/mapped", "bytes", GAUGE, AS_COUNT, false, mapped,                              \
      "All that the runtime has mapped, address space without memory included.")                   \
    X("/gort/memory/reserved", "bytes", GAUGE, AS_COUNT, true, memory.reserved,                    \
      "Address space without memory: of stacks and sparse tables; in no class.")                   \
    X("/gort/netpoll/waiters", "goroutines", GAUGE, AS_COUNT, false, netpoll_waiters,              \
      "Goroutines that wait for a descriptor.")                                                    \
    X("/gort/os/map-failures", "events", COUNTER, AS_COUNT, false, map_failures,                   \
      "Mappings that GORTDEBUG=mapfail made fail.")                                                \
    X("/gort/os/thread-failures", "events", COUNTER, AS_COUNT, false, thread_failures,             \
      "Threads whose creation GORTDEBUG=threadfail made fail.")                                    \
    X("/gort/profile/memory/buckets", "buckets", GAUGE, AS_COUNT, false, profile.buckets,          \
      "Stacks and sizes that the memory profile tells apart.")                                     \
    X("/gort/profile/memory/dropped", "objects", COUNTER, AS_COUNT, false, profile.dropped,        \
      "Samples of the memory profile that were lost for want of memory.")                          \
    X("/gort/profile/memory/live", "objects", GAUGE, AS_COUNT, false, profile.live,                \
      "Sampled objects that were not freed yet.")                                                  \
    X("/gort/profile/memory/samples", "objects", COUNTER, AS_COUNT, false, profile.samples,        \
      "Allocations that the memory profile sampled.")                                              \
    X("/gort/sched/debug/migrations", "events", COUNTER, AS_COUNT, false, migrations,              \
      "Goroutines moved by GORTDEBUG=migrate.")                                                    \
    X("/gort/sched/debug/yields", "events", COUNTER, AS_COUNT, false, yields,                      \
      "Yields of GORTDEBUG=randyield.")                                                            \
    X("/gort/sched/dozes/ended", "events", COUNTER, AS_COUNT, false, dozes_ended,                  \
      "Dozes that ended early because there was work.")                                            \
    X("/gort/sched/dozes", "events", COUNTER, AS_COUNT, false, dozes,                              \
      "Times a thread that looked for work left another P's next goroutine to it, and dozed.")     \
    X("/gort/sched/lends/lost", "events", COUNTER, AS_COUNT, false, lends_lost,                    \
      "Lent Ps that were given to others because the region lasted.")                              \
    X("/gort/sched/lends", "events", COUNTER, AS_COUNT, false, lends,                              \
      "Blocking regions that kept their P at first, being expected to be short.")                  \
    H("/gort/sched/pauses/stopping/free-memory", "seconds", AS_DURATIONS, false, events.stopping,  \
      1u << STOP_FREE_MEMORY,                                                                      \
      "Stops of the world to give free memory back: until all have stopped.")                      \
    H("/gort/sched/pauses/stopping/gc-mark", "seconds", AS_DURATIONS, false, events.stopping,      \
      1u << STOP_GC_MARK, "Stops of the world to mark: until all have stopped.")                   \
    H("/gort/sched/pauses/stopping/gc-term", "seconds", AS_DURATIONS, false, events.stopping,      \
      1u << STOP_GC_TERM, "Stops of the world to end marking: until all have stopped.")            \
    H("/gort/sched/pauses/stopping/procs", "seconds", AS_DURATIONS, false, events.stopping,        \
      1u << STOP_PROCS, "Stops of the world to change the number of Ps: until all have stopped.")  \
    H("/gort/sched/pauses/stopping/settings", "seconds", AS_DURATIONS, false, events.stopping,     \
      1u << STOP_SETTINGS,                                                                         \
      "Stops of the world to change the percentage or the memory limit: until all have stopped.")  \
    H("/gort/sched/pauses/stopping/stats", "seconds", AS_DURATIONS, false, events.stopping,        \
      1u << STOP_STATS, "Stops of the world to read statistics: until all have stopped.")          \
    H("/gort/sched/pauses/total/free-memory", "seconds", AS_DURATIONS, false, events.pauses,       \
      1u << STOP_FREE_MEMORY, "Stops of the world to give free memory back: until it goes on.")    \
    H("/gort/sched/pauses/total/gc-mark", "seconds", AS_DURATIONS, false, events.pauses,           \
      1u << STOP_GC_MARK, "Stops of the world to mark: until it goes on.")                         \
    H("/gort/sched/pauses/total/gc-term", "seconds", AS_DURATIONS, false, events.pauses,           \
      1u << STOP_GC_TERM, "Stops of the world to end marking: until it goes on.")                  \
    H("/gort/sched/pauses/total/procs", "seconds", AS_DURATIONS, false, events.pauses,             \
      1u << STOP_PROCS, "Stops of the world to change the number of Ps: until it goes on.")        \
    H("/gort/sched/pauses/total/settings", "seconds", AS_DURATIONS, false, events.pauses,          \
      1u << STOP_SETTINGS,                                                                         \
      "Stops of the world to change the percentage or the memory limit: until it goes on.")        \
    H("/gort/sched/pauses/total/stats", "seconds", AS_DURATIONS, false, events.pauses,             \
      1u << STOP_STATS, "Stops of the world to read statistics: until it goes on.")                \
    X("/gort/sched/restartable-ranges", "ranges", GAUGE, AS_COUNT, false, ranges,                  \
      "Restartable ranges registered by programs and libraries.")                                  \
    X("/gort/sched/retakes/refused", "events", COUNTER, AS_COUNT, false, retakes_refused,          \
      "Looks at which a P stayed with a computation because of the limit of those without one.")   \
    X("/gort/sched/retakes", "events", COUNTER, AS_COUNT, false, retakes,                          \
      "Ps taken from goroutines that computed for too long.")                                      \
    X("/gort/sched/runq/overflows", "events", COUNTER, AS_COUNT, false, overflows,                 \
      "Full run queues of a P, half of which went to the global queue.")                           \
    X("/gort/sched/runs", "events", COUNTER, AS_COUNT, false, gs_run, "Goroutines switched to.")   \
    X("/gort/sched/steal-tries", "events", COUNTER, AS_COUNT, false, steal_tries,                  \
      "Looks at the run queues of other Ps.")                                                      \
    X("/gort/sched/steals", "events", COUNTER, AS_COUNT, false, steals,                            \
      "Looks at the run queues of other Ps that found work.")                                      \
    X("/gort/sched/stops/deferred", "events", COUNTER, AS_COUNT, false, stops_deferred,            \
      "Stop signals that met a critical section.")                                                 \
    X("/gort/sched/stops/free-memory", "events", COUNTER, AS_COUNT, false,                         \
      stops[STOP_FREE_MEMORY].stops, "Stops of the world to give free memory back.")               \
    X("/gort/sched/stops/free-memory", "seconds", COUNTER, AS_SECONDS, false,                      \
      stops[STOP_FREE_MEMORY].ns, "How long the world stood to give free memory back.")            \
    X("/gort/sched/stops/gc-mark", "events", COUNTER, AS_COUNT, false, stops[STOP_GC_MARK].stops,  \
      "Stops of the world to mark.")                                                               \
    X("/gort/sched/stops/gc-mark", "seconds", COUNTER, AS_SECONDS, false, stops[STOP_GC_MARK].ns,  \
      "How long the world stood to mark.")                                                         \
    X("/gort/sched/stops/gc-term", "events", COUNTER, AS_COUNT, false, stops[STOP_GC_TERM].stops,  \
      "Stops of the world to end marking.")                                                        \
    X("/gort/sched/stops/gc-term", "seconds", COUNTER, AS_SECONDS, false, stops[STOP_GC_TERM].ns,  \
      "How long the world stood to end marking.")                                                  \
    X("/gort/sched/stops/procs", "events", COUNTER, AS_COUNT, false, stops[STOP_PROCS].stops,      \
      "Stops of the world to change the number of Ps.")                                            \
    X("/gort/sched/stops/procs", "seconds", COUNTER, AS_SECONDS, false, stops[STOP_PROCS].ns,      \
      "How long the world stood to change the number of Ps.")                                      \
    X("/gort/sched/stops/repeated", "events", COUNTER, AS_COUNT, false, stops_repeated,            \
      "Stop signals sent again, to threads that had not stopped within 100 us.")                   \
    X("/gort/sched/stops/rolled-back-outer", "events", COUNTER, AS_COUNT, false, outer_rolled,     \
      "Restartable ranges under a signal handler of the program that a stop signal met.")          \
    X("/gort/sched/stops/rolled-back", "events", COUNTER, AS_COUNT, false, ranges_rolled,          \
      "Stop signals that met a restartable range.")                                                \
    X("/gort/sched/stops/searched", "bytes", COUNTER, AS_COUNT, false, outer_searched,             \
      "Stacks searched after stops for handlers of the program.")                                  \
    X("/gort/sched/stops/settings", "events", COUNTER, AS_COUNT, false,                            \
      stops[STOP_SETTINGS].stops,                                                                  \
      "Stops of the world to change the percentage or the memory limit.")                          \
    X("/gort/sched/stops/settings", "seconds", COUNTER, AS_SECONDS, false,                         \
      stops[STOP_SETTINGS].ns,                                                                     \
      "How long the world stood to change the percentage or the memory limit.")                    \
    X("/gort/sched/stops/stats", "events", COUNTER, AS_COUNT, false, stops[STOP_STATS].stops,      \
      "Stops of the world to read statistics.")                                                    \
    X("/gort/sched/stops/stats", "seconds", COUNTER, AS_SECONDS, false, stops[STOP_STATS].ns,      \
      "How long the world stood to read statistics.")                                              \
    X("/gort/sched/threads/idle", "threads", GAUGE, AS_COUNT, false, threads_idle,                 \
      "Threads that wait for work.")                                                               \
    X("/gort/sched/threads/limit", "threads", GAUGE, AS_COUNT, false, threads_limit,               \
      "Threads that the runtime may make: gort_set_max_threads.")                                  \
    X("/gort/sched/waiters/trimmed", "bytes", COUNTER, AS_COUNT, false, waiters_trimmed,           \
      "Memory of such records that collections have given back.")                                  \
    X("/gort/sched/waiters", "bytes", GAUGE, AS_COUNT, false, waiters_bytes,                       \
      "Records of goroutines that wait in several places at once, free ones included.")            \
    X("/gort/stacks/bared", "stacks", COUNTER, AS_COUNT, false, stack.bared,                       \
      "Stacks without a goroutine whose pages were given back, but for the first.")                \
    X("/gort/stacks/free", "stacks", GAUGE, AS_COUNT, false, stack.slots_free,                     \
      "Stacks without a goroutine.")                                                               \
    X("/gort/stacks/guards-by-mprotect", "stacks", GAUGE, AS_COUNT, false,                         \
      stack.guards_by_mprotect, "Stacks whose guard is a mapping of its own.")                     \
    X("/gort/stacks/made-ahead", "stacks", COUNTER, AS_COUNT, false, stack.made_ahead,             \
      "Stacks made by threads that found no goroutine to run.")                                    \
    X("/gort/stacks/reserved", "bytes", GAUGE, AS_COUNT, false, stack.bytes_reserved,              \
      "Address space reserved for stacks.")                                                        \
    X("/gort/stacks/total", "stacks", GAUGE, AS_COUNT, false, stack.slots, "Stacks made so far.")  \
    X("/gort/stacks/trimmed", "stacks", COUNTER, AS_COUNT, false, stack.trimmed,                   \
      "Stacks of waiting goroutines that gave pages back.")                                        \
    X("/memory/classes/heap/free", "bytes", GAUGE, AS_COUNT, true, memory.heap_free,               \
      "Free memory of the heap that could be given back to the kernel.")                           \
    X("/memory/classes/heap/objects", "bytes", GAUGE, AS_COUNT, true, memory.heap_objects,         \
      "Objects, live or not yet swept.")                                                           \
    X("/memory/classes/heap/released", "bytes", GAUGE, AS_COUNT, true, memory.heap_released,       \
      "Memory of the heap that the kernel has.")                                                   \
    X("/memory/classes/heap/stacks", "bytes", GAUGE, AS_COUNT, true, memory.heap_stacks,           \
      "Stacks of goroutines: a page for each that was ever used.")                                 \
    X("/memory/classes/heap/unused", "bytes", GAUGE, AS_COUNT, true, memory.heap_unused,           \
      "Free slots of spans in use.")                                                               \
    X("/memory/classes/metadata/mcache/free", "bytes", GAUGE, AS_COUNT, true, memory.mcache_free,  \
      "Allocation caches of Ps that went away.")                                                   \
    X("/memory/classes/metadata/mcache/inuse", "bytes", GAUGE, AS_COUNT, true,                     \
      memory.mcache_inuse, "Allocation caches of Ps.")                                             \
    X("/memory/classes/metadata/mspan/free", "bytes", GAUGE, AS_COUNT, true, memory.mspan_free,    \
      "Records of spans without a span.")                                                          \
    X("/memory/classes/metadata/mspan/inuse", "bytes", GAUGE, AS_COUNT, true, memory.mspan_inuse,  \
      "Records of spans.")                                                                         \
    X("/memory/classes/metadata/other", "bytes", GAUGE, AS_COUNT, true, memory.metadata_other,     \
      "Tables and bitmaps of the heap, and the queue of marking.")                                 \
    X("/memory/classes/os-stacks", "bytes", GAUGE, AS_COUNT, true, memory.os_stacks,               \
      "Stacks of the runtime's threads: system stacks and signal stacks.")                         \
    X("/memory/classes/other", "bytes", GAUGE, AS_COUNT, true, memory.other,                       \
      "Records of goroutines, timers, descriptors, and of what hangs on objects.")                 \
    X("/memory/classes/profiling/buckets", "bytes", GAUGE, AS_COUNT, true, memory.profiling,       \
      "Buckets and records of profiles.")                                                          \
    X("/memory/classes/total", "bytes", GAUGE, AS_COUNT, true, memory.total,                       \
      "The sum of /memory/classes.")                                                               \
    X("/sched/gomaxprocs", "threads", GAUGE, AS_COUNT, false, procs,                               \
      "GORTMAXPROCS or gort_max_procs: goroutines that may run at the same moment.")               \
    X("/sched/goroutines", "goroutines", GAUGE, AS_COUNT, false, goroutines,                       \
      "Goroutines of the program.")                                                                \
    H("/sched/pauses/stopping/gc", "seconds", AS_DURATIONS, false, events.stopping, GC_STOPS,      \
      "Collections: from asking all threads to stop to all having stopped.")                       \
    H("/sched/pauses/stopping/other", "seconds", AS_DURATIONS, false, events.stopping,             \
      OTHER_STOPS,                                                                                 \
      "Stops for other reasons: from asking all threads to stop to all having stopped.")           \
    H("/sched/pauses/total/gc", "seconds", AS_DURATIONS, false, events.pauses, GC_STOPS,           \
      "Collections: from asking all threads to stop to letting them go on.")                       \
    H("/sched/pauses/total/other", "seconds", AS_DURATIONS, false, events.pauses, OTHER_STOPS,     \
      "Stops for other reasons: from asking all threads to stop to letting them go on.")           \
    X("/sched/threads/total", "threads", GAUGE, AS_COUNT, false, threads,                          \
      "Threads of the runtime, attached ones included.")

static gort_metric table[] = {
#define X(path, unit, kind, reading, heap, field, text)                                            \
    { path ":" unit, unit, text, GORT_METRIC_##kind, 0 },
#define H(path, unit, reading, heap, histogram, which, text)                                       \
    { path ":" unit, unit, text, GORT_METRIC_HISTOGRAM, 0 },
    METRICS(X)
#undef X
#undef H
};
UNSCANNED(table);

static const struct source sources[] = {
#define X(path, unit, kind, reading, heap, field, text)                                            \
    { reading, heap, offsetof(struct snapshot, field), NULL, 0 },
#define H(path, unit, reading, heap, histogram, which, text) { reading, heap, 0, histogram, which },
    METRICS(X)
#undef X
#undef H
};
_Static_assert(array_len(table) == array_len(sources), "one row each");

/* ---- values ---------------------------------------------------------------------------------- */

static uint64_t class_count(const struct heap_stats *h, unsigned class, bool frees)
{
    if (class == 0) return frees ? h->large_frees : h->large_allocs;
    return frees ? h->classes[class].frees : h->classes[class].allocs;
}

static uint64_t class_total(const struct heap_stats *h, bool frees)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SIZE_CLASSES; i++)
        sum += class_count(h, i, frees);
    return sum;
}

static uint64_t durations_in(const struct source *from, unsigned bucket)
{
    uint64_t sum = 0;
    for (uint32_t left = from->which; left != 0; left &= left - 1)
        sum += atomic_load_relaxed(&from->histogram[bits_ctz64(left)].count[bucket]);
    return sum;
}

static uint64_t durations_total(const struct source *from)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += durations_in(from, i);
    return sum;
}

static double value_of(const struct source *from, const struct snapshot *s)
{
    const void *at = (const char *)s + from->offset;
    uint64_t u;
    int64_t i;
    double d;
    memcpy(&u, at, sizeof u);
    switch (from->reading) {
    case AS_SIGNED:
        memcpy(&i, at, sizeof i);
        return (double)i;
    case AS_SECONDS:
        return (double)u / 1e9;
    case AS_LIMIT:
        return u == UINT64_MAX ? INFINITY : (double)u;
    case AS_DOUBLE:
        memcpy(&d, at, sizeof d);
        return d;
    case AS_DURATIONS:
        return (double)durations_total(from);
    case AS_ALLOCS:
        return (double)class_total(&s->heap, false);
    case AS_FREES:
        return (double)class_total(&s->heap, true);
    default:
        return (double)u;
    }
}

static size_t find(const char *name)
{
    size_t lo = 0, hi = array_len(table);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(table[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < array_len(table) && strcmp(table[lo].name, name) == 0 ? lo : array_len(table);
}

/* ---- public ---------------------------------------------------------------------------------- */

size_t gort_metrics(const gort_metric **all)
{
    if (all == NULL) return array_len(table);
    struct snapshot s;
    g_require("gort_metrics");
    snapshot_take(&s, true);
    for (size_t i = 0; i < array_len(table); i++) {
        double v = value_of(&sources[i], &s);
        __atomic_store(&table[i].value, &v, __ATOMIC_RELAXED); /* several may refresh at once */
    }
    *all = table;
    return array_len(table);
}

int gort_metric_read(const char *name, double *value)
{
    struct snapshot s;
    g_require("gort_metric_read");
    size_t i = find(name);
    if (i == array_len(table)) return -1;
    snapshot_take(&s, sources[i].heap);
    *value = value_of(&sources[i], &s);
    return 0;
}

/* Bucket i of sizes: what size class i + 1 serves; the last one: large objects. */
static double size_bounds[SIZE_CLASSES + 1]; /* constant once loaded */

__attribute__((__constructor__)) static void size_bounds_init(void)
{
    size_bounds[0] = 1;
    for (unsigned i = 1; i < SIZE_CLASSES; i++)
        size_bounds[i] = (double)size_class_table[i].size + 1;
    size_bounds[SIZE_CLASSES] = INFINITY;
}

static size_t copy_sizes(uint64_t *counts, bool frees)
{
    struct snapshot s;
    snapshot_take(&s, true);
    for (unsigned i = 0; i < SIZE_CLASSES; i++)
        counts[i] = class_count(&s.heap, (i + 1) % SIZE_CLASSES, frees);
    return SIZE_CLASSES;
}

static size_t copy_durations(uint64_t *counts, const struct source *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        counts[i] = durations_in(from, i);
    return HISTOGRAM_BUCKETS;
}

int gort_metric_histogram(const char *name, const double **bounds, const uint64_t **counts,
                          size_t *n)
{
    g_require("gort_metric_histogram");
    size_t i = find(name);
    if (i == array_len(table) || table[i].kind != GORT_METRIC_HISTOGRAM) return -1;
    const struct source *from = &sources[i];
    bool durations = from->reading == AS_DURATIONS;
    uint64_t *copy =
        gort_alloc_noscan((durations ? HISTOGRAM_BUCKETS : SIZE_CLASSES) * sizeof *copy);
    *n = durations ? copy_durations(copy, from) : copy_sizes(copy, from->reading == AS_FREES);
    *bounds = durations ? histogram_bounds() : size_bounds;
    *counts = copy;
    return 0;
}
