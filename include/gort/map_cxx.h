/* The typed calls of map.h as C++ templates; what each does stands there.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_MAP_CXX_H
#define GORT_MAP_CXX_H

#include <gort/map.h>

#ifdef __cplusplus

#include <gort/cxx.h>

extern "C++" {

/* ---- kinds of keys --------------------------------------------------------------------------- */

/* As many bytes as an integer key has, or else GORT_MAP_BYTES. */
template <typename K, bool integer> struct gort_map_plain_kind {
    static constexpr int value =
        integer && sizeof(K) <= 8 ? static_cast<int>(sizeof(K)) : GORT_MAP_BYTES;
};
template <typename K> struct gort_map_kind_of {
    static constexpr int value = gort_map_plain_kind<K, gort_is_arithmetic<K>::value>::value;
};
template <typename T> struct gort_map_kind_of<T *> {
    static constexpr int value = GORT_MAP_INT8;
};
template <> struct gort_map_kind_of<const char *> {
    static constexpr int value = GORT_MAP_CSTRING;
};
template <> struct gort_map_kind_of<char *> {
    static constexpr int value = GORT_MAP_CSTRING;
};
template <> struct gort_map_kind_of<gort_map_bytes> {
    static constexpr int value = GORT_MAP_STRING;
};
template <> struct gort_map_kind_of<gort_string> {
    static constexpr int value = GORT_MAP_STRING;
};
template <> struct gort_map_kind_of<float> {
    static constexpr int value = GORT_MAP_F32;
};
template <> struct gort_map_kind_of<double> {
    static constexpr int value = GORT_MAP_F64;
};
/* Numbers whose bytes do not tell whether they are equal. */
template <typename K> struct gort_map_is_odd {
    static constexpr bool value = false;
};
template <> struct gort_map_is_odd<long double> {
    static constexpr bool value = true;
};

/* ---- a map's key and value ------------------------------------------------------------------- */

template <typename M> struct gort_map_of {
};
template <typename K, typename V> struct gort_map_of<V *(*const volatile *)(K *)> {
    typedef K key;
    typedef V value;
    static constexpr bool copied = __is_trivially_copyable(K) && __is_trivially_copyable(V);
    static_assert(copied, "keys and values of a map are copied as bytes");
    static constexpr int kind = gort_map_kind_of<K>::value;
    static gort_map_shape_ shape()
    {
        return gort_map_shape_of_(sizeof(K), alignof(K), sizeof(V), alignof(V));
    }
};

template <typename M> inline void *gort_map_untyped(M m)
{
    return const_cast<void *>(static_cast<const volatile void *>(m));
}
template <typename T> inline void gort_map_store(void *at, const T *from)
{
    GORT_MAP_STORE_(0, T, at, from);
}
template <typename T> inline void gort_map_copy_out(T *out, const void *from)
{
    GORT_MAP_COPY_OUT_(0, T, out, from);
}

template <typename M, typename K = typename gort_map_of<M>::key> inline size_t gort_map_len(M m)
{
    return gort_map_len_(gort_map_untyped(m));
}
template <typename M, typename K = typename gort_map_of<M>::key> inline void gort_map_clear(M m)
{
    gort_map_clear_raw(gort_map_untyped(m));
}
template <typename M>
inline typename gort_map_of<M>::value *gort_map_find(M m, const typename gort_map_of<M>::key &key)
{
    typedef gort_map_of<M> of;
    return static_cast<typename of::value *>(
        gort_map_find_(gort_map_untyped(m), of::kind, &key, of::shape()));
}
template <typename M>
inline typename gort_map_of<M>::value *gort_map_ref(M m, const typename gort_map_of<M>::key &key)
{
    typedef gort_map_of<M> of;
    return static_cast<typename of::value *>(
        gort_map_ref_(gort_map_untyped(m), of::kind, &key, of::shape()));
}
template <typename M>
inline bool gort_map_get(M m, const typename gort_map_of<M>::key &key,
                         typename gort_map_of<M>::value *out)
{
    const typename gort_map_of<M>::value *found = gort_map_find(m, key);
    gort_map_copy_out(out, found);
    return found != nullptr;
}
template <typename M>
inline void gort_map_put(M m, const typename gort_map_of<M>::key &key,
                         const typename gort_map_of<M>::value &value)
{
    gort_map_store(gort_map_ref(m, key), &value);
}
template <typename M> inline bool gort_map_delete(M m, const typename gort_map_of<M>::key &key)
{
    typedef gort_map_of<M> of;
    return gort_map_delete_(gort_map_untyped(m), of::kind, &key, of::shape());
}
template <typename M>
inline bool gort_map_next(M m, gort_map_iter *it, typename gort_map_of<M>::key *key,
                          typename gort_map_of<M>::value *value)
{
    typedef gort_map_of<M> of;
    const void *k, *v;
    if (!gort_map_next_(gort_map_untyped(m), it, of::shape(), false, &k, &v)) return false;
    gort_map_copy_out(key, k);
    gort_map_copy_out(value, v);
    return true;
}
}

#endif
#endif
