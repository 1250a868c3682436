// What a full collection costs for each live object: CPU time, everything that a forced collection
// does divided by the objects that it finds alive.
//
//     mark-tree     a binary tree of 16-byte nodes, allocated depth first: neighbours are near
//     mark-random   the same shape in shuffled places: every node is a miss
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

typedef struct vertex vertex;
struct vertex {
    vertex *left, *right;
};
PORT_TYPE(vertex, left, right);

static vertex *root;
static port_pointer *table; // only while the random tree is made

static vertex *grow(int depth)
{
    vertex *left = depth > 1 ? grow(depth - 1) : NULL, *right = depth > 1 ? grow(depth - 1) : NULL;
    vertex *v = port_new(vertex);
    port_init(&v->left, left);
    port_init(&v->right, right);
    return v;
}

static void shuffle(port_pointer *places, size_t n)
{
    uint64_t seed = 1;
    for (size_t i = n - 1; i > 0; i--) {
        size_t k = load_random(&seed) % (i + 1);
        port_pointer p = places[i];
        port_set(&places[i], places[k]);
        port_set(&places[k], p);
    }
}

// The vertex in place i has those in places 2i + 1 and 2i + 2 below it.
static vertex *grow_randomly(size_t n)
{
    port_set(&table, port_new_array(port_pointer, n));
    for (size_t i = 0; i < n; i++) {
        vertex *v = port_new(vertex);
        v->left = v->right = NULL;
        port_set(&table[i], v);
    }
    shuffle(table, n);
    for (size_t i = 0; 2 * i + 2 < n; i++) {
        vertex *v = table[i];
        port_set(&v->left, (vertex *)table[2 * i + 1]);
        port_set(&v->right, (vertex *)table[2 * i + 2]);
    }
    vertex *top = table[0];
    port_set(&table, NULL);
    return top;
}

static uint64_t count(const vertex *v)
{
    return v == NULL ? 0 : 1 + count(v->left) + count(v->right);
}

void marking_run(bool randomly)
{
    int depth = load_quick ? 16 : 21, times = load_quick ? 2 : 5;
    size_t n = ((size_t)1 << depth) - 1;
    if (PORT_FREES) exit(3);
    port_set(&root, randomly ? grow_randomly(n) : grow(depth));
    port_collect();
    load_begin();
    for (int i = 0; i < times; i++)
        port_collect();
    load_end((double)n * times);
    if (count(root) != n) load_fail("a vertex was lost");
    load_check((uint64_t)n << 12);
}
