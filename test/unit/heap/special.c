// Specials of one span: order, uniqueness, removal, the listing by page.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "heap/special.h"
#include "heap_test.h"

static struct mcache *cache;
static unsigned spc;
static uintptr_t objects[50];

static struct special record(enum special_kind kind)
{
    return (struct special){ .kind = (uint8_t)kind };
}

static bool listed(void)
{
    struct span *s = span_of(objects[0]);
    return arena_bit(arena_of(s->base)->special_pages, s->base);
}

TEST(add_find_remove)
{
    struct span *s = span_of(objects[0]);
    struct special a = record(SPECIAL_PROFILE), b = record(SPECIAL_FINALIZER),
                   c = record(SPECIAL_FINALIZER), d = record(SPECIAL_WEAK);
    CHECK(!listed());
    CHECK(special_add(s, objects[10], &a));
    CHECK(listed());
    CHECK(special_add(s, objects[5] + 17, &b)); // interior
    CHECK_EQ(b.offset, objects[5] - s->base);
    CHECK(!special_add(s, objects[5], &c)); // one finalizer
    CHECK(special_add(s, objects[10], &c));
    CHECK(special_add(s, objects[7], &d));
    CHECK_PTR_EQ(s->specials, &b);
    CHECK_PTR_EQ(b.next, &d);
    CHECK_PTR_EQ(d.next, &c); // by offset, then kind
    CHECK_PTR_EQ(c.next, &a);
    CHECK_PTR_EQ(special_find(s, objects[10], SPECIAL_PROFILE), &a);
    CHECK(special_find(s, objects[10], SPECIAL_WEAK) == NULL);
    CHECK(special_find(s, objects[11], SPECIAL_PROFILE) == NULL);
    CHECK_PTR_EQ(special_remove(s, objects[10] + 3, SPECIAL_FINALIZER), &c);
    CHECK(special_remove(s, objects[10], SPECIAL_FINALIZER) == NULL);
    CHECK(special_remove_record(s, &d));
    CHECK(!special_remove_record(s, &d));
    CHECK(listed());
    CHECK(special_remove_record(s, &b));
    CHECK(special_remove_record(s, &a));
    CHECK(s->specials == NULL);
    CHECK(!listed());
}

TEST(cleanups_keep_their_order)
{
    struct span *s = span_of(objects[0]);
    struct special x[5], before = record(SPECIAL_WEAK), after = record(SPECIAL_PROFILE);
    CHECK(special_add(s, objects[3], &after));
    for (int i = 0; i < 5; i++) {
        x[i] = record(SPECIAL_CLEANUP);
        CHECK(special_add(s, objects[3], &x[i]));
    }
    CHECK(special_add(s, objects[3], &before));
    CHECK_PTR_EQ(special_find(s, objects[3], SPECIAL_CLEANUP), &x[0]);
    CHECK(special_remove_record(s, &x[2]));
    struct special *chain = special_take_slot(s, span_index_of(s, objects[3]));
    struct special *want[] = { &before, &x[0], &x[1], &x[3], &x[4], &after };
    struct special *sp = chain;
    for (size_t i = 0; i < array_len(want); i++, sp = sp->next)
        CHECK_PTR_EQ(sp, want[i]);
    CHECK(sp == NULL);
    CHECK(!listed());
    CHECK(special_take_slot(s, 3) == NULL);
    special_put_slot(s, chain);
    CHECK(listed());
    CHECK_PTR_EQ(special_find(s, objects[3], SPECIAL_PROFILE), &after);
    chain = special_take_slot(s, span_index_of(s, objects[3]));
    CHECK_PTR_EQ(chain, &before);
}

static size_t seen;
static void see(struct span *s, struct special *sp, void *arg)
{
    (void)arg;
    CHECK_PTR_EQ(span_of(s->base + sp->offset), s);
    seen++;
}

static struct special many[50][8];

static void *churn(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    size_t column = seed % 8;
    struct span *s = span_of(objects[0]);
    bool in[50] = { false };
    for (int64_t k = 0; k < test_count(50000); k++) {
        size_t i = test_random(&seed) % 50;
        if (in[i])
            CHECK(special_remove_record(s, &many[i][column]));
        else {
            many[i][column] = record(SPECIAL_CLEANUP);
            CHECK(special_add(s, objects[i], &many[i][column]));
        }
        in[i] = !in[i];
    }
    for (size_t i = 0; i < 50; i++)
        if (in[i]) CHECK(special_remove_record(s, &many[i][column]));
    return NULL;
}

TEST(walk_and_threads)
{
    struct span *s = span_of(objects[0]);
    struct special x[50];
    for (int i = 0; i < 50; i++) {
        x[i] = record(SPECIAL_WEAK);
        CHECK(special_add(s, objects[i], &x[i]));
    }
    seen = 0;
    special_each(see, NULL);
    CHECK_EQ(seen, 50);
    for (int i = 0; i < 50; i++)
        CHECK(special_remove_record(s, &x[i]));
    uint64_t seeds[4] = { 8 * test_seed(), 8 * test_seed() + 1, 8 * test_seed() + 2,
                          8 * test_seed() + 3 };
    run_threads(4, churn, seeds, sizeof(seeds[0]));
    CHECK(s->specials == NULL);
    CHECK(!listed());
}

int main(void)
{
    heap_start();
    cache = new_cache();
    spc = span_class_make(size_class_of(96), false);
    for (size_t i = 0; i < array_len(objects); i++)
        objects[i] = take(cache, spc);
    CHECK_PTR_EQ(span_of(objects[0]), span_of(objects[49]));
    RUN(add_find_remove);
    RUN(cleanups_keep_their_order);
    RUN(walk_and_threads);
    return 0;
}
