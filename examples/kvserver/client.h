/* The client's side of the protocol: commands out, simple replies in.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_CLIENT_H
#define KV_CLIENT_H

#include "text.h"

#include <gort.h>

#define CLIENT_BUFFER_SIZE ((size_t)8 << 10)

typedef struct client {
    int fd;
    bool broken;    /* no further use: the connection failed or the reply was no protocol */
    char *out, *in; /* collected, pointer-free, CLIENT_BUFFER_SIZE each */
    size_t out_len, in_at, in_end;
} client;
GORT_TYPE(client, out, in);

enum reply_type { REPLY_STATUS, REPLY_ERROR, REPLY_INT, REPLY_BULK, REPLY_NULL };

typedef struct reply {
    enum reply_type type;
    int64_t number; /* of REPLY_INT */
    text bytes;     /* of STATUS, ERROR and BULK; good until the next client_receive */
} reply;

/* NULL with errno set when the connection can not be made. */
client *client_connect(const char *network, const char *address);
void client_close(client *cl);

/* Adds a command of n words to what the next send will write.  The words must fit the buffer. */
void client_command(client *cl, const text *words, int n);

/* Writes the commands.  False when the connection is broken. */
bool client_send(client *cl);

/* The next reply; parks until it is there.  False when the connection is broken.  Arrays, and
 * replies larger than the buffer, are not understood. */
bool client_receive(client *cl, reply *out);

#endif
