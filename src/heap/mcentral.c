/* Central lists: where caches get spans and give them back.
 *
 * Looked for in this order: a swept span with free slots; an unswept one of the partial set, swept
 * here, for it had free slots before; an unswept one of the full set, which may have free slots
 * after sweeping; a new span.  The tries are bounded, for a full set may hold thousands of spans of
 * which nothing died, and each swept one is progress for the collector's sweep all the same.
 * Caches ask for several spans at a time (Note [Batches of spans] in mcache.h).
 *
 * Locking: none of its own; sets are lock-free.  A span that was popped is the popper's alone, but
 * for a sweeper out of turn (Note [One set, one popper] in sweep.h).
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

/* Sweeps popped spans.  Those with a free slot go to `out`, the others where they belong.  Returns
 * how many have one. */
static unsigned sweep_popped(struct sweeper *w, struct span *const *popped, unsigned n,
                             struct span **out)
{
    struct span *full[SPANSET_MANY];
    unsigned nfull = 0, got = 0;
    sweeper_fetch(popped, n);
    for (unsigned i = 0; i < n; i++) {
        struct span *s = popped[i];
        if (!sweeper_takes(w, s)) continue; /* it was dead */
        if (s->alloc_count < s->nelems)
            out[got++] = s;
        else
            full[nfull++] = s;
    }
    if (nfull != 0)
        spanset_push_many(mcentral_full_swept(&heap->central[full[0]->span_class], heap_sweepgen()),
                          full, nfull);
    return got;
}

/* Pops unswept spans until some have a free slot. */
static unsigned sweep_for_slots(struct sweeper *w, struct span_set *unswept, struct span **out,
                                unsigned most, int *tries)
{
    struct span *popped[SPANSET_MANY];
    while (*tries > 0) {
        unsigned n = spanset_pop_many(unswept, popped, most);
        if (n == 0) return 0;
        *tries -= (int)n;
        unsigned got = sweep_popped(w, popped, n, out);
        if (got != 0) return got;
    }
    return 0;
}

static unsigned sweep_for_spans(struct mcache *c, struct mcentral *m, struct span **out,
                                unsigned most)
{
    int tries = MCENTRAL_SWEEP_TRIES;
    uint32_t g = heap_sweepgen();
    struct sweeper w;
    if (!sweeper_enter(&w, SWEPT_ALLOC, c)) return 0;
    unsigned n = sweep_for_slots(&w, mcentral_partial_unswept(m, g), out, most, &tries);
    if (n == 0) n = sweep_for_slots(&w, mcentral_full_unswept(m, g), out, most, &tries);
    sweeper_leave(&w);
    return n;
}

unsigned mcentral_cache_spans(struct mcache *c, unsigned spc, struct span **out, unsigned most,
                              bool *swept)
{
    uint32_t g = heap_sweepgen();
    struct mcentral *m = &heap->central[spc];
    unsigned n = spanset_pop_many(mcentral_partial_swept(m, g), out, most);
    *swept = n == 0 && (n = sweep_for_spans(c, m, out, most)) != 0;
    if (n == 0) n = (out[0] = span_alloc_small(c, spc)) != NULL;
    for (unsigned i = 0; i < n; i++) {
        check(out[i]->alloc_count < out[i]->nelems);
        /* Ours alone; read by sweepers, who leave it.  Release pairs with span_ensure_swept. */
        atomic_store_release(&out[i]->sweepgen, g + 3);
    }
    return n;
}

/* true: it can be put into a swept set.  false: it was cached before the sweep began, so nobody but
 * its cache, us, may sweep it, which was done. */
static bool uncache(struct span *s)
{
    uint32_t g = heap_sweepgen(), was = atomic_load_relaxed(&s->sweepgen);
    if (was == g + 1) {
        atomic_store_relaxed(&s->sweepgen, g - 1);
        span_sweep(s, SWEEP_PUT, SWEPT_FLUSH);
        return false;
    }
    check(was == g + 3);
    atomic_store_release(&s->sweepgen, g); /* published by the push; pairs: span_ensure_swept */
    return true;
}

void mcentral_uncache_span(struct span *s)
{
    if (uncache(s)) mcentral_put_swept(s);
}

void mcentral_uncache_many(struct span *const *spans, unsigned n, bool full)
{
    struct span *put[SPANSET_MANY];
    unsigned nput = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!uncache(spans[i])) continue;
        if (spans[i]->alloc_count == 0)
            span_free(spans[i]);
        else
            put[nput++] = spans[i];
    }
    if (nput == 0) return;
    struct mcentral *m = &heap->central[put[0]->span_class];
    uint32_t g = heap_sweepgen();
    spanset_push_many(full ? mcentral_full_swept(m, g) : mcentral_partial_swept(m, g), put, nput);
}
