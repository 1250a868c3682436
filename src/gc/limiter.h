/* The CPU limiter: assists stop when collecting takes more than half of the CPU for too long.
 *
 * Pure: times come in as numbers.  What many threads add between two updates is in limiter_pool and
 * limiter_event, which are atomic.
 *
 *   limiter_init           boot
 *   limiter_begin, _end    around each stop of a cycle
 *   limiter_update         now and then (limiter_due)
 *   limiter_limiting       an assist asks it, any time, on any thread
 *   limiter_set_procs      the number of Ps changed, world stopped
 *
 * One caller at a time for all but limiter_limiting and limiter_due: the caller takes limiter_try
 * for updates, and drops the update when somebody else is at it (the pools keep what was added).
 *
 * Answers to: mgclimit.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_LIMITER_H
#define GORT_GC_LIMITER_H

#include "base/config.h"
#include "gc/gc_data.h"

/* Updates are so far apart.  While somebody assists they are closer: what an assist does beyond a
 * full bucket is lost to the program, and it is to be little beside what the program gets until the
 * next look finds that something has drained. */
#define LIMITER_PERIOD_NS INT64_C(10000000)
#define LIMITER_ASSIST_PERIOD_NS INT64_C(200000)
#define LIMITER_PROC_NS UINT64_C(1000000000) /* the bucket holds so much for each P */

/* Time that was spent since the last update, on all Ps together. */
struct limiter_times {
    int64_t assist; /* CPU ns of assists, and of giving memory back on allocation */
    int64_t idle;   /* CPU ns of Ps that had nothing to run, idle marking included */
};

struct limiter {
    uint64_t fill, capacity;   /* CPU ns; fill <= capacity */
    uint64_t overflow;         /* atomic; CPU ns that found the bucket full: a statistic */
    int64_t last;              /* atomic; when it was updated */
    int64_t since;             /* atomic; when it last began to limit */
    uint64_t on_ns;            /* atomic; time that it limited, up to the last time it ended */
    uint64_t cycle;            /* that marks, or comes next */
    uint64_t last_cycle;       /* atomic; that had this number when it began to limit; 0: none */
    struct limiter_times kept; /* of an update whose time was read before another's */
    int procs;
    uint32_t limiting; /* atomic; the bucket is full */
    uint32_t busy;     /* atomic; limiter_try */
    bool marking;      /* the background has its quarter of the Ps */
    bool between;      /* between limiter_begin and limiter_end */
};

void limiter_init(struct limiter *l, int64_t now, int procs);
bool limiter_limiting(const struct limiter *l);
/* Is the last update longer ago than that?  Any thread. */
bool limiter_due(const struct limiter *l, int64_t now, int64_t period);
void limiter_update(struct limiter *l, int64_t now, struct limiter_times t);
/* World stopped.  marking: what it will be, in which cycle, or before which.  The time from begin
 * to end counts as the collector's. */
void limiter_begin(struct limiter *l, int64_t now, struct limiter_times t, bool marking,
                   uint64_t cycle);
void limiter_end(struct limiter *l, int64_t now);
void limiter_set_procs(struct limiter *l, int64_t now, struct limiter_times t, int procs);
/* true: the caller updates, and calls limiter_done. */
bool limiter_try(struct limiter *l);
void limiter_done(struct limiter *l);
/* For how long it has limited, all in all.  A statistic; any thread. */
uint64_t limiter_on_ns(const struct limiter *l, int64_t now);
const char *limiter_fault(const struct limiter *l);

/* ---- what is added meanwhile ----------------------------------------------------------------- */

/* Of the process; atomic. */
struct limiter_pool {
    int64_t assist, idle;
};
void limiter_add_assist(struct limiter_pool *p, int64_t ns);
void limiter_add_idle(struct limiter_pool *p, int64_t ns);
struct limiter_times limiter_drain(struct limiter_pool *p);

/* What a P does at this moment: one word, atomic, so that an update can take the part of it that
 * has passed.  A P does one such thing at a time. */
enum limiter_what { LIMITER_NONE, LIMITER_ASSIST, LIMITER_IDLE_MARK, LIMITER_IDLE };
/* The P's owner.  false: something is going on already, which has the time; then no
 * limiter_stop. */
bool limiter_start(struct limiter_event *e, enum limiter_what what, int64_t now);
void limiter_stop(struct limiter_event *e, enum limiter_what what, int64_t now,
                  struct limiter_pool *p);
/* Who updates: adds to t what has passed, which limiter_stop will not count again. */
void limiter_consume(struct limiter_event *e, int64_t now, struct limiter_times *t);

#endif
