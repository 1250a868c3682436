/* Histograms of durations: see histogram.h.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/histogram.h"

#include <math.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/unscanned.h"

static double bounds[HISTOGRAM_BUCKETS + 1]; /* constant once loaded */
UNSCANNED(bounds);

unsigned histogram_bucket(int64_t ns)
{
    if (ns < (int64_t)1 << HISTOGRAM_FIRST) return 0;
    unsigned power = 63 - (unsigned)__builtin_clzll((uint64_t)ns);
    if (power >= HISTOGRAM_LAST) return HISTOGRAM_BUCKETS - 1;
    unsigned part = (unsigned)(ns >> (power - HISTOGRAM_PART_BITS)) & (HISTOGRAM_PARTS - 1);
    return 1 + (power - HISTOGRAM_FIRST) * HISTOGRAM_PARTS + part;
}

void histogram_add(struct histogram *h, int64_t ns)
{
    atomic_fetch_add_relaxed(&h->count[histogram_bucket(ns)], 1);
}

uint64_t histogram_total(const struct histogram *h)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += atomic_load_relaxed(&h->count[i]);
    return sum;
}

/* Where bucket i begins, ns. */
static double bucket_begin(unsigned i)
{
    if (i == 0) return 0;
    unsigned power = HISTOGRAM_FIRST + (i - 1) / HISTOGRAM_PARTS;
    unsigned part = (i - 1) % HISTOGRAM_PARTS;
    return ldexp(1.0 + (double)part / HISTOGRAM_PARTS, (int)power);
}

__attribute__((__constructor__)) static void bounds_init(void)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        bounds[i] = bucket_begin(i) / 1e9;
    bounds[HISTOGRAM_BUCKETS] = INFINITY;
}

const double *histogram_bounds(void)
{
    return bounds;
}
