/* Lock-free stack of records that are never returned to the kernel (Treiber's, tagged).
 *
 * The head packs the node's address (47 bits, 8-byte aligned: 44 significant) with a 20-bit count
 * of pushes of that node, so a node popped and pushed again between a reader's load and its
 * compare-and-swap changes the word (ABA).  Nodes must stay readable for ever: a loser of the race
 * may read `next` of a node that others popped.
 *
 * Memory order: push's release pairs with pop's acquire.
 * Answers to: lfstack.go, tagptr_64bit.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SYNC_LFSTACK_H
#define GORT_SYNC_LFSTACK_H

#include "base/atomic.h"
#include "base/config.h"

struct lfnode {
    uint64_t next;   /* packed; written by the pusher that owns the node */
    uint64_t pushes; /* count, owner only */
};

struct lfstack {
    uint64_t head; /* packed, 0: empty; atomic */
};

void lfstack_push(struct lfstack *s, struct lfnode *n);
struct lfnode *lfstack_pop(struct lfstack *s); /* NULL: empty */
/* n > 0 nodes at once, by one swap of the head: nodes[0] is on top afterwards. */
void lfstack_push_many(struct lfstack *s, struct lfnode *const *nodes, unsigned n);
/* Up to `most` > 0 nodes at once, from the top; returns how many. */
unsigned lfstack_pop_many(struct lfstack *s, struct lfnode **nodes, unsigned most);
/* What was below n when it was popped: perhaps what is popped next.  n is the caller's.  NULL:
 * none. */
struct lfnode *lfstack_next_hint(const struct lfnode *n);
/* A hint, stale at once. */
static inline bool lfstack_empty(const struct lfstack *s)
{
    return atomic_load_relaxed(&s->head) == 0;
}
/* All of `from`, whose lowest node is last, goes on top of `to`.  While nobody pushes or pops
 * either. */
void lfstack_move_stw(struct lfstack *to, struct lfstack *from, struct lfnode *last);
/* The node below n, the top one for n NULL; NULL: none.  While nobody pushes or pops. */
struct lfnode *lfstack_below(const struct lfstack *s, const struct lfnode *n);

#endif
