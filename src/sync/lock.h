/* The runtime's mutual exclusion lock: a futex word with a rank.
 *
 * Held only inside a critical section (Note [Critical sections] in sched/m.h): a holder is never
 * stopped, so a waiter waits a bounded time and the waiting thread itself need not be stoppable.
 * Ranks come from lockrank.txt; with GORT_ASSERT_LEVEL >= 1 each thread keeps the ranks it holds
 * and an acquisition out of order throws, naming both.
 *
 * Memory order: lock_acquire's acquire pairs with lock_release's release of the same word.
 * Answers to: lock_futex.go, lock_spinbit.go, lockrank.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SYNC_LOCK_H
#define GORT_SYNC_LOCK_H

#include "base/config.h"
#include "sync/lockrank_gen.h" /* enum lock_rank { RANK_NONE, RANK_..., RANK_COUNT } */

/* 0: free; 1: held; 2: held and somebody may sleep. */
struct lock {
    uint32_t word;
    uint32_t rank; /* enum lock_rank, constant after lock_init */
};

#define LOCK_INIT(r)                                                                               \
    {                                                                                              \
        0, (r)                                                                                     \
    }
void lock_init(struct lock *l, enum lock_rank rank);
void lock_acquire(struct lock *l);
bool lock_try_acquire(struct lock *l);
void lock_release(struct lock *l);
/* So many CPUs may run the program's threads; until it is said, as many as there were at first. */
void lock_note_cpus(int cpus);
/* How often a waiter looks before it sleeps: for tests. */
int lock_spin_rounds(void);
/* Is it held by anybody: for assertions. */
bool lock_is_held(const struct lock *l);
/* Checker: the calling thread holds no lock at all (always true without checking). */
bool lock_none_held(void);
/* Checker: how many locks the thread holds, 0 without checking. */
int lock_held_count(void);
/* The name in lockrank.txt. */
const char *lock_rank_name(enum lock_rank rank);

#endif
