// Concurrent maps, one goroutine: each call, kinds of keys, growth, iteration, edges.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>

#include "../goroutines.h"

typedef struct point {
    int64_t x, y;
} point;
GORT_TYPE(point);

typedef gort_cmap(int, int) ints;

TEST(calls_without_the_key)
{
    ints m = gort_cmap_make(int, int, 0);
    int v = 5;
    CHECK(!gort_cmap_load(m, 1, &v) && v == 0);
    v = 5;
    CHECK(!gort_cmap_load_and_delete(m, 1, &v) && v == 0);
    CHECK(!gort_cmap_delete(m, 1));
    CHECK(!gort_cmap_compare_and_swap(m, 1, 0, 1));
    CHECK(!gort_cmap_compare_and_delete(m, 1, 0));
    CHECK_EQ(gort_cmap_len(m), 0);
    v = 5;
    CHECK(!gort_cmap_swap(m, 1, &v, 2) && v == 0);
    CHECK(!gort_cmap_load_or_store(m, 2, &v, 3) && v == 3);
    CHECK(gort_cmap_load(m, 1, &v) && v == 2);
    CHECK(gort_cmap_load_or_store(m, 1, &v, 9) && v == 2);
    CHECK_EQ(gort_cmap_len(m), 2);
}

TEST(a_null_map)
{
    ints m = NULL;
    int v = 5;
    gort_cmap_iter it = GORT_CMAP_ITER;
    CHECK(!gort_cmap_load(m, 1, &v) && v == 0);
    CHECK(!gort_cmap_delete(m, 1) && !gort_cmap_load_and_delete(m, 1, NULL));
    CHECK(!gort_cmap_compare_and_swap(m, 1, 0, 1) && !gort_cmap_compare_and_delete(m, 1, 0));
    CHECK(!gort_cmap_next(m, &it, NULL, NULL) && gort_cmap_len(m) == 0);
    gort_cmap_clear(m);
}

static void store_in_null(void *arg)
{
    ints m = NULL;
    if (arg == NULL)
        gort_cmap_store(m, 1, 1);
    else
        gort_cmap_load_or_store(m, 1, NULL, 1);
}

TEST(storing_in_a_null_map_panics)
{
    CHECK_PANICS(store_in_null, NULL, "assignment to entry in nil map");
    CHECK_PANICS(store_in_null, &test_turns, "assignment to entry in nil map");
}

static void check_against(ints m, const int *model, int n)
{
    char met[4096] = { 0 };
    int k, v, entries = 0;
    gort_cmap_iter it = GORT_CMAP_ITER;
    while (gort_cmap_next(m, &it, &k, &v)) {
        CHECK(k >= 0 && k < n && met[k] == 0);
        met[k] = 1;
        CHECK_EQ(v, model[k]);
        entries++;
    }
    CHECK(!gort_cmap_next(m, &it, &k, &v));
    for (int i = 0; i < n; i++) {
        CHECK_EQ(gort_cmap_load(m, i, &v), model[i] != 0);
        CHECK_EQ(v, model[i]);
        CHECK_EQ(met[i], model[i] != 0);
    }
    CHECK_EQ(gort_cmap_len(m), (size_t)entries);
}

TEST(random_calls_against_an_array)
{
    static int model[4096];
    const int n = 4096;
    ints m = gort_cmap_make(int, int, 0);
    uint64_t r = test_seed_used;
    for (int i = 0; i < test_count(100000); i++) {
        int k = (int)(test_random(&r) % (uint64_t)n), old = model[k], v = 0, next = i + 1;
        switch (test_random(&r) % 6) {
        case 0:
            gort_cmap_store(m, k, next);
            model[k] = next;
            break;
        case 1:
            CHECK_EQ(gort_cmap_swap(m, k, &v, next), old != 0);
            CHECK_EQ(v, old);
            model[k] = next;
            break;
        case 2:
            CHECK_EQ(gort_cmap_load_or_store(m, k, &v, next), old != 0);
            if (old == 0) model[k] = next;
            CHECK_EQ(v, model[k]);
            break;
        case 3:
            CHECK_EQ(gort_cmap_load_and_delete(m, k, &v), old != 0);
            CHECK_EQ(v, old);
            model[k] = 0;
            break;
        case 4: {
            bool right = test_random(&r) % 2 == 0;
            CHECK_EQ(gort_cmap_compare_and_swap(m, k, right ? old : -1, next), right && old != 0);
            if (right && old != 0) model[k] = next;
            break;
        }
        default: {
            bool right = test_random(&r) % 2 == 0;
            CHECK_EQ(gort_cmap_compare_and_delete(m, k, right ? old : -1), right && old != 0);
            if (right) model[k] = 0;
        }
        }
        if (i % 10007 == 0) check_against(m, model, n);
    }
    check_against(m, model, n);
    gort_cmap_clear(m);
    memset(model, 0, sizeof model);
    check_against(m, model, n);
}

// ---- kinds of keys ------------------------------------------------------------------------------

TEST(texts_by_content)
{
    gort_cmap(const char *, int) c = gort_cmap_make(const char *, int, 0);
    gort_cmap(gort_string, int) s = gort_cmap_make_typed(gort_string, int, 0);
    for (int i = 0; i < 500; i++) {
        gort_string text = gort_format("key %d", i);
        gort_cmap_store(s, text, i);
        gort_cmap_store(c, gort_string_to_c(text), i);
    }
    gort_gc(); // the map alone has the keys
    for (int i = 0; i < 500; i++) {
        char text[32];
        int v = -1;
        snprintf(text, sizeof text, "key %d", i);
        CHECK(gort_cmap_load(c, text, &v) && v == i);
        v = -1;
        CHECK(gort_cmap_load(s, gort_string_of(text), &v) && v == i);
    }
    CHECK(!gort_cmap_load(s, gort_str("key"), NULL));
}

TEST(odd_numbers)
{
    gort_cmap(double, int) m = gort_cmap_make(double, int, 0);
    gort_cmap_store(m, 0.0, 1);
    gort_cmap_store(m, -0.0, 2);
    CHECK_EQ(gort_cmap_len(m), 1);
    for (int i = 0; i < 20; i++)
        gort_cmap_store(m, NAN, i);
    CHECK(!gort_cmap_load(m, NAN, NULL) && !gort_cmap_delete(m, NAN));
    CHECK_EQ(gort_cmap_len(m), 21);
    int met = 0;
    gort_cmap_iter it = GORT_CMAP_ITER;
    while (gort_cmap_next(m, &it, NULL, NULL))
        met++;
    CHECK_EQ(met, 21);
    gort_cmap_clear(m);
    CHECK_EQ(gort_cmap_len(m), 0);
}

static uint64_t hash_badly(const point *p, uint64_t seed)
{
    if (p->x < 0) gort_panic("no hash for %ld", (long)p->x);
    return seed & 1;
}
static bool same_point(const point *a, const point *b)
{
    if (a->y < 0 || b->y < 0) gort_panic("not to be compared");
    return a->x == b->x;
}

typedef gort_cmap(point, point) points;
static points own;

TEST(keys_that_all_collide)
{
    gort_set(&own, gort_cmap_make_own(point, point, 0, hash_badly, same_point));
    for (int i = 0; i < 200; i++) {
        point p = { i, i };
        gort_cmap_store(own, p, p);
        p.y = 1000;
        gort_cmap_store(own, p, p); // the key that entered stays
    }
    CHECK_EQ(gort_cmap_len(own), 200);
    point k, v;
    gort_cmap_iter it = GORT_CMAP_ITER;
    while (gort_cmap_next(own, &it, &k, &v))
        CHECK(k.x == k.y && v.x == k.x && v.y == 1000);
    for (int i = 0; i < 200; i += 2)
        CHECK(gort_cmap_delete(own, ((point){ i, 0 })));
    for (int i = 0; i < 200; i++)
        CHECK_EQ(gort_cmap_load(own, ((point){ i, 0 }), NULL), i % 2 != 0);
}

// Equal, and in the first comparison the key is removed by the way.
static bool same_and_removed(const point *a, const point *b)
{
    static bool within;
    if (!within && a->x == 7 && a->y != b->y) {
        within = true;
        CHECK(gort_cmap_delete(own, *b));
        within = false;
    }
    return a->x == b->x;
}

// Of two keys that are equal the one that is stored, when the other one was removed meanwhile.
TEST(a_key_that_was_removed_does_not_stay)
{
    gort_set(&own, gort_cmap_make_own(point, point, 0, hash_badly, same_and_removed));
    point former = { 7, 1 }, later = { 7, 2 }, k;
    gort_cmap_store(own, former, former);
    gort_cmap_store(own, later, later);
    gort_cmap_iter it = GORT_CMAP_ITER;
    CHECK(gort_cmap_next(own, &it, &k, NULL));
    CHECK_EQ(k.y, 2);
    CHECK(!gort_cmap_next(own, &it, NULL, NULL));
}

static void store_point(void *arg)
{
    gort_cmap_store(own, *(point *)arg, *(point *)arg);
}

// A function of the program's that panics leaves the map as it was.
TEST(own_functions_may_panic)
{
    point no_hash = { -1, 0 }, not_same = { 3, -1 }, fine = { 3, 3 }, v;
    gort_set(&own, gort_cmap_make_own(point, point, 0, hash_badly, same_point));
    gort_cmap_store(own, fine, fine);
    CHECK_PANICS(store_point, &no_hash, "no hash for -1");
    CHECK_PANICS(store_point, &not_same, "not to be compared");
    CHECK(gort_cmap_load(own, fine, &v) && v.y == 3 && gort_cmap_len(own) == 1);
    gort_cmap_store(own, fine, fine);
    CHECK(gort_cmap_delete(own, fine));
}

// ---- values -------------------------------------------------------------------------------------

typedef struct big {
    char *text;
    char bytes[2000];
    char *last;
} big;
GORT_TYPE(big, text, last);

TEST(large_values)
{
    gort_cmap(int, big) m = gort_cmap_make_typed(int, big, 0);
    static big b, got;
    for (int i = 0; i < 100; i++) {
        b.text = gort_string_to_c(gort_format("first %d", i));
        b.last = gort_string_to_c(gort_format("last %d", i));
        memset(b.bytes, i, sizeof b.bytes);
        gort_cmap_store(m, i, b);
    }
    memset(&b, 0, sizeof b);
    gort_gc();
    for (int i = 0; i < 100; i++) {
        char text[32];
        CHECK(gort_cmap_load(m, i, &got));
        snprintf(text, sizeof text, "first %d", i);
        CHECK_STR_EQ(got.text, text);
        snprintf(text, sizeof text, "last %d", i);
        CHECK_STR_EQ(got.last, text);
        CHECK_EQ(got.bytes[1999], i);
    }
}

TEST(room_from_the_beginning)
{
    static const size_t hints[] = { 1, 2, 7, 8, 9, 511, 512, 513, 100000 };
    for (size_t h = 0; h < sizeof hints / sizeof hints[0]; h++) {
        gort_cmap(uint64_t, uint64_t) m = gort_cmap_make(uint64_t, uint64_t, hints[h]);
        for (uint64_t i = 0; i < 2000; i++)
            gort_cmap_store(m, i << 40, i);
        uint64_t v = 0;
        for (uint64_t i = 0; i < 2000; i++)
            CHECK(gort_cmap_load(m, i << 40, &v) && v == i);
        CHECK_EQ(gort_cmap_len(m), 2000);
    }
}

// ---- iteration ----------------------------------------------------------------------------------

TEST(iteration_while_it_changes)
{
    for (int size = 0; size <= 300; size += 50) {
        ints m = gort_cmap_make(int, int, 0);
        int met[300] = { 0 }, k, added = 1000;
        for (int i = 0; i < size; i++)
            gort_cmap_store(m, i, i);
        gort_cmap_iter it = GORT_CMAP_ITER;
        while (gort_cmap_next(m, &it, &k, NULL)) {
            for (int i = 0; i < 20 && added < 5000; i++, added++)
                gort_cmap_store(m, added, 0); // it grows
            if (k >= 300) continue;
            CHECK_EQ(met[k]++, 0);
            gort_cmap_delete(m, k);
        }
        for (int i = 0; i < size; i++)
            CHECK_EQ(met[i], 1);
    }
}

TEST(iteration_over_a_clear)
{
    for (int stop = 0; stop < 40; stop++) {
        ints m = gort_cmap_make(int, int, 0);
        int met[2000] = { 0 }, k, n = 0;
        for (int i = 0; i < 1000; i++)
            gort_cmap_store(m, i, i);
        gort_cmap_iter it = GORT_CMAP_ITER;
        while (gort_cmap_next(m, &it, &k, NULL)) {
            CHECK_EQ(met[k]++, 0);
            if (n++ != stop * 25) continue;
            gort_cmap_clear(m);
            for (int i = 0; i < 2000; i++)
                gort_cmap_store(m, i, i);
        }
        CHECK_GE(n, stop * 25 + 1);
    }
}

TEST(orders_differ)
{
    ints m = gort_cmap_make(int, int, 0);
    int first[100], differ = 0;
    for (int i = 0; i < 64; i++)
        gort_cmap_store(m, i, i);
    for (int i = 0; i < 100; i++) {
        gort_cmap_iter it = GORT_CMAP_ITER;
        CHECK(gort_cmap_next(m, &it, &first[i], NULL));
        differ += first[i] != first[0];
    }
    CHECK_NE(differ, 0);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(calls_without_the_key);
    RUN(a_null_map);
    RUN(storing_in_a_null_map_panics);
    RUN(random_calls_against_an_array);
    RUN(texts_by_content);
    RUN(odd_numbers);
    RUN(keys_that_all_collide);
    RUN(a_key_that_was_removed_does_not_stay);
    RUN(own_functions_may_panic);
    RUN(large_values);
    RUN(room_from_the_beginning);
    RUN(iteration_while_it_changes);
    RUN(iteration_over_a_clear);
    RUN(orders_differ);
    return 0;
}

int main(int argc, char **argv)
{
    test_seed();
    return gort_run(run, argc, argv);
}
