/* Starting the scheduler, running the main goroutine, and the hooks' defaults.
 *
 * The thread that calls gort_run is not one of the scheduler's: it sleeps until the main function
 * has returned, so that gort_run can return at once whatever the other threads compute.
 *
 * Answers to: schedinit, rt0_go, main in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/race.h"
#include "os/os.h"
#include "sched/sched_internal.h"

#define MAX_THREADS_DEFAULT 10000

/* ---- hooks ----------------------------------------------------------------------------------- */

static void no_p(struct p *p)
{
    (void)p;
}
static void no_p_destroy(struct p *p, struct p *heir)
{
    (void)p;
    (void)heir;
}
static struct g *no_work(struct p *p)
{
    (void)p;
    return NULL;
}
static void no_g(struct g *g)
{
    (void)g;
}
static void no_words(const uintptr_t *words, size_t n)
{
    (void)words, (void)n;
}
static void no_m(struct m *m)
{
    (void)m;
}
static void no_op(void)
{
}
static void no_procs(int n)
{
    (void)n;
}
static bool no_mark_work(void)
{
    return false;
}
static bool all_of_g(struct g *g)
{
    (void)g;
    return true;
}
static void no_stop_over(enum stop_reason why, uint64_t pause, uint64_t stopping)
{
    (void)why;
    (void)pause;
    (void)stopping;
}
static void default_deadlock(void)
{
    throw_msg("all goroutines are asleep - deadlock!");
}
static void default_stop_slow(struct m *m, uintptr_t pc)
{
    print_err("gort: thread %d did not stop within a second (last known pc %#lx)\n", m->tid,
              (unsigned long)pc);
}

struct sched_hooks sched_hooks = {
    .p_init = no_p,
    .p_destroy = no_p_destroy,
    .procs_changed = no_procs,
    .find_mark_work = no_work,
    .find_idle_mark_work = no_work,
    .mark_work = no_mark_work,
    .p_idle = no_p,
    .p_busy = no_p,
    .g_dead = no_g,
    .words_leave = no_words,
    .g_scan = all_of_g,
    .g_rest = no_g,
    .stacks_done = no_mark_work,
    .thread_exits = no_g,
    .thread_start = no_m,
    .world_stopped = no_op,
    .world_starting = no_op,
    .stop_over = no_stop_over,
    .deadlock = default_deadlock,
    .stop_slow = default_stop_slow,
};

#define TAKE(field)                                                                                \
    if (h->field != NULL) sched_hooks.field = h->field

/* NULL entries keep what is there: several floors may each bring theirs. */
void sched_hooks_install(const struct sched_hooks *h)
{
    TAKE(p_init);
    TAKE(p_destroy);
    TAKE(procs_changed);
    TAKE(find_mark_work);
    TAKE(find_idle_mark_work);
    TAKE(mark_work);
    TAKE(p_idle);
    TAKE(p_busy);
    TAKE(g_dead);
    TAKE(words_leave);
    TAKE(g_scan);
    TAKE(g_rest);
    TAKE(stacks_done);
    TAKE(thread_exits);
    TAKE(thread_start);
    TAKE(world_stopped);
    TAKE(world_starting);
    TAKE(stop_over);
    TAKE(deadlock);
    TAKE(stop_slow);
    TAKE(print_function);
    TAKE(fault);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void take_signal_mask(void)
{
    os_signal_block_all(&sched.mask);
    os_signal_set_mask(&sched.mask);
    sigdelset(&sched.mask, preempt_signal());
    sigdelset(&sched.mask, SIGSEGV);
    sigdelset(&sched.mask, SIGBUS);
    sigdelset(&sched.mask, SIGFPE);
    sigdelset(&sched.mask, SIGILL);
}

uint64_t sched_meta_bytes(void)
{
    return atomic_load_relaxed(&sched.meta_bytes); /* a statistic */
}

uint64_t *sched_meta_counter(void)
{
    return &sched.meta_bytes;
}

uint64_t sched_stacks_bytes(void)
{
    return atomic_load_relaxed(&sched.os_stacks); /* a statistic */
}

void sched_init(int nprocs)
{
    lock_init(&sched.lock, RANK_SCHED);
    sched.clock = os_now();
    if (sched.max_threads == 0) sched.max_threads = MAX_THREADS_DEFAULT;
    sched_find_thread_state();
    sched_watch_forks();
    stack_init();
    sudogs_init();
    newborns_init();
    netpoll_init();
    os_membarrier(); /* registers: the first use must not be inside a stop */
    arch_crit_enter();
    p_resize_stw(nprocs); /* no other thread yet */
    arch_crit_leave();
}

#define BOOT_FRAMES (16 * KB) /* of the 20 and more that boot used below the same frame */

/* The calling thread sleeps with what boot left below its frames, addresses of the heap too.  Who
 * looks for goroutines that nobody can wake takes each word of such a thread's stack for one that
 * may be used (gc/stuck.c), and would miss a channel that was made at such an address. */
never_inline static void clear_frames_of_boot(void)
{
    char frames[BOOT_FRAMES];
    memset(frames, 0, sizeof frames);
    __asm__ volatile("" : : "r"(frames) : "memory");
}

/* The main goroutine is made by the calling thread, which has no M: it goes to the global queue,
 * and the first M finds it there. */
void sched_run(void (*fn)(void *), void *arg, size_t stack_size)
{
    sched.fp_controls = arch_fp_controls();
    preempt_install(preempt_signal());
    take_signal_mask();
    m_start_maker();
    preempt_shield();
    note_clear(&sched.main_note);
    arch_crit_enter();
    int error = 0;
    struct g *g = stack_alloc(stack_size, &error);
    if (g == NULL)
        throw_fmt("can not make the main goroutine's stack of %zu bytes: %s", stack_size,
                  strerror(error));
    g_prepare(g, fn, arg, 1, "main");
    lock_acquire(&sched.lock);
    global_put_locked(g);
    lock_release(&sched.lock);
    m_start(NULL, false);
    arch_crit_leave();
    clear_frames_of_boot();
    note_wait(&sched.main_note);
    race_acquire(&sched.main_note);
}

/* On the main goroutine: nothing more is scheduled. */
void sched_main_done(void)
{
    crit_enter();
    sched_set_exiting();
    race_release(&sched.main_note);
    note_wake(&sched.main_note);
    m_sleep_for_ever(m_self());
}

/* ---- timers and the poller ------------------------------------------------------------------- */

/* A timer became the earliest of its heap: a sleeper in the poller must not sleep past it, and if
 * nobody is there, somebody idle should be.  The fence pairs with the exchange of sched.polling and
 * the second look at the timers in poll_delay_and_wait. */
void sched_timer_added(int64_t when)
{
    atomic_fence_seq();
    if (atomic_load_seq(&sched.polling)) {
        int64_t until = atomic_load_seq(&sched.poll_until);
        if (until == 0 || when < until) netpoll_break();
        return;
    }
    m_wake_for_work();
}
