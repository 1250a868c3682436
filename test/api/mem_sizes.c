// Objects of every size around the border of every size class, every alignment, every way to
// allocate: the slot is the smallest that serves, objects are aligned, zero, and do not overlap;
// and they are zero again after their memory was used by others.
//
// What size classes there are is read from the metrics: the buckets of /gc/heap/allocs-by-size.
// TEST timeout=120 notmodes=efence,gcefence
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { MANY = 24, CLASSES_MAX = 128, HEADER_ABOVE = 512 };

static size_t class_size[CLASSES_MAX]; // of small objects, rising
static size_t nclasses;

static void read_classes(void)
{
    const double *bounds;
    const uint64_t *counts;
    size_t n;
    CHECK_EQ(gort_metric_histogram("/gc/heap/allocs-by-size:bytes", &bounds, &counts, &n), 0);
    CHECK_GT(n, 40);
    CHECK_LT(n, CLASSES_MAX);
    for (size_t i = 0; i + 1 < n; i++) // the last bucket is that of large objects
        class_size[nclasses++] = (size_t)bounds[i + 1] - 1;
    CHECK_EQ(class_size[0], 8);
    CHECK_EQ(class_size[nclasses - 1], 32768);
}

// The smallest class of at least size bytes that is a multiple of align; 0: a large object.
static size_t class_for(size_t size, size_t align)
{
    for (size_t i = 0; i < nclasses; i++)
        if (class_size[i] >= size && class_size[i] % align == 0) return class_size[i];
    return 0;
}

// ---- the ways to allocate -----------------------------------------------------------------------

typedef struct cell {
    struct cell *a;
    uintptr_t b;
} cell;
GORT_TYPE(cell, a);

static const struct gort_pointer_run first_word[] = { { .offset = 0, .size = 8 } };

// A type of its own for an object with one pointer, or none.  It outlives what is kept by chance.
static const struct gort_type *type_of(size_t size, size_t align, bool noscan)
{
    struct gort_type *t = malloc(sizeof *t);
    CHECK(t != NULL);
    *t = (struct gort_type){ .name = "made", .size = size, .align = (uint32_t)align };
    if (noscan || size < 8)
        t->flags = GORT_TYPE_NOSCAN;
    else {
        t->ptrdata = 8;
        t->mask = 1;
        t->nruns = 1;
        t->runs = first_word;
    }
    return t;
}

enum way { PLAIN, NOSCAN, TYPED, TYPED_NOSCAN, ARRAY, FLEX, WAYS };
static const char *const way_names[WAYS] = { "gort_alloc",     "gort_alloc_noscan",
                                             "gort_new",       "gort_new, noscan",
                                             "gort_new_array", "gort_new_flex" };

static const struct gort_type *type; // of the objects made now

static void *make(enum way way, size_t size)
{
    switch (way) {
    case PLAIN:
        return gort_alloc(size);
    case NOSCAN:
        return gort_alloc_noscan(size);
    case TYPED:
    case TYPED_NOSCAN:
        return gort_new_raw(type);
    case ARRAY: // of cells, rounded down
        return gort_new_array_raw(type, size / sizeof(cell));
    default: // a cell, then bytes
        return gort_new_flex_raw(type, sizeof(cell), 1, true, size - sizeof(cell));
    }
}

// What is asked for, in truth.
static size_t asked(enum way way, size_t size)
{
    return way == ARRAY ? size / sizeof(cell) * sizeof(cell) : size;
}

static bool possible(enum way way, size_t size)
{
    return size > 0 && (way < ARRAY || size >= sizeof(cell));
}

static bool pointer_free(enum way way, size_t size)
{
    return way == NOSCAN || way == TYPED_NOSCAN || size < 8;
}

static void choose_type(enum way way, size_t size)
{
    if (way == TYPED || way == TYPED_NOSCAN)
        type = type_of(size, size % 8 == 0 ? 8 : 1, way == TYPED_NOSCAN || size % 8 != 0);
    else
        type = type_of(sizeof(cell), 8, false);
}

// ---- slots, zero, disjoint ----------------------------------------------------------------------

static unsigned char *object[MANY];

static void check_zero(const unsigned char *p, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == 0) continue;
        fprintf(stderr, "%s of %zu bytes: byte %zu is %#x\n", what, n, i, p[i]);
        CHECK_EQ(p[i], 0);
    }
}

// No word of it looks like an address.
static unsigned char pattern(size_t i)
{
    return (unsigned char)(0x81 + i % 100);
}

static void fill_all(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        memset(object[i], pattern(i), size);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < size; k++)
            if (object[i][k] != pattern(i)) CHECK_EQ(object[i][k], pattern(i));
}

static size_t how_many(size_t size)
{
    return size <= 4096 ? MANY : size <= 32768 ? 5 : 2;
}

// The bytes that an object of this size takes.
static size_t bytes_each(enum way way, size_t size, size_t count)
{
    gort_stats before, after;
    gort_read_stats(&before);
    for (size_t i = 0; i < count; i++)
        gort_set(&object[i], (unsigned char *)make(way, size));
    gort_read_stats(&after);
    CHECK_EQ(after.mallocs - before.mallocs, count);
    return (after.total_alloc - before.total_alloc) / count;
}

static void check_slot(enum way way, size_t size, size_t count, size_t each)
{
    size_t n = asked(way, size), want;
    bool noscan = way == TYPED ? type->flags & GORT_TYPE_NOSCAN : pointer_free(way, n);
    if (noscan && n < 16) { // packed into blocks of 16
        CHECK_LE(each, 16);
        CHECK_GE(each * count, (n - 1) * count / 16 * 16);
        return;
    }
    size_t align = (way == PLAIN || way == NOSCAN) && n >= 16 ? 16 : 1;
    want = class_for(n + (!noscan && n > HEADER_ABOVE ? 8 : 0), align);
    if (want == 0) want = (n + 8191) / 8192 * 8192;
    if (each != want) fprintf(stderr, "%s of %zu bytes takes %zu\n", way_names[way], n, each);
    CHECK_EQ(each, want);
}

static void try_size(enum way way, size_t size)
{
    size_t count = how_many(size), n = asked(way, size);
    if (!possible(way, size)) return;
    choose_type(way, size);
    size_t each = bytes_each(way, size, count);
    check_slot(way, size, count, each);
    for (size_t i = 0; i < count; i++) {
        check_zero(object[i], n, way_names[way]);
        if (way == PLAIN || way == NOSCAN)
            CHECK_EQ((uintptr_t)object[i] % (n >= 16 ? 16 : 8), 0);
        else
            CHECK_EQ((uintptr_t)object[i] % type->align, 0);
    }
    fill_all(count, n);
}

TEST(borders_of_every_class)
{
    for (enum way way = 0; way < WAYS; way++)
        for (size_t c = 0; c < nclasses; c++)
            for (int by = -1; by <= 1; by++) {
                try_size(way, class_size[c] + (size_t)by);
                if (class_size[c] > HEADER_ABOVE && by != 0) // the layout word takes 8 bytes
                    try_size(way, class_size[c] - 8 + (size_t)by);
            }
}

TEST(large_sizes)
{
    static const size_t sizes[] = { 32769, 40960, 65536, 65537, 131072, 131073, 1 << 20, 3000001 };
    for (enum way way = 0; way < WAYS; way++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            try_size(way, sizes[i]);
}

TEST(nothing_is_an_object_too)
{
    void *a = gort_alloc(0), *b = gort_alloc_noscan(0), *c = gort_new_array(cell, 0);
    CHECK(a != NULL && b != NULL && c != NULL);
    CHECK(a != b && b != c && a != c);
}

// ---- alignment ----------------------------------------------------------------------------------

static void try_alignment(size_t size, size_t align, bool noscan)
{
    type = type_of(size, align, noscan);
    size_t count = how_many(size);
    for (size_t i = 0; i < count; i++) {
        gort_set(&object[i], (unsigned char *)gort_new_raw(type));
        CHECK_EQ((uintptr_t)object[i] % align, 0);
        check_zero(object[i], size, "an aligned object");
    }
    fill_all(count, size);
    for (size_t n = 0; n < 4; n++) {
        unsigned char *p = gort_new_array_raw(type, n);
        CHECK_EQ((uintptr_t)p % align, 0);
        check_zero(p, n * size, "an aligned array");
        memset(p, 0x81, n * size);
    }
    unsigned char *f = gort_new_flex_raw(type, size, 1, true, 3 * align + 1);
    CHECK_EQ((uintptr_t)f % align, 0);
    check_zero(f, size + 3 * align + 1, "an aligned object with a flexible array");
    memset(f, 0x81, size + 3 * align + 1);
}

// By descriptors of any size, also such as no C compiler makes: not a multiple of the alignment.
TEST(every_alignment)
{
    for (size_t align = 1; align <= 8192; align *= 2)
        for (int noscan = 0; noscan < 2; noscan++) {
            for (size_t k = 1; k <= 5; k += 2)
                try_alignment(k * align, align, noscan || align < 8);
            try_alignment(align + 24, align, true);
            if (align <= 512) try_alignment(6 * align + 8, align, noscan || align < 8);
            gort_gc();
        }
}

// Types whose alignment an attribute raises above what their size gives: inline allocation too
// takes no slot of 8 or 24 bytes, of which every other one would do. Three words come first, so
// that such slots are there to be taken.
typedef struct {
    void *word[3];
} three;
typedef three three16 __attribute__((aligned(16)));
typedef struct {
    long word[3];
} plain3;
GORT_TYPE(plain3);
typedef plain3 plain16 __attribute__((aligned(16)));
GORT_TYPE(plain16);
typedef void *pointer;
typedef pointer pointer16 __attribute__((aligned(16)));
typedef int int16 __attribute__((aligned(16)));

#define ALIGNED_BY_ATTRIBUTE(T, slots_of)                                                          \
    for (int i = 0; i < 64; i++) {                                                                 \
        uintptr_t at = (uintptr_t)gort_new(slots_of);                                              \
        at = (uintptr_t)gort_new(T);                                                               \
        __asm__ volatile("" : "+r"(at)); /* the compiler would know it from the type */            \
        CHECK_EQ(at % 16, 0);                                                                      \
    }

TEST(alignment_by_attribute){ ALIGNED_BY_ATTRIBUTE(three16, three)
                                  ALIGNED_BY_ATTRIBUTE(plain16, plain3)
                                      ALIGNED_BY_ATTRIBUTE(pointer16, pointer)
                                          ALIGNED_BY_ATTRIBUTE(int16, int) }

// Beyond what gort_new promises: what the descriptor asks for is kept all the same.
TEST(alignment_beyond_a_page)
{
    for (size_t align = 16384; align <= 4 << 20; align *= 2)
        for (int noscan = 0; noscan < 2; noscan++) {
            type = type_of(align, align, noscan);
            for (int i = 0; i < 2; i++) {
                unsigned char *p = gort_new_raw(type);
                CHECK_EQ((uintptr_t)p % align, 0);
                CHECK_EQ(p[0] | p[align - 1], 0);
                p[0] = p[align - 1] = 0x81;
            }
        }
    gort_gc();
}

typedef struct __attribute__((aligned(64))) line {
    struct line *next;
} line;
GORT_TYPE(line, next);
typedef struct __attribute__((aligned(8192))) page {
    char text[100];
} page;
GORT_TYPE(page);

TEST(alignment_by_the_compiler)
{
    for (int i = 0; i < 20; i++) {
        line *l = gort_new(line);
        page *p = gort_new(page), *pages = gort_new_array(page, 3);
        CHECK_EQ((uintptr_t)l % 64, 0);
        CHECK_EQ((uintptr_t)p % 8192, 0);
        CHECK_EQ((uintptr_t)pages % 8192, 0);
        memset((void *)p, 0x81, sizeof *p);
        memset((void *)pages, 0x81, 3 * sizeof *pages);
    }
}

// ---- used memory is zero again ------------------------------------------------------------------

static struct {
    enum way way;
    size_t size, count;
    uint64_t reused;
} used;

// Dirties objects and forgets them; on a goroutine of its own, so that no stack keeps them.
static void use_and_forget(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < used.count; i++) {
        unsigned char *p = make(used.way, used.size);
        check_zero(p, asked(used.way, used.size), way_names[used.way]);
        memset(p, 0x81 + (int)(i % 100), asked(used.way, used.size));
    }
}

static void reuse(enum way way, size_t size)
{
    if (!possible(way, size)) return;
    choose_type(way, size);
    used.way = way;
    used.size = size;
    used.count = 100000 / (size + 64) + 3;
    on_goroutine(use_and_forget, NULL);
}

// Every class and way dirties what there is; then what died is handed out again, to the same and,
// as spans become pages and spans again, to other classes and ways.
TEST(memory_used_before_is_zero)
{
    for (int round = 0; round < 4; round++) {
        for (enum way way = 0; way < WAYS; way++)
            for (size_t c = round % 2; c < nclasses; c += 2)
                reuse(way, class_size[c] - (size_t)(round > 1 ? 9 : 0) % class_size[c]);
        gort_gc();
    }
}

TEST(large_memory_used_before_is_zero)
{
    for (int round = 0; round < 6; round++) {
        for (enum way way = 0; way < WAYS; way++)
            for (size_t size = 33000 + (size_t)round * 777; size < 2 << 20; size *= 3)
                reuse(way, size);
        gort_gc();
    }
}

// One size after another through the same pages: a span that was large becomes small, and back.
TEST(pages_change_their_use)
{
    static const size_t sizes[] = { 100000, 8, 300000, 512, 32768, 16, 1024, 65536, 48, 200000 };
    for (int64_t round = 0; round < test_count(40); round++) {
        size_t size = sizes[(size_t)round % (sizeof sizes / sizeof *sizes)];
        reuse(round % 3 == 0 ? PLAIN : round % 3 == 1 ? NOSCAN : FLEX, size);
        gort_gc();
    }
}

static void tests(void)
{
    read_classes();
    RUN(borders_of_every_class);
    RUN(large_sizes);
    RUN(nothing_is_an_object_too);
    RUN(every_alignment);
    RUN(alignment_by_attribute);
    RUN(alignment_beyond_a_page);
    RUN(alignment_by_the_compiler);
    RUN(memory_used_before_is_zero);
    RUN(large_memory_used_before_is_zero);
    RUN(pages_change_their_use);
}

GC_MAIN(tests)
