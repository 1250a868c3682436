// The scavenger's policy: goals, and a budget under a simulated clock.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/scavenger.h"

#include "../../test.h"
#include "gc/pacer.h"
#include "heap/scavenge.h"

#define US ((int64_t)1000)
#define MS (1000 * US)
#define S (1000 * MS)

TEST(retained_goal)
{
    // Nothing is known before the first cycle.
    CHECK_EQ(scavenger_retained_goal(100 * MB, 200 * MB, 0), SCAV_NONE);
    // A steady heap: what it used, and a tenth.
    CHECK_EQ(scavenger_retained_goal(100 * MB, 200 * MB, 200 * MB), 110 * MB);
    // It is about to double, or to halve.
    CHECK_EQ(scavenger_retained_goal(100 * MB, 200 * MB, 100 * MB), 220 * MB);
    CHECK_EQ(scavenger_retained_goal(100 * MB, 50 * MB, 100 * MB), 55 * MB);
    // Collections are off, were off, or are off no more: there is no proportion.
    CHECK_EQ(scavenger_retained_goal(100 * MB, PACER_OFF, 100 * MB), 110 * MB);
    CHECK_EQ(scavenger_retained_goal(100 * MB, 100 * MB, PACER_OFF), 110 * MB);
    CHECK_EQ(scavenger_retained_goal(100 * MB, PACER_OFF, PACER_OFF), 110 * MB);
    /* As much as the least heap may take is kept in any case, and less only if the goal is less. */
    CHECK_EQ(scavenger_retained_goal(0, 4 * MB, 4 * MB), 4 * MB * 110 / 100);
    CHECK_EQ(scavenger_retained_goal(2 * MB, 100 * MB, 100 * MB), 4 * MB * 110 / 100);
    CHECK_EQ(scavenger_retained_goal(0, PACER_OFF, 4 * MB), 4 * MB * 110 / 100);
    CHECK_EQ(scavenger_retained_goal(0, 1 * MB, 1 * MB), 1 * MB * 110 / 100);
    // It saturates.
    CHECK_EQ(scavenger_retained_goal(UINT64_MAX / 2, UINT64_MAX - 1, 1), UINT64_MAX);
}

TEST(steady_goal)
{
    // It rises at once, and falls to at most 8 MB, or half, above what is expected.
    CHECK_EQ(scavenger_steady_goal(22 * MB, 12 * MB), 22 * MB);
    CHECK_EQ(scavenger_steady_goal(22 * MB, 28 * MB), 28 * MB);
    CHECK_EQ(scavenger_steady_goal(22 * MB, 29 * MB), 28 * MB);
    CHECK_EQ(scavenger_steady_goal(22 * MB, 1000 * MB), 28 * MB);
    CHECK_EQ(scavenger_steady_goal(44 * MB, 1000 * MB), 48 * MB);
    CHECK_EQ(scavenger_steady_goal(11 * KB, 1 * MB), 11 * KB + 11 * KB / 2 - 1 * KB);
    // A large heap has a tenth.
    CHECK_EQ(scavenger_steady_goal(88 * MB, 1000 * MB), 88 * MB);
    CHECK_EQ(scavenger_steady_goal(880 * MB, 881 * MB), 880 * MB);
    CHECK_EQ(scavenger_steady_goal(0, 1), 0);
    // Before the first cycle, and after it.
    CHECK_EQ(scavenger_steady_goal(SCAV_NONE, SCAV_NONE), SCAV_NONE);
    CHECK_EQ(scavenger_steady_goal(SCAV_NONE, 4 * MB), SCAV_NONE);
    CHECK_EQ(scavenger_steady_goal(44 * MB, SCAV_NONE), 48 * MB);
}

TEST(background_goal)
{
    CHECK_EQ(scavenger_background_goal(SCAV_NONE), SCAV_NONE);
    CHECK_EQ(scavenger_background_goal(0), 0);
    CHECK_EQ(scavenger_background_goal(100 * MB), 95 * MB);
    CHECK_EQ(scavenger_background_goal(INT64_MAX), (uint64_t)INT64_MAX / 20 * 19 + 7 * 19 / 20);
}

TEST(runway)
{
    CHECK_EQ(scavenger_runway(0), 1 * MB);
    CHECK_EQ(scavenger_runway(8 * MB), 1 * MB);
    CHECK_EQ(scavenger_runway(800 * MB), 100 * MB);
}

// The goroutine's life: work without end, steps of random cost, woken by a monitor that looks every
// `tick` ns.  Returns the share of all CPU time that it took.
static double simulate(int procs, int64_t tick, int64_t duration, int64_t *longest)
{
    uint64_t seed = test_seed();
    struct scavenger_budget b = { 0, 0 };
    const int64_t start = 5 * S;
    int64_t now = start, worked = 0, due = 0, turns = 0;
    *longest = 0;
    scavenger_earn(&b, now, procs);
    CHECK_EQ(b.credit, 0);
    while (now < start + duration) {
        now += tick;
        if (now < due) continue;
        scavenger_earn(&b, now, procs);
        int64_t spent = 0;
        while (spent < b.credit)
            spent += 5 * US + (int64_t)(test_random(&seed) % (100 * (uint64_t)US));
        if (spent != 0) turns++;
        scavenger_spend(&b, spent);
        due = scavenger_next(&b, procs);
        CHECK_GE(due, now);
        worked += spent;
        now += spent;
        if (spent > *longest) *longest = spent;
    }
    // A turn is worth its wake-up.
    if (turns > 10) CHECK_GE(worked / turns, SCAVENGER_LEAST_NS * 9 / 10);
    return (double)worked / (double)(now - start) / procs;
}

TEST(one_percent)
{
    static const int procs[] = { 1, 2, 16, 256 };
    static const int64_t ticks[] = { 20 * US, 5 * MS, 100 * MS, 1 * S };
    for (size_t p = 0; p < array_len(procs); p++)
        for (size_t t = 0; t < array_len(ticks); t++) {
            int64_t longest;
            double share = simulate(procs[p], ticks[t], 100 * S, &longest);
            // Never more, but for a step; and all of it, for no tick is longer than what can be
            // saved up, unless one goroutine is too few.
            CHECK(share <= 0.0101);
            if (procs[p] <= 16) CHECK(share >= (ticks[t] == 1 * S ? 0.0085 : 0.0095));
            CHECK_LE(longest, SCAVENGER_MOST_NS * procs[p] + 105 * US);
        }
}

// What was saved up is bounded, and time that a turn took beyond its credit is owed.
TEST(credit)
{
    struct scavenger_budget b = { 0, 0 };
    scavenger_earn(&b, 1 * S, 2);
    CHECK_EQ(b.credit, 0);
    scavenger_earn(&b, 1 * S + 100 * MS, 2);
    CHECK_EQ(b.credit, 2 * MS);
    CHECK_EQ(scavenger_next(&b, 2), 1 * S + 100 * MS);
    scavenger_earn(&b, 3600 * S, 2);
    CHECK_EQ(b.credit, 2 * SCAVENGER_MOST_NS);
    scavenger_earn(&b, INT64_MAX, 256);
    CHECK_EQ(b.credit, 256 * SCAVENGER_MOST_NS);
    struct scavenger_budget c = { 1 * MS, 10 * S };
    scavenger_spend(&c, 5 * MS);
    CHECK_EQ(c.credit, -4 * MS);
    CHECK_EQ(scavenger_next(&c, 1), 10 * S + 500 * MS);
    CHECK_EQ(scavenger_next(&c, 2), 10 * S + 250 * MS);
    scavenger_earn(&c, 10 * S + 250 * MS, 2);
    CHECK_EQ(c.credit, 1 * MS);
}

int main(void)
{
    RUN(retained_goal);
    RUN(steady_goal);
    RUN(background_goal);
    RUN(runway);
    RUN(one_percent);
    RUN(credit);
    return 0;
}
