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
 * Answers to: entersyscall, exitsyscall in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */

#include "base/bits.h"
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

/* ---- entering and leaving without a P -------------------------------------------------------- */

/* The P is handed over before the state says BLOCKING: a stopper must find every P somewhere. */
static void leave_p(struct m *m, struct g *g)
{
    g_set_status(g, G_BLOCKING);
    struct m *heir = m->p != NULL ? p_hand_over(p_release(m)) : NULL;
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
    m_leave_blocking_state(m, M_USER);
    m_blacken_own(m);
    g_set_status(g, G_RUNNING);
    if (!p_take_idle(m)) requeue(m, g);
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
    leave_p(m_self(), c->g);
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
    struct g *g;
};

static void blocking_fn_run(void *arg)
{
    struct blocking_fn *b = arg;
    struct m *m = m_self();
    b->g->blocking_sp = m->stop_sp;
    leave_p(m, b->g);
    b->fn(b->arg);
}

void blocking_call(void (*fn)(void *), void *arg)
{
    struct g *g = g_require("gort_blocking");
    crit_enter();
    struct m *m = m_self();
    struct blocking_fn b = { fn, arg, g };
    sanitize_system_stack(m);
    arch_tls_set_g(NULL);
    arch_call_on_stack(blocking_fn_run, &b, m_system_stack(m), &m->stop_sp);
    arch_tls_set_g(g);
    come_back(m, g);
    p_unpin();
}
