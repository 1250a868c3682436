/* The mutex as the other sync objects of this floor use it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_MUTEX_H
#define GORT_LANG_MUTEX_H

#include "gort/sync.h"
#include "lang/sema.h"

/* gort_mutex_lock for the running goroutine g; reports say that it waits for `reason`. */
void mutex_lock(struct g *g, gort_mutex *m, enum wait_reason reason);
/* A wait for a mutex that may be given up. */
struct mutex_wait {
    /* Before each time that it sleeps: false: gives up; else until when and what ends it is in
     * `sema`. */
    bool (*goes_on)(struct mutex_wait *w);
    struct sema_wait sema;
};
/* As mutex_lock; false: w was given up, and the mutex is not the goroutine's. */
bool mutex_lock_until(struct g *g, gort_mutex *m, struct mutex_wait *w, enum wait_reason reason);
/* w looks again, for good: for others, while its goroutine is in mutex_lock_until or about to be. */
void mutex_end_wait(const gort_mutex *m, struct mutex_wait *w);
/* All who wait look again; all of them wait by mutex_lock_until. */
void mutex_end_waits(const gort_mutex *m);
/* As gort_mutex_trylock and gort_mutex_unlock. */
bool mutex_trylock(gort_mutex *m);
void mutex_unlock(gort_mutex *m);
bool mutex_is_locked(const gort_mutex *m);
/* Is it held, or waited for? */
bool mutex_is_wanted(const gort_mutex *m);

#endif
