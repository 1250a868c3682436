/* Type descriptors: what the collector knows of a type.  What else may be said of one, its fields,
 * is in reflect.h.
 *
 *     typedef struct node { struct node *next; char *text; int n; } node;
 *     GORT_TYPE(node, next, text);
 *
 * Note [Was GORT_TYPE written?].  gort_new(T) has to find out whether the program described T.
 * GORT_TYPE(T) defines `static const struct gort_type gort_type_T[1]`.  A use declares at block
 * scope `extern const struct gort_type gort_type_T[]`: in C that refers to the definition when
 * there is one, and its type is then an array of 1; otherwise it is a new array of unknown size.
 * A pointer to the latter, and only that, is compatible with a pointer to an array of 2, so
 * _Generic tells them apart, and the branch not chosen leaves no reference to the symbol.  C++ has
 * a specialisation of gort_descriptor_of<T> instead.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_TYPE_H
#define GORT_TYPE_H

#include <gort/base.h>
#include <gort/each.h>

GORT_BEGIN_DECLS

/* Bytes [offset, offset + size) of an object: words that may hold pointers.  Both are multiples
 * of a pointer's size. */
struct gort_pointer_run {
    size_t offset;
    size_t size;
};

/* The object holds no collected pointer and is never scanned. */
#define GORT_TYPE_NOSCAN 1u
/* Every aligned word of the object may be a pointer; runs and mask say nothing. */
#define GORT_TYPE_CONSERVATIVE 2u

struct gort_field;

/* One type.  Constant, so it lies in read-only data; lives as long as the program or library that
 * holds it.  Exactly one of NOSCAN, CONSERVATIVE, and "runs are valid" (neither flag) applies. */
struct gort_type {
    const char *name; /* as the program spells it, for reports */
    size_t size;      /* bytes of one object */
    size_t ptrdata;   /* bytes up to the end of the last word that may be a pointer */
    uint64_t mask;    /* bit i: word i may be a pointer; 0 when size > 64 words */
    const struct gort_pointer_run *runs; /* in no order, may overlap; nruns of them */
    uint32_t nruns;
    uint32_t align; /* bytes, a power of two */
    uint32_t flags; /* GORT_TYPE_NOSCAN, GORT_TYPE_CONSERVATIVE, or 0 */
    uint32_t kind;  /* enum gort_kind in reflect.h; 0: only the collector's part is there */
    size_t count;   /* fields of a struct, elements of an array */
    const struct gort_field *fields; /* of a struct */
    const struct gort_type *elem; /* what it is made of, points to, or maps to; NULL: not known */
    const struct gort_type *key;  /* of a map */
};

GORT_END_DECLS

/* GORT_TYPE(T), GORT_TYPE(T, field, ...): describes T, which is one identifier: the fields, up to
 * 64, that hold collected pointers, each with its whole extent; none: T is pointer-free.  Listed
 * words are ambiguous, so unions may be listed.  At file scope (in C++ in the global namespace),
 * before the first use, with a semicolon.  Internal linkage.  Does not compile: a field that is not
 * pointer-aligned or is smaller than a pointer, a packed type, a flexible array, a bit-field. */
#define GORT_TYPE(...)                                                                             \
    GORT_APPLY_(GORT_TYPE_, 0, GORT_COUNT_(__VA_ARGS__), GORT_FIRST_(gort_type_##__VA_ARGS__, 0),  \
                GORT_FIRST_(gort_runs_##__VA_ARGS__, 0),                                           \
                GORT_FIRST_(gort_extent_##__VA_ARGS__, 0), GORT_FIRST_(__VA_ARGS__, 0),            \
                __VA_ARGS__)

/* The same of a kind that has neither fields nor elements.  (Names are pasted at once: T may be a
 * macro.) */
#define GORT_TYPE_KIND_(kind, ...)                                                                 \
    GORT_APPLY_(GORT_TYPE_, kind, GORT_COUNT_(__VA_ARGS__),                                        \
                GORT_FIRST_(gort_type_##__VA_ARGS__, 0), GORT_FIRST_(gort_runs_##__VA_ARGS__, 0),  \
                GORT_FIRST_(gort_extent_##__VA_ARGS__, 0), GORT_FIRST_(__VA_ARGS__, 0),            \
                __VA_ARGS__)

/* The union is as long as the last listed field's end; runs end with an empty one, which is not
 * counted, because an array can not be empty. */
#define GORT_TYPE_(kind, count, desc, all, extent, T, ...)                                         \
    GORT_EACH_(GORT_TYPE_CHECK_, __VA_ARGS__)                                                      \
    GORT_STATIC_ASSERT_((count) == 0 || GORT_ALIGNOF_(T) % sizeof(void *) == 0,                    \
                        "GORT_TYPE: a packed type can not hold collected pointers");               \
    union extent {                                                                                 \
        char gort_end_0[1];                                                                        \
        GORT_EACH_(GORT_TYPE_EXTENT_, __VA_ARGS__)                                                 \
    };                                                                                             \
    static const struct gort_pointer_run all[] = { GORT_EACH_(GORT_TYPE_RUN_, __VA_ARGS__){ 0,     \
                                                                                            0 } }; \
    static const struct gort_type desc[1] __attribute__((__unused__)) = {                          \
        { GORT_STRING_(T), sizeof(T), (count) == 0 ? 0 : sizeof(union extent),                     \
          0 GORT_EACH_(GORT_TYPE_MASK_, __VA_ARGS__), all, (count), GORT_ALIGNOF_(T),              \
          (count) == 0 ? GORT_TYPE_NOSCAN : 0u, (kind), 0, 0, 0, 0 }                               \
    };                                                                                             \
    GORT_TYPE_DECLARED_(T, desc)                                                                   \
    GORT_STATIC_ASSERT_(sizeof(desc[0]) != 0, "")

#define GORT_TYPE_CHECK_(T, field, index)                                                          \
    GORT_STATIC_ASSERT_(offsetof(T, field) % sizeof(void *) == 0,                                  \
                        "GORT_TYPE: " #T "." #field " is not pointer-aligned");                    \
    GORT_STATIC_ASSERT_(GORT_FIELD_BYTES_(T, field) != 0,                                          \
                        "GORT_TYPE: " #T "." #field " is smaller than a pointer");
#define GORT_TYPE_EXTENT_(T, field, index)                                                         \
    char gort_end_##index[offsetof(T, field) + GORT_FIELD_BYTES_(T, field)];
#define GORT_TYPE_RUN_(T, field, index) { offsetof(T, field), GORT_FIELD_BYTES_(T, field) },
#define GORT_TYPE_MASK_(T, field, index)                                                           \
    | GORT_MASK_(sizeof(T), offsetof(T, field) / sizeof(void *),                                   \
                 GORT_FIELD_BYTES_(T, field) / sizeof(void *))

/* Bytes, cut to whole words; the bytes of a field that are whole words. */
#define GORT_WORDS_(bytes) ((bytes) / sizeof(void *) * sizeof(void *))
#define GORT_FIELD_BYTES_(T, field) GORT_WORDS_(sizeof(((T *)0)->field))
/* `count` ones from bit `first`; 0 when the type does not fit a mask.  No shift is out of range,
 * whatever the arguments. */
#define GORT_MASK_(size, first, count)                                                             \
    ((size) > 64 * sizeof(void *)                                                                  \
         ? (uint64_t)0                                                                             \
         : ((count) >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << ((count)&63)) - 1) << ((first)&63))

/* A descriptor of a type that was not described: pointer-free when arithmetic, else conservative.
 * T is any type that is complete, and may be several tokens. */
#define GORT_TYPE_PLAIN_(T, name) GORT_TYPE_PLAIN_KIND_(T, name, 0)
#define GORT_TYPE_PLAIN_KIND_(T, name, kind)                                                       \
    {                                                                                              \
        name, sizeof(T), GORT_TYPE_IS_ARITHMETIC_(T) ? 0 : GORT_WORDS_(sizeof(T)), 0, 0, 0,        \
            GORT_ALIGNOF_(T),                                                                      \
            GORT_TYPE_IS_ARITHMETIC_(T) ? GORT_TYPE_NOSCAN : GORT_TYPE_CONSERVATIVE, (kind), 0, 0, \
            0, 0                                                                                   \
    }

/* GORT_TYPE_FIND_(id, T, symbol, name): inside a statement expression, defines gort_desc_<id>, the
 * address of the descriptor of T; symbol is gort_type_<T>.
 * GORT_TYPE_FIND_PLAIN_(id, T, name): the same for a T of several tokens. */
#ifdef __cplusplus
#define GORT_TYPE_IS_ARITHMETIC_(T) (::gort_is_arithmetic<T>::value)
#define GORT_TYPE_DECLARED_(T, desc)                                                               \
    template <> struct gort_descriptor_of<T> {                                                     \
        static constexpr bool declared = true;                                                     \
        __attribute__((__always_inline__)) static constexpr const struct gort_type *get()          \
        {                                                                                          \
            return desc;                                                                           \
        }                                                                                          \
    };
#define GORT_TYPE_FIND_AS_(id, T, symbol, ...)                                                     \
    static const struct gort_type gort_plain_##id __attribute__((__unused__)) = __VA_ARGS__;       \
    const struct gort_type *const gort_desc_##id =                                                 \
        ::gort_descriptor_of<T>::declared ? ::gort_descriptor_of<T>::get() : &gort_plain_##id
#define GORT_TYPE_FIND_PLAIN_(id, T, name)                                                         \
    GORT_TYPE_FIND_AS_(id, T, none, GORT_TYPE_PLAIN_(T, name))

extern "C++" {
/* Specialised by GORT_TYPE. */
template <typename T> struct gort_descriptor_of {
    static constexpr bool declared = false;
    static constexpr const struct gort_type *get()
    {
        return nullptr;
    }
};

template <typename T> struct gort_is_arithmetic {
    static constexpr bool value = __is_enum(T);
};
template <typename T> struct gort_is_arithmetic<const T> : gort_is_arithmetic<T> {
};
template <typename T> struct gort_is_arithmetic<volatile T> : gort_is_arithmetic<T> {
};
template <typename T> struct gort_is_arithmetic<const volatile T> : gort_is_arithmetic<T> {
};
#define GORT_ARITHMETIC_TYPE_(T)                                                                   \
    template <> struct gort_is_arithmetic<T> {                                                     \
        static constexpr bool value = true;                                                        \
    };
GORT_ARITHMETIC_TYPE_(bool)
GORT_ARITHMETIC_TYPE_(char)
GORT_ARITHMETIC_TYPE_(signed char)
GORT_ARITHMETIC_TYPE_(unsigned char)
GORT_ARITHMETIC_TYPE_(wchar_t)
GORT_ARITHMETIC_TYPE_(char16_t)
GORT_ARITHMETIC_TYPE_(char32_t)
GORT_ARITHMETIC_TYPE_(short)
GORT_ARITHMETIC_TYPE_(unsigned short)
GORT_ARITHMETIC_TYPE_(int)
GORT_ARITHMETIC_TYPE_(unsigned)
GORT_ARITHMETIC_TYPE_(long)
GORT_ARITHMETIC_TYPE_(unsigned long)
GORT_ARITHMETIC_TYPE_(long long)
GORT_ARITHMETIC_TYPE_(unsigned long long)
GORT_ARITHMETIC_TYPE_(float)
GORT_ARITHMETIC_TYPE_(double)
GORT_ARITHMETIC_TYPE_(long double)
#undef GORT_ARITHMETIC_TYPE_
}
#else
#define GORT_TYPE_IS_ARITHMETIC_(T) GORT_IS_ARITHMETIC_(*(__typeof__(T) *)0)
#define GORT_TYPE_DECLARED_(T, desc)
#define GORT_TYPE_FIND_PLAIN_(id, T, name)                                                         \
    static const struct gort_type gort_plain_##id __attribute__((__unused__)) =                    \
        GORT_TYPE_PLAIN_(T, name);                                                                 \
    const struct gort_type *const gort_desc_##id = &gort_plain_##id
/* The declaration in a block is meant: not for -Wnested-externs and -Wredundant-decls. */
#define GORT_EXTERN_QUIET_                                                                         \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wnested-externs\"")          \
        _Pragma("GCC diagnostic ignored \"-Wredundant-decls\"")
#define GORT_EXTERN_LOUD_ _Pragma("GCC diagnostic pop")
#define GORT_TYPE_FIND_AS_(id, T, symbol, ...)                                                     \
    GORT_EXTERN_QUIET_                                                                             \
    extern const struct gort_type symbol[];                                                        \
    GORT_EXTERN_LOUD_                                                                              \
    static const struct gort_type gort_plain_##id __attribute__((__unused__)) = __VA_ARGS__;       \
    const struct gort_type *const gort_desc_##id __attribute__((__unused__)) =                     \
        GORT_TYPE_CHOOSE_(symbol, &gort_plain_##id)
/* The symbol if the program defined it, else other: Note [Was GORT_TYPE written?]. */
#define GORT_TYPE_CHOOSE_(symbol, other)                                                           \
    __builtin_choose_expr(                                                                         \
        _Generic((__typeof__(&symbol))0, const struct gort_type(*)[2] : 0, default : 1), symbol,   \
        other)
#endif
#define GORT_TYPE_FIND_(id, T, symbol, name)                                                       \
    GORT_TYPE_FIND_AS_(id, T, symbol, GORT_TYPE_PLAIN_(T, name))

#endif
