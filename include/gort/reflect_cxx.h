/* What the macros of reflect.h are made of in C++; what each does stands there.
 *
 * Descriptions lie in the unnamed namespace, because there a constant can be declared before it is
 * defined.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_REFLECT_CXX_H
#define GORT_REFLECT_CXX_H

#include <gort/reflect.h>

#ifdef __cplusplus

struct gort_string;
struct gort_any;

extern "C++" {

template <typename A, typename B> struct gort_is_same {
    static constexpr bool value = false;
};
template <typename A> struct gort_is_same<A, A> {
    static constexpr bool value = true;
};
template <typename T> struct gort_bare {
    typedef T type;
};
template <typename T> struct gort_bare<const T> : gort_bare<T> {
};
template <typename T> struct gort_bare<volatile T> : gort_bare<T> {
};
template <typename T> struct gort_bare<const volatile T> : gort_bare<T> {
};
/* Without dimensions. */
template <typename T> struct gort_stripped {
    typedef T type;
};
template <typename T, size_t n> struct gort_stripped<T[n]> : gort_stripped<T> {
};
template <typename T> struct gort_dimensions {
    static constexpr int value = 0;
};
template <typename T, size_t n> struct gort_dimensions<T[n]> {
    static constexpr int value = 1 + gort_dimensions<T>::value;
};

/* ---- kinds ----------------------------------------------------------------------------------- */

template <typename T, bool integer> struct gort_integer_kind {
    static constexpr int value = GORT_KIND_NONE;
};
template <typename T> struct gort_integer_kind<T, true> {
    static constexpr int first =
        static_cast<T>(-1) < static_cast<T>(1) ? +GORT_KIND_INT8 : +GORT_KIND_UINT8;
    static constexpr int value =
        first + (sizeof(T) > 1 ? 1 : 0) + (sizeof(T) > 2 ? 1 : 0) + (sizeof(T) > 4 ? 1 : 0);
};
template <typename T, bool is_enum> struct gort_number {
    typedef T type;
};
template <typename T> struct gort_number<T, true> {
    typedef __underlying_type(T) type;
};
template <typename T>
struct gort_kind_of : gort_integer_kind<typename gort_number<T, __is_enum(T)>::type,
                                        gort_is_arithmetic<T>::value && sizeof(T) <= 8> {
};
template <typename T> struct gort_kind_of<const T> : gort_kind_of<T> {
};
template <typename T> struct gort_kind_of<volatile T> : gort_kind_of<T> {
};
template <typename T> struct gort_kind_of<const volatile T> : gort_kind_of<T> {
};
template <typename T> struct gort_kind_of<T *> {
    static constexpr int value = GORT_KIND_POINTER;
};
#define GORT_KIND_IS_(T, kind)                                                                     \
    template <> struct gort_kind_of<T> {                                                           \
        static constexpr int value = kind;                                                         \
    };
GORT_KIND_IS_(bool, GORT_KIND_BOOL)
GORT_KIND_IS_(char, GORT_KIND_CHAR)
GORT_KIND_IS_(float, GORT_KIND_FLOAT)
GORT_KIND_IS_(double, GORT_KIND_DOUBLE)
GORT_KIND_IS_(long double, GORT_KIND_LONG_DOUBLE)
GORT_KIND_IS_(char *, GORT_KIND_CSTRING)
GORT_KIND_IS_(const char *, GORT_KIND_CSTRING)
GORT_KIND_IS_(gort_string, GORT_KIND_STRING)
GORT_KIND_IS_(gort_any, GORT_KIND_ANY)
#undef GORT_KIND_IS_

/* ---- what the program described -------------------------------------------------------------- */

/* Specialised by GORT_FORWARD. */
template <typename T> struct gort_forward_of {
    static constexpr bool declared = false;
    static constexpr const struct gort_type *get()
    {
        return nullptr;
    }
};
/* Specialised by GORT_STRUCT: may it hold collected pointers? */
template <typename T> struct gort_holds_of {
    static constexpr bool value = true;
};
/* A field of type X, described by E: that, or a pointer to it. */
template <typename X, typename E> struct gort_named_holds {
    static constexpr bool value = true;
};
template <typename E> struct gort_named_holds<E, E> : gort_holds_of<E> {
};
/* Where it was announced, what was defined is not looked at yet. */
template <typename T, bool announced> struct gort_described : gort_forward_of<T> {
};
template <typename T> struct gort_described<T, false> : gort_descriptor_of<T> {
};
template <typename T> constexpr const struct gort_type *gort_elem(const struct gort_type *plain)
{
    typedef gort_described<T, gort_forward_of<T>::declared> found;
    return found::declared ? found::get() : plain;
}
}

#define GORT_SAME_(A, B) (::gort_is_same<::gort_bare<A>::type, ::gort_bare<B>::type>::value)
#define GORT_IF_(condition, a, b) ((int)(condition) ? (a) : (b))
#define GORT_DESC_BEGIN_                                                                           \
    namespace                                                                                      \
    {
#define GORT_DESC_END_ }
#define GORT_KIND_OF_(T) (::gort_kind_of<T>::value)
#define GORT_FIELD_TYPES_(at, f)                                                                   \
    typedef decltype(at::f) at##_##f##_0;                                                          \
    typedef ::gort_stripped<at##_##f##_0>::type at##_##f##_3;                                      \
    static_assert(::gort_dimensions<at##_##f##_0>::value <= 3,                                     \
                  "GORT_STRUCT: " #f " has more than three dimensions");
#define GORT_FORWARD_(T, desc)                                                                     \
    namespace                                                                                      \
    {                                                                                              \
    extern const struct gort_type desc[1];                                                         \
    }                                                                                              \
    template <> struct gort_forward_of<T> {                                                        \
        static constexpr bool declared = true;                                                     \
        static constexpr const struct gort_type *get()                                             \
        {                                                                                          \
            return desc;                                                                           \
        }                                                                                          \
    };                                                                                             \
    static_assert(sizeof(desc[0]) != 0, "")
#define GORT_SELF_DECLARE_(T, desc)                                                                \
    namespace                                                                                      \
    {                                                                                              \
    extern const struct gort_type desc[1];                                                         \
    }                                                                                              \
    GORT_TYPE_DECLARED_(T, desc)
#define GORT_ELEM_DECLARE_(elem, E, symbol)                                                        \
    static const struct gort_type elem[1]                                                          \
        __attribute__((__unused__)) = { GORT_TYPE_PLAIN_KIND_(E, #E, GORT_KIND_OF_(E)) };
#define GORT_ELEM_(elem, E, symbol) (::gort_elem<E>(elem))
#define GORT_HOLDS_DECLARE_(T, holds, condition)                                                   \
    typedef char holds[1 + ((condition) ? 1 : 0)];                                                 \
    template <> struct gort_holds_of<T> {                                                          \
        static constexpr bool value = sizeof(holds) != 1;                                          \
    };
#define GORT_HOLDS_KNOWN_(E, holds)
#define GORT_NAMED_HELD_(X, E, holds)                                                              \
    (GORT_MAY_HOLD_(X) && ::gort_named_holds<::gort_bare<X>::type, E>::value)

#endif
#endif
