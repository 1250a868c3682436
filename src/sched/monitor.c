/* The monitor: what keeps one long computation from holding up everybody else.
 *
 * One thread (floor 8's sysmon) calls sched_monitor_round in a loop.  It is an M without P or
 * goroutine, in state BLOCKING while it sleeps and RUNTIME while it works, so a stop waits for it
 * like for others.
 *
 * Note [Retaking a P].  A goroutine that computes for RETAKE_NS without a call keeps the goroutines
 * in its P's queue waiting.  C code can not be switched off its thread at an arbitrary instruction;
 * but the P can leave the thread: in the thread's own signal handler, outside critical sections and
 * restartable ranges, when no instruction of runtime code or inlined runtime code is half-done
 * (DESIGN 4, rules 6 and 12).  The handler empties the thread's cache pointer and pushes the P on a
 * list of orphans, from which the monitor hands it to another M; the goroutine goes on without a P,
 * scheduled by the kernel, and takes one again at its next call (p_pin_slow).  Inside a critical
 * section the handler leaves the mark, and the section's end hands the P over itself.
 *
 * The request carries the P's count of goroutines run: a thread that has moved on meanwhile ignores
 * it.  At most COMPUTING_PER_P threads for each P compute without one; beyond that a P stays where
 * it is: that is said once, and counted.
 *
 * The same request reaches a thread that sleeps in the kernel, in a call that it did not declare.
 * It leaves its P as a computation does, and sched.ncomputing counts it, until it takes a P again:
 * nobody tells when the call is over, and what follows may compute.  But while it sleeps it takes
 * no CPU from anybody, and to let its P go costs no more than that of one which declares its call.
 * If it kept the P because of the limit, a few readers of pipes would stop a program for ever; and
 * if it counted towards the limit, a few that sleep would keep the P of each later computation
 * where it is.  So where the count has come to the limit, the monitor asks the kernel who burns
 * CPU:
 *   - A thread sleeps if its CPU clock has moved for less than half of the time between two looks,
 *     and the kernel says at the second that it is neither running nor waiting for a CPU.  The
 *     clock alone does not tell: that of a computation stands still for 10 ms where others have the
 *     CPU.  Neither does the kernel's word for a moment: a computation waits for a page now and
 *     then.  Both looks fall in the time in which the P has run nothing else; so a P is left where
 *     it is for a round or two more before that is known, and no look is needed below the limit.
 *   - Who sleeps is asked for its P.  Who does not is asked if fewer than the limit burn CPU
 *     without a P.
 * The limit on threads (gort_set_max_threads) holds for those that sleep, as for those that declare
 * it.  When many of them wake at once and compute, more compute without a P than the limit: each
 * until its next call.  That could be prevented only by leaving Ps with threads that sleep.  The
 * limit keeps the machine from being overloaded, and nothing else rests on it.
 *
 * Goroutines that mark are no such computations (yields_itself): between two sections of some 100
 * us they look themselves whether others want the P, and a dedicated one, which is to keep it,
 * gives its queue away (gc/worker.c).  Their P is asked for only where a timer is late there, which
 * they do not look at.  To ask because marking is wanted would take it from who marks, each slice
 * anew.
 *
 * Note [Who is woken may stop the world].  A goroutine that gets the P of a computation is one that
 * has waited, and what it does first may be to collect.  Its stop then meets the thread that has
 * just woken it, in user code, or still in the system call: on virtual processors the call that
 * wakes one which sleeps takes the caller hundreds of microseconds now and then.  And where the
 * kernel runs the woken thread in the caller's place, on the same CPU, the caller is not back
 * before that one blocks: the stop has to signal it, and to sleep until it had its turn.
 *
 * So whoever hands a P over is in state BLOCKING while it wakes the M that gets it: the thread of a
 * computation, at a section's end (p_handoff_blocking) or, waking the monitor, in the handler
 * (retake in preempt.c); the monitor, which hands all orphans over before it wakes the first M
 * (adopt_orphans); who waits for its locked goroutine, or has found one that is another thread's
 * (stop_locked, start_locked in proc.c); who gives its P up to block (leave_p), or at the end of an
 * attached thread's call (p_unpin_slow, m_detach).  So is who wakes the monitor because its own
 * stack is black, or because its P was asked for between two pieces of it (kick_blocking in
 * grey.c).
 * By then the P has left the thread, and counts as handed over: it is next_p of the M that is to be
 * woken, or an orphan; or it is idle.  A stop that comes meanwhile finds each P, and takes none of
 * them for one that runs.  It finds the goroutine's data, if the thread has a goroutine, as of any
 * that waits, blocks, or was stopped in the handler; and the goroutine goes on when that stop is
 * over and its stack is black.  An M that was given a P is on no list: nobody else wakes it, and if
 * a stop takes the P back before it is awake, it finds none and sleeps on.
 *
 * Who makes work wakes in state RUNTIME, or in USER in a section, and a stop waits for the call
 * (m_wake_for_work): it has a P, and is in the middle of something.  So does p_hand_over where it
 * needs a new thread (m_create), or ends a doze (dozer_wake_slow).
 *
 * Note [The coarse clock].  Reports tell how long a goroutine has waited, and a look at the clock
 * at each parking would cost more than the parking.  So parking notes sched.clock, which is at most
 * a round of the monitor old while anything runs: the monitor sets it, and whoever comes back from
 * the poller, with which a time in which all were asleep ends.  It orders nothing.
 *
 * Answers to: sysmon and retake in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/print.h"
#include "base/unscanned.h"
#include "os/os.h"
#include "sched/runq.h"

#define IDLE_NS ((int64_t)1000000000) /* between looks while nothing runs */
#define RETAKE_NS ((int64_t)10000000) /* a computation may hold its P so long */
#define LENT_NS ((int64_t)100000)     /* until a P that is wanted is looked at again */
#define COMPUTING_PER_P 4

static int64_t slice_ns(void)
{
    return unlikely(sched_debug.slice_us) ? (int64_t)sched_debug.slice_us * 1000 : RETAKE_NS;
}

static struct {
    uint64_t run_count; /* the P's gs_run when last looked at ... */
    int64_t since;      /* ... and since when it has been that */
    uint64_t lends;     /* its lends then */
} seen[MAX_PROCS];      /* the monitor's own */
UNSCANNED(seen);
static bool look_soon; /* the monitor's own: others wait for a P that was found lent */

/* ---- giving a P away ------------------------------------------------------------------------- */

static bool retake_applies(struct m *m)
{
    struct p *p = m->p;
    return p != NULL && m->curg != NULL && atomic_load_relaxed(&m->retake_run) == p->gs_run;
}

static void orphan_put(struct p *p)
{
    p->status = P_HANDED;
    struct p *head = atomic_load_relaxed(&sched.orphans);
    do
        p->idle_next = head;
    while (!atomic_cas_release(&sched.orphans, &head, p)); /* pairs with orphans_take */
}

/* In the signal handler, on m's own thread, outside sections and ranges. */
bool retake_in_handler(struct m *m)
{
    if (!retake_applies(m)) return false;
    struct p *p = p_release(m);
    m->computing = true; /* until p_acquire */
    atomic_fetch_add_relaxed(&sched.ncomputing, 1);
    atomic_fetch_add_relaxed(&sched.retakes, 1);
    orphan_put(p);
    return true;
}

/* At a section's end, in a section again. */
void retake_in_section(struct m *m)
{
    if (!retake_applies(m)) return;
    atomic_fetch_add_relaxed(&sched.ncomputing, 1);
    atomic_fetch_add_relaxed(&sched.retakes, 1);
    m->computing = true;
    p_handoff_blocking(p_release(m));
}

struct p *orphans_take(void)
{
    return atomic_exchange_acqrel(&sched.orphans, (struct p *)NULL);
}

/* All are handed over before the first M is woken: a stop that comes between finds each P. */
static void adopt_orphans(void)
{
    struct p *p = orphans_take(), *following;
    struct m *heirs = NULL, *m, *self = m_self();
    if (p == NULL) return;
    for (; p != NULL; p = following) {
        following = p->idle_next;
        p->idle_next = NULL;
        m = p_hand_over(p);
        if (m == NULL) continue;
        m->idle_next = heirs; /* it is on no list, and changes nothing until it is woken */
        heirs = m;
    }
    m_enter_blocking_state(self);
    while ((m = heirs) != NULL) {
        heirs = m->idle_next;
        m->idle_next = NULL;
        note_wake(&m->park);
    }
    m_leave_blocking_state(self, M_RUNTIME);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* A timer that is due: one that is late, which only an M with a P fires (Note [Late timers],
 * timer.c). */
static bool somebody_waits(struct p *p, const struct m *m, int64_t now)
{
    const struct g *g = atomic_load_relaxed(&m->curg); /* stale perhaps: records stay readable */
    bool theirs = (g == NULL || !g->yields_itself) && (mark_is_wanted() || sched_others_wait(p));
    return theirs || timer_is_due(p, now);
}

/* Note [Lent Ps] in blocking.c.  One that is lent since the last look becomes an orphan, as does one
 * whose goroutine has had its slice; the next round, which comes at once, hands it over. */
static void look_at_lent(struct p *p, bool over)
{
    struct m *lender = atomic_load_relaxed(&p->lender); /* confirmed by p_take_lent */
    if (lender == NULL) return;
    uint64_t lends = atomic_load_relaxed(&p->lends);
    bool stays = lends == seen[p->id].lends, wanted = sched_others_wait(p);
    seen[p->id].lends = lends;
    if (!stays && !(over && wanted)) {
        look_soon = look_soon || wanted;
    } else if (p_take_lent(p, lender)) {
        atomic_fetch_add_relaxed(&sched.lent_taken, 1);
        if (stays && os_thread_sleeps(lender->tid)) blocking_lasts(lender);
        orphan_put(p);
    }
}

/* What a thread has done since a certain time; UNKNOWN: it has not been looked at twice since. */
enum doing { BURNS, SLEEPS, UNKNOWN };

static void look_at_clock(struct m *m, int64_t now)
{
    if (m->looked_at == now) return; /* another P asked */
    int64_t cpu = os_thread_cpu_of(m->tid), used = cpu - m->cpu_seen;
    bool sleeps_on = m->slept && used == 0;
    m->looked_from = m->looked_at;
    m->looked_at = now;
    m->cpu_seen = cpu;
    m->slept = used <= (now - m->looked_from) / 2 && (sleeps_on || os_thread_sleeps(m->tid));
}

/* A thread that a stop made sleep burns on after it.  No stop ends while the monitor looks; a thread
 * that one before has not woken yet may pass for one that sleeps, until the next look. */
static enum doing doing_since(struct m *m, int64_t since, int64_t now)
{
    look_at_clock(m, now);
    uint32_t state = atomic_load_relaxed(&m->state);
    if (state != M_USER && state != M_BLOCKING) return BURNS;
    if (m->looked_from < since) return UNKNOWN;
    return m->slept ? SLEEPS : BURNS;
}

enum verdict { ASK, REFUSE, LOOK_AGAIN };

/* Of m, which holds its P since then, while as many as the limit run goroutines without one. */
static enum verdict judge(struct m *m, uint32_t limit, int64_t since, int64_t now)
{
    uint32_t n[UNKNOWN + 1] = { 0 }; /* of those without */
    enum doing does = doing_since(m, since, now);
    if (does == SLEEPS) return ASK;
    for (struct m *other = m_all(); other != NULL && n[BURNS] < limit; other = other->all_next)
        if (atomic_load_relaxed(&other->computing)) /* racy: it may have a P again by now */
            n[doing_since(other, since, now)]++;
    if (n[BURNS] + n[UNKNOWN] < limit) return ASK;
    return does == BURNS && n[BURNS] == limit ? REFUSE : LOOK_AGAIN;
}

static void refuse(const struct g *g, uint32_t limit)
{
    static bool told; /* the monitor's own */
    atomic_fetch_add_relaxed(&sched.retakes_refused, 1);
    if (told) return;
    told = true;
    print_err("gort: goroutine %lu computes for long without a call, and keeps those waiting that "
              "its P could run: %u threads compute without a P already (said once; "
              "/gort/sched/retakes/refused counts)\n",
              (unsigned long)g->goid, limit);
}

static bool may_ask(struct m *m, int64_t since, int64_t now)
{
    uint32_t limit = COMPUTING_PER_P * (uint32_t)p_count();
    if (atomic_load_relaxed(&sched.ncomputing) < limit) return true;
    const struct g *g = atomic_load_relaxed(&m->curg); /* stale perhaps: records stay readable */
    if (g == NULL || atomic_load_relaxed(&m->state) != M_USER) return false;
    enum verdict verdict = judge(m, limit, since, now);
    if (verdict == REFUSE) refuse(g, limit);
    return verdict == ASK;
}

static void look_at_p(struct p *p, int64_t now)
{
    /* Racy reads: the request is checked again by the thread itself. */
    struct m *m = atomic_load_relaxed(&p->m);
    uint64_t run = atomic_load_relaxed(&p->gs_run);
    bool lent = m == NULL && atomic_load_relaxed(&p->lender) != NULL;
    if ((m == NULL && !lent) || run != seen[p->id].run_count) {
        seen[p->id].run_count = run;
        seen[p->id].since = now;
    }
    bool over = now - seen[p->id].since >= slice_ns();
    if (lent) look_at_lent(p, over);
    if (m == NULL || !over || !somebody_waits(p, m, now)) return;
    if (!may_ask(m, seen[p->id].since, now)) return;
    atomic_store_relaxed(&m->retake_run, run);
    if (atomic_load_relaxed(&m->state) == M_USER) os_thread_kill(m->tid, preempt_signal());
}

/* sched.lock is held, and is released. */
static void unlock_and_look_for_deadlock(void)
{
    bool asleep = m_all_asleep_locked();
    lock_release(&sched.lock);
    if (asleep && m_deadlocked()) sched_hooks.deadlock();
}

/* Descriptors and timers that nobody has looked at because everybody computes.  Goroutines are on
 * no queue and in no heap for a moment: meanwhile the monitor counts as active, or the last M to
 * fall asleep would see a deadlock. */
static void look_outside(int64_t now)
{
    struct ready_list ready = { NULL, NULL, 0 };
    lock_acquire(&sched.lock);
    sched.nactive++;
    lock_release(&sched.lock);
    for (int i = 0; i < p_count(); i++)
        timer_run_due(sched.all_p[i], now, &ready);
    if (netpoll_waiters() != 0 && !atomic_load_relaxed(&sched.polling)) netpoll_poll(0, &ready);
    ready_inject(&ready);
    lock_acquire(&sched.lock);
    sched.nactive--;
    unlock_and_look_for_deadlock();
}

/* After a stop: descriptors may have become ready in it, and the monitor may have gone to sleep for
 * long before it.  On an M that counts as active. */
void sched_look_outside(void)
{
    struct ready_list ready = { NULL, NULL, 0 };
    if (netpoll_waiters() != 0 && !atomic_load_relaxed(&sched.polling)) {
        netpoll_poll(0, &ready);
        ready_inject(&ready);
    }
    monitor_notice();
}

static bool all_idle(void)
{
    return atomic_load_seq(&sched.nidle_p) == (uint32_t)p_count();
}

/* What only an M finds that looks around. */
static bool waits_outside(int64_t now)
{
    if (atomic_load_relaxed(&sched.nrunq) != 0) return true;
    for (int i = 0; i < p_count(); i++)
        if (timer_is_due(sched.all_p[i], now)) return true;
    return false;
}

static void look(void)
{
    adopt_orphans(); /* this may sleep over a stop */
    int64_t now = os_now();
    atomic_store_relaxed(&sched.clock, now);
    if (unlikely(sched_debug.deterministic)) { /* of all below, this alone keeps the order */
        lock_acquire(&sched.lock);
        unlock_and_look_for_deadlock();
        return;
    }
    look_soon = false;
    for (int i = 0; i < p_count(); i++)
        look_at_p(sched.all_p[i], now);
    look_outside(now);
    if (waits_outside(now)) sched_ask_to_look();
    /* Work that was not worth waking a thread for when it came, and still waits; what markers left;
     * timers that an M must fire (Note [Late timers]), of an idle P while nobody is in the
     * poller. */
    if (atomic_load_relaxed(&sched.nidle_p) == 0) return;
    if (atomic_load_relaxed(&sched.nrunq) != 0 || sched_hooks.mark_work()) {
        m_wake_for_work();
        return;
    }
    for (int i = 0; i < p_count(); i++)
        if (!runq_empty(sched.all_p[i]) || timer_is_due(sched.all_p[i], now)) {
            m_wake_for_work();
            return;
        }
}

/* The monitor's round ends, or its next one does not sleep.  Any thread, signal handlers too. */
void sched_monitor_kick(void)
{
    atomic_fetch_add_seq(&sched.monitor_wake, 1);
    os_futex_wake(&sched.monitor_wake, 1);
}

/* The monitor is in a critical section for good; in state BLOCKING at first, RUNTIME on return. */
void sched_monitor_round(struct m *m, int64_t at_most_ns)
{
    uint32_t wake = atomic_load_seq(&sched.monitor_wake);
    m_enter_blocking_state(m);
    bool idle = all_idle() && !sched_hooks.mark_work(); /* whom nobody was woken for: look */
    atomic_store_seq(&sched.monitor_idle, idle ? 1u : 0u);
    idle = idle && all_idle(); /* pairs with monitor_notice */
    int64_t ns = idle ? IDLE_NS : look_soon ? LENT_NS : slice_ns() / 2;
    if (atomic_load_relaxed(&sched.orphans) == NULL)
        os_futex_wait(&sched.monitor_wake, wake, ns < at_most_ns ? ns : at_most_ns);
    atomic_store_seq(&sched.monitor_idle, 0u);
    m_leave_blocking_state(m, M_RUNTIME);
    if (unlikely(atomic_load_relaxed(&sched.exiting))) m_sleep_for_ever(m);
    look();
}

/* A P begins to be busy (it left the idle list, a full barrier): the monitor may have gone to sleep
 * for long because all were idle.  One of the two sees the other: it set monitor_idle and looked
 * again. */
void monitor_notice(void)
{
    uint32_t one = 1;
    if (likely(atomic_load_seq(&sched.monitor_idle) == 0)) return;
    if (!atomic_cas_seq(&sched.monitor_idle, &one, 0)) return;
    atomic_fetch_add_seq(&sched.monitor_wake, 1);
    os_futex_wake(&sched.monitor_wake, 1);
}

uint64_t sched_retakes(void)
{
    return atomic_load_relaxed(&sched.retakes); /* a statistic */
}

uint64_t sched_lends(uint64_t *taken)
{
    uint64_t n = 0;
    for (int i = 0; i < MAX_PROCS && sched.all_p[i] != NULL; i++)
        n += atomic_load_relaxed(&sched.all_p[i]->lends);
    *taken = atomic_load_relaxed(&sched.lent_taken);
    return n;
}

uint64_t sched_retakes_refused(void)
{
    return atomic_load_relaxed(&sched.retakes_refused); /* a statistic */
}
