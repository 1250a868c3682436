// Maps against a simple model: the same random operations on both, for several kinds of key and
// value, and all entries compared from time to time.  Few keys make maps that are emptied and
// filled again, many make tables that split.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { KEYS_MAX = 1 << 16 };

// What each number's value is.
static struct {
    bool there[KEYS_MAX];
    int64_t value[KEYS_MAX];
    size_t count;
} model;

typedef struct boxed {
    int64_t n;
} boxed;
typedef struct large {
    int64_t n[20];
    boxed *box;
} large;

// ---- keys and values for a number, and back ----

static int64_t int_of(unsigned n)
{
    return (int64_t)n * 0x10001;
}
static unsigned of_int(int64_t key)
{
    return (unsigned)(key / 0x10001);
}
static double double_of(unsigned n)
{
    return n / 7.0;
}
static unsigned of_double(double key)
{
    return (unsigned)(key * 7 + 0.5);
}
static gort_map_bytes bytes_of(unsigned n)
{
    char *text = gort_alloc_noscan(40);
    int size = snprintf(text, 40, "%.*s%u", (int)(n % 25), "-------------------------", n);
    return (gort_map_bytes){ text, (size_t)size };
}
static unsigned of_bytes(gort_map_bytes key)
{
    const char *s = key.start;
    while (*s == '-')
        s++;
    return (unsigned)atoi(s);
}
static large large_of(unsigned n)
{
    large l;
    memset(&l, 0, sizeof l);
    l.n[n % 20] = n;
    return l;
}
static unsigned of_large(large key)
{
    for (int i = 0; i < 20; i++)
        if (key.n[i] != 0) return (unsigned)key.n[i];
    return 0;
}

static boxed *boxed_of(int64_t n)
{
    boxed *b = gort_new(boxed);
    b->n = n;
    return b;
}
static int64_t of_boxed(boxed *b)
{
    return b->n;
}
static int64_t same(int64_t n)
{
    return n;
}
static large large_value(int64_t n)
{
    large l;
    memset(&l, 0, sizeof l);
    l.box = boxed_of(n);
    return l;
}
static int64_t of_large_value(large l)
{
    return l.box->n;
}

// ---- one run ----

static void model_put(unsigned n, int64_t value)
{
    model.count += !model.there[n];
    model.there[n] = true;
    model.value[n] = value;
}

static void model_clear(void)
{
    memset(model.there, 0, sizeof model.there);
    model.count = 0;
}

// In a run of adding, most operations add; in one of deleting, most delete.
enum operation { PUT, DELETE, FIND, CLEAR, WALK };
static enum operation choose(uint64_t *r, bool adding, unsigned keys)
{
    unsigned x = (unsigned)(test_random(r) % 1000);
    if (test_random(r) % (8 * keys) == 0) return CLEAR;
    if (test_random(r) % (4 * keys) == 0) return WALK;
    if (x < 300) return FIND;
    if (adding) return x < 900 ? PUT : DELETE;
    return x < 400 ? PUT : DELETE;
}

#define MODEL_RUN(name, K, V, key_of, of_key, value_of, of_value)                                  \
    static void name##_walk(gort_map(K, V) m)                                                      \
    {                                                                                              \
        size_t seen = 0;                                                                           \
        K key;                                                                                     \
        V value;                                                                                   \
        gort_map_iter it = GORT_MAP_ITER;                                                          \
        for (; gort_map_next(m, &it, &key, &value); seen++) {                                      \
            unsigned n = of_key(key);                                                              \
            CHECK_LT(n, KEYS_MAX);                                                                 \
            CHECK(model.there[n]);                                                                 \
            CHECK_EQ(of_value(value), model.value[n]);                                             \
        }                                                                                          \
        CHECK_EQ(seen, model.count);                                                               \
    }                                                                                              \
    static void name##_step(gort_map(K, V) m, enum operation op, unsigned n, int64_t value)        \
    {                                                                                              \
        K key = key_of(n);                                                                         \
        V out;                                                                                     \
        switch (op) {                                                                              \
        case PUT:                                                                                  \
            gort_map_put(m, key, value_of(value));                                                 \
            model_put(n, value);                                                                   \
            break;                                                                                 \
        case DELETE:                                                                               \
            CHECK_EQ(gort_map_delete(m, key), model.there[n]);                                     \
            model.count -= model.there[n];                                                         \
            model.there[n] = false;                                                                \
            break;                                                                                 \
        case FIND:                                                                                 \
            CHECK_EQ(gort_map_get(m, key, &out), model.there[n]);                                  \
            if (model.there[n]) CHECK_EQ(of_value(out), model.value[n]);                           \
            break;                                                                                 \
        case CLEAR:                                                                                \
            gort_map_clear(m);                                                                     \
            model_clear();                                                                         \
            break;                                                                                 \
        case WALK:                                                                                 \
            name##_walk(m);                                                                        \
            break;                                                                                 \
        }                                                                                          \
        CHECK_EQ(gort_map_len(m), model.count);                                                    \
    }                                                                                              \
    static void name(unsigned keys, int64_t operations)                                            \
    {                                                                                              \
        uint64_t r = test_seed() + keys;                                                           \
        gort_map(K, V) m = gort_map_make(K, V, test_random(&r) % (keys + 1));                      \
        bool adding = true;                                                                        \
        model_clear();                                                                             \
        for (int64_t i = 0; i < operations; i++) {                                                 \
            if (test_random(&r) % (2 * keys) == 0) adding = !adding;                               \
            unsigned n = (unsigned)(test_random(&r) % keys);                                       \
            name##_step(m, choose(&r, adding, keys), n, i);                                        \
        }                                                                                          \
        name##_walk(m);                                                                            \
        gort_map_clear(m);                                                                         \
        model_clear();                                                                             \
        name##_walk(m);                                                                            \
    }

MODEL_RUN(ints, int64_t, int64_t, int_of, of_int, same, same)
MODEL_RUN(small_ints, uint16_t, boxed *, (uint16_t), (unsigned), boxed_of, of_boxed)
MODEL_RUN(doubles, double, int64_t, double_of, of_double, same, same)
MODEL_RUN(texts, gort_map_bytes, boxed *, bytes_of, of_bytes, boxed_of, of_boxed)
MODEL_RUN(larges, large, int64_t, large_of, of_large, same, same)
MODEL_RUN(ints_to_larges, int, large, (int), (unsigned), large_value, of_large_value)

static void tests(void)
{
    static const unsigned sizes[] = { 3, 10, 100, 3000, KEYS_MAX };
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        test_current = "ints";
        ints(sizes[i], test_count(600000));
        test_current = "small_ints";
        small_ints(sizes[i], test_count(300000));
        test_current = "doubles";
        doubles(sizes[i], test_count(200000));
        test_current = "texts";
        texts(sizes[i], test_count(200000));
        test_current = "larges";
        larges(sizes[i], test_count(50000));
        test_current = "ints_to_larges";
        ints_to_larges(sizes[i], test_count(50000));
    }
}
GC_MAIN(tests)
