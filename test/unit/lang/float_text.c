// Doubles as text: %e and %g as the C library writes them, where they are made here at all.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "lang/float_text.h"

#include <math.h>
#include <stdio.h>

#include "../../test.h"

// Whether it was made here.
static bool compare(double v, const struct float_form *form)
{
    char text[FLOAT_TEXT_ROOM + 1], want[512];
    static const char *const formats[2][2][2] = { { { "%.*e", "%.*E" }, { "%#.*e", "%#.*E" } },
                                                  { { "%.*g", "%.*G" }, { "%#.*g", "%#.*G" } } };
    const char *format = formats[form->general][form->alternate][form->upper];
    size_t n = float_text(text, v, form);
    if (n == 0) return false;
    CHECK_LE(n, FLOAT_TEXT_ROOM);
    text[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(want, sizeof want, format, form->digits - !form->general, v);
#pragma GCC diagnostic pop
    CHECK_STR_EQ(text, want);
    return true;
}

static void compare_all_lengths(double v)
{
    for (int digits = 1; digits <= FLOAT_DIGITS_MAX; digits++) {
        (void)compare(v, &(struct float_form){ .digits = digits });
        (void)compare(v, &(struct float_form){ .digits = digits, .general = true });
    }
}

static void compare_near(double v)
{
    double above = v, below = v;
    compare_all_lengths(v);
    for (int i = 0; i < 3; i++) {
        compare_all_lengths(above = nextafter(above, INFINITY));
        compare_all_lengths(below = nextafter(below, 0));
    }
}

// Where the estimate of the exponent is most wrong.
TEST(powers_of_two)
{
    for (int k = -80; k <= 130; k++)
        compare_near(ldexp(1, k));
}

// Where the number of digits changes.
TEST(powers_of_ten)
{
    for (int k = -24; k <= 40; k++)
        compare_near(pow(10, k));
}

// Exactly half way between two results: to the even one.
TEST(ties)
{
    for (int shift = 1; shift <= 20; shift++)
        for (unsigned i = 1; i < 400; i += 2)
            compare_all_lengths(ldexp(i, -shift));
    for (double ten = 1; ten < 1e16; ten *= 10)
        for (int i = 5; i < 200; i += 10)
            compare_all_lengths(i * ten);
}

static double random_double(uint64_t *random)
{
    uint64_t bits = test_random(random);
    double v;
    switch (bits % 5) {
    case 0:
        return (double)(bits >> (bits >> 8) % 64);
    case 1:
        return (double)(bits >> 32) * pow(10, (int)(bits >> 8 & 31) - 20);
    case 2:
        return ldexp((double)(bits >> 11), (int)(bits >> 3 & 127) - 150);
    case 3:
        return (double)(bits >> 44) / 1000;
    default:
        memcpy(&v, &bits, sizeof v);
        return fabs(v);
    }
}

TEST(random_numbers)
{
    uint64_t random = test_seed();
    int64_t here = 0;
    for (int64_t i = 0, n = test_count(300000); i < n; i++) {
        uint64_t bits = test_random(&random);
        struct float_form form = { .digits = (int)(bits % FLOAT_DIGITS_MAX) + 1 };
        form.general = bits >> 8 & 1;
        form.alternate = bits >> 9 & 1;
        form.upper = bits >> 10 & 1;
        here += compare(random_double(&random), &form);
    }
    CHECK_GT(here, 0);
}

// What programs print is made here.
TEST(common_numbers)
{
    struct float_form general = { .digits = 6, .general = true }, long_one = general,
                      e = { .digits = 7 };
    long_one.digits = 17;
    for (int i = 0; i < 100000; i++) {
        CHECK(compare(i * 0.37, &general));
        CHECK(compare(i * 0.001, &long_one));
        CHECK(compare(i * 1e-9, &e));
        CHECK(compare(i * 1e25, &e));
    }
    CHECK(compare(0x1p127, &general));
}

TEST(what_is_not_made_here)
{
    struct float_form general = { .digits = 6, .general = true }, longer = general, other = general;
    longer.digits = FLOAT_DIGITS_MAX + 1;
    other.alternate = true;
    CHECK(!compare(INFINITY, &general));
    CHECK(!compare(NAN, &general));
    CHECK(!compare(1e300, &general));
    CHECK(!compare(1e-300, &general));
    CHECK(!compare(5e-324, &general));
    CHECK(!compare(1, &longer));
    CHECK(!compare(1, &other));
}

int main(void)
{
    RUN(powers_of_two);
    RUN(powers_of_ten);
    RUN(ties);
    RUN(random_numbers);
    RUN(common_numbers);
    RUN(what_is_not_made_here);
    return 0;
}
