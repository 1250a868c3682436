/* Protocol buffers: encoding.  protobuf.h says what.
 *
 * Answers to: runtime/pprof/protobuf.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/protobuf.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"

enum wire { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

void pb_init(struct protobuf *p, void *buf, size_t size)
{
    *p = (struct protobuf){ .buf = buf, .size = size };
}

/* Adds bytes as they are, in as many pieces as it takes. */
static void put(struct protobuf *p, const void *bytes, size_t n)
{
    const unsigned char *from = bytes;
    while (n > 0 && p->error == 0) {
        size_t room = p->size - p->len, part = n < room ? n : room;
        if (part == 0) {
            p->error = p->flush != NULL ? p->flush(p) : ENOBUFS;
            check(p->error != 0 || p->len < p->size);
            continue;
        }
        memcpy(p->buf + p->len, from, part);
        p->len += part;
        from += part;
        n -= part;
    }
}

static void put_varint(struct protobuf *p, uint64_t v)
{
    unsigned char bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (unsigned char)(v | 0x80);
    bytes[n++] = (unsigned char)v;
    put(p, bytes, n);
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static void put_head(struct protobuf *p, unsigned field, enum wire type)
{
    put_varint(p, (uint64_t)field << 3 | (unsigned)type);
}

void pb_number(struct protobuf *p, unsigned field, uint64_t v)
{
    if (v == 0) return;
    put_head(p, field, WIRE_VARINT);
    put_varint(p, v);
}

void pb_bytes(struct protobuf *p, unsigned field, const void *bytes, size_t n)
{
    put_head(p, field, WIRE_LENGTH);
    put_varint(p, n);
    put(p, bytes, n);
}

void pb_text(struct protobuf *p, unsigned field, const char *text)
{
    pb_bytes(p, field, text, strlen(text));
}

void pb_message(struct protobuf *p, unsigned field, struct protobuf *m)
{
    if (m->error != 0 && p->error == 0) p->error = m->error;
    pb_bytes(p, field, m->buf, m->len);
    m->len = 0;
}

void pb_numbers(struct protobuf *p, unsigned field, const uint64_t *v, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += varint_bytes(v[i]);
    put_head(p, field, WIRE_LENGTH);
    put_varint(p, bytes);
    for (size_t i = 0; i < n; i++)
        put_varint(p, v[i]);
}
