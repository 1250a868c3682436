// Span sets: every span comes out once, with threads pushing and popping at the same time.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "heap_test.h"

enum { THREADS = 8, SPANS = 4000 };

static struct span_set set, other;
static struct span *spans;

TEST(order_and_walk)
{
    CHECK(spanset_empty(&set));
    CHECK(spanset_pop(&set) == NULL);
    for (int i = 0; i < 10; i++)
        spanset_push(&set, &spans[i]);
    CHECK(!spanset_empty(&set));
    for (int i = 9; i >= 0; i--) {
        CHECK(spans[i].in_set);
        CHECK_PTR_EQ(spanset_pop(&set), &spans[i]);
        CHECK(!spans[i].in_set);
    }
    CHECK(spanset_empty(&set));
}

TEST(walk_keeps_the_set)
{
    CHECK(spanset_next_stw(&set, NULL) == NULL);
    for (int i = 0; i < 10; i++)
        spanset_push(&set, &spans[i]);
    struct span *s = NULL;
    for (int i = 9; i >= 0; i--) {
        s = spanset_next_stw(&set, s);
        CHECK_PTR_EQ(s, &spans[i]);
    }
    CHECK(spanset_next_stw(&set, s) == NULL);
    for (int i = 9; i >= 0; i--)
        CHECK_PTR_EQ(spanset_pop(&set), &spans[i]);
}

TEST(several_at_once)
{
    struct span *s[SPANSET_MANY];
    for (int i = 0; i < 5; i++)
        s[i] = &spans[i];
    spanset_push_many(&set, s, 5);
    spanset_push_many(&set, s, 0);
    CHECK(spans[4].in_set);
    CHECK_PTR_EQ(spanset_pop(&set), &spans[0]);
    CHECK_EQ(spanset_pop_many(&set, s, SPANSET_MANY), 4);
    for (int i = 0; i < 4; i++) {
        CHECK_PTR_EQ(s[i], &spans[i + 1]);
        CHECK(!s[i]->in_set);
    }
    CHECK_EQ(spanset_pop_many(&set, s, SPANSET_MANY), 0);
}

// Spans wander between two sets; nobody ever holds one that another holds.
static void *wander(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    for (int64_t k = 0; k < test_count(200000); k++) {
        bool odd = test_random(&seed) & 1;
        struct span *s[8];
        unsigned n = spanset_pop_many(odd ? &set : &other, s, 1 + test_random(&seed) % 8);
        for (unsigned i = 0; i < n; i++) {
            CHECK_EQ(atomic_exchange_acqrel(&s[i]->alloc_cycle, seed), 0);
            atomic_store_release(&s[i]->alloc_cycle, 0);
        }
        spanset_push_many(test_random(&seed) & 1 ? &set : &other, s, n);
    }
    return NULL;
}

TEST(threads)
{
    uint64_t seeds[THREADS];
    for (int i = 0; i < SPANS; i++)
        spanset_push(i < 3 * SPANS / 4 ? &set : &other, &spans[i]);
    for (int i = 0; i < THREADS; i++)
        seeds[i] = test_seed() + (uint64_t)i;
    run_threads(THREADS, wander, seeds, sizeof(seeds[0]));
    int n = 0;
    while (spanset_pop(&set) != NULL || spanset_pop(&other) != NULL)
        n++;
    CHECK_EQ(n, SPANS);
    for (int i = 0; i < SPANS; i++)
        CHECK(!spans[i].in_set);
}

int main(void)
{
    spans = aligned_alloc(CACHE_LINE, SPANS * sizeof(struct span));
    memset(spans, 0, SPANS * sizeof(struct span));
    RUN(order_and_walk);
    RUN(walk_keeps_the_set);
    RUN(several_at_once);
    RUN(threads);
    return 0;
}
