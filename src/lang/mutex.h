/* The mutex as the other sync objects of this floor use it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_MUTEX_H
#define GORT_LANG_MUTEX_H

#include "gort/sync.h"
#include "lang/lang.h"

/* gort_mutex_lock for the running goroutine g; reports say that it waits for `reason`. */
void mutex_lock(struct g *g, gort_mutex *m, enum wait_reason reason);
/* As gort_mutex_trylock and gort_mutex_unlock. */
bool mutex_trylock(gort_mutex *m);
void mutex_unlock(gort_mutex *m);
bool mutex_is_locked(const gort_mutex *m);

#endif
