/* Protocol buffers: an encoder of the wire format, as far as profiles need it.
 *
 * A message is bytes: fields, each with its number and type ahead.  Numbers are varints (7 bits in
 * each byte, lowest first); texts and messages inside a message have their length ahead, so these
 * are encoded into a buffer of their own first.  A field that is 0 is left out, which means the
 * same.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_PROTOBUF_H
#define GORT_DIAG_PROTOBUF_H

#include "base/config.h"

/* A buffer that fills; when there is no room, flush empties it (len = 0) or returns an errno.
 * NULL: what does not fit is an error. */
struct protobuf {
    unsigned char *buf;
    size_t len, size;
    int (*flush)(struct protobuf *p);
    int error; /* errno of the first failure; what comes after it is dropped */
};

void pb_init(struct protobuf *p, void *buf, size_t size);
void pb_number(struct protobuf *p, unsigned field, uint64_t v);
void pb_bytes(struct protobuf *p, unsigned field, const void *bytes, size_t n); /* n may be 0 */
void pb_text(struct protobuf *p, unsigned field, const char *text);
/* A message that was encoded into m, which had room for it; m is emptied. */
void pb_message(struct protobuf *p, unsigned field, struct protobuf *m);
/* n numbers, packed.  The field is there even when all are 0. */
void pb_numbers(struct protobuf *p, unsigned field, const uint64_t *v, size_t n);

#endif
