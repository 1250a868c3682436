/* Central lists of one span class: spans with free slots and spans without, swept and unswept.
 *
 * The two sets of each pair change roles by the parity of sweepgen / 2, so that starting a sweep
 * moves nothing.  Large spans are in the full sets of classes 0 and 1.
 *
 * Answers to: mcentral.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_MCENTRAL_H
#define GORT_HEAP_MCENTRAL_H

#include "heap/spanset.h"

struct mcentral {
    struct span_set partial[2]; /* with a free slot */
    struct span_set full[2];    /* without */
};

static inline struct span_set *mcentral_partial_swept(struct mcentral *m, uint32_t g)
{
    return &m->partial[g / 2 % 2];
}
static inline struct span_set *mcentral_partial_unswept(struct mcentral *m, uint32_t g)
{
    return &m->partial[1 - g / 2 % 2];
}
static inline struct span_set *mcentral_full_swept(struct mcentral *m, uint32_t g)
{
    return &m->full[g / 2 % 2];
}
static inline struct span_set *mcentral_full_unswept(struct mcentral *m, uint32_t g)
{
    return &m->full[1 - g / 2 % 2];
}

/* Up to `most` (at most SPANSET_MANY) swept spans with a free slot each, for the P of c to cache
 * (sweepgen g + 3).  Sweeps MCENTRAL_SWEEP_TRIES spans or a few more on the way, then makes one new
 * span.  Returns how many; 0: no memory.  *swept: they were swept for it. */
#define MCENTRAL_SWEEP_TRIES 100
unsigned mcentral_cache_spans(struct mcache *c, unsigned span_class, struct span **out,
                              unsigned most, bool *swept);
/* Takes a cached span back; its free_index and alloc_count are up to date.  Sweeps it when it was
 * cached before the sweep began. */
void mcentral_uncache_span(struct span *s);
/* The same for up to SPANSET_MANY of one class in which every slot is allocated (full), or none of
 * which was used since it was cached. */
void mcentral_uncache_many(struct span *const *spans, unsigned n, bool full);
/* Puts a swept span that is in no set and in no cache where it belongs. */
void mcentral_put_swept(struct span *s);

#endif
