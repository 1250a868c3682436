// In the style of mt-gcbench: many goroutines (in C: as many threads) make short-lived trees of
// 32-byte nodes, from depth 4 to 12, half of them from the bottom up, half from the top down.  Each
// keeps a tree alive, into which every fourth of the new trees goes in the place of an equal one: a
// fourth of what is allocated is a mutation of what is live, and lives for a while.
//
//     garbage-N   N goroutines, which share 64 million nodes, and a million that are live at a time
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define MAX_LANES 64
#define LEAST_DEPTH 4
#define MOST_DEPTH 12

typedef struct branch branch;
struct branch {
    branch *left, *right;
    uint64_t depth, spare;
};
PORT_TYPE(branch, left, right);

static branch *live[MAX_LANES];
static int live_depth;
static uint64_t turns; // of each lane

static branch *make(uint64_t depth)
{
    branch *b = port_new(branch);
    b->left = b->right = NULL;
    b->depth = depth;
    return b;
}

static branch *bottom_up(uint64_t depth)
{
    branch *left = depth > 1 ? bottom_up(depth - 1) : NULL;
    branch *right = depth > 1 ? bottom_up(depth - 1) : NULL;
    branch *b = make(depth);
    port_init(&b->left, left);
    port_init(&b->right, right);
    return b;
}

static void top_down(branch *b)
{
    if (b->depth == 1) return;
    port_set(&b->left, make(b->depth - 1));
    port_set(&b->right, make(b->depth - 1));
    top_down(b->left);
    top_down(b->right);
}

// Puts a tree in the place of one of its size.
static void graft(branch *at, branch *b, uint64_t *seed)
{
    while (at->depth > b->depth + 1)
        at = load_random(seed) % 2 != 0 ? at->left : at->right;
    port_set(load_random(seed) % 2 != 0 ? &at->left : &at->right, b);
}

// As many nodes of each depth.
static void turn(int lane, uint64_t number, uint64_t *seed)
{
    for (int depth = LEAST_DEPTH; depth <= MOST_DEPTH; depth += 2)
        for (uint64_t i = number; i < number + (1 << (MOST_DEPTH - depth)); i++) {
            branch *b;
            if (i % 2 == 0) {
                b = bottom_up((uint64_t)depth);
            } else {
                b = make((uint64_t)depth);
                top_down(b);
            }
            if (i % 4 == 3) graft(live[lane], b, seed);
        }
}

static void run_lane(int lane)
{
    uint64_t seed = (uint64_t)lane + 1;
    port_set(&live[lane], bottom_up((uint64_t)live_depth));
    for (uint64_t i = 0; i < turns; i++)
        turn(lane, i, &seed);
}

static uint64_t count(const branch *b)
{
    if (b == NULL) return 0;
    if (b->left != NULL && b->left->depth != b->depth - 1) load_fail("a tree is broken");
    return 1 + count(b->left) + count(b->right);
}

void garbage_run(int n)
{
    uint64_t per_turn = (MOST_DEPTH - LEAST_DEPTH + 2) / 2 * ((uint64_t)1 << MOST_DEPTH), left = 0;
    if (PORT_FREES) exit(3);
    live_depth = (load_quick ? 19 : 20) - __builtin_ctz((unsigned)n);
    turns = ((uint64_t)1 << (load_quick ? 21 : 26)) / (uint64_t)n / per_turn;
    load_begin();
    port_lanes(n, run_lane);
    load_end((double)(turns * per_turn * (uint64_t)n));
    for (int i = 0; i < n; i++)
        left += count(live[i]);
    if (left != (uint64_t)n * (((uint64_t)1 << live_depth) - 1))
        load_fail("a live tree lost nodes");
    load_check(left << 12);
}
