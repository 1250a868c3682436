/* Concurrent maps: making them, and their operations.  How a map is made is said in cmap.h.
 *
 * Answers to: internal/sync/hashtriemap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/cmap.h"

#include "gort/panic.h"
#include "heap/heap.h"
#include "heap/persistent.h"

/* ---- layouts: Note [Layouts] in map_make.c --------------------------------------------------- */

/* Words of an element of the entry that may hold pointers. */
static void add_run(struct cmap_layout *l, size_t at, const struct gort_type *t)
{
    if (!map_may_hold(t)) return;
    struct gort_pointer_run run = map_run_of(t);
    run.offset += at;
    l->runs[l->entry.nruns++] = run;
    l->entry.ptrdata = run.offset + run.size;
}

static void describe_entry(struct cmap_layout *l)
{
    struct gort_type *e = &l->entry;
    *e = (struct gort_type){ .name = "entry of a concurrent map",
                             .size = l->value_at + l->keys.shape.value_size,
                             .ptrdata = sizeof(void *),
                             .runs = l->runs,
                             .nruns = 1,
                             .align = (uint32_t)l->keys.shape.align };
    l->runs[0] = (struct gort_pointer_run){ offsetof(struct cmap_entry, next), sizeof(void *) };
    add_run(l, l->key_at, l->keys.key);
    add_run(l, l->value_at, l->keys.value);
    if (e->size > 64 * WORD_SIZE) return; /* no mask */
    for (uint32_t i = 0; i < e->nruns; i++)
        for (size_t at = 0; at < l->runs[i].size; at += WORD_SIZE)
            e->mask |= (uint64_t)1 << (l->runs[i].offset + at) / WORD_SIZE;
}

static struct cmap_layout *layout_new(const struct gort_map_type *t, const struct gort_type *key,
                                      const struct gort_type *value)
{
    crit_enter();
    struct cmap_layout *l = persistent_alloc(sizeof *l, 8, &heap->meta);
    crit_exit();
    if (l == NULL) throw_msg("out of memory: gort_cmap_make");
    size_t align = t->key_align > t->value_align ? t->key_align : t->value_align;
    if (align < _Alignof(struct cmap_entry)) align = _Alignof(struct cmap_entry);
    l->keys.shape.key_size = t->key_size;
    l->keys.shape.value_size = t->value_size;
    l->keys.shape.align = align;
    l->keys.key = key;
    l->keys.value = value;
    l->key_at = align_up(sizeof(struct cmap_entry), t->key_align);
    l->value_at = align_up(l->key_at + t->key_size, t->value_align);
    describe_entry(l);
    return l;
}

static const struct cmap_layout *layout_of(struct gort_map_type *t, const struct gort_type *key,
                                           const struct gort_type *value)
{
    void *l = atomic_load_acquire(&t->layout); /* pairs with the release below */
    if (likely(l != NULL)) return l;
    struct cmap_layout *made = layout_new(t, key, value);
    if (atomic_cas_acqrel(&t->layout, &l, (void *)made)) return made;
    return l;
}

/* ---- making ---------------------------------------------------------------------------------- */

typedef struct gort_cmap cmap_header;
GORT_TYPE(cmap_header, table);

static uint32_t shift_for(size_t hint)
{
    uint32_t bits = hint > 1 ? bits_len64(hint - 1) : 0;
    if (bits < CMAP_BITS_MIN || hint > LARGE_MAX) bits = CMAP_BITS_MIN;
    return 64 - (bits < CMAP_BITS_MAX ? bits : CMAP_BITS_MAX);
}

void *gort_cmap_make_raw(struct gort_map_type *type, const struct gort_type *key,
                         const struct gort_type *value, size_t hint, gort_map_hash_fn hash,
                         gort_map_equal_fn equal)
{
    (void)lang_enter("gort_cmap_make");
    struct gort_cmap *m = gort_new_raw(gort_type_cmap_header);
    m->keys.layout = layout_of(type, key, value);
    m->keys.state = (uint32_t)type->kind;
    m->keys.seed = map_seed();
    m->keys.hash = hash;
    m->keys.equal = equal;
    gort_store_pointer((void **)(void *)&m->table,
                       cmap_table_new(shift_for(hint), NULL, gort_counter_make()));
    return m;
}

/* ---- entries --------------------------------------------------------------------------------- */

struct cmap_entry *cmap_entry_copy(const struct cmap_layout *l, const struct cmap_entry *e)
{
    struct cmap_entry *copy = gort_new_raw(&l->entry);
    race_hide(); /* nothing orders the caller after who made e: it did not ask for e's key */
    memcpy(copy, e, l->entry.size); /* Note [Entries and the collector] */
    race_show();
    copy->next = NULL;
    return copy;
}

/* Without its key, which try_put gives it.  Note [Entries and the collector]. */
static struct cmap_entry *entry_new(const struct cmap_layout *l, uint64_t hash, const void *value)
{
    struct cmap_entry *e = gort_new_raw(&l->entry);
    e->hash = hash;
    memcpy(cmap_value(l, e), value, l->keys.shape.value_size);
    return e;
}

/* The list as it is without one of its entries; NULL: as it is. */
static struct cmap_entry *list_without(const struct cmap_layout *l, struct cmap_entry *list,
                                       const struct cmap_entry *gone)
{
    if (gone == NULL) return list;
    struct cmap_entry *rest = gone->next;
    for (const struct cmap_entry *e = list; e != gone; e = e->next) {
        struct cmap_entry *copy = cmap_entry_copy(l, e);
        copy->next = rest;
        rest = copy;
    }
    return rest;
}

/* The key's entry in a list; NULL: none.  Whoever made it comes before what the caller does next,
 * which begins with the comparison: a string, and the program's own equality, read what that one
 * wrote. */
static force_inline const struct cmap_entry *list_find(const struct gort_cmap *m, int kind,
                                                       struct map_key k, uint64_t hash,
                                                       const struct cmap_entry *e)
{
    for (; e != NULL; e = e->next) {
        if (e->hash != hash) continue;
        race_acquire(m);
        if (likely(map_same(&m->keys, kind, k, cmap_key(cmap_layout(m), e)))) return e;
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static force_inline const struct cmap_entry *find(const struct gort_cmap *m, int kind,
                                                  const void *key, uint64_t *hash)
{
    struct map_key k = map_key_of(kind, key);
    *hash = map_hash(&m->keys, kind, k);
    const struct cmap_entry *list = cmap_list(cmap_read(cmap_table_of(m), *hash));
    return list_find(m, kind, k, *hash, list);
}

static never_inline const struct cmap_entry *find_any(const struct gort_cmap *m, const void *key,
                                                      uint64_t *hash)
{
    return find(m, map_kind(&m->keys), key, hash);
}

static force_inline const struct cmap_entry *find_by_kind(const struct gort_cmap *m,
                                                          const void *key, uint64_t *hash)
{
    if (map_kind(&m->keys) == GORT_MAP_INT8) return find(m, GORT_MAP_INT8, key, hash);
    if (map_kind(&m->keys) == GORT_MAP_INT4) return find(m, GORT_MAP_INT4, key, hash);
    return find_any(m, key, hash);
}

const void *gort_cmap_load_raw(const void *map, const void *key)
{
    const struct gort_cmap *m = map;
    uint64_t hash;
    if (m == NULL) return NULL;
    const struct cmap_entry *e = find_by_kind(m, key, &hash);
    return e != NULL ? cmap_value(cmap_layout(m), e) : NULL;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* A change of one key's bucket, from look to swap. */
struct change {
    struct gort_cmap *m;
    const void *key;
    uint64_t hash;
    struct cmap_table *table;
    uintptr_t *bucket;
    uintptr_t seen;                 /* in it */
    const struct cmap_entry *found; /* the key's; NULL: none */
    struct cmap_entry *made;        /* by this change */
};

static struct change change_of(void *map, const void *key, uint64_t hash)
{
    return (struct change){ .m = map, .key = key, .hash = hash };
}

/* The key as it is now, in a bucket that can be changed. */
static void look(struct change *c)
{
    int kind = map_kind(&c->m->keys);
    do {
        c->table = cmap_table_of(c->m);
        c->bucket = cmap_bucket(c->m, c->table, c->hash);
        c->seen = atomic_load_acquire(c->bucket); /* pairs with swap */
    } while (unlikely(c->seen & CMAP_FROZEN));    /* there is a later table */
    c->found = list_find(c->m, kind, map_key_of(kind, c->key), c->hash, cmap_list(c->seen));
}

/* The bucket's next list; false: it changed since the look, and nothing was done. */
static bool swap(struct change *c, struct cmap_entry *list)
{
    uintptr_t word = list != NULL ? (uintptr_t)list : CMAP_EMPTY;
    race_release(c->m);
    return gort_compare_exchange_raw((void **)c->bucket, (void **)&c->seen, (void *)word);
}

static void changed(const struct change *c, int64_t by)
{
    if (by != 0) gort_counter_add(c->table->count, by);
    if (unlikely(atomic_load_acquire(&c->table->from) != NULL)) cmap_help_slow(c->m, c->table);
}

#define MANY 3 /* entries of a bucket, of which few have so many before the table is full */

static bool has_many(const struct cmap_entry *list)
{
    int n = 0;
    for (; list != NULL && n < MANY; list = list->next)
        n++;
    return n == MANY;
}

/* Adds the key, or replaces what was found. */
static bool try_put(struct change *c, const void *value)
{
    const struct cmap_layout *l = cmap_layout(c->m);
    struct cmap_entry *list = cmap_list(c->seen);
    if (c->made == NULL) c->made = entry_new(l, c->hash, value);
    /* The key that entered stays, if it is there still: an attempt before this may have found
     * it. */
    memcpy(cmap_key(l, c->made), c->found != NULL ? cmap_key(l, c->found) : c->key,
           l->keys.shape.key_size);
    c->made->next = list_without(l, list, c->found);
    if (!swap(c, c->made)) return false;
    changed(c, c->found == NULL);
    if (c->found == NULL && unlikely(has_many(list))) cmap_maybe_grow(c->m, c->table);
    return true;
}

static bool try_remove(struct change *c)
{
    if (!swap(c, list_without(cmap_layout(c->m), cmap_list(c->seen), c->found))) return false;
    changed(c, -1);
    return true;
}

/* Where the value of an entry that was found is; NULL: none was. */
static const void *value_of(const struct change *c)
{
    return c->found != NULL ? cmap_value(cmap_layout(c->m), c->found) : NULL;
}

static bool holds(const struct change *c, const void *value)
{
    const struct cmap_layout *l = cmap_layout(c->m);
    return c->found != NULL &&
           memcmp(cmap_value(l, c->found), value, l->keys.shape.value_size) == 0;
}

static uint64_t hash_of(const struct gort_cmap *m, const void *key)
{
    int kind = map_kind(&m->keys);
    return map_hash(&m->keys, kind, map_key_of(kind, key));
}

/* ---- the calls ------------------------------------------------------------------------------- */

const void *gort_cmap_swap_raw(void *map, const void *key, const void *value)
{
    if (map == NULL) gort_panic("assignment to entry in nil map");
    (void)lang_enter("gort_cmap_store");
    struct change c = change_of(map, key, hash_of(map, key));
    /* The bucket and its first entry, seldom in the cache, come while the new one is made. */
    __builtin_prefetch(cmap_list(cmap_read(cmap_table_of(map), c.hash)));
    c.made = entry_new(cmap_layout(map), c.hash, value);
    do
        look(&c);
    while (!try_put(&c, value));
    return value_of(&c);
}

const void *gort_cmap_load_or_store_raw(void *map, const void *key, const void *value)
{
    uint64_t hash;
    if (map == NULL) gort_panic("assignment to entry in nil map");
    (void)lang_enter("gort_cmap_load_or_store");
    const struct cmap_entry *e = find_by_kind(map, key, &hash);
    if (e != NULL) return cmap_value(cmap_layout(map), e);
    struct change c = change_of(map, key, hash);
    do
        look(&c);
    while (c.found == NULL && !try_put(&c, value));
    return value_of(&c);
}

const void *gort_cmap_load_and_delete_raw(void *map, const void *key)
{
    uint64_t hash;
    if (map == NULL) return NULL;
    (void)lang_enter("gort_cmap_delete");
    if (find_by_kind(map, key, &hash) == NULL) return NULL;
    struct change c = change_of(map, key, hash);
    do
        look(&c);
    while (c.found != NULL && !try_remove(&c));
    return value_of(&c);
}

bool gort_cmap_compare_and_swap_raw(void *map, const void *key, const void *old, const void *value)
{
    if (map == NULL) return false;
    (void)lang_enter("gort_cmap_compare_and_swap");
    struct change c = change_of(map, key, hash_of(map, key));
    do {
        look(&c);
        if (!holds(&c, old)) return false;
    } while (!try_put(&c, value));
    return true;
}

bool gort_cmap_compare_and_delete_raw(void *map, const void *key, const void *old)
{
    if (map == NULL) return false;
    (void)lang_enter("gort_cmap_compare_and_delete");
    struct change c = change_of(map, key, hash_of(map, key));
    do {
        look(&c);
        if (!holds(&c, old)) return false;
    } while (!try_remove(&c));
    return true;
}
