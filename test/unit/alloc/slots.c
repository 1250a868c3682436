// Pages of every class that has its pointer bits in the page, used to the last slot, and those
// without pointers of the same sizes: no object overlaps another or the bits, every object has the
// bits that it was made with, however it was made, and what only the last word of the last slot
// points to is kept.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gc/mark.h"
#include "gort.h"

enum { OBJECTS_MAX = 4 * 1024 };
static uintptr_t hidden[OBJECTS_MAX]; // complemented: no roots
static uint64_t masks[OBJECTS_MAX];
static unsigned nobjects;

static unsigned char *object(unsigned i)
{
    return (unsigned char *)~hidden[i];
}

// ---- the ways to allocate -----------------------------------------------------------------------

static struct gort_type type;

static void describe(size_t size, uint64_t mask)
{
    type = (struct gort_type){ .name = "made", .size = size, .align = 8, .mask = mask };
    type.ptrdata = (size_t)(64 - bits_clz64(mask)) * WORD_SIZE;
}

static void *called(unsigned class, size_t size, uint64_t mask)
{
    (void)class;
    describe(size, mask);
    return gort_new_raw(&type);
}

static void *inlined(unsigned class, size_t size, uint64_t mask)
{
#ifdef GORT_HAS_INLINE_ALLOC
    long at = (long)(GORT_CACHE_CLASSES +
                     sizeof(struct gort_cache_class) * span_class_make(class, false));
    void *x = gort_take_scan_at_(at, (long)size, mask);
    if (x != NULL) return x;
#endif
    return called(class, size, mask);
}

static void *pointer_free(unsigned class, size_t size, uint64_t mask)
{
    (void)mask;
    type =
        (struct gort_type){ .name = "plain", .size = size, .align = 16, .flags = GORT_TYPE_NOSCAN };
    if (class == 1 || size % 16 != 0) type.align = 8;
    return gort_new_raw(&type);
}

// Changes sides with i, so that neighbours' bits differ at both of their ends.
static uint64_t mask_of(unsigned i, uint64_t all)
{
    uint64_t first = 1, last = all & ~(all >> 1);
    uint64_t choice[] = { all, last, first, first | last, last };
    return choice[i % array_len(choice)];
}

typedef void *(*way)(unsigned class, size_t size, uint64_t mask);

// More than two pages are had to their last slot, whatever was left of the span before.
static void allocate(way make, unsigned class, bool noscan)
{
    const struct size_class *row = &size_class_table[class];
    nobjects = 3u * row->nelems[noscan];
    CHECK_LE(nobjects, OBJECTS_MAX);
    for (unsigned i = 0; i < nobjects; i++) {
        masks[i] = mask_of(i, slot_ones(row->size));
        hidden[i] = ~(uintptr_t)make(class, row->size, masks[i]);
    }
}

static void fill_all(size_t size)
{
    for (unsigned i = 0; i < nobjects; i++)
        memset(object(i), (int)(0x80 | i % 100), size);
    for (unsigned i = 0; i < nobjects; i++)
        for (size_t k = 0; k < size; k++)
            if (object(i)[k] != (0x80 | i % 100)) CHECK_EQ(object(i)[k], 0x80 | i % 100);
}

// How many of the objects have the last slot of their span, which ends where no other would fit.
static unsigned last_slots(unsigned class, bool noscan)
{
    unsigned n = 0;
    size_t size = size_class_table[class].size, npages = size_class_table[class].npages[noscan];
    for (unsigned i = 0; i < nobjects; i++) {
        struct span *s = span_of((uintptr_t)object(i));
        CHECK_EQ(s->span_class, span_class_make(class, noscan));
        uintptr_t end = s->base + npages * PAGE_BYTES;
        if (!noscan) end = (uintptr_t)span_pointer_bitmap(s);
        CHECK_LE((uintptr_t)object(i) + size, end);
        n += (uintptr_t)object(i) + 2 * size > end;
    }
    return n;
}

static void use_scan_class(way make, unsigned class)
{
    size_t size = size_class_table[class].size;
    allocate(make, class, false);
    CHECK_GE(last_slots(class, false), 2);
    fill_all(size);
    for (unsigned i = 0; i < nobjects; i++)
        CHECK_EQ(pointer_mask((uintptr_t)object(i), slot_ones(size)), masks[i]);
}

static void every_slot_has_its_bits(void)
{
    gort_set_gc_percent(-1);
    for (unsigned class = 1; class <= BITMAP_CLASSES; class ++) {
        use_scan_class(called, class);
        use_scan_class(inlined, class);
    }
}

// Objects of 8 bytes are packed in blocks of 16.
static void no_slot_overlaps(void)
{
    gort_set_gc_percent(-1);
    for (unsigned class = 3; class <= BITMAP_CLASSES; class ++) {
        allocate(pointer_free, class, true);
        CHECK_GE(last_slots(class, true), 2);
        fill_all(size_class_table[class].size);
    }
}

// ---- kept by the last word ----------------------------------------------------------------------

typedef struct {
    uint64_t id;
} child;
GORT_TYPE(child);

static void **parents; // OBJECTS_MAX

static void make_parents(unsigned class)
{
    size_t size = size_class_table[class].size, last = size / WORD_SIZE - 1;
    nobjects = 3u * size_class_table[class].nelems[0];
    gort_set(&parents, (void **)gort_alloc(nobjects * sizeof(void *)));
    for (unsigned i = 0; i < nobjects; i++) {
        void **parent = called(class, size, (uint64_t)1 << last);
        gort_set(&parents[i], (void *)parent);
        gort_init(&parent[last], (void *)gort_new(child));
        ((child *)parent[last])->id = i;
    }
}

static void check_children(unsigned class)
{
    size_t last = size_class_table[class].size / WORD_SIZE - 1;
    for (unsigned i = 0; i < nobjects; i++)
        CHECK_EQ(((child *)((void **)parents[i])[last])->id, i);
}

static void the_last_word_keeps(void)
{
    for (unsigned class = 1; class <= BITMAP_CLASSES; class ++) {
        make_parents(class);
        scrub_stack();
        gort_gc();
        gc_sweep_all();
        check_children(class);
    }
}

static const struct gc_test_options clobber_options = {
    .percent = -1, .gccheck = true, .gccheckmark = true, .clobber = true
};

int main(void)
{
    RUN_ON(every_slot_has_its_bits, 1);
    RUN_ON(no_slot_overlaps, 1);
    RUN_WITH(the_last_word_keeps, &clobber_options);
    return 0;
}
