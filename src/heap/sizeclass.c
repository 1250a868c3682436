/* The size class tables, and aligned classes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/sizeclass.h"

#include "base/assert.h"
#include "base/bits.h"
#include "heap/sizeclass_gen.h"

_Static_assert(SIZE_CLASS_COUNT == SIZE_CLASSES, "the generator agrees");
_Static_assert(SIZE_CLASS_PAGES_MAX == SLOT_PAGES_MAX, "likewise");

const struct size_class size_class_table[SIZE_CLASSES] = { SIZE_CLASS_ROWS };
const uint8_t size_class_fine[SIZE_FINE_MAX / 8 + 1] = { SIZE_CLASS_FINE };
const uint8_t size_class_coarse[(SMALL_MAX - SIZE_FINE_MAX) / 128 + 1] = { SIZE_CLASS_COARSE };

unsigned size_class_aligned(size_t size, size_t align)
{
    assert_that(is_pow2(align));
    if (size > SMALL_MAX || align > PAGE_BYTES) return 0;
    /* Spans start at pages, so a slot is aligned when the slot size is a multiple. */
    for (unsigned c = size_class_of(size); c < SIZE_CLASSES; c++)
        if ((size_class_table[c].size & (align - 1)) == 0) return c;
    return 0;
}
