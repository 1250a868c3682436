/* Stop-the-world, and finding what stopped goroutines may hold.
 *
 * Answers to: stopTheWorldWithSema in proc.go, preempt.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_STW_H
#define GORT_SCHED_STW_H

#include "sched/sched_data.h"

enum stop_reason {
    STOP_GC_MARK,
    STOP_GC_TERM,
    STOP_PROCS,
    STOP_STATS,
    STOP_FREE_MEMORY,
    STOP_SETTINGS,
    STOP_TEST,
    STOP_REASONS
};

/* All stops for one reason: statistics. */
struct stop_counts {
    uint64_t stops;
    uint64_t ns; /* the world stood, each from when it was asked for; those that are over */
};

struct stop_result {
    int64_t begin, stopped; /* os_now when asked, and when all had stopped */
    uint32_t signals;       /* threads that were signalled */
};

/* Stops every other thread that may touch collected memory.  Serialised: waits for the former stop
 * to end (stoppably).  In a critical section, no lock held.  On return all threads are in
 * M_BLOCKING or M_STOPPED, all Ps are the caller's to use, and only raw system calls are
 * allowed. */
void world_stop(enum stop_reason r, struct stop_result *out);
/* For who holds a lock of libc meanwhile.  false: the world goes on, that lock is to be let go of,
 * and it may be tried again; only beside ThreadSanitizer (Note [Stops beside the sanitizer]). */
bool world_try_stop(enum stop_reason r, struct stop_result *out);
void world_start(void);
/* The same for a report after which the process ends: the world never starts again.  Waits for
 * threads no longer than that, and runs no hooks.  false: not all have stopped. */
bool world_freeze(int64_t patience_ns);
bool world_is_stopped(void);
/* World stopped: fatal unless every P is accounted for, and none with a thread that runs: each
 * stop's own check. */
void world_check_stw(void);
uint64_t world_stop_count(enum stop_reason r);
void world_read_stops(enum stop_reason r, struct stop_counts *out);
uint64_t world_stop_repeats(void); /* stop signals that were sent once more */
const char *stop_reason_name(enum stop_reason r);

/* World stopped: the memory in which goroutine g's live words lie: stack, saved registers,
 * signal stack, frame copy.  At most G_RANGES; returns how many.  Dead goroutines: 0. */
struct scan_range {
    uintptr_t lo, hi; /* word-aligned */
};
#define G_RANGES 4
int g_scan_ranges_stw(struct g *g, struct scan_range out[G_RANGES]);
/* World stopped: where goroutine g would continue: program counter, stack and frame pointer, for
 * tracebacks.  false: dead. */
struct g_resume_point {
    uintptr_t pc, sp, fp;
    void *ucontext; /* not NULL: stopped in a signal */
};
bool g_resume_point_stw(struct g *g, struct g_resume_point *out);

/* The stop signal (SIGURG unless configured before boot). */
void preempt_install(int signo);
/* After the first thread was made: libc's own handlers are not interrupted by stops. */
void preempt_shield(void);
int preempt_signal(void);
/* Test only: leaves the program counter inside a restartable range, to show that the roll-back is
 * needed. */
extern bool preempt_disable_rollback;

#endif
