// Goroutines that do not help the collector.
// Counts assists: not in modes that collect at every few allocations, or without any.
// TEST notmodes=determ
// TEST modes=p1,p2,p4,p16,clobber,yield,migrate,slice
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { CYCLES = 20, TREE_NODES = 1 << 17 };

typedef struct node {
    struct node *left, *right;
    uint64_t space[2];
} node;
GORT_TYPE(node, left, right);

static node **live;

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

static double assisted(void)
{
    return metric("/cpu/classes/gc/mark/assist:cpu-seconds");
}

static double cycles(void)
{
    return metric("/gc/cycles/total:gc-cycles");
}

static void build(void)
{
    gort_set(&live, (node **)gort_alloc(TREE_NODES * sizeof(node *)));
    for (int i = 0; i < TREE_NODES; i++) {
        gort_set(&live[i], gort_new(node));
        if (i > 0) gort_set(&live[i]->left, live[i / 2]);
    }
}

static void allocate_some(void)
{
    for (int i = 0; i < 1000; i++)
        gort_keep_alive(gort_new(node));
}

// Nobody else allocates, so nobody assists.
static void who_is_exempt_does_not_assist(void)
{
    CHECK(!gort_set_assist_exempt(true));
    gort_gc(); // who began before is through
    double before = assisted(), forgiven = metric("/gort/gc/exempt:bytes");
    for (double end = cycles() + CYCLES;
         cycles() < end || metric("/gort/gc/exempt:bytes") == forgiven;)
        allocate_some();
    gort_gc();
    CHECK(assisted() == before);
    CHECK(gort_set_assist_exempt(false));
}

static void who_is_not_does(void)
{
    for (double before = assisted(); assisted() == before;)
        allocate_some();
}

static void is_not_exempt(void *unused)
{
    (void)unused;
    CHECK(!gort_set_assist_exempt(true));
}

// Nor does a goroutine that comes to lie in the same record.
static void it_is_not_inherited(void)
{
    gort_set_assist_exempt(true);
    for (int i = 0; i < 100; i++)
        on_goroutine(is_not_exempt, NULL);
    CHECK(gort_set_assist_exempt(false));
}

static void tests(void)
{
    build();
    RUN(who_is_exempt_does_not_assist);
    RUN(who_is_not_does);
    RUN(it_is_not_inherited);
}
GC_MAIN(tests)
