/* A pool of connections: at most so many, none too old, each checked before it is trusted again.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef PGPOOL_POOL_H
#define PGPOOL_POOL_H

#include "pg.h"

typedef struct pool pool;

typedef struct {
    const char *conninfo; /* as for PQconnectdb; kept by the caller */
    int max;              /* connections at a time */
    int64_t lifetime;     /* ns after which one is not used again; 0: for ever */
    int64_t idle;         /* ns after which one that nobody uses is closed; 0: never */
    int64_t check;        /* ns unused after which the server is asked before it is used */
    int64_t connecting;   /* ns that connecting may take */
} pool_options;

typedef struct {
    int64_t made, closed, waited; /* connections; gets that found all in use */
    int in_use, idle, most;       /* now; the most that were in use */
} pool_counts;

pool *pool_make(const pool_options *o);

/* A connection for the caller alone, until pool_put.  NULL: errno ETIMEDOUT, when none came free
 * until the deadline (a time of gort_now, 0: none); ECANCELED after pool_close; else why none could
 * be made, in error, of n bytes.  Who waits longest is served first. */
pg_conn *pool_get(pool *p, int64_t deadline, char *error, size_t n);
/* Gives it back; one that is not usable is closed. */
void pool_put(pool *p, pg_conn *c);
/* No more are given out; closes those that are idle, and waits for those in use. */
void pool_close(pool *p);
pool_counts pool_count(pool *p);

#endif
