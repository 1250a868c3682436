/* Sets of spans as tagged lock-free stacks through the span records.
 *
 * What it replaced: the original keeps pointers to spans in blocks of 512 under a growing spine,
 * with a head and a tail index moved by fetch-and-add.  That tolerates stale entries (a span swept
 * and freed out of turn stays listed), but a push may have to allocate a block, which can fail in
 * the middle of a sweep, and blocks are recycled with the world stopped.  Records of spans are
 * never unmapped, and those whose memory went back to the kernel keep their count of pushes (Note
 * [Records asleep] in span.c), which is all that a stack through the records needs; Note [One set,
 * one popper] in sweep.h gives what the stale entries gave.  The most recently pushed span comes
 * back first, while its lines are warm.
 *
 * Answers to: mspanset.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/spanset.h"

#include "arch/arch.h"
#include "base/assert.h"

void spanset_push(struct span_set *set, struct span *s)
{
    check(!s->in_set);
    s->in_set = 1; /* ours until the push publishes it */
    lfstack_push(&set->stack, &s->set_node);
}

/* The record that will probably be popped next is in no cache by then: a heap's worth of objects
 * lies between two visits. */
static void prefetch_record(const struct span *s)
{
    for (size_t i = 0; i < sizeof(*s); i += CACHE_LINE)
        arch_prefetch((const char *)s + i);
}

static void prefetch_below(const struct lfnode *n)
{
    const struct lfnode *next = lfstack_next_hint(n);
    if (next != NULL) prefetch_record(container_of(next, struct span, set_node));
}

static struct span *popped(struct lfnode *n)
{
    struct span *s = container_of(n, struct span, set_node);
    check(s->in_set);
    s->in_set = 0;
    return s;
}

struct span *spanset_pop(struct span_set *set)
{
    struct lfnode *n = lfstack_pop(&set->stack);
    if (n == NULL) return NULL;
    prefetch_below(n);
    return popped(n);
}

void spanset_push_many(struct span_set *set, struct span *const *spans, unsigned n)
{
    struct lfnode *nodes[SPANSET_MANY];
    check(n <= SPANSET_MANY);
    for (unsigned i = 0; i < n; i++) {
        check(!spans[i]->in_set);
        spans[i]->in_set = 1; /* ours until the push publishes it */
        nodes[i] = &spans[i]->set_node;
    }
    if (n != 0) lfstack_push_many(&set->stack, nodes, n);
}

unsigned spanset_pop_many(struct span_set *set, struct span **spans, unsigned most)
{
    struct lfnode *nodes[SPANSET_MANY];
    check(most <= SPANSET_MANY);
    unsigned n = lfstack_pop_many(&set->stack, nodes, most);
    for (unsigned i = 0; i < n; i++)
        spans[i] = popped(nodes[i]);
    if (n != 0) prefetch_below(nodes[n - 1]);
    return n;
}

struct span *spanset_next_stw(const struct span_set *set, const struct span *s)
{
    struct lfnode *n = lfstack_below(&set->stack, s == NULL ? NULL : &s->set_node);
    return n == NULL ? NULL : container_of(n, struct span, set_node);
}
