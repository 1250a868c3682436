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

/* Note [Hash of bytes] in hash.c. */
static force_inline uint64_t hash_bytes(const void *start, size_t n, uint64_t seed)
{
    const unsigned char *p = start;
    uint64_t a, b;
    if (n > 16) return hash_long(p, n, seed);
    if (n >= 8) {
        a = hash_load8(p);
        b = hash_load8(p + n - 8);
    } else if (n >= 4) {
        a = hash_load4(p);
        b = hash_load4(p + n - 4);
    } else if (n != 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
        b = 0;
    } else {
        a = b = 0;
    }
    const uint64_t *secret = hash_secret.word;
    gort_uint128_ x = (gort_uint128_)(a ^ secret[0]) * (b ^ seed ^ secret[1]);
    return gort_map_mix_((uint64_t)x ^ secret[2] ^ n, (uint64_t)(x >> 64) ^ secret[3]);
}

#endif
