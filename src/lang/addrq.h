/* Queues of waiting goroutines keyed by the address they wait at.
 *
 * What it is: public sync objects hold integers only, so that they may lie in memory of any kind
 * and need no destructor.  Who waits for one is found here, by its address: a fixed table of
 * buckets, in each a treap of addresses, at each address a FIFO of waiter records.
 *
 * Why this way: with a plain list per bucket, a hundred thousand objects that somebody waits at
 * make each wake-up walk hundreds of records.  A treap whose priority is a hash of the address
 * needs no field for it, no parent pointers and no rebalancing code beyond split and join; its
 * expected depth is logarithmic.  Rejected: a growing hash table, which must move waiters under a
 * lock.
 *
 * Fields of a record while it is queued here:
 *     object      the address
 *     next        the next of the same address; the last one's is the first: a ring
 *     before      the one before it in the ring: who leaves need not look for it
 *     prev, elem  only in the last, which is the treap's node: addresses below, and above
 * The node is the last so that both ends of the ring are one step away.  wait_link stays free for
 * the goroutine's own list, and the collector takes elem for a pointer that is none of its.
 *
 * Locking: a bucket's own lock for all of it.  `waiters` is also read without: each user says how.
 * Answers to: semaRoot in sema.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_ADDRQ_H
#define GORT_LANG_ADDRQ_H

#include "lang/lang.h"

struct addr_bucket {
    struct lock lock;
    uint32_t waiters; /* records queued, or about to be; atomic, moved under the lock */
    struct sudog *root;
} cache_aligned;

#define ADDR_BUCKETS 256

/* Which of ADDR_BUCKETS an address belongs to. */
static inline uint32_t addr_bucket_index(const void *addr)
{
    return (uint32_t)(((uintptr_t)addr >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}
_Static_assert(ADDR_BUCKETS == 1 << 8, "eight bits of the product");

/* s->object is set; s becomes the last, or the first, of its address.  Lock held, as for all. */
void addrq_push(struct addr_bucket *b, struct sudog *s);
void addrq_push_front(struct addr_bucket *b, struct sudog *s);
/* Does anybody wait at addr? */
bool addrq_has(struct addr_bucket *b, const void *addr);
/* Takes the first of addr off; NULL: none. */
struct sudog *addrq_pop(struct addr_bucket *b, const void *addr);
/* Takes s off, if it is queued, wherever in the ring it is; addrq_push set its address.  Not for
 * one of a chain that addrq_take_all returned. */
bool addrq_remove(struct addr_bucket *b, struct sudog *s);
/* Takes all of addr off, as a chain through next from the first on; NULL: none. */
struct sudog *addrq_take_all(struct addr_bucket *b, const void *addr);

/* Validator: order and priorities of the treap, and the rings; the number of records. */
bool addrq_is_valid(const struct addr_bucket *b, uint32_t *records);
/* Depth of the treap, for tests. */
uint32_t addrq_depth(const struct addr_bucket *b);

#endif
