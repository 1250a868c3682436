// Natural numbers on the heap: what cfrac.c computes with.  Schoolbook arithmetic.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "bignum.h"

static bignum *make(uint32_t limbs)
{
    bignum *a = port_bytes(sizeof(bignum) + limbs * sizeof(uint32_t));
    a->n = limbs;
    return a;
}

// Cuts leading zeroes.
static bignum *trim(bignum *a)
{
    while (a->n > 0 && a->limb[a->n - 1] == 0)
        a->n--;
    return a;
}

bignum *big_from(uint64_t value)
{
    bignum *a = make(2);
    a->limb[0] = (uint32_t)value;
    a->limb[1] = (uint32_t)(value >> 32);
    return trim(a);
}

bignum *big_parse(const char *decimal)
{
    bignum *a = big_from(0), *ten = big_from(10);
    for (; *decimal != '\0'; decimal++) {
        bignum *digit = big_from((uint64_t)(*decimal - '0')), *shifted = big_mul(a, ten);
        big_drop(a);
        a = big_add(shifted, digit);
        big_drop(shifted);
        big_drop(digit);
    }
    big_drop(ten);
    return a;
}

bignum *big_copy(const bignum *a)
{
    bignum *r = make(a->n);
    memcpy(r->limb, a->limb, a->n * sizeof(uint32_t));
    return r;
}

int big_compare(const bignum *a, const bignum *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

bignum *big_add(const bignum *a, const bignum *b)
{
    if (a->n < b->n) return big_add(b, a);
    bignum *r = make(a->n + 1);
    uint64_t carry = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        carry += (uint64_t)a->limb[i] + (i < b->n ? b->limb[i] : 0);
        r->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    r->limb[a->n] = (uint32_t)carry;
    return trim(r);
}

bignum *big_sub(const bignum *a, const bignum *b)
{
    bignum *r = make(a->n);
    int64_t borrow = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        borrow += (int64_t)a->limb[i] - (i < b->n ? b->limb[i] : 0);
        r->limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    if (borrow != 0) load_fail("a difference below 0");
    return trim(r);
}

bignum *big_mul(const bignum *a, const bignum *b)
{
    bignum *r = make(a->n + b->n);
    memset(r->limb, 0, r->n * sizeof(uint32_t));
    for (uint32_t i = 0; i < a->n; i++) {
        uint64_t carry = 0;
        for (uint32_t k = 0; k < b->n; k++) {
            carry += (uint64_t)a->limb[i] * b->limb[k] + r->limb[i + k];
            r->limb[i + k] = (uint32_t)carry;
            carry >>= 32;
        }
        r->limb[i + b->n] = (uint32_t)carry;
    }
    return trim(r);
}

bignum *big_div_small(const bignum *a, uint32_t b, uint32_t *rest)
{
    bignum *q = make(a->n);
    uint64_t r = 0;
    for (uint32_t i = a->n; i-- > 0;) {
        r = r << 32 | a->limb[i];
        q->limb[i] = (uint32_t)(r / b);
        r %= b;
    }
    *rest = (uint32_t)r;
    return trim(q);
}

// r -= q * v, from limb i on; returns what is missing above.
static uint32_t subtract_multiple(bignum *r, uint32_t i, const bignum *v, uint32_t q)
{
    uint64_t borrow = 0;
    for (uint32_t k = 0; k < v->n; k++) {
        uint64_t product = (uint64_t)q * v->limb[k] + borrow;
        borrow = (product >> 32) + (r->limb[i + k] < (uint32_t)product);
        r->limb[i + k] -= (uint32_t)product;
    }
    uint32_t top = r->limb[i + v->n];
    r->limb[i + v->n] = top - (uint32_t)borrow;
    return top < borrow;
}

// r += v from limb i on.
static void add_back(bignum *r, uint32_t i, const bignum *v)
{
    uint64_t carry = 0;
    for (uint32_t k = 0; k < v->n; k++) {
        carry += (uint64_t)r->limb[i + k] + v->limb[k];
        r->limb[i + k] = (uint32_t)carry;
        carry >>= 32;
    }
    r->limb[i + v->n] += (uint32_t)carry;
}

// a shifted left by bits below 32, with one limb more.
static bignum *shift(const bignum *a, uint32_t bits)
{
    bignum *r = make(a->n + 1);
    uint64_t carry = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        carry |= (uint64_t)a->limb[i] << bits;
        r->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    r->limb[a->n] = (uint32_t)carry;
    return r;
}

static void shift_back(bignum *a, uint32_t bits)
{
    for (uint32_t i = 0; i < a->n; i++) {
        uint64_t pair = a->limb[i] | (uint64_t)(i + 1 < a->n ? a->limb[i + 1] : 0) << 32;
        a->limb[i] = (uint32_t)(pair >> bits);
    }
}

// Long division: a divisor of two limbs or more, normalised so that its highest bit is set.
static bignum *divide(const bignum *a, const bignum *b, bignum **rest)
{
    uint32_t bits = (uint32_t)__builtin_clz(b->limb[b->n - 1]);
    bignum *r = shift(a, bits), *v = trim(shift(b, bits)), *q = make(a->n - b->n + 1);
    for (uint32_t i = q->n; i-- > 0;) {
        uint64_t top = (uint64_t)r->limb[i + v->n] << 32 | r->limb[i + v->n - 1];
        uint64_t digit = top / v->limb[v->n - 1];
        if (digit > 0xFFFFFFFFu) digit = 0xFFFFFFFFu;
        if (subtract_multiple(r, i, v, (uint32_t)digit))
            for (uint32_t before = 1; before != 0; digit--) {
                before = r->limb[i + v->n];
                add_back(r, i, v);
                before = r->limb[i + v->n] >= before;
            }
        q->limb[i] = (uint32_t)digit;
    }
    shift_back(r, bits);
    big_drop(v);
    if (rest != NULL)
        *rest = trim(r);
    else
        big_drop(r);
    return trim(q);
}

bignum *big_div(const bignum *a, const bignum *b, bignum **rest)
{
    uint32_t small;
    if (b->n == 0) load_fail("a division by 0");
    if (big_compare(a, b) < 0) {
        if (rest != NULL) *rest = big_copy(a);
        return big_from(0);
    }
    if (b->n > 1) return divide(a, b, rest);
    bignum *q = big_div_small(a, b->limb[0], &small);
    if (rest != NULL) *rest = big_from(small);
    return q;
}

bignum *big_sqrt(const bignum *a)
{
    bignum *x = make(a->n / 2 + 2), *two = big_from(2); // Newton's way, from above
    memset(x->limb, 0, x->n * sizeof(uint32_t));
    x->limb[x->n - 1] = 1;
    for (;;) {
        bignum *q = big_div(a, x, NULL), *sum = big_add(x, q), *next = big_div(sum, two, NULL);
        big_drop(q);
        big_drop(sum);
        if (big_compare(next, x) >= 0) {
            big_drop(next);
            big_drop(two);
            return x;
        }
        big_drop(x);
        x = next;
    }
}

bignum *big_gcd(const bignum *a, const bignum *b)
{
    bignum *x = big_copy(a), *y = big_copy(b), *rest;
    while (y->n != 0) {
        big_drop(big_div(x, y, &rest));
        big_drop(x);
        x = y;
        y = rest;
    }
    big_drop(y);
    return x;
}

uint64_t big_low(const bignum *a)
{
    return (a->n > 0 ? a->limb[0] : 0) | (uint64_t)(a->n > 1 ? a->limb[1] : 0) << 32;
}
