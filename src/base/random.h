/* The one source of random choices.
 *
 * Every random choice of the runtime (steal order, select order, test yields) comes from here, so
 * that GORTDEBUG=seed=N makes a run repeatable.  Each owner (a P, an M) has its own state, seeded
 * from the process seed and its number; nothing is shared after seeding.
 *
 * Not for security: hash seeds come from os_random_bytes.
 * Answers to: rand.go (cheaprand).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_RANDOM_H
#define GORT_BASE_RANDOM_H

#include "base/config.h"

struct random {
    uint64_t state;
};

/* Written once at boot, before the second thread; read-only afterwards. */
void random_set_process_seed(uint64_t seed);
uint64_t random_process_seed(void);
/* Distinct streams get distinct sequences for one process seed. */
void random_init(struct random *r, uint64_t stream);
uint64_t random_next(struct random *r);
/* Uniform in [0, n), n > 0, by multiplication. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
    return (uint32_t)(((random_next(r) >> 32) * n) >> 32);
}

#endif
