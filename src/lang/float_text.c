/* Doubles as text: %e and %g, by exact arithmetic in 128 bits.
 *
 * Note [Exact digits].  A double is v = m * 2^-right, m below 2^53.  Its first n digits are the
 * whole number v * 10^(n-1-x), rounded, where 10^x <= v < 10^(x+1):
 *  (1) With up = n-1-x >= 0 that is m * 10^up, shifted right.  Up to 10^22 the product is below
 *      2^127; what is shifted out says, compared with a half, how to round.
 *  (2) Otherwise it is m / (10^-up * 2^right).  Either factor of two goes to the side where it is
 *      whole; v below 2^128 keeps both sides below 2^128.  The remainder, twice, is compared with
 *      the divisor.
 * Rounding is to nearest, ties to even: the C library's, unless the program set another mode, which
 * is not asked for here.
 *  (3) The estimate of x is floor(k * log10(2)), for 2^k <= v < 2^(k+1).  It is x or x-1, for
 *      log10(2^(k+1)) - log10(2^k) is below 1.  78913 / 2^18 stands for log10(2): up to k = 1600
 *      and down to -1600 the floor is the same.
 *  (4) When the number has n+1 digits, x was one more than the estimate, or v was rounded up to
 *      10^(x+1).  In both cases the answer is had by one power of ten less: in the second v *
 *      10^(n-2-x) is less than half below 10^(n-1), and so rounded up to it.
 * So what is given here is right; what (1) and (2) can not give, very large and very small numbers
 * and more than 17 digits, is left to the C library.  Rejected: tables of powers with 64 or 128
 * bits of which the digits are proven to follow (Ryu printf, Grisu): 10 KB and more, and an
 * argument of pages, for numbers that are seldom printed.  So is %#g left, which some C libraries
 * write wrongly when v is rounded up to a power of ten: what comes should not depend on who writes
 * it.
 *
 * Answers to: strconv/ftoa.go, in C's own language of formats.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/float_text.h"

#include <stdint.h>
#include <string.h>

#include "base/bits.h"

__extension__ typedef unsigned __int128 wide;

#define UP_MAX 22 /* 2^53 * 10^22 is below 2^127 */

static const uint64_t powers[20] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

/* n <= 38 */
static wide power(int n)
{
    return n < 20 ? powers[n] : (wide)powers[19] * powers[n - 19];
}

/* m * 2^-right, m not 0. */
struct binary {
    uint64_t m;
    int right;
};

static struct binary binary_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int exponent = (int)(bits >> 52);
    uint64_t m = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0) return (struct binary){ m, 1074 };
    return (struct binary){ m | UINT64_C(1) << 52, 1075 - exponent };
}

/* Note [Exact digits], (1). */
static uint64_t multiplied(struct binary v, int up)
{
    wide product = (wide)v.m * power(up);
    if (v.right <= 0) return (uint64_t)(product << -v.right);
    wide whole = product >> v.right, rest = product - (whole << v.right);
    wide half = (wide)1 << (v.right - 1);
    return (uint64_t)whole + (rest > half || (rest == half && (whole & 1) != 0));
}

/* (2). */
static uint64_t divided(struct binary v, int down)
{
    wide number = v.m, divisor = power(down);
    if (v.right > 0)
        divisor <<= v.right;
    else
        number <<= -v.right;
    wide whole = number / divisor, rest = number - whole * divisor, more = divisor - rest;
    return (uint64_t)whole + (rest > more || (rest == more && (whole & 1) != 0));
}

/* (3). */
static int exponent_of(struct binary v)
{
    int k = (int)bits_len64(v.m) - 1 - v.right;
    return k * 78913 >> 18;
}

/* The first n digits of v > 0, as a number; *x: the power of ten that the first stands for. */
static bool digits_of(double v, int n, uint64_t *digits, int *x)
{
    struct binary b = binary_of(v);
    *x = exponent_of(b);
    if (n - 1 - *x > UP_MAX || -b.right > 128 - 53) return false;
    for (;; ++*x) {
        int up = n - 1 - *x;
        *digits = up >= 0 ? multiplied(b, up) : divided(b, -up);
        if (*digits < powers[n]) return true; /* (4) */
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

static char *put_zeros(char *at, int n)
{
    memset(at, '0', (size_t)n);
    return at + n;
}

static char *put_exponent(char *at, int x, bool upper)
{
    unsigned left = (unsigned)(x < 0 ? -x : x);
    *at++ = upper ? 'E' : 'e';
    *at++ = x < 0 ? '-' : '+';
    if (left >= 100) *at++ = (char)('0' + left / 100);
    *at++ = (char)('0' + left / 10 % 10);
    *at++ = (char)('0' + left % 10);
    return at;
}

/* The first `whole` of n digits before the point, zeros where there are not so many. */
static char *put_point(char *at, const char *digits, int n, int whole, bool always)
{
    int before = n < whole ? n : whole;
    at = put(at, digits, (size_t)before);
    at = put_zeros(at, whole - before);
    if (n > whole || always) *at++ = '.';
    return put(at, digits + before, (size_t)(n - before));
}

static char *put_plain(char *at, const char *digits, int n, int x)
{
    if (x >= 0) return put_point(at, digits, n, x + 1, false);
    at = put(at, "0.", 2);
    at = put_zeros(at, -x - 1);
    return put(at, digits, (size_t)n);
}

size_t float_text(char text[FLOAT_TEXT_ROOM], double v, const struct float_form *form)
{
    char digits[FLOAT_DIGITS_MAX], *at;
    uint64_t number = 0;
    int n = form->digits, x = 0;
    if (n > FLOAT_DIGITS_MAX || !(v <= 0x1p127) || (form->general && form->alternate)) return 0;
    if (v != 0 && !digits_of(v, n, &number, &x)) return 0;
    for (int i = n; i > 0; number /= 10)
        digits[--i] = (char)('0' + number % 10);
    bool plain = form->general && x >= -4 && x < n;
    while (form->general && n > 1 && digits[n - 1] == '0')
        n--;
    if (plain) {
        at = put_plain(text, digits, n, x);
    } else {
        at = put_point(text, digits, n, 1, form->alternate);
        at = put_exponent(at, x, form->upper);
    }
    return (size_t)(at - text);
}
