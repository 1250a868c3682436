/* A P's allocation cache: one span per class, of which a window of 64 slots is open.
 *
 * On heap_live: a span's free slots are charged when it is opened, the unused ones are given back
 * when it is returned, unless the generation rose in between.  heap_live lags behind by less than
 * MCACHE_LIVE_STEP a cache, but is exact when all are published.
 *
 * Note [Batches of spans].  What Ps share, the heads of central sets, the word of the sweepers,
 * heap_live, is moved once for several spans, since on two Ps a line that the other one wrote costs
 * as much as filling ten slots.  A refill that finds no span asks for one, then two, four, up to a
 * limit by bytes and slots; it begins with one again when the cache is flushed, so that who
 * allocates little holds little.  All that it gets are swept and cached (sweepgen g + 3), and
 * opened one after the other; used-up ones gather until they are as many as a batch may have.  Both
 * go back when the cache is published or flushed, so whoever stops the world finds one span a
 * class, as ever.
 *
 * All calls: by the thread that owns the P, in a critical section, or with the world stopped.
 * Failure always means that memory could not be had, and changes nothing that matters.
 *
 * Answers to: mcache.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_MCACHE_H
#define GORT_HEAP_MCACHE_H

#include "arch/arch.h"
#include "base/bits.h"
#include "heap/sizeclass.h"
#include "heap/span.h"
#include "heap/spanset.h"

#define MCACHE_LIVE_STEP ((int64_t)(32 * KB))
#define MCACHE_BATCH_BYTES (64 * KB)
#define MCACHE_BATCH_SLOTS 512
_Static_assert(MCACHE_BATCH_BYTES / PAGE_BYTES <= SPANSET_MANY, "a batch is moved at once");

void mcache_init(struct mcache *c);

static inline uintptr_t mcache_take_from(struct gort_cache_class *w, size_t size)
{
    uint64_t free = w->free;
    if (unlikely(free == 0)) return 0;
    w->free = free & (free - 1);
    return (uintptr_t)w->base + bits_ctz64(free) * size;
}
/* Brings the slot near that comes next: who does not zero meets each one cold. */
static inline void mcache_fetch_next(const struct gort_cache_class *w, size_t size)
{
    if (w->free != 0) arch_prefetch(w->base + bits_ctz64(w->free) * size);
}
/* The fast path: a free slot of the open window, 0 when it offers none.  size is the class's slot
 * size.  Up to BITMAP_MAX the slot is zero and its pointer bits are; above, memory is as it was
 * (see mcache_need_zero). */
static inline uintptr_t mcache_take(struct mcache *c, unsigned spc, size_t size)
{
    return mcache_take_from(&c->fast.classes[spc], size);
}
/* May a slot just taken from spc, of more than BITMAP_MAX bytes, hold old bytes? */
static inline bool mcache_need_zero(const struct mcache *c, unsigned spc)
{
    return c->spans[spc]->need_zero != 0;
}
/* Room for a tiny object in the current block: its address, zeroed, or 0.  align <= 8. */
static inline uintptr_t mcache_take_tiny(struct mcache *c, size_t size, size_t align)
{
    uint64_t at = (c->fast.tiny + align - 1) & -(uint64_t)align;
    if (((at - 1) & (TINY_BYTES - 1)) + size >= TINY_BYTES) return 0;
    c->fast.tiny = at + size + ((uint64_t)1 << GORT_TINY_COUNT_SHIFT);
    return at & (((uint64_t)1 << GORT_TINY_COUNT_SHIFT) - 1);
}
/* block, whose first `used` bytes (> 0) an object has, becomes the current one if more of it is
 * left than of the other. */
void mcache_offer_tiny(struct mcache *c, uintptr_t block, size_t used);
/* Index, in its span, of a slot that mcache_take returned. */
static inline uint32_t mcache_slot_index(const struct mcache *c, unsigned spc, uintptr_t p)
{
    return span_index_of(c->spans[spc], p);
}

/* Opens the next window with a free slot of the current span.  false: the span is used up. */
bool mcache_next_window(struct mcache *c, unsigned spc);
/* Exchanges the used-up span for one with free slots, and opens a window.  Charges the bytes of all
 * its free slots.  false: no memory. */
bool mcache_refill_span(struct mcache *c, unsigned spc);

/* What a slow allocation says besides. */
struct mcache_notes {
    bool charged; /* heap_live rose */
    bool observe; /* Note [Held slots] */
};
/* mcache_take that refills when needed; 0: no memory.  Sets what is so in *notes, clears
 * nothing. */
uintptr_t mcache_alloc_slow(struct mcache *c, unsigned spc, struct mcache_notes *notes);
/* The same without pointers, and where old bytes in the slot do not matter. */
uintptr_t mcache_alloc_unzeroed_slow(struct mcache *c, unsigned spc, struct mcache_notes *notes);

/* Before the second thread, or with the world stopped and followed by mcache_observe_stw of every
 * cache. */
void heap_set_observe_stw(struct heap_observe o);
void mcache_observe_stw(struct mcache *c);
/* An object of `bytes`, allocated apart from windows (a large one): is it to be observed? */
bool mcache_observe_bytes(struct mcache *c, size_t bytes);

/* Marking begins: no slot that is free can be marked from now on.  World stopped. */
void mcache_close_stw(struct mcache *c);
/* Marking beside the program begins: everything was published.  It ends: what was allocated
 * meanwhile is added to *bytes and *objects.  World stopped; after heap_set_marking_stw. */
void mcache_mark_begin_stw(struct mcache *c);
void mcache_mark_end_stw(struct mcache *c, uint64_t *bytes, uint64_t *objects);
/* A large object was allocated in span s, which its P pinned: black, while marking. */
void mcache_large_allocated(struct mcache *c, struct span *s);

/* Writes the windows' state to the spans (free_index, alloc_count), so that every slot can be
 * classified (Note [Slots and windows]), what was charged to heap_live, and the statistics to the
 * heap's totals; gives batches back.  The cache stays usable. */
void mcache_publish(struct mcache *c);
/* Only the statistics. */
void mcache_flush_stats(struct mcache *c);
/* Gives all spans back, resets the tiny block, and notes the sweep generation.
 *
 * Note [Flushing caches].  At the end of a cycle either the stopper flushes every cache before the
 * generation rises: one push a span, nothing is swept, and no span is ever in state g + 1.  Or each
 * owner flushes its own after the rise and before it allocates again (mcache_prepare_for_sweep):
 * stops get shorter, but until then cached spans hold dead objects that look alive, which a lookup
 * through a weak reference must not trust.  The stopper does it: doc/decisions/0015. */
void mcache_flush(struct mcache *c);
/* mcache_flush when the generation rose since the last one; the test is one load. */
void mcache_prepare_for_sweep(struct mcache *c);
/* The generation has just risen; the cache was flushed before, in the same stop. */
void mcache_flushed_stw(struct mcache *c);
/* Was it not flushed since the generation rose? */
bool mcache_is_stale(const struct mcache *c);
/* Gives back free pages and span records too: the P goes away, or memory is wanted. */
void mcache_release(struct mcache *c);
/* NULL: holds its invariants. */
const char *mcache_validate_stw(const struct mcache *c);

#endif
