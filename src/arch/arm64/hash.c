/* A hash by the processor's AES rounds: Note [Hash of bytes] in lang/hash.c.
 *
 * As on amd64, but that a round's first step, and not its last, xors the bytes in.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <arm_neon.h>
#include <sys/auxv.h>

#include "arch/arch.h"

#define HAS_AES (1ul << 3) /* the kernel's HWCAP_AES */

bool arch_has_aes(void)
{
    return (getauxval(AT_HWCAP) & HAS_AES) != 0;
}

#define with_aes __attribute__((target("+crypto")))

with_aes static inline uint8x16_t round_of(uint8x16_t lane, uint8x16_t data)
{
    return vaesmcq_u8(vaeseq_u8(lane, data));
}

with_aes static inline uint8x16_t take(uint8x16_t lane, const unsigned char *p)
{
    return round_of(lane, vld1q_u8(p));
}

with_aes static inline uint8x16_t spread(uint8x16_t lane, uint8x16_t key)
{
    return round_of(round_of(lane, key), key);
}

with_aes static inline uint64_t finish(uint8x16_t sum, uint8x16_t key)
{
    sum = spread(round_of(sum, key), key);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum), 0);
}

with_aes static uint64_t hash_blocks(const unsigned char *p, size_t n, const uint8x16_t lane[4])
{
    const unsigned char *last = p + n - 64;
    uint8x16_t a = lane[0], b = lane[1], c = lane[2], d = lane[3];
    for (;; p += 64) {
        if (p > last) p = last; /* the last block overlaps the one before */
        a = take(a, p);
        b = take(b, p + 16);
        c = take(c, p + 32);
        d = take(d, p + 48);
        if (p == last) break;
    }
    a = veorq_u8(spread(a, lane[1]), spread(b, lane[2]));
    c = veorq_u8(spread(c, lane[3]), spread(d, lane[0]));
    return finish(veorq_u8(a, c), lane[0]);
}

with_aes uint64_t arch_hash_long(const unsigned char *p, size_t n, uint64_t seed,
                                 const uint64_t secret[8])
{
    const unsigned char *key = (const unsigned char *)secret;
    uint64x2_t start = vsetq_lane_u64(seed, vdupq_n_u64(n), 1);
    uint8x16_t lane[4];
    for (int i = 0; i < 4; i++)
        lane[i] = veorq_u8(vreinterpretq_u8_u64(start), vld1q_u8(key + 16 * i));
    if (n > 64) return hash_blocks(p, n, lane);
    uint8x16_t sum =
        veorq_u8(spread(take(lane[0], p), lane[1]), spread(take(lane[1], p + n - 16), lane[2]));
    if (n > 32) {
        sum = veorq_u8(sum, spread(take(lane[2], p + 16), lane[3]));
        sum = veorq_u8(sum, spread(take(lane[3], p + n - 32), lane[0]));
    }
    return finish(sum, lane[0]);
}
