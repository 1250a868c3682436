/* Values of a goroutine: a list of pairs, found by the address of a key.
 *
 * A list, since a goroutine has a handful at most; the latest used is moved nowhere, so that
 * getting a value stores nothing.  The head lies in the goroutine's record and is a root.
 *
 * Locking: none; everything belongs to the running goroutine.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/context.h"
#include "gort/mem.h"
#include "gort/panic.h"
#include "lang/lang.h"

struct local {
    struct local *next;
    const void *key;
    void *value; /* NULL: none; the place may be used again */
};

static struct local *find(const struct g *g, const void *key)
{
    struct local *l = g->locals;
    while (l != NULL && l->key != key)
        l = l->next;
    return l;
}

void *gort_local_get(const void *key)
{
    const struct local *l = find(lang_enter("gort_local_get"), key);
    return l != NULL ? l->value : NULL;
}

/* A pair without a value keeps its place for the key; the list is as long as there are keys. */
void gort_local_set(const void *key, void *value)
{
    struct g *g = lang_enter("gort_local_set");
    if (key == NULL) gort_panic("gort_local_set: the key is NULL");
    struct local *l = find(g, key);
    if (l == NULL && value != NULL) {
        l = gort_alloc(sizeof *l);
        l->key = key;
        gort_init(&l->next, (struct local *)g->locals);
        gort_init(&l->value, value);
        lang_store_root(&g->locals, l);
    } else if (l != NULL) {
        gort_set(&l->value, value);
    }
}
