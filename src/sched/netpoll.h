/* Network poller: edge-triggered epoll, goroutines parked per descriptor and direction.
 *
 * Answers to: netpoll.go, netpoll_epoll.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_NETPOLL_H
#define GORT_SCHED_NETPOLL_H

#include "sched/sched_data.h"
#include "sched/timer.h"

enum poll_mode { POLL_READ, POLL_WRITE };

void netpoll_init(void);
/* Begins to watch a descriptor that the runtime made (non-blocking): a fresh state, whatever the
 * number was used for before.  0 or errno (EPERM: not pollable). */
int netpoll_open(int fd);
/* Watches it if nobody did yet (descriptors from elsewhere).  0 or errno. */
int netpoll_adopt(int fd);
bool netpoll_is_open(int fd);
/* Forgets readiness seen so far: called BEFORE a system call whose EAGAIN (or short count) will
 * lead to netpoll_wait, so that an edge after it is remembered and an older one costs no extra
 * call. */
void netpoll_arm(int fd, enum poll_mode mode);
/* Parks the goroutine until fd is ready for mode, or deadline (0: none) passed.  An edge since the
 * last netpoll_arm is not lost: the call returns at once.  0; ECANCELED: closed meanwhile;
 * ETIMEDOUT; EBUSY: another goroutine waits for the same direction.  Not in a section. */
int netpoll_wait(int fd, enum poll_mode mode, int64_t deadline);
/* As if there had been an edge: who waits, or is about to, looks again. */
void netpoll_kick(int fd, enum poll_mode mode);
/* Stops watching and wakes all waiters with ECANCELED.  The caller closes fd afterwards. */
void netpoll_close(int fd);
/* A hang-up or error was latched: a short read must be followed by another to see the end. */
bool netpoll_hup(int fd);
/* Urgent data (EPOLLPRI) came at some time: a short read may have ended at its mark, with more to
 * read behind it. */
bool netpoll_urgent(int fd);

/* Collects ready goroutines.  delay_ns < 0: blocks until an event or a break; 0: does not block;
 * else at most so long.  crit; when it may block the caller has no P and is in state M_BLOCKING. */
void netpoll_poll(int64_t delay_ns, struct ready_list *ready);
/* Wakes a thread blocked in netpoll_poll, once for many calls. */
void netpoll_break(void);
/* Goroutines parked here. */
uint32_t netpoll_waiters(void);

#endif
