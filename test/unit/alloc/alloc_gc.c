// Objects of every layout survive collections while they are reachable, and are reclaimed
// afterwards.
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gort.h"

typedef struct node {
    struct node *next;
    uint64_t value;
} node;
GORT_TYPE(node, next);

static node *head;

__attribute__((noinline)) static void build(uint64_t n)
{
    head = NULL;
    for (uint64_t i = 0; i < n; i++) {
        node *x = gort_new(node);
        CHECK(x->next == NULL && x->value == 0);
        x->value = i;
        x->next = head;
        gort_set(&head, x);
    }
}

static uint64_t sum(void)
{
    uint64_t s = 0;
    for (node *x = head; x != NULL; x = x->next)
        s += x->value;
    return s;
}

static void a_list_survives(void)
{
    enum { N = 100000 };
    build(N);
    CHECK_EQ(sum(), (uint64_t)N * (N - 1) / 2);
    for (int i = 0; i < 3; i++) {
        gort_gc();
        CHECK_EQ(sum(), (uint64_t)N * (N - 1) / 2);
    }
    gort_stats s;
    gort_read_stats(&s);
    CHECK_GE(s.num_forced_gc, 3);
    CHECK_GE(s.heap_marked, N * sizeof(node));
    CHECK_LT(s.heap_marked, N * sizeof(node) + (1 << 20));
    head = NULL;
    scrub_stack();
    gort_gc();
    gort_read_stats(&s);
    CHECK_LT(s.heap_marked, 1 << 20);
    CHECK_LT(s.heap_alloc, 1 << 20);
}

int main(void)
{
    RUN_ALL(a_list_survives);
    return 0;
}
