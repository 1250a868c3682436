// Durations fall into the bucket whose bounds hold them, at every scale.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "diag/histogram.h"

#include <math.h>

#include "test.h"

static struct histogram h;

static void check_place(int64_t ns)
{
    const double *bounds = histogram_bounds();
    unsigned i = histogram_bucket(ns);
    CHECK_LT(i, HISTOGRAM_BUCKETS);
    CHECK(bounds[i] <= (double)ns / 1e9);
    CHECK((double)ns / 1e9 < bounds[i + 1]);
}

TEST(bounds_rise)
{
    const double *bounds = histogram_bounds();
    CHECK(bounds[0] == 0);
    CHECK(isinf(bounds[HISTOGRAM_BUCKETS]));
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        CHECK(bounds[i] < bounds[i + 1]);
}

TEST(samples_lie_within_their_bounds)
{
    uint64_t state = test_seed();
    for (unsigned shift = 0; shift < 40; shift++) {
        check_place((int64_t)1 << shift);
        check_place(((int64_t)1 << shift) + 1);
        if (shift > 0) check_place(((int64_t)1 << shift) - 1);
        for (int i = 0; i < 100; i++)
            check_place((int64_t)(test_random(&state) >> (24 + shift % 40)));
    }
}

TEST(buckets_are_narrow)
{
    const double *bounds = histogram_bounds();
    for (unsigned i = 1; i + 1 < HISTOGRAM_BUCKETS; i++)
        CHECK(bounds[i + 1] / bounds[i] <= 1 + 1.0 / HISTOGRAM_PARTS + 1e-9);
}

TEST(counts)
{
    histogram_add(&h, -5);
    histogram_add(&h, 0);
    histogram_add(&h, 1000);
    histogram_add(&h, INT64_MAX);
    CHECK_EQ(histogram_total(&h), 4);
    CHECK_EQ(h.count[0], 2);
    CHECK_EQ(h.count[histogram_bucket(1000)], 1);
    CHECK_EQ(h.count[HISTOGRAM_BUCKETS - 1], 1);
}

int main(void)
{
    RUN(bounds_rise);
    RUN(samples_lie_within_their_bounds);
    RUN(buckets_are_narrow);
    RUN(counts);
    return 0;
}
