// Conformance of maps: what Go's tests of maps check (assignment, deletion, odd keys, large
// elements, clearing, and keys whose functions panic), as gort makes it. Iteration:
// conform_map_iter.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>

#include "../conform.h"

typedef gort_map(int, int) int_map;
typedef gort_map(double, int) float_map;
typedef gort_map(gort_string, int) text_map;
typedef gort_slice(int) int_slice;

static gort_string name_of(int i)
{
    return gort_format("name %d", i);
}

// ---- odd numbers --------------------------------------------------------------------------------

static void zero_and_its_negative_are_one_key(void)
{
    float_map m = gort_map_make(double, int, 0);
    gort_map_put(m, 0.0, 1);
    gort_map_put(m, -0.0, 2);
    CHECK_EQ(gort_map_len(m), 1);
    CHECK_EQ(*gort_map_find(m, 0.0), 2);
    gort_map_iter it = GORT_MAP_ITER;
    double k = 1;
    CHECK(gort_map_next(m, &it, &k, NULL));
    CHECK(k == 0 && !signbit(k)); // the key that entered stays
    CHECK(gort_map_delete(m, -0.0) && gort_map_len(m) == 0);
    gort_map_put(m, -0.0, 3);
    it = (gort_map_iter)GORT_MAP_ITER;
    CHECK(gort_map_next(m, &it, &k, NULL) && signbit(k));
}

static void zeros_stay_one_key_while_the_map_grows(void)
{
    float_map m = gort_map_make(double, int, 0);
    for (int i = 0; i < 3000; i++) {
        gort_map_put(m, i % 2 == 0 ? 0.0 : -0.0, i);
        if (i != 0) gort_map_put(m, (double)i, i);
        CHECK_EQ(*gort_map_find(m, -0.0), i);
        CHECK_EQ(gort_map_len(m), (size_t)i + 1);
    }
}

static void each_nan_is_a_new_entry(void)
{
    float_map m = gort_map_make(double, int, 0);
    gort_map_put(m, NAN, 1);
    gort_map_put(m, NAN, 2);
    gort_map_put(m, NAN, 4);
    CHECK_EQ(gort_map_len(m), 3);
    int sum = 0, v;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, NULL, &v))
        sum += v;
    CHECK_EQ(sum, 7);
    CHECK(!gort_map_get(m, NAN, &v) && v == 0);
    CHECK(!gort_map_delete(m, NAN));
}

static void adding_to_a_nan_adds_to_nothing(void)
{
    float_map m = gort_map_make(double, int, 0);
    for (int i = 0; i < 3; i++)
        *gort_map_ref(m, NAN) += 1 << i;
    CHECK_EQ(gort_map_len(m), 3);
    int seen = 0, v;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(m, &it, NULL, &v))
        seen |= v;
    CHECK_EQ(seen, 7);
}

static void clear_removes_nans(void)
{
    float_map m = gort_map_make(double, int, 0);
    for (int i = 0; i < 100; i++)
        gort_map_put(m, i % 3 == 0 ? NAN : i, i);
    gort_map_clear(m);
    CHECK_EQ(gort_map_len(m), 0);
    gort_map_iter it = GORT_MAP_ITER;
    CHECK(!gort_map_next(m, &it, NULL, NULL));
    gort_map_put(m, 1.0, 1);
    CHECK_EQ(gort_map_len(m), 1);
}

// ---- assignment ---------------------------------------------------------------------------------

static void an_operation_on_an_entry_begins_with_zero(void)
{
    int_map m = gort_map_make(int, int, 0);
    for (int i = 0; i < 1000; i++) {
        *gort_map_ref(m, i) += i;
        *gort_map_ref(m, i) += i;
    }
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(*gort_map_find(m, i), 2 * i);
}

static void slices_are_appended_to_where_they_are(void)
{
    gort_map(int, int_slice) m = gort_map_make(int, int_slice, 0);
    for (int i = 0; i < 100; i++)
        for (int k = 0; k < 20; k++)
            gort_slice_append(int, gort_map_ref(m, k), i *k);
    gort_gc();
    for (int k = 0; k < 20; k++) {
        const int_slice *s = gort_map_find(m, k);
        CHECK_EQ(s->len, 100);
        for (int i = 0; i < 100; i++)
            CHECK_EQ(s->ptr[i], i * k);
    }
}

static void another_name_sees_the_same_map(void)
{
    int_map m = gort_map_make(int, int, 0), n = m;
    for (int i = 0; i < 5000; i++) {
        gort_map_put(i % 2 == 0 ? m : n, i, i);
        CHECK(gort_map_get(i % 2 == 0 ? n : m, i, NULL));
    }
    CHECK_EQ(gort_map_len(n), 5000);
    gort_map_clear(n);
    CHECK_EQ(gort_map_len(m), 0);
}

static void a_key_is_copied(void)
{
    struct pair {
        int a, b;
    };
    typedef struct pair pair;
    gort_map(pair, int) m = gort_map_make(pair, int, 0);
    pair k = { 1, 2 };
    gort_map_put(m, k, 7);
    k.a = 5;
    CHECK(gort_map_find(m, k) == NULL);
    k.a = 1;
    CHECK_EQ(*gort_map_find(m, k), 7);
}

static void maps_hold_maps(void)
{
    gort_map(int, int_map) m = gort_map_make(int, int_map, 0);
    for (int i = 0; i < 100; i++) {
        gort_map_put(m, i, gort_map_make(int, int, 0));
        for (int k = 0; k < i; k++)
            gort_map_put(*gort_map_find(m, i), k, i);
    }
    gort_gc();
    for (int i = 0; i < 100; i++)
        CHECK_EQ(gort_map_len(*gort_map_find(m, i)), (size_t)i);
}

static void channels_are_keys(void)
{
    ints c[50];
    gort_map(ints, int) m = gort_map_make(ints, int, 0);
    for (int i = 0; i < 50; i++) {
        c[i] = gort_chan_make(int, 0);
        gort_map_put(m, c[i], i);
    }
    for (int i = 0; i < 50; i++)
        CHECK_EQ(*gort_map_find(m, c[i]), i);
    CHECK(gort_map_find(m, (ints)NULL) == NULL);
}

static void small_keys_have_all_their_values(void)
{
    gort_map(bool, int) b = gort_map_make(bool, int, 0);
    gort_map(signed char, int) c = gort_map_make(signed char, int, 0);
    gort_map(unsigned short, int) s = gort_map_make(unsigned short, int, 0);
    gort_map_put(b, true, 1);
    gort_map_put(b, false, 2);
    gort_map_put(b, 5 > 4, 3);
    CHECK(gort_map_len(b) == 2 && *gort_map_find(b, true) == 3);
    for (int i = -128; i < 128; i++)
        gort_map_put(c, (signed char)i, i);
    for (int i = 0; i < 65536; i++)
        gort_map_put(s, (unsigned short)i, -i);
    CHECK(gort_map_len(c) == 256 && gort_map_len(s) == 65536);
    CHECK(*gort_map_find(c, (signed char)-1) == -1);
    CHECK_EQ(*gort_map_find(s, (unsigned short)65535), -65535);
}

// ---- removing -----------------------------------------------------------------------------------

#define COUNTS_FROM_ZERO(K, V, key1, key2)                                                         \
    do {                                                                                           \
        gort_map(K, V) m_ = gort_map_make(K, V, 0);                                                \
        gort_map_put(m_, key1, 99);                                                                \
        CHECK(gort_map_delete(m_, key1));                                                          \
        *gort_map_ref(m_, key2) += 1;                                                              \
        CHECK_EQ(*gort_map_find(m_, key2), 1);                                                     \
    } while (0)

static void what_was_deleted_counts_from_zero(void)
{
    COUNTS_FROM_ZERO(int, int, 7, 7);
    COUNTS_FROM_ZERO(int, int, 7, 8);
    COUNTS_FROM_ZERO(int32_t, int32_t, 7, 7);
    COUNTS_FROM_ZERO(int64_t, int64_t, 7, 8);
    COUNTS_FROM_ZERO(gort_string, int, gort_str("a"), gort_str("b"));
    COUNTS_FROM_ZERO(const char *, int64_t, "a", "a");
    COUNTS_FROM_ZERO(double, short, 1.5, 1.5);
}

static void a_deleted_text_leaves_none(void)
{
    typedef gort_string text;
    gort_map(gort_string, text) m = gort_map_make(gort_string, text, 0);
    gort_map_put(m, gort_str("a"), gort_str("value"));
    gort_map_delete(m, gort_str("a"));
    gort_string *s = gort_map_ref(m, gort_str("b"));
    CHECK_EQ(s->len, 0);
    CHECK(s->ptr == NULL);
}

static void what_was_cleared_counts_from_zero(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 300 * round; i++)
            *gort_map_ref(m, name_of(i)) += 1;
        for (int i = 0; i < 300 * round; i++)
            CHECK_EQ(*gort_map_find(m, name_of(i)), 1);
        gort_map_clear(m);
    }
}

struct deferred_delete {
    int_map m;
    int key;
};
static void delete_later(void *arg)
{
    struct deferred_delete *d = arg;
    gort_map_delete(d->m, d->key);
}
static void defers_deletes(void *arg)
{
    int_map m = *(int_map *)arg;
    struct deferred_delete d[3];
    for (int i = 0; i < 3; i++) {
        d[i] = (struct deferred_delete){ m, i };
        gort_defer(delete_later, &d[i]);
    }
    CHECK_EQ(gort_map_len(m), 5);
    gort_panic("on the way");
}

static void deferred_calls_delete(void)
{
    int_map m = gort_map_make(int, int, 0);
    for (int i = 0; i < 5; i++)
        gort_map_put(m, i, i);
    CHECK_PANICS(defers_deletes, &m, "on the way");
    CHECK_EQ(gort_map_len(m), 2);
    CHECK(gort_map_find(m, 2) == NULL && *gort_map_find(m, 4) == 4);
}

// Room of the deleted is used again, and searches go on past them.
static void deleting_half_and_adding_again(void)
{
    int_map m = gort_map_make(int, int, 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 1000; i++)
            gort_map_put(m, i, round);
        for (int i = round % 2; i < 1000; i += 2)
            CHECK(gort_map_delete(m, i));
        CHECK_EQ(gort_map_len(m), 500);
        for (int i = 0; i < 1000; i++)
            CHECK_EQ(gort_map_find(m, i) != NULL, i % 2 != round % 2);
    }
}

static void everything_put_is_deleted_once(void)
{
    int_map m = gort_map_make(int, int, 0);
    for (int i = 0; i < 20000; i++)
        gort_map_put(m, i * 17, i);
    for (int i = 0; i < 20000; i++) {
        CHECK(gort_map_delete(m, i * 17));
        CHECK(!gort_map_delete(m, i * 17));
        CHECK(gort_map_find(m, i * 17) == NULL);
    }
    CHECK_EQ(gort_map_len(m), 0);
}

// ---- elements of all sizes ----------------------------------------------------------------------

typedef struct large {
    char bytes[256];
} large;
typedef struct larger {
    int64_t n[300];
} larger;

static large large_of(int i)
{
    large l;
    memset(&l, i, sizeof l);
    memcpy(l.bytes, &i, sizeof i);
    return l;
}

static void large_keys_and_values(void)
{
    gort_map(large, large) m = gort_map_make(large, large, 0);
    for (int i = 0; i < 100; i++)
        gort_map_put(m, large_of(i), large_of(100 - i));
    for (int i = 0; i < 100; i++) {
        large want = large_of(100 - i), got;
        CHECK(gort_map_get(m, large_of(i), &got) && memcmp(&got, &want, sizeof got) == 0);
    }
    CHECK(!gort_map_get(m, large_of(100), NULL));
}

static void what_is_missing_is_all_zero(void)
{
    gort_map(int, larger) m = gort_map_make(int, larger, 0);
    larger got, none = { { 0 } };
    memset(&got, 0xff, sizeof got);
    CHECK(!gort_map_get(m, 1, &got));
    CHECK(memcmp(&got, &none, sizeof got) == 0);
    CHECK_EQ(gort_map_ref(m, 1)->n[299], 0);
}

static void large_elements_without_pointers_survive(void)
{
    gort_map(larger, int) keys = gort_map_make(larger, int, 0);
    gort_map(int, larger) values = gort_map_make(int, larger, 0);
    for (int64_t i = 0; i < 30; i++) {
        larger l;
        for (int k = 0; k < 300; k++)
            l.n[k] = i * k;
        gort_map_put(keys, l, (int)i);
        gort_map_put(values, (int)i, l);
    }
    gort_gc();
    int k, found = 0;
    larger l;
    gort_map_iter it = GORT_MAP_ITER;
    while (gort_map_next(values, &it, &k, &l)) {
        CHECK_EQ(l.n[299], 299 * (int64_t)k);
        CHECK_EQ(*gort_map_find(keys, l), k);
        found++;
    }
    CHECK_EQ(found, 30);
}

static void bogus_hints_are_ignored(void)
{
    static const size_t hints[] = { SIZE_MAX, SIZE_MAX / 2 + 1, (size_t)1 << 48 };
    for (int i = 0; i < 3; i++) {
        int_map m = gort_map_make(int, int, hints[i]);
        gort_map_put(m, 5, 6);
        CHECK_EQ(*gort_map_find(m, 5), 6);
    }
}

// ---- texts --------------------------------------------------------------------------------------

static void few_texts_of_one_length(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    const char *texts[] = { "abc", "abd", "xbc", "xyz", "ab\n", "   ", "cba" };
    for (int i = 0; i < 7; i++)
        gort_map_put(m, gort_string_of(texts[i]), i);
    for (int i = 0; i < 7; i++)
        CHECK_EQ(*gort_map_find(m, gort_string_of(texts[i])), i);
    CHECK(gort_map_find(m, gort_str("abe")) == NULL);
}

static void few_texts_of_all_lengths(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    gort_string all = gort_string_repeat(gort_str("x"), 200);
    for (int i = 0; i <= 200; i++)
        gort_map_put(m, gort_string_sub(all, 0, i), i);
    CHECK_EQ(gort_map_len(m), 201);
    for (int i = 0; i <= 200; i++)
        CHECK_EQ(*gort_map_find(m, gort_string_sub(all, 200 - i, 200)), i);
}

static void zero_bytes_are_part_of_a_key(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    gort_map_put(m, gort_str("a\0b"), 1);
    gort_map_put(m, gort_str("a\0c"), 2);
    gort_map_put(m, gort_str("a"), 3);
    CHECK(gort_map_len(m) == 3 && *gort_map_find(m, gort_str("a\0b")) == 1);
}

static void bytes_of_a_buffer_are_looked_up(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    gort_map_put(m, gort_str("1000"), 1);
    gort_map_put(m, gort_str("2000"), 2);
    char buffer[] = "1000";
    gort_string s = { buffer, 4 };
    CHECK_EQ(*gort_map_find(m, s), 1);
    buffer[0] = '2';
    CHECK_EQ(*gort_map_find(m, s), 2);
    buffer[3] = '1';
    CHECK(gort_map_find(m, s) == NULL);
}

static void the_map_keeps_its_texts(void)
{
    text_map m = gort_map_make(gort_string, int, 0);
    for (int i = 0; i < 2000; i++)
        gort_map_put(m, name_of(i), i);
    gort_gc();
    for (int i = 0; i < 2000; i++)
        CHECK_EQ(*gort_map_find(m, name_of(i)), i);
    for (int i = 0; i < 2000; i += 2)
        CHECK(gort_map_delete(m, name_of(i)));
    gort_gc();
    for (int i = 0; i < 2000; i++)
        CHECK_EQ(gort_map_find(m, name_of(i)) != NULL, i % 2 == 1);
}

// ---- who uses it --------------------------------------------------------------------------------

struct readers {
    int_map m;
    gort_waitgroup wg;
};
static void read_all(void *arg)
{
    struct readers *r = *(struct readers **)arg;
    int n = 0, k, v;
    for (int i = 0; i < 500; i++)
        CHECK_EQ(*gort_map_find(r->m, i), i);
    gort_map_iter it = GORT_MAP_ITER;
    for (; gort_map_next(r->m, &it, &k, &v); n++)
        CHECK_EQ(k, v);
    CHECK_EQ(n, 500);
    gort_waitgroup_done(&r->wg);
}

static void many_read_at_once(void)
{
    struct readers *r = gort_alloc(sizeof *r);
    for (size_t hint = 0; hint < 3; hint++) {
        gort_set(&r->m, gort_map_make(int, int, hint * 300));
        for (int i = 0; i < 500; i++)
            gort_map_put(r->m, i, i);
        gort_waitgroup_add(&r->wg, 16);
        for (int i = 0; i < 16; i++)
            gort_go_copy(read_all, &r, sizeof r);
        gort_waitgroup_wait(&r->wg);
    }
}

// ---- functions that panic: the map is as it was, and can be changed -----------------------------

typedef struct touchy {
    int n;
} touchy;
static enum { FINE, HASH, EQUAL } touchy_at;
static uint64_t touchy_hash(const touchy *t, uint64_t seed)
{
    if (touchy_at == HASH) gort_panic("hash");
    return gort_hash_int((uint64_t)t->n % 4, seed); // groups are full of equal hashes
}
static bool touchy_equal(const touchy *a, const touchy *b)
{
    if (touchy_at == EQUAL) gort_panic("equal");
    return a->n == b->n;
}
typedef gort_map(touchy, int) touchy_map;
static touchy_map touchies;

static void put_touchy(void *arg)
{
    gort_map_put(touchies, *(touchy *)arg, 1);
}
static void delete_touchy(void *arg)
{
    gort_map_delete(touchies, *(touchy *)arg);
}
static void find_touchy(void *arg)
{
    (void)gort_map_find(touchies, *(touchy *)arg);
}

static void fill_touchies(int n)
{
    touchy_at = FINE;
    gort_set(&touchies, gort_map_make_own(touchy, int, 0, touchy_hash, touchy_equal));
    for (int i = 0; i < n; i++)
        gort_map_put(touchies, (touchy){ i }, i);
}

static void check_touchies(int n)
{
    touchy_at = FINE;
    CHECK_EQ(gort_map_len(touchies), (size_t)n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(*gort_map_find(touchies, (touchy){ i }), i);
    gort_map_put(touchies, (touchy){ n }, n); // it can be changed
    CHECK(gort_map_delete(touchies, (touchy){ n }));
}

static void an_equality_that_panics_changes_nothing(void)
{
    for (int n = 5; n < 100; n += 9) {
        fill_touchies(n);
        touchy t = { 4 }, other = { n };
        touchy_at = EQUAL;
        CHECK_PANICS(put_touchy, &t, "equal");
        CHECK_PANICS(put_touchy, &other, "equal");
        CHECK_PANICS(delete_touchy, &t, "equal");
        CHECK_PANICS(find_touchy, &t, "equal");
        check_touchies(n);
    }
}

static void a_hash_that_panics_changes_nothing(void)
{
    fill_touchies(20);
    touchy t = { 3 };
    touchy_at = HASH;
    CHECK_PANICS(put_touchy, &t, "hash");
    CHECK_PANICS(delete_touchy, &t, "hash");
    check_touchies(20);
}

// Of a key that is added the hash is asked first, those of all others when the table grows.
static int hashes_left;
static uint64_t tired_hash(const touchy *t, uint64_t seed)
{
    if (hashes_left-- == 0) gort_panic("tired");
    return gort_hash_int((uint64_t)t->n, seed);
}

static void growth_that_panics_changes_nothing(void)
{
    int panics = 0;
    for (int n = 0; n < 300; n++) {
        fill_touchies(0);
        hashes_left = INT32_MAX;
        gort_set(&touchies, gort_map_make_own(touchy, int, 0, tired_hash, touchy_equal));
        for (int i = 0; i < n; i++)
            gort_map_put(touchies, (touchy){ i }, i);
        touchy t = { n };
        hashes_left = 1;
        if (gort_try(put_touchy, &t, NULL)) {
            panics++;
            CHECK_EQ(gort_map_len(touchies), (size_t)n);
        } else {
            hashes_left = INT32_MAX;
            CHECK(gort_map_delete(touchies, t));
        }
        hashes_left = INT32_MAX;
        check_touchies(n);
    }
    CHECK_GE(panics, 3); // the table grew
}

// The same for a fault.
static int *touchy_nowhere;
__attribute__((no_sanitize("undefined"))) static bool faulting_equal(const touchy *a,
                                                                     const touchy *b)
{
    return a->n == b->n && (touchy_at == FINE || *(volatile int *)touchy_nowhere == 0);
}

static void an_equality_that_faults_changes_nothing(void)
{
    if (in_mode("efence")) return; // there a fault is the finding, and ends the program
    fill_touchies(0);
    gort_set(&touchies, gort_map_make_own(touchy, int, 0, touchy_hash, faulting_equal));
    for (int i = 0; i < 50; i++)
        gort_map_put(touchies, (touchy){ i }, i);
    touchy t = { 7 };
    bool former = gort_set_panic_on_fault(true);
    touchy_at = EQUAL;
    for (int i = 0; i < 3; i++) {
        CHECK(gort_try(put_touchy, &t, NULL));
        CHECK(gort_try(delete_touchy, &t, NULL));
    }
    gort_set_panic_on_fault(former);
    check_touchies(50);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(zero_and_its_negative_are_one_key, 1), CASE(zeros_stay_one_key_while_the_map_grows, 1),
    CASE(each_nan_is_a_new_entry, 1), CASE(adding_to_a_nan_adds_to_nothing, 1),
    CASE(clear_removes_nans, 1), CASE(an_operation_on_an_entry_begins_with_zero, 1),
    CASE(slices_are_appended_to_where_they_are, 0), CASE(another_name_sees_the_same_map, 1),
    CASE(a_key_is_copied, 1), CASE(maps_hold_maps, 0), CASE(channels_are_keys, 1),
    CASE(small_keys_have_all_their_values, 1), CASE(what_was_deleted_counts_from_zero, 1),
    CASE(a_deleted_text_leaves_none, 1), CASE(what_was_cleared_counts_from_zero, 1),
    CASE(deferred_calls_delete, 1), CASE(deleting_half_and_adding_again, 1),
    CASE(everything_put_is_deleted_once, 1), CASE(large_keys_and_values, 1),
    CASE(what_is_missing_is_all_zero, 1), CASE(large_elements_without_pointers_survive, 0),
    CASE(bogus_hints_are_ignored, 1), CASE(few_texts_of_one_length, 1),
    CASE(few_texts_of_all_lengths, 1), CASE(zero_bytes_are_part_of_a_key, 1),
    CASE(bytes_of_a_buffer_are_looked_up, 1), CASE(the_map_keeps_its_texts, 0),
    CASE(many_read_at_once, 0), CASE(an_equality_that_panics_changes_nothing, 1),
    CASE(a_hash_that_panics_changes_nothing, 1), CASE(growth_that_panics_changes_nothing, 1),
    CASE(an_equality_that_faults_changes_nothing, 1),
};
// clang-format on

CONFORM_MAIN(cases)
