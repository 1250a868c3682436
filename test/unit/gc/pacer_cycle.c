// The pacer's parts one by one: goals, triggers, workers, ratios, what a cycle teaches, the trace.
// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>

#include "gc/pacer.h"

#include "../../test.h"

#define M ((uint64_t)1 << 20)

static struct pacer_now now_with(uint64_t live)
{
    return (struct pacer_now){ .live = live, .scannable = live, .limit_goal = PACER_OFF };
}

// A pacer after a cycle that found `marked` live, all of it scanned, and measured this ratio.
static struct pacer pacer_with(uint64_t marked, double cons_mark)
{
    struct pacer p;
    struct pacer_now now = now_with(marked);
    pacer_init(&p, 100, &now);
    p.marked = marked;
    p.last.heap = marked;
    p.cons_mark = cons_mark;
    pacer_commit(&p, &now, true);
    CHECK(pacer_fault(&p) == NULL);
    return p;
}

static void check_near(int line, double x, double y)
{
    char text[64];
    if (fabs(x - y) <= 1e-9 * fabs(y)) return;
    snprintf(text, sizeof text, "%.12g is not %.12g", x, y);
    test_fail(__FILE__, line, text, NULL);
}

#define NEAR(x, y) check_near(__LINE__, x, y)

// ---- goals and triggers -------------------------------------------------------------------------

TEST(the_goal_counts_stacks_and_globals)
{
    struct pacer p = pacer_with(100 * M, 0);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 200 * M);
    struct pacer_now now = now_with(100 * M);
    now.globals = 30 * M;
    p.last.stacks = 10 * M;
    pacer_commit(&p, &now, true);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 240 * M);
    CHECK_EQ(pacer_set_percent(&p, 50), 100);
    pacer_commit(&p, &now, true);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 170 * M);
}

TEST(the_runway_follows_the_ratio)
{
    // Expected work 100 MB, ratio 1/20: 3/4 over 1/4 of the CPU, 15 MB.
    struct pacer p = pacer_with(100 * M, 0.05);
    CHECK_EQ(200 * M - pacer_trigger(&p, PACER_OFF), 15 * M);
    // Globals and stacks take time to scan, too.
    struct pacer_now now = now_with(100 * M);
    now.globals = 20 * M;
    p.last.stacks = 20 * M;
    pacer_commit(&p, &now, true);
    CHECK_EQ(240 * M - pacer_trigger(&p, PACER_OFF), 21 * M);
}

TEST(the_trigger_is_clamped)
{
    struct pacer p = pacer_with(64 * M, 100);
    CHECK_EQ(pacer_trigger(&p, PACER_OFF), (64 + 45) * M);
    p = pacer_with(64 * M, 0);
    CHECK_EQ(pacer_trigger(&p, PACER_OFF), (128 - 3) * M);
    // 4 MB of runway are enough for a cycle with little to do.
    p = pacer_with(6400 * M, 0);
    CHECK_EQ(pacer_trigger(&p, PACER_OFF), (12800 - 4) * M);
    // An empty heap.
    p = pacer_with(0, 0);
    CHECK_EQ(pacer_trigger(&p, PACER_OFF), 4 * M / 64 * 61);
}

TEST(an_unfinished_sweep_has_some_distance)
{
    struct pacer p = pacer_with(1 * M, 0);
    struct pacer_now now = now_with(3 * M);
    pacer_commit(&p, &now, false);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 4 * M);
    CHECK_EQ(pacer_trigger(&p, PACER_OFF), 4 * M);
    now.live = 5 * M;
    pacer_commit(&p, &now, false);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 6 * M);
    CHECK_EQ(pacer_trigger(&p, PACER_OFF), 6 * M);
    // A limit is not passed for it.
    CHECK_EQ(pacer_goal(&p, 2 * M), 2 * M);
    CHECK_LT(pacer_trigger(&p, 2 * M), 2 * M);
    pacer_commit(&p, &now, true);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 4 * M);
    CHECK_LT(pacer_trigger(&p, PACER_OFF), 4 * M);
}

TEST(who_triggers_late_still_has_runway)
{
    struct pacer p = pacer_with(8 * M, 0);
    struct pacer_now now = now_with(17 * M);
    (void)pacer_start_cycle(&p, &now, 4, PACER_CYCLE);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 17 * M + PACER_MIN_RUNWAY);
    CHECK_EQ(pacer_goal(&p, 10 * M), 10 * M);
}

TEST(off_and_zero)
{
    struct pacer_now now = now_with(10 * M);
    struct pacer p;
    pacer_init(&p, -7, &now);
    CHECK(pacer_goal(&p, PACER_OFF) == PACER_OFF);
    CHECK(pacer_trigger(&p, PACER_OFF) == PACER_OFF);
    CHECK_EQ(pacer_set_percent(&p, 0), -1);
    p.marked = 10 * M;
    pacer_commit(&p, &now, true);
    CHECK_EQ(pacer_goal(&p, PACER_OFF), 10 * M + PACER_MIN_RUNWAY);
    CHECK_GT(pacer_trigger(&p, PACER_OFF), 10 * M);
    // Off, but limited: the limit's goal, and a trigger before it.
    CHECK_EQ(pacer_set_percent(&p, -1), 0);
    pacer_commit(&p, &now, true);
    CHECK_EQ(pacer_goal(&p, 74 * M), 74 * M);
    CHECK_EQ(pacer_trigger(&p, 74 * M), (10 + 61) * M);
    CHECK_EQ(pacer_trigger(&p, 10 * M), 10 * M);
}

TEST(sums_saturate)
{
    struct pacer_now now = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, PACER_OFF };
    static const struct scan_work done = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
    struct pacer p = pacer_with(UINT64_MAX - 1, 1e30);
    p.last = done;
    (void)pacer_set_percent(&p, 1 << 30);
    pacer_commit(&p, &now, false);
    CHECK(pacer_goal(&p, PACER_OFF) == PACER_OFF);
    CHECK_EQ(p.runway, UINT64_MAX);
    p.triggered = 5;
    struct pacer_assist a = pacer_revise(&p, &now, &done);
    CHECK(isfinite(a.work_per_byte) && a.work_per_byte > 0);
    CHECK(isfinite(a.bytes_per_work) && a.bytes_per_work > 0);
    CHECK_EQ(pacer_paid((struct pacer_assist){ 1e-30, 1e30 }, 1 << 20), UINT64_MAX);
    CHECK_EQ(pacer_assist_for((struct pacer_assist){ 1e30, 1e-30 }, 1 << 20).work, UINT64_MAX);
}

// ---- the limit ----------------------------------------------------------------------------------

static uint64_t limit_goal(uint64_t limit, uint64_t mapped, uint64_t free, uint64_t objects,
                           uint64_t marked)
{
    struct pacer_memory m = { limit, mapped, free, objects };
    return pacer_limit_goal(&m, marked);
}

TEST(a_limit_leaves_room_for_what_is_not_heap)
{
    CHECK(limit_goal(PACER_OFF, M, 0, 0, 0) == PACER_OFF);
    CHECK_EQ(limit_goal(1000 * M, 0, 0, 0, 0), 970 * M);
    // 100 MB of stacks, records and fragments.
    CHECK_EQ(limit_goal(1100 * M, 500 * M, 100 * M, 300 * M, 0), 970 * M);
    // What is free will hold objects: it takes nothing away.
    CHECK_EQ(limit_goal(1100 * M, 700 * M, 300 * M, 300 * M, 0), 970 * M);
    // Over the limit: that much less again.
    CHECK_EQ(limit_goal(1200 * M, 1300 * M, 0, 1200 * M, 0), 970 * M);
}

TEST(a_limit_with_little_in_it)
{
    CHECK_EQ(limit_goal(11 * M, 0, 0, 0, 0), 10 * M);
    CHECK_EQ(limit_goal(3 * M / 2, 0, 0, 0, 0), 1 * M);
    CHECK_EQ(limit_goal(0, 0, 0, 0, 7), 7);
    CHECK_EQ(limit_goal(100 * M, 300 * M, 0, 50 * M, 50 * M), 50 * M);
    CHECK_EQ(limit_goal(100 * M, 90 * M, 0, 90 * M, 99 * M), 99 * M);
    // Counters that do not agree, and extremes.
    CHECK_EQ(limit_goal(1000 * M, 10 * M, 20 * M, 30 * M, 0), 970 * M);
    CHECK_EQ(limit_goal(1000 * M, UINT64_MAX, 0, 0, 5), 5);
    CHECK_EQ(limit_goal(1000 * M, M, UINT64_MAX, UINT64_MAX, 5), 970 * M);
}

// ---- workers ------------------------------------------------------------------------------------

static struct pacer started(int procs, enum pacer_kind kind)
{
    struct pacer p = pacer_with(8 * M, 0);
    struct pacer_now now = now_with(12 * M);
    (void)pacer_start_cycle(&p, &now, procs, kind);
    CHECK(pacer_fault(&p) == NULL);
    CHECK_EQ(p.triggered, 12 * M);
    return p;
}

TEST(a_quarter_of_the_ps_marks)
{
    static const struct {
        int procs, dedicated;
        double fractional;
    } want[] = { { 1, 0, 0.25 },    { 2, 0, 0.25 }, { 3, 0, 0.25 }, { 4, 1, 0 },  { 5, 1, 0 },
                 { 6, 1, 0.5 / 6 }, { 7, 2, 0 },    { 8, 2, 0 },    { 12, 3, 0 }, { 256, 64, 0 } };
    for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct pacer p = started(want[i].procs, PACER_CYCLE);
        CHECK_EQ(p.dedicated, want[i].dedicated);
        CHECK_EQ(p.idle_max, want[i].procs - want[i].dedicated);
        CHECK(fabs(p.fractional - want[i].fractional) < 1e-12);
    }
    for (int procs = 1; procs <= 256; procs++) {
        struct pacer p = started(procs, PACER_CYCLE);
        double share = (p.dedicated + p.fractional * procs) / procs;
        CHECK(share >= 0.25 * 0.7 && share <= 0.25 * 1.3);
    }
}

TEST(periodic_cycles_leave_idle_ps_alone)
{
    CHECK_EQ(started(8, PACER_PERIODIC).idle_max, 0);
    CHECK_EQ(started(2, PACER_PERIODIC).idle_max, 1); // fractional workers alone may never run
    struct pacer p = started(6, PACER_ALL_MARK);
    CHECK_EQ(p.dedicated, 6);
    CHECK_EQ(p.idle_max, 0);
    CHECK(p.fractional == 0);
}

// In the middle of a cycle: as if it had begun with that number.
TEST(another_number_of_ps_shares_anew)
{
    for (int kind = PACER_CYCLE; kind <= PACER_ALL_MARK; kind++) {
        struct pacer p = started(8, (enum pacer_kind)kind);
        for (int procs = 1; procs <= 64; procs++) {
            struct pacer other = started(procs, (enum pacer_kind)kind);
            pacer_set_procs(&p, procs);
            CHECK(pacer_fault(&p) == NULL);
            CHECK_EQ(p.dedicated, other.dedicated);
            CHECK_EQ(p.idle_max, other.idle_max);
            CHECK(p.fractional == other.fractional);
            CHECK_EQ(p.triggered, other.triggered);
        }
    }
}

TEST(fractional_workers_keep_to_their_share)
{
    struct pacer p = started(2, PACER_CYCLE);
    CHECK(pacer_fractional_due(&p, 0, 0));
    CHECK(pacer_fractional_due(&p, 250, 1000));
    CHECK(!pacer_fractional_due(&p, 251, 1000));
    CHECK(!pacer_fractional_over(&p, 300, 1000));
    CHECK(pacer_fractional_over(&p, 301, 1000));
    CHECK(pacer_fractional_over(&p, 0, 0));
    p = started(8, PACER_CYCLE);
    CHECK(!pacer_fractional_due(&p, 0, 0));
    CHECK(!pacer_fractional_due(&p, 0, 1000));
}

// ---- assists: marked 100 MB, goal 200, triggered at 190 -----------------------------------------

static struct pacer_assist revise(const struct pacer *p, uint64_t live, uint64_t scannable,
                                  uint64_t done)
{
    struct pacer_now now = now_with(live);
    struct scan_work work = { .heap = done };
    now.scannable = scannable;
    return pacer_revise(p, &now, &work);
}

static struct pacer in_cycle(void)
{
    struct pacer p = pacer_with(100 * M, 0.05);
    struct pacer_now now = now_with(190 * M);
    struct pacer_assist a = pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
    NEAR(a.work_per_byte, 100.0 / 10);
    NEAR(a.bytes_per_work, 10.0 / 100);
    return p;
}

TEST(the_ratio_is_work_left_over_heap_left)
{
    struct pacer p = in_cycle();
    NEAR(revise(&p, 195 * M, 190 * M, 50 * M).work_per_byte, 50.0 / 5);
    NEAR(revise(&p, 199 * M, 190 * M, 0).work_per_byte, 100);
    NEAR(revise(&p, 195 * M, 190 * M, 100 * M).work_per_byte, 1000.0 / (5 * M));
    // All kinds of work count, done and expected.
    struct pacer_now now = now_with(195 * M);
    struct scan_work work = { 10 * M, 20 * M, 30 * M };
    now.globals = 30 * M;
    p.last.stacks = 20 * M;
    NEAR(pacer_revise(&p, &now, &work).work_per_byte, 90.0 / 5);
}

// More to scan than expected: the goal moves with the worst case, and the ratio stays.
TEST(a_grown_heap_moves_the_goal)
{
    struct pacer p = in_cycle();
    // Worst 150 MB: runway 15 instead of 10; 11 of it is used, 110 done: 40 in 4.
    NEAR(revise(&p, 201 * M, 150 * M, 110 * M).work_per_byte, 40.0 / 4);
    // The stacks' worst case counts.
    struct pacer_now now = now_with(201 * M);
    struct scan_work work = { .heap = 110 * M };
    now.scannable = 100 * M;
    now.stacks = 50 * M;
    NEAR(pacer_revise(&p, &now, &work).work_per_byte, 40.0 / 4);
}

TEST(the_hard_goal_bounds_it)
{
    struct pacer p = in_cycle();
    // Worst 100 times as much: 1190 MB, but no more than 200 + 100 percent.
    NEAR(revise(&p, 300 * M, 10000 * M, 110 * M).work_per_byte, 9890.0 / 100);
    (void)pacer_set_percent(&p, 50);
    NEAR(revise(&p, 290 * M, 10000 * M, 110 * M).work_per_byte, 9890.0 / 10);
}

TEST(past_the_goal_there_is_a_tenth)
{
    struct pacer p = in_cycle();
    // Not more than expected was scanned, but the goal is passed: the worst case, by 220 MB.
    NEAR(revise(&p, 210 * M, 190 * M, 90 * M).work_per_byte, 100.0 / 10);
    // Past that, too: everything for each byte.
    NEAR(revise(&p, 230 * M, 190 * M, 90 * M).work_per_byte, 100.0 * M);
    // And never nothing.
    NEAR(revise(&p, 230 * M, 190 * M, 500 * M).work_per_byte, 1000);
}

TEST(a_forced_cycle_when_off_is_not_in_a_hurry)
{
    struct pacer p = pacer_with(100 * M, 0.05);
    struct pacer_now now = now_with(150 * M);
    (void)pacer_set_percent(&p, -1);
    pacer_commit(&p, &now, true);
    struct pacer_assist a = pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
    CHECK(a.work_per_byte > 0 && a.work_per_byte < 1e-6);
    a = revise(&p, 150 * M, 1000 * M, 200 * M);
    CHECK(a.work_per_byte > 0 && a.work_per_byte < 1e-6);
}

// Off, with a limit that is near: what has grown is borne as with a high percentage.
TEST(a_limit_alone_has_no_hard_goal)
{
    struct pacer p = pacer_with(100 * M, 0.05);
    struct pacer_now now = now_with(190 * M);
    struct scan_work work = { .heap = 110 * M };
    (void)pacer_set_percent(&p, -1);
    pacer_commit(&p, &now, true);
    now.limit_goal = 200 * M;
    (void)pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
    now.live = 201 * M;
    now.scannable = 150 * M;
    NEAR(pacer_revise(&p, &now, &work).work_per_byte, 40.0 / 4);
}

TEST(a_limit_already_passed_asks_for_everything)
{
    struct pacer p = pacer_with(100 * M, 0.05);
    struct pacer_now now = now_with(120 * M);
    now.limit_goal = 100 * M;
    (void)pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
    struct scan_work work = { .heap = 110 * M };
    NEAR(pacer_revise(&p, &now, &work).work_per_byte, 10.0 * M); // 120 - 110 left, 1 byte to go
}

TEST(an_empty_heap_divides_by_nothing)
{
    struct pacer p = pacer_with(0, 0);
    struct pacer_now now = now_with(0);
    struct pacer_assist a = pacer_start_cycle(&p, &now, 1, PACER_CYCLE);
    NEAR(a.work_per_byte, 1000.0 / (4 * M));
    a = revise(&p, 0, 0, 1); // more than the expected 0
    CHECK(a.work_per_byte > 0 && isfinite(a.work_per_byte) && isfinite(a.bytes_per_work));
}

TEST(assists_do_some_in_advance)
{
    struct pacer_assist a = { 2.0, 0.5 };
    struct pacer_debt d = pacer_assist_for(a, 100);
    CHECK_EQ(d.work, PACER_OVER_ASSIST);
    CHECK_EQ(d.bytes, PACER_OVER_ASSIST / 2 + 1);
    d = pacer_assist_for(a, 1 << 20);
    CHECK_EQ(d.work, 2 << 20);
    CHECK_EQ(d.bytes, 1 << 20);
    CHECK_EQ(pacer_paid(a, 0), 0);
    CHECK_EQ(pacer_paid((struct pacer_assist){ 1e9, 1e-9 }, 1), 1);
    // A torn ratio never leaves the debt unpaid.
    d = pacer_assist_for((struct pacer_assist){ 0.001, 0.001 }, 1 << 20);
    CHECK_GE(d.bytes, 1 << 20);
}

// ---- what a cycle teaches -----------------------------------------------------------------------

// 8 Ps for 10 ms; 8 MB allocated while 64 MB were scanned.
static struct pacer_cycle cycle_with(int64_t assist, int64_t idle)
{
    return (struct pacer_cycle){ .procs = 8,
                                 .duration = 10000000,
                                 .assist = assist,
                                 .idle = idle,
                                 .work = { 50 * M, 10 * M, 4 * M },
                                 .live = 128 * M,
                                 .marked = 90 * M,
                                 .globals = 4 * M,
                                 .limit_goal = PACER_OFF };
}

static struct pacer ended(struct pacer_cycle c, struct pacer_report *r)
{
    struct pacer p = pacer_with(64 * M, 0);
    struct pacer_now now = now_with(120 * M);
    (void)pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
    pacer_end_cycle(&p, &c, r);
    CHECK(p.triggered == PACER_OFF);
    CHECK_EQ(p.marked, c.marked);
    CHECK_EQ(p.last.stacks, c.work.stacks);
    return p;
}

TEST(the_ratio_is_measured)
{
    // 8 MB by 3/4 of the CPU, 64 MB by 1/4.
    NEAR(ended(cycle_with(0, 0), NULL).cons_mark, (8 / 0.75) / (64 / 0.25));
    // Assists for another quarter.
    NEAR(ended(cycle_with(20000000, 0), NULL).cons_mark, (8 / 0.5) / (64 / 0.5));
    // Idle workers for another quarter: more CPU scanned, none taken from the program.
    NEAR(ended(cycle_with(0, 20000000), NULL).cons_mark, (8 / 0.75) / (64 / 0.5));
    // All CPU time, and more, by assists: the ratio stays finite.
    double most = ended(cycle_with(800000000, 0), NULL).cons_mark;
    CHECK(isfinite(most) && most > 10);
}

TEST(a_cycle_that_tells_nothing_teaches_nothing)
{
    struct pacer_cycle c = cycle_with(0, 0);
    c.live = 120 * M;
    CHECK(ended(c, NULL).cons_mark == 0);
    c = cycle_with(0, 0);
    c.work = (struct scan_work){ 0, 0, 0 };
    CHECK(ended(c, NULL).cons_mark == 0);
    c = cycle_with(1000, 1000);
    c.duration = 0; // a clock that did not move
    NEAR(ended(c, NULL).cons_mark, (8 / 0.75) / (64 / 0.25));
}

TEST(a_cycle_in_one_stop_needs_no_runway)
{
    struct pacer p = pacer_with(64 * M, 0);
    struct pacer_now now = now_with(120 * M);
    for (int i = 0; i < 6; i++) {
        struct pacer_cycle c = cycle_with(0, 0);
        c.in_one_stop = i != 0;
        if (c.in_one_stop) c.live = 120 * M;
        (void)pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
        pacer_end_cycle(&p, &c, NULL);
        CHECK((p.cons_mark != 0) == (i < 5)); // the largest of five counts
    }
}

TEST(the_largest_of_five_counts)
{
    struct pacer p = pacer_with(64 * M, 0);
    struct pacer_now now = now_with(120 * M);
    double first = 0;
    for (int i = 0; i < 7; i++) {
        struct pacer_cycle c = cycle_with(0, 0);
        if (i == 0) c.live = 150 * M;
        (void)pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
        pacer_end_cycle(&p, &c, NULL);
        if (i == 0) first = p.cons_mark;
        NEAR(p.cons_mark, i < 5 ? first : first * 8 / 30);
        CHECK(pacer_fault(&p) == NULL || p.percent_goal < p.marked);
    }
}

TEST(the_last_goal_is_kept)
{
    struct pacer p = ended(cycle_with(0, 0), NULL);
    CHECK_EQ(p.last_goal, 128 * M);
}

// ---- the trace ----------------------------------------------------------------------------------

TEST(the_trace_reads_as_the_original)
{
    char line[PACER_LINE];
    struct pacer p = pacer_with(100 * M, 0.05);
    struct pacer_now now = now_with(190 * M);
    struct pacer_assist a = pacer_start_cycle(&p, &now, 6, PACER_CYCLE);
    CHECK_LT(pacer_format_start(line, sizeof line, &p, &now, a), sizeof line);
    CHECK_STR_EQ(line, "pacer: assist ratio=+1.000000e+001 (scan 190 MB in 190->200 MB) "
                       "workers=1++8.333333e-002\n");
    struct pacer_report r = { .utilization = 0.31,
                              .work = { 1, 22, 333 },
                              .expected = 4444,
                              .triggered = 100,
                              .live = 250,
                              .goal = 200,
                              .cons_mark = 0.5 };
    CHECK_LT(pacer_format_end(line, sizeof line, &r), sizeof line);
    CHECK_STR_EQ(line, "pacer: 31% CPU (25 exp.) for 1+22+333 B work (4444 B exp.) "
                       "in 100 B -> 250 B (∆goal 50, cons/mark +5.000000e-001)\n");
}

TEST(the_trace_of_extremes)
{
    static const struct {
        double x;
        const char *text;
    } numbers[] = { { 0, "+0.000000e+000" },
                    { 9.9999996, "+1.000000e+001" },
                    { 1e-7, "+1.000000e-007" },
                    { -12345.678, "-1.234568e+004" },
                    { INFINITY, "+Inf" },
                    { -INFINITY, "-Inf" },
                    { NAN, "NaN" },
                    { 1.5e300, "+1.500000e+300" } };
    char line[PACER_LINE];
    struct pacer_report r = { .goal = UINT64_MAX,
                              .live = UINT64_MAX,
                              .triggered = UINT64_MAX,
                              .expected = UINT64_MAX,
                              .work = { UINT64_MAX, UINT64_MAX, UINT64_MAX } };
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        r.cons_mark = numbers[i].x;
        CHECK_LT(pacer_format_end(line, sizeof line, &r), sizeof line);
        CHECK_STR_HAS(line, numbers[i].text);
    }
}

TEST(the_report_tells_what_was_expected)
{
    struct pacer_report r;
    struct pacer p = pacer_with(64 * M, 0.25);
    struct pacer_now now = now_with(120 * M);
    struct pacer_cycle c = cycle_with(20000000, 0);
    (void)pacer_start_cycle(&p, &now, 8, PACER_CYCLE);
    pacer_end_cycle(&p, &c, &r);
    NEAR(r.utilization, 0.5);
    NEAR(r.cons_mark, 0.25);
    CHECK_EQ(r.expected, 68 * M);
    CHECK_EQ(r.triggered, 120 * M);
    CHECK_EQ(r.live, 128 * M);
    CHECK_EQ(r.goal, 128 * M);
}

TEST(faults_are_found)
{
    struct pacer p = pacer_with(64 * M, 0.25);
    CHECK(pacer_fault(&p) == NULL);
    p.percent_goal = M;
    CHECK(pacer_fault(&p) != NULL);
    p = pacer_with(64 * M, 0.25);
    p.cons_mark = NAN;
    CHECK(pacer_fault(&p) != NULL);
}

int main(void)
{
    RUN(the_goal_counts_stacks_and_globals);
    RUN(the_runway_follows_the_ratio);
    RUN(the_trigger_is_clamped);
    RUN(an_unfinished_sweep_has_some_distance);
    RUN(who_triggers_late_still_has_runway);
    RUN(off_and_zero);
    RUN(sums_saturate);
    RUN(a_limit_leaves_room_for_what_is_not_heap);
    RUN(a_limit_with_little_in_it);
    RUN(a_quarter_of_the_ps_marks);
    RUN(periodic_cycles_leave_idle_ps_alone);
    RUN(another_number_of_ps_shares_anew);
    RUN(fractional_workers_keep_to_their_share);
    RUN(the_ratio_is_work_left_over_heap_left);
    RUN(a_grown_heap_moves_the_goal);
    RUN(the_hard_goal_bounds_it);
    RUN(past_the_goal_there_is_a_tenth);
    RUN(a_forced_cycle_when_off_is_not_in_a_hurry);
    RUN(a_limit_alone_has_no_hard_goal);
    RUN(a_limit_already_passed_asks_for_everything);
    RUN(an_empty_heap_divides_by_nothing);
    RUN(assists_do_some_in_advance);
    RUN(the_ratio_is_measured);
    RUN(a_cycle_that_tells_nothing_teaches_nothing);
    RUN(a_cycle_in_one_stop_needs_no_runway);
    RUN(the_largest_of_five_counts);
    RUN(the_last_goal_is_kept);
    RUN(the_trace_reads_as_the_original);
    RUN(the_trace_of_extremes);
    RUN(the_report_tells_what_was_expected);
    RUN(faults_are_found);
    return 0;
}
