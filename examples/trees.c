/* Trees built and dropped by several goroutines at once, while one large tree stays: work for the
 * collector, and a check that it takes nothing that is still needed.
 *
 * usage: trees [DEPTH [GOROUTINES]]     16 and 4 when not given
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <stdio.h>
#include <stdlib.h>

#define MIN_DEPTH 4

typedef struct tree {
    struct tree *left, *right;
} tree;
GORT_TYPE(tree, left, right);

/* A full tree of 2^(depth + 1) - 1 nodes.  The stores are the first into new objects, so gort_init
 * will do where gort_set would be needed later. */
static tree *build(int depth)
{
    tree *t = gort_new(tree);
    if (depth > 0) {
        gort_init(&t->left, build(depth - 1));
        gort_init(&t->right, build(depth - 1));
    }
    return t;
}

static long count(const tree *t)
{
    return t == NULL ? 0 : 1 + count(t->left) + count(t->right);
}

static long full(int depth)
{
    return (2L << depth) - 1;
}

struct job {
    int depth, trees;
    gort_chan(long) results; /* nodes counted, or -1 when a tree was not whole */
};

static void build_and_drop(void *arg)
{
    const struct job *j = arg;
    long nodes = 0;
    for (int i = 0; i < j->trees && nodes >= 0; i++) {
        long n = count(build(j->depth));
        nodes = n == full(j->depth) ? nodes + n : -1;
    }
    gort_send(j->results, nodes);
}

static bool number(const char *s, int min, int max, int *out)
{
    char *end;
    long v = strtol(s, &end, 10);
    *out = (int)v;
    return *s != '\0' && *end == '\0' && v >= min && v <= max;
}

static int run(int argc, char **argv)
{
    int depth = 16, goroutines = 4;
    if (argc > 3 || (argc > 1 && !number(argv[1], MIN_DEPTH, 24, &depth)) ||
        (argc > 2 && !number(argv[2], 1, 1000, &goroutines))) {
        fprintf(stderr,
                "usage: trees [DEPTH [GOROUTINES]]     DEPTH: 4 to 24, GOROUTINES: 1 to 1000\n");
        return 2;
    }
    int64_t start = gort_now();
    tree *stays = build(depth);
    gort_chan(long) results = gort_chan_make(long, (size_t)goroutines);
    bool whole = true;
    for (int d = MIN_DEPTH; d <= depth; d += 4) {
        /* Of each depth as many trees as make the same number of nodes in all. */
        int trees = 1 << (depth - d);
        for (int i = 0; i < goroutines; i++) {
            struct job j = { d, trees, results };
            gort_go_copy(build_and_drop, &j, sizeof(j));
        }
        long sum = 0;
        for (int i = 0; i < goroutines; i++) {
            long nodes;
            gort_recv(results, &nodes);
            whole = whole && nodes >= 0;
            sum += nodes;
        }
        printf("%8d trees of depth %2d, %ld nodes\n", trees * goroutines, d, sum);
    }
    whole = whole && count(stays) == full(depth);
    gort_stats s;
    gort_read_stats(&s);
    printf("the tree of depth %d that stayed is %s\n", depth, whole ? "whole" : "NOT WHOLE");
    printf("%.2f s, %llu collections, longest pause %.2f ms, heap %.1f MB\n",
           (double)(gort_now() - start) / (double)GORT_S, (unsigned long long)s.num_gc,
           (double)s.pause_max_ns / 1e6, (double)s.heap_sys / 1048576);
    return whole ? 0 : 1;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
