/* The collector's contract with the floors above and with boot.
 *
 * Answers to: mgc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_GC_H
#define GORT_GC_GC_H

#include "base/atomic.h"
#include "gc/gc_stats.h"
#include "heap/heap.h"
#include "sched/hooks.h"

/* ---- boot ----------------------------------------------------------------------------------- */

/* Modes that make rare paths common.  Constant after gc_init. */
struct gc_debug {
    uint32_t gcstress; /* collect at every n-th allocation; 0: off */
    bool gccheck;      /* validate heap and marks at every cycle */
    bool gcpacertrace; /* keep the pacer's lines for the listener: pace.h */
    bool gccheckmark;  /* find everything reachable once more at every cycle: checkmark.h */
    /* 1: marking stops the world; 2: sweeping too; 0: neither. */
    uint32_t stoptheworld;
    uint32_t small;  /* bytes of roots that a small heap may have: Note [Small heaps] in cycle.c */
    uint32_t colors; /* samples of the colours of objects in a cycle: colors.h */
    /* A test's: makes work when nothing seems left to mark, before the stop that is to end marking.
     * On the system stack, outside sections. */
    void (*late_work)(void);
};
extern struct gc_debug gc_debug;
/* How often each fired; atomic. */
struct gc_debug_counts {
    uint64_t gcstress, gccheck, gccheckmark;
    uint64_t stack_only; /* objects that gccheckmark found unmarked, reached from stacks alone, and
                          * not reported */
};
extern struct gc_debug_counts gc_debug_counts;

#define GC_SMALL_ROOTS (64 * KB) /* gc_debug.small of programs */

struct gc_options {
    int percent; /* as gort_set_gc_percent */
    struct gc_debug debug;
    /* Each freed slot, for diagnosis (heap_hooks.freed).  NULL: none. */
    void (*freed)(struct span *s, uintptr_t base, size_t size);
    /* Calls a finalizer as the function of the running goroutine.  NULL: plainly. */
    void (*call)(void (*fn)(void *), void *obj);
};
/* After heap_init, before sched_init; o NULL: 100 percent, no debugging.  Throws without memory. */
void gc_init(const struct gc_options *o);
/* What the scheduler calls: caches of Ps, thread-locals of threads. */
void gc_hooks_fill(struct sched_hooks *h);
/* On a goroutine, once: starts the sweeper, the finalizers' goroutine and, with gcstoptheworld
 * only, the markers' threads, and lets collections begin. */
void gc_start_background(void);

/* ---- cycles --------------------------------------------------------------------------------- */

/* Off while the program runs; the others only while the world is stopped.  Written by the cycle. */
extern uint32_t gc_phase;
enum gc_phases { GC_OFF, GC_MARK, GC_MARKTERM };
static inline uint32_t gc_phase_now(void)
{
    return atomic_load_relaxed(&gc_phase); /* changes with the world stopped only */
}

/* heap_live at which a cycle is due; UINT64_MAX: never.  Atomic; written by the cycle and by
 * gort_set_gc_percent. */
extern uint64_t gc_trigger;
static inline bool gc_is_due(void)
{
    /* Racy: the cycle looks again before it begins. */
    return unlikely(heap_live() >= atomic_load_relaxed(&gc_trigger));
}
/* Runs a cycle on the calling thread, unless it is not wanted any more or another thread's cycle
 * that begins after this call serves as well (then waits for it).  Where none may begin
 * (gate_is_open in cycle.c) it does nothing, which is counted; a forced one does not return then if
 * the process is ending.  The sweep goes on in the background.  Never switches goroutines. */
void gc_collect(enum gc_cause cause);
/* What a collection that was asked for counts in the logical clock (sched_others_first). */
#define GC_TURN_NS ((int64_t)100000)
/* Sweeps what is left, and waits for those who sweep too.  On a goroutine, outside sections.  May
 * let other goroutines run. */
void gc_sweep_all(void);
/* The same without yielding: for allocation. */
void gc_sweep_all_nopark(void);
/* Ends the cycle that marks, if nothing is left to mark.  false: it was not ended by this call.  On
 * a goroutine, outside sections. */
bool gc_try_end(void);
/* For the refill path of malloc, outside sections: the periodic duties of an allocating thread. */
void gc_after_refill(void);

/* For sysmon (any M): no collection since gc_period_ns; has a goroutine run one. */
#define GC_PERIOD_NS ((int64_t)120 * 1000000000)
extern int64_t gc_period_ns; /* GC_PERIOD_NS but in tests; constant after boot */
bool gc_period_over(int64_t now);
void gc_force_periodic(void);

/* Percent as gort_set_gc_percent; returns the former. */
int gc_set_percent(int percent);
/* The memory limit in bytes, UINT64_MAX: none; returns the former. */
uint64_t gc_set_limit(uint64_t limit);

/* ---- the memory profile ---------------------------------------------------------------------- */

struct special;
/* The sweep freed an object that has a SPECIAL_PROFILE: sp, off its list, is its owner's again.  In
 * a critical section, perhaps with locks up to HEAP held or the world stopped.  Set by src/diag
 * before the first such special. */
extern void (*gc_profile_freed)(struct special *sp);

/* ---- roots kept by other floors -------------------------------------------------------------- */

/* Calls emit for each piece of off-heap memory that holds pointers (DESIGN 4, rule 9).  Called with
 * the world stopped, on a marker's thread: raw system calls only. */
typedef void (*gc_emit_range)(uintptr_t lo, uintptr_t hi, void *arg);
typedef void (*gc_record_roots)(gc_emit_range emit, void *arg);
/* At boot, before collections begin; at most GC_RECORD_ROOTS. */
#define GC_RECORD_ROOTS 16
void gc_add_record_roots(gc_record_roots fn);
/* The word at `offset` of each of these records, which may be many, is a collected pointer or 0:
 * found beside the program, so who moves a pointer in or out follows Note [Records while marking]
 * in specials.c.  At boot; one kind. */
struct fixalloc;
void gc_add_records(struct fixalloc *records, size_t offset);

/* ---- layout of objects (floor 6 writes it, marking reads it) --------------------------------- */

/* Note [Layout words].  An object above BITMAP_MAX names where its pointers are by one word: a
 * small one's is the last word of its slot, a large one's is span->large_type.
 *   bits 0..2    LAYOUT_REPEAT: the type, repeated every type->size bytes to the object's end
 *                LAYOUT_ONCE:   the type once, nothing behind it is scanned
 *                LAYOUT_PREFIX: the type once, up to byte `offset`; from there conservatively
 *   bits 3..46   the descriptor's address (aligned to 8)
 *   bits 48..63  offset / 8
 * A zero word of a large object: conservative; NOSCAN classes have none. */
#define LAYOUT_REPEAT 0u
#define LAYOUT_ONCE 1u
#define LAYOUT_PREFIX 2u
#define LAYOUT_TAG_MASK 7u
#define LAYOUT_OFFSET_MAX ((size_t)0xffff * 8)
static inline uint64_t layout_word(const struct gort_type *t, unsigned tag, size_t offset)
{
    return (uint64_t)(uintptr_t)t | tag | (uint64_t)(offset / 8) << 48;
}
static inline const struct gort_type *layout_type(uint64_t word)
{
    return (const struct gort_type *)(uintptr_t)(word & 0x00007ffffffffff8ull);
}
static inline size_t layout_offset(uint64_t word)
{
    return (size_t)(word >> 48) * 8;
}

#endif
