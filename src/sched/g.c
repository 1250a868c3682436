/* Goroutines: life and states.
 *
 * What gort_go starts is a small record until its turn comes: Note [Newborns] in newborn.c.
 *
 * Note [The next life].  Where a goroutine ends and a newborn is next on its P, that one begins on
 * the same stack, in the same record, without a switch: g_main calls the one function after the
 * other.  So all is done that the end of the one and the beginning of the other are, but for what
 * is about stacks.  What a beginning does not set anew must be as it was: a goroutine whose
 * floating-point controls are not those that newborns have ends by a switch, and so does one whose
 * arguments lie where those of others may not fit, and one that ends within other frames (g_exit).
 *
 * The record lies on top of its own stack (stack.h).  Dead goroutines keep their stack: a P caches
 * up to GFREE_MAX of them, last in first out, so that the next goroutine's page is in cache.  Each
 * cycle of the collector takes them from there (dead_flush_stw), so that deep ones give their pages
 * back like all others: Note [Pages of stacks] in stack.c.
 *
 * Note [Dead ones at hand].  Goroutines are often started by the hundred, which then end: more than
 * the cache holds go through STACKS, and through a chain whose every link is a miss, each of them
 * on its way out and back.  What the cache holds is pages of memory for a cycle, and stacks that
 * other Ps make instead: so a few hundred, where Go has 64, not thousands.
 *
 * Answers to: newproc1, goexit0, gfget, gfput in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "gort/inline.h"
#include "heap/persistent.h"
#include "sched/sanitize.h"
#include "sched/runq.h"

#define GFREE_MAX 256               /* Note [Dead ones at hand] */
#define GFREE_MOVED (GFREE_MAX / 2) /* how many go at once, */
#define GFREE_TAKEN 32              /* and come: a chain is read under STACKS */
#define GOID_BATCH 16
#define START_BYTES 16 /* of a start record without a copy of arguments: lang/go.c */

static const char *const wait_names[WAIT_REASONS] = {
    [WAIT_NONE] = "running",
    [WAIT_CHAN_SEND] = "chan send",
    [WAIT_CHAN_RECV] = "chan receive",
    [WAIT_CHAN_SEND_NIL] = "chan send (NULL chan)",
    [WAIT_CHAN_RECV_NIL] = "chan receive (NULL chan)",
    [WAIT_SELECT] = "select",
    [WAIT_SELECT_NO_CASES] = "select (no cases)",
    [WAIT_SLEEP] = "sleep",
    [WAIT_MUTEX] = "mutex lock",
    [WAIT_RWMUTEX_R] = "rwmutex read lock",
    [WAIT_RWMUTEX_W] = "rwmutex lock",
    [WAIT_COND] = "cond wait",
    [WAIT_WAITGROUP] = "waitgroup wait",
    [WAIT_SEMA] = "semaphore acquire",
    [WAIT_ONCE] = "once",
    [WAIT_IO] = "IO wait",
    [WAIT_GC_WORKER] = "GC worker (idle)",
    [WAIT_GC_SWEEP] = "GC sweep wait",
    [WAIT_GC_SCAVENGE] = "GC scavenge wait",
    [WAIT_FINALIZER] = "finalizer wait",
    [WAIT_CLEANUP] = "cleanup wait",
    [WAIT_MAX_PROCS] = "update max procs (idle)",
    [WAIT_IDLE_SYSTEM] = "periodic GC (idle)",
};

const char *wait_reason_name(enum wait_reason r)
{
    return r < WAIT_REASONS ? wait_names[r] : "unknown";
}

const char *g_status_name(uint32_t s)
{
    static const char *const names[] = { "dead", "runnable", "running", "waiting", "blocking" };
    return s < array_len(names) ? names[s] : "unknown";
}

bool g_edge_is_legal(uint32_t from, uint32_t to)
{
    switch (from) {
    case G_DEAD:
        return to == G_RUNNABLE || to == G_RUNNING; /* RUNNING: an attached thread's */
    case G_RUNNABLE:
        return to == G_RUNNING;
    case G_RUNNING:
        return to != G_RUNNING;
    case G_WAITING:
        return to == G_RUNNABLE;
    case G_BLOCKING:
        return to == G_RUNNING || to == G_RUNNABLE;
    default:
        return false;
    }
}

uint64_t g_count(void)
{
    int64_t n = atomic_load_relaxed(&sched.ng);
    for (int i = 0; i < MAX_PROCS; i++) {
        const struct p *p = p_at(i); /* those that are no longer in use have counted too */
        if (p == NULL) break;
        n += atomic_load_relaxed(&p->ng);
    }
    return n > 0 ? (uint64_t)n : 0;
}

struct g *g_require(const char *call)
{
    struct m *m = m_self();
    struct g *g = g_self();
    if (likely(g != NULL && crit_depth() == 0)) return g;
    if (m == NULL && sched.forked)
        throw_fmt("%s called in a child of fork, where only exec and _exit are safe", call);
    if (m == NULL)
        throw_fmt("%s called on a thread that gort does not know: use gort_run, or "
                  "gort_thread_attach on threads of your own",
                  call);
    if (m->curg != NULL && m->curg->status == G_BLOCKING)
        throw_fmt("%s called inside a blocking region", call);
    if (g == NULL) throw_fmt("%s called on a system stack", call);
    throw_fmt("%s called from a signal handler or inside the runtime", call);
}

/* ---- making and ending ---------------------------------------------------------------------- */

static uint64_t goid_take(struct p *p)
{
    if (p->goid_next == p->goid_end) {
        /* Relaxed: only uniqueness matters. */
        p->goid_next = atomic_fetch_add_relaxed(&sched.next_goid, GOID_BATCH) + 2;
        p->goid_end = p->goid_next + GOID_BATCH;
    }
    return p->goid_next++;
}

static cold_path void dead_refill(struct p *p)
{
    p->ngfree = GFREE_TAKEN;
    p->gfree = stack_take_default(&p->ngfree, &p->gfree_last);
}

/* The cache is full: those that died last go, for the others must stay a chain that ends in
 * gfree_last. */
static cold_path void dead_spill(struct p *p)
{
    struct g *first = p->gfree, *last = first;
    for (uint32_t i = 1; i < GFREE_MOVED; i++)
        last = last->sched_link;
    p->gfree = last->sched_link;
    p->ngfree -= GFREE_MOVED;
    last->sched_link = NULL;
    stack_free_default(first, last, GFREE_MOVED);
}

/* born: for whom, if it was started before; the trace then shows nothing of the program. */
static _Noreturn cold_path void no_stack(size_t size, int error, const struct newborn *born)
{
    throw_begin();
    print_err(
        "fatal error: can not make a goroutine's stack of %zu bytes (%u stacks so far): %s%s\n",
        size, g_table_size(), strerror(error),
        error == ENOMEM ? "; see ulimit -v and vm.max_map_count" : "");
    if (born != NULL && sched_hooks.print_function != NULL) {
        print_err("goroutine %lu was to begin, started by ",
                  (unsigned long)(born->life & NEWBORN_GOID));
        sched_hooks.print_function(born->created_pc - 1);
        print_err(" in goroutine %lu\n", (unsigned long)born->created_by);
    }
    throw_finish();
}

static struct g *g_take_dead(struct p *p, size_t stack_size, const struct newborn *born)
{
    if (stack_size == 0 && p->gfree == NULL) dead_refill(p);
    if (stack_size == 0 && p->gfree != NULL) {
        struct g *g = p->gfree;
        p->gfree = g->sched_link;
        p->ngfree--;
        return g;
    }
    int error = 0;
    struct g *g = stack_alloc(stack_size, &error);
    if (g == NULL) no_stack(stack_size == 0 ? STACK_DEFAULT : stack_size, error, born);
    return g;
}

/* Everything that a former life left behind, but errno and exceptions: thread_state_begin. */
void g_init_common(struct g *g)
{
    g->wait_reason = WAIT_NONE;
    g->is_system = g->no_objects = g->yields_itself = g->is_attached = g->in_blocking =
        g->leak_told = false;
    g->m = NULL;
    g->sched_link = NULL;
    g->wake_param = NULL;
    g->fn = NULL;
    g->arg = NULL;
    g->name[0] = 0;
    g->wait_since = 0;
    g->waiting = NULL;
    g->select_done = 0;
    g->assist_exempt = false;
    g->defers = g->tries = g->context = g->locals = g->caught = NULL;
    g->caught_pc = 0;
    g->locked = 0;
    g->locked_m = NULL;
    g->asan_fake_stack = NULL;
    /* Nothing of it is to be scanned: what it will hold, its maker holds.  The fence: who sees the
     * status that follows sees this. */
    atomic_store_relaxed(&g->scanned_cycle, atomic_load_relaxed(&sched.scan_cycle));
    atomic_fence_release();
}

static bool g_end(struct g *g, bool may_live_again);

static void g_main(void *arg)
{
    struct g *g = arg;
    switch_finish();
    sanitize_arrived(g);
    if (g->no_objects) race_hide(); /* it runs nothing of the program's */
    do {
        thread_state_begin();
        crit_exit();
        g->fn(g->arg);
    } while (g_end(g, true));
}

/* Copies the arguments to the stack's top; returns where the first frame begins. */
static uintptr_t g_place_args(struct g *g, const struct g_options *o)
{
    uintptr_t top = g->stack_hi;
    if (o == NULL || o->copy_size == 0) return top;
    bool bare = likely(o->copy_size == START_BYTES); /* inline */
    if (!bare && o->copy_size > (g->stack_hi - g->stack_lo) / 2)
        throw_fmt("gort_go_copy: %zu bytes of arguments do not fit a stack of %zu bytes",
                  o->copy_size, (size_t)(g->stack_hi - g->stack_lo));
    top = align_down(top - o->copy_size, 16);
    race_hide();
    if (bare)
        memcpy((void *)top, o->copy, START_BYTES);
    else
        memcpy((void *)top, o->copy, o->copy_size);
    race_show();
    g->arg = (void *)top;
    return top;
}

/* The main goroutine: runnable, on no queue yet. */
void g_prepare(struct g *g, void (*fn)(void *), void *arg, uint64_t goid, const char *name)
{
    g_init_common(g);
    g->fn = fn;
    g->arg = arg;
    g->goid = goid;
    format_into(g->name, sizeof g->name, "%s", name);
    sanitize_g_born(g);
    arch_context_make(&g->ctx, g->stack_hi, g_main, g);
    atomic_fetch_add_relaxed(&sched.ng, 1);
    g_set_status(g, G_RUNNABLE);
}

/* On no queue yet, and DEAD. */
static force_inline struct g *g_make(struct p *p, void (*fn)(void *), void *arg,
                                     const struct g_options *o, uintptr_t created_pc)
{
    struct g *creator = m_self()->curg;
    struct g *g = g_take_dead(p, o != NULL ? o->stack_size : 0, NULL);
    g_init_common(g);
    g->fn = fn;
    g->arg = arg;
    g->goid = goid_take(p);
    g->created_pc = created_pc;
    g->created_by = creator != NULL ? creator->goid : 0;
    if (o != NULL) {
        if (o->name != NULL) format_into(g->name, sizeof g->name, "%.31s", o->name);
        g->is_system = o->is_system;
        g->no_objects = o->no_objects;
        g->yields_itself = o->yields_itself;
    }
    sanitize_g_born(g);
    arch_context_make(&g->ctx, g_place_args(g, o), g_main, g);
    if (!g->is_system) atomic_store_relaxed(&p->ng, p->ng + 1);
    return g;
}

void g_start_listed(struct ready_list *ready, void (*fn)(void *), void *arg,
                    const struct g_options *o, uintptr_t created_pc)
{
    ready_list_append(ready, g_make(m_self()->p, fn, arg, o, created_pc));
}

/* A goroutine or a newborn, to run next. */
static force_inline void put_new(struct p *p, struct g *g)
{
    if (unlikely(sched_debug.migrate))
        global_put(g);
    else
        runq_put(p, g, true);
    m_wake_for_work();
}

struct g *g_start(void (*fn)(void *), void *arg, const struct g_options *o, uintptr_t created_pc)
{
    struct p *p = p_pin();
    struct g *g = g_make(p, fn, arg, o, created_pc);
    g_set_status(g, G_RUNNABLE);
    put_new(p, g);
    p_unpin();
    return g;
}

void g_start_bare(void (*fn)(void *), const void *copy, size_t size, uintptr_t created_pc)
{
    /* ThreadSanitizer is told by the maker; and what inherits other controls has to keep them. */
    if (unlikely(race_on || arch_fp_controls() != sched.fp_controls)) {
        const struct g_options o = { .copy = copy, .copy_size = size };
        g_start(fn, NULL, &o, created_pc);
        return;
    }
    assert_that(size <= GO_COPY_MOST);
    struct p *p = p_pin();
    const struct g *creator = m_self()->curg;
    struct newborn *b = newborn_take(p);
    atomic_fence_release(); /* pairs with newborn_read: that it is free comes before what follows */
    b->created_pc = created_pc;
    b->created_by = creator != NULL ? creator->goid : 0;
    b->fn = fn;
    if (likely(size == START_BYTES)) { /* inline, and one cache line */
        memcpy(b->copy, copy, START_BYTES);
    } else {
        memset(b->copy, 0, sizeof b->copy);
        memcpy(b->copy, copy, size);
    }
    uint64_t life = goid_take(p) | (uint64_t)size << NEWBORN_SIZE_SHIFT;
    atomic_store_release(&b->life, life); /* pairs with newborn_read */
    atomic_store_relaxed(&p->ng, p->ng + 1);
    put_new(p, newborn_as_g(b));
    p_unpin();
}

/* Where a newborn's arguments will lie, whatever their size: so the next life's fit there too. */
static inline uintptr_t args_room(const struct g *g)
{
    return align_down(g->stack_hi - GO_COPY_MOST, 16);
}

/* The life of a newborn begins on the stack of g, which is dead; its record is free again. */
static force_inline void g_begin_life(struct p *p, struct g *g, struct newborn *b)
{
    uint64_t size = b->life >> NEWBORN_SIZE_SHIFT;
    void *args = (void *)args_room(g);
    g_init_common(g);
    g->fn = b->fn;
    g->arg = args;
    g->goid = b->life & NEWBORN_GOID;
    g->created_pc = b->created_pc;
    g->created_by = b->created_by;
    if (unlikely(gort_barrier_flag != 0)) /* Note [Roots of newborns] */
        sched_hooks.words_leave(b->copy, size / WORD_SIZE);
    if (likely(size == START_BYTES)) {
        memcpy(args, b->copy, START_BYTES);
        /* What a former life had there would be scanned as long as this one lasts. */
        memset((char *)args + START_BYTES, 0, GO_COPY_MOST - START_BYTES);
    } else {
        memcpy(args, b->copy, GO_COPY_MOST); /* zero from `size` on */
    }
    newborn_give(p, b);
}

struct g *g_hatch(struct p *p, struct g *newborn)
{
    struct g *g = g_take_dead(p, 0, newborn_of(newborn));
    g_begin_life(p, g, newborn_of(newborn));
    arch_context_make_with(&g->ctx, args_room(g), g_main, g, sched.fp_controls);
    g_set_status(g, G_RUNNABLE);
    return g;
}

void g_live_again(struct p *p, struct g *g, struct g *newborn)
{
    g_begin_life(p, g, newborn_of(newborn));
}

void g_set_system(struct g *g)
{
    if (g->is_system) return;
    g->is_system = true;
    atomic_fetch_sub_relaxed(&sched.ng, 1);
}

/* On the next stack, after the last instruction on g's own. */
bool g_bury(struct g *g, void *arg)
{
    (void)arg;
    struct p *p = m_self()->p;
    sanitize_forget(g->ctx.sp, g->stack_hi);
    sanitize_g_buried(g);
    g->fn = NULL;
    g->arg = NULL;
    g->wake_param = NULL;
    if (g->slot_class == STACK_DEFAULT_CLASS && p != NULL) {
        if (p->ngfree == GFREE_MAX) dead_spill(p);
        if (p->gfree == NULL) p->gfree_last = g;
        g->sched_link = p->gfree;
        p->gfree = g;
        p->ngfree++;
    } else {
        stack_free(g);
    }
    return true;
}

void dead_flush_stw(struct p *p)
{
    if (p->gfree == NULL) return;
    stack_free_default(p->gfree, p->gfree_last, p->ngfree);
    p->gfree = p->gfree_last = NULL;
    p->ngfree = 0;
}

/* g, which runs, has ended.  true: it lives again, on the same stack, and its caller calls what it
 * now is. */
static force_inline bool g_end(struct g *g, bool may_live_again)
{
    struct p *p = p_pin();
    struct m *m = m_self();
    assert_that(m->curg == g && crit_depth() == 1 && lock_none_held());
    if (g->locked_m != NULL) {
        g->locked_m->locked_g = NULL;
        g->locked_m = NULL;
        g->locked = 0;
    }
    sched_hooks.g_dead(g);
    if (!g->is_system) atomic_store_relaxed(&p->ng, p->ng - 1);
    g_set_status(g, G_DEAD);
    bool has_room = (uintptr_t)g->arg == args_room(g);
    return switch_from_dead(m, g, may_live_again && has_room);
}

_Noreturn void g_exit(void)
{
    (void)g_end(m_self()->curg, false);
    throw_msg("a dead goroutine runs");
}
