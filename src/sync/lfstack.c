/* The tagged lock-free stack.
 *
 * Invariants:
 *  (1) head is 0, or the packing of a node that was pushed and not popped; following `next` from it
 *      meets every node of the stack, once, and ends with 0.
 *  (2) A node's `next` is written by its pusher only, before the push takes effect.
 *  (3) Two pushes of one node differ in the count within 2^20 pushes of it.  So a pop whose
 *      compare-and-swap succeeds saw `next` as it was when that head was pushed, unless the same
 *      node was pushed a multiple of 2^20 times between its two instructions.
 *
 * A pop may read `next` of a node that another thread popped meanwhile and is rewriting: the value
 * is then discarded, because by (3) the head has changed.  Therefore the field is atomic, and nodes
 * are never unmapped.
 *
 * Note [Several at once].  A pop of several walks down from the head that it loaded and swaps the
 * head for what the last node has below it.  A node below the head can leave the stack, or get
 * another one below it, only after the head itself was popped; by (3) the swap then fails.  So if
 * it succeeds, the whole walk saw the stack as it was at the swap.  If it fails, the walk may have
 * strayed over nodes of other stacks, which is harmless: they are readable, and it ends after
 * `most` steps.  The pushes of the lower nodes happened before too: each push and pop in between is
 * a read-modify-write of the head, so all of them are in the release sequence of each earlier push,
 * which the pop's acquire reads from.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sync/lfstack.h"

#include "base/assert.h"
#include "base/atomic.h"

#define TAG_BITS 20
#define ADDRESS_BITS_USED 47
#define ADDRESS_SHIFT (64 - ADDRESS_BITS_USED)
#define TAG_MASK ((UINT64_C(1) << TAG_BITS) - 1)

/* The three zero bits of an aligned address leave the tag 20 bits where the shift leaves 17. */
_Static_assert(TAG_BITS == ADDRESS_SHIFT + 3, "tag fills what the address leaves");
_Static_assert(_Alignof(struct lfnode) == 8, "a node's address ends in three zero bits");

static uint64_t pack(const struct lfnode *n, uint64_t count)
{
    return (uint64_t)(uintptr_t)n << ADDRESS_SHIFT | (count & TAG_MASK);
}

static struct lfnode *unpack(uint64_t word)
{
    return (struct lfnode *)(uintptr_t)((word & ~TAG_MASK) >> ADDRESS_SHIFT);
}

/* A new push of n. */
static uint64_t pack_next(struct lfnode *n)
{
    uint64_t word = pack(n, ++n->pushes);
    check(unpack(word) == n);
    return word;
}

/* Makes word the head, whose lowest new node is `last`. */
static void swap_head(struct lfstack *s, uint64_t word, struct lfnode *last)
{
    uint64_t head = atomic_load_relaxed(&s->head); /* confirmed by the swap */
    do {
        atomic_store_relaxed(&last->next, head);          /* published by the swap */
    } while (!atomic_cas_release(&s->head, &head, word)); /* pairs with lfstack_pop */
}

void lfstack_push(struct lfstack *s, struct lfnode *n)
{
    swap_head(s, pack_next(n), n);
}

void lfstack_push_many(struct lfstack *s, struct lfnode *const *nodes, unsigned n)
{
    uint64_t word = pack_next(nodes[n - 1]);
    for (unsigned i = n - 1; i-- > 0;) {
        atomic_store_relaxed(&nodes[i]->next, word); /* published by the swap */
        word = pack_next(nodes[i]);
    }
    swap_head(s, word, nodes[n - 1]);
}

struct lfnode *lfstack_pop(struct lfstack *s)
{
    uint64_t head = atomic_load_acquire(&s->head); /* pairs with lfstack_push */
    while (head != 0) {
        struct lfnode *n = unpack(head);
        uint64_t next = atomic_load_relaxed(&n->next); /* may be stale: then the swap fails */
        /* Acquire pairs with lfstack_push; a failure loads the head anew, acquiring too. */
        if (atomic_cas_acquire(&s->head, &head, next)) return n;
    }
    return NULL;
}

unsigned lfstack_pop_many(struct lfstack *s, struct lfnode **nodes, unsigned most)
{
    uint64_t head = atomic_load_acquire(&s->head); /* pairs with lfstack_push */
    while (head != 0) {
        uint64_t word = head;
        unsigned n = 0;
        do { /* may be stale, as above: Note [Several at once] */
            nodes[n] = unpack(word);
            word = atomic_load_relaxed(&nodes[n++]->next);
        } while (n < most && word != 0);
        if (atomic_cas_acquire(&s->head, &head, word)) return n; /* as in lfstack_pop */
    }
    return 0;
}

struct lfnode *lfstack_next_hint(const struct lfnode *n)
{
    return unpack(atomic_load_relaxed(&n->next));
}

void lfstack_move_stw(struct lfstack *to, struct lfstack *from, struct lfnode *last)
{
    assert_that(atomic_load_relaxed(&last->next) == 0);
    atomic_store_relaxed(&last->next, to->head); /* nobody else is here */
    to->head = from->head;
    from->head = 0;
}

struct lfnode *lfstack_below(const struct lfstack *s, const struct lfnode *n)
{
    return unpack(
        atomic_load_acquire(n == NULL ? &s->head : &n->next)); /* pairs with lfstack_push */
}
