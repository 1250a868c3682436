// The program that runs one load: <peer>/loads LOAD PROCS [quick], or <peer>/loads version.
//
// Exit status 3 says that there is no such load.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#include <time.h>
#include <unistd.h>

int load_procs = 1;
bool load_quick;

static int64_t wall, cpu;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void load_begin(void)
{
    wall = clock_ns(CLOCK_MONOTONIC);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double load_cpu(void)
{
    return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e6;
}

void load_end(double ops)
{
    double w = (double)(clock_ns(CLOCK_MONOTONIC) - wall), c = load_cpu();
    load_figure("wall", w / 1e6);
    load_figure("cpu", c);
    load_figure("each", c * 1e6 / ops);
    load_figure("collections", port_collections());
    port_details();
}

int64_t load_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double load_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

int load_setting(const char *name, int otherwise)
{
    const char *text = getenv(name);
    if (text == NULL) return otherwise;
    int n = atoi(text);
    if (n <= 0) load_fail("a setting is not above 0");
    return n;
}

void load_figure(const char *name, double value)
{
    printf("%s %.6f\n", name, value);
}

void load_check(uint64_t check)
{
    printf("check %llu\n", (unsigned long long)(check >> 12)); // a double holds it exactly
}

void load_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", PORT_NAME, what);
    exit(1);
}

double load_resident(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld %ld", &pages, &resident) != 2) load_fail("no /proc/self/statm");
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int version(void)
{
    char text[64];
    port_version(text, sizeof text);
    printf("%s\n", text);
    return 0;
}

// Loads with an argument.
#define VARIANT(name, call)                                                                        \
    static void name(void)                                                                         \
    {                                                                                              \
        call;                                                                                      \
    }
VARIANT(trees, trees_run(false))
VARIANT(trees_pauses, trees_run(true))
VARIANT(mark_tree, marking_run(false))
VARIANT(mark_random, marking_run(true))
VARIANT(fragment_runs, fragment_run(true, true))
VARIANT(fragment_idle, fragment_run(true, false))
VARIANT(fragment_single, fragment_run(false, true))
VARIANT(nodes_order, nodes_run(false))
VARIANT(nodes_random, nodes_run(true))
VARIANT(garbage_4, garbage_run(4))
VARIANT(garbage_16, garbage_run(16))
VARIANT(garbage_64, garbage_run(64))

// clang-format off
static const struct {
    const char *name;
    void (*run)(void);
} loads[] = {
    { "large-heap", large_heap_run },
    { "mark-tree", mark_tree },           { "mark-random", mark_random },
    { "trees", trees },                   { "trees-pauses", trees_pauses },
    { "larson", larson_run },             { "xmalloc", xmalloc_run },
    { "scratch", scratch_run },
    { "cfrac", cfrac_run },               { "espresso", espresso_run },
    { "fragment-runs", fragment_runs },   { "fragment-idle", fragment_idle },
    { "fragment-single", fragment_single },
    { "nodes-order", nodes_order },       { "nodes-random", nodes_random },
    { "ring", ring_run },                 { "heap", heap_run },
    { "garbage-4", garbage_4 },           { "garbage-16", garbage_16 },
    { "garbage-64", garbage_64 },
    PORT_LOADS
};
// clang-format on

static int run(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) return version();
    if (argc < 3) {
        fprintf(stderr, "usage: %s LOAD PROCS [quick]\n", argv[0]);
        return 2;
    }
    load_procs = atoi(argv[2]);
    load_quick = argc > 3 && strcmp(argv[3], "quick") == 0;
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (strcmp(argv[1], loads[i].name) != 0) continue;
        loads[i].run();
        return 0;
    }
    small_run(argv[1]);
    return 0;
}

int main(int argc, char **argv)
{
    return port_run(run, argc, argv);
}
