/* Maps: looking for a key, adding and removing one.  How a map is made is said in map.h.
 *
 * Each operation is compiled once for each kind of key, so that hashing and comparing are inlined;
 * what is the same for all stands in functions of its own.
 *
 * Answers to: runtime/map_fast64.go and its likes, internal/runtime/maps/table.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/map.h"

#include "gort/panic.h"

/* The expression for the map's kind, a constant in each branch. */
#define MAP_BY_KIND(m, expression)                                                                 \
    switch (map_kind(m)) {                                                                         \
        MAP_KIND_CASE(GORT_MAP_INT1, expression)                                                   \
        MAP_KIND_CASE(GORT_MAP_INT2, expression)                                                   \
        MAP_KIND_CASE(GORT_MAP_INT4, expression)                                                   \
        MAP_KIND_CASE(GORT_MAP_INT8, expression)                                                   \
        MAP_KIND_CASE(GORT_MAP_F32, expression)                                                    \
        MAP_KIND_CASE(GORT_MAP_F64, expression)                                                    \
        MAP_KIND_CASE(GORT_MAP_CSTRING, expression)                                                \
        MAP_KIND_CASE(GORT_MAP_STRING, expression)                                                 \
        MAP_KIND_CASE(GORT_MAP_BYTES, expression)                                                  \
    default: {                                                                                     \
        enum { kind = GORT_MAP_OWN };                                                              \
        return expression;                                                                         \
    }                                                                                              \
    }
#define MAP_KIND_CASE(k, expression)                                                               \
    case k: {                                                                                      \
        enum { kind = k };                                                                         \
        return expression;                                                                         \
    }

/* Here x is a value in a register, not an expression to be worked out where it is used. */
#define keep_in_register(x) __asm__("" : "+r"(x))

/* ---- looking for ----------------------------------------------------------------------------- */

#define NO_SLOT SIZE_MAX

/* Note [Slots fetched early].  Of a map that no cache near the core holds, a search waits for the
 * control word, then for the slot, then for what a string's slot points to; and a processor looks
 * ahead no further than to the search after the next.  So the lines of the group's slots are asked
 * for before the control word is there, which makes two waits of three.  With 100,000 strings a
 * search takes half of the time, with ten millions three quarters; one for a key that is not there
 * takes as long with the former, and a seventh more with the latter.  Integers are looked for
 * inline, with this in larger maps only: GORT_MAP_FETCH_SHIFT_.
 * Rejected: to add an entry in one half of its group or the other, by a bit of its hash, and fetch
 * that half only.  Neither hits nor misses were faster, with one million or ten; it may be that the
 * address of the page is waited for, which the lines of a group have in common.
 * From so many tables on: */
#define FETCH_DEPTH 5

/* The slots of a group lie before this. */
static force_inline unsigned char *slots_end(const struct gort_map *m, unsigned char *table,
                                             size_t group)
{
    return table - group * MAP_SLOTS * m->slot_size;
}

/* As many lines as the smallest slots of the kind fill. */
static force_inline void fetch_slots(const struct gort_map *m, int kind, const unsigned char *end)
{
    if (m->shift > 32 - FETCH_DEPTH) return;
    __builtin_prefetch(end - CACHE_LINE);
    __builtin_prefetch(end - 2 * CACHE_LINE);
    if (kind == GORT_MAP_STRING || kind == MAP_MIDDLE_STRING)
        __builtin_prefetch(end - 3 * CACHE_LINE);
}

/* Where a key may be added: in the first group on its way that has a slot for it. */
static force_inline void note_gap(size_t *gap, size_t group, uint64_t control)
{
    uint64_t empty = gort_map_empty_(control);
    if (*gap == NO_SLOT && empty != 0) *gap = map_index(group, empty);
}

/* An entry that was looked for; slot is NULL where there is none. */
struct found {
    unsigned char *slot, *tag;
    uint64_t control; /* of its group */
};

static force_inline struct found find_in_group(const struct gort_map *m, int kind, struct map_key k,
                                               const unsigned char *table, size_t group,
                                               uint64_t control, uint64_t tag)
{
    for (uint64_t match = gort_map_match_(control, tag); match != 0; match &= match - 1) {
        size_t i = map_index(group, match);
        unsigned char *slot = (unsigned char *)(uintptr_t)table - (i + 1) * m->slot_size;
        const void *key = map_kind_is_direct(kind) ? slot : map_slot_key(map_layout(m), slot);
        if (likely(map_same(m, kind, k, key)))
            return (struct found){ slot, (unsigned char *)(uintptr_t)(table + i), control };
    }
    return (struct found){ NULL, NULL, control };
}

/* The key's entry in its table t; where there is none: *gap, which may be NULL, and which is
 * NO_SLOT where all groups that the search met are full. */
static force_inline struct found find(const struct gort_map *m, int kind, struct map_key k,
                                      uint64_t hash, const struct gort_map_table *t, size_t *gap)
{
    size_t mask = t->mask, group = hash >> 7 & mask;
    unsigned char *table = t->control;
    uint64_t tag = gort_map_tag_(hash);
    if (kind > GORT_MAP_INT8 || gap == NULL) fetch_slots(m, kind, slots_end(m, table, group));
    if (gap != NULL) *gap = NO_SLOT;
    for (size_t step = 1;; group = (group + step++) & mask) {
        uint64_t control = gort_map_control_(table + MAP_SLOTS * group);
        struct found f = find_in_group(m, kind, k, table, group, control, tag);
        if (f.slot != NULL) return f;
        if (gap != NULL) note_gap(gap, group, control);
        if (likely(gort_map_ends_(control, hash))) return f;
    }
}

/* Note [First match].  Most keys that are there are the first with their tag in the first group of
 * their search.  A search of strings that ends there has a path of its own, which keeps nothing in
 * registers for going on; any other begins again, in a call.  That is a fifth fewer instructions,
 * and so more of the searches that wait for memory are under way at once. */
enum first { FIRST_FOUND, FIRST_NONE, FIRST_GO_ON };

/* Most keys that are not found inline are such.  Nobody changes the map, and nobody but the program
 * looks for races. */
static force_inline bool is_middle_string(const struct gort_map *m, const gort_map_bytes *key)
{
    return m != NULL && likely(atomic_load_relaxed(&m->state) == GORT_MAP_STRING && !race_on &&
                               hash_is_middle(key->size));
}

static force_inline struct map_key middle_string(const gort_map_bytes *key)
{
    return (struct map_key){ key->size, key->start };
}

/* FIRST_FOUND: *f has the entry.  The key is loaded again, for there are too few registers to keep
 * what was loaded for the hash. */
static force_inline enum first find_first(const struct gort_map *m,
                                          const volatile gort_map_bytes *key, uint64_t hash,
                                          struct found *f)
{
    const struct gort_map_table *t = &m->tables[map_place(m, hash)];
    size_t group = hash >> 7 & t->mask;
    unsigned char *control = t->control + MAP_SLOTS * group;
    unsigned char *end = slots_end(m, t->control, group);
    fetch_slots(m, MAP_MIDDLE_STRING, end);
    f->control = gort_map_control_(control);
    uint64_t match = gort_map_match_(f->control, gort_map_tag_(hash));
    if (match == 0) return gort_map_ends_(f->control, hash) ? FIRST_NONE : FIRST_GO_ON;
    size_t i = bits_ctz64(match) / 8;
    f->tag = control + i;
    keep_in_register(f->tag);
    f->slot = end - (i + 1) * m->slot_size;
    const void *there = f->slot;
    return likely(map_same_middle(key->start, key->size, there)) ? FIRST_FOUND : FIRST_GO_ON;
}

static force_inline unsigned char *lookup(const struct gort_map *m, int kind, struct map_key k)
{
    uint64_t hash = map_hash(m, kind, k);
    return find(m, kind, k, hash, &m->tables[map_place(m, hash)], NULL).slot;
}

unsigned char *map_lookup(const struct gort_map *m, const void *key)
{
    MAP_BY_KIND(m, lookup(m, kind, map_key_of(kind, key)))
}

static never_inline void *find_other(const struct gort_map *m, const void *key)
{
    if (m == NULL) return NULL;
    map_read_check(m);
    const unsigned char *slot = map_lookup(m, key);
    return slot != NULL ? map_slot_value(map_layout(m), slot) : NULL;
}

void *gort_map_find_raw(const void *map, const void *key)
{
    const struct gort_map *m = map;
    if (!is_middle_string(m, key)) return find_other(m, key);
    struct map_key k = middle_string(key);
    struct found f;
    enum first first = find_first(m, key, map_hash(m, MAP_MIDDLE_STRING, k), &f);
    if (likely(first == FIRST_FOUND)) return map_slot_value(map_layout(m), f.slot);
    return first == FIRST_NONE ? NULL : find_other(m, key);
}

/* Most often what was not found inline, in the first group, and may be in another. */
void *gort_map_find_int_raw(const void *map, uint64_t key)
{
    const struct gort_map *m = map;
    struct map_key k = { key, NULL };
    const unsigned char *slot;
    if (m != NULL && likely(atomic_load_relaxed(&m->state) == GORT_MAP_INT8 && !race_on))
        slot = lookup(m, GORT_MAP_INT8, k);
    else if (m != NULL && atomic_load_relaxed(&m->state) == GORT_MAP_INT4 && !race_on)
        slot = lookup(m, GORT_MAP_INT4, k);
    else
        return find_other(m, &key); /* the least byte is the first one */
    return slot != NULL ? map_slot_value(map_layout(m), slot) : NULL;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void put_key(const struct map_layout *l, void *slot, const void *key)
{
    if (!l->key_direct) {
        void *own = gort_new_raw(l->key);
        gort_copy_raw(l->key, own, key, 1);
        gort_store_pointer(slot, own);
    } else if (l->key_holds) {
        gort_copy_raw(l->key, slot, key, 1);
    } else {
        memcpy(slot, key, l->shape.key_size);
    }
}

/* The size is no address. */
static force_inline void put_string(const struct map_layout *l, void *slot, gort_map_bytes key)
{
    if (likely(l->key_holds))
        gort_store_pointer(slot, (void *)(uintptr_t)key.start);
    else
        ((gort_map_bytes *)slot)->start = key.start;
    ((gort_map_bytes *)slot)->size = key.size;
}

static force_inline void put_int(const struct map_layout *l, int kind, void *slot, uint64_t bits)
{
    if (kind == GORT_MAP_INT8 && unlikely(l->key_holds))
        gort_store_pointer(slot, (void *)(uintptr_t)bits);
    else
        memcpy(slot, &bits, (size_t)kind);
}

/* Where it may hold pointers it is zero already. */
static force_inline void put_no_value(const struct map_layout *l, unsigned char *slot)
{
    unsigned char *at = slot + l->shape.value_at;
    if (unlikely(!l->value_direct))
        gort_store_pointer((void **)(void *)at, gort_new_raw(l->value));
    else if (likely(l->shape.value_size == 8))
        memset(at, 0, 8);
    else if (!l->value_holds)
        memset(at, 0, l->shape.value_size);
}

/* The group of the first empty slot on the way of a key; there is one, by invariant (1): else the
 * groups with all their marks would be full, and left below zero. */
static never_inline size_t group_beyond(const struct gort_map_table *t, uint64_t hash)
{
    size_t group = hash >> 7 & t->mask;
    for (size_t step = 1;; group = (group + step++) & t->mask)
        if (gort_map_empty_(gort_map_control_(t->control + MAP_SLOTS * group)) != 0) return group;
}

/* Passes the key on from the groups before this one, which are all full. */
static never_inline void pass_on(const struct gort_map_table *t, uint64_t hash, size_t to)
{
    size_t group = hash >> 7 & t->mask;
    for (size_t step = 1; group != to; group = (group + step++) & t->mask)
        map_pass_on(t->control, group, hash);
}

/* What a new entry takes of the room: nothing in a group without all its marks. */
static force_inline uint32_t room_for(const struct gort_map_table *t, size_t gap)
{
    return map_has_all_marks(gort_map_control_(t->control + gap / MAP_SLOTS * MAP_SLOTS));
}

/* find met full groups only. */
static never_inline size_t gap_beyond(const struct gort_map_table *t, uint64_t hash)
{
    size_t group = group_beyond(t, hash);
    size_t gap =
        map_index(group, gort_map_empty_(gort_map_control_(t->control + MAP_SLOTS * group)));
    if (room_for(t, gap) <= t->left) pass_on(t, hash, group);
    return gap;
}

/* Adds the key in the gap of the table that leads; NULL: that must grow first. */
static force_inline unsigned char *fill(struct gort_map *m, int kind, struct map_key k,
                                        uint64_t hash, size_t gap)
{
    const struct map_layout *l = map_layout(m);
    struct gort_map_table *t = &m->tables[map_first_place(m, map_place(m, hash))];
    if (unlikely(gap == NO_SLOT)) gap = gap_beyond(t, hash);
    uint32_t room = room_for(t, gap);
    if (room > t->left) return NULL;
    unsigned char *slot = map_slot(l, t->control, gap);
    if (kind <= GORT_MAP_INT8)
        put_int(l, kind, slot, k.bits);
    else if (kind == GORT_MAP_STRING)
        put_string(l, slot, *(const gort_map_bytes *)k.at);
    else if (kind == MAP_MIDDLE_STRING)
        put_string(l, slot, (gort_map_bytes){ k.at, k.bits });
    else
        put_key(l, slot, k.at);
    put_no_value(l, slot);
    t->left -= room;
    m->count++;
    map_set_tag(t->control, gap, gort_map_tag_(hash));
    return slot;
}

static never_inline void grow_for(struct gort_map *m, uint64_t hash)
{
    map_grow(m, map_first_place(m, map_place(m, hash)));
}

static force_inline unsigned char *find_or_add(struct gort_map *m, int kind, struct map_key k,
                                               uint64_t hash)
{
    for (;;) {
        size_t gap;
        const struct gort_map_table *t = &m->tables[map_place(m, hash)];
        unsigned char *slot = find(m, kind, k, hash, t, &gap).slot;
        if (slot == NULL) slot = fill(m, kind, k, hash, gap);
        if (likely(slot != NULL)) return slot;
        grow_for(m, hash);
    }
}

/* Note [Keys that panic]. */
static force_inline unsigned char *find_then_add(struct gort_map *m, int kind, struct map_key k,
                                                 uint64_t hash)
{
    for (;;) {
        size_t gap;
        struct map_version looked = map_version_now(m);
        const struct gort_map_table *t = &m->tables[map_place(m, hash)];
        const unsigned char *control = t->control;
        unsigned char *slot = find(m, kind, k, hash, t, &gap).slot;
        map_write_begin_after(m, looked);
        if (slot == NULL && gap != NO_SLOT && unlikely(control[gap] & ~MAP_MARK))
            throw_msg("concurrent map writes"); /* one entry for another */
        if (slot == NULL) slot = fill(m, kind, k, hash, gap);
        map_write_end(m);
        if (likely(slot != NULL)) return slot;
        grow_for(m, hash);
    }
}

static force_inline void *ref(struct gort_map *m, int kind, struct map_key k)
{
    uint64_t hash = map_hash(m, kind, k);
    if (map_kind_may_panic(kind))
        return map_slot_value(map_layout(m), find_then_add(m, kind, k, hash));
    map_write_begin(m);
    const void *slot = find_or_add(m, kind, k, hash);
    map_write_end(m);
    return map_slot_value(map_layout(m), slot);
}

static never_inline void *ref_other(struct gort_map *m, const void *key)
{
    if (m == NULL) gort_panic("assignment to entry in nil map");
    MAP_BY_KIND(m, ref(m, kind, map_key_of(kind, key)))
}

static never_inline void *add_middle_string(struct gort_map *m, struct map_key k, uint64_t hash)
{
    map_write_begin(m);
    const void *slot = find_or_add(m, MAP_MIDDLE_STRING, k, hash);
    map_write_end(m);
    return map_slot_value(map_layout(m), slot);
}

void *gort_map_ref_raw(void *map, const void *key)
{
    struct gort_map *m = map;
    if (!is_middle_string(m, key)) return ref_other(m, key);
    struct map_key k = middle_string(key);
    uint64_t hash = map_hash(m, MAP_MIDDLE_STRING, k);
    struct found f;
    if (unlikely(find_first(m, key, hash, &f) != FIRST_FOUND)) return add_middle_string(m, k, hash);
    return map_slot_value(map_layout(m), f.slot);
}

static force_inline void *ref_int(struct gort_map *m, int kind, uint64_t bits)
{
    struct map_key k = { bits, NULL };
    return ref(m, kind, k);
}

void *gort_map_ref_int_raw(void *map, uint64_t key)
{
    struct gort_map *m = map;
    int size = m != NULL ? map_kind(m) : 0;
    if (likely(size == GORT_MAP_INT8)) return ref_int(m, GORT_MAP_INT8, key);
    if (likely(size == GORT_MAP_INT4)) return ref_int(m, GORT_MAP_INT4, key);
    return ref_other(m, &key);
}

/* ---- removing -------------------------------------------------------------------------------- */

/* Invariant (4). */
static never_inline void forget_slow(const struct map_layout *l, unsigned char *slot)
{
    gort_clear_raw(&l->slot, slot, 1);
}

static force_inline void forget(const struct map_layout *l, int kind, unsigned char *slot)
{
    if ((kind == GORT_MAP_STRING || kind == MAP_MIDDLE_STRING) && likely(l->only_key_holds)) {
        gort_store_pointer((void **)(void *)slot, NULL);
        ((gort_map_bytes *)(void *)slot)->size = 0;
    } else if (l->slot.nruns != 0) {
        forget_slow(l, slot);
    }
}

static force_inline void take_out(struct gort_map *m, int kind, size_t place, struct found f)
{
    struct gort_map_table *t = &m->tables[map_first_place(m, place)];
    forget(map_layout(m), kind, f.slot);
    *f.tag &= MAP_MARK;
    t->left += map_has_all_marks(f.control); /* invariant (1) */
    m->count--;
}

static force_inline bool delete (struct gort_map *m, int kind, struct map_key k)
{
    uint64_t hash = map_hash(m, kind, k);
    size_t place = map_place(m, hash);
    struct found f;
    if (map_kind_may_panic(kind)) { /* Note [Keys that panic] */
        struct map_version looked = map_version_now(m);
        f = find(m, kind, k, hash, &m->tables[place], NULL);
        map_write_begin_after(m, looked);
    } else {
        map_write_begin(m);
        f = find(m, kind, k, hash, &m->tables[place], NULL);
    }
    if (f.slot != NULL) take_out(m, kind, place, f);
    map_write_end(m);
    return f.slot != NULL;
}

/* The same for integers, while races are not looked for. */
static force_inline bool delete_plain(struct gort_map *m, int kind, struct map_key k)
{
    uint64_t hash = map_hash(m, kind, k);
    size_t place = map_place(m, hash);
    map_write_begin_of(m, kind);
    struct found f = find(m, kind, k, hash, &m->tables[place], NULL);
    if (f.slot != NULL) take_out(m, kind, place, f);
    map_write_end_of(m, kind);
    return f.slot != NULL;
}

static never_inline bool delete_other(struct gort_map *m, const void *key)
{
    if (m == NULL) return false;
    MAP_BY_KIND(m, delete (m, kind, map_key_of(kind, key)))
}

static force_inline const unsigned char *group_of_tag(const unsigned char *tag)
{
    return (const unsigned char *)((uintptr_t)tag & ~(uintptr_t)(MAP_SLOTS - 1));
}

/* Note [Strings deleted].  A processor looks 256 instructions ahead (Zen 3): while one deletion
 * waits for what its string's slot points to, the one after the next must have come to its control
 * word, or it waits alone.  With 170 instructions each it had not: with ten million strings a
 * deletion took 1.3 times as long as a search, at times 1.6; with 155 it takes 1.1 times as long.
 * The stores themselves cost nothing.
 * So gort_map_delete_raw has what is most often needed, where values hold no pointers: it calls
 * nothing but what begins anew, so that little is saved and restored; it loads again what would
 * need a register; the table that counts is found by one mask (struct gort_map_table).  What finds
 * the barrier's flag set has changed nothing yet.
 * Rejected: left and the number of entries in one word, the mark set after the search, the tag
 * stored with its whole control word, lines fetched to be written: no difference.  No marks of
 * Note [Changes seen] at all: a fiftieth.  To compare strings by a branch for each word: as many
 * instructions, and slower than one branch for all. */

/* A key of MAP_MIDDLE_STRING, whatever values are. */
static never_inline bool delete_middle_string(struct gort_map *m, const void *key)
{
    struct map_key k = middle_string(key);
    struct found f;
    map_write_begin_seen(m, GORT_MAP_STRING);
    uint64_t hash = map_hash(m, MAP_MIDDLE_STRING, k);
    enum first first = find_first(m, key, hash, &f);
    if (likely(first == FIRST_FOUND)) take_out(m, MAP_MIDDLE_STRING, map_place(m, hash), f);
    map_write_end_of(m, GORT_MAP_STRING);
    return first == FIRST_FOUND || (first == FIRST_GO_ON && delete_other(m, key));
}

/* After map_write_begin_seen; nothing else was changed. */
static cold_path bool delete_other_instead(struct gort_map *m, const void *key)
{
    map_write_end_of(m, GORT_MAP_STRING);
    return delete_other(m, key);
}

bool gort_map_delete_raw(void *map, const void *key)
{
    struct gort_map *m = map;
    if (!is_middle_string(m, key)) return delete_other(m, key);
    if (unlikely(!m->only_key_holds)) return delete_middle_string(m, key);
    map_write_begin_seen(m, GORT_MAP_STRING);
    uint64_t hash = map_hash(m, MAP_MIDDLE_STRING, middle_string(key));
    struct gort_map_table *counted = &m->tables[map_first_place(m, map_place(m, hash))];
    keep_in_register(counted);
    struct found f;
    enum first first = find_first(m, key, hash, &f);
    if (first == FIRST_NONE) {
        map_write_end_of(m, GORT_MAP_STRING);
        return false;
    }
    gort_map_bytes *slot = (void *)f.slot;
    if (unlikely(first == FIRST_GO_ON ||
                 !gort_store_pointer_plain_((void **)(uintptr_t)&slot->start, NULL)))
        return delete_other_instead(m, key);
    slot->size = 0;
    uint64_t control = gort_map_control_(group_of_tag(f.tag));
    *f.tag &= MAP_MARK;
    counted->left += map_has_all_marks(control); /* invariant (1) */
    m->count--;
    map_write_end_of(m, GORT_MAP_STRING);
    return true;
}

static force_inline bool delete_int(struct gort_map *m, int kind, uint64_t bits)
{
    struct map_key k = { bits, NULL };
    return race_on ? delete (m, kind, k) : delete_plain(m, kind, k);
}

bool gort_map_delete_int_raw(void *map, uint64_t key)
{
    struct gort_map *m = map;
    int size = m != NULL ? map_kind(m) : 0;
    if (likely(size == GORT_MAP_INT8)) return delete_int(m, GORT_MAP_INT8, key);
    if (likely(size == GORT_MAP_INT4)) return delete_int(m, GORT_MAP_INT4, key);
    return delete_other(m, &key);
}
