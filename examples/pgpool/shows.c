/* What is shown, each on a pool of its own: many goroutines on few connections, waiting with a
 * deadline, cancelling, connections that the server ended, lifetimes.
 *
 * Connections come from pool_get and go back by a scoped call, so that they do however the block is
 * left.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "shows.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

#define PATIENCE (30 * GORT_S) /* for what should take no time */

static const shows *what;
static bool all_well = true; /* only ever cleared */

static void wrong(const char *show, const char *why)
{
    printf("%s: WRONG: %s\n", show, why);
    __atomic_store_n(&all_well, false, __ATOMIC_RELAXED);
}

static void expect(const char *show, bool fine, const char *why)
{
    if (!fine) wrong(show, why);
}

/* ---- using a pool ---- */

typedef struct {
    pool *p;
    pg_conn *c;
} use;

static void put(void *arg)
{
    use *u = arg;
    if (u->c != NULL) pool_put(u->p, u->c);
}

static pool *make_pool(int max)
{
    return pool_make(&(pool_options){
        .conninfo = what->conninfo, .max = max, .check = PATIENCE, .connecting = PATIENCE });
}

static pg_conn *get(const char *show, pool *p)
{
    char error[256];
    pg_conn *c = pool_get(p, gort_now() + PATIENCE, error, sizeof error);
    if (c == NULL) wrong(show, error);
    return c;
}

/* The first field of the only row as a number; -1: none, and errno and c->error say why. */
static int64_t ask(pg_conn *c, const char *sql, const char *parameter, int64_t deadline)
{
    PGresult *r = pg_query(c, sql, parameter != NULL, &parameter, deadline);
    int error = errno;
    int64_t n = r != NULL && PQntuples(r) == 1 ? atoll(PQgetvalue(r, 0, 0)) : -1;
    PQclear(r);
    errno = error;
    return n;
}

static int64_t get_and_ask(const char *show, pool *p, const char *sql, const char *parameter)
{
    use u = { p, get(show, p) };
    gort_scoped_defer(put, &u);
    return u.c != NULL ? ask(u.c, sql, parameter, gort_now() + PATIENCE) : -1;
}

static int64_t backend(const char *show, pool *p)
{
    return get_and_ask(show, p, "SELECT pg_backend_pid()", NULL);
}

/* Every connection that was made is closed. */
static void close_pool(const char *show, pool *p)
{
    pool_close(p);
    pool_counts n = pool_count(p);
    expect(show, n.in_use == 0 && n.idle == 0 && n.made == n.closed, "connections are left over");
}

/* ---- many goroutines, few connections ---- */

typedef struct {
    pool *p;
    int next;    /* atomic: statements begun */
    int64_t sum; /* atomic: of their answers */
    gort_waitgroup wg;
} crowd;

static void member(void *arg)
{
    crowd *w = arg;
    int i;
    while ((i = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED)) < what->statements) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        int64_t answer = get_and_ask("crowd", w->p, "SELECT $1::int8 * 2", text);
        __atomic_fetch_add(&w->sum, answer, __ATOMIC_RELAXED);
    }
    gort_waitgroup_done(&w->wg);
}

static void show_crowd(void)
{
    crowd w = { .p = make_pool(what->connections) };
    int64_t begin = gort_now(), n = what->statements;
    gort_waitgroup_add(&w.wg, what->goroutines);
    for (int i = 0; i < what->goroutines; i++)
        gort_go(member, &w);
    gort_waitgroup_wait(&w.wg);
    int64_t ms = (gort_now() - begin) / GORT_MS;
    pool_counts counts = pool_count(w.p);
    expect("crowd", w.sum == n * (n - 1), "the answers are not right");
    expect("crowd", counts.most <= what->connections, "more connections than allowed");
    printf("crowd: %d statements by %d goroutines over %d of %d connections, %lld ms\n",
           what->statements, what->goroutines, counts.most, what->connections, (long long)ms);
    close_pool("crowd", w.p);
}

/* ---- waiting for a connection ---- */

static void show_waiting(void)
{
    char error[256];
    pool *p = make_pool(1);
    {
        use u = { p, get("waiting", p) };
        gort_scoped_defer(put, &u);
        int64_t deadline = gort_now() + 50 * GORT_MS;
        pg_conn *second = pool_get(p, deadline, error, sizeof error);
        expect("waiting", second == NULL && errno == ETIMEDOUT, "there was a second connection");
        expect("waiting", gort_now() >= deadline, "it did not wait");
    }
    expect("waiting", backend("waiting", p) > 0, "it did not come back");
    close_pool("waiting", p);
    expect("waiting", pool_get(p, 0, error, sizeof error) == NULL && errno == ECANCELED,
           "a closed pool has connections");
    printf("waiting: gave up at the deadline, and was served afterwards\n");
}

/* ---- statements that take too long ---- */

static void show_deadline(void)
{
    pool *p = make_pool(1);
    int64_t before = backend("deadline", p), begin = gort_now();
    {
        use u = { p, get("deadline", p) };
        gort_scoped_defer(put, &u);
        int64_t n =
            u.c != NULL ? ask(u.c, "SELECT 1 FROM pg_sleep(600)", NULL, begin + 100 * GORT_MS) : 0;
        expect("deadline", n == -1 && errno == ETIMEDOUT, "the statement went on");
    }
    expect("deadline", backend("deadline", p) == before, "the connection was lost");
    expect("deadline", gort_now() - begin < PATIENCE, "it took long");
    close_pool("deadline", p);
    printf("deadline: the statement was cancelled, the connection goes on\n");
}

static void sleep_there(void *arg)
{
    use u = { arg, get("context", arg) };
    gort_scoped_defer(put, &u);
    if (u.c != NULL) ask(u.c, "SELECT 1 FROM pg_sleep(600)", NULL, 0);
    wrong("context", "the statement ended by itself");
}

static void show_context(void)
{
    pool *p = make_pool(1);
    int64_t before = backend("context", p);
    gort_context *c = gort_context_until(NULL, gort_now() + 100 * GORT_MS);
    expect("context", gort_context_run(c, sleep_there, p) == ETIMEDOUT, "it did not end");
    expect("context", backend("context", p) == before, "the connection was lost");
    close_pool("context", p);
    printf("context: its end cancelled the statement, the connection goes on\n");
}

/* ---- connections that are no good any more ---- */

static void show_health(void)
{
    pool *p = pool_make(&(pool_options){
             .conninfo = what->conninfo, .max = 1, .check = 1, .connecting = PATIENCE }),
         *killer = make_pool(1);
    char victim[32];
    int64_t before = backend("health", p);
    snprintf(victim, sizeof victim, "%lld", (long long)before);
    get_and_ask("health", killer, "SELECT pg_terminate_backend($1::int4, 30000)::int", victim);
    int64_t after = backend("health", p);
    expect("health", after > 0 && after != before, "the connection was not replaced");
    expect("health", pool_count(p).closed == 1, "the dead one was kept");
    close_pool("health", p);
    close_pool("health", killer);
    printf("health: a connection that the server had ended was replaced\n");
}

static void show_lifetime(void)
{
    pool *p = pool_make(&(pool_options){ .conninfo = what->conninfo,
                                         .max = 1,
                                         .lifetime = 20 * GORT_MS,
                                         .check = PATIENCE,
                                         .connecting = PATIENCE });
    int64_t before = backend("lifetime", p);
    gort_sleep(25 * GORT_MS);
    expect("lifetime", backend("lifetime", p) != before, "it lives on");
    close_pool("lifetime", p);
    printf("lifetime: an old connection was replaced\n");
}

static void show_idle(void)
{
    pool *p = pool_make(&(pool_options){ .conninfo = what->conninfo,
                                         .max = 2,
                                         .idle = 20 * GORT_MS,
                                         .check = PATIENCE,
                                         .connecting = PATIENCE });
    int64_t until = gort_now() + PATIENCE;
    expect("idle", backend("idle", p) > 0, "no connection");
    while (pool_count(p).closed == 0 && gort_now() < until)
        gort_sleep(5 * GORT_MS);
    expect("idle", pool_count(p).closed == 1, "it was kept");
    close_pool("idle", p);
    printf("idle: a connection that nobody used was closed\n");
}

/* ---- connections that are given up while they are made, or checked ---- */

static int count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL) closedir(d);
    return n;
}

static void serve_one(void *arg)
{
    static const char welcome[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I"; /* come in; ready */
    int fd = (int)(intptr_t)arg;
    char request[1024];
    if (gort_read(fd, request, sizeof request) > 0) gort_write(fd, welcome, sizeof welcome - 1);
    while (gort_read(fd, request, sizeof request) > 0)
        ; /* and never answers */
    gort_close_fd(fd);
}

static void serve(void *arg)
{
    int fd;
    while ((fd = gort_accept((int)(intptr_t)arg)) >= 0)
        gort_go(serve_one, (void *)(intptr_t)fd);
}

static pool *make_pool_at(int listener, char conninfo[128])
{
    char address[64];
    gort_local_addr(listener, address, sizeof address);
    snprintf(conninfo, 128,
             "host=127.0.0.1 port=%s user=x dbname=x sslmode=disable gssencmode=disable",
             strrchr(address, ':') + 1);
    return pool_make(
        &(pool_options){ .conninfo = conninfo, .max = 2, .check = 1, .connecting = PATIENCE });
}

static void get_in_vain(void *arg)
{
    get("abandoned", arg);
    wrong("abandoned", "there was a connection");
}

/* Gets whose contexts end in the middle. */
static void abandon_gets(pool *p, int n)
{
    for (int i = 0; i < n; i++) {
        gort_context *c = gort_context_until(NULL, gort_now() + 20 * GORT_MS);
        expect("abandoned", gort_context_run(c, get_in_vain, p) == ETIMEDOUT, "it did not end");
    }
}

static void make_one_idle(pool *p)
{
    use u = { p, get("abandoned", p) };
    put(&u);
    expect("abandoned", pool_count(p).idle == 1, "it was not kept");
}

static bool has_all(pool *p)
{
    pool_counts n = pool_count(p);
    return n.made == n.closed + n.idle;
}

/* The idle one is checked until the deadline; then there is no time to make another. */
static void get_too_late(pool *p)
{
    char error[256];
    use u = { p, pool_get(p, gort_now() + 20 * GORT_MS, error, sizeof error) };
    if (u.c == NULL && errno == ETIMEDOUT) return;
    wrong("abandoned", "there was a connection after the deadline");
    put(&u);
}

static void show_abandoned(void)
{
    char conninfo[128];
    int listener = gort_listen("tcp", "127.0.0.1:0"), before = count_fds();
    pool *p = make_pool_at(listener, conninfo);
    abandon_gets(p, 5); /* nobody accepts */
    expect("abandoned", count_fds() == before, "descriptors are left over");
    gort_go(serve, (void *)(intptr_t)listener);
    make_one_idle(p);
    abandon_gets(p, 1); /* while it is checked */
    expect("abandoned", has_all(p), "one is lost");
    make_one_idle(p);
    get_too_late(p);
    expect("abandoned", has_all(p), "one is lost at the deadline");
    close_pool("abandoned", p);
    for (int64_t until = gort_now() + PATIENCE; count_fds() != before && gort_now() < until;)
        gort_sleep(GORT_MS); /* the server's ends */
    expect("abandoned", count_fds() == before, "descriptors are left over in the end");
    gort_close_fd(listener);
    printf("abandoned: connections given up while they were made or checked were closed\n");
}

bool shows_run(const shows *s)
{
    char error[256];
    what = s;
    pg_conn *c = pg_connect(s->conninfo, gort_now() + PATIENCE, error, sizeof error);
    if (c == NULL) {
        fprintf(stderr, "pgpool: %s\n", error);
        return false;
    }
    pg_close(c);
    show_crowd();
    show_waiting();
    show_deadline();
    show_context();
    show_health();
    show_lifetime();
    show_idle();
    show_abandoned();
    return all_well;
}
