/* Cleanups.
 *
 * A cleanup is a special record on an address in an object; of one object there may be many.  When
 * marking does not reach the object, it dies, and fn(arg) is called.  fn never sees the object, so
 * nothing is resurrected and nothing has an order: unlike finalizers, cleanups of objects in a
 * circle run, and several goroutines run them side by side.
 *
 * Life of a record (edges: function, thread):
 *
 *             gort_add_cleanup                   cleanup_queue (a sweeper)
 *      FREE ------------------> ON THE OBJECT ----------------------------> QUEUED
 *       ^                           |                                          |
 *       |   gort_cleanup_stop       |                  next (a runner)         |
 *       +---------------------------+------------------------------------------+
 *
 *   ON THE OBJECT: in span->specials.  id is the handle's; arg is a root.
 *   QUEUED: id is 0; arg is a root.
 *   FREE: id and arg are 0.
 *   From the queue arg goes into the runner's registers, shaded: Note [Records while marking].
 *
 * Note [Stopping].  The handle may outlive the cleanup, the object, and its memory's use for that
 * object.  The record's id tells: ids are given once, so as long as the record has the handle's it
 * is the same cleanup, and on the object.  Who exchanges the id for 0 takes the record off: one of
 * those who stop, or the sweeper.  These two never meet: who stops first makes sure that the span
 * that now lies where the object was is swept (if that is no longer the object's, the sweep is long
 * over); then either the sweeper has been there, and the id is 0 or another, or the object was
 * alive when marking ended and no sweeper comes before the next cycle, which can not begin inside a
 * critical section.
 *
 * Note [Runners].  Goroutines that run cleanups are made one by one: the first by the first
 * gort_add_cleanup, each further one by a runner that is about to call a function while no other
 * waits, up to a limit.  So while fewer than the limit run user code one is left for what is queued
 * next, and a cleanup that blocks does not hold up the others, until as many block as there may be.
 *
 * A runner that finds the queue empty pushes itself on `idle`, when its registers are saved, and
 * looks at the queue again; who queued something looks at `idle` afterwards (cleanup_wake).
 * Between its push and its look either has a full fence, so one of them sees the other's.  Who sees
 * both takes one off `idle`, which is the right to ready it; that may be the runner itself, which
 * then goes on.  A runner that has taken something wakes another when more is queued.
 *
 * One that ends its goroutine (gort_goexit) is replaced (cleanup_goroutine_ended).
 *
 * The queue is a lock-free stack, since a sweep happens inside other locks and while the world is
 * stopped.
 *
 * Locking: none of its own; SPAN_SPECIALS inside special.h, FIXALLOC.
 * Answers to: mcleanup.go, whose runners take blocks of several.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/cleanup.h"

#include "base/assert.h"
#include "base/throw.h"
#include "base/unscanned.h"
#include "gc/specials.h"
#include "heap/fixalloc.h"
#include "heap/span.h"
#include "sched/sched.h"
#include "sync/lfstack.h"

/* How many runners there may be: a quarter of the Ps, but not fewer than RUNNERS_MIN. */
#define RUNNERS_MIN 4
#define RUNNERS_MAX (MAX_PROCS / 4)
#define YIELD_EVERY 64 /* cleanups: a runner with a long queue lets others run */

struct cleanup {
    struct special special; /* first: on the object */
    struct lfnode node;     /* in the queue */
    uint64_t id;            /* Note [Stopping]; atomic */
    void (*fn)(void *arg);
    uintptr_t arg; /* a root; atomic */
};

struct runner {
    struct lfnode node; /* in idle */
    struct g *g;        /* set by itself; whoever took it off idle may read it */
};

static struct {
    struct lfstack queue cache_aligned;
    struct lfstack idle cache_aligned; /* runners that wait */
    struct fixalloc records;
    uint64_t last_id;  /* atomic */
    uint32_t nrunners; /* atomic; rises only */
    uint64_t bytes;
    uint64_t added, stopped, queued, run; /* atomic; statistics */
    struct runner runners[RUNNERS_MAX];
} cleanups;
UNSCANNED(cleanups);

_Static_assert(RUNNERS_MIN <= RUNNERS_MAX, "there is room for the least number");

void cleanup_init(void)
{
    fixalloc_init(&cleanups.records, sizeof(struct cleanup), false, &cleanups.bytes);
}

void cleanup_read_counts(struct cleanup_counts *out)
{
    out->run = atomic_load_relaxed(&cleanups.run); /* statistics; later ones are not less */
    out->queued = atomic_load_relaxed(&cleanups.queued);
    out->stopped = atomic_load_relaxed(&cleanups.stopped);
    out->added = atomic_load_relaxed(&cleanups.added);
    out->goroutines = atomic_load_relaxed(&cleanups.nrunners);
}

uint64_t cleanup_bytes(void)
{
    return atomic_load_relaxed(&cleanups.bytes); /* a statistic */
}

static struct cleanup *cleanup_of(struct special *sp)
{
    return container_of(sp, struct cleanup, special);
}

/* In a critical section, arg shaded or stopped for good. */
static void cleanup_free(struct cleanup *c)
{
    atomic_store_relaxed(&c->arg, 0); /* a marker may have read it: Note [Records while marking] */
    fixalloc_free(&cleanups.records, c);
}

/* ---- runners --------------------------------------------------------------------------------- */

static void runner_loop(void *arg);

static void runner_start(struct runner *r)
{
    struct g_options o = { .name = "cleanups", .is_system = true };
    g_start(runner_loop, r, &o, (uintptr_t)__builtin_return_address(0));
}

static uint32_t runners_limit(void)
{
    uint32_t quarter = (uint32_t)p_count() / 4;
    return quarter > RUNNERS_MIN ? quarter : RUNNERS_MIN;
}

/* One more, unless there are `enough`. */
static void runner_add(uint32_t enough)
{
    uint32_t n = atomic_load_relaxed(&cleanups.nrunners);
    do {
        if (n >= enough) return;
    } while (!atomic_cas_relaxed(&cleanups.nrunners, &n, n + 1)); /* the place is ours */
    runner_start(&cleanups.runners[n]);
}

static struct runner *idle_pop(void)
{
    struct lfnode *n = lfstack_pop(&cleanups.idle);
    return n != NULL ? container_of(n, struct runner, node) : NULL;
}

/* Note [Runners].  NULL: nothing is queued, or nobody waits. */
static struct runner *take_for_queue(void)
{
    atomic_fence_seq(); /* pairs with itself, in who looks from the other side */
    return lfstack_empty(&cleanups.queue) ? NULL : idle_pop();
}

static void ready(const struct runner *r)
{
    crit_enter();
    g_ready(r->g);
    crit_exit();
}

void cleanup_wake(void)
{
    if (likely(lfstack_empty(&cleanups.queue))) return; /* what this thread queued it sees */
    struct runner *r = take_for_queue();
    if (r != NULL) ready(r);
}

/* On the scheduler's stack, the goroutine saved.  false: it goes on at once. */
static bool commit_park(struct g *g, void *arg)
{
    struct runner *self = arg;
    (void)g;
    lfstack_push(&cleanups.idle, &self->node);
    struct runner *r = take_for_queue();
    if (r == self) return false;
    if (r != NULL) g_ready(r->g);
    return true;
}

static bool next(void (**fn)(void *), uintptr_t *arg)
{
    crit_enter();
    struct lfnode *n = lfstack_pop(&cleanups.queue);
    if (n != NULL) {
        struct cleanup *c = container_of(n, struct cleanup, node);
        *fn = c->fn;
        *arg = c->arg;
        specials_shade(*arg);
        cleanup_free(c);
    }
    crit_exit();
    return n != NULL;
}

static never_inline void run_one(void (*fn)(void *), uintptr_t arg)
{
    if (lfstack_empty(&cleanups.idle))
        runner_add(runners_limit());
    else
        cleanup_wake();
    specials_call(fn, (void *)arg);
    atomic_fetch_add_relaxed(&cleanups.run, 1);
}

static void runner_loop(void *arg)
{
    struct runner *self = arg;
    self->g = g_self();
    for (;;) {
        void (*fn)(void *) = NULL;
        uintptr_t x = 0;
        for (unsigned n = 1; next(&fn, &x); n++) {
            run_one(fn, x);
            if (n % YIELD_EVERY == 0) g_yield();
        }
        x = 0; /* or the last one's argument would be kept while this sleeps */
        __asm__ volatile("" : : "r"(&x) : "memory");
        p_pin();
        g_park(commit_park, self, WAIT_CLEANUP);
        p_unpin();
    }
}

void cleanup_goroutine_ended(struct g *g)
{
    uint32_t n = atomic_load_relaxed(&cleanups.nrunners);
    for (uint32_t i = 0; i < n; i++)
        if (cleanups.runners[i].g == g) {
            cleanups.runners[i].g = NULL; /* its record may soon be another goroutine's */
            atomic_fetch_add_relaxed(&cleanups.run, 1);
            runner_start(&cleanups.runners[i]);
            return;
        }
}

/* ---- adding ---------------------------------------------------------------------------------- */

void cleanup_check(const void *obj, void (*fn)(void *arg), const void *arg)
{
    struct span *s = specials_span("gort_add_cleanup", obj);
    uintptr_t base = span_slot(s, span_index_of(s, (uintptr_t)obj)), p = (uintptr_t)arg;
    if (fn == NULL) throw_msg("gort_add_cleanup: no function");
    if (arg == obj)
        throw_fmt("gort_add_cleanup: the argument is the object itself, %p: it would never die",
                  obj);
    /* Tiny objects share a slot: the argument may be another one. */
    if (p - base < span_elem_size(s) && s->span_class != TINY_SPAN_CLASS)
        throw_fmt(
            "gort_add_cleanup: the argument, %p, lies in the object of %p: it would never die", arg,
            obj);
}

void cleanup_add(struct gort_cleanup *handle, void *obj, void (*fn)(void *arg), void *arg)
{
    struct span *s = specials_enter((uintptr_t)obj);
    struct cleanup *c = fixalloc_alloc(&cleanups.records);
    if (c == NULL) throw_msg("out of memory: no record for a cleanup");
    uint64_t id = atomic_fetch_add_relaxed(&cleanups.last_id, 1) + 1;
    c->special = (struct special){ .kind = SPECIAL_CLEANUP };
    c->fn = fn;
    atomic_store_relaxed(&c->arg, (uintptr_t)arg);
    atomic_store_relaxed(&c->id, id); /* who has the handle got it from us */
    *handle = (struct gort_cleanup){ (uintptr_t)obj, id, c };
    specials_shade((uintptr_t)arg);
    atomic_fetch_add_relaxed(&cleanups.added, 1); /* before it can be queued */
    special_add(s, (uintptr_t)obj, &c->special);
    specials_leave();
    if (unlikely(atomic_load_relaxed(&cleanups.nrunners) == 0)) runner_add(1);
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* Note [Stopping]. */
void gort_cleanup_stop(gort_cleanup *handle)
{
    g_require("gort_cleanup_stop");
    if (handle == NULL) return;
    struct cleanup *c = handle->cleanup;
    uint64_t id = handle->id;
    struct span *s = specials_enter(handle->object);
    if (s != NULL && atomic_cas_acqrel(&c->id, &id, 0)) { /* one wins */
        special_remove_record(s, &c->special);
        cleanup_free(c);
        atomic_fetch_add_relaxed(&cleanups.stopped, 1);
    }
    specials_leave();
}

/* ---- found unreachable ----------------------------------------------------------------------- */

void cleanup_queue(struct special *sp)
{
    struct cleanup *c = cleanup_of(sp);
    atomic_store_relaxed(&c->id, 0);
    atomic_fetch_add_relaxed(&cleanups.queued, 1); /* before it can have run */
    lfstack_push(&cleanups.queue, &c->node);
}

/* ---- marking --------------------------------------------------------------------------------- */

uint32_t cleanup_count(void)
{
    return fixalloc_count(&cleanups.records);
}

void cleanup_scan(struct marker *m, uint32_t from, uint32_t to)
{
    uint32_t n = cleanup_count();
    for (uint32_t i = from; i < to && i < n; i++) {
        const struct cleanup *c = fixalloc_at(&cleanups.records, i);
        uintptr_t arg = atomic_load_relaxed(&c->arg);
        if (arg != 0) marker_see(m, arg);
    }
}

void cleanup_each_root(gc_emit_range emit, void *arg)
{
    for (uint32_t i = 0; i < cleanup_count(); i++) {
        const struct cleanup *c = fixalloc_at(&cleanups.records, i);
        emit((uintptr_t)&c->arg, (uintptr_t)(&c->arg + 1), arg);
    }
}
