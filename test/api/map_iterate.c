// Maps: what an iteration finds while the map is changed.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

typedef gort_map(int, int) int_map;

static int_map map_of(int n)
{
    int_map m = gort_map_make(int, int, 0);
    for (int i = 0; i < n; i++)
        gort_map_put(m, i, 3 * i);
    return m;
}

static unsigned char seen[1 << 20];

static const int sizes[] = { 1, 5, 7, 8, 20, 100, 1500, 2000, 5000, 20000 };
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

TEST(each_once)
{
    for (int s = 0; s < SIZES; s++) {
        int_map m = map_of(sizes[s]);
        int k, v, n = 0;
        memset(seen, 0, sizeof seen);
        gort_map_iter it = GORT_MAP_ITER;
        for (; gort_map_next(m, &it, &k, &v); n++) {
            CHECK_EQ(v, 3 * k);
            CHECK_EQ(seen[k]++, 0);
        }
        CHECK_EQ(n, sizes[s]);
        CHECK(!gort_map_next(m, &it, &k, &v)); // and stays at the end
    }
}

TEST(keys_or_values_or_neither)
{
    int_map m = map_of(100);
    int k, v, keys = 0, values = 0, n = 0;
    gort_map_iter a = GORT_MAP_ITER, b = GORT_MAP_ITER, c = GORT_MAP_ITER;
    while (gort_map_next(m, &a, &k, NULL))
        keys += k;
    while (gort_map_next(m, &b, NULL, &v))
        values += v;
    while (gort_map_next(m, &c, NULL, NULL))
        n++;
    CHECK_EQ(keys, 4950);
    CHECK_EQ(values, 3 * 4950);
    CHECK_EQ(n, 100);
}

TEST(order_is_random)
{
    int_map m = map_of(7), large = map_of(5000);
    int first[8] = { 0 }, k, different = 0, last = -1;
    for (int i = 0; i < 2000; i++) {
        gort_map_iter it = GORT_MAP_ITER;
        CHECK(gort_map_next(m, &it, &k, NULL));
        first[k]++;
    }
    for (int i = 0; i < 7; i++)
        CHECK_GT(first[i], 20);
    for (int i = 0; i < 50; i++) {
        gort_map_iter it = GORT_MAP_ITER;
        CHECK(gort_map_next(large, &it, &k, NULL));
        different += k != last;
        last = k;
    }
    CHECK_GT(different, 30);
}

// What was deleted before it was reached is not found.
TEST(deleting)
{
    for (int s = 0; s < SIZES; s++) {
        int_map m = map_of(sizes[s]);
        int k, n = 0;
        memset(seen, 0, sizeof seen);
        gort_map_iter it = GORT_MAP_ITER;
        for (; gort_map_next(m, &it, &k, NULL); n++) {
            CHECK_EQ(seen[k], 0);
            CHECK(gort_map_delete(m, k));
            seen[k] = 1;
            int other = (k + 1) % sizes[s];
            if (gort_map_delete(m, other)) seen[other] = 2;
        }
        CHECK_EQ(gort_map_len(m), 0);
        CHECK_LE(n, sizes[s]);
    }
}

// What stays is found once, however the map grows; what is added, at most once; values as they are
// now.
static void grow_while(int before, int added)
{
    int_map m = map_of(before);
    int k, v, next = before;
    memset(seen, 0, sizeof seen);
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, &v)) {
        CHECK(seen[k] == 0);
        CHECK_EQ(v, k < before ? 3 * k : -k);
        seen[k] = 1;
        for (int i = 0; i < 3 && next < before + added; i++, next++)
            gort_map_put(m, next, -next);
    }
    for (int i = 0; i < before; i++)
        CHECK(seen[i] != 0);
}

TEST(growing)
{
    for (int s = 0; s < SIZES; s++) {
        grow_while(sizes[s], sizes[s]);
        grow_while(sizes[s], 10 * sizes[s] < 100000 ? 10 * sizes[s] : 100000);
    }
}

TEST(growing_and_deleting)
{
    for (int s = 0; s < SIZES; s++) {
        int_map m = map_of(sizes[s]);
        int k, next = sizes[s];
        memset(seen, 0, sizeof seen);
        gort_map_iter it = GORT_MAP_ITER;
        while (gort_map_next(m, &it, &k, NULL)) {
            CHECK_EQ(seen[k], 0); // neither twice nor after its deletion
            seen[k] = 1;
            for (int i = 0; i < 4 && next < 300000; i++)
                gort_map_put(m, next++, 0);
            int other = (int)((unsigned)k * 7919u % (unsigned)sizes[s]);
            if (gort_map_delete(m, other)) seen[other] |= 2;
            if (next >= 300000) break;
        }
    }
}

// In the old table the value is another by then.
TEST(values_are_those_of_now)
{
    int_map m = map_of(1700);
    int k, v, n = 0;
    gort_map_iter it = GORT_MAP_ITER;
    CHECK(gort_map_next(m, &it, &k, &v));
    for (int i = 1700; i < 20000; i++)
        gort_map_put(m, i, 0);
    for (int i = 0; i < 1700; i++)
        gort_map_put(m, i, 5 * i);
    for (; gort_map_next(m, &it, &k, &v); n++)
        CHECK_EQ(v, k < 1700 ? 5 * k : 0);
    CHECK_GE(n, 1699);
}

TEST(clearing)
{
    for (int s = 0; s < SIZES; s++) {
        int_map m = map_of(sizes[s]);
        int k, n = 0;
        gort_map_iter it = GORT_MAP_ITER;
        CHECK(gort_map_next(m, &it, &k, NULL));
        gort_map_clear(m);
        for (int i = 0; i < 100; i++)
            gort_map_put(m, 100000 + i, 0);
        for (; gort_map_next(m, &it, &k, NULL); n++)
            CHECK_GE(k, 100000);
        CHECK_LE(n, 100);
    }
}

TEST(several_at_once)
{
    int_map m = map_of(50);
    int a, b, n = 0;
    gort_map_iter outer = GORT_MAP_ITER;
    while (gort_map_next(m, &outer, &a, NULL)) {
        gort_map_iter inner = GORT_MAP_ITER;
        while (gort_map_next(m, &inner, &b, NULL))
            n++;
    }
    CHECK_EQ(n, 2500);
}

// The table that is walked is kept, and with it what its entries point to.
TEST(an_old_table_is_kept)
{
    gort_map(int, int64_t *) m = gort_map_make(int, int64_t *, 0);
    int n = (int)test_count(3000), k, found = 0;
    int64_t *v;
    for (int i = 0; i < n; i++) {
        int64_t *p = gort_new(int64_t);
        *p = i;
        gort_map_put(m, i, p);
    }
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, &v)) {
        if (k < n) {
            CHECK_EQ(*v, k);
            found++;
        }
        if (found == n / 2)
            for (int i = 0; i < 4 * n; i++)
                gort_map_put(m, n + i, NULL);
        if (found % 500 == 100) gort_gc();
    }
    CHECK_EQ(found, n);
}

static void tests(void)
{
    RUN(each_once);
    RUN(keys_or_values_or_neither);
    RUN(order_is_random);
    RUN(deleting);
    RUN(growing);
    RUN(growing_and_deleting);
    RUN(values_are_those_of_now);
    RUN(clearing);
    RUN(several_at_once);
    RUN(an_old_table_is_kept);
}
GC_MAIN(tests)
