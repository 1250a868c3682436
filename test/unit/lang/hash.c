// The hashes of maps: avalanche, and an even spread of the bits that maps use, over keys as
// programs have them: in sequence, with steps of powers of two, in a few bytes of longer ones.
// With and without the processor's AES instructions.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../../test.h"
#include "lang/hash.h"

typedef uint64_t (*hash_fn)(const void *p, size_t n, uint64_t seed);

static uint64_t hash_int(const void *p, size_t n, uint64_t seed)
{
    uint64_t x = 0;
    memcpy(&x, p, n);
    return gort_map_hash_int_(x, seed);
}

static uint64_t hash_any(const void *p, size_t n, uint64_t seed)
{
    return hash_bytes(p, n, seed);
}

static uint64_t hash_portable(const void *p, size_t n, uint64_t seed)
{
    return n > HASH_MIDDLE_MAX ? hash_long_portable(p, n, seed) : hash_bytes(p, n, seed);
}

// ---- avalanche: of each bit of the key, how often each bit of the hash changes with it ----

// A bit that moves in less than 37 % of all cases, or in more than the rest, is a weak one.  A
// perfect hash is that far from a half, by 8.2 standard deviations of 1000 cases, once in 6e15
// counters; a run has 2e5.
enum { TRIALS = 1000 };

static void avalanche_of_bit(hash_fn hash, size_t n, size_t bit, int counts[64])
{
    uint64_t r = test_seed() + bit * 1000 + n;
    unsigned char key[256];
    for (int t = 0; t < TRIALS; t++) {
        uint64_t seed = test_random(&r);
        for (size_t i = 0; i < n; i++)
            key[i] = (unsigned char)test_random(&r);
        uint64_t before = hash(key, n, seed);
        key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        uint64_t changed = before ^ hash(key, n, seed);
        for (int i = 0; i < 64; i++)
            counts[i] += changed >> i & 1;
    }
}

static void avalanche(hash_fn hash, size_t n)
{
    size_t step = n > 32 ? 7 : 1;
    for (size_t bit = 0; bit < 8 * n; bit += step) {
        int counts[64] = { 0 };
        avalanche_of_bit(hash, n, bit, counts);
        for (int i = 0; i < 64; i++) {
            CHECK_GT(counts[i], TRIALS * 37 / 100);
            CHECK_LT(counts[i], TRIALS * 63 / 100);
        }
    }
}

TEST(avalanches)
{
    static const size_t sizes[] = { 1,  2,  3,  4,  5,  7,  8,  9,  15, 16,
                                    17, 24, 31, 32, 33, 48, 64, 65, 129 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        avalanche(hash_any, sizes[i]);
        avalanche(hash_portable, sizes[i]);
    }
}

// ---- spread: chi-square of the bits that choose directory, group and tag ----

enum { BUCKETS = 256, KEYS = 1 << 16 };

static unsigned buckets[3][BUCKETS];

static void count_key(hash_fn hash, const void *key, size_t n, uint64_t seed)
{
    uint64_t h = hash(key, n, seed);
    buckets[0][h >> 56]++;
    buckets[1][h >> 7 & 0xff]++;
    buckets[2][h & 0x7f]++;
}

static double chi_square(const unsigned *counts, int n)
{
    double expected = (double)KEYS / n, sum = 0;
    for (int i = 0; i < n; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

// Random keys give n - 1 on average, 255 for 256, and 600 in no run: once in 1e30.  Those in steps
// of 64 give 426 for some seeds, and never more, as one multiplication spreads them.  A hash that
// is bad gives thousands.
static void check_spread(const char *what, size_t size, size_t at)
{
    static const int n[3] = { BUCKETS, BUCKETS, 128 };
    for (int i = 0; i < 3; i++) {
        double x = chi_square(buckets[i], n[i]);
        if (x > n[i] + 350) {
            fprintf(stderr, "%s (%zu, %zu): bits %d: chi-square %.0f of %d\n", what, size, at, i, x,
                    n[i]);
            CHECK(false);
        }
    }
    memset(buckets, 0, sizeof buckets);
}

TEST(steps_of_integers)
{
    uint64_t r = test_seed();
    for (unsigned shift = 0; shift <= 48; shift++) {
        uint64_t seed = test_random(&r);
        for (uint64_t i = 0; i < KEYS; i++) {
            uint64_t key = i << shift;
            count_key(hash_int, &key, 8, seed);
        }
        check_spread("integers", 8, shift);
    }
}

static void long_keys(hash_fn hash, size_t n, size_t at)
{
    unsigned char key[256] = { 0 };
    for (unsigned i = 0; i < KEYS; i++) {
        memcpy(key + at, &i, 2);
        count_key(hash, key, n, 17);
    }
    check_spread(hash == hash_any ? "bytes" : "bytes, portably", n, at);
}

TEST(bytes_in_longer_keys)
{
    for (size_t n = 2; n <= 130; n += n < 20 ? 1 : 5)
        for (size_t at = 0; at + 2 <= n; at += n / 4 + 1) {
            long_keys(hash_any, n, at);
            long_keys(hash_portable, n, at);
        }
}

// ---- lengths, seeds, secrets ----

TEST(lengths_differ)
{
    static const unsigned char zeros[256];
    uint64_t seen[257];
    for (size_t n = 0; n <= 256; n++) {
        seen[n] = hash_any(zeros, n, 1);
        for (size_t k = 0; k < n; k++)
            CHECK_NE(seen[k], seen[n]);
    }
}

TEST(what_lies_beyond_does_not_matter)
{
    unsigned char a[300], b[300];
    for (size_t n = 0; n <= 200; n++) {
        memset(a, 1, sizeof a);
        memset(b, 2, sizeof b);
        memset(a + 8, 7, n);
        memset(b + 15, 7, n); // and at another alignment
        CHECK_EQ(hash_any(a + 8, n, 3), hash_any(b + 15, n, 3));
        CHECK_EQ(hash_portable(a + 8, n, 3), hash_portable(b + 15, n, 3));
    }
}

// In memory that ends with them, at all alignments, so that sanitizers see what is read beyond.
TEST(bytes_are_compared_to_the_last)
{
    for (size_t n = 0; n <= 80; n++) {
        size_t shift = n % 9;
        unsigned char *a = malloc(n + shift + 1), *b = malloc(n + 1), *p = a + shift + 1;
        memset(p, 5, n);
        memset(b + 1, 5, n);
        CHECK(hash_same_bytes(p, b + 1, n));
        for (size_t i = 0; i < n; i++) {
            p[i] ^= (unsigned char)(1 << i % 8);
            CHECK(!hash_same_bytes(p, b + 1, n));
            CHECK_NE(hash_any(p, n, 9), hash_any(b + 1, n, 9));
            p[i] = 5;
        }
        free(a);
        free(b);
    }
}

TEST(secrets_differ)
{
    uint64_t before = hash_any("a longer text than sixteen bytes", 32, 0);
    uint64_t before_short = hash_any("text", 4, 0);
    hash_init(false);
    CHECK_NE(before, hash_any("a longer text than sixteen bytes", 32, 0));
    CHECK_NE(before_short, hash_any("text", 4, 0));
    hash_init(true);
    uint64_t again = hash_any("text", 4, 0);
    hash_init(true);
    CHECK_EQ(again, hash_any("text", 4, 0));
}

int main(void)
{
    hash_init(false);
    RUN(avalanches);
    RUN(steps_of_integers);
    RUN(bytes_in_longer_keys);
    RUN(lengths_differ);
    RUN(what_lies_beyond_does_not_matter);
    RUN(bytes_are_compared_to_the_last);
    RUN(secrets_differ);
    return 0;
}
