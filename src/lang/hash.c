/* Hashes of bytes, for maps.
 *
 * Note [Hash of bytes].  The building block is a multiplication of two words to 128 bits whose
 * halves are folded: every bit of both moves about half of the result.  Up to 7 bytes are read as
 * two words that may overlap and mixed with what nobody outside knows, the process's secret and the
 * map's seed; a second mixing, of the product's halves, spreads what one multiplication leaves (by
 * a factor that does not depend on the key, keys in sequence were spread badly for one secret in
 * ten).  From 8 to 32 bytes it is the sum of two such products, of four words.  One of 8 to 15
 * bytes would be enough with one, but keys' lengths vary, and a branch on 16 that is foreseen half
 * of the time costs more than the other multiplication.  Longer ones are taken in 48 bytes, three
 * independent chains, and end as short ones do.  Who does not know the secret can not choose keys
 * whose factor is zero, which is what such a hash is attacked by.
 *
 * Where the processor has AES, more than 32 bytes go through its rounds instead, 64 bytes at a time
 * in four lanes (arch_hash_long): the same quality, in fewer instructions the longer they are.
 *
 * What is tested: avalanche, and the spread of the bits that maps use (test/unit/lang/hash.c).
 *
 * Answers to: memhash in hash64.go, aeshash in asm_amd64.s.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/hash.h"

#include "arch/arch.h"
#include "base/random.h"
#include "os/os.h"

struct hash_secret hash_secret;

void hash_init(bool repeatable)
{
    os_random_bytes(hash_secret.word, sizeof hash_secret.word);
    if (repeatable) {
        struct random r;
        random_init(&r, UINT64_C(0x6d617073));
        for (size_t i = 0; i < array_len(hash_secret.word); i++)
            hash_secret.word[i] = random_next(&r);
    }
    hash_secret.aes = arch_has_aes();
}

static force_inline uint64_t mix_pair(const unsigned char *p, uint64_t state, uint64_t secret)
{
    return gort_map_mix_(hash_load8(p) ^ secret, hash_load8(p + 8) ^ state);
}

uint64_t hash_long_portable(const unsigned char *p, size_t n, uint64_t seed)
{
    const uint64_t *secret = hash_secret.word;
    const unsigned char *last = p + n - 16;
    uint64_t a = gort_map_mix_(seed ^ secret[0], n ^ secret[1]), b = a, c = a;
    for (; n > 48; n -= 48, p += 48) {
        a = mix_pair(p, a, secret[2]);
        b = mix_pair(p + 16, b, secret[3]);
        c = mix_pair(p + 32, c, secret[4]);
    }
    if (n > 16) a = mix_pair(p, a, secret[5]);
    if (n > 32) b = mix_pair(p + 16, b, secret[6]);
    c = mix_pair(last, c, secret[7]);
    return gort_map_mix_(a ^ b ^ secret[0], c ^ secret[1]);
}

uint64_t hash_long(const unsigned char *p, size_t n, uint64_t seed)
{
    if (hash_secret.aes) return arch_hash_long(p, n, seed, hash_secret.word);
    return hash_long_portable(p, n, seed);
}

uint64_t gort_hash_bytes(const void *p, size_t n, uint64_t seed)
{
    return hash_bytes(p, n, seed);
}
