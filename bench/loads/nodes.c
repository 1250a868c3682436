// What marking costs for each object: 20 million nodes of 32 bytes with two pointers each, which
// form a complete binary tree: the node in place i points to those in places 2i + 1 and 2i + 2.
//
//     nodes-order    places in the order of allocation
//     nodes-random   places shuffled: every node is a miss
//
// mark-each is CPU time of marking, as the runtime counts it, for each node; each is that of the
// whole process during forced collections, sweeping included.  Go counts the time of its workers by
// the clock, so its mark-each rises when the machine is busy; each does not.
//
// On a virtual machine processes may differ in nodes-random by which of its memory they get. All of
// the heap is in huge pages (AnonHugePages in /proc/PID/smaps), but the host need not back each of
// them by one of its own. A chain of loads over 16 MB of them, one line in each 4 KB, took 15 ns a
// load in most places, and in some 20 to 35, the same in each of four passes. Compare runs of
// several processes.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

typedef struct node node;
struct node {
    node *left, *right;
    uint64_t place, square;
};
PORT_TYPE(node, left, right);

static node *root;
static port_pointer *table; // only while the tree is made

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

static node *link_places(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        node *v = table[i];
        v->place = i;
        v->square = (uint64_t)i * i;
        port_init(&v->left, 2 * i + 1 < n ? (node *)table[2 * i + 1] : NULL);
        port_init(&v->right, 2 * i + 2 < n ? (node *)table[2 * i + 2] : NULL);
    }
    return table[0];
}

static uint64_t count(const node *v)
{
    if (v == NULL) return 0;
    if (v->square != v->place * v->place) load_fail("a node was overwritten");
    return 1 + count(v->left) + count(v->right);
}

void nodes_run(bool randomly)
{
    if (!PORT_GOROUTINES) exit(3);
    size_t n = load_quick ? 1000000 : 20000000;
    int times = load_quick ? 2 : 5;
    port_set(&table, port_new_array(port_pointer, n));
    for (size_t i = 0; i < n; i++)
        port_set(&table[i], (port_pointer)port_new(node));
    if (randomly) shuffle(table, n);
    port_set(&root, link_places(n));
    port_set(&table, NULL);
    port_collect();
    double marking = port_mark_cpu();
    load_begin();
    for (int i = 0; i < times; i++)
        port_collect();
    load_end((double)n * times);
    load_figure("mark-each", (port_mark_cpu() - marking) * 1e9 / ((double)n * times));
    if (count(root) != n) load_fail("a node was lost");
    load_check((uint64_t)n << 12);
}
