/* Locks and meeting points of goroutines.
 *
 * Each starts as zero bytes, holds integers only, may lie in collected memory (pointer-free memory
 * too), on a stack or in a global, and is not copied or moved once used.  Waiting parks the
 * goroutine, never its thread.  Waiters are served first come, first served, except where it says
 * otherwise.  Misuse that leaves shared state untrustworthy is fatal with a message that names it.
 * What one goroutine did before it released, unlocked, signalled or called done is visible to the
 * one that then acquires, locks or wakes.  Fields are private.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SYNC_H
#define GORT_SYNC_H

#include <gort/base.h>
#include <gort/inline.h>

GORT_BEGIN_DECLS

/* Mutual exclusion.  Not recursive; any goroutine may unlock it.  A running goroutine may take it
 * before a woken one, but nobody waits longer than about a millisecond for that reason. */
typedef struct {
    uint32_t state; /* atomic: locked, woken, starving, and the number of waiters */
    uint32_t sema;  /* atomic: wake-ups granted; waiters queue at its address */
} gort_mutex;

/* Locks m; blocks while another holds it. */
GORT_API void gort_mutex_lock(gort_mutex *m) GORT_NONNULL(1);
/* Locks m if that is possible at once: true.  Never blocks. */
GORT_API bool gort_mutex_trylock(gort_mutex *m) GORT_NONNULL(1);
/* Unlocks m.  Never blocks.  Unlock of an unlocked mutex is fatal. */
GORT_API void gort_mutex_unlock(gort_mutex *m) GORT_NONNULL(1);

/* To lock a free mutex is to swap 0 for 1 in its state, to unlock one that nobody waits for is to
 * take that away: the program does both by itself, since calls would add half as much again.  The
 * slow ones go on from there: the lock had failed; the state was that before the unlock. */
GORT_API void gort_mutex_lock_slow_(gort_mutex *m);
GORT_API void gort_mutex_unlock_slow_(gort_mutex *m, uint32_t state);
__attribute__((__always_inline__)) static inline void gort_mutex_lock_inline_(gort_mutex *m)
{
    uint32_t is_free = 0;
    if (__builtin_expect(!gort_is_plain_(), 0))
        gort_mutex_lock(m);
    else if (__builtin_expect(!__atomic_compare_exchange_n(&m->state, &is_free, 1, 0,
                                                           __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                              0))
        gort_mutex_lock_slow_(m);
}
__attribute__((__always_inline__)) static inline void gort_mutex_unlock_inline_(gort_mutex *m)
{
    if (__builtin_expect(!gort_is_plain_(), 0)) {
        gort_mutex_unlock(m);
    } else {
        uint32_t state = __atomic_fetch_sub(&m->state, 1, __ATOMIC_ACQ_REL);
        if (__builtin_expect(state != 1, 0)) gort_mutex_unlock_slow_(m, state);
    }
}
#ifndef GORT_TSAN_ /* which is told of an order by the calls */
#define gort_mutex_lock(m) gort_mutex_lock_inline_(m)
#define gort_mutex_unlock(m) gort_mutex_unlock_inline_(m)
#endif

/* One writer or many readers.  A waiting writer keeps later readers out, so read locks must not
 * nest.  Any goroutine may unlock it. */
typedef struct {
    gort_mutex writers;   /* held by the writer */
    uint32_t writer_sema; /* atomic: a writer waits here for readers to leave */
    uint32_t reader_sema; /* atomic: readers wait here for the writer to leave */
    int32_t readers;      /* atomic: inside; far below 0 with a writer, far above if in cells too */
    int32_t departing;    /* atomic: readers that the waiting writer still waits for */
} gort_rwmutex;

/* Locks rw for writing; blocks while others hold it. */
GORT_API void gort_rwmutex_lock(gort_rwmutex *rw) GORT_NONNULL(1);
/* Undoes gort_rwmutex_lock.  Never blocks.  When not locked for writing: fatal. */
GORT_API void gort_rwmutex_unlock(gort_rwmutex *rw) GORT_NONNULL(1);
/* Locks rw for reading; blocks while a writer holds it or waits. */
GORT_API void gort_rwmutex_rlock(gort_rwmutex *rw) GORT_NONNULL(1);
/* Undoes one gort_rwmutex_rlock.  Never blocks.  When not locked for reading: fatal. */
GORT_API void gort_rwmutex_runlock(gort_rwmutex *rw) GORT_NONNULL(1);

/* A condition that goroutines wait for under a mutex. */
typedef struct {
    uint32_t waiting;    /* atomic: goroutines in the queue; under the queue's lock */
    uint32_t broadcasts; /* so far; under the queue's lock */
    uint32_t reserved[2];
} gort_cond;

/* Unlocks m, parks until signalled, locks m again.  There are no wake-ups without a signal, but
 * others may run in between: test the condition in a loop.  m not locked: fatal. */
GORT_API void gort_cond_wait(gort_cond *c, gort_mutex *m) GORT_NONNULL(1, 2);
/* Wakes the goroutine that waits longest, if any.  Never blocks.  m need not be held. */
GORT_API void gort_cond_signal(gort_cond *c) GORT_NONNULL(1);
/* Wakes all that wait.  Never blocks.  m need not be held. */
GORT_API void gort_cond_broadcast(gort_cond *c) GORT_NONNULL(1);

/* Something done once. */
typedef struct {
    uint32_t done; /* atomic: 1 after fn returned */
    gort_mutex m;  /* held while fn runs */
} gort_once;

/* Calls fn(arg) if this is the first call for once, and returns when fn has returned, whoever
 * called it: later calls block meanwhile.  fn that panics or exits its goroutine counts as done.
 * A call for the same once from within fn never returns. */
GORT_API void gort_once_do(gort_once *once, void (*fn)(void *arg), void *arg) GORT_NONNULL(1, 2);

/* A count of things to wait for. */
typedef struct {
    uint64_t state; /* atomic: count in the upper half, waiters in the lower */
    uint32_t sema;  /* atomic: wake-ups granted; waiters queue at its address */
    uint32_t reserved;
} gort_waitgroup;

/* Adds n, which may be negative; wakes those that wait when the count becomes 0.  Never blocks.  A
 * count below zero, or an add from zero while others are being woken, is fatal. */
GORT_API void gort_waitgroup_add(gort_waitgroup *wg, int n) GORT_NONNULL(1);
/* gort_waitgroup_add(wg, -1). */
GORT_API void gort_waitgroup_done(gort_waitgroup *wg) GORT_NONNULL(1);
/* Blocks until the count is 0. */
GORT_API void gort_waitgroup_wait(gort_waitgroup *wg) GORT_NONNULL(1);

/* A counting semaphore; zero bytes are a count of 0. */
typedef struct {
    uint32_t count; /* atomic: free units; waiters queue at its address */
    uint32_t reserved;
} gort_sema;

/* Sets the count, before anybody uses s. */
GORT_API void gort_sema_init(gort_sema *s, uint32_t n) GORT_NONNULL(1);
/* Takes one unit; blocks while there is none. */
GORT_API void gort_sema_acquire(gort_sema *s) GORT_NONNULL(1);
/* Gives one unit, to the goroutine that waits longest if any does.  Never blocks.  A count that
 * overflows is fatal. */
GORT_API void gort_sema_release(gort_sema *s) GORT_NONNULL(1);

GORT_END_DECLS

#endif
