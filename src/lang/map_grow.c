/* Maps: tables that grow.  Note [Growth] and Note [Moving entries] in map.h.
 *
 * Answers to: rehash, grow and split in internal/runtime/maps/table.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/map.h"

static const struct gort_pointer_run table_runs[] = {
    { offsetof(struct gort_map_table, control), sizeof(void *) },
};
const struct gort_type map_table_type = {
    .name = "table of a map",
    .size = sizeof(struct gort_map_table),
    .ptrdata = sizeof(void *),
    .mask = 1,
    .runs = table_runs,
    .nruns = 1,
    .align = _Alignof(struct gort_map_table),
};
_Static_assert(offsetof(struct gort_map_table, control) == 0, "the mask says the first word");

/* What a map has before its first entry: nobody writes there. */
static const uint64_t no_group = MAP_NO_CONTROL;

struct gort_map_table map_table_none(void)
{
    return (struct gort_map_table){ .control = (unsigned char *)(uintptr_t)&no_group,
                                    .first = UINT32_MAX };
}

/* Slots, then control words.  The slots' type, repeated, describes the whole: what it says of the
 * control words is wrong.  But a word with one of its two topmost marks is no address, nor is one
 * with an entry in one of its two topmost slots.  What remains is a group from which keys were
 * passed on by both of these marks, and which then lost both entries: its other bytes may be an
 * address by chance, and what is marked for it is kept until the table is rebuilt.  Marking takes
 * any word (gc/scan.c). */
unsigned char *map_groups_new(const struct map_layout *l, size_t n)
{
    size_t slots = n * MAP_SLOTS * l->shape.slot_size, size = slots + n * MAP_SLOTS;
    unsigned char *start;
    if (l->slot.flags & GORT_TYPE_NOSCAN && l->shape.align <= 16)
        start = gort_alloc_uninit(size);
    else
        start = gort_new_array_raw(&l->slot, div_up(size, l->slot.size));
    map_set_empty(start + slots, n);
    return start + slots;
}

/* ---- moving entries -------------------------------------------------------------------------- */

/* A table that is being built. */
struct building {
    unsigned char *control;
    size_t mask;
    uint32_t used;
};

static struct building building_new(const struct gort_map *m, size_t groups)
{
    return (struct building){ map_groups_new(map_layout(m), groups), groups - 1, 0 };
}

static force_inline void copy_slot(void *dst, const void *src, size_t size)
{
    if (likely(size == 16))
        memcpy(dst, src, 16);
    else
        memcpy(dst, src, size);
}

/* A key that is not there yet. */
static force_inline void building_add(struct building *b, const struct map_layout *l, uint64_t hash,
                                      const unsigned char *slot)
{
    size_t group = hash >> 7 & b->mask, step = 0;
    uint64_t empty;
    for (;;) {
        empty = gort_map_empty_(gort_map_control_(b->control + MAP_SLOTS * group));
        if (likely(empty != 0)) break;
        map_pass_on(b->control, group, hash);
        group = (group + ++step) & b->mask;
    }
    size_t i = map_index(group, empty);
    map_set_tag(b->control, i, gort_map_tag_(hash));
    copy_slot(map_slot(l, b->control, i), slot, l->shape.slot_size);
    b->used++;
}

/* Note [Keys fetched early].  To move an entry takes its key's hash.  Where the key is not in the
 * slot that is a line of memory anywhere, and which half an entry goes to, a jump that can not be
 * foreseen, waits for it: one such line after the other.  So those of a group are asked for while
 * the group two before it is moved.  Of the 500 ns that each of a million strings took to be added,
 * that saves 200. */
#define FETCH_AHEAD 2

static force_inline void fetch_keys(const struct map_layout *l, struct gort_map_table from,
                                    size_t group)
{
    if (group > from.mask) return;
    size_t i = group * MAP_SLOTS;
    uint64_t full = gort_map_full_(gort_map_control_(from.control + i));
    for (; full != 0; full &= full - 1) {
        const unsigned char *slot = map_slot(l, from.control, i + bits_ctz64(full) / 8);
        __builtin_prefetch(*(const void *const *)(const void *)slot);
    }
}

/* Moves all to b[0], or by the hash's bit to b[0] and b[1].  bit 64: there is b[0] only. */
static force_inline void move_all(const struct gort_map *m, int kind, struct gort_map_table from,
                                  struct building b[2], unsigned bit)
{
    const struct map_layout *l = map_layout(m);
    bool far = kind == GORT_MAP_STRING || kind == GORT_MAP_CSTRING ||
               (!map_kind_is_direct(kind) && !l->key_direct);
    for (size_t i = 0; i <= from.mask * MAP_SLOTS; i += MAP_SLOTS) {
        if (far) fetch_keys(l, from, i / MAP_SLOTS + FETCH_AHEAD);
        uint64_t full = gort_map_full_(gort_map_control_(from.control + i));
        for (; full != 0; full &= full - 1) {
            const unsigned char *slot = map_slot(l, from.control, i + bits_ctz64(full) / 8);
            uint64_t hash = map_hash(m, kind, map_key_of(kind, map_slot_key(l, slot)));
            building_add(bit < 64 && (hash >> bit & 1) ? &b[1] : &b[0], l, hash, slot);
        }
    }
}

static never_inline void move(const struct gort_map *m, struct gort_map_table from,
                              struct building b[2], unsigned bit)
{
    int kind = map_kind(m);
    if (kind == GORT_MAP_INT8)
        move_all(m, GORT_MAP_INT8, from, b, bit);
    else if (kind == GORT_MAP_STRING)
        move_all(m, GORT_MAP_STRING, from, b, bit);
    else
        move_all(m, kind, from, b, bit);
}

/* ---- the directory --------------------------------------------------------------------------- */

/* n places from `first` on lead to what was built. */
static void set_places(struct gort_map *m, size_t first, size_t n, const struct building *b,
                       uint32_t depth)
{
    for (size_t i = first; i < first + n; i++) {
        struct gort_map_table *t = &m->tables[i];
        gort_store_pointer((void **)(void *)&t->control, b->control);
        t->mask = (uint32_t)b->mask;
        t->depth = depth;
        t->left = map_room(b->mask + 1) - b->used; /* nothing was deleted: invariant (1) */
        t->first = ~(uint32_t)(n - 1);
    }
}

static void double_directory(struct gort_map *m)
{
    size_t n = (size_t)1 << map_depth(m);
    struct gort_map_table *wide = gort_new_array_raw(&map_table_type, 2 * n);
    for (size_t i = 0; i < n; i++)
        wide[2 * i] = wide[2 * i + 1] = m->tables[i]; /* new memory: Note [Moving entries] */
    for (size_t i = 0; i < 2 * n; i++)
        wide[i].first <<= 1;
    gort_store_pointer((void **)(void *)&m->tables, wide);
    gort_store_pointer((void **)(void *)&m->first.control, NULL); /* would keep what it named */
    m->shift--;
}

static size_t places_of(const struct gort_map *m, const struct gort_map_table *t)
{
    return (size_t)1 << (map_depth(m) - t->depth);
}

/* ---- growing --------------------------------------------------------------------------------- */

static void place_halves(struct gort_map *m, size_t first, const struct gort_map_table *old,
                         const struct building b[2])
{
    if (old->depth == map_depth(m)) {
        double_directory(m);
        first *= 2;
    }
    size_t half = places_of(m, old) / 2;
    set_places(m, first, half, &b[0], old->depth + 1);
    set_places(m, first + half, half, &b[1], old->depth + 1);
}

/* Not when its keys' hashes seem to have all bits in common: Note [Growth]. */
static bool may_split(const struct gort_map *m, const struct gort_map_table *t)
{
    return t->depth < MAP_DEPTH_MAX && t->depth < bits_len64(m->count / (MAP_TABLE_SLOTS / 2)) + 3;
}

/* They are not counted when one is added or removed: that would be one more store each. */
static size_t entries_of(const struct gort_map_table *t)
{
    size_t n = 0;
    for (size_t group = 0; group <= t->mask; group++)
        n += bits_popcount64(gort_map_full_(gort_map_control_(t->control + MAP_SLOTS * group)));
    return n;
}

/* How many groups the table is rebuilt with; 0: it is split. */
static size_t groups_after(const struct gort_map *m, const struct gort_map_table *t)
{
    size_t groups = (size_t)t->mask + 1, slots = groups * MAP_SLOTS;
    if (t->control == (const unsigned char *)&no_group) return 1;
    if (entries_of(t) <= slots / 32 * 25) return groups; /* the rest were deleted */
    if (groups < MAP_TABLE_GROUPS || !may_split(m, t)) return 2 * groups;
    return 0;
}

void map_grow(struct gort_map *m, size_t first)
{
    bool apart = map_kind_may_panic(map_kind(m)); /* Note [Keys that panic] */
    struct map_version looked = { 0, 0 };
    if (apart) looked = map_version_now(m);
    struct gort_map_table old = m->tables[first];
    size_t groups = groups_after(m, &old);
    struct building b[2] = { building_new(m, groups != 0 ? groups : old.mask + 1) };
    if (groups == 0) b[1] = building_new(m, old.mask + 1);
    move(m, old, b, groups != 0 ? 64 : 63 - old.depth);
    if (apart) map_write_begin_after(m, looked);
    if (groups != 0)
        set_places(m, first, places_of(m, &old), b, old.depth);
    else
        place_halves(m, first, &old, b);
    m->change++;
    if (apart) map_write_end(m);
}
