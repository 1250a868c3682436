// Random numbers: repeatable, spread evenly, streams apart.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/random.h"

#include "test.h"

// Pearson's statistic of `buckets` counts that should be equal.
static double chi_square(const int64_t *count, int buckets, int64_t total)
{
    double expected = (double)total / buckets, sum = 0;
    for (int i = 0; i < buckets; i++)
        sum += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
    return sum;
}

TEST(below_is_uniform)
{
    static const uint32_t bounds[] = { 2, 3, 7, 10, 64, 100 };
    struct random r;
    random_set_process_seed(test_seed());
    random_init(&r, 0);
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        int64_t count[100] = { 0 }, total = 200000;
        for (int64_t i = 0; i < total; i++) {
            uint32_t v = random_below(&r, bounds[b]);
            CHECK_LT(v, bounds[b]);
            count[v]++;
        }
        // Mean bounds - 1, deviation sqrt(2 (bounds - 1)): ten deviations never happen.
        double freedom = bounds[b] - 1;
        CHECK(chi_square(count, (int)bounds[b], total) < freedom + 10 * (2 * freedom + 2));
    }
    CHECK_EQ(random_below(&r, 1), 0u);
}

TEST(every_bit_moves)
{
    struct random r;
    int64_t ones[64] = { 0 }, n = 100000;
    random_init(&r, 1);
    for (int64_t i = 0; i < n; i++) {
        uint64_t v = random_next(&r);
        for (int b = 0; b < 64; b++)
            ones[b] += (v >> b) & 1;
    }
    for (int b = 0; b < 64; b++)
        CHECK(ones[b] > n * 48 / 100 && ones[b] < n * 52 / 100);
}

TEST(seed_repeats_and_streams_differ)
{
    enum { STREAMS = 300, VALUES = 4 };
    static uint64_t seen[STREAMS][VALUES];
    for (int pass = 0; pass < 2; pass++) {
        random_set_process_seed(42);
        CHECK_EQ(random_process_seed(), 42u);
        for (int s = 0; s < STREAMS; s++) {
            struct random r;
            random_init(&r, (uint64_t)s);
            for (int i = 0; i < VALUES; i++) {
                uint64_t v = random_next(&r);
                CHECK(pass == 0 || seen[s][i] == v);
                seen[s][i] = v;
            }
        }
    }
    for (int a = 0; a < STREAMS; a++)
        for (int b = 0; b < a; b++)
            CHECK(seen[a][0] != seen[b][0]);
    struct random r;
    random_set_process_seed(43);
    random_init(&r, 0);
    CHECK(random_next(&r) != seen[0][0]);
}

int main(void)
{
    RUN(below_is_uniform);
    RUN(every_bit_moves);
    RUN(seed_repeats_and_streams_differ);
    return 0;
}
