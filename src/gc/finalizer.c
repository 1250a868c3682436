/* Finalizers.
 *
 * A finalizer is a special record on its object.  Marking starts also from what such an object
 * points to, but not from the object: so what a finalizer may look at is kept, objects that point to
 * each other are finalized from the pointing to the pointed-to, one per cycle, and a circle is
 * never finalized.
 *
 * Life of a record (edges: function, thread):
 *
 *             gort_set_finalizer                 finalizer_dead_object (a sweeper)
 *      FREE ---------------------> ON THE OBJECT ---------------------------------> QUEUED
 *       ^                             |                                                |
 *       |   gort_set_finalizer(NULL)  |             finalizer_loop (its goroutine)      |
 *       +-----------------------------+-------------------------------------------------+
 *
 *   ON THE OBJECT: in span->specials; the object may be unreachable already, unknown to us.
 *   QUEUED: `queued` is a root; the sweeper set the object's mark, so this cycle keeps it, and
 *     the next one begins only when the sweep, and so the queueing, is done.
 *   Then obj is a local variable of finalizer_loop, which is on a scanned stack.
 *
 * The queue is a lock-free stack and not a locked list: a sweep happens inside other locks and while
 * the world is stopped.  The goroutine takes all of it at once and turns it round.
 *
 * Waking: sweepers only push.  Who pushed looks after it left its critical section (finalizer_wake),
 * because a sweep also happens while the world is stopped.  `idle` is 1 while the goroutine is parked;
 * its compare-and-swap to 0 gives the right to ready it.  The goroutine publishes idle, then looks
 * at the queue again; a waker pushes, then looks at idle: either sees the other (both full barriers).
 *
 * Each is called as a goroutine's function is (gc_options.call): what it defers runs when it returns.
 * One that ends its goroutine (gort_goexit) ends the loop: the next goroutine goes on with the rest
 * (finalizer_goroutine_ended), since `taken` does not lie on a stack.
 *
 * Locking: none of its own; SPAN_SPECIALS inside special.h.
 * Answers to: mfinal.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/finalizer.h"

#include "base/assert.h"
#include "gc/barrier.h"
#include "gc/gc.h"
#include "gort/mem.h"
#include "heap/fixalloc.h"
#include "sched/sched.h"
#include "sync/lfstack.h"

static struct {
    struct lfstack queue cache_aligned;
    struct fixalloc records;
    void (*call)(void (*fn)(void *), void *obj); /* constant after boot */
    struct g *g;   /* the goroutine, set by itself; whoever took idle may read it */
    uint32_t idle; /* atomic; see Waking */
    uint64_t meta;
    uint64_t set, queued, run; /* atomic; statistics */
} finalizers;

void (*gc_profile_freed)(struct special *sp);

static void call_plainly(void (*fn)(void *), void *obj)
{
    fn(obj);
}

void finalizer_init(void (*call)(void (*fn)(void *), void *obj))
{
    finalizers.call = call != NULL ? call : call_plainly;
    fixalloc_init(&finalizers.records, sizeof(struct finalizer), false, &finalizers.meta);
}

void finalizer_read_counts(struct finalizer_counts *out)
{
    out->set = atomic_load_relaxed(&finalizers.set); /* statistics */
    out->queued = atomic_load_relaxed(&finalizers.queued);
    out->run = atomic_load_relaxed(&finalizers.run);
    out->meta = atomic_load_relaxed(&finalizers.meta);
}

static struct finalizer *finalizer_of(struct special *sp)
{
    return container_of(sp, struct finalizer, special);
}

/* ---- setting ---------------------------------------------------------------------------------- */

/* Tiny objects share a block, whose start says nothing of theirs. */
static bool may_be_tiny(const struct span *s)
{
    return s->span_class == TINY_SPAN_CLASS;
}

static struct span *finalizer_span(void *obj)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    if (!span_find_object((uintptr_t)obj, &s, &i, &base))
        throw_fmt("gort_set_finalizer: %p is not a collected object", obj);
    if (base != (uintptr_t)obj && !may_be_tiny(s))
        throw_fmt("gort_set_finalizer: %p is not the start of an object (%p is)", obj,
                  (void *)base);
    return s;
}

/* Note [Many in one block].  A slot has at most one finalizer special; objects that share a slot
 * (tiny ones) chain their records behind it.  To change the chain it is taken off the span, which
 * makes it ours alone, and put back; who meets another's chain then joins the two.  The span is
 * swept and no cycle can begin inside the critical section, so the object is not seen without. */
static struct finalizer *chain_take(struct span *s, uintptr_t obj)
{
    struct special *sp = special_remove(s, obj, SPECIAL_FINALIZER);
    return sp != NULL ? finalizer_of(sp) : NULL;
}

/* The chain without obj's record, which is freed. */
static struct finalizer *chain_drop(struct finalizer *chain, uintptr_t obj)
{
    for (struct finalizer **at = &chain; *at != NULL; at = &(*at)->more)
        if ((*at)->target == obj) {
            struct finalizer *f = *at;
            *at = f->more;
            fixalloc_free(&finalizers.records, f);
            break;
        }
    return chain;
}

static void chain_put(struct span *s, struct finalizer *chain, uintptr_t obj)
{
    while (chain != NULL && !special_add(s, obj, &chain->special)) {
        struct finalizer *other = chain_take(s, obj);
        while (other != NULL) { /* set by others meanwhile: ours for the same object wins */
            struct finalizer *next = other->more;
            chain = chain_drop(chain, other->target);
            other->more = chain;
            chain = other;
            other = next;
        }
    }
}

static struct finalizer *finalizer_make(uintptr_t obj, void (*fn)(void *))
{
    struct finalizer *f = fixalloc_alloc(&finalizers.records);
    if (f == NULL) throw_msg("out of memory: no record for a finalizer");
    f->special = (struct special){ .kind = SPECIAL_FINALIZER };
    f->fn = fn;
    f->target = obj;
    f->queued = 0; /* the node keeps its count of pushes: lfstack.h */
    return f;
}

void gort_set_finalizer(void *obj, void (*fn)(void *obj))
{
    uintptr_t p = (uintptr_t)obj;
    g_require("gort_set_finalizer");
    struct span *s = finalizer_span(obj);
    crit_enter();
    span_ensure_swept(s);
    struct finalizer *chain = chain_drop(chain_take(s, p), p);
    if (fn != NULL) {
        struct finalizer *f = finalizer_make(p, fn);
        f->more = chain;
        chain = f;
        atomic_fetch_add_relaxed(&finalizers.set, 1);
    }
    chain_put(s, chain, p);
    crit_exit();
    gort_keep_alive(obj);
}

/* ---- found unreachable ------------------------------------------------------------------------- */

static void queue_chain(struct finalizer *f)
{
    while (f != NULL) {
        struct finalizer *more = f->more;
        f->queued = f->target;
        lfstack_push(&finalizers.queue, &f->node);
        atomic_fetch_add_relaxed(&finalizers.queued, 1);
        f = more;
    }
}

/* Nothing keeps the object: kinds that only watch it are told. */
static void object_freed(struct special **chain)
{
    struct special *sp = *chain;
    if (sp == NULL || sp->kind != SPECIAL_PROFILE) return; /* the last kind there is */
    *chain = sp->next;
    gc_profile_freed(sp);
}

/* Other kinds stay in the chain of specials of an object that is kept. */
bool finalizer_dead_object(struct span *s, uintptr_t base, struct special **chain)
{
    (void)s;
    (void)base;
    struct special *sp = *chain;
    if (sp == NULL || sp->kind != SPECIAL_FINALIZER) { /* the first kind there is */
        object_freed(chain);
        return false;
    }
    *chain = sp->next;
    queue_chain(finalizer_of(sp));
    return true;
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

/* ---- running ----------------------------------------------------------------------------------- */

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

static struct finalizer *finalizer_take_all(void)
{
    struct finalizer *first = NULL;
    struct lfnode *n;
    while ((n = lfstack_pop(&finalizers.queue)) != NULL) {
        struct finalizer *f = container_of(n, struct finalizer, node);
        f->more = first;
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
        taken = f->more;
        *fn = f->fn;
        *obj = f->queued;
        /* It leaves a root for a stack that may have been scanned. */
        if (unlikely(barrier_on())) barrier_log((void *)*obj, NULL);
        f->queued = 0;
        fixalloc_free(&finalizers.records, f);
    }
    crit_exit();
    return f != NULL;
}

static never_inline void finalizer_run_one(void (*fn)(void *), uintptr_t obj)
{
    finalizers.call(fn, (void *)obj);
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
    if (!g->is_system || g != finalizers.g) return;
    atomic_fetch_add_relaxed(&finalizers.run, 1);
    finalizer_start();
}

/* ---- marking ----------------------------------------------------------------------------------- */

static void scan_special(struct span *s, struct special *sp, void *arg)
{
    if (sp->kind != SPECIAL_FINALIZER || span_is_noscan(s)) return;
    if (span_is_large(s)) {
        /* Acquire pairs with the release in alloc/large.c. */
        if (!atomic_load_acquire(&s->large_zeroed)) return;
    }
    uint32_t i = span_index_of(s, s->base + sp->offset);
    scan_object(arg, span_slot(s, i));
}

void finalizer_scan_specials(struct marker *m, uint32_t arena)
{
    special_each_in_arena(arena, scan_special, m);
}

/* Queued, or taken and not yet run.  All records are looked at, so no list is walked. */
void finalizer_scan_queue(struct marker *m)
{
    uint32_t n = fixalloc_count(&finalizers.records);
    for (uint32_t i = 0; i < n; i++) {
        struct finalizer *f = fixalloc_at(&finalizers.records, i);
        if (f->queued != 0) marker_see(m, f->queued);
    }
}
