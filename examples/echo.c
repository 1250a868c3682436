/* An echo server: a goroutine for each connection, written as if it were alone in the world.
 *
 * usage: echo             starts a server, tries it with 20 clients, and says how it went
 *        echo HOST:PORT   serves until interrupted
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CLIENTS 20
#define MESSAGES 500

/* ---- The server ---- */

static void serve_one(void *arg)
{
    int fd = *(int *)arg;
    char buffer[4096];
    ssize_t n;
    while ((n = gort_read(fd, buffer, sizeof(buffer))) > 0) {
        if (gort_write(fd, buffer, (size_t)n) < 0) break;
    }
    gort_close_fd(fd);
}

static void serve(void *arg)
{
    int listener = *(int *)arg;
    for (;;) {
        int fd = gort_accept(listener);
        if (fd >= 0) {
            gort_go_copy(serve_one, &fd, sizeof(fd));
        } else if (errno == ECANCELED || errno == EBADF) {
            return;
        } else {
            gort_sleep(10 * GORT_MS); /* out of descriptors, most likely */
        }
    }
}

/* ---- Its clients ---- */

struct visit {
    const char *address;
    int number;
    gort_chan(int) results; /* messages that came back right */
};

static bool read_all(int fd, char *buffer, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t more = gort_read(fd, buffer + got, n - got);
        if (more <= 0) return false;
        got += (size_t)more;
    }
    return true;
}

static void visit(void *arg)
{
    const struct visit *v = arg;
    int good = 0, fd = gort_dial("tcp", v->address, 0);
    for (int i = 0; fd >= 0 && i < MESSAGES; i++) {
        char sent[64], back[64];
        size_t n = (size_t)snprintf(sent, sizeof(sent), "message %d of client %d", i, v->number);
        if (gort_write(fd, sent, n) < 0 || !read_all(fd, back, n)) break;
        good += memcmp(sent, back, n) == 0;
    }
    if (fd >= 0) gort_close_fd(fd);
    gort_send(v->results, good);
}

static int try_it(const char *address)
{
    gort_chan(int) results = gort_chan_make(int, CLIENTS);
    int64_t start = gort_now();
    for (int i = 0; i < CLIENTS; i++) {
        struct visit v = { address, i, results };
        gort_go_copy(visit, &v, sizeof(v));
    }
    int good = 0;
    for (int i = 0; i < CLIENTS; i++) {
        int one;
        gort_recv(results, &one);
        good += one;
    }
    printf("%d clients, %d of %d messages came back right, %lld ms\n", CLIENTS, good,
           CLIENTS * MESSAGES, (long long)((gort_now() - start) / GORT_MS));
    return good == CLIENTS * MESSAGES ? 0 : 1;
}

static int run(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: echo [HOST:PORT]\n");
        return 2;
    }
    char address[64];
    const char *wanted = argc == 2 ? argv[1] : "127.0.0.1:0";
    int listener = gort_listen("tcp", wanted);
    if (listener < 0 || gort_local_addr(listener, address, sizeof(address)) < 0) {
        fprintf(stderr, "echo: can not listen on %s: %s\n", wanted, strerror(errno));
        return 1;
    }
    printf("listening on %s\n", address);
    fflush(stdout);
    if (argc == 2) {
        serve(&listener);
        return 0;
    }
    gort_go_copy(serve, &listener, sizeof(listener));
    return try_it(address);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return gort_run(run, argc, argv);
}
