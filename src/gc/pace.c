/* Pacing: the pacer and what it counts, wired to the cycle and to allocation.
 *
 * The pacer is arithmetic (pacer.h); this file gives it its inputs and puts its outputs into
 * effect.
 *
 * Note [Assists].  While marking, a P is charged with the spans that it takes
 * (mcache.assist_bytes), since the fast path must not count.  The goroutine that took one pays
 * before it goes on: with credit that workers earned, or by marking itself, a little ahead of need
 * (PACER_OVER_ASSIST), on its own thread and without switching (DESIGN 4, rule 13).  What it paid
 * ahead is its own (g->assist_credit), until the cycle ends.  When it owes and finds nothing to
 * mark, others have what is left; it goes on, and owes: the cycle is nearly over, or the heap comes
 * to lie beyond the goal by so much that it waits for the end (pace_is_beyond).  It waits marking,
 * or asleep in a way that a stop counts as stopped, and keeps its P: doc/decisions/0029.
 *
 * Who is exempt (gort_set_assist_exempt) neither pays nor waits.  What it allocates is in
 * heap_live, so the ratio rises for the others; without others the background alone marks, and the
 * heap passes its goal.
 *
 * The ratio is revised whenever somebody pays: the inputs are three loads.
 *
 * While the CPU limiter is on (cpulimit.c) nobody pays, marks in order to pay, or waits.  What is
 * owed stays owed until the cycle ends.  The background's quarter is what marks then, so the cycle
 * ends, if later, and the heap grows past its goal and past a memory limit meanwhile.
 *
 * The estimate of what must be scanned at most: of heap_live, the part that the last cycle scanned.
 *
 * Locking: `pacer` belongs to the holder of the cycle's lock while nobody marks.  While marking all
 * read it, in sections; so a new percentage or limit comes into effect in a stop (gc_set_percent).
 * Memory order: each word of its own, relaxed.
 *
 * Answers to: gcAssistAlloc in mgcmark.go; gcControllerState in mgcpacer.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/pace.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "gc/cpulimit.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "gc/scavenger.h"
#include "heap/heap.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"

#define LEAST_RUNWAY SCAVENGER_CYCLE_RUNWAY
#define ASSIST_PIECE (64 * KB) /* of marking, between two looks at the limiter */

struct pacer_shared pace_shared;

static struct {
    struct pacer pacer;
    struct pacer_now now; /* when the cycle began; live: unused */
    uint64_t limit_goal;
    uint64_t hard_goal;       /* beyond it, allocation waits */
    uint64_t stacks, globals; /* scanned by the last cycle */
    double scan_share;        /* of what it marked, scanned */
    char
        lines[2 * PACER_LINE]; /* gcpacertrace: of the last cycle; the holder of the cycle's lock */
    size_t length;
    uint64_t forgiven; /* atomic; bytes that goroutines allocated which are exempt, while marking */
    uint64_t credit_taken; /* atomic; bytes of the background's marking that allocation paid with */
    uint32_t cycle;        /* number of the present one, for credit; low bits */
    int64_t begin;         /* of this cycle; written in stops, as what follows */
    int procs;             /* as many Ps, */
    int64_t since;         /* since then; */
    int64_t p_ns;          /* time of all Ps from the beginning until then */
} pace = { .limit_goal = PACER_OFF, .scan_share = 1 };

/* ---- goals ----------------------------------------------------------------------------------- */

static struct pacer_now read_now(void)
{
    uint64_t live = heap_live();
    return (struct pacer_now){ .live = live,
                               .scannable = (uint64_t)((double)live * pace.scan_share),
                               .stacks = pace.stacks,
                               .globals = pace.globals,
                               .limit_goal = pace.limit_goal };
}

void pace_init(int percent)
{
    struct pacer_now now = read_now();
    pacer_init(&pace.pacer, percent, &now);
}

int pace_set_percent(int percent)
{
    return pacer_set_percent(&pace.pacer, percent);
}

struct pace_goals pace_goals(bool stopped)
{
    pace.limit_goal = scavenger_limit_goal(pace.pacer.marked);
    struct pacer_now now = read_now();
    pacer_commit(&pace.pacer, &now, true); /* allocation sweeps in time: heap_sweep_pace */
    struct pace_goals g = { .goal = pacer_goal(&pace.pacer, pace.limit_goal) };
    g.trigger = stopped ? g.goal : pacer_trigger(&pace.pacer, pace.limit_goal);
    return g;
}

/* ---- a cycle --------------------------------------------------------------------------------- */

static uint64_t a_tenth_more(uint64_t n)
{
    return n > UINT64_MAX / 2 ? UINT64_MAX : n + n / 10;
}

static void set_hard_goal(void)
{
    uint64_t goal = pacer_goal(&pace.pacer, pace.limit_goal);
    uint64_t least = pace.now.live + LEAST_RUNWAY;
    pace.hard_goal = goal < pace.limit_goal ? a_tenth_more(goal) : goal; /* a limit is one */
    if (pace.hard_goal < least || scavenger_limit_is_due()) pace.hard_goal = least;
}

void pace_begin_stw(const struct gc_cycle_record *r)
{
    enum pacer_kind kind = r->cause == GC_CAUSE_PERIODIC ? PACER_PERIODIC : PACER_CYCLE;
    pace.limit_goal = scavenger_limit_goal(pace.pacer.marked); /* spans' records are more by now */
    pace.now = read_now();
    pace.cycle++;
    pace.begin = pace.since = os_now();
    pace.procs = r->procs;
    pace.p_ns = 0;
    struct pacer_assist a = pacer_start_cycle(&pace.pacer, &pace.now, r->procs, kind);
    set_hard_goal();
    pacer_shared_start(&pace_shared, &pace.pacer, a);
    if (unlikely(gc_debug.gcpacertrace))
        pace.length = pacer_format_start(pace.lines, PACER_LINE, &pace.pacer, &pace.now, a);
}

void pace_procs_stw(int procs)
{
    int64_t now = os_now();
    pace.p_ns += pace.procs * (now - pace.since);
    pace.procs = procs;
    pace.since = now;
    pacer_set_procs(&pace.pacer, procs);
    pacer_shared_places(&pace_shared, &pace.pacer);
}

static double procs_on_average(int64_t end)
{
    if (end <= pace.begin) return pace.procs;
    int64_t p_ns = pace.p_ns + pace.procs * (end - pace.since);
    return (double)p_ns / (double)(end - pace.begin);
}

void pace_end_stw(struct gc_cycle_record *r)
{
    r->assist_ns = (uint64_t)pacer_time_of(&pace_shared, PACER_TIME_ASSIST);
    r->worker_ns = (uint64_t)(pacer_time_of(&pace_shared, PACER_TIME_DEDICATED) +
                              pacer_time_of(&pace_shared, PACER_TIME_FRACTIONAL));
    r->idle_ns = (uint64_t)pacer_time_of(&pace_shared, PACER_TIME_IDLE);
    r->waiting_ns = (uint64_t)pacer_time_of(&pace_shared, PACER_TIME_WAITING);
    struct pacer_cycle c = {
        .procs = procs_on_average(r->mark_end),
        .in_one_stop = r->in_one_stop,
        .duration = r->mark_end - r->mark_begin,
        .assist = pacer_time_of(&pace_shared, PACER_TIME_ASSIST),
        .idle = pacer_time_of(&pace_shared, PACER_TIME_IDLE),
        .work = { .heap = r->scan_work, .stacks = r->stacks, .globals = r->globals },
        .live = r->heap_end,
        .marked = r->heap_marked,
        .globals = r->globals,
        .limit_goal = pace.limit_goal,
    };
    struct pacer_report report;
    pacer_end_cycle(&pace.pacer, &c, &report);
    if (unlikely(gc_debug.gcpacertrace))
        pace.length += pacer_format_end(pace.lines + pace.length, PACER_LINE, &report);
    pace.stacks = r->stacks;
    pace.globals = r->globals;
    if (r->heap_marked != 0) pace.scan_share = (double)r->scan_work / (double)r->heap_marked;
    if (pace.scan_share > 1) pace.scan_share = 1;
}

size_t pace_trace(const char **lines)
{
    *lines = pace.lines;
    return pace.length;
}

/* ---- assists --------------------------------------------------------------------------------- */

static struct pacer_assist revise(void)
{
    struct pacer_now now = pace.now;
    struct scan_work done = pacer_work(&pace_shared);
    now.live = heap_live();
    struct pacer_assist a = pacer_revise(&pace.pacer, &now, &done);
    pacer_publish(&pace_shared, a);
    return a;
}

/* Marks for the goroutine that allocates, about `work` bytes; how many.  In pieces: between them it
 * looks whether it is still to. */
static uint64_t mark_for(struct p *p, uint64_t work, bool *left)
{
    int64_t begin = os_now(), now = begin;
    uint64_t done = 0;
    if (unlikely(cpulimit_on())) {
        cpulimit_tick(begin);
        return 0;
    }
    bool told = cpulimit_enter(p, LIMITER_ASSIST, begin);
    while (*left && done < work && !crit_is_pending() && !cpulimit_on()) {
        done += mark_some(p, work - done < ASSIST_PIECE ? work - done : ASSIST_PIECE, left);
        now = os_now();
        cpulimit_assisted(now);
    }
    if (told) cpulimit_leave(p, LIMITER_ASSIST, now);
    pacer_time_add(&pace_shared, PACER_TIME_ASSIST, now - begin);
    return done;
}

void pace_changed_stw(void)
{
    check(world_is_stopped());
    if (pace.pacer.triggered == PACER_OFF) return;
    pace.now.limit_goal = pace.limit_goal;
    set_hard_goal();
    revise();
}

/* In a section, the P pinned.  What g owes. */
static int64_t charge(struct p *p, struct g *g)
{
    if (g->assist_cycle != pace.cycle) { /* credit of another cycle */
        g->assist_cycle = pace.cycle;
        g->assist_credit = 0;
    }
    g->assist_credit -= p->mcache->assist_bytes;
    p->mcache->assist_bytes = 0;
    return -g->assist_credit;
}

/* Nobody else is to pay for it either. */
static int64_t forgive(struct p *p)
{
    if (p->mcache->assist_bytes > 0)
        atomic_fetch_add_relaxed(&pace.forgiven, (uint64_t)p->mcache->assist_bytes);
    p->mcache->assist_bytes = 0;
    return 0;
}

static uint64_t take_credit(uint64_t want)
{
    uint64_t work = pacer_credit_take(&pace_shared, want);
    if (work != 0) atomic_fetch_add_relaxed(&pace.credit_taken, work);
    return work;
}

static bool pay(struct p *p, struct g *g, uint64_t bytes)
{
    struct pacer_assist a = revise();
    struct pacer_debt d = pacer_assist_for(a, bytes);
    uint64_t work = take_credit(d.work);
    bool left = true;
    if (work < d.work) work += mark_for(p, d.work - work, &left);
    g->assist_credit += work >= d.work ? (int64_t)d.bytes : (int64_t)pacer_paid(a, work);
    return left || g->assist_credit >= 0;
}

bool pace_assist(void)
{
    struct g *g = g_self();
    struct p *p = p_pin();
    bool paid = true;
    if (heap_marking()) {
        int64_t owed = g->assist_exempt ? forgive(p) : charge(p, g);
        if (owed > 0) paid = pay(p, g, (uint64_t)owed);
    }
    p_unpin();
    return paid;
}

bool pace_fractional_due(int64_t spent, int64_t elapsed)
{
    return pacer_fractional_due(&pace.pacer, spent, elapsed);
}

bool pace_fractional_over(int64_t spent, int64_t elapsed)
{
    return pacer_fractional_over(&pace.pacer, spent, elapsed);
}

bool pace_is_beyond(void)
{
    return heap_live() > pace.hard_goal /* changes in stops */
           && !cpulimit_on() && !g_self()->assist_exempt;
}

uint64_t pace_forgiven(void)
{
    return atomic_load_relaxed(&pace.forgiven); /* a statistic */
}

uint64_t pace_credit_taken(void)
{
    return atomic_load_relaxed(&pace.credit_taken); /* likewise */
}

uint64_t pace_help(struct p *p, uint64_t bytes)
{
    bool left = true;
    return mark_for(p, bytes, &left);
}
