/* What the collector tells of itself: totals, and one record per cycle.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_GC_STATS_H
#define GORT_GC_GC_STATS_H

#include "base/config.h"
#include "heap/sweep.h"

/* Why a cycle runs. */
enum gc_cause {
    GC_CAUSE_HEAP,
    GC_CAUSE_FORCED,
    GC_CAUSE_PERIODIC,
    GC_CAUSE_MEMORY,
    GC_CAUSE_STRESS,
    GC_CAUSES
};
const char *gc_cause_name(enum gc_cause c);

/* Root jobs, by what they scan. */
enum root_kind {
    ROOT_LIBRARIES, /* writable data of libraries */
    ROOT_RANGES,    /* registered ranges */
    ROOT_TLS,       /* thread-local storage */
    ROOT_RECORDS,   /* off-heap records of other floors */
    ROOT_DATA,      /* the program's writable data; from here on beside the program */
    ROOT_STACKS,    /* goroutines: stacks, registers, waiter records, arguments of newborns */
    ROOT_SPECIALS,  /* records of finalizers, cleanups, weak references */
    ROOT_KINDS
};
#define ROOT_FIRST_BESIDE ROOT_DATA /* those before are snapshots, taken in the first stop */
const char *root_kind_name(enum root_kind k);

/* One cycle.  Times are os_now; durations ns; sizes bytes. */
struct gc_cycle_record {
    uint64_t number; /* 1 for the first */
    enum gc_cause cause;
    int64_t begin;        /* the thread decided to collect */
    int64_t stop_begin;   /* the stop was asked for */
    int64_t stopped;      /* all threads had stopped */
    int64_t mark_begin;   /* marking alone began: the world went on, if it did */
    int64_t mark_end;     /* nothing grey was left; the second stop was asked for, if any */
    int64_t started;      /* the world went on */
    int64_t sweep_begin;  /* finishing the former sweep began (part of [begin, stop_begin)) */
    uint64_t pause;       /* of all stops together, each from when it was asked for */
    uint32_t stops;       /* how many: one (of a small heap, or gcstoptheworld), or two and one more
                           * for each restart */
    bool in_one_stop;     /* the first stop marked all: Note [Small heaps] in cycle.c */
    uint32_t restarts;    /* stops that found too much left to mark, and let the world go on */
    uint64_t cpu;         /* CPU time of all markers, and of the stopper's other work */
    uint64_t limited_ns;  /* the CPU limiter was on for so long, and the collector */
    uint64_t overflow_ns; /* took so much more, since the cycle before ended */
    uint64_t assist_ns, worker_ns, idle_ns; /* of cpu: by those who allocate; by dedicated and
                                             * fractional workers; by idle ones */
    uint64_t waiting_ns;      /* of cpu: by those who wait for the cycle, in gort_gc */
    uint64_t heap_before;     /* heap_live when the world had stopped */
    uint64_t heap_end;        /* ... and when marking had ended */
    uint64_t heap_marked;     /* ... of it live */
    uint64_t goal_before;     /* the goal this cycle had */
    uint64_t goal_after;      /* the next one's */
    uint64_t stacks, globals; /* bytes scanned */
    uint64_t objects;         /* marked */
    uint64_t scan_work;       /* bytes of objects scanned */
    uint64_t root_jobs[ROOT_KINDS];
    struct sweep_counts swept; /* after the cycle before this one */
    uint32_t markers;          /* threads that marked in the stop; 0: beside the program */
    uint32_t overflows;        /* times the mark queue found no memory */
    int procs;                 /* Ps, when it began */
};

/* Called after each cycle, on the thread that ran it, outside critical sections, the world running.
 * The cycle's lock is held: who allocates here, or calls what takes it (gc_read_totals), waits for
 * itself, which is fatal; others that want a cycle wait meanwhile.  Set at boot; NULL: nobody
 * listens. */
extern void (*gc_cycle_listener)(const struct gc_cycle_record *r);

#define GC_PAUSES_KEPT 256

struct gc_totals {
    uint64_t cycles;
    uint64_t by_cause[GC_CAUSES];
    uint64_t in_one_stop;                                   /* Note [Small heaps] in cycle.c */
    uint64_t pause_total, pause_max, pause_min, pause_last; /* ns; 0 before the first */
    uint64_t pauses[GC_PAUSES_KEPT]; /* of cycle n at index (n - 1) % GC_PAUSES_KEPT */
    uint64_t cpu;                    /* ns, all cycles */
    uint64_t assist_ns, worker_ns, idle_ns, waiting_ns, restarts; /* likewise */
    uint64_t goal, trigger;
    uint64_t exempt_bytes;   /* allocated while marking by goroutines that do not assist */
    uint64_t assist_credit;  /* bytes of marking by workers that those who allocate paid with */
    uint64_t marked;         /* by the last cycle */
    uint64_t objects_marked; /* by all */
    uint64_t root_jobs[ROOT_KINDS];
    uint64_t refused;       /* cycles that were not begun where none may */
    uint64_t work_buffers;  /* bytes of mark queue */
    uint64_t work_returned; /* bytes of it that went back to the page heap */
    uint64_t finalizers_set, finalizers_queued, finalizers_run;
    uint64_t cleanups_added, cleanups_stopped, cleanups_queued, cleanups_run, cleanup_goroutines;
    uint64_t weak_made, weak_cleared, weak_shaded;
    struct sweep_counts swept;
    uint64_t barrier_flushes, barrier_logged;
    uint64_t stack_pieces; /* scanned of stacks that take more than one */
    double cpu_fraction;   /* of all CPU time available since boot */
    int percent;
};
/* Any time: a consistent copy of the last finished cycle's state. */
void gc_read_totals(struct gc_totals *out);

/* Bytes that marker (P) i marked in the last cycle: for tests of balance. */
uint64_t gc_marker_bytes(int i);

#endif
