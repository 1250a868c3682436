// Maps: what each call does, for every kind of key and value, and at the edges.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

#include <math.h>

typedef struct point {
    int x, y;
} point;
GORT_TYPE(point);
typedef struct node {
    struct node *next;
    int64_t n;
} node;
GORT_TYPE(node, next);
typedef struct nothing {
} nothing;
typedef struct big {
    char text[200];
    node *at;
} big;
typedef struct wide {
    _Alignas(32) int64_t n[4];
} wide;
enum color { RED, GREEN };

// ---- every kind of key ----

#define CHECK_INTEGERS(K)                                                                          \
    do {                                                                                           \
        gort_map(K, int) m_ = gort_map_make(K, int, 0);                                            \
        for (int i_ = -60; i_ < 60; i_++)                                                          \
            gort_map_put(m_, (K)i_, i_);                                                           \
        CHECK_EQ(gort_map_len(m_), 120);                                                           \
        for (int i_ = -60; i_ < 60; i_++)                                                          \
            CHECK_EQ(*gort_map_find(m_, (K)i_), i_);                                               \
        CHECK(gort_map_find(m_, (K)100) == NULL);                                                  \
        for (int i_ = -60; i_ < 60; i_ += 2)                                                       \
            CHECK(gort_map_delete(m_, (K)i_));                                                     \
        CHECK(!gort_map_delete(m_, (K)-60));                                                       \
        CHECK_EQ(gort_map_len(m_), 60);                                                            \
        for (int i_ = -60; i_ < 60; i_++)                                                          \
            CHECK_EQ(gort_map_get(m_, (K)i_, NULL), i_ % 2 != 0);                                  \
    } while (0)

TEST(integers)
{
    CHECK_INTEGERS(signed char);
    CHECK_INTEGERS(unsigned char);
    CHECK_INTEGERS(char);
    CHECK_INTEGERS(short);
    CHECK_INTEGERS(unsigned short);
    CHECK_INTEGERS(int);
    CHECK_INTEGERS(unsigned);
    CHECK_INTEGERS(long);
    CHECK_INTEGERS(uint64_t);
    CHECK_INTEGERS(long long);
    CHECK_INTEGERS(__int128);
    CHECK_INTEGERS(float);
    CHECK_INTEGERS(double);
    gort_map(bool, int) b = gort_map_make(bool, int, 0);
    gort_map_put(b, true, 1);
    gort_map_put(b, 17, 2); // true
    CHECK_EQ(gort_map_len(b), 1);
    gort_map(enum color, int) e = gort_map_make(enum color, int, 0);
    gort_map_put(e, GREEN, 5);
    CHECK_EQ(*gort_map_find(e, GREEN), 5);
}

TEST(keys_convert)
{
    gort_map(int64_t, double) m = gort_map_make(int64_t, double, 0);
    gort_map_put(m, 3, 1);
    CHECK(*gort_map_find(m, 3L) == 1.0);
    CHECK(*gort_map_find(m, (float)3) == 1.0);
    int small = -1;
    gort_map_put(m, small, 2);
    CHECK(gort_map_find(m, INT64_C(-1)) != NULL);
    CHECK(gort_map_find(m, INT64_C(0xffffffff)) == NULL);
}

TEST(pointers)
{
    node a, b;
    gort_map(node *, int) m = gort_map_make(node *, int, 0);
    node *p = &a;
    gort_map_put(m, p, 1);
    CHECK_EQ(*gort_map_find(m, &a), 1);
    CHECK(gort_map_find(m, &b) == NULL);
    gort_map(void *, int) v = gort_map_make(void *, int, 0);
    gort_map_put(v, &a, 1);
    gort_map_put(v, NULL, 2);
    CHECK_EQ(*gort_map_find(v, NULL), 2);
}

TEST(floats)
{
    gort_map(double, int) m = gort_map_make(double, int, 0);
    gort_map_put(m, 0.0, 1);
    gort_map_put(m, -0.0, 2);
    CHECK_EQ(gort_map_len(m), 1);
    CHECK_EQ(*gort_map_find(m, 0.0), 2);
    gort_map(float, int) f = gort_map_make(float, int, 0);
    gort_map_put(f, 0.5, 1);
    CHECK_EQ(*gort_map_find(f, 0.5f), 1);
    CHECK(gort_map_find(f, NAN) == NULL);
}

TEST(not_a_number)
{
    gort_map(double, int) m = gort_map_make(double, int, 0);
    int n = (int)test_count(5000), seen = 0, value;
    double key;
    for (int i = 0; i < n; i++) {
        gort_map_put(m, NAN, i);
        CHECK(!gort_map_get(m, NAN, &value));
        CHECK_EQ(value, 0);
        CHECK(!gort_map_delete(m, NAN));
    }
    CHECK_EQ(gort_map_len(m), n);
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &key, &value)) {
        seen += isnan(key);
        if (value < n) gort_map_put(m, (double)value, n + value); // makes it grow meanwhile
    }
    CHECK_EQ(seen, n);
    gort_map_clear(m);
    CHECK_EQ(gort_map_len(m), 0);
}

TEST(texts)
{
    gort_map(const char *, int) m = gort_map_make(const char *, int, 0);
    char text[48];
    char *texts[1000];
    for (int i = 0; i < 1000; i++) {
        texts[i] = gort_alloc_noscan(48);
        snprintf(texts[i], 48, "%.*s%d", i % 30, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", i);
        gort_map_put(m, texts[i], i);
    }
    for (int i = 0; i < 1000; i++) {
        strcpy(text, texts[i]);
        CHECK_EQ(*gort_map_find(m, text), i);
    }
    CHECK(gort_map_find(m, "none") == NULL);
    CHECK(gort_map_find(m, NULL) == NULL);
    gort_map_put(m, NULL, -1);
    gort_map_put(m, "", -2);
    CHECK_EQ(*gort_map_find(m, NULL), -1);
    CHECK_EQ(*gort_map_find(m, ""), -2);
}

static gort_map_bytes bytes(const char *start, size_t size)
{
    return (gort_map_bytes){ start, size };
}

TEST(counted_bytes)
{
    gort_map(gort_map_bytes, int) m = gort_map_make(gort_map_bytes, int, 0);
    static char text[300];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t n = 0; n <= 150; n++)
        for (size_t at = 0; at < 2; at++)
            gort_map_put(m, bytes(text + at, n), (int)(2 * n + at));
    CHECK_EQ(gort_map_len(m), 301);
    for (size_t n = 1; n <= 150; n++)
        for (size_t at = 0; at < 2; at++) {
            char other[300];
            memcpy(other, text, sizeof text);
            CHECK_EQ(*gort_map_find(m, bytes(other + at, n)), (int)(2 * n + at));
            other[at + n - 1] ^= 1;
            CHECK(gort_map_find(m, bytes(other + at, n)) == NULL || n == 1);
        }
}

// Of no bytes: one key, wherever it is said to be.
TEST(no_bytes)
{
    gort_map(gort_map_bytes, int) m = gort_map_make(gort_map_bytes, int, 0);
    gort_map(gort_string, int) s = gort_map_make(gort_string, int, 0);
    gort_cmap(gort_map_bytes, int) c = gort_cmap_make(gort_map_bytes, int, 0);
    int was = 0;
    gort_map_put(m, bytes(NULL, 0), 1);
    gort_map_put(m, bytes("", 0), gort_map_len(m) == 1 ? 2 : 0);
    CHECK_EQ(*gort_map_find(m, bytes(NULL, 0)), 2);
    CHECK(gort_map_find(m, bytes("a", 1)) == NULL);
    CHECK(gort_map_delete(m, bytes("b", 0)) && gort_map_len(m) == 0);
    gort_map_put(s, ((gort_string){ "", 0 }), 3);
    CHECK_EQ(*gort_map_ref(s, ((gort_string){ NULL, 0 })), 3);
    CHECK_EQ(gort_map_len(s), 1);
    gort_cmap_store(c, bytes("", 0), 4);
    CHECK(gort_cmap_load(c, bytes(NULL, 0), &was) && was == 4);
}

TEST(structs)
{
    gort_map(point, int) m = gort_map_make_typed(point, int, 0);
    for (int i = 0; i < 100; i++) {
        point p = { i, i * i };
        gort_map_put(m, p, i);
    }
    const point seven = { 7, 49 };
    CHECK_EQ(*gort_map_find(m, seven), 7);
    CHECK_EQ(*gort_map_find(m, (point){ 8, 64 }), 8);
    CHECK(gort_map_find(m, (point){ 8, 65 }) == NULL);
}

// ---- a program's own hash and equality ----

static uint64_t hash_case(const char *const *key, uint64_t seed)
{
    uint64_t h = seed;
    for (const char *s = *key; *s != '\0'; s++)
        h = gort_hash_int((uint64_t)(*s | 0x20), h);
    return h;
}

static bool same_case(const char *const *a, const char *const *b)
{
    return strcasecmp(*a, *b) == 0;
}

static uint64_t hash_to_one(const int *key, uint64_t seed)
{
    (void)key;
    (void)seed;
    return 42;
}

static bool same_int(const int *a, const int *b)
{
    return *a == *b;
}

TEST(own_functions)
{
    gort_map(const char *, int) m = gort_map_make_own(const char *, int, 0, hash_case, same_case);
    gort_map_put(m, "Hello", 1);
    gort_map_put(m, "HELLO", 2);
    CHECK_EQ(gort_map_len(m), 1);
    CHECK_EQ(*gort_map_find(m, "hello"), 2);
    const char *key;
    gort_map_iter it = GORT_MAP_ITER;
    CHECK(gort_map_next(m, &it, &key, NULL));
    CHECK_STR_EQ(key, "Hello"); // the key that came first
}

// Tables can not be split: they grow, and nothing hangs.
TEST(one_hash_for_all)
{
    int n = (int)test_count(6000);
    gort_map(int, int) m = gort_map_make_own(int, int, 0, hash_to_one, same_int);
    for (int i = 0; i < n; i++)
        gort_map_put(m, i, -i);
    CHECK_EQ(gort_map_len(m), n);
    for (int i = 0; i < n; i += 97)
        CHECK_EQ(*gort_map_find(m, i), -i);
    for (int i = 0; i < n; i++)
        CHECK(gort_map_delete(m, i));
    CHECK_EQ(gort_map_len(m), 0);
}

// ---- every kind of value ----

TEST(no_value)
{
    gort_map(int, nothing) m = gort_map_make_typed(int, nothing, 0);
    for (int i = 0; i < 100; i++)
        (void)gort_map_ref(m, i);
    nothing none = {};
    gort_map_put(m, 5, none);
    CHECK_EQ(gort_map_len(m), 100);
    CHECK(gort_map_get(m, 99, &none) && !gort_map_get(m, 100, &none));
    gort_map(nothing, int) one = gort_map_make(nothing, int, 0);
    gort_map_put(one, none, 1);
    gort_map_put(one, none, 2);
    CHECK_EQ(gort_map_len(one), 1);
    CHECK_EQ(*gort_map_find(one, none), 2);
    gort_map(nothing, nothing) both = gort_map_make(nothing, nothing, 0);
    gort_map_put(both, none, none);
    CHECK(gort_map_get(both, none, NULL));
}

static big big_of(int i)
{
    big b;
    memset(&b, 0, sizeof b);
    snprintf(b.text, sizeof b.text, "number %d", i);
    return b;
}

TEST(big_ones_are_kept_apart)
{
    gort_map(big, big) m = gort_map_make(big, big, 0);
    enum { N = 200 };
    for (int i = 0; i < N; i++) {
        big value = big_of(-i);
        gort_init(&value.at, gort_new(node));
        value.at->n = i;
        gort_map_put(m, big_of(i), value);
    }
    gort_gc();
    for (int i = 0; i < N; i++) {
        big out;
        CHECK(gort_map_get(m, big_of(i), &out));
        CHECK_STR_EQ(out.text, big_of(-i).text);
        CHECK_EQ(out.at->n, i);
    }
    big key, value;
    int seen = 0;
    gort_map_iter it = GORT_MAP_ITER;
    for (; gort_map_next(m, &it, &key, &value); seen++)
        CHECK_STR_EQ(key.text, big_of((int)value.at->n).text);
    CHECK_EQ(seen, N);
    for (int i = 0; i < N; i += 2)
        CHECK(gort_map_delete(m, big_of(i)));
    CHECK_EQ(gort_map_len(m), N / 2);
    CHECK(!gort_map_get(m, big_of(0), &value) && value.text[0] == '\0' && value.at == NULL);
}

TEST(alignment)
{
    gort_map(char, wide) m = gort_map_make(char, wide, 0);
    for (int i = 0; i < 100; i++) {
        wide *w = gort_map_ref(m, (char)i);
        CHECK_EQ((uintptr_t)w % 32, 0);
        CHECK_EQ(w->n[3], 0);
        w->n[3] = i;
    }
    for (int i = 0; i < 100; i++)
        CHECK_EQ(gort_map_find(m, (char)i)->n[3], i);
}

// ---- calls ----

TEST(ref_updates_in_place)
{
    gort_map(int, int64_t) m = gort_map_make(int, int64_t, 0);
    for (int i = 0; i < 10000; i++)
        *gort_map_ref(m, i % 100) += i;
    CHECK_EQ(gort_map_len(m), 100);
    CHECK_EQ(*gort_map_find(m, 7), 100 * 7 + 100 * (99 * 100 / 2));
    gort_map_delete(m, 7);
    CHECK_EQ(*gort_map_ref(m, 7), 0); // zeroed again
}

TEST(arguments_are_evaluated_once)
{
    gort_map(int, int) m = gort_map_make(int, int, 0), *maps[] = { &m };
    int i = 0, k = 5, out[3] = { 0 };
    gort_map_put(*maps[i++], k++, k * 10);
    CHECK_EQ(i, 1);
    CHECK_EQ(k, 6);
    CHECK(gort_map_get(*maps[--i], --k, &out[++i]));
    CHECK(out[1] == 50 || out[1] == 60);
    CHECK_EQ(i, 1);
    gort_map_put(m, *gort_map_ref(m, 5), *gort_map_find(m, 5)); // calls nest
}

TEST(nil_map)
{
    gort_map(int, int) m = NULL;
    int out = 5;
    gort_map_iter it = GORT_MAP_ITER;
    CHECK_EQ(gort_map_len(m), 0);
    CHECK(!gort_map_get(m, 1, &out));
    CHECK_EQ(out, 0);
    CHECK(gort_map_find(m, 1) == NULL);
    CHECK(!gort_map_delete(m, 1));
    gort_map_clear(m);
    CHECK(!gort_map_next(m, &it, NULL, NULL));
    CHECK(!gort_map_next(m, &it, &out, &out));
}

static void put_in_nil(void *arg)
{
    gort_map(int, int) m = arg == NULL ? NULL : gort_map_make(int, int, 0);
    gort_map_put(m, 1, 1);
}

static void ref_in_nil(void *arg)
{
    gort_map(const char *, int) m = arg == NULL ? NULL : gort_map_make(const char *, int, 0);
    (void)gort_map_ref(m, "a");
}

TEST(adding_to_nil_panics)
{
    gort_panic_info info;
    CHECK(gort_try(put_in_nil, NULL, &info));
    CHECK_STR_EQ(info.message, "assignment to entry in nil map");
    CHECK(gort_try(ref_in_nil, NULL, &info));
    CHECK_STR_EQ(info.message, "assignment to entry in nil map");
}

TEST(hints)
{
    static const size_t hints[] = { 0, 1, 7, 8, 9, 100, 1792, 1793, 100000 };
    for (size_t h = 0; h < sizeof hints / sizeof *hints; h++) {
        gort_map(size_t, size_t) m = gort_map_make(size_t, size_t, hints[h]);
        size_t n = (size_t)test_count((int64_t)hints[h] + 50);
        for (size_t i = 0; i < n; i++)
            gort_map_put(m, i, i + 1);
        for (size_t i = 0; i < n; i++)
            CHECK_EQ(*gort_map_find(m, i), i + 1);
        CHECK_EQ(gort_map_len(m), n);
    }
}

TEST(hints_that_overflow_count_as_none)
{
    static const size_t hints[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8 * 7, (size_t)1 << 60 };
    for (size_t h = 0; h < sizeof hints / sizeof *hints; h++) {
        gort_map(int, point) m = gort_map_make(int, point, hints[h]);
        gort_map_put(m, 1, ((point){ 1, 2 }));
        CHECK_EQ(gort_map_len(m), 1);
    }
}

TEST(clear)
{
    for (int n = 1; n < 100000; n *= 7) {
        gort_map(int, node *) m = gort_map_make(int, node *, 0);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < n; i++)
                gort_map_put(m, i, NULL);
            CHECK_EQ(gort_map_len(m), n);
            gort_map_clear(m);
            CHECK_EQ(gort_map_len(m), 0);
            CHECK(gort_map_find(m, 0) == NULL);
        }
    }
}

// A queue: what is deleted makes room, the map stays small.
TEST(deleted_room_is_used_again)
{
    gort_map(int64_t, int64_t) m = gort_map_make(int64_t, int64_t, 0);
    gort_stats before, after;
    int64_t n = test_count(1000000);
    gort_read_stats(&before);
    for (int64_t i = 0; i < n; i++) {
        gort_map_put(m, i, i);
        if (i >= 1000) CHECK(gort_map_delete(m, i - 1000));
    }
    gort_read_stats(&after);
    CHECK_EQ(gort_map_len(m), n < 1000 ? n : 1000);
    CHECK_LT(after.total_alloc - before.total_alloc, (uint64_t)n * 400 + (1 << 20));
}

// ---- the collector ----

static gort_map(int, witness *) held;
static gort_map(witness *, int) held_keys;

static void hold(void *arg)
{
    gort_set(&held, gort_map_make(int, witness *, 0));
    gort_set(&held_keys, gort_map_make(witness *, int, 0));
    for (int i = 0; i < *(int *)arg; i++) {
        gort_map_put(held, i, witness_new(2 * (uint32_t)i));
        gort_map_put(held_keys, witness_new(2 * (uint32_t)i + 1), i);
    }
}

static void drop_even(void *arg)
{
    for (int i = 0; i < *(int *)arg; i += 2)
        gort_map_delete(held, i);
}

static void drop_all(void *arg)
{
    (void)arg;
    gort_map_clear(held);
    gort_set(&held_keys, NULL);
}

TEST(entries_are_kept_and_let_go)
{
    int n = (int)test_count(4000);
    if (n < 100) n = 100;
    witness_reset();
    on_goroutine(hold, &n);
    gort_gc();
    gort_gc();
    for (int i = 0; i < n; i++)
        CHECK_EQ((*gort_map_find(held, i))->id, 2 * (uint32_t)i);
    CHECK_EQ(witness_deaths, 0);
    on_goroutine(drop_even, &n);
    collect_until((uint32_t)n / 2);
    CHECK_NEARLY_ALL(witness_deaths, (uint32_t)n / 2);
    for (int i = 1; i < n; i += 2)
        CHECK_EQ((*gort_map_find(held, i))->id, 2 * (uint32_t)i);
    on_goroutine(drop_all, NULL);
    collect_until(2 * (uint32_t)n);
    CHECK_NEARLY_ALL(witness_deaths, 2 * (uint32_t)n);
}

// Keys of bytes that lie in collected objects; in one of the maps the value is the object too.
static gort_map(gort_map_bytes, int) held_bytes;
static gort_map(gort_map_bytes, witness *) held_both;

static gort_map_bytes id_bytes(const uint32_t *id)
{
    return (gort_map_bytes){ id, sizeof *id };
}

static void hold_bytes(void *arg)
{
    int n = *(int *)arg;
    gort_set(&held_bytes, gort_map_make(gort_map_bytes, int, 0));
    gort_set(&held_both, gort_map_make(gort_map_bytes, witness *, 0));
    for (int i = 0; i < n; i++) {
        witness *w = witness_new((uint32_t)i), *both = witness_new((uint32_t)(n + i));
        gort_map_put(held_bytes, id_bytes(&w->id), i);
        gort_map_put(held_both, id_bytes(&both->id), both);
    }
}

static void drop_even_bytes(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    for (uint32_t i = 0; i < n; i += 2) {
        uint32_t both = n + i;
        CHECK(gort_map_delete(held_bytes, id_bytes(&i)));
        CHECK(gort_map_delete(held_both, id_bytes(&both)));
    }
}

static void drop_all_bytes(void *arg)
{
    (void)arg;
    gort_map_clear(held_bytes); // a stale address of a table keeps no entry then
    gort_map_clear(held_both);
}

static void find_odd_bytes(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    for (uint32_t i = 1; i < n; i += 2) {
        uint32_t both = n + i;
        CHECK_EQ(*gort_map_find(held_bytes, id_bytes(&i)), i);
        CHECK_EQ((*gort_map_find(held_both, id_bytes(&both)))->id, both);
    }
}

TEST(keys_of_bytes_are_kept_and_let_go)
{
    uint32_t n = (uint32_t)test_count(4000) & ~1u;
    if (n < 100) n = 100;
    witness_reset();
    on_goroutine(hold_bytes, &n);
    gort_gc();
    gort_gc();
    CHECK_EQ(witness_deaths, 0);
    on_goroutine(drop_even_bytes, &n);
    collect_until(n);
    CHECK_NEARLY_ALL(witness_deaths, n);
    on_goroutine(find_odd_bytes, &n);
    on_goroutine(drop_all_bytes, NULL);
    collect_until(2 * n);
    CHECK_NEARLY_ALL(witness_deaths, 2 * n);
}

static void tests(void)
{
    RUN(integers);
    RUN(keys_convert);
    RUN(pointers);
    RUN(floats);
    RUN(not_a_number);
    RUN(texts);
    RUN(counted_bytes);
    RUN(no_bytes);
    RUN(structs);
    RUN(own_functions);
    RUN(one_hash_for_all);
    RUN(no_value);
    RUN(big_ones_are_kept_apart);
    RUN(alignment);
    RUN(ref_updates_in_place);
    RUN(arguments_are_evaluated_once);
    RUN(nil_map);
    RUN(adding_to_nil_panics);
    RUN(hints);
    RUN(hints_that_overflow_count_as_none);
    RUN(clear);
    RUN(deleted_room_is_used_again);
    RUN(entries_are_kept_and_let_go);
    RUN(keys_of_bytes_are_kept_and_let_go);
}
GC_MAIN(tests)
