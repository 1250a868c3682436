/* Metrics: everything the runtime measures, by name, with Go's runtime/metrics names where the
 * thing is the same (such as /gc/cycles/total:gc-cycles).
 *
 * All calls work in any goroutine and do not park.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_METRICS_H
#define GORT_METRICS_H

#include <gort/base.h>

GORT_BEGIN_DECLS

typedef enum {
    GORT_METRIC_COUNTER = 1,  /* only grows */
    GORT_METRIC_GAUGE = 2,    /* the present state; may fall */
    GORT_METRIC_HISTOGRAM = 3 /* a distribution: read with gort_metric_histogram */
} gort_metric_kind;

typedef struct gort_metric {
    const char *name;        /* /path:unit, unique */
    const char *unit;        /* bytes, ns, objects, ... */
    const char *description; /* one sentence */
    gort_metric_kind kind;
    double value; /* as of the call of gort_metrics; of a histogram, how many samples it has */
} gort_metric;

/* Points *all at the table, in the order of names, and returns how many entries it has.  The table
 * lives as long as the process; each call refreshes its values, for all who read them, so values
 * of one entry may be newer than the call.  all may be NULL: only counts. */
GORT_API size_t gort_metrics(const gort_metric **all);

/* *value = the present value of the metric; of a histogram, how many samples it has.  Returns 0,
 * or -1 when there is no such name, with *value untouched. */
GORT_API int gort_metric_read(const char *name, double *value) GORT_NONNULL(1, 2);

/* The present distribution: *n buckets, bucket i counting in (*counts)[i] the samples from
 * (*bounds)[i], which it includes, to (*bounds)[i + 1]: there are *n + 1 bounds, the first and last
 * possibly infinite.  bounds live as long as the process; counts are a copy in collected memory.
 * Returns 0, or -1 when there is no histogram of that name, with nothing changed. */
GORT_API int gort_metric_histogram(const char *name, const double **bounds, const uint64_t **counts,
                                   size_t *n) GORT_NONNULL(1, 2, 3, 4);

GORT_END_DECLS

#endif
