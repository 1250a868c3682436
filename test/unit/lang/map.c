// Maps from within: their invariants (lang/map.h) after random operations, and that no operation
// moves more than a table, counted in what it allocates.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "lang/map.h"

typedef gort_map(uint64_t, uint64_t) int_map;

static const struct gort_map *inside(int_map m)
{
    return (const struct gort_map *)(uintptr_t)m;
}

// ---- invariants ----

// A key is found: no group that its search passes has an empty slot.  Invariant (2).
static void check_reach(const struct gort_map_table *t, size_t slot, uint64_t hash)
{
    size_t group = hash >> 7 & t->mask, step = 0;
    while (group != slot / MAP_SLOTS) {
        CHECK_EQ(gort_map_empty_(gort_map_control_(t->control + MAP_SLOTS * group)), 0);
        CHECK_LE(step, t->mask);
        group = (group + ++step) & t->mask;
    }
}

static size_t check_table(const struct gort_map *m, size_t place)
{
    const struct map_layout *l = map_layout(m);
    const struct gort_map_table *t = &m->tables[place];
    size_t slots = ((size_t)t->mask + 1) * MAP_SLOTS, used = 0, empty = 0;
    for (size_t i = 0; i < slots; i++) {
        empty += t->control[i] == MAP_EMPTY;
        if (t->control[i] & 0x80) {
            CHECK(t->control[i] == MAP_EMPTY || t->control[i] == MAP_DELETED);
            continue;
        }
        used++;
        uint64_t key = *(const uint64_t *)(const void *)map_slot(l, t->control, i);
        uint64_t hash = gort_map_hash_int_(key, m->seed);
        CHECK_EQ(t->control[i], hash & 0x7f);
        CHECK_EQ(map_first_place(m, map_place(m, hash)), place);
        check_reach(t, i, hash);
    }
    CHECK_EQ(used, t->used);
    CHECK_GE(empty, 1); // invariant (1)
    if (m->count != 0 || t->left != 0) CHECK_EQ(empty, t->left + slots / MAP_SLOTS);
    return used;
}

// Invariant (3).
static void check_map(const struct gort_map *m)
{
    size_t places = (size_t)1 << map_depth(m), total = 0;
    for (size_t first = 0; first < places;) {
        const struct gort_map_table *t = &m->tables[first];
        CHECK_LE(t->depth, map_depth(m));
        size_t n = (size_t)1 << (map_depth(m) - t->depth);
        CHECK_EQ(first % n, 0);
        for (size_t i = 1; i < n; i++) {
            CHECK_PTR_EQ(m->tables[first + i].control, t->control);
            CHECK_EQ(m->tables[first + i].mask, t->mask);
            CHECK_EQ(m->tables[first + i].depth, t->depth);
        }
        if (t->used != 0 || t->left != 0) total += check_table(m, first);
        first += n;
    }
    CHECK_EQ(total, m->count);
}

static void invariants(void)
{
    uint64_t r = test_seed();
    for (uint64_t keys = 4; keys <= 65536; keys *= 8) {
        int_map m = gort_map_make(uint64_t, uint64_t, 0);
        bool adding = true;
        for (int64_t i = 0; i < test_count(200000); i++) {
            uint64_t key = test_random(&r) % keys;
            if (test_random(&r) % keys == 0) adding = !adding;
            if (test_random(&r) % 8 < (adding ? 6 : 2))
                gort_map_put(m, key, i);
            else
                gort_map_delete(m, key);
            if (i % (int64_t)(keys + 100) == 0) check_map(inside(m));
        }
        check_map(inside(m));
    }
}

// ---- growth ----

// The most that one operation allocates: two tables, and the directory doubled.
static void growth_is_bounded(void)
{
    enum { TABLE = MAP_TABLE_SLOTS * 17 };
    uint64_t n = (uint64_t)test_count(3000000), most = 0;
    int_map m = gort_map_make(uint64_t, uint64_t, 0);
    for (uint64_t i = 0; i < n; i++) {
        gort_stats before, after;
        uint64_t change = inside(m)->change;
        bool grows = i % 16 == 0;
        if (grows) gort_read_stats(&before);
        gort_map_put(m, i, i);
        if (grows && change != inside(m)->change) {
            gort_read_stats(&after);
            uint64_t bytes = after.total_alloc - before.total_alloc;
            if (bytes > most) most = bytes;
        }
    }
    size_t directory = ((size_t)1 << map_depth(inside(m))) * sizeof(struct gort_map_table);
    CHECK_LT(most, 2 * (TABLE + 3 * 8192) + 2 * directory + 65536);
    CHECK_LT(directory, n / 24 + 4096);
    check_map(inside(m));
}

// Places are few even if one table is split often and others never.
static void directory_is_small(void)
{
    int_map m = gort_map_make(uint64_t, uint64_t, 1000000);
    CHECK_EQ(inside(m)->count, 0);
    size_t room = (MAP_TABLE_SLOTS / 8 * 7) << map_depth(inside(m));
    CHECK_GE(room, 1000000);
    CHECK_LT(room, 2100000);
    uint64_t change = inside(m)->change;
    for (uint64_t i = 0; i < 500000; i++)
        gort_map_put(m, i, i);
    CHECK_EQ(inside(m)->change, change); // nothing was replaced
    check_map(inside(m));
}

int main(void)
{
    RUN_ON(invariants, 1);
    RUN_ON(growth_is_bounded, 2);
    RUN_ON(directory_is_small, 2);
    return 0;
}
