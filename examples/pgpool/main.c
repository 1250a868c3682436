/* pgpool: a pool of connections to PostgreSQL, shared by many goroutines, shown at work.
 *
 *     pgpool CONNINFO [GOROUTINES [STATEMENTS [CONNECTIONS]]]
 *
 * CONNINFO is libpq's: "host=/run/postgresql dbname=test".  Nothing in the database is changed.
 * Each line says what was tried and what came of it; the exit status is 1 when something did not
 * come as it should.
 *
 * Where to read on: pool.c is the pool, pg.c how libpq waits by goroutines, shows.c what is tried
 * here.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "shows.h"

#include <errno.h>
#include <gort.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_CONNECTIONS 1000
#define MAX_OTHERS 1000000

static void usage(void)
{
    fprintf(stderr, "usage: pgpool CONNINFO [GOROUTINES [STATEMENTS [CONNECTIONS]]]\n");
    exit(2);
}

static int number(const char *text, int max)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || n < 1 || n > max) usage();
    return (int)n;
}

static int run(int argc, char **argv)
{
    if (argc < 2 || argc > 5) usage();
    shows s = { .conninfo = argv[1], .goroutines = 50, .statements = 2000, .connections = 4 };
    if (argc > 2) s.goroutines = number(argv[2], MAX_OTHERS);
    if (argc > 3) s.statements = number(argv[3], MAX_OTHERS);
    if (argc > 4) s.connections = number(argv[4], MAX_CONNECTIONS);
    return shows_run(&s) ? 0 : 1;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
