/* What many threads count while marking runs: scan work, times, credit, workers, the assist ratio.
 *
 * The thin atomic side of the pacer, which is pure.  Every field is one atomic word of its own, and
 * nothing is derived from two of them that would be wrong when they do not agree: relaxed
 * throughout.  The exact sums are read with the world stopped, which orders them.
 *
 * Credit: background markers add what they scan, allocation takes it before it scans itself.  It is
 * taken by compare-and-swap and so never below zero: what is given out was there.
 *
 * Workers: `dedicated` counts the dedicated workers that are still to be started; a P takes a place
 * before it starts one and gives it back when the worker stops.  Below 0: so many are too many,
 * since the number of places fell.  `idle` packs the idle workers at work and how many there may
 * be.
 *
 * Invariants: (1) credit >= 0 and is at most what was added; (2) dedicated + workers out =
 * dedicated_most, and none is taken above that; (3) no idle worker starts above the maximum; it may
 * be lowered below their number.
 *
 * Answers to: gcControllerState's atomics in mgcpacer.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_PACER_SHARED_H
#define GORT_GC_PACER_SHARED_H

#include "base/config.h"
#include "gc/pacer.h"

/* Markers add to shared sums in pieces of at least this. */
#define PACER_CREDIT_SLACK 2000        /* bytes of scan work */
#define PACER_TIME_SLACK INT64_C(5000) /* ns of assists */

enum pacer_scan { PACER_SCAN_HEAP, PACER_SCAN_STACKS, PACER_SCAN_GLOBALS, PACER_SCANS };
enum pacer_time {
    PACER_TIME_DEDICATED,
    PACER_TIME_FRACTIONAL,
    PACER_TIME_IDLE,
    PACER_TIME_ASSIST,
    PACER_TIME_WAITING, /* by who waits for the cycle to end: gort_gc */
    PACER_TIMES
};

/* All atomic; any thread. */
struct pacer_shared {
    uint64_t scanned[PACER_SCANS] cache_aligned; /* bytes; rises until the next cycle */
    int64_t time[PACER_TIMES];                   /* CPU ns; rises until the next cycle */
    uint64_t credit cache_aligned;        /* bytes of scan work; markers add, allocation takes */
    uint64_t work_per_byte cache_aligned; /* bits of the assist ratio's doubles: written by */
    uint64_t bytes_per_work;              /* pacer_publish, read by allocation */
    int32_t dedicated cache_aligned;      /* places for dedicated workers that are free */
    int32_t dedicated_most;               /* and in all; written in stops */
    uint64_t idle;                        /* at work | maximum << 32 */
};

/* World stopped, after pacer_start_cycle: sums are 0, places as p says. */
void pacer_shared_start(struct pacer_shared *s, const struct pacer *p, struct pacer_assist a);

/* World stopped, after pacer_set_procs: places as p says, less those that are taken. */
void pacer_shared_places(struct pacer_shared *s, const struct pacer *p);

/* The ratio may be torn between two revisions: each half is right for one of them. */
void pacer_publish(struct pacer_shared *s, struct pacer_assist a);
struct pacer_assist pacer_ratio(const struct pacer_shared *s);

void pacer_scanned(struct pacer_shared *s, enum pacer_scan kind, uint64_t bytes);
struct scan_work pacer_work(const struct pacer_shared *s);
void pacer_time_add(struct pacer_shared *s, enum pacer_time kind, int64_t ns);
int64_t pacer_time_of(const struct pacer_shared *s, enum pacer_time kind);

void pacer_credit_add(struct pacer_shared *s, uint64_t work);
/* Takes up to `want`; how much. */
uint64_t pacer_credit_take(struct pacer_shared *s, uint64_t want);

/* true: the caller starts a dedicated worker, and calls pacer_dedicated_give when it stops, if that
 * is in the same cycle: in a section that has looked. */
bool pacer_dedicated_take(struct pacer_shared *s);
void pacer_dedicated_give(struct pacer_shared *s);
/* More are out than there are places. */
bool pacer_dedicated_over(const struct pacer_shared *s);

/* A hint; then true: the caller starts an idle worker, and calls pacer_idle_leave when it stops. */
bool pacer_idle_wanted(const struct pacer_shared *s);
bool pacer_idle_join(struct pacer_shared *s);
void pacer_idle_leave(struct pacer_shared *s);
/* Those at work above the new maximum stop by themselves. */
void pacer_idle_limit(struct pacer_shared *s, int max);

#endif
