/* A histogram of times with a relative error of 3 %: 32 buckets for each power of two.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_HISTOGRAM_H
#define KV_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_POWERS 40 /* up to 2^40 ns, 18 minutes; longer ones count as that */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_POWERS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* Pointer-free. */
typedef struct histogram {
    uint64_t count;
    int64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, int64_t ns);
void histogram_merge(histogram *into, const histogram *from);

/* The time that the fraction q (0 to 1) of all samples do not exceed; 0 without samples. */
int64_t histogram_quantile(const histogram *h, double q);

#endif
