/* Finalizers.
 *
 * A finalizer is a special record on its object.  Marking starts also from what such an object
 * points to, but not from the object: so what a finalizer may look at is kept, objects that point
 * to each other are finalized from the pointing to the pointed-to, one per cycle, and a circle is
 * never finalized.
 *
 * Life of a record (edges: function, thread):
 *
 *             gort_set_finalizer                 finalizer_queue (a sweeper)
 *      FREE ---------------------> ON THE OBJECT ---------------------------> QUEUED
 *       ^                             |                                          |
 *       |   gort_set_finalizer(NULL)  |           finalizer_loop (its goroutine) |
 *       +-----------------------------+------------------------------------------+
 *
 *   ON THE OBJECT: in span->specials; the object may be unreachable already, unknown to us.
 *   QUEUED: `queued` is a root; the sweeper set the object's mark, so this cycle keeps it, and
 *     the next one begins only when the sweep, and so the queueing, is done.
 *   Then obj is a local variable of finalizer_loop, which is on a scanned stack; on the way there
 *     it is shaded (Note [Records while marking] in specials.c).
 *
 * The queue is a lock-free stack and not a locked list: a sweep happens inside other locks and
 * while the world is stopped.  The goroutine takes all of it at once and turns it round.
 *
 * Waking: sweepers only push.  Who pushed looks after it left its critical section
 * (finalizer_wake), because a sweep also happens while the world is stopped.  `idle` is 1 while the
 * goroutine is parked; its compare-and-swap to 0 gives the right to ready it.  The goroutine
 * publishes idle, then looks at the queue again; a waker pushes, then looks at idle: either sees
 * the other (both full barriers).
 *
 * Each is called as a goroutine's function is (gc_options.call): what it defers runs when it
 * returns.  One that ends its goroutine (gort_goexit) ends the loop: the next goroutine goes on
 * with the rest (finalizer_goroutine_ended), since `taken` does not lie on a stack.
 *
 * Locking: none of its own; SPAN_SPECIALS inside special.h.
 * Answers to: mfinal.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/finalizer.h"

#include "base/assert.h"
#include "gc/gc.h"
#include "gc/specials.h"
#include "gort/mem.h"
#include "heap/fixalloc.h"
#include "sched/sched.h"

static struct {
    struct lfstack queue cache_aligned;
    struct fixalloc records;
    struct g *g;   /* the goroutine, set by itself; whoever took idle may read it */
    uint32_t idle; /* atomic; see Waking */
    uint64_t bytes;
    uint64_t set, queued, run; /* atomic; statistics */
} finalizers;

void finalizer_init(void)
{
    fixalloc_init(&finalizers.records, sizeof(struct finalizer), false, &finalizers.bytes);
}

void finalizer_read_counts(struct finalizer_counts *out)
{
    out->run = atomic_load_relaxed(&finalizers.run); /* statistics; later ones are not less */
    out->queued = atomic_load_relaxed(&finalizers.queued);
    out->set = atomic_load_relaxed(&finalizers.set);
}

uint64_t finalizer_bytes(void)
{
    return atomic_load_relaxed(&finalizers.bytes); /* a statistic */
}

static struct finalizer *finalizer_of(struct special *sp)
{
    return container_of(sp, struct finalizer, special);
}

/* ---- setting --------------------------------------------------------------------------------- */

/* Tiny objects share a block, whose start says nothing of theirs. */
static bool may_be_tiny(const struct span *s)
{
    return s->span_class == TINY_SPAN_CLASS;
}

static void check_start(const void *obj)
{
    struct span *s = specials_span("gort_set_finalizer", obj);
    uintptr_t base = span_slot(s, span_index_of(s, (uintptr_t)obj));
    if (base != (uintptr_t)obj && !may_be_tiny(s))
        throw_fmt("gort_set_finalizer: %p is not the start of an object (%p is)", obj,
                  (void *)base);
}

static struct finalizer *finalizer_make(uintptr_t obj, void (*fn)(void *))
{
    struct finalizer *f = fixalloc_alloc(&finalizers.records);
    if (f == NULL) throw_msg("out of memory: no record for a finalizer");
    f->special = (struct special){ .kind = SPECIAL_FINALIZER };
    f->fn = fn;
    atomic_store_relaxed(&f->queued, 0);   /* the node keeps its count of pushes: lfstack.h */
    atomic_store_release(&f->target, obj); /* pairs with finalizer_scan: the object's layout */
    return f;
}

static void finalizer_free(struct finalizer *f)
{
    atomic_store_relaxed(&f->target, 0); /* markers may read: Note [Records while marking] */
    atomic_store_relaxed(&f->queued, 0);
    fixalloc_free(&finalizers.records, f);
}

static void drop_old(struct span *s, uintptr_t obj)
{
    struct special *old = special_remove(s, obj, SPECIAL_FINALIZER);
    if (old != NULL) finalizer_free(finalizer_of(old));
}

void gort_set_finalizer(void *obj, void (*fn)(void *obj))
{
    uintptr_t p = (uintptr_t)obj;
    check_start(obj);
    struct span *s = specials_enter(p);
    drop_old(s, p);
    if (fn != NULL) {
        struct finalizer *f = finalizer_make(p, fn);
        while (
            !special_add(s, p, &f->special)) /* another goroutine was quicker: ours replaces it */
            drop_old(s, p);
        specials_shade(p);
        atomic_fetch_add_relaxed(&finalizers.set, 1);
    }
    specials_leave();
    gort_keep_alive(obj);
}

/* ---- found unreachable ----------------------------------------------------------------------- */

void finalizer_queue(struct span *s, struct special *sp)
{
    struct finalizer *f = finalizer_of(sp);
    atomic_store_relaxed(&f->queued, s->base + sp->offset); /* no marker before the sweep's end */
    atomic_store_relaxed(&f->target, 0);
    atomic_fetch_add_relaxed(&finalizers.queued, 1); /* before it can have run */
    lfstack_push(&finalizers.queue, &f->node);
}

void finalizer_wake(void)
{
    uint32_t parked = 1;
    if (lfstack_empty(&finalizers.queue) || atomic_load_seq(&finalizers.idle) == 0) return;
    if (!atomic_cas_seq(&finalizers.idle, &parked, 0)) return;
    crit_enter();
    g_ready(finalizers.g);
    crit_exit();
}

/* ---- running --------------------------------------------------------------------------------- */

/* On the scheduler's stack, the goroutine saved.  false: it goes on at once. */
static bool finalizer_commit_park(struct g *g, void *unused)
{
    (void)g;
    (void)unused;
    atomic_exchange_seq(&finalizers.idle, 1u);
    if (lfstack_empty(&finalizers.queue)) return true;
    uint32_t parked = 1;
    return !atomic_cas_seq(&finalizers.idle, &parked, 0); /* lost: the winner readies it */
}

static struct finalizer *next_of(const struct finalizer *f)
{
    return f->special.next != NULL ? finalizer_of(f->special.next) : NULL;
}

static struct finalizer *finalizer_take_all(void)
{
    struct finalizer *first = NULL;
    struct lfnode *n;
    while ((n = lfstack_pop(&finalizers.queue)) != NULL) {
        struct finalizer *f = container_of(n, struct finalizer, node);
        f->special.next = first != NULL ? &first->special : NULL;
        first = f;
    }
    return first;
}

static struct finalizer *taken; /* from the queue, not yet run; the goroutine's */

static bool finalizer_next(void (**fn)(void *), uintptr_t *obj)
{
    crit_enter();
    if (taken == NULL) taken = finalizer_take_all();
    struct finalizer *f = taken;
    if (f != NULL) {
        taken = next_of(f);
        *fn = f->fn;
        *obj = f->queued;
        specials_shade(*obj); /* it leaves a root for a stack that may have been scanned */
        finalizer_free(f);
    }
    crit_exit();
    return f != NULL;
}

static never_inline void finalizer_run_one(void (*fn)(void *), uintptr_t obj)
{
    specials_call(fn, (void *)obj);
    atomic_fetch_add_relaxed(&finalizers.run, 1);
}

static void finalizer_loop(void *unused)
{
    (void)unused;
    finalizers.g = g_self();
    for (;;) {
        void (*fn)(void *) = NULL;
        uintptr_t obj = 0;
        while (finalizer_next(&fn, &obj))
            finalizer_run_one(fn, obj);
        obj = 0; /* or the last one's object would be kept while this sleeps */
        __asm__ volatile("" : : "r"(&obj) : "memory");
        p_pin();
        g_park(finalizer_commit_park, NULL, WAIT_FINALIZER);
        p_unpin();
    }
}

void finalizer_start(void)
{
    struct g_options o = { .name = "finalizers", .is_system = true };
    g_start(finalizer_loop, NULL, &o, (uintptr_t)__builtin_return_address(0));
}

void finalizer_goroutine_ended(struct g *g)
{
    if (g != finalizers.g) return;
    finalizers.g = NULL; /* its record may soon be another goroutine's */
    atomic_fetch_add_relaxed(&finalizers.run, 1);
    finalizer_start();
}

/* ---- marking --------------------------------------------------------------------------------- */

uint32_t finalizer_count(void)
{
    return fixalloc_count(&finalizers.records);
}

/* What the object points to, not the object. */
static void scan_contents(struct marker *m, uintptr_t object)
{
    const struct span *s = span_of(object);
    if (span_is_noscan(s)) return;
    if (span_is_large(s)) {
        /* Acquire pairs with the release in alloc/large.c. */
        if (!atomic_load_acquire(&s->large_zeroed)) return;
    }
    scan_object(m, span_slot(s, span_index_of(s, object)));
}

void finalizer_scan(struct marker *m, uint32_t from, uint32_t to)
{
    uint32_t n = finalizer_count();
    for (uint32_t i = from; i < to && i < n; i++) {
        const struct finalizer *f = fixalloc_at(&finalizers.records, i);
        uintptr_t target = atomic_load_acquire(&f->target); /* pairs with finalizer_make */
        if (target != 0) scan_contents(m, target);
        uintptr_t queued = atomic_load_relaxed(&f->queued); /* Note [Records while marking] */
        if (queued != 0) marker_see(m, queued);
    }
}

void finalizer_each_root(gc_emit_range emit, void *arg)
{
    for (uint32_t i = 0; i < finalizer_count(); i++) {
        const struct finalizer *f = fixalloc_at(&finalizers.records, i);
        emit((uintptr_t)&f->queued, (uintptr_t)(&f->queued + 1), arg);
    }
}
