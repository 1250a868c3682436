/* Three tiers of assertions.
 *
 *   check(c)          always compiled: guards against misuse and corruption that would spread
 *   assert_that(c)    GORT_ASSERT_LEVEL >= 1: invariants that cost a load and a compare
 *   assert_heavy(c)   GORT_ASSERT_LEVEL >= 2: whole-structure validators
 *
 * A failing one throws with file, line and the condition's text.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_ASSERT_H
#define GORT_BASE_ASSERT_H

#include "base/throw.h"

#ifndef GORT_ASSERT_LEVEL
#define GORT_ASSERT_LEVEL 0
#endif

#define check(c)                                                                                   \
    do {                                                                                           \
        if (unlikely(!(c))) throw_fmt("%s:%d: check failed: %s", __FILE__, __LINE__, #c);          \
    } while (0)

#if GORT_ASSERT_LEVEL >= 1
#define assert_that(c) check(c)
#else
#define assert_that(c) ((void)sizeof((c) ? 1 : 0))
#endif

#if GORT_ASSERT_LEVEL >= 2
#define assert_heavy(c) check(c)
#else
#define assert_heavy(c) ((void)sizeof((c) ? 1 : 0))
#endif

#endif
