/* Text put together piece by piece; see builder.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "builder.h"

#include <gort.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_SIZE ((size_t)1 << 10)

static void grow(builder *b, size_t n)
{
    size_t cap = b->cap == 0 ? FIRST_SIZE : b->cap * 2;
    while (cap - b->len < n) {
        cap *= 2;
    }
    char *bytes = gort_alloc_noscan(cap);
    if (b->len > 0) memcpy(bytes, b->bytes, b->len);
    gort_set(&b->bytes, bytes);
    b->cap = cap;
}

void build(builder *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(b->bytes == NULL ? NULL : b->bytes + b->len, b->cap - b->len, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= b->cap - b->len) {
        grow(b, (size_t)n + 1);
        vsnprintf(b->bytes + b->len, b->cap - b->len, format, again);
    }
    va_end(again);
    if (n > 0) b->len += (size_t)n;
}
