/* Concurrent maps: from keys to values, typed, for any number of goroutines at once.
 *
 *     gort_cmap(int, double) m = gort_cmap_make(int, double, 0);
 *     gort_cmap_store(m, 3, 0.5);
 *     double d;
 *     if (gort_cmap_load(m, 3, &d)) ...
 *     if (!gort_cmap_load_or_store(m, 4, &d, 0.25)) ...     4 was not there; now d is 0.25
 *     int k;
 *     gort_cmap_iter it = GORT_CMAP_ITER;
 *     while (gort_cmap_next(m, &it, &k, &d)) ...
 *
 * Every call happens at one instant between its begin and its end, with regard to all others (only
 * gort_cmap_next and gort_cmap_len take more than one instant).  None waits: there is no lock. 
 * Readers write nothing, and go on while the map grows, which happens a few entries at a time. 
 * None switches goroutines. Who finds what another stored sees all that the other did before.
 *
 * Keys are those of gort_map (map.h), hashed and compared the same way; values are compared, by
 * gort_cmap_compare_and_swap and gort_cmap_compare_and_delete, by their bytes, padding included.
 * Keys and values are copied, and do not change where they are; to change a value, store another. 
 * Each store makes a small object.  A map that was large keeps its buckets, 8 bytes for each entry
 * it had, until it is cleared.
 *
 * A NULL map is empty: reading, deleting and clearing do nothing; storing panics.
 *
 * Beside gort_map with a gort_rwmutex: this one reads as fast while others write, and takes more
 * memory and more time for each store.
 *
 * In C what is documented here as a function is a macro (base.h, Note [Macros]); in C++, where it
 * does not take a type, a template (cmap_cxx.h).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_CMAP_H
#define GORT_CMAP_H

#include <gort/map.h>

/* The type of a concurrent map from K to V: an object pointer; K and V are complete where it is
 * used. */
#define gort_cmap(K, V) __typeof__(__typeof__(gort_map(K, V)) const *)

/* An iteration, a local variable: begun by the first gort_cmap_next.  Its fields are private. */
typedef struct gort_cmap_iter {
    const void *key, *value;       /* of the entry found */
    const struct cmap_entry *list; /* of the bucket: what is still to be looked at */
    uint64_t lo, hi;               /* hashes that count in it */
    uint64_t next, start;          /* the hash to go on with; where it began */
    const void *map;
    uint32_t state, wrapped;
} gort_cmap_iter;
#define GORT_CMAP_ITER                                                                             \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                                               \
    }

GORT_BEGIN_DECLS

GORT_API void *gort_cmap_make_raw(struct gort_map_type *type, const struct gort_type *key,
                                  const struct gort_type *value, size_t hint, gort_map_hash_fn hash,
                                  gort_map_equal_fn equal) GORT_NONNULL(1, 2, 3) GORT_ALLOCATES;
/* Where a value is, for as long as somebody knows; NULL: none. */
GORT_API const void *gort_cmap_load_raw(const void *map, const void *key);
GORT_API const void *gort_cmap_swap_raw(void *map, const void *key, const void *value);
GORT_API const void *gort_cmap_load_or_store_raw(void *map, const void *key, const void *value);
GORT_API const void *gort_cmap_load_and_delete_raw(void *map, const void *key);
GORT_API bool gort_cmap_compare_and_swap_raw(void *map, const void *key, const void *old,
                                             const void *value);
GORT_API bool gort_cmap_compare_and_delete_raw(void *map, const void *key, const void *old);
GORT_API void gort_cmap_clear_raw(void *map);
GORT_API size_t gort_cmap_len_raw(const void *map);
GORT_API bool gort_cmap_next_raw(const void *map, gort_cmap_iter *it) GORT_NONNULL(2);

GORT_END_DECLS

/* gort_cmap(K, V) gort_cmap_make(K, V, size_t hint): an empty map with buckets for hint entries. */
#define gort_cmap_make(K, V, hint) GORT_APPLY_(GORT_CMAP_MAKE_, __COUNTER__, K, #K, V, #V, hint)
/* The same for K and V that are one identifier each: they are scanned as GORT_TYPE says. */
#define gort_cmap_make_typed(K, V, hint)                                                           \
    GORT_APPLY_(GORT_CMAP_MAKE_TYPED_, __COUNTER__, K, gort_type_##K, #K, V, gort_type_##V, #V,    \
                hint)
/* gort_cmap(K, V) gort_cmap_make_own(K, V, size_t hint, uint64_t (*hash)(const K *key, uint64_t
 * seed), bool (*equal)(const K *a, const K *b)): keys are hashed and compared by these functions,
 * which any number of goroutines call at once.  One that panics leaves the map as it was. */
#define gort_cmap_make_own(K, V, hint, hash, equal)                                                \
    GORT_APPLY_(GORT_CMAP_MAKE_OWN_, __COUNTER__, K, #K, V, #V, hint, hash, equal)

/* bool gort_cmap_load(m, key, V *out): whether it has the key; *out is the value, or else zeroed. 
 * out may be NULL, and may lie in collected memory; so may all outs below. */
/* void gort_cmap_store(m, key, value): adds the key, or replaces its value. */
/* bool gort_cmap_swap(m, key, V *former, value): the same; whether the key was there, with its
 * value. */
/* bool gort_cmap_load_or_store(m, key, V *actual, value): whether the key was there: if not it is
 * added with the value.  *actual is the value that it has now. */
/* bool gort_cmap_delete(m, key): removes the key; false: there was none. */
/* bool gort_cmap_load_and_delete(m, key, V *out): the same; *out is the value it had, or zeroed. */
/* bool gort_cmap_compare_and_swap(m, key, old, value): replaces the key's value if it is there and
 * its bytes are those of old; whether it did.  old has no commas outside parentheses. */
/* bool gort_cmap_compare_and_delete(m, key, old): removes the key if its value's bytes are those
 * of old. */
/* size_t gort_cmap_len(m): entries in it: exact while nobody changes it; else it may miss, or have
 * too much, what is being changed meanwhile. */
/* void gort_cmap_clear(m): removes all, at one instant. */
/* bool gort_cmap_next(m, gort_cmap_iter *it, K *key, V *value): the next entry of an iteration, in
 * random order; false: there is none.  Others, and the goroutine that iterates, may change the map
 * meanwhile.  No key is found twice; one that is there all the time is found; of one that is
 * stored or deleted meanwhile the iteration may show any state that it had since it began. */

#define GORT_CMAP_MAKE_(id, K, kname, V, vname, hint)                                              \
    GORT_CMAP_MAKE_PLAIN_(id, id##k, id##v, K, kname, V, vname, hint, GORT_MAP_KIND_(K), NULL, NULL)
#define GORT_CMAP_MAKE_PLAIN_(id, kid, vid, K, kname, V, vname, hint, kind, hash, equal)           \
    __extension__({                                                                                \
        GORT_TYPE_FIND_PLAIN_(kid, K, kname);                                                      \
        GORT_TYPE_FIND_PLAIN_(vid, V, vname);                                                      \
        GORT_MAP_TYPE_(id, K, V, kind)                                                             \
        (gort_cmap(K, V)) gort_cmap_make_raw(&gort_map_type_##id, gort_desc_##kid,                 \
                                             gort_desc_##vid, (hint), hash, equal);                \
    })
#define GORT_CMAP_MAKE_TYPED_(id, K, ksymbol, kname, V, vsymbol, vname, hint)                      \
    GORT_CMAP_MAKE_FOUND_(id, id##k, id##v, K, ksymbol, kname, V, vsymbol, vname, hint)
#define GORT_CMAP_MAKE_FOUND_(id, kid, vid, K, ksymbol, kname, V, vsymbol, vname, hint)            \
    __extension__({                                                                                \
        GORT_TYPE_FIND_(kid, K, ksymbol, kname);                                                   \
        GORT_TYPE_FIND_(vid, V, vsymbol, vname);                                                   \
        GORT_MAP_TYPE_(id, K, V, GORT_MAP_KIND_(K))                                                \
        (gort_cmap(K, V)) gort_cmap_make_raw(&gort_map_type_##id, gort_desc_##kid,                 \
                                             gort_desc_##vid, (hint), NULL, NULL);                 \
    })
#define GORT_CMAP_MAKE_OWN_(id, K, kname, V, vname, hint, hash, equal)                             \
    __extension__({                                                                                \
        GORT_STRICT_BEGIN_                                                                         \
        uint64_t (*const gort_hash_##id)(const __typeof__(K) *, uint64_t) = (hash);                \
        bool (*const gort_equal_##id)(const __typeof__(K) *, const __typeof__(K) *) = (equal);     \
        GORT_STRICT_END_                                                                           \
        GORT_CMAP_MAKE_PLAIN_(id, id##k, id##v, K, kname, V, vname, hint, GORT_MAP_OWN,            \
                              (gort_map_hash_fn)(uintptr_t)gort_hash_##id,                         \
                              (gort_map_equal_fn)(uintptr_t)gort_equal_##id);                      \
    })

#ifdef __cplusplus
#include <gort/cmap_cxx.h>
#else

#define gort_cmap_load(m, key, ...) GORT_APPLY_(GORT_CMAP_LOAD_, __COUNTER__, m, key, __VA_ARGS__)
#define gort_cmap_store(m, key, ...) GORT_APPLY_(GORT_CMAP_STORE_, __COUNTER__, m, key, __VA_ARGS__)
#define gort_cmap_swap(m, key, former, ...)                                                        \
    GORT_APPLY_(GORT_CMAP_SWAP_, __COUNTER__, m, key, former, __VA_ARGS__)
#define gort_cmap_load_or_store(m, key, actual, ...)                                               \
    GORT_APPLY_(GORT_CMAP_LOAD_OR_STORE_, __COUNTER__, m, key, actual, __VA_ARGS__)
#define gort_cmap_delete(m, ...) GORT_APPLY_(GORT_CMAP_DELETE_, __COUNTER__, m, __VA_ARGS__)
#define gort_cmap_load_and_delete(m, key, ...)                                                     \
    GORT_APPLY_(GORT_CMAP_LOAD_AND_DELETE_, __COUNTER__, m, key, __VA_ARGS__)
#define gort_cmap_compare_and_swap(m, key, old, ...)                                               \
    GORT_APPLY_(GORT_CMAP_COMPARE_AND_SWAP_, __COUNTER__, m, key, old, __VA_ARGS__)
#define gort_cmap_compare_and_delete(m, key, ...)                                                  \
    GORT_APPLY_(GORT_CMAP_COMPARE_AND_DELETE_, __COUNTER__, m, key, __VA_ARGS__)
#define gort_cmap_len(m) GORT_APPLY_(GORT_CMAP_LEN_, __COUNTER__, m)
#define gort_cmap_clear(m) GORT_APPLY_(GORT_CMAP_CLEAR_, __COUNTER__, m)
#define gort_cmap_next(m, it, key, value)                                                          \
    GORT_APPLY_(GORT_CMAP_NEXT_, __COUNTER__, m, it, key, value)

/* Defines gort_c_<id>, the map, evaluated once, and what GORT_MAP_ of map.h defines. */
#define GORT_CMAP_(id, m)                                                                          \
    __auto_type const gort_c_##id = (m);                                                           \
    typedef __typeof__(*gort_c_##id) gort_m_type_##id;                                             \
    typedef __typeof__(**(*(gort_m_type_##id *)0)) gort_map_fn_##id;                               \
    gort_map_fn_##id *const volatile *const gort_m_##id __attribute__((__unused__)) = NULL;        \
    typedef __typeof__((*gort_m_##id)((void *)0)) gort_v_##id __attribute__((__unused__));         \
    GORT_STATIC_ASSERT_(__builtin_types_compatible_p(__typeof__(gort_c_##id),                      \
                                                     gort_map_fn_##id *const volatile *const *),   \
                        "not a concurrent map")
#define GORT_CMAP_UNTYPED_(id) ((void *)(uintptr_t)gort_c_##id)
#define GORT_CMAP_VALUE_TYPE_(id) __typeof__(*(gort_v_##id)0)

/* Define gort_out_<id>, where a value goes, and gort_<name>_<id>, a value. */
#define GORT_CMAP_OUT_(id, ...)                                                                    \
    GORT_STRICT_BEGIN_                                                                             \
    gort_v_##id const gort_out_##id = (__VA_ARGS__);                                               \
    GORT_STRICT_END_
#define GORT_CMAP_VALUE_(id, name, ...)                                                            \
    GORT_STRICT_BEGIN_                                                                             \
    GORT_CMAP_VALUE_TYPE_(id) gort_##name##_##id = (__VA_ARGS__);                                  \
    GORT_STRICT_END_

#define GORT_CMAP_LOAD_(id, m, key, ...)                                                           \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_OUT_(id, __VA_ARGS__)                                                            \
        const void *const gort_found_##id =                                                        \
            gort_cmap_load_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id);                            \
        GORT_MAP_COPY_OUT_(id, GORT_CMAP_VALUE_TYPE_(id), gort_out_##id, gort_found_##id);         \
        gort_found_##id != NULL;                                                                   \
    })
#define GORT_CMAP_STORE_(id, m, key, ...)                                                          \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_VALUE_(id, value, __VA_ARGS__)                                                   \
        (void)gort_cmap_swap_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id, &gort_value_##id);        \
    })
#define GORT_CMAP_SWAP_(id, m, key, former, ...)                                                   \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_OUT_(id, former)                                                                 \
        GORT_CMAP_VALUE_(id, value, __VA_ARGS__)                                                   \
        const void *const gort_found_##id =                                                        \
            gort_cmap_swap_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id, &gort_value_##id);          \
        GORT_MAP_COPY_OUT_(id, GORT_CMAP_VALUE_TYPE_(id), gort_out_##id, gort_found_##id);         \
        gort_found_##id != NULL;                                                                   \
    })
#define GORT_CMAP_LOAD_OR_STORE_(id, m, key, actual, ...)                                          \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_OUT_(id, actual)                                                                 \
        GORT_CMAP_VALUE_(id, value, __VA_ARGS__)                                                   \
        const void *const gort_found_##id =                                                        \
            gort_cmap_load_or_store_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id, &gort_value_##id); \
        GORT_MAP_COPY_OUT_(id, GORT_CMAP_VALUE_TYPE_(id), gort_out_##id,                           \
                           gort_found_##id != NULL ? gort_found_##id : &gort_value_##id);          \
        gort_found_##id != NULL;                                                                   \
    })
#define GORT_CMAP_DELETE_(id, m, ...)                                                              \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, __VA_ARGS__)                                                             \
        gort_cmap_load_and_delete_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id) != NULL;             \
    })
#define GORT_CMAP_LOAD_AND_DELETE_(id, m, key, ...)                                                \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_OUT_(id, __VA_ARGS__)                                                            \
        const void *const gort_found_##id =                                                        \
            gort_cmap_load_and_delete_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id);                 \
        GORT_MAP_COPY_OUT_(id, GORT_CMAP_VALUE_TYPE_(id), gort_out_##id, gort_found_##id);         \
        gort_found_##id != NULL;                                                                   \
    })
#define GORT_CMAP_COMPARE_AND_SWAP_(id, m, key, was, ...)                                          \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_VALUE_(id, old, was)                                                             \
        GORT_CMAP_VALUE_(id, value, __VA_ARGS__)                                                   \
        gort_cmap_compare_and_swap_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id, &gort_old_##id,     \
                                       &gort_value_##id);                                          \
    })
#define GORT_CMAP_COMPARE_AND_DELETE_(id, m, key, ...)                                             \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_MAP_KEY_(id, key)                                                                     \
        GORT_CMAP_VALUE_(id, old, __VA_ARGS__)                                                     \
        gort_cmap_compare_and_delete_raw(GORT_CMAP_UNTYPED_(id), &gort_key_##id, &gort_old_##id);  \
    })
#define GORT_CMAP_LEN_(id, m)                                                                      \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        gort_cmap_len_raw(GORT_CMAP_UNTYPED_(id));                                                 \
    })
#define GORT_CMAP_CLEAR_(id, m)                                                                    \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        gort_cmap_clear_raw(GORT_CMAP_UNTYPED_(id));                                               \
    })
#define GORT_CMAP_NEXT_(id, m, iter, key, value)                                                   \
    __extension__({                                                                                \
        GORT_CMAP_(id, m);                                                                         \
        GORT_STRICT_BEGIN_                                                                         \
        gort_cmap_iter *const gort_it_##id = (iter);                                               \
        __auto_type const gort_keyout_##id = (key);                                                \
        gort_v_##id const gort_out_##id = (value);                                                 \
        (void)sizeof((*gort_m_##id)(gort_keyout_##id));                                            \
        GORT_STRICT_END_                                                                           \
        if (GORT_MAP_IS_VOID_(gort_keyout_##id) && gort_keyout_##id != NULL)                       \
            gort_panic("gort_cmap_next: where the key goes is a pointer to void");                 \
        GORT_CMAP_NEXT_OF_(id, id##k, __typeof__(*GORT_MAP_SIZED_(gort_keyout_##id)));             \
    })
#define GORT_CMAP_NEXT_OF_(id, kid, K)                                                             \
    const bool gort_more_##id = gort_cmap_next_raw(GORT_CMAP_UNTYPED_(id), gort_it_##id);          \
    if (gort_more_##id) {                                                                          \
        GORT_TYPE_FIND_PLAIN_(kid, K, "key of a map");                                             \
        gort_map_copy_out_(gort_desc_##kid, gort_keyout_##id, gort_it_##id->key, sizeof(K),        \
                           GORT_MAP_HOLDS_(K));                                                    \
        GORT_MAP_COPY_OUT_(id, GORT_CMAP_VALUE_TYPE_(id), gort_out_##id, gort_it_##id->value);     \
    }                                                                                              \
    gort_more_##id
#endif

#endif
