// Conformance of searching and sorting: what Go's tests of its packages slices and sort check, as
// gort makes it. Slices themselves: conform_slice.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <limits.h>
#include <math.h>

#include "../conform.h"

typedef gort_slice(int) slice;

typedef struct pair {
    int key, order;
} pair;
GORT_TYPE(pair);
typedef gort_slice(pair) pairs;

typedef struct item {
    struct item *link;
    int64_t n;
    char text[8];
    void *other;
} item;
GORT_TYPE(item, link, other);
typedef item *item_ref;
typedef gort_slice(item) items;
typedef gort_slice(item_ref) refs;

// 0, 1, 2, ...
static slice numbers(int n)
{
    slice s = { 0 };
    for (int i = 0; i < n; i++)
        gort_slice_append(int, &s, i);
    return s;
}

// ---- searching ----------------------------------------------------------------------------------

static bool above(const int *v, void *arg)
{
    return *v > *(int *)arg;
}

static void index_finds_the_first(void)
{
    slice s = numbers(5);
    gort_slice_append_slice(int, &s, s);
    CHECK_EQ(gort_slice_index(s, 3), 3);
    CHECK_EQ(gort_slice_index(s, 5), -1);
    int three = 3, nine = 9;
    CHECK_EQ(gort_slice_index_func(s, above, &three), 4);
    CHECK_EQ(gort_slice_index_func(s, above, &nine), -1);
    typedef gort_slice(double) doubles;
    doubles d = gort_slice_make(doubles, double, 2, 2);
    d.ptr[0] = NAN;
    CHECK_EQ(gort_slice_index(d, (double)NAN), -1);
    CHECK_EQ(gort_slice_index(d, -0.0), 1);
}

static int by_value(const int *a, const int *b)
{
    return (*a > *b) - (*a < *b);
}

static void search_finds_the_place(void)
{
    for (int n = 0; n < 40; n++) {
        slice s = numbers(n);
        for (int i = 0; i < n; i++)
            s.ptr[i] = i / 3 * 10; // 0 0 0 10 10 10 ...
        for (int key = -1; key < 150; key++) {
            bool found;
            size_t want = 0, got = gort_slice_search(s, &key, by_value, &found);
            while (want < s.len && s.ptr[want] < key)
                want++;
            CHECK_EQ(got, want);
            CHECK_EQ(found, want < s.len && s.ptr[want] == key);
            CHECK_EQ(gort_slice_search(s, &key, by_value, NULL), want);
        }
    }
}

// ---- sorting ------------------------------------------------------------------------------------

#define CHECK_SORTS(T)                                                                             \
    do {                                                                                           \
        typedef gort_slice(T) list;                                                                \
        uint64_t random = test_seed();                                                             \
        for (int n = 0; n < 300; n += 1 + n / 4) {                                                 \
            list s = { 0 };                                                                        \
            uint64_t sum = 0;                                                                      \
            for (int i = 0; i < n; i++) {                                                          \
                T v = (T)(int64_t)test_random(&random);                                            \
                gort_slice_append(T, &s, v);                                                       \
                sum += (uint64_t)(int64_t)(v / 2);                                                 \
            }                                                                                      \
            gort_slice_sort(s);                                                                    \
            for (int i = 0; i < n; i++) {                                                          \
                if (i > 0) CHECK(s.ptr[i - 1] <= s.ptr[i]);                                        \
                sum -= (uint64_t)(int64_t)(s.ptr[i] / 2);                                          \
            }                                                                                      \
            CHECK_EQ(sum, 0);                                                                      \
        }                                                                                          \
    } while (0)

static void numbers_of_all_types_are_sorted(void)
{
    CHECK_SORTS(char);
    CHECK_SORTS(int8_t);
    CHECK_SORTS(uint8_t);
    CHECK_SORTS(int16_t);
    CHECK_SORTS(uint16_t);
    CHECK_SORTS(int32_t);
    CHECK_SORTS(uint32_t);
    CHECK_SORTS(int64_t);
    CHECK_SORTS(uint64_t);
    CHECK_SORTS(float);
    CHECK_SORTS(double);
}

static void booleans_are_sorted(void)
{
    typedef gort_slice(bool) list;
    list s = { 0 };
    for (int i = 0; i < 100; i++)
        gort_slice_append(bool, &s, i % 3 == 0);
    gort_slice_sort(s);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(s.ptr[i], i >= 66);
}

static void nans_come_first(void)
{
    typedef gort_slice(double) list;
    list s = { 0 };
    for (int i = 0; i < 200; i++)
        gort_slice_append(double, &s, i % 7 == 0 ? (double)NAN : i % 11 == 0 ? INFINITY : 100 - i);
    gort_slice_sort(s);
    int nans = 0;
    while (isnan(s.ptr[nans]))
        nans++;
    CHECK_EQ(nans, 29);
    for (int i = nans + 1; i < 200; i++)
        CHECK(s.ptr[i - 1] <= s.ptr[i]);
}

static int64_t compared;

static int count_by_value(const int *a, const int *b)
{
    compared++;
    return by_value(a, b);
}

enum pattern { RISING, FALLING, SAME, FEW, ORGAN, SAW, SHUFFLED, NEARLY, PATTERNS };

static int pattern_value(enum pattern p, int i, int n, uint64_t *random)
{
    switch (p) {
    case RISING:
        return i;
    case FALLING:
        return n - i;
    case SAME:
        return 7;
    case FEW:
        return (int)(test_random(random) % 5);
    case ORGAN:
        return i < n / 2 ? i : n - i;
    case SAW:
        return i % 100;
    case NEARLY:
        return i % 1000 == 999 ? (int)(test_random(random) % 1000000) : i;
    default:
        return (int)(test_random(random) % 1000000);
    }
}

static slice pattern(enum pattern p, int n)
{
    uint64_t random = test_seed() + p;
    slice s = { 0 };
    for (int i = 0; i < n; i++)
        gort_slice_append(int, &s, pattern_value(p, i, n, &random));
    return s;
}

static void check_sorted(slice s)
{
    for (size_t i = 1; i < s.len; i++)
        CHECK(s.ptr[i - 1] <= s.ptr[i]);
}

static void patterns_are_sorted_in_few_comparisons(void)
{
    enum { N = 20000 };
    for (int p = 0; p < PATTERNS; p++) {
        slice s = pattern(p, N), t = gort_slice_clone(int, s);
        compared = 0;
        gort_slice_sort_func(int, s, count_by_value);
        check_sorted(s);
        CHECK_LE(compared, p == RISING || p == FALLING || p == SAME ? 3 * N : 25 * N);
        gort_slice_sort(t);
        for (int i = 0; i < N; i++)
            CHECK_EQ(s.ptr[i], t.ptr[i]);
    }
}

// The adversary of McIlroy: decides values as they are compared, so that a quicksort is quadratic.
static struct {
    int *values, solid, candidate, gas;
} killer;

static int adversary(const int *a, const int *b)
{
    int x = *a, y = *b, *v = killer.values;
    compared++;
    if (v[x] == killer.gas && v[y] == killer.gas) v[x == killer.candidate ? x : y] = killer.solid++;
    if (v[x] == killer.gas)
        killer.candidate = x;
    else if (v[y] == killer.gas)
        killer.candidate = y;
    return (v[x] > v[y]) - (v[x] < v[y]);
}

static void an_adversary_does_not_make_it_quadratic(void)
{
    enum { N = 10000 };
    slice s = numbers(N), values = numbers(N);
    killer.values = values.ptr;
    killer.solid = killer.candidate = 0;
    killer.gas = N;
    for (int i = 0; i < N; i++)
        values.ptr[i] = N;
    compared = 0;
    gort_slice_sort_func(int, s, adversary);
    CHECK_LE(compared, 60 * N);
    killer.values = NULL;
}

static int by_key(const pair *a, const pair *b)
{
    return (a->key > b->key) - (a->key < b->key);
}

static void equal_elements_keep_their_order(void)
{
    uint64_t random = test_seed();
    for (int n = 0; n < 5000; n = n * 2 + 1) {
        pairs s = { 0 };
        for (int i = 0; i < n; i++)
            gort_slice_append(pair, &s,
                              (pair){ .key = (int)(test_random(&random) % 50), .order = i });
        gort_slice_sort_stable(pair, s, by_key);
        for (int i = 1; i < n; i++) {
            pair *a = &s.ptr[i - 1], *b = &s.ptr[i];
            CHECK(a->key < b->key || (a->key == b->key && a->order < b->order));
        }
    }
}

static int contradict(const int *a, const int *b)
{
    static uint64_t random = 1;
    (void)a, (void)b;
    return (int)(test_random(&random) % 3) - 1;
}

static void a_contradicting_compare_gives_some_order(void)
{
    for (int n = 0; n < 3000; n = n * 2 + 1) {
        slice s = numbers(n);
        gort_slice_sort_func(int, s, contradict);
        gort_slice_sort_stable(int, s, contradict);
        gort_slice_sort(s);
        for (int i = 0; i < n; i++)
            CHECK_EQ(s.ptr[i], i);
    }
}

static int panic_in;

static int compare_and_panic(const int *a, const int *b)
{
    if (panic_in-- == 0) gort_panic("enough");
    return by_value(a, b);
}

static void sort_until_panic(void *arg)
{
    slice *s = arg;
    gort_slice_sort_func(int, *s, compare_and_panic);
}

static void a_compare_that_panics_loses_nothing(void)
{
    for (int left = 0; left < 3000; left += 37) {
        slice s = pattern(SHUFFLED, 500), t = gort_slice_clone(int, s);
        panic_in = left;
        CHECK(gort_try(sort_until_panic, &s, NULL));
        gort_slice_sort(s);
        gort_slice_sort(t);
        for (int i = 0; i < 500; i++)
            CHECK_EQ(s.ptr[i], t.ptr[i]);
    }
}

static int by_n(const item *a, const item *b)
{
    return (a->n > b->n) - (a->n < b->n);
}

static int by_ref(const item_ref *a, const item_ref *b)
{
    return by_n(*a, *b);
}

static void elements_with_pointers_are_sorted(void)
{
    enum { N = 2000 };
    items s = { 0 };
    refs r = { 0 };
    for (int i = 0; i < N; i++) {
        item *x = gort_new(item);
        x->n = i * 7919 % N;
        gort_slice_append(item, &s, (item){ .link = x, .n = x->n, .text = "seven", .other = x });
        gort_slice_append(item_ref, &r, x);
    }
    gort_slice_sort_func(item, s, by_n);
    gort_slice_sort_func(item_ref, r, by_ref);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(s.ptr[i].n, i);
        CHECK_EQ(s.ptr[i].link->n, i);
        CHECK_PTR_EQ(s.ptr[i].other, r.ptr[i]);
        CHECK_STR_EQ(s.ptr[i].text, "seven");
    }
}

// ---- small ones, all of them --------------------------------------------------------------------

static void check_orders(slice s, int n)
{
    slice a = gort_slice_clone(int, s), b = gort_slice_clone(int, s), c = gort_slice_clone(int, s);
    gort_slice_sort(a);
    gort_slice_sort_func(int, b, by_value);
    gort_slice_sort_stable(int, c, by_value);
    for (int i = 0; i < n; i++)
        CHECK(a.ptr[i] == i && b.ptr[i] == i && c.ptr[i] == i);
}

static void permute(slice s, int from)
{
    if (from == (int)s.len) {
        check_orders(s, from);
        return;
    }
    for (int i = from; i < (int)s.len; i++) {
        int other = s.ptr[i];
        s.ptr[i] = s.ptr[from];
        s.ptr[from] = other;
        permute(s, from + 1);
        s.ptr[from] = s.ptr[i];
        s.ptr[i] = other;
    }
}

static void every_permutation_is_sorted(void)
{
    for (int n = 0; n <= 6; n++)
        permute(numbers(n), 0);
}

// What sorts all sequences of two values sorts all.
static void every_sequence_of_two_values_is_sorted(void)
{
    for (int n = 1; n <= 13; n++)
        for (int bits = 0; bits < 1 << n; bits++) {
            slice s = gort_slice_make(slice, int, n, n);
            int ones = 0;
            for (int i = 0; i < n; i++)
                ones += s.ptr[i] = bits >> i & 1;
            if (bits % 2 == 0)
                gort_slice_sort(s);
            else
                gort_slice_sort_func(int, s, by_value);
            for (int i = 0; i < n; i++)
                CHECK_EQ(s.ptr[i], i >= n - ones);
        }
}

// ---- sequences that are hard for some: those of Bentley and McIlroy -----------------------------

static int sawtooth(int kind, int i, int n, int m, uint64_t *random)
{
    switch (kind) {
    case 0:
        return i % m;
    case 1:
        return (int)(test_random(random) % (uint64_t)m);
    case 2:
        return i * m + i % n;
    case 3:
        return i < m ? i : m;
    default:
        return i % 2 != 0 ? i : n - i / m;
    }
}

static void turn(slice s, int from, int to)
{
    for (to--; from < to; from++, to--) {
        int other = s.ptr[from];
        s.ptr[from] = s.ptr[to];
        s.ptr[to] = other;
    }
}

static void disturb(int how, slice s)
{
    int n = (int)s.len;
    if (how == 1) turn(s, 0, n);
    if (how == 2) turn(s, 0, n / 2);
    if (how == 3) turn(s, n / 2, n);
    if (how == 4) gort_slice_sort(s);
    if (how == 5)
        for (int i = 0; i < n; i++)
            s.ptr[i] += i % 5;
}

static void check_hard(slice s)
{
    slice a = gort_slice_clone(int, s), b = gort_slice_clone(int, s);
    int64_t n = (int64_t)s.len, log = 1;
    while (INT64_C(1) << log < n)
        log++;
    gort_slice_sort(s);
    compared = 0;
    gort_slice_sort_func(int, a, count_by_value);
    CHECK_LE(compared, 4 * n * log);
    gort_slice_sort_stable(int, b, by_value);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) CHECK(s.ptr[i - 1] <= s.ptr[i]);
        CHECK(a.ptr[i] == s.ptr[i] && b.ptr[i] == s.ptr[i]);
    }
}

static void hard_sequences_are_sorted(void)
{
    static const int sizes[] = { 100, 1023, 1024, 1025 };
    uint64_t random = test_seed();
    for (int z = 0; z < 4; z++)
        for (int kind = 0; kind < 5; kind++)
            for (int m = 1; m < 2 * sizes[z]; m *= 4)
                for (int how = 0; how < 6; how++) {
                    slice s = gort_slice_make(slice, int, sizes[z], sizes[z]);
                    for (int i = 0; i < sizes[z]; i++)
                        s.ptr[i] = sawtooth(kind, i, sizes[z], m, &random);
                    disturb(how, s);
                    check_hard(s);
                }
}

// ---- what may be sorted -------------------------------------------------------------------------

static void a_part_is_sorted_alone(void)
{
    for (int lo = 0; lo <= 30; lo += 3)
        for (int hi = lo; hi <= 30; hi++) {
            slice s = gort_slice_make(slice, int, 30, 40);
            for (int i = 0; i < 30; i++)
                s.ptr[i] = 30 - i;
            gort_slice_sort(gort_slice_sub(s, lo, hi));
            for (int i = 0; i < 30; i++)
                CHECK_EQ(s.ptr[i], i < lo || i >= hi ? 30 - i : 30 - hi + 1 + i - lo);
            CHECK_EQ(gort_slice_sub(s, 0, 31).ptr[30], 0);
        }
}

static void infinities_and_zeros_are_sorted(void)
{
    typedef gort_slice(double) list;
    static const double in_order[] = {
        -INFINITY, -1e300, -1, -1e-300, 0, 1e-300, 1, 1e300, INFINITY
    };
    for (int shift = 0; shift < 9; shift++) {
        list s = { 0 };
        for (int i = 0; i < 9; i++)
            gort_slice_append(double, &s, in_order[(i * 2 + shift) % 9]);
        gort_slice_sort(s);
        for (int i = 0; i < 9; i++)
            CHECK(s.ptr[i] == in_order[i]);
    }
    list z = { 0 };
    for (int i = 0; i < 100; i++)
        gort_slice_append(double, &z, i % 3 == 0 ? -0.0 : i % 3 == 1 ? 0.0 : (double)NAN);
    gort_slice_sort(z);
    int negative = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(isnan(z.ptr[i]) != 0, i < 33);
        negative += i >= 33 && signbit(z.ptr[i]);
    }
    CHECK_EQ(negative, 34); // equal, and both still there
}

static int by_text(const gort_string *a, const gort_string *b)
{
    return gort_string_compare(*a, *b);
}

static gort_strings texts(int n)
{
    gort_strings s = { NULL, 0, 0 };
    for (int i = 0; i < n; i++)
        gort_slice_append(gort_string, &s, gort_format("%04d", i * 7919 % n));
    return s;
}

static void texts_are_sorted(void)
{
    gort_strings s = texts(3000), t = gort_slice_clone(gort_string, s);
    gort_slice_sort_func(gort_string, s, by_text);
    gort_gc();
    gort_slice_sort_stable(gort_string, t, by_text);
    for (int i = 0; i < 3000; i++) {
        CHECK(gort_string_equal(s.ptr[i], gort_format("%04d", i)));
        CHECK(gort_string_equal(t.ptr[i], s.ptr[i]));
    }
}

typedef struct heavy {
    int64_t key;
    int64_t body[40];
} heavy;
typedef gort_slice(heavy) heavies;

static int by_weight(const heavy *a, const heavy *b)
{
    return (a->key > b->key) - (a->key < b->key);
}

static void large_elements_are_sorted(void)
{
    enum { N = 700 };
    for (int stable = 0; stable < 2; stable++) {
        heavies s = { 0 };
        for (int64_t i = 0; i < N; i++) {
            heavy h = { .key = i * 331 % N };
            for (int k = 0; k < 40; k++)
                h.body[k] = h.key * k;
            gort_slice_append(heavy, &s, h);
        }
        if (stable)
            gort_slice_sort_stable(heavy, s, by_weight);
        else
            gort_slice_sort_func(heavy, s, by_weight);
        for (int64_t i = 0; i < N; i++)
            for (int k = 0; k < 40; k++)
                CHECK_EQ(s.ptr[i].body[k], i * k);
    }
}

static int by_difference(const int *a, const int *b)
{
    return *a == *b ? 0 : *a < *b ? INT_MIN : INT_MAX;
}

static void the_sign_of_a_comparison_counts(void)
{
    for (int p = 0; p < PATTERNS; p++) {
        slice s = pattern(p, 500), t = gort_slice_clone(int, s);
        gort_slice_sort_func(int, s, by_difference);
        gort_slice_sort_stable(int, t, by_difference);
        check_sorted(s);
        check_sorted(t);
        bool found;
        CHECK_LT(gort_slice_search(s, &s.ptr[250], by_difference, &found), 251);
        CHECK(found);
    }
}

// One order within another: by the lesser key first, then stably by the greater.
static int by_order(const pair *a, const pair *b)
{
    return (a->order > b->order) - (a->order < b->order);
}

static void a_stable_sort_keeps_another_order(void)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 20; round++) {
        pairs s = { 0 };
        for (int i = 0; i < 1000; i++)
            gort_slice_append(pair, &s,
                              (pair){ .key = (int)(test_random(&random) % 30),
                                      .order = (int)(test_random(&random) % 30) });
        gort_slice_sort_func(pair, s, by_order);
        gort_slice_sort_stable(pair, s, by_key);
        for (int i = 1; i < 1000; i++) {
            pair *a = &s.ptr[i - 1], *b = &s.ptr[i];
            CHECK(a->key < b->key || (a->key == b->key && a->order <= b->order));
        }
    }
}

static void a_stable_sort_compares_little(void)
{
    enum { N = 20000, LOG = 15 };
    for (int p = 0; p < PATTERNS; p++) {
        slice s = pattern(p, N);
        compared = 0;
        gort_slice_sort_stable(int, s, count_by_value);
        check_sorted(s);
        CHECK_LE(compared, (int64_t)4 * N * LOG);
    }
}

// ---- searching with little ----------------------------------------------------------------------

static void searches_compare_little(void)
{
    for (int n = 1, log = 1; n <= 1 << 16; n = n * 3 + 1) {
        while (1 << log <= n)
            log++;
        slice s = numbers(n);
        for (int key = -1; key <= n; key += n / 50 + 1) {
            bool found;
            compared = 0;
            CHECK_EQ(gort_slice_search(s, &key, count_by_value, &found), key < 0 ? 0 : key);
            CHECK_EQ(found, key >= 0 && key < n);
            CHECK_LE(compared, log + 1);
        }
    }
}

static void texts_are_searched(void)
{
    gort_strings s = texts(500);
    gort_slice_sort_func(gort_string, s, by_text);
    for (int i = 0; i < 500; i++) {
        bool found;
        gort_string key = gort_format("%04d", i), behind = gort_format("%04d.", i);
        CHECK_EQ(gort_slice_search(s, &key, by_text, &found), i);
        CHECK(found);
        CHECK_EQ(gort_slice_search(s, &behind, by_text, &found), i + 1);
        CHECK(!found);
    }
}

static void a_part_is_searched_alone(void)
{
    slice s = numbers(50), part = gort_slice_sub(s, 10, 20);
    int inside = 15, before = 5, behind = 25;
    bool found;
    CHECK_EQ(gort_slice_search(part, &inside, by_value, &found), 5);
    CHECK(found);
    CHECK(gort_slice_search(part, &before, by_value, &found) == 0 && !found);
    CHECK(gort_slice_search(part, &behind, by_value, &found) == 10 && !found);
    CHECK(gort_slice_index(part, 15) == 5 && gort_slice_index(part, 25) == -1);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(index_finds_the_first, 1), CASE(search_finds_the_place, 1),
    CASE(numbers_of_all_types_are_sorted, 1), CASE(booleans_are_sorted, 1),
    CASE(nans_come_first, 1), CASE(patterns_are_sorted_in_few_comparisons, 1),
    CASE(an_adversary_does_not_make_it_quadratic, 1), CASE(equal_elements_keep_their_order, 1),
    CASE(a_contradicting_compare_gives_some_order, 1), CASE(a_compare_that_panics_loses_nothing, 1),
    CASE(elements_with_pointers_are_sorted, 0), CASE(every_permutation_is_sorted, 1),
    CASE(every_sequence_of_two_values_is_sorted, 1), CASE(hard_sequences_are_sorted, 1),
    CASE(a_part_is_sorted_alone, 1), CASE(infinities_and_zeros_are_sorted, 1),
    CASE(texts_are_sorted, 0), CASE(large_elements_are_sorted, 1),
    CASE(the_sign_of_a_comparison_counts, 1), CASE(a_stable_sort_keeps_another_order, 1),
    CASE(a_stable_sort_compares_little, 1), CASE(searches_compare_little, 1),
    CASE(texts_are_searched, 1), CASE(a_part_is_searched_alone, 1),
};
// clang-format on

CONFORM_MAIN(cases)
