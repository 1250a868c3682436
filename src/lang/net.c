/* Network calls: the goroutine waits, its thread does not.
 *
 * Every operation is tried first and waits only when the kernel says EAGAIN; the poller's readiness
 * is forgotten (netpoll_arm) before each attempt, so an edge that follows it is not lost.
 *
 * Note [Drained].  A TCP read that returned less than was asked for has emptied the socket, so the
 * next read would mostly return EAGAIN; it waits first instead.  Nothing is lost: what arrives
 * after the short read is an edge after its arm, which the wait returns at once for.  Unless the
 * end of the stream had arrived before: then there may be no further edge, and netpoll_hup says
 * so.  Or unless the read ended at the mark of urgent data, with more behind it: then
 * netpoll_urgent says so, or the edge of the urgent data is still to be handled, and thus one after
 * the arm.  Who arms and does not read all there is (gort_wait_fd, gort_recvfrom) may have
 * forgotten the edge that told of it: so arming ends what a read before it found.  Only for TCP:
 * other sockets return less for other reasons (one datagram, passed descriptors).
 *
 * Note [Files].  The kernel says of a file neither that it is not ready nor when it will be, so a
 * call of a file takes a thread until the disk has answered.  At most FILE_CALLS do so at a time,
 * and the goroutines of the others park: a thousand readers of a slow disk are no thousand threads.
 * Only for files, whose calls end by themselves: where one waits for somebody else (a terminal),
 * those who wait could keep away the one that they wait for.
 *
 * Note [Cached files].  Most reads of files are of what is in memory, and take less than to give a
 * thread the P and to come back.  So what the kernel has at hand (RWF_NOWAIT) is read at once, and
 * only the rest as above.  A system call holds up stops and keeps its P, so it is to be short:
 *  (1) at most CACHED_MAX bytes, a dozen microseconds;
 *  (2) not of files opened with O_DIRECT: for the disk itself the flag does not mean not to wait;
 *  (3) not while somebody writes the same descriptor, perhaps waiting for the disk: he has the
 *      file's position, for which a reader waits whatever he asks.  The look is one moment before
 *      the call, so it may happen after all; then the call waits as long as that write, which costs
 *      time and nothing else.
 * A file whose file system knows no such reads says EOPNOTSUPP, and is not asked again.  Nor is any
 * in a deterministic run, whose order would be that of what happens to be in memory.
 * Rejected: io_uring (doc/decisions/0021).
 *
 * Locking: none held over a wait but the descriptor's turn (net_fd.c).
 * Answers to: internal/poll/fd_unix.go, net/sock_posix.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/net.h"

#include <errno.h>
#include <limits.h>

#include "lang/context.h"
#include "lang/net_sys.h"
#include "lang/resolve.h"
#include "lang/sema.h"
#include "os/os.h"
#include "sched/timer.h"

#define UNIX_RETRY_MIN_NS ((int64_t)1000000)
#define UNIX_RETRY_MAX_NS ((int64_t)16000000)
/* Of several addresses each but the last is given up after a share of the time there is, at least
 * this. */
#define ADDRESS_MIN_NS ((int64_t)2000000000)
#define ADDRESS_NS ((int64_t)5000000000) /* where there is no deadline */

#define FILE_CALLS 64u
#define CACHED_MAX ((size_t)64 << 10)

static uint32_t file_calls = FILE_CALLS; /* a semaphore: Note [Files] */

/* ---- reading -------------------------------------------------------------------------------- */

static int check_buffer(const void *buf, size_t n)
{
    if (n > SSIZE_MAX) return EINVAL;
    return buf == NULL && n != 0 ? EFAULT : 0;
}

/* The result of one operation as the caller sees it. */
static ssize_t answer(struct g *g, ssize_t result)
{
    if (likely(result >= 0)) return result;
    if (result == -NET_ENDED) context_leave(g);
    return net_fail((int)-result);
}

/* Before each attempt.  Note [Drained]. */
static void arm(const struct net_op *op)
{
    if (op->mode == POLL_READ) op->fd_info->drained = false;
    netpoll_arm(op->fd, op->mode);
}

/* Note [Drained]. */
static void note_drained(const struct net_op *op, ssize_t got, size_t wanted)
{
    op->fd_info->drained = op->kind == NET_TCP && got > 0 && (size_t)got < wanted &&
                           !netpoll_hup(op->fd) && !netpoll_urgent(op->fd);
}

/* Note [Files]. */
static ssize_t read_blocking(const struct net_op *op, void *buf, size_t n)
{
    if (op->kind == NET_FILE) sema_acquire(op->g, &file_calls, false, WAIT_IO);
    ssize_t r = net_sys_read_blocking(op->fd, buf, n);
    if (op->kind == NET_FILE) sema_release(&file_calls);
    return r;
}

/* Note [Cached files].  How much of the n bytes was at hand; *all: there is no more to be had. */
static size_t read_cached(const struct net_op *op, char *buf, size_t n, bool *all)
{
    size_t done = 0;
    while (done < n && !mutex_is_locked(&op->fd_info->turn[POLL_WRITE])) {
        ssize_t r = net_sys_read_cached(op->fd, buf + done, n - done);
        if (r <= 0) {
            if (r == -EOPNOTSUPP) atomic_store_relaxed(&op->fd_info->cached, false);
            *all = r == 0;
            return done;
        }
        done += (size_t)r;
    }
    *all = done == n;
    return done;
}

/* An error after a part is told by the next read, if it lasts. */
static ssize_t read_file(const struct net_op *op, char *buf, size_t n)
{
    bool all = false;
    size_t done = 0;
    if (n <= CACHED_MAX && atomic_load_relaxed(&op->fd_info->cached))
        done = read_cached(op, buf, n, &all);
    if (all) return (ssize_t)done;
    ssize_t r = read_blocking(op, buf + done, n - done);
    if (done == 0) return r;
    return (ssize_t)done + (r > 0 ? r : 0);
}

static ssize_t read_waiting(const struct net_op *op, void *buf, size_t n)
{
    return op->kind == NET_FILE ? read_file(op, buf, n) : read_blocking(op, buf, n);
}

static ssize_t read_polled(struct net_op *op, void *buf, size_t n)
{
    if (net_op_is_late(op)) return -ETIMEDOUT;
    /* A context that has ended ends waits only, so whether there is one must be seen first. */
    if (op->fd_info->drained && !context_bound(op->g)) {
        int error = net_op_wait(op, 0);
        if (error != 0) return -error;
    }
    for (;;) {
        arm(op);
        ssize_t r = net_sys_read(op, buf, n);
        if (likely(r >= 0)) {
            note_drained(op, r, n);
            return r;
        }
        int error = r == -EAGAIN                               ? net_op_wait(op, 0)
                    : r == -ENOTSOCK && op->kind != NET_POLLED ? net_op_reconsider(op)
                                                               : (int)-r;
        if (error != 0) return -error;
        if (net_kind_blocks(op->kind)) return read_waiting(op, buf, n);
    }
}

ssize_t gort_read(int fd, void *buf, size_t n)
{
    struct net_op op;
    struct g *g = lang_enter_blocking("gort_read");
    int error = check_buffer(buf, n);
    if (error == 0) error = net_op_begin(&op, g, fd, POLL_READ, 0);
    if (error != 0) return answer(g, -(ssize_t)error);
    ssize_t r = n == 0                     ? 0
                : net_kind_blocks(op.kind) ? read_waiting(&op, buf, n)
                                           : read_polled(&op, buf, n);
    net_op_end(&op);
    return answer(g, r);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int wait_polled(struct net_op *op, int64_t deadline)
{
    for (;;) {
        arm(op);
        int ready = net_sys_is_ready(op->fd, op->mode == POLL_WRITE);
        if (ready != 0) return ready > 0 ? 0 : -ready;
        if (net_op_is_late(op)) return ETIMEDOUT;
        int error = net_op_wait(op, deadline);
        if (error != 0) return error;
    }
}

int gort_wait_fd(int fd, bool writing, int64_t deadline)
{
    struct net_op op;
    struct g *g = lang_enter_blocking("gort_wait_fd");
    int error = net_op_begin(&op, g, fd, writing ? POLL_WRITE : POLL_READ, deadline);
    if (error != 0) return (int)answer(g, -(ssize_t)error);
    if (op.kind == NET_BLOCKING)
        error = ENOTSUP;
    else if (op.kind != NET_FILE) /* the kernel does not say of a file that it is not ready */
        error = wait_polled(&op, deadline);
    net_op_end(&op);
    return (int)answer(g, -(ssize_t)error);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Note [Files]. */
static ssize_t write_blocking(const struct net_op *op, const void *buf, size_t n)
{
    if (op->kind == NET_FILE) sema_acquire(op->g, &file_calls, false, WAIT_IO);
    ssize_t r = net_sys_write_blocking(op->fd, buf, n);
    if (op->kind == NET_FILE) sema_release(&file_calls);
    return r;
}

static ssize_t write_polled(struct net_op *op, const char *buf, size_t n)
{
    size_t done = 0;
    if (net_op_is_late(op)) return -ETIMEDOUT;
    while (done < n) {
        arm(op);
        ssize_t r = net_sys_write(op, buf + done, n - done);
        if (likely(r >= 0)) {
            done += (size_t)r;
            continue;
        }
        int error = r == -EAGAIN                               ? net_op_wait(op, 0)
                    : r == -ENOTSOCK && op->kind != NET_POLLED ? net_op_reconsider(op)
                                                               : (int)-r;
        if (error != 0) return -error;
        if (net_kind_blocks(op->kind)) return write_blocking(op, buf, n);
    }
    return (ssize_t)n;
}

ssize_t gort_write(int fd, const void *buf, size_t n)
{
    struct net_op op;
    struct g *g = lang_enter_blocking("gort_write");
    int error = check_buffer(buf, n);
    if (error == 0) error = net_op_begin(&op, g, fd, POLL_WRITE, 0);
    if (error != 0) return answer(g, -(ssize_t)error);
    ssize_t r = n == 0                     ? 0
                : net_kind_blocks(op.kind) ? write_blocking(&op, buf, n)
                                           : write_polled(&op, buf, n);
    net_op_end(&op);
    return answer(g, r);
}

/* ---- listening ------------------------------------------------------------------------------ */

static bool is_tcp(const struct net_addr *a)
{
    return a->sa.sa_family != AF_UNIX && a->type == SOCK_STREAM;
}

/* fd becomes the caller's, or is closed. */
static int adopt_new(int fd, const struct net_addr *a)
{
    int error = net_fd_open(fd, is_tcp(a) ? NET_TCP : NET_SOCKET);
    if (error == 0) return fd;
    (void)net_sys_close(fd); /* the first error is told */
    return -error;
}

static int listen_at(const struct net_addr *a)
{
    int fd = net_sys_socket(a);
    if (fd < 0) return fd;
    int r = net_sys_listen(fd, a);
    if (r == 0) return adopt_new(fd, a);
    (void)net_sys_close(fd);
    return r;
}

/* All addresses, on a machine without IPv6. */
static int listen_at_any4(const struct net_addr *any)
{
    struct net_addr a = { .len = sizeof a.in4, .type = any->type };
    a.in4.sin_family = AF_INET;
    a.in4.sin_port = any->in6.sin6_port;
    return listen_at(&a);
}

static int listen_at_name(struct g *g, const struct net_name *name)
{
    struct net_addr addresses[RESOLVE_MAX];
    int n = resolve(g, name, 0, addresses);
    return n > 0 ? listen_at(&addresses[0]) : n;
}

int gort_listen(const char *network, const char *address)
{
    struct net_addr a;
    struct net_name name;
    struct g *g = lang_enter_blocking("gort_listen");
    int error = net_addr_parse(&a, network, address, false);
    if (error == EINVAL && net_name_parse(&name, network, address))
        return (int)answer(g, listen_at_name(g, &name));
    if (error != 0) return net_fail(error);
    int fd = listen_at(&a);
    bool no6 = fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL;
    if (no6 && a.any && !a.only && a.sa.sa_family == AF_INET6) fd = listen_at_any4(&a);
    return (int)answer(g, fd);
}

/* accept has no flag for not waiting: the descriptor itself must be non-blocking. */
static int accept_prepare(const struct net_op *op)
{
    if (op->kind == NET_TCP) return 0;
    return op->kind == NET_SOCKET ? net_sys_set_nonblocking(op->fd) : ENOTSOCK;
}

static int accept_polled(struct net_op *op)
{
    struct net_addr peer = { .type = SOCK_STREAM };
    int error = net_op_is_late(op) ? ETIMEDOUT : accept_prepare(op);
    while (error == 0) {
        arm(op);
        int fd = net_sys_accept(op->fd, &peer);
        if (fd >= 0) {
            fd = adopt_new(fd, &peer);
            if (fd >= 0 && is_tcp(&peer)) net_sys_no_delay(fd);
            return fd;
        }
        error = fd == -EAGAIN ? net_op_wait(op, 0) : -fd;
    }
    return -error;
}

int gort_accept(int fd)
{
    struct net_op op;
    struct g *g = lang_enter_blocking("gort_accept");
    int error = net_op_begin(&op, g, fd, POLL_READ, 0);
    if (error != 0) return answer(g, -(ssize_t)error);
    int r = accept_polled(&op);
    net_op_end(&op);
    return (int)answer(g, r);
}

/* ---- dialling ------------------------------------------------------------------------------- */

static bool has_passed(int64_t deadline)
{
    return deadline != 0 && os_now() >= deadline;
}

/* A unix socket whose backlog is full says EAGAIN, and nothing tells when there is room. */
static int connect_patiently(struct g *g, int fd, const struct net_addr *a, int64_t deadline)
{
    int64_t pause = UNIX_RETRY_MIN_NS;
    for (;;) {
        int r = net_sys_connect(fd, a);
        if (r != -EAGAIN || a->sa.sa_family != AF_UNIX) return -r;
        int64_t left = deadline != 0 ? deadline - os_now() : pause;
        if (left <= 0) return ETIMEDOUT;
        if (gort_context_error(g->context) != 0) return NET_ENDED;
        g_sleep(left < pause ? left : pause);
        if (pause < UNIX_RETRY_MAX_NS) pause *= 2;
    }
}

/* fd, whose connect goes on, is known to the poller. */
static int wait_connected(struct g *g, int fd, int64_t deadline)
{
    struct net_op op;
    int error = net_op_begin(&op, g, fd, POLL_WRITE, deadline);
    if (error != 0) return error;
    do {
        arm(&op);
        error = net_sys_connected(fd);
        if (error != EINPROGRESS) break;
        error = net_op_wait(&op, deadline);
    } while (error == 0);
    net_op_end(&op);
    return error;
}

/* The poller learns of the socket after connect: before, it would report a hang-up. */
static int dial(struct g *g, const struct net_addr *a, int64_t deadline)
{
    if (has_passed(deadline)) return -ETIMEDOUT;
    int fd = net_sys_socket(a);
    if (fd < 0) return fd;
    int error = connect_patiently(g, fd, a, deadline);
    if (error != 0 && error != EINPROGRESS) {
        (void)net_sys_close(fd);
        return -error;
    }
    fd = adopt_new(fd, a);
    if (fd < 0) return fd;
    if (is_tcp(a)) net_sys_no_delay(fd);
    if (error == EINPROGRESS) error = wait_connected(g, fd, deadline);
    if (error == 0) return fd;
    (void)net_fd_close(g, fd); /* the first error is told */
    return -error;
}

/* When to give up one of `left` addresses. */
static int64_t deadline_of_address(int64_t deadline, int left)
{
    if (left == 1) return deadline;
    int64_t now = os_now();
    if (deadline == 0) return now + ADDRESS_NS;
    int64_t share = (deadline - now) / left;
    int64_t at = now + (share > ADDRESS_MIN_NS ? share : ADDRESS_MIN_NS);
    return at < deadline ? at : deadline;
}

/* One after the other; the first error is told. */
static int dial_name(struct g *g, const struct net_name *name, int64_t deadline)
{
    struct net_addr addresses[RESOLVE_MAX];
    int n = has_passed(deadline) ? -ETIMEDOUT : resolve(g, name, deadline, addresses);
    int first = n;
    for (int i = 0; i < n; i++) {
        int fd = dial(g, &addresses[i], deadline_of_address(deadline, n - i));
        if (fd >= 0 || fd == -NET_ENDED) return fd;
        if (i == 0) first = fd;
        if (has_passed(deadline)) return -ETIMEDOUT;
    }
    return first;
}

int gort_dial(const char *network, const char *address, int64_t deadline)
{
    struct net_addr a;
    struct net_name name;
    struct g *g = lang_enter_blocking("gort_dial");
    int error = net_addr_parse(&a, network, address, true);
    if (error == EINVAL && net_name_parse(&name, network, address))
        return (int)answer(g, dial_name(g, &name, deadline));
    if (error != 0) return net_fail(error);
    return (int)answer(g, dial(g, &a, deadline));
}

/* ---- datagrams ------------------------------------------------------------------------------ */

/* Tries fn until it does not say EAGAIN; op's turn is held. */
static ssize_t datagram(struct net_op *op, ssize_t (*fn)(int fd, void *arg), void *arg)
{
    if (op->kind != NET_TCP && op->kind != NET_SOCKET) return -ENOTSOCK;
    if (net_op_is_late(op)) return -ETIMEDOUT;
    for (;;) {
        arm(op);
        ssize_t r = fn(op->fd, arg);
        if (r != -EAGAIN) return r;
        int error = net_op_wait(op, 0);
        if (error != 0) return -error;
    }
}

struct received {
    void *buf;
    size_t n;
    struct sockaddr *from;
    socklen_t *len, room;
};

static ssize_t receive_once(int fd, void *arg)
{
    struct received *r = arg;
    if (r->len != NULL) *r->len = r->room; /* each attempt may have written it */
    return net_sys_recvfrom(fd, r->buf, r->n, r->from, r->len);
}

struct sent {
    const void *buf;
    size_t n;
    const struct sockaddr *to;
    socklen_t len;
};

static ssize_t send_once(int fd, void *arg)
{
    const struct sent *s = arg;
    return net_sys_sendto(fd, s->buf, s->n, s->to, s->len);
}

static ssize_t on_datagrams(struct g *g, int fd, enum poll_mode mode,
                            ssize_t (*fn)(int fd, void *arg), void *arg)
{
    struct net_op op;
    int error = net_op_begin(&op, g, fd, mode, 0);
    if (error != 0) return answer(g, -(ssize_t)error);
    ssize_t r = datagram(&op, fn, arg);
    net_op_end(&op);
    return answer(g, r);
}

ssize_t gort_recvfrom(int fd, void *buf, size_t n, struct sockaddr *from, uint32_t *len)
{
    struct g *g = lang_enter_blocking("gort_recvfrom");
    int error = check_buffer(buf, n);
    if (error == 0 && from != NULL && len == NULL) error = EFAULT;
    if (error != 0) return net_fail(error);
    struct received r = { .buf = buf, .n = n, .from = from };
    if (from != NULL) r.len = len, r.room = *len;
    return on_datagrams(g, fd, POLL_READ, receive_once, &r);
}

ssize_t gort_sendto(int fd, const void *buf, size_t n, const struct sockaddr *to, uint32_t len)
{
    struct g *g = lang_enter_blocking("gort_sendto");
    int error = check_buffer(buf, n);
    if (error != 0) return net_fail(error);
    struct sent s = { buf, n, to, to != NULL ? len : 0 };
    return on_datagrams(g, fd, POLL_WRITE, send_once, &s);
}

int gort_set_deadline(int fd, int64_t read_at, int64_t write_at)
{
    int error = net_fd_set_deadline(lang_enter("gort_set_deadline"), fd, read_at, write_at);
    return error != 0 ? net_fail(error) : 0;
}

/* ---- the rest ------------------------------------------------------------------------------- */

int gort_close_fd(int fd)
{
    struct g *g = lang_enter("gort_close_fd");
    if (fd < 0 || !net_sys_is_open(fd)) return net_fail(EBADF);
    int error = net_fd_close(g, fd);
    /* Other errors are those of earlier writes, told late; the descriptor is closed. */
    return error == EBADF || error == ENOMEM ? net_fail(error) : 0;
}

int gort_local_addr(int fd, char *buf, size_t n)
{
    struct net_addr a;
    (void)lang_enter("gort_local_addr");
    int r = net_sys_local(fd, &a);
    if (r < 0) return net_fail(-r);
    ssize_t len = net_addr_format(&a, buf, n);
    if (len < 0) return net_fail(EAFNOSUPPORT);
    return (size_t)len < n ? (int)len : net_fail(ENOSPC);
}
