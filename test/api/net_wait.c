// gort_wait_fd: waits for a descriptor without touching what is in it.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../goroutines.h"

static int fds[2];

static void make_sockets(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void close_both(void)
{
    CHECK_EQ(gort_close_fd(fds[0]), 0);
    CHECK_EQ(gort_close_fd(fds[1]), 0);
}

static int written; // atomic

static void write_later(void *arg)
{
    gort_sleep(2 * GORT_MS);
    CHECK_EQ(write(fds[1], arg, 1), 1);
    ADD(&written, 1);
}

TEST(waits_for_bytes_and_leaves_them)
{
    char got = 0;
    STORE(&written, 0);
    make_sockets();
    for (int i = 0; i < test_count(20); i++) {
        gort_go(write_later, "x");
        CHECK_EQ(gort_wait_fd(fds[0], false, 0), 0);
        CHECK_EQ(gort_wait_fd(fds[0], false, 0), 0); // it is still there
        CHECK_EQ(recv(fds[0], &got, 1, MSG_DONTWAIT), 1);
        CHECK_EQ(got, 'x');
    }
    WAIT_FOR(LOAD(&written) == test_count(20));
    close_both();
}

TEST(gives_up_at_the_deadline)
{
    make_sockets();
    int64_t at = gort_now() + 5 * GORT_MS;
    CHECK_EQ(gort_wait_fd(fds[0], false, at), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    CHECK_GE(gort_now(), at);
    CHECK_EQ(gort_set_deadline(fds[0], gort_now() + 5 * GORT_MS, 0), 0);
    CHECK_EQ(gort_wait_fd(fds[0], false, 0), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    CHECK_EQ(gort_wait_fd(fds[0], true, 0), 0); // there is room
    close_both();
}

static int drained; // atomic

static void drain_later(void *arg)
{
    static char into[1 << 16];
    gort_sleep(2 * GORT_MS);
    while (recv(fds[1], into, sizeof into, MSG_DONTWAIT) > 0)
        ;
    (void)arg;
    STORE(&drained, 1);
}

TEST(waits_for_room)
{
    static const char bytes[1 << 16];
    make_sockets();
    while (send(fds[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    CHECK_EQ(gort_wait_fd(fds[0], true, gort_now() + GORT_MS), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    STORE(&drained, 0);
    gort_go(drain_later, NULL);
    CHECK_EQ(gort_wait_fd(fds[0], true, 0), 0);
    CHECK_GT(send(fds[0], bytes, 1, MSG_DONTWAIT), 0);
    WAIT_FOR(LOAD(&drained));
    close_both();
}

// Once the main goroutine waits.
static void close_later(void *arg)
{
    WAIT_FOR(count_waiting("IO wait") == 1);
    CHECK_EQ(gort_close_fd(*(int *)arg), 0);
}

TEST(the_end_and_a_close_wake)
{
    make_sockets();
    gort_go(close_later, &fds[1]);
    CHECK_EQ(gort_wait_fd(fds[0], false, 0), 0); // the end can be read
    CHECK_EQ(gort_close_fd(fds[0]), 0);
    make_sockets();
    gort_go(close_later, &fds[0]);
    CHECK_EQ(gort_wait_fd(fds[0], false, 0), -1);
    CHECK_EQ(errno, ECANCELED);
    CHECK_EQ(gort_close_fd(fds[1]), 0);
}

// As a library's socket is waited for: by a duplicate; the library closes its own itself.
TEST(duplicates)
{
    for (int i = 0; i < test_count(50); i++) {
        make_sockets();
        int own = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
        CHECK_GE(own, 0);
        STORE(&written, 0);
        gort_go(write_later, "y");
        CHECK_EQ(gort_wait_fd(own, false, 0), 0);
        CHECK_EQ(gort_close_fd(own), 0);
        WAIT_FOR(LOAD(&written) == 1);
        CHECK_EQ(close(fds[0]), 0);
        CHECK_EQ(close(fds[1]), 0);
    }
}

static void wait_forever(void *arg)
{
    gort_wait_fd(*(int *)arg, false, 0);
}

TEST(a_context_ends_the_wait)
{
    make_sockets();
    gort_context *c = gort_context_until(NULL, gort_now() + 2 * GORT_MS);
    CHECK_EQ(gort_context_run(c, wait_forever, &fds[0]), ETIMEDOUT);
    close_both();
}

static void read_one(void *arg)
{
    char byte;
    CHECK_FAILS(gort_read(*(int *)arg, &byte, 1), ECANCELED);
    ADD(&written, 1);
}

// Another goroutine reads, and goes on to: the wait ends by itself.
TEST(behind_another_reader)
{
    make_sockets();
    STORE(&written, 0);
    gort_go(read_one, &fds[0]);
    WAIT_FOR(count_waiting("IO wait") == 1);
    int64_t at = gort_now() + 2 * GORT_MS;
    CHECK_FAILS(gort_wait_fd(fds[0], false, at), ETIMEDOUT);
    CHECK_GE(gort_now(), at);
    gort_context *c = gort_context_until(NULL, gort_now() + 2 * GORT_MS);
    CHECK_EQ(gort_context_run(c, wait_forever, &fds[0]), ETIMEDOUT);
    CHECK_EQ(LOAD(&written), 0); // he reads on
    CHECK_EQ(gort_close_fd(fds[0]), 0);
    WAIT_FOR(LOAD(&written) == 1);
    CHECK_EQ(gort_close_fd(fds[1]), 0);
}

TEST(what_can_not_be_waited_for)
{
    CHECK_EQ(gort_wait_fd(-1, false, 0), -1);
    CHECK_EQ(errno, EBADF);
    CHECK_EQ(gort_wait_fd(1000000, false, 0), -1);
    CHECK_EQ(errno, EBADF);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(gort_wait_fd(file, false, 0), 0); // files are always ready
    CHECK_EQ(gort_close_fd(file), 0);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(waits_for_bytes_and_leaves_them);
    RUN_ON_ALL(gives_up_at_the_deadline);
    RUN_ON_ALL(waits_for_room);
    RUN_ON_ALL(the_end_and_a_close_wake);
    RUN_ON_ALL(duplicates);
    RUN_ON_ALL(a_context_ends_the_wait);
    RUN_ON_ALL(behind_another_reader);
    RUN(what_can_not_be_waited_for);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
