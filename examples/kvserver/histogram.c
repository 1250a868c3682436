/* Times by powers of two; see histogram.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "histogram.h"

#define SUB_COUNT (1 << HISTOGRAM_SUB_BITS)

/* The first SUB_COUNT buckets hold one value each; from there each power of two has SUB_COUNT. */
static unsigned bucket_of(uint64_t v)
{
    if (v < SUB_COUNT) return (unsigned)v;
    unsigned power = 63u - (unsigned)__builtin_clzll(v);
    if (power >= HISTOGRAM_POWERS) return HISTOGRAM_BUCKETS - 1;
    unsigned shift = power - HISTOGRAM_SUB_BITS;
    return ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)(v >> shift) - SUB_COUNT;
}

/* The largest value that belongs to the bucket. */
static int64_t bucket_top(unsigned bucket)
{
    if (bucket < SUB_COUNT) return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t first = (uint64_t)(SUB_COUNT + bucket % SUB_COUNT) << shift;
    return (int64_t)(first + ((uint64_t)1 << shift) - 1);
}

void histogram_add(histogram *h, int64_t ns)
{
    if (ns < 0) ns = 0;
    h->count++;
    h->buckets[bucket_of((uint64_t)ns)]++;
    if (ns > h->max) h->max = ns;
}

void histogram_merge(histogram *into, const histogram *from)
{
    into->count += from->count;
    if (from->max > into->max) into->max = from->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

int64_t histogram_quantile(const histogram *h, double q)
{
    uint64_t rank = (uint64_t)(q * (double)h->count), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > rank) {
            int64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}
