/* Lists: a chain of chunks of pointers to strings, cheap at both ends.
 *
 * A ring of pointers would be simpler, but doubles by copying all of it under the lock; a chain of
 * single elements would cost the collector a cache miss for each.  A chunk is 512 bytes.
 *
 * Invariants: (1) no chunk is empty, an empty list has none; (2) a chunk's elements are
 * slots[first, last); slots outside are NULL, so that popped strings are not kept alive; (3) length
 * is the number of elements of all chunks.
 *
 * Locking: none; the caller holds the lock of the shard.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_LIST_H
#define KV_LIST_H

#include "str.h"

#define LIST_CHUNK_SLOTS 61

typedef struct list_chunk {
    struct list_chunk *prev, *next;
    uint32_t first, last;
    str *slots[LIST_CHUNK_SLOTS];
} list_chunk;
GORT_TYPE(list_chunk, prev, next, slots);
_Static_assert(sizeof(list_chunk) == 512, "a chunk fills a size class");

typedef struct list {
    list_chunk *head, *tail;
    size_t length;
} list;
GORT_TYPE(list, head, tail);

enum list_end { LIST_LEFT, LIST_RIGHT };

void list_push(list *l, enum list_end end, str *s);
str *list_pop(list *l, enum list_end end); /* NULL when empty */

/* A place in a list, to read on from.  The list must not change meanwhile. */
typedef struct list_place {
    list_chunk *chunk;
    uint32_t slot;
} list_place;

/* The place of element index, which must be below the length. */
list_place list_at(const list *l, size_t index);

/* The element at the place, which moves on to the next one. */
static inline str *list_read(list_place *p)
{
    str *s = p->chunk->slots[p->slot];
    if (++p->slot == p->chunk->last && p->chunk->next != NULL) {
        p->chunk = p->chunk->next;
        p->slot = p->chunk->first;
    }
    return s;
}

/* Checks the invariants; false and *why when one does not hold.  For tests. */
bool list_is_valid(const list *l, const char **why);

#endif
