/* What the macros and templates of map.h share with the runtime: a map's layout, and finding a key
 * of up to eight bytes.
 *
 * Everything here is layout, fixed for one version of the library; nothing is called by hand.  What
 * the structures mean and how they change is said in the runtime's lang/map.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_MAP_INLINE_H
#define GORT_MAP_INLINE_H

#include <string.h>

#include <gort/base.h>
#include <gort/mem.h>
#include <gort/type.h>

GORT_BEGIN_DECLS

/* How keys are hashed and compared. */
enum gort_map_kind {
    GORT_MAP_INT1 = 1, /* integers and pointers, by their bytes; the number is the size */
    GORT_MAP_INT2 = 2,
    GORT_MAP_INT4 = 4,
    GORT_MAP_INT8 = 8,
    GORT_MAP_F32 = 9,
    GORT_MAP_F64 = 10,
    GORT_MAP_CSTRING = 11,
    GORT_MAP_STRING = 12, /* gort_string, gort_map_bytes */
    GORT_MAP_BYTES = 13,
    GORT_MAP_OWN = 14
};

typedef uint64_t (*gort_map_hash_fn)(const void *key, uint64_t seed);
typedef bool (*gort_map_equal_fn)(const void *a, const void *b);

/* Of all maps that one place of the program makes.  The layout is the runtime's, made at first
 * use. */
struct gort_map_type {
    void *layout; /* atomic */
    uint64_t reserved;
    size_t key_size, value_size, key_align, value_align;
    int kind;
    int reserved_too;
};

/* One table.  Of a table to which several places of the directory lead, left is kept at the first of
 * them. */
struct gort_map_table {
    unsigned char *control; /* slots lie before it */
    uint32_t mask;          /* groups - 1 */
    uint32_t depth;         /* how many bits of the hash all of its keys have in common */
    uint32_t left;          /* room: entries that groups with all their marks may still take;
                             * invariant (1) in lang/map.h */
    uint32_t first;         /* the bits of the place that are those of the first one */
};

struct gort_map {
    struct gort_map_table *tables; /* the directory: 2^(32 - shift) places */
    uint64_t seed;
    size_t count;
    uint32_t state;     /* enum gort_map_kind; GORT_MAP_WRITING while somebody changes the map */
    uint32_t shift;     /* from the upper half of a hash to its place in the directory */
    uint64_t change;    /* counts tables replaced */
    uint32_t slot_size; /* of the layout; so are the next two */
    uint16_t value_at;
    bool only_key_holds;
    const void *layout;
    gort_map_hash_fn hash; /* of GORT_MAP_OWN */
    gort_map_equal_fn equal;
    uint64_t clears;             /* how often all was removed */
    struct gort_map_table first; /* the directory while there is one table */
};
#define GORT_MAP_WRITING 0x100u

typedef struct gort_map_iter {
    const void *key, *value;      /* of the entry found */
    const unsigned char *group;   /* that `match` is of; NULL: not begun, or ended */
    const unsigned char *slots;   /* its first slot */
    const unsigned char *control; /* of the table being walked */
    uint64_t match;          /* a high bit per byte: its slots that are still to be looked at */
    uint64_t change, clears; /* of the map, when the table was entered or last seen in place */
    uint64_t at, start;      /* the least hash that belongs to the table; that of the first one */
    const void *map;
    uint32_t mask, depth;      /* of the table */
    uint32_t run, part;        /* groups behind this one that come next; enum of lang/map_iter.c */
    uint32_t rotation, random; /* the slot begun with; where in each table to begin */
    uint32_t state;            /* begun, ended */
    uint32_t stale;            /* the table is not the map's any more */
} gort_map_iter;

/* Of a slot: offset of the value, size, alignment. */
typedef struct gort_map_shape_ {
    size_t value_at, slot_size, align, key_size, value_size;
} gort_map_shape_;
#define GORT_MAP_SLOTS 8
/* Larger keys and values are objects of their own, to which the slot points. */
#define GORT_MAP_DIRECT_MAX 128
#define GORT_MAP_UP_(n, align) (((n) + (align)-1) / (align) * (align))

__attribute__((__always_inline__)) static inline gort_map_shape_ gort_map_shape_of_(
    size_t key_size, size_t key_align, size_t value_size, size_t value_align)
{
    gort_map_shape_ s;
    bool k = key_size <= GORT_MAP_DIRECT_MAX, v = value_size <= GORT_MAP_DIRECT_MAX;
    size_t ka = k ? key_align : sizeof(void *), va = v ? value_align : sizeof(void *);
    size_t align = ka > va ? ka : va;
    s.value_at = GORT_MAP_UP_(k ? key_size : sizeof(void *), va);
    s.slot_size = GORT_MAP_UP_(s.value_at + (v ? value_size : sizeof(void *)), align);
    s.align = align;
    s.key_size = key_size;
    s.value_size = value_size;
    return s;
}
#define GORT_MAP_SHAPE_OF_(key_size, key_align, value_size, value_align)                           \
    gort_map_shape_of_(key_size, key_align, value_size, value_align)

/* ---- control words: Note [Control words] in the runtime's lang/map.h ------------------------- */

#define GORT_MAP_LOW_ UINT64_C(0x0101010101010101)
#define GORT_MAP_HIGH_ UINT64_C(0x8080808080808080)

static inline uint64_t gort_map_control_(const unsigned char *group)
{
    uint64_t control;
    memcpy(&control, group, sizeof control);
    return control;
}
/* From 1 to 127. */
static inline uint64_t gort_map_tag_(uint64_t hash)
{
    uint64_t tag = hash & 0x7f;
    return tag + (tag == 0);
}
/* High bits of the bytes that have this tag.  No byte borrows from the next one. */
static inline uint64_t gort_map_match_(uint64_t control, uint64_t tag)
{
    return (GORT_MAP_HIGH_ - ((control & ~GORT_MAP_HIGH_) ^ (GORT_MAP_LOW_ * tag))) &
           GORT_MAP_HIGH_;
}
static inline uint64_t gort_map_empty_(uint64_t control)
{
    return gort_map_match_(control, 0);
}
static inline uint64_t gort_map_full_(uint64_t control)
{
    return ((control & ~GORT_MAP_HIGH_) + ~GORT_MAP_HIGH_) & GORT_MAP_HIGH_;
}
/* Of the keys that are passed on from a group, one with this hash shares the mark with one in
 * eight. */
static inline unsigned gort_map_mark_(uint64_t hash)
{
    return (unsigned)(8 * hash + 7) & 63;
}
static inline bool gort_map_ends_(uint64_t control, uint64_t hash)
{
    return control >> gort_map_mark_(hash) & 1;
}

/* ---- hashes ---------------------------------------------------------------------------------- */

__extension__ typedef unsigned __int128 gort_uint128_;

static inline uint64_t gort_map_mix_(uint64_t a, uint64_t b)
{
    gort_uint128_ product = (gort_uint128_)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
static inline uint64_t gort_map_hash_int_(uint64_t x, uint64_t seed)
{
    return gort_map_mix_(x ^ seed, UINT64_C(0x9e3779b97f4a7c15));
}

/* ---- calls ----------------------------------------------------------------------------------- */

GORT_API void *gort_map_make_raw(struct gort_map_type *type, const struct gort_type *key,
                                 const struct gort_type *value, size_t hint, gort_map_hash_fn hash,
                                 gort_map_equal_fn equal) GORT_NONNULL(1, 2, 3) GORT_ALLOCATES;
/* key: the key's bits, zero-extended; the map's kind may be another. */
GORT_API void *gort_map_find_int_raw(const void *map, uint64_t key);
GORT_API void *gort_map_ref_int_raw(void *map, uint64_t key);
GORT_API bool gort_map_delete_int_raw(void *map, uint64_t key);
GORT_API void *gort_map_find_raw(const void *map, const void *key);
GORT_API void *gort_map_ref_raw(void *map, const void *key);
GORT_API bool gort_map_delete_raw(void *map, const void *key);
GORT_API void gort_map_clear_raw(void *map);
GORT_API bool gort_map_next_raw(const void *map, gort_map_iter *it) GORT_NONNULL(2);

static inline size_t gort_map_len_(const void *map)
{
    return map != NULL ? ((const struct gort_map *)map)->count : 0;
}

/* kind: a constant.  A map of GORT_MAP_OWN has keys of any type. */
#define GORT_MAP_INLINE_ __attribute__((__always_inline__)) static inline

GORT_MAP_INLINE_ void *gort_map_found_(const unsigned char *slot, gort_map_shape_ s)
{
    void *at = (void *)(uintptr_t)(slot + s.value_at);
    if (s.value_size > GORT_MAP_DIRECT_MAX) memcpy(&at, at, sizeof at);
    return at;
}

/* key_size bytes of a key in a slot, zero-extended. */
GORT_MAP_INLINE_ uint64_t gort_map_bits_(const void *key, size_t key_size)
{
    uint64_t bits = 0;
    memcpy(&bits, key, key_size);
    return bits;
}

/* The slot of the lowest bit of a match. */
GORT_MAP_INLINE_ const unsigned char *gort_map_slot_(const unsigned char *table, size_t group,
                                                     uint64_t match, size_t slot_size)
{
    size_t bits = (unsigned)__builtin_ctzll(match) + 1u; /* eight for each slot of the group */
    const unsigned char *at = table - GORT_MAP_SLOTS * slot_size * group;
    return at - (slot_size % 8 == 0 ? bits * (slot_size / 8) : bits / 8 * slot_size);
}

/* Maps with a shift of this or less have a directory of 256 places or more, from 210,000 to 230,000
 * entries on: too many for the caches near the core.  There the slots' lines are fetched while the
 * control word is on its way.  In smaller ones it costs misses more than it gains hits. */
#define GORT_MAP_FETCH_SHIFT_ 24

/* In the group where the search begins, which is where it ends in most cases; *ends: it does. */
GORT_MAP_INLINE_ void *gort_map_find_int_(const struct gort_map *m, uint64_t key, gort_map_shape_ s,
                                          bool *ends)
{
    uint64_t hash = gort_map_hash_int_(key, m->seed);
    const struct gort_map_table *t = &m->tables[hash >> 32 >> m->shift];
    size_t group = (uint32_t)(hash >> 7) & t->mask;
    if (m->shift <= GORT_MAP_FETCH_SHIFT_) {
        const unsigned char *end = t->control - GORT_MAP_SLOTS * s.slot_size * group;
        __builtin_prefetch(end - 64);
        __builtin_prefetch(end - 128);
    }
    uint64_t control = gort_map_control_(t->control + GORT_MAP_SLOTS * group);
    uint64_t match = gort_map_match_(control, gort_map_tag_(hash));
    for (; match != 0; match &= match - 1) {
        const unsigned char *slot = gort_map_slot_(t->control, group, match, s.slot_size);
        if (__builtin_expect(gort_map_bits_(slot, s.key_size) == key, 1))
            return gort_map_found_(slot, s);
    }
    *ends = gort_map_ends_(control, hash);
    return NULL;
}

GORT_MAP_INLINE_ void *gort_map_find_(const void *map, int kind, const void *key, gort_map_shape_ s)
{
    if (kind > GORT_MAP_INT8) return gort_map_find_raw(map, key);
    uint64_t bits = gort_map_bits_(key, s.key_size);
#if defined(__OPTIMIZE__) && !defined(GORT_NO_INLINE)
    const struct gort_map *m = (const struct gort_map *)map;
    if (__builtin_expect(m != NULL && m->state == (uint32_t)kind, 1)) {
        bool ends = false;
        void *at = gort_map_find_int_(m, bits, s, &ends);
        if (at != NULL) return at;
        if (__builtin_expect(ends, 1)) return NULL;
    }
#endif
    return gort_map_find_int_raw(map, bits);
}

GORT_MAP_INLINE_ void *gort_map_ref_(void *map, int kind, const void *key, gort_map_shape_ s)
{
    if (kind > GORT_MAP_INT8) return gort_map_ref_raw(map, key);
    uint64_t bits = gort_map_bits_(key, s.key_size);
#if defined(__OPTIMIZE__) && !defined(GORT_NO_INLINE)
    const struct gort_map *m = (const struct gort_map *)map;
    if (__builtin_expect(m != NULL && m->state == (uint32_t)kind, 1)) {
        bool ends = false;
        void *at = gort_map_find_int_(m, bits, s, &ends);
        if (at != NULL) return at;
    }
#endif
    return gort_map_ref_int_raw(map, bits);
}

GORT_MAP_INLINE_ bool gort_map_delete_(void *map, int kind, const void *key, gort_map_shape_ s)
{
    if (kind > GORT_MAP_INT8) return gort_map_delete_raw(map, key);
    return gort_map_delete_int_raw(map, gort_map_bits_(key, s.key_size));
}

/* Asks for the slots of the group that the iteration comes to after so many more.  Slots are walked
 * downwards, in tables that lie anywhere, and a processor's own guesses come late in each.  Past
 * the table's end it does no harm. */
#define GORT_MAP_FETCH_GROUPS_ 8
GORT_MAP_INLINE_ void gort_map_fetch_ahead_(const unsigned char *slots, size_t slot_size)
{
    const unsigned char *end =
        slots + slot_size - GORT_MAP_FETCH_GROUPS_ * GORT_MAP_SLOTS * slot_size;
    __builtin_prefetch(end - 64);
    __builtin_prefetch(end - 128);
    if (slot_size > 16) __builtin_prefetch(end - 192);
}

/* Goes on to the next group of the run that has entries, which are the result; 0: there is none. */
GORT_MAP_INLINE_ uint64_t gort_map_next_group_(gort_map_iter *it, size_t slot_size)
{
    const unsigned char *group = it->group, *slots = it->slots;
    uint32_t run = it->run;
    uint64_t match = 0;
    for (; match == 0 && run != 0; run--) {
        group += GORT_MAP_SLOTS;
        slots -= GORT_MAP_SLOTS * slot_size;
        gort_map_fetch_ahead_(slots, slot_size);
        match = gort_map_full_(gort_map_control_(group));
    }
    it->group = group;
    it->slots = slots;
    it->run = run;
    return match;
}

/* The groups of the run that the iteration stands in; the rest is the call's.  *key and *value,
 * local variables, are where the entry found has them.  nowhere: the shape is not known, nor is
 * *key wanted. */
GORT_MAP_INLINE_ bool gort_map_next_(const void *map, gort_map_iter *it, gort_map_shape_ s,
                                     bool nowhere, const void **key, const void **value)
{
    const struct gort_map *m = (const struct gort_map *)map;
    if (__builtin_expect(m != NULL && it->map == map, 1) && m->change == it->change &&
        !(m->state & GORT_MAP_WRITING)) {
        uint64_t match = it->match;
        if (nowhere) {
            s.slot_size = m->slot_size;
            s.value_at = m->value_at;
        }
        if (match == 0) match = gort_map_next_group_(it, s.slot_size);
        it->match = match & (match - 1);
        if (__builtin_expect(match != 0, 1)) {
            size_t i = (unsigned)__builtin_ctzll(match) / 8;
            if (__builtin_expect((it->group[i] & 0x7f) != 0, 1)) {
                const unsigned char *slot = it->slots - i * s.slot_size;
                *key = slot;
                if (s.key_size > GORT_MAP_DIRECT_MAX) memcpy(key, slot, sizeof *key);
                *value = gort_map_found_(slot, s);
                return true;
            }
        }
    }
    bool more = gort_map_next_raw(map, it);
    *key = it->key;
    *value = it->value;
    return more;
}

/* ---- elements -------------------------------------------------------------------------------- */

/* holds: a constant: the element may hold collected pointers. */
GORT_MAP_INLINE_ void gort_map_store_(const struct gort_type *type, void *at, const void *from,
                                      size_t size, bool holds)
{
    if (!holds) {
        memcpy(at, from, size);
    } else if (size == sizeof(void *)) {
        void *value;
        memcpy(&value, from, sizeof value);
        gort_store_pointer((void **)at, value);
    } else {
        gort_copy_raw(type, at, from, 1);
    }
}

GORT_MAP_INLINE_ void gort_map_copy_out_(const struct gort_type *type, void *out, const void *from,
                                         size_t size, bool holds)
{
    if (out == NULL) return;
    if (from != NULL)
        gort_map_store_(type, out, from, size, holds);
    else if (!holds)
        memset(out, 0, size);
    else
        gort_clear_raw(type, out, 1);
}

GORT_END_DECLS

/* *out = *from, or zeroed if from is NULL; out NULL: nothing. */
#define GORT_MAP_COPY_OUT_(id, T, out, from)                                                       \
    GORT_TYPE_FIND_PLAIN_(id, T, "element of a map");                                              \
    gort_map_copy_out_(gort_desc_##id, (void *)(out), (from), sizeof(T), GORT_MAP_HOLDS_(T))
/* *at = *from, in the map. */
#define GORT_MAP_STORE_(id, T, at, from)                                                           \
    GORT_TYPE_FIND_PLAIN_(id, T, "element of a map");                                              \
    gort_map_store_(gort_desc_##id, (at), (from), sizeof(T), GORT_MAP_HOLDS_(T))
/* Can a T hold a collected pointer? */
#define GORT_MAP_HOLDS_(T)                                                                         \
    (!GORT_TYPE_IS_ARITHMETIC_(T) && sizeof(T) >= sizeof(void *) &&                                \
     GORT_ALIGNOF_(T) >= GORT_ALIGNOF_(void *))

#endif
