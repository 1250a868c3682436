// What memory costs: allocation with its share of collecting, whole programs, and what stays
// resident; beside Go, Boehm's collector, and mimalloc with free.
//
//     alloc [--quick] [--runs N] [--list] [LINE ...]      LINE: the beginning of a line's name
//
// How it is measured: driver.h.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"

// clang-format off
#define SMALL(n)                                                                                   \
    { "typed-" #n, "typed-" #n, 1, "each", "ns CPU", { 0, 0.4, 0.5, 0 }, false, NULL },            \
    { "typed-" #n "-2p", "typed-" #n, 2, "each", "ns CPU", { 0, 0.4, 0.5, 0 }, false, NULL },      \
    { "noscan-" #n, "noscan-" #n, 1, "each", "ns CPU", { 0, 0.4, 0, 1.3 }, false, NULL },          \
    { "noscan-" #n "-2p", "noscan-" #n, 2, "each", "ns CPU", { 0, 0.4, 0, 1.3 }, false, NULL },    \
    { "roomy-" #n, "roomy-" #n, 1, "each", "ns CPU", { 0, 0, 0, 0 }, false, NULL },                \
    { "zeroed-" #n, "zeroed-" #n, 1, "each", "ns CPU", { 0, 0, 0, 0 }, false, NULL },
#define LOAD(n, p)                                                                                 \
    { n, n, p, "wall", "ms", { 0, 0, 0, 1.5 }, false, NULL },                                      \
    { n "-cpu", n, p, "cpu", "ms CPU", { 0, 0, 0, 1.5 }, false, NULL },                            \
    { n "-peak", n, p, "peak", "MB", { 0, 0, 0, 0 }, false, NULL },
#define MARK(n)                                                                                    \
    { n, n, 1, "each", "ns CPU", { 0, 0, 0, 0 }, false, NULL },                                    \
    { n "-2p", n, 2, "each", "ns CPU", { 0, 0, 0, 0 }, false, NULL },
#define FRAGMENT(n, goal)                                                                          \
    { n "-full", n, 1, "full", "MB", { 0, 0, 0, 0 }, true, NULL },                                 \
    { n "-live", n, 1, "live", "MB", { 0, 0, 0, 0 }, true, NULL },                                 \
    { n "-spans", n, 1, "spans", "MB", { 0, 0, 0, 0 }, true, NULL },                               \
    { n "-0s", n, 1, "at-0s", "MB", { 0, 0, 0, 0 }, true, NULL },                                  \
    { n "-1s", n, 1, "at-1s", "MB", { 0, 0, 0, 0 }, true, NULL },                                  \
    { n "-5s", n, 1, "at-5s", "MB", { 0, 0, 0, 0 }, true, NULL },                                  \
    { n "-10s", n, 1, "at-10s", "MB", { 0, 0, 0, 0 }, true, NULL },                                \
    { n "-30s", n, 1, "at-30s", "MB", { 0, 0, 0, 0 }, true, NULL },                                \
    { n "-60s", n, 1, "at-60s", "MB", { 0, 0, 0, 0 }, true, NULL },                                \
    { n "-by-live", n, 1, "by-live", "times", { goal, 0, 0, 0 }, true, NULL },
static const struct driver_line lines[] = {
    SMALL(16) SMALL(32) SMALL(64) SMALL(256)
    { "large-heap", "large-heap", 1, "each", "ns CPU", { 0, 0, 0, 0 }, false, NULL },
    { "large-heap-collection", "large-heap", 1, "collect", "ms CPU", { 0, 0, 0, 0 }, false, NULL },
    MARK("mark-tree") MARK("mark-random")
    { "trees", "trees", 2, "wall", "ms", { 0, 0.4, 0.5, 1.5 }, false, NULL },
    { "trees-cpu", "trees", 2, "cpu", "ms CPU", { 0, 0, 0, 0 }, false, NULL },
    { "trees-peak", "trees", 2, "peak", "MB", { 0, 1, 0, 0 }, false, NULL },
    LOAD("larson", 2) LOAD("xmalloc", 2) LOAD("scratch", 2) LOAD("cfrac", 1) LOAD("espresso", 1)
    FRAGMENT("fragment-runs", 3) FRAGMENT("fragment-idle", 3) FRAGMENT("fragment-single", 0)
};
// clang-format on

int main(int argc, char **argv)
{
    static const struct driver_table table = {
        .name = "alloc",
        .lines = lines,
        .count = sizeof lines / sizeof *lines,
        .runs = 5,
        .together = true, // they wait a minute
        .takes = { true, true, true, true },
    };
    return driver_main(&table, argc, argv);
}
