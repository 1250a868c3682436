/* The report; see report.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "report.h"

#include <math.h>
#include <string.h>

/* ---- Figures as people read them ---- */

typedef struct figure {
    char s[32];
} figure;

/* 1234567 as "1,234,567" */
static figure grouped(uint64_t v)
{
    figure plain, f;
    int n = snprintf(plain.s, sizeof(plain.s), "%llu", (unsigned long long)v), out = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) f.s[out++] = ',';
        f.s[out++] = plain.s[i];
    }
    f.s[out] = '\0';
    return f;
}

/* Three digits that matter, with their unit. */
static figure scaled(double v, double step, const char *const *units, int n)
{
    figure f;
    int unit = 0;
    while (unit < n - 1 && v >= step * 0.9995) {
        v /= step;
        unit++;
    }
    int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
    if (unit == 0) decimals = 0;
    snprintf(f.s, sizeof(f.s), "%.*f %s", decimals, v, units[unit]);
    return f;
}

static figure duration(double ns)
{
    static const char *const units[] = { "ns", "us", "ms", "s" };
    return scaled(ns, 1000, units, 4);
}

static figure bytes(uint64_t n)
{
    static const char *const units[] = { "B", "KB", "MB", "GB" };
    return scaled((double)n, 1024, units, 4);
}

/* ---- Lines ---- */

void report_second(int second, uint64_t operations)
{
    gort_stats s;
    gort_read_stats(&s);
    if (second == 1) printf("  second   operations/s   heap live   collections\n");
    printf("  %6d   %12s   %9s   %11llu\n", second, grouped(operations).s, bytes(s.heap_live).s,
           (unsigned long long)s.num_gc);
    fflush(stdout);
}

static void print_kinds(const load_totals *t)
{
    const char *separator = "";
    for (int i = 0; i < LOAD_KINDS; i++) {
        double share = 100.0 * (double)t->by_kind[i] / (double)(t->operations + !t->operations);
        printf("%s%s %.0f %%", separator, load_kind_names[i], share);
        separator = ", ";
    }
    printf("\n");
}

static void print_replies(const load_totals *t)
{
    if (t->wrong == 0 && t->failed == 0) {
        printf("  replies       %s, each one checked, all right\n", grouped(t->operations).s);
    } else {
        printf("  replies       %s, of which %s WRONG; %s connections broke\n",
               grouped(t->operations).s, grouped(t->wrong).s, grouped(t->failed).s);
    }
}

/* The upper bound, in nanoseconds, of the bucket that holds the median pause. */
static double median_pause(void)
{
    const double *bounds;
    const uint64_t *counts;
    size_t n;
    uint64_t total = 0, seen = 0;
    if (gort_metric_histogram("/sched/pauses/total/gc:seconds", &bounds, &counts, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        total += counts[i];
    }
    for (size_t i = 0; i < n; i++) {
        seen += counts[i];
        if (seen * 2 > total) return (isinf(bounds[i + 1]) ? bounds[i] : bounds[i + 1]) * 1e9;
    }
    return -1;
}

static void print_collections(const gort_stats *s)
{
    double median = median_pause();
    printf("  collections   %llu since the start", (unsigned long long)s->num_gc);
    if (median >= 0) printf(", pauses p50 %s", duration(median).s);
    printf(", max %s, together %s\n", duration((double)s->pause_max_ns).s,
           duration((double)s->pause_total_ns).s);
}

/* Of this process, by the kernel's count. */
static int thread_count(void)
{
    char line[256];
    int threads = 0;
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL) return 0;
    while (fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "Threads: %d", &threads) == 1) break;
    }
    fclose(status);
    return threads;
}

void report_totals(const load_totals *t, double seconds, const gort_stats *before)
{
    gort_stats s;
    gort_read_stats(&s);
    const histogram *h = &t->latency;
    printf("\n  operations    %s per second: ",
           grouped((uint64_t)((double)t->operations / seconds)).s);
    print_kinds(t);
    print_replies(t);
    printf("  latency       p50 %s, p99 %s, max %s\n",
           duration((double)histogram_quantile(h, 0.5)).s,
           duration((double)histogram_quantile(h, 0.99)).s, duration((double)h->max).s);
    print_collections(&s);
    printf("  heap          %s live, goal %s; %s in %s objects were allocated meanwhile\n",
           bytes(s.heap_live).s, bytes(s.heap_goal).s, bytes(s.total_alloc - before->total_alloc).s,
           grouped(s.mallocs - before->mallocs).s);
    printf("  goroutines    %d on %d threads, %d at a time\n", gort_num_goroutines(),
           thread_count(), gort_max_procs(0));
}
