/* Bit tricks and alignment.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_BITS_H
#define GORT_BASE_BITS_H

#include "base/config.h"

static inline unsigned bits_ctz64(uint64_t x)
{
    return (unsigned)__builtin_ctzll(x); /* x != 0 */
}
static inline unsigned bits_clz64(uint64_t x)
{
    return (unsigned)__builtin_clzll(x); /* x != 0 */
}
static inline unsigned bits_popcount64(uint64_t x)
{
    return (unsigned)__builtin_popcountll(x);
}
/* Number of bits needed to write x: 0 for 0. */
static inline unsigned bits_len64(uint64_t x)
{
    return x == 0 ? 0 : 64 - bits_clz64(x);
}
static inline bool is_pow2(uint64_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}
/* a is a power of two. */
static inline uintptr_t align_up(uintptr_t x, uintptr_t a)
{
    return (x + a - 1) & ~(a - 1);
}
static inline uintptr_t align_down(uintptr_t x, uintptr_t a)
{
    return x & ~(a - 1);
}
static inline size_t div_up(size_t x, size_t n)
{
    return (x + n - 1) / n;
}
static inline bool mul_overflows(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out);
}
static inline bool add_overflows(size_t a, size_t b, size_t *out)
{
    return __builtin_add_overflow(a, b, out);
}

#endif
