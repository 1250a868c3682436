/* Goroutines that can never run again.
 *
 * A goroutine that waits for a channel, a mutex or the like is woken by another that has its
 * address.  So when everything that can still run is looked through, all that it can reach, and so
 * on, and the object is not found, nobody ever wakes it: it has leaked, with all that its stack
 * keeps.
 *
 * Note [Who is stuck].  A greatest fixed point: candidates are stuck until shown otherwise.
 *   1. Candidates: goroutines of the program that wait for channels or sync objects (sudogs name
 *      them).  Who sleeps, waits for a descriptor or a blocking call, or is a foreign thread, is
 *      none.
 *   2. Reached at first: what roots other than goroutines lead to, goroutines that are no
 *      candidates, timers, and all memory of the process that is not the runtime's.
 *   3. A candidate is live when one of its objects has been reached, or lies outside the collected
 *      heap (in a global, on a stack, in malloc's memory: whoever knows such an address need not
 *      hold it where it can be seen), or when an address in its stack has been reached (what is
 *      there may lead on).  Then what it holds is reached too; again, until nothing changes.
 *
 * No false report: let g be one that runs again, and of the stuck the first that is woken.  Its
 * waker has the address of an object that g waits at.  It is not stuck itself, or it would have
 * been woken before; so the waker was running, or was no candidate, or was shown to be live, or is
 * made later by one of those.  Whatever of these has the object's address had it in the stop, on
 * its stack or in registers, or got it since from memory that it could get at: an object, whose
 * address it had, a root, a stack, other memory.  Each of these was looked at as words, whatever
 * their type outside of typed objects.  So the object was reached, and g was live.  Words that are
 *   stale make more goroutines live, never fewer.  What is not seen: an address that is disguised,
 *   or lies only in memory shared with other processes, or
 * in the registers of a thread that the runtime does not know; so there is no answer while there is
 * such a thread.  Weak references lead to their targets here: as long as g is stuck, it keeps the
 *   target.  Goroutines in blocking regions run on in the stop.  They promise not to move collected
 *   pointers
 * (DESIGN 4, rule 11), nor may they move the only address of a goroutine's stack.
 *
 * The runtime's own memory is left out in 2, since it holds addresses that nobody goes by: freed
 * waiter records, what marking left in its buffers.  What of it leads anywhere enumerates itself as
 * roots.  Likewise the system stacks of the runtime's threads, but while they run the program's
 * code (gort_blocking).
 *
 * Why in one stop and by the second marker (checkmark.c): this is asked for by hand, or by a mode
 * for tests, and must not cost those anything who do not ask.  Rejected: to leave candidates out of
 * every cycle's roots, and to add them when marking has ended, as Go's experiment does: each cycle
 * would pay for it.
 *
 * Locking: the cycle's semaphore, so that nobody marks; the loader's lock, for the libraries' data.
 * Answers to: goroutineleak in mgc.go (findGoroutineLeaks).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/stuck.h"

#include <errno.h>

#include "base/assert.h"
#include "base/bits.h"
#include "gc/checkmark.h"
#include "gc/cycle.h"
#include "gc/gc.h"
#include "gc/roots.h"
#include "heap/special.h"
#include "os/os.h"
#include "sched/sched_internal.h"

#define STRANGER_LOOKS 50
#define STRANGER_WAIT_NS ((int64_t)200000)

enum { NO_CANDIDATE, STUCK, STACK_REACHED, LIVE };

struct search {
    void (*fn)(struct g *g, void *arg);
    void *arg;
    uint8_t *state;   /* of each goroutine, by its place in the table; off-heap */
    uint32_t n;       /* places */
    uintptr_t lo, hi; /* stacks of all candidates lie between */
    long found;
};

static struct search *searching; /* whoever has stopped the world */

/* ---- candidates ------------------------------------------------------------------------------ */

static bool waits_for_objects(const struct g *g)
{
    switch ((enum wait_reason)g->wait_reason) {
    case WAIT_CHAN_SEND:
    case WAIT_CHAN_RECV:
    case WAIT_SELECT:
    case WAIT_MUTEX:
    case WAIT_RWMUTEX_R:
    case WAIT_RWMUTEX_W:
    case WAIT_COND:
    case WAIT_WAITGROUP:
    case WAIT_SEMA:
    case WAIT_ONCE:
        return g->waiting != NULL;
    case WAIT_CHAN_SEND_NIL:
    case WAIT_CHAN_RECV_NIL:
        return true; /* for none: nobody can wake it */
    case WAIT_SELECT_NO_CASES:
        return g->goid != 1; /* a main function that ends so means to wait for ever */
    default:
        return false;
    }
}

static void choose_candidates(struct search *s)
{
    s->lo = UINTPTR_MAX;
    s->hi = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct g *g = g_at(i);
        if (g == NULL || g->status != G_WAITING || g->is_system || g->is_attached) continue;
        if (!waits_for_objects(g) || g->wake_param != NULL)
            continue; /* or woken: a close makes it ready */
        s->state[i] = STUCK;
        if (g->stack_lo < s->lo) s->lo = g->stack_lo;
        if (g->stack_hi > s->hi) s->hi = g->stack_hi;
    }
}

/* A word that is in no object: perhaps it leads to a candidate's stack. */
static void see_other(uintptr_t word)
{
    struct search *s = searching;
    if (likely(word - s->lo >= s->hi - s->lo)) return;
    const struct g *g = stack_owner(word);
    /* Its variables lie above the stack pointer. */
    if (g == NULL || g->index >= s->n || word < g->ctx.sp || word >= g->stack_hi) return;
    if (s->state[g->index] == STUCK) s->state[g->index] = STACK_REACHED;
}

static bool is_live(const struct g *g)
{
    /* Whoever ends the context ends the wait, whatever for. */
    if (g->context != NULL && reach_object((uintptr_t)g->context) != REACH_NOT) return true;
    for (const struct sudog *w = g->waiting; w != NULL; w = w->wait_link)
        if (w->object != NULL && reach_object((uintptr_t)w->object) != REACH_NOT) return true;
    return false;
}

/* ---- what is reached at first ---------------------------------------------------------------- */

static void reach_weak_target(struct span *s, struct special *sp, void *unused)
{
    (void)unused;
    if (sp->kind == SPECIAL_WEAK) reach_word(s->base + sp->offset);
}

static void reach_timers(void)
{
    for (int i = 0; i < p_count(); i++) {
        const struct timer_heap *h = &p_at(i)->timers;
        for (uint32_t k = 0; k < h->n; k++) {
            reach_word((uintptr_t)h->a[k]);
            reach_word((uintptr_t)h->a[k]->arg);
        }
    }
}

/* The part of [lo, hi) that no thread of the runtime has for its system stack. */
static void reach_memory(uintptr_t lo, uintptr_t hi, void *unused)
{
    (void)unused;
    while (lo < hi) {
        uintptr_t end = hi, next = hi;
        for (const struct m *m = m_all(); m != NULL; m = m->all_next) {
            bool runs_program = m->curg != NULL && m->curg->status == G_BLOCKING;
            if (m->dead || m->sys_lo == 0 || runs_program || m->sys_hi <= lo) continue;
            if (m->sys_lo >= end) continue;
            end = m->sys_lo > lo ? m->sys_lo : lo;
            next = m->sys_hi;
        }
        reach_words(lo, end);
        lo = next;
    }
}

static void reach_newborns(void)
{
    struct newborn_view v;
    for (uint32_t i = 0; i < newborns_table_size(); i++)
        if (newborn_read(i, &v)) reach_words(v.lo, v.hi);
}

static void reach_runnable(const struct search *s)
{
    reach_newborns();
    for (uint32_t i = 0; i < s->n; i++) {
        struct g *g = g_at(i);
        bool no_root = g == NULL || g->status == G_DEAD || g->no_objects;
        if (!no_root && s->state[i] == NO_CANDIDATE) reach_goroutine(g);
    }
}

/* ---- the search ------------------------------------------------------------------------------ */

static bool one_more_round(struct search *s)
{
    bool some = false;
    for (uint32_t i = 0; i < s->n; i++) {
        struct g *g = g_at(i);
        if (s->state[i] != STACK_REACHED && (s->state[i] != STUCK || !is_live(g))) continue;
        s->state[i] = LIVE;
        reach_goroutine(g);
        some = true;
    }
    reach_all();
    return some;
}

static void tell(struct search *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->state[i] != STUCK) continue;
        s->found++;
        s->fn(g_at(i), s->arg);
    }
}

/* Those that the runtime is just making are counted by the kernel first; the maker runs on in the
 * stop. */
static bool has_strangers(void)
{
    static uint32_t never; /* nobody changes it */
    for (int look = 0; look < STRANGER_LOOKS; look++) {
        if (os_thread_count() <= os_threads_made() + 1 + (int)sched.nattached) return false;
        os_futex_wait(&never, 0, STRANGER_WAIT_NS);
    }
    return true;
}

static bool search_stopped(void *arg)
{
    struct search *s = arg;
    if (!world_try_stop(STOP_STATS, NULL)) return false;
    assert_that(gc_phase == GC_OFF);
    s->n = g_table_size(); /* once: threads that attach add to it, though the world is stopped */
    size_t bytes = align_up(s->n + 1, os_page_size());
    s->state = os_mem_map(NULL, bytes);
    if (has_strangers()) {
        s->found = -EBUSY;
    } else if (s->state == NULL) {
        s->found = -ENOMEM;
    } else {
        searching = s;
        choose_candidates(s);
        reach_begin_stw(see_other);
        special_each(reach_weak_target, NULL);
        reach_timers();
        reach_runnable(s);
        bool all = os_mem_each_other(reach_memory, NULL);
        reach_all();
        while (all && one_more_round(s))
            ;
        if (all)
            tell(s);
        else
            s->found = -ENOTSUP;
        reach_end();
    }
    if (s->state != NULL) os_mem_unmap(s->state, bytes);
    world_start();
    return true;
}

static void search_on_system(void *s)
{
    roots_hold_loader(search_stopped, s);
}

long stuck_find_locked(void (*fn)(struct g *g, void *arg), void *arg)
{
    struct search s = { .fn = fn, .arg = arg };
    call_on_system_stack(search_on_system, &s);
    return s.found;
}

long stuck_find(void (*fn)(struct g *g, void *arg), void *arg)
{
    for (;;) {
        cycle_lock();
        if (gc_phase == GC_OFF) break;
        cycle_unlock();
        gc_collect(GC_CAUSE_FORCED); /* helps the one that marks to its end */
    }
    long found = stuck_find_locked(fn, arg);
    cycle_unlock();
    return found;
}
