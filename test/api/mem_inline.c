// Inline allocation: every size that it serves, with and without pointers; aligned; zero although
// the memory was used before; apart from its neighbours; scanned at its pointers and at nothing
// else. And objects made in batches.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

// Sizes on both sides of every kind of boundary: words, classes, the end of what is inlined.
// clang-format off
#define SIZES(X)                                                                                   \
    X(8) X(16) X(24) X(32) X(40) X(48) X(56) X(64) X(72) X(80) X(96) X(104) X(112) X(120) X(128)   \
    X(136) X(144) X(160) X(176) X(184) X(192) X(208) X(224) X(240) X(248) X(256) X(264) X(288)     \
    X(320) X(344) X(352) X(384) X(416) X(448) X(472) X(480) X(504) X(512) X(520) X(1024)
#define ODD_SIZES(X)                                                                               \
    X(1) X(2) X(3) X(5) X(7) X(9) X(12) X(13) X(15) X(17) X(23) X(25) X(31) X(33) X(63) X(65)      \
    X(127) X(129) X(255) X(257) X(400) X(479) X(500) X(511) X(513)
// clang-format on

enum { OBJECTS = 400 };

__attribute__((noinline)) static void fill(void *p, size_t size, unsigned id)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)p)[i] = (unsigned char)(id * 31 + i);
}

__attribute__((noinline)) static void check_filled(const void *p, size_t size, unsigned id)
{
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(((const unsigned char *)p)[i], (unsigned char)(id * 31 + i));
}

__attribute__((noinline)) static void check_zero(const void *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(((const unsigned char *)p)[i], 0);
}

// Two rounds, the second of which gets memory that the first one filled.
#define FILLED_OBJECTS(make, size, alignment)                                                      \
    do {                                                                                           \
        void *objects[OBJECTS];                                                                    \
        for (int round = 0; round < 2; round++) {                                                  \
            for (unsigned i = 0; i < OBJECTS; i++) {                                               \
                objects[i] = (make);                                                               \
                CHECK_EQ((uintptr_t)objects[i] % (alignment), 0);                                  \
                check_zero(objects[i], size);                                                      \
                fill(objects[i], size, i);                                                         \
            }                                                                                      \
            for (unsigned i = 0; i < OBJECTS; i++)                                                 \
                check_filled(objects[i], size, i);                                                 \
            memset(objects, 0, sizeof objects);                                                    \
            gort_gc();                                                                             \
        }                                                                                          \
    } while (0)

// ---- without pointers ---------------------------------------------------------------------------

#define DEFINE_PLAIN(n)                                                                            \
    typedef struct {                                                                               \
        char bytes[n];                                                                             \
    } plain_##n;                                                                                   \
    GORT_TYPE(plain_##n);
SIZES(DEFINE_PLAIN)
ODD_SIZES(DEFINE_PLAIN)

// A function each: compilers that look at all of them at once take minutes.
#define PLAIN(n)                                                                                   \
    __attribute__((noinline)) static void run_plain_##n(void *unused)                              \
    {                                                                                              \
        (void)unused;                                                                              \
        FILLED_OBJECTS(gort_new(plain_##n), n, 1);                                                 \
        FILLED_OBJECTS(gort_alloc_noscan(n), n, n < 16 ? 8 : 16);                                  \
    }
SIZES(PLAIN)
ODD_SIZES(PLAIN)

TEST(pointer_free_sizes)
{
#define CHECK_PLAIN(n) on_goroutine(run_plain_##n, NULL);
    SIZES(CHECK_PLAIN)
    ODD_SIZES(CHECK_PLAIN)
}

typedef struct {
    _Alignas(16) char bytes[48];
} aligned_48;
GORT_TYPE(aligned_48);
typedef struct {
    _Alignas(64) char bytes[64];
} aligned_64;
GORT_TYPE(aligned_64);

// Tiny objects of several alignments share blocks.
static void run_aligned(void *unused)
{
    (void)unused;
    FILLED_OBJECTS(gort_new(aligned_48), 48, 16);
    FILLED_OBJECTS(gort_new(aligned_64), 64, 64);
    for (int i = 0; i < 3 * OBJECTS; i++) {
        char *c = gort_new(char);
        int64_t *d = gort_new(int64_t);
        int32_t *f = gort_new(int32_t);
        int16_t *h = gort_new(int16_t);
        CHECK(*c == 0 && *d == 0 && *f == 0 && *h == 0);
        CHECK_EQ((uintptr_t)d % 8, 0);
        CHECK_EQ((uintptr_t)f % 4, 0);
        CHECK_EQ((uintptr_t)h % 2, 0);
        *c = 1, *d = -1, *f = -2, *h = -3;
        CHECK(*c == 1 && *d == -1 && *f == -2 && *h == -3);
    }
}

TEST(alignments)
{
    on_goroutine(run_aligned, NULL);
}

// ---- with pointers ------------------------------------------------------------------------------

// The first and the last word are pointers; what lies between is not.
#define DEFINE_TYPED(n)                                                                            \
    typedef struct {                                                                               \
        witness *first;                                                                            \
        uintptr_t hidden[((n) > 16 ? (n)-16 : 8) / 8];                                             \
        witness *last;                                                                             \
    } typed_##n;                                                                                   \
    GORT_TYPE(typed_##n, first, last);                                                             \
    typedef struct {                                                                               \
        witness *all[(n) / 8];                                                                     \
    } ambiguous_##n; /* no GORT_TYPE: scanned conservatively */
SIZES(DEFINE_TYPED)

enum { KEPT = 12 };
static void **held; // OBJECTS of them, of one type
static uint32_t next_id;

// Each keeps two witnesses, and mentions a third where it is not scanned.
#define HOLD(n)                                                                                    \
    __attribute__((noinline)) static void hold_##n(void *unused)                                   \
    {                                                                                              \
        (void)unused;                                                                              \
        gort_set(&held, (void **)gort_new_array(gort_test_word, KEPT));                            \
        for (int i = 0; i < KEPT; i++) {                                                           \
            typed_##n *t = gort_new(typed_##n);                                                    \
            check_zero(t, sizeof *t);                                                              \
            gort_set(&held[i], (void *)t);                                                         \
            gort_init(&t->first, witness_new(next_id++));                                          \
            gort_init(&t->last, witness_new(next_id++));                                           \
            if (sizeof(typed_##n) > 16) t->hidden[0] = (uintptr_t)witness_new(next_id++);          \
        }                                                                                          \
    }                                                                                              \
    __attribute__((noinline)) static void hold_ambiguous_##n(void *unused)                         \
    {                                                                                              \
        (void)unused;                                                                              \
        gort_set(&held, (void **)gort_new_array(gort_test_word, KEPT));                            \
        for (int i = 0; i < KEPT; i++) {                                                           \
            ambiguous_##n *t = i % 2 == 0 ? gort_new(ambiguous_##n)                                \
                                          : (ambiguous_##n *)gort_alloc(sizeof(ambiguous_##n));    \
            check_zero(t, sizeof *t);                                                              \
            gort_set(&held[i], (void *)t);                                                         \
            for (size_t w = 0; w < n / 8; w++)                                                     \
                gort_init(&t->all[w], witness_new(next_id++));                                     \
        }                                                                                          \
    }
typedef void *gort_test_word;
SIZES(HOLD)

// Of the ids made since the last reset, `hidden` of each three died and none of the others.
static void check_deaths(bool third_dies)
{
    uint32_t expected = third_dies ? next_id / 3 : 0;
    collect_until(expected);
    for (uint32_t id = 0; id < next_id; id++)
        if (!third_dies || id % 3 != 2) CHECK_EQ(witness_dead[id], 0);
    CHECK_NEARLY_ALL(witness_deaths, expected);
    gort_set(&held, (void **)NULL);
    next_id = 0;
    witness_reset();
}

TEST(typed_sizes)
{
#define CHECK_TYPED(n)                                                                             \
    on_goroutine(hold_##n, NULL);                                                                  \
    check_deaths(true);
    SIZES(CHECK_TYPED)
}

TEST(ambiguous_sizes)
{
#define CHECK_AMBIGUOUS(n)                                                                         \
    on_goroutine(hold_ambiguous_##n, NULL);                                                        \
    check_deaths(false);
    SIZES(CHECK_AMBIGUOUS)
}

// ---- batches ------------------------------------------------------------------------------------

typedef struct {
    witness *w;
    uint64_t number;
} pair;
GORT_TYPE(pair, w);
typedef struct {
    char bytes[5];
} tiny;
GORT_TYPE(tiny);
typedef struct {
    char bytes[3000];
    void *p;
} big;
GORT_TYPE(big, p);

static pair **pairs;

static void make_batch(void *count)
{
    size_t n = *(size_t *)count;
    gort_set(&pairs, (pair **)gort_new_array(gort_test_word, n + 1));
    gort_new_batch(pair, pairs, n);
    CHECK(pairs[n] == NULL);
    for (size_t i = 0; i < n; i++) {
        CHECK(pairs[i]->w == NULL && pairs[i]->number == 0);
        pairs[i]->number = i;
        gort_init(&pairs[i]->w, witness_new((uint32_t)i));
    }
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(pairs[i]->number, i);
    for (size_t i = 0; i < n; i += 2) // they die apart
        gort_set(&pairs[i], (pair *)NULL);
}

TEST(batches)
{
    static const size_t counts[] = { 0, 1, 2, 63, 64, 65, 500, 2001 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t n = counts[i];
        on_goroutine(make_batch, &n);
        collect_until((uint32_t)(n + 1) / 2);
        for (size_t k = 1; k < n; k += 2)
            CHECK_EQ(witness_dead[k], 0);
        CHECK_NEARLY_ALL(witness_deaths, (n + 1) / 2);
        gort_set(&pairs, (pair **)NULL);
        gort_gc();
        witness_reset();
    }
    tiny *small[100];
    big *large[40];
    gort_new_batch(tiny, small, 100);
    gort_new_batch(big, large, 40);
    for (unsigned i = 0; i < 100; i++) {
        check_zero(small[i], 5);
        fill(small[i], 5, i);
    }
    for (unsigned i = 0; i < 40; i++) {
        check_zero(large[i], sizeof *large[i]);
        fill(large[i]->bytes, 3000, i);
    }
    gort_gc();
    for (unsigned i = 0; i < 100; i++)
        check_filled(small[i], 5, i);
    for (unsigned i = 0; i < 40; i++)
        check_filled(large[i]->bytes, 3000, i);
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(pointer_free_sizes);
    RUN(alignments);
    RUN(typed_sizes);
    RUN(ambiguous_sizes);
    RUN(batches);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(test_main, argc, argv);
}
