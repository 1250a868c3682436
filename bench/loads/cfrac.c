// In the style of cfrac: a number is factored by continued fractions, with arithmetic that
// allocates every intermediate result, most of which are dropped by the next step.  One goroutine.
//
// With A(i)/B(i) the convergents of sqrt(N), A(i-1)^2 = (-1)^i Q(i) mod N where Q(i) is below
// 2 sqrt(N).  Those Q whose prime factors are all small are collected, with A; a product of some of
// them in which every prime has an even exponent is a square, and x^2 = y^2 mod N gives a factor.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "bignum.h"

#define PRIMES 110 // in the factor base
#define RELATIONS (PRIMES + 20)
#define WORDS ((PRIMES + RELATIONS + 63) / 64)

// A of a relation, the exponents of Q's primes (column 0: the sign), and, for the elimination,
// their parities followed by which relations were multiplied.
typedef struct relation {
    bignum *a;
    uint8_t exponents[PRIMES];
    uint64_t row[WORDS];
} relation;
PORT_TYPE(relation, a);

// Where the expansion of sqrt(n) stands.
typedef struct expansion {
    bignum *n, *root; // n and its square root, rounded down
    bignum *p, *q;    // P(i), Q(i)
    bignum *a, *a1;   // A(i-1), A(i-2), mod n
    long i;
} expansion;
PORT_TYPE(expansion, n, root, p, q, a, a1);

static uint32_t base[PRIMES];
static relation *relations[RELATIONS];
static int found;

static void replace(bignum **slot, bignum *value)
{
    big_drop(*slot);
    port_set(slot, value);
}

// 2 and those odd primes that n is a square to; others do not divide any Q.  Place 0 is the sign's.
static void choose_base(const bignum *n)
{
    int count = 1;
    for (uint32_t p = 2; count < PRIMES; p++) {
        uint32_t rest, prime = 1, square = p == 2;
        for (uint32_t d = 2; d * d <= p; d++)
            prime &= p % d != 0;
        if (!prime) continue;
        big_drop(big_div_small(n, p, &rest));
        for (uint64_t x = 0; x <= p / 2; x++)
            square |= x * x % p == rest;
        if (square) base[count++] = p;
    }
}

// One step: A(i), P(i+1), Q(i+1), with a quotient c.
static void advance(expansion *e)
{
    bignum *sum = big_add(e->root, e->p), *rest;
    bignum *c = big_div(sum, e->q, NULL);
    bignum *ca = big_mul(c, e->a), *next_a = big_add(ca, e->a1);
    big_drop(big_div(next_a, e->n, &rest));
    replace(&e->a1, e->a);
    port_set(&e->a, rest);
    bignum *cq = big_mul(c, e->q), *next_p = big_sub(cq, e->p);
    bignum *square = big_mul(next_p, next_p), *left = big_sub(e->n, square);
    bignum *next_q = big_div(left, e->q, NULL);
    replace(&e->q, next_q);
    replace(&e->p, next_p);
    e->i++;
    big_drop(sum), big_drop(c), big_drop(ca), big_drop(next_a);
    big_drop(cq), big_drop(square), big_drop(left);
}

// Divides q by the primes of the base: true if nothing is left of it.
static bool smooth(const bignum *q, uint8_t *exponents)
{
    uint32_t rest;
    bignum *left = big_copy(q);
    for (int k = 1; k < PRIMES; k++) {
        exponents[k] = 0;
        for (;;) {
            bignum *quotient = big_div_small(left, base[k], &rest);
            if (rest != 0) {
                big_drop(quotient);
                break;
            }
            big_drop(left);
            left = quotient;
            exponents[k]++;
        }
    }
    bool all = left->n == 1 && left->limb[0] == 1;
    big_drop(left);
    return all;
}

static void keep(const expansion *e, const uint8_t *exponents)
{
    relation *r = port_new(relation);
    r->a = NULL;
    memset(r->row, 0, sizeof r->row);
    memcpy(r->exponents, exponents, PRIMES);
    r->exponents[0] = e->i % 2 != 0;
    port_init(&r->a, big_copy(e->a));
    for (int k = 0; k < PRIMES; k++)
        r->row[k / 64] |= (uint64_t)(r->exponents[k] & 1) << k % 64;
    int own = PRIMES + found;
    r->row[own / 64] |= (uint64_t)1 << own % 64;
    port_set(&relations[found++], r);
}

static bool bit(const relation *r, int k)
{
    return r->row[k / 64] >> k % 64 & 1;
}

// x = product of the As, y = square root of the product of the Qs, mod n; their difference's common
// factor with n, or NULL when it is 1 or n.
static bignum *try_product(const relation *r, const bignum *n)
{
    bignum *x = big_from(1), *y = big_from(1), *rest;
    uint32_t exponents[PRIMES] = { 0 };
    for (int i = 0; i < RELATIONS; i++) {
        if (!bit(r, PRIMES + i)) continue;
        bignum *product = big_mul(x, relations[i]->a);
        big_drop(x);
        big_drop(big_div(product, n, &x));
        big_drop(product);
        for (int k = 0; k < PRIMES; k++)
            exponents[k] += relations[i]->exponents[k];
    }
    for (int k = 1; k < PRIMES; k++)
        for (uint32_t times = exponents[k] / 2; times > 0; times--) {
            bignum *prime = big_from(base[k]), *product = big_mul(y, prime);
            big_drop(y), big_drop(prime);
            big_drop(big_div(product, n, &rest));
            big_drop(product);
            y = rest;
        }
    bignum *difference = big_compare(x, y) >= 0 ? big_sub(x, y) : big_sub(y, x);
    bignum *factor = big_gcd(difference, n);
    big_drop(x), big_drop(y), big_drop(difference);
    if (big_compare(factor, n) != 0 && !(factor->n == 1 && factor->limb[0] == 1)) return factor;
    big_drop(factor);
    return NULL;
}

// Gauss over parities.  Rows that become 0 are squares.  Exponents stay those of single relations.
static bignum *eliminate(const bignum *n)
{
    bool used[RELATIONS] = { false };
    for (int k = 0; k < PRIMES; k++) {
        int pivot = 0;
        while (pivot < RELATIONS && (used[pivot] || !bit(relations[pivot], k)))
            pivot++;
        if (pivot == RELATIONS) continue;
        used[pivot] = true;
        for (int i = 0; i < RELATIONS; i++)
            if (i != pivot && bit(relations[i], k))
                for (int w = 0; w < WORDS; w++)
                    relations[i]->row[w] ^= relations[pivot]->row[w];
    }
    for (int i = 0; i < RELATIONS; i++) {
        bignum *factor = used[i] ? NULL : try_product(relations[i], n);
        if (factor != NULL) return factor;
    }
    load_fail("found no factor");
}

static bignum *factor(const char *decimal)
{
    uint8_t exponents[PRIMES];
    expansion *e = port_new(expansion);
    memset(e, 0, sizeof *e);
    port_init(&e->n, big_parse(decimal));
    port_init(&e->root, big_sqrt(e->n));
    port_init(&e->p, big_from(0));
    port_init(&e->q, big_from(1));
    port_init(&e->a, big_from(1));
    port_init(&e->a1, big_from(0));
    choose_base(e->n);
    for (found = 0; found < RELATIONS;) {
        advance(e);
        if (smooth(e->q, exponents)) keep(e, exponents);
    }
    bignum *result = eliminate(e->n), *rest, *other = big_div(e->n, result, &rest);
    if (rest->n != 0) load_fail("the factor is none");
    big_drop(other), big_drop(rest);
    load_figure("steps", (double)e->i);
    return result;
}

static void work(int job)
{
    (void)job;
    // 1000003 * 2000000011; 10000000000037 * 70000000000009
    const char *number = load_quick ? "2000006011000033" : "700000000002680000000000333";
    load_begin();
    bignum *f = factor(number);
    load_end(1);
    load_check(load_mix(0, big_low(f)));
}

void cfrac_run(void)
{
    port_jobs(1, work);
}
