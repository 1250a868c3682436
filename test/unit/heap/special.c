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
    return (struct special){ .kind = kind };
}

static bool listed(void)
{
    struct span *s = span_of(objects[0]);
    return arena_bit(arena_of(s->base)->special_pages, s->base);
}

static void check_list(struct special *const *want, size_t n)
{
    const struct special *x = span_of(objects[0])->specials, *before = NULL;
    for (size_t i = 0; i < n; i++, before = x, x = x->next) {
        CHECK_PTR_EQ(x, want[i]);
        CHECK_PTR_EQ(x->prev, before);
    }
    CHECK(x == NULL);
}
#define CHECK_LIST(...)                                                                            \
    check_list((struct special *[]){ __VA_ARGS__ },                                                \
               sizeof((struct special *[]){ __VA_ARGS__ }) / sizeof(struct special *))

TEST(add_find_remove)
{
    struct span *s = span_of(objects[0]);
    struct special a = record(SPECIAL_PROFILE), b = record(SPECIAL_FINALIZER),
                   c = record(SPECIAL_FINALIZER), d = record(SPECIAL_WEAK);
    CHECK(!listed());
    CHECK(special_add(s, objects[10], &a));
    CHECK(listed());
    CHECK(special_add(s, objects[5], &b));
    CHECK_EQ((uint64_t)b.offset, objects[5] - s->base);
    CHECK(!special_add(s, objects[5], &c)); // one finalizer
    CHECK(special_add(s, objects[10], &c));
    CHECK(special_add(s, objects[7], &d));
    CHECK_LIST(&c, &a, &d, &b); // by slot, falling, then kind
    CHECK_PTR_EQ(special_find(s, objects[10], SPECIAL_PROFILE), &a);
    CHECK(special_find(s, objects[10], SPECIAL_WEAK) == NULL);
    CHECK(special_find(s, objects[11], SPECIAL_PROFILE) == NULL);
    CHECK(special_remove(s, objects[10] + 8, SPECIAL_FINALIZER) == NULL);
    CHECK_PTR_EQ(special_remove(s, objects[10], SPECIAL_FINALIZER), &c);
    CHECK(special_remove(s, objects[10], SPECIAL_FINALIZER) == NULL);
    special_remove_record(s, &d);
    CHECK(special_find(s, objects[7], SPECIAL_WEAK) == NULL);
    CHECK_LIST(&a, &b);
    special_remove_record(s, &b);
    CHECK(listed());
    special_remove_record(s, &a);
    CHECK(s->specials == NULL);
    CHECK(!listed());
}

TEST(inner_addresses)
{
    struct span *s = span_of(objects[0]);
    struct special w[4], f = record(SPECIAL_FINALIZER), again = record(SPECIAL_WEAK);
    static const unsigned at[4] = { 8, 0, 95, 24 };
    for (int i = 0; i < 4; i++) {
        w[i] = record(SPECIAL_WEAK);
        CHECK(special_add(s, objects[6] + at[i], &w[i]));
        CHECK_EQ(s->base + (uint64_t)w[i].offset, objects[6] + at[i]);
    }
    CHECK(special_add(s, objects[6] + 48, &f));
    CHECK_LIST(&f, &w[2], &w[3], &w[0], &w[1]); // by kind, then address, falling
    for (int i = 0; i < 4; i++) {
        CHECK(!special_add(s, objects[6] + at[i], &again));
        CHECK_PTR_EQ(special_find(s, objects[6] + at[i], SPECIAL_WEAK), &w[i]);
        CHECK(special_find(s, objects[6] + at[i] + 1, SPECIAL_WEAK) == NULL);
    }
    CHECK_PTR_EQ(special_remove(s, objects[6] + 95, SPECIAL_WEAK), &w[2]);
    CHECK(special_add(s, objects[6] + 95, &again));
    CHECK_LIST(&f, &again, &w[3], &w[0], &w[1]);
    CHECK_PTR_EQ(special_take_all(s), &f);
    CHECK(!listed());
}

TEST(sweeper_takes_and_puts)
{
    struct span *s = span_of(objects[0]);
    struct special x[5], before = record(SPECIAL_WEAK), after = record(SPECIAL_PROFILE),
                         other = record(SPECIAL_CLEANUP);
    CHECK(special_take_all(s) == NULL);
    CHECK(special_add(s, objects[3], &after));
    for (int i = 0; i < 5; i++) {
        x[i] = record(SPECIAL_CLEANUP);
        CHECK(special_add(s, objects[3] + 8 * (unsigned)(i % 2), &x[i]));
    }
    CHECK(special_add(s, objects[3], &before));
    CHECK(special_add(s, objects[2] + 17, &other));
    special_remove_record(s, &x[2]);
    CHECK_LIST(&before, &x[4], &x[3], &x[1], &x[0], &after, &other); // the latest first
    struct special *left = special_take_all(s), *chain = special_cut_slot(s, &left);
    CHECK(!listed());
    CHECK_PTR_EQ(chain, &before);
    CHECK(after.next == NULL);
    CHECK_PTR_EQ(left, &other);
    CHECK_PTR_EQ(special_cut_slot(s, &left), &other);
    CHECK(left == NULL);
    before.next = &x[3]; // as a hook that took some
    x[3].next = &after;
    after.next = &other;
    special_put_all(s, &before);
    CHECK(listed());
    CHECK_LIST(&before, &x[3], &after, &other);
    special_take_all(s);
    special_put_all(s, NULL);
    CHECK(!listed());
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
            special_remove_record(s, &many[i][column]);
        else {
            many[i][column] = record(SPECIAL_CLEANUP);
            CHECK(special_add(s, objects[i], &many[i][column]));
        }
        in[i] = !in[i];
    }
    for (size_t i = 0; i < 50; i++)
        if (in[i]) special_remove_record(s, &many[i][column]);
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
        special_remove_record(s, &x[i]);
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
    RUN(inner_addresses);
    RUN(sweeper_takes_and_puts);
    RUN(walk_and_threads);
    return 0;
}
