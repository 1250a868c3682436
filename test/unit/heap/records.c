// The off-heap allocators: fixed-size records, permanent memory, bit arrays.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/bits.h"
#include "heap/fixalloc.h"
#include "heap/persistent.h"
#include "heap_test.h"

static uint64_t bytes;

// ---- fixalloc ---------------------------------------------------------------------------------

// The mappings that hold all records handed out so far.
static uint64_t mapped_for(const struct fixalloc *f)
{
    uint64_t sum = 0;
    for (int k = 0; k < FIXALLOC_CHUNKS; k++)
        if (f->chunks[k] != NULL)
            sum += align_up(((uint64_t)f->first_count << k) * f->size, os_page_size());
    return sum;
}

TEST(distinct_and_walked)
{
    static const size_t sizes[] = { 8, 24, 40, 192, 448, 4096, 69664 };
    for (size_t k = 0; k < array_len(sizes); k++) {
        struct fixalloc f;
        uint64_t counted = 0, before = os_mem_mapped();
        size_t n = sizes[k] > 4000 ? 300 : 20000;
        fixalloc_init(&f, sizes[k], false, &counted);
        for (size_t i = 0; i < n; i++) {
            uint64_t *p = fixalloc_alloc(&f);
            CHECK(p != NULL);
            CHECK_EQ(fixalloc_count(&f), i + 1);
            CHECK_PTR_EQ(fixalloc_at(&f, (uint32_t)i), p);
            CHECK_EQ(*p, 0);
            CHECK_EQ(p[sizes[k] / 8 - 1], 0);
            p[0] = p[sizes[k] / 8 - 1] = i + 1;
        }
        CHECK_EQ(counted, mapped_for(&f)); // whole mappings
        CHECK_EQ(os_mem_mapped() - before, counted);
        for (size_t i = 0; i < n; i++)
            CHECK_EQ(*(uint64_t *)fixalloc_at(&f, (uint32_t)i), i + 1);
        size_t align = sizes[k] & -sizes[k];
        CHECK_EQ((uintptr_t)fixalloc_at(&f, 5) % (align < 4096 ? align : 4096), 0);
    }
}

TEST(reuse_and_zeroing)
{
    for (int zero = 0; zero < 2; zero++) {
        struct fixalloc f;
        fixalloc_init(&f, 64, zero, &bytes);
        uint64_t *p[100];
        for (int i = 0; i < 100; i++) {
            p[i] = fixalloc_alloc(&f);
            memset(p[i], 0xaa, 64);
        }
        for (int i = 0; i < 100; i++)
            fixalloc_free(&f, p[i]);
        CHECK_EQ(f.in_use, 0);
        for (int i = 99; i >= 0; i--) {
            uint64_t *q = fixalloc_alloc(&f);
            CHECK_PTR_EQ(q, p[i]); // last in, first out
            CHECK_EQ(q[0], 0);
            CHECK_EQ(q[7], zero ? 0 : 0xaaaaaaaaaaaaaaaa);
        }
        CHECK_EQ(fixalloc_count(&f), 100);
        void *many[50];
        CHECK_EQ(fixalloc_alloc_many(&f, many, 50), 50);
        CHECK_EQ(fixalloc_count(&f), 150);
    }
}

static struct fixalloc shared;

static void *churn(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    uint64_t *mine[64] = { 0 };
    for (int64_t k = 0; k < test_count(100000); k++) {
        uint64_t **slot = &mine[test_random(&seed) % 64];
        if (*slot != NULL) {
            CHECK_EQ((*slot)[1], (uintptr_t)slot);
            fixalloc_free(&shared, *slot);
            *slot = NULL;
        } else {
            *slot = fixalloc_alloc(&shared);
            (*slot)[1] = (uintptr_t)slot;
        }
        if (k % 1024 == 0) // walking beside it sees records, never a hole
            for (uint32_t i = 0, n = fixalloc_count(&shared); i < n; i++)
                CHECK(fixalloc_at(&shared, i) != NULL);
    }
    for (int i = 0; i < 64; i++)
        if (mine[i] != NULL) fixalloc_free(&shared, mine[i]);
    return NULL;
}

TEST(fixalloc_threads)
{
    uint64_t seeds[4] = { test_seed(), test_seed() + 1, test_seed() + 2, test_seed() + 3 };
    fixalloc_init(&shared, 48, false, &bytes);
    run_threads(4, churn, seeds, sizeof(seeds[0]));
    CHECK_EQ(shared.in_use, 0);
    CHECK_LE(fixalloc_count(&shared), 4 * 64);
}

TEST(fixalloc_refused)
{
    struct fixalloc f;
    uint64_t counted = 0;
    fixalloc_init(&f, 8192, false, &counted);
    os_mem_fail_at(1, false);
    CHECK(fixalloc_alloc(&f) == NULL);
    CHECK_EQ(fixalloc_count(&f), 0);
    CHECK_EQ(counted, 0);
    CHECK(fixalloc_alloc(&f) != NULL);
    CHECK(fixalloc_alloc(&f) != NULL);
    void *many[8];
    os_mem_fail_at(2, true); // the chunk of 4 comes, the next does not
    CHECK_EQ(fixalloc_alloc_many(&f, many, 8), 4);
    os_mem_fail_at(0, false);
    CHECK_EQ(f.in_use, 6);
    CHECK_EQ(fixalloc_alloc_many(&f, many, 8), 8);
}

// ---- persistent -------------------------------------------------------------------------------

TEST(permanent_memory)
{
    uint64_t mine = 0, expected = 0, seed = test_seed(), others = persistent_mapped();
    uint64_t mapped = os_mem_mapped();
    CHECK_EQ(persistent_unused(), others); // nobody else allocates in this program
    uintptr_t last = 0;
    for (int i = 0; i < 5000; i++) {
        size_t size = 1 + test_random(&seed) % (i % 100 == 0 ? 300 * KB : 500);
        size_t align = (size_t)1 << test_random(&seed) % 13;
        char *p = persistent_alloc(size, align, &mine);
        CHECK(p != NULL);
        CHECK_EQ((uintptr_t)p % align, 0);
        CHECK_EQ(p[0] | p[size - 1], 0);
        memset(p, 0xff, size); // whatever overlaps would not be zero
        CHECK_NE((uintptr_t)p, last);
        last = (uintptr_t)p;
        expected += size > 64 * KB ? align_up(size, os_page_size()) : size;
        if (size <= 64 * KB) CHECK(persistent_contains(p));
    }
    CHECK_EQ(mine, expected);
    CHECK(!persistent_contains(&mine));
    CHECK_EQ(persistent_mapped(), mine + persistent_unused());
    CHECK_EQ(persistent_mapped() - others, os_mem_mapped() - mapped);
    void *p = persistent_map(12345, &mine);
    persistent_unmap(p, 12345, &mine);
    CHECK_EQ(mine, expected);
    CHECK_EQ(persistent_mapped(), mine + persistent_unused());
    CHECK_EQ(persistent_mapped() - others, os_mem_mapped() - mapped);
    os_mem_fail_at(1, true);
    CHECK(persistent_alloc(100 * KB, 0, &mine) == NULL);
    while (persistent_alloc(60 * KB, 0, &mine) != NULL)
        ;
    os_mem_fail_at(0, false);
    CHECK(persistent_alloc(60 * KB, 0, &mine) != NULL);
}

// ---- bit arrays -------------------------------------------------------------------------------

TEST(bit_arrays)
{
    enum { N = 3000 };
    static uint8_t *bits[N];
    static uint32_t words[N], places[N];
    uint64_t seed = test_seed(), asleep = 0;
    CHECK(gcbits_init(&bytes, &asleep));
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            if (bits[i] != NULL) continue;
            words[i] = 2 + test_random(&seed) % 15;
            bits[i] = gcbits_alloc(words[i], &places[i]);
            CHECK(bits[i] != NULL);
            memset(bits[i], i, words[i] * 72);
        }
        for (int i = 0; i < N; i++) {
            CHECK(bits[i][0] == (uint8_t)i && bits[i][words[i] * 72 - 1] == (uint8_t)i);
            if (test_random(&seed) % 2) continue;
            gcbits_free(words[i], places[i]);
            bits[i] = NULL;
        }
    }
    uint64_t left = 0;
    for (int i = 0; i < N; i++)
        left += bits[i] != NULL;
    CHECK_EQ(gcbits_in_use(), left);
}

TEST(bit_operations)
{
    static uint64_t b[16];
    uint32_t n = 0;
    for (uint32_t i = 0; i < 1000; i += 7, n++) {
        CHECK(!gcbits_test(b, i));
        CHECK(gcbits_set_single(b, i));
        CHECK(!gcbits_set_single(b, i));
        CHECK(gcbits_test(b, i));
    }
    CHECK_EQ(gcbits_count(b, 1000), n);
    gcbits_clear_single(b, 7);
    CHECK(!gcbits_test(b, 7));
    CHECK_EQ(gcbits_count(b, 1000), n - 1);
}

// Bits to bytes and back, against bit by bit.
TEST(bits_and_bytes)
{
    for (uint64_t x = 0; x < 256; x++) {
        uint64_t bytes_of = bits_to_bytes(x);
        for (int i = 0; i < 8; i++)
            CHECK_EQ(bytes_of >> 8 * i & 0xff, x >> i & 1 ? 0x80 : 0);
        CHECK_EQ(bits_of_bytes(bytes_of >> 7), x);
        CHECK_EQ(bits_of_bytes(bytes_of >> 7 | 0xfefefefefefefefe), x);
    }
}

int main(void)
{
    RUN(distinct_and_walked);
    RUN(reuse_and_zeroing);
    RUN(fixalloc_threads);
    RUN(fixalloc_refused);
    RUN(permanent_memory);
    RUN(bit_arrays);
    RUN(bit_operations);
    RUN(bits_and_bytes);
    return 0;
}
