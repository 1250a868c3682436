/* Data of the scheduler floor: goroutines (G), threads (M), processors (P), waiters (sudog).
 * No prototypes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_SCHED_DATA_H
#define GORT_SCHED_SCHED_DATA_H

#include "arch/arch.h"
#include "base/barrier_data.h"
#include "base/config.h"
#include "base/list.h"
#include "base/random.h"
#include "gc/gc_data.h"
#include "heap/heap_data.h"
#include "sync/lock.h"
#include "sync/note.h"

struct g;
struct m;
struct p;
struct hchan;

/* Why a goroutine waits; printed by reports (names in g.c, the order is the same). */
enum wait_reason {
    WAIT_NONE,
    WAIT_CHAN_SEND,
    WAIT_CHAN_RECV,
    WAIT_CHAN_SEND_NIL,
    WAIT_CHAN_RECV_NIL,
    WAIT_SELECT,
    WAIT_SELECT_NO_CASES,
    WAIT_SLEEP,
    WAIT_MUTEX,
    WAIT_RWMUTEX_R,
    WAIT_RWMUTEX_W,
    WAIT_COND,
    WAIT_WAITGROUP,
    WAIT_SEMA,
    WAIT_ONCE,
    WAIT_IO,
    WAIT_GC_SWEEP,
    WAIT_GC_SCAVENGE,
    WAIT_GC_WORKER,
    WAIT_FINALIZER,
    WAIT_CLEANUP,
    WAIT_MAX_PROCS,
    WAIT_IDLE_SYSTEM,
    WAIT_REASONS
};

/* State machine of a goroutine.  The one setter is g_set_status (g.c); it asserts these edges:
 *
 *        g_start, g_hatch            execute (M)              g_end (M, itself)
 *   DEAD ------------> RUNNABLE ------------------> RUNNING ------------------> DEAD
 *                        ^  ^                        |  |  ^
 *        g_ready (any M) |  | g_yield (M, itself)    |  |  | blocking_exit (M, itself)
 *                        |  +------------------------+  |  |
 *                        |                              |  v
 *                        +---- WAITING <-- g_park ------+  BLOCKING  (blocking_enter)
 *                                                             | no P was free (M)
 *                              RUNNABLE <---------------------+
 *
 * What gort_go starts is RUNNABLE without a record of this kind until it runs: Note [Newborns] in
 * newborn.c.  A dead goroutine's record, on its own M, goes to RUNNING where such a one follows.
 *
 * RUNNABLE: on exactly one run queue, or in the hands of one M that will run it; context saved.
 * RUNNING: current on one M.  WAITING: its waker will find it; context saved once the waker can.
 * BLOCKING: current on an M without a P, its stack frozen above blocking_sp.
 */
enum g_status { G_DEAD, G_RUNNABLE, G_RUNNING, G_WAITING, G_BLOCKING };

/* One goroutine waiting on one object.  Off-heap: elem is a root while it waits.
 * Protected by: the lock of the object waited on, while queued; else the goroutine. */
struct sudog {
    struct g *g;
    struct sudog *next, *prev; /* on the object's queue */
    void *elem;                /* data to send from or receive into: often on g's stack */
    void *object;              /* channel or address waited on */
    struct sudog *wait_link;   /* g's list: cases of one select; free list link */
    uint32_t broadcasts;       /* of the condition, when it was queued: lang/cond.c */
    uint32_t call;             /* atomic; whether it was called: lang/cond.c */
    int32_t case_index;        /* select */
    bool is_select;            /* others may win: g->select_done decides */
    bool success;              /* woken by a partner, not by close */
    struct sudog *before;      /* in the ring of an address: lang/addrq.h */
    struct sudog_chunk *chunk; /* where it lies; NULL: in its goroutine's record; constant */
};

/* A goroutine.  The record lies at the top of its own stack slot, in the page that the goroutine
 * touches anyway.  Records are never unmapped and are reused, so a stale pointer stays readable.
 * "own": only the M that runs it, or whoever holds it while it is not running.
 *
 * Of many goroutines none is in the cache when its turn comes, and each line is a miss: so what a
 * switch to it reads is the first line, and what its start writes are the first four. */
struct g {
    struct arch_context ctx; /* valid unless RUNNING; own */
    uintptr_t stack_hi;      /* the first frame starts here; constant */
    struct m *locked_m;      /* NULL: any M may run it */
    void *defers;            /* floor 7, as tries below; at GORT_G_DEFERS, inlined code stores it */
    /* Collector: Note [No grey stack runs] in grey.c.  sched.scan_cycle when the scan of this stack
     * was complete, or one less while somebody scans.  atomic. */
    uint32_t scanned_cycle;
    uint32_t status;     /* enum g_status; atomic, see the diagram */
    struct m *m;         /* runs it now; own */
    uint64_t goid;       /* never reused; own */
    int saved_errno;     /* while not running */
    uint8_t wait_reason; /* enum wait_reason; own */
    bool is_system;      /* one of the runtime's own: not counted, not a deadlock's victim */
    bool no_objects;     /* of a system goroutine: its stack is not scanned; constant */
    bool yields_itself;  /* of a system goroutine: Note [Retaking a P] in monitor.c; constant */

    /* The second line. */
    struct g *sched_link;  /* on a run queue or free list; that list's lock */
    struct g *sched_ahead; /* a hint: one further on the global queue; as sched_link */
    void *wake_param;      /* the waker's message, e.g. the sudog chosen; set before g_ready */
    int64_t wait_since;    /* about os_now when it parked, for reports; atomic; own */
    struct sudog *waiting; /* records it is queued with: roots, and reports name the objects */
    void (*fn)(void *);
    void *arg;
    uint32_t select_done; /* atomic: compare-and-swap 0 -> 1 decides which case of a select won */
    bool is_attached;     /* stands for a foreign thread */
    bool in_blocking;     /* BLOCKING through gort_enter_blocking, for misuse reports */
    bool leak_told;       /* reported by GORTDEBUG=goleaks; the holder of the cycle's semaphore */
    bool assist_exempt;   /* it owes nothing: gort_set_assist_exempt; own */

    /* The third.  Floor 7: what is tried and panics; the innermost first.  Opaque here. */
    void *tries;
    void *context; /* a root, as defers, locals and caught */
    void *locals;
    void *caught;         /* the value of the panic that was caught last */
    uintptr_t caught_pc;  /* where that was raised */
    uintptr_t created_pc; /* return address of the gort_go call */
    uint64_t created_by;  /* goid */
    uint32_t locked;      /* gort_lock_thread depth */
    uint32_t slot_class;  /* stack size class; constant */

    /* The fourth. */
    void *asan_fake_stack;
    uintptr_t stack_lo;       /* lowest usable byte, above the guard; constant */
    uintptr_t cxa_globals[2]; /* C++: its __cxa_get_globals, while not running */
    char name[32];            /* empty: none */

    struct sudog sudog0; /* its first waiter record */
    bool sudog0_used;

    int64_t assist_credit; /* bytes that it may allocate while marking; below 0: it owes; own */
    uint32_t assist_cycle; /* the cycle that this is about; own */
    /* Where the rest of this stack begins, which is yet to be scanned; 0: all of it, or nothing.
     * atomic; the holder of the claim, or the stopper. */
    uintptr_t scan_at;
    struct lfnode scan_link; /* among the stacks that have a rest: gc/stackroots.c */
    uint32_t scan_listed; /* atomic; 1: it is there, or about to be; 0 again by who took it off */

    /* Blocking region: what the collector scans instead of the live registers and frame. */
    uintptr_t blocking_sp;    /* stack above it is frozen ... */
    struct {                  /* where the region began, for traces: */
        uintptr_t pc, sp, fp; /* registers after the call that entered it */
    } blocking_at;
    void *blocking_frame; /* ... but for the youngest frame: a copy, off-heap */
    size_t blocking_frame_size, blocking_frame_capacity;

    void *race_fiber; /* ThreadSanitizer's: sanitize.h; constant while it lives */
    /* mutexcheck.c: pthread mutexes that it holds; 0 at its end.  Own. */
    uint32_t mutexes_held;
    uintptr_t mutex_locked_at;
    uint32_t index; /* place in the table of all goroutines; constant */
};
_Static_assert(offsetof(struct g, sched_link) == CACHE_LINE &&
                   offsetof(struct g, tries) == 2 * CACHE_LINE &&
                   offsetof(struct g, asan_fake_stack) == 3 * CACHE_LINE &&
                   offsetof(struct g, sudog0) == 4 * CACHE_LINE,
               "the lines that the comment names");

/* State word of a thread: Note [Thread states] in stw.c. */
enum m_state {
    M_BLOCKING, /* touches no collected memory, no P's data: idle, or inside a blocking region */
    M_RUNTIME,  /* scheduler code on the system stack, a critical section throughout */
    M_USER,     /* runs a goroutine; outside critical sections it may be stopped anywhere */
    M_STOPPED,  /* waits for the end of the stop whose epoch it acknowledged */
};

#define M_TLS_RANGES 64

struct m {
    uint32_t state;    /* enum m_state; atomic: own thread, by m_set_state */
    uint32_t stop_ack; /* epoch of the last stop it acknowledged; atomic, own thread */
    int tid;           /* kernel's number; constant after start */
    uint32_t id;
    struct g *curg;                /* own; read by others while stopped */
    struct p *p;                   /* NULL: none.  own; by others while stopped */
    struct p *next_p;              /* handed over by the waker before note_wake */
    struct arch_context sched_ctx; /* the scheduler loop on the system stack, while curg runs */
    uintptr_t sys_lo, sys_hi;      /* system stack */
    struct note park;              /* idle sleep, or a locked thread's wait for its goroutine */
    struct m *all_next;            /* list of all Ms; constant once published */
    struct m *idle_next;           /* SCHED; in adopt_orphans: its own, the M is on no list */
    bool spinning;                 /* counted in sched.nspinning; own */
    bool keeps_looking;            /* find_far wants to be called again; own */
    int32_t doze_ns;               /* how long it dozes next, 0: it did not lately; own */
    bool attached;                 /* a foreign thread: releases its P at the end of each call */
    bool dead;                     /* detached: the record waits for reuse; SCHED */
    uint64_t retake_run;   /* atomic; the monitor asks for the P if its gs_run is still this */
    bool computing;        /* its P was taken from a running goroutine; own, the monitor peeks */
    struct p *lent;        /* while it blocks: the P that it may find again; own */
    uint32_t regions;      /* how often it blocked; own */
    uintptr_t region_site; /* atomic; where it does now; own, the monitor reads it */
    int64_t region_began;  /* 0: nobody asks how long it lasts; own */
    struct g *locked_g;    /* the only goroutine it may run; own */
    void *asan_fake_stack; /* of the system stack, while curg runs */
    void *race_fiber;      /* ThreadSanitizer's, of the system stack; constant once it runs */

    /* What to do for the goroutine that has just been switched away from; commit NULL: nothing. */
    struct g *prev_g;
    bool (*commit)(struct g *g, void *arg);
    void *commit_arg;

    /* Where curg's live data is while this thread is not executing it: read by a stopper. */
    void *stop_frame;        /* ucontext when stopped in the handler, else NULL */
    uintptr_t stop_sp;       /* else curg's stack pointer, its registers spilled above it */
    uintptr_t stop_pc;       /* diagnostics */
    uint32_t on_system;      /* depth of call_on_system_stack; own */
    enum m_state waits_from; /* its state before m_wait_stoppable; own */

    /* The monitor's, while many go without a P: its last two looks at the CPU clock, 0: none; what
     * that had come to at the last one, and whether the thread slept in between. */
    int64_t looked_from, looked_at, cpu_seen;
    bool slept;

    struct random random;
    void *sigstack;
    size_t sigstack_size;
    void *former_sigstack; /* an attached thread's own, given back on detach; own */
    size_t former_sigstack_size;
    uint64_t stops_deferred;       /* counters for tests: a stop met a critical section ... */
    uint64_t ranges_rolled;        /* ... or a restartable range */
    uint64_t outer_rolled;         /* ... of those, below a handler of the program */
    uint64_t outer_searched;       /* bytes of its stacks that were searched for those */
    struct barrier_buffer barrier; /* used by barriers without a P; own */

    /* Thread-local storage of this thread that may hold collected pointers: roots.  Found by the
     * thread_start hook on the thread itself, and then in each first stop: Note [Ranges of a
     * thread] in gc/threadlocals.c.  ntls, thread: atomic; 0 until all is filled in. */
    struct thread_range {
        uintptr_t lo, hi;
        uintptr_t number, generation; /* of the library, as the loader counts */
    } tls[M_TLS_RANGES];
    const char *tls_vector;    /* the loader's notes of it, when last seen; the stopper */
    uintptr_t tls_vector_size; /* likewise */
    uint64_t tls_known; /* list of libraries for which tls is final, 0: of none; the stopper */
    uintptr_t thread;   /* pthread_self of it */
    uint32_t ntls;
};

#define RUNQ_SIZE 256

/* IDLE: on the idle list.  RUNNING: some M's p.  HANDED: some M's next_p,
 * that M is to be woken; or an orphan.  LENT: Note [Lent Ps] in blocking.c. */
enum p_status { P_IDLE, P_RUNNING, P_HANDED, P_DEAD, P_LENT };

struct ready_list;

struct timer {
    int64_t when;
    /* Appends goroutines to wake; calls nobody else.  The heap's lock is held, unless the timer is
     * late: Note [Late timers] in timer.c. */
    void (*fn)(struct timer *t, struct ready_list *ready);
    void *arg;
    struct p *p;        /* whose heap it is in, NULL: none; that heap's lock */
    struct timer *link; /* fired late ones; who fires */
    uint32_t index;     /* place in the heap */
    uint8_t state;      /* timer.c */
    bool late;          /* constant while it waits */
};

struct timer_heap {
    struct lock lock;
    struct timer **a; /* 4-ary heap, off-heap memory; lock */
    uint32_t n, capacity;
    int64_t first; /* when of a[0], 0: empty; atomic: written under lock, read by any M */
};

/* A processor: the right to run goroutines, and what that needs without locks.
 * "owner": the M whose m->p it is, in a critical section; the stopper while the world is
 * stopped. */
struct p {
    uint32_t id;
    uint32_t status;              /* enum p_status; owner or SCHED */
    struct m *m;                  /* atomic; owner, the monitor peeks */
    struct p *idle_next;          /* SCHED */
    uint32_t next_streak;         /* owner; goroutines taken from run_next in a row */
    uint32_t looked;              /* owner; sched.look_round when it last looked around */
    uint64_t goid_next, goid_end; /* owner; a batch of goroutine numbers */
    struct random random;         /* owner */

    /* Run queue: Note [Run queue] in runq.c. */
    uint32_t runq_head cache_aligned; /* atomic; consumers, thieves included */
    uint32_t runq_tail;               /* atomic; owner writes */
    struct g *run_next;               /* atomic; runs before the queue; may be stolen */
    struct g *runq[RUNQ_SIZE];

    struct mcache *mcache cache_aligned; /* owner */
    struct gcwork gcwork;                /* owner */
    struct g *gfree, *gfree_last;        /* dead goroutines with their stacks; owner */
    uint32_t ngfree;
    int64_t ng; /* user goroutines made here, less those that ended here; atomic; owner writes */
    struct newborn *newborn_free; /* owner, as the number of them */
    uint32_t nnewborn_free;
    struct sudog *sudog_free; /* owner */
    uint32_t nsudog_free;
    struct timer_heap timers;
    uint64_t steals, steal_tries; /* counters; owner */
    uint64_t gs_run;              /* goroutines run; owner, the monitor reads it */
    uint64_t global_run;          /* gs_run when the global queue last came first; owner */
    /* How long goroutines run here: whether more of them are worth a thread.  Owner. */
    int64_t busy_since;            /* when the P was last idle */
    uint64_t busy_run;             /* gs_run then */
    int64_t run_ns;                /* moving average of a run, 0: unknown */
    struct barrier_buffer barrier; /* owner */
    struct limiter_event limiter_event;

    /* Note [Lent Ps] in blocking.c. */
    struct m *lender; /* atomic; NULL: it is not lent, or was taken; who has the P sets it */
    uint64_t lends;   /* atomic; how often it was lent; owner */
};

#endif
