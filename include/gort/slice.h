/* Slices: views of arrays that grow.
 *
 *     typedef gort_slice(int) ints;
 *     ints s = { 0 };
 *     gort_slice_append(int, &s, 42);
 *     gort_slice_at(s, 0)++;                     checked: panics out of range
 *     for (size_t i = 0; i < s.len; i++) sum += s.ptr[i];
 *     ints tail = gort_slice_sub(s, 1, s.len);   the same array
 *
 * A slice is a plain struct of pointer, length and capacity; all zero it is empty.  Copies of it,
 * and sub-slices, share one array, of which the collector keeps all while anything points into it.
 * What lies between length and capacity belongs to whoever appends.  Growing makes a new array;
 * slices of the old one keep the old one.  A slice is not locked: goroutines that share one take
 * turns.
 *
 * Calls that make or move elements take the element's type first, one identifier, like gort_new:
 * they find what GORT_TYPE said of it, and it must be the slice's.  They take the slice's address,
 * which may lie anywhere, in collected memory too: no barrier is needed around them.  But a whole
 * slice that is stored anywhere but in a local variable goes through gort_slice_set, and a pointer
 * stored in an element through gort_set(&gort_slice_at(s, i), p).
 *
 * Indices are taken as int64_t; one that does not fit panics with Go's message.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SLICE_H
#define GORT_SLICE_H

#include <gort/base.h>
#include <gort/mem.h>
#include <gort/type.h>

/* The type of a slice of T.  In C each use is a type of its own: give it a name by typedef.  T may
 * be any complete type but an array. */
#ifdef __cplusplus
extern "C++" {
template <typename T> struct gort_slice_of {
    T *ptr;
    size_t len;
    size_t cap;
};
}
#define gort_slice(...) ::gort_slice_of<__VA_ARGS__>
#define GORT_AUTO_ auto
#else
#define gort_slice(...)                                                                            \
    struct {                                                                                       \
        __typeof__(__VA_ARGS__) *ptr;                                                              \
        size_t len;                                                                                \
        size_t cap;                                                                                \
    }
#define GORT_AUTO_ __auto_type
#endif

GORT_BEGIN_DECLS

/* What the macros call. */

/* An array and how many elements it has room for. */
struct gort_array {
    void *ptr;
    size_t cap;
};
/* A new array of cap zeroed elements, of which len are in use.  Panics when that can not be. */
GORT_API void *gort_slice_make_raw(const struct gort_type *type, int64_t len, int64_t cap)
    GORT_NONNULL(1);
/* Room for at least extra more elements behind len ones: a new array with those, by Go's rule of
 * growth. */
GORT_API struct gort_array gort_slice_grow_raw(const struct gort_type *type, void *ptr, size_t len,
                                               size_t cap, size_t extra) GORT_NONNULL(1);
/* Room for n elements at i and their values. */
GORT_API struct gort_array gort_slice_insert_raw(const struct gort_type *type,
                                                 struct gort_array array, size_t len, int64_t i,
                                                 const void *src, size_t n) GORT_NONNULL(1);
/* Takes [i, j) of len elements away; returns how many are left. */
GORT_API size_t gort_slice_delete_raw(const struct gort_type *type, void *ptr, size_t len,
                                      int64_t i, int64_t j) GORT_NONNULL(1);
/* Sorts n elements.  kind: GORT_SORT_ and the bytes of a number. */
GORT_API void gort_slice_sort_raw(void *ptr, size_t n, unsigned kind);
#define GORT_SORT_SIGNED 16u
#define GORT_SORT_FLOAT 32u
typedef int (*gort_compare_)(const void *a, const void *b);
GORT_API void gort_slice_sort_func_raw(const struct gort_type *type, void *ptr, size_t n,
                                       gort_compare_ compare) GORT_NONNULL(1, 4);
GORT_API void gort_slice_sort_stable_raw(const struct gort_type *type, void *ptr, size_t n,
                                         gort_compare_ compare) GORT_NONNULL(1, 4);

/* Panics: what was asked for, and what there is.  Kinds: GORT_BOUNDS_. */
GORT_API void gort_bounds_panic_raw(unsigned kind, int64_t x, int64_t y) GORT_NORETURN
    __attribute__((__cold__));
enum {
    GORT_BOUNDS_INDEX,    /* s[x], of length y */
    GORT_BOUNDS_HIGH_CAP, /* s[:x], of capacity y */
    GORT_BOUNDS_HIGH_LEN, /* s[:x], of length y */
    GORT_BOUNDS_LOW,      /* s[x:y] */
    GORT_BOUNDS3_MAX,     /* s[::x], of capacity y */
    GORT_BOUNDS3_HIGH,    /* s[:x:y] */
    GORT_BOUNDS3_LOW      /* s[x:y:] */
};

__attribute__((__always_inline__)) static inline size_t gort_index_(int64_t i, size_t len)
{
    if (__builtin_expect((uint64_t)i >= len, 0))
        gort_bounds_panic_raw(GORT_BOUNDS_INDEX, i, (int64_t)len);
    return (size_t)i;
}
__attribute__((__always_inline__)) static inline void gort_bounds_(int64_t lo, int64_t hi,
                                                                   size_t cap)
{
    if (__builtin_expect((uint64_t)hi > cap, 0))
        gort_bounds_panic_raw(GORT_BOUNDS_HIGH_CAP, hi, (int64_t)cap);
    if (__builtin_expect((uint64_t)lo > (uint64_t)hi, 0))
        gort_bounds_panic_raw(GORT_BOUNDS_LOW, lo, hi);
}
__attribute__((__always_inline__)) static inline void gort_bounds3_(int64_t lo, int64_t hi,
                                                                    int64_t max, size_t cap)
{
    if (__builtin_expect((uint64_t)max > cap, 0))
        gort_bounds_panic_raw(GORT_BOUNDS3_MAX, max, (int64_t)cap);
    if (__builtin_expect((uint64_t)hi > (uint64_t)max, 0))
        gort_bounds_panic_raw(GORT_BOUNDS3_HIGH, hi, max);
    if (__builtin_expect((uint64_t)lo > (uint64_t)hi, 0))
        gort_bounds_panic_raw(GORT_BOUNDS3_LOW, lo, hi);
}

/* Stores an element that may hold pointers. */
__attribute__((__always_inline__)) static inline void gort_store_element_(
    const struct gort_type *type, void *slot, const void *value, size_t size, bool is_pointer)
{
    void *word = NULL;
    if (!is_pointer) {
        gort_copy_raw(type, slot, value, 1);
        return;
    }
    __builtin_memcpy(&word, value, size < sizeof word ? size : sizeof word);
    gort_store_pointer((void **)slot, word);
}

GORT_END_DECLS

/* Note [Header stores].  gort_slice_grow_raw tells the collector, if it marks, of the old array and
 * of the new one; then the header, which may lie in collected memory, is written by plain stores.
 * Between the two marking may begin: both pointers are in this function's frame or registers, up to
 * the statement below, and no goroutine goes on after that stop before these were scanned.  So both
 * arrays are kept as by a barrier, and the header's address is given to nobody: a local one stays
 * in registers. */
#define GORT_SLICE_HEADER_(s, old, array)                                                          \
    (s)->ptr = (__typeof__((s)->ptr))(array).ptr;                                                  \
    (s)->cap = (array).cap;                                                                        \
    __asm__ volatile("" : : "r"(old), "r"((array).ptr) : "memory")

/* Defines gort_desc_<id>, the descriptor of T, and gort_s_<id>, the address of a slice of T. */
#define GORT_SLICE_OF_(id, T, symbol, name, s)                                                     \
    GORT_TYPE_FIND_(id, T, symbol, name);                                                          \
    GORT_AUTO_ const gort_s_##id = (s);                                                            \
    GORT_STRICT_BEGIN_                                                                             \
    T *const gort_check_##id = gort_s_##id->ptr;                                                   \
    GORT_STRICT_END_(void) gort_check_##id
#define GORT_SLICE_ROOM_(id, n)                                                                    \
    if (__builtin_expect((n) > gort_s_##id->cap - gort_s_##id->len, 0)) {                          \
        void *const gort_old_##id = gort_s_##id->ptr;                                              \
        const struct gort_array gort_array_##id = gort_slice_grow_raw(                             \
            gort_desc_##id, gort_old_##id, gort_s_##id->len, gort_s_##id->cap, (n));               \
        GORT_SLICE_HEADER_(gort_s_##id, gort_old_##id, gort_array_##id);                           \
    }                                                                                              \
    (void)0

/* S gort_slice_make(S, T, int64_t len, int64_t cap): a slice of the type S, a slice of T, with len
 * zeroed elements and room for cap, all in one new array.  Panics as Go does when len or cap is
 * negative or their bytes overflow, or cap is below len. */
#define gort_slice_make(S, T, len, cap)                                                            \
    GORT_APPLY_(GORT_SLICE_MAKE_, __COUNTER__, S, T, gort_type_##T, #T, len, cap)
#define GORT_SLICE_MAKE_(id, S, T, symbol, name, length, capacity)                                 \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        const int64_t gort_len_##id = (int64_t)(length), gort_cap_##id = (int64_t)(capacity);      \
        T *const gort_made_##id =                                                                  \
            (T *)gort_slice_make_raw(gort_desc_##id, gort_len_##id, gort_cap_##id);                \
        GORT_STRICT_BEGIN_                                                                         \
        S gort_slice_##id = { gort_made_##id, (size_t)gort_len_##id, (size_t)gort_cap_##id };      \
        GORT_STRICT_END_                                                                           \
        gort_slice_##id;                                                                           \
    })

/* void gort_slice_append(T, slice *s, T value): adds value at the end; value may be a compound
 * literal.  A full array is replaced by a larger one: twice as large up to 256 elements, then less
 * and less, a quarter in the end, rounded up to what an allocation has room for.  Panics when the
 * length overflows. */
#define gort_slice_append(T, s, ...)                                                               \
    GORT_APPLY_(GORT_SLICE_APPEND_, __COUNTER__, T, gort_type_##T, #T, s, __VA_ARGS__)
#define GORT_SLICE_APPEND_(id, T, symbol, name, s, ...)                                            \
    __extension__({                                                                                \
        GORT_SLICE_OF_(id, T, symbol, name, s);                                                    \
        GORT_STRICT_BEGIN_                                                                         \
        T gort_value_##id = (__VA_ARGS__);                                                         \
        GORT_STRICT_END_                                                                           \
        if (__builtin_expect(gort_s_##id->len == gort_s_##id->cap, 0)) {                           \
            void *const gort_old_##id = gort_s_##id->ptr;                                          \
            const struct gort_array gort_array_##id = gort_slice_grow_raw(                         \
                gort_desc_##id, gort_old_##id, gort_s_##id->len, gort_s_##id->cap, 1);             \
            GORT_SLICE_HEADER_(gort_s_##id, gort_old_##id, gort_array_##id);                       \
        }                                                                                          \
        if ((gort_desc_##id->flags & GORT_TYPE_NOSCAN) != 0 || sizeof(T) < sizeof(void *))         \
            gort_s_##id->ptr[gort_s_##id->len] = gort_value_##id;                                  \
        else                                                                                       \
            gort_store_element_(gort_desc_##id, &gort_s_##id->ptr[gort_s_##id->len],               \
                                &gort_value_##id, sizeof(T), GORT_IS_POINTER_(gort_value_##id));   \
        gort_s_##id->len++;                                                                        \
        (void)0;                                                                                   \
    })

/* void gort_slice_append_n(T, slice *s, const T *src, size_t n): adds n elements, which may be the
 * slice's own. */
#define gort_slice_append_n(T, s, src, n)                                                          \
    GORT_APPLY_(GORT_SLICE_APPEND_N_, __COUNTER__, T, gort_type_##T, #T, s, src, n)
#define GORT_SLICE_APPEND_N_(id, T, symbol, name, s, src, n)                                       \
    __extension__({                                                                                \
        GORT_SLICE_OF_(id, T, symbol, name, s);                                                    \
        GORT_STRICT_BEGIN_                                                                         \
        const T *const gort_src_##id = (src);                                                      \
        GORT_STRICT_END_                                                                           \
        const size_t gort_n_##id = (n);                                                            \
        GORT_SLICE_ROOM_(id, gort_n_##id);                                                         \
        if (gort_n_##id != 0)                                                                      \
            gort_copy_raw(gort_desc_##id, gort_s_##id->ptr + gort_s_##id->len, gort_src_##id,      \
                          gort_n_##id);                                                            \
        gort_s_##id->len += gort_n_##id;                                                           \
        (void)0;                                                                                   \
    })

/* void gort_slice_append_slice(T, slice *s, slice other): adds the elements of another slice, or of
 * the same. */
#define gort_slice_append_slice(T, s, ...)                                                         \
    GORT_APPLY_(GORT_SLICE_APPEND_SLICE_, __COUNTER__, T, gort_type_##T, #T, s, __VA_ARGS__)
#define GORT_SLICE_APPEND_SLICE_(id, T, symbol, name, s, ...)                                      \
    __extension__({                                                                                \
        GORT_AUTO_ gort_other_##id = (__VA_ARGS__);                                                \
        GORT_SLICE_APPEND_N_(id, T, symbol, name, s, gort_other_##id.ptr, gort_other_##id.len);    \
    })

/* void gort_slice_grow(T, slice *s, size_t n): makes room for n more elements; the length stays. */
#define gort_slice_grow(T, s, n)                                                                   \
    GORT_APPLY_(GORT_SLICE_GROW_, __COUNTER__, T, gort_type_##T, #T, s, n)
#define GORT_SLICE_GROW_(id, T, symbol, name, s, n)                                                \
    __extension__({                                                                                \
        GORT_SLICE_OF_(id, T, symbol, name, s);                                                    \
        const size_t gort_n_##id = (n);                                                            \
        GORT_SLICE_ROOM_(id, gort_n_##id);                                                         \
    })

/* void gort_slice_insert(T, slice *s, int64_t i, const T *src, size_t n): puts n elements, which
 * may be the slice's own, before element i; i may be the length.  Panics when it is beyond. */
#define gort_slice_insert(T, s, i, src, n)                                                         \
    GORT_APPLY_(GORT_SLICE_INSERT_, __COUNTER__, T, gort_type_##T, #T, s, i, src, n)
#define GORT_SLICE_INSERT_(id, T, symbol, name, s, i, src, n)                                      \
    __extension__({                                                                                \
        GORT_SLICE_OF_(id, T, symbol, name, s);                                                    \
        GORT_STRICT_BEGIN_                                                                         \
        const T *const gort_src_##id = (src);                                                      \
        GORT_STRICT_END_                                                                           \
        const size_t gort_n_##id = (n);                                                            \
        const int64_t gort_i_##id = (int64_t)(i);                                                  \
        const struct gort_array gort_old_##id = { gort_s_##id->ptr, gort_s_##id->cap };            \
        const struct gort_array gort_array_##id =                                                  \
            gort_slice_insert_raw(gort_desc_##id, gort_old_##id, gort_s_##id->len, gort_i_##id,    \
                                  gort_src_##id, gort_n_##id);                                     \
        GORT_SLICE_HEADER_(gort_s_##id, gort_old_##id.ptr, gort_array_##id);                       \
        gort_s_##id->len += gort_n_##id;                                                           \
        (void)0;                                                                                   \
    })

/* void gort_slice_delete(T, slice *s, int64_t i, int64_t j): takes elements i to j - 1 away, moves
 * those behind them up, and zeroes what that leaves at the end.  Panics when they are not there. */
#define gort_slice_delete(T, s, i, j)                                                              \
    GORT_APPLY_(GORT_SLICE_DELETE_, __COUNTER__, T, gort_type_##T, #T, s, i, j)
#define GORT_SLICE_DELETE_(id, T, symbol, name, s, i, j)                                           \
    __extension__({                                                                                \
        GORT_SLICE_OF_(id, T, symbol, name, s);                                                    \
        const int64_t gort_i_##id = (int64_t)(i), gort_j_##id = (int64_t)(j);                      \
        gort_s_##id->len = gort_slice_delete_raw(gort_desc_##id, gort_s_##id->ptr,                 \
                                                 gort_s_##id->len, gort_i_##id, gort_j_##id);      \
        (void)0;                                                                                   \
    })

/* size_t gort_slice_copy(T, slice dst, slice src): copies as many elements as both have; returns
 * how many.  They may overlap. */
#define gort_slice_copy(T, dst, src)                                                               \
    GORT_APPLY_(GORT_SLICE_COPY_, __COUNTER__, T, gort_type_##T, #T, dst, src)
#define GORT_SLICE_COPY_(id, T, symbol, name, dst, src)                                            \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        GORT_AUTO_ const gort_dst_##id = (dst);                                                    \
        GORT_AUTO_ const gort_src_##id = (src);                                                    \
        GORT_STRICT_BEGIN_                                                                         \
        T *const gort_to_##id = gort_dst_##id.ptr;                                                 \
        const T *const gort_from_##id = gort_src_##id.ptr;                                         \
        GORT_STRICT_END_                                                                           \
        const size_t gort_n_##id =                                                                 \
            gort_dst_##id.len < gort_src_##id.len ? gort_dst_##id.len : gort_src_##id.len;         \
        if (gort_n_##id != 0)                                                                      \
            gort_copy_raw(gort_desc_##id, gort_to_##id, gort_from_##id, gort_n_##id);              \
        gort_n_##id;                                                                               \
    })

/* slice gort_slice_clone(T, slice s): the same elements in an array of their own; of an all zero
 * slice, the same. */
#define gort_slice_clone(T, s) GORT_APPLY_(GORT_SLICE_CLONE_, __COUNTER__, T, gort_type_##T, #T, s)
#define GORT_SLICE_CLONE_(id, T, symbol, name, s)                                                  \
    __extension__({                                                                                \
        GORT_AUTO_ gort_from_##id = (s);                                                           \
        __typeof__(gort_from_##id) gort_clone_##id = { 0, 0, 0 };                                  \
        if (gort_from_##id.ptr != NULL)                                                            \
            GORT_SLICE_APPEND_N_(id, T, symbol, name, &gort_clone_##id, gort_from_##id.ptr,        \
                                 gort_from_##id.len);                                              \
        gort_clone_##id;                                                                           \
    })

/* void gort_slice_set(slice *dst, slice value): *dst = value with the write barrier: wherever the
 * slot is not a local variable. */
#define gort_slice_set(dst, ...) GORT_APPLY_(GORT_SLICE_SET_, __COUNTER__, dst, __VA_ARGS__)
#define GORT_SLICE_SET_(id, dst, ...)                                                              \
    __extension__({                                                                                \
        GORT_AUTO_ const gort_slot_##id = (dst);                                                   \
        __typeof__(*gort_slot_##id) gort_value_##id = (__VA_ARGS__);                               \
        gort_store_pointer((void **)GORT_UNTYPED_(&gort_slot_##id->ptr),                           \
                           GORT_UNTYPED_(gort_value_##id.ptr));                                    \
        gort_slot_##id->len = gort_value_##id.len;                                                 \
        gort_slot_##id->cap = gort_value_##id.cap;                                                 \
        (void)0;                                                                                   \
    })

/* T gort_slice_at(slice s, int64_t i): element i, which may be assigned to; panics when there is
 * none.  Where that is known, s.ptr[i] does without the test. */
#define gort_slice_at(s, i) (*GORT_APPLY_(GORT_SLICE_AT_, __COUNTER__, s, i))
#define GORT_SLICE_AT_(id, s, i)                                                                   \
    __extension__({                                                                                \
        GORT_AUTO_ const gort_s_##id = (s);                                                        \
        &gort_s_##id.ptr[gort_index_((int64_t)(i), gort_s_##id.len)];                              \
    })

/* slice gort_slice_sub(slice s, int64_t lo, int64_t hi): elements lo to hi - 1 of the same array;
 * hi may go up to the capacity, which ends where that of s does.  Panics unless 0 <= lo <= hi <=
 * s.cap. */
#define gort_slice_sub(s, lo, hi) GORT_APPLY_(GORT_SLICE_SUB_, __COUNTER__, s, lo, hi)
#define GORT_SLICE_SUB_(id, s, lo, hi)                                                             \
    __extension__({                                                                                \
        GORT_AUTO_ gort_s_##id = (s);                                                              \
        const int64_t gort_lo_##id = (int64_t)(lo), gort_hi_##id = (int64_t)(hi);                  \
        gort_bounds_(gort_lo_##id, gort_hi_##id, gort_s_##id.cap);                                 \
        GORT_SLICE_PART_(id, gort_s_##id.cap);                                                     \
    })

/* slice gort_slice_sub3(slice s, int64_t lo, int64_t hi, int64_t max): the same with max as the end
 * of the capacity: who appends to it does not write behind max.  Panics unless 0 <= lo <= hi <= max
 * <= s.cap. */
#define gort_slice_sub3(s, lo, hi, max) GORT_APPLY_(GORT_SLICE_SUB3_, __COUNTER__, s, lo, hi, max)
#define GORT_SLICE_SUB3_(id, s, lo, hi, max)                                                       \
    __extension__({                                                                                \
        GORT_AUTO_ gort_s_##id = (s);                                                              \
        const int64_t gort_lo_##id = (int64_t)(lo), gort_hi_##id = (int64_t)(hi),                  \
                      gort_max_##id = (int64_t)(max);                                              \
        gort_bounds3_(gort_lo_##id, gort_hi_##id, gort_max_##id, gort_s_##id.cap);                 \
        GORT_SLICE_PART_(id, (size_t)gort_max_##id);                                               \
    })
/* Without room it points to where s does: what lies behind the array is not kept. */
#define GORT_SLICE_PART_(id, end)                                                                  \
    __typeof__(gort_s_##id) gort_part_##id = {                                                     \
        gort_s_##id.ptr + ((size_t)gort_lo_##id != (end) ? gort_lo_##id : 0),                      \
        (size_t)(gort_hi_##id - gort_lo_##id), (end) - (size_t)gort_lo_##id                        \
    };                                                                                             \
    gort_part_##id

/* slice gort_slice_clip(slice s): the same without room: appending to it makes a new array. */
#define gort_slice_clip(s) GORT_APPLY_(GORT_SLICE_CLIP_, __COUNTER__, s)
#define GORT_SLICE_CLIP_(id, s)                                                                    \
    __extension__({                                                                                \
        GORT_AUTO_ gort_s_##id = (s);                                                              \
        __typeof__(gort_s_##id) gort_clip_##id = { gort_s_##id.ptr, gort_s_##id.len,               \
                                                   gort_s_##id.len };                              \
        gort_clip_##id;                                                                            \
    })

/* ptrdiff_t gort_slice_index(slice s, T value): the first element equal to value by ==, or -1. */
#define gort_slice_index(s, ...) GORT_APPLY_(GORT_SLICE_INDEX_, __COUNTER__, s, __VA_ARGS__)
#define GORT_SLICE_INDEX_(id, s, ...)                                                              \
    __extension__({                                                                                \
        GORT_AUTO_ const gort_s_##id = (s);                                                        \
        GORT_STRICT_BEGIN_                                                                         \
        __typeof__(*gort_s_##id.ptr) gort_value_##id = (__VA_ARGS__);                              \
        GORT_STRICT_END_                                                                           \
        size_t gort_i_##id = 0;                                                                    \
        while (gort_i_##id < gort_s_##id.len && gort_s_##id.ptr[gort_i_##id] != gort_value_##id)   \
            gort_i_##id++;                                                                         \
        gort_i_##id < gort_s_##id.len ? (ptrdiff_t)gort_i_##id : -1;                               \
    })

/* ptrdiff_t gort_slice_index_func(slice s, bool (*is)(const T *, void *), void *arg): the first
 * element for which is(element, arg), or -1. */
#define gort_slice_index_func(s, is, arg)                                                          \
    GORT_APPLY_(GORT_SLICE_INDEX_FUNC_, __COUNTER__, s, is, arg)
#define GORT_SLICE_INDEX_FUNC_(id, s, is, arg)                                                     \
    __extension__({                                                                                \
        GORT_AUTO_ const gort_s_##id = (s);                                                        \
        GORT_STRICT_BEGIN_                                                                         \
        bool (*const gort_is_##id)(const __typeof__(*gort_s_##id.ptr) *, void *) = (is);           \
        GORT_STRICT_END_                                                                           \
        void *const gort_arg_##id = (arg);                                                         \
        size_t gort_i_##id = 0;                                                                    \
        while (gort_i_##id < gort_s_##id.len &&                                                    \
               !gort_is_##id(&gort_s_##id.ptr[gort_i_##id], gort_arg_##id))                        \
            gort_i_##id++;                                                                         \
        gort_i_##id < gort_s_##id.len ? (ptrdiff_t)gort_i_##id : -1;                               \
    })

/* size_t gort_slice_search(slice s, const T *key, int (*compare)(const T *a, const T *b), bool
 * *found): in a slice sorted by compare, where the first element that is not below *key is, or
 * would be: the length at most.  *found says whether it equals *key; found may be NULL. */
#define gort_slice_search(s, key, compare, found)                                                  \
    GORT_APPLY_(GORT_SLICE_SEARCH_, __COUNTER__, s, key, compare, found)
#define GORT_SLICE_SEARCH_(id, s, key, compare, found)                                             \
    __extension__({                                                                                \
        GORT_AUTO_ const gort_s_##id = (s);                                                        \
        GORT_STRICT_BEGIN_                                                                         \
        const __typeof__(*gort_s_##id.ptr) *const gort_key_##id = (key);                           \
        int (*const gort_compare_##id)(const __typeof__(*gort_s_##id.ptr) *,                       \
                                       const __typeof__(*gort_s_##id.ptr) *) = (compare);          \
        bool *const gort_found_##id = (found);                                                     \
        GORT_STRICT_END_                                                                           \
        size_t gort_lo_##id = 0, gort_hi_##id = gort_s_##id.len;                                   \
        while (gort_lo_##id < gort_hi_##id) {                                                      \
            const size_t gort_mid_##id = gort_lo_##id + (gort_hi_##id - gort_lo_##id) / 2;         \
            if (gort_compare_##id(&gort_s_##id.ptr[gort_mid_##id], gort_key_##id) < 0)             \
                gort_lo_##id = gort_mid_##id + 1;                                                  \
            else                                                                                   \
                gort_hi_##id = gort_mid_##id;                                                      \
        }                                                                                          \
        if (gort_found_##id != NULL)                                                               \
            *gort_found_##id =                                                                     \
                gort_lo_##id < gort_s_##id.len &&                                                  \
                gort_compare_##id(&gort_s_##id.ptr[gort_lo_##id], gort_key_##id) == 0;             \
        gort_lo_##id;                                                                              \
    })

/* void gort_slice_sort(slice s): numbers in ascending order; NaNs come first. */
#define gort_slice_sort(s) GORT_APPLY_(GORT_SLICE_SORT_, __COUNTER__, s)
#define GORT_SLICE_SORT_(id, s)                                                                    \
    __extension__({                                                                                \
        GORT_AUTO_ const gort_s_##id = (s);                                                        \
        GORT_STATIC_ASSERT_(GORT_TYPE_IS_ARITHMETIC_(__typeof__(*gort_s_##id.ptr)) &&              \
                                sizeof(*gort_s_##id.ptr) <= 8,                                     \
                            "gort_slice_sort: sorts numbers of at most 8 bytes");                  \
        gort_slice_sort_raw(gort_s_##id.ptr, gort_s_##id.len,                                      \
                            GORT_SORT_KIND_(__typeof__(*gort_s_##id.ptr)));                        \
    })
/* A bool is not a float: (bool)1.5 is 1. */
#define GORT_SORT_KIND_(T)                                                                         \
    ((unsigned)sizeof(T) | ((T)1.5 > (T)1 ? GORT_SORT_FLOAT : (T)-1 < (T)1 ? GORT_SORT_SIGNED : 0u))

/* void gort_slice_sort_func(T, slice s, int (*compare)(const T *a, const T *b)): ascending by
 * compare, which returns what is negative, 0 or positive.  Equal elements come in any order.  A
 * compare that contradicts itself gives some order; one that panics leaves all elements in the
 * slice. */
#define gort_slice_sort_func(T, s, compare)                                                        \
    GORT_APPLY_(GORT_SLICE_SORT_FUNC_, __COUNTER__, T, gort_type_##T, #T, s, compare,              \
                gort_slice_sort_func_raw)
/* The same, and equal elements keep their order. */
#define gort_slice_sort_stable(T, s, compare)                                                      \
    GORT_APPLY_(GORT_SLICE_SORT_FUNC_, __COUNTER__, T, gort_type_##T, #T, s, compare,              \
                gort_slice_sort_stable_raw)
#define GORT_SLICE_SORT_FUNC_(id, T, symbol, name, s, compare, call)                               \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(id, T, symbol, name);                                                      \
        GORT_AUTO_ const gort_s_##id = (s);                                                        \
        GORT_STRICT_BEGIN_                                                                         \
        T *const gort_ptr_##id = gort_s_##id.ptr;                                                  \
        int (*const gort_order_##id)(const T *, const T *) = (compare);                            \
        GORT_STRICT_END_                                                                           \
        call(gort_desc_##id, gort_ptr_##id, gort_s_##id.len,                                       \
             (gort_compare_)GORT_UNTYPED_FUNCTION_(gort_order_##id));                              \
    })
#define GORT_UNTYPED_FUNCTION_(f) ((void (*)(void))(f))

#ifdef __cplusplus
#include <gort/cxx.h>
#endif

#endif
