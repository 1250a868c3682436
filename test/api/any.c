// Values of any type: made, asserted, converted, compared, as keys of maps; fields got and set by
// name, while the collector looks.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

#include <math.h>

typedef struct point {
    int x, y;
} point;
GORT_STRUCT(point, x, y);
typedef struct node {
    struct node *next;
    int64_t n;
    gort_string text;
    gort_any any;
    point at;
    struct node *kids[2];
    double d;
    const char *c;
} node;
GORT_STRUCT(node, (next, node), n, text, any, (at, point), (kids, node), d, c);
typedef node *node_ref;
GORT_POINTER(node_ref, node);
typedef gort_slice(int) ints;
GORT_SLICE(ints, int);
typedef struct big {
    char bytes[1000];
    node *last;
} big;
GORT_STRUCT(big, bytes, (last, node));
typedef struct __attribute__((packed)) packed {
    char c;
    int i;
} packed;
GORT_STRUCT(packed, c, i);

static const char *panic_of(void (*fn)(void *), void *arg)
{
    static gort_panic_info info;
    CHECK(gort_try(fn, arg, &info));
    return info.message;
}

// ---- making and asserting ----

TEST(made_and_got)
{
    point p = { 1, 2 };
    gort_any a = gort_any_make(int, 42), b = gort_any_make(point, p), nil = { NULL, NULL };
    p.x = 9; // a copy was made
    CHECK_EQ(gort_any_get(int, a), 42);
    CHECK_EQ(gort_any_get(int32_t, a), 42);
    CHECK_EQ(gort_any_get(point, b).x, 1);
    CHECK(gort_any_is(int, a) && !gort_any_is(long, a) && !gort_any_is(unsigned, a));
    CHECK(gort_any_is(point, b) && !gort_any_is(int, b) && !gort_any_is(int, nil));
    int i = 7;
    CHECK(gort_any_as(int, a, &i) && i == 42);
    CHECK(!gort_any_as(int, b, &i) && i == 0);
    CHECK(gort_any_as(int, a, NULL) && !gort_any_as(int, nil, NULL));
    CHECK(gort_any_as(point, b, &p) && p.x == 1 && p.y == 2);
    CHECK(!gort_any_as(point, nil, &p) && p.x == 0 && p.y == 0);
    CHECK(gort_any_address(&nil) == NULL);
    node n;
    gort_any pointer = gort_any_make(node_ref, &n);
    CHECK_PTR_EQ(pointer.data, &n); // no box
    CHECK_PTR_EQ(gort_any_get(node_ref, pointer), &n);
    gort_any inner = gort_any_make(gort_any, a); // is not wrapped again
    CHECK_EQ(gort_any_get(int, inner), 42);
    CHECK_EQ(gort_any_get(int, gort_any_get(gort_any, inner)), 42);
}

static void get_int_of_string(void *arg)
{
    (void)arg;
    (void)gort_any_get(int, gort_any_make(gort_string, gort_str("x")));
}
static void get_int_of_nil(void *arg)
{
    gort_any nil = { NULL, NULL };
    (void)arg;
    (void)gort_any_get(int, nil);
}
static void get_point_of_pointer(void *arg)
{
    (void)arg;
    (void)gort_any_get(point, gort_any_make(node_ref, NULL));
}

TEST(wrong_assertions)
{
    CHECK_STR_EQ(panic_of(get_int_of_string, NULL),
                 "interface conversion: any is gort_string, not int");
    CHECK_STR_EQ(panic_of(get_int_of_nil, NULL), "interface conversion: any is nil, not int");
    CHECK_STR_EQ(panic_of(get_point_of_pointer, NULL),
                 "interface conversion: any is node_ref, not point");
}

// ---- numbers ----

#define CONVERTS(from, value, to, want)                                                            \
    do {                                                                                           \
        to out_ = 99;                                                                              \
        CHECK(gort_any_convert(to, gort_any_make(from, value), &out_));                            \
        CHECK(out_ == (want));                                                                     \
        CHECK(gort_any_convert(to, gort_any_make(from, value), NULL));                             \
    } while (0)
#define REFUSES(from, value, to)                                                                   \
    do {                                                                                           \
        to out_ = 99;                                                                              \
        CHECK(!gort_any_convert(to, gort_any_make(from, value), &out_));                           \
        CHECK(out_ == 0);                                                                          \
    } while (0)

TEST(conversions)
{
    CONVERTS(int, 42, int8_t, 42);
    CONVERTS(int, -1, int64_t, -1);
    CONVERTS(int, 300, uint16_t, 300);
    CONVERTS(char, 'a', int, 'a');
    CONVERTS(uint64_t, INT64_MAX, int64_t, INT64_MAX);
    CONVERTS(int64_t, INT64_MIN, int64_t, INT64_MIN);
    CONVERTS(double, -0.0, int, 0);
    CONVERTS(double, -128.0, int8_t, -128);
    CONVERTS(double, 0x1p63, uint64_t, UINT64_C(1) << 63);
    CONVERTS(double, -0x1p63, int64_t, INT64_MIN);
    CONVERTS(int64_t, (INT64_C(1) << 53), double, 0x1p53);
    CONVERTS(double, 0.1, float, 0.1f);
    CONVERTS(float, 0.1f, double, (double)0.1f);
    CONVERTS(double, INFINITY, float, INFINITY);
    REFUSES(int, 128, int8_t);
    REFUSES(int, -1, unsigned);
    REFUSES(uint64_t, UINT64_MAX, int64_t);
    REFUSES(int64_t, INT64_MIN, uint64_t);
    REFUSES(double, 0.5, int);
    REFUSES(double, 0x1p63, int64_t);
    REFUSES(double, 0x1p64, uint64_t);
    REFUSES(double, -1.0, uint8_t);
    REFUSES(double, NAN, int);
    REFUSES(double, INFINITY, int64_t);
    REFUSES(double, 1e300, float);
    REFUSES(int64_t, (INT64_C(1) << 53) + 1, double);
    REFUSES(int, (1 << 24) + 1, float);
    REFUSES(bool, true, int);
    REFUSES(int, 1, bool);
    float f;
    CHECK(gort_any_convert(float, gort_any_make(double, NAN), &f) && isnan(f));
    gort_string s;
    CHECK(gort_any_convert(gort_string, gort_any_make(gort_string, gort_str("x")), &s));
    CHECK_EQ(s.len, 1);
    CHECK(!gort_any_convert(gort_string, gort_any_make(int, 1), &s));
    CHECK_EQ(s.len, 0);
    int i;
    gort_any nil = { NULL, NULL };
    CHECK(!gort_any_convert(int, nil, &i));
}

// All numbers of 16 bits, to 8.
TEST(every_narrow_conversion)
{
    for (int i = INT16_MIN; i <= INT16_MAX; i++) {
        int8_t s;
        uint8_t u;
        gort_any a = i % 2 ? gort_any_make(int, i) : gort_any_make(double, i);
        CHECK_EQ(gort_any_convert(int8_t, a, &s), i >= -128 && i <= 127);
        CHECK_EQ(gort_any_convert(uint8_t, a, &u), i >= 0 && i <= 255);
        CHECK_EQ(s, i >= -128 && i <= 127 ? i : 0);
        CHECK_EQ(u, i >= 0 && i <= 255 ? i : 0);
    }
}

// ---- comparing ----

static void compare_slices(void *arg)
{
    ints s = { NULL, 0, 0 };
    gort_any a = gort_any_make(ints, s);
    (void)arg;
    (void)gort_any_equal(a, a);
}
static gort_map(gort_any, int) any_map;
static void put_slice(void *arg)
{
    ints s = { NULL, 0, 0 };
    (void)arg;
    gort_map_put(any_map, gort_any_make(ints, s), 1);
}

TEST(compared)
{
    point p = { 1, 2 }, q = { 1, 3 };
    gort_any nil = { NULL, NULL }, one = gort_any_make(int, 1);
    CHECK(gort_any_equal(nil, nil) && !gort_any_equal(nil, one) && !gort_any_equal(one, nil));
    CHECK(gort_any_equal(one, gort_any_make(int32_t, 1)));
    CHECK(!gort_any_equal(one, gort_any_make(long, 1)));
    CHECK(gort_any_equal(gort_any_make(point, p), gort_any_make(point, p)));
    CHECK(!gort_any_equal(gort_any_make(point, p), gort_any_make(point, q)));
    CHECK_EQ(gort_any_hash(gort_any_make(point, p), 3), gort_any_hash(gort_any_make(point, p), 3));
    CHECK(gort_any_hash(one, 3) != gort_any_hash(gort_any_make(long, 1), 3));
    ints s = { NULL, 0, 0 };
    CHECK(!gort_any_equal(gort_any_make(ints, s), one)); // of two types: no panic
    CHECK_STR_EQ(panic_of(compare_slices, NULL), "runtime error: comparing uncomparable type ints");
}

TEST(keys_of_maps)
{
    gort_set(&any_map, gort_map_make_own(gort_any, int, 0, gort_any_hash_of, gort_any_equal_of));
    int n = test_count(500);
    for (int i = 0; i < n; i++) {
        point p = { i, -i };
        gort_map_put(any_map, gort_any_make(int, i), 3 * i);
        gort_map_put(any_map, gort_any_make(gort_string, gort_format("%d", i)), 3 * i + 1);
        gort_map_put(any_map, gort_any_make(point, p), 3 * i + 2);
    }
    gort_any nil = { NULL, NULL };
    gort_map_put(any_map, nil, -1);
    CHECK_EQ(gort_map_len(any_map), 3 * n + 1);
    for (int i = 0; i < n; i++) {
        point p = { i, -i };
        CHECK_EQ(*gort_map_find(any_map, gort_any_make(int, i)), 3 * i);
        CHECK_EQ(*gort_map_find(any_map, gort_any_make(gort_string, gort_format("%d", i))),
                 3 * i + 1);
        CHECK_EQ(*gort_map_find(any_map, gort_any_make(point, p)), 3 * i + 2);
        CHECK(gort_map_find(any_map, gort_any_make(long, i)) == NULL);
    }
    CHECK_STR_EQ(panic_of(put_slice, NULL), "runtime error: hash of unhashable type ints");
    CHECK_EQ(*gort_map_find(any_map, nil), -1); // the map was not left being changed
    gort_map_put(any_map, nil, 5);
    gort_set(&any_map, NULL);
}

// ---- fields ----

static const struct gort_type *node_type(void)
{
    return gort_type_of(node);
}

static void get_no_field(void *p)
{
    (void)gort_field_get(node_type(), p, "nothing");
}
static void set_no_field(void *p)
{
    gort_field_set(node_type(), p, "Next", gort_any_make(int, 1));
}
static void set_int_to_double(void *p)
{
    gort_field_set(node_type(), p, "d", gort_any_make(int, 1));
}
static void set_pointer_to_other(void *p)
{
    gort_field_set(node_type(), p, "next", gort_any_make(gort_string, gort_str("")));
}
static void set_number_to_nil(void *p)
{
    gort_any nil = { NULL, NULL };
    gort_field_set(node_type(), p, "n", nil);
}
static void get_of_number(void *p)
{
    (void)gort_field_get(gort_type_of(int), p, "x");
}

TEST(fields_by_name)
{
    node *n = gort_new(node), *m = gort_new(node);
    const struct gort_type *t = node_type();
    point p = { 3, 4 };
    gort_field_set(t, n, "n", gort_any_make(int64_t, 5));
    gort_field_set(t, n, "next", gort_any_make(node_ref, m));
    gort_field_set(t, n, "text", gort_any_make(gort_string, gort_str("text")));
    gort_field_set(t, n, "at", gort_any_make(point, p));
    gort_field_set(t, n, "d", gort_any_make(double, 0.5));
    gort_field_set(t, n, "any", gort_any_make(int, 6));
    CHECK(n->n == 5 && n->next == m && n->text.len == 4 && n->at.y == 4 && n->d == 0.5);
    CHECK_EQ(gort_any_get(int64_t, gort_field_get(t, n, "n")), 5);
    CHECK_PTR_EQ(gort_any_get(node_ref, gort_field_get(t, n, "next")), m);
    CHECK_EQ(gort_any_get(gort_string, gort_field_get(t, n, "text")).len, 4);
    CHECK_EQ(gort_any_get(point, gort_field_get(t, n, "at")).x, 3);
    CHECK_EQ(gort_any_get(int, gort_field_get(t, n, "any")), 6);
    gort_set(&n->kids[1], m);
    gort_any kids = gort_field_get(t, n, "kids"); // a copy
    gort_set(&n->kids[1], NULL);
    CHECK_PTR_EQ(((node *const *)gort_any_address(&kids))[1], m);
    gort_field_set(t, n, "kids", kids);
    CHECK_PTR_EQ(n->kids[1], m);
    gort_any nil = { NULL, NULL };
    gort_field_set(t, n, "next", nil);
    gort_field_set(t, n, "any", nil);
    gort_field_set(t, n, "c", nil);
    CHECK(n->next == NULL && n->any.type == NULL && n->any.data == NULL && n->c == NULL);
    CHECK(gort_field_get(t, n, "any").type == NULL);
    packed k = { 'x', 5 };
    gort_field_set(gort_type_of(packed), &k, "i", gort_any_make(int, -7));
    CHECK_EQ(gort_any_get(int, gort_field_get(gort_type_of(packed), &k, "i")), -7);
    CHECK_EQ(k.c, 'x');
    CHECK_STR_EQ(panic_of(get_no_field, n), "gort_field_get: type node has no field nothing");
    CHECK_STR_EQ(panic_of(set_no_field, n), "gort_field_set: type node has no field Next");
    CHECK_STR_EQ(panic_of(set_int_to_double, n), "gort_field_set: node.d is double, not int");
    CHECK_STR_EQ(panic_of(set_pointer_to_other, n),
                 "gort_field_set: node.next is node *, not gort_string");
    CHECK_STR_EQ(panic_of(set_number_to_nil, n), "gort_field_set: node.n is int64_t, not nil");
    CHECK_STR_EQ(panic_of(get_of_number, n), "gort_field_get: type int has no field x");
}

TEST(values_as_text)
{
    gort_builder b = { NULL, 0, 0 };
    node *n = gort_new(node);
    point p = { 1, 2 };
    gort_any_set(&n->any, gort_any_make(point, p));
    gort_builder_value(&b, node_type(), n);
    CHECK(gort_string_contains(gort_builder_string(&b), gort_str(" any:{x:1 y:2} at:{x:0 y:0} ")));
    gort_builder_reset(&b);
    gort_any nil = { NULL, NULL };
    gort_builder_value(&b, gort_type_of(gort_any), &nil);
    CHECK(gort_string_equal(gort_builder_string(&b), gort_str("nil")));
}

// ---- beside the collector ----

// A list that is reversed again and again by fields' names alone, in a heap that is collected
// meanwhile: a pointer that was moved without the barrier would be lost when it went to an object
// that was marked from one that was not.
enum { LIST = 200 };

typedef struct list {
    node_ref first;
    uint64_t turns;
} list;
GORT_STRUCT(list, (first, node), turns);

static list *lists[4];

static node_ref pointer_of(const struct gort_type *t, const void *p, const char *field)
{
    return gort_any_get(node_ref, gort_field_get(t, p, field));
}

static void reverse(list *l)
{
    node_ref done = NULL, n = pointer_of(gort_type_of(list), l, "first");
    while (n != NULL) {
        node_ref next = pointer_of(node_type(), n, "next");
        gort_field_set(node_type(), n, "next", gort_any_make(node_ref, done));
        gort_field_set(node_type(), n, "text",
                       gort_any_make(gort_string, gort_format("%lld", (long long)n->n)));
        gort_field_set(node_type(), n, "any", gort_any_make(int64_t, -n->n));
        done = n;
        n = next;
    }
    gort_field_set(gort_type_of(list), l, "first", gort_any_make(node_ref, done));
    l->turns++;
}

static void check_list(const list *l)
{
    int64_t i = 0, step = l->turns % 2 ? -1 : 1;
    if (step < 0) i = LIST - 1;
    int found = 0;
    for (const node *n = l->first; n != NULL; n = n->next, i += step, found++) {
        CHECK_EQ(n->n, i);
        if (l->turns == 0) continue;
        CHECK(gort_string_equal(n->text, gort_format("%lld", (long long)i)));
        CHECK_EQ(gort_any_get(int64_t, n->any), -i);
    }
    CHECK_EQ(found, LIST);
}

static void turn_list(void *arg)
{
    list **slot = arg;
    for (int i = test_count(100); i > 0; i--) {
        reverse(*slot);
        gort_yield();
        check_list(*slot);
    }
}

static void make_list(list **slot)
{
    list *l = gort_new(list);
    for (int64_t i = LIST - 1; i >= 0; i--) {
        node *n = gort_new(node);
        n->n = i;
        gort_init(&n->next, l->first);
        gort_set(&l->first, n);
    }
    gort_set(slot, l);
}

static bool stopping; // atomic

static void collect(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
        gort_gc();
        gort_yield();
    }
}

TEST(fields_are_set_while_the_collector_marks)
{
    static struct gc_util_call calls[4], gc;
    for (int i = 0; i < 4; i++)
        make_list(&lists[i]);
    gc = (struct gc_util_call){ .fn = collect };
    gort_waitgroup_add(&gc.wg, 1);
    gort_go(gc_util_call, &gc);
    for (int i = 0; i < 4; i++) {
        calls[i] = (struct gc_util_call){ .fn = turn_list, .arg = &lists[i] };
        gort_waitgroup_add(&calls[i].wg, 1);
        gort_go(gc_util_call, &calls[i]);
    }
    for (int i = 0; i < 4; i++)
        gort_waitgroup_wait(&calls[i].wg);
    __atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
    gort_waitgroup_wait(&gc.wg);
    for (int i = 0; i < 4; i++)
        check_list(lists[i]);
}

// What a value was made of dies, the copy lives; pointers in boxes of each size are found.
static gort_any kept[3];

static void make_kept(void *arg)
{
    (void)arg;
    big b = { .last = gort_new(node) };
    node n = { .next = gort_new(node) };
    b.last->n = 11;
    n.next->n = 22;
    gort_any_set(&kept[0], gort_any_make(big, b));
    gort_any_set(&kept[1], gort_any_make(node, n));
    gort_any_set(&kept[2], gort_any_make(gort_string, gort_string_repeat(gort_str("k"), 33)));
}

TEST(boxes_keep_what_they_hold)
{
    on_goroutine(make_kept, NULL);
    for (int i = 0; i < 3; i++) {
        gort_gc();
        for (int j = 0; j < 1000; j++)
            (void)!gort_new(node);
    }
    CHECK_EQ(gort_any_get(big, kept[0]).last->n, 11);
    CHECK_EQ(gort_any_get(node, kept[1]).next->n, 22);
    CHECK_EQ(gort_any_get(gort_string, kept[2]).len, 33);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(made_and_got);
    RUN(wrong_assertions);
    RUN(conversions);
    RUN(every_narrow_conversion);
    RUN(compared);
    RUN(keys_of_maps);
    RUN(fields_by_name);
    RUN(values_as_text);
    RUN(fields_are_set_while_the_collector_marks);
    RUN(boxes_keep_what_they_hold);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
