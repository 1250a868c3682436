/* Maps: iteration.
 *
 * An iteration walks tables in the order of their keys' hashes, from a random one round to it
 * again, and in each the groups from a random slot round to it: a run of groups to the table's end,
 * one from its beginning, and what was left out of the first group.  What is left of the group at
 * hand is a bit set.  The inlined part uses that up, and goes on to the next group of the run,
 * while the map's `change` is what it was.
 *
 * Note [Iteration and change].  Tables are the unit of growth and cover ranges of hashes, which
 * only ever are cut in two.  So the end of a range that was walked is always the beginning of
 * another, and going on from there meets each table once, whatever was split meanwhile.
 *   - While the table at hand is still the map's, its slots are looked at as they are: an entry
 *     that was deleted is not there, a new one is met if its slot is still to come.
 *   - Once it was replaced, by a larger one or by two, it is walked to its end as it was, so that
 *     entries that moved are neither met twice nor left out.  Each of its keys is looked up in the
 *     map: not there, it was deleted; else the entry is as it is now.  A key that does not equal
 *     itself can not be looked up, nor deleted, nor replaced: it is taken from the old table.
 *   - After a clear all entries that were to come are gone, and the ranges begin anew: it ends.
 * The table is kept by the iteration's pointer to it, and so its address tells whether it is the
 * map's.
 *
 * Answers to: Iter.Next in internal/runtime/maps/table.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/map.h"

enum { ITER_NEW, ITER_WALKS, ITER_ENDED };
/* Of the walk through a table. */
enum { PART_TO_END, PART_FROM_START, PART_LEFT_OUT };

/* Of slots, as many as the inlined part is ahead of itself with the smallest. */
#define START_LINES (GORT_MAP_FETCH_GROUPS_ * 2)

/* ---- groups ---------------------------------------------------------------------------------- */

static void look_at_group(gort_map_iter *it, const struct map_layout *l, size_t group,
                          uint64_t slots)
{
    it->group = it->control + group * MAP_SLOTS;
    it->slots = map_slot(l, it->control, group * MAP_SLOTS);
    it->match = gort_map_full_(gort_map_control_(it->group)) & slots;
}

/* Where the walk through the table begins. */
static uint32_t first_group(const gort_map_iter *it)
{
    return it->random & it->mask;
}

/* Of the slots of the group begun with: those before the first one. */
static uint64_t slots_before(const gort_map_iter *it)
{
    return ((uint64_t)1 << 8 * it->rotation) - 1;
}

static bool next_group(gort_map_iter *it, const struct map_layout *l)
{
    uint32_t first = first_group(it);
    if (it->run != 0) {
        it->run--;
        look_at_group(it, l, (size_t)(it->group - it->control) / MAP_SLOTS + 1, UINT64_MAX);
    } else if (it->part == PART_TO_END && first != 0) {
        it->part = PART_FROM_START;
        it->run = first - 1;
        look_at_group(it, l, 0, UINT64_MAX);
    } else if (it->part != PART_LEFT_OUT && it->rotation != 0) {
        it->part = PART_LEFT_OUT;
        look_at_group(it, l, first, slots_before(it));
    } else {
        return false;
    }
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* The least hash of the table behind this one, or of the first. */
static uint64_t hash_after(const gort_map_iter *it)
{
    return it->at + ((uint64_t)1 << (64 - it->depth) % 64);
}

/* Asks for what a walk through this table will meet before the inlined part, which looks ahead,
 * gets to it: behind the group begun with, and behind the first one, where it goes on.  It is done
 * a table early: at the beginning of a walk it would be too late. */
static void fetch_starts(const gort_map_iter *it, const struct gort_map *m,
                         const struct gort_map_table *t)
{
    size_t group = it->random & t->mask;
    size_t size = MAP_SLOTS * (size_t)m->slot_size;
    const unsigned char *end = t->control - group * size;
    __builtin_prefetch(t->control + MAP_SLOTS * group);
    __builtin_prefetch(t->control);
    for (size_t i = 1; i <= START_LINES; i++) {
        __builtin_prefetch(end - i * CACHE_LINE);
        __builtin_prefetch(t->control - i * CACHE_LINE);
    }
}

/* The table that has this hash. */
static void enter_table(const struct gort_map *m, gort_map_iter *it, uint64_t hash)
{
    const struct gort_map_table *t = &m->tables[map_place(m, hash)];
    it->control = t->control;
    it->mask = t->mask;
    it->depth = t->depth;
    it->at = t->depth != 0 ? hash & ~(UINT64_MAX >> t->depth) : 0;
    it->part = PART_TO_END;
    it->run = t->mask - first_group(it);
    it->change = m->change;
    it->stale = false;
    look_at_group(it, map_layout(m), first_group(it), ~slots_before(it));
    if (it->depth != 0) fetch_starts(it, m, &m->tables[map_place(m, hash_after(it))]);
}

static bool next_table(const struct gort_map *m, gort_map_iter *it)
{
    uint64_t next = hash_after(it);
    if (it->depth == 0 || next == it->start) return false;
    enter_table(m, it, next);
    assert_that(it->at == next); /* Note [Iteration and change] */
    return true;
}

static void find_out_if_stale(const struct gort_map *m, gort_map_iter *it)
{
    if (it->stale || m->change == it->change) return;
    it->stale = m->tables[map_place(m, it->at)].control != it->control;
    it->change = it->stale ? 0 : m->change;
}

/* ---- entries --------------------------------------------------------------------------------- */

static bool equals_itself(const struct gort_map *m, const void *key)
{
    int kind = map_kind(m);
    return map_same(m, kind, map_key_of(kind, key), key);
}

/* The entry of a slot of the table that is walked; false: it was deleted. */
static bool take_entry(const struct gort_map *m, gort_map_iter *it, const unsigned char *slot)
{
    const struct map_layout *l = map_layout(m);
    if (it->stale) {
        const void *key = map_slot_key(l, slot);
        const unsigned char *now = map_lookup(m, key);
        if (now == NULL && equals_itself(m, key)) return false;
        if (now != NULL) slot = now;
    }
    it->key = map_slot_key(l, slot);
    it->value = map_slot_value(l, slot);
    return true;
}

/* Of the group at hand. */
static bool next_entry(const struct gort_map *m, gort_map_iter *it)
{
    while (it->match != 0) {
        size_t i = bits_ctz64(it->match) / 8;
        it->match &= it->match - 1;
        if ((it->group[i] & ~MAP_MARK) == 0) continue;
        i += (size_t)(it->group - it->control);
        if (take_entry(m, it, map_slot(map_layout(m), it->control, i))) return true;
    }
    return false;
}

/* ---- the call -------------------------------------------------------------------------------- */

static bool end(gort_map_iter *it)
{
    it->state = ITER_ENDED;
    it->match = it->run = 0;
    it->group = it->slots = it->control = NULL;
    it->key = it->value = NULL;
    return false;
}

static void begin(const struct gort_map *m, gort_map_iter *it)
{
    (void)lang_enter("gort_map_next");
    uint64_t random = map_random();
    it->map = m;
    it->state = ITER_WALKS;
    it->clears = m->clears;
    it->random = (uint32_t)random;
    it->rotation = (uint32_t)(random >> 32) % MAP_SLOTS;
    enter_table(m, it, map_random());
    it->start = it->at;
}

bool gort_map_next_raw(const void *map, gort_map_iter *it)
{
    const struct gort_map *m = map;
    if (it->state == ITER_ENDED || m == NULL) return end(it);
    if (unlikely(atomic_load_relaxed(&m->state) & GORT_MAP_WRITING))
        throw_msg("concurrent map iteration and map write");
    if (unlikely(race_on)) race_read_slow(m, sizeof m->tables, __builtin_return_address(0));
    if (it->state == ITER_NEW) {
        if (m->count == 0) return end(it);
        begin(m, it);
    }
    if (unlikely(it->map != map)) throw_msg("gort_map_next: the iteration is of another map");
    if (it->clears != m->clears) return end(it);
    find_out_if_stale(m, it);
    while (!next_entry(m, it))
        if (!next_group(it, map_layout(m)) && !next_table(m, it)) return end(it);
    return true;
}
