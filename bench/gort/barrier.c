// The write barrier while the collector is idle: the same code with gort_set and with plain stores,
// in turn, CPU time, medians.  The collector is off, so the plain stores are sound.
//
//     plain, set, over   a store into one of 1,024 slots in turn: ns, and what gort_set adds
//     tree, list         trees built from the bottom up and walked; a list made by appending, and
//                        walked: percent that gort_set adds
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define SLOTS 1024
#define ROUNDS 9

typedef struct item item;
struct item {
    item *left, *right;
};
GORT_TYPE(item, left, right);

static port_pointer slots[SLOTS];
static item *first, *last;

static inline __attribute__((always_inline)) void put(bool barrier, item **slot, item *value)
{
    if (barrier)
        gort_set(slot, value);
    else
        *slot = value;
}

static inline __attribute__((always_inline)) double store(bool barrier, int n)
{
    void *objects[2] = { gort_new(item), gort_new(item) };
    load_begin();
    for (int i = 0; i < n; i++) {
        if (barrier)
            gort_set(&slots[i % SLOTS], objects[i & 1]);
        else
            slots[i % SLOTS] = objects[i & 1];
        __asm__ volatile("" : : : "memory"); // each store happens
    }
    return load_cpu() * 1e6 / n;
}

static inline __attribute__((always_inline)) double list(bool barrier, int n)
{
    int length = 0;
    load_begin();
    put(barrier, &first, gort_new(item));
    put(barrier, &last, first);
    for (int i = 1; i < n; i++) {
        item *t = gort_new(item);
        put(barrier, &last->right, t);
        put(barrier, &last, t);
    }
    for (int times = 0; times < 4; times++)
        for (item *t = first; t != NULL; t = t->right)
            length++;
    double cpu = load_cpu();
    if (length != 4 * n) load_fail("an item of the list was lost");
    return cpu * 1e6 / n;
}

static item *build_plain(int depth)
{
    item *left = depth > 1 ? build_plain(depth - 1) : NULL;
    item *right = depth > 1 ? build_plain(depth - 1) : NULL, *t = gort_new(item);
    put(false, &t->left, left);
    put(false, &t->right, right);
    return t;
}

static item *build_set(int depth)
{
    item *left = depth > 1 ? build_set(depth - 1) : NULL;
    item *right = depth > 1 ? build_set(depth - 1) : NULL, *t = gort_new(item);
    put(true, &t->left, left);
    put(true, &t->right, right);
    return t;
}

static int walk(const item *t)
{
    return t == NULL ? 0 : 1 + walk(t->left) + walk(t->right);
}

static inline __attribute__((always_inline)) double tree(bool barrier, int n)
{
    int depth = 31 - __builtin_clz((unsigned)n), nodes = 0;
    load_begin();
    gort_set(&first, barrier ? build_set(depth) : build_plain(depth));
    for (int times = 0; times < 4; times++)
        nodes += walk(first);
    double cpu = load_cpu();
    if (nodes != 4 * ((1 << depth) - 1)) load_fail("a node of the tree was lost");
    return cpu * 1e6 / ((1 << depth) - 1);
}

#define TWICE(name)                                                                                \
    static __attribute__((noinline)) double name##_plain(int n)                                    \
    {                                                                                              \
        return name(false, n);                                                                     \
    }                                                                                              \
    static __attribute__((noinline)) double name##_set(int n)                                      \
    {                                                                                              \
        return name(true, n);                                                                      \
    }
TWICE(store)
TWICE(list)
TWICE(tree)

// ns for each element, with plain stores and with gort_set.
static void measure(double (*plain)(int), double (*set)(int), int n, double result[2])
{
    double all[2][ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        gort_gc();
        all[0][i] = plain(n);
        gort_gc();
        all[1][i] = set(n);
    }
    for (int k = 0; k < 2; k++)
        result[k] = load_median(all[k], ROUNDS);
}

void barrier_run(void)
{
    double r[2];
    int n = load_quick ? 100000 : 1000000;
    gort_set_gc_percent(-1);
    measure(store_plain, store_set, 10 * n, r);
    load_figure("plain", r[0]);
    load_figure("set", r[1]);
    load_figure("over", r[1] - r[0]);
    measure(tree_plain, tree_set, n, r);
    load_figure("tree", (r[1] / r[0] - 1) * 100);
    measure(list_plain, list_set, n, r);
    load_figure("list", (r[1] / r[0] - 1) * 100);
    load_check(1 << 12);
}
