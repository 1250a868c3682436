/* Lists; see list.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "list.h"

/* A chunk added on the left is filled from its right end, and the other way round. */
static list_chunk *add_chunk(list *l, enum list_end end)
{
    list_chunk *c = gort_new(list_chunk);
    if (l->head == NULL) {
        c->first = c->last = end == LIST_LEFT ? LIST_CHUNK_SLOTS : 0;
        gort_set(&l->head, c);
        gort_set(&l->tail, c);
    } else if (end == LIST_LEFT) {
        c->first = c->last = LIST_CHUNK_SLOTS;
        gort_init(&c->next, l->head);
        gort_set(&l->head->prev, c);
        gort_set(&l->head, c);
    } else {
        gort_init(&c->prev, l->tail);
        gort_set(&l->tail->next, c);
        gort_set(&l->tail, c);
    }
    return c;
}

static void drop_chunk(list *l, list_chunk *c)
{
    if (c->prev != NULL) {
        gort_set(&c->prev->next, c->next);
    } else {
        gort_set(&l->head, c->next);
    }
    if (c->next != NULL) {
        gort_set(&c->next->prev, c->prev);
    } else {
        gort_set(&l->tail, c->prev);
    }
}

void list_push(list *l, enum list_end end, str *s)
{
    if (end == LIST_LEFT) {
        list_chunk *c = l->head;
        if (c == NULL || c->first == 0) c = add_chunk(l, end);
        c->first--;
        gort_set(&c->slots[c->first], s);
    } else {
        list_chunk *c = l->tail;
        if (c == NULL || c->last == LIST_CHUNK_SLOTS) c = add_chunk(l, end);
        gort_set(&c->slots[c->last], s);
        c->last++;
    }
    l->length++;
}

str *list_pop(list *l, enum list_end end)
{
    list_chunk *c = end == LIST_LEFT ? l->head : l->tail;
    if (c == NULL) return NULL;
    uint32_t slot = end == LIST_LEFT ? c->first++ : --c->last;
    str *s = c->slots[slot];
    gort_set(&c->slots[slot], NULL);
    if (c->first == c->last) drop_chunk(l, c);
    l->length--;
    return s;
}

/* From the nearer end, chunk by chunk. */
list_place list_at(const list *l, size_t index)
{
    if (index < l->length / 2) {
        list_chunk *c = l->head;
        while (index >= c->last - c->first) {
            index -= c->last - c->first;
            c = c->next;
        }
        return (list_place){ c, c->first + (uint32_t)index };
    }
    list_chunk *c = l->tail;
    size_t behind = l->length - index; /* 1: the last element */
    while (behind > c->last - c->first) {
        behind -= c->last - c->first;
        c = c->prev;
    }
    return (list_place){ c, c->last - (uint32_t)behind };
}

static bool chunk_is_valid(const list_chunk *c, const char **why)
{
    *why = "a chunk of a list is empty or its bounds are wrong";
    if (c->first >= c->last || c->last > LIST_CHUNK_SLOTS) return false;
    *why = "an element of a list is missing, or one outlives its removal";
    for (uint32_t i = 0; i < LIST_CHUNK_SLOTS; i++) {
        bool inside = i >= c->first && i < c->last;
        if (inside != (c->slots[i] != NULL)) return false;
    }
    return true;
}

bool list_is_valid(const list *l, const char **why)
{
    size_t length = 0;
    const list_chunk *last = NULL;
    for (const list_chunk *c = l->head; c != NULL; c = c->next) {
        *why = "the chain of a list is broken";
        if (c->prev != last) return false;
        if (!chunk_is_valid(c, why)) return false;
        length += c->last - c->first;
        last = c;
    }
    *why = "the end or the length of a list is wrong";
    return l->tail == last && l->length == length;
}
