/* Looking for work that waits for other Ps.
 *
 * An M without work of its own goes round the other Ps four times, each time in a random order, and
 * takes half of the first queue that is not empty; the last time it fires their timers too.
 *
 * Note [Lone next ones].  What is in a P's next slot was just made ready by a goroutine that runs
 * there. Mostly that one parks soon, waiting for an answer, and then the P runs the other by a
 * switch of some nanoseconds, with its data in the cache.  A thief that takes it at once makes two
 * threads of what is one conversation, and a thread that finds nothing, sleeps, and must be woken
 * by the next message makes each of these a system call.  So a thief leaves next slots alone at
 * first; it dozes for DOZE_NS, and takes one only from a P that has switched to nobody meanwhile:
 * there the other computes. While it dozes it counts as spinning, so the conversation wakes nobody.
 * Where the other P has run many goroutines for a short time each, the M stays, and dozes for
 * longer and longer, to DOZE_MAX_NS: that is how long a goroutine may wait for it when such a P
 * begins to compute.  Work in a queue is another matter: who makes enough of it, and sees a dozer,
 * ends its sleep (dozer_wake_slow).
 *
 * Nothing is lost by dozing: a dozer is a spinning M whose look around takes longer, and before it
 * goes to sleep for good it looks at every queue and next slot again (work_somewhere); a lone next
 * one there means another round.  A wake-up of the dozer that comes to nothing costs one doze.  It
 * gets up for the first timer.
 *
 * Note [Enough to get up for].  Ending a doze is a system call for the maker of work, and a switch
 * of the kernel's for the dozer.  One that starts goroutines which end or park at once paid for
 * both with each of them, several times what the goroutine takes.  So the dozer leaves word of how
 * many must wait (doze_worth): as many as make WORTH_RISING_NS of work, by what goroutines took on
 * its P lately.  Where they take longer than that, one is enough; fewer wait until the doze is
 * over.  The dozer counts all rings and the global queue, before it lies down; a maker its own ring
 * and the global queue only, and one without a P counts nothing and wakes it.  So work that is
 * spread thinly over several Ps waits until the doze is over.
 *
 * A dozer keeps its P, but is in state BLOCKING: a stop does not wait for it.
 *
 * Rejected: giving the P up for the doze (then makers of work would start yet another M); not to
 * start an M for a lone next one at all (it would wait for the monitor where the other computes); a
 * busy wait (on a machine with other work it takes the CPU from those it waits for).
 *
 * Answers to: stealWork, and the sleep in runqgrab, in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/runq.h"

#define DOZE_NS 5000 /* and what the kernel's timers add, about 50,000 */
#define DOZE_MAX_NS 250000
#define WORTH_RISING_NS 20000
#define WORTH_RISING_MOST 64 /* goroutines, however short: a quarter of a ring */
#define QUICK_NS 4000        /* where goroutines run for less on average, there is a conversation */

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

static struct g *steal_from(struct p *victim, struct p *p, bool next)
{
    struct g *g = NULL;
    p->steal_tries++;
    if (runq_steal(victim, p, next, &g) == 0) return NULL;
    p->steals++;
    return g;
}

/* Over the other Ps in a random order (a start and a step coprime to their number). */
static struct g *steal_round(struct m *m, bool timers)
{
    struct p *p = m->p;
    uint32_t n = (uint32_t)p_count(), i = random_below(&p->random, n);
    uint32_t step = 1 + random_below(&p->random, n);
    while (gcd(step, n) != 1)
        step++;
    for (uint32_t k = 0; k < n; k++, i = (i + step) % n) {
        struct p *victim = sched.all_p[i];
        if (victim == p) continue;
        if (timers && timer_first(victim) != 0) {
            run_timers(victim, os_now());
            struct g *g = runq_get(p);
            if (g != NULL) return g;
        }
        struct g *g = steal_from(victim, p, false);
        if (g != NULL) return g;
    }
    return NULL;
}

/* ---- dozing: Note [Lone next ones] ----------------------------------------------------------- */

/* Note [Enough to get up for]; next ones apart. */
static bool worth_rising(uint32_t waiting)
{
    return waiting != 0 && waiting >= atomic_load_relaxed(&sched.doze_worth); /* an estimate */
}

static bool queues_are_worth_rising(void)
{
    uint32_t n = atomic_load_relaxed(&sched.nrunq);
    for (int i = 0; i < p_count(); i++)
        n += runq_length_seen(sched.all_p[i]);
    return worth_rising(n);
}

/* By what goroutines took here since the last doze, and before. */
static void estimate_worth(struct p *p, int64_t now)
{
    p_note_idle(p, now);
    int64_t n = p->run_ns == 0 ? 0 : WORTH_RISING_NS / p->run_ns; /* not known: one is enough */
    if (n < 1) n = 1;
    if (n > WORTH_RISING_MOST) n = WORTH_RISING_MOST;
    atomic_store_relaxed(&sched.doze_worth, (uint32_t)n);
}

/* Several may doze on one odd value: whoever is through first, or a waker, makes it even. */
static void doze(struct m *m, int64_t now)
{
    int64_t first = earliest_timer(), ns = m->doze_ns == 0 ? DOZE_NS : m->doze_ns;
    if (first != 0 && first - now < ns) ns = first > now ? first - now : 0;
    uint32_t odd = atomic_load_relaxed(&sched.dozing);
    if (odd % 2 == 0 && atomic_cas_seq(&sched.dozing, &odd, odd + 1)) odd++;
    if (odd % 2 == 0) return; /* between one doze and the next: it changes all the time */
    estimate_worth(m->p, now);
    atomic_fence_seq();
    /* Pairs with the fence in m_for_work: this look sees the work, or its maker the dozer. */
    if (!queues_are_worth_rising()) {
        atomic_fetch_add_relaxed(&sched.dozes, 1);
        m_enter_blocking_state(m);
        os_futex_wait(&sched.dozing, odd, ns);
        m_leave_blocking_state(m, M_RUNTIME);
    }
    (void)atomic_cas_seq(&sched.dozing, &odd, odd + 1);
}

/* Somebody dozes, and the caller has made work: the doze is over if there is enough of it, which a
 * lone next one never is. */
cold_path void dozer_wake_slow(void)
{
    const struct p *p = m_self()->p;
    if (p != NULL && !worth_rising(runq_length(p) + atomic_load_relaxed(&sched.nrunq))) return;
    uint32_t odd = atomic_load_relaxed(&sched.dozing);
    if (odd % 2 == 0 || !atomic_cas_seq(&sched.dozing, &odd, odd + 1)) return;
    atomic_fetch_add_relaxed(&sched.dozes_ended, 1);
    os_futex_wake(&sched.dozing, 1);
}

/* What the other Ps were at. */
struct sight {
    int n;                   /* Ps that there were */
    uint64_t run[MAX_PROCS]; /* how many goroutines they had run */
    bool next[MAX_PROCS];    /* there was a next one */
};

/* Whether some P has a next one. */
static bool take_sight(const struct p *own, struct sight *s)
{
    bool any = false;
    s->n = p_count();
    for (int i = 0; i < s->n; i++) {
        const struct p *p = sched.all_p[i];
        s->run[i] = atomic_load_relaxed(&p->gs_run);
        s->next[i] = p != own && atomic_load_relaxed(&p->run_next) != NULL;
        any |= s->next[i];
    }
    return any;
}

/* From a P that has run nobody else since. */
static struct g *steal_next_since(const struct sight *s, struct p *p)
{
    for (int i = 0; i < s->n; i++) {
        struct p *victim = sched.all_p[i];
        if (!s->next[i] || atomic_load_relaxed(&victim->gs_run) != s->run[i]) continue;
        struct g *g = steal_from(victim, p, true);
        if (g != NULL) return g;
    }
    return NULL;
}

static bool is_conversation(const struct sight *s, int64_t ns)
{
    uint64_t switches = 0;
    for (int i = 0; i < s->n; i++)
        switches += atomic_load_relaxed(&sched.all_p[i]->gs_run) - s->run[i];
    return (int64_t)switches * QUICK_NS > ns;
}

static struct g *steal_next(struct m *m)
{
    struct sight before;
    bool any = take_sight(m->p, &before), marking = mark_is_wanted();
    if (!any && m->doze_ns == 0) return NULL;
    int64_t begin = os_now();
    if (!marking) doze(m, begin); /* else there is better to do than to doze */
    if (m->p == NULL || world_wants_stop()) return NULL;
    p_note_busy(m->p, os_now());
    struct g *g = steal_next_since(&before, m->p);
    if (g == NULL) g = steal_round(m, false);
    if (g != NULL || marking || !is_conversation(&before, os_now() - begin)) {
        m->doze_ns = 0;
        return g;
    }
    m->doze_ns = m->doze_ns == 0 ? 2 * DOZE_NS : 2 * m->doze_ns;
    if (m->doze_ns > DOZE_MAX_NS) m->doze_ns = DOZE_MAX_NS;
    m->keeps_looking = true;
    return NULL;
}

uint64_t sched_dozes(uint64_t *ended)
{
    *ended = atomic_load_relaxed(&sched.dozes_ended); /* statistics */
    return atomic_load_relaxed(&sched.dozes);
}

/* Goroutines of others begin faster than stacks can be made there: Note [Fresh stacks] in
 * stack.c. */
static bool make_stacks(struct m *m)
{
    if (!stacks_are_short()) return false;
    p_note_idle(m->p, os_now());
    bool tried = stack_make_ahead(m);
    if (m->p != NULL) p_note_busy(m->p, os_now());
    m->keeps_looking = tried;
    return tried;
}

/* ---- the whole of it ------------------------------------------------------------------------- */

struct g *find_far(struct m *m)
{
    m->keeps_looking = false;
    if (p_count() == 1) return NULL;
    if (!m->spinning) {
        /* At most half of the busy Ps look around: the rest would only burn CPU. */
        uint32_t busy = (uint32_t)p_count() - atomic_load_relaxed(&sched.nidle_p);
        if (2 * atomic_load_relaxed(&sched.nspinning) >= busy) return NULL;
        m->spinning = true;
        atomic_fetch_add_seq(&sched.nspinning, 1);
    }
    for (int round = 0; round < 4; round++) {
        struct g *g = steal_round(m, round == 3);
        if (g != NULL) return g;
        if (world_wants_stop()) return NULL;
    }
    if (!mark_is_wanted() && make_stacks(m)) return NULL;
    return steal_next(m);
}
