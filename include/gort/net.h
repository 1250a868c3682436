/* Network: POSIX descriptors and errno; only the goroutine waits.
 *
 * Calls return -1 and set errno on error.  Descriptors from elsewhere (pipes, sockets of other
 * libraries) work too; gort makes them non-blocking when it first waits on them.  One goroutine may
 * read while another writes; several at once on one side are served one after the other, and
 * deadlines, contexts and gort_close_fd end waiting for that as they end other waits.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_NET_H
#define GORT_NET_H

#include <sys/types.h>

#include <gort/base.h>

GORT_BEGIN_DECLS

struct sockaddr; /* <sys/socket.h>; socklen_t is uint32_t */

/* A socket that listens: network "tcp", "tcp4" or "tcp6" with address "host:port" ("127.0.0.1:0",
 * "[::1]:80", ":80" for all addresses; port 0: any free one), or "unix" with a path; or one that
 * datagrams may be sent to: "udp", "udp4" or "udp6" with the same addresses.  A host that is a
 * name, "localhost" apart, is looked up, while the goroutine is parked, and the first of its
 * addresses used.  Returns the descriptor, closed on exec.  errno: EINVAL for what can not be
 * parsed; ENOENT: there is no such host; EAGAIN: no server of names answered; and what socket, bind
 * and listen report. */
GORT_API int gort_listen(const char *network, const char *address) GORT_NONNULL(1, 2);

/* The next connection to fd, closed on exec; parks until there is one.  errno: ECANCELED when fd
 * was closed meanwhile, ETIMEDOUT (gort_set_deadline), EMFILE and others as of accept4. */
GORT_API int gort_accept(int fd);

/* A connection to address, written as for gort_listen with a host; parks until it stands.  "udp":
 * a socket that sends to and receives from that address only.  Of a name's addresses one is tried
 * after the other, each for a share of the time (5 seconds without a deadline) but the last.
 * deadline: the time of gort_now at which to give up with ETIMEDOUT; 0: none.
 * errno: EINVAL for what can not be parsed; ENOENT: there is no such host; EAGAIN: no server of
 * names answered; and what socket and connect report, for the first address. */
GORT_API int gort_dial(const char *network, const char *address, int64_t deadline)
    GORT_NONNULL(1, 2);

/* Reads up to n bytes; parks until there is at least one, the end, or an error.  Returns how many,
 * 0 at the end.  errno: ECANCELED when fd was closed meanwhile, ETIMEDOUT (gort_set_deadline), and
 * others as of read. */
GORT_API ssize_t gort_read(int fd, void *buf, size_t n);

/* Writes all n bytes, parking as often as it takes, and returns n; or fails, with an unknown part
 * written.  SIGPIPE is raised for 1 and 2 only, where they are pipes.  errno: EPIPE, ECONNRESET,
 * ECANCELED when fd was closed meanwhile, ETIMEDOUT (gort_set_deadline), and others as of write. */
GORT_API ssize_t gort_write(int fd, const void *buf, size_t n);

/* The next datagram to fd; parks until there is one.  At most n bytes of it, the rest is lost; its
 * sender is written to *from, of *len bytes, as recvfrom does (from NULL: is not).  Returns how
 * many bytes, 0 for an empty one.  errno: ENOTSOCK, and as gort_read. */
GORT_API ssize_t gort_recvfrom(int fd, void *buf, size_t n, struct sockaddr *from, uint32_t *len);

/* Sends one datagram of n bytes to `to`, of len bytes (NULL: where fd is connected to); parks while
 * there is no room.  Returns n.  errno: EMSGSIZE, ENOTSOCK and others as of sendto, ECANCELED,
 * ETIMEDOUT. */
GORT_API ssize_t gort_sendto(int fd, const void *buf, size_t n, const struct sockaddr *to,
                             uint32_t len);

/* When reading from fd, accepting included, and writing to it give up with ETIMEDOUT: times of
 * gort_now, 0: never.  They hold for calls that wait already and for all that come, which fail at
 * once when the time is over, until set anew.  A write may have written a part.  Returns 0.  errno:
 * EBADF, ENOTSUP for files and the standard descriptors, which are not waited for.  Does not park
 * for long. */
GORT_API int gort_set_deadline(int fd, int64_t read_at, int64_t write_at);

/* Parks until reading from fd (writing to it) would not wait, or would fail, and reads (writes)
 * nothing: for libraries that do that themselves on a descriptor of theirs.  Who closes such a
 * descriptor by close(2) has a duplicate of it waited for, and that closed by gort_close_fd.
 * deadline: the time of gort_now at which to give up with ETIMEDOUT; 0: none.  Returns 0.  errno:
 * ECANCELED when fd was closed meanwhile; ETIMEDOUT; EBADF; ENOTSUP for the standard descriptors
 * and devices that can not be polled. */
GORT_API int gort_wait_fd(int fd, bool writing, int64_t deadline);

/* Closes fd; those that wait on it fail with ECANCELED.  Returns 0.  errno: EBADF.  Does not
 * park. */
GORT_API int gort_close_fd(int fd);

/* Writes the local address of socket fd, as gort_dial takes it, to buf with a zero byte at the end.
 * Returns its length.  errno: ENOSPC when n is too small, and others as of getsockname. */
GORT_API int gort_local_addr(int fd, char *buf, size_t n) GORT_NONNULL(2);

GORT_END_DECLS

#endif
