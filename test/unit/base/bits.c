// Bit tricks and alignment.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/bits.h"

#include "test.h"

TEST(counts_of_single_bits)
{
    for (unsigned i = 0; i < 64; i++) {
        uint64_t x = UINT64_C(1) << i;
        CHECK_EQ(bits_ctz64(x), i);
        CHECK_EQ(bits_clz64(x), 63 - i);
        CHECK_EQ(bits_popcount64(x), 1u);
        CHECK_EQ(bits_popcount64(x - 1), i);
        CHECK_EQ(bits_len64(x), i + 1);
        CHECK_EQ(bits_len64(x - 1), i);
        CHECK(is_pow2(x));
        CHECK(i < 2 || !is_pow2(x - 1));
        CHECK(i == 0 || !is_pow2(x + 1));
    }
    CHECK_EQ(bits_len64(0), 0u);
    CHECK(!is_pow2(0));
}

TEST(alignment)
{
    for (uintptr_t a = 1; a <= 4096; a *= 2)
        for (uintptr_t x = 0; x < 10000; x += 7) {
            CHECK_EQ(align_up(x, a) % a, 0u);
            CHECK_EQ(align_down(x, a) % a, 0u);
            CHECK(align_up(x, a) >= x && align_up(x, a) - x < a);
            CHECK(align_down(x, a) <= x && x - align_down(x, a) < a);
        }
}

TEST(division_and_overflow)
{
    size_t out;
    CHECK_EQ(div_up(0, 8), 0u);
    CHECK_EQ(div_up(1, 8), 1u);
    CHECK_EQ(div_up(8, 8), 1u);
    CHECK_EQ(div_up(9, 8), 2u);
    CHECK(!mul_overflows(1000, 1000, &out));
    CHECK_EQ(out, 1000000u);
    CHECK(mul_overflows(SIZE_MAX / 2 + 1, 2, &out));
    CHECK(!add_overflows(SIZE_MAX - 1, 1, &out));
    CHECK(add_overflows(SIZE_MAX, 1, &out));
}

int main(void)
{
    RUN(counts_of_single_bits);
    RUN(alignment);
    RUN(division_and_overflow);
    return 0;
}
