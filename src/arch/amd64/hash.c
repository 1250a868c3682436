/* A hash by the processor's AES rounds: Note [Hash of bytes] in lang/hash.c.
 *
 * Each of four lanes takes 16 bytes of 64 by one round, which xors them in after it has spread what
 * was there over four bytes.  The last bytes are taken twice where the size is no multiple, so two
 * lanes may hold the same ones: each lane has two rounds more before they meet, so that its bytes
 * are spread over all of it.  (After one, two values of a byte gave the same sum of two lanes.)
 * The lanes begin with seed, length and secret, so that nobody who does not know these can make two
 * inputs meet.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <cpuid.h>
#include <immintrin.h>

#include "arch/arch.h"

bool arch_has_aes(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_AES) != 0;
}

#define with_aes __attribute__((target("aes,sse2")))

with_aes static inline __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

with_aes static inline __m128i take(__m128i lane, const unsigned char *p)
{
    return _mm_aesenc_si128(lane, load(p));
}

with_aes static inline __m128i spread(__m128i lane, __m128i key)
{
    return _mm_aesenc_si128(_mm_aesenc_si128(lane, key), key);
}

with_aes static inline uint64_t finish(__m128i sum, __m128i key)
{
    sum = spread(_mm_aesenc_si128(sum, key), key);
    return (uint64_t)_mm_cvtsi128_si64(sum);
}

with_aes static uint64_t hash_blocks(const unsigned char *p, size_t n, __m128i lane[4])
{
    const unsigned char *last = p + n - 64;
    __m128i a = lane[0], b = lane[1], c = lane[2], d = lane[3];
    for (;; p += 64) {
        if (p > last) p = last; /* the last block overlaps the one before */
        a = take(a, p);
        b = take(b, p + 16);
        c = take(c, p + 32);
        d = take(d, p + 48);
        if (p == last) break;
    }
    a = _mm_xor_si128(spread(a, lane[1]), spread(b, lane[2]));
    c = _mm_xor_si128(spread(c, lane[3]), spread(d, lane[0]));
    return finish(_mm_xor_si128(a, c), lane[0]);
}

with_aes uint64_t arch_hash_long(const unsigned char *p, size_t n, uint64_t seed,
                                 const uint64_t secret[8])
{
    const unsigned char *key = (const unsigned char *)secret;
    __m128i start = _mm_set_epi64x((long long)seed, (long long)n);
    __m128i lane[4];
    for (int i = 0; i < 4; i++)
        lane[i] = _mm_xor_si128(start, load(key + 16 * i));
    if (n > 64) return hash_blocks(p, n, lane);
    __m128i sum = _mm_xor_si128(spread(take(lane[0], p), lane[1]),
                                spread(take(lane[1], p + n - 16), lane[2]));
    if (n > 32) {
        sum = _mm_xor_si128(sum, spread(take(lane[2], p + 16), lane[3]));
        sum = _mm_xor_si128(sum, spread(take(lane[3], p + n - 32), lane[0]));
    }
    return finish(sum, lane[0]);
}
