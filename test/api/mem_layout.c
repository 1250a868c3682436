// Where the collector looks for pointers in an object, for every way to allocate one and sizes
// around every border: what a pointer word holds lives, what another word holds dies.
//
// For each object, pointers to witnesses are put into chosen words; the object is kept; and after
// collections exactly the witnesses in pointer words are alive. Types are made by hand, with random
// words described, so that masks, runs, arrays and oblets are all met.
// TEST timeout=240
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { RUNS_MAX = 24, PROBES = 120 };

// A descriptor must outlive its objects, which may be kept by chance: never freed.
struct made {
    struct gort_type type;
    struct gort_pointer_run runs[RUNS_MAX];
};

struct subject {
    // How it is made
    struct made *made;
    enum { ONE, ARRAY, FLEX, FLEX_NOSCAN, PLAIN, PLAIN_NOSCAN } way;
    size_t n; // elements, bytes
    size_t offset, elem;
    // What came of it
    void **object; // a root
    size_t words;
    size_t probe[PROBES];
    int nprobes;
};
static struct subject it;
static uint64_t rnd;

// ---- what is expected ---------------------------------------------------------------------------

static bool in_type(size_t word)
{
    if (it.made->type.flags & GORT_TYPE_NOSCAN) return false;
    if (it.made->type.flags & GORT_TYPE_CONSERVATIVE) return (word + 1) * 8 <= it.made->type.size;
    for (uint32_t i = 0; i < it.made->type.nruns; i++)
        if (word * 8 >= it.made->runs[i].offset &&
            word * 8 < it.made->runs[i].offset + it.made->runs[i].size)
            return true;
    return false;
}

static bool is_pointer_word(size_t word)
{
    switch (it.way) {
    case ONE:
        return in_type(word);
    case ARRAY:
        if (it.made->type.flags & GORT_TYPE_CONSERVATIVE) return true;
        return in_type(word % (it.made->type.size / 8));
    case FLEX:
        return word * 8 >= it.offset ? true : in_type(word);
    case FLEX_NOSCAN:
        return word * 8 >= it.offset ? false : in_type(word);
    case PLAIN:
        return true;
    default:
        return false;
    }
}

// ---- making -------------------------------------------------------------------------------------

static void *make(void)
{
    switch (it.way) {
    case ONE:
        return gort_new_raw(&it.made->type);
    case ARRAY:
        return gort_new_array_raw(&it.made->type, it.n);
    case FLEX:
    case FLEX_NOSCAN:
        return gort_new_flex_raw(&it.made->type, it.offset, it.elem, it.way == FLEX_NOSCAN, it.n);
    case PLAIN:
        return gort_alloc(it.n);
    default:
        return gort_alloc_noscan(it.n);
    }
}

static size_t bytes_wanted(void)
{
    switch (it.way) {
    case ONE:
        return it.made->type.size;
    case ARRAY:
        return it.made->type.size * it.n;
    case FLEX:
    case FLEX_NOSCAN: {
        size_t bytes = it.offset + it.elem * it.n;
        return bytes < it.made->type.size ? it.made->type.size : bytes;
    }
    default:
        return it.n;
    }
}

static void choose_probes(void)
{
    it.nprobes = 0;
    if (it.words <= PROBES) {
        for (size_t i = 0; i < it.words; i++)
            it.probe[it.nprobes++] = i;
        return;
    }
    // The ends, the edges of oblets and of the type, and random words.
    for (int i = 0; i < PROBES; i++) {
        size_t w = test_random(&rnd) % it.words;
        if (i < 4)
            w = (size_t)i;
        else if (i < 8)
            w = it.words - (size_t)i + 3;
        else if (i < 16 && it.words > 16384 + 8)
            w = 16384 - 4 + (size_t)i - 8;
        bool known = false;
        for (int j = 0; j < it.nprobes; j++)
            known |= it.probe[j] == w;
        if (!known) it.probe[it.nprobes++] = w;
    }
}

static void build(void *unused)
{
    (void)unused;
    size_t bytes = bytes_wanted();
    void **p = make();
    uintptr_t align = it.made->type.align != 0 ? it.made->type.align : 8;
    CHECK_EQ((uintptr_t)p % align, 0);
    for (size_t i = 0; i < bytes / 8; i++)
        CHECK(p[i] == NULL);
    gort_set((void **)&it.object, (void *)p);
    it.words = bytes / 8;
    choose_probes();
    for (int i = 0; i < it.nprobes; i++)
        gort_set(&p[it.probe[i]], (void *)witness_new((uint32_t)i));
}

static void judge(const char *what)
{
    uint32_t dead = 0, kept = 0;
    for (int i = 0; i < it.nprobes; i++) {
        if (is_pointer_word(it.probe[i])) {
            if (witness_dead[i])
                fprintf(stderr, "%s: %zu bytes: lost what word %zu of %zu holds\n", what,
                        bytes_wanted(), it.probe[i], it.words);
            CHECK_EQ(witness_dead[i], 0);
            CHECK_EQ(((witness *)it.object[it.probe[i]])->id, (uint32_t)i);
        } else if (witness_dead[i]) {
            dead++;
        } else {
            kept++;
        }
    }
    if (kept > 6 + (dead + kept) / 10)
        fprintf(stderr, "%s: %zu bytes: %u kept, %u dead\n", what, bytes_wanted(), kept, dead);
    CHECK_LE(kept, 6 + (dead + kept) / 10);
}

static void examine(const char *what)
{
    uint32_t dying = 0;
    witness_reset();
    on_goroutine(build, NULL);
    for (int i = 0; i < it.nprobes; i++)
        dying += !is_pointer_word(it.probe[i]);
    collect_until(dying);
    judge(what);
    memset(it.object, 0, it.words * 8); // if it is kept by chance, it keeps nothing
    it.object = NULL;
}

// ---- types --------------------------------------------------------------------------------------

static void subject_reset(void)
{
    memset(&it, 0, sizeof it);
    it.made = calloc(1, sizeof *it.made);
}

static void describe(size_t words, uint32_t flags)
{
    subject_reset();
    it.made->type =
        (struct gort_type){ .name = "made", .size = words * 8, .align = 8, .flags = flags };
    if (flags != 0) return;
    it.made->type.runs = it.made->runs;
    uint32_t n = 1 + (uint32_t)(test_random(&rnd) % (words < RUNS_MAX ? words : RUNS_MAX));
    for (uint32_t i = 0; i < n; i++) {
        size_t first = test_random(&rnd) % words, len = 1 + test_random(&rnd) % 3;
        if (i == 0 && test_random(&rnd) % 2) len += words / 3;
        if (first + len > words) len = words - first;
        it.made->runs[i] = (struct gort_pointer_run){ first * 8, len * 8 };
        it.made->type.nruns++;
        if (it.made->type.ptrdata < (first + len) * 8) it.made->type.ptrdata = (first + len) * 8;
        for (size_t w = first; words <= 64 && w < first + len; w++)
            it.made->type.mask |= (uint64_t)1 << w;
    }
}

// Words: slots of one word, the border of the bitmap (64), of slots with a layout word (4095), of
// oblets (16384).
static const size_t sizes[] = { 1,    2,    3,    5,    8,     24,    31,    47,    63,   64,
                                65,   66,   71,   72,   127,   128,   129,   1000,  1024, 2048,
                                4094, 4095, 4096, 4097, 10000, 16383, 16384, 16385, 40000 };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void single_objects(void)
{
    for (int i = 0; i < SIZES; i++)
        for (int64_t k = 0; k < test_count(2); k++) {
            describe(sizes[i], 0);
            it.way = ONE;
            examine("one");
        }
}

static void arrays(void)
{
    static const size_t elements[] = { 1, 2, 3, 7, 32, 64, 65, 100, 3000, 20000 };
    for (unsigned e = 0; e < sizeof elements / sizeof elements[0]; e++)
        for (int i = 3; i < SIZES; i += 2) {
            size_t n = sizes[i] / elements[e];
            if (n == 0) continue;
            describe(elements[e], test_random(&rnd) % 8 == 0 ? GORT_TYPE_CONSERVATIVE : 0);
            it.way = ARRAY;
            it.n = n;
            examine("array");
        }
}

static void flexible(void)
{
    static const size_t heads[] = { 1, 2, 9, 64, 100, 5000 };
    static const uint32_t flags[] = { 0, 0, GORT_TYPE_CONSERVATIVE, GORT_TYPE_NOSCAN };
    for (unsigned h = 0; h < sizeof heads / sizeof heads[0]; h++)
        for (int i = 4; i < SIZES; i += 3) {
            describe(heads[h], flags[test_random(&rnd) % 4]);
            it.offset = heads[h] * 8;
            it.elem = 8;
            it.n = sizes[i];
            it.way = test_random(&rnd) % 2 ? FLEX : FLEX_NOSCAN;
            examine("flex");
        }
}

static void plain(void)
{
    for (int i = 0; i < SIZES; i++) {
        subject_reset();
        it.way = PLAIN;
        it.n = sizes[i] * 8 + i % 8;
        it.made->type.align = it.n < 16 ? 8 : 16;
        examine("alloc");
        it.way = PLAIN_NOSCAN;
        examine("alloc_noscan");
    }
}

static void alignments(void)
{
    for (size_t align = 1; align <= 8192; align *= 2)
        for (int i = 0; i < SIZES; i += 3) {
            size_t bytes = (sizes[i] * 8 + align - 1) / align * align;
            for (uint32_t flags = 1; flags <= 2; flags++) {
                subject_reset();
                struct gort_type *t = &it.made->type;
                *t = (struct gort_type){ .name = "aligned",
                                         .size = bytes,
                                         .ptrdata = bytes,
                                         .align = (uint32_t)align,
                                         .flags = flags };
                CHECK_EQ((uintptr_t)gort_new_raw(t) % align, 0);
                CHECK_EQ((uintptr_t)gort_new_array_raw(t, 3) % align, 0);
            }
        }
}

static void untyped_memory_is_aligned(void)
{
    for (size_t n = 1; n < 2000; n++) {
        size_t align = n < 16 ? 8 : 16;
        for (int i = 0; i < 3; i++) {
            CHECK_EQ((uintptr_t)gort_alloc(n) % align, 0);
            CHECK_EQ((uintptr_t)gort_alloc_noscan(n) % align, 0);
        }
    }
}

// Large objects start zeroed though their pages held others; small ones too, in every class.
static void memory_is_zeroed(void)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < SIZES; i++)
            for (int k = 0; k < 20; k++) {
                unsigned char *p =
                    k % 2 ? gort_alloc(sizes[i] * 8) : gort_alloc_noscan(sizes[i] * 8);
                for (size_t b = 0; b < sizes[i] * 8; b++)
                    CHECK_EQ(p[b], 0);
                memset(p, 0xff, sizes[i] * 8);
            }
        gort_gc();
    }
}

static void empty_objects(void)
{
    char *a = gort_alloc(0), *b = gort_alloc_noscan(0), *c = gort_new_array(char, 0);
    static const struct gort_type t = { .name = "empty", .align = 64 };
    CHECK(a != NULL && b != NULL && c != NULL);
    CHECK_EQ((uintptr_t)gort_new_raw(&t) % 64, 0);
}

static void tests(void)
{
    rnd = test_seed();
    RUN(empty_objects);
    RUN(memory_is_zeroed);
    RUN(alignments);
    RUN(untyped_memory_is_aligned);
    RUN(single_objects);
    RUN(plain);
    RUN(arrays);
    RUN(flexible);
}
GC_MAIN(tests)
