/* The pool.
 *
 * A permit is the right to have a connection: `permits` is a channel with one element for each.
 * Whoever has received one takes the connection that was used last, or makes one; giving back sends
 * the permit.  So the limit holds whatever happens in between, waiting is in the order of coming,
 * and a deadline or the end of a context is the channel's own.
 *
 * The idle ones are a stack, latest on top, under a mutex that is never held while something waits:
 * those at the bottom grow old when there is little to do, and a goroutine, the keeper, closes
 * them.
 *
 * Between receiving the permit and returning the connection anything may panic, or the context end:
 * the permit goes back by a scoped call, and so is a connection closed that nobody has yet.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEEPING GORT_S  /* how often the keeper looks, at most */
#define CHECKING GORT_S /* what an answer to a check may take */

typedef pg_conn *pool_slot;

struct pool {
    gort_chan(int) permits;
    gort_chan(int) closing; /* closed by pool_close */
    pg_conn **idle;         /* the latest last; mutex */
    gort_mutex mutex;
    bool closed;          /* mutex */
    pool_options options; /* constant */
    pool_counts counts;   /* mutex */
};
GORT_TYPE(pool, permits, closing, idle);

/* ---- one connection ---- */

static bool is_old(const pool *p, const pg_conn *c)
{
    return p->options.lifetime != 0 && gort_now() - c->born >= p->options.lifetime;
}

static void close_conn(pool *p, pg_conn *c)
{
    pg_close(c);
    gort_mutex_lock(&p->mutex);
    p->counts.closed++;
    gort_mutex_unlock(&p->mutex);
}

/* NULL: there is none. */
static pg_conn *take_idle(pool *p)
{
    pg_conn *c = NULL;
    gort_mutex_lock(&p->mutex);
    if (p->counts.idle > 0) {
        c = p->idle[--p->counts.idle];
        gort_set(&p->idle[p->counts.idle], NULL);
    }
    gort_mutex_unlock(&p->mutex);
    return c;
}

static bool has_passed(int64_t deadline)
{
    return deadline != 0 && gort_now() >= deadline;
}

static int64_t earlier(int64_t deadline, int64_t until)
{
    return deadline != 0 && deadline < until ? deadline : until;
}

static bool is_trusted(pool *p, pg_conn *c, int64_t deadline)
{
    if (is_old(p, c)) return false;
    if (gort_now() - c->used < p->options.check) return true;
    return pg_is_alive(c, earlier(deadline, gort_now() + CHECKING));
}

struct checking {
    pool *p;
    pg_conn *c; /* nobody's yet */
    bool trusted;
};

static void close_untrusted(void *arg)
{
    struct checking *x = arg;
    if (!x->trusted) close_conn(x->p, x->c);
}

/* One that is idle, if it is trusted; else it is closed, also when the context ends meanwhile. */
static bool check(pool *p, pg_conn *c, int64_t deadline)
{
    struct checking x = { .p = p, .c = c };
    gort_scoped_defer(close_untrusted, &x);
    x.trusted = is_trusted(p, c, deadline);
    return x.trusted;
}

static pg_conn *make_conn(pool *p, int64_t deadline, char *error, size_t n)
{
    int64_t until = earlier(deadline, gort_now() + p->options.connecting);
    pg_conn *c = pg_connect(p->options.conninfo, until, error, n);
    if (c == NULL) return NULL;
    gort_mutex_lock(&p->mutex);
    p->counts.made++;
    gort_mutex_unlock(&p->mutex);
    return c;
}

static pg_conn *take_or_make(pool *p, int64_t deadline, char *error, size_t n)
{
    for (pg_conn *c; !has_passed(deadline) && (c = take_idle(p)) != NULL;)
        if (check(p, c, deadline)) return c;
    if (!has_passed(deadline)) return make_conn(p, deadline, error, n);
    snprintf(error, n, "the deadline passed");
    errno = ETIMEDOUT;
    return NULL;
}

/* ---- permits ---- */

/* 0 or errno. */
static int take_permit(pool *p, int64_t deadline)
{
    int permit, closing;
    gort_case cases[] = { gort_on_recv(p->permits, &permit), gort_on_recv(p->closing, &closing) };
    if (gort_chan_len(p->permits) == 0) {
        gort_mutex_lock(&p->mutex);
        p->counts.waited++;
        gort_mutex_unlock(&p->mutex);
    }
    int which = deadline != 0 ? gort_select_until(cases, 2, deadline) : gort_select(cases, 2);
    return which == 0 ? 0 : which < 0 ? ETIMEDOUT : ECANCELED;
}

struct permit {
    pool *p;
    bool kept;
};

static void return_permit(void *arg)
{
    struct permit *x = arg;
    if (!x->kept) gort_send(x->p->permits, 1);
}

static void count_use(pool *p, int change)
{
    gort_mutex_lock(&p->mutex);
    p->counts.in_use += change;
    if (p->counts.in_use > p->counts.most) p->counts.most = p->counts.in_use;
    gort_mutex_unlock(&p->mutex);
}

pg_conn *pool_get(pool *p, int64_t deadline, char *error, size_t n)
{
    int e = take_permit(p, deadline);
    if (e != 0) {
        snprintf(error, n, "%s",
                 e == ETIMEDOUT ? "all connections are in use" : "the pool is closed");
        errno = e;
        return NULL;
    }
    struct permit permit = { p, false };
    gort_scoped_defer(return_permit, &permit);
    pg_conn *c = take_or_make(p, deadline, error, n);
    permit.kept = c != NULL;
    if (c != NULL) count_use(p, 1);
    return c;
}

static bool keep_idle(pool *p, pg_conn *c)
{
    bool keep = pg_is_usable(c) && !is_old(p, c);
    c->used = gort_now();
    gort_mutex_lock(&p->mutex);
    keep = keep && !p->closed;
    if (keep) gort_set(&p->idle[p->counts.idle++], c);
    gort_mutex_unlock(&p->mutex);
    return keep;
}

void pool_put(pool *p, pg_conn *c)
{
    count_use(p, -1);
    if (!keep_idle(p, c)) close_conn(p, c);
    gort_send(p->permits, 1);
}

/* ---- the keeper ---- */

/* One from the bottom that is idle for too long; NULL: there is none. */
static pg_conn *take_stale(pool *p)
{
    pg_conn *c = NULL;
    gort_mutex_lock(&p->mutex);
    if (p->counts.idle > 0) {
        pg_conn *bottom = p->idle[0];
        int64_t unused = gort_now() - bottom->used;
        if ((p->options.idle != 0 && unused >= p->options.idle) || is_old(p, bottom)) c = bottom;
    }
    if (c != NULL) {
        p->counts.idle--;
        gort_copy(pool_slot, p->idle, p->idle + 1, (size_t)p->counts.idle);
        gort_set(&p->idle[p->counts.idle], NULL);
    }
    gort_mutex_unlock(&p->mutex);
    return c;
}

static int64_t keeping(const pool *p)
{
    int64_t every = KEEPING;
    if (p->options.idle != 0 && p->options.idle / 2 < every) every = p->options.idle / 2;
    if (p->options.lifetime != 0 && p->options.lifetime / 2 < every)
        every = p->options.lifetime / 2;
    return every > GORT_MS ? every : GORT_MS;
}

static void keeper(void *arg)
{
    pool *p = arg;
    int closing;
    gort_case over = gort_on_recv(p->closing, &closing);
    while (gort_select_until(&over, 1, gort_now() + keeping(p)) < 0)
        for (pg_conn *c; (c = take_stale(p)) != NULL;)
            close_conn(p, c);
}

/* ---- beginning and end ---- */

pool *pool_make(const pool_options *o)
{
    pool *p = gort_new(pool);
    p->options = *o;
    gort_init(&p->permits, gort_chan_make(int, (size_t)o->max));
    gort_init(&p->closing, gort_chan_make(int, 0));
    gort_init(&p->idle, gort_new_array(pool_slot, (size_t)o->max));
    for (int i = 0; i < o->max; i++)
        gort_send(p->permits, 1);
    gort_go_opt(&(gort_go_options){ .name = "keeper" }, keeper, p);
    return p;
}

void pool_close(pool *p)
{
    gort_mutex_lock(&p->mutex);
    p->closed = true;
    gort_mutex_unlock(&p->mutex);
    gort_close(p->closing);
    for (int i = 0; i < p->options.max; i++)
        gort_recv(p->permits, NULL); /* those in use come back */
    for (pg_conn *c; (c = take_idle(p)) != NULL;)
        close_conn(p, c);
}

pool_counts pool_count(pool *p)
{
    gort_mutex_lock(&p->mutex);
    pool_counts n = p->counts;
    gort_mutex_unlock(&p->mutex);
    return n;
}
