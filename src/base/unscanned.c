/* The list of tables that are not searched for pointers: see unscanned.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/unscanned.h"

#include "base/assert.h"

static struct unscanned list[UNSCANNED_MOST];
static unsigned length;

void unscanned_add(const void *at, size_t size)
{
    check(length < UNSCANNED_MOST && (uintptr_t)at % 8 == 0);
    list[length++] = (struct unscanned){ (uintptr_t)at, (uintptr_t)at + size };
}

bool unscanned_next(uintptr_t at, struct unscanned *out)
{
    out->lo = UINTPTR_MAX;
    for (unsigned i = 0; i < length; i++)
        if (list[i].hi > at && list[i].lo < out->lo) *out = list[i];
    return out->lo != UINTPTR_MAX;
}
