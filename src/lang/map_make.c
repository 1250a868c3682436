/* Maps: making and clearing them.
 *
 * Note [Layouts].  What the collector and the operations must know of a map's slots is the same for
 * all maps that one place of the program makes.  It is worked out when the first of them is made,
 * in permanent memory, since descriptors must outlive all objects.  Two goroutines that come first
 * at once may both work it out; one's is used, the other's few hundred bytes are lost.
 *
 * Memory order: the layout's release pairs with the acquire of later makers.
 *
 * Answers to: makemap in map.go; the map types that the compiler makes.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/heap.h"
#include "heap/persistent.h"
#include "lang/map.h"

/* ---- layouts --------------------------------------------------------------------------------- */

bool map_may_hold(const struct gort_type *t)
{
    return !(t->flags & GORT_TYPE_NOSCAN) && t->size >= WORD_SIZE && t->align >= WORD_SIZE;
}

struct gort_pointer_run map_run_of(const struct gort_type *t)
{
    bool by_mask = !(t->flags & GORT_TYPE_CONSERVATIVE) && t->mask != 0;
    size_t lo = by_mask ? bits_ctz64(t->mask) * WORD_SIZE : 0;
    size_t hi = align_down(by_mask ? t->ptrdata : t->size, WORD_SIZE);
    return (struct gort_pointer_run){ lo, hi - lo };
}

/* A key or value in the slot. */
static void add_run(struct map_layout *l, size_t at, const struct gort_type *t, bool direct)
{
    struct gort_pointer_run run = { 0, WORD_SIZE };
    if (direct) run = map_run_of(t);
    run.offset += at;
    l->runs[l->slot.nruns++] = run;
}

static void describe_slot(struct map_layout *l)
{
    struct gort_type *s = &l->slot;
    *s = (struct gort_type){ .name = "slot of a map",
                             .size = l->shape.slot_size,
                             .runs = l->runs,
                             .align = (uint32_t)l->shape.align };
    if (s->size == 0) s->size = 1; /* neither key nor value have bytes */
    if (l->key_holds) add_run(l, 0, l->key, l->key_direct);
    if (l->value_holds) add_run(l, l->shape.value_at, l->value, l->value_direct);
    if (s->nruns == 0) s->flags = GORT_TYPE_NOSCAN;
    for (uint32_t i = 0; i < s->nruns; i++) {
        s->ptrdata = l->runs[i].offset + l->runs[i].size;
        for (size_t at = l->runs[i].offset; at < s->ptrdata; at += WORD_SIZE)
            s->mask |= (uint64_t)1 << at / WORD_SIZE;
    }
}
_Static_assert(2 * GORT_MAP_DIRECT_MAX <= 64 * WORD_SIZE, "a slot fits a mask");

static struct map_layout *layout_new(const struct gort_map_type *t, const struct gort_type *key,
                                     const struct gort_type *value)
{
    crit_enter();
    struct map_layout *l = persistent_alloc(sizeof *l, 8, &heap->meta);
    crit_exit();
    if (l == NULL) throw_msg("out of memory: gort_map_make");
    l->shape = gort_map_shape_of_(t->key_size, t->key_align, t->value_size, t->value_align);
    l->key = key;
    l->value = value;
    l->key_direct = t->key_size <= GORT_MAP_DIRECT_MAX;
    l->value_direct = t->value_size <= GORT_MAP_DIRECT_MAX;
    l->key_holds = !l->key_direct || map_may_hold(key);
    l->value_holds = !l->value_direct || map_may_hold(value);
    describe_slot(l);
    l->only_key_holds = l->key_holds && !l->value_holds;
    return l;
}

static const struct map_layout *layout_of(struct gort_map_type *t, const struct gort_type *key,
                                          const struct gort_type *value)
{
    void *l = atomic_load_acquire(&t->layout); /* pairs with the release below */
    if (likely(l != NULL)) return l;
    struct map_layout *made = layout_new(t, key, value);
    if (atomic_cas_acqrel(&t->layout, &l, (void *)made)) return made;
    return l;
}

/* ---- making ---------------------------------------------------------------------------------- */

typedef struct gort_map map_header;
GORT_TYPE(map_header, tables, first);

/* Groups for so many entries, a power of two; 0: too many. */
static size_t groups_for(const struct map_layout *l, size_t hint)
{
    if (hint > LARGE_MAX) return 0;
    size_t wanted = div_up(hint, MAP_SLOTS - 1), bytes;
    if (wanted > (size_t)MAP_TABLE_GROUPS << MAP_DEPTH_MAX) return 0;
    size_t groups = (size_t)1 << bits_len64(wanted - 1);
    if (mul_overflows(groups * MAP_SLOTS, l->shape.slot_size + 1, &bytes) || bytes > LARGE_MAX)
        return 0;
    return groups;
}

/* The table at each place of a new directory; there is nobody who reads it. */
static void fill_directory(struct gort_map *m, size_t groups, uint32_t depth)
{
    for (size_t i = 0; i < (size_t)1 << depth; i++) {
        struct gort_map_table *t = &m->tables[i];
        gort_store_pointer((void **)(void *)&t->control, map_groups_new(map_layout(m), groups));
        t->mask = (uint32_t)(groups - 1);
        t->depth = depth;
        t->left = map_room(groups);
        t->first = UINT32_MAX;
    }
}

static void make_room(struct gort_map *m, size_t hint)
{
    size_t groups = hint != 0 ? groups_for(map_layout(m), hint) : 0;
    if (groups == 0) return;
    if (groups <= MAP_TABLE_GROUPS) {
        fill_directory(m, groups, 0);
        return;
    }
    uint32_t depth = bits_ctz64(groups / MAP_TABLE_GROUPS);
    void *directory = gort_new_array_raw(&map_table_type, (size_t)1 << depth);
    gort_store_pointer((void **)(void *)&m->tables, directory);
    m->shift = 32 - depth;
    fill_directory(m, MAP_TABLE_GROUPS, depth);
}

static void set_one_table(struct gort_map *m)
{
    struct gort_map_table none = map_table_none();
    gort_store_pointer((void **)(void *)&m->first.control, none.control);
    m->first.mask = none.mask;
    m->first.depth = none.depth;
    m->first.left = none.left;
    m->first.first = none.first;
    gort_store_pointer((void **)(void *)&m->tables, &m->first);
    m->shift = 32;
}

void *gort_map_make_raw(struct gort_map_type *type, const struct gort_type *key,
                        const struct gort_type *value, size_t hint, gort_map_hash_fn hash,
                        gort_map_equal_fn equal)
{
    (void)lang_enter("gort_map_make");
    struct gort_map *m = gort_new_raw(gort_type_map_header);
    m->layout = layout_of(type, key, value);
    m->slot_size = (uint32_t)map_layout(m)->shape.slot_size;
    m->value_at = (uint16_t)map_layout(m)->shape.value_at;
    m->only_key_holds = map_layout(m)->only_key_holds;
    m->state = (uint32_t)type->kind;
    m->seed = map_seed();
    m->change = 1; /* iterations know 0 as none */
    m->hash = hash;
    m->equal = equal;
    set_one_table(m);
    make_room(m, hint);
    return m;
}

/* ---- clearing -------------------------------------------------------------------------------- */

#define CLEAR_TABLES 16 /* of so many the memory is kept */

static void clear_table(struct gort_map *m, struct gort_map_table *t)
{
    const struct map_layout *l = map_layout(m);
    size_t n = (size_t)t->mask + 1;
    if (t->control == map_table_none().control) return;
    if (!(l->slot.flags & GORT_TYPE_NOSCAN))
        gort_clear_raw(&l->slot, map_slot(l, t->control, n * MAP_SLOTS - 1), n * MAP_SLOTS);
    map_set_empty(t->control, n);
    t->left = map_room(n);
}

static void clear_tables(struct gort_map *m)
{
    size_t n = (size_t)1 << map_depth(m);
    for (size_t i = 0; i < n; i += (size_t)1 << (map_depth(m) - m->tables[i].depth))
        clear_table(m, &m->tables[i]);
}

void gort_map_clear_raw(void *map)
{
    struct gort_map *m = map;
    if (m == NULL) return;
    map_write_begin(m);
    if ((size_t)1 << map_depth(m) <= CLEAR_TABLES)
        clear_tables(m);
    else
        set_one_table(m);
    m->count = 0;
    m->clears++;
    m->change++;
    map_write_end(m);
}
