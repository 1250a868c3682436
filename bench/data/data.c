// The language's data: slices, strings, formatting; beside Go.
//
//     data [--quick] [NAME]        NAME: slices, text; all without one
//
// Nanoseconds for each operation, by CPU time of the whole process (its collector included) on
// as many Ps as there are processors; lines that end in -wall go by the wall clock.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "data.h"

#include "../bench.h"

volatile uint64_t data_sink;
static bool quick;

int data_count(int n)
{
    return quick ? (n + 99) / 100 : n;
}

int64_t data_now(void)
{
    return bench_now();
}

int64_t data_cpu(void)
{
    return bench_cpu();
}

void data_add(const char *name, double value)
{
    bench_add(name, value);
}

// Is it asked for?
static bool wanted(const char *name, int argc, char **argv)
{
    bool named = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) return true;
        if (argv[i][0] != '-') named = true;
    }
    return !named;
}

// A peer is told by its environment.
static int gort_main(int argc, char **argv)
{
    quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    if (argc == 2 && !quick) setenv("GORT_BENCH_DATA", argv[1], 1);
    for (int round = 0; round < (quick ? 1 : 3); round++) {
        if (!quick) bench_run_peer("data");
        if (wanted("slices", argc, argv)) measure_slices();
        if (wanted("text", argc, argv)) measure_text();
    }
    bench_print("ns");
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
