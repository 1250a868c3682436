/* Atomic operations with the memory order in the name.
 *
 * What it is: the only door to atomics.  Shared fields are plain integers or pointers; every
 * shared access goes through one of these macros, so that the order is visible at the call and
 * no access is sequentially consistent by accident.
 *
 * Why this way: C11 _Atomic makes the strongest order the default and does not mix with C++
 * readers of the public headers.  The __atomic builtins are understood by gcc, clang and TSan.
 *
 * Rule: an acquire or a release cites its partner where it is used; a relaxed access says why it
 * is safe when that is not plain from the field's own comment.
 *
 * Answers to: internal/runtime/atomic.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_ATOMIC_H
#define GORT_BASE_ATOMIC_H

#define atomic_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_load_seq(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)

#define atomic_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_store_seq(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#define atomic_exchange_acqrel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define atomic_exchange_seq(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

/* Compare and swap: true when *(p) was *(e) and became v, else *(e) holds what was there.
 * The failure order is the strongest that the success order allows for a load. */
#define atomic_cas_relaxed(p, e, v)                                                                \
    __atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define atomic_cas_acquire(p, e, v)                                                                \
    __atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define atomic_cas_release(p, e, v)                                                                \
    __atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define atomic_cas_acqrel(p, e, v)                                                                 \
    __atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define atomic_cas_seq(p, e, v)                                                                    \
    __atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Each returns the value before the operation. */
#define atomic_fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_add_acqrel(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define atomic_fetch_add_seq(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_sub_acqrel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define atomic_fetch_sub_seq(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_or_relaxed(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_or_acqrel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define atomic_fetch_and_relaxed(p, v) __atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_and_acqrel(p, v) __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)

#define atomic_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define atomic_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define atomic_fence_seq() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* Orders accesses of one thread against its own signal handler: a compiler fence only. */
#define atomic_fence_signal() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
