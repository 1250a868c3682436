/* Workers: goroutines that mark beside the program.
 *
 * A quarter of the Ps is the collector's while it marks (pacer.h): some Ps belong to a dedicated
 * worker, the others run a fractional one for a part of their time; and a P with nothing to run has
 * an idle one.  The scheduler asks for a worker whenever it looks for a goroutine (workers_find),
 * and gets a parked one from the pool, of the kind that is wanted:
 *
 *            workers_find, _idle (M)                  worker_run (itself)
 *   PARKED ---------------------------> RUNNABLE -> marks in sections of WORKER_BYTES -> PARKED
 *   in the pool                                                                        in the pool
 *
 *   dedicated:   until nothing is left to take.  When a section ends because somebody wants the P,
 *                or others wait in its queue, it first gives the queue away, and stays.  It leaves
 *                when there are too many: Note [Another number of Ps].
 *   fractional:  until this P has marked for its share of the time since marking began.
 *   idle:        until there is something else to run.
 *
 * A worker that leaves off when nothing seems left tries to end the cycle.  Goroutines that compute
 * without calling gort keep their P from a worker for a time slice at most: the monitor takes it
 * (sched_mark_wanted).
 *
 * Note [A worker's cycle].  The stop that ends a cycle may come between two sections of a worker,
 * and the next cycle begin before it goes on.  It then would mark in the name of a kind that the
 * new cycle has counted anew: places for dedicated workers are as many as the pacer says, and this
 * one, when it left off, would give back one that it never took.  So a worker is of the cycle in
 * which it was found (workers.cycle, which stops change and sections compare), and leaves off in
 * another.  What it gives back is checked against what was given out (pacer_dedicated_give).
 *
 * Note [Another number of Ps].  The number may change while the cycle marks (sched_hooks
 * .procs_changed).  Go waits for the end of the cycle first; here the number follows the machine,
 * and who sets it would wait as long as a large heap takes.  With the places of eight Ps, two, a
 * program that is left with one would not run before marking ends.  So in that stop the quarter is
 * taken of the new number:
 *   - There are as many places for dedicated workers as the new number has.  With fewer than
 *     workers are out, the count of free ones is below 0.  Such workers are too many: one that sees
 *     that leaves at the end of its section, and gives its place back, which brings the count up.
 *     Two that see the same -1 both leave, and the place of one is taken again: no harm.
 *   - Fractional shares are counted from this stop on.  Else a P that had no share until now would
 *     mark for a share of all the time since marking began, at one go.
 *   - Idle workers above the new limit leave when there is something else to run, as they do.
 *   - A larger number needs more workers, and who stops the world can not make them.  A worker
 *     does, before a section: there is one at least in any cycle.
 * The cycle is the same: what is given back was taken in it.
 *
 * Note [Places are given back last].  A worker that leaves off tries to end the cycle while its
 * place is taken.  Until the stop, "nothing is left" is a reason to run another one; with the place
 * free, the next P that looks for a goroutine would get one too, which finds nothing, and waits
 * for the first one's stop (cycle_lock), P and queue and all; then the next P.  So where the kernel
 * runs something else in place of the first one's thread, no P would run the program.  If it was
 * not the end, the place is free again at once; and if it was, it is of no other cycle.
 * Fractional workers have no place: two of them may still meet there.
 *
 * A section is left early when a stop is on (mark_some), and holds no work afterwards.
 *
 * Locking: none.  Memory order: the pool's push and pop carry a worker's record from thread to
 * thread.
 * Answers to: gcBgMarkWorker in mgc.go, findRunnableGCWorker in mgcpacer.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/worker.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/unscanned.h"
#include "gc/colors.h"
#include "gc/cpulimit.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "gc/pace.h"
#include "heap/heap.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sync/lfstack.h"

#define WORKER_BYTES (128 * KB) /* scanned in one section */

struct worker {
    struct lfnode node; /* in the pool */
    struct g *g;
    enum pacer_time kind;
    uint32_t cycle; /* of workers.cycle, when it was taken from the pool */
};

static struct {
    struct lfstack pool cache_aligned;
    uint32_t making;          /* atomic; somebody makes workers */
    int n;                    /* atomic; workers ever made; whoever has `making` */
    int64_t begin;            /* marking, or this number of Ps, began; written in stops */
    uint32_t cycle;           /* number of the present cycle; written in stops */
    int64_t spent[MAX_PROCS]; /* ns of fractional marking on each P since; its owner */
} workers;
UNSCANNED(workers);

/* ---- marking --------------------------------------------------------------------------------- */

static bool stays(const struct worker *w, struct p *p, int64_t now)
{
    switch (w->kind) {
    case PACER_TIME_DEDICATED:
        if (pacer_dedicated_over(&pace_shared)) return false; /* Note [Another number of Ps] */
        if (sched_others_wait(p)) sched_give_queue_away(p);
        return true;
    case PACER_TIME_FRACTIONAL:
        return !pace_fractional_over(workers.spent[p->id], now - workers.begin);
    default:
        return !sched_others_wait(p);
    }
}

/* One section.  *left: there is more to mark.  true: the worker goes on. */
static bool worker_section(struct worker *w, bool *left)
{
    struct p *p = p_pin();
    bool on = false;
    *left = false;
    if (heap_marking() && w->cycle == workers.cycle) {
        int64_t begin = os_now();
        bool told = w->kind == PACER_TIME_IDLE && cpulimit_enter(p, LIMITER_IDLE_MARK, begin);
        pacer_credit_add(&pace_shared, mark_some(p, WORKER_BYTES, left));
        int64_t now = os_now();
        if (told) cpulimit_leave(p, LIMITER_IDLE_MARK, now);
        pacer_time_add(&pace_shared, w->kind, now - begin);
        cpulimit_tick(now);
        if (w->kind == PACER_TIME_FRACTIONAL) workers.spent[p->id] += now - begin;
        on = *left && stays(w, p, now);
    }
    p_unpin();
    if (unlikely(gc_debug.colors != 0)) colors_look_slow();
    return on;
}

static void worker_run(struct worker *w)
{
    bool left;
    do
        workers_prepare(p_count()); /* there may be more Ps than when the cycle began */
    while (worker_section(w, &left));
    if (mark_looks_done()) gc_try_end(); /* whatever it left: it may have been the last */
    crit_enter();                        /* Note [Places are given back last] */
    if (w->kind == PACER_TIME_DEDICATED && w->cycle == workers.cycle)
        pacer_dedicated_give(&pace_shared);
    crit_exit();
    if (w->kind == PACER_TIME_IDLE) pacer_idle_leave(&pace_shared);
}

static bool to_pool(struct g *g, void *arg)
{
    struct worker *w = arg;
    (void)g;
    lfstack_push(&workers.pool, &w->node);
    return true;
}

static void worker_main(void *arg)
{
    struct worker *w = arg;
    w->g = g_self();
    for (;;) {
        p_pin();
        g_park(to_pool, w, WAIT_GC_WORKER);
        p_unpin();
        worker_run(w);
    }
}

static void make_up_to(int nprocs)
{
    struct g_options o = {
        .name = "gc worker", .is_system = true, .no_objects = true, .yields_itself = true
    };
    for (; workers.n < nprocs; atomic_store_relaxed(&workers.n, workers.n + 1)) {
        crit_enter();
        struct worker *w = persistent_alloc(sizeof *w, CACHE_LINE, &heap->meta);
        crit_exit();
        if (w == NULL) return; /* assists mark too */
        g_start(worker_main, w, &o, (uintptr_t)__builtin_return_address(0));
    }
}

/* Nobody waits for who makes them, who may be waiting for a P: with fewer, the others mark more. */
void workers_prepare(int nprocs)
{
    if (atomic_load_relaxed(&workers.n) >= nprocs) return; /* rises only */
    if (atomic_exchange_acqrel(&workers.making, 1u) != 0) return;
    make_up_to(nprocs);
    atomic_store_release(&workers.making, 0u); /* pairs with the exchange */
}

/* ---- finding one ----------------------------------------------------------------------------- */

void workers_share_stw(void)
{
    workers.begin = os_now();
    for (int i = 0; i < MAX_PROCS; i++)
        workers.spent[i] = 0;
}

void workers_begin_stw(void)
{
    workers.cycle++;
    workers_share_stw();
}

static struct g *take(enum pacer_time kind)
{
    struct lfnode *n = lfstack_pop(&workers.pool);
    if (n == NULL) return NULL; /* it is about to park, or there was no memory */
    struct worker *w = container_of(n, struct worker, node);
    w->kind = kind;
    w->cycle = workers.cycle;
    return w->g;
}

/* To end the cycle is work too: Note [Who ends a cycle] in cycle.c. */
bool workers_wanted(void)
{
    return heap_marking() && (mark_has_work() || mark_looks_done());
}

struct g *workers_find(struct p *p)
{
    if (!workers_wanted()) return NULL;
    if (pacer_dedicated_take(&pace_shared)) {
        struct g *g = take(PACER_TIME_DEDICATED);
        if (g == NULL) pacer_dedicated_give(&pace_shared);
        return g;
    }
    if (!pace_fractional_due(workers.spent[p->id], os_now() - workers.begin)) return NULL;
    return take(PACER_TIME_FRACTIONAL);
}

struct g *workers_find_idle(struct p *p)
{
    (void)p;
    if (!workers_wanted() || !pacer_idle_join(&pace_shared)) return NULL;
    struct g *g = take(PACER_TIME_IDLE);
    if (g == NULL) pacer_idle_leave(&pace_shared);
    return g;
}
