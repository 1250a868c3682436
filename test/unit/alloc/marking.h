// A cycle that has begun and has marked nothing yet but snapshots; objects that no word names.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef ALLOC_MARKING_H
#define ALLOC_MARKING_H

#include "../gc/gc_test.h"
#include "gort.h"
#include "sched/hooks.h"

typedef struct node {
    struct node *left, *right;
    uint64_t value;
    uint64_t space;
} node;
GORT_TYPE(node, left, right);

enum { MARKING_DEPTH = 6, MARKING_TREES = 4000 };
static node **marking_wide; // what keeps the markers busy for a while

__attribute__((unused)) static node *tree(int depth, uint64_t value)
{
    node *x = gort_new(node);
    x->value = value;
    if (depth > 0) {
        gort_init(&x->left, tree(depth - 1, 2 * value));
        gort_init(&x->right, tree(depth - 1, 2 * value + 1));
    }
    return x;
}

__attribute__((unused)) static void build_wide(void)
{
    gort_set(&marking_wide, (node **)gort_alloc(MARKING_TREES * sizeof(node *)));
    for (uint32_t i = 0; i < MARKING_TREES; i++)
        gort_set(&marking_wide[i], tree(MARKING_DEPTH, 1));
}

// Marking goes on as far as the test's goroutines take it.
static struct g *no_worker(struct p *p)
{
    (void)p;
    return NULL;
}

// So that nothing is left of former cycles.
__attribute__((unused)) static void prepare_marking(void)
{
    sched_hooks.find_mark_work = sched_hooks.find_idle_mark_work = no_worker;
    gort_set_gc_percent(-1);
    if (marking_wide == NULL) build_wide();
    scrub_stack();
    gort_gc();
    gc_sweep_all();
}

__attribute__((unused)) static void begin_marking(void)
{
    gort_set_gc_percent(100);
    while (!heap_marking())
        gort_new(node);
}

__attribute__((unused)) static void end_marking(void)
{
    while (heap_marking())
        gort_new(node);
    gc_sweep_all();
}

// An address in a form that is no pointer.
struct hidden {
    uintptr_t word;
};
static inline struct hidden hide(const void *x)
{
    return (struct hidden){ ~(uintptr_t)x };
}
static inline void *shown(struct hidden h)
{
    return (void *)~h.word;
}

__attribute__((unused)) static bool is_marked(struct hidden h)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    CHECK(span_find_object((uintptr_t)shown(h), &s, &i, &base));
    return span_is_marked(s, i);
}

#endif
