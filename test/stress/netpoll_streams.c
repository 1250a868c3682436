// Many pipes and sockets with a reader and a writer each: every byte arrives, in order, and nobody
// is left waiting.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST notmodes=determ
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <gort.h>

#include "test.h"

static gort_waitgroup wg;

struct end {
    int fd;
    uint32_t key; // both ends of a stream have the same
    size_t bytes;
};

static unsigned char byte_at(uint32_t key, size_t i)
{
    return (unsigned char)((i + key) * 167 >> 3);
}

static void writer(void *arg)
{
    struct end e = *(struct end *)arg;
    uint64_t seed = e.key;
    unsigned char buf[9000];
    for (size_t done = 0; done < e.bytes;) {
        size_t n = 1 + test_random(&seed) % sizeof buf;
        if (test_random(&seed) % 4 == 0) n = 1;
        if (n > e.bytes - done) n = e.bytes - done;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(e.key, done + i);
        CHECK_EQ(gort_write(e.fd, buf, n), n);
        done += n;
    }
    CHECK_EQ(gort_close_fd(e.fd), 0);
    gort_waitgroup_done(&wg);
}

static void reader(void *arg)
{
    struct end e = *(struct end *)arg;
    uint64_t seed = e.key + 1;
    unsigned char buf[6000];
    size_t done = 0;
    for (;;) {
        ssize_t n = gort_read(e.fd, buf, 1 + test_random(&seed) % sizeof buf);
        CHECK_GE(n, 0);
        if (n == 0) break;
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buf[i], byte_at(e.key, done + (size_t)i));
        done += (size_t)n;
    }
    CHECK_EQ(done, e.bytes);
    CHECK_EQ(gort_close_fd(e.fd), 0);
    gort_waitgroup_done(&wg);
}

static void start_stream(uint32_t key, size_t bytes)
{
    int fds[2];
    if (key % 3 == 0)
        CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    else if (key % 3 == 1)
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    else
        CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct end r = { fds[0], key, bytes }, w = { fds[1], key, bytes };
    gort_waitgroup_add(&wg, 2);
    gort_go_copy(reader, &r, sizeof r);
    gort_go_copy(writer, &w, sizeof w);
}

TEST(many_streams)
{
    for (uint32_t i = 0; i < 300; i++)
        start_stream(i, (size_t)test_count(100000) + i);
    gort_waitgroup_wait(&wg);
}

// Streams come and go, and with them the numbers.
TEST(short_streams)
{
    for (int64_t i = 0; i < test_count(3000); i++) {
        start_stream((uint32_t)i, (size_t)(i % 50));
        if (i % 16 == 0) gort_yield();
        if (i % 128 == 0) gort_waitgroup_wait(&wg);
    }
    gort_waitgroup_wait(&wg);
}

// A token through a ring of sockets: all but one goroutine wait at any time.
enum { RING = 50 };
struct ring_end {
    int in, out;
    int64_t rounds;
};
static void ring_member(void *arg)
{
    struct ring_end e = *(struct ring_end *)arg;
    int64_t token;
    do {
        CHECK_EQ(gort_read(e.in, &token, sizeof token), sizeof token);
        token++;
        CHECK_EQ(gort_write(e.out, &token, sizeof token), sizeof token);
    } while (token < e.rounds * RING - RING);
    gort_waitgroup_done(&wg);
}

TEST(ring)
{
    int fds[RING][2];
    int64_t rounds = test_count(300), token = 0;
    for (int i = 0; i < RING; i++)
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[i]), 0);
    gort_waitgroup_add(&wg, RING);
    for (int i = 0; i < RING; i++) {
        struct ring_end e = { fds[i][0], fds[(i + 1) % RING][1], rounds };
        gort_go_copy(ring_member, &e, sizeof e);
    }
    CHECK_EQ(gort_write(fds[0][1], &token, sizeof token), sizeof token);
    gort_waitgroup_wait(&wg);
    for (int i = 0; i < RING; i++) {
        CHECK_EQ(gort_close_fd(fds[i][0]), 0);
        CHECK_EQ(gort_close_fd(fds[i][1]), 0);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(many_streams);
    RUN(short_streams);
    RUN(ring);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
