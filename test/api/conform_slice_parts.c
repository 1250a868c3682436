// Conformance of slices: elements of all kinds, all parts of an array, what calls leave alone, and
// what slices keep, as Go's test/append.go, copy.go, slice3.go and the tests of its package slices
// check it. More: conform_slice.c; searching and sorting: conform_sort.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

typedef gort_slice(int) slice;
typedef gort_slice(char) bytes;

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

static void check_numbers(slice s, int n)
{
    CHECK_EQ(s.len, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(s.ptr[i], i);
}

// ---- elements of all kinds ----------------------------------------------------------------------

typedef struct three {
    char b[3];
} three;
GORT_TYPE(three);
typedef struct point {
    double x, y;
} point;
GORT_TYPE(point);

static three three_of(int i)
{
    return (three){ { (char)i, (char)(i + 1), (char)(i * 3) } };
}
static point point_of(int i)
{
    return (point){ i / 2.0, -i };
}
static item item_of(int i)
{
    return (item){ .n = i, .text = "item" };
}
#define AS_IS(i) (i)
#define IS_ODD(i) ((i) % 2)

// 0 to 99 elements, appended one by one, many at once, and as another slice.
#define CHECK_APPENDS(T, make)                                                                     \
    do {                                                                                           \
        typedef gort_slice(T) list_;                                                               \
        for (size_t n_ = 0; n_ < 100; n_ += n_ / 8 + 1) {                                          \
            list_ one_ = { 0 }, many_ = { 0 }, all_ = { 0 };                                       \
            for (size_t i_ = 0; i_ < n_; i_++) {                                                   \
                T v_ = (T)make((int)i_);                                                           \
                gort_slice_append(T, &one_, v_);                                                   \
            }                                                                                      \
            gort_slice_append_n(T, &many_, one_.ptr, n_);                                          \
            gort_slice_append_slice(T, &all_, many_);                                              \
            gort_slice_append_slice(T, &all_, one_);                                               \
            CHECK(one_.len == n_ && many_.len == n_ && all_.len == 2 * n_);                        \
            for (size_t i_ = 0; i_ < n_; i_++) {                                                   \
                T v_ = (T)make((int)i_);                                                           \
                CHECK(memcmp(&one_.ptr[i_], &v_, sizeof v_) == 0);                                 \
                CHECK(memcmp(&many_.ptr[i_], &v_, sizeof v_) == 0);                                \
                CHECK(memcmp(&all_.ptr[i_], &v_, sizeof v_) == 0);                                 \
                CHECK(memcmp(&all_.ptr[n_ + i_], &v_, sizeof v_) == 0);                            \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void numbers_of_all_types_are_appended(void)
{
    CHECK_APPENDS(bool, IS_ODD);
    CHECK_APPENDS(int8_t, AS_IS);
    CHECK_APPENDS(uint16_t, AS_IS);
    CHECK_APPENDS(int32_t, AS_IS);
    CHECK_APPENDS(uint64_t, AS_IS);
    CHECK_APPENDS(float, AS_IS);
    CHECK_APPENDS(double, AS_IS);
}

static void structs_of_all_sizes_are_appended(void)
{
    for (size_t n = 0; n < 100; n += n / 8 + 1) {
        typedef gort_slice(three) threes;
        typedef gort_slice(point) points;
        threes t = { 0 };
        points p = { 0 };
        items x = { 0 };
        for (size_t i = 0; i < n; i++) {
            gort_slice_append(three, &t, three_of((int)i));
            gort_slice_append(point, &p, point_of((int)i));
            gort_slice_append(item, &x, item_of((int)i));
        }
        gort_slice_append_slice(three, &t, t);
        gort_slice_append_slice(point, &p, p);
        gort_slice_append_slice(item, &x, x);
        CHECK(t.len == 2 * n && p.len == 2 * n && x.len == 2 * n);
        for (size_t i = 0; i < 2 * n; i++) {
            int k = (int)(i % n);
            CHECK(memcmp(t.ptr[i].b, three_of(k).b, 3) == 0);
            CHECK(p.ptr[i].x == k / 2.0 && p.ptr[i].y == -k);
            CHECK_EQ(x.ptr[i].n, k);
            CHECK_STR_EQ(x.ptr[i].text, "item");
        }
    }
}

static void slices_of_slices(void)
{
    typedef gort_slice(slice) table;
    table t = { 0 };
    for (int i = 0; i < 200; i++)
        gort_slice_append(slice, &t, numbers(i % 20));
    gort_gc();
    for (int i = 0; i < 200; i++) {
        gort_slice_append(int, &gort_slice_at(t, i), -1);
        CHECK_EQ(t.ptr[i].len, i % 20 + 1);
        CHECK_EQ(gort_slice_at(gort_slice_at(t, i), i % 20), -1);
    }
}

// ---- parts, all of them -------------------------------------------------------------------------

static void all_parts_of_an_array(void)
{
    slice s = gort_slice_sub3(numbers(10), 0, 10, 10);
    for (int64_t lo = 0; lo <= 10; lo++)
        for (int64_t hi = lo; hi <= 10; hi++) {
            slice part = gort_slice_sub(s, lo, hi);
            CHECK(part.len == (size_t)(hi - lo) && part.cap == (size_t)(10 - lo));
            for (size_t i = 0; i < part.len; i++)
                CHECK_EQ(part.ptr[i], lo + (int)i);
            for (int64_t max = hi; max <= 10; max++) {
                slice limited = gort_slice_sub3(s, lo, hi, max);
                CHECK_EQ(limited.len, part.len);
                CHECK_EQ(limited.cap, max - lo);
                if (limited.cap != 0) CHECK_PTR_EQ(limited.ptr, s.ptr + lo);
            }
        }
}

static void a_part_of_a_part(void)
{
    slice s = numbers(20), a = gort_slice_sub3(s, 5, 15, 16), b = gort_slice_sub(a, 2, 11);
    CHECK(b.len == 9 && b.cap == 9);
    CHECK_PTR_EQ(b.ptr, s.ptr + 7);
    gort_slice_append(int, &b, -1);
    CHECK_EQ(s.ptr[16], 16); // the limit of the part it came from
    CHECK_EQ(b.ptr[9], -1);
}

static void a_part_keeps_the_array(void)
{
    refs all = { 0 };
    for (int i = 0; i < 500; i++) {
        item *x = gort_new(item);
        x->n = i;
        gort_slice_append(item_ref, &all, x);
    }
    refs *kept = gort_alloc(sizeof *kept);
    gort_slice_set(kept, gort_slice_sub(all, 499, 500));
    all = (refs){ 0 };
    gort_gc();
    for (int i = 0; i < 2000; i++)
        gort_new(item)->n = -1;
    CHECK_EQ(kept->ptr[0]->n, 499);
    CHECK_EQ((kept->ptr - 499)[0]->n, 0); // all of it is kept
}

// ---- what calls leave alone ---------------------------------------------------------------------

// From any place to any other, of all lengths; nothing else changes.
static void copies_touch_nothing_else(void)
{
    enum { N = 24 };
    for (int from = 0; from < N; from += 3)
        for (int to = 0; to < N; to += 2)
            for (int n = 0; n + from <= N && n + to <= N; n++) {
                slice s = numbers(N), copied = gort_slice_sub(s, from, from + n);
                slice place = gort_slice_sub(s, to, to + n);
                CHECK_EQ(gort_slice_copy(int, place, copied), n);
                for (int i = 0; i < N; i++)
                    CHECK_EQ(s.ptr[i], i >= to && i < to + n ? i - to + from : i);
            }
}

static void copies_of_bytes_and_pointers_overlap(void)
{
    bytes b = { 0 };
    gort_slice_append_n(char, &b, "abcdefgh", 8);
    CHECK_EQ(gort_slice_copy(char, gort_slice_sub(b, 3, 8), b), 5);
    CHECK(memcmp(b.ptr, "abcabcde", 8) == 0);
    refs r = { 0 };
    for (int i = 0; i < 300; i++) {
        item *x = gort_new(item);
        x->n = i;
        gort_slice_append(item_ref, &r, x);
    }
    CHECK_EQ(gort_slice_copy(item_ref, gort_slice_sub(r, 100, 300), r), 200);
    gort_gc();
    for (int i = 0; i < 300; i++)
        CHECK_EQ(r.ptr[i]->n, i < 100 ? i : i - 100);
}

static void adding_nothing_changes_nothing(void)
{
    slice s = gort_slice_clip(numbers(6)), before = s, none = { 0 };
    gort_slice_append_n(int, &s, NULL, 0);
    gort_slice_append_slice(int, &s, none);
    gort_slice_insert(int, &s, 3, NULL, 0);
    gort_slice_delete(int, &s, 2, 2);
    gort_slice_grow(int, &s, 0);
    CHECK_PTR_EQ(s.ptr, before.ptr);
    CHECK(s.len == 6 && s.cap == 6);
    check_numbers(s, 6);
}

static slice *touched;
static int64_t place;
static void insert_there(void *arg)
{
    gort_slice_insert(int, touched, place, arg, 1);
}
static void delete_there(void *arg)
{
    (void)arg;
    gort_slice_delete(int, touched, place, 7);
}
static void grow_there(void *arg)
{
    (void)arg;
    gort_slice_grow(int, touched, SIZE_MAX / 2);
}

static void a_panic_changes_nothing(void)
{
    static const int64_t bad[] = { -1, 7, 21, INT64_MAX, INT64_MIN };
    slice s = numbers(6), before = s;
    int one = 1;
    touched = &s;
    for (int i = 0; i < 5; i++) {
        place = bad[i];
        CHECK(gort_try(insert_there, &one, NULL));
        CHECK(gort_try(delete_there, NULL, NULL));
        CHECK(gort_try(grow_there, NULL, NULL));
        CHECK(s.ptr == before.ptr && s.cap == before.cap);
        check_numbers(s, 6);
    }
    touched = NULL;
}

// ---- over and over ------------------------------------------------------------------------------

// Elements before others, one by one: arrays are replaced as seldom as by append.
static void inserting_one_by_one_seldom_replaces_the_array(void)
{
    slice s = { 0 };
    const int *former = NULL;
    int replaced = 0;
    for (int i = 0; i < 3000; i++) {
        gort_slice_insert(int, &s, (int64_t)s.len / 2, &i, 1);
        replaced += s.ptr != former;
        former = s.ptr;
    }
    CHECK_LE(replaced, 30);
    int64_t sum = 0;
    for (size_t i = 0; i < s.len; i++)
        sum += s.ptr[i];
    CHECK(s.len == 3000 && sum == 3000 * 2999 / 2);
}

static void room_that_was_asked_for_is_used(void)
{
    for (int n = 0; n < 5000; n = n * 3 + 1) {
        slice s = numbers(3);
        gort_slice_grow(int, &s, (size_t)n);
        int *array = s.ptr;
        for (int i = 0; i < n; i++)
            gort_slice_append(int, &s, i);
        CHECK_PTR_EQ(s.ptr, array);
        CHECK_EQ(s.len, n + 3);
    }
}

static void a_queue_goes_through_arrays(void)
{
    refs queue = { 0 };
    int64_t in = 0, out = 0;
    for (int round = 0; round < test_count(3000); round++) {
        for (int i = 0; i < round % 7; i++) {
            item *x = gort_new(item);
            x->n = in++;
            gort_slice_append(item_ref, &queue, x);
        }
        for (int i = 0; i < 3 && queue.len != 0; i++) {
            CHECK_EQ(gort_slice_at(queue, 0)->n, out++);
            queue = gort_slice_sub(queue, 1, (int64_t)queue.len);
        }
    }
    CHECK_EQ(queue.len, in - out);
}

// A model, many slices in one, and out of it again.
static void many_slices_in_one(void)
{
    slice all = { 0 };
    for (int i = 0; i < 100; i++)
        gort_slice_append_slice(int, &all, numbers(i));
    CHECK_EQ(all.len, 100 * 99 / 2);
    for (int i = 99, at = (int)all.len; i > 0; i--) {
        at -= i;
        CHECK_EQ(gort_slice_at(all, at), 0);
        CHECK_EQ(gort_slice_at(all, at + i - 1), i - 1);
    }
    while (all.len != 0)
        gort_slice_delete(int, &all, 0, all.len < 7 ? (int64_t)all.len : 7);
    CHECK(all.ptr != NULL && all.cap >= 4950);
}

// ---- what is kept -------------------------------------------------------------------------------

static void let_go(void *arg)
{
    ADD((int64_t *)arg, 1);
}

static __attribute__((noinline)) refs *watched(int64_t *deaths, int n)
{
    refs *r = gort_alloc(sizeof *r);
    for (int i = 0; i < n; i++) {
        item *x = gort_new(item);
        gort_add_cleanup(x, let_go, deaths);
        gort_slice_append(item_ref, r, x);
    }
    return r;
}

// Go zeroes what deleting leaves at the end, for this.
static void what_was_deleted_is_let_go(void)
{
    static int64_t deaths;
    STORE(&deaths, 0);
    refs *r = watched(&deaths, 200);
    gort_gc();
    CHECK_EQ(LOAD(&deaths), 0);
    gort_slice_delete(item_ref, r, 0, 190);
    WAIT_FOR((gort_gc(), LOAD(&deaths) >= 180)); // stale words may keep some
    CHECK_LE(LOAD(&deaths), 190);
    CHECK(r->len == 10 && r->ptr[9] != NULL && r->ptr[10] == NULL);
}

struct growers {
    gort_waitgroup wg;
    int64_t ok;
};
static void grow_mine(void *arg)
{
    struct growers *g = *(struct growers **)arg;
    refs s = { 0 };
    int n = (int)test_count(3000);
    for (int i = 0; i < n; i++) {
        item *x = gort_new(item);
        x->n = i;
        gort_slice_append(item_ref, &s, x);
        if (i % 1000 == 999) gort_gc();
    }
    for (int i = 0; i < n; i++)
        CHECK_EQ(s.ptr[i]->n, i);
    ADD(&g->ok, 1);
    gort_waitgroup_done(&g->wg);
}

static void slices_grow_beside_collections(void)
{
    struct growers *g = gort_alloc(sizeof *g);
    gort_waitgroup_add(&g->wg, 6);
    for (int i = 0; i < 6; i++)
        gort_go_copy(grow_mine, &g, sizeof g);
    gort_waitgroup_wait(&g->wg);
    CHECK_EQ(g->ok, 6);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(numbers_of_all_types_are_appended, 1), CASE(structs_of_all_sizes_are_appended, 1),
    CASE(slices_of_slices, 0), CASE(all_parts_of_an_array, 1), CASE(a_part_of_a_part, 1),
    CASE(a_part_keeps_the_array, 0), CASE(copies_touch_nothing_else, 1),
    CASE(copies_of_bytes_and_pointers_overlap, 0), CASE(adding_nothing_changes_nothing, 1),
    CASE(a_panic_changes_nothing, 1), CASE(inserting_one_by_one_seldom_replaces_the_array, 1),
    CASE(room_that_was_asked_for_is_used, 1), CASE(a_queue_goes_through_arrays, 1),
    CASE(many_slices_in_one, 1), CASE(what_was_deleted_is_let_go, 1),
    CASE(slices_grow_beside_collections, 0),
};
// clang-format on

CONFORM_MAIN(cases)
