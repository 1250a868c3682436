/* kvserver: a server that speaks the Redis protocol, written in plain C on goroutines, with all
 * its data in collected memory.
 *
 * Without arguments it shows itself: it serves on a free port of this machine, lets its own load
 * generator at it for five seconds, and reports.  With --listen or --unix it serves until SIGINT or
 * SIGTERM.  With --drive the load generator alone runs, against any server.
 *
 * Where to read on: conn.c is what a connection's goroutine does, command.c how a command finds its
 * function and its locks, db.h where the data lies, dict.h the table under it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include "command.h"
#include "loadgen.h"
#include "report.h"
#include "server.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SECONDS 5
#define DEFAULT_CONNECTIONS 50
#define DEFAULT_KEYS 100000

static struct {
    const char *listen, *unix_path, *drive;
    int seconds; /* 0: not given */
    int connections, keys;
} options = { .connections = DEFAULT_CONNECTIONS, .keys = DEFAULT_KEYS };

/* ---- Arguments ---- */

static const char usage[] =
    "usage: kvserver [options]\n"
    "A server that speaks the Redis protocol. Without --listen, --unix or --drive it serves on\n"
    "a free port of this machine, drives itself for a few seconds, and reports.\n"
    "\n"
    "  --listen ADDRESS    serve on this address, such as 127.0.0.1:6379, until interrupted\n"
    "  --unix PATH         serve on this socket; may be given along with --listen\n"
    "  --drive ADDRESS     serve nothing, drive the server at this address\n"
    "  --seconds N         end after so many seconds (the demonstration: 5)\n"
    "  --connections N     clients of the load generator (50)\n"
    "  --keys N            strings that the load generator stores (100000)\n"
    "  --help              this text\n";

static __attribute__((noreturn)) void bad_usage(void)
{
    fprintf(stderr, "Try: kvserver --help\n");
    exit(2);
}

static int number_option(const char *name, const char *value, int max)
{
    int64_t v;
    if (text_to_i64((text){ value, strlen(value) }, &v) && v >= 1 && v <= max) return (int)v;
    fprintf(stderr, "kvserver: %s: '%s' is not a number from 1 to %d\n", name, value, max);
    bad_usage();
}

static void read_arguments(int argc, char **argv)
{
    enum { LISTEN = 256, UNIX, DRIVE, SECONDS, CONNECTIONS, KEYS, HELP };
    static const struct option known[] = {
        { "listen", required_argument, NULL, LISTEN },
        { "unix", required_argument, NULL, UNIX },
        { "drive", required_argument, NULL, DRIVE },
        { "seconds", required_argument, NULL, SECONDS },
        { "connections", required_argument, NULL, CONNECTIONS },
        { "keys", required_argument, NULL, KEYS },
        { "help", no_argument, NULL, HELP },
        { 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case LISTEN:
            options.listen = optarg;
            break;
        case UNIX:
            options.unix_path = optarg;
            break;
        case DRIVE:
            options.drive = optarg;
            break;
        case SECONDS:
            options.seconds = number_option("--seconds", optarg, 1000000);
            break;
        case CONNECTIONS:
            options.connections = number_option("--connections", optarg, 50000);
            break;
        case KEYS:
            options.keys = number_option("--keys", optarg, 100000000);
            break;
        case HELP:
            fputs(usage, stdout);
            exit(0);
        default: /* getopt_long said what is wrong */
            bad_usage();
        }
    }
    if (optind < argc) {
        fprintf(stderr, "kvserver: '%s' is not expected\n", argv[optind]);
        bad_usage();
    }
    if (options.drive != NULL && (options.listen != NULL || options.unix_path != NULL)) {
        fprintf(stderr, "kvserver: --drive does not go with --listen or --unix\n");
        bad_usage();
    }
}

/* ---- Signals ---- */

/* Only writes to a pipe, at whose other end a goroutine waits.  No gort call is allowed here, and
 * <gort.h> makes errno one, so the C library is asked for its own. */
static void on_stop_signal(int number)
{
    int *thread_errno = __errno_location(), saved = *thread_errno;
    (void)number;
    (void)!write(server_stop_fd(), "s", 1);
    *thread_errno = saved;
}

static void set_signals(void)
{
    struct sigaction stop = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- The three ways to run ---- */

static bool listen_or_say_why(const char *network, const char *address)
{
    if (server_listen(network, address)) return true;
    fprintf(stderr, "kvserver: can not listen on %s: %s\n", address,
            errno == EINVAL ? "not an address such as 127.0.0.1:6379" : strerror(errno));
    return false;
}

static void stop_after(void *arg)
{
    gort_sleep(*(int *)arg * GORT_S);
    (void)!write(server_stop_fd(), "t", 1);
}

static int serve(void)
{
    if (options.unix_path != NULL) {
        if (!listen_or_say_why("unix", options.unix_path)) return 1;
        printf("kvserver: listening on %s\n", options.unix_path);
    }
    if (options.listen != NULL) {
        if (!listen_or_say_why("tcp", options.listen)) return 1;
        printf("kvserver: listening on %s\n", server_address());
    }
    fflush(stdout);
    if (options.seconds > 0) {
        gort_go_copy(stop_after, &options.seconds, sizeof(options.seconds));
    }
    server_wait_for_stop();
    if (options.unix_path != NULL) unlink(options.unix_path);
    server_counts counts;
    server_read_counts(&counts);
    printf("kvserver: ended after %llu commands\n", (unsigned long long)counts.commands);
    return 0;
}

/* Lets the load generator at address and reports.  The exit status: all replies were right. */
static int drive(const char *address)
{
    load_options wanted = { "tcp", address, options.connections, options.keys };
    load *l = load_start(&wanted);
    if (l == NULL) {
        fprintf(stderr, "kvserver: can not connect to %s: %s\n", address, strerror(errno));
        return 1;
    }
    gort_stats before;
    gort_read_stats(&before);
    int seconds = options.seconds > 0 ? options.seconds : DEFAULT_SECONDS;
    uint64_t last = 0;
    int64_t start = gort_now();
    load_go(l);
    for (int i = 1; i <= seconds; i++) {
        gort_sleep(start + i * GORT_S - gort_now());
        uint64_t now = load_progress(l);
        report_second(i, now - last);
        last = now;
    }
    load_totals *totals = gort_new(load_totals);
    load_stop(l, totals);
    report_totals(totals, (double)(gort_now() - start) / (double)GORT_S, &before);
    return totals->wrong == 0 && totals->failed == 0 && totals->operations > 0 ? 0 : 1;
}

static int demonstrate(void)
{
    if (!listen_or_say_why("tcp", "127.0.0.1:0")) return 1;
    printf("kvserver: a Redis-compatible server on goroutines, its data in collected memory.\n"
           "It serves %s; %d clients drive it over TCP from within this process.\n\n",
           server_address(), options.connections);
    fflush(stdout);
    int status = drive(server_address());
    if (status == 0) {
        printf("\nTo serve: kvserver --listen 127.0.0.1:6379, then redis-cli or any client.\n");
    }
    return status;
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    server_init();
    command_init();
    set_signals();
    if (options.drive != NULL) return drive(options.drive);
    if (options.listen != NULL || options.unix_path != NULL) return serve();
    return demonstrate();
}

int main(int argc, char **argv)
{
    read_arguments(argc, argv);
    return gort_run(main_goroutine, argc, argv);
}
