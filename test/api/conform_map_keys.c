// Conformance of maps: keys and values of all kinds, what growth and searches cost, and where
// entries stay, as Go's test/map.go, bigmap.go, maplinear.go and the tests of internal/runtime/maps
// check it. What maps do beside that: conform_map.c; iteration: conform_map_iter.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <float.h>
#include <math.h>

#include "../conform.h"

typedef gort_map(int, int) int_map;
typedef gort_map(double, int) float_map;
typedef gort_map(gort_string, int) text_map;

// ---- keys of all kinds --------------------------------------------------------------------------

// Different for each i; any of them may be put, replaced and deleted without the others.
#define CHECK_KEYS(K, n, key_of)                                                                   \
    do {                                                                                           \
        gort_map(K, int) m_ = gort_map_make(K, int, 0);                                            \
        for (int i = 0; i < (n); i++) {                                                            \
            K k_ = key_of(i);                                                                      \
            CHECK(gort_map_find(m_, k_) == NULL);                                                  \
            gort_map_put(m_, k_, i);                                                               \
        }                                                                                          \
        CHECK_EQ(gort_map_len(m_), (size_t)(n));                                                   \
        for (int i = 0; i < (n); i++) {                                                            \
            K k_ = key_of(i);                                                                      \
            CHECK_EQ(*gort_map_find(m_, k_), i);                                                   \
            gort_map_put(m_, k_, -i);                                                              \
        }                                                                                          \
        for (int i = 0; i < (n); i += 2) {                                                         \
            K k_ = key_of(i);                                                                      \
            CHECK(gort_map_delete(m_, k_));                                                        \
        }                                                                                          \
        for (int i = 0; i < (n); i++) {                                                            \
            K k_ = key_of(i);                                                                      \
            int *at_ = gort_map_find(m_, k_);                                                      \
            CHECK_EQ(at_ != NULL, i % 2 == 1);                                                     \
            CHECK(at_ == NULL || *at_ == -i);                                                      \
        }                                                                                          \
    } while (0)

typedef enum color { RED, GREEN, BLUE = 1000 } color;
typedef union word {
    uint32_t whole;
    uint8_t part[4];
} word;
typedef struct triple {
    int16_t a, b, c;
} triple;
typedef struct row {
    int cell[5];
} row;
typedef struct nested {
    row r;
    triple t[2];
    int8_t end[2];
} nested;

static int8_t tiny_of(int i)
{
    return (int8_t)(i - 100);
}
static uint16_t short_of(int i)
{
    return (uint16_t)(i * 257);
}
static int64_t wide_of(int i)
{
    return (int64_t)((uint64_t)i << 40) - 7;
}
static color color_of(int i)
{
    return (color)(i * 500);
}
static double half_of(int i)
{
    return i / 2.0 - 50;
}
static float float_of(int i)
{
    return (float)i * 0.25f - 9;
}
static word word_of(int i)
{
    return (word){ .whole = (uint32_t)i << 24 | (uint32_t)i };
}
static triple triple_of(int i)
{
    return (triple){ (int16_t)i, (int16_t)(i / 3), (int16_t)-i };
}
static row row_of(int i)
{
    row r = { { 0 } };
    r.cell[i % 5] = i + 1;
    return r;
}
static nested nested_of(int i)
{
    nested n;
    memset(&n, 0, sizeof n);
    n.r = row_of(i / 2);
    n.t[i % 2].c = 7;
    return n;
}

static void integers_of_all_sizes_are_keys(void)
{
    CHECK_KEYS(int8_t, 200, tiny_of);
    CHECK_KEYS(uint16_t, 250, short_of);
    CHECK_KEYS(int64_t, 3000, wide_of);
}

static void enumerations_are_keys(void)
{
    CHECK_KEYS(color, 3, color_of);
    gort_map(color, int) m = gort_map_make(color, int, 0);
    gort_map_put(m, BLUE, 1);
    CHECK(gort_map_find(m, RED) == NULL && *gort_map_find(m, (color)1000) == 1);
}

static void floats_of_both_sizes_are_keys(void)
{
    CHECK_KEYS(double, 2000, half_of);
    CHECK_KEYS(float, 2000, float_of);
}

static void structs_and_unions_are_keys(void)
{
    CHECK_KEYS(word, 200, word_of);
    CHECK_KEYS(triple, 2000, triple_of);
    CHECK_KEYS(row, 1000, row_of);
    CHECK_KEYS(nested, 1000, nested_of);
}

static void the_ends_of_the_numbers_are_keys(void)
{
    static const double ends[] = { INFINITY, -INFINITY, DBL_MAX, -DBL_MAX,    DBL_MIN, DBL_TRUE_MIN,
                                   1,        -1,        0,       DBL_EPSILON, 0x1p53,  0x1p53 + 2 };
    float_map m = gort_map_make(double, int, 0);
    gort_map(int64_t, int) w = gort_map_make(int64_t, int, 0);
    for (int i = 0; i < 12; i++)
        gort_map_put(m, ends[i], i);
    CHECK_EQ(gort_map_len(m), 12);
    for (int i = 0; i < 12; i++)
        CHECK_EQ(*gort_map_find(m, ends[i]), i);
    CHECK(gort_map_find(m, -DBL_TRUE_MIN) == NULL);
    gort_map_put(w, INT64_MIN, 1);
    gort_map_put(w, INT64_MAX, 2);
    gort_map_put(w, -1, 3);
    CHECK(gort_map_len(w) == 3 && *gort_map_find(w, INT64_MIN) == 1);
    CHECK(*gort_map_find(w, INT64_MAX) == 2 && *gort_map_find(w, -1) == 3);
}

static void not_a_number_of_either_size_equals_none(void)
{
    gort_map(float, int) m = gort_map_make(float, int, 0);
    for (int i = 0; i < 300; i++)
        gort_map_put(m, i % 2 == 0 ? NAN : (float)i, i);
    CHECK_EQ(gort_map_len(m), 300);
    CHECK(gort_map_find(m, NAN) == NULL && !gort_map_delete(m, NAN));
    gort_map_put(m, -0.0f, 1);
    gort_map_put(m, 0.0f, 2);
    CHECK(gort_map_len(m) == 301 && *gort_map_find(m, -0.0f) == 2);
}

static void addresses_are_keys_not_what_they_lead_to(void)
{
    gort_map(int *, int) m = gort_map_make(int *, int, 0);
    int a = 1, b = 1;
    gort_map_put(m, &a, 1);
    gort_map_put(m, &b, 2);
    a = 2;
    CHECK(gort_map_len(m) == 2 && *gort_map_find(m, &a) == 1 && *gort_map_find(m, &b) == 2);
    CHECK(gort_map_find(m, (int *)NULL) == NULL);
    gort_map_put(m, (int *)NULL, 3);
    CHECK_EQ(*gort_map_find(m, (int *)NULL), 3);
}

static void c_texts_are_keys_by_content(void)
{
    gort_map(const char *, int) m = gort_map_make(const char *, int, 0);
    char same[] = "key", other[] = "kez";
    gort_map_put(m, "key", 1);
    CHECK(*gort_map_find(m, same) == 1 && gort_map_find(m, other) == NULL);
    gort_map_put(m, same, 2);
    CHECK_EQ(gort_map_len(m), 1);
    gort_map_iter it = GORT_MAP_ITER;
    const char *k;
    CHECK(gort_map_next(m, &it, &k, NULL));
    CHECK_PTR_NE(k, same); // the key that entered stays
    CHECK(gort_map_find(m, "ke") == NULL && gort_map_find(m, "") == NULL);
    gort_map_put(m, "", 3);
    CHECK_EQ(*gort_map_find(m, ""), 3);
}

static void the_text_that_entered_stays_the_key(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    for (int i = 0; i < 200; i++) {
        gort_string first = gort_format("text number %d", i), k;
        gort_map_put(m, first, 1);
        for (int again = 0; again < 3; again++)
            gort_map_put(m, gort_format("text number %d", i), again);
        gort_map_clear(m);
        gort_map_put(m, first, 1);
        gort_map_put(m, gort_format("text number %d", i), 2);
        gort_map_iter it = GORT_MAP_ITER;
        CHECK(gort_map_next(m, &it, &k, NULL));
        CHECK_PTR_EQ(k.ptr, first.ptr);
    }
}

static void a_key_and_a_value_without_bytes(void)
{
    typedef struct {
        __extension__ char none[0];
    } nothing;
    nothing n;
    memset(&n, 0, sizeof n);
    gort_map(nothing, nothing) m = gort_map_make(nothing, nothing, 0);
    CHECK(gort_map_find(m, n) == NULL);
    gort_map_put(m, n, n);
    gort_map_put(m, n, n);
    CHECK_EQ(gort_map_len(m), 1); // all are equal
    CHECK(gort_map_find(m, n) != NULL);
    CHECK(gort_map_delete(m, n) && !gort_map_delete(m, n) && gort_map_len(m) == 0);
}

// ---- elements of all sizes ----------------------------------------------------------------------

// Every byte of a key and of a value comes back, whatever their sizes are.
#define CHECK_SIZES(N, M)                                                                          \
    do {                                                                                           \
        typedef struct {                                                                           \
            unsigned char b[N];                                                                    \
        } key_;                                                                                    \
        typedef struct {                                                                           \
            unsigned char b[M];                                                                    \
        } value_;                                                                                  \
        gort_map(key_, value_) m_ = gort_map_make(key_, value_, 0);                                \
        for (int i = 0; i < 100; i++) {                                                            \
            key_ k_;                                                                               \
            value_ v_;                                                                             \
            memset(&k_, i, sizeof k_);                                                             \
            memset(&v_, 255 - i, sizeof v_);                                                       \
            gort_map_put(m_, k_, v_);                                                              \
        }                                                                                          \
        for (int i = 0; i < 100; i++) {                                                            \
            key_ k_;                                                                               \
            value_ want_, v_;                                                                      \
            memset(&k_, i, sizeof k_);                                                             \
            memset(&want_, 255 - i, sizeof want_);                                                 \
            CHECK(gort_map_get(m_, k_, &v_) && memcmp(&v_, &want_, sizeof v_) == 0);               \
            k_.b[(N)-1] ^= 0x80;                                                                   \
            CHECK(gort_map_find(m_, k_) == NULL);                                                  \
        }                                                                                          \
    } while (0)

static void keys_of_all_sizes(void)
{
    CHECK_SIZES(1, 8);
    CHECK_SIZES(3, 8);
    CHECK_SIZES(9, 8);
    CHECK_SIZES(17, 1);
    CHECK_SIZES(128, 8);
    CHECK_SIZES(129, 8);
    CHECK_SIZES(1000, 8);
}

static void values_of_all_sizes(void)
{
    CHECK_SIZES(8, 1);
    CHECK_SIZES(8, 5);
    CHECK_SIZES(1, 127);
    CHECK_SIZES(8, 128);
    CHECK_SIZES(8, 129);
    CHECK_SIZES(8, 1000);
    CHECK_SIZES(4096, 4096);
}

// ---- what it costs ------------------------------------------------------------------------------

typedef struct counted {
    int n;
} counted;
static int64_t hashed, compared;
static uint64_t count_hash(const counted *k, uint64_t seed)
{
    hashed++;
    return gort_hash_int((uint64_t)k->n, seed);
}
static bool count_equal(const counted *a, const counted *b)
{
    compared++;
    return a->n == b->n;
}
typedef gort_map(counted, int) counted_map;

static counted_map counted_new(size_t hint)
{
    hashed = compared = 0;
    return gort_map_make_own(counted, int, hint, count_hash, count_equal);
}

// Go: one table of 1024 slots; here one of 2048.
enum { TABLE_SLOTS = 2048, ENTRIES = 60000 };

static void no_put_moves_more_than_a_table(void)
{
    counted_map m = counted_new(0);
    int64_t longest = 0;
    for (int i = 0; i < ENTRIES; i++) {
        int64_t before = hashed;
        gort_map_put(m, (counted){ i }, i);
        if (hashed - before > longest) longest = hashed - before;
    }
    CHECK_LE(longest, TABLE_SLOTS + 1);
    CHECK_GT(longest, 1); // it grew, and hashes count what moves
}

static void growth_moves_an_entry_a_few_times(void)
{
    counted_map m = counted_new(0);
    for (int i = 0; i < ENTRIES; i++)
        gort_map_put(m, (counted){ i }, i);
    CHECK_LE(hashed, 20 * (int64_t)ENTRIES); // each is moved once for each doubling, at most
    CHECK_GE(hashed, ENTRIES);
}

static void a_hint_saves_growing(void)
{
    for (int n = 1; n <= ENTRIES; n = n * 5 + 2) {
        counted_map m = counted_new((size_t)n);
        for (int i = 0; i < n; i++)
            gort_map_put(m, (counted){ i }, i);
        CHECK_LE(hashed, n + n / 10); // a table may be fuller than the others
        CHECK_EQ(gort_map_len(m), (size_t)n);
    }
}

static void searches_compare_few_keys(void)
{
    counted_map m = counted_new(0);
    for (int i = 0; i < ENTRIES; i++)
        gort_map_put(m, (counted){ i }, i);
    compared = 0;
    for (int i = 0; i < ENTRIES; i++)
        CHECK(gort_map_find(m, (counted){ i }) != NULL);
    CHECK_GE(compared, ENTRIES);
    CHECK_LE(compared, ENTRIES + ENTRIES / 4); // the tag tells all others but one in 127
    compared = 0;
    for (int i = 0; i < ENTRIES; i++)
        CHECK(gort_map_find(m, (counted){ -1 - i }) == NULL);
    CHECK_LE(compared, ENTRIES / 4);
}

static void deleting_moves_nothing(void)
{
    counted_map m = counted_new(0);
    for (int i = 0; i < ENTRIES; i++)
        gort_map_put(m, (counted){ i }, i);
    hashed = 0;
    for (int i = 0; i < ENTRIES; i++)
        CHECK(gort_map_delete(m, (counted){ i }));
    CHECK_EQ(hashed, ENTRIES);
    gort_map_clear(m);
    CHECK_EQ(hashed, ENTRIES); // nor does clearing
}

// A map of some size in which entries come and go need not grow.
static void coming_and_going_moves_little(void)
{
    counted_map m = counted_new(0);
    for (int i = 0; i < 1000; i++)
        gort_map_put(m, (counted){ i }, i);
    hashed = 0;
    for (int i = 1000; i < ENTRIES; i++) {
        CHECK(gort_map_delete(m, (counted){ i - 1000 }));
        gort_map_put(m, (counted){ i }, i);
    }
    CHECK_EQ(gort_map_len(m), 1000);
    CHECK_LE(hashed, 6 * (int64_t)ENTRIES);
}

// A table three fourths of which are in use is built anew in its own size, again and again, when the
// rest is what was deleted: if it were doubled, that would be the end of it.
static void a_table_full_of_the_deleted_keeps_its_size(void)
{
    enum { LIVE = TABLE_SLOTS / 4 * 3 };
    counted_map m = counted_new(0);
    for (int i = 0; i < LIVE; i++)
        gort_map_put(m, (counted){ i }, i);
    hashed = 0;
    for (int i = LIVE; i < ENTRIES; i++) {
        CHECK(gort_map_delete(m, (counted){ i - LIVE }));
        gort_map_put(m, (counted){ i }, i);
    }
    CHECK_EQ(gort_map_len(m), LIVE);
    CHECK_GE(hashed - 2 * (int64_t)(ENTRIES - LIVE), 4 * LIVE); // what was moved
}

// ---- growth -------------------------------------------------------------------------------------

static void all_are_found_at_every_size(void)
{
    int_map m = gort_map_make(int, int, 0);
    for (int n = 0; n < 5000; n++) {
        gort_map_put(m, n * 31, n);
        CHECK_EQ(gort_map_len(m), (size_t)n + 1);
        int step = n < 100 ? 1 : n < 1000 ? 17 : 499;
        for (int i = n % step; i <= n; i += step)
            CHECK_EQ(*gort_map_find(m, i * 31), i);
        CHECK(gort_map_find(m, (n + 1) * 31) == NULL);
    }
}

static void a_small_map_is_emptied_and_filled(void)
{
    for (int n = 1; n <= 20; n++) {
        int_map m = gort_map_make(int, int, 0);
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < n; i++)
                gort_map_put(m, i + round, i);
            CHECK_EQ(gort_map_len(m), (size_t)n);
            for (int i = 0; i < n; i++)
                CHECK(gort_map_delete(m, i + round));
            CHECK(gort_map_len(m) == 0 && gort_map_find(m, round) == NULL);
        }
    }
}

static void clear_after_deletes(void)
{
    for (int n = 1; n < 30000; n = n * 4 + 1) {
        int_map m = gort_map_make(int, int, 0);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < n; i++)
                gort_map_put(m, i, round);
            for (int i = 0; i < n; i += 3)
                CHECK(gort_map_delete(m, i));
            gort_map_clear(m);
            CHECK_EQ(gort_map_len(m), 0);
            gort_map_iter it = GORT_MAP_ITER;
            CHECK(!gort_map_next(m, &it, NULL, NULL));
            for (int i = 0; i < n; i++)
                CHECK(gort_map_find(m, i) == NULL);
        }
    }
}

static void a_value_stays_where_it_is_until_a_change(void)
{
    int_map m = gort_map_make(int, int, 0);
    for (int i = 0; i < 3000; i++)
        gort_map_put(m, i, i);
    int *at[3000], k, v;
    for (int i = 0; i < 3000; i++)
        at[i] = gort_map_find(m, i);
    gort_gc();
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, &k, &v))
        *at[k] += v; // writing a value is no change of the map
    for (int i = 0; i < 3000; i++) {
        CHECK_PTR_EQ(gort_map_find(m, i), at[i]);
        CHECK_PTR_EQ(gort_map_ref(m, i), at[i]);
        CHECK_EQ(*at[i], 2 * i);
    }
}

// ---- who uses it --------------------------------------------------------------------------------

static void maps_of_one_place_are_apart(void)
{
    int_map m[40];
    for (int i = 0; i < 40; i++) {
        m[i] = gort_map_make(int, int, (size_t)i * 100);
        for (int k = 0; k <= i; k++)
            gort_map_put(m[i], k, i);
    }
    gort_map_clear(m[7]);
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(gort_map_len(m[i]), i == 7 ? 0 : (size_t)i + 1);
        if (i != 7) CHECK_EQ(*gort_map_find(m[i], i), i);
    }
}

static void orders_of_equal_maps_differ(void)
{
    int first[32], differ = 0;
    for (int i = 0; i < 32; i++) {
        int_map m = gort_map_make(int, int, 0);
        for (int k = 0; k < 1000; k++)
            gort_map_put(m, k, k);
        gort_map_iter it = GORT_MAP_ITER;
        CHECK(gort_map_next(m, &it, &first[i], NULL));
        differ += first[i] != first[0];
    }
    CHECK_NE(differ, 0); // all alike: once in 1000^31
}

struct filler {
    gort_waitgroup wg;
    int64_t sum;
};
static void fill_mine(void *arg)
{
    struct filler *f = *(struct filler **)arg;
    text_map m = gort_map_make(gort_string, int, 0);
    int n = (int)test_count(2000), v, sum = 0;
    for (int i = 0; i < n; i++)
        gort_map_put(m, gort_format("key %d", i), i);
    for (int i = 0; i < n; i += 2)
        CHECK(gort_map_delete(m, gort_format("key %d", i)));
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, NULL, &v))
        sum += v % 2;
    ADD(&f->sum, sum == n / 2);
    gort_waitgroup_done(&f->wg);
}

static void each_goroutine_has_a_map(void)
{
    struct filler *f = gort_alloc(sizeof *f);
    gort_waitgroup_add(&f->wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go_copy(fill_mine, &f, sizeof f);
    gort_waitgroup_wait(&f->wg);
    CHECK_EQ(f->sum, 8);
}

static int evaluated;
static int next_number(void)
{
    return evaluated++;
}

static void a_key_is_evaluated_before_its_value_is_stored(void)
{
    int_map m = gort_map_make(int, int, 0);
    evaluated = 0;
    for (int i = 0; i < 100; i++)
        gort_map_put(m, i, next_number() + (int)gort_map_len(m));
    for (int i = 0; i < 100; i++)
        CHECK_EQ(*gort_map_find(m, i), 2 * i); // the length before the entry came
    CHECK_EQ(evaluated, 100);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(integers_of_all_sizes_are_keys, 1), CASE(enumerations_are_keys, 1),
    CASE(floats_of_both_sizes_are_keys, 1), CASE(structs_and_unions_are_keys, 1),
    CASE(the_ends_of_the_numbers_are_keys, 1), CASE(not_a_number_of_either_size_equals_none, 1),
    CASE(addresses_are_keys_not_what_they_lead_to, 1), CASE(c_texts_are_keys_by_content, 1),
    CASE(the_text_that_entered_stays_the_key, 1), CASE(a_key_and_a_value_without_bytes, 1),
    CASE(keys_of_all_sizes, 0), CASE(values_of_all_sizes, 0),
    CASE(no_put_moves_more_than_a_table, 1), CASE(growth_moves_an_entry_a_few_times, 1),
    CASE(a_hint_saves_growing, 1), CASE(searches_compare_few_keys, 1),
    CASE(deleting_moves_nothing, 1), CASE(coming_and_going_moves_little, 1), CASE(a_table_full_of_the_deleted_keeps_its_size, 1),
    CASE(all_are_found_at_every_size, 1), CASE(a_small_map_is_emptied_and_filled, 1),
    CASE(clear_after_deletes, 1), CASE(a_value_stays_where_it_is_until_a_change, 0),
    CASE(maps_of_one_place_are_apart, 1), CASE(orders_of_equal_maps_differ, 1),
    CASE(each_goroutine_has_a_map, 0),
    CASE(a_key_is_evaluated_before_its_value_is_stored, 1),
};
// clang-format on

CONFORM_MAIN(cases)
