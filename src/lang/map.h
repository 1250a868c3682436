/* Maps: what their files share.
 *
 * A map is a directory of tables, a table an array of groups of eight slots, a slot a key and its
 * value.  A key's hash says where it is:
 *
 *      63 ... 32 | 31 ... 7             | 6 ... 0
 *      directory | group to begin with  | tag
 *
 * The directory is looked up by as many of its upper bits as it has places for.  The tag stands in
 * the control word, so that of the keys of a group one is compared, seldom two.  Where the group
 * was full when such a key came, the search goes on, to the group after 1, 3, 6, ... more: all
 * groups are met, for their number is a power of two.
 *
 * Note [Growth].  A table that is full is rebuilt at twice its size, up to MAP_TABLE_SLOTS; then it
 * is split in two of this size by the next bit of the hash, and only it.  When that bit is the
 * first that the directory does not know, the directory is doubled; several of its places may lead
 * to one table.  So no operation moves more than a table, and the directory of ten million entries
 * is some tens of KB.
 * Rejected: one array that is evacuated step by step, where each operation looks in two places
 * until it is done, and where the new array must be zeroed at once; tables that know where their
 * groups are, which is one more memory access in each operation: what a search needs stands in the
 * directory itself.
 *
 * Keys whose hashes do not differ, which a function of the program's may give, would be split for
 * ever: a table that is deep for the size of the map is doubled instead.
 *
 * Note [Control words].  One byte for each slot.  Its low seven bits are the tag of the slot's key,
 * from 1 to 127, or 0: the slot is empty.  Eight bytes are compared at once in a general register:
 * as few instructions as SSE2 takes for eight, on every processor.
 * Bit 7 has nothing to do with the slot.  The eight of a word are the group's marks, one for each
 * value of the low three bits of a hash.  A mark is on while no key with these bits was passed on
 * from the group, to be added in another one, because the group was full.  A search ends at a group
 * whose mark of its key is on, be the group full or not.
 * Rejected: to end a search where a slot is empty that was never filled, with a code for one that
 * was.  In tables filled to 76 in 100, a third of the groups are full, and searches for keys that
 * are not there had to go on from each of them, a branch that can not be foreseen; by the marks 6
 * in 100 go on.
 *
 * Invariants, between operations:
 *  (1) left is seven for each group of the table, less eight for each group with a mark that is
 *      off, less the entries of the other groups.  It is not below zero, so at least one group in
 *      eight has all its marks, and searches end.  A group loses its first mark when it is full, so
 *      that changes nothing; from then on its slots are filled and emptied for nothing;
 *  (2) in the groups that the search for a key meets before that of its slot the key's mark is off.
 *      It stays off until the table is rebuilt, or cleared;
 *  (3) places of the directory that lead to one table are neighbours, 2^(depth of the directory -
 *      depth of the table) in number, the first at a multiple of that; left of the first one
 *      counts;
 *  (4) of a slot that is not in use the words that may hold pointers are zero;
 *  (5) a table that was replaced is not changed any more.
 *
 * Note [Moving entries].  A table that is built is filled without barriers, although marking may be
 * under way.  It is sound: what is copied stands in the table before it, which stays as it is (5),
 * and of which: either it was reachable when marking began, then it is marked, and all it holds; or
 * it is younger, and then holds what was stored with the barrier, which shades it, or copied from a
 * table before, of which the same holds.  The store of the new table's address in the directory
 * shades the old one.
 *
 * Note [Changes seen].  Who changes a map sets MAP_WRITING in its state, and who finds it set has
 * found a change beside his own change or reading: the state tells nothing about the map then, so
 * that is fatal.  It is a plain load and store; that two threads do it in step is not seen.  The
 * state is otherwise the kind of the map's keys, so that the inlined search tests both at once.
 *
 * Note [Keys that panic].  A program's own functions may panic, or fault, which the program may
 * recover from; the map must then be as it was, and not marked as being changed.  So they are
 * called before the mark is set, growing included, and what was found is used only if the map was
 * not changed meanwhile: that would be somebody beside this change, or the function itself, and is
 * fatal.  Keys of the other kinds are read by the runtime and the C library, where a fault is
 * fatal.
 *
 * Locking: none; the program's.
 * Answers to: internal/runtime/maps; runtime/map.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_MAP_H
#define GORT_LANG_MAP_H

#include <string.h>

#include "base/bits.h"
#include "base/throw.h"
#include "gort/map.h"
#include "lang/hash.h"
#include "lang/lang.h"

#define MAP_SLOTS GORT_MAP_SLOTS
#define MAP_TABLE_SLOTS 2048 /* of the tables of a map that has several */
#define MAP_TABLE_GROUPS (MAP_TABLE_SLOTS / MAP_SLOTS)
#define MAP_DEPTH_MAX 28
#define MAP_MARK 0x80                 /* of a byte of a control word; the rest is the tag */
#define MAP_NO_CONTROL GORT_MAP_HIGH_ /* a control word: all empty, all marks on */

/* One for each place of a program that makes maps; permanent.  shape.key_size and value_size are
 * those of what the program sees; a slot holds pointers to those that are not direct. */
struct map_layout {
    gort_map_shape_ shape;
    const struct gort_type *key, *value;
    bool key_direct, value_direct;
    bool key_holds, value_holds; /* what the slot has of it may hold pointers */
    bool only_key_holds;         /* key_holds and not value_holds */
    struct gort_type slot;
    struct gort_pointer_run runs[2];
};

static force_inline const struct map_layout *map_layout(const struct gort_map *m)
{
    return m->layout;
}

/* A key that is looked for: integers by their bits, others by where they are. */
struct map_key {
    uint64_t bits;
    const void *at;
};

/* No map's kind: keys of GORT_MAP_STRING of 8 to HASH_MIDDLE_MAX bytes, by their size and start.
 * What looks for one calls nothing, which leaves it more registers.  It is worth it: where the map
 * is not in the second-level cache, a search waits for two lines of memory, one after the other,
 * and how many searches wait at once depends on how few instructions each has. */
#define MAP_MIDDLE_STRING 15

/* ---- who changes, who reads: Note [Changes seen] --------------------------------------------- */

static force_inline void map_write_begin(struct gort_map *m)
{
    uint32_t state = atomic_load_relaxed(&m->state);
    if (unlikely(state & GORT_MAP_WRITING)) throw_msg("concurrent map writes");
    atomic_store_relaxed(&m->state, state | GORT_MAP_WRITING);
    if (unlikely(race_on)) race_write_slow(m, sizeof m->tables, __builtin_return_address(0));
}

static force_inline void map_write_end(struct gort_map *m)
{
    uint32_t state = atomic_load_relaxed(&m->state);
    if (unlikely(!(state & GORT_MAP_WRITING))) throw_msg("concurrent map writes");
    atomic_store_relaxed(&m->state, state & ~GORT_MAP_WRITING);
}

static force_inline void map_read_check(const struct gort_map *m)
{
    if (unlikely(atomic_load_relaxed(&m->state) & GORT_MAP_WRITING))
        throw_msg("concurrent map read and map write");
    if (unlikely(race_on)) race_read_slow(m, sizeof m->tables, __builtin_return_address(0));
}

/* The same where the map's kind is a constant, and races of the program's are not looked for. */
static force_inline void map_write_begin_of(struct gort_map *m, int kind)
{
    if (unlikely(atomic_load_relaxed(&m->state) != (uint32_t)kind))
        throw_msg("concurrent map writes");
    atomic_store_relaxed(&m->state, (uint32_t)kind | GORT_MAP_WRITING);
}

/* The same for who has just seen the state of this kind. */
static force_inline void map_write_begin_seen(struct gort_map *m, int kind)
{
    atomic_store_relaxed(&m->state, (uint32_t)kind | GORT_MAP_WRITING);
}

static force_inline void map_write_end_of(struct gort_map *m, int kind)
{
    if (unlikely(atomic_load_relaxed(&m->state) != ((uint32_t)kind | GORT_MAP_WRITING)))
        throw_msg("concurrent map writes");
    atomic_store_relaxed(&m->state, (uint32_t)kind);
}

/* Without MAP_WRITING. */
static force_inline int map_kind(const struct gort_map *m)
{
    return (int)(atomic_load_relaxed(&m->state) & ~GORT_MAP_WRITING);
}

/* Note [Keys that panic]. */
static force_inline bool map_kind_may_panic(int kind)
{
    return kind == GORT_MAP_OWN;
}

/* What tells whether a map was changed. */
struct map_version {
    uint64_t change;
    size_t count;
};
static force_inline struct map_version map_version_now(const struct gort_map *m)
{
    if (unlikely(atomic_load_relaxed(&m->state) & GORT_MAP_WRITING))
        throw_msg("concurrent map writes");
    return (struct map_version){ m->change, m->count };
}
/* map_write_begin for who looked at the map before. */
static force_inline void map_write_begin_after(struct gort_map *m, struct map_version looked)
{
    map_write_begin(m);
    if (unlikely(m->change != looked.change || m->count != looked.count))
        throw_msg("concurrent map writes");
}

/* ---- places ---------------------------------------------------------------------------------- */

static force_inline uint32_t map_depth(const struct gort_map *m)
{
    return 32 - m->shift;
}

static force_inline size_t map_place(const struct gort_map *m, uint64_t hash)
{
    return hash >> 32 >> m->shift;
}

/* Invariant (3). */
static force_inline size_t map_first_place(const struct gort_map *m, size_t place)
{
    return place & m->tables[place].first;
}

/* Slot i of a table. */
static force_inline unsigned char *map_slot(const struct map_layout *l,
                                            const unsigned char *control, size_t i)
{
    return (unsigned char *)(uintptr_t)control - (i + 1) * l->shape.slot_size;
}

/* Keys of these kinds are in the slot itself. */
static force_inline bool map_kind_is_direct(int kind)
{
    return kind != GORT_MAP_BYTES && kind != GORT_MAP_OWN;
}

static force_inline const void *map_slot_key(const struct map_layout *l, const void *slot)
{
    return l->key_direct ? slot : *(const void *const *)slot;
}

static force_inline void *map_slot_value(const struct map_layout *l, const void *slot)
{
    char *at = (char *)(uintptr_t)slot + l->shape.value_at;
    return l->value_direct ? at : *(void **)at;
}

/* Entries that a table of so many groups takes. */
static force_inline uint32_t map_room(size_t groups)
{
    return (uint32_t)(groups * (MAP_SLOTS - 1));
}

/* ---- control words --------------------------------------------------------------------------- */

static force_inline void map_set_empty(unsigned char *control, size_t groups)
{
    memset(control, MAP_MARK, groups * MAP_SLOTS);
}

/* Which slot of the table the lowest of a match's bits is for. */
static force_inline size_t map_index(size_t group, uint64_t match)
{
    return MAP_SLOTS * group + bits_ctz64(match) / 8;
}

/* Are entries of the group counted by the table's room?  Invariant (1). */
static force_inline bool map_has_all_marks(uint64_t control)
{
    return (~control & GORT_MAP_HIGH_) == 0;
}

/* A key with this hash goes on from a full group.  Invariant (2). */
static force_inline void map_pass_on(unsigned char *control, size_t group, uint64_t hash)
{
    control[MAP_SLOTS * group + gort_map_mark_(hash) / 8] &= (unsigned char)~MAP_MARK;
}

/* Slot i gets this tag, or becomes empty: 0. */
static force_inline void map_set_tag(unsigned char *control, size_t i, uint64_t tag)
{
    control[i] = (unsigned char)((control[i] & MAP_MARK) | tag);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static force_inline struct map_key map_key_of(int kind, const void *at)
{
    struct map_key k = { 0, at };
    if (kind <= GORT_MAP_INT8) memcpy(&k.bits, at, (size_t)kind);
    return k;
}

/* For random places, seeds and hashes. */
static inline uint64_t map_random(void)
{
    crit_enter();
    uint64_t x = random_next(sched_random());
    crit_exit();
    return x;
}

static inline uint64_t map_seed(void)
{
    return gort_map_mix_(map_random() ^ hash_secret.word[0], hash_secret.word[1]);
}

static force_inline uint64_t map_hash_float(double x, uint64_t seed)
{
    uint64_t bits;
    if (x != x) return map_random(); /* equals nothing: anywhere */
    x += 0.0;                        /* -0 is 0 */
    memcpy(&bits, &x, sizeof bits);
    return gort_map_hash_int_(bits, seed);
}

static force_inline uint64_t map_hash_cstring(const char *s, uint64_t seed)
{
    return s != NULL ? hash_bytes(s, strlen(s), seed) : seed;
}

static force_inline uint64_t map_hash(const struct gort_map *m, int kind, struct map_key k)
{
    const gort_map_bytes *bytes = k.at;
    switch (kind) {
    case GORT_MAP_F32:
        return map_hash_float(*(const float *)k.at, m->seed);
    case GORT_MAP_F64:
        return map_hash_float(*(const double *)k.at, m->seed);
    case GORT_MAP_CSTRING:
        return map_hash_cstring(*(const char *const *)k.at, m->seed);
    case GORT_MAP_STRING:
        return hash_bytes(bytes->start, bytes->size, m->seed);
    case MAP_MIDDLE_STRING:
        return hash_middle(k.at, k.bits, m->seed);
    case GORT_MAP_BYTES:
        return hash_bytes(k.at, map_layout(m)->shape.key_size, m->seed);
    case GORT_MAP_OWN:
        return gort_map_hash_int_(m->hash(k.at, m->seed), m->seed);
    default:
        return gort_map_hash_int_(k.bits, m->seed);
    }
}

static force_inline bool map_same_cstring(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static force_inline bool map_same_middle(const void *start, size_t size, const gort_map_bytes *b)
{
    /* Not to keep what was loaded for the hash: there are too few registers. */
    __asm__("" : "+r"(start), "+r"(size));
    return size == b->size && hash_same_middle(start, b->start, size);
}

static force_inline bool map_same_bytes(const gort_map_bytes *a, const gort_map_bytes *b)
{
    return a->size == b->size &&
           (a->start == b->start || hash_same_bytes(a->start, b->start, a->size));
}

/* b: a key in the map. */
static force_inline bool map_same(const struct gort_map *m, int kind, struct map_key a,
                                  const void *b)
{
    switch (kind) {
    case GORT_MAP_INT1:
        return (uint8_t)a.bits == *(const uint8_t *)b;
    case GORT_MAP_INT2:
        return (uint16_t)a.bits == *(const uint16_t *)b;
    case GORT_MAP_INT4:
        return (uint32_t)a.bits == *(const uint32_t *)b;
    case GORT_MAP_INT8:
        return a.bits == *(const uint64_t *)b;
    case GORT_MAP_F32:
        return *(const float *)a.at == *(const float *)b;
    case GORT_MAP_F64:
        return *(const double *)a.at == *(const double *)b;
    case GORT_MAP_CSTRING:
        return map_same_cstring(*(const char *const *)a.at, *(const char *const *)b);
    case GORT_MAP_STRING:
        return map_same_bytes(a.at, b);
    case MAP_MIDDLE_STRING:
        return map_same_middle(a.at, a.bits, b);
    case GORT_MAP_BYTES:
        return hash_same_bytes(a.at, b, map_layout(m)->shape.key_size);
    default:
        return m->equal(a.at, b);
    }
}

/* ---- between the files ----------------------------------------------------------------------- */

/* Can an element of this type hold collected pointers; from its first to its last word that may be
 * one. */
bool map_may_hold(const struct gort_type *t);
struct gort_pointer_run map_run_of(const struct gort_type *t);

/* The key's slot; NULL: none. */
unsigned char *map_lookup(const struct gort_map *m, const void *key);

/* The control words of n groups, all empty, behind their slots. */
unsigned char *map_groups_new(const struct map_layout *l, size_t n);
/* A table that has no memory yet. */
struct gort_map_table map_table_none(void);
extern const struct gort_type map_table_type;
/* Makes room in the table at this place, its first one.  In a change, but not if the keys are of a
 * kind that may panic. */
void map_grow(struct gort_map *m, size_t first);

#endif
