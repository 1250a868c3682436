/* Large objects: each in a span of its own.
 *
 * The span is published, in the central sets, before its memory is zeroed: a gigabyte takes long,
 * and zeroing is done outside the critical section so that a stop interrupts it anywhere.  Until
 * large_zeroed is set the collector marks the object but takes it for pointer-free: what lies there
 * is a former object's.  The address being zeroed is in this function's frame, so the object is
 * kept.
 *
 * Memory order: the release of large_zeroed pairs with the markers' acquire: who sees it set sees
 * zeros, and large_type, which was written before.
 *
 * Answers to: mallocgcLarge, memclrNoHeapPointersChunked in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "base/race.h"

#include "alloc/alloc.h"
#include "gort/mem.h"

static struct span *large_span(const struct shape *s, bool *observe)
{
    if (s->size > LARGE_MAX) alloc_no_memory_slow(2, s->size, s->call);
    for (int attempt = 0;; attempt++) {
        struct p *p = alloc_enter(s->call);
        mcache_prepare_for_sweep(p->mcache);
        struct span *sp = span_alloc_large(p->mcache, s->size, s->align, s->noscan);
        if (sp != NULL) {
            mcache_large_allocated(p->mcache, sp);
            sp->large_type = (const struct gort_type *)(uintptr_t)s->layout;
            *observe = mcache_observe_bytes(p->mcache, span_elem_size(sp));
            return sp; /* pinned */
        }
        p_unpin();
        alloc_no_memory_slow(attempt, s->size, s->call);
    }
}

void *alloc_large(const struct shape *s)
{
    bool observe;
    struct span *sp = large_span(s, &observe);
    void *x = (void *)sp->base;
    bool old_bytes = sp->need_zero != 0 && !s->unzeroed;
    if (!old_bytes) atomic_store_release(&sp->large_zeroed, 1);
    p_unpin();
    if (old_bytes) {
        race_hide();
        memset(x, 0, s->size);
        race_show();
        atomic_store_release(&sp->large_zeroed, 1); /* the object is alive, so the span is its */
    }
    gc_after_refill();
    if (unlikely(observe)) alloc_observe_slow(x, s);
    gort_keep_alive(x);
    return x;
}
