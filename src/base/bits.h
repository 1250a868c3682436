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
/* Bit 0 of each byte of x, byte i's as bit i: the products of what is wanted do not overlap. */
static inline uint64_t bits_of_bytes(uint64_t x)
{
    return (x & 0x0101010101010101u) * 0x0102040810204080u >> 56;
}
/* The other way: bit i of x (below 256) as bit 7 of byte i, the rest 0. */
static inline uint64_t bits_to_bytes(uint64_t x)
{
    uint64_t one_each = x * 0x0101010101010101u & 0x8040201008040201u;
    return (one_each + 0x7f7f7f7f7f7f7f7fu) & 0x8080808080808080u;
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
