// binary-trees, as the Computer Language Benchmarks Game has it: a stretch tree, a tree that lives
// throughout, and for every second depth many short-lived trees, the depths at once: on goroutines,
// or on as many threads as procs, which share out the work in smaller pieces for balance.
//
//     trees, trees-pauses    the same; the second prints pauses, too
//
// What favours whom: mimalloc's program walks each tree once more to free it, and never has to find
// out that it is dead.  The threads have two short trees at a time; goroutines as many as there are
// depths, so more is live.  Nodes are 16 bytes everywhere.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define MIN_DEPTH 4

typedef struct tree tree;
struct tree {
    tree *left, *right;
};
PORT_TYPE(tree, left, right);

static int max_depth;
static tree *long_lived;
static uint64_t nodes[64]; // by job; counted by walking the trees

static tree *bottom_up(int depth)
{
    tree *left = NULL, *right = NULL;
    if (depth > 0) {
        left = bottom_up(depth - 1);
        right = bottom_up(depth - 1);
    }
    tree *t = port_new(tree);
    port_init(&t->left, left);
    port_init(&t->right, right);
    return t;
}

static uint64_t walk(const tree *t)
{
    return t->left == NULL ? 1 : 1 + walk(t->left) + walk(t->right);
}

static void dispose(tree *t)
{
    if (!PORT_FREES) return;
    if (t->left != NULL) {
        dispose(t->left);
        dispose(t->right);
    }
    port_free(t);
}

// One depth, or its share of the trees.
static void short_lived(int job)
{
    int depth = MIN_DEPTH + 2 * (job / PORT_SPLIT);
    int trees = (1 << (max_depth - depth + MIN_DEPTH)) / PORT_SPLIT;
    uint64_t sum = 0;
    for (int i = 0; i < trees; i++) {
        tree *t = bottom_up(depth);
        sum += walk(t);
        dispose(t);
    }
    nodes[job] = sum;
}

void trees_run(bool pauses)
{
    max_depth = load_quick ? 14 : 20;
    int jobs = ((max_depth - MIN_DEPTH) / 2 + 1) * PORT_SPLIT;
    uint64_t check = 0, total = 0;
    if (pauses) load_pauses_begin();
    load_begin();
    tree *stretch = bottom_up(max_depth + 1);
    check = load_mix(check, walk(stretch));
    dispose(stretch);
    stretch = NULL;
    port_set(&long_lived, bottom_up(max_depth));
    port_jobs(jobs, short_lived);
    check = load_mix(check, walk(long_lived));
    for (int depth = MIN_DEPTH, job = 0; depth <= max_depth; depth += 2) {
        uint64_t sum = 0;
        for (int k = 0; k < PORT_SPLIT; k++)
            sum += nodes[job++];
        uint64_t trees = (uint64_t)1 << (max_depth - depth + MIN_DEPTH);
        if (sum != trees * (((uint64_t)2 << depth) - 1)) load_fail("a tree lost nodes");
        check = load_mix(check, sum);
        total += sum;
    }
    load_end((double)total);
    if (pauses) load_stop(jobs, load_pauses_end("").p50);
    load_check(check);
}
