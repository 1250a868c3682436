/* A connection: one client, one goroutine, one request at a time, replies gathered until the input
 * that was read is drained.
 *
 * Life:   conn_start (accept loop)  ->  conn_serve (its own goroutine):
 *         read -> parse, execute, parse, execute ... -> write -> read ...  ->  conn_end
 *
 * Invariants: (1) only the connection's goroutine touches it, but for the fields marked below; (2)
 * what a command replies is in `out` when it returns, except one large string in `late`; (3) the
 * data's locks are never held while the goroutine writes to the client, so a client that does not
 * read stops nobody but itself.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_CONN_H
#define KV_CONN_H

#include "db.h"
#include "request.h"
#include "str.h"

struct command;

typedef struct conn {
    request in;
    char *out; /* collected, pointer-free: replies not yet written; NULL while there are none */
    str *late; /* to be written behind `out`, once no lock is held */
    uint32_t late_len; /* the length it had under the lock */
    size_t out_len, out_cap;
    database *db;
    int fd;
    bool closing;          /* no further commands; replies so far are still written */
    bool broken;           /* the client is gone */
    uint64_t commands_run; /* not yet added to the server's count */

    /* Protected by the clients' lock (server.c). */
    struct conn *prev, *next;
    str *name;
    uint64_t id;
    int64_t since;

    /* Relaxed atomics: written by the connection's goroutine, also read by CLIENT LIST. */
    const struct command *last_command;
    int db_index;
} conn;
GORT_TYPE(conn, in.bytes, in.args, out, late, prev, next, name);

/* Serves fd, a connected socket, in a goroutine of its own. */
void conn_start(int fd);

/* Bytes of replies after which they are written although the input is not drained. */
#define CONN_FLUSH_AT ((size_t)64 << 10)

#endif
