/* The pacer: when the next collection starts, how many workers mark, how much who allocates helps.
 *
 * The goal is what the last cycle found live, plus a percentage of all that a cycle has to look at:
 * live objects, stacks and globals.  So the work of a cycle is paid by an allocation in proportion
 * to it, whichever of the three it comes from.  Small heaps get a minimum, scaled by the
 * percentage, or each would collect all the time.  A memory limit has a goal of its own; the
 * smaller counts.
 *
 * While marking stops the world nothing is allocated meanwhile, so the trigger is the goal
 * (pacer_compute).
 *
 * Note [Runway].  Marking beside the program must start before the goal by as much as is allocated
 * until it ends.  cons/mark is the ratio of two speeds, bytes allocated per CPU time of the program
 * over bytes scanned per CPU time of markers.  Each cycle measures it; the next one is expected to
 * scan what the last one did, so it ends on the goal when it starts
 *     cons/mark x (1 - u) / u x expected scan work
 * before it, u being the quarter of the Ps that the background has.  Then no assist is needed.  The
 * largest of the last ratios is used: to start early costs a little CPU, to start late makes the
 * program wait.  How much the background marked is taken to be that quarter, not measured: when it
 * got less the ratio comes out larger, and the next cycle starts earlier, as it should.
 *
 * The trigger stays between 0.70 and 0.95 of the way from marked to the goal.  Lower, and a program
 * that allocates fast would allocate black in a cycle that never ends; higher, and a cycle with
 * little to do would end past the goal.  Where 5 percent is more than the minimum heap, that much
 * runway is enough for a cycle that finds little to do.
 *
 * Note [Assist ratio].  Scan work left over heap growth left: who allocates a byte owes so much
 * scanning, which the background may have done for it.  Work left is first what the last cycle had;
 * once more than that was done the heap has grown, and the worst case is taken, all that is there.
 * The goal is then moved in the same proportion, so that the ratio stays where it was: the next
 * cycle will use that memory anyway.  It is moved by at most the percentage again (the hard goal).
 * Past even that there is a tenth of it left, and then no more: each byte pays for all.
 *
 * Invariants: (1) trigger <= goal; (2) goal >= marked + PACER_MIN_RUNWAY unless off or limited, so
 * that a percentage of 0 still lets the program run between cycles; (3) no sum overflows: it
 * saturates; (4) no ratio is zero, infinite or not a number.
 *
 * Locking, memory order: none.  Where the arithmetic of the original is left undefined by an empty
 * heap (no scan work expected, all CPU time spent by assists) invariant 4 decides here.
 *
 * Answers to: mgcpacer.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/pacer.h"

#include "base/assert.h"

#define TRIGGER_DEN 64       /* the clamps, in 64ths of the way from marked to the goal */
#define TRIGGER_LEAST 45     /* 0.70 */
#define TRIGGER_MOST 61      /* 0.95 */
#define WORKERS_ERROR 0.3    /* rounding to dedicated workers may be so far off the quarter */
#define FRACTIONAL_SLACK 1.2 /* a fractional worker goes on to so much of its share */
#define OVERSHOOT 1.1
#define RATIO_LIMIT 0x1p100       /* beyond what the counters can make */
#define MIN_WORK_LEFT 1000        /* estimates may end up below what was done */
#define PERCENT_OFF_FORCED 100000 /* what a forced cycle takes for "off" */
#define UTILIZATION_MOST 0.99     /* times are not exact: some was the program's */
#define LIMIT_HEADROOM_PERCENT 3
#define LIMIT_HEADROOM_LEAST (1 * MB)

_Static_assert(TRIGGER_LEAST < TRIGGER_MOST && TRIGGER_MOST < TRIGGER_DEN, "trigger < goal");
_Static_assert(TRIGGER_LEAST * 100 / TRIGGER_DEN == 70 && TRIGGER_MOST * 100 / TRIGGER_DEN == 95,
               "as the head comment says");

/* ---- arithmetic that saturates --------------------------------------------------------------- */

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t sub_saturating(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t percent_of(uint64_t n, int percent)
{
    unsigned __int128 x = (unsigned __int128)n * (unsigned)percent / 100;
    return x > UINT64_MAX ? UINT64_MAX : (uint64_t)x;
}

static uint64_t at_least(uint64_t x, uint64_t floor)
{
    return x < floor ? floor : x;
}

static uint64_t at_most(uint64_t x, uint64_t ceiling)
{
    return x > ceiling ? ceiling : x;
}

static uint64_t to_bytes(double x)
{
    if (!(x > 0)) return 0; /* not a number as well */
    return x >= 0x1p64 ? UINT64_MAX : (uint64_t)x;
}

static uint64_t work_total(const struct scan_work *w)
{
    return add_saturating(w->heap, add_saturating(w->stacks, w->globals));
}

/* ---- goals ----------------------------------------------------------------------------------- */

static uint64_t percent_goal(uint64_t marked, uint64_t stacks, uint64_t globals, int percent)
{
    if (percent < 0) return PACER_OFF;
    uint64_t base = add_saturating(marked, add_saturating(stacks, globals));
    uint64_t goal = add_saturating(marked, percent_of(base, percent));
    goal = at_least(goal, percent_of(PACER_MIN_HEAP, percent));
    return at_least(goal, add_saturating(marked, PACER_MIN_RUNWAY));
}

struct pacer_output pacer_compute(const struct pacer_input *in)
{
    uint64_t goal = percent_goal(in->marked, in->stacks, in->globals, in->percent);
    return (struct pacer_output){ .goal = goal, .trigger = goal };
}

/* What is not the heap's leaves that much less to it, as does what is over the limit already.  Free
 * pages are left out: objects will come to lie there.  The headroom is for the pacer's errors, and
 * keeps some free pages from being given back and taken again all the time. */
uint64_t pacer_limit_goal(const struct pacer_memory *m, uint64_t marked)
{
    if (m->limit == PACER_OFF) return PACER_OFF;
    uint64_t other = sub_saturating(m->mapped, add_saturating(m->free, m->objects));
    uint64_t taken = add_saturating(other, sub_saturating(m->mapped, m->limit));
    if (taken >= m->limit) return marked; /* lost in any case: the CPU limiter bounds the cost */
    uint64_t goal = m->limit - taken;
    uint64_t headroom = at_least(percent_of(goal, LIMIT_HEADROOM_PERCENT), LIMIT_HEADROOM_LEAST);
    return at_least(at_least(sub_saturating(goal, headroom), headroom), marked);
}

struct goal {
    uint64_t goal, least_trigger;
};

static struct goal goal_now(const struct pacer *p, uint64_t limit_goal)
{
    /* The limit is not to be passed for the sake of the sweep, or of who triggered late. */
    if (limit_goal < p->percent_goal) return (struct goal){ limit_goal, 0 };
    struct goal g = { at_least(p->percent_goal, p->sweep_floor), p->sweep_floor };
    if (p->triggered != PACER_OFF)
        g.goal = at_least(g.goal, add_saturating(p->triggered, PACER_MIN_RUNWAY));
    return g;
}

uint64_t pacer_goal(const struct pacer *p, uint64_t limit_goal)
{
    return goal_now(p, limit_goal).goal;
}

static uint64_t part_of_way(const struct pacer *p, uint64_t goal, unsigned n64)
{
    return (goal - p->marked) / TRIGGER_DEN * n64 + p->marked;
}

/* Note [Runway] */
uint64_t pacer_trigger(const struct pacer *p, uint64_t limit_goal)
{
    struct goal g = goal_now(p, limit_goal);
    if (g.goal == PACER_OFF || p->marked >= g.goal) return g.goal;
    uint64_t least = at_least(g.least_trigger, part_of_way(p, g.goal, TRIGGER_LEAST));
    uint64_t most = part_of_way(p, g.goal, TRIGGER_MOST);
    most = at_least(most, sub_saturating(g.goal, PACER_MIN_HEAP));
    most = at_least(most, least);
    uint64_t trigger = at_most(at_least(sub_saturating(g.goal, p->runway), least), most);
    assert_that(trigger <= g.goal);
    return trigger;
}

/* ---- settings -------------------------------------------------------------------------------- */

static uint64_t expected_work(const struct pacer *p, uint64_t globals)
{
    return add_saturating(p->last.heap, add_saturating(p->last.stacks, globals));
}

int pacer_set_percent(struct pacer *p, int percent)
{
    int old = p->percent;
    p->percent = percent < 0 ? -1 : percent;
    return old;
}

void pacer_commit(struct pacer *p, const struct pacer_now *now, bool swept)
{
    const double program = 1 - PACER_UTILIZATION, marking = PACER_UTILIZATION;
    double expected = (double)expected_work(p, now->globals);
    p->sweep_floor = swept ? 0 : add_saturating(now->live, PACER_SWEEP_DISTANCE);
    p->percent_goal = percent_goal(p->marked, p->last.stacks, now->globals, p->percent);
    p->runway = to_bytes(p->cons_mark * program / marking * expected);
}

void pacer_init(struct pacer *p, int percent, const struct pacer_now *now)
{
    *p = (struct pacer){ .triggered = PACER_OFF, .last_goal = PACER_OFF };
    (void)pacer_set_percent(p, percent);
    pacer_commit(p, now, true);
}

/* ---- a cycle begins -------------------------------------------------------------------------- */

/* As many dedicated workers as come closest to the quarter.  With few Ps that would be far off;
 * then one fewer, and the other Ps mark for a fraction of their time. */
static void share_workers(struct pacer *p, int procs)
{
    double want = procs * PACER_UTILIZATION;
    p->dedicated = (int)(want + 0.5);
    p->fractional = 0;
    double error = p->dedicated / want - 1;
    if (error >= -WORKERS_ERROR && error <= WORKERS_ERROR) return;
    if (p->dedicated > want) p->dedicated--;
    p->fractional = (want - p->dedicated) / procs;
}

/* Fractional workers alone do not get a cycle done when nothing runs: they wait for their Ps to be
 * behind.  So one idle worker is always allowed when there are no dedicated ones. */
static int idle_workers(const struct pacer *p, int procs)
{
    if (p->kind == PACER_PERIODIC) return p->dedicated > 0 ? 0 : 1;
    return procs - p->dedicated;
}

void pacer_set_procs(struct pacer *p, int procs)
{
    assert_that(procs > 0 && p->triggered != PACER_OFF);
    share_workers(p, procs);
    if (p->kind == PACER_ALL_MARK) {
        p->dedicated = procs;
        p->fractional = 0;
    }
    p->idle_max = idle_workers(p, procs);
}

struct pacer_assist pacer_start_cycle(struct pacer *p, const struct pacer_now *now, int procs,
                                      enum pacer_kind kind)
{
    static const struct scan_work nothing;
    assert_that(p->triggered == PACER_OFF);
    p->triggered = now->live;
    p->kind = kind;
    pacer_set_procs(p, procs);
    return pacer_revise(p, now, &nothing);
}

/* ---- Note [Assist ratio] --------------------------------------------------------------------- */

static uint64_t hard_goal(const struct pacer *p, uint64_t goal)
{
    int percent = p->percent < 0 ? PERCENT_OFF_FORCED : p->percent;
    return add_saturating(goal, percent_of(goal, percent));
}

static uint64_t extended_goal(const struct pacer *p, uint64_t goal, uint64_t expected,
                              uint64_t worst)
{
    if (goal <= p->triggered) return goal; /* no runway to extend: limited */
    double per_work = (double)(goal - p->triggered) / (double)at_least(expected, 1);
    uint64_t runway = to_bytes(per_work * (double)worst);
    return at_most(add_saturating(p->triggered, runway), hard_goal(p, goal));
}

static struct pacer_assist ratio(uint64_t work_left, uint64_t heap_left)
{
    double work = (double)at_least(work_left, MIN_WORK_LEFT), heap = (double)at_least(heap_left, 1);
    return (struct pacer_assist){ work / heap, heap / work };
}

struct pacer_assist pacer_revise(const struct pacer *p, const struct pacer_now *now,
                                 const struct scan_work *done)
{
    uint64_t work = work_total(done), expected = expected_work(p, now->globals);
    uint64_t worst = add_saturating(now->scannable, add_saturating(now->stacks, now->globals));
    uint64_t goal = pacer_goal(p, now->limit_goal);
    if (work > expected) {
        goal = extended_goal(p, goal, expected, worst);
        expected = worst;
    }
    if (now->live > goal) {
        goal = to_bytes((double)goal * OVERSHOOT);
        expected = worst;
    }
    return ratio(sub_saturating(expected, work), sub_saturating(goal, now->live));
}

struct pacer_debt pacer_assist_for(struct pacer_assist a, uint64_t bytes)
{
    uint64_t work = to_bytes(a.work_per_byte * (double)bytes);
    if (work >= PACER_OVER_ASSIST) return (struct pacer_debt){ work, bytes };
    return (struct pacer_debt){ PACER_OVER_ASSIST,
                                at_least(pacer_paid(a, PACER_OVER_ASSIST), bytes) };
}

/* One more than the quotient: an assist that did some work is never paid nothing for it. */
uint64_t pacer_paid(struct pacer_assist a, uint64_t work)
{
    return work == 0 ? 0 : add_saturating(to_bytes(a.bytes_per_work * (double)work), 1);
}

/* ---- fractional workers ---------------------------------------------------------------------- */

bool pacer_fractional_due(const struct pacer *p, int64_t spent, int64_t elapsed)
{
    if (p->fractional == 0) return false;
    return elapsed <= 0 || (double)spent <= p->fractional * (double)elapsed;
}

bool pacer_fractional_over(const struct pacer *p, int64_t spent, int64_t elapsed)
{
    return elapsed <= 0 || (double)spent > FRACTIONAL_SLACK * p->fractional * (double)elapsed;
}

/* ---- a cycle ends ---------------------------------------------------------------------------- */

static double share(int64_t cpu, const struct pacer_cycle *c)
{
    if (c->duration <= 0) return 0;
    return (double)cpu / ((double)c->duration * c->procs);
}

static double utilization_of(const struct pacer_cycle *c)
{
    double u = PACER_UTILIZATION + share(c->assist, c);
    return u < UTILIZATION_MOST ? u : UTILIZATION_MOST;
}

/* Idle workers scan with CPU time that was free, so theirs counts as marking, and none of it as
 * taken from the program, which could have had it at any time. */
static double measured_cons_mark(const struct pacer *p, const struct pacer_cycle *c)
{
    double u = utilization_of(c);
    double cons = (double)(c->live - p->triggered) / (1 - u);
    return cons * (u + share(c->idle, c)) / (double)work_total(&c->work);
}

static void learn_cons_mark(struct pacer *p, double measured)
{
    p->cons_mark = measured;
    for (int i = 0; i < PACER_HISTORY; i++)
        if (p->cons_marks[i] > p->cons_mark) p->cons_mark = p->cons_marks[i];
    for (int i = 1; i < PACER_HISTORY; i++)
        p->cons_marks[i - 1] = p->cons_marks[i];
    p->cons_marks[PACER_HISTORY - 1] = measured;
}

static void fill_report(const struct pacer *p, const struct pacer_cycle *c, struct pacer_report *r)
{
    r->utilization = utilization_of(c);
    r->work = c->work;
    r->expected = expected_work(p, c->globals);
    r->triggered = p->triggered;
    r->live = c->live;
    r->goal = p->last_goal;
    r->cons_mark = p->cons_mark;
}

/* A cycle that was marked in its first stop needed no runway.  Another one in which nothing was
 * allocated, or nothing scanned, tells nothing of the ratio. */
void pacer_end_cycle(struct pacer *p, const struct pacer_cycle *c, struct pacer_report *report)
{
    assert_that(c->procs > 0 && p->triggered != PACER_OFF);
    p->last_goal = pacer_goal(p, c->limit_goal);
    if (report != NULL) fill_report(p, c, report);
    if (c->in_one_stop)
        learn_cons_mark(p, 0);
    else if (c->live > p->triggered && work_total(&c->work) != 0)
        learn_cons_mark(p, measured_cons_mark(p, c));
    p->marked = c->marked;
    p->last = c->work;
    p->triggered = PACER_OFF;
}

const char *pacer_fault(const struct pacer *p)
{
    if (p->percent < -1) return "the percentage is not normalised";
    if (p->percent >= 0 && p->percent_goal < p->marked) return "the goal lies below what is live";
    if (!(p->cons_mark >= 0 && p->cons_mark < RATIO_LIMIT))
        return "the cons/mark ratio is no ratio";
    for (int i = 0; i < PACER_HISTORY; i++)
        if (!(p->cons_marks[i] >= 0 && p->cons_marks[i] < RATIO_LIMIT))
            return "a measured cons/mark ratio is no ratio";
    if (!(p->fractional >= 0 && p->fractional <= PACER_UTILIZATION))
        return "the fraction of a P exceeds the quarter";
    if (p->dedicated < 0 || p->idle_max < 0) return "a number of workers is negative";
    return NULL;
}
