// Described types: what descriptions say, against the compiler; values printed, compared, hashed,
// and as keys of maps; layouts, against structs that really are in the other order.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

#include <math.h>

typedef struct point {
    double x, y;
} point;
GORT_STRUCT(point, x, y);

typedef gort_slice(int) ints;
GORT_SLICE(ints, int);
typedef gort_map(int, double) numbers;
GORT_MAP(numbers, int, double);
typedef gort_map(gort_string, point) places;
GORT_MAP(places, gort_string, point);
typedef gort_chan(point) points;
GORT_CHAN(points, point);
typedef point *point_ref;
GORT_POINTER(point_ref, point);

enum color { RED, GREEN, BLUE };

typedef struct node node;
typedef struct pair {
    node *first;
    int n;
} pair;
struct node {
    node *next;
    pair at;
    gort_string text;
    point corners[2];
    char letters[6];
    int8_t small;
    uint8_t byte;
};
GORT_FORWARD(node);
GORT_STRUCT(pair, (first, node), n);
GORT_STRUCT(node, (next, node), (at, pair), text, (corners, point), letters, small, byte);

// Every kind of field.
typedef struct all {
    bool b;
    char c;
    signed char sc;
    unsigned char uc;
    short s;
    unsigned short us;
    int i;
    unsigned u;
    long l;
    unsigned long ul;
    long long ll;
    unsigned long long ull;
    float f;
    double d;
    long double ld;
    enum color color;
    const char *cs;
    char *raw;
    void *p;
    node *n;
    int *ip;
    void (*fn)(int);
    gort_string str;
    gort_any any;
    ints is;
    numbers nums;
    points ch;
    point pt;
    union {
        int i;
        void *p;
    } un;
    int one[3];
    short two[2][3];
    unsigned char three[2][2][2];
    node *nodes[2][2];
    point pts[2];
    const int ci;
    volatile double vd;
} all;
GORT_STRUCT(all, b, c, sc, uc, s, us, i, u, l, ul, ll, ull, f, d, ld, color, cs, (raw, char), p,
            (n, node), (ip, int), (fn, gort_func), str, any, (is, ints), (nums, numbers),
            (ch, points), (pt, point), un, one, two, three, (nodes, node), (pts, point), ci, vd);

// ---- what descriptions say ----

#define CHECK_FIELD(T, f, kind_)                                                                   \
    do {                                                                                           \
        const struct gort_field *field_ = gort_reflect_field(gort_type_of(T), #f);                 \
        CHECK(field_ != NULL);                                                                     \
        CHECK_EQ(field_->offset, offsetof(T, f));                                                  \
        CHECK_EQ(field_->type->size, sizeof(((T *)0)->f));                                         \
        CHECK_EQ(field_->align, __alignof__(((T *)0)->f));                                         \
        CHECK_EQ(field_->type->kind, (kind_));                                                     \
    } while (0)

static const struct gort_type *type_of_field(const char *field)
{
    return gort_reflect_field(gort_type_of(all), field)->type;
}

TEST(kinds_of_fields)
{
    CHECK_FIELD(all, b, GORT_KIND_BOOL);
    CHECK_FIELD(all, c, GORT_KIND_CHAR);
    CHECK_FIELD(all, sc, GORT_KIND_INT8);
    CHECK_FIELD(all, uc, GORT_KIND_UINT8);
    CHECK_FIELD(all, s, GORT_KIND_INT16);
    CHECK_FIELD(all, us, GORT_KIND_UINT16);
    CHECK_FIELD(all, i, GORT_KIND_INT32);
    CHECK_FIELD(all, u, GORT_KIND_UINT32);
    CHECK_FIELD(all, l, GORT_KIND_INT64);
    CHECK_FIELD(all, ul, GORT_KIND_UINT64);
    CHECK_FIELD(all, ll, GORT_KIND_INT64);
    CHECK_FIELD(all, ull, GORT_KIND_UINT64);
    CHECK_FIELD(all, f, GORT_KIND_FLOAT);
    CHECK_FIELD(all, d, GORT_KIND_DOUBLE);
    CHECK_FIELD(all, ld, GORT_KIND_LONG_DOUBLE);
    CHECK_FIELD(all, color, GORT_KIND_UINT32);
    CHECK_FIELD(all, cs, GORT_KIND_CSTRING);
    CHECK_FIELD(all, raw, GORT_KIND_POINTER);
    CHECK_FIELD(all, p, GORT_KIND_POINTER);
    CHECK_FIELD(all, n, GORT_KIND_POINTER);
    CHECK_FIELD(all, ip, GORT_KIND_POINTER);
    CHECK_FIELD(all, fn, GORT_KIND_FUNC);
    CHECK_FIELD(all, str, GORT_KIND_STRING);
    CHECK_FIELD(all, any, GORT_KIND_ANY);
    CHECK_FIELD(all, is, GORT_KIND_SLICE);
    CHECK_FIELD(all, nums, GORT_KIND_MAP);
    CHECK_FIELD(all, ch, GORT_KIND_CHAN);
    CHECK_FIELD(all, pt, GORT_KIND_STRUCT);
    CHECK_FIELD(all, un, GORT_KIND_NONE);
    CHECK_FIELD(all, one, GORT_KIND_ARRAY);
    CHECK_FIELD(all, two, GORT_KIND_ARRAY);
    CHECK_FIELD(all, three, GORT_KIND_ARRAY);
    CHECK_FIELD(all, nodes, GORT_KIND_ARRAY);
    CHECK_FIELD(all, pts, GORT_KIND_ARRAY);
    CHECK_FIELD(all, ci, GORT_KIND_INT32);
    CHECK_FIELD(all, vd, GORT_KIND_DOUBLE);
    CHECK_EQ(gort_type_of(all)->count, 36);
    CHECK(gort_reflect_field(gort_type_of(all), "nothing") == NULL);
    CHECK(gort_reflect_field(gort_type_of(all), "") == NULL);
    CHECK(gort_reflect_field(gort_type_of(int), "b") == NULL);
}

TEST(elements)
{
    CHECK_EQ(type_of_field("one")->count, 3);
    CHECK_EQ(type_of_field("two")->count, 6);
    CHECK_EQ(type_of_field("two")->elem->kind, GORT_KIND_INT16);
    CHECK_EQ(type_of_field("three")->count, 8);
    CHECK_EQ(type_of_field("nodes")->count, 4);
    CHECK_EQ(type_of_field("nodes")->elem->kind, GORT_KIND_POINTER);
    CHECK_PTR_EQ(type_of_field("nodes")->elem->elem, gort_type_of(node));
    CHECK_PTR_EQ(type_of_field("pts")->elem, gort_type_of(point));
    CHECK_PTR_EQ(type_of_field("pt"), gort_type_of(point));
    CHECK_PTR_EQ(type_of_field("n")->elem, gort_type_of(node));
    CHECK_EQ(type_of_field("ip")->elem->kind, GORT_KIND_INT32);
    CHECK_EQ(type_of_field("raw")->elem->kind, GORT_KIND_CHAR);
    CHECK(type_of_field("p")->elem == NULL && type_of_field("fn")->elem == NULL);
    CHECK_EQ(type_of_field("is")->elem->kind, GORT_KIND_INT32);
    CHECK_EQ(type_of_field("nums")->key->kind, GORT_KIND_INT32);
    CHECK_EQ(type_of_field("nums")->elem->kind, GORT_KIND_DOUBLE);
    CHECK_PTR_EQ(gort_type_of(places)->elem, gort_type_of(point));
    CHECK_EQ(gort_type_of(places)->key->kind, GORT_KIND_STRING);
    CHECK_PTR_EQ(gort_type_of(points)->elem, gort_type_of(point));
    CHECK_PTR_EQ(gort_type_of(pair)->fields[0].type->elem, gort_type_of(node));
}

// Where the collector looks: exactly at what may hold a pointer.
TEST(words_of_pointers)
{
    const struct gort_type *t = gort_type_of(node);
    uint64_t want = 1u << 0 | 3u << 1 | 3u << 3; // next, at, text; not the corners
    CHECK_EQ(t->mask, want);
    CHECK_EQ(t->ptrdata, offsetof(node, corners));
    CHECK_EQ(gort_type_of(point)->flags, GORT_TYPE_NOSCAN);
    CHECK_EQ(gort_type_of(point)->ptrdata, 0);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < t->nruns; i++)
        for (size_t at = t->runs[i].offset; at < t->runs[i].offset + t->runs[i].size; at += 8)
            seen |= (uint64_t)1 << at / 8;
    CHECK_EQ(seen, want);
}

static const char *name_of_field(const char *field)
{
    static char text[64];
    return gort_reflect_name(type_of_field(field), text, sizeof text);
}

TEST(names)
{
    char text[8];
    CHECK_STR_EQ(name_of_field("i"), "int32_t");
    CHECK_STR_EQ(name_of_field("cs"), "char *");
    CHECK_STR_EQ(name_of_field("n"), "node *");
    CHECK_STR_EQ(name_of_field("ip"), "int *");
    CHECK_STR_EQ(name_of_field("p"), "void *");
    CHECK_STR_EQ(name_of_field("nodes"), "node *[4]");
    CHECK_STR_EQ(name_of_field("pts"), "point[2]");
    CHECK_STR_EQ(name_of_field("two"), "int16_t[6]");
    CHECK_STR_EQ(name_of_field("is"), "ints");
    CHECK_STR_EQ(name_of_field("un"), "bytes");
    CHECK_STR_EQ(name_of_field("any"), "gort_any");
    CHECK_STR_EQ(gort_reflect_name(gort_type_of(unsigned), text, sizeof text), "unsigne");
    CHECK_STR_EQ(gort_reflect_name(gort_type_of(int), text, 1), "");
}

// As another file would describe it.
static const struct gort_type *point_elsewhere(void)
{
    static const struct gort_type number = { .size = 8, .align = 8, .kind = GORT_KIND_DOUBLE };
    static const struct gort_field fields[] = { { "x", &number, 0, 8 }, { "y", &number, 8, 8 } };
    static const struct gort_type t = { .name = "point",
                                        .size = 16,
                                        .align = 8,
                                        .kind = GORT_KIND_STRUCT,
                                        .count = 2,
                                        .fields = fields };
    return &t;
}

TEST(identity)
{
    typedef int32_t other_int;
    const struct gort_type *t = gort_type_of(point);
    CHECK(gort_reflect_same(t, t) && gort_reflect_same(t, point_elsewhere()));
    struct gort_type renamed = *t, shorter = *t;
    renamed.name = "other";
    shorter.count = 1;
    CHECK(!gort_reflect_same(t, &renamed) && !gort_reflect_same(t, &shorter));
    CHECK(!gort_reflect_same(t, gort_type_of(node)) && !gort_reflect_same(t, NULL));
    CHECK(gort_reflect_same(NULL, NULL));
    CHECK(gort_reflect_same(gort_type_of(int), gort_type_of(other_int)));
    CHECK(gort_reflect_same(gort_type_of(int), type_of_field("ci")));
    CHECK(!gort_reflect_same(gort_type_of(int), gort_type_of(unsigned)));
    CHECK(!gort_reflect_same(gort_type_of(float), gort_type_of(double)));
    CHECK(!gort_reflect_same(gort_type_of(char), gort_type_of(int8_t)));
    CHECK(gort_reflect_same(gort_type_of(point_ref)->elem, t));
    CHECK(!gort_reflect_same(gort_type_of(point_ref), type_of_field("n")));
    CHECK(!gort_reflect_same(type_of_field("un"), type_of_field("p")));
    CHECK(!gort_reflect_same(type_of_field("one"), type_of_field("two")));
    CHECK(!gort_reflect_same(gort_type_of(numbers), gort_type_of(places)));
}

// Objects of described types keep what their fields point to.
static node *made;

static void make_nodes(void *arg)
{
    (void)arg;
    node *n = gort_new(node);
    gort_set(&n->next, gort_new(node));
    gort_set(&n->next->at.first, gort_new(node));
    n->next->at.first->small = 42;
    gort_string_set(&n->text, gort_string_repeat(gort_str("ab"), 100));
    gort_set(&made, n);
}

TEST(objects_keep_what_fields_lead_to)
{
    on_goroutine(make_nodes, NULL);
    for (int i = 0; i < 3; i++) {
        gort_gc();
        for (int j = 0; j < 100; j++)
            (void)!gort_new_array(node, 20);
    }
    CHECK_EQ(made->next->at.first->small, 42);
    CHECK(gort_string_equal(made->text, gort_string_repeat(gort_str("ab"), 100)));
    gort_set(&made, NULL);
}

// ---- packed, flexible, empty, described in part ----

typedef struct __attribute__((packed)) packed {
    char c;
    int i;
    double d;
    short s[3];
} packed;
GORT_STRUCT(packed, c, i, d, s);

typedef struct flexible {
    node *owner;
    size_t n;
    int rest[];
} flexible;
GORT_STRUCT(flexible, (owner, node), n);

typedef struct empty {
} empty;
GORT_STRUCT(empty);

typedef struct in_part {
    int shown;
    int hidden[3];
    double also;
} in_part;
GORT_STRUCT(in_part, shown, also);

typedef struct aligned {
    char c;
    _Alignas(32) char d;
} aligned;
GORT_STRUCT(aligned, c, d);
typedef struct aligned_better {
    _Alignas(32) char d;
    char c;
} aligned_better;
// Its order is the best, although alignments do not fall.
typedef struct filled {
    _Alignas(8) char first;
    char rest[7];
    double d;
} filled;
GORT_STRUCT(filled, first, rest, d);

TEST(odd_structs)
{
    CHECK_FIELD(packed, i, GORT_KIND_INT32);
    CHECK_FIELD(packed, d, GORT_KIND_DOUBLE);
    CHECK_FIELD(packed, s, GORT_KIND_ARRAY);
    CHECK_FIELD(flexible, n, GORT_KIND_UINT64);
    CHECK_FIELD(aligned, d, GORT_KIND_CHAR);
    CHECK_EQ(gort_type_of(flexible)->mask, 1);
    flexible *f = gort_new_flex(flexible, rest, 10);
    f->rest[9] = 1;
    CHECK_EQ(gort_type_of(empty)->count, 0);
    CHECK(gort_new(empty) != NULL);
}

// ---- printing ----

// Of the last value printed.
static char printed[100000];

static const char *text_of(const struct gort_type *t, const void *p)
{
    gort_builder b = { NULL, 0, 0 };
    gort_builder_value(&b, t, p);
    CHECK_LT(b.len, sizeof printed);
    memcpy(printed, b.ptr, b.len);
    printed[b.len] = '\0';
    return printed;
}

#define CHECK_TEXT(T, value, text)                                                                 \
    do {                                                                                           \
        T value_ = value;                                                                          \
        CHECK_STR_EQ(text_of(gort_type_of(T), &value_), text);                                     \
    } while (0)

TEST(scalars_as_text)
{
    CHECK_TEXT(bool, true, "true");
    CHECK_TEXT(bool, false, "false");
    CHECK_TEXT(char, 'a', "'a'");
    CHECK_TEXT(char, '\'', "'\\''");
    CHECK_TEXT(char, '\n', "'\\n'");
    CHECK_TEXT(char, (char)0x80, "'\\x80'");
    CHECK_TEXT(int8_t, INT8_MIN, "-128");
    CHECK_TEXT(uint8_t, UINT8_MAX, "255");
    CHECK_TEXT(int16_t, INT16_MIN, "-32768");
    CHECK_TEXT(uint16_t, UINT16_MAX, "65535");
    CHECK_TEXT(int32_t, INT32_MIN, "-2147483648");
    CHECK_TEXT(uint32_t, UINT32_MAX, "4294967295");
    CHECK_TEXT(int64_t, INT64_MIN, "-9223372036854775808");
    CHECK_TEXT(uint64_t, UINT64_MAX, "18446744073709551615");
    CHECK_TEXT(float, 0.1f, "0.1");
    CHECK_TEXT(double, 0.1, "0.1");
    CHECK_TEXT(double, 0.1 + 0.2, "0.30000000000000004");
    CHECK_TEXT(double, 1e100, "1e+100");
    CHECK_TEXT(double, -0.0, "-0");
    CHECK_TEXT(double, NAN, "NaN");
    CHECK_TEXT(float, -INFINITY, "-Inf");
    CHECK_TEXT(double, INFINITY, "+Inf");
    CHECK_TEXT(point_ref, NULL, "NULL");
    CHECK_TEXT(gort_string, gort_str("a \"b\"\t\x01\xff \xc3\xa4"),
               "\"a \\\"b\\\"\\t\\x01\\xff \xc3\xa4\"");
    CHECK_TEXT(gort_string, gort_str(""), "\"\"");
    CHECK_STR_EQ(text_of(gort_type_of(int), NULL), "NULL");
}

TEST(structs_as_text)
{
    node n = { .text = gort_str("box"), .letters = "ab\0cd", .small = -1, .byte = 200 };
    n.corners[1].y = 2.5;
    n.at.n = 7;
    CHECK_STR_EQ(text_of(gort_type_of(node), &n),
                 "{next:NULL at:{first:NULL n:7} text:\"box\" corners:[{x:0 y:0} {x:0 y:2.5}] "
                 "letters:\"ab\\x00cd\" small:-1 byte:200}");
    point p = { 1, 2 };
    point_ref r = &p;
    CHECK_STR_EQ(text_of(gort_type_of(point_ref), &r), "&{x:1 y:2}");
    n.next = &n; // an address only
    CHECK_STR_HAS(text_of(gort_type_of(node), &n), "{next:0x");
    packed k = { 'x', -5, 1.5, { 1, 2, 3 } };
    CHECK_STR_EQ(text_of(gort_type_of(packed), &k), "{c:'x' i:-5 d:1.5 s:[1 2 3]}");
    empty e = {};
    CHECK_STR_EQ(text_of(gort_type_of(empty), &e), "{}");
    in_part h = { 1, { 2, 3, 4 }, 5 };
    CHECK_STR_EQ(text_of(gort_type_of(in_part), &h), "{shown:1 also:5}");
}

TEST(containers_as_text)
{
    ints s = { NULL, 0, 0 };
    CHECK_STR_EQ(text_of(gort_type_of(ints), &s), "[]");
    for (int i = 1; i <= 100; i++)
        gort_slice_append(int, &s, i);
    CHECK_STR_HAS(text_of(gort_type_of(ints), &s), " 63 64 ...+36]");
    ints broken = { s.ptr, 10, 5 };
    CHECK_STR_HAS(text_of(gort_type_of(ints), &broken), ", len 10, cap 5");
    numbers m = NULL;
    CHECK_STR_EQ(text_of(gort_type_of(numbers), &m), "map[]");
    m = gort_map_make(int, double, 0);
    for (int i = 20; i > -20; i -= 10)
        gort_map_put(m, i, i / 4.0);
    CHECK_STR_EQ(text_of(gort_type_of(numbers), &m), "map[-10:-2.5 0:0 10:2.5 20:5]");
    for (int i = 0; i < 1000; i++)
        gort_map_put(m, i, 0);
    CHECK_STR_HAS(text_of(gort_type_of(numbers), &m), " ...+937]");
}

// Values as large, deep and circular as can be.
typedef struct tree tree;
typedef gort_slice(tree) trees;
struct tree {
    trees kids;
    gort_string text;
    const char *c;
};
GORT_FORWARD(tree);
GORT_SLICE(trees, tree);
GORT_STRUCT(tree, (kids, trees), text, c);

TEST(text_is_bounded)
{
    static char wide[5000];
    memset(wide, 'x', sizeof wide - 1);
    tree t = { { NULL, 0, 0 }, { wide, 5000 }, wide };
    CHECK_STR_HAS(text_of(gort_type_of(tree), &t), "xxx\"...+4744 c:\"xxx");
    CHECK_STR_HAS(printed, "xxx\"...}");
    CHECK_LT(strlen(printed), 700);
    tree circle = { { NULL, 1, 1 }, gort_str(""), NULL };
    circle.kids.ptr = &circle;
    CHECK_STR_HAS(text_of(gort_type_of(tree), &circle), "{kids:[{kids:[{kids:[{kids:[...] text");
    tree *many = gort_new_array(tree, 64);
    for (int i = 0; i < 64; i++) {
        trees all_of_them = { many, 64, 64 };
        gort_slice_set(&many[i].kids, all_of_them);
    }
    CHECK_STR_HAS(text_of(gort_type_of(tree), many), "...");
    CHECK_LE(strlen(printed), 64 * 1024 + 3);
    gort_string nowhere = { NULL, 5 };
    CHECK_STR_HAS(text_of(gort_type_of(gort_string), &nowhere), "+5");
}

TEST(print_to_a_descriptor)
{
    int fds[2];
    char text[64] = { 0 };
    point p = { 1, -2 };
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(gort_print_value(fds[1], gort_type_of(point), &p), 0);
    CHECK_EQ(read(fds[0], text, sizeof text), 10);
    CHECK_STR_EQ(text, "{x:1 y:-2}");
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(gort_print_value(-1, gort_type_of(point), &p), -1);
}

// ---- comparing and hashing ----

typedef struct holey {
    char c; // holes behind it, and at the end
    double d;
    const char *name;
    gort_string text;
    float f[2];
    short s;
} holey;
GORT_STRUCT(holey, c, d, name, text, f, s);

static bool equal(const holey *a, const holey *b)
{
    bool is = gort_value_equal(gort_type_of(holey), a, b);
    uint64_t x = gort_value_hash(gort_type_of(holey), a, 5);
    uint64_t y = gort_value_hash(gort_type_of(holey), b, 5);
    CHECK_EQ(is, gort_equal_of_holey(a, b));
    if (is) CHECK_EQ(x, y);
    return is;
}

TEST(equality)
{
    char name1[] = "name", name2[] = "name", text1[] = "text", text2[] = "text";
    holey a, b;
    memset(&a, 0x55, sizeof a); // what is in the holes does not count
    memset(&b, 0xaa, sizeof b);
    a.c = b.c = 'x';
    a.d = 0.0;
    b.d = -0.0;
    a.name = name1;
    b.name = name2;
    a.text = (gort_string){ text1, 4 };
    b.text = (gort_string){ text2, 4 };
    a.f[0] = b.f[0] = 1;
    a.f[1] = 0;
    b.f[1] = -0.0f;
    a.s = b.s = 3;
    CHECK(equal(&a, &b));
#define DIFFERS(field, other)                                                                      \
    do {                                                                                           \
        holey c_ = b;                                                                              \
        c_.field = other;                                                                          \
        CHECK(!equal(&a, &c_) && !equal(&c_, &a));                                                 \
        CHECK(gort_hash_of_holey(&a, 1) != gort_hash_of_holey(&c_, 1));                            \
    } while (0)
    DIFFERS(c, 'y');
    DIFFERS(d, 1e-300);
    DIFFERS(name, "Name");
    DIFFERS(name, NULL);
    DIFFERS(text, gort_str("texts"));
    DIFFERS(f[1], 1);
    DIFFERS(s, 4);
    b.d = NAN;
    CHECK(!equal(&a, &b) && !gort_value_equal(gort_type_of(holey), &b, &b));
    CHECK(gort_hash_of_holey(&a, 1) != gort_hash_of_holey(&a, 2));
    point across = { .x = 1, .y = 2 }, down = { .x = 2, .y = 1 };
    CHECK(gort_hash_of_point(&across, 1) != gort_hash_of_point(&down, 1)); // the order counts
}

static void compare_slices(void *arg)
{
    ints s = { NULL, 0, 0 };
    (void)arg;
    (void)gort_value_equal(gort_type_of(ints), &s, &s);
}
static void hash_maps(void *arg)
{
    all *a = arg;
    (void)gort_value_hash(gort_type_of(all), a, 0);
}
static void compare_unions(void *arg)
{
    all *a = arg;
    (void)gort_value_equal(type_of_field("un"), &a->un, &a->un);
}
static void make_map(void *arg)
{
    (void)arg;
    (void)gort_map_make_described(tree, int, 0);
}

static const char *panic_of(void (*fn)(void *), void *arg)
{
    static gort_panic_info info;
    CHECK(gort_try(fn, arg, &info));
    return info.message;
}

TEST(what_can_not_be_compared)
{
    all *a = gort_new(all);
    CHECK(gort_reflect_comparable(gort_type_of(holey)) &&
          !gort_reflect_comparable(gort_type_of(all)));
    CHECK(!gort_reflect_comparable(type_of_field("un")) &&
          gort_reflect_comparable(type_of_field("ch")));
    CHECK(gort_reflect_comparable(type_of_field("nodes")));
    CHECK_STR_EQ(panic_of(compare_slices, NULL), "runtime error: comparing uncomparable type ints");
    CHECK_STR_EQ(panic_of(hash_maps, a), "runtime error: hash of unhashable type all");
    CHECK_STR_EQ(panic_of(compare_unions, a), "runtime error: comparing uncomparable type bytes");
    CHECK_STR_EQ(panic_of(make_map, NULL),
                 "runtime error: a map's keys are of uncomparable type tree");
}

TEST(keys_of_maps)
{
    gort_map(holey, int) m = gort_map_make_described(holey, int, 0);
    int n = test_count(1000);
    for (int i = 0; i < n; i++) {
        holey k;
        memset(&k, i, sizeof k);
        k.c = (char)(i % 3);
        k.d = i % 7 == 0 ? -0.0 : i;
        k.name = gort_string_to_c(gort_format("%d", i));
        k.text = gort_format("text %d", i);
        k.f[0] = k.f[1] = (float)i;
        k.s = (short)i;
        gort_map_put(m, k, i);
    }
    CHECK_EQ(gort_map_len(m), n);
    for (int i = 0; i < n; i++) {
        holey k;
        memset(&k, ~i, sizeof k);
        k.c = (char)(i % 3);
        k.d = i % 7 == 0 ? 0.0 : i;
        k.name = gort_string_to_c(gort_format("%d", i));
        k.text = gort_format("text %d", i);
        k.f[0] = k.f[1] = (float)i;
        k.s = (short)i;
        CHECK_EQ(*gort_map_find(m, k), i);
        k.s++;
        CHECK(gort_map_find(m, k) == NULL);
    }
}

TEST(nan_keys)
{
    gort_map(point, int) m = gort_map_make_described(point, int, 0);
    point p = { NAN, 1 }, zero = { 0.0, -0.0 }, other = { -0.0, 0.0 };
    for (int i = 0; i < 100; i++)
        gort_map_put(m, p, i);
    CHECK_EQ(gort_map_len(m), 100);
    CHECK(gort_map_find(m, p) == NULL);
    gort_map_put(m, zero, 1);
    gort_map_put(m, other, 2);
    CHECK_EQ(gort_map_len(m), 101);
    CHECK_EQ(*gort_map_find(m, zero), 2);
}

// ---- layouts ----

typedef struct bad_order {
    char a;
    double b;
    char c;
    node *d;
    short e;
    int f;
    char g[3];
    int64_t h;
} bad_order;
GORT_STRUCT(bad_order, a, b, c, (d, node), e, f, g, h);
// As gort_reflect_best_order has it.
typedef struct good_order {
    node *d;
    double b;
    int64_t h;
    int f;
    short e;
    char a;
    char c;
    char g[3];
} good_order;
GORT_STRUCT(good_order, (d, node), b, h, f, e, a, c, g);

#define CHECK_LAYOUT(T, padding_, best)                                                            \
    do {                                                                                           \
        gort_layout l_;                                                                            \
        gort_reflect_layout(gort_type_of(T), &l_);                                                 \
        CHECK_EQ(l_.size, sizeof(T));                                                              \
        CHECK_EQ(l_.padding, (padding_));                                                          \
        CHECK_EQ(l_.best_size, (best));                                                            \
        CHECK_EQ(l_.size - l_.best_size, l_.padding - l_.best_padding);                            \
    } while (0)

TEST(layouts)
{
    CHECK_LAYOUT(bad_order, sizeof(bad_order) - 35, sizeof(good_order));
    CHECK_LAYOUT(good_order, sizeof(good_order) - 35, sizeof(good_order));
    CHECK_LAYOUT(packed, 0, sizeof(packed));
    CHECK_LAYOUT(point, 0, sizeof(point));
    CHECK_LAYOUT(empty, 0, sizeof(empty));
    CHECK_LAYOUT(aligned, 62, sizeof(aligned_better));
    CHECK_LAYOUT(filled, 0, sizeof(filled));
    CHECK_LAYOUT(in_part, 12, sizeof(in_part));
}

// The order that is told, against a struct that has it: field by field.
TEST(the_best_order_is_the_compilers)
{
    const struct gort_type *bad = gort_type_of(bad_order), *good = gort_type_of(good_order);
    unsigned order[8];
    gort_reflect_best_order(bad, order);
    size_t end = 0;
    for (size_t i = 0; i < bad->count; i++) {
        const struct gort_field *f = &bad->fields[order[i]];
        end = (end + f->align - 1) / f->align * f->align;
        CHECK_STR_EQ(f->name, good->fields[i].name);
        CHECK_EQ(end, good->fields[i].offset);
        end += f->type->size;
    }
    CHECK_LT(good->ptrdata, bad->ptrdata);
    gort_reflect_best_order(good, order);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(order[i], i);
}

static const char *layout_of(const struct gort_type *t)
{
    gort_builder b = { NULL, 0, 0 };
    gort_builder_layout(&b, t);
    CHECK_LT(b.len, sizeof printed);
    memcpy(printed, b.ptr, b.len);
    printed[b.len] = '\0';
    return printed;
}

static void lay_out_a_number(void *arg)
{
    gort_layout l;
    (void)arg;
    gort_reflect_layout(gort_type_of(int), &l);
}

TEST(layouts_as_text)
{
    CHECK_STR_EQ(layout_of(gort_type_of(bad_order)),
                 "bad_order: 56 bytes, aligned to 8, 21 of padding\n"
                 "     0     1  char a\n"
                 "     1     7  -- padding\n"
                 "     8     8  double b\n"
                 "    16     1  char c\n"
                 "    17     7  -- padding\n"
                 "    24     8  node * d\n"
                 "    32     2  int16_t e\n"
                 "    34     2  -- padding\n"
                 "    36     4  int32_t f\n"
                 "    40     3  char[3] g\n"
                 "    43     5  -- padding\n"
                 "    48     8  int64_t h\n"
                 "40 bytes, 5 of padding, in this order: d, b, h, f, e, a, c, g\n");
    CHECK_STR_EQ(layout_of(gort_type_of(in_part)),
                 "in_part: 24 bytes, aligned to 8, 12 of padding\n"
                 "     0     4  int32_t shown\n"
                 "     4    12  -- not described\n"
                 "    16     8  double also\n");
    CHECK_STR_EQ(panic_of(lay_out_a_number, NULL),
                 "gort_reflect_layout: int is no described struct");
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(kinds_of_fields);
    RUN(elements);
    RUN(words_of_pointers);
    RUN(names);
    RUN(identity);
    RUN(objects_keep_what_fields_lead_to);
    RUN(odd_structs);
    RUN(scalars_as_text);
    RUN(structs_as_text);
    RUN(containers_as_text);
    RUN(text_is_bounded);
    RUN(print_to_a_descriptor);
    RUN(equality);
    RUN(what_can_not_be_compared);
    RUN(keys_of_maps);
    RUN(nan_keys);
    RUN(layouts);
    RUN(the_best_order_is_the_compilers);
    RUN(layouts_as_text);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
