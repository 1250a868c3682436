/* Queues keyed by address: see addrq.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/addrq.h"

/* ---- the treap ------------------------------------------------------------------------------ */

static force_inline struct sudog **below(struct sudog *s)
{
    return &s->prev;
}

static force_inline struct sudog **above(struct sudog *s)
{
    return (struct sudog **)(void *)&s->elem;
}

/* Unlike addr_bucket_index, whose product would give the addresses of one bucket priorities in
 * arithmetic progression. */
static uint32_t priority(const struct sudog *s)
{
    uint64_t x = (uintptr_t)s->object;
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    return (uint32_t)(x * UINT64_C(0xc4ceb9fe1a85ec53) >> 32);
}

/* Where the node of addr hangs; *result is NULL when there is none. */
static struct sudog **find(struct sudog **link, const void *addr)
{
    while (*link != NULL && (*link)->object != addr)
        link = (uintptr_t)addr < (uintptr_t)(*link)->object ? below(*link) : above(*link);
    return link;
}

/* A new address: s takes the place of the first node of lower priority on its way, whose subtree is
 * split around it. */
static void insert(struct sudog **link, struct sudog *s)
{
    uint32_t p = priority(s);
    while (*link != NULL && priority(*link) >= p)
        link = (uintptr_t)s->object < (uintptr_t)(*link)->object ? below(*link) : above(*link);
    struct sudog *rest = *link, **lo = below(s), **hi = above(s);
    *link = s;
    while (rest != NULL) {
        if ((uintptr_t)rest->object < (uintptr_t)s->object) {
            *lo = rest;
            lo = above(rest);
            rest = *lo;
        } else {
            *hi = rest;
            hi = below(rest);
            rest = *hi;
        }
    }
    *lo = *hi = NULL;
}

/* Takes the node at link out: its two subtrees are joined. */
static void delete (struct sudog **link)
{
    struct sudog *node = *link, *lo = *below(node), *hi = *above(node);
    *below(node) = *above(node) = NULL;
    while (lo != NULL && hi != NULL) {
        if (priority(lo) >= priority(hi)) {
            *link = lo;
            link = above(lo);
            lo = *link;
        } else {
            *link = hi;
            link = below(hi);
            hi = *link;
        }
    }
    *link = lo != NULL ? lo : hi;
}

/* s, of the same address, becomes the node at link. */
static void replace(struct sudog **link, struct sudog *s)
{
    struct sudog *node = *link;
    *below(s) = *below(node);
    *above(s) = *above(node);
    *below(node) = *above(node) = NULL;
    *link = s;
}

/* ---- the ring of one address ---------------------------------------------------------------- */

/* s comes after the last, before the first.  Whether there is a ring already; else s is one. */
static struct sudog **enter_ring(struct addr_bucket *b, struct sudog *s)
{
    struct sudog **link = find(&b->root, s->object);
    s->prev = NULL;
    s->elem = NULL;
    if (*link == NULL) {
        s->next = s->before = s;
        insert(&b->root, s);
        return NULL;
    }
    s->before = *link;
    s->next = (*link)->next;
    s->next->before = s;
    s->before->next = s;
    return link;
}

void addrq_push(struct addr_bucket *b, struct sudog *s)
{
    struct sudog **link = enter_ring(b, s);
    if (link != NULL) replace(link, s);
}

void addrq_push_front(struct addr_bucket *b, struct sudog *s)
{
    (void)enter_ring(b, s);
}

/* Takes s out of the ring whose node hangs at link. */
static struct sudog *take(struct sudog **link, struct sudog *s)
{
    if (s->next == s) {
        delete (link);
    } else {
        if (s == *link) replace(link, s->before);
        s->before->next = s->next;
        s->next->before = s->before;
    }
    s->next = s->before = NULL;
    return s;
}

bool addrq_has(struct addr_bucket *b, const void *addr)
{
    return *find(&b->root, addr) != NULL;
}

struct sudog *addrq_pop(struct addr_bucket *b, const void *addr)
{
    struct sudog **link = find(&b->root, addr);
    return *link != NULL ? take(link, (*link)->next) : NULL;
}

bool addrq_remove(struct addr_bucket *b, struct sudog *s)
{
    if (s->next == NULL) return false; /* in a ring it never is */
    (void)take(find(&b->root, s->object), s);
    return true;
}

struct sudog *addrq_take_all(struct addr_bucket *b, const void *addr)
{
    struct sudog **link = find(&b->root, addr);
    struct sudog *last = *link;
    if (last == NULL) return NULL;
    delete (link);
    struct sudog *first = last->next;
    last->next = NULL;
    return first;
}

/* ---- validation ----------------------------------------------------------------------------- */

static bool ring_is_valid(const struct sudog *last, uint32_t *records)
{
    const struct sudog *s = last;
    do {
        if (s->next == NULL || s->next->before != s) return false;
        s = s->next;
        if (s->object != last->object || s->g == NULL) return false;
        if (s != last && (s->prev != NULL || s->elem != NULL)) return false;
        ++*records;
    } while (s != last);
    return true;
}

/* Addresses in [lo, hi), priorities at most p. */
static bool node_is_valid(const struct sudog *s, uintptr_t lo, uintptr_t hi, uint32_t p,
                          uint32_t *records)
{
    if (s == NULL) return true;
    uintptr_t at = (uintptr_t)s->object;
    uint32_t own = priority(s);
    if (at < lo || at >= hi || own > p) return false;
    return ring_is_valid(s, records) && node_is_valid(s->prev, lo, at, own, records) &&
           node_is_valid(s->elem, at + 1, hi, own, records);
}

bool addrq_is_valid(const struct addr_bucket *b, uint32_t *records)
{
    *records = 0;
    return node_is_valid(b->root, 0, UINTPTR_MAX, UINT32_MAX, records);
}

static uint32_t depth_of(const struct sudog *s)
{
    if (s == NULL) return 0;
    uint32_t lo = depth_of(s->prev), hi = depth_of(s->elem);
    return 1 + (lo > hi ? lo : hi);
}

uint32_t addrq_depth(const struct addr_bucket *b)
{
    return depth_of(b->root);
}
