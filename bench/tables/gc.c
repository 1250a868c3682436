// What the collector costs: marking, pauses, time to stop, garbage on many goroutines, the write
// barrier; beside Go and, where that has the load, Boehm's collector.
//
//     gc [--quick] [--runs N] [--list] [LINE ...]      LINE: the beginning of a line's name
//
// How it is measured: driver.h.  Lines are for one P; those that end in -2p for two.  Pauses come
// from the histograms of each runtime (loads/pauses.c), in microseconds.  "over-stop" is the median
// pause over what a stop and start of the same threads takes where nothing is collected: gort's
// statistics stop the world for that, so the reference has their reading in it.
//
// The history table shows the pauses of three collectors side by side: everything with the world
// stopped (GORTDEBUG=gcstoptheworld=2), marking with the world stopped and sweeping beside the
// program (1), and what gort does by itself.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"

#define HEAP_MB 4096
#define PARKED 1000000
#define PARKED_KB 6 // memory for each parked goroutine: its stack, page tables, and room

// What the growth of pauses from a small to a large heap may be: the width of two buckets.
#define GROWTH 1.25

// clang-format off
#define MARK(n, goal)                                                                              \
    { "mark-" #n, "nodes-" #n, 1, "mark-each", "ns", { 0, goal, 0, 0 }, false, NULL },             \
    { "mark-" #n "-2p", "nodes-" #n, 2, "mark-each", "ns", { 0, goal, 0, 0 }, false, NULL },       \
    { "cycle-" #n, "nodes-" #n, 1, "each", "ns CPU", { 0, goal, 0, 0 }, false, NULL },             \
    { "cycle-" #n "-2p", "nodes-" #n, 2, "each", "ns CPU", { 0, goal, 0, 0 }, false, NULL },
#define PAUSES(n, load, p, prefix)                                                                 \
    { n "-p50", load, p, prefix "p50", "us", { 0, 1, 0, 0 }, false, NULL },                        \
    { n "-p99", load, p, prefix "p99", "us", { 0, 1, 0, 0 }, false, NULL },                        \
    { n "-max", load, p, prefix "max", "us", { 0, 1, 0, 0 }, false, NULL },
#define STOP(n, load, p)                                                                           \
    { n "-stop", load, p, "stop", "us", { 0, 0, 0, 0 }, false, NULL },                             \
    { n "-over-stop", load, p, "over-stop", "us", { 15, 0, 0, 0 }, false, NULL },
#define WORST(n, load, p, goal)                                                                    \
    { n "-worst", load, p, "worst", "us", { 0, goal, 0, 0 }, false, NULL },
#define HEAP(n, p)                                                                                 \
    PAUSES(n "-small", "heap", p, "small-") PAUSES(n "-large", "heap", p, "large-")                \
    STOP(n "-large", "heap", p)                                                                    \
    { n "-growth-p50", "heap", p, "growth-p50", "times", { GROWTH, 0, 0, 0 }, false, NULL },       \
    { n "-growth-p99", "heap", p, "growth-p99", "times", { GROWTH, 0, 0, 0 }, false, NULL },
#define GARBAGE(n, p)                                                                              \
    { n, n, p, "wall", "ms", { 0, 0.66, 0.5, 0 }, false, NULL },                                \
    { n "-cpu", n, p, "cpu", "ms CPU", { 0, 0, 0, 0 }, false, NULL },
#define MODE(mode, n, load, figure)                                                                \
    { "stw" #mode "-" n, load, 2, figure, "us", { 0, 0, 0, 0 }, false, "gcstoptheworld=" #mode },
#define HISTORY(mode)                                                                              \
    MODE(mode, "ring-p50", "ring", "p50") MODE(mode, "ring-p99", "ring", "p99")                    \
    MODE(mode, "ring-max", "ring", "max") MODE(mode, "ring-worst", "ring", "worst")                \
    MODE(mode, "trees-p50", "trees-pauses", "p50") MODE(mode, "trees-p99", "trees-pauses", "p99")  \
    MODE(mode, "trees-max", "trees-pauses", "max")
static const struct driver_line lines[] = {
    MARK(random, 0.33) MARK(order, 0.5)
    PAUSES("trees", "trees-pauses", 1, "") STOP("trees", "trees-pauses", 1)
    PAUSES("trees-2p", "trees-pauses", 2, "") STOP("trees-2p", "trees-pauses", 2)
    PAUSES("ring", "ring", 1, "") WORST("ring", "ring", 1, 1) STOP("ring", "ring", 1)
    PAUSES("ring-2p", "ring", 2, "") WORST("ring-2p", "ring", 2, 1) STOP("ring-2p", "ring", 2)
    HEAP("heap", 1) HEAP("heap-2p", 2)
    PAUSES("parked", "parked", 1, "") STOP("parked", "parked", 1)
    PAUSES("parked-2p", "parked", 2, "") STOP("parked-2p", "parked", 2)
    PAUSES("deep", "deep", 1, "") WORST("deep", "deep", 1, 0) STOP("deep", "deep", 1)
    PAUSES("deep-2p", "deep", 2, "") WORST("deep-2p", "deep", 2, 0) STOP("deep-2p", "deep", 2)
    PAUSES("hogs-stopping", "hogs", 1, "stopping-")
    PAUSES("hogs-stopping-2p", "hogs", 2, "stopping-")
    GARBAGE("garbage-4", 2) GARBAGE("garbage-16", 2) GARBAGE("garbage-64", 2)
    { "store-plain", "barrier", 1, "plain", "ns CPU", { 0, 0, 0, 0 }, false, NULL },
    { "store-set", "barrier", 1, "set", "ns CPU", { 0, 0, 0, 0 }, false, NULL },
    { "store-over", "barrier", 1, "over", "ns CPU", { 1.2, 0, 0, 0 }, false, NULL },
    { "barrier-tree", "barrier", 1, "tree", "%", { 5, 0, 0, 0 }, false, NULL },
    { "barrier-list", "barrier", 1, "list", "%", { 5, 0, 0, 0 }, false, NULL },
    HISTORY(2) HISTORY(1)
};
// clang-format on

// ---- what the memory of the machine allows ----

// A heap may grow to three times what is live while it is made.
static void scale_loads(void)
{
    double mb = driver_available_mb();
    driver_scale("GORT_BENCH_HEAP_MB", "large heap, MB", driver_is_quick() ? 64 : HEAP_MB, mb / 3);
    driver_scale("GORT_BENCH_PARKED", "parked goroutines", driver_is_quick() ? PARKED / 10 : PARKED,
                 mb * 1024 / PARKED_KB / 2);
}

// ---- the history table ----

struct cell {
    const char *prefix; // of the line's name
    int name;           // which of the row's two names
    enum bench_who who;
};

static bool cell_value(const char *const row[2], int column, double *value)
{
    static const struct cell cells[] = {
        { "stw2-", 0, BENCH_GORT },
        { "stw1-", 0, BENCH_GORT },
        { "", 1, BENCH_GORT },
        { "", 1, BENCH_GO },
    };
    char name[64];
    snprintf(name, sizeof name, "%s%s", cells[column].prefix, row[cells[column].name]);
    return driver_value(name, cells[column].who, value);
}

#define COLUMNS 4

static void print_row(const char *const row[2])
{
    double value;
    printf("%-24s", row[0]);
    for (int i = 0; i < COLUMNS; i++) {
        if (cell_value(row, i, &value))
            printf(" %16.1f", value);
        else
            printf(" %16s", "-");
    }
    printf("\n");
}

static void print_history(void)
{
    static const char *const rows[][2] = {
        { "ring-p50", "ring-2p-p50" },   { "ring-p99", "ring-2p-p99" },
        { "ring-max", "ring-2p-max" },   { "ring-worst", "ring-2p-worst" },
        { "trees-p50", "trees-2p-p50" }, { "trees-p99", "trees-2p-p99" },
        { "trees-max", "trees-2p-max" },
    };
    double value;
    bool any = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int k = 0; k < COLUMNS; k++)
            any |= cell_value(rows[i], k, &value);
    if (!any) return;
    printf("\n%-24s %16s %16s %16s %16s\n", "history: us, two Ps", "gcstoptheworld=2",
           "gcstoptheworld=1", "as it comes", "Go");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        print_row(rows[i]);
}

int main(int argc, char **argv)
{
    static const struct driver_table table = {
        .name = "gc",
        .lines = lines,
        .count = sizeof lines / sizeof *lines,
        .runs = 3,
        .takes = { [BENCH_GORT] = true, [BENCH_GO] = true, [BENCH_BOEHM] = true },
        .before = scale_loads,
        .after = print_history,
    };
    return driver_main(&table, argc, argv);
}
