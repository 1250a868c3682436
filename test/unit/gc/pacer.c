// The pacer's arithmetic, and what it does to simulated heaps.
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/pacer.h"

#include "../../test.h"

static struct pacer_output pace(uint64_t marked, uint64_t stacks, uint64_t globals, int percent)
{
    struct pacer_input in = { marked, stacks, globals, percent };
    struct pacer_output out = pacer_compute(&in);
    CHECK(out.trigger <= out.goal);
    return out;
}

TEST(a_small_heap_has_the_minimum)
{
    CHECK_EQ(pace(0, 0, 0, 100).goal, 4 << 20);
    CHECK_EQ(pace(1 << 20, 0, 0, 100).goal, 4 << 20);
    CHECK_EQ(pace(0, 0, 0, 50).goal, 2 << 20);
    CHECK_EQ(pace(0, 0, 0, 400).goal, 16 << 20);
}

TEST(the_goal_is_in_proportion)
{
    CHECK_EQ(pace(100 << 20, 0, 0, 100).goal, 200 << 20);
    CHECK_EQ(pace(100 << 20, 0, 0, 50).goal, 150 << 20);
    CHECK_EQ(pace(100 << 20, 10 << 20, 30 << 20, 100).goal, 240 << 20);
    CHECK_EQ(pace(100 << 20, 10 << 20, 30 << 20, 100).trigger, 240 << 20);
}

TEST(off_is_off)
{
    CHECK(pace(1 << 20, 0, 0, -1).goal == PACER_OFF);
    CHECK(pace(1 << 20, 0, 0, -1).trigger == PACER_OFF);
    CHECK(pace(UINT64_MAX, 0, 0, -5).trigger == PACER_OFF);
}

TEST(there_is_always_some_runway)
{
    static const uint64_t sizes[] = { 0, 1, 1 << 16, 1 << 24, UINT64_C(1) << 40 };
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int percent = 0; percent <= 2; percent++)
            CHECK(pace(sizes[i], 0, 0, percent).trigger >= sizes[i] + PACER_MIN_RUNWAY);
}

TEST(sums_saturate)
{
    CHECK(pace(UINT64_MAX, UINT64_MAX, UINT64_MAX, 1000000).goal == PACER_OFF);
    CHECK(pace(UINT64_MAX - 1, 0, 0, 100).goal == PACER_OFF);
    CHECK(pace(UINT64_C(1) << 62, 0, 0, 1 << 30).goal == PACER_OFF);
}

// A program that allocates `rate` bytes at a time with `live` bytes alive: cycles until it has
// allocated `total`.
static uint64_t cycles(uint64_t live, uint64_t rate, uint64_t total, int percent)
{
    uint64_t heap = 0, n = 0;
    struct pacer_output out = pace(0, 0, 0, percent);
    for (uint64_t done = 0; done < total; done += rate) {
        heap += rate;
        if (heap < out.trigger) continue;
        CHECK(heap < out.goal + rate);
        n++;
        heap = heap < live ? heap : live;
        out = pace(heap, 0, 0, percent);
    }
    return n;
}

TEST(steady_heaps_pay_once_per_their_size)
{
    // 100 percent: one cycle per `live` bytes allocated.
    uint64_t n = cycles(64 << 20, 4096, UINT64_C(64) << 26, 100);
    CHECK_GE(n, 60);
    CHECK_LE(n, 68);
    // Half the percentage, twice the cycles.
    n = cycles(64 << 20, 4096, UINT64_C(64) << 26, 50);
    CHECK_GE(n, 122);
    CHECK_LE(n, 136);
    CHECK_EQ(cycles(64 << 20, 4096, UINT64_C(64) << 26, -1), 0);
}

int main(void)
{
    RUN(a_small_heap_has_the_minimum);
    RUN(the_goal_is_in_proportion);
    RUN(off_is_off);
    RUN(there_is_always_some_runway);
    RUN(sums_saturate);
    RUN(steady_heaps_pay_once_per_their_size);
    return 0;
}
