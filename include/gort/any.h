/* Values of any type, with their type.
 *
 *     gort_any a = gort_any_make(int, 42);
 *     int i = gort_any_get(int, a);                 panics if it is no int
 *     double d;
 *     if (gort_any_as(double, a, &d)) ...           false
 *     if (gort_any_convert(double, a, &d)) ...      42.0
 *     gort_field_set(gort_type_of(node), n, "count", a);
 *
 * All zero it is nil, of no type.  The value is a copy that nobody changes: a collected object, not
 * scanned if it holds no pointers; pointers, maps, channels and functions are kept without one.
 * Copies of a gort_any share it.  Stored anywhere but in a local variable it goes through
 * gort_any_set or gort_copy.
 *
 * Types are compared by gort_reflect_same (reflect.h).  So numbers are of one type when C has no
 * way to tell them apart: int and int32_t, but not int and unsigned.  No call blocks.
 *
 * In C what is documented here as a function may be a macro (base.h, Note [Macros]).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ANY_H
#define GORT_ANY_H

#include <gort/base.h>
#include <gort/mem.h>
#include <gort/reflect.h>
#include <gort/type.h>

typedef struct gort_any {
    const struct gort_type *type; /* NULL: nil */
    void *data;                   /* the value's address, or the pointer itself */
} gort_any;
GORT_TYPE_KIND_(GORT_KIND_ANY, gort_any, data);

GORT_BEGIN_DECLS

/* A copy of the value at p. */
GORT_API gort_any gort_any_make_raw(const struct gort_type *type, const void *p) GORT_NONNULL(1, 2);
/* Where the value is, as long as a is there; NULL: nil.  Not to be written. */
GORT_API const void *gort_any_address(const gort_any *a) GORT_NONNULL(1);
/* Panics with Go's message unless a is of that type; the value's address. */
GORT_API const void *gort_any_require_raw(const gort_any *a, const struct gort_type *type)
    GORT_NONNULL(1, 2);
GORT_API bool gort_any_as_raw(const struct gort_type *type, gort_any a, void *out) GORT_NONNULL(1);
GORT_API bool gort_any_convert_raw(const struct gort_type *type, gort_any a, void *out)
    GORT_NONNULL(1);

/* Both nil, or of the same type and equal (gort_value_equal).  Panics if they are of one type that
 * can not be compared. */
GORT_API bool gort_any_equal(gort_any a, gort_any b);
/* Equal ones have equal hashes for equal seeds.  Panics if the value can not be compared. */
GORT_API uint64_t gort_any_hash(gort_any a, uint64_t seed);

/* *slot = a with the write barrier: wherever the slot is not a local variable. */
static inline void gort_any_set(gort_any *slot, gort_any a)
{
    slot->type = a.type;
    gort_store_pointer(&slot->data, a.data);
}

/* The field of that name of the struct at p.  Panics if the type has none. */
GORT_API gort_any gort_field_get(const struct gort_type *type, const void *p, const char *name)
    GORT_NONNULL(1, 2, 3);
/* Sets the field, with the write barrier.  Panics if there is none, or if it is of another type
 * than the value; nil sets a gort_any, and zero in what is a pointer, a map, a channel or a
 * function. */
GORT_API void gort_field_set(const struct gort_type *type, void *p, const char *name,
                             gort_any value) GORT_NONNULL(1, 2, 3);

/* For gort_map_make_own(gort_any, V, hint, gort_any_hash_of, gort_any_equal_of). */
static inline uint64_t gort_any_hash_of(const gort_any *a, uint64_t seed)
{
    return gort_any_hash(*a, seed);
}
static inline bool gort_any_equal_of(const gort_any *a, const gort_any *b)
{
    return gort_any_equal(*a, *b);
}

GORT_END_DECLS

/* gort_any gort_any_make(T, T value): T is one identifier; see gort_type_of. */
#define gort_any_make(T, ...)                                                                      \
    GORT_APPLY_(GORT_ANY_MAKE_, __COUNTER__, T, gort_type_##T, #T, __VA_ARGS__)
/* T gort_any_get(T, gort_any a): the value.  Panics if a is of another type, or nil. */
#define gort_any_get(T, a) GORT_APPLY_(GORT_ANY_GET_, __COUNTER__, T, gort_type_##T, #T, a)
/* bool gort_any_is(T, gort_any a): is it of this type? */
#define gort_any_is(T, a) gort_reflect_same((a).type, gort_type_of(T))
/* bool gort_any_as(T, gort_any a, T *out): whether a is of this type; *out is the value, or else
 * zeroed.  out may be NULL, and may lie in collected memory. */
#define gort_any_as(T, a, out)                                                                     \
    GORT_APPLY_(GORT_ANY_AS_, __COUNTER__, T, gort_type_##T, #T, gort_any_as_raw, a, out)
/* bool gort_any_convert(T, gort_any a, T *out): the same for numbers of another type whose value T
 * can hold: in its range and, if T is a whole number, without a fraction.  A floating number may be
 * rounded, but not to an infinity; a whole number becomes a floating one only if that is exact.
 * bool is no number. */
#define gort_any_convert(T, a, out)                                                                \
    GORT_APPLY_(GORT_ANY_AS_, __COUNTER__, T, gort_type_##T, #T, gort_any_convert_raw, a, out)

#define GORT_ANY_MAKE_(id, T, symbol, name, ...)                                                   \
    __extension__({                                                                                \
        GORT_STRICT_BEGIN_                                                                         \
        T gort_value_##id = (__VA_ARGS__);                                                         \
        GORT_STRICT_END_                                                                           \
        GORT_TYPE_FIND_AS_(id, T, symbol, GORT_TYPE_PLAIN_KIND_(T, name, GORT_KIND_OF_(T)));       \
        gort_any_make_raw(gort_desc_##id, &gort_value_##id);                                       \
    })
#define GORT_ANY_GET_(id, T, symbol, name, a)                                                      \
    __extension__({                                                                                \
        gort_any gort_any_##id = (a);                                                              \
        GORT_TYPE_FIND_AS_(id, T, symbol, GORT_TYPE_PLAIN_KIND_(T, name, GORT_KIND_OF_(T)));       \
        T gort_value_##id;                                                                         \
        __builtin_memcpy(&gort_value_##id, gort_any_require_raw(&gort_any_##id, gort_desc_##id),   \
                         sizeof(T));                                                               \
        gort_value_##id;                                                                           \
    })
#define GORT_ANY_AS_(id, T, symbol, name, fn, a, out)                                              \
    __extension__({                                                                                \
        GORT_STRICT_BEGIN_                                                                         \
        T *gort_out_##id = (out);                                                                  \
        GORT_STRICT_END_                                                                           \
        GORT_TYPE_FIND_AS_(id, T, symbol, GORT_TYPE_PLAIN_KIND_(T, name, GORT_KIND_OF_(T)));       \
        fn(gort_desc_##id, (a), gort_out_##id);                                                    \
    })

#endif
