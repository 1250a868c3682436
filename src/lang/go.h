/* Goroutines as the program knows them, for boot and for timers.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_GO_H
#define GORT_LANG_GO_H

#include <stdbool.h>
#include <stdint.h>

/* Calls fn(arg) as the function of the running goroutine: what it deferred has run on return.  Boot
 * calls the main function by it. */
void go_call(void (*fn)(void *), void *arg);

/* gort_go by an M that need not run a goroutine: see g_start_listed.  arg was shaded. */
struct ready_list;
void go_start_listed(struct ready_list *ready, void (*fn)(void *), void *arg, bool is_system,
                     uintptr_t pc);

/* sched_hooks.thread_exits: what the thread deferred runs. */
struct g;
void go_thread_exits(struct g *g);

#endif
