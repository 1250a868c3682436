// GORTDEBUG=gcstoptheworld: 2 sweeps inside of the stop, and nobody else finds anything to sweep; 1 sweeps
// beside the program, as without it. That the one is in the stop and the other is not: unit/alloc/stopped.
//
// EXPECT beside exit=0 env:GORTDEBUG=gctrace=0
// EXPECT mark-stopped exit=0 env:GORTDEBUG=gcstoptheworld=1
// EXPECT all-stopped exit=0 env:GORTDEBUG=gcstoptheworld=2
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct node {
    struct node *next;
    uint64_t value[3];
} node;
GORT_TYPE(node, next);

enum { NODES = 100000, SPANS = 300 };
static node *kept;

static double swept(const char *why)
{
    char name[64];
    double n = -1;
    snprintf(name, sizeof name, "/gort/gc/swept/%s:spans", why);
    CHECK_EQ(gort_metric_read(name, &n), 0);
    return n;
}

// By others than who stopped the world.
static double swept_beside(void)
{
    static const char *const reasons[] = { "alloc", "background", "demand", "finish",
                                           "flush", "paid",       "reclaim" };
    double n = 0;
    for (unsigned i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        n += swept(reasons[i]);
    return n;
}

// Every other one dies.
static void build(void)
{
    for (int i = 0; i < NODES; i++) {
        node *x = gort_new(node);
        if (i % 2 == 0) continue;
        gort_init(&x->next, kept);
        gort_set(&kept, x);
    }
}

static bool in_the_stop;

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    build();
    gort_gc();
    if (in_the_stop) {
        CHECK(swept("stopped") >= SPANS);
        CHECK(swept_beside() == 0);
    } else {
        CHECK(swept("stopped") == 0);
        CHECK(swept_beside() >= SPANS);
    }
    return 0;
}

int main(int argc, char **argv)
{
    in_the_stop = strcmp(argv[1], "all-stopped") == 0;
    return gort_run(run, argc, argv);
}
