/* Code that blocks its thread: declared regions, calls on the system stack, runtime waits.
 *
 * Note [Frozen stacks].  A goroutine inside a blocking region runs on while the world is stopped,
 * so what the collector scans must not depend on what it does meanwhile.  It promises to touch no
 * collected pointers; but the compiler may still move them between registers and its frame.  So
 * entry copies everything from the spilled callee-saved registers up to the end of the caller's
 * frame: each pointer that the caller holds is in the copy, wherever the compiler moves the
 * original.  The stack above that frame is not touched by anybody until the region ends.
 *
 * gort_blocking runs its function on the system stack: the whole goroutine stack is frozen.
 *
 * Note [Lent Ps].  A write to a file takes a microsecond, mostly; to hand the P over and to wait
 * for one again takes two threads that wake each other, and where others have the Ps, until one of
 * them is done.  So a region that is expected to be short lends its P: nobody runs it, and who
 * comes back finds it again, if nobody has taken it meanwhile.
 *
 *            p_lend (the M itself)              p_take_lent: the same M, back in USER
 *   RUNNING ------------------------> LENT --------------------------------------------> RUNNING
 *                                      |   p_take_lent: the monitor, look_at_lent
 *                                      +----------------------------------------> HANDED, an orphan
 *                                      |   p_reclaim_stw: in a stop that lowers the number of Ps
 *                                      +----------------------------------------> IDLE
 *
 * p->lender names the M, and is the one word that decides: who changes it from that M to NULL has
 * the P.  It can not be that M's for another lending, because an M lends only what it has taken
 * back.  The compare-and-swap carries the P's data, as handing over does.  It is lent before the
 * state is BLOCKING, and is taken back after the state is USER again and no stop was seen: so a
 * stop finds it lent, by a thread that blocks, or has it with a thread that it waits for.
 *
 * Others steal from a lent P's queue as from any.  What they can not have (a timer that is late, the
 * goroutine that runs next) waits for the monitor.  It takes a P away that is lent by the same
 * region at two of its looks; the second follows the first after LENT_NS where others wait.  And it
 * takes one whose goroutine has had its slice: its regions do not make that anew.  Lent Ps are not
 * idle, so the monitor does not sleep for long while there is one.
 *
 * What is short is learnt where it happens: the function that gort_blocking was given, the place of
 * the call, or the descriptor.  Each has points: a region of at most SHORT_NS adds two, a longer one
 * takes one away, and not more, because who hands its P over is often pushed off its CPU by the
 * thread that gets it, and then seems to take long.  One that the monitor took the P from, because
 * it lasted, while its thread slept, takes all and many more: it may be one that is short only
 * where others can run meanwhile, as it waits for them.  A thread that was awake had only lost its
 * CPU.  A lender looks at the clock at one region in TIMED only, where
 * the look would cost as much as the rest.  Two places may share an entry.
 *
 * A deterministic run lends nothing: what is learnt depends on the clock.  Nor do attached threads,
 * which give their P up at the end of the call.
 *
 * Answers to: entersyscall, exitsyscall in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */

#include "base/bits.h"
#include "base/unscanned.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sanitize.h"
#include "sched/sched_internal.h"

/* ---- runtime waits --------------------------------------------------------------------------- */

struct wait_call {
    void (*fn)(void *);
    void *arg;
    struct m *m;
};

static void wait_spilled(void *arg)
{
    struct wait_call *c = arg;
    enum m_state former = (enum m_state)atomic_load_relaxed(&c->m->state); /* own word */
    m_enter_blocking_state(c->m);
    c->m->waits_from = former;
    c->fn(c->arg);
    m_leave_blocking_state(c->m, former);
    m_blacken_own(c->m);
}

void m_wait_interrupted(void (*inner)(void *), void *arg)
{
    struct m *m = m_self();
    if (m == NULL) {
        inner(arg);
        return;
    }
    enum m_state former = m->waits_from; /* inner may wait too */
    m_leave_blocking_state(m, former);
    inner(arg);
    m_enter_blocking_state(m);
}

void m_wait_stoppable(void (*fn)(void *), void *arg)
{
    struct m *m = m_self();
    if (m == NULL) {
        fn(arg);
        return;
    }
    assert_that(crit_depth() != 0 && lock_none_held());
    struct wait_call c = { fn, arg, m };
    uintptr_t sp;
    /* On the system stack the goroutine's stack pointer has been recorded already. */
    arch_call_spilled(wait_spilled, &c, m->on_system != 0 ? &sp : &m->stop_sp);
}

struct system_call {
    void (*fn)(void *);
    void *arg;
    struct m *m;
};

/* fn may have begun a cycle of the collector, which took the goroutine's stack as it is now. */
static void run_on_system(void *arg)
{
    struct system_call *c = arg;
    c->fn(c->arg);
    m_blacken_own(c->m);
}

void call_on_system_stack(void (*fn)(void *), void *arg)
{
    crit_enter();
    race_hide(); /* all goroutines use the same stack here, one after the other */
    struct m *m = m_self();
    if (m->curg == NULL || m->on_system != 0) {
        fn(arg); /* already there */
    } else {
        struct system_call c = { fn, arg, m };
        m->on_system = 1;
        m->stop_frame = NULL;
        arch_tls_set_g(NULL);
        arch_call_on_stack(run_on_system, &c, m_system_stack(m), &m->stop_sp);
        arch_tls_set_g(m->curg);
        m->on_system = 0;
    }
    race_show();
    crit_exit();
}

/* ---- which regions are short: Note [Lent Ps] ------------------------------------------------- */

#define SITES 256
#define LIKELY 4 /* a place with so many points lends */
#define MOST 8
#define LOST (-120)
#define TIMED 16
#define SHORT_NS ((int64_t)20000)

/* Points of each place, LOST to MOST.  Atomic; shared by all threads, for a place is used by many
 * goroutines; two that change them at once may lose one's. */
static int8_t points[SITES];
UNSCANNED(points);

static int8_t *points_of(uintptr_t site)
{
    return &points[(site * 0x9e3779b97f4a7c15u) >> 56];
}

/* m is about to block.  Will its P be wanted by nobody before it is back? */
static bool expect_short(struct m *m, uintptr_t site)
{
    if (m->attached || unlikely(sched_debug.deterministic)) return false;
    bool lends = unlikely(sched_debug.lend != 0) ? sched_debug.lend == 1
                                                 : atomic_load_relaxed(points_of(site)) >= LIKELY;
    atomic_store_relaxed(&m->region_site, site);
    m->region_began = !lends || m->regions++ % TIMED == 0 ? os_now() : 0;
    return lends;
}

static void learn(struct m *m)
{
    if (m->region_began == 0) return;
    int8_t *at = points_of(m->region_site), n = atomic_load_relaxed(at);
    bool is_short = os_now() - m->region_began <= SHORT_NS;
    if (is_short && n + 2 <= MOST) atomic_store_relaxed(at, (int8_t)(n + 2));
    if (!is_short && n > 0) atomic_store_relaxed(at, (int8_t)(n - 1));
    m->region_began = 0;
}

/* The monitor has taken the P that lender lent, and which sleeps. */
void blocking_lasts(struct m *lender)
{
    atomic_store_relaxed(points_of(atomic_load_relaxed(&lender->region_site)), (int8_t)LOST);
}

/* ---- entering and leaving without a P -------------------------------------------------------- */

/* The P is lent or handed over before the state says BLOCKING: a stopper must find every P
 * somewhere. */
static void leave_p(struct m *m, struct g *g, uintptr_t site)
{
    struct m *heir = NULL;
    g_set_status(g, G_BLOCKING);
    if (m->p != NULL) {
        if (expect_short(m, site))
            p_lend(m);
        else
            heir = p_hand_over(p_release(m));
    }
    m_enter_blocking_state(m);
    if (heir != NULL) note_wake(&heir->park);
}

static bool commit_requeue(struct g *g, void *arg)
{
    (void)arg;
    g_set_status(g, G_RUNNABLE);
    global_put(g);
    m_wake_for_work();
    return true;
}

/* The goroutine waits on the global queue for a P; its own thread may go on with something else. */
static void requeue(struct m *m, struct g *g)
{
    g_set_status(g, G_WAITING);
    m->prev_g = g;
    m->commit = commit_requeue;
    m->commit_arg = NULL;
    switch_from(m, g);
}

static void come_back(struct m *m, struct g *g)
{
    struct p *lent = m->lent;
    learn(m);
    m_leave_blocking_state(m, M_USER);
    m_blacken_own(m);
    g_set_status(g, G_RUNNING);
    bool back = lent != NULL && p_take_lent(lent, m);
    m->lent = NULL;
    if (back)
        p_acquire(m, lent);
    else if (!p_take_idle(m))
        requeue(m, g);
    /* A stop that began while the state was BLOCKING sent no signal; one that began since did. */
}

/* ---- declared regions ------------------------------------------------------------------------ */

/* By words and unchecked: frames of others are full of AddressSanitizer's red zones. */
__attribute__((no_sanitize_address)) static void copy_frame(uintptr_t *to, const uintptr_t *from,
                                                            size_t nwords)
{
    for (size_t i = 0; i < nwords; i++) {
        to[i] = from[i];
        __asm__ volatile("" ::: "memory"); /* or the compiler makes it memcpy, which checks */
    }
}

static void keep_frame(struct g *g, uintptr_t lo, uintptr_t hi)
{
    size_t n = hi - lo;
    if (n > g->blocking_frame_capacity) {
        size_t want = align_up(n, 1024);
        void *copy = persistent_alloc(want, 16, &sched.meta_bytes);
        if (copy == NULL) throw_msg("out of memory: no copy of a blocking caller's frame");
        g->blocking_frame = copy; /* a smaller one is given up: frames of one caller do not grow */
        g->blocking_frame_capacity = want;
    }
    copy_frame(g->blocking_frame, (const uintptr_t *)lo, n / WORD_SIZE);
    g->blocking_frame_size = n;
}

struct enter_call {
    struct g *g;
    uintptr_t frame_end, sp;
};

static void enter_spilled(void *arg)
{
    struct enter_call *c = arg;
    keep_frame(c->g, c->sp, c->frame_end);
    c->g->blocking_sp = c->frame_end;
    leave_p(m_self(), c->g, c->g->blocking_at.pc);
}

/* The section entered here lasts until blocking_exit: the thread is not stopped inside. */
void blocking_enter(void *frame, const uintptr_t *own, uintptr_t end)
{
    struct g *g = g_require("gort_enter_blocking");
    crit_enter();
    struct enter_call c = { g, arch_frame_end(frame), 0 };
    if (c.frame_end <= arch_stack_pointer() || c.frame_end > g->stack_hi)
        throw_msg("gort_enter_blocking: the caller's frame is not on the goroutine's stack");
    g->in_blocking = true;
    g->blocking_at.fp = own[0]; /* as the ABI lays a frame out that has a frame pointer */
    g->blocking_at.pc = own[1];
    g->blocking_at.sp = end;
    arch_tls_set_g(NULL);
    arch_call_spilled(enter_spilled, &c, &c.sp);
}

void blocking_exit(void)
{
    struct m *m = m_self();
    struct g *g = m != NULL ? m->curg : NULL;
    if (g == NULL || !g->in_blocking) throw_msg("gort_exit_blocking without gort_enter_blocking");
    g->in_blocking = false;
    arch_tls_set_g(g);
    come_back(m, g);
    g->blocking_frame_size = 0;
    p_unpin();
}

/* ---- calls on the system stack --------------------------------------------------------------- */

struct blocking_fn {
    void (*fn)(void *);
    void *arg;
    uintptr_t site;
    struct g *g;
};

static void blocking_fn_run(void *arg)
{
    struct blocking_fn *b = arg;
    struct m *m = m_self();
    b->g->blocking_sp = m->stop_sp;
    leave_p(m, b->g, b->site);
    b->fn(b->arg);
}

void blocking_call(void (*fn)(void *), void *arg, uintptr_t site)
{
    struct g *g = g_require("gort_blocking");
    crit_enter();
    struct m *m = m_self();
    struct blocking_fn b = { fn, arg, site, g };
    sanitize_system_stack(m);
    arch_tls_set_g(NULL);
    arch_call_on_stack(blocking_fn_run, &b, m_system_stack(m), &m->stop_sp);
    arch_tls_set_g(g);
    come_back(m, g);
    p_unpin();
}
