/* Text put together piece by piece, in collected memory.
 *
 *     builder b = { 0 };
 *     build(&b, "%d keys\n", n);
 *     reply_bulk(c, builder_text(&b));
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_BUILDER_H
#define KV_BUILDER_H

#include "text.h"

typedef struct builder {
    char *bytes;
    size_t len, cap;
} builder;

void build(builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline text builder_text(const builder *b)
{
    return (text){ b->bytes == NULL ? "" : b->bytes, b->len };
}

#endif
