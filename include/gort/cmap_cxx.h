/* The typed calls of cmap.h as C++ templates; what each does stands there.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_CMAP_CXX_H
#define GORT_CMAP_CXX_H

#include <gort/cmap.h>

#ifdef __cplusplus

extern "C++" {

template <typename M> struct gort_cmap_of {
};
template <typename K, typename V>
struct gort_cmap_of<V *(*const volatile *const *)(K *)> : gort_map_of<V *(*const volatile *)(K *)> {
};
template <typename M> using gort_cmap_key = typename gort_cmap_of<M>::key;
template <typename M> using gort_cmap_value = typename gort_cmap_of<M>::value;

template <typename M>
inline bool gort_cmap_load(M m, const gort_cmap_key<M> &key, gort_cmap_value<M> *out)
{
    const void *found = gort_cmap_load_raw(gort_map_untyped(m), &key);
    gort_map_copy_out(out, found);
    return found != nullptr;
}
template <typename M>
inline void gort_cmap_store(M m, const gort_cmap_key<M> &key, const gort_cmap_value<M> &value)
{
    (void)gort_cmap_swap_raw(gort_map_untyped(m), &key, &value);
}
template <typename M>
inline bool gort_cmap_swap(M m, const gort_cmap_key<M> &key, gort_cmap_value<M> *former,
                           const gort_cmap_value<M> &value)
{
    const void *found = gort_cmap_swap_raw(gort_map_untyped(m), &key, &value);
    gort_map_copy_out(former, found);
    return found != nullptr;
}
template <typename M>
inline bool gort_cmap_load_or_store(M m, const gort_cmap_key<M> &key, gort_cmap_value<M> *actual,
                                    const gort_cmap_value<M> &value)
{
    const void *found = gort_cmap_load_or_store_raw(gort_map_untyped(m), &key, &value);
    gort_map_copy_out(actual, found != nullptr ? found : &value);
    return found != nullptr;
}
template <typename M> inline bool gort_cmap_delete(M m, const gort_cmap_key<M> &key)
{
    return gort_cmap_load_and_delete_raw(gort_map_untyped(m), &key) != nullptr;
}
template <typename M>
inline bool gort_cmap_load_and_delete(M m, const gort_cmap_key<M> &key, gort_cmap_value<M> *out)
{
    const void *found = gort_cmap_load_and_delete_raw(gort_map_untyped(m), &key);
    gort_map_copy_out(out, found);
    return found != nullptr;
}
template <typename M>
inline bool gort_cmap_compare_and_swap(M m, const gort_cmap_key<M> &key,
                                       const gort_cmap_value<M> &old,
                                       const gort_cmap_value<M> &value)
{
    return gort_cmap_compare_and_swap_raw(gort_map_untyped(m), &key, &old, &value);
}
template <typename M>
inline bool gort_cmap_compare_and_delete(M m, const gort_cmap_key<M> &key,
                                         const gort_cmap_value<M> &old)
{
    return gort_cmap_compare_and_delete_raw(gort_map_untyped(m), &key, &old);
}
template <typename M, typename K = gort_cmap_key<M>> inline size_t gort_cmap_len(M m)
{
    return gort_cmap_len_raw(gort_map_untyped(m));
}
template <typename M, typename K = gort_cmap_key<M>> inline void gort_cmap_clear(M m)
{
    gort_cmap_clear_raw(gort_map_untyped(m));
}
template <typename M>
inline bool gort_cmap_next(M m, gort_cmap_iter *it, gort_cmap_key<M> *key,
                           gort_cmap_value<M> *value)
{
    if (!gort_cmap_next_raw(gort_map_untyped(m), it)) return false;
    gort_map_copy_out(key, it->key);
    gort_map_copy_out(value, it->value);
    return true;
}
}

#endif
#endif
