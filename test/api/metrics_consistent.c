// Metrics: they agree with the statistics and among themselves, histograms with their counts; and
// every test mode that is on has fired.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <math.h>

#include "test.h"

static char *volatile sink;

static bool mode(const char *name)
{
    const char *value = getenv("GORTDEBUG");
    const char *at = value != NULL ? strstr(value, name) : NULL;
    size_t n = strlen(name);
    while (at != NULL && at[n] != '=') // gccheck is not gccheckmark
        at = strstr(at + n, name);
    return at != NULL;
}

static double read_metric(const char *name)
{
    double value = NAN;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    CHECK(!isnan(value));
    return value;
}

static double find(const gort_metric *all, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0) return all[i].value;
    CHECK(!"metric exists");
    return 0;
}

TEST(memory_classes_add_up)
{
    const gort_metric *all;
    size_t n = gort_metrics(&all);
    double sum = 0, total = find(all, n, "/memory/classes/total:bytes");
    for (size_t i = 0; i < n; i++)
        if (strncmp(all[i].name, "/memory/classes/", 16) == 0) sum += all[i].value;
    CHECK(sum == 2 * total); // the total is one of them
}

static void churn(void *arg)
{
    for (int64_t i = test_count(20000); i > 0; i--)
        memset(gort_alloc((size_t)(i % 3000) + 1), 1, 1);
    gort_waitgroup_done(arg);
}

TEST(memory_classes_add_up_while_others_allocate)
{
    static gort_waitgroup wg;
    for (int i = 0; i < 8; i++) {
        gort_waitgroup_add(&wg, 1);
        gort_go(churn, &wg);
    }
    for (int i = 0; i < 100; i++) {
        memory_classes_add_up();
        gort_yield();
    }
    gort_waitgroup_wait(&wg);
}

// Each allocation ended on one rung.
TEST(the_ladder_adds_up)
{
    const gort_metric *all;
    size_t n = gort_metrics(&all);
    double allocs = find(all, n, "/gc/heap/allocs:objects"), sum = 0;
    for (size_t i = 0; i < n; i++)
        if (strncmp(all[i].name, "/gort/heap/ladder/", 18) == 0) sum += all[i].value;
    // A span that a P took and gave back unused counts as a rung without an object.
    CHECK(sum >= allocs);
    CHECK(sum <= allocs + find(all, n, "/gort/heap/windows:events"));
}

TEST(rungs_are_told_apart)
{
    static char *keep[64];
    double hit = read_metric("/gort/heap/ladder/hit:objects");
    double window = read_metric("/gort/heap/ladder/window:objects");
    double kernel = read_metric("/gort/heap/ladder/kernel:objects");
    for (int i = 0; i < 10000; i++)
        sink = gort_alloc_noscan(16);
    CHECK(read_metric("/gort/heap/ladder/hit:objects") >= hit + 5000);
    CHECK(read_metric("/gort/heap/ladder/window:objects") >= window + 10);
    gort_set(&keep[0], (char *)gort_alloc_noscan((size_t)512 << 20)); // more than is there
    CHECK(read_metric("/gort/heap/ladder/kernel:objects") >= kernel + 1);
    gort_set(&keep[0], (char *)NULL);
}

TEST(objects_are_allocations_less_frees)
{
    const gort_metric *all;
    size_t n = gort_metrics(&all);
    double allocs = find(all, n, "/gc/heap/allocs:objects");
    double frees = find(all, n, "/gc/heap/frees:objects");
    CHECK(find(all, n, "/gc/heap/objects:objects") == allocs - frees);
    CHECK(find(all, n, "/gc/heap/allocs-by-size:bytes") == allocs);
    CHECK(find(all, n, "/gc/heap/frees-by-size:bytes") == frees);
    CHECK(find(all, n, "/memory/classes/heap/objects:bytes") ==
          find(all, n, "/gc/heap/allocs:bytes") - find(all, n, "/gc/heap/frees:bytes"));
}

TEST(cycles_are_counted)
{
    gort_stats s;
    gort_gc();
    gort_read_stats(&s);
    CHECK(read_metric("/gc/cycles/total:gc-cycles") >= (double)s.num_gc);
    CHECK(read_metric("/gc/cycles/forced:gc-cycles") == (double)s.num_forced_gc);
    CHECK(read_metric("/gc/cycles/total:gc-cycles") >=
          read_metric("/gc/cycles/forced:gc-cycles") + 0);
    CHECK(read_metric("/gort/gc/pause/max:seconds") > 0);
}

static uint64_t histogram_sum(const char *name)
{
    const double *bounds;
    const uint64_t *counts;
    size_t n;
    uint64_t sum = 0;
    CHECK_EQ(gort_metric_histogram(name, &bounds, &counts, &n), 0);
    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

// A cycle is in the histogram once its line would have been printed, a moment after the end.
TEST(pauses_are_in_the_histograms)
{
    uint64_t before = histogram_sum("/sched/pauses/total/gc:seconds");
    for (int i = 0; i < 5; i++)
        gort_gc();
    CHECK_GE(histogram_sum("/sched/pauses/total/gc:seconds"), before + 5);
    CHECK_GE(histogram_sum("/sched/pauses/stopping/gc:seconds"), before + 5);
    CHECK(read_metric("/sched/pauses/total/gc:seconds") >= (double)before + 5);
}

static uint64_t count_of_size(const char *name, double size)
{
    const double *bounds;
    const uint64_t *counts;
    size_t n, i = 0;
    CHECK_EQ(gort_metric_histogram(name, &bounds, &counts, &n), 0);
    while (bounds[i + 1] <= size)
        i++;
    return counts[i];
}

TEST(sizes_are_in_the_histograms)
{
    static const char name[] = "/gc/heap/allocs-by-size:bytes";
    uint64_t small = count_of_size(name, 100), large = count_of_size(name, 1 << 20);
    for (int i = 0; i < 10; i++) {
        sink = gort_alloc_noscan(100);
        sink = gort_alloc_noscan(1 << 20);
    }
    CHECK_GE(count_of_size(name, 100), small + 10);
    CHECK_GE(count_of_size(name, 1 << 20), large + 10);
    sink = NULL;
}

TEST(the_scheduler_is_described)
{
    CHECK(read_metric("/sched/gomaxprocs:threads") == gort_max_procs(0));
    CHECK(read_metric("/sched/goroutines:goroutines") == gort_num_goroutines());
    CHECK(read_metric("/sched/threads/total:threads") >= 1);
    CHECK(read_metric("/gc/stack/starting-size:bytes") >= 65536);
}

static void exchange(void *arg)
{
    gort_chan(int) c = arg;
    for (int i = 0; i < 1000; i++)
        gort_send(c, i);
    gort_close(c);
}

static void nothing(void *unused)
{
    (void)unused;
}

TEST(modes_that_are_on_have_fired)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    int v;
    gort_go(exchange, (void *)c);
    while (gort_recv(c, &v))
        sink = gort_alloc_noscan(100);
    if (mode("gcstress")) CHECK(read_metric("/gort/gc/debug/gcstress:events") > 0);
    if (mode("gccheck")) CHECK(read_metric("/gort/gc/debug/gccheck:events") > 0);
    if (mode("gccheckmark")) CHECK(read_metric("/gort/gc/debug/gccheckmark:events") > 0);
    if (mode("scavstress")) CHECK(read_metric("/gort/heap/scavenge/stress:events") > 0);
    if (mode("randyield")) CHECK(read_metric("/gort/sched/debug/yields:events") > 0);
    if (mode("clobberfree")) CHECK(read_metric("/gort/heap/debug/clobbered:objects") > 0);
    if (mode("efence")) CHECK(read_metric("/gort/heap/debug/fenced:objects") > 0);
    if (mode("efence")) CHECK(read_metric("/gort/heap/debug/recorded-frees:objects") > 0);
    if (mode("migrate")) CHECK(read_metric("/gort/sched/debug/migrations:events") > 0);
    gort_blocking(nothing, NULL);
    if (mode("lend")) CHECK(read_metric("/gort/sched/lends:events") > 0);
    while (mode("tinyrunq") && read_metric("/gort/sched/runq/overflows:events") == 0)
        gort_go(nothing, NULL); // until they are more than others take away
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(memory_classes_add_up);
    RUN(memory_classes_add_up_while_others_allocate);
    RUN(the_ladder_adds_up);
    if (!mode("gcstress") && !mode("efence")) RUN(rungs_are_told_apart); // there all is refill
    RUN(the_ladder_adds_up);
    RUN(objects_are_allocations_less_frees);
    RUN(cycles_are_counted);
    RUN(pauses_are_in_the_histograms);
    if (!mode("efence")) RUN(sizes_are_in_the_histograms); // there all are whole pages
    RUN(the_scheduler_is_described);
    RUN(modes_that_are_on_have_fired);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
