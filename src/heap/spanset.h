/* A lock-free set of spans on its own cache line: last in, first out, linked through the records.
 *
 * Invariant: a span is in at most one set (span->in_set), and only the one who popped it may push
 * it.  Push allocates nothing and can not fail; spanset.c says what that replaced.
 *
 * Memory order: push's release pairs with pop's acquire (lfstack.h).
 * Answers to: mspanset.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SPANSET_H
#define GORT_HEAP_SPANSET_H

#include "heap/heap_data.h"

struct span_set {
    struct lfstack stack;
} cache_aligned;
_Static_assert(sizeof(struct span_set) == CACHE_LINE, "a set fills its line");

void spanset_push(struct span_set *set, struct span *s);
struct span *spanset_pop(struct span_set *set); /* NULL: empty */
/* Several at once: one swap of the head.  n may be 0. */
void spanset_push_many(struct span_set *set, struct span *const *spans, unsigned n);
#define SPANSET_MANY 16
/* Up to `most`, which is at most SPANSET_MANY; returns how many. */
unsigned spanset_pop_many(struct span_set *set, struct span **spans, unsigned most);
/* A hint.  Of a set that only shrinks, as the unswept ones do beside the program, no false yes. */
static inline bool spanset_empty(const struct span_set *set)
{
    return lfstack_empty(&set->stack);
}
/* The span after s, the first for s NULL; NULL: none.  Nobody may push or pop meanwhile. */
struct span *spanset_next_stw(const struct span_set *set, const struct span *s);

#endif
