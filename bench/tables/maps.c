// What maps cost, beside Go's and Abseil's flat_hash_map.
//
//     maps [--quick] [--runs N] [--list] [LINE ...]       LINE: the beginning of a line's name
//
// How it is measured: driver.h; what: bench/maps/maps.h.  All on one P.  The last three lines are of
// the longest put while a map grows to 10 million: on a busy machine the first is how long others
// have the processor; the second has what the kernel, and the host of a virtual machine, take to
// bring memory; the third is of puts that needed none.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"

// clang-format off
#define LINE(load, figure)                                                                         \
    { load "-" figure, load, 1, figure, "ns CPU", { [BENCH_GO] = 0.8, [BENCH_ABSL] = 1.2 }, false, NULL },
#define LOAD(load)                                                                                 \
    LINE(load, "put") LINE(load, "hit") LINE(load, "miss") LINE(load, "update")                    \
    LINE(load, "iterate") LINE(load, "delete")
static const struct driver_line lines[] = {
    LOAD("int-1k") LOAD("int-100k") LOAD("int-10m")
    LOAD("text-1k") LOAD("text-100k") LOAD("text-10m")
    { "grow-longest", "grow", 1, "longest", "us", { [BENCH_GORT] = 1000 }, false, NULL },
    { "grow-longest-cpu", "grow", 1, "longest-cpu", "us CPU", { [BENCH_GORT] = 1000 }, false, NULL },
    { "grow-longest-own", "grow", 1, "longest-own", "us CPU", { [BENCH_GORT] = 1000 }, false, NULL },
};
// clang-format on

static int fresh_mb(const struct driver_line *l)
{
    return strcmp(l->load, "grow") == 0 ? 1024 : 0; // the host's work would be the longest put
}

int main(int argc, char **argv)
{
    static const struct driver_table table = {
        .name = "maps",
        .lines = lines,
        .count = sizeof lines / sizeof *lines,
        .program = "maps",
        .runs = 3,
        .fresh_mb = fresh_mb,
        .takes = { [BENCH_GORT] = true, [BENCH_GO] = true, [BENCH_ABSL] = true },
    };
    return driver_main(&table, argc, argv);
}
