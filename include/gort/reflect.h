/* Descriptions of types: the fields of structs, what slices, maps, channels and pointers are of.
 *
 *     typedef struct point { double x, y; } point;
 *     GORT_STRUCT(point, x, y);
 *     typedef struct shape {
 *         gort_string name;
 *         point corners[4];
 *         struct shape *next;
 *         int flags;
 *     } shape;
 *     GORT_STRUCT(shape, name, (corners, point), (next, shape), flags);
 *
 *     gort_print_value(1, gort_type_of(shape), s);
 *     gort_map(point, int) m = gort_map_make_described(point, int, 0);
 *
 * A described type is printed, compared, hashed and laid out by its fields; reports of the runtime
 * name them.  Equality is Go's: what lies between the fields is not looked at, 0 and -0 are equal,
 * a NaN equals nothing, strings and C strings are equal by their bytes, pointers and channels when
 * they are the same; slices, maps, and what was not described can not be compared.
 *
 * A field is described by its name alone, or together with the name of a described type:
 *     numbers, characters, bool, enumerations        f
 *     gort_string, gort_any                          f
 *     char *, const char *: C strings                f          others to char: (f, char)
 *     pointers                                       f          an address, and no more
 *     pointers to T                                  (f, T)     T may be the struct itself
 *     functions                                      (f, gort_func)
 *     structs, slices, maps, channels of type T      (f, T)
 *     other structs, unions                          f          bytes, and no more
 *     arrays, up to three dimensions, of all these   the same
 * T is one identifier: a type described before, or a type of numbers.
 *
 * GORT_STRUCT stands where GORT_TYPE would, and replaces it.  All fields that hold collected
 * pointers must be there.  Others may be left out, and are then no part of the value.  Does not
 * compile: a bit-field, a flexible array, a packed struct's field that may hold a pointer.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_REFLECT_H
#define GORT_REFLECT_H

#include <gort/base.h>
#include <gort/each.h>
#include <gort/type.h>

/* What the values of a type are. */
enum gort_kind {
    GORT_KIND_NONE, /* not described: bytes */
    GORT_KIND_BOOL,
    GORT_KIND_CHAR,
    GORT_KIND_INT8,
    GORT_KIND_INT16,
    GORT_KIND_INT32,
    GORT_KIND_INT64,
    GORT_KIND_UINT8,
    GORT_KIND_UINT16,
    GORT_KIND_UINT32,
    GORT_KIND_UINT64,
    GORT_KIND_FLOAT,
    GORT_KIND_DOUBLE,
    GORT_KIND_LONG_DOUBLE,
    GORT_KIND_CSTRING, /* a char * that is a C string, or NULL */
    GORT_KIND_STRING,  /* gort_string */
    GORT_KIND_POINTER,
    GORT_KIND_FUNC,
    GORT_KIND_CHAN,
    GORT_KIND_MAP,
    GORT_KIND_SLICE,
    GORT_KIND_ARRAY,
    GORT_KIND_STRUCT,
    GORT_KIND_ANY /* gort_any */
};

struct gort_builder; /* string.h */

/* One field. */
struct gort_field {
    const char *name;
    const struct gort_type *type;
    size_t offset; /* bytes */
    size_t align;  /* in the struct, bytes */
};

GORT_BEGIN_DECLS

/* The C name of a type, as "point", "point *", "double[3]", "int32_t": written to out, which has
 * room for n bytes, with a zero byte, cut if it is longer.  Returns out. */
GORT_API char *gort_reflect_name(const struct gort_type *type, char *out, size_t n)
    GORT_NONNULL(1, 2);
/* Are a and b the same type?  Structs when they have the same name and the same fields, wherever
 * they were described; numbers when they have the same kind; all else when it is made of the same
 * types.  Types that were not described only when they have the same name and size. */
GORT_API bool gort_reflect_same(const struct gort_type *a, const struct gort_type *b);
/* The field of that name; NULL: the type has none, or is no described struct. */
GORT_API const struct gort_field *gort_reflect_field(const struct gort_type *type, const char *name)
    GORT_NONNULL(1, 2);

/* Can values of the type be compared?  One that contains a gort_any may still panic. */
GORT_API bool gort_reflect_comparable(const struct gort_type *type) GORT_NONNULL(1);
/* Are the values at a and b equal?  Panics if the type, or what a gort_any holds, can not be
 * compared. */
GORT_API bool gort_value_equal(const struct gort_type *type, const void *a, const void *b)
    GORT_NONNULL(1, 2, 3);
/* A hash of the value at p; equal values have equal hashes for equal seeds.  Panics as
 * gort_value_equal. */
GORT_API uint64_t gort_value_hash(const struct gort_type *type, const void *p, uint64_t seed)
    GORT_NONNULL(1, 2);

/* Writes the value at p to a descriptor, as Go's %+v does, in one line without its end:
 *     {name:"box" corners:[{x:0 y:1} ...] next:0x7f00c0001040 flags:3}
 * A pointer at the top to a described type is followed: &{...}; deeper ones are addresses, NULL is
 * NULL.  Text is quoted and escaped.  Of text 256 bytes are shown, of slices, arrays and maps 64
 * elements, of values in one another 8 levels, of all 64 KB; what is left out is told.  Maps are in
 * the order of their keys where these have one.  A C string must end; nothing else is trusted: a
 * slice longer than its capacity is told.  Returns 0, or -1 with errno as gort_write says. */
GORT_API int gort_print_value(int fd, const struct gort_type *type, const void *p) GORT_NONNULL(2);
/* The same, added to a builder. */
GORT_API void gort_builder_value(struct gort_builder *b, const struct gort_type *type,
                                 const void *p) GORT_NONNULL(1, 2);

/* How a struct is laid out, and how it could be. */
typedef struct gort_layout {
    size_t size;         /* bytes */
    size_t padding;      /* of those in no field, between fields and behind them */
    size_t best_size;    /* with the fields in the order that gort_reflect_best_order tells */
    size_t best_padding; /* then */
} gort_layout;
/* Fills *out in.  Panics if the type is no described struct. */
GORT_API void gort_reflect_layout(const struct gort_type *type, gort_layout *out)
    GORT_NONNULL(1, 2);
/* The order of fields that leaves the least padding, and in which the collector has the least to
 * look at: the largest alignment first, among equals those that may hold pointers, else as they
 * are.  Writes type->count indices of type->fields to order. */
GORT_API void gort_reflect_best_order(const struct gort_type *type, unsigned *order)
    GORT_NONNULL(1, 2);
/* Writes the layout to a descriptor: a line for each field and hole, and what a better order would
 * save. */
GORT_API int gort_print_layout(int fd, const struct gort_type *type) GORT_NONNULL(2);
/* The same, added to a builder. */
GORT_API void gort_builder_layout(struct gort_builder *b, const struct gort_type *type)
    GORT_NONNULL(1, 2);

GORT_END_DECLS

/* const struct gort_type *gort_type_of(T): the description of T, one identifier.  Of a type that
 * was not described: its kind if it is a number, a pointer, or a C string. */
#define gort_type_of(T) GORT_APPLY_(GORT_TYPE_OF_, __COUNTER__, T, gort_type_##T, #T)
#define GORT_TYPE_OF_(id, T, symbol, name)                                                         \
    __extension__({                                                                                \
        GORT_TYPE_FIND_AS_(id, T, symbol, GORT_TYPE_PLAIN_KIND_(T, name, GORT_KIND_OF_(T)));       \
        gort_desc_##id;                                                                            \
    })

/* gort_map(K, V) gort_map_make_described(K, V, size_t hint): a map (map.h) whose keys, described by
 * GORT_STRUCT, are compared as gort_value_equal does.  Panics when they can not be. */
#define gort_map_make_described(K, V, hint)                                                        \
    gort_map_make_own(K, V, gort_map_hint_(gort_type_of(K), hint), gort_hash_of_##K,               \
                      gort_equal_of_##K)
GORT_BEGIN_DECLS
GORT_API size_t gort_map_hint_(const struct gort_type *key, size_t hint);
GORT_END_DECLS

/* GORT_STRUCT(T, field, (field, type), ...): describes the fields of T, one identifier, up to 64,
 * at file scope (in C++ in the global namespace), before the first use, with a semicolon, instead
 * of GORT_TYPE.  Also defines
 *     static inline uint64_t gort_hash_of_T(const T *, uint64_t seed);
 *     static inline bool gort_equal_of_T(const T *, const T *);
 * for maps with such keys.
 * GORT_SLICE(T, E), GORT_MAP(T, K, V), GORT_CHAN(T, E), GORT_POINTER(T, E): describe T, a typedef
 * of gort_slice(E), gort_map(K, V), gort_chan(E), E *.  In C++ once for each type.
 * GORT_FORWARD(T): T, a complete type, will be described by one of these; its name may be used
 * before. */
#define GORT_STRUCT(...)                                                                           \
    GORT_APPLY_(                                                                                   \
        GORT_STRUCT_, GORT_COUNT_(__VA_ARGS__), GORT_FIRST_(gort_type_##__VA_ARGS__, 0),           \
        GORT_FIRST_(gort_runs_##__VA_ARGS__, 0), GORT_FIRST_(gort_extent_##__VA_ARGS__, 0),        \
        GORT_FIRST_(gort_fields_##__VA_ARGS__, 0), GORT_FIRST_(gort_holds_##__VA_ARGS__, 0),       \
        GORT_FIRST_(gort_hash_of_##__VA_ARGS__, 0), GORT_FIRST_(gort_equal_of_##__VA_ARGS__, 0),   \
        GORT_FIRST_(__VA_ARGS__, 0), GORT_FIRST_(gort_at_##__VA_ARGS__, 0), gort_at_##__VA_ARGS__)
#define GORT_SLICE(T, E)                                                                           \
    GORT_OF_(T, gort_type_##T, gort_elem_##T, E, gort_type_##E, GORT_KIND_SLICE,                   \
             sizeof(T) == 3 * sizeof(void *) && GORT_SAME_(__typeof__(((T *)0)->ptr), E *),        \
             "GORT_SLICE: not a slice of this type")
#define GORT_CHAN(T, E)                                                                            \
    GORT_OF_(T, gort_type_##T, gort_elem_##T, E, gort_type_##E, GORT_KIND_CHAN,                    \
             GORT_SAME_(T, gort_chan(E)), "GORT_CHAN: not a channel of this type")
#define GORT_POINTER(T, E)                                                                         \
    GORT_OF_(T, gort_type_##T, gort_elem_##T, E, gort_type_##E, GORT_KIND_POINTER,                 \
             GORT_SAME_(T, E *) || GORT_SAME_(T, const E *),                                       \
             "GORT_POINTER: not a pointer to this type")
#define GORT_MAP(T, K, V)                                                                          \
    GORT_MAP_DESC_(T, gort_type_##T, gort_elem_##T, gort_key_##T, K, gort_type_##K, V,             \
                   gort_type_##V)
#define GORT_FORWARD(T) GORT_FORWARD_(T, gort_type_##T)

/* What fields that are functions are described by. */
typedef struct gort_func {
    char unused;
} gort_func;

/* ---- what the macros are made of ------------------------------------------------------------- */

#ifdef __cplusplus
#include <gort/reflect_cxx.h>
#else
#define GORT_SAME_(A, B) __builtin_types_compatible_p(A, B)
#define GORT_IF_(condition, a, b) __builtin_choose_expr(condition, a, b)
#define GORT_DESC_BEGIN_ static
#define GORT_DESC_END_

/* The kind of a type that was not described, or is one of the runtime's own. */
#define GORT_KIND_OF_(T)                                                                           \
    _Generic((__typeof__(T) *)0, _Bool *: GORT_KIND_BOOL, const _Bool *: GORT_KIND_BOOL, \
             char *: GORT_KIND_CHAR, const char *: GORT_KIND_CHAR, \
             struct gort_string *: GORT_KIND_STRING, const struct gort_string *: GORT_KIND_STRING, \
             struct gort_any *: GORT_KIND_ANY, const struct gort_any *: GORT_KIND_ANY, \
             default: GORT_KIND_PLAIN_(*(__typeof__(T) *)0))
#define GORT_KIND_PLAIN_(x)                                                                        \
    (GORT_IS_INTEGER_(x)                         ? GORT_KIND_INTEGER_(x)                           \
     : __builtin_classify_type(x) == 8           ? GORT_KIND_FLOATING_(x)                          \
     : !GORT_IS_POINTER_(x) || GORT_IS_ARRAY_(x) ? GORT_KIND_NONE                                  \
     : GORT_SAME_(__typeof__(x), char *) || GORT_SAME_(__typeof__(x), const char *)                \
         ? GORT_KIND_CSTRING                                                                       \
         : GORT_KIND_POINTER)
#define GORT_IS_INTEGER_(x) ((0x1eu >> ((unsigned)__builtin_classify_type(x) & 31u)) & 1u)
#define GORT_KIND_INTEGER_(x)                                                                      \
    (sizeof(x) > 8 ? GORT_KIND_NONE                                                                \
                   : (GORT_IS_SIGNED_(x) ? GORT_KIND_INT8 : GORT_KIND_UINT8) + (sizeof(x) > 1) +   \
                         (sizeof(x) > 2) + (sizeof(x) > 4))
#define GORT_IS_SIGNED_(x) ((__typeof__(__builtin_choose_expr(GORT_IS_INTEGER_(x), (x), 0)))-1 < 1)
#define GORT_KIND_FLOATING_(x)                                                                     \
    (GORT_SAME_(__typeof__(x), float)         ? GORT_KIND_FLOAT                                    \
     : GORT_SAME_(__typeof__(x), double)      ? GORT_KIND_DOUBLE                                   \
     : GORT_SAME_(__typeof__(x), long double) ? GORT_KIND_LONG_DOUBLE                              \
                                              : GORT_KIND_NONE)
/* An array becomes a pointer behind a comma. */
#define GORT_IS_ARRAY_(x)                                                                          \
    (__builtin_classify_type(x) == 5 && !GORT_SAME_(__typeof__(x), __typeof__(((void)0, (x)))))
/* An element of x if that is an array, else x. */
#define GORT_STRIP_(T) __typeof__(*__builtin_choose_expr(GORT_IS_ARRAY_(*(T *)0), *(T *)0, (T *)0))
#define GORT_FIELD_TYPES_(at, f)                                                                   \
    typedef __typeof__(((at *)0)->f) at##_##f##_0;                                                 \
    typedef GORT_STRIP_(at##_##f##_0) at##_##f##_1;                                                \
    typedef GORT_STRIP_(at##_##f##_1) at##_##f##_2;                                                \
    typedef GORT_STRIP_(at##_##f##_2) at##_##f##_3;                                                \
    GORT_STATIC_ASSERT_(!GORT_IS_ARRAY_(*(at##_##f##_3 *)0),                                       \
                        "GORT_STRUCT: " #f " has more than three dimensions");

#define GORT_FORWARD_(T, desc)                                                                     \
    GORT_EXTERN_QUIET_                                                                             \
    static const struct gort_type desc[1];                                                         \
    GORT_EXTERN_LOUD_                                                                              \
    GORT_STATIC_ASSERT_(sizeof(T) != 0 || sizeof(desc[0]) != 0, "")
#define GORT_SELF_DECLARE_(T, desc) GORT_FORWARD_(T, desc);

/* A descriptor of E, or the program's: Note [Was GORT_TYPE written?]. */
#define GORT_ELEM_DECLARE_(elem, E, symbol)                                                        \
    GORT_EXTERN_QUIET_                                                                             \
    extern const struct gort_type symbol[];                                                        \
    GORT_EXTERN_LOUD_                                                                              \
    static const struct gort_type elem[1]                                                          \
        __attribute__((__unused__)) = { GORT_TYPE_PLAIN_KIND_(E, #E, GORT_KIND_OF_(E)) };
#define GORT_ELEM_(elem, E, symbol) GORT_TYPE_CHOOSE_(symbol, elem)

/* Whether a T that was described holds pointers is told in the same way, by an array's size: 1 no,
 * 2 yes. */
#define GORT_HOLDS_DECLARE_(T, holds, condition)                                                   \
    GORT_EXTERN_QUIET_                                                                             \
    extern const char holds[1 + (condition)];                                                      \
    GORT_EXTERN_LOUD_
#define GORT_HOLDS_KNOWN_(E, holds)                                                                \
    GORT_EXTERN_QUIET_                                                                             \
    extern const char holds[];                                                                     \
    GORT_EXTERN_LOUD_
#define GORT_NAMED_HELD_(X, E, holds)                                                              \
    (GORT_MAY_HOLD_(X) && (!GORT_SAME_(X, E) || GORT_HOLDS_(holds)))
#define GORT_HOLDS_(holds)                                                                         \
    _Generic((__typeof__(&holds))0, const char(*)[3] : 1, default                                  \
             : _Generic((__typeof__(&holds))0, const char(*)[1] : 0, default : 1))
#endif

/* A descriptor of one word, or of a struct that begins with one, that is a pointer. */
#define GORT_DESC_OF_(T, desc, kind, elem, key)                                                    \
    GORT_DESC_BEGIN_ const struct gort_type desc[1] __attribute__((                                \
        __unused__)) = { { GORT_STRING_(T), sizeof(T), sizeof(void *), 1, &gort_first_word_, 1,    \
                           GORT_ALIGNOF_(T), 0, (kind), 0, 0, elem, key } };                       \
    GORT_DESC_END_                                                                                 \
    GORT_TYPE_DECLARED_(T, desc)                                                                   \
    GORT_STATIC_ASSERT_(sizeof(desc[0]) != 0, "")
#define GORT_OF_(T, desc, elem, E, symbol, kind, condition, message)                               \
    GORT_STATIC_ASSERT_(condition, message);                                                       \
    GORT_ELEM_DECLARE_(elem, E, symbol)                                                            \
    GORT_DESC_OF_(T, desc, kind, GORT_ELEM_(elem, E, symbol), 0)
#define GORT_MAP_DESC_(T, desc, elem, key, K, ksymbol, V, vsymbol)                                 \
    GORT_STATIC_ASSERT_(GORT_SAME_(T, gort_map(K, V)), "GORT_MAP: not a map of these types");      \
    GORT_ELEM_DECLARE_(key, K, ksymbol)                                                            \
    GORT_ELEM_DECLARE_(elem, V, vsymbol)                                                           \
    GORT_DESC_OF_(T, desc, GORT_KIND_MAP, GORT_ELEM_(elem, V, vsymbol), GORT_ELEM_(key, K, ksymbol))
static const struct gort_pointer_run gort_first_word_
    __attribute__((__unused__)) = { 0, sizeof(void *) };

/* Note [Fields].  `at` is gort_at_<T>, a typedef of T.  GORT_FIELD_DECLARE_ defines of each field f
 *     at_f_0              its type; at_f_3: the same without dimensions
 *     at_f_array, _held   constants: is it an array, may it hold a collected pointer
 *     at_f_plain          a descriptor of at_f_3, used unless a described type was named
 *     at_f_ptr            of a pointer to the named type
 *     at_f_all            of the array
 * The parts that follow are the same in C and C++, and use these. */
#define GORT_STRUCT_(count, desc, all, extent, list, holds, hash, equal, T, at, ...)               \
    typedef T at;                                                                                  \
    GORT_SELF_DECLARE_(T, desc)                                                                    \
    GORT_EACH_(GORT_FIELD_DECLARE_, __VA_ARGS__)                                                   \
    GORT_EACH_(GORT_FIELD_CHECK_, __VA_ARGS__)                                                     \
    GORT_HOLDS_DECLARE_(T, holds, 0 GORT_EACH_(GORT_FIELD_HOLDS_, __VA_ARGS__))                    \
    GORT_STATIC_ASSERT_(sizeof(holds) == 1 || GORT_ALIGNOF_(T) % sizeof(void *) == 0,              \
                        "GORT_STRUCT: a packed type can not hold collected pointers");             \
    union extent {                                                                                 \
        char gort_end_0[1];                                                                        \
        GORT_EACH_(GORT_FIELD_EXTENT_, __VA_ARGS__)                                                \
    };                                                                                             \
    static const struct gort_pointer_run all[] = { GORT_EACH_(GORT_FIELD_RUN_,                     \
                                                              __VA_ARGS__){ 0, 0 } };              \
    static const struct gort_field list[] = { GORT_EACH_(GORT_FIELD_ENTRY_, __VA_ARGS__){ 0, 0, 0, \
                                                                                          0 } };   \
    GORT_DESC_BEGIN_ const struct gort_type desc[1] __attribute__((__unused__)) = {                \
        { GORT_STRING_(T), sizeof(T), sizeof(holds) == 1 ? 0 : sizeof(union extent),               \
          0 GORT_EACH_(GORT_FIELD_MASK_, __VA_ARGS__), all, (count), GORT_ALIGNOF_(T),             \
          sizeof(holds) == 1 ? GORT_TYPE_NOSCAN : 0u, GORT_KIND_STRUCT, (count), list, 0, 0 }      \
    };                                                                                             \
    GORT_DESC_END_                                                                                 \
    __attribute__((__unused__)) static inline uint64_t hash(const T *p, uint64_t seed)             \
    {                                                                                              \
        return gort_value_hash(desc, p, seed);                                                     \
    }                                                                                              \
    __attribute__((__unused__)) static inline bool equal(const T *a, const T *b)                   \
    {                                                                                              \
        return gort_value_equal(desc, a, b);                                                       \
    }                                                                                              \
    GORT_STATIC_ASSERT_(sizeof(desc[0]) != 0, "")

/* A field is f or (f, E).  Of macros that expand one another each has a name of its own, since none
 * expands inside itself. */
#define GORT_PAIR_PROBE_(...) ~, 1
#define GORT_SECOND_(a, b, ...) b
#define GORT_PAIR_APPLY_(m, ...) m(__VA_ARGS__)
#define GORT_PAIR_CAT_(a, b) GORT_PAIR_CAT_AGAIN_(a, b)
#define GORT_PAIR_CAT_AGAIN_(a, b) a##b
#define GORT_IS_PAIR_(item) GORT_PAIR_APPLY_(GORT_SECOND_, GORT_PAIR_PROBE_ item, 0, 0)
#define GORT_UNPAIR_(f, E) f, E
#define GORT_PAIR_FIRST_(f, E) f
#define GORT_NAME_0(item) item
#define GORT_NAME_1(item) GORT_PAIR_FIRST_ item
#define GORT_NAME_(item) GORT_PAIR_CAT_(GORT_NAME_, GORT_IS_PAIR_(item))(item)
#define GORT_NAMED_(m, at, item) GORT_NAMED_APPLY_(m, at, GORT_NAME_(item))
#define GORT_NAMED_APPLY_(m, ...) m(__VA_ARGS__)

#define GORT_FIELD_DECLARE_(at, item, index)                                                       \
    GORT_PAIR_CAT_(GORT_FIELD_DECLARE_, GORT_IS_PAIR_(item))(at, item)
#define GORT_FIELD_DECLARE_0(at, f)                                                                \
    GORT_FIELD_TYPES_(at, f)                                                                       \
    enum {                                                                                         \
        at##_##f##_array = !GORT_SAME_(at##_##f##_0, at##_##f##_3),                                \
        at##_##f##_held = GORT_MAY_HOLD_(at##_##f##_3)                                             \
    };                                                                                             \
    static const struct gort_type at##_##f##_plain[1] __attribute__((                              \
        __unused__)) = { GORT_TYPE_PLAIN_KIND_(at##_##f##_3, 0, GORT_KIND_OF_(at##_##f##_3)) };    \
    GORT_FIELD_ALL_(at, f, at##_##f##_plain)
#define GORT_FIELD_DECLARE_1(at, item)                                                             \
    GORT_NAMED_APPLY_(GORT_FIELD_DECLARE_2, at, GORT_UNPAIR_ item)
#define GORT_FIELD_DECLARE_2(at, f, E)                                                             \
    GORT_FIELD_TYPES_(at, f)                                                                       \
    GORT_STATIC_ASSERT_(GORT_FIELD_IS_OF_(at##_##f##_3, E),                                        \
                        "GORT_STRUCT: " #f " is neither " #E " nor a pointer to it");              \
    GORT_FIELD_NAMED_(at, f, E, gort_type_##E, gort_holds_##E)
#define GORT_FIELD_IS_OF_(X, E)                                                                    \
    (GORT_SAME_(X, E) || GORT_SAME_(X, E *) || GORT_SAME_(X, const E *) ||                         \
     (GORT_SAME_(E, gort_func) && GORT_IS_POINTER_(*(X *)0)))
#define GORT_FIELD_NAMED_(at, f, E, symbol, holds)                                                 \
    GORT_HOLDS_KNOWN_(E, holds)                                                                    \
    enum {                                                                                         \
        at##_##f##_array = !GORT_SAME_(at##_##f##_0, at##_##f##_3),                                \
        at##_##f##_func = GORT_SAME_(E, gort_func),                                                \
        at##_##f##_value = GORT_SAME_(at##_##f##_3, E),                                            \
        at##_##f##_held = GORT_NAMED_HELD_(at##_##f##_3, E, holds)                                 \
    };                                                                                             \
    GORT_ELEM_DECLARE_(at##_##f##_plain, E, symbol)                                                \
    static const struct gort_type at##_##f##_ptr[1] __attribute__((__unused__)) = {                \
        { 0, sizeof(void *), sizeof(void *), 1, &gort_first_word_, 1, sizeof(void *), 0,           \
          (int)at##_##f##_func ? GORT_KIND_FUNC : GORT_KIND_POINTER, 0, 0,                         \
          GORT_IF_(at##_##f##_func, 0, GORT_ELEM_(at##_##f##_plain, E, symbol)), 0 }               \
    };                                                                                             \
    GORT_FIELD_ALL_(at, f, GORT_FIELD_ELEM_(at, f, E, symbol))
#define GORT_FIELD_ELEM_(at, f, E, symbol)                                                         \
    GORT_IF_(at##_##f##_value, GORT_ELEM_(at##_##f##_plain, E, symbol), at##_##f##_ptr)
#define GORT_FIELD_ALL_(at, f, elem)                                                               \
    static const struct gort_type at##_##f##_all[1] __attribute__((__unused__)) = {                \
        { 0, sizeof(at##_##f##_0),                                                                 \
          (int)at##_##f##_held ? GORT_WORDS_(sizeof(at##_##f##_0) + 0) : 0, 0, 0, 0,               \
          GORT_ALIGNOF_(at##_##f##_3),                                                             \
          (int)at##_##f##_held ? GORT_TYPE_CONSERVATIVE : GORT_TYPE_NOSCAN, GORT_KIND_ARRAY,       \
          sizeof(at##_##f##_0) / (sizeof(at##_##f##_3) + !sizeof(at##_##f##_3)), 0, elem, 0 }      \
    };
/* May a T that is not described hold a collected pointer? */
#define GORT_MAY_HOLD_(T)                                                                          \
    (!GORT_TYPE_IS_ARITHMETIC_(T) && sizeof(T) >= sizeof(void *) &&                                \
     GORT_ALIGNOF_(T) >= sizeof(void *))

#define GORT_FIELD_HELD_BYTES_(at, f)                                                              \
    ((int)at##_##f##_held ? GORT_WORDS_(sizeof(at##_##f##_0) + 0) : 0)
#define GORT_FIELD_CHECK_(at, item, index) GORT_NAMED_(GORT_FIELD_CHECK_OF_, at, item)
#define GORT_FIELD_CHECK_OF_(at, f)                                                                \
    GORT_STATIC_ASSERT_(!(int)at##_##f##_held || offsetof(at, f) % sizeof(void *) == 0,            \
                        "GORT_STRUCT: " #f " may hold a pointer and is not aligned");
#define GORT_FIELD_HOLDS_(at, item, index) GORT_NAMED_(GORT_FIELD_HOLDS_OF_, at, item)
#define GORT_FIELD_HOLDS_OF_(at, f) || (int)at##_##f##_held
#define GORT_FIELD_EXTENT_(at, item, index)                                                        \
    GORT_NAMED_APPLY_(GORT_FIELD_EXTENT_OF_, at, GORT_NAME_(item), index)
#define GORT_FIELD_EXTENT_OF_(at, f, index)                                                        \
    char gort_end_##index[(int)at##_##f##_held ? offsetof(at, f) + GORT_FIELD_HELD_BYTES_(at, f)   \
                                               : 1];
#define GORT_FIELD_RUN_(at, item, index) GORT_NAMED_(GORT_FIELD_RUN_OF_, at, item)
#define GORT_FIELD_RUN_OF_(at, f) { offsetof(at, f), GORT_FIELD_HELD_BYTES_(at, f) },
#define GORT_FIELD_MASK_(at, item, index) GORT_NAMED_(GORT_FIELD_MASK_OF_, at, item)
#define GORT_FIELD_MASK_OF_(at, f)                                                                 \
    | GORT_MASK_(sizeof(at), offsetof(at, f) / sizeof(void *),                                     \
                 GORT_FIELD_HELD_BYTES_(at, f) / sizeof(void *))
#define GORT_FIELD_ENTRY_(at, item, index)                                                         \
    GORT_PAIR_CAT_(GORT_FIELD_ENTRY_, GORT_IS_PAIR_(item))(at, item)
#define GORT_FIELD_ENTRY_0(at, f) GORT_FIELD_ENTRY_OF_(at, f, at##_##f##_plain)
#define GORT_FIELD_ENTRY_1(at, item) GORT_NAMED_APPLY_(GORT_FIELD_ENTRY_2, at, GORT_UNPAIR_ item)
#define GORT_FIELD_ENTRY_2(at, f, E)                                                               \
    GORT_FIELD_ENTRY_OF_(at, f, GORT_FIELD_ELEM_(at, f, E, gort_type_##E))
#define GORT_FIELD_ENTRY_OF_(at, f, elem)                                                          \
    { #f, GORT_IF_(at##_##f##_array, at##_##f##_all, elem), offsetof(at, f),                       \
      __alignof__(((at *)0)->f) },

#endif
