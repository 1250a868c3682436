/* One line for each collection (GORTDEBUG=gctrace=1), in the format of Go's gctrace, and the
 * records that metrics keep of collections and of stops.
 *
 *     gc # @#s #%: #+#+# ms clock, #+#/#/#+# ms cpu,
 *         #->#-># MB, # MB goal, # MB stacks, # MB globals, # P (forced)
 *
 * To the letter, for programs that read such lines.  So where there is no goal a number stands for
 * it, of all ones; Go's comes from its memory limit, and is of that size.
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

/* Go cuts and does not round: whole milliseconds from 10 on, below two digits that count, or what
 * three places after the point have of them; nothing of a microsecond is a bare 0. */
void gctrace_ms(struct print *p, int64_t ns)
{
    unsigned long us = ns > 0 ? (unsigned long)ns / 1000 : 0;
    if (us >= 10000)
        print_fmt(p, "%lu", us / 1000);
    else if (us >= 1000)
        print_fmt(p, "%lu.%lu", us / 1000, us / 100 % 10);
    else if (us >= 100)
        print_fmt(p, "0.%02lu", us / 10);
    else if (us > 0)
        print_fmt(p, "0.%03lu", us);
    else
        print_fmt(p, "0");
}

static void print_ms(struct print *p, const char *before, int64_t ns)
{
    print_fmt(p, "%s", before);
    gctrace_ms(p, ns);
}

static unsigned long megabytes(uint64_t bytes)
{
    return (unsigned long)(bytes >> 20);
}

static void print_times(struct print *p, const struct gc_cycle_record *r)
{
    int64_t stop = r->mark_begin - r->stop_begin, mark = r->mark_end - r->mark_begin;
    int64_t rest = r->started - r->mark_end;
    int64_t worker = (int64_t)r->worker_ns;
    if (r->stops == 1) worker = r->in_one_stop ? mark : (int64_t)r->cpu - rest;
    print_ms(p, " ", stop);
    print_ms(p, "+", mark);
    print_ms(p, "+", rest);
    print_ms(p, " ms clock, ", stop * r->procs);
    print_ms(p, "+", (int64_t)(r->assist_ns + r->waiting_ns));
    print_ms(p, "/", worker);
    print_ms(p, "/", (int64_t)r->idle_ns);
    print_ms(p, "+", rest * r->procs);
    print_fmt(p, " ms cpu, ");
}

void gctrace_line(struct print *p, const struct gc_cycle_record *r, double share)
{
    unsigned long ms = (unsigned long)(r->stop_begin - start) / 1000000;
    print_fmt(p, "gc %lu @%lu.%03lus %d%%:", (unsigned long)r->number, ms / 1000, ms % 1000,
              (int)(share * 100));
    print_times(p, r);
    print_fmt(p, "%lu->%lu->%lu MB, %lu MB goal, ", megabytes(r->heap_before),
              megabytes(r->heap_end), megabytes(r->heap_marked), megabytes(r->goal_before));
    print_fmt(p, "%lu MB stacks, %lu MB globals, %d P%s\n", megabytes(r->stacks),
              megabytes(r->globals), r->procs, r->cause == GC_CAUSE_FORCED ? " (forced)" : "");
}

static void gctrace_print(const struct gc_cycle_record *r, double share)
{
    struct print p;
    print_init(&p, STDERR_FILENO);
    gctrace_line(&p, r, share);
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
