/* What the files of the scheduler floor share: the one `sched` record and the calls between them.
 *
 * Note [Work and sleepers].  No ready goroutine may wait while a P is idle and nobody looks for
 * work.  Two sides, written as matching recipes, each with a full barrier in the middle:
 *
 *   who makes work (g_ready, g_start):        who stops looking (find_runnable):
 *     1. publish g on a queue                   1. put the P on the idle list, nspinning -= 1
 *     2. full barrier                           2. full barrier (the decrement)
 *     3. idle Ps and nobody spinning?           3. look at every queue once more;
 *        start a spinning M                        something there: take a P back, look again
 *
 * In any order of the four steps one of the two sees the other.  Who is counted in nspinning and
 * finds no P to look with makes room as carefully (m_for_work), and so does who gives up a P
 * while others look (p_hand_over in p.c).  Only one M is started at a time (the compare-and-swap of
 * nspinning from 0 to 1), and a spinning M that finds work starts the next if it was the last one
 * spinning: waking is a chain, never a herd.  test/model/sleepers.pml tries every order of
 * small cases.
 *
 * A spinning M may doze (Note [Lone next ones] in steal.c).  Then step 3 of who makes work wakes it
 * if enough waits, and nobody is started either way: the dozer looks again when its doze is over.
 *
 * Note [Who sleeps where].  Of the Ms without work at most one blocks in the poller
 * (sched.polling), bounded by the earliest timer of all Ps; the others sleep on their note, on the
 * idle list.
 *
 * Note [One order for each seed].  GORTDEBUG=deterministic=SEED makes the order in which goroutines
 * run a function of the program, its input and the seed:
 *   - one P, and no other number; so one goroutine runs at a time, until it calls gort;
 *   - one queue, the global one, from which the seed chooses who is next (global_pop_locked);
 *   - every choice is drawn from the P's random state (sched_random), whatever thread runs it;
 *   - a P is not taken from a computation, and the monitor does nothing that depends on when it
 *     looks;
 *   - the clock is logical: it moves by TURN_NS with each turn and each question for the time, and
 *     to the next timer when nobody can run (os_clock_*); so timers fire at the same place of the
 *     order;
 *   - a call that works for long and may switch lets others go first, and moves the clock
 *     (sched_others_first): who does nothing but collect would keep the P for ever, and the time
 *     would stand still;
 *   - collections stop the world, and begin by what was allocated; goroutines of the runtime that
 *     threads wake go first, draw nothing and are no part of the order.
 * Not in it: what comes from outside, by the network, blocking calls, threads of the program's own.
 * sched_order tells runs apart: a hash over the goroutines' numbers, turn by turn.
 *
 * Answers to: the comment at the head of proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_SCHED_INTERNAL_H
#define GORT_SCHED_SCHED_INTERNAL_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/print.h"
#include "base/tls.h"
#include "os/os.h"
#include "sched/hooks.h"
#include "sched/netpoll.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/stw.h"
#include "sched/timer.h"

/* Numbers that run on (dozing, scan_cycle, look_round) stand in the lower halves of their words, as
 * in other records of the runtime's data: that is searched for pointers as the program's is, and
 * one that passes 15263 in an upper half passes through the first arena's addresses. */
struct sched {
    struct lock lock; /* RANK_SCHED: everything marked SCHED here and in sched_data.h */

    /* Global run queue.  SCHED; nrunq is also read without it as a hint. */
    struct g *runq_first, *runq_last;
    uint32_t nrunq;
    uint64_t overflows; /* of rings into this queue; written under SCHED, read without */

    struct m *idle_m; /* SCHED */
    struct p *idle_p; /* SCHED */
    uint32_t nidle_m; /* SCHED */
    uint32_t nidle_p; /* atomic; written under SCHED: Note [Work and sleepers] */
    uint32_t dozing
        cache_aligned; /* futex, atomic; odd: somebody dozes, and an increment wakes it.  steal.c */
    uint32_t nspinning;  /* atomic; Ms that look for work */
    uint32_t doze_worth; /* atomic; how many must wait for a dozer to be woken.  steal.c */

    uint32_t nm cache_aligned; /* SCHED; threads ever made and not detached */
    uint32_t nactive;          /* SCHED; threads that are not asleep for want of work */
    uint32_t nattached;        /* SCHED */
    uint64_t nattaches;        /* how often a thread was attached; SCHED */
    uint32_t nmade;            /* SCHED; threads that the runtime made or is about to: none ends */
    uint32_t max_threads;      /* atomic; of those: sched_set_max_threads */
    uint32_t next_m_id;        /* SCHED */
    struct m *all_m; /* atomic; list of all, pushed at the head under SCHED, never removed */
    struct p *all_p[MAX_PROCS]; /* filled by p_resize; records are never freed */
    uint32_t procs_fixed;       /* atomic; set once: the program has chosen their number */

    uint32_t polling;   /* atomic; 1: some M blocks (or is about to) in the poller */
    int64_t poll_until; /* atomic; when it returns by itself; 0: only by an event */

    struct m *to_make;   /* atomic; Ms whose thread the maker is to create, by idle_next */
    uint32_t maker_wake; /* futex: rises to wake it; atomic */
    /* The monitor: monitor.c. */
    struct p *orphans;     /* atomic; Ps that handlers took from their threads, by idle_next */
    uint32_t monitor_wake; /* futex: rises to wake it; atomic */
    uint32_t monitor_idle; /* atomic; 1: it sleeps long because all Ps were idle */
    uint32_t ncomputing;   /* atomic; threads that run a goroutine whose P was taken */
    uint64_t retakes, retakes_refused; /* atomic; counters */
    uint64_t dozes, dozes_ended;       /* atomic; counters: steal.c */
    uint64_t lent_taken;               /* atomic; counter: Ps that did not wait for who lent them */

    int64_t clock; /* atomic; os_now a moment ago: Note [The coarse clock] in monitor.c */

    /* Read by every switch; the line is theirs. */
    uint32_t scan_cycle
        cache_aligned;    /* atomic; even: Note [No grey stack runs]; changed in stops */
    uint32_t mark_wanted; /* atomic; 1: goroutines that mark are to be found; changed in stops */
    uint32_t look_round;  /* atomic; Note [Asked to look] in proc.c */
    uint32_t exiting;     /* atomic; set once, by sched_set_exiting */
    bool forked;          /* this process is a child of fork(2); its only thread's */
    struct note main_note;

    uint64_t next_goid cache_aligned; /* atomic */
    int64_t ng;          /* atomic; user goroutines alive that no P has counted: g_count */
    uint64_t meta_bytes; /* atomic; records of this floor and of those above */
    uint64_t os_stacks; /* atomic; bytes of signal stacks, and of attached threads' system stacks */
    sigset_t mask;      /* signals blocked in threads of the runtime; constant after boot */
    uint64_t fp_controls; /* of the main goroutine when it began; constant then */
};
extern struct sched sched;

#define IS_LOWER_HALF(type, field) (offsetof(type, field) % WORD_SIZE == 0)
_Static_assert(IS_LOWER_HALF(struct sched, dozing) && IS_LOWER_HALF(struct sched, scan_cycle) &&
                   IS_LOWER_HALF(struct sched, look_round),
               "numbers that run on look like no addresses");

#define TURN_NS 1000 /* Note [One order for each seed] */

/* ---- runq.c --------------------------------------------------------------------------------- */
bool runq_overflow_slow(struct p *p, struct g *g, uint32_t head, uint32_t tail);
bool runq_empty(struct p *p);
uint32_t runq_steal(struct p *from, struct p *to, bool steal_next, struct g **out);
void global_put_locked(struct g *g);
void global_put_head_locked(struct g *g);
void global_put_chain_locked(struct g *first, struct g *last, uint32_t n);
/* n runnable ones that are linked by sched_link, the last to NULL; none is a newborn. */
void global_put_list(struct g *first, struct g *last, uint32_t n);
struct g *global_get_batch_locked(struct p *p, uint32_t max);
struct g *global_get(struct p *p);
void runq_drain_locked(struct p *p); /* all of p's goroutines to the global queue */

/* ---- sudog.c -------------------------------------------------------------------------------- */
void sudogs_init(void);

/* ---- newborn.c ------------------------------------------------------------------------------ */
void newborns_init(void);
void newborns_flush_stw(struct p *p); /* all its free ones go to where others find them */

/* ---- p.c ------------------------------------------------------------------------------------ */
/* The calling thread allocates from p's cache; p NULL, or not yet with one: from none. */
static inline void tls_use_cache_of(const struct p *p)
{
    bool some = p != NULL && p->mcache != NULL;
    arch_tls_set_cache(some ? (void *)&p->mcache->fast : (void *)(uintptr_t)&gort_cache_empty);
}
void p_acquire(struct m *m, struct p *p); /* m has none */
/* Boot: children of fork are to make no calls. */
void sched_watch_forks(void);
struct p *p_release(struct m *m);
void p_lend(struct m *m); /* Note [Lent Ps] in blocking.c; then the state is to be BLOCKING */
bool p_take_lent(struct p *p, struct m *lender); /* false: somebody else has */
/* blocking.c: a region lasts; the monitor has taken the P that lender lent for it. */
void blocking_lasts(struct m *lender);
void p_idle_put_locked(struct p *p);
struct p *p_idle_get_locked(void);
bool p_take_idle(struct m *m); /* takes any idle P */
/* A P without an M: to whoever has use for it.  Returns the M that has it now, if that one is still
 * to be woken: in state BLOCKING, for it may stop the world. */
struct m *p_hand_over(struct p *p);
void p_handoff(struct p *p);          /* both; the caller's state is RUNTIME */
void p_handoff_blocking(struct p *p); /* both; on a goroutine's stack, in a section, no lock held */

/* ---- m.c ------------------------------------------------------------------------------------ */
void m_set_state(struct m *m, enum m_state s);
/* Where calls on the system stack begin while a goroutine is current: below the suspended
 * scheduler. */
static inline uintptr_t m_system_stack(const struct m *m)
{
    return (m->sched_ctx.sp - ARCH_RED_ZONE) & ~(uintptr_t)15;
}
void m_enter_blocking_state(struct m *m);
void m_leave_blocking_state(struct m *m, enum m_state s);
void m_start(struct p *p, bool spinning); /* crit; p NULL: any idle one */
/* The same, but the M that it returns, if any, sleeps: the caller wakes it. */
struct m *m_give(struct p *p, bool spinning);
void m_wake_for_work(void); /* crit: Note [Work and sleepers], step 3 */
struct m *m_for_work(void); /* the same, but the M that it returns, if any, sleeps */
/* Wakes m, which was given a P, in state BLOCKING; then `self` is in state `then`. */
void m_wake_blocking(struct m *self, struct m *m, enum m_state then);
void m_stop(struct m *m); /* sleeps without a P until one is handed over */
struct m *m_alloc(bool attached);
void m_watch_exit(struct m *m); /* by its own thread */
/* A thread that m_start did not ask for counts in nmade. */
void m_count_made(void);
void m_not_computing(struct m *m);
void m_start_maker(void); /* before the first m_start */
void m_discard(struct m *m);
void m_setup_thread(struct m *m);
bool m_all_asleep_locked(void);
bool m_deadlocked(void); /* after that, without the lock */
_Noreturn void m_sleep_for_ever(struct m *m);

/* ---- proc.c --------------------------------------------------------------------------------- */
void m_loop(void *m); /* for ever: where it was called it is fatal that it returns */
void switch_finish(void);
void thread_state_begin(void);
void sched_find_thread_state(void);
void switch_from(struct m *m, struct g *g); /* prev_g and commit are set */
/* From g, which is dead.  Returns, true, only if g may live again and does: as another goroutine,
 * which has its stack and its turn. */
bool switch_from_dead(struct m *m, struct g *g, bool may_live_again);
void global_put(struct g *g);
void sched_ask_to_look(void);              /* Note [Asked to look] */
int64_t earliest_timer(void);              /* of all Ps; 0: none */
void ready_inject(struct ready_list *l);   /* makes all runnable; with or without a P */
void run_timers(struct p *p, int64_t now); /* those that are due, into the own queue */
/* From the first to the second the P runs goroutines: how long each takes (run_ns). */
void p_note_busy(struct p *p, int64_t now);
void p_note_idle(struct p *p, int64_t now);

/* ---- steal.c -------------------------------------------------------------------------------- */
/* A goroutine that waits for another P, or NULL.  The P may be gone then: a stop took it. */
struct g *find_far(struct m *m);
void dozer_wake_slow(void);

/* ---- monitor.c ------------------------------------------------------------------------------ */
bool retake_in_handler(struct m *m); /* true: sched_monitor_kick is to follow */
void retake_in_section(struct m *m);
struct p *orphans_take(void);
void monitor_notice(void);
void sched_look_outside(void); /* crit: at the network once, and wakes the monitor */

/* ---- g.c ------------------------------------------------------------------------------------ */
bool g_edge_is_legal(uint32_t from, uint32_t to);
/* The one setter of a goroutine's status: see the diagram in sched_data.h.  The holder of the
 * goroutine calls it; others read the word while the world is stopped, or for reports. */
static inline void g_set_status(struct g *g, enum g_status s)
{
    assert_that(g_edge_is_legal(g->status, s));
    atomic_store_relaxed(&g->status, (uint32_t)s);
}
void g_init_common(struct g *g);
/* A newborn's turn has come: makes a runnable goroutine of it, with a stack; throws when none
 * can be had.  The caller owns p.  Where p->gfree is not NULL, locks may be held. */
struct g *g_hatch(struct p *p, struct g *newborn);
/* The same on the stack of g, which has just ended there and has room for the arguments. */
void g_live_again(struct p *p, struct g *g, struct g *newborn);
/* The commit of one that has ended: on the next stack, after the last instruction on g's own. */
bool g_bury(struct g *g, void *arg);
void g_prepare(struct g *g, void (*fn)(void *), void *arg, uint64_t goid, const char *name);

static inline bool mark_is_wanted(void)
{
    return unlikely(atomic_load_relaxed(&sched.mark_wanted) != 0);
}

/* ---- grey.c --------------------------------------------------------------------------------- */
/* Has this cycle not scanned the stack yet? */
static inline bool g_is_grey(const struct g *g)
{
    return unlikely(atomic_load_acquire(&g->scanned_cycle) !=
                    atomic_load_relaxed(&sched.scan_cycle)); /* acquire pairs with g_scanned */
}
/* Scans a piece of it, or waits for whoever scans one.  true: it is black.  In a critical section
 * or state RUNTIME, on the system stack. */
bool g_blacken_some(struct g *g);
/* The same for the goroutine that m runs, from any stack: switches to the system stack. */
bool m_blacken_some(struct m *m);
/* On m itself, whose goroutine is suspended above the present frame, in a section: blackens it, and
 * stops in between when a stop comes. */
void m_blacken_own(struct m *m);
/* Note [Who scans its own]: after a piece of its own stack, the last one or another.  Both may take
 * time in state BLOCKING, and are in state `then` afterwards. */
void m_own_is_black(struct m *m, enum m_state then);
void m_between_pieces(struct m *m, enum m_state then);

/* ---- mutexcheck.c --------------------------------------------------------------------------- */
void mutexcheck_start(void);
void mutexcheck_leaves(const struct g *g);

/* ---- stw.c, preempt.c ----------------------------------------------------------------------- */
/* Nonzero: the epoch of a stop that is on.  Note [Thread states]. */
extern uint32_t world_stopping;
static inline bool world_wants_stop(void)
{
    /* Acquire pairs with world_start's release; the store side is Note [Thread states]. */
    return unlikely(atomic_load_acquire(&world_stopping) != 0);
}
/* Scheduler code without locks: stops here while a stop is on. */
void m_stop_point(struct m *m);
void m_stop_wait(struct m *m, enum m_state then);
void m_scan_own(struct m *m);
void world_note_progress(void);
/* Sleeps while that stop is on, or a little less. */
void world_sleep(uint32_t epoch);

#endif
