// The pacer against simulated heaps.
//
// A program allocates at some rate, markers scan at some rate, and what is live follows a law,
// cycle by cycle. From the assist ratio and the two rates follows how the CPU is shared while a
// cycle runs: in a time in which the program allocates A bytes, r x A bytes are scanned. So cycles
// are simulated without a clock, in steps between two revisions, and each scenario says what must
// hold of them: how far a cycle ends from its goal, where it started, and what it cost.
//
// The second simulation, at the end, has no such shortcut: Ps that run workers or a program which
// allocates, owes, takes credit and assists.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>

#include "gc/pacer.h"
#include "gc/pacer_shared.h"

#include "../../test.h"

#define STEP_MS 0.5
#define FIRST_LIVE (256 << 10)
#define CYCLES_MAX 100

// ---- what the program does --------------------------------------------------------------------

// In one cycle. Rates: KB per ms of CPU time.
struct behaviour {
    double alloc, scan;
    double growth; // of what is live, over the last cycle
    double scannable;
    double stacks;
};

struct result {
    uint64_t marked, trigger, peak, goal;
    double utilization;
};

struct scenario {
    const char *name;
    int percent, cycles, procs;
    uint64_t limit, globals;
    void (*behave)(int cycle, struct behaviour *b);
    // After cycle i (from 0) of the results.
    void (*check)(const struct result *r, int i);
};

// From 0 to height over so many cycles, then there.
static double ramp(double height, int over, int cycle)
{
    return cycle < over ? height * cycle / over : height;
}

// Between -size and size, the same in each run.
static double noise(double size, unsigned seed, int cycle)
{
    uint64_t x = ((uint64_t)seed << 32 | (unsigned)cycle) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return ((double)(x >> 11) * 0x1p-53 * 2 - 1) * size;
}

// Doubles at first, until it stays as it is.
static double settling(double first, int over, int cycle)
{
    return first - ramp(first - 1, over, cycle);
}

// ---- the simulation -----------------------------------------------------------------------------

struct heap {
    struct pacer pacer;
    struct pacer_now now;
    struct scan_work done;
    struct scan_work left; // what this cycle has to scan
    double black;          // bytes allocated while the last cycle marked
};

static uint64_t limit_goal(const struct scenario *s, const struct heap *h)
{
    struct pacer_memory m = { .limit = s->limit, .mapped = h->now.live, .objects = h->now.live };
    return pacer_limit_goal(&m, h->pacer.marked);
}

static uint64_t scan_some(uint64_t *left, uint64_t *done, uint64_t budget)
{
    uint64_t n = *left < budget ? *left : budget;
    *left -= n;
    *done += n;
    return n;
}

// Globals first, then stacks, then the heap. How much was done.
static uint64_t scan(struct heap *h, uint64_t budget)
{
    uint64_t n = scan_some(&h->left.globals, &h->done.globals, budget);
    n += scan_some(&h->left.stacks, &h->done.stacks, budget - n);
    return n + scan_some(&h->left.heap, &h->done.heap, budget - n);
}

static bool work_left(const struct heap *h)
{
    return h->left.heap + h->left.stacks + h->left.globals != 0;
}

// Allocation up to the trigger; the program's part of the cycle that is free of collecting.
static void run_to_trigger(const struct scenario *s, struct heap *h, const struct behaviour *b)
{
    h->now.limit_goal = limit_goal(s, h);
    uint64_t trigger = pacer_trigger(&h->pacer, h->now.limit_goal);
    if (trigger > h->pacer.marked) {
        h->now.scannable += (uint64_t)((double)(trigger - h->pacer.marked) * b->scannable);
        h->now.live = trigger;
    }
}

static struct pacer_cycle mark(const struct scenario *s, struct heap *h, const struct behaviour *b)
{
    struct pacer_assist a = pacer_start_cycle(&h->pacer, &h->now, s->procs, PACER_CYCLE);
    double assist_ms = 0, ms = 0, start = (double)h->now.live;
    for (int steps = 0; work_left(h); steps++) {
        CHECK_LT(steps, 1000000);
        CHECK(a.work_per_byte > 0 && a.bytes_per_work > 0);
        double u = a.work_per_byte * b->alloc / (a.work_per_byte * b->alloc + b->scan);
        if (u < PACER_UTILIZATION) u = PACER_UTILIZATION; // the workers' part, without assists
        double per_ms = 1024.0 * s->procs, budget = ceil(b->scan * per_ms * u * STEP_MS);
        double part = (double)scan(h, (uint64_t)budget) / budget; // the last step is shorter
        uint64_t allocated = (uint64_t)(b->alloc * per_ms * (1 - u) * STEP_MS * part);
        h->now.live += allocated;
        h->now.scannable += (uint64_t)((double)allocated * b->scannable);
        h->now.limit_goal = limit_goal(s, h);
        a = pacer_revise(&h->pacer, &h->now, &h->done);
        assist_ms += STEP_MS * part * s->procs * (u - PACER_UTILIZATION);
        ms += STEP_MS * part;
    }
    h->black = (double)h->now.live - start;
    return (struct pacer_cycle){ .procs = s->procs,
                                 .duration = (int64_t)(ms * 1e6),
                                 .assist = (int64_t)(assist_ms * 1e6),
                                 .work = h->done,
                                 .live = h->now.live,
                                 .globals = h->now.globals,
                                 .limit_goal = h->now.limit_goal };
}

static void finish(struct heap *h, struct pacer_cycle *c, uint64_t survivors)
{
    c->marked = survivors + (uint64_t)h->black;
    pacer_end_cycle(&h->pacer, c, NULL);
    h->now.live = c->marked;
    h->now.scannable = c->work.heap;
    pacer_commit(&h->pacer, &h->now, false);
    const char *fault = pacer_fault(&h->pacer);
    if (fault != NULL) test_fail(__FILE__, __LINE__, fault, NULL);
}

static struct result cycle(const struct scenario *s, struct heap *h, int i)
{
    struct behaviour b = { .scan = 1024, .growth = 1, .scannable = 1, .stacks = 8192 };
    s->behave(i, &b);
    uint64_t survivors = FIRST_LIVE;
    if (i > 0) survivors = (uint64_t)(((double)h->pacer.marked - h->black) * b.growth);
    h->now.stacks = (uint64_t)b.stacks;
    h->done = (struct scan_work){ 0, 0, 0 };
    h->left = (struct scan_work){ (uint64_t)((double)survivors * b.scannable), h->now.stacks,
                                  h->now.globals };
    struct result r = { .marked = h->pacer.marked };
    run_to_trigger(s, h, &b);
    r.trigger = h->now.live;
    struct pacer_cycle c = mark(s, h, &b);
    r.peak = c.live;
    r.goal = pacer_goal(&h->pacer, c.limit_goal);
    r.utilization = PACER_UTILIZATION + (double)c.assist / ((double)c.duration * c.procs);
    finish(h, &c, survivors);
    return r;
}

static const char *running;
static int running_cycle;

static void simulate(const struct scenario *s)
{
    struct heap h = { .now = { .globals = s->globals, .limit_goal = PACER_OFF } };
    struct result r[CYCLES_MAX];
    CHECK_LE(s->cycles, CYCLES_MAX);
    running = s->name;
    pacer_init(&h.pacer, s->percent, &h.now);
    for (int i = 0; i < s->cycles; i++) {
        running_cycle = i;
        r[i] = cycle(s, &h, i);
        CHECK(r[i].utilization >= 0 && r[i].utilization <= 1.0001);
        s->check(r, i);
    }
}

// ---- what is checked ----------------------------------------------------------------------------

static void in_range(const char *file, int line, const char *what, double x, double lo, double hi)
{
    char text[256];
    if (x >= lo && x <= hi) return;
    snprintf(text, sizeof text, "%s, cycle %d: %s is %f, not in %f to %f", running, running_cycle,
             what, x, lo, hi);
    test_fail(file, line, text, NULL);
}

#define IN_RANGE(what, x, lo, hi) in_range(__FILE__, __LINE__, what, x, lo, hi)
#define NEAR(what, x, y, by) in_range(__FILE__, __LINE__, what, x, (y) - (by), (y) + (by))

static double goal_ratio(const struct result *r)
{
    return (double)r->peak / (double)r->goal;
}

static double trigger_ratio(const struct result *r)
{
    return (double)(r->trigger - r->marked) / (double)(r->goal - r->marked);
}

static void ends_on_goal(const struct result *r)
{
    IN_RANGE("peak / goal", goal_ratio(r), 0.95, 1.05);
}

static void levelled(const struct result *r, int i)
{
    NEAR("utilisation over the last one", r[i].utilization, r[i - 1].utilization, 0.005);
}

static void no_assists(const struct result *r)
{
    NEAR("utilisation", r->utilization, PACER_UTILIZATION, 0.005);
}

static void check_steady(const struct result *r, int i)
{
    if (i < 24) return;
    no_assists(&r[i]);
    levelled(r, i);
    ends_on_goal(&r[i]);
}

// ---- steady heaps -------------------------------------------------------------------------------

static void steady(int cycle, struct behaviour *b)
{
    b->alloc = 33;
    b->growth = settling(2, 12, cycle);
}

static void steady_big_stacks(int cycle, struct behaviour *b)
{
    b->alloc = 132;
    b->growth = settling(2, 12, cycle);
    b->stacks = 2048 + floor(ramp(128 << 20, 8, cycle) / 2048) * 2048;
}

static void steady_fast(int cycle, struct behaviour *b)
{
    b->alloc = 132;
    b->growth = settling(2, 12, cycle);
}

TEST(a_steady_heap_needs_no_assists)
{
    simulate(&(struct scenario){ "steady", 100, 50, 8, PACER_OFF, 32 << 10, steady, check_steady });
}

TEST(big_stacks_and_globals_need_no_assists)
{
    simulate(&(struct scenario){ "big stacks", 100, 50, 8, PACER_OFF, 32 << 10, steady_big_stacks,
                                 check_steady });
    simulate(&(struct scenario){ "big globals", 100, 50, 8, PACER_OFF, 128 << 20, steady_fast,
                                 check_steady });
}

TEST(any_number_of_ps)
{
    static const int procs[] = { 1, 2, 3, 5, 6, 7, 64, 256 };
    for (unsigned i = 0; i < sizeof procs / sizeof procs[0]; i++)
        simulate(&(struct scenario){ "procs", 100, 50, procs[i], PACER_OFF, 32 << 10, steady,
                                     check_steady });
}

// ---- changes ------------------------------------------------------------------------------------

static void check_two_steady_halves(const struct result *r, int i)
{
    if (i < 24 || (i >= 49 && i < 74)) return;
    levelled(r, i);
    ends_on_goal(&r[i]);
}

static void step(int cycle, struct behaviour *b)
{
    b->alloc = cycle > 50 ? 99 : 33;
    b->growth = settling(2, 12, cycle);
}

static void heavy_step(int cycle, struct behaviour *b)
{
    b->alloc = cycle > 50 ? 363 : 33;
    b->growth = settling(2, 12, cycle);
}

static void scannable_spike(int cycle, struct behaviour *b)
{
    b->alloc = 128;
    b->growth = settling(2, 12, cycle);
    b->scannable = cycle == 50 ? 0.7 : 0.2;
}

TEST(it_settles_after_a_step)
{
    simulate(&(struct scenario){ "step", 100, 100, 8, PACER_OFF, 32 << 10, step,
                                 check_two_steady_halves });
    simulate(&(struct scenario){ "heavy step", 100, 100, 8, PACER_OFF, 32 << 10, heavy_step,
                                 check_two_steady_halves });
    simulate(&(struct scenario){ "spike of what is scannable", 100, 100, 8, PACER_OFF, 32 << 10,
                                 scannable_spike, check_two_steady_halves });
}

static void oscillating(int cycle, struct behaviour *b)
{
    b->alloc = 67 + 13 * sin(cycle % 8 / 8.0 * 2 * M_PI);
    b->growth = settling(2, 12, cycle);
}

static void check_oscillating(const struct result *r, int i)
{
    if (i < 12) return;
    ends_on_goal(&r[i]);
    IN_RANGE("utilisation", r[i].utilization, 0.25, 0.30);
}

static void jitter(int cycle, struct behaviour *b)
{
    b->alloc = 132 + noise(13, 1, cycle);
    b->growth = settling(2, 12, cycle) + noise(0.01, 2, cycle);
}

static void check_jitter(const struct result *r, int i)
{
    if (i < 12) return;
    IN_RANGE("peak / goal", goal_ratio(&r[i]), 0.95, 1.025);
    IN_RANGE("utilisation", r[i].utilization, 0.25, 0.275);
}

static void heavy_jitter(int cycle, struct behaviour *b)
{
    b->alloc = 330 + noise(33, 3, cycle);
    b->growth = settling(2, 12, cycle) + noise(0.01, 4, cycle);
}

static void check_heavy_jitter(const struct result *r, int i)
{
    if (i < 13) return;
    ends_on_goal(&r[i]);
    NEAR("utilisation over the last one", r[i].utilization, r[i - 1].utilization, 0.05);
    NEAR("utilisation over the 12th", r[i].utilization, r[11].utilization, 0.05);
}

TEST(it_bears_noise)
{
    simulate(&(struct scenario){ "oscillating", 100, 50, 8, PACER_OFF, 32 << 10, oscillating,
                                 check_oscillating });
    simulate(&(struct scenario){ "jitter", 100, 50, 8, PACER_OFF, 32 << 10, jitter, check_jitter });
    simulate(&(struct scenario){ "heavy jitter", 100, 50, 8, PACER_OFF, 32 << 10, heavy_jitter,
                                 check_heavy_jitter });
}

// A high percentage, and what is live grows to 15 times its size in one cycle.
static void burst(int cycle, struct behaviour *b)
{
    b->alloc = 165 + noise(7, 5, cycle);
    b->growth = settling(2, 12, cycle) + noise(0.01, 6, cycle) + (cycle == 25 ? 14 : 0);
}

// It overshoots the goal rather than stop the program, by at most what the next cycle will have.
static void check_burst(const struct result *r, int i)
{
    if (i < 12) return;
    IN_RANGE("peak / goal", goal_ratio(&r[i]), 0.90, i == 25 ? 15 : 1.05);
    IN_RANGE("utilisation", r[i].utilization, 0.25, 0.28);
    NEAR("utilisation over the last one", r[i].utilization, r[i - 1].utilization, 0.03);
}

TEST(a_heap_that_grows_at_once_does_not_stop_the_program)
{
    simulate(&(struct scenario){ "burst", 1500, 50, 8, PACER_OFF, 32 << 10, burst, check_burst });
}

// ---- where the trigger lies ---------------------------------------------------------------------

static void slow(struct behaviour *b, double first, int over, int cycle)
{
    b->alloc = 1;
    b->scan = 2048;
    b->scannable = 0.01;
    b->growth = settling(first, over, cycle);
}

static void small_slow(int cycle, struct behaviour *b)
{
    slow(b, 2, 3, cycle);
}

static void medium_slow(int cycle, struct behaviour *b)
{
    slow(b, 2, 8, cycle);
}

static void large_slow(int cycle, struct behaviour *b)
{
    slow(b, 4, 12, cycle);
}

static void check_slow(const struct result *r, int i, int settled)
{
    if (i < settled) return;
    IN_RANGE("peak / goal", goal_ratio(&r[i]), 0.925, 1.025);
    IN_RANGE("trigger ratio", trigger_ratio(&r[i]), 0.925, 0.975);
    if (i > 24) no_assists(&r[i]);
}

static void check_small(const struct result *r, int i)
{
    check_slow(r, i, 4);
}

static void check_medium(const struct result *r, int i)
{
    check_slow(r, i, 9);
}

static void check_large(const struct result *r, int i)
{
    if (i < 13) return;
    ends_on_goal(&r[i]);
    NEAR("runway in MB", (double)(r[i].goal - r[i].trigger) / (1 << 20), 4, 1.0 / 16);
    if (i > 24) no_assists(&r[i]);
}

// A cycle that finds little to do still has a minimum of runway: 5 percent, or the minimum heap.
TEST(slow_programs_trigger_late_but_not_at_the_goal)
{
    simulate(&(struct scenario){ "small, slow", 100, 50, 8, PACER_OFF, 32 << 10, small_slow,
                                 check_small });
    simulate(&(struct scenario){ "medium, slow", 100, 50, 8, PACER_OFF, 32 << 10, medium_slow,
                                 check_medium });
    simulate(&(struct scenario){ "large, slow", 100, 50, 8, PACER_OFF, 32 << 10, large_slow,
                                 check_large });
}

// Faster than the quarter of the Ps can mark: the trigger stops at 0.70, assists do the rest.
static void torrent(int cycle, struct behaviour *b)
{
    b->alloc = 2048;
    b->growth = settling(2, 12, cycle);
}

static void check_torrent(const struct result *r, int i)
{
    if (i < 20) return;
    IN_RANGE("trigger ratio", trigger_ratio(&r[i]), 0.69, 0.71);
    IN_RANGE("utilisation", r[i].utilization, 0.5, 0.9);
    ends_on_goal(&r[i]);
}

TEST(a_torrent_assists_and_ends_on_the_goal)
{
    simulate(
        &(struct scenario){ "torrent", 100, 40, 8, PACER_OFF, 32 << 10, torrent, check_torrent });
}

static void nothing_live(int cycle, struct behaviour *b)
{
    b->alloc = 33;
    b->growth = cycle == 0 ? 1 : 0.001;
}

static void check_minimum(const struct result *r, int i)
{
    CHECK_EQ(r[i].goal, 4 << 20);
    IN_RANGE("trigger ratio", trigger_ratio(&r[i]), 0.69, 0.96);
    IN_RANGE("peak / goal", goal_ratio(&r[i]), 0.7, 1.0);
}

TEST(a_heap_with_nothing_live_has_four_megabytes)
{
    simulate(&(struct scenario){ "nothing live", 100, 50, 8, PACER_OFF, 32 << 10, nothing_live,
                                 check_minimum });
}

// Percentage 0: as often as it can be, but the program gets on.
static void check_zero(const struct result *r, int i)
{
    CHECK_GE(r[i].goal, r[i].marked + PACER_MIN_RUNWAY);
    CHECK_LE(r[i].goal, r[i].marked + PACER_SWEEP_DISTANCE + PACER_MIN_RUNWAY);
    CHECK_GT(r[i].peak, r[i].marked);
}

TEST(percentage_zero_collects_all_the_time)
{
    simulate(&(struct scenario){ "zero", 0, 30, 8, PACER_OFF, 0, steady, check_zero });
}

// ---- the memory limit ---------------------------------------------------------------------------

#define LIMIT ((uint64_t)512 << 20)
#define LIMIT_GOAL (LIMIT - LIMIT / 100 * 3)

static void growing_to(double first, int cycle, struct behaviour *b)
{
    b->alloc = 33;
    b->growth = settling(first, 12, cycle);
}

static void growing_3(int cycle, struct behaviour *b)
{
    growing_to(3, cycle, b);
}

static void growing_3_5(int cycle, struct behaviour *b)
{
    growing_to(3.5, cycle, b);
}

static bool at_limit(const struct result *r)
{
    return r->goal > LIMIT_GOAL - 1024 && r->goal < LIMIT_GOAL + 1024;
}

static void check_below_limit(const struct result *r, int i)
{
    CHECK_LT(r[i].peak, LIMIT_GOAL);
    check_steady(r, i);
}

static void check_limit_is_goal(const struct result *r, int i)
{
    CHECK(at_limit(&r[i]));
    check_steady(r, i);
}

static void check_limit_is_goal_later(const struct result *r, int i)
{
    if (i >= 12) CHECK(at_limit(&r[i]));
    check_steady(r, i);
}

// What is live does not fit: the goal is as low as it can be, and the CPU goes to marking. (It is
// the limiter that bounds this, not the pacer.)
static void check_over_limit(const struct result *r, int i)
{
    if (i < 12) return;
    CHECK_EQ(r[i].goal, r[i].marked);
    if (i < 24) return;
    NEAR("utilisation", r[i].utilization, 1, 0.005);
    levelled(r, i);
}

static void check_over_limit_off(const struct result *r, int i)
{
    if (i < 8) CHECK(at_limit(&r[i])); // in the ninth it grows past the limit
    check_over_limit(r, i);
}

TEST(a_limit_that_is_far_changes_nothing)
{
    simulate(
        &(struct scenario){ "far limit", 100, 50, 8, LIMIT, 32 << 10, steady, check_below_limit });
}

TEST(a_limit_is_the_goal_when_it_is_nearer)
{
    simulate(&(struct scenario){ "only a limit", -1, 50, 8, LIMIT, 32 << 10, steady,
                                 check_limit_is_goal });
    simulate(&(struct scenario){ "limit kept", 100, 50, 8, LIMIT, 32 << 10, growing_3,
                                 check_limit_is_goal_later });
    simulate(&(struct scenario){ "only a limit, kept", -1, 50, 8, LIMIT, 32 << 10, growing_3,
                                 check_limit_is_goal });
}

TEST(a_limit_that_does_not_fit)
{
    simulate(&(struct scenario){ "over the limit", 100, 50, 8, LIMIT, 32 << 10, growing_3_5,
                                 check_over_limit });
    simulate(&(struct scenario){ "over the limit alone", -1, 50, 8, LIMIT, 32 << 10, growing_3_5,
                                 check_over_limit_off });
}

// ---- without the shortcut -----------------------------------------------------------------------

// One tick is 10 us on each P. The first `dedicated` Ps mark; the others run the program, which
// allocates 1 KB at a time and owes for it; it pays by credit, and by its own time.
#define TICK_NS 10000.0
#define OBJECT 1024

struct machine {
    struct heap h;
    struct pacer_shared shared;
    double alloc, scan;  // bytes per ns
    double budget[8];    // ns of this tick that a P has left; below 0: it borrowed
    uint64_t prepaid[8]; // bytes that an assist has paid for ahead
    double assist_ns, background_ns;
};

static void scanned(struct machine *k, uint64_t n)
{
    pacer_scanned(&k->shared, PACER_SCAN_HEAP, n);
}

static uint64_t mark_heap(struct machine *k, uint64_t n)
{
    uint64_t did = scan_some(&k->h.left.heap, &k->h.done.heap, n);
    scanned(k, did);
    return did;
}

static void run_worker(struct machine *k, int p)
{
    uint64_t did = mark_heap(k, (uint64_t)(k->budget[p] * k->scan));
    pacer_credit_add(&k->shared, did);
    k->background_ns += k->budget[p];
    k->budget[p] = 0;
}

static void run_program(struct machine *k, int p)
{
    while (k->budget[p] > 0 && work_left(&k->h)) {
        if (k->prepaid[p] < OBJECT) {
            struct pacer_assist a = pacer_ratio(&k->shared);
            struct pacer_debt debt = pacer_assist_for(a, OBJECT - k->prepaid[p]);
            CHECK_GE(debt.bytes, OBJECT - k->prepaid[p]);
            uint64_t credit = pacer_credit_take(&k->shared, debt.work);
            CHECK_LE(credit, debt.work);
            uint64_t own = mark_heap(k, debt.work - credit);
            k->budget[p] -= (double)own / k->scan;
            k->assist_ns += (double)own / k->scan;
            k->prepaid[p] += debt.bytes;
        }
        k->prepaid[p] -= OBJECT;
        k->h.now.live += OBJECT;
        k->budget[p] -= OBJECT / k->alloc;
    }
}

static struct pacer_cycle run_machine(struct machine *k, int procs)
{
    struct heap *h = &k->h;
    h->done = (struct scan_work){ 0, 0, 0 };
    k->assist_ns = k->background_ns = 0;
    struct pacer_assist a = pacer_start_cycle(&h->pacer, &h->now, procs, PACER_CYCLE);
    pacer_shared_start(&k->shared, &h->pacer, a);
    memset(k->budget, 0, sizeof k->budget);
    memset(k->prepaid, 0, sizeof k->prepaid);
    double ns = 0, start = (double)h->now.live;
    for (; work_left(h); ns += TICK_NS) {
        CHECK_LT(ns, 10e9);
        for (int p = 0; p < procs; p++) {
            k->budget[p] += TICK_NS;
            if (p < h->pacer.dedicated)
                run_worker(k, p);
            else
                run_program(k, p);
        }
        struct scan_work done = pacer_work(&k->shared);
        pacer_publish(&k->shared, pacer_revise(&h->pacer, &h->now, &done));
    }
    h->black = (double)h->now.live - start;
    return (struct pacer_cycle){ .procs = procs,
                                 .duration = (int64_t)ns,
                                 .assist = (int64_t)k->assist_ns,
                                 .work = pacer_work(&k->shared),
                                 .live = h->now.live,
                                 .limit_goal = PACER_OFF };
}

// Cycles of a heap with 64 MB live, with an allocation rate that is a multiple of what the workers
// bear without assists. The last cycle's result.
static struct result run_cycles(double alloc_kb_ms, int cycles)
{
    enum { PROCS = 8, SURVIVE = 64 << 20 };
    static struct machine k;
    memset(&k, 0, sizeof k);
    k.alloc = alloc_kb_ms * 1024 / 1e6;
    k.scan = 1024 * 1024 / 1e6;
    struct result r = { 0, 0, 0, 0, 0 };
    k.h.now.limit_goal = PACER_OFF;
    pacer_init(&k.h.pacer, 100, &k.h.now);
    for (int i = 0; i < cycles; i++) {
        uint64_t trigger = pacer_trigger(&k.h.pacer, PACER_OFF);
        if (trigger > k.h.now.live) k.h.now.live = trigger;
        k.h.now.scannable += k.h.now.live - k.h.pacer.marked;
        k.h.left = (struct scan_work){ SURVIVE, 0, 0 };
        r.marked = k.h.pacer.marked;
        r.trigger = k.h.now.live;
        struct pacer_cycle c = run_machine(&k, PROCS);
        r.peak = c.live;
        r.goal = pacer_goal(&k.h.pacer, PACER_OFF);
        double machine_ns = (double)c.duration * PROCS;
        r.utilization = (k.assist_ns + k.background_ns) / machine_ns;
        finish(&k.h, &c, SURVIVE);
    }
    return r;
}

TEST(credit_spares_assists)
{
    running = "credit";
    struct result r = run_cycles(100, 12);
    IN_RANGE("peak / goal", goal_ratio(&r), 0.93, 1.02);
    IN_RANGE("utilisation", r.utilization, 0.24, 0.27);
}

TEST(assists_hold_the_goal)
{
    running = "assists";
    struct result r = run_cycles(3000, 12);
    IN_RANGE("trigger ratio", trigger_ratio(&r), 0.69, 0.71);
    IN_RANGE("peak / goal", goal_ratio(&r), 0.95, 1.03);
    IN_RANGE("utilisation", r.utilization, 0.5, 0.95);
}

int main(void)
{
    RUN(a_steady_heap_needs_no_assists);
    RUN(big_stacks_and_globals_need_no_assists);
    RUN(any_number_of_ps);
    RUN(it_settles_after_a_step);
    RUN(it_bears_noise);
    RUN(a_heap_that_grows_at_once_does_not_stop_the_program);
    RUN(slow_programs_trigger_late_but_not_at_the_goal);
    RUN(a_torrent_assists_and_ends_on_the_goal);
    RUN(a_heap_with_nothing_live_has_four_megabytes);
    RUN(percentage_zero_collects_all_the_time);
    RUN(a_limit_that_is_far_changes_nothing);
    RUN(a_limit_is_the_goal_when_it_is_nearer);
    RUN(a_limit_that_does_not_fit);
    RUN(credit_spares_assists);
    RUN(assists_hold_the_goal);
    return 0;
}
