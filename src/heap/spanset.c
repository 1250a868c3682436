/* Sets of spans as tagged lock-free stacks through the span records.
 *
 * What it replaced: the original keeps pointers to spans in blocks of 512 under a growing spine,
 * with a head and a tail index moved by fetch-and-add.  That tolerates stale entries (a span swept and
 * freed out of turn stays listed), but a push may have to allocate a block, which can fail in the
 * middle of a sweep, and blocks are recycled with the world stopped.  Records of spans are never
 * unmapped, which is all that a stack through the records needs; Note [One set, one popper] in
 * sweep.h gives what the stale entries gave.  The most recently pushed span comes back first, while its
 * lines are warm.
 *
 * Answers to: mspanset.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/spanset.h"

#include "base/assert.h"

void spanset_push(struct span_set *set, struct span *s)
{
    check(!s->in_set);
    s->in_set = 1; /* ours until the push publishes it */
    lfstack_push(&set->stack, &s->set_node);
}

struct span *spanset_pop(struct span_set *set)
{
    struct lfnode *n = lfstack_pop(&set->stack);
    if (n == NULL) return NULL;
    struct span *s = container_of(n, struct span, set_node);
    check(s->in_set);
    s->in_set = 0;
    return s;
}

bool spanset_empty(const struct span_set *set)
{
    return lfstack_empty(&set->stack);
}

void spanset_each_stw(const struct span_set *set, void (*fn)(struct span *s, void *arg), void *arg)
{
    /* Takes all out, which reverses them, and puts them back, which reverses them again. */
    struct span_set *mutable_set = (struct span_set *)set;
    struct span *all = NULL, *s;
    while ((s = spanset_pop(mutable_set)) != NULL) {
        s->next_free = all; /* unused while in a set */
        all = s;
    }
    while ((s = all) != NULL) {
        all = s->next_free;
        s->next_free = NULL;
        spanset_push(mutable_set, s);
        fn(s, arg);
    }
}
