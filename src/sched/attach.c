/* Foreign threads, goroutines locked to threads, and P-less pinning.
 *
 * An attached thread is an M with exactly one goroutine, which stands for the thread and uses the
 * thread's own stack; it is locked to its M for ever.  It holds a P only inside calls (p_pin to
 * p_unpin): a foreign thread may sleep in libraries for hours, and must not keep others from
 * running.  When it parks, its M's loop runs on a small system stack made for it.
 *
 * Answers to: needm, dropm in proc.go; LockOSThread.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sanitize.h"
#include "sched/sched_internal.h"

#define ATTACHED_SYSTEM_STACK ((size_t)256 << 10)

/* Its destructor detaches threads that forgot to, and reports those of the runtime that end. */
static pthread_key_t exit_key;
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;

/* ---- pinning without a P --------------------------------------------------------------------- */

static bool commit_wait_for_p(struct g *g, void *arg)
{
    (void)arg;
    g_set_status(g, G_RUNNABLE);
    global_put(g);
    m_wake_for_work();
    return true;
}

/* In the section that p_pin entered.  The goroutine is locked to this thread, so the wait is this
 * thread's own: some M takes it off the queue and hands its P over. */
never_inline struct p *p_pin_slow(void)
{
    struct m *m = m_self();
    if (p_take_idle(m)) return m->p;
    struct g *g = m->curg;
    if (g == NULL || g_self() == NULL) throw_msg("a call that needs a P on a system stack");
    m_not_computing(m); /* it waits: others may compute */
    bool was_locked = g->locked_m != NULL;
    if (!was_locked) {
        note_clear(&m->park); /* stop_locked counts on it */
        g->locked_m = m;
        m->locked_g = g;
    }
    g_set_status(g, G_WAITING);
    m->prev_g = g;
    m->commit = commit_wait_for_p;
    m->commit_arg = NULL;
    switch_from(m, g);
    if (!was_locked) {
        g->locked_m = NULL;
        m->locked_g = NULL;
    }
    return m->p;
}

never_inline void p_unpin_slow(void)
{
    struct m *m = m_self();
    if (crit_depth() != 1 || m->p == NULL) return; /* nested: the outermost releases it */
    p_handoff_blocking(p_release(m));
}

/* ---- foreign threads ------------------------------------------------------------------------- */

static void on_thread_exit(void *arg)
{
    const struct m *m = arg;
    if (m_self() == NULL) return;
    if (!m->attached) {
        /* It left the goroutine's stack, and the runtime's frames on this one, without a switch. */
        sanitize_forget(m->sys_lo, m->sys_hi);
        sanitize_to_system(NULL, m);
        sanitize_arrived_system(m);
        throw_msg("a goroutine ended its thread, by pthread_exit or pthread_cancel: goroutines "
                  "end by gort_goexit");
    }
    if (g_self() != NULL && crit_depth() == 0) sched_hooks.thread_exits(g_self());
    m_detach();
}

static bool exit_key_made; /* by pthread_once */

static void make_exit_key(void)
{
    exit_key_made = pthread_key_create(&exit_key, on_thread_exit) == 0;
}

/* Of the runtime's own thread, which never ends: if it does the others wait for its P, and stops
 * for its answer, without a word.  Where the program has taken all keys, that is how it stays. */
void m_watch_exit(struct m *m)
{
    pthread_once(&exit_key_once, make_exit_key);
    if (exit_key_made) pthread_setspecific(exit_key, m);
}

static int attached_system_stack(struct m *m)
{
    if (m->sys_lo != 0) return 0; /* a reused record keeps its own */
    char *lo = os_mem_map(NULL, ATTACHED_SYSTEM_STACK);
    if (lo == NULL) return ENOMEM;
    atomic_fetch_add_relaxed(&sched.os_stacks, ATTACHED_SYSTEM_STACK);
    (void)os_mem_guard(lo, os_page_size());
    m->sys_lo = (uintptr_t)lo + os_page_size();
    m->sys_hi = (uintptr_t)lo + ATTACHED_SYSTEM_STACK;
    return 0;
}

static void loop_entry(void *arg)
{
    struct m *m = arg;
    switch_finish();
    sanitize_arrived_system(m);
    m_loop(m);
}

static struct g *attached_g(struct m *m)
{
    struct g *g = m->locked_g; /* a reused record keeps its goroutine */
    if (g == NULL) {
        int error;
        g = stack_alloc(64 * KB, &error); /* the record, and its place in the table */
        if (g == NULL) return NULL;
    }
    g_init_common(g);
    os_thread_stack(&g->stack_lo, &g->stack_hi);
    g->is_attached = true;
    g->goid = atomic_fetch_add_relaxed(&sched.next_goid, 1) + 1; /* only uniqueness matters */
    format_into(g->name, sizeof g->name, "attached thread");
    g->locked_m = m;
    g->locked = 1;
    g->mutexes_held = 0;
    g->m = m;
    m->locked_g = g;
    return g;
}

int m_attach(void)
{
    if (p_count() == 0 || atomic_load_relaxed(&sched.exiting)) return EPERM;
    if (m_self() != NULL) return EALREADY;
    pthread_once(&exit_key_once, make_exit_key);
    if (!exit_key_made) return ENOMEM; /* nobody would detach it when it exits */
    struct m *m = m_alloc(true);
    if (m == NULL) return ENOMEM;
    m->attached = true;
    note_clear(&m->park); /* stop_locked counts on it */
    if (attached_system_stack(m) != 0) {
        m_discard(m);
        return ENOMEM;
    }
    arch_crit_enter();
    struct g *g = attached_g(m);
    if (g == NULL) {
        arch_crit_leave();
        m_discard(m);
        return ENOMEM;
    }
    os_sigstack_get(&m->former_sigstack, &m->former_sigstack_size);
    m_setup_thread(m);
    sanitize_attached(m);
    pthread_setspecific(exit_key, m);
    os_signal_unblock(preempt_signal());
    sanitize_forget(m->sys_lo, m->sys_hi);
    arch_context_make(&m->sched_ctx, m->sys_hi, loop_entry, m);
    lock_acquire(&sched.lock);
    sched.nactive++;
    sched.nattached++;
    sched.nattaches++;
    lock_release(&sched.lock);
    m_leave_blocking_state(m, M_USER); /* from here on a stop waits for the section's end */
    g_scanned(g);                      /* marking that began meanwhile did not know this stack */
    m->curg = g;
    g_set_status(g, G_RUNNING);
    arch_tls_set_g(g);
    crit_exit();
    return 0;
}

void m_detach(void)
{
    struct m *m = m_self();
    if (m == NULL || !m->attached) throw_msg("gort_thread_detach on a thread that is not attached");
    if (g_self() == NULL || crit_depth() != 0)
        throw_msg("gort_thread_detach inside a blocking region or a gort call");
    crit_enter();
    struct g *g = m->curg;
    struct m *heir = m->p != NULL ? p_hand_over(p_release(m)) : NULL;
    arch_tls_set_g(NULL);
    m_not_computing(m);
    m->curg = NULL;
    g_set_status(g, G_DEAD);
    pthread_setspecific(exit_key, NULL);
    m->thread = m->ntls = 0; /* before the state lets a stopper pass that scans it */
    m_enter_blocking_state(m);
    if (heir != NULL) note_wake(&heir->park);
    os_sigstack_set(m->former_sigstack, m->former_sigstack_size);
    sanitize_detached(m);
    arch_tls_set_m(NULL);
    arch_crit_clear_pending();
    arch_crit_leave();
    lock_acquire(&sched.lock);
    sched.nactive--;
    sched.nattached--;
    lock_release(&sched.lock);
    m_discard(m);
}

/* ---- locking --------------------------------------------------------------------------------- */

void g_lock_thread(void)
{
    struct g *g = g_require("gort_lock_thread");
    crit_enter();
    struct m *m = m_self();
    if (g->locked++ == 0) {
        note_clear(&m->park); /* stop_locked counts on it */
        g->locked_m = m;
        m->locked_g = g;
    }
    crit_exit();
}

void g_unlock_thread(void)
{
    struct g *g = g_require("gort_unlock_thread");
    if (g->is_attached || g->locked == 0) {
        if (g->is_attached && g->locked > 1) {
            g->locked--;
            return;
        }
        throw_msg("gort_unlock_thread without gort_lock_thread");
    }
    crit_enter();
    if (--g->locked == 0) {
        g->locked_m->locked_g = NULL;
        g->locked_m = NULL;
    }
    crit_exit();
}

/* ---- children of fork ------------------------------------------------------------------------ */

/* The child has this thread only, and with it copies of what the others were in the middle of:
 * their locks, the Ps that they had, a stop, marking.  Nothing of that goes on, so nothing may
 * begin: the thread is one that gort does not know from here on, and the calls refuse it (DESIGN 4,
 * rule 16).  exec is safe. */
static void after_fork(void)
{
    struct m *m = m_self();
    sched.forked = true;
    if (m == NULL) return;
    if (m->attached) pthread_setspecific(exit_key, NULL);
    tls_use_cache_of(NULL);
    arch_tls_set_g(NULL);
    arch_tls_set_m(NULL);
}

void sched_watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, after_fork) != 0)
        throw_msg("out of memory: can not watch for fork");
}
