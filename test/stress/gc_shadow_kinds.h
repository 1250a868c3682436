// The objects of gc_shadow.h: one kind for each way in which the collector learns where pointers
// are.
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GC_SHADOW_KINDS_H
#define GC_SHADOW_KINDS_H

#include <gort.h>

typedef struct shadow shadow; // what malloc's memory says of an object

enum { SLOTS_MAX = 8 };

// Each begins with its shadow's address and a canary, and ends with a canary.
#define HEAD                                                                                       \
    shadow *of;                                                                                    \
    uint64_t canary

typedef struct small {
    HEAD;
    void *slot[2];
    uint64_t tail;
} small;
GORT_TYPE(small, slot);
typedef struct medium {
    HEAD;
    uint64_t a[10];
    void *slot[4];
    uint64_t b[7];
    uint64_t tail;
} medium;
GORT_TYPE(medium, slot);
typedef struct wide {
    HEAD;
    uint64_t a[70];
    void *slot[6];
    uint64_t b[20];
    uint64_t tail;
} wide;
GORT_TYPE(wide, slot);
typedef struct wider {
    HEAD;
    uint64_t a[300];
    void *slot[3];
    uint64_t b[300];
    uint64_t tail;
} wider;
GORT_TYPE(wider, slot);
typedef struct huge {
    HEAD;
    uint64_t a[2500];
    void *slot[8];
    uint64_t b[2500];
    uint64_t tail;
} huge;
GORT_TYPE(huge, slot);
// Objects are arrays of these; the first is the head, the last one's p the canary at the end.
typedef struct elem {
    uint64_t a, b;
    void *p;
} elem;
GORT_TYPE(elem, p);
typedef struct flex {
    HEAD;
    void *unused;
    uint64_t a;
    void *slot[];
} flex;
GORT_TYPE(flex, unused);

enum { CONSERVATIVE_LARGE = 400000, FLEX_SLOTS = 30, FLEX_LARGE = 9000 };

static void *make_small(void)
{
    return gort_new(small);
}
static void *make_medium(void)
{
    return gort_new(medium);
}
static void *make_wide(void)
{
    return gort_new(wide);
}
static void *make_wider(void)
{
    return gort_new(wider);
}
static void *make_huge(void)
{
    return gort_new(huge);
}
static void *make_elems(void)
{
    return gort_new_array(elem, 12);
}
static void *make_elems_typed(void)
{
    return gort_new_array(elem, 60);
}
static void *make_elems_large(void)
{
    return gort_new_array(elem, 9000);
}
static void *make_flex(void)
{
    return gort_new_flex(flex, slot, FLEX_SLOTS);
}
static void *make_flex_large(void)
{
    return gort_new_flex(flex, slot, FLEX_LARGE);
}
static void *make_words(void)
{
    return gort_alloc(96);
}
static void *make_words_more(void)
{
    return gort_alloc(1000);
}
static void *make_words_large(void)
{
    return gort_alloc(CONSERVATIVE_LARGE);
}
static void *make_bytes(void)
{
    return gort_alloc_noscan(64);
}
static void *make_bytes_more(void)
{
    return gort_alloc_noscan(3000);
}
static void *make_bytes_large(void)
{
    return gort_alloc_noscan(100000);
}

struct kind {
    void *(*make)(void);
    size_t size;          // the canary is in the last word
    size_t first, stride; // of slots
    unsigned nslots;
    unsigned weight; // how often
};

#define FIXED(T, n, weight)                                                                        \
    {                                                                                              \
        make_##T, sizeof(T), offsetof(T, slot), sizeof(void *), n, weight                          \
    }
#define ELEMS(make, n, step, weight)                                                               \
    {                                                                                              \
        make, (n) * sizeof(elem), sizeof(elem) + offsetof(elem, p), (step) * sizeof(elem), 8,      \
            weight                                                                                 \
    }
#define FLEX(make, n, step, weight)                                                                \
    {                                                                                              \
        make, sizeof(flex) + (n) * sizeof(void *), sizeof(flex), (step) * sizeof(void *), 8,       \
            weight                                                                                 \
    }
#define WORDS(make, size, stride, n, weight)                                                       \
    {                                                                                              \
        make, size, 16, stride, n, weight                                                          \
    }

static const struct kind kinds[] = {
    FIXED(small, 2, 40),
    FIXED(medium, 4, 20),
    FIXED(wide, 6, 10),
    FIXED(wider, 3, 5),
    FIXED(huge, 8, 1),
    ELEMS(make_elems, 12, 1, 10),
    ELEMS(make_elems_typed, 60, 7, 8),
    ELEMS(make_elems_large, 9000, 1100, 1),
    FLEX(make_flex, FLEX_SLOTS, 3, 6),
    FLEX(make_flex_large, FLEX_LARGE, 1100, 1),
    WORDS(make_words, 96, 8, 8, 15),
    WORDS(make_words_more, 1000, 120, 8, 6),
    WORDS(make_words_large, CONSERVATIVE_LARGE, 131000, 3, 1),
    WORDS(make_bytes, 64, 8, 0, 15),
    WORDS(make_bytes_more, 3000, 8, 0, 4),
    WORDS(make_bytes_large, 100000, 8, 0, 1),
};
enum { KINDS = sizeof kinds / sizeof kinds[0], ELEMS_FIRST = 5, LEAVES = 13 };

#endif
