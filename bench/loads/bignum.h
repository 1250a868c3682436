// Natural numbers, each a heap object of its own that is never changed: every operation allocates.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_BIGNUM_H
#define GORT_BENCH_BIGNUM_H

#include "load.h"

typedef struct {
    uint32_t n;      // limbs; the highest one is not 0; 0 has none
    uint32_t limb[]; // the lowest first
} bignum;

bignum *big_from(uint64_t value);
bignum *big_parse(const char *decimal);
bignum *big_copy(const bignum *a);
int big_compare(const bignum *a, const bignum *b);
bignum *big_add(const bignum *a, const bignum *b);
bignum *big_sub(const bignum *a, const bignum *b); // a >= b
bignum *big_mul(const bignum *a, const bignum *b);
// The quotient; the rest goes to *rest unless that is NULL.
bignum *big_div(const bignum *a, const bignum *b, bignum **rest);
bignum *big_div_small(const bignum *a, uint32_t b, uint32_t *rest);
bignum *big_sqrt(const bignum *a); // rounded down
bignum *big_gcd(const bignum *a, const bignum *b);
uint64_t big_low(const bignum *a); // its lowest 64 bits

static inline void big_drop(bignum *a)
{
    port_free(a);
    (void)a;
}

#endif
