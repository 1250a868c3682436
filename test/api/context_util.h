// What the tests of contexts and of scopes share.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_CONTEXT_UTIL_H
#define GORT_TEST_CONTEXT_UTIL_H

#include "../conform.h"

static inline bool ended(gort_context *c)
{
    return gort_try_recv(gort_context_done(c), NULL) == GORT_CLOSED;
}

static inline void wait_recv(void *arg)
{
    gort_recv(((struct world *)arg)->c, NULL);
}

// A finalizer.
static int64_t freed; // atomic
static inline void count_freed(void *arg)
{
    (void)arg;
    ADD(&freed, 1);
}

#endif
