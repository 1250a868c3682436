/* Strings in collected memory: values, list elements.
 *
 * Invariant: bytes [0, len) never change once the string was published, so whoever took a
 * reference under a lock may read them after the lock is released; that is how large values are
 * sent to slow clients.  APPEND fills the room behind len, which only grows, under the lock.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_STR_H
#define KV_STR_H

#include "text.h"

#include <gort.h>
#include <string.h>

#define STR_MAX_LEN (512u << 20)

typedef struct str {
    uint32_t len; /* protected by the lock of the shard that holds the string */
    uint32_t cap;
    char bytes[];
} str;
GORT_TYPE(str);

static inline str *str_with_room(text t, size_t cap)
{
    str *s = gort_new_flex(str, bytes, cap);
    s->len = (uint32_t)t.len;
    s->cap = (uint32_t)cap;
    memcpy(s->bytes, t.bytes, t.len);
    return s;
}

static inline str *str_new(text t)
{
    return str_with_room(t, t.len);
}

static inline text str_text(const str *s)
{
    return (text){ s->bytes, s->len };
}

#endif
