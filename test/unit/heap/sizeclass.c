// Size classes: every size, every alignment, every division.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "heap_test.h"

TEST(every_size)
{
    for (size_t size = 0; size <= SMALL_MAX; size++) {
        unsigned c = size_class_of(size);
        CHECK_GE(c, 1);
        CHECK_LT(c, SIZE_CLASSES);
        CHECK_GE(size_class_table[c].size, size);
        if (c > 1) CHECK_LT(size_class_table[c - 1].size, size);
    }
    CHECK_EQ(size_class_table[SIZE_CLASSES - 1].size, SMALL_MAX);
}

// The closed form that inlined code has of the classes.
TEST(inline_classes)
{
    for (size_t n = 1; n <= GORT_SLOT_MAX; n++) {
        CHECK_EQ(GORT_SLOT_CLASS_(n), size_class_of(n));
        CHECK_EQ(GORT_SLOT_BYTES_(n), size_class_table[size_class_of(n)].size);
    }
}

TEST(every_alignment)
{
    for (size_t align = 1; align <= PAGE_BYTES; align *= 2)
        for (size_t size = 0; size <= SMALL_MAX; size++) {
            unsigned c = size_class_aligned(size, align);
            CHECK_NE(c, 0); // 32768 is a multiple of all
            CHECK_GE(size_class_table[c].size, size);
            CHECK_EQ(size_class_table[c].size % align, 0);
            for (unsigned k = size_class_of(size); k < c; k++)
                CHECK_NE(size_class_table[k].size % align, 0);
        }
    CHECK_EQ(size_class_aligned(SMALL_MAX + 1, 8), 0);
    CHECK_EQ(size_class_aligned(8, 2 * PAGE_BYTES), 0);
    CHECK_EQ(size_class_aligned(SIZE_MAX, 8), 0);
}

TEST(rounding_and_tails)
{
    for (unsigned c = 1; c < SIZE_CLASSES; c++) {
        const struct size_class *r = &size_class_table[c];
        size_t bytes = 0;
        CHECK_LE(r->nelems[0], r->nelems[1]);
        for (int noscan = 0; noscan < 2; noscan++) {
            size_t used = (size_t)r->nelems[noscan] * r->size;
            size_t tail = 0;
            bytes = r->npages[noscan] * PAGE_BYTES;
            if (r->size <= BITMAP_MAX && !noscan) tail = SPAN_POINTER_BITMAP + SPAN_BITMAP_TAIL;
            CHECK_LE(used + tail, bytes);
            CHECK_GT(used + tail + r->size, bytes); // not one more would fit
            CHECK_LE(r->nelems[noscan], 1024);
        }
        if (r->size <= BITMAP_MAX) CHECK_EQ(r->npages[0], 1);
        if (r->size <= BITMAP_MAX) CHECK_EQ(r->npages[1], r->size >= 64 ? 4 : 1);
        for (uint64_t offset = 0; offset < bytes; offset++)
            CHECK_EQ((offset * r->div_magic) >> 32, offset / r->size);
        if (r->size >= 16) CHECK_EQ(r->size % (r->size >= 32 ? 16 : 8), 0);
    }
}

TEST(tiny_class)
{
    CHECK_EQ(span_class_make(size_class_of(TINY_BYTES), true), TINY_SPAN_CLASS);
    CHECK_EQ(span_class_elem_size(TINY_SPAN_CLASS), TINY_BYTES);
    CHECK(span_class_noscan(TINY_SPAN_CLASS));
}

int main(void)
{
    RUN(every_size);
    RUN(inline_classes);
    RUN(every_alignment);
    RUN(rounding_and_tails);
    RUN(tiny_class);
    return 0;
}
