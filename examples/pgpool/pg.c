/* One connection: how libpq's state machines are driven by goroutines.
 *
 * libpq owns its socket and closes it by itself.  So gort waits for a duplicate, which this file
 * closes before libpq closes the socket: the poller never knows a number that means something else
 * by now.
 *
 * Two calls of libpq wait inside: PQconnectStart looks names up, and PQcancel makes a connection of
 * its own.  They run on the system stack, in a blocking region (gort_blocking); other goroutines go
 * on.
 *
 * A statement whose deadline passes is cancelled at the server, and its end is waited for, since
 * the connection can be used again only then.  If that takes longer than GRACE the connection is
 * lost.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "pg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define GRACE (5 * GORT_S) /* what the end of a cancelled statement may take */

/* ---- errors ---- */

static void *fail(pg_conn *c, int error, const char *why)
{
    snprintf(c->error, sizeof c->error, "%s", why);
    c->error[strcspn(c->error, "\n")] = '\0'; /* libpq's have several lines */
    errno = error;
    return NULL;
}

static void *fail_wait(pg_conn *c, int error)
{
    return fail(c, error, error == ETIMEDOUT ? "the deadline passed" : strerror(error));
}

/* ---- waiting ---- */

static void forget_socket(pg_conn *c)
{
    if (c->fd >= 0) gort_close_fd(c->fd);
    c->fd = -1;
}

/* While it connects, libpq may close its socket and try another address. */
static bool follow_socket(pg_conn *c)
{
    forget_socket(c);
    c->fd = fcntl(PQsocket(c->pq), F_DUPFD_CLOEXEC, 3);
    return c->fd >= 0;
}

/* ---- connecting ---- */

struct start {
    const char *conninfo;
    PGconn *pq;
};

static void start(void *arg)
{
    struct start *s = arg;
    s->pq = PQconnectStart(s->conninfo);
}

/* 0 or errno. */
static int connect_until(pg_conn *c, int64_t deadline)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || PQstatus(c->pq) == CONNECTION_BAD) return ECONNREFUSED;
        if (!follow_socket(c)) return errno;
        if (gort_wait_fd(c->fd, state == PGRES_POLLING_WRITING, deadline) != 0) return errno;
        forget_socket(c);
        state = PQconnectPoll(c->pq);
    }
    if (PQsetnonblocking(c->pq, 1) != 0) return ECONNREFUSED;
    return follow_socket(c) ? 0 : errno;
}

/* The context may end while it connects: nobody else knows of it yet. */
struct connecting {
    pg_conn *c;
    bool over;
};

static void abandon_connecting(void *arg)
{
    struct connecting *x = arg;
    if (!x->over) pg_close(x->c);
}

pg_conn *pg_connect(const char *conninfo, int64_t deadline, char *error, size_t n)
{
    struct start s = { conninfo, NULL };
    gort_blocking(start, &s);
    pg_conn *c = gort_new(pg_conn);
    struct connecting x = { .c = c };
    c->pq = s.pq;
    c->fd = -1;
    gort_scoped_defer(abandon_connecting, &x);
    int e = s.pq == NULL ? ENOMEM : connect_until(c, deadline);
    x.over = true;
    if (e == 0) {
        c->born = c->used = gort_now();
        return c;
    }
    if (e == ECONNREFUSED)
        fail(c, e, PQerrorMessage(c->pq));
    else
        fail_wait(c, e);
    snprintf(error, n, "%s", c->error);
    pg_close(c);
    errno = e;
    return NULL;
}

void pg_close(pg_conn *c)
{
    forget_socket(c);
    PQfinish(c->pq); /* sends a goodbye, which does not wait on a non-blocking connection */
    c->pq = NULL;
}

/* ---- statements ---- */

static int lost(pg_conn *c)
{
    fail(c, ECONNRESET, PQerrorMessage(c->pq));
    return ECONNRESET;
}

/* Writes what libpq has buffered.  What the server says meanwhile is read, else both could wait. */
static int flush_until(pg_conn *c, int64_t deadline)
{
    int left;
    while ((left = PQflush(c->pq)) > 0) {
        if (gort_wait_fd(c->fd, true, deadline) != 0) return errno;
        if (PQconsumeInput(c->pq) == 0) return lost(c);
    }
    return left == 0 ? 0 : lost(c);
}

static int wait_for_result(pg_conn *c, int64_t deadline)
{
    while (PQisBusy(c->pq)) {
        if (gort_wait_fd(c->fd, false, deadline) != 0) return errno;
        if (PQconsumeInput(c->pq) == 0) return lost(c);
    }
    return 0;
}

/* The last result of the statement in *result.  0 or errno. */
static int results_until(pg_conn *c, int64_t deadline, PGresult **result)
{
    for (;;) {
        int error = wait_for_result(c, deadline);
        if (error != 0) return error;
        PGresult *next = PQgetResult(c->pq);
        if (next == NULL) return 0;
        PQclear(*result);
        *result = next;
    }
}

struct cancel {
    PGcancel *what;
    char error[256];
};

static void cancel(void *arg)
{
    struct cancel *x = arg;
    PQcancel(x->what, x->error, sizeof x->error);
}

/* The statement ends at the server, and here. */
static void cancel_and_drain(pg_conn *c)
{
    struct cancel x = { .what = PQgetCancel(c->pq) };
    PGresult *ignored = NULL;
    if (x.what != NULL) gort_blocking(cancel, &x);
    PQfreeCancel(x.what);
    if (results_until(c, gort_now() + GRACE, &ignored) != 0) forget_socket(c); /* not usable */
    PQclear(ignored);
}

static bool is_fine(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);
    return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
}

/* A context that ends leaves through here: the statement is stopped, whoever gave it up. */
struct running {
    pg_conn *c;
    void (*stop)(pg_conn *c); /* cancel_and_drain; or forget_socket: the connection is lost */
    PGresult *result;
    bool over;
};

static void abandon(void *arg)
{
    struct running *r = arg;
    if (r->over) return;
    PQclear(r->result);
    r->stop(r->c);
}

/* After an error of the connection, or 0 and a result that says why. */
static PGresult *give_up(const struct running *r, int error)
{
    pg_conn *c = r->c;
    if (error == 0) {
        error = PQstatus(c->pq) == CONNECTION_OK ? EIO : ECONNRESET;
        fail(c, error, PQresultErrorMessage(r->result));
    } else if (error != ECONNRESET) {
        r->stop(c);
        fail_wait(c, error);
    }
    PQclear(r->result);
    errno = error;
    return NULL;
}

static PGresult *query(pg_conn *c, const char *sql, int n, const char *const *params,
                       int64_t deadline, void (*stop)(pg_conn *c))
{
    struct running r = { .c = c, .stop = stop };
    if (!pg_is_usable(c)) return fail(c, ECONNRESET, "the connection is lost");
    if (!PQsendQueryParams(c->pq, sql, n, NULL, params, NULL, NULL, 0))
        return fail(c, ECONNRESET, PQerrorMessage(c->pq));
    gort_scoped_defer(abandon, &r);
    int error = flush_until(c, deadline);
    if (error == 0) error = results_until(c, deadline, &r.result);
    r.over = true;
    if (error == 0 && is_fine(r.result)) return r.result;
    return give_up(&r, error);
}

PGresult *pg_query(pg_conn *c, const char *sql, int n, const char *const *params, int64_t deadline)
{
    return query(c, sql, n, params, deadline, cancel_and_drain);
}

bool pg_is_usable(const pg_conn *c)
{
    return c->fd >= 0 && PQstatus(c->pq) == CONNECTION_OK &&
           PQtransactionStatus(c->pq) == PQTRANS_IDLE;
}

bool pg_is_alive(pg_conn *c, int64_t deadline)
{
    PGresult *r = query(c, "", 0, NULL, deadline, forget_socket);
    PQclear(r);
    return r != NULL;
}
