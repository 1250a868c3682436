// An operation that is in the middle of an attempt while its descriptor is closed and the number
// means another one: it does not wait for that, whose own readers would wait for it to leave.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../gc/gc_test.h"
#include "gort/time.h"
#include "lang/net_fd.h"

#define FAR (20 * GORT_S) // a deadline that only who waits reaches

static int other; // the other end

// Returns the first end.
static int open_pair(void)
{
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_EQ(net_fd_open(ends[0], NET_SOCKET), 0);
    other = ends[1];
    return ends[0];
}

// Has the turn, and has found nothing.
static void attempt(struct net_op *op, int fd)
{
    CHECK_EQ(net_op_begin(op, g_self(), fd, POLL_READ, 0), 0);
    netpoll_arm(fd, POLL_READ);
}

static void close_and_open(int fd)
{
    CHECK_EQ(close(other), 0);
    CHECK_EQ(net_fd_close(g_self(), fd), 0);
    CHECK_EQ(open_pair(), fd); // the lowest number that is free
}

static void leave(struct net_op *op, int fd)
{
    net_op_end(op);
    CHECK_EQ(close(other), 0);
    CHECK_EQ(net_fd_close(g_self(), fd), 0);
}

// Without waiting.
static void is_canceled(struct net_op *op, int fd)
{
    int64_t at = os_now() + FAR;
    CHECK_EQ(net_op_wait(op, at), ECANCELED);
    CHECK_LT(os_now(), at);
    leave(op, fd);
}

static void closed_before_it_waits(void)
{
    struct net_op op;
    int fd = open_pair();
    attempt(&op, fd);
    close_and_open(fd);
    is_canceled(&op, fd);
}

static void closed_before_it_arms(void)
{
    struct net_op op;
    int fd = open_pair();
    attempt(&op, fd);
    close_and_open(fd);
    netpoll_arm(fd, POLL_READ);
    is_canceled(&op, fd);
}

// After net_op_wait has looked at the generation.
static void closed_before_it_parks(void)
{
    struct net_op op;
    int fd = open_pair();
    attempt(&op, fd);
    close_and_open(fd);
    CHECK_EQ(netpoll_wait(fd, POLL_READ, os_now() + FAR), 0); // it is to look once more
    leave(&op, fd);
}

int main(void)
{
    RUN_ON(closed_before_it_waits, 2);
    RUN_ON(closed_before_it_arms, 2);
    RUN_ON(closed_before_it_parks, 2);
    return 0;
}
