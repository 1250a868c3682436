// Each line of GORTDEBUG=gctrace=1 is one of Go's from beginning to end, whatever the collection is for and
// however it marks. The exact form of durations, and their order, are in test/unit/diag/gctrace.c.
//
// EXPECT forced exit=0 env:GORTDEBUG=gctrace=1 env:GORTMAXPROCS=2
// EXPECT forced stderr=^gc \d+ @\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P \(forced\)$
// EXPECT forced absent=^gc \d+ @(?!\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P(?: \(forced\))?$)
// EXPECT heap exit=0 env:GORTDEBUG=gctrace=1 env:GORTMAXPROCS=2
// EXPECT heap stderr=^gc \d+ @\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P$
// EXPECT heap absent=^gc \d+ @(?!\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P(?: \(forced\))?$)
// EXPECT off exit=0 env:GORTDEBUG=gctrace=1 env:GORTGC=off env:GORTMAXPROCS=2
// EXPECT off stderr=^gc \d+ @\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, 17592186044415 MB goal, \d+ MB stacks, \d+ MB globals, \d+ P \(forced\)$
// EXPECT off absent=^gc \d+ @(?!\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P(?: \(forced\))?$)
// EXPECT stopped exit=0 env:GORTDEBUG=gctrace=1,gcstoptheworld=1 env:GORTMAXPROCS=2
// EXPECT stopped stderr=^gc \d+ @\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P \(forced\)$
// EXPECT stopped absent=^gc \d+ @(?!\d+\.\d{3}s \d+%: (?:(?:0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+)(?:\+|/| ms clock, | ms cpu, )){8}\d+->\d+->\d+ MB, \d+ MB goal, \d+ MB stacks, \d+ MB globals, \d+ P(?: \(forced\))?$)
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct node {
    struct node *next;
    uint64_t value[3];
} node;
GORT_TYPE(node, next);

static node *kept;

// More than is marked in one stop.
static void keep_some(void)
{
    for (int i = 0; i < 20000; i++) {
        node *x = gort_new(node);
        gort_init(&x->next, kept);
        gort_set(&kept, x);
    }
}

static double automatic(void)
{
    double n = 0;
    CHECK_EQ(gort_metric_read("/gc/cycles/automatic:gc-cycles", &n), 0);
    return n;
}

static int heap(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    keep_some();
    while (automatic() < 3)
        for (int i = 0; i < 10000; i++)
            gort_new(node);
    return 0;
}

static int forced(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    keep_some();
    for (int i = 0; i < 3; i++)
        gort_gc();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(strcmp(argv[1], "heap") == 0 ? heap : forced, argc, argv);
}
