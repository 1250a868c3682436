/* Hashes of bytes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_HASH_H
#define GORT_LANG_HASH_H

#include <string.h>

#include "base/config.h"
#include "gort/map.h"

/* What nobody outside knows: written at boot before the second thread. */
struct hash_secret {
    uint64_t word[8]; /* of random bits */
    bool aes;         /* the processor has the instructions */
};
extern struct hash_secret hash_secret;
/* repeatable: drawn from the process's seed. */
void hash_init(bool repeatable);

/* n: more than HASH_MIDDLE_MAX. */
#define HASH_MIDDLE_MAX 32
uint64_t hash_long(const unsigned char *p, size_t n, uint64_t seed);
/* The same without the processor's AES instructions. */
uint64_t hash_long_portable(const unsigned char *p, size_t n, uint64_t seed);

static force_inline uint64_t hash_load8(const unsigned char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static force_inline uint64_t hash_load4(const unsigned char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* n: 8 to 32.  Two words from each end, which overlap as they must: those of at most 15 bytes are
 * the same two again, and no branch depends on the length. */
static force_inline size_t hash_inner(size_t n)
{
    return n >= 16 ? 8 : 0;
}

static force_inline gort_uint128_ hash_product(uint64_t a, uint64_t b)
{
    return (gort_uint128_)a * b;
}

static force_inline uint64_t hash_middle(const unsigned char *p, size_t n, uint64_t seed)
{
    const uint64_t *secret = hash_secret.word;
    const unsigned char *last = p + n - 8;
    size_t inner = hash_inner(n);
    gort_uint128_ x = hash_product(hash_load8(p) ^ secret[0], hash_load8(last) ^ seed ^ secret[1]) +
                      hash_product(hash_load8(p + inner) ^ secret[4],
                                   hash_load8(last - inner) ^ seed ^ secret[5]);
    return gort_map_mix_((uint64_t)x ^ secret[2] ^ n, (uint64_t)(x >> 64) ^ secret[3]);
}

/* n: up to 7. */
static force_inline uint64_t hash_short(const unsigned char *p, size_t n, uint64_t seed)
{
    const uint64_t *secret = hash_secret.word;
    uint64_t a = 0, b = 0;
    if (n >= 4) {
        a = hash_load4(p);
        b = hash_load4(p + n - 4);
    } else if (n != 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    }
    gort_uint128_ x = hash_product(a ^ secret[0], b ^ seed ^ secret[1]);
    return gort_map_mix_((uint64_t)x ^ secret[2] ^ n, (uint64_t)(x >> 64) ^ secret[3]);
}

/* Note [Hash of bytes] in hash.c. */
static force_inline uint64_t hash_bytes(const void *start, size_t n, uint64_t seed)
{
    if (n > HASH_MIDDLE_MAX) return hash_long(start, n, seed);
    return likely(n >= 8) ? hash_middle(start, n, seed) : hash_short(start, n, seed);
}

static force_inline bool hash_is_middle(size_t n)
{
    return n - 8 <= HASH_MIDDLE_MAX - 8;
}

/* n: 8 to 32. */
static force_inline bool hash_same_middle(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;
    size_t inner = hash_inner(n), last = n - 8;
    return ((hash_load8(p) ^ hash_load8(q)) | (hash_load8(p + last) ^ hash_load8(q + last)) |
            (hash_load8(p + inner) ^ hash_load8(q + inner)) |
            (hash_load8(p + last - inner) ^ hash_load8(q + last - inner))) == 0;
}

/* Are the n bytes at a those at b?  As keys are: few, and most often the same.  What no bytes lie
 * at may be NULL. */
static force_inline bool hash_same_bytes(const void *a, const void *b, size_t n)
{
    if (likely(hash_is_middle(n))) return hash_same_middle(a, b, n);
    return n == 0 || memcmp(a, b, n) == 0;
}

#endif
