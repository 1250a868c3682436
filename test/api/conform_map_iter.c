// Conformance of iterations over maps: what Go's tests of range over maps check, as gort makes it.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>

#include "../conform.h"

typedef gort_map(int, int) int_map;
typedef gort_map(double, int) float_map;

static int_map squares(int n)
{
    int_map m = gort_map_make(int, int, 0);
    for (int i = 0; i < n; i++)
        gort_map_put(m, i, i * i);
    return m;
}

static void nans_are_met_while_the_map_grows(void)
{
    for (int round = 0; round < 50; round++) {
        float_map m = gort_map_make(double, int, 0);
        int met[4] = { 0 }, v, added = 0;
        for (int i = 0; i < 4; i++)
            gort_map_put(m, NAN, i);
        gort_map_iter it = GORT_MAP_ITER;
        while (gort_map_next(m, &it, NULL, &v)) {
            if (v < 4) met[v]++;
            for (int i = 0; i < 50 && added < 500; i++, added++)
                gort_map_put(m, (double)added, 100);
        }
        for (int i = 0; i < 4; i++)
            CHECK_EQ(met[i], 1);
    }
}

static void nans_that_are_added_do_not_bring_others_again(void)
{
    float_map m = gort_map_make(double, int, 0);
    int met[300] = { 0 }, v, next = 50;
    for (int i = 0; i < 50; i++)
        gort_map_put(m, NAN, i);
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, NULL, &v)) {
        CHECK_EQ(met[v]++, 0);
        if (next < 300) gort_map_put(m, NAN, next++);
    }
    for (int i = 0; i < 50; i++)
        CHECK_EQ(met[i], 1);
}

static void growing_and_deleting_within(void)
{
    int_map m = squares(100);
    bool growing = true;
    int met[10000] = { 0 }, k;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, NULL)) {
        if (growing) {
            for (int i = 100; i < 10000; i++)
                gort_map_put(m, i, i);
            for (int i = 0; i < 100; i += 2)
                if (i != k) gort_map_delete(m, i);
            growing = false;
            met[k]++;
            continue;
        }
        CHECK(k >= 100 || k % 2 == 1);
        CHECK_EQ(met[k]++, 0);
    }
    for (int i = 1; i < 100; i += 2)
        CHECK_EQ(met[i], 1);
}

typedef struct big_key {
    char *text;
    int64_t n[3];
} big_key;

static void collecting_within(void)
{
    gort_map(int, big_key) m = gort_map_make(int, big_key, 0);
    for (int i = 0; i < 100; i++)
        gort_map_put(m, i, (big_key){ gort_string_to_c(gort_format("%d", i)), { i, i, i } });
    gort_map_iter it = GORT_MAP_ITER;
    int k, n = 0;
    big_key v;
    while (gort_map_next(m, &it, &k, &v)) {
        if (n == 0)
            for (int i = 100; i < 2000; i++)
                gort_map_put(m, i,
                             (big_key){ gort_string_to_c(gort_format("%d", i)), { i, 0, i } });
        if (n++ % 500 == 0) gort_gc();
        CHECK_EQ(atoi(v.text), k);
        CHECK_EQ(v.n[2], k);
    }
    CHECK_GE(n, 100);
}

static void few_entries_in_many_places(void)
{
    int_map m = squares(5000);
    for (int i = 0; i < 5000; i++)
        if (i % 500 != 0) gort_map_delete(m, i);
    int first = -1, differ = 0;
    for (int round = 0; round < 64; round++) {
        gort_map_iter it = GORT_MAP_ITER;
        int met = 0, k;
        for (; gort_map_next(m, &it, &k, NULL); met++)
            if (met == 0) {
                if (round == 0) first = k;
                differ += k != first;
            }
        CHECK_EQ(met, 10);
    }
    CHECK_NE(differ, 0);
}

static void deleting_and_adding_again_brings_nothing_twice(void)
{
    for (int size = 1; size < 40; size++) {
        int_map m = squares(size);
        int met[40] = { 0 }, k, rounds = 0;
        gort_map_iter it = GORT_MAP_ITER;
        while (gort_map_next(m, &it, &k, NULL)) {
            CHECK_LT(rounds++, 2 * size);
            CHECK_LE(++met[k], 2); // once as it was, once as it was added again
            if (met[k] > 1) continue;
            gort_map_delete(m, k);
            gort_map_put(m, k, 0);
        }
        for (int i = 0; i < size; i++)
            CHECK_GE(met[i], 1);
    }
}

static void replacing_all_within(void)
{
    for (int size = 3; size < 3000; size = size * 3 + 1) {
        int_map m = squares(size);
        int k, v, n = 0;
        gort_map_iter it = GORT_MAP_ITER;
        for (; gort_map_next(m, &it, &k, &v); n++) {
            CHECK_EQ(v, n == 0 ? k * k : -k);
            for (int i = 0; n == 0 && i < size; i++)
                gort_map_put(m, i, -i);
        }
        CHECK_EQ(n, size);
    }
}

static void what_was_deleted_before_it_came_is_not_met(void)
{
    for (int size = 2; size < 2000; size = size * 2 + 1) {
        int_map m = squares(size);
        int k, n = 0;
        gort_map_iter it = GORT_MAP_ITER;
        while (gort_map_next(m, &it, &k, NULL)) {
            CHECK(gort_map_find(m, k) != NULL);
            for (int i = 0; i < size; i++)
                if (i != k) gort_map_delete(m, i);
            n++;
        }
        CHECK_EQ(n, 1);
    }
}

static void clearing_within_ends_it(void)
{
    for (int size = 1; size < 3000; size = size * 3 + 1) {
        int_map m = squares(size);
        int k, n = 0;
        gort_map_iter it = GORT_MAP_ITER;
        for (; gort_map_next(m, &it, &k, NULL); n++)
            gort_map_clear(m);
        CHECK_EQ(n, 1);
        CHECK_EQ(gort_map_len(m), 0);
    }
}

static void each_entry_is_the_first_sometimes(void)
{
    static const int sizes[] = { 3, 7, 9, 15 };
    for (int s = 0; s < 4; s++) {
        int_map m = squares(sizes[s]);
        int first[15] = { 0 }, k;
        for (int i = 0; i < 3000; i++) {
            gort_map_iter it = GORT_MAP_ITER;
            CHECK(gort_map_next(m, &it, &k, NULL));
            first[k]++;
        }
        for (int i = 0; i < sizes[s]; i++)
            CHECK_NE(first[i], 0);
    }
}

static void two_walk_the_same_map(void)
{
    int_map m = squares(100);
    int pairs = 0, a, b;
    gort_map_iter outer = GORT_MAP_ITER;
    while (gort_map_next(m, &outer, &a, NULL)) {
        gort_map_iter inner = GORT_MAP_ITER;
        while (gort_map_next(m, &inner, &b, NULL))
            pairs += a < b;
    }
    CHECK_EQ(pairs, 100 * 99 / 2);
}

static void a_copy_is_apart(void)
{
    int_map m = squares(1000), copy = gort_map_make(int, int, 0);
    int k, v;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, &v))
        gort_map_put(copy, k, v);
    gort_map_clear(m);
    CHECK_EQ(gort_map_len(copy), 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(*gort_map_find(copy, i), i * i);
}

static void entries_are_picked_out_within(void)
{
    int_map m = squares(3000);
    int k, v;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, &v))
        if (v % 3 == 0) CHECK(gort_map_delete(m, k));
    CHECK_EQ(gort_map_len(m), 2000);
    for (int i = 0; i < 3000; i++)
        CHECK_EQ(gort_map_find(m, i) != NULL, i % 3 != 0);
}

static void what_is_added_is_met_at_most_once(void)
{
    int_map m = squares(8);
    int met[4000] = { 0 }, k, next = 8;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, NULL)) {
        CHECK_EQ(met[k]++, 0);
        for (int i = 0; i < 3 && next < 4000; i++, next++)
            gort_map_put(m, next, next);
    }
    for (int i = 0; i < 8; i++)
        CHECK_EQ(met[i], 1);
}

static void keys_and_values_go_to_collected_memory(void)
{
    typedef struct {
        gort_string k;
        gort_string v;
    } both;
    both *out = gort_alloc(sizeof *out);
    gort_map(gort_string, gort_string) m = gort_map_make(gort_string, gort_string, 0);
    for (int i = 0; i < 200; i++)
        gort_map_put(m, gort_format("k%d", i), gort_format("v%d", i));
    gort_map_iter it = GORT_MAP_ITER;
    for (int n = 0; gort_map_next(m, &it, &out->k, &out->v); n++) {
        if (n % 50 == 0) gort_gc();
        CHECK(gort_string_equal(gort_string_sub(out->k, 1, (int64_t)out->k.len),
                                gort_string_sub(out->v, 1, (int64_t)out->v.len)));
    }
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(nans_are_met_while_the_map_grows, 1),
    CASE(nans_that_are_added_do_not_bring_others_again, 1), CASE(growing_and_deleting_within, 1),
    CASE(collecting_within, 0), CASE(few_entries_in_many_places, 1),
    CASE(deleting_and_adding_again_brings_nothing_twice, 1), CASE(replacing_all_within, 1),
    CASE(what_was_deleted_before_it_came_is_not_met, 1), CASE(clearing_within_ends_it, 1),
    CASE(each_entry_is_the_first_sometimes, 1), CASE(two_walk_the_same_map, 1),
    CASE(a_copy_is_apart, 1), CASE(entries_are_picked_out_within, 1),
    CASE(what_is_added_is_met_at_most_once, 1), CASE(keys_and_values_go_to_collected_memory, 0),
};
// clang-format on

CONFORM_MAIN(cases)
