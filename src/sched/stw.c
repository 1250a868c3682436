/* Stop-the-world.
 *
 * Note [Thread states].  What must stop is not Ps but threads: every thread that may touch
 * collected memory, with or without a P.  Each has one atomic state:
 *
 *                     execute (itself)                  handler, crit_exit (itself)
 *       RUNTIME ------------------------->  USER  ------------------------------> STOPPED
 *        ^   |  <-------------------------   |  <------------------------------     |
 *        |   |     switch_from (itself)      |      end of the stop (itself)        |
 *        |   |                               | blocking_enter,                      |
 *        |   | m_stop, poller                | m_wait_stoppable                     |
 *        |   v                               v                                      |
 *        +- BLOCKING <-----------------------+         m_stop_point: RUNTIME -------+
 *
 *   USER: runs a goroutine; a signal stops it at any instruction outside critical sections, and a
 *     section's end stops it otherwise.
 *   RUNTIME: scheduler code; stops itself at m_stop_point, or blocks; signalled only in a stop
 *     without a membarrier.
 *   BLOCKING: touches no collected memory and no P's data; need not stop.
 *   STOPPED: waits on world_stopping; has acknowledged its epoch.
 *
 * Not drawn:
 *   STOPPED -> RUNTIME -> USER: the stop is over, and the stack of the goroutine that the thread
 *     was stopped in is still grey: the thread scans it in RUNTIME (m_scan_own).
 *   USER -> BLOCKING -> RUNTIME -> USER: in the stop signal's handler, which is in BLOCKING while
 *     it wakes the monitor, or searches a large stack (retake, settle_outer_frames in preempt.c);
 *     in RUNTIME a grey stack is scanned, as above.
 *   RUNTIME -> BLOCKING -> RUNTIME: who wakes others (Note [Who is woken may stop the world] in
 *     monitor.c); also while a grey stack is scanned.
 *   BLOCKING -> USER: a region, or a wait that was begun in USER, ends.
 * The first two enter USER by an exchange, and then look at world_stopping.
 *
 * The stopper stores the epoch into world_stopping, and, where several threads are in RUNTIME,
 * executes a membarrier; then it looks at each state.  The threads' sides:
 *
 *   entering USER from RUNTIME:    1. state = USER (plain)     2. world_stopping set? mark pending
 *   leaving BLOCKING:              1. exchange state           2. world_stopping set? back, sleep
 *   entering BLOCKING:             1. exchange state           2. world_stopping set? tell stopper
 *
 * The membarrier is the full barrier between 1 and 2 of the first recipe, run by the stopper on the
 * thread's behalf: either the thread's look sees the epoch, or the stopper's look sees USER and
 * signals.  The exchanges of the other two are full barriers themselves.
 *
 * Without membarrier the stopper signals RUNTIME threads too: their handler marks the stop as
 * pending, and the section that follows ends with it.  That is enough by itself: who is seen in
 * USER or RUNTIME is signalled, whatever its state is by then; who is seen in BLOCKING or STOPPED,
 * or is not on the list yet, comes out by an exchange, and looks behind the stopper's fence.  Those
 * in USER are signalled either way, and a membarrier interrupts each CPU that runs the program, on
 * virtual ones for tens of microseconds.  So it is executed only where it spares more signals than
 * SIGNALLED_IN_RUNTIME.  A count that is old costs time only.
 *
 * Note [Who sleeps over a stop].  The end of a stop wakes nobody where nobody sleeps.  Who will
 * sleep counts itself in world.asleep, and then compares the word (the kernel does); the stopper
 * changes the word, and then looks at the count.  All four are sequentially consistent: either the
 * sleeper finds the word changed, or the stopper finds it counted.
 *
 * A signal can be lost to what the program does with it: an action that ignores it for a moment, a
 * debugger.  So the stopper asks again, every REPEAT_NS in which nobody stopped, whoever is in USER
 * still.
 *
 * Note [All Ps are stopped].  That all threads have stopped must mean that nobody uses a P: the
 * collector flushes their caches.  So each stop counts them: a P is with the stopper, with a thread
 * that has stopped, on the idle list, lent by a thread that blocks, or handed over to a thread that
 * has not taken it yet.  A P with a thread that runs, or one that is nowhere, is a fault of the
 * runtime, and fatal.  A thread that leaves BLOCKING looks as if it ran for the moment until it has
 * seen the stop: it is waited for.
 *
 * A stopper must not wait for a thread that waits for it: stoppers are serialised by a futex word
 * that they wait for in state BLOCKING (m_wait_stoppable), and hold no runtime lock.
 *
 * While the world is stopped a stopped thread may hold any lock of libc: the stopper makes raw
 * system calls only (DESIGN 4, rule 8).
 *
 * Note [Stops beside the sanitizer].  ThreadSanitizer has locks of its own, and the runtime's
 * sections call it: they make fibers and name them.  A thread stopped while it holds such a lock
 * keeps a section from its end, and the stop from its end.  Most are let go on: the handler sees
 * that they are in the sanitizer's code (Note [Inside the sanitizer] in base/race.h).  A thread that
 * prints a report is in libc; it may also wait for the loader's lock, which the stopper of a cycle
 * holds; and with clang the sanitizer's code is not known.  So there a stop that is not complete
 * after RACE_PATIENCE_NS is given up: all go on, the stopper lets go of the loader, and asks again.
 * That ends, for the sanitizer's locks are held for a time and not for ever.  It has no place in
 * programs without the sanitizer, where each thread is certain to stop: there is nothing to give up.
 *
 * Memory order: world_start's release of world_stopping pairs with the acquire in m_stop_wait: a
 * thread that goes on sees all that was done meanwhile.  The release of m->state = STOPPED pairs
 * with the stopper's acquire: it sees all that the thread did before.
 *
 * Rejected: counting Ps as Go does (a C thread can run user code without a P); a safepoint poll in
 * user code (there is no compiler to insert it).
 *
 * Answers to: stopTheWorldWithSema, startTheWorldWithSema in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/race.h"
#include "base/unscanned.h"
#include "os/os.h"
#include "sched/sched_internal.h"

#define SPIN_ROUNDS 200                    /* pauses before sleeping for acknowledgements */
#define SIGNALLED_IN_RUNTIME 1             /* threads in RUNTIME that a stop signals */
#define SLOW_STOP_NS ((int64_t)1000000000) /* a thread that takes longer is reported */
#define RACE_PATIENCE_NS ((int64_t)20000000)
#define RACE_PAUSE_NS ((int64_t)1000000)   /* after a stop was given up */
#define FREEZE_LOOK_NS ((int64_t)10000000) /* between looks of who can not wait for ever */
/* After so long without progress all are asked again.  Before the kernel's next event: so it
 * sets the clock anew at both ends of the sleep, some 25 us on virtual processors (decision
 * 0002). */
#define REPEAT_NS ((int64_t)100000)
/* How long a thread that has no business running may seem to: in USER, and in RUNTIME, where it is
 * on its way back already, and only kept from it, by a page fault or a debugger for one. */
#define CHECK_USER_NS ((int64_t)2000000000)
#define CHECK_RUNTIME_NS ((int64_t)60000000000)
#define CHECK_LOOK_NS ((int64_t)1000000) /* between looks */

uint32_t world_stopping cache_aligned; /* atomic; the stopper; a futex word */

static struct {
    uint32_t epoch;    /* number of the last stop; the holder of sema; a lower half: struct sched */
    uint32_t sema;     /* futex: 0 free, 1 taken, 2 taken and waited for; atomic */
    uint32_t progress; /* futex: rises when a thread stopped or blocked; atomic */
    uint32_t sleeping; /* the stopper sleeps on progress; atomic */
    uint32_t asleep;   /* threads that sleep on world_stopping, or are about to; atomic */
    struct m *stopper; /* the holder of sema, while the world is stopped */
    bool barrier;      /* none enters USER unseen, by this stop's membarrier; the holder of sema */
    enum stop_reason reason; /* of the present stop, */
    int64_t begin, stopped;  /* its times; the holder of sema */
    uint64_t counts[STOP_REASONS];
    uint64_t ns[STOP_REASONS]; /* like counts: the holder of sema, read as statistics */
    uint64_t repeats;          /* signals sent again; likewise */
} world;
UNSCANNED(world); /* times look like addresses */
_Static_assert(IS_LOWER_HALF(__typeof__(world), epoch), "it looks like no address");

const char *stop_reason_name(enum stop_reason r)
{
    static const char *const names[STOP_REASONS] = {
        "gc mark",    "gc termination", "change of the number of Ps",
        "statistics", "free memory",    "settings of the collector",
        "test"
    };
    return r < STOP_REASONS ? names[r] : "unknown";
}

bool world_is_stopped(void)
{
    return atomic_load_relaxed(&world.stopper) != NULL; /* racy but for the stopper itself */
}

uint64_t world_stop_count(enum stop_reason r)
{
    return atomic_load_relaxed(&world.counts[r]); /* a statistic */
}

void world_read_stops(enum stop_reason r, struct stop_counts *out)
{
    out->stops = world_stop_count(r);
    out->ns = atomic_load_relaxed(&world.ns[r]);
}

uint64_t world_stop_repeats(void)
{
    return atomic_load_relaxed(&world.repeats); /* a statistic */
}

/* ---- the stopped side ------------------------------------------------------------------------ */

/* A state changed in a way that a stopper may be waiting for. */
void world_note_progress(void)
{
    atomic_fetch_add_seq(&world.progress, 1);
    if (atomic_load_seq(&world.sleeping)) os_futex_wake(&world.progress, 1);
}

void world_sleep(uint32_t epoch)
{
    atomic_fetch_add_seq(&world.asleep, 1); /* Note [Who sleeps over a stop] */
    os_futex_wait(&world_stopping, epoch, -1);
    atomic_fetch_sub_seq(&world.asleep, 1);
}

/* Stopped until that stop is over. */
static void wait_stopped(struct m *m, uint32_t epoch)
{
    atomic_store_relaxed(&m->stop_ack, epoch);
    atomic_exchange_seq(&m->state, (uint32_t)M_STOPPED); /* releases: Memory order above */
    world_note_progress();
    while (atomic_load_acquire(&world_stopping) == epoch) /* pairs with world_start */
        world_sleep(epoch);
}

/* The goroutine that this thread was stopped in does not go on before its stack is scanned: Note
 * [No grey stack runs].  Meanwhile the thread counts as running; a stop waits for a piece of it. */
void m_scan_own(struct m *m)
{
    while (m->curg != NULL && g_is_grey(m->curg)) {
        atomic_exchange_seq(&m->state, (uint32_t)M_RUNTIME);
        arch_crit_enter();
        bool black = m_blacken_some(m);
        if (black)
            m_own_is_black(m, M_RUNTIME);
        else
            m_between_pieces(m, M_RUNTIME);
        (void)arch_crit_leave(); /* the handler of another stop could not run: this is its loop */
        uint32_t epoch = atomic_load_acquire(&world_stopping); /* pairs with world_start */
        if (!black && epoch != 0) wait_stopped(m, epoch);
    }
}

/* Waits until no stop is on, then is in state `then`.  Where curg's data is has been recorded. */
void m_stop_wait(struct m *m, enum m_state then)
{
    uint32_t epoch;
    while ((epoch = atomic_load_acquire(&world_stopping)) != 0) { /* pairs with world_start */
        wait_stopped(m, epoch);
        m_scan_own(m);
        atomic_exchange_seq(&m->state, (uint32_t)then);
    }
    /* The stop may have taken the P away. */
    tls_use_cache_of(m->p);
}

void m_stop_point(struct m *m)
{
    m_stop_wait(m, M_RUNTIME);
}

static void stop_here(void *arg)
{
    m_stop_wait(arg, M_USER);
}

/* The outermost section ended and a stop arrived meanwhile. */
never_inline void crit_exit_slow(void)
{
    arch_crit_enter();
    arch_crit_clear_pending();
    struct m *m = m_self();
    if (m != NULL && m->curg != NULL && world_wants_stop()) {
        m->stop_frame = NULL;
        m->stop_pc = (uintptr_t)__builtin_return_address(0);
        arch_call_spilled(stop_here, m, &m->stop_sp);
    }
    if (m != NULL && atomic_load_relaxed(&m->retake_run) != 0) retake_in_section(m);
    crit_exit(); /* a new stop may have come: not deep, each round waits for one stop */
}

/* ---- the stopper's side ---------------------------------------------------------------------- */

static void sema_wait(void *arg)
{
    (void)arg;
    while (atomic_exchange_acqrel(&world.sema, 2u) != 0)
        os_futex_wait(&world.sema, 2, -1);
}

static void sema_take(void)
{
    uint32_t free_word = 0;
    if (!atomic_cas_acqrel(&world.sema, &free_word, 1)) m_wait_stoppable(sema_wait, NULL);
}

static void sema_give(void)
{
    if (atomic_exchange_acqrel(&world.sema, 0u) == 2) os_futex_wake(&world.sema, 1);
}

static bool m_is_stopped(struct m *m)
{
    uint32_t s = atomic_load_seq(&m->state);
    return s == M_BLOCKING || (s == M_STOPPED && atomic_load_relaxed(&m->stop_ack) == world.epoch);
}

static uint32_t signal_all(struct m *self)
{
    uint32_t n = 0;
    for (struct m *m = m_all(); m != NULL; m = m->all_next) {
        if (m == self) continue;
        uint32_t s = atomic_load_seq(&m->state);
        if (s != M_USER && (world.barrier || s != M_RUNTIME)) continue;
        os_thread_kill(m->tid, preempt_signal());
        n++;
    }
    return n;
}

static void signal_again(struct m *self)
{
    atomic_store_relaxed(&world.repeats, world.repeats + signal_all(self));
}

static struct m *first_running(struct m *self)
{
    for (struct m *m = m_all(); m != NULL; m = m->all_next)
        if (m != self && !m_is_stopped(m)) return m;
    return NULL;
}

/* false: they have not at `until`, if that is not 0. */
static bool wait_for_all(struct m *self, int64_t until)
{
    int64_t deadline = os_now() + SLOW_STOP_NS;
    bool reported = until != 0;
    for (unsigned round = 0;; round++) {
        uint32_t seen = atomic_load_seq(&world.progress);
        struct m *m = first_running(self);
        if (m == NULL) return true;
        if (until != 0 && os_now() > until) return false;
        if (round < SPIN_ROUNDS) {
            arch_pause();
            continue;
        }
        if (!reported && os_now() > deadline) {
            reported = true;
            sched_hooks.stop_slow(m, m->stop_pc);
        }
        atomic_store_seq(&world.sleeping, 1u);
        bool progress = os_futex_wait(&world.progress, seen, REPEAT_NS);
        atomic_store_seq(&world.sleeping, 0u);
        if (!progress) signal_again(self);
    }
}

static bool many_in_runtime(struct m *self)
{
    uint32_t n = 0;
    for (struct m *m = m_all(); m != NULL; m = m->all_next)
        n += m != self && atomic_load_seq(&m->state) == M_RUNTIME;
    return n > SIGNALLED_IN_RUNTIME;
}

/* The epoch of a new stop; the holder of sema. */
static void world_ask(struct m *self, struct stop_result *out)
{
    world.epoch++;
    if (world.epoch == 0) world.epoch = 1;
    atomic_store_seq(&world_stopping, world.epoch);
    atomic_fence_seq(); /* the list of threads is read behind it too */
    world.barrier = many_in_runtime(self) && os_membarrier();
    out->signals = signal_all(self);
}

/* For a report of a process that ends: another stop may hang, or a thread may be beyond
 * stopping. */
bool world_freeze(int64_t patience_ns)
{
    int64_t until = os_now() + patience_ns;
    struct stop_result ignored;
    uint32_t free_word = 0;
    for (; !atomic_cas_acqrel(&world.sema, &free_word, 2); free_word = 0) {
        if (os_now() > until) return false;
        os_futex_wait(&world.sema, free_word, FREEZE_LOOK_NS);
    }
    world_ask(m_self(), &ignored);
    return wait_for_all(m_self(), until);
}

static bool stays_stopped(struct m *m)
{
    int64_t begin = 0;
    for (unsigned round = 0; !m_is_stopped(m); round++) {
        uint32_t seen = atomic_load_seq(&world.progress);
        if (round < SPIN_ROUNDS) {
            arch_pause();
            continue;
        }
        int64_t now = os_now();
        if (begin == 0) begin = now;
        if (now - begin >
            (atomic_load_relaxed(&m->state) == M_USER ? CHECK_USER_NS : CHECK_RUNTIME_NS))
            return false;
        os_futex_wait(&world.progress, seen, CHECK_LOOK_NS);
    }
    return true;
}

_Noreturn static cold_path void not_stopped(const struct p *p)
{
    const struct m *m = p->m;
    throw_fmt("stop-the-world: processor %u is not stopped: status %u, thread %d in state %u",
              p->id, p->status, m != NULL ? m->tid : 0, m != NULL ? m->state : 0);
}

/* Ps that were handed over and not yet taken. */
static uint32_t count_handed(void)
{
    uint32_t n = 0;
    for (struct p *p = atomic_load_relaxed(&sched.orphans); p != NULL; p = p->idle_next)
        n++;
    for (struct m *m = m_all(); m != NULL; m = m->all_next)
        if (m->next_p != NULL) n++;
    return n;
}

/* Note [All Ps are stopped]. */
void world_check_stw(void)
{
    uint32_t idle = 0, handed = 0;
    for (int i = 0; i < p_count(); i++) {
        struct p *p = sched.all_p[i];
        bool has_m = p->status == P_RUNNING;
        struct m *lender = atomic_load_acquire(&p->lender); /* pairs with p_lend */
        if ((p->m != NULL) != has_m || p->status == P_DEAD) not_stopped(p);
        if ((lender != NULL) != (p->status == P_LENT)) not_stopped(p);
        if (has_m && p->m != m_self() && !stays_stopped(p->m)) not_stopped(p);
        if (lender != NULL && !stays_stopped(lender)) not_stopped(p);
        idle += p->status == P_IDLE;
        handed += p->status == P_HANDED;
    }
    if (idle != sched.nidle_p || (handed != 0 && handed != count_handed()))
        throw_fmt("stop-the-world: of %d processors %u are idle and %u handed over, not %u and %u",
                  p_count(), idle, handed, sched.nidle_p, count_handed());
}

/* All go on, and the next may stop them. */
static void let_go(void)
{
    atomic_store_relaxed(&world.stopper, NULL);
    atomic_store_seq(&world_stopping, 0u); /* releases: pairs with m_stop_wait */
    if (atomic_load_seq(&world.asleep) != 0) os_futex_wake(&world_stopping, INT32_MAX);
    sema_give();
    if (m_self() == NULL) return;
    sched_look_outside();
    /* Threads may have blocked with work left to look for. */
    m_wake_for_work();
}

static cold_path bool give_up(void)
{
    uint32_t never = 0; /* a futex word that nobody wakes */
    let_go();
    os_futex_wait(&never, 0, RACE_PAUSE_NS);
    return false;
}

bool world_try_stop(enum stop_reason r, struct stop_result *out)
{
    struct m *self = m_self();
    if (!lock_none_held()) throw_msg("stop-the-world with a lock held");
    if (self != NULL && self->curg != NULL && self->on_system == 0)
        throw_msg("stop-the-world on a goroutine's stack");
    struct stop_result ignored;
    if (out == NULL) out = &ignored;
    sema_take();
    out->begin = os_now();
    world_ask(self, out);
    if (!wait_for_all(self, race_on ? out->begin + RACE_PATIENCE_NS : 0)) return give_up();
    atomic_store_relaxed(&world.stopper, self);
    atomic_store_relaxed(&world.counts[r], world.counts[r] + 1);
    out->stopped = os_now();
    world.reason = r;
    world.begin = out->begin;
    world.stopped = out->stopped;
    world_check_stw();
    sched_hooks.world_stopped();
    return true;
}

void world_stop(enum stop_reason r, struct stop_result *out)
{
    while (!world_try_stop(r, out))
        ;
}

/* Before anybody goes on: who reads statistics finds each stop that is over in all of them. */
static void count_stop(void)
{
    enum stop_reason r = world.reason;
    uint64_t ns = (uint64_t)(os_now() - world.begin);
    atomic_store_relaxed(&world.ns[r], world.ns[r] + ns);
    sched_hooks.stop_over(r, ns, (uint64_t)(world.stopped - world.begin));
}

void world_start(void)
{
    assert_that(world_is_stopped());
    sched_hooks.world_starting();
    count_stop();
    let_go();
}

/* ---- what stopped goroutines hold ------------------------------------------------------------ */

static int add_range(struct scan_range out[G_RANGES], int n, uintptr_t lo, uintptr_t hi)
{
    lo &= ~(uintptr_t)(WORD_SIZE - 1);
    if (hi <= lo) return n;
    assert_that(n < G_RANGES);
    out[n].lo = lo;
    out[n].hi = hi & ~(uintptr_t)(WORD_SIZE - 1);
    return n + 1;
}

/* The stack from sp - zone up, or all of it when sp lies elsewhere (another stack is in use). */
static int add_stack(struct g *g, struct scan_range out[G_RANGES], int n, uintptr_t sp,
                     uintptr_t zone)
{
    uintptr_t lo = g->stack_lo;
    if (sp >= g->stack_lo && sp < g->stack_hi && sp - zone > lo) lo = sp - zone;
    return add_range(out, n, lo, g->stack_hi);
}

static int add_running(struct g *g, struct scan_range out[G_RANGES], int n)
{
    struct m *m = g->m;
    if (m->stop_frame == NULL) return add_stack(g, out, n, m->stop_sp, ARCH_RED_ZONE);
    struct arch_range regs[2];
    int k = arch_frame_registers(m->stop_frame, regs);
    for (int i = 0; i < k; i++)
        n = add_range(out, n, regs[i].lo, regs[i].hi);
    /* Stopped inside a handler of the program's on the alternate stack, ours or one that the
     * program set: the goroutine's registers are in that handler's frame, further up on the same
     * stack. */
    uintptr_t sp = arch_frame_sp(m->stop_frame), lo, hi;
    arch_frame_sigstack(m->stop_frame, &lo, &hi);
    if (sp < lo || sp >= hi) {
        lo = (uintptr_t)m->sigstack;
        hi = lo + m->sigstack_size;
    }
    if (sp >= lo && sp < hi)
        n = add_range(out, n, sp - ARCH_RED_ZONE > lo ? sp - ARCH_RED_ZONE : lo, hi);
    return add_stack(g, out, n, sp, ARCH_RED_ZONE);
}

int g_scan_ranges_stw(struct g *g, struct scan_range out[G_RANGES])
{
    int n = 0;
    switch (g->status) {
    case G_DEAD:
        return 0;
    case G_RUNNABLE:
    case G_WAITING:
        /* Suspended by a call, so the red zone is dead: what is there would keep garbage for as
         * long as the goroutine waits. */
        n = add_stack(g, out, n, g->ctx.sp, 0);
        break;
    case G_RUNNING:
        n = add_running(g, out, n);
        break;
    case G_BLOCKING:
        n = add_stack(g, out, n, g->blocking_sp, ARCH_RED_ZONE);
        n = add_range(out, n, (uintptr_t)g->blocking_frame,
                      (uintptr_t)g->blocking_frame + g->blocking_frame_size);
        break;
    default:
        throw_fmt("goroutine %lu has status %u", (unsigned long)g->goid, g->status);
    }
    return n;
}

bool g_resume_point_stw(struct g *g, struct g_resume_point *out)
{
    out->ucontext = NULL;
    out->pc = out->fp = 0;
    switch (g->status) {
    case G_RUNNABLE:
    case G_WAITING:
        out->sp = g->ctx.sp;
        return true;
    case G_RUNNING:
        out->ucontext = g->m->stop_frame;
        if (out->ucontext != NULL) {
            out->pc = arch_frame_pc(out->ucontext);
            out->sp = arch_frame_sp(out->ucontext);
            out->fp = arch_frame_fp(out->ucontext);
        } else {
            out->sp = g->m->stop_sp;
        }
        return true;
    case G_BLOCKING:
        out->sp = g->blocking_sp;
        return true;
    default:
        return false;
    }
}
