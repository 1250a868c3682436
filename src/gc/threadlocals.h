/* Roots: thread-local storage of the program and its libraries.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_THREADLOCALS_H
#define GORT_GC_THREADLOCALS_H

#include "sched/sched.h"

struct dl_phdr_info;

/* At boot: asks the loader. */
void thread_locals_init(void);

/* ---- with the loader's lock: which libraries there are --------------------------------------- */

void thread_locals_no_modules(void);
void thread_locals_add_module(const struct dl_phdr_info *info); /* if it has thread-locals */

/* ---- a thread's ranges: m->tls, m->ntls ------------------------------------------------------ */

/* On the thread itself, in state BLOCKING: the first ones. */
void thread_locals_read(struct m *m);
/* The stopper, with the loader's lock: as they are now, of all threads. */
void thread_locals_find_stw(void);

#endif
