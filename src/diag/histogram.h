/* Histograms of durations: log-linear buckets, counted without locks.
 *
 * Each power of two of nanoseconds from 2^HISTOGRAM_FIRST is cut into HISTOGRAM_PARTS equal parts:
 * a sample is known to within 1/HISTOGRAM_PARTS of itself.  Below and above lies one bucket each.
 *
 * Answers to: histogram.go (4 parts there).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_HISTOGRAM_H
#define GORT_DIAG_HISTOGRAM_H

#include "base/config.h"

#define HISTOGRAM_PART_BITS 3
#define HISTOGRAM_PARTS (1u << HISTOGRAM_PART_BITS)
#define HISTOGRAM_FIRST 7 /* below 128 ns: the first bucket */
#define HISTOGRAM_LAST 37 /* from 137 s on: the last bucket */
#define HISTOGRAM_BUCKETS (2 + (HISTOGRAM_LAST - HISTOGRAM_FIRST) * HISTOGRAM_PARTS)

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS]; /* atomic, relaxed */
};

/* Counts one sample; negative ones (a clock that jumped) count as 0. */
void histogram_add(struct histogram *h, int64_t ns);
/* HISTOGRAM_BUCKETS + 1 bounds in seconds, from 0 to infinity; bucket i is [bounds[i],
 * bounds[i + 1]). */
const double *histogram_bounds(void);
uint64_t histogram_total(const struct histogram *h);
/* The bucket of a duration. */
unsigned histogram_bucket(int64_t ns);

#endif
