/* What higher floors put into the scheduler: one constant table.
 *
 * Boot (floor 8) calls sched_hooks_install before the second thread exists; afterwards the table is
 * read-only.  Each entry has a no-op default, so floor 4 runs and is tested without a collector.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_HOOKS_H
#define GORT_SCHED_HOOKS_H

#include "sched/sched_data.h"
#include "sched/stw.h"

struct sched_hooks {
    /* A P comes to life or goes (world stopped): allocate or hand over its cache and buffers. */
    void (*p_init)(struct p *p);
    void (*p_destroy)(struct p *p, struct p *heir);
    /* There are n Ps now (world stopped); those that went are destroyed. */
    void (*procs_changed)(int n);
    /* A goroutine that marks, waiting until now, to be run before others, or since there are no
     * others; NULL: none is wanted. */
    struct g *(*find_mark_work)(struct p *p);
    struct g *(*find_idle_mark_work)(struct p *p);
    /* Is there something for a marker that nobody has taken?  A hint; any thread. */
    bool (*mark_work)(void);
    /* The P goes on the idle list, and comes off it.  SCHED is held. */
    void (*p_idle)(struct p *p);
    void (*p_busy)(struct p *p);
    /* A goroutine of the program ended, on its own M, before its record is reused. */
    void (*g_dead)(struct g *g);
    /* A thread ends that is still attached; g is its goroutine, on which this is called. */
    void (*thread_exits)(struct g *g);
    /* The write barrier is on, and words leave a record that the snapshot of a cycle may hold: they
     * are logged.  In a critical section. */
    void (*words_leave)(const uintptr_t *words, size_t n);
    /* Scans a piece of what a goroutine holds, which is claimed (grey.c).  true: that was all.  In
     * a critical section or state RUNTIME, on a system stack, perhaps under a signal handler,
     * perhaps without a P. */
    bool (*g_scan)(struct g *g);
    /* Somebody left a rest of it and has given the claim up; in the section of that g_scan. */
    void (*g_rest)(struct g *g);
    /* A thread has blackened its own stack: does marking wait for no other one?  In the same
     * section. */
    bool (*stacks_done)(void);
    /* On a thread of the runtime or an attached one, before it runs user code: note its
     * thread-local storage in m->tls. */
    void (*thread_start)(struct m *m);
    /* The world is stopped / is about to go on. */
    void (*world_stopped)(void);
    void (*world_starting)(void);
    /* After world_starting: what the stop was for, ns since it was asked for, and of these until
     * all threads had stopped.  Raw system calls only. */
    void (*stop_over)(enum stop_reason why, uint64_t pause, uint64_t stopping);
    /* Nothing can ever run again: prints its report and does not return. */
    void (*deadlock)(void);
    /* A thread did not stop within a second. */
    void (*stop_slow)(struct m *m, uintptr_t pc);
    /* A stack's guard was hit or a fault happened: floor 8's reporter; from the fault handler. */
    void (*fault)(int sig, void *info, void *ucontext);
    /* Prints the name of the function that pc is in, for a report that has begun. */
    void (*print_function)(uintptr_t pc);
};

extern struct sched_hooks sched_hooks; /* constant after boot */
void sched_hooks_install(const struct sched_hooks *h);

#endif
