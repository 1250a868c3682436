// Descriptors are closed under goroutines that read them, and their numbers are used again: every
// reader ends, by data, by the end, or cancelled, and sees nothing of what the number meant before.
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

enum { PAIRS = 40 };

static gort_waitgroup wg;
static uint64_t cancelled, ended, got; // atomic

struct reader {
    int fd;
    unsigned char key; // of this round: the only byte that may arrive
};

static void read_one(void *arg)
{
    struct reader r = *(struct reader *)arg;
    unsigned char c;
    ssize_t n = gort_read(r.fd, &c, 1);
    if (n < 0) CHECK(errno == ECANCELED || errno == EBADF || errno == ECONNRESET);
    if (n > 0) CHECK_EQ(c, r.key);
    __atomic_fetch_add(n < 0 ? &cancelled : n == 0 ? &ended : &got, 1, __ATOMIC_RELAXED);
    gort_waitgroup_done(&wg);
}

static void open_pair(int fds[2], bool is_socket)
{
    if (is_socket)
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    else
        CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
}

// Readers on many pairs; each pair is written to or not, and closed from one side, then the other.
// No number is used again before its reader has ended: what comes then is a new round.
static void one_round(unsigned char key, uint64_t *seed)
{
    int fds[PAIRS][2];
    gort_waitgroup_add(&wg, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        open_pair(fds[i], i % 2);
        struct reader r = { fds[i][0], key };
        gort_go_copy(read_one, &r, sizeof r);
    }
    for (uint64_t k = test_random(seed) % 8; k > 0; k--)
        gort_yield();
    for (int i = 0; i < PAIRS; i++) {
        if (test_random(seed) % 3 == 0) CHECK_EQ(gort_write(fds[i][1], &key, 1), 1);
        if (test_random(seed) % 8 == 0) gort_yield();
        int side = (int)(test_random(seed) % 2);
        CHECK_EQ(gort_close_fd(fds[i][side]), 0);
        fds[i][side] = -1;
    }
    gort_waitgroup_wait(&wg);
    for (int i = 0; i < PAIRS; i++)
        CHECK_EQ(gort_close_fd(fds[i][0] >= 0 ? fds[i][0] : fds[i][1]), 0);
}

// The schedule has to bring them about; the time limit is the other end.
static bool all_ends_were_met(void)
{
    return got > 0 && ended > 0 && cancelled > 0;
}

TEST(closed_under_readers)
{
    uint64_t seed = test_seed();
    for (int64_t i = 0; i < test_count(500) || !all_ends_were_met(); i++)
        one_round((unsigned char)i, &seed);
}

// The same numbers over and over, each time as another kind of thing, and always with an answer.
struct echo {
    int fd;
    int n;
};
static void echoes(void *arg)
{
    struct echo e = *(struct echo *)arg;
    unsigned char c;
    for (int i = 0; i < e.n; i++) {
        CHECK_EQ(gort_read(e.fd, &c, 1), 1);
        CHECK_EQ(gort_write(e.fd, &c, 1), 1);
    }
    CHECK_EQ(gort_read(e.fd, &c, 1), 0);
    CHECK_EQ(gort_close_fd(e.fd), 0);
    gort_waitgroup_done(&wg);
}

static void client(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    for (int64_t i = test_count(400); i > 0; i--) {
        int fds[2], unused[2];
        open_pair(fds, true);
        open_pair(unused, i % 2);
        struct echo e = { fds[1], (int)(test_random(&seed) % 4) };
        gort_waitgroup_add(&wg, 1);
        gort_go_copy(echoes, &e, sizeof e);
        for (int k = 0; k < e.n; k++) {
            unsigned char c = (unsigned char)test_random(&seed), back = (unsigned char)~c;
            CHECK_EQ(gort_write(fds[0], &c, 1), 1);
            CHECK_EQ(gort_read(fds[0], &back, 1), 1);
            CHECK_EQ(back, c);
        }
        CHECK_EQ(gort_close_fd(unused[0]), 0);
        CHECK_EQ(gort_close_fd(fds[0]), 0);
        CHECK_EQ(gort_close_fd(unused[1]), 0);
    }
    gort_waitgroup_done(&wg);
}

TEST(numbers_go_round)
{
    gort_waitgroup_add(&wg, 16);
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t seed = test_seed() + i;
        gort_go_copy(client, &seed, sizeof seed);
    }
    gort_waitgroup_wait(&wg);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(closed_under_readers);
    RUN(numbers_go_round);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
