// Kinds of work of the soak that wait: for channels, times, sockets, pipes and files.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_SOAK_WAITS_H
#define GORT_TEST_SOAK_WAITS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>

#include "soak.h"

// ---- channels -----------------------------------------------------------------------------------

enum { LINES = 3, SENDERS = 8 };
static gort_chan(struct parcel *) lines[LINES];
static gort_waitgroup senders;

static void send_parcels(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        parcel *p = parcel_new(&random);
        GIVE(PARCELS, 1);
        GIVE(NUMBERS, p->number);
        gort_case cases[] = { gort_on_send(lines[0], &p), gort_on_send(lines[1], &p),
                              gort_on_send(lines[2], &p) };
        if (test_random(&random) % 2 == 0)
            gort_select(cases, LINES);
        else
            gort_send(lines[test_random(&random) % LINES], p);
    } while (goes_on());
    gort_waitgroup_done(&senders);
    end();
}

static void receive_parcels(void *arg)
{
    gort_chan(struct parcel *) line = lines[(uintptr_t)arg];
    parcel *p;
    while (gort_recv(line, &p)) {
        parcel_check(p);
        TAKE(PARCELS, 1);
        TAKE(NUMBERS, p->number);
    }
    end();
}

static void close_lines(void *arg)
{
    (void)arg;
    gort_waitgroup_wait(&senders);
    for (int i = 0; i < LINES; i++)
        gort_close(lines[i]);
    end();
}

static void start_channels(void)
{
    static const size_t capacity[LINES] = { 0, 1, 64 };
    gort_waitgroup_add(&senders, SENDERS);
    for (uintptr_t i = 0; i < LINES; i++) {
        gort_set(&lines[i], gort_chan_make(struct parcel *, capacity[i]));
        start(2, receive_parcels, (void *)i);
    }
    start(SENDERS, send_parcels, NULL);
    start(1, close_lines, NULL);
}

// ---- time ---------------------------------------------------------------------------------------

static void timer_called(void *arg)
{
    parcel_check(arg);
    TAKE(TIMERS, 1);
}

static void set_timers(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        GIVE(TIMERS, 1);
        gort_timer *t = gort_timer_func((int64_t)(test_random(&random) % 2000) * GORT_US,
                                        timer_called, parcel_new(&random));
        gort_sleep((int64_t)(test_random(&random) % 1000) * GORT_US);
        if (test_random(&random) % 2 == 0) {
            GIVE(TIMERS, 1);
            TAKE(TIMERS, gort_timer_reset(t, (int64_t)(test_random(&random) % 500) * GORT_US));
        } else {
            TAKE(TIMERS, gort_timer_stop(t));
        }
    } while (goes_on());
    end();
}

static void wait_for_times(void *arg)
{
    uint64_t random = own_seed();
    gort_ticker *ticker = gort_ticker_make(GORT_MS);
    (void)arg;
    do {
        gort_case cases[] = {
            gort_on_recv(ticker->c, NULL),
            gort_on_recv(gort_after((int64_t)(test_random(&random) % 3) * GORT_MS), NULL)
        };
        GIVE(WAKES, 3);
        gort_sleep((int64_t)(test_random(&random) % 300) * GORT_US);
        CHECK_GE(gort_select(cases, 2), 0);
        gort_select_until(cases, 2, gort_now() + 500 * GORT_US);
        TAKE(WAKES, 3);
    } while (goes_on());
    gort_ticker_stop(ticker);
    end();
}

// ---- the network --------------------------------------------------------------------------------

static char directory[] = "/tmp/gort-soak-XXXXXX";
static char tcp_address[64], unix_address[80];

struct line {
    const char *network, *address;
    int messages; // on each connection: TCP's ports must last
    int listener;
    gort_waitgroup clients;
};
static struct line tcp = { .network = "tcp", .address = tcp_address, .messages = 1000 };
static struct line local = { .network = "unix", .address = unix_address, .messages = 20 };

static void serve(void *arg)
{
    int fd = *(int *)arg;
    char buf[3000];
    for (;;) {
        ssize_t n = gort_read(fd, buf, sizeof buf);
        if (n <= 0) break;
        if (gort_write(fd, buf, (size_t)n) != n) break;
    }
    CHECK_EQ(gort_close_fd(fd), 0);
    TAKE(SERVED, 1);
    end();
}

static void accept_all(void *arg)
{
    struct line *l = arg;
    for (;;) {
        int fd = gort_accept(l->listener);
        if (fd < 0) break;
        GIVE(SERVED, 1);
        gort_waitgroup_add(&workers, 1);
        gort_go_copy(serve, &fd, sizeof fd);
    }
    CHECK(errno == ECANCELED || errno == EBADF);
    end();
}

static void read_all(int fd, char *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = gort_read(fd, buf + done, n - done);
        CHECK_GT(r, 0);
        done += (size_t)r;
    }
}

static void echo(int fd, uint64_t *random)
{
    char out[2000], in[2000];
    size_t n = 1 + test_random(random) % sizeof out;
    memset(out, (int)test_random(random), n);
    out[n / 2] = (char)n;
    GIVE(ECHOES, n);
    CHECK_EQ(gort_write(fd, out, n), (ssize_t)n);
    read_all(fd, in, n);
    CHECK(memcmp(in, out, n) == 0);
    TAKE(ECHOES, n);
}

static void talk(void *arg)
{
    struct line *l = arg;
    uint64_t random = own_seed();
    do {
        int fd = gort_dial(l->network, l->address, 0);
        CHECK_GE(fd, 0);
        for (int i = 0; i < l->messages && (i == 0 || goes_on()); i++)
            echo(fd, &random);
        CHECK_EQ(gort_close_fd(fd), 0);
    } while (goes_on());
    gort_waitgroup_done(&l->clients);
    end();
}

static void close_listener(void *arg)
{
    struct line *l = arg;
    gort_waitgroup_wait(&l->clients);
    CHECK_EQ(gort_close_fd(l->listener), 0);
    if (l == &local) CHECK_EQ(unlink(l->address), 0);
    end();
}

static void start_line(struct line *l, int clients)
{
    l->listener = gort_listen(l->network, l == &tcp ? "127.0.0.1:0" : l->address);
    CHECK_GE(l->listener, 0);
    if (l == &tcp) CHECK_GT(gort_local_addr(l->listener, tcp_address, sizeof tcp_address), 0);
    gort_waitgroup_add(&l->clients, clients);
    start(2, accept_all, l);
    start(clients, talk, l);
    start(1, close_listener, l);
}

// ---- pipes and files ----------------------------------------------------------------------------

static void fill_pipe(void *arg)
{
    int fd = *(int *)arg;
    uint64_t random = own_seed();
    char buf[5000];
    for (size_t left = test_random(&random) % 100000, n; left > 0; left -= n) {
        n = left < sizeof buf ? left : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = (char)(left - i);
        GIVE(PIPED, n);
        CHECK_EQ(gort_write(fd, buf, n), (ssize_t)n);
    }
    GIVE(PIPED, 1); // there is one at least
    CHECK_EQ(gort_write(fd, "", 1), 1);
    CHECK_EQ(gort_close_fd(fd), 0);
    end();
}

// Its deadlines pass now and then.
static void drain_pipe(int fd, uint64_t *random)
{
    char buf[3000];
    for (;;) {
        if (test_random(random) % 4 == 0)
            CHECK_EQ(gort_set_deadline(fd, gort_now() + 50 * GORT_US, 0), 0);
        ssize_t n = gort_read(fd, buf, sizeof buf);
        if (n < 0) {
            CHECK_EQ(errno, ETIMEDOUT);
            CHECK_EQ(gort_set_deadline(fd, 0, 0), 0);
            continue;
        }
        if (n == 0) break;
        for (ssize_t i = 1; i < n; i++)
            CHECK_EQ((char)(buf[i - 1] - buf[i]), 1);
        TAKE(PIPED, n);
    }
    CHECK_EQ(gort_close_fd(fd), 0);
}

static void use_pipes(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        int fd[2];
        CHECK_EQ(pipe2(fd, O_CLOEXEC), 0);
        gort_waitgroup_add(&workers, 1);
        gort_go_copy(fill_pipe, &fd[1], sizeof fd[1]);
        drain_pipe(fd[0], &random);
    } while (goes_on());
    end();
}

static void use_files(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        char path[64], out[5000], in[5000];
        size_t n = 1 + test_random(&random) % sizeof out;
        snprintf(path, sizeof path, "%s/file-XXXXXX", directory);
        int fd = mkostemp(path, O_CLOEXEC);
        CHECK_GE(fd, 0);
        CHECK_EQ(unlink(path), 0);
        memset(out, (int)test_random(&random), n);
        out[n - 1] = (char)n;
        GIVE(FILED, n);
        CHECK_EQ(gort_write(fd, out, n), (ssize_t)n);
        CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
        CHECK_EQ(gort_read(fd, in, sizeof in), (ssize_t)n);
        CHECK(memcmp(in, out, n) == 0);
        TAKE(FILED, n);
        CHECK_EQ(gort_close_fd(fd), 0);
    } while (goes_on());
    end();
}

#endif
