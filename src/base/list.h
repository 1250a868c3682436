/* Intrusive doubly linked list with a sentinel head; not synchronised.
 *
 * Invariants: (1) a linked node's neighbours point back at it; (2) an unlinked node points at
 * itself, so list_remove is idempotent; (3) a node is on at most one list.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_LIST_H
#define GORT_BASE_LIST_H

#include "base/config.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_between(struct list *n, struct list *prev, struct list *next)
{
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}
static inline void list_push_front(struct list *head, struct list *n)
{
    list_insert_between(n, head, head->next);
}
static inline void list_push_back(struct list *head, struct list *n)
{
    list_insert_between(n, head->prev, head);
}
static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
static inline struct list *list_pop_front(struct list *head)
{
    struct list *n = head->next;
    if (n == head) return NULL;
    list_remove(n);
    return n;
}

#endif
