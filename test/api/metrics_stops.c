// Stops of the world in the metrics: by reason, how many, how long, until all had stopped and until
// they went on; and what a reader changes by reading.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <math.h>

#include "test.h"

typedef struct node {
    struct node *next;
    uint64_t value;
} node;
GORT_TYPE(node, next);

static node *kept;

static const char *const reasons[] = { "free-memory", "gc-mark",  "gc-term",
                                       "procs",       "settings", "stats" };
enum { FREE_MEMORY, GC_MARK, GC_TERM, PROCS, SETTINGS, STATS, REASONS };

// What the table says of one reason, or of "gc" and "other".
struct stops {
    double events, seconds, stopping, total;
};

static double find(const gort_metric *all, size_t n, const char *before, const char *name,
                   const char *unit)
{
    char wanted[100];
    snprintf(wanted, sizeof wanted, "%s/%s:%s", before, name, unit);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, wanted) == 0) return all[i].value;
    CHECK(!"metric exists");
    return 0;
}

static struct stops stops_for(const gort_metric *all, size_t n, const char *why)
{
    return (struct stops){
        .events = find(all, n, "/gort/sched/stops", why, "events"),
        .seconds = find(all, n, "/gort/sched/stops", why, "seconds"),
        .stopping = find(all, n, "/gort/sched/pauses/stopping", why, "seconds"),
        .total = find(all, n, "/gort/sched/pauses/total", why, "seconds"),
    };
}

// With no collection going on: nobody but the reader stops the world meanwhile.
static void read_all(struct stops out[REASONS])
{
    const gort_metric *all;
    double gc = 0, other = 0;
    gort_gc();
    size_t n = gort_metrics(&all);
    for (int r = 0; r < REASONS; r++) {
        out[r] = stops_for(all, n, reasons[r]);
        CHECK(out[r].stopping == out[r].events); // each stop is in its histograms
        CHECK(out[r].total == out[r].events);
        CHECK(out[r].events == 0 || out[r].seconds > 0);
        *(r == GC_MARK || r == GC_TERM ? &gc : &other) += out[r].events;
    }
    CHECK(find(all, n, "/sched/pauses/stopping", "gc", "seconds") == gc);
    CHECK(find(all, n, "/sched/pauses/total", "gc", "seconds") == gc);
    CHECK(find(all, n, "/sched/pauses/stopping", "other", "seconds") == other);
    CHECK(find(all, n, "/sched/pauses/total", "other", "seconds") == other);
}

static void stop_for(int why)
{
    gort_stats s;
    int procs = gort_max_procs(0);
    switch (why) {
    case FREE_MEMORY:
        gort_free_os_memory();
        break;
    case PROCS:
        gort_max_procs(procs + 1);
        gort_max_procs(procs);
        break;
    case SETTINGS:
        gort_set_gc_percent(gort_set_gc_percent(100));
        break;
    case STATS:
        gort_read_stats(&s);
        break;
    default:
        gort_gc();
    }
}

// More than is marked in one stop.
static void keep_some(void)
{
    for (int i = 0; i < 10000; i++) {
        node *x = gort_new(node);
        gort_init(&x->next, kept);
        gort_set(&kept, x);
    }
    gort_gc();
}

TEST(each_reason_is_visible)
{
    struct stops before[REASONS], after[REASONS];
    for (int why = 0; why < REASONS; why++) {
        read_all(before);
        stop_for(why);
        read_all(after);
        CHECK(after[why].events >= before[why].events + 1);
        CHECK(after[why].seconds > before[why].seconds);
        for (int r = 0; r < REASONS; r++)
            CHECK(after[r].seconds >= before[r].seconds);
    }
}

// What nothing else moves is as exact as that: the table has the stop that read it, and no other.
TEST(other_reasons_are_not_moved)
{
    struct stops before[REASONS], after[REASONS];
    read_all(before);
    stop_for(SETTINGS);
    read_all(after);
    CHECK(after[SETTINGS].events == before[SETTINGS].events + 2);
    CHECK(after[PROCS].events == before[PROCS].events);
    CHECK(after[FREE_MEMORY].events == before[FREE_MEMORY].events);
}

static double read_metric(const char *name)
{
    double value = NAN;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

static uint64_t stats_pauses(void)
{
    const double *bounds;
    const uint64_t *counts;
    size_t n;
    uint64_t sum = 0;
    CHECK_EQ(gort_metric_histogram("/gort/sched/pauses/total/stats:seconds", &bounds, &counts, &n),
             0);
    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

// Metrics of stops can be read without a stop; the whole table can not, and has its own.
TEST(a_reader_finds_its_own_stop)
{
    static const char events[] = "/gort/sched/stops/stats:events";
    const gort_metric *all;
    double before = read_metric(events);
    CHECK(read_metric(events) == before);
    CHECK_EQ(stats_pauses(), before);
    for (int i = 1; i <= 10; i++) {
        size_t n = gort_metrics(&all);
        CHECK(stops_for(all, n, "stats").events == before + i);
        CHECK(stops_for(all, n, "stats").total == before + i);
    }
    CHECK(read_metric("/gc/heap/objects:objects") > 0); // of the heap: that stops the world
    CHECK(read_metric(events) == before + 11);
    CHECK_EQ(stats_pauses(), before + 11);
}

// A cycle's pauses are the collections' stops, measured a moment earlier.
TEST(collections_agree_with_their_stops)
{
    const gort_metric *all;
    gort_gc();
    size_t n = gort_metrics(&all);
    double stops = stops_for(all, n, "gc-mark").seconds + stops_for(all, n, "gc-term").seconds;
    double pauses = find(all, n, "/gort/gc/pause", "total", "seconds");
    CHECK(pauses > 0);
    CHECK(pauses <= stops + 1e-9); // a nanosecond: seconds are a double
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    keep_some();
    RUN(each_reason_is_visible);
    RUN(other_reasons_are_not_moved);
    RUN(a_reader_finds_its_own_stop);
    RUN(collections_agree_with_their_stops);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
