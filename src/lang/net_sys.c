/* System calls of the network calls: see net_sys.h.
 *
 * Note [No SIGPIPE].  A write to a pipe that nobody reads fails with EPIPE; the kernel's signal,
 * which would end the process, is for programs that look at no error.  A socket is told so in the
 * call; for a pipe there is no such flag, so the thread blocks the signal around the write, and
 * when the kernel has raised it, for this thread, takes it back before it is unblocked.  If the
 * program blocks the signal itself, one that was pending before stays.  The goroutine stays on its
 * thread from block to unblock: nothing in between parks.  Rejected: ignoring SIGPIPE in the whole
 * process, which programs
 * that it starts would inherit.  1 and 2 keep the signal, as in Go: it ends `program | head`.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lang/net_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/race.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

never_inline int net_fail(int error)
{
    errno = error;
    return -1;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool is_socket(const struct net_op *op)
{
    return op->kind == NET_TCP || op->kind == NET_SOCKET;
}

/* Note [No SIGPIPE]. */
struct sigpipe {
    bool was_blocked, was_pending;
};

static sigset_t sigpipe_only(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

static bool sigpipe_is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void sigpipe_block(struct sigpipe *s)
{
    sigset_t set = sigpipe_only(), former;
    (void)pthread_sigmask(SIG_BLOCK, &set, &former); /* can not fail */
    s->was_blocked = sigismember(&former, SIGPIPE) == 1;
    s->was_pending = s->was_blocked && sigpipe_is_pending();
}

static void sigpipe_unblock(const struct sigpipe *s, bool raised)
{
    static const struct timespec at_once;
    sigset_t set = sigpipe_only();
    if (raised && !s->was_pending)
        while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR) /* EAGAIN: none */
            continue;
    if (!s->was_blocked) (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* write(2) for what is no socket.  A blocking write may both write a part and raise the signal. */
static ssize_t write_without_sigpipe(int fd, const void *buf, size_t n)
{
    struct sigpipe s;
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO) return write(fd, buf, n);
    sigpipe_block(&s);
    ssize_t r = write(fd, buf, n);
    int error = errno;
    sigpipe_unblock(&s, r < 0 ? error == EPIPE : (size_t)r < n);
    errno = error;
    return r;
}

never_inline ssize_t net_sys_read(const struct net_op *op, void *buf, size_t n)
{
    ssize_t r;
    do
        r = is_socket(op) ? recv(op->fd, buf, n, MSG_DONTWAIT) : read(op->fd, buf, n);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

never_inline ssize_t net_sys_write(const struct net_op *op, const void *buf, size_t n)
{
    ssize_t r;
    do
        r = is_socket(op) ? send(op->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                          : write_without_sigpipe(op->fd, buf, n);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

/* From where the file stands, as read does. */
never_inline ssize_t net_sys_read_cached(int fd, void *buf, size_t n)
{
    struct iovec to = { .iov_base = buf, .iov_len = n };
    ssize_t r;
    do
        r = preadv2(fd, &to, 1, -1, RWF_NOWAIT);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

never_inline bool net_sys_is_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0;
}

struct transfer {
    int fd;
    bool out;
    void *buf;
    size_t n;
    ssize_t result;
};

/* The descriptor may be non-blocking all the same: another process made it so. */
static ssize_t transfer_some(const struct transfer *t, size_t done)
{
    for (;;) {
        char *at = (char *)t->buf + done;
        ssize_t r =
            t->out ? write_without_sigpipe(t->fd, at, t->n - done) : read(t->fd, at, t->n - done);
        if (r >= 0) return r;
        if (errno == EAGAIN) {
            struct pollfd p = { .fd = t->fd, .events = t->out ? POLLOUT : POLLIN };
            (void)poll(&p, 1, -1); /* whatever it says, the next attempt knows better */
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

/* In the blocking region. */
static void transfer(void *arg)
{
    struct transfer *t = arg;
    size_t done = 0;
    do {
        ssize_t r = transfer_some(t, done);
        if (r < 0) {
            t->result = r;
            return;
        }
        done += (size_t)r;
    } while (t->out && done < t->n);
    t->result = (ssize_t)done;
}

/* One descriptor's writes, or reads, take alike. */
static uintptr_t site_of(const struct transfer *t)
{
    return (uintptr_t)transfer + 2 * (uintptr_t)t->fd + t->out;
}

ssize_t net_sys_read_blocking(int fd, void *buf, size_t n)
{
    struct transfer t = { .fd = fd, .buf = buf, .n = n };
    blocking_call(transfer, &t, site_of(&t));
    return t.result;
}

ssize_t net_sys_write_blocking(int fd, const void *buf, size_t n)
{
    struct transfer t = { .fd = fd, .out = true, .buf = (void *)(uintptr_t)buf, .n = n };
    blocking_call(transfer, &t, site_of(&t));
    return t.result;
}

/* ---- sockets -------------------------------------------------------------------------------- */

static int result_of(int r)
{
    return r < 0 ? -errno : r;
}

never_inline int net_sys_socket(const struct net_addr *a)
{
    return result_of(socket(a->sa.sa_family, a->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

never_inline ssize_t net_sys_recvfrom(int fd, void *buf, size_t n, struct sockaddr *from,
                                      socklen_t *len)
{
    ssize_t r;
    do
        r = recvfrom(fd, buf, n, MSG_DONTWAIT, from, len);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

never_inline ssize_t net_sys_sendto(int fd, const void *buf, size_t n, const struct sockaddr *to,
                                    socklen_t len)
{
    ssize_t r;
    do
        r = sendto(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL, to, len);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

never_inline int net_sys_pipe(int fds[2])
{
    return pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : errno;
}

/* A connection that was gone before it was accepted is none of the caller's business. */
never_inline int net_sys_accept(int fd, struct net_addr *peer)
{
    int r;
    do {
        peer->len = sizeof peer->storage;
        r = accept4(fd, &peer->sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (r < 0 && (errno == EINTR || errno == ECONNABORTED));
    return result_of(r);
}

never_inline int net_sys_connect(int fd, const struct net_addr *a)
{
    int r = result_of(connect(fd, &a->sa, a->len));
    return r == -EINTR ? -EINPROGRESS : r; /* an interrupted connect goes on by itself */
}

never_inline int net_sys_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int error = 0;
    socklen_t error_len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0) return errno;
    if (error != 0) return error;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0) return 0;
    return errno == ENOTCONN ? EINPROGRESS : errno;
}

static int listen_options(int fd, const struct net_addr *a)
{
    int on = 1, only6 = a->only;
    if (a->sa.sa_family == AF_UNIX) return 0;
    /* For datagrams it would let others take the port. */
    if (a->type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return -errno;
    if (a->sa.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof only6) != 0)
        return -errno;
    return 0;
}

never_inline int net_sys_listen(int fd, const struct net_addr *a)
{
    int error = listen_options(fd, a);
    if (error != 0) return error;
    if (bind(fd, &a->sa, a->len) != 0) return -errno;
    if (a->type == SOCK_STREAM && listen(fd, BACKLOG) != 0) return -errno;
    return 0;
}

/* Small answers are not held back to be sent with the next. */
void net_sys_no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* only slower without */
}

never_inline int net_sys_local(int fd, struct net_addr *a)
{
    a->len = sizeof a->storage;
    return result_of(getsockname(fd, &a->sa, &a->len));
}

never_inline int net_sys_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return errno;
    if ((flags & O_NONBLOCK) != 0) return 0;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? errno : 0;
}

never_inline int net_sys_set_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? errno : 0;
}

/* EINTR: the number is free all the same.  Closing what others wait for is no race here, but wakes
 * them. */
never_inline int net_sys_close(int fd)
{
    race_hide();
    int r = result_of(close(fd));
    race_show();
    return r == -EINTR ? 0 : r;
}

never_inline int net_sys_is_ready(int fd, bool writing)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = writing ? POLLOUT : POLLIN };
        int n = poll(&p, 1, 0);
        if (n > 0) return (p.revents & POLLNVAL) != 0 ? -EBADF : 1; /* errors and hang-ups: ready */
        if (n == 0 || errno != EINTR) return n == 0 ? 0 : -errno;
    }
}

never_inline bool net_sys_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}
