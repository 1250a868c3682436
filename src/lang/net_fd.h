/* What is known of a descriptor number: how to wait for it, and whose turn it is.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_NET_FD_H
#define GORT_LANG_NET_FD_H

#include "lang/mutex.h"
#include "sched/netpoll.h"

/* How a descriptor is read and written; found out at first use. */
enum net_kind {
    NET_UNKNOWN,
    NET_TCP,      /* a socket that gort made: recv and send, then the poller */
    NET_SOCKET,   /* any other socket: the same */
    NET_POLLED,   /* pipe, terminal and so on, made non-blocking: read and write, then the poller */
    NET_BLOCKING, /* one of 0 to 2, or a device without poll: read and write in a blocking region */
    NET_FILE,     /* the same for a file, which the kernel answers by itself in the end */
};

static inline bool net_kind_blocks(enum net_kind kind)
{
    return kind >= NET_BLOCKING;
}

/* One descriptor number.  Off-heap, never freed; zero: never used. */
struct net_fd {
    uint32_t generation; /* rises with each gort_close_fd of the number; atomic */
    uint8_t kind;        /* enum net_kind; atomic; written under gate, or by who opens the number */
    bool drained;        /* the last read took all there was; the reader whose turn it is */
    bool cached;      /* a file to ask first for what is in memory: Note [Cached files]; atomic */
    uint32_t changes; /* raised when what waits for a turn is to look again; atomic; gate */
    int64_t deadline[2]; /* by poll_mode, 0: none; atomic; written under gate: Note [Deadlines] */
    gort_mutex gate;     /* held while the kind is found out, and while the number is closed */
    gort_mutex turn[2];  /* by poll_mode: held during a whole operation */
};

/* One operation in one direction. */
struct net_op {
    struct g *g;
    struct net_fd *fd_info;
    int fd;
    enum poll_mode mode;
    uint32_t generation; /* of fd_info when it began */
    enum net_kind kind;
};

/* A descriptor that gort made, non-blocking, is ready for use.  0 or errno; the caller closes
 * it. */
int net_fd_open(int fd, enum net_kind kind);
/* Instead of an error: the goroutine's context has ended (context_leave, once nothing is held). */
#define NET_ENDED 0x10000
/* Begins an operation on fd: finds out its kind and waits for its turn.  0; as net_op_wait, and
 * nothing is to be ended. */
int net_op_begin(struct net_op *op, struct g *g, int fd, enum poll_mode mode, int64_t deadline);

/* The descriptor's deadline has passed already: then nothing is tried. */
bool net_op_is_late(const struct net_op *op);
/* Parks until fd may be ready.  0; ECANCELED: closed meanwhile; ETIMEDOUT: the descriptor's
 * deadline or this one (0: none) passed; NET_ENDED; other errno. */
int net_op_wait(struct net_op *op, int64_t deadline);
void net_op_end(struct net_op *op);
/* The descriptor turned out to be of another kind than remembered: finds it out anew.  0 or
 * errno. */
int net_op_reconsider(struct net_op *op);
/* Deadlines of what waits and will wait on fd, 0: none.  0 or errno. */
int net_fd_set_deadline(struct g *g, int fd, int64_t read_at, int64_t write_at);
/* Closes it: waiters fail with ECANCELED.  0 or errno, of which only EBADF means that it was not
 * open. */
int net_fd_close(struct g *g, int fd);
/* The next number after fd that gort made or used and has not closed, -1: none.  For reports. */
int net_fd_next_open(int fd);

#endif
