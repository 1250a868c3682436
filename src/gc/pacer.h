/* The pacer: when the next collection starts, how many workers mark, how much who allocates helps.
 *
 * Pure arithmetic over its inputs: no clock, no globals, no atomics.  What many threads count while
 * marking runs is in pacer_shared.h.  In the order of a cycle:
 *
 *   pacer_init           boot
 *   pacer_trigger        the threshold that allocation compares heap_live with
 *   pacer_start_cycle    STW 1: workers, the first assist ratio
 *   pacer_set_procs      while marking, when the number of Ps changes, world stopped: workers
 *   pacer_revise         while marking, as heap_live moves: the assist ratio, to be published
 *   pacer_end_cycle      STW 2: learns from the cycle, sets what is live
 *   pacer_commit         after pacer_end_cycle, when the sweep is done, and after
 *                        pacer_set_percent: the next goal; then pacer_trigger again
 *
 * Who calls holds what protects the struct (the collector's busy word or a stopped world), except
 * that pacer_revise, pacer_goal and pacer_trigger only read it.
 *
 * Answers to: mgcpacer.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_PACER_H
#define GORT_GC_PACER_H

#include "base/config.h"

#define PACER_MIN_HEAP (4 * MB)    /* goal at 100 percent when next to nothing is live */
#define PACER_MIN_RUNWAY (64 * KB) /* a cycle starts at least so far above what the last one left */
#define PACER_SWEEP_DISTANCE                                                                       \
    (1 * MB) /* heap growth that an unfinished sweep has before the trigger */
#define PACER_OFF UINT64_MAX
#define PACER_UTILIZATION 0.25      /* of the Ps, for marking in the background */
#define PACER_HISTORY 4             /* cycles whose cons/mark ratio is remembered */
#define PACER_OVER_ASSIST (64 * KB) /* scan work that an assist does at least, ahead of need */

/* ---- marking with the world stopped: nothing is allocated meanwhile -------------------------- */

struct pacer_input {
    uint64_t marked;  /* bytes of objects that the last cycle found live */
    uint64_t stacks;  /* bytes of stacks it scanned */
    uint64_t globals; /* bytes of program data and registered ranges it scanned */
    int percent;      /* negative: off */
};

struct pacer_output {
    uint64_t goal;    /* heap size that the next cycle is to end at, PACER_OFF: never */
    uint64_t trigger; /* heap size at which it starts */
};

struct pacer_output pacer_compute(const struct pacer_input *in);

/* ---- the memory limit ------------------------------------------------------------------------ */

/* Read one by one from counters that move: they need not agree. */
struct pacer_memory {
    uint64_t limit;   /* PACER_OFF: none */
    uint64_t mapped;  /* bytes that count against it: mapped and not given back to the kernel */
    uint64_t free;    /* of these, free pages of the heap that were not given back */
    uint64_t objects; /* of these, objects allocated and not yet swept away */
};

/* The heap size at which a cycle must end for the limit to hold; at least marked.  PACER_OFF: no
 * limit.  The goal that counts is the smaller one of this and of the percentage's. */
uint64_t pacer_limit_goal(const struct pacer_memory *m, uint64_t marked);

/* ---- marking beside the program -------------------------------------------------------------- */

/* Sizes at one moment, as the caller's counters have them. */
struct pacer_now {
    uint64_t live;       /* heap_live */
    uint64_t scannable;  /* of it, what may have to be scanned: fixed while marking */
    uint64_t stacks;     /* most that scanning stacks may come to.  Not what is reserved for them */
    uint64_t globals;    /* bytes of program data and registered ranges */
    uint64_t limit_goal; /* pacer_limit_goal */
};

/* Bytes scanned, by kind. */
struct scan_work {
    uint64_t heap, stacks, globals;
};

struct pacer_assist {
    double work_per_byte; /* scan work that an allocated byte costs */
    double bytes_per_work;
};

enum pacer_kind {
    PACER_CYCLE,
    PACER_PERIODIC, /* the program is idle: no idle Ps are taken */
    PACER_ALL_MARK, /* stop-the-world mode: every P marks */
};

/* Everything is moved by the calls below only. */
struct pacer {
    int percent;           /* negative: off */
    uint64_t marked;       /* live at the end of the last cycle */
    uint64_t percent_goal; /* at the last commit; PACER_OFF */
    uint64_t runway;       /* at the last commit: bytes allocated while a cycle marks */
    uint64_t sweep_floor;  /* at the last commit: least trigger and goal, 0: the sweep is done */
    uint64_t triggered;    /* heap_live when this cycle started; PACER_OFF between cycles */
    uint64_t last_goal;    /* the goal that the last cycle had at its end: for the scavenger */
    struct scan_work last; /* done by the last cycle */
    double cons_mark;      /* the ratio in use */
    double cons_marks[PACER_HISTORY]; /* as measured, oldest first */
    int dedicated;                    /* workers of the cycle that hold a P */
    int idle_max;                     /* workers that may use idle Ps */
    double fractional;    /* share of its time that each other P is to mark for; 0: none */
    enum pacer_kind kind; /* of the cycle */
};

void pacer_init(struct pacer *p, int percent, const struct pacer_now *now);
/* Returns the former one; -1: off.  pacer_commit after it; while marking, pacer_revise too. */
int pacer_set_percent(struct pacer *p, int percent);
/* Computes the next goal.  swept: no span of the last cycle is left to sweep. */
void pacer_commit(struct pacer *p, const struct pacer_now *now, bool swept);

/* Any time, with the limit's goal as it is now. */
uint64_t pacer_goal(const struct pacer *p, uint64_t limit_goal);
/* A cycle is due from here on; at most the goal. */
uint64_t pacer_trigger(const struct pacer *p, uint64_t limit_goal);

/* World stopped.  Sets dedicated, fractional, idle_max. */
struct pacer_assist pacer_start_cycle(struct pacer *p, const struct pacer_now *now, int procs,
                                      enum pacer_kind kind);

/* World stopped, while marking: the same for another number of Ps. */
void pacer_set_procs(struct pacer *p, int procs);

/* done: since the cycle started. */
struct pacer_assist pacer_revise(const struct pacer *p, const struct pacer_now *now,
                                 const struct scan_work *done);

/* What an assist for `bytes` of debt has to do, and the bytes that this pays for (never less). */
struct pacer_debt {
    uint64_t work, bytes;
};
struct pacer_debt pacer_assist_for(struct pacer_assist a, uint64_t bytes);
/* The bytes that this much scan work pays for. */
uint64_t pacer_paid(struct pacer_assist a, uint64_t work);

/* A P that has marked for `spent` ns of the `elapsed` ns of this cycle: starts a fractional
 * worker? */
bool pacer_fractional_due(const struct pacer *p, int64_t spent, int64_t elapsed);
/* ... and its fractional worker ends? */
bool pacer_fractional_over(const struct pacer *p, int64_t spent, int64_t elapsed);

/* What a cycle came to.  Times are ns; CPU times over all Ps. */
struct pacer_cycle {
    double procs;     /* on average */
    bool in_one_stop; /* nobody could allocate meanwhile: Note [Small heaps] in cycle.c */
    int64_t duration; /* from the end of STW 1 to the beginning of STW 2; in one stop: of marking
                       * inside it */
    int64_t assist;   /* CPU time of assists */
    int64_t idle;     /* CPU time of idle workers */
    struct scan_work work;
    uint64_t live;                /* heap_live at its end, before it is set to marked */
    uint64_t marked;              /* bytes of objects found live or allocated black */
    uint64_t globals, limit_goal; /* as in pacer_now */
};

/* For the trace: what was expected and what came. */
struct pacer_report {
    double utilization; /* background and assists */
    struct scan_work work;
    uint64_t expected; /* bytes of scan work */
    uint64_t triggered, live, goal;
    double cons_mark; /* that the cycle was started by */
};

/* World stopped.  report may be NULL. */
void pacer_end_cycle(struct pacer *p, const struct pacer_cycle *c, struct pacer_report *report);

/* After pacer_commit or pacer_start_cycle: NULL, or what is wrong with it. */
const char *pacer_fault(const struct pacer *p);

/* ---- gcpacertrace=1 -------------------------------------------------------------------------- */

/* One line each, in the original's format, into buf like snprintf; they return the length. */
size_t pacer_format_start(char *buf, size_t n, const struct pacer *p, const struct pacer_now *now,
                          struct pacer_assist a);
size_t pacer_format_end(char *buf, size_t n, const struct pacer_report *r);
#define PACER_LINE 256 /* room for either */

#endif
