/* Typed objects: one, many in a row, and one with a flexible array.
 *
 * What the collector needs to know of an object is derived here from its descriptor: a mask of its
 * words when it is small, else a layout word (Note [Layout words] in gc/gc.h).
 *
 * Answers to: newobject, newarray in malloc.go; heapSetType in mbitmap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/malloc.h"
#include "gort/mem.h"

static inline bool type_noscan(const struct gort_type *t)
{
    return (t->flags & GORT_TYPE_NOSCAN) != 0;
}

static inline size_t type_align(const struct gort_type *t)
{
    return t->align != 0 ? t->align : 1;
}

/* ---- one ------------------------------------------------------------------------------------- */

static never_inline void *new_any(const struct gort_type *t)
{
    struct shape s = { .size = t->size != 0 ? t->size : 1,
                       .align = type_align(t),
                       .noscan = type_noscan(t) || t->size < WORD_SIZE,
                       .mask = type_mask(t),
                       .layout = layout_word(t, LAYOUT_REPEAT, 0),
                       .call = "gort_new" };
    return alloc_any(&s);
}

void *gort_new_raw(const struct gort_type *t)
{
    if (unlikely(t->size > BITMAP_MAX || t->size < WORD_SIZE || t->align > 8 || type_noscan(t)))
        return new_any(t);
    struct shape s = { .size = t->size,
                       .align = 8,
                       .mask = type_mask(t),
                       .layout = layout_word(t, LAYOUT_REPEAT, 0),
                       .call = "gort_new" };
    return alloc_slot(&s, size_class_fine[(s.size + 7) / 8]);
}

/* ---- many ------------------------------------------------------------------------------------ */

/* The mask of an array of `total` bytes: an element's, repeated. */
static uint64_t array_mask(const struct gort_type *t, size_t total)
{
    uint64_t mask = 0, element = type_mask(t);
    if (t->flags & GORT_TYPE_CONSERVATIVE) return ones(total);
    for (size_t at = 0; at < total; at += t->size)
        mask |= element << at / WORD_SIZE;
    return mask;
}

void *gort_new_array_raw(const struct gort_type *t, size_t n)
{
    size_t total;
    if (mul_overflows(t->size, n, &total)) alloc_overflow_slow(n, t->size, "gort_new_array");
    struct shape s = { .size = total != 0 ? total : 1,
                       .align = type_align(t),
                       .noscan = type_noscan(t) || total < WORD_SIZE,
                       .layout = layout_word(t, LAYOUT_REPEAT, 0),
                       .call = "gort_new_array" };
    if (!s.noscan && total <= BITMAP_MAX) s.mask = array_mask(t, total);
    return alloc_any(&s);
}

/* ---- one with a flexible array --------------------------------------------------------------- */

struct flex {
    const struct gort_type *t;
    size_t offset, total;
    bool noscan; /* the elements */
};

static uint64_t flex_mask(const struct flex *f)
{
    size_t head = align_up(f->offset, WORD_SIZE);
    uint64_t mask = 0;
    if (!type_noscan(f->t)) mask = type_mask(f->t) & ones(head);
    if (!f->noscan) mask |= ones(f->total) & ~ones(head);
    return mask;
}

static uint64_t flex_layout(const struct flex *f)
{
    bool head_conservative = (f->t->flags & GORT_TYPE_CONSERVATIVE) != 0;
    if (f->noscan) return layout_word(f->t, LAYOUT_ONCE, 0);
    if (head_conservative || f->offset > LAYOUT_OFFSET_MAX)
        return layout_word(&alloc_conservative, LAYOUT_REPEAT, 0);
    return layout_word(f->t, LAYOUT_PREFIX, align_up(f->offset, WORD_SIZE));
}

void *gort_new_flex_raw(const struct gort_type *t, size_t offset, size_t elem_size,
                        bool elem_noscan, size_t n)
{
    struct flex f = { .t = t, .offset = offset, .noscan = elem_noscan };
    if (mul_overflows(elem_size, n, &f.total) || add_overflows(offset, f.total, &f.total))
        alloc_overflow_slow(n, elem_size, "gort_new_flex");
    if (f.total < t->size) f.total = t->size;
    struct shape s = { .size = f.total != 0 ? f.total : 1,
                       .align = type_align(t),
                       .noscan = (type_noscan(t) && elem_noscan) || f.total < WORD_SIZE,
                       .layout = flex_layout(&f),
                       .call = "gort_new_flex" };
    if (f.total <= BITMAP_MAX) s.mask = flex_mask(&f);
    return alloc_any(&s);
}
