/* Counting semaphores for the sync objects of this floor: any uint32_t anywhere is one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_SEMA_H
#define GORT_LANG_SEMA_H

#include "lang/lang.h"
#include "sched/timer.h"

/* Takes one unit of *count; parks the goroutine g while there is none.  first: ahead of all who
 * wait there already.  Outside sections. */
void sema_acquire(struct g *g, uint32_t *count, bool first, enum wait_reason reason);
/* The same, without waiting; false: there is none. */
bool sema_try(uint32_t *count);
/* sema_acquire, first come first served, unless the channel `done` (NULL: none) is closed while it
 * waits: then false, and no unit was taken. */
bool sema_acquire_or(struct g *g, uint32_t *count, struct hchan *done, enum wait_reason reason);

/* A wait that others may end: Note [Waits that are ended] in sema.c.  In the frame of its goroutine;
 * zero but for what is said here, and good for several waits, one after the other. */
struct sema_wait {
    /* Who waits sets, before each wait: */
    int64_t deadline;      /* the time of os_now at which it ends; 0: none */
    const uint32_t *epoch; /* atomic: raised before each sema_end_waits of the count */
    uint32_t seen;         /* *epoch, read before it was decided to wait, and until when */
    /* Of sema.c: */
    struct sudog *s; /* while it is queued, and until its goroutine runs; SEMATABLE */
    bool ended;      /* for good; SEMATABLE */
    struct addr_bucket *b;
    struct timer timer; /* while parked, with a deadline */
};

/* As sema_acquire, unless the wait is ended, by its deadline for one, or has been: then false, and
 * no unit was taken. */
bool sema_acquire_until(struct g *g, uint32_t *count, bool first, struct sema_wait *w,
                        enum wait_reason reason);
/* Ends w, for good, if it waits, is about to, or will be. */
void sema_end_wait(const uint32_t *count, struct sema_wait *w);
/* Ends those that wait at count, all of them by sema_acquire_until, and those about to that have
 * seen an earlier epoch. */
void sema_end_waits(const uint32_t *count);
/* Gives one unit: to the first who waits, else to *count.  Never switches goroutines. */
void sema_release(uint32_t *count);

/* How many goroutines wait at count, for tests: a moment ago. */
uint32_t sema_waiters(const uint32_t *count);
/* Validates the whole table, for tests. */
bool sema_table_is_valid(void);

#endif
