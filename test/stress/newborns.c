// Trees of goroutines whose arguments are the only words that lead to objects, started faster than
// they run, while collections go on and the number of processors changes.
// ThreadSanitizer counts goroutines as threads, of which it has 8,128 at most.
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

enum { CHILDREN = 6, DEPTH = 5, TREES = 6 };

typedef struct node {
    struct node *parent;
    gort_waitgroup *group;
    uint64_t check; // of the number and depth
    int number, depth;
} node;
GORT_TYPE(node, parent, group);

static uint64_t begun; // atomic
static uint32_t over;  // atomic

static uint64_t check_of(int number, int depth)
{
    return (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)depth;
}

static void grow_node(void *arg);

// As much is copied as fits a record, or more, with the object at another place each time.
struct copied {
    uintptr_t before[2];
    node *n;
    uintptr_t after[8];
};

static void grow_copied(void *args)
{
    struct copied *c = args;
    node *n = c->n;
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(c->before[i], n->check + i);
    memset(c, 0, offsetof(struct copied, after));
    grow_node(n);
}

static void start(node *n)
{
    struct copied c = { .before = { n->check, n->check + 1 }, .n = n };
    switch (n->number % 4) {
    case 0:
        gort_go_copy(grow_copied, &c, offsetof(struct copied, after));
        break;
    case 1:
        gort_go_copy(grow_copied, &c, sizeof c);
        break;
    default:
        gort_go(grow_node, n);
    }
}

static void make_children(node *parent)
{
    gort_waitgroup *group = gort_alloc(sizeof *group);
    gort_waitgroup_add(group, CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        node *n = gort_new(node);
        n->number = parent->number * CHILDREN + i;
        n->depth = parent->depth + 1;
        n->check = check_of(n->number, n->depth);
        gort_init(&n->parent, parent);
        gort_init(&n->group, group);
        start(n);
    }
    gort_waitgroup_wait(group);
}

static void grow_node(void *arg)
{
    node *n = arg;
    __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    CHECK_EQ(n->check, check_of(n->number, n->depth));
    if (n->depth < DEPTH) make_children(n);
    CHECK_EQ(n->check, check_of(n->number, n->depth));
    if (n->parent != NULL) CHECK_EQ(n->parent->check, check_of(n->number / CHILDREN, n->depth - 1));
    gort_waitgroup_done(n->group);
}

static void resize(void *arg)
{
    static const int counts[] = { 2, 1, 4, 3, 16, 1, 8 };
    for (unsigned i = 0; __atomic_load_n(&over, __ATOMIC_ACQUIRE) == 0; i++) {
        gort_max_procs(counts[i % 7]);
        gort_sleep(300 * GORT_US);
    }
    gort_waitgroup_done(arg);
}

static void grow_trees(void)
{
    gort_waitgroup *group = gort_alloc(sizeof *group);
    gort_waitgroup_add(group, TREES);
    for (int i = 0; i < TREES; i++) {
        node *n = gort_new(node);
        n->check = check_of(0, 0);
        gort_init(&n->group, group);
        gort_go(grow_node, n);
    }
    gort_waitgroup_wait(group);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    gort_waitgroup resizer = { 0 };
    uint64_t each = 0;
    int rounds = (int)test_count(20);
    gort_set_gc_percent(10);
    gort_waitgroup_add(&resizer, 1);
    gort_go(resize, &resizer);
    for (int i = 0, n = 1; i <= DEPTH; i++, n *= CHILDREN)
        each += (uint64_t)n;
    for (int i = 0; i < rounds; i++)
        grow_trees();
    CHECK_EQ(begun, (uint64_t)rounds * TREES * each);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    gort_waitgroup_wait(&resizer);
    while (gort_num_goroutines() != 1) // who is about to end, ends
        gort_yield();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
