/* Slices: what the macros of gort/slice.h do not do inline.
 *
 * Growing makes a new array and copies; the old one is left to whoever has slices of it.  Nothing
 * here knows a slice's header: the macros read and write it, so that it can stay in registers.
 *
 * Note [Growing while marking].  The new array is black or on the stack when marking begins; the
 * old one is on the stack until its elements were copied, and what they point to is told to the
 * collector by gort_copy_raw.  The header still names the old array when gort_slice_grow_raw
 * returns, and the caller overwrites it without a barrier: Note [Header stores] in gort/slice.h has
 * what is logged here for that (log_headers), and why no stop between the two loses an array.
 *
 * Rejected: growing an array in its place, by the free pages behind it.  It would save copies of
 * large ones, but a slice made before would then share elements appended after; and to which length
 * depends on luck.
 *
 * Locking: none.
 * Answers to: slice.go, slices.Insert and slices.Delete, the panics of panic.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/slice.h"

#include <stdio.h>

#include "alloc/grow.h"
#include "base/bits.h"
#include "gort/panic.h"
#include "lang/lang.h"

/* ---- panics ---------------------------------------------------------------------------------- */

struct bounds_text {
    const char *negative, *both; /* with x alone, with x and y */
};

static const struct bounds_text bounds_texts[] = {
    [GORT_BOUNDS_INDEX] = { "index out of range [%ld]",
                            "index out of range [%ld] with length %ld" },
    [GORT_BOUNDS_HIGH_CAP] = { "slice bounds out of range [:%ld]",
                               "slice bounds out of range [:%ld] with capacity %ld" },
    [GORT_BOUNDS_HIGH_LEN] = { "slice bounds out of range [:%ld]",
                               "slice bounds out of range [:%ld] with length %ld" },
    [GORT_BOUNDS_LOW] = { "slice bounds out of range [%ld:]",
                          "slice bounds out of range [%ld:%ld]" },
    [GORT_BOUNDS3_MAX] = { "slice bounds out of range [::%ld]",
                           "slice bounds out of range [::%ld] with capacity %ld" },
    [GORT_BOUNDS3_HIGH] = { "slice bounds out of range [:%ld:]",
                            "slice bounds out of range [:%ld:%ld]" },
    [GORT_BOUNDS3_LOW] = { "slice bounds out of range [%ld::]",
                           "slice bounds out of range [%ld:%ld:]" },
};

cold_path void gort_bounds_panic_raw(unsigned kind, int64_t x, int64_t y)
{
    char text[128];
    const struct bounds_text *t = &bounds_texts[kind < array_len(bounds_texts) ? kind : 0];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, x < 0 ? t->negative : t->both, (long)x, (long)y);
#pragma GCC diagnostic pop
    gort_panic("runtime error: %s", text);
}

/* ---- making and growing ---------------------------------------------------------------------- */

static bool too_many(const struct gort_type *t, size_t n)
{
    size_t bytes;
    return mul_overflows(n, t->size, &bytes) || bytes > ALLOC_ARRAY_MAX;
}

void *gort_slice_make_raw(const struct gort_type *t, int64_t len, int64_t cap)
{
    if (len < 0 || too_many(t, (size_t)len))
        gort_panic("runtime error: makeslice: len out of range");
    if (cap < len || too_many(t, (size_t)cap))
        gort_panic("runtime error: makeslice: cap out of range");
    return gort_new_array_raw(t, (size_t)cap);
}

#define DOUBLED_MAX 256 /* elements up to which a capacity doubles */

/* At least `need`: from twice as much for few elements it goes smoothly to a quarter more. */
static size_t next_cap(size_t cap, size_t need)
{
    if (need > cap * 2) return need;
    if (cap < DOUBLED_MAX) return cap * 2;
    while (cap < need)
        cap += (cap + 3 * DOUBLED_MAX) / 4;
    return cap;
}

/* Elements that a new array has room for. */
static size_t grown_cap(const struct gort_type *t, size_t cap, size_t need)
{
    if (t->size == 0) return need;
    size_t n = next_cap(cap, need);
    if (too_many(t, need)) gort_panic("runtime error: growslice: len out of range");
    if (too_many(t, n)) n = need;
    return alloc_array_room(t, n * t->size) / t->size;
}

static void log_headers(void *old, void *new)
{
    crit_enter();
    if (unlikely(barrier_on())) barrier_log(old, new);
    crit_exit();
}

/* Elements go into an array that nobody else knows. */
static void fill(const struct gort_type *t, char *array, size_t at, const void *src, size_t n)
{
    if (n != 0) gort_copy_raw(t, array + at * t->size, src, n);
}

never_inline struct gort_array gort_slice_grow_raw(const struct gort_type *t, void *ptr, size_t len,
                                                   size_t cap, size_t extra)
{
    size_t need;
    if (add_overflows(len, extra, &need) || need > INT64_MAX)
        gort_panic("runtime error: growslice: len out of range");
    if (need <= cap) return (struct gort_array){ ptr, cap };
    size_t n = grown_cap(t, cap, need);
    char *array = alloc_array(t, n * t->size, len * t->size, "gort_slice_append");
    fill(t, array, 0, ptr, len);
    log_headers(ptr, array);
    gort_keep_alive(ptr);
    return (struct gort_array){ array, n };
}

/* ---- inserting and deleting ------------------------------------------------------------------ */

static bool overlap(const void *a, const void *b, size_t b_bytes, size_t a_bytes)
{
    uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
    return x < y + b_bytes && y < x + a_bytes;
}

/* Into a new array: the three parts in their places. */
static struct gort_array insert_growing(const struct gort_type *t, const char *ptr, size_t len,
                                        size_t cap, size_t i, const void *src, size_t n)
{
    size_t need;
    if (add_overflows(len, n, &need) || need > INT64_MAX)
        gort_panic("runtime error: growslice: len out of range");
    size_t room = grown_cap(t, cap, need);
    char *array = alloc_array(t, room * t->size, need * t->size, "gort_slice_insert");
    fill(t, array, 0, ptr, i);
    fill(t, array, i, src, n);
    fill(t, array, i + n, ptr + i * t->size, len - i);
    log_headers((void *)(uintptr_t)ptr, array);
    gort_keep_alive(ptr);
    return (struct gort_array){ array, room };
}

struct gort_array gort_slice_insert_raw(const struct gort_type *t, struct gort_array s, size_t len,
                                        int64_t at, const void *src, size_t n)
{
    size_t i = (size_t)at;
    char *p = s.ptr;
    if (i > len) gort_bounds_panic_raw(GORT_BOUNDS_LOW, at, (int64_t)len);
    if (n == 0) return s;
    if (n > s.cap - len) return insert_growing(t, p, len, s.cap, i, src, n);
    void *values = (void *)(uintptr_t)src;
    if (overlap(src, p, (len + n) * t->size, n * t->size)) { /* moving would change them */
        values = gort_new_array_raw(t, n);
        fill(t, values, 0, src, n);
    }
    fill(t, p, i + n, p + i * t->size, len - i);
    fill(t, p, i, values, n);
    gort_keep_alive(values);
    return s;
}

size_t gort_slice_delete_raw(const struct gort_type *t, void *ptr, size_t len, int64_t i, int64_t j)
{
    char *p = ptr;
    gort_bounds3_(i, j, (int64_t)len, len);
    if (i == j) return len;
    size_t gone = (size_t)(j - i), left = len - gone;
    fill(t, p, (size_t)i, p + (size_t)j * t->size, len - (size_t)j);
    gort_clear_raw(t, p + left * t->size, gone);
    return left;
}
