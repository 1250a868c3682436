// Pauses of the collector while a load runs: what the runtime's own histograms say, and what a stop
// and start of the same threads takes where nothing is collected.
//
// A histogram knows a pause to within a bucket: gort's and Boehm's are an eighth wide, Go's a
// fourth.  A quantile is the middle of its bucket; so is the longest pause.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#include <math.h>
#include <time.h>

#define KINDS 2
static const struct {
    bool stopping;
    const char *prefix;
} kinds[KINDS] = { { false, "" }, { true, "stopping-" } };

static uint64_t *before[KINDS];

void load_pauses_begin(void)
{
    const double *bounds;
    const uint64_t *counts;
    for (int k = 0; k < KINDS; k++) {
        size_t n = port_pauses(kinds[k].stopping, &bounds, &counts);
        before[k] = realloc(before[k], (n + 1) * sizeof **before);
        if (before[k] == NULL) load_fail("no memory");
        if (n > 0) memcpy(before[k], counts, n * sizeof *counts);
    }
}

// A bucket's middle; its one finite end where it has no other.
static double middle(const double *bounds, size_t i)
{
    if (isinf(bounds[i + 1])) return bounds[i];
    return isinf(bounds[i]) ? bounds[i + 1] : (bounds[i] + bounds[i + 1]) / 2;
}

// The pause that the share q of all is not longer than, in microseconds.
static double quantile(const double *bounds, const uint64_t *counts, size_t n, double q)
{
    uint64_t total = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        total += counts[i];
    for (size_t i = 0; i < n; i++) {
        sum += counts[i];
        if (sum > 0 && (double)sum >= q * (double)total) return middle(bounds, i) * 1e6;
    }
    return 0;
}

static void print_kind(const char *prefix, const double *bounds, const uint64_t *counts, size_t n,
                       struct load_pauses *out)
{
    char name[80];
    uint64_t total = 0;
    *out =
        (struct load_pauses){ quantile(bounds, counts, n, 0.5), quantile(bounds, counts, n, 0.99),
                              quantile(bounds, counts, n, 1) };
    const double values[] = { out->p50, out->p99, out->max };
    static const char *const names[] = { "p50", "p99", "max" };
    for (size_t i = 0; i < n; i++)
        total += counts[i];
    for (size_t i = 0; i < sizeof names / sizeof *names && total > 0; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        load_figure(name, values[i]);
    }
    snprintf(name, sizeof name, "%spauses", prefix);
    load_figure(name, (double)total);
}

struct load_pauses load_pauses_end(const char *prefix)
{
    struct load_pauses result[KINDS] = { { 0, 0, 0 } };
    const double *bounds;
    const uint64_t *counts;
    char name[40];
    for (int k = 0; k < KINDS; k++) {
        size_t n = port_pauses(kinds[k].stopping, &bounds, &counts);
        if (n == 0) continue;
        for (size_t i = 0; i < n; i++)
            before[k][i] = counts[i] - before[k][i];
        snprintf(name, sizeof name, "%s%s", prefix, kinds[k].prefix);
        print_kind(name, bounds, before[k], n, &result[k]);
    }
    return result[0];
}

static int finished; // atomic

// ---- collections while others work ----

static int cycles;
static void (*step)(int lane);

static void collect_or_step(int job)
{
    if (job > 0) {
        while (!__atomic_load_n(&finished, __ATOMIC_RELAXED))
            step(job - 1);
        return;
    }
    for (int i = 0; i < cycles; i++) {
        port_collect();
        port_sleep_ms(1);
    }
    __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
}

void load_collect_while(int lanes, int n, void (*fn)(int lane))
{
    finished = 0;
    cycles = n;
    step = fn;
    port_lanes(lanes + 1, collect_or_step);
}

// ---- stops without a collection ----

typedef struct twig twig;
struct twig {
    twig *left, *right;
};
PORT_TYPE(twig, left, right);

#define STOPS 100
static double stops[STOPS];
static int stop_count;

static twig *grow(int depth)
{
    twig *left = depth > 1 ? grow(depth - 1) : NULL, *right = depth > 1 ? grow(depth - 1) : NULL;
    twig *t = port_new(twig);
    port_init(&t->left, left);
    port_init(&t->right, right);
    return t;
}

static uint64_t walk(const twig *t)
{
    return t == NULL ? 0 : 1 + walk(t->left) + walk(t->right);
}

// Works, and calls the runtime now and then, but allocates next to nothing.
static void work(void)
{
    twig *t = grow(10);
    while (!__atomic_load_n(&finished, __ATOMIC_RELAXED))
        if (walk(t) != 1023 || port_new(twig) == NULL) load_fail("a twig was lost");
}

static void sample_or_work(int job)
{
    if (job > 0) {
        work();
        return;
    }
    for (int i = 0; i < stop_count; i++) {
        port_sleep_ms(1);
        int64_t t = load_now();
        port_stop();
        stops[i] = (double)(load_now() - t) / 1e3;
    }
    __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
}

void load_stop(int lanes, double p50)
{
    if (!PORT_STOPS) return;
    if (lanes > load_procs) lanes = load_procs;
    finished = 0;
    stop_count = load_quick ? STOPS / 5 : STOPS;
    int percent = port_gc_percent(-1);
    port_lanes(lanes + 1, sample_or_work);
    port_gc_percent(percent);
    double stop = load_median(stops, stop_count);
    load_figure("stop", stop);
    load_figure("over-stop", p50 - stop);
}
