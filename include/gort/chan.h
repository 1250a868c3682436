/* Channels and select: typed.
 *
 *     gort_chan(int) c = gort_chan_make(int, 8);
 *     gort_send(c, 42);
 *     int v;
 *     if (gort_recv(c, &v)) ...
 *
 * Sending or receiving what is not assignment-compatible does not compile.  A NULL channel blocks
 * forever; a try on it finds nothing.  Waiters and elements are served first in, first out.  What a
 * goroutine did before it sent is visible to the one that received; what it did before it closed,
 * to those that received because of that.  A panic is said of every call that can raise one.
 *
 * A channel's type is a pointer to a qualified pointer to its elements: no object has that type, so
 * a channel is not mistaken for anything else, nor for a channel of another element.
 *
 * In C what is documented here as a function is a macro (base.h, Note [Macros]); in C++, where it
 * does not take a type, a template (cxx.h).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_CHAN_H
#define GORT_CHAN_H

#include <gort/base.h>
#include <gort/type.h>

/* The type of a channel of T: an object pointer.  T may be incomplete; not an array, not void. */
#define gort_chan(...) __typeof__(__typeof__(__VA_ARGS__) *const volatile *)

/* What gort_try_recv returns. */
enum {
    GORT_CLOSED = -1, /* closed and drained; *out is zeroed */
    GORT_EMPTY = 0,   /* nothing to receive now; *out is untouched */
    GORT_GOT = 1      /* *out is the element */
};

GORT_BEGIN_DECLS

/* One case of a select.  Made by gort_on_recv and gort_on_send; fields other than ok are
 * private. */
typedef struct gort_case {
    void *ch;
    void *elem; /* where to receive to, or what to send */
    int kind;   /* GORT_CASE_RECV or GORT_CASE_SEND */
    bool ok;    /* out: the receive chosen got a value, not the end of a closed channel */
} gort_case;
enum { GORT_CASE_RECV = 1, GORT_CASE_SEND = 2 };

/* Waits until one of the n cases can go on, does it, and returns its index.  Among those ready the
 * choice is uniformly random; a case on a NULL channel is never ready; n == 0 blocks forever.
 * cases and the values they name live until it returns; outs not chosen are untouched.  Panics
 * when a send on a closed channel is chosen. */
GORT_API int gort_select(gort_case *cases, int n);
/* The same without waiting: -1 when none is ready. */
GORT_API int gort_select_try(gort_case *cases, int n);
/* The same, waiting no longer than until gort_now() reaches deadline: -1 once it has. */
GORT_API int gort_select_until(gort_case *cases, int n, int64_t deadline);

/* What the macros and templates call.  ch is a channel of any type; elem and out point at one
 * element of its size; out may be NULL. */

/* elem describes one element; it must outlive the channel.  Overflow of cap is fatal. */
GORT_API void *gort_chan_make_raw(const struct gort_type *elem, size_t cap)
    GORT_NONNULL(1) GORT_ALLOCATES;
GORT_API void gort_send_raw(void *ch, const void *elem) GORT_NONNULL(2);
GORT_API bool gort_recv_raw(void *ch, void *out);
GORT_API bool gort_try_send_raw(void *ch, const void *elem) GORT_NONNULL(2);
GORT_API int gort_try_recv_raw(void *ch, void *out);
GORT_API void gort_close_raw(void *ch);
GORT_API size_t gort_chan_len_raw(const void *ch);
GORT_API size_t gort_chan_cap_raw(const void *ch);

GORT_END_DECLS

/* gort_chan(T) gort_chan_make(T, size_t cap): a new channel that holds cap elements before a send
 * blocks.  Elements that can hold pointers are scanned.  A capacity whose bytes overflow is
 * fatal. */
#define gort_chan_make(T, cap) GORT_APPLY_(GORT_CHAN_MAKE_, __COUNTER__, T, #T, cap)
#define GORT_CHAN_MAKE_(id, T, name, cap)                                                          \
    __extension__({                                                                                \
        GORT_TYPE_FIND_PLAIN_(id, T, name);                                                        \
        (gort_chan(T))gort_chan_make_raw(gort_desc_##id, (cap));                                   \
    })

#ifdef __cplusplus
#include <gort/cxx.h>
#else

/* void gort_send(ch, value): sends value; blocks until a receiver takes it or the channel has room.
 * Panics on a closed channel.  value may be a compound literal. */
#define gort_send(ch, ...) GORT_APPLY_(GORT_SEND_, __COUNTER__, gort_send_raw, ch, __VA_ARGS__)

/* bool gort_try_send(ch, value): sends if that is possible at once: true.  Panics on a closed
 * channel. */
#define gort_try_send(ch, ...)                                                                     \
    GORT_APPLY_(GORT_SEND_, __COUNTER__, gort_try_send_raw, ch, __VA_ARGS__)

/* bool gort_recv(ch, T *out): receives into *out (out may be NULL); blocks until there is an
 * element or the channel is closed.  false, and *out zeroed, once it is closed and drained. */
#define gort_recv(ch, ...) GORT_APPLY_(GORT_RECV_, __COUNTER__, gort_recv_raw, ch, __VA_ARGS__)

/* int gort_try_recv(ch, T *out): the same without blocking: GORT_GOT, GORT_EMPTY or GORT_CLOSED. */
#define gort_try_recv(ch, ...)                                                                     \
    GORT_APPLY_(GORT_RECV_, __COUNTER__, gort_try_recv_raw, ch, __VA_ARGS__)

/* void gort_close(ch): no more is sent; receivers get what is left, then the end.  Does not block.
 * Panics on a NULL or closed channel. */
#define gort_close(ch) GORT_APPLY_(GORT_OF_CHAN_, __COUNTER__, gort_close_raw, ch)
/* size_t gort_chan_len(ch): elements in it now.  gort_chan_cap(ch): its capacity.  0 for NULL. */
#define gort_chan_len(ch) GORT_APPLY_(GORT_OF_CHAN_, __COUNTER__, gort_chan_len_raw, ch)
#define gort_chan_cap(ch) GORT_APPLY_(GORT_OF_CHAN_, __COUNTER__, gort_chan_cap_raw, ch)

/* gort_case gort_on_recv(ch, T *out): a case that receives into *out; out may be NULL.
 * gort_case gort_on_send(ch, const T *value): a case that sends *value as it is when chosen.
 * Inside functions only, in initialisers too. */
#define gort_on_recv(ch, ...) GORT_APPLY_(GORT_ON_RECV_, __COUNTER__, ch, __VA_ARGS__)
#define gort_on_send(ch, ...) GORT_APPLY_(GORT_ON_SEND_, __COUNTER__, ch, __VA_ARGS__)

/* Defines gort_ch_<id>, the channel, evaluated once. */
#define GORT_CHAN_(id, channel)                                                                    \
    __auto_type const gort_ch_##id = (channel);                                                    \
    GORT_STATIC_ASSERT_(                                                                           \
        __builtin_types_compatible_p(__typeof__(gort_ch_##id), gort_chan(**gort_ch_##id)),         \
        "not a channel")
#define GORT_OF_CHAN_(id, fn, channel)                                                             \
    __extension__({                                                                                \
        GORT_CHAN_(id, channel);                                                                   \
        fn(GORT_UNTYPED_(gort_ch_##id));                                                           \
    })
#define GORT_SEND_(id, fn, channel, ...)                                                           \
    __extension__({                                                                                \
        GORT_CHAN_(id, channel);                                                                   \
        GORT_STRICT_BEGIN_                                                                         \
        __typeof__(**gort_ch_##id) gort_value_##id = (__VA_ARGS__);                                \
        GORT_STRICT_END_                                                                           \
        fn(GORT_UNTYPED_(gort_ch_##id), &gort_value_##id);                                         \
    })
#define GORT_RECV_(id, fn, channel, ...)                                                           \
    __extension__({                                                                                \
        GORT_CHAN_(id, channel);                                                                   \
        GORT_STRICT_BEGIN_                                                                         \
        __typeof__(**gort_ch_##id) *const gort_out_##id = (__VA_ARGS__);                           \
        GORT_STRICT_END_                                                                           \
        fn(GORT_UNTYPED_(gort_ch_##id), GORT_UNTYPED_(gort_out_##id));                             \
    })
#define GORT_ON_RECV_(id, channel, ...)                                                            \
    __extension__({                                                                                \
        GORT_CHAN_(id, channel);                                                                   \
        GORT_STRICT_BEGIN_                                                                         \
        __typeof__(**gort_ch_##id) *const gort_out_##id = (__VA_ARGS__);                           \
        GORT_STRICT_END_(gort_case){ GORT_UNTYPED_(gort_ch_##id), GORT_UNTYPED_(gort_out_##id),    \
                                     GORT_CASE_RECV, false };                                      \
    })
#define GORT_ON_SEND_(id, channel, ...)                                                            \
    __extension__({                                                                                \
        GORT_CHAN_(id, channel);                                                                   \
        GORT_STRICT_BEGIN_                                                                         \
        const __typeof__(**gort_ch_##id) *const gort_value_##id = (__VA_ARGS__);                   \
        GORT_STRICT_END_(gort_case){ GORT_UNTYPED_(gort_ch_##id), GORT_UNTYPED_(gort_value_##id),  \
                                     GORT_CASE_SEND, false };                                      \
    })
#endif

#endif
