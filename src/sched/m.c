/* Threads (M): states, starting, sleeping, waking.
 *
 * A record is made once and never freed, so a stopper may walk the list of all Ms without a lock;
 * records of detached threads are reused.
 *
 * Note [Thread states] (stw.c) explains the state word.
 *
 * Answers to: newm, startm, stopm, mstart, wakep in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <string.h>

#include "base/race.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sanitize.h"
#include "sched/sched_internal.h"

#define MAKER_STACK_BYTES ((size_t)64 << 10)
#define SYSTEM_STACK_BYTES ((size_t)1 << 20) /* gort_blocking runs foreign code on it */

struct m *m_all(void)
{
    return atomic_load_acquire(&sched.all_m); /* pairs with the release in m_publish */
}

int m_count(void)
{
    return (int)atomic_load_relaxed(&sched.nm); /* a statistic */
}

int m_count_idle(void)
{
    return (int)atomic_load_relaxed(&sched.nidle_m); /* a statistic */
}

/* ---- how many there may be ------------------------------------------------------------------- */

/* Threads of the program's own that are attached do not count: the runtime has no say in those. */
_Noreturn static cold_path void too_many(uint32_t n, uint32_t max)
{
    throw_fmt(
        "the program needs more than %u threads (has %u): many goroutines block their threads, or "
        "are locked to them; see gort_set_max_threads",
        max, n);
}

int sched_set_max_threads(int n)
{
    lock_acquire(&sched.lock);
    uint32_t former = sched.max_threads, made = sched.nmade;
    if (n >= 1) atomic_store_relaxed(&sched.max_threads, (uint32_t)n); /* for reports */
    lock_release(&sched.lock);
    if (n >= 1 && made > (uint32_t)n) too_many(made, (uint32_t)n);
    return (int)former;
}

uint32_t m_limit(void)
{
    return atomic_load_relaxed(&sched.max_threads); /* a statistic */
}

/* ---- states: Note [Thread states] ----------------------------------------------------------- */

/* RUNTIME and USER only: neither side of these edges lets a stopper pass without waiting. */
void m_set_state(struct m *m, enum m_state s)
{
    assert_that(m == m_self());
    atomic_store_relaxed(&m->state, (uint32_t)s);
}

void m_enter_blocking_state(struct m *m)
{
    /* A full barrier: either the stopper sees BLOCKING, or this thread sees its request and tells
     * it to look again. */
    atomic_exchange_seq(&m->state, (uint32_t)M_BLOCKING);
    if (atomic_load_seq(&world_stopping) != 0) world_note_progress();
}

void m_leave_blocking_state(struct m *m, enum m_state s)
{
    for (;;) {
        atomic_exchange_seq(&m->state, (uint32_t)s); /* full barrier: Note [Thread states] */
        uint32_t epoch = atomic_load_seq(&world_stopping);
        if (likely(epoch == 0)) break;
        m_enter_blocking_state(m);
        world_sleep(epoch);
    }
    /* A stop may have taken the P away. */
    tls_use_cache_of(m->p);
}

/* ---- making threads ------------------------------------------------------------------------- */

static struct m *m_reuse_dead(void)
{
    lock_acquire(&sched.lock);
    struct m *m = m_all();
    while (m != NULL && !m->dead)
        m = m->all_next;
    if (m != NULL) {
        m->dead = false;
        atomic_store_relaxed(&sched.nm, sched.nm + 1);
    }
    lock_release(&sched.lock);
    return m;
}

/* A record in state BLOCKING, counted as a thread.  Records of detached threads are reused for
 * attached ones only: their system stack is not a thread's own.  NULL: no memory. */
struct m *m_alloc(bool attached)
{
    struct m *m = attached ? m_reuse_dead() : NULL;
    if (m != NULL) return m;
    m = persistent_alloc(sizeof(struct m), CACHE_LINE, &sched.meta_bytes);
    if (m == NULL) return NULL;
    m->state = M_BLOCKING;
    lock_acquire(&sched.lock);
    m->id = sched.next_m_id++;
    atomic_store_relaxed(&sched.nm, sched.nm + 1);
    m->all_next = sched.all_m;
    random_init(&m->random, 2000 + m->id);
    atomic_store_release(&sched.all_m, m); /* pairs with m_all */
    lock_release(&sched.lock);
    return m;
}

void m_count_made(void)
{
    lock_acquire(&sched.lock);
    sched.nmade++;
    lock_release(&sched.lock);
}

/* Back to the records that wait for reuse. */
void m_discard(struct m *m)
{
    lock_acquire(&sched.lock);
    atomic_store_relaxed(&sched.nm, sched.nm - 1);
    m->thread = m->ntls = 0; /* that memory goes with the thread */
    m->dead = true;
    lock_release(&sched.lock);
}

/* On the thread itself, all signals blocked. */
void m_setup_thread(struct m *m)
{
    m->tid = os_thread_id();
    arch_tls_set_m(m);
    arch_tls_set_g(NULL);
    tls_use_cache_of(NULL);
    if (m->sigstack == NULL) {
        m->sigstack_size = os_sigstack_size();
        char *lo = os_mem_map(NULL, m->sigstack_size + os_page_size());
        if (lo == NULL) throw_msg("out of memory: no signal stack for a thread");
        atomic_fetch_add_relaxed(&sched.os_stacks, m->sigstack_size + os_page_size());
        (void)os_mem_guard(lo, os_page_size()); /* best effort: overflow is unlikely there */
        m->sigstack = lo + os_page_size();
    }
    os_sigstack_set(m->sigstack, m->sigstack_size);
    sched_hooks.thread_start(m);
}

static void m_entry(void *arg)
{
    struct m *m = arg;
    os_thread_stack(&m->sys_lo, &m->sys_hi);
    m_watch_exit(m);
    m_setup_thread(m);
    sanitize_thread(m);
    arch_crit_enter(); /* the scheduler is one critical section */
    os_signal_set_mask(&sched.mask);
    m_leave_blocking_state(m, M_RUNTIME);
    struct p *p = m->next_p;
    m->next_p = NULL;
    if (p != NULL) p_acquire(m, p);
    m_loop(m);
    throw_msg("the scheduler's loop of a thread has returned");
}

/* Note [The maker].  pthread_create takes locks of the C library.  A goroutine may have been
 * stopped while it holds one (inside malloc, say); a thread that waits for that lock inside a
 * critical section would never let the stop complete.  So no M makes a thread: a plain thread
 * without an M, which no stop waits for, does nothing else.  It is made before the first M. */
static void make_one(struct m *m)
{
    int err = os_thread_create(m_entry, m, SYSTEM_STACK_BYTES);
    if (err != 0)
        throw_fmt("can not create a thread (have %d already): %s%s", m_count() - 1, strerror(err),
                  err == EAGAIN ? "; see ulimit -v and ulimit -u" : "");
}

static void maker(void *unused)
{
    (void)unused;
    for (;;) {
        uint32_t wake = atomic_load_acquire(&sched.maker_wake); /* pairs with m_create */
        struct m *m = atomic_exchange_acqrel(&sched.to_make, (struct m *)NULL), *following;
        if (m == NULL) os_futex_wait(&sched.maker_wake, wake, -1);
        for (; m != NULL; m = following) {
            following = m->idle_next;
            m->idle_next = NULL;
            make_one(m);
        }
    }
}

void m_start_maker(void)
{
    int err = os_thread_create(maker, NULL, MAKER_STACK_BYTES);
    if (err != 0)
        throw_fmt("can not create a thread (have 0 already): %s%s", strerror(err),
                  err == EAGAIN ? "; see ulimit -v and ulimit -u" : "");
}

static void m_create(struct p *p, bool spinning)
{
    struct m *m = m_alloc(false);
    if (m == NULL) throw_msg("out of memory: no record for a thread");
    m->next_p = p;
    m->spinning = spinning;
    note_clear(&m->park);
    struct m *head = atomic_load_relaxed(&sched.to_make);
    do
        m->idle_next = head;
    while (!atomic_cas_release(&sched.to_make, &head, m)); /* pairs with the maker's exchange */
    atomic_fetch_add_acqrel(&sched.maker_wake, 1);
    os_futex_wake(&sched.maker_wake, 1);
}

/* sched.lock is held, and is released.  As m_give. */
static struct m *give_locked(struct p *p, bool spinning)
{
    p->status = P_HANDED;
    monitor_notice();
    struct m *m = sched.idle_m;
    if (m == NULL) {
        uint32_t n = sched.nmade++, max = sched.max_threads; /* at once: others look too */
        sched.nactive++;
        lock_release(&sched.lock);
        if (n >= max) too_many(n, max);
        m_create(p, spinning);
        return NULL;
    }
    sched.idle_m = m->idle_next;
    m->idle_next = NULL;
    sched.nidle_m--;
    sched.nactive++;
    lock_release(&sched.lock);
    m->spinning = spinning;
    m->next_p = p;
    return m;
}

/* Gives p (NULL: any idle P; if there is none, nothing is done) to an idle M or a new one.
 * spinning: the caller has counted it in nspinning already; p is not NULL then.  Returns the M if
 * it sleeps, and the caller is to wake it. */
struct m *m_give(struct p *p, bool spinning)
{
    assert_that(p != NULL || !spinning);
    lock_acquire(&sched.lock);
    if (p == NULL) p = p_idle_get_locked();
    if (p != NULL) return give_locked(p, spinning);
    lock_release(&sched.lock);
    return NULL;
}

void m_start(struct p *p, bool spinning)
{
    struct m *m = m_give(p, spinning);
    if (m != NULL) note_wake(&m->park);
}

/* An idle P to an M that looks around, which the caller has counted as spinning; *asleep: that M,
 * if the caller is to wake it.  false: there was no P, and it is counted no more. */
static bool give_to_looker(struct m **asleep)
{
    lock_acquire(&sched.lock);
    struct p *p = p_idle_get_locked();
    if (p == NULL) {
        lock_release(&sched.lock);
        atomic_fetch_sub_seq(&sched.nspinning, 1);
        return false;
    }
    *asleep = give_locked(p, true);
    return true;
}

/* Note [Work and sleepers]: the right-hand barrier and step 3 of who makes work.  Returns the M
 * that is to look for it, if the caller is to wake it.  Who counted one as spinning that there was
 * no P for, begins anew: meanwhile others who made work may have counted on that one, and a P be
 * idle again. */
struct m *m_for_work(void)
{
    struct m *m = NULL;
    if (p_count() == 1 && m_self()->p != NULL) return NULL; /* the only P is running: us */
    do {
        atomic_fence_seq();
        /* Ordered by the fence.  A dozer has a P, and counts as spinning. */
        if (unlikely(atomic_load_relaxed(&sched.dozing) % 2 != 0)) {
            dozer_wake_slow();
            return NULL;
        }
        if (atomic_load_relaxed(&sched.nidle_p) == 0) return NULL;
        uint32_t none = 0;
        if (atomic_load_relaxed(&sched.nspinning) != 0 ||
            !atomic_cas_seq(&sched.nspinning, &none, 1))
            return NULL;
    } while (unlikely(!give_to_looker(&m)));
    return m;
}

void m_wake_for_work(void)
{
    struct m *m = m_for_work();
    if (m != NULL) note_wake(&m->park);
}

/* Note [Who is woken may stop the world] in monitor.c. */
void m_wake_blocking(struct m *self, struct m *m, enum m_state then)
{
    m_enter_blocking_state(self);
    note_wake(&m->park);
    m_leave_blocking_state(self, then);
}

/* ---- sleeping ------------------------------------------------------------------------------- */

/* Nothing runs, and nothing waits for the outside.  An attached thread is active until it parks in
 * a gort call, and then asleep like any other. */
bool m_all_asleep_locked(void)
{
    if (sched.nactive > 1) return false;
    if (atomic_load_relaxed(&sched.exiting)) return false;
    if (atomic_load_relaxed(&sched.nrunq) != 0 || netpoll_waiters() != 0) return false;
    for (int i = 0; i < p_count(); i++)
        if (timer_first(sched.all_p[i]) != 0 || !runq_empty(sched.all_p[i])) return false;
    if (sched.nactive == 1) {
        /* Perhaps the one in the poller, waiting for descriptors that are closed by now: it comes
         * here itself when it finds nothing to wait for. */
        if (atomic_load_seq(&sched.polling)) netpoll_break();
        return false;
    }
    return true; /* no goroutine left at all: the main one has exited, and did not return */
}

/* Can nothing ever run again?  Asked by who has just seen that all are asleep.
 *
 * A thread of the program's own may attach at any time and wake somebody, and what it does in
 * other libraries may be what all wait for: while the process has threads that are neither the
 * runtime's nor attached, nobody can tell.  The monitor looks again each second: threads end
 * without telling. ThreadSanitizer has one for itself.
 *
 * Note [Strangers].  Threads are counted without the lock, since the kernel is asked for them, and
 * a stranger may attach meanwhile, wake somebody, and go.  But while all are asleep only a
 * stranger can wake anybody, and it attaches to do so: if nobody has attached between two looks at
 * which all were asleep, they were asleep throughout, and who was attached at the count is known.
 *
 * So the last thread that detaches is not followed by a report at once: it lives, and is a stranger
 * from then on.  A library that attaches its threads for each call back, and detaches them after
 * it, leaves a program all of whose goroutines sleep between two calls.  The destructor that
 * detaches a thread which forgot to knows no more: other destructors follow, which may attach, and
 * the kernel still counts it.  What can be told is told by the monitor's look, a second after the
 * thread has ended at the latest. */
bool m_deadlocked(void)
{
    assert_that(lock_none_held());
    lock_acquire(&sched.lock);
    uint64_t attaches = sched.nattaches;
    int known = os_threads_made() + 1 + (int)sched.nattached + (race_on ? 1 : 0);
    lock_release(&sched.lock);
    if (os_thread_count() > known) return false;
    lock_acquire(&sched.lock);
    bool dead = m_all_asleep_locked() && sched.nattaches == attaches;
    lock_release(&sched.lock);
    return dead;
}

/* Sleeps on the idle list until m_start hands a P over.  RUNTIME state before and after. */
void m_stop(struct m *m)
{
    assert_that(m->p == NULL && !m->spinning && m->locked_g == NULL);
    while (m->p == NULL) {
        note_clear(&m->park);
        lock_acquire(&sched.lock);
        m->idle_next = sched.idle_m;
        sched.idle_m = m;
        sched.nidle_m++;
        sched.nactive--;
        bool asleep = m_all_asleep_locked();
        lock_release(&sched.lock);
        if (asleep && m_deadlocked()) sched_hooks.deadlock();
        m_enter_blocking_state(m);
        note_wait(&m->park);
        m_leave_blocking_state(m, M_RUNTIME);
        struct p *p = m->next_p;
        m->next_p = NULL;
        if (p != NULL) p_acquire(m, p);
        if (p == NULL && m->spinning) { /* a change of the number of Ps took it back */
            m->spinning = false;
            atomic_fetch_sub_seq(&sched.nspinning, 1);
            m_wake_for_work();
        }
    }
}

/* The process is ending, or this thread has nothing left to do. */
_Noreturn void m_sleep_for_ever(struct m *m)
{
    static uint32_t never; /* nobody changes it */
    m_enter_blocking_state(m);
    for (;;)
        os_futex_wait(&never, 0, -1);
}
