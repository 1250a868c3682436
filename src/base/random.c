/* Random choices: one 64-bit state per owner, stepped by a constant and mixed by a multiplication
 * of the state with a second constant, whose two halves are folded (the "wyrand" construction).
 *
 * Why this one: 64 bits of state, one multiplication, no tables; rejected: xorshift (fails linear
 * tests in its low bits, which random_below does not use but others may), a shared generator (a
 * contended line in every steal).
 *
 * Streams: the states of one process lie on one cycle of length 2^64, at places that a mixing of
 * seed and stream number chose, so that two streams overlap within any run with negligible chance.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/random.h"

#define RANDOM_STEP UINT64_C(0xa0761d6478bd642f) /* odd: the step visits every state */
#define RANDOM_MASK UINT64_C(0xe7037ed1a0b428db)

/* Written at boot before the second thread, read-only afterwards. */
static uint64_t process_seed = UINT64_C(0x9e3779b97f4a7c15);

void random_set_process_seed(uint64_t seed)
{
    process_seed = seed;
}

uint64_t random_process_seed(void)
{
    return process_seed;
}

/* A bijection in which every input bit moves about half of the output bits. */
static uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void random_init(struct random *r, uint64_t stream)
{
    r->state = random_mix(process_seed + random_mix(stream + RANDOM_STEP));
}

uint64_t random_next(struct random *r)
{
    r->state += RANDOM_STEP;
    unsigned __int128 product = (unsigned __int128)r->state * (r->state ^ RANDOM_MASK);
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}
