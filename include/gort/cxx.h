/* The typed calls of chan.h and mem.h as C++ templates; what each does stands there.
 *
 * What the C macros check by initialising a typed temporary, these check by their parameter types:
 * the channel or the slot alone decides T, and the other arguments convert to it or do not compile.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_CXX_H
#define GORT_CXX_H

#include <gort/chan.h>
#include <gort/mem.h>

#ifdef __cplusplus

#define GORT_STRICT_BEGIN_
#define GORT_STRICT_END_
#define GORT_ELEMENT_(T, field) typename gort_element<decltype(T::field)>::type

extern "C++" {

/* T, in a place from which it is not deduced. */
template <typename T> struct gort_given {
    typedef T type;
};
/* The element type of a channel type; nothing else has one. */
template <typename C> struct gort_chan_element {
};
template <typename T> struct gort_chan_element<T *const volatile *> {
    typedef T type;
};
/* The element type of an array. */
template <typename A> struct gort_element {
};
template <typename T> struct gort_element<T[]> {
    typedef T type;
};
template <typename T, size_t n> struct gort_element<T[n]> {
    typedef T type;
};

/* Where an element goes through the channel; it may be incomplete elsewhere. */
template <typename T> inline void gort_check_element()
{
    static_assert(__is_trivially_copyable(T), "elements of a channel are copied as bytes");
}
template <typename C> inline void *gort_chan_untyped(C ch)
{
    return const_cast<void *>(static_cast<const volatile void *>(ch));
}
template <typename P> inline void *gort_untyped(P *p)
{
    return reinterpret_cast<void *>(reinterpret_cast<uintptr_t>(p));
}

template <typename C> inline void gort_send(C ch, const typename gort_chan_element<C>::type &value)
{
    gort_check_element<typename gort_chan_element<C>::type>();
    gort_send_raw(gort_chan_untyped(ch), &value);
}
template <typename C>
inline bool gort_try_send(C ch, const typename gort_chan_element<C>::type &value)
{
    gort_check_element<typename gort_chan_element<C>::type>();
    return gort_try_send_raw(gort_chan_untyped(ch), &value);
}
template <typename C> inline bool gort_recv(C ch, typename gort_chan_element<C>::type *out)
{
    gort_check_element<typename gort_chan_element<C>::type>();
    return gort_recv_raw(gort_chan_untyped(ch), out);
}
template <typename C> inline int gort_try_recv(C ch, typename gort_chan_element<C>::type *out)
{
    gort_check_element<typename gort_chan_element<C>::type>();
    return gort_try_recv_raw(gort_chan_untyped(ch), out);
}
template <typename C, typename T = typename gort_chan_element<C>::type> inline void gort_close(C ch)
{
    gort_close_raw(gort_chan_untyped(ch));
}
template <typename C, typename T = typename gort_chan_element<C>::type>
inline size_t gort_chan_len(C ch)
{
    return gort_chan_len_raw(gort_chan_untyped(ch));
}
template <typename C, typename T = typename gort_chan_element<C>::type>
inline size_t gort_chan_cap(C ch)
{
    return gort_chan_cap_raw(gort_chan_untyped(ch));
}
template <typename C> inline gort_case gort_on_recv(C ch, typename gort_chan_element<C>::type *out)
{
    gort_check_element<typename gort_chan_element<C>::type>();
    return gort_case{ gort_chan_untyped(ch), out, GORT_CASE_RECV, false };
}
template <typename C>
inline gort_case gort_on_send(C ch, const typename gort_chan_element<C>::type *value)
{
    gort_check_element<typename gort_chan_element<C>::type>();
    return gort_case{ gort_chan_untyped(ch), gort_untyped(value), GORT_CASE_SEND, false };
}

template <typename T> inline void gort_set(T **slot, typename gort_given<T *>::type value)
{
    gort_store_pointer(reinterpret_cast<void **>(gort_untyped(slot)), gort_untyped(value));
}
template <typename T> inline void gort_init(T **slot, typename gort_given<T *>::type value)
{
    *slot = value;
}
template <typename T> inline T *gort_load(T *const *slot)
{
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}
template <typename T> inline T *gort_exchange(T **slot, typename gort_given<T *>::type value)
{
    return reinterpret_cast<T *>(reinterpret_cast<uintptr_t>(
        gort_exchange_raw(reinterpret_cast<void **>(gort_untyped(slot)), gort_untyped(value))));
}
template <typename T>
inline bool gort_compare_exchange(T **slot, typename gort_given<T *>::type *expected,
                                  typename gort_given<T *>::type value)
{
    return gort_compare_exchange_raw(reinterpret_cast<void **>(gort_untyped(slot)),
                                     reinterpret_cast<void **>(gort_untyped(expected)),
                                     gort_untyped(value));
}
}

#endif
#endif
