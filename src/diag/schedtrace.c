/* GORTDEBUG=schedtrace=ms: a line on the scheduler every so many milliseconds, in the format of
 * Go's.
 *
 *     SCHED 1009ms: gomaxprocs=2 idleprocs=0 threads=4 spinningthreads=1 needspinning=0
 *         idlethreads=0 runqueue=3 [ 5 0 ] schedticks=[ 1042 977 ]
 *
 * (one line).  The time since the start; how many Ps there are, and are idle; threads ever made and
 * not detached, the monitor among them; those that look for work; 0, since who stops looking here
 * looks once more itself; those asleep; goroutines on the global queue; and for each P on its own
 * (without the next slot, as Go counts), and how often it switched to a goroutine.  scheddetail=1
 * has lines for each P, thread and goroutine instead of the two lists.
 *
 * On the monitor's thread, under SCHED, so that Ps and threads are counted at one moment; what
 * belongs to others is read while they change it.
 *
 * Answers to: schedtrace in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <unistd.h>

#include "diag/events.h"
#include "rt/hooks.h"
#include "sched/runq.h"

static unsigned long queue_length(const struct p *p)
{
    return atomic_load_relaxed(&p->runq_tail) - atomic_load_relaxed(&p->runq_head);
}

static void print_lists(struct print *out)
{
    for (int i = 0; i < p_count(); i++)
        print_fmt(out, "%s%lu", i == 0 ? " [ " : " ", queue_length(sched.all_p[i]));
    print_fmt(out, " ] schedticks=[ ");
    for (int i = 0; i < p_count(); i++)
        print_fmt(out, "%lu ", (unsigned long)atomic_load_relaxed(&sched.all_p[i]->gs_run));
    print_fmt(out, "]\n");
}

/* "nil" where there is none, as Go prints it. */
static void print_id(struct print *out, const char *name, const void *of, uint64_t id)
{
    if (of != NULL)
        print_fmt(out, " %s=%lu", name, (unsigned long)id);
    else
        print_fmt(out, " %s=nil", name);
}

static void print_ps(struct print *out)
{
    for (int i = 0; i < p_count(); i++) {
        const struct p *p = sched.all_p[i];
        const struct m *m = atomic_load_relaxed(&p->m);
        print_fmt(out, "  P%d: status=%u schedtick=%lu", i, p->status,
                  (unsigned long)atomic_load_relaxed(&p->gs_run));
        print_id(out, "m", m, m != NULL ? m->id : 0);
        print_fmt(out, " runqsize=%lu gfreecnt=%u timerslen=%u\n", queue_length(p), p->ngfree,
                  p->timers.n);
    }
}

static void print_ms(struct print *out)
{
    static const char *const states[] = { "blocking", "runtime", "user", "stopped" };
    for (const struct m *m = m_all(); m != NULL; m = m->all_next) {
        const struct p *p = m->p;
        const struct g *g = m->curg, *locked = m->locked_g;
        if (m->dead) continue;
        print_fmt(out, "  M%u:", m->id);
        print_id(out, "p", p, p != NULL ? p->id : 0);
        print_id(out, "curg", g, g != NULL ? g->goid : 0);
        print_fmt(out, " state=%s spinning=%d", states[atomic_load_relaxed(&m->state) % 4],
                  m->spinning);
        print_id(out, "lockedg", locked, locked != NULL ? locked->goid : 0);
        print_fmt(out, "\n");
    }
}

static void print_gs(struct print *out)
{
    for (uint32_t i = 0; i < g_table_size(); i++) {
        const struct g *g = g_at(i);
        if (g == NULL || atomic_load_relaxed(&g->status) == G_DEAD) continue;
        uint32_t status = atomic_load_relaxed(&g->status);
        const struct m *locked = g->locked_m;
        const char *why = status == G_WAITING ? wait_reason_name(g->wait_reason) : "";
        print_fmt(out, "  G%lu: status=%u(%s%s%s)", (unsigned long)g->goid, status,
                  g_status_name(status), *why != '\0' ? ": " : "", why);
        print_id(out, "lockedm", locked, locked != NULL ? locked->id : 0);
        print_fmt(out, "\n");
    }
}

static void print_newborns(struct print *out)
{
    struct newborn_view v;
    uint32_t n = newborns_table_size();
    for (uint32_t i = 0; i < n; i++)
        if (newborn_read(i, &v))
            print_fmt(out, "  G%lu: status=%u(runnable) lockedm=nil\n", (unsigned long)v.goid,
                      (unsigned)G_RUNNABLE);
}

static void print_head(struct print *out, int64_t now)
{
    print_fmt(out,
              "SCHED %ldms: gomaxprocs=%d idleprocs=%u threads=%u spinningthreads=%u "
              "needspinning=0 idlethreads=%u runqueue=%u",
              (long)((now - events_start()) / 1000000), p_count(),
              atomic_load_relaxed(&sched.nidle_p), sched.nm, atomic_load_relaxed(&sched.nspinning),
              sched.nidle_m, sched.nrunq);
}

static void sched_trace(bool detailed)
{
    struct print out;
    print_init(&out, STDERR_FILENO);
    lock_acquire(&sched.lock);
    print_head(&out, os_now());
    if (detailed) {
        print_fmt(&out, "\n");
        print_ps(&out);
        print_ms(&out);
        print_gs(&out);
        print_newborns(&out);
    } else {
        print_lists(&out);
    }
    lock_release(&sched.lock);
    print_flush(&out);
}

__attribute__((__constructor__)) static void schedtrace_install(void)
{
    rt_hooks.sched_trace = sched_trace;
}
