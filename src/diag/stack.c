/* Stacks that are kept: see stack.h.
 *
 * They are in a table of lists, by hash.  A program allocates from few places, so most calls find
 * what they look for; records and lists only grow, so readers and adders need no lock: a new record
 * is put before the head by a compare-and-swap, and who loses looks through what was put there
 * meanwhile.  Two equal records can not arise: each adder has compared with every record below its
 * own.
 *
 * Memory order: the release of a head pairs with the acquire of its readers: a record that is found
 * is written.  Answers to: stkbucket in mprof.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "diag/stack.h"

#include <string.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "base/unscanned.h"
#include "diag/traceback.h"
#include "heap/heap.h"
#include "heap/persistent.h"
#include "sched/sched.h"

#define STACK_LISTS 4096 /* a power of two */

static const struct stack *lists[STACK_LISTS]; /* atomic; off-heap addresses */
UNSCANNED(lists);
static uint64_t kept; /* atomic; a statistic */

static uint64_t hash_of(const uintptr_t *pcs, unsigned n)
{
    uint64_t h = n;
    for (unsigned i = 0; i < n; i++) {
        h = (h ^ pcs[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static const struct stack *find(const struct stack *s, const struct stack *end,
                                const struct stack *like)
{
    for (; s != end; s = s->next)
        if (s->hash == like->hash && s->n == like->n &&
            memcmp(s->pcs, like->pcs, like->n * sizeof like->pcs[0]) == 0)
            return s;
    return NULL;
}

/* Puts s, not yet looked for below `known`, into its list; or finds its equal. */
static const struct stack *put(const struct stack **list, struct stack *s,
                               const struct stack *known)
{
    const struct stack *head = known;
    for (;;) {
        s->next = head;
        /* Release: who finds it sees it written.  A failed one acquires what is there. */
        if (atomic_cas_acqrel(list, &head, (const struct stack *)s)) break;
        const struct stack *other = find(head, known, s);
        if (other != NULL) return other; /* s is lost: a rare race, some bytes */
        known = head;
    }
    atomic_fetch_add_relaxed(&kept, 1);
    return s;
}

const struct stack *stack_keep(const uintptr_t *pcs, unsigned n)
{
    union {
        struct stack stack;
        uint64_t room[3 + STACK_FRAMES];
    } like;
    _Static_assert(sizeof(struct stack) == 3 * sizeof(uint64_t), "the addresses follow");
    if (n > STACK_FRAMES) n = STACK_FRAMES;
    size_t bytes = sizeof(struct stack) + n * sizeof(uintptr_t);
    like.stack.n = n;
    memcpy(like.stack.pcs, pcs, n * sizeof *pcs);
    like.stack.hash = hash_of(pcs, n);
    const struct stack **list = &lists[like.stack.hash % STACK_LISTS];
    const struct stack *head = atomic_load_acquire(list); /* pairs with put */
    const struct stack *s = find(head, NULL, &like.stack);
    if (s != NULL) return s;
    crit_enter(); /* for the allocator's lock */
    struct stack *fresh = persistent_alloc(bytes, 8, &heap->profile_bytes);
    crit_exit();
    if (fresh == NULL) return NULL;
    memcpy(fresh, &like, bytes);
    return put(list, fresh, head);
}

uint64_t stack_count(void)
{
    return atomic_load_relaxed(&kept);
}

void stack_print(struct print *out, const uintptr_t *pcs, unsigned n)
{
    traceback_frames(out, pcs, n);
}
