/* One connection to PostgreSQL: libpq's non-blocking calls, of which each wait parks the goroutine
 * alone.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef PGPOOL_PG_H
#define PGPOOL_PG_H

#include <gort.h>
#include <libpq-fe.h>

/* Deadlines are times of gort_now; 0: none. */

typedef struct pg_conn {
    PGconn *pq;      /* libpq's, from malloc */
    int fd;          /* a duplicate of its socket, which gort waits for; -1: none */
    int64_t born;    /* when it was connected */
    int64_t used;    /* when it was last given back */
    char error[256]; /* of the last call that failed */
} pg_conn;
GORT_TYPE(pg_conn);

/* A new connection, to be closed by pg_close; NULL: errno ETIMEDOUT or ECONNREFUSED, and the reason
 * in error, of n bytes. */
pg_conn *pg_connect(const char *conninfo, int64_t deadline, char *error, size_t n);
void pg_close(pg_conn *c);

/* Runs one statement with n parameters as text.  The result, for PQclear, or NULL with the reason
 * in c->error; errno: ETIMEDOUT when the deadline passed, and the statement was cancelled; EIO when
 * the server refused it; ECONNRESET when the connection is lost (pg_is_usable tells too). */
PGresult *pg_query(pg_conn *c, const char *sql, int n, const char *const *params, int64_t deadline);

/* Does it stand, with no statement or transaction under way? */
bool pg_is_usable(const pg_conn *c);
/* Asks the server, and gives up at the deadline; false, or left because the context ended: it is to
 * be closed. */
bool pg_is_alive(pg_conn *c, int64_t deadline);

#endif
