// Conformance of slices: what Go's tests of append, copy, slicing, make and of its package slices
// check, as gort makes it. Searching and sorting: conform_sort.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <limits.h>
#include <math.h>

#include "../conform.h"

typedef gort_slice(int) slice;
typedef gort_slice(char) bytes;

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

typedef struct nothing {
#ifndef __cplusplus
    __extension__ char none[0];
#endif
} nothing;
typedef gort_slice(nothing) nothings;

// 0, 1, 2, ...
static slice numbers(int n)
{
    slice s = { 0 };
    for (int i = 0; i < n; i++)
        gort_slice_append(int, &s, i);
    return s;
}

static void check_ints(slice s, const int *want, size_t n)
{
    CHECK_EQ(s.len, n);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(s.ptr[i], want[i]);
}
#define CHECK_INTS(s, ...)                                                                         \
    check_ints(s, (const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

// ---- panics -------------------------------------------------------------------------------------

static slice of_ten(void)
{
    return gort_slice_make(slice, int, 10, 20);
}

struct bounds {
    int64_t lo, hi, max;
};

static void index_it(void *arg)
{
    struct bounds *b = arg;
    gort_slice_at(of_ten(), b->lo) = 1;
}

static void sub_it(void *arg)
{
    struct bounds *b = arg;
    (void)gort_slice_sub(of_ten(), b->lo, b->hi);
}

static void sub3_it(void *arg)
{
    struct bounds *b = arg;
    (void)gort_slice_sub3(of_ten(), b->lo, b->hi, b->max);
}

static void make_it(void *arg)
{
    struct bounds *b = arg;
    (void)gort_slice_make(slice, int, b->lo, b->hi);
}

static void insert_it(void *arg)
{
    struct bounds *b = arg;
    slice s = of_ten();
    gort_slice_insert(int, &s, b->lo, &(int){ 1 }, 1);
}

static void delete_it(void *arg)
{
    struct bounds *b = arg;
    slice s = of_ten();
    gort_slice_delete(int, &s, b->lo, b->hi);
}

static void grow_it(void *arg)
{
    struct bounds *b = arg;
    slice s = of_ten();
    gort_slice_grow(int, &s, (size_t)b->lo);
}

static void check_panics(void (*fn)(void *), int64_t lo, int64_t hi, int64_t max, const char *text)
{
    struct bounds b = { lo, hi, max };
    gort_panic_info info = { "" };
    bool panicked = gort_try(fn, &b, &info);
    if (text == NULL) {
        CHECK(!panicked);
        return;
    }
    CHECK(panicked);
    CHECK(strncmp(info.message, "runtime error: ", 15) == 0);
    CHECK_STR_EQ(info.message + 15, text);
}

static void indices_are_checked(void)
{
    check_panics(index_it, 0, 0, 0, NULL);
    check_panics(index_it, 9, 0, 0, NULL);
    check_panics(index_it, 10, 0, 0, "index out of range [10] with length 10");
    check_panics(index_it, 15, 0, 0, "index out of range [15] with length 10");
    check_panics(index_it, -1, 0, 0, "index out of range [-1]");
    check_panics(index_it, INT64_MIN, 0, 0, "index out of range [-9223372036854775808]");
    check_panics(index_it, INT64_MAX, 0, 0,
                 "index out of range [9223372036854775807] with length 10");
}

static void bounds_are_checked(void)
{
    check_panics(sub_it, 0, 20, 0, NULL);
    check_panics(sub_it, 20, 20, 0, NULL);
    check_panics(sub_it, 0, 21, 0, "slice bounds out of range [:21] with capacity 20");
    check_panics(sub_it, 30, 21, 0, "slice bounds out of range [:21] with capacity 20");
    check_panics(sub_it, 0, -1, 0, "slice bounds out of range [:-1]");
    check_panics(sub_it, 3, 2, 0, "slice bounds out of range [3:2]");
    check_panics(sub_it, -1, 2, 0, "slice bounds out of range [-1:]");
    check_panics(sub_it, INT64_MAX, 2, 0, "slice bounds out of range [9223372036854775807:2]");
}

static void three_bounds_are_checked(void)
{
    check_panics(sub3_it, 0, 20, 20, NULL);
    check_panics(sub3_it, 5, 5, 5, NULL);
    check_panics(sub3_it, 0, 1, 21, "slice bounds out of range [::21] with capacity 20");
    check_panics(sub3_it, 0, 1, -1, "slice bounds out of range [::-1]");
    check_panics(sub3_it, 0, 6, 5, "slice bounds out of range [:6:5]");
    check_panics(sub3_it, 0, -6, 5, "slice bounds out of range [:-6:]");
    check_panics(sub3_it, 4, 3, 5, "slice bounds out of range [4:3:]");
    check_panics(sub3_it, -4, 3, 5, "slice bounds out of range [-4::]");
}

static void lengths_to_make_are_checked(void)
{
    check_panics(make_it, 0, 0, 0, NULL);
    check_panics(make_it, -1, 5, 0, "makeslice: len out of range");
    check_panics(make_it, INT64_MAX, INT64_MAX, 0, "makeslice: len out of range");
    check_panics(make_it, INT64_MAX / 4, INT64_MAX, 0, "makeslice: len out of range");
    check_panics(make_it, 1, 0, 0, "makeslice: cap out of range");
    check_panics(make_it, 1, -5, 0, "makeslice: cap out of range");
    check_panics(make_it, 1, INT64_MAX, 0, "makeslice: cap out of range");
}

static void places_to_insert_and_delete_are_checked(void)
{
    check_panics(insert_it, 10, 0, 0, NULL);
    check_panics(insert_it, 11, 0, 0, "slice bounds out of range [11:10]");
    check_panics(insert_it, -1, 0, 0, "slice bounds out of range [-1:]");
    check_panics(delete_it, 10, 10, 0, NULL);
    check_panics(delete_it, 0, 11, 0, "slice bounds out of range [:11:10]");
    check_panics(delete_it, 3, 2, 0, "slice bounds out of range [3:2:]");
    check_panics(delete_it, -1, 2, 0, "slice bounds out of range [-1::]");
}

static void growth_that_overflows_panics(void)
{
    check_panics(grow_it, 10, 0, 0, NULL);
    check_panics(grow_it, -1, 0, 0, "growslice: len out of range");
    check_panics(grow_it, INT64_MAX, 0, 0, "growslice: len out of range");
    check_panics(grow_it, INT64_MAX - 10, 0, 0, "growslice: len out of range");
    check_panics(grow_it, INT64_C(1) << 50, 0, 0, "growslice: len out of range");
}

// ---- append -------------------------------------------------------------------------------------

static void an_empty_slice_has_nothing(void)
{
    slice s = { 0 };
    CHECK(s.ptr == NULL && s.len == 0 && s.cap == 0);
    CHECK_EQ(gort_slice_index(s, 0), -1);
    CHECK_EQ(gort_slice_copy(int, s, s), 0);
    CHECK_PTR_EQ(gort_slice_sub(s, 0, 0).ptr, NULL);
    CHECK_PTR_EQ(gort_slice_clip(s).ptr, NULL);
    CHECK_PTR_EQ(gort_slice_clone(int, s).ptr, NULL);
    gort_slice_append_n(int, &s, NULL, 0);
    gort_slice_append_slice(int, &s, s);
    gort_slice_insert(int, &s, 0, NULL, 0);
    gort_slice_delete(int, &s, 0, 0);
    gort_slice_grow(int, &s, 0);
    gort_slice_sort(s);
    CHECK_PTR_EQ(s.ptr, NULL);
    gort_slice_append(int, &s, 1);
    CHECK_INTS(s, 1);
}

static void an_empty_array_is_not_null(void)
{
    slice s = gort_slice_make(slice, int, 0, 0);
    CHECK(s.ptr != NULL);
    CHECK(gort_slice_clone(int, s).len == 0);
    gort_slice_append(int, &s, 5);
    CHECK_INTS(s, 5);
}

static void append_adds_at_the_end(void)
{
    slice s = numbers(1000);
    CHECK_EQ(s.len, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(s.ptr[i], i);
}

static void append_within_the_capacity_writes_the_array(void)
{
    slice s = gort_slice_make(slice, int, 3, 10), a = s, b = s;
    gort_slice_append(int, &a, 1);
    gort_slice_append(int, &b, 2);
    CHECK_PTR_EQ(a.ptr, s.ptr);
    CHECK_EQ(a.ptr[3], 2);
    CHECK_EQ(s.len, 3);
}

static void append_beyond_the_capacity_leaves_the_array(void)
{
    slice s = gort_slice_clip(numbers(4)), a = s, b = s;
    gort_slice_append(int, &a, 4);
    gort_slice_append(int, &b, 5);
    CHECK(a.ptr != s.ptr && b.ptr != s.ptr && a.ptr != b.ptr);
    a.ptr[0] = 100;
    CHECK_INTS(s, 0, 1, 2, 3);
    CHECK_INTS(b, 0, 1, 2, 3, 5);
}

static void append_of_itself(void)
{
    slice s = numbers(3);
    gort_slice_append_slice(int, &s, s);
    CHECK_INTS(s, 0, 1, 2, 0, 1, 2);
    slice t = gort_slice_clip(s);
    gort_slice_append_n(int, &t, t.ptr + 4, 2);
    CHECK_INTS(t, 0, 1, 2, 0, 1, 2, 1, 2);
    slice room = gort_slice_make(slice, int, 2, 100);
    room.ptr[1] = 1;
    for (int i = 0; i < 5; i++)
        gort_slice_append_slice(int, &room, room);
    CHECK_EQ(room.len, 64);
    for (int i = 0; i < 64; i++)
        CHECK_EQ(room.ptr[i], i % 2);
}

static void append_of_an_element_of_its_own(void)
{
    slice s = numbers(1);
    s.ptr[0] = 42;
    for (int i = 0; i < 100; i++)
        gort_slice_append(int, &s, s.ptr[s.len - 1]);
    for (int i = 0; i < 101; i++)
        CHECK_EQ(s.ptr[i], 42);
}

static slice *appended;
static int append_and_return(int v)
{
    gort_slice_append(int, appended, v);
    return v + 1;
}

static void a_value_that_appends_itself(void)
{
    slice s = { 0 };
    appended = &s;
    gort_slice_append(int, &s, append_and_return(append_and_return(1)));
    CHECK_INTS(s, 1, 2, 3);
    appended = NULL;
}

static void arguments_are_evaluated_once(void)
{
    slice all[4] = { { 0 } }, *p = all;
    int i = 0;
    gort_slice_append(int, p++, i++);
    gort_slice_append_n(int, p++, &i, (size_t)i++);
    CHECK(p == all + 2 && i == 2);
    gort_slice_at(*--p, --i - 1) += 5;
    CHECK(p == all + 1 && i == 1);
    CHECK_EQ(all[1].ptr[0], 7);
    (void)gort_slice_sub(*p++, 0, i--);
    CHECK(p == all + 2 && i == 0);
}

static void rooms_follow_the_rule(void)
{
    size_t former = 0, changes = 0;
    slice s = { 0 };
    for (int i = 0; i < 100000; i++) {
        gort_slice_append(int, &s, i);
        if (s.cap == former) continue;
        if (former != 0 && former < 256) CHECK_GE(s.cap, former * 2);
        if (former >= 256) CHECK_GE(s.cap, former + former / 4);
        if (former >= 4) CHECK_LE(s.cap, former * 5 / 2);
        former = s.cap;
        changes++;
    }
    CHECK_LE(changes, 40);
}

static void rooms_fill_their_slots(void)
{
    bytes b = { 0 };
    gort_slice_append(char, &b, 1);
    CHECK_EQ(b.cap, 8);
    bytes c = { 0 };
    gort_slice_append_n(char, &c, "123456789012345678901234567890123", 33);
    CHECK_EQ(c.cap, 48);
    bytes d = { 0 };
    gort_slice_grow(char, &d, 40000);
    CHECK_EQ(d.cap, 40960);
    slice s = { 0 };
    gort_slice_append_n(int, &s, ((const int[]){ 1, 2, 3, 4, 5 }), 5);
    CHECK_EQ(s.cap, 6);
}

static void what_lies_behind_the_length_is_zero(void)
{
    for (size_t n = 1; n < 400000; n = n * 3 / 2 + 1) {
        bytes b = gort_slice_make(bytes, char, n, n);
        memset(b.ptr, 0xff, n);
        for (int i = 0; i < 4; i++) {
            gort_slice_append(char, &b, 1);
            for (size_t k = b.len; k < b.cap; k++)
                CHECK_EQ(b.ptr[k], 0);
            b = gort_slice_sub(b, 0, b.cap);
            memset(b.ptr, 0xff, b.len);
        }
    }
}

static void elements_of_no_size(void)
{
    nothings s = { 0 };
    nothing none;
    memset(&none, 0, sizeof none);
    for (int i = 0; i < 1000; i++)
        gort_slice_append(nothing, &s, none);
    CHECK_EQ(s.len, 1000);
    gort_slice_append_slice(nothing, &s, s);
    CHECK_EQ(s.len, 2000);
    gort_slice_delete(nothing, &s, 5, 10);
    gort_slice_insert(nothing, &s, 3, &none, 1);
    CHECK_EQ(s.len, 1996);
    nothings huge = gort_slice_make(nothings, nothing, INT64_MAX, INT64_MAX);
    CHECK_EQ(huge.len, INT64_MAX);
    (void)gort_slice_at(huge, INT64_MAX - 1);
}

static void a_header_in_collected_memory(void)
{
    struct holder {
        refs s;
    } *h = gort_alloc(sizeof *h);
    for (int i = 0; i < 2000; i++) {
        item *x = gort_new(item);
        x->n = i;
        gort_slice_append(item_ref, &h->s, x);
    }
    gort_gc();
    for (int i = 0; i < 2000; i++)
        CHECK_EQ(h->s.ptr[i]->n, i);
}

// ---- sub-slices, copies -------------------------------------------------------------------------

static void a_part_shares_the_array(void)
{
    slice s = numbers(10), part = gort_slice_sub(s, 2, 5);
    CHECK_INTS(part, 2, 3, 4);
    CHECK_EQ(part.cap, s.cap - 2);
    part.ptr[0] = 42;
    CHECK_EQ(s.ptr[2], 42);
    gort_slice_append(int, &part, 77);
    CHECK_EQ(s.ptr[5], 77);
}

static void a_part_can_be_extended(void)
{
    slice s = numbers(10), part = gort_slice_sub(s, 3, 3);
    CHECK_EQ(part.len, 0);
    CHECK_EQ(gort_slice_at(gort_slice_sub(part, 0, 7), 6), 9);
}

static void a_capacity_can_be_limited(void)
{
    slice s = numbers(10), part = gort_slice_sub3(s, 2, 4, 4);
    CHECK(part.len == 2 && part.cap == 2);
    gort_slice_append(int, &part, 77);
    CHECK_EQ(s.ptr[4], 4);
    CHECK_INTS(part, 2, 3, 77);
    slice clipped = gort_slice_clip(gort_slice_sub(s, 0, 3));
    gort_slice_append(int, &clipped, 77);
    CHECK_EQ(s.ptr[3], 3);
}

static void a_part_without_room_stays_in_the_array(void)
{
    slice s = gort_slice_clip(numbers(10)), end = gort_slice_sub(s, s.len, s.cap);
    CHECK(end.len == 0 && end.cap == 0);
    CHECK_PTR_EQ(end.ptr, s.ptr);
    CHECK_PTR_EQ(gort_slice_sub3(s, 4, 4, 4).ptr, s.ptr);
    CHECK_PTR_EQ(gort_slice_sub3(s, 4, 4, 5).ptr, s.ptr + 4);
}

static void copies_take_what_fits(void)
{
    slice a = numbers(5), b = gort_slice_make(slice, int, 3, 10);
    CHECK_EQ(gort_slice_copy(int, b, a), 3);
    CHECK_INTS(b, 0, 1, 2);
    CHECK_EQ(gort_slice_copy(int, a, gort_slice_sub(b, 1, 3)), 2);
    CHECK_INTS(a, 1, 2, 2, 3, 4);
}

static void copies_may_overlap(void)
{
    slice s = numbers(6);
    CHECK_EQ(gort_slice_copy(int, gort_slice_sub(s, 1, 6), s), 5);
    CHECK_INTS(s, 0, 0, 1, 2, 3, 4);
    CHECK_EQ(gort_slice_copy(int, s, gort_slice_sub(s, 2, 6)), 4);
    CHECK_INTS(s, 1, 2, 3, 4, 3, 4);
}

static void a_clone_is_apart(void)
{
    slice s = numbers(4), t = gort_slice_clone(int, s);
    t.ptr[0] = 9;
    CHECK_INTS(s, 0, 1, 2, 3);
    CHECK_INTS(t, 9, 1, 2, 3);
}

static void grow_makes_room(void)
{
    slice s = numbers(3);
    int *former = s.ptr;
    gort_slice_grow(int, &s, s.cap - s.len);
    CHECK_PTR_EQ(s.ptr, former);
    gort_slice_grow(int, &s, 1000);
    CHECK_GE(s.cap, 1003);
    CHECK_INTS(s, 0, 1, 2);
}

// ---- insert, delete -----------------------------------------------------------------------------

static void insert_moves_the_rest(void)
{
    for (int room = 0; room < 2; room++) {
        for (int at = 0; at <= 4; at++) {
            slice s = room ? numbers(4) : gort_slice_clip(numbers(4));
            gort_slice_insert(int, &s, at, ((const int[]){ 8, 9 }), 2);
            CHECK_EQ(s.len, 6);
            for (int i = 0; i < 6; i++)
                CHECK_EQ(s.ptr[i], i < at ? i : i == at ? 8 : i == at + 1 ? 9 : i - 2);
        }
    }
}

static void insert_of_its_own_elements(void)
{
    for (int room = 0; room < 2; room++) {
        for (int from = 0; from < 6; from++) {
            for (int at = 0; at <= 8; at++) {
                slice s = numbers(8);
                if (room) gort_slice_grow(int, &s, 10);
                gort_slice_insert(int, &s, at, s.ptr + from, 3);
                for (int i = 0; i < 11; i++)
                    CHECK_EQ(s.ptr[i], i < at ? i : i < at + 3 ? from + i - at : i - 3);
            }
        }
    }
}

static void delete_closes_the_gap(void)
{
    for (int i = 0; i <= 6; i++) {
        for (int j = i; j <= 6; j++) {
            slice s = numbers(6);
            gort_slice_delete(int, &s, i, j);
            CHECK_EQ(s.len, 6 - (j - i));
            for (int k = 0; k < (int)s.len; k++)
                CHECK_EQ(s.ptr[k], k < i ? k : k + j - i);
            for (int k = (int)s.len; k < 6; k++)
                CHECK_EQ(s.ptr[k], 0);
        }
    }
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(indices_are_checked, 1), CASE(bounds_are_checked, 1), CASE(three_bounds_are_checked, 1),
    CASE(lengths_to_make_are_checked, 1), CASE(places_to_insert_and_delete_are_checked, 1),
    CASE(growth_that_overflows_panics, 1), CASE(an_empty_slice_has_nothing, 1),
    CASE(an_empty_array_is_not_null, 1), CASE(append_adds_at_the_end, 0),
    CASE(append_within_the_capacity_writes_the_array, 1),
    CASE(append_beyond_the_capacity_leaves_the_array, 1), CASE(append_of_itself, 1),
    CASE(append_of_an_element_of_its_own, 1), CASE(a_value_that_appends_itself, 1),
    CASE(arguments_are_evaluated_once, 1), CASE(rooms_follow_the_rule, 1),
    CASE(rooms_fill_their_slots, 1), CASE(what_lies_behind_the_length_is_zero, 1),
    CASE(elements_of_no_size, 1), CASE(a_header_in_collected_memory, 0),
    CASE(a_part_shares_the_array, 1), CASE(a_part_can_be_extended, 1),
    CASE(a_capacity_can_be_limited, 1), CASE(a_part_without_room_stays_in_the_array, 1),
    CASE(copies_take_what_fits, 1), CASE(copies_may_overlap, 1), CASE(a_clone_is_apart, 1),
    CASE(grow_makes_room, 1), CASE(insert_moves_the_rest, 1), CASE(insert_of_its_own_elements, 1),
    CASE(delete_closes_the_gap, 1),
};
// clang-format on

CONFORM_MAIN(cases)
