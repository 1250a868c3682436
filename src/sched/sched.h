/* The scheduler's contract with the floors above: goroutines, critical sections, park and ready.
 *
 * Note [Critical sections].  Runtime code that other threads must not see half-done runs between
 * crit_enter and crit_exit: the stop signal's handler then only leaves a mark, and crit_exit stops
 * the thread instead.  Sections nest, are counted per thread, may not contain a wait for anything
 * but a runtime lock, and belong to the thread: a goroutine parks inside one section on one thread
 * and returns inside one section on perhaps another.  A runtime lock is held only inside one.
 *
 * Answers to: proc.go (gopark, goready, newproc, schedule).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_SCHED_H
#define GORT_SCHED_SCHED_H

#include "sched/sched_data.h"

/* The number of Ps, changed while the world is stopped.  Read by every operation, so nothing that
 * is written often shares its cache line. */
extern struct sched_shape {
    int nprocs;
} cache_aligned sched_shape;

static force_inline int p_count(void)
{
    return sched_shape.nprocs;
}

/* ---- who am I ------------------------------------------------------------------------------ */

static force_inline struct m *m_self(void) /* NULL on a thread the runtime does not know */
{
    return (struct m *)arch_tls_m();
}
static force_inline struct g *g_self(void) /* NULL on a system stack */
{
    return (struct g *)arch_tls_g();
}
/* Throws, naming the call, when not on a goroutine (before gort_run, on an unattached thread, on a
 * system stack, in a blocking region).  Every public call that needs a goroutine begins with it. */
struct g *g_require(const char *call);

/* ---- critical sections --------------------------------------------------------------------- */

static force_inline void crit_enter(void)
{
    arch_crit_enter();
}
void crit_exit_slow(void);
static force_inline void crit_exit(void)
{
    if (unlikely(!arch_crit_leave()) && arch_crit_word() == GORT_CRIT_PENDING) crit_exit_slow();
}
static force_inline uint32_t crit_depth(void)
{
    return arch_crit_word() & ~GORT_CRIT_PENDING;
}

/* A stop, or somebody who wants the P, waits for the section to end. */
static inline bool crit_is_pending(void)
{
    return unlikely((arch_crit_word() & GORT_CRIT_PENDING) != 0);
}

/* Critical section with a P: p_pin enters a section and returns this thread's P, taking one first
 * when the thread has none (attached threads; later: threads that computed for too long).  May
 * wait for a P on its own thread; never switches goroutines. */
struct p *p_pin_slow(void);
static force_inline struct p *p_pin(void)
{
    arch_crit_enter();
    struct p *p = m_self()->p;
    return likely(p != NULL) ? p : p_pin_slow();
}
void p_unpin_slow(void);
static force_inline void p_unpin(void)
{
    if (unlikely(m_self()->attached)) p_unpin_slow();
    crit_exit();
}

/* ---- goroutines ----------------------------------------------------------------------------- */

struct g_options {
    const char *name;  /* copied, at most 31 bytes; NULL: none */
    size_t stack_size; /* 0: the default */
    const void *copy;  /* when not NULL: `size` bytes copied to the goroutine, arg points there */
    size_t copy_size;
    bool is_system;     /* one of the runtime's own */
    bool no_objects;    /* ... whose stack never holds a collected pointer: it is not scanned */
    bool yields_itself; /* ... which looks itself whether others want its P */
};
/* A new goroutine that will run fn(arg), ready to run.  Throws when no stack can be had. */
struct g *g_start(void (*fn)(void *), void *arg, const struct g_options *o, uintptr_t created_pc);
/* The same for who needs no options: fn is called with a copy of size bytes, at most GO_COPY_MOST.
 * What it needs is mostly made when it first runs. */
#define GO_COPY_MOST 80
void g_start_bare(void (*fn)(void *), const void *copy, size_t size, uintptr_t created_pc);
/* The same in a section, on an M with a P that need not run a goroutine: the new one is appended to
 * what becomes runnable, and runs when the list is handed over in the same section. */
struct ready_list;
void g_start_listed(struct ready_list *ready, void (*fn)(void *), void *arg,
                    const struct g_options *o, uintptr_t created_pc);
/* Ends the running goroutine.  Floor 7 has run its defers.  Must not hold locks. */
_Noreturn void g_exit(void);
/* Lets others run; the goroutine goes to the end of this P's queue. */
void g_yield(void);

/* Parks the running goroutine.  Called in exactly one critical section (crit_depth() == 1) with a P
 * (p_pin), returns in one, perhaps on another thread and P: reload m_self(), p.
 * commit runs after the context is saved, on another stack, on this thread, in a critical section:
 * it releases the lock that protects the waker's view.  commit returning false, or a g_ready
 * before it, makes the goroutine run on.  commit may be NULL. */
void g_park(bool (*commit)(struct g *g, void *arg), void *arg, enum wait_reason reason);
/* Parks after releasing lock l: the common commit. */
void g_park_unlock(struct lock *l, enum wait_reason reason);
/* Makes a waiting goroutine runnable: next on this P.  In a critical section, on a thread with a P
 * (p_pin) or without (then the global queue). */
void g_ready(struct g *g);
/* The same for many, given as a chain through sched_link. */
void g_ready_list(struct g *chain);
/* Marks it as one of the runtime's own: not counted as alive for deadlock. */
void g_set_system(struct g *g);

uint64_t g_count(void);             /* user goroutines alive */
uint64_t sched_meta_bytes(void);    /* off-heap memory of this floor's records, and those above */
uint64_t *sched_meta_counter(void); /* for higher floors to add to; atomic */
uint64_t sched_stacks_bytes(void);  /* signal stacks and system stacks that this floor mapped */
const char *wait_reason_name(enum wait_reason r);
const char *g_status_name(uint32_t s);
/* Goroutines that have been started and have not run yet: Note [Newborns] in newborn.c.  All
 * records ever made have an index below newborns_table_size; false: nobody's, or, while the world
 * runs, one that hatched meanwhile.  Any time. */
struct newborn_view {
    uint64_t goid, created_by;
    uintptr_t created_pc;
    uintptr_t lo, hi; /* its arguments: words, roots */
};
bool newborn_read(uint32_t index, struct newborn_view *out);
uint32_t newborns_table_size(void);
/* Of how many, in the stop, the arguments are roots: all, but 0 when each one is free. */
uint32_t newborns_to_scan_stw(void);

/* All records ever made, by index; NULL past the end or not yet published.  Records are never
 * freed; check g->status. */
struct g *g_at(uint32_t index);
uint32_t g_table_size(void);

/* Waiter records: off-heap, cached per P. */
struct sudog *sudog_acquire(struct g *g); /* crit, with P */
void sudog_release(struct sudog *s);      /* crit, with P; all pointers already cleared */
void sudogs_flush_stw(struct p *p);       /* gives the P's free ones back */
void dead_flush_stw(struct p *p);         /* and its dead goroutines: to the lists in stack.c */
bool sudogs_trim(void);                   /* crit: unmaps free ones; false: none is left */
uint64_t sudogs_bytes(void);              /* their memory, in sched_meta_bytes too */
uint64_t sudogs_trimmed(void);            /* bytes that sudogs_trim gave back so far */

/* ---- the machine ---------------------------------------------------------------------------- */

/* Sets up Ps and the scheduler's tables on the first thread; hooks are installed before. */
void sched_init(int nprocs);
/* Starts threads and runs fn(arg) as the main goroutine; the calling thread sleeps until
 * sched_main_done. */
void sched_run(void (*fn)(void *), void *arg, size_t stack_size);
void sched_main_done(void); /* called by the main goroutine's end: releases sched_run, parks self */

/* The monitor (monitor.c): one round of sleeping and looking after what busy Ms do not see.  Called
 * in a loop by a thread with an M of its own, set up by m_setup_thread, in one critical section. */
void sched_monitor_round(struct m *m, int64_t at_most_ns);
void sched_monitor_kick(void);  /* ends the sleep of the present round; any thread or handler */
uint64_t sched_overflows(void); /* half rings that went to the global queue so far */
uint64_t sched_retakes(void);   /* Ps taken from long computations so far */
uint64_t sched_retakes_refused(void);
/* Ps lent by blocking regions so far; taken: those that were not found again. */
uint64_t sched_lends(uint64_t *taken);
uint64_t sched_dozes(uint64_t *ended); /* Note [Lone next ones]; and how many ended for new work */

struct m *m_all(void); /* first of the list of all threads; next by m->all_next */
int m_count(void);
int m_count_idle(void);
uint32_t m_limit(void); /* what sched_set_max_threads set */
/* At most n threads are the runtime's own; returns the former number.  n < 1 only asks. */
int sched_set_max_threads(int n);
/* The process ends: nothing more is scheduled.  Any thread. */
void sched_set_exiting(void);
/* The table of Ps; p_count() of them are in use. */
struct p *p_at(int i);
/* Stops the world and makes it n Ps, 1 to MAX_PROCS; returns how many there were.  On a
 * goroutine. */
int p_set_count(int n);
/* The same, unless p_set_count was called ever before. */
void p_follow_count(int n);
bool p_count_is_fixed(void);
/* The same with the world stopped by the caller. */
void p_resize_stw(int n);

/* Calls fn(arg) on this thread's system stack, the goroutine's registers spilled and its stack
 * scannable.  Not a switch: the same goroutine goes on.  In a critical section throughout (entered
 * here). */
void call_on_system_stack(void (*fn)(void *), void *arg);

/* ---- for goroutines that mark (floor 5) ------------------------------------------------------ */

/* World stopped: from now on the scheduler asks for them (hooks.h), or no longer. */
void sched_set_mark_wanted_stw(bool wanted);
/* In a section.  Does some goroutine wait that P p could run?  Its queue to the global one. */
bool sched_others_wait(struct p *p);
void sched_give_queue_away(struct p *p);
/* In a section: there is something to mark for idle Ps. */
void sched_wake_for_marking(void);

/* ---- grey stacks (grey.c) -------------------------------------------------------------------- */

/* All stacks are grey from now on.  World stopped. */
void g_grey_all_stw(void);
/* A marker's claim: true when g waits on a grey stack that nobody scans; then it does not run
 * before g_scanned.  In a critical section, which lasts until g_scanned or g_scan_left. */
bool g_scan_claim(struct g *g);
/* The same for a stack of which a piece has been scanned, whatever g does. */
bool g_scan_claim_rest(struct g *g);
void g_scanned(struct g *g);
/* The claim is given up; g->scan_at says what is left. */
void g_scan_left(struct g *g);
/* World stopped: g, which was scanned in the stop. */
void g_scanned_stw(struct g *g);
bool g_is_scanned(const struct g *g);

/* ---- blocking ------------------------------------------------------------------------------- */

/* gort_enter_blocking: frame is the caller's frame address; own that of the public call itself, and
 * end where that frame ends: ARCH_OWN_FRAME_END(). */
void blocking_enter(void *frame, const uintptr_t *own, uintptr_t end);
void blocking_exit(void);
/* Runs fn on the system stack without a P, the caller's frame frozen.  site: what tells how long it
 * will take, as far as earlier calls with the same one do. */
void blocking_call(void (*fn)(void *), void *arg, uintptr_t site);

/* A runtime wait that may be long (the world lock, a stop in progress, a P): the thread counts as
 * stopped meanwhile.  Keeps its P.  fn waits and touches no collected memory.  In a critical
 * section, no lock held; the goroutine's registers are spilled for scanning. */
void m_wait_stoppable(void (*fn)(void *), void *arg);

/* Inside fn of m_wait_stoppable, for something that is had only until a callback returns: while
 * inner(arg) runs, the thread does not count as stopped; on return it waits on. */
void m_wait_interrupted(void (*inner)(void *), void *arg);

/* ---- foreign threads, locking --------------------------------------------------------------- */

int m_attach(void); /* 0 or errno */
void m_detach(void);
void g_lock_thread(void);
void g_unlock_thread(void);

/* ---- test modes (constant after boot) -------------------------------------------------------- */

struct sched_debug {
    uint32_t rand_yield;  /* > 0: yield at one in n gort calls that may block */
    uint32_t migrate;     /* 1: every ready goes to the global queue; 2: there is no other */
    uint32_t tiny_runq;   /* 1: run queues of 4 */
    uint32_t slice_us;    /* > 0: how long a computation may hold its P */
    uint32_t lend;        /* 1: every blocking region lends its P; 2: none does */
    uint32_t sched_trace; /* ms */
    bool mutex_check;     /* 1: mutexcheck.c */
    bool deterministic;   /* Note [One order for each seed] in sched_internal.h */
};
extern struct sched_debug sched_debug;
extern uint64_t sched_debug_yields, sched_debug_migrations; /* atomic: how often they fired */
/* Of the order of a deterministic run so far: a hash of who ran when, and how many switches. */
uint64_t sched_order(uint64_t *switches);
/* For choices that the order depends on.  In a section. */
static inline struct random *sched_random(void)
{
    struct m *m = m_self();
    return unlikely(sched_debug.deterministic) && m->p != NULL ? &m->p->random : &m->random;
}
/* Called by upper floors at the start of calls that may block: rand_yield.  Not in a section. */
void sched_maybe_yield_slow(void);
static inline void sched_maybe_yield(void)
{
    if (unlikely(sched_debug.rand_yield != 0)) sched_maybe_yield_slow();
}
/* Called at the start of a call that works for ns or so, and may switch: others have a turn, and
 * the logical clock goes on, where nobody takes the P of who works (Note [One order for each
 * seed]).  Not in a section. */
void sched_others_first_slow(int64_t ns);
static inline void sched_others_first(int64_t ns)
{
    if (unlikely(sched_debug.deterministic)) sched_others_first_slow(ns);
}

#endif
