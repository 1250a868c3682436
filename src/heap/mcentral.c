/* Central lists: where caches get spans and give them back.
 *
 * Looked for in this order: a swept span with free slots; an unswept one of the partial set, swept
 * here, for it had free slots before; an unswept one of the full set, which may have free slots after
 * sweeping; a new span.  The tries are bounded, for a full set may hold thousands of spans of
 * which nothing died, and each swept one is progress for the collector's sweep all the same.
 *
 * Locking: none of its own; sets are lock-free.  A span that was popped is the popper's alone, but for
 * a sweeper out of turn (Note [One set, one popper] in sweep.h).
 * Answers to: mcentral.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/mcentral.h"

#include "base/assert.h"
#include "heap/heap.h"

void mcentral_put_swept(struct span *s)
{
    uint32_t g = heap_sweepgen();
    struct mcentral *m = &heap->central[s->span_class];
    assert_that(atomic_load_relaxed(&s->sweepgen) == g);
    if (s->alloc_count == 0)
        span_free(s);
    else if (s->alloc_count == s->nelems)
        spanset_push(mcentral_full_swept(m, g), s);
    else
        spanset_push(mcentral_partial_swept(m, g), s);
}

/* Pops unswept spans until one has a free slot; those that have none are put where they belong. */
static struct span *sweep_for_slots(struct mcache *c, struct span_set *unswept, int *tries)
{
    struct span *s;
    while (*tries > 0 && (s = spanset_pop(unswept)) != NULL) {
        --*tries;
        if (!span_sweep_popped(s, c)) continue; /* it was dead */
        if (s->alloc_count < s->nelems) return s;
        mcentral_put_swept(s);
    }
    return NULL;
}

static struct span *sweep_for_span(struct mcache *c, struct mcentral *m, uint32_t g)
{
    int tries = MCENTRAL_SWEEP_TRIES;
    if (!heap_sweeper_enter()) return NULL;
    struct span *s = sweep_for_slots(c, mcentral_partial_unswept(m, g), &tries);
    if (s == NULL) s = sweep_for_slots(c, mcentral_full_unswept(m, g), &tries);
    heap_sweeper_leave();
    if (s != NULL) c->refills_swept++;
    return s;
}

struct span *mcentral_cache_span(struct mcache *c, unsigned spc)
{
    uint32_t g = heap_sweepgen();
    struct mcentral *m = &heap->central[spc];
    struct span *s = spanset_pop(mcentral_partial_swept(m, g));
    if (s == NULL) s = sweep_for_span(c, m, g);
    if (s == NULL) s = span_alloc_small(c, spc);
    if (s == NULL) return NULL;
    check(s->alloc_count < s->nelems);
    /* Ours alone; read by sweepers, who leave it.  Release pairs with span_ensure_swept. */
    atomic_store_release(&s->sweepgen, g + 3);
    return s;
}

void mcentral_uncache_span(struct span *s)
{
    uint32_t g = heap_sweepgen(), was = atomic_load_relaxed(&s->sweepgen);
    if (was == g + 1) {
        /* Cached before the sweep began: nobody but its cache, us, may sweep it. */
        atomic_store_relaxed(&s->sweepgen, g - 1);
        span_sweep(s, SWEEP_PUT);
        return;
    }
    check(was == g + 3);
    atomic_store_release(&s->sweepgen, g); /* published by the push; pairs: span_ensure_swept */
    mcentral_put_swept(s);
}
