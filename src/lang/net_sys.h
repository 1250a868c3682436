/* The system calls of the network calls, out of line: they use errno, whose address compilers keep
 * over a switch to another thread.  Each returns what the call returns, or -errno.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_NET_SYS_H
#define GORT_LANG_NET_SYS_H

#include <sys/types.h>

#include "lang/net_addr.h"
#include "lang/net_fd.h"

/* errno = error; -1. */
int net_fail(int error);

/* One read or write that does not block, by the kind's own call.  EINTR is retried. */
ssize_t net_sys_read(const struct net_op *op, void *buf, size_t n);
ssize_t net_sys_write(const struct net_op *op, const void *buf, size_t n);
/* The same where net_kind_blocks: waits, in a blocking region; the write writes everything. */
ssize_t net_sys_read_blocking(int fd, void *buf, size_t n);
ssize_t net_sys_write_blocking(int fd, const void *buf, size_t n);

/* The part of a read of a file that is in memory; -EAGAIN: the beginning is not; other -errno. */
ssize_t net_sys_read_cached(int fd, void *buf, size_t n);
bool net_sys_is_direct(int fd); /* O_DIRECT */

int net_sys_socket(const struct net_addr *a); /* for it; non-blocking, closed on exec */
int net_sys_accept(int fd, struct net_addr *peer);
int net_sys_connect(int fd, const struct net_addr *a);
/* 0: the connection stands; EINPROGRESS: not yet; else why not.  Positive. */
int net_sys_connected(int fd);
int net_sys_listen(int fd, const struct net_addr *a);
void net_sys_no_delay(int fd);
int net_sys_local(int fd, struct net_addr *a);
/* One datagram, whole or cut to n bytes; EINTR is retried.  *len as of recvfrom. */
ssize_t net_sys_recvfrom(int fd, void *buf, size_t n, struct sockaddr *from, socklen_t *len);
ssize_t net_sys_sendto(int fd, const void *buf, size_t n, const struct sockaddr *to, socklen_t len);
/* Would a read (a write) not wait now?  1, 0, or -errno.  EINTR is retried. */
int net_sys_is_ready(int fd, bool writing);
int net_sys_set_nonblocking(int fd); /* 0 or errno */
int net_sys_set_blocking(int fd);    /* 0 or errno */
int net_sys_pipe(int fds[2]);        /* both ends non-blocking and closed on exec; 0 or errno */
int net_sys_close(int fd);
bool net_sys_is_open(int fd);

#endif
