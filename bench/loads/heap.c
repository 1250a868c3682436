// Pauses with a small heap and with a large one, in the same process: 100 MB of live objects, then
// what GORT_BENCH_HEAP_MB says, or 4 GB.  A goroutine for each P makes garbage and moves pointers
// of the live objects, while collections are forced.
//
// The live objects are trees of 64-byte nodes, 512 KB each.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define TREE_DEPTH 13
#define TREE_KB 512
#define GARBAGE_DEPTH 9
#define MAX_LANES 16

typedef struct leaf leaf;
struct leaf {
    leaf *left, *right;
    uint64_t payload[6];
};
PORT_TYPE(leaf, left, right);

static port_pointer *forest;
static int trees;                    // in the forest; not moved while lanes run
static uint64_t seeds[MAX_LANES][8]; // a cache line each

static leaf *grow(int depth)
{
    leaf *left = depth > 1 ? grow(depth - 1) : NULL, *right = depth > 1 ? grow(depth - 1) : NULL;
    leaf *l = port_new(leaf);
    port_init(&l->left, left);
    port_init(&l->right, right);
    l->payload[0] = (uint64_t)depth;
    return l;
}

static uint64_t count(const leaf *l)
{
    return l == NULL ? 0 : 1 + count(l->left) + count(l->right);
}

// Exchanges two subtrees somewhere in the lane's share of the forest, which does not change its
// size.
static void mutate(int lane)
{
    uint64_t *seed = seeds[lane];
    int share = trees / load_procs;
    leaf *l = forest[lane * share + (int)(load_random(seed) % (unsigned)share)];
    for (int i = (int)(load_random(seed) % (TREE_DEPTH - 1)); i > 0; i--)
        l = load_random(seed) % 2 != 0 ? l->left : l->right;
    leaf *left = l->left;
    port_set(&l->left, l->right);
    port_set(&l->right, left);
}

static void churn(int lane)
{
    if (count(grow(GARBAGE_DEPTH)) != (1 << GARBAGE_DEPTH) - 1) load_fail("garbage was lost");
    for (int i = 0; i < 100; i++)
        mutate(lane);
}

static struct load_pauses measure(const char *prefix, int megabytes)
{
    for (int all = megabytes * (1024 / TREE_KB); trees < all; trees++)
        port_set(&forest[trees], (port_pointer)grow(TREE_DEPTH));
    load_collect_while(load_procs, 1, churn);
    load_pauses_begin();
    load_collect_while(load_procs, load_quick ? 3 : 10, churn);
    return load_pauses_end(prefix);
}

void heap_run(void)
{
    if (!PORT_GOROUTINES || load_procs > MAX_LANES) exit(3);
    int large = load_setting("GORT_BENCH_HEAP_MB", load_quick ? 64 : 4096);
    uint64_t nodes = 0;
    port_set(&forest, port_new_array(port_pointer, (size_t)large * (1024 / TREE_KB)));
    struct load_pauses s = measure("small-", load_quick ? 8 : 100);
    struct load_pauses l = measure("large-", large);
    load_figure("growth-p50", l.p50 / s.p50);
    load_figure("growth-p99", l.p99 / s.p99);
    load_stop(load_procs, l.p50);
    for (int i = 0; i < trees; i++)
        nodes += count(forest[i]);
    if (nodes != (uint64_t)trees * ((1 << TREE_DEPTH) - 1)) load_fail("a node was lost");
    load_check(nodes << 12);
}
