/* Maps: from keys to values, typed.
 *
 *     gort_map(int, double) m = gort_map_make(int, double, 0);
 *     gort_map_put(m, 3, 0.5);
 *     *gort_map_ref(m, 4) += 1;
 *     double d;
 *     if (gort_map_get(m, 3, &d)) ...
 *     int k;
 *     gort_map_iter it = GORT_MAP_ITER;
 *     while (gort_map_next(m, &it, &k, &d)) ...
 *     gort_map_delete(m, 3);
 *
 * Keys are compared so:
 *     integers, enumerations, pointers      by value
 *     float, double                         by value: 0 and -0 are one key, and a NaN equals none,
 *                                           so that each put of one adds an entry that only
 *                                           iteration finds
 *     const char *, char *                  by the characters up to the final zero; what the key
 *                                           points to must not change while it is in the map, and
 *                                           stays the program's
 *     gort_string                           by its bytes, which the map keeps if they are collected
 *     gort_map_bytes                        by the bytes that it names, as if they were a
 *                                           gort_string's
 *     structs and unions                    by their bytes, padding included: zero it, or else:
 *     gort_map_make_own                     by a function of the program's
 * The key that entered an entry stays when the value is replaced.
 *
 * Keys and values that hold collected pointers keep what these point to; a map whose keys and
 * values can hold none is not scanned.  A NULL map is empty: reading, deleting and clearing do
 * nothing; adding panics.  Any number of goroutines may read a map while none changes it.  A change
 * beside a change or a read, which the program must exclude, is looked for and fatal when it is
 * seen.  No operation blocks or switches goroutines, and none moves many entries: a map grows one
 * table at a time.
 *
 * Each map has a random seed, so that nobody outside can choose keys that collide.
 *
 * In C what is documented here as a function is a macro (base.h, Note [Macros]); in C++, where it
 * does not take a type, a template (map_cxx.h).  In C an argument that is a struct, or a pointer
 * other than to char or void, has the very type of the map's key.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_MAP_H
#define GORT_MAP_H

#include <gort/base.h>
#include <gort/map_inline.h>
#include <gort/mem.h>
#include <gort/panic.h>
#include <gort/string.h>
#include <gort/type.h>

/* The type of a map from K to V: an object pointer; K and V are complete where the map is used. */
#define gort_map(K, V) __typeof__(__typeof__(V) *(*const volatile *)(__typeof__(K) *))

/* A key of counted bytes. */
typedef struct gort_map_bytes {
    const void *start;
    size_t size;
} gort_map_bytes;
GORT_STATIC_ASSERT_(sizeof(gort_map_bytes) == sizeof(gort_string) &&
                        offsetof(gort_map_bytes, start) == offsetof(gort_string, ptr) &&
                        offsetof(gort_map_bytes, size) == offsetof(gort_string, len),
                    "GORT_MAP_STRING is the kind of both");

/* An iteration, a local variable: begun by the first gort_map_next.  Its fields are private. */
#define GORT_MAP_ITER                                                                              \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                    \
    }

GORT_BEGIN_DECLS

/* A hash of n bytes, for functions that hash a program's own keys.  Differs between processes. */
GORT_API uint64_t gort_hash_bytes(const void *p, size_t n, uint64_t seed);
/* A hash of an integer; the same in all processes. */
static inline uint64_t gort_hash_int(uint64_t x, uint64_t seed)
{
    return gort_map_hash_int_(x, seed);
}

GORT_END_DECLS

/* gort_map(K, V) gort_map_make(K, V, size_t hint): an empty map with room for hint entries before
 * it grows; a hint whose bytes overflow counts as 0.  Of structs all words are scanned; arithmetic
 * types hold no pointers. */
#define gort_map_make(K, V, hint) GORT_APPLY_(GORT_MAP_MAKE_, __COUNTER__, K, #K, V, #V, hint)

/* The same for K and V that are one identifier each: they are scanned as GORT_TYPE says. */
#define gort_map_make_typed(K, V, hint)                                                            \
    GORT_APPLY_(GORT_MAP_MAKE_TYPED_, __COUNTER__, K, gort_type_##K, #K, V, gort_type_##V, #V, hint)

/* gort_map(K, V) gort_map_make_own(K, V, size_t hint, uint64_t (*hash)(const K *key, uint64_t
 * seed), bool (*equal)(const K *a, const K *b)): keys are hashed and compared by these functions.
 * Equal keys have equal hashes for equal seeds.  They neither block nor use the map.  When one
 * panics the map is as it was before the call.  A key that does not equal itself is found by
 * iteration only. */
#define gort_map_make_own(K, V, hint, hash, equal)                                                 \
    GORT_APPLY_(GORT_MAP_MAKE_OWN_, __COUNTER__, K, #K, V, #V, hint, hash, equal)

/* size_t gort_map_len(m): entries in it. */
/* bool gort_map_get(m, key, V *out): whether it has the key; *out is the value, or else zeroed.
 * out may be NULL, and may lie in collected memory. */
/* V *gort_map_find(m, key): where the key's value is; NULL: the map has no such key.
 * V *gort_map_ref(m, key): the same, after adding the key with a zeroed value if it was not there.
 * Panics if the map is NULL.  The value may be read and written there until the map's next change
 * by put, ref, delete or clear; collected pointers are stored by gort_set. */
/* void gort_map_put(m, key, value): adds the key, or replaces its value.  Panics if the map is
 * NULL. value may be a compound literal. */
/* bool gort_map_delete(m, key): removes the key; false: there was none. */
/* void gort_map_clear(m): removes all. */
/* bool gort_map_next(m, gort_map_iter *it, K *key, V *value): the next entry of an iteration, in
 * random order; false: there is none.  key and value may be NULL, and may lie in collected memory.
 * The map may be changed meanwhile by the goroutine that iterates: an entry that was removed before
 * it was reached is not found; one that was added may or may not be; any other is found exactly
 * once. */

/* ---- making ---------------------------------------------------------------------------------- */

/* The kind of a key of type K: enum gort_map_kind. */
#ifdef __cplusplus
#define GORT_MAP_KIND_(K) (::gort_map_kind_of<K>::value)
#define GORT_MAP_IS_ODD_(K) (::gort_map_is_odd<K>::value)
#else
#define GORT_MAP_KIND_(K)                                                                          \
    _Generic((__typeof__(K) *)0, const char ** : GORT_MAP_CSTRING, char ** : GORT_MAP_CSTRING,     \
             gort_string * : GORT_MAP_STRING, gort_map_bytes * : GORT_MAP_STRING,                  \
             float * : GORT_MAP_F32, double * : GORT_MAP_F64,                                      \
             default : GORT_MAP_KIND_PLAIN_(*(__typeof__(K) *)0))
#define GORT_MAP_KIND_PLAIN_(k)                                                                    \
    ((__builtin_classify_type(k) == 5 ||                                                           \
      (GORT_IS_ARITHMETIC_(k) && __builtin_classify_type(k) < 8)) &&                               \
             sizeof(k) <= 8                                                                        \
         ? (int)sizeof(k)                                                                          \
         : GORT_MAP_BYTES)
/* Numbers whose bytes do not tell whether they are equal. */
#define GORT_MAP_IS_ODD_(K)                                                                        \
    (__builtin_classify_type(*(__typeof__(K) *)0) == 8 ||                                          \
     __builtin_classify_type(*(__typeof__(K) *)0) == 9)
#endif

#define GORT_MAP_TYPE_(id, K, V, kind)                                                             \
    GORT_STATIC_ASSERT_((kind) != GORT_MAP_BYTES || !GORT_MAP_IS_ODD_(K),                          \
                        "a map's key is not long double or complex: see gort_map_make_own");       \
    static struct gort_map_type gort_map_type_##id = {                                             \
        0, 0, sizeof(K), sizeof(V), GORT_ALIGNOF_(K), GORT_ALIGNOF_(V), (kind), 0                  \
    };

#define GORT_MAP_MAKE_(id, K, kname, V, vname, hint)                                               \
    GORT_MAP_MAKE_PLAIN_(id, id##k, id##v, K, kname, V, vname, hint, GORT_MAP_KIND_(K), NULL, NULL)
#define GORT_MAP_MAKE_PLAIN_(id, kid, vid, K, kname, V, vname, hint, kind, hash, equal)            \
    __extension__({                                                                                \
        GORT_TYPE_FIND_PLAIN_(kid, K, kname);                                                      \
        GORT_TYPE_FIND_PLAIN_(vid, V, vname);                                                      \
        GORT_MAP_TYPE_(id, K, V, kind)                                                             \
        (gort_map(K, V)) gort_map_make_raw(&gort_map_type_##id, gort_desc_##kid, gort_desc_##vid,  \
                                           (hint), hash, equal);                                   \
    })
#define GORT_MAP_MAKE_TYPED_(id, K, ksymbol, kname, V, vsymbol, vname, hint)                       \
    GORT_MAP_MAKE_FOUND_(id, id##k, id##v, K, ksymbol, kname, V, vsymbol, vname, hint)
#define GORT_MAP_MAKE_FOUND_(id, kid, vid, K, ksymbol, kname, V, vsymbol, vname, hint)             \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(kid, K, ksymbol, kname);                                                   \
        GORT_TYPE_FIND_(vid, V, vsymbol, vname);                                                   \
        GORT_MAP_TYPE_(id, K, V, GORT_MAP_KIND_(K))                                                \
        (gort_map(K, V)) gort_map_make_raw(&gort_map_type_##id, gort_desc_##kid, gort_desc_##vid,  \
                                           (hint), NULL, NULL);                                    \
    })
#define GORT_MAP_MAKE_OWN_(id, K, kname, V, vname, hint, hash, equal)                              \
    __extension__({                                                                                \
        GORT_STRICT_BEGIN_                                                                         \
        uint64_t (*const gort_hash_##id)(const __typeof__(K) *, uint64_t) = (hash);                \
        bool (*const gort_equal_##id)(const __typeof__(K) *, const __typeof__(K) *) = (equal);     \
        GORT_STRICT_END_                                                                           \
        GORT_MAP_MAKE_PLAIN_(id, id##k, id##v, K, kname, V, vname, hint, GORT_MAP_OWN,             \
                             (gort_map_hash_fn)(uintptr_t)gort_hash_##id,                          \
                             (gort_map_equal_fn)(uintptr_t)gort_equal_##id);                       \
    })

#ifdef __cplusplus
#include <gort/map_cxx.h>
#else

/* ---- C: the types of a map's key and value --------------------------------------------------- */

#define gort_map_len(m) GORT_APPLY_(GORT_MAP_LEN_, __COUNTER__, m)
#define gort_map_get(m, key, ...) GORT_APPLY_(GORT_MAP_GET_, __COUNTER__, m, key, __VA_ARGS__)
#define gort_map_find(m, ...) GORT_APPLY_(GORT_MAP_FIND_, __COUNTER__, m, __VA_ARGS__)
#define gort_map_ref(m, ...) GORT_APPLY_(GORT_MAP_REF_, __COUNTER__, m, __VA_ARGS__)
#define gort_map_put(m, key, ...) GORT_APPLY_(GORT_MAP_PUT_, __COUNTER__, m, key, __VA_ARGS__)
#define gort_map_delete(m, ...) GORT_APPLY_(GORT_MAP_DELETE_, __COUNTER__, m, __VA_ARGS__)
#define gort_map_clear(m) GORT_APPLY_(GORT_MAP_CLEAR_, __COUNTER__, m)
#define gort_map_next(m, it, key, value) GORT_APPLY_(GORT_MAP_NEXT_, __COUNTER__, m, it, key, value)

/* Defines gort_m_<id>, the map, evaluated once, and gort_v_<id>, the type of a pointer to its
 * values. */
#define GORT_MAP_(id, m)                                                                           \
    __auto_type const gort_m_##id = (m);                                                           \
    typedef __typeof__((*gort_m_##id)((void *)0)) gort_v_##id __attribute__((__unused__));         \
    typedef __typeof__(**gort_m_##id) gort_map_fn_##id;                                            \
    GORT_STATIC_ASSERT_(                                                                           \
        __builtin_types_compatible_p(__typeof__(gort_m_##id), gort_map_fn_##id *const volatile *), \
        "not a map")

/* An expression of the type of the map's key; `other` where C has no way to tell it. */
#define GORT_MAP_IF_(id, T) gort_v_##id (*)(T *) : (T)0
#define GORT_MAP_KEY_OR_(id, other)                                                                \
    _Generic((gort_map_fn_##id *)0, GORT_MAP_IF_(id, _Bool), GORT_MAP_IF_(id, char),               \
             GORT_MAP_IF_(id, signed char), GORT_MAP_IF_(id, unsigned char),                       \
             GORT_MAP_IF_(id, short), GORT_MAP_IF_(id, unsigned short), GORT_MAP_IF_(id, int),     \
             GORT_MAP_IF_(id, unsigned), GORT_MAP_IF_(id, long), GORT_MAP_IF_(id, unsigned long),  \
             GORT_MAP_IF_(id, long long), GORT_MAP_IF_(id, unsigned long long),                    \
             GORT_MAP_IF_(id, float), GORT_MAP_IF_(id, double), gort_v_##id(*)(char **)            \
             : (char *)0, gort_v_##id(*)(const char **)                                            \
             : (const char *)0, gort_v_##id(*)(void **)                                            \
             : (void *)0, gort_v_##id(*)(const void **)                                            \
             : (const void *)0, default                                                            \
             : (other))

/* Defines gort_key_<id>: the key, converted to the map's key type. */
#define GORT_MAP_KEY_(id, ...)                                                                     \
    GORT_STRICT_BEGIN_                                                                             \
    __typeof__(__extension__({ GORT_MAP_KEY_OR_(id, (__VA_ARGS__)); })) gort_key_##id =            \
        (__VA_ARGS__);                                                                             \
    (void)sizeof((*gort_m_##id)(&gort_key_##id));                                                  \
    GORT_STRICT_END_

/* The layout of a slot, constants. */
#define GORT_MAP_SHAPE_(id)                                                                        \
    GORT_MAP_SHAPE_OF_(sizeof(gort_key_##id), _Alignof(__typeof__(gort_key_##id)),                 \
                       sizeof(*(gort_v_##id)0), _Alignof(__typeof__(*(gort_v_##id)0)))
#define GORT_MAP_KEY_KIND_(id) GORT_MAP_KIND_(__typeof__(gort_key_##id))
#define GORT_MAP_UNTYPED_(id) ((void *)(uintptr_t)gort_m_##id)

#define GORT_MAP_LEN_(id, m)                                                                       \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        gort_map_len_(GORT_MAP_UNTYPED_(id));                                                      \
    })
#define GORT_MAP_CLEAR_(id, m)                                                                     \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        gort_map_clear_raw(GORT_MAP_UNTYPED_(id));                                                 \
    })
#define GORT_MAP_FIND_(id, m, ...)                                                                 \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        GORT_MAP_KEY_(id, __VA_ARGS__)                                                             \
        (gort_v_##id) gort_map_find_(GORT_MAP_UNTYPED_(id), GORT_MAP_KEY_KIND_(id),                \
                                     &gort_key_##id, GORT_MAP_SHAPE_(id));                         \
    })
#define GORT_MAP_REF_(id, m, ...)                                                                  \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        GORT_MAP_KEY_(id, __VA_ARGS__)                                                             \
        (gort_v_##id) gort_map_ref_(GORT_MAP_UNTYPED_(id), GORT_MAP_KEY_KIND_(id), &gort_key_##id, \
                                    GORT_MAP_SHAPE_(id));                                          \
    })
#define GORT_MAP_DELETE_(id, m, ...)                                                               \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        GORT_MAP_KEY_(id, __VA_ARGS__)                                                             \
        gort_map_delete_(GORT_MAP_UNTYPED_(id), GORT_MAP_KEY_KIND_(id), &gort_key_##id,            \
                         GORT_MAP_SHAPE_(id));                                                     \
    })
#define GORT_MAP_GET_(id, m, key, ...)                                                             \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_STRICT_BEGIN_                                                                         \
        gort_v_##id const gort_out_##id = (__VA_ARGS__);                                           \
        GORT_STRICT_END_                                                                           \
        const void *const gort_found_##id = gort_map_find_(                                        \
            GORT_MAP_UNTYPED_(id), GORT_MAP_KEY_KIND_(id), &gort_key_##id, GORT_MAP_SHAPE_(id));   \
        GORT_MAP_COPY_OUT_(id, __typeof__(*(gort_v_##id)0), gort_out_##id, gort_found_##id);       \
        gort_found_##id != NULL;                                                                   \
    })
#define GORT_MAP_PUT_(id, m, key, ...)                                                             \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_STRICT_BEGIN_                                                                         \
        __typeof__(*(gort_v_##id)0) gort_value_##id = (__VA_ARGS__);                               \
        GORT_STRICT_END_                                                                           \
        void *const gort_at_##id = gort_map_ref_(GORT_MAP_UNTYPED_(id), GORT_MAP_KEY_KIND_(id),    \
                                                 &gort_key_##id, GORT_MAP_SHAPE_(id));             \
        GORT_MAP_STORE_(id, __typeof__(gort_value_##id), gort_at_##id, &gort_value_##id);          \
    })
/* What C can not tell of the key's type it takes from where the key goes; a key that goes nowhere
 * has no size here, and the map says where its slots are. */
#define GORT_MAP_NEXT_(id, m, iter, key, value)                                                    \
    __extension__({                                                                                \
        GORT_MAP_(id, m);                                                                          \
        GORT_STRICT_BEGIN_                                                                         \
        gort_map_iter *const gort_it_##id = (iter);                                                \
        __auto_type const gort_keyout_##id = (key);                                                \
        gort_v_##id const gort_out_##id = (value);                                                 \
        (void)sizeof((*gort_m_##id)(gort_keyout_##id));                                            \
        GORT_STRICT_END_                                                                           \
        if (GORT_MAP_IS_VOID_(gort_keyout_##id) && gort_keyout_##id != NULL)                       \
            gort_panic("gort_map_next: where the key goes is a pointer to void");                  \
        GORT_MAP_NEXT_OF_(id, id##k, __typeof__(*GORT_MAP_KEYED_(id, gort_keyout_##id)),           \
                          GORT_MAP_IS_UNKNOWN_(GORT_MAP_KEYED_(id, gort_keyout_##id)));            \
    })
#define GORT_MAP_IS_VOID_(p) _Generic((p), void * : 1, default : 0)
#define GORT_MAP_SIZED_(out) _Generic((out), void * : (char *)(uintptr_t)(out), default : (out))
/* A pointer to the map's key, or to a gort_map_iter where that is not known. */
#define GORT_MAP_KEYED_(id, out)                                                                   \
    _Generic((out), void * : (__typeof__(GORT_MAP_KEY_KNOWN_(id)) *)(uintptr_t)(out),              \
             default : (out))
#define GORT_MAP_KEY_KNOWN_(id)                                                                    \
    _Generic((gort_map_fn_##id *)0, gort_v_##id(*)(gort_string *)                                  \
             : (gort_string){ 0, 0 }, gort_v_##id(*)(gort_map_bytes *)                             \
             : (gort_map_bytes){ 0, 0 }, default                                                   \
             : GORT_MAP_KEY_OR_(id, (gort_map_iter)GORT_MAP_ITER))
#define GORT_MAP_IS_UNKNOWN_(p) _Generic((p), gort_map_iter * : 1, default : 0)
#define GORT_MAP_NEXT_OF_(id, kid, K, nowhere)                                                     \
    const void *gort_key_##id, *gort_value_##id;                                                   \
    const bool gort_more_##id =                                                                    \
        gort_map_next_(GORT_MAP_UNTYPED_(id), gort_it_##id,                                        \
                       GORT_MAP_SHAPE_OF_(sizeof(K), GORT_ALIGNOF_(K), sizeof(*(gort_v_##id)0),    \
                                          GORT_ALIGNOF_(__typeof__(*(gort_v_##id)0))),             \
                       nowhere, &gort_key_##id, &gort_value_##id);                                 \
    if (gort_more_##id) {                                                                          \
        GORT_TYPE_FIND_PLAIN_(kid, K, "key of a map");                                             \
        gort_map_copy_out_(gort_desc_##kid, gort_keyout_##id, gort_key_##id, sizeof(K),            \
                           GORT_MAP_HOLDS_(K));                                                    \
        GORT_MAP_COPY_OUT_(id, __typeof__(*(gort_v_##id)0), gort_out_##id, gort_value_##id);       \
    }                                                                                              \
    gort_more_##id
#endif

#endif
