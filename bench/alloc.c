// What an allocation costs, with its share of collecting, when all of it is garbage soon, and with
// a hundred megabytes of live objects beside. Nanoseconds of CPU time for each object; one P.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "bench.h"

#define COUNT 2000000
#define KEPT 200000 /* trees of two nodes and a block of 256 bytes */

#define TYPES(X) X(16) X(32) X(64) X(256)

#define DEFINE(n)                                                                                  \
    typedef struct {                                                                               \
        void *pointer;                                                                             \
        char rest[n - 8];                                                                          \
    } typed_##n;                                                                                   \
    GORT_TYPE(typed_##n, pointer);                                                                 \
    typedef struct {                                                                               \
        long rest[n / 8];                                                                          \
    } noscan_##n;                                                                                  \
    GORT_TYPE(noscan_##n);
TYPES(DEFINE)

static void *volatile sink;

#define MEASURE(type, name)                                                                        \
    do {                                                                                           \
        int64_t t = bench_cpu();                                                                   \
        for (int i = 0; i < COUNT; i++)                                                            \
            sink = gort_new(type);                                                                 \
        bench_add(name, (double)(bench_cpu() - t) / COUNT);                                        \
    } while (0);
#define MEASURE_GARBAGE(n)                                                                         \
    MEASURE(typed_##n, "typed-" #n)                                                                \
    MEASURE(noscan_##n, "noscan-" #n)

typedef struct node node;
struct node {
    node *next, *other;
    noscan_256 *block;
};
GORT_TYPE(node, next, other, block);
static node *kept;

static void keep(void)
{
    for (int i = 0; i < KEPT; i++) {
        node *n = gort_new(node);
        gort_init(&n->next, kept);
        gort_set(&n->other, gort_new(node));
        gort_set(&n->block, gort_new(noscan_256));
        gort_set(&kept, n);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < BENCH_RUNS; i++) {
        bench_run_peer("alloc");
        gort_set(&kept, NULL);
        gort_gc();
        TYPES(MEASURE_GARBAGE)
        keep();
        MEASURE(typed_64, "typed-64-large-heap")
        MEASURE(noscan_64, "noscan-64-large-heap")
        int64_t t = bench_cpu();
        gort_gc();
        bench_add("collection-us", (double)(bench_cpu() - t) / 1000);
    }
    bench_print("ns of CPU");
    return 0;
}

int main(int argc, char **argv)
{
    setenv("GORTMAXPROCS", "1", 0);
    setenv("GOMAXPROCS", "1", 0);
    return gort_run(run, argc, argv);
}
