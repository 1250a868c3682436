/* One line for each collection (GORTDEBUG=gctrace=1), in the format of Go's gctrace, and the
 * records that metrics keep of collections and of stops.
 *
 *     gc # @#s #%: #+#+# ms clock, #+#/#/#+# ms cpu,
 *         #->#-># MB, # MB goal, # MB stacks, # MB globals, # P
 *
 * clock: the first stop, marking, and the last stop; while marking stops the world, getting all
 * threads to stop, marking, and the rest of the pause.  cpu: the same; marking is given as assists
 * / dedicated and fractional workers / idle ones.  While it stops the world the stopper and its
 * helpers are given as workers; of a small heap, which it marks alone, the clock is its time.  MB:
 * heap when marking began, when it ended, and what was live.
 *
 * A line of our own follows where the CPU limiter was on since the cycle before: for how long, and
 * how much CPU time the collector took while the limiter's bucket was full.
 *
 * Answers to: gcMarkTermination in mgc.go, which prints it.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <unistd.h>

#include "base/atomic.h"
#include "base/print.h"
#include "base/unscanned.h"
#include "diag/events.h"
#include "gc/gc_stats.h"
#include "gc/pace.h"
#include "os/os.h"
#include "rt/env.h"
#include "sched/hooks.h"

struct events events;
UNSCANNED(events);

static int64_t start; /* constant once loaded */

int64_t events_start(void)
{
    return start;
}

/* ---- the line -------------------------------------------------------------------------------- */

/* As Go does: two digits that count, or whole milliseconds. */
static void print_ms(struct print *p, const char *before, int64_t ns)
{
    double ms = (double)(ns > 0 ? ns : 0) / 1e6;
    int digits = ms >= 10 ? 0 : ms >= 1 ? 1 : ms >= 0.1 ? 2 : 3;
    print_fmt(p, "%s%.*f", before, digits, ms);
}

static unsigned long megabytes(uint64_t bytes)
{
    return (unsigned long)(bytes >> 20);
}

void gctrace_print(const struct gc_cycle_record *r, double share)
{
    struct print p;
    int64_t stop = r->mark_begin - r->stop_begin, mark = r->mark_end - r->mark_begin;
    int64_t rest = r->started - r->mark_end;
    int64_t worker = (int64_t)r->worker_ns;
    if (r->stops == 1) worker = r->in_one_stop ? mark : (int64_t)r->cpu - rest;
    print_init(&p, STDERR_FILENO);
    print_fmt(&p, "gc %lu @%.3fs %d%%:", (unsigned long)r->number,
              (double)(r->stop_begin - start) / 1e9, (int)(share * 100));
    print_ms(&p, " ", stop);
    print_ms(&p, "+", mark);
    print_ms(&p, "+", rest);
    print_ms(&p, " ms clock, ", stop * r->procs);
    print_ms(&p, "+", (int64_t)(r->assist_ns + r->waiting_ns));
    print_ms(&p, "/", worker);
    print_ms(&p, "/", (int64_t)r->idle_ns);
    print_ms(&p, "+", rest * r->procs);
    print_fmt(&p, " ms cpu, %lu->%lu->%lu MB, ", megabytes(r->heap_before), megabytes(r->heap_end),
              megabytes(r->heap_marked));
    if (r->goal_before == UINT64_MAX)
        print_fmt(&p, "no goal, ");
    else
        print_fmt(&p, "%lu MB goal, ", megabytes(r->goal_before));
    print_fmt(&p, "%lu MB stacks, %lu MB globals, %d P%s\n", megabytes(r->stacks),
              megabytes(r->globals), r->procs, r->cause == GC_CAUSE_FORCED ? " (forced)" : "");
    print_flush(&p);
}

/* Go has no line for this. */
static void limiter_print(const struct gc_cycle_record *r)
{
    struct print p;
    if (likely(r->limited_ns == 0)) return;
    print_init(&p, STDERR_FILENO);
    print_fmt(&p, "gc %lu limiter:", (unsigned long)r->number);
    print_ms(&p, " ", (int64_t)r->limited_ns);
    print_ms(&p, " ms on, ", (int64_t)r->overflow_ns);
    print_fmt(&p, " ms cpu beyond\n");
    print_flush(&p);
}

static void pacertrace_print(void)
{
    const char *lines;
    struct print p;
    size_t n = pace_trace(&lines);
    print_init(&p, STDERR_FILENO);
    print_fmt(&p, "%.*s", (int)n, lines);
    print_flush(&p);
}

/* ---- the listener ---------------------------------------------------------------------------- */

static double share_of_cpu(uint64_t cpu, const struct gc_cycle_record *r)
{
    double available = (double)(r->started - start) * r->procs;
    return available > 0 ? (double)cpu / available : 0;
}

static void on_stop(enum stop_reason why, uint64_t pause, uint64_t stopping)
{
    histogram_add(&events.pauses[why], (int64_t)pause);
    histogram_add(&events.stopping[why], (int64_t)stopping);
}

static void on_cycle(const struct gc_cycle_record *r)
{
    histogram_add(&events.marking, r->mark_end - r->mark_begin);
    atomic_store_relaxed(&events.scan_stacks, r->stacks);
    atomic_store_relaxed(&events.scan_globals, r->globals);
    atomic_store_relaxed(&events.scan_heap, r->scan_work);
    uint64_t cpu = atomic_fetch_add_relaxed(&events.cpu, r->cpu) + r->cpu;
    if (env.gcpacertrace) pacertrace_print();
    if (env.gctrace) gctrace_print(r, share_of_cpu(cpu, r));
    if (env.gctrace || env.gcpacertrace) limiter_print(r);
    if (env.sweeptrace) sweeptrace_print(r);
    if (env.goleaks) goleaks_after_cycle();
}

__attribute__((__constructor__)) static void listener_install(void)
{
    static const struct sched_hooks hooks = { .stop_over = on_stop };
    start = os_now();
    gc_cycle_listener = on_cycle;
    sched_hooks_install(&hooks);
}
