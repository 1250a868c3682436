// Maps from within: their invariants (lang/map.h) after random operations and after such as fill
// chosen groups, and that no operation moves more than a table, counted in what it allocates.
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

static uint64_t control_of(const struct gort_map_table *t, size_t group)
{
    return gort_map_control_(t->control + MAP_SLOTS * group);
}

static size_t next_group(const struct gort_map_table *t, size_t group, size_t *step)
{
    return (group + ++*step) & t->mask;
}

// A key is found: it was passed on from all groups that its search meets before.  Invariant (2).
static void check_reach(const struct gort_map_table *t, size_t slot, uint64_t hash)
{
    size_t group = hash >> 7 & t->mask, step = 0;
    while (group != slot / MAP_SLOTS) {
        CHECK(!gort_map_ends_(control_of(t, group), hash));
        CHECK_LE(step, t->mask);
        group = next_group(t, group, &step);
    }
}

// Any search ends: from each group, by each mark.
static void check_ends(const struct gort_map_table *t)
{
    for (size_t i = 0; i < 8 * ((size_t)t->mask + 1); i++) {
        size_t group = i / 8, step = 0;
        while (!gort_map_ends_(control_of(t, group), i % 8)) {
            CHECK_LE(step, t->mask);
            group = next_group(t, group, &step);
        }
    }
}

static size_t without_all_marks(const struct gort_map_table *t)
{
    size_t n = 0;
    for (size_t group = 0; group <= t->mask; group++)
        n += !map_has_all_marks(control_of(t, group));
    return n;
}

// Invariant (1).
static void check_room(const struct gort_map_table *t)
{
    int64_t left = map_room((size_t)t->mask + 1);
    for (size_t group = 0; group <= t->mask; group++) {
        uint64_t control = control_of(t, group);
        int used = __builtin_popcountll(gort_map_full_(control));
        CHECK_EQ(used + __builtin_popcountll(gort_map_empty_(control)), MAP_SLOTS);
        left -= map_has_all_marks(control) ? used : MAP_SLOTS;
    }
    CHECK_EQ(left, t->left);
    CHECK_LE(8 * without_all_marks(t), 7 * ((size_t)t->mask + 1));
}

static size_t check_table(const struct gort_map *m, size_t place)
{
    const struct map_layout *l = map_layout(m);
    const struct gort_map_table *t = &m->tables[place];
    size_t slots = ((size_t)t->mask + 1) * MAP_SLOTS, used = 0;
    for (size_t i = 0; i < slots; i++) {
        if ((t->control[i] & 0x7f) == 0) continue;
        used++;
        uint64_t key = *(const uint64_t *)(const void *)map_slot(l, t->control, i);
        uint64_t hash = gort_map_hash_int_(key, m->seed);
        CHECK_EQ(t->control[i] & 0x7f, (hash & 0x7f) != 0 ? hash & 0x7f : 1);
        CHECK_EQ(map_first_place(m, map_place(m, hash)), place);
        check_reach(t, i, hash);
    }
    check_room(t);
    check_ends(t);
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
        for (size_t i = 0; i < n; i++) {
            CHECK_EQ(map_first_place(m, first + i), first);
            CHECK_PTR_EQ(m->tables[first + i].control, t->control);
            CHECK_EQ(m->tables[first + i].mask, t->mask);
            CHECK_EQ(m->tables[first + i].depth, t->depth);
        }
        if (t->control != map_table_none().control) total += check_table(m, first);
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

// ---- chosen groups ----

// The map is one table of so many groups.
enum { FEW_GROUPS = 16 };

static int_map few_groups(void)
{
    int_map m = gort_map_make(uint64_t, uint64_t, FEW_GROUPS * 7);
    CHECK_EQ(inside(m)->first.mask, FEW_GROUPS - 1);
    return m;
}

// The next key after this one whose search begins at a group, with these three lowest bits of the
// hash.
static uint64_t key_for(int_map m, size_t group, size_t mark, uint64_t after)
{
    for (uint64_t key = after + 1;; key++) {
        uint64_t hash = gort_map_hash_int_(key, inside(m)->seed);
        if ((hash >> 7) % FEW_GROUPS == group && hash % 8 == mark) return key;
    }
}

static size_t full_slots(int_map m, size_t group)
{
    return (size_t)__builtin_popcountll(gort_map_full_(control_of(&inside(m)->first, group)));
}

static uint64_t marks(int_map m, size_t group)
{
    return control_of(&inside(m)->first, group) & GORT_MAP_HIGH_;
}

// Adds n keys that begin at a group, with the mark of a number; returns the last one.
static uint64_t add_to(int_map m, size_t group, size_t mark, int n, uint64_t after)
{
    for (; n > 0; n--) {
        after = key_for(m, group, mark, after);
        CHECK(!gort_map_get(m, after, NULL));
        gort_map_put(m, after, after);
        check_map(inside(m));
    }
    return after;
}

static void delete_all_up_to(int_map m, uint64_t last)
{
    for (uint64_t key = 0; key <= last; key++) {
        uint64_t value;
        if (gort_map_get(m, key, &value)) CHECK_EQ(value, key);
        gort_map_delete(m, key);
        if (key % 16 == 0) check_map(inside(m));
    }
    check_map(inside(m));
    CHECK_EQ(inside(m)->count, 0);
}

// A group gives up a mark when it is full and a key goes on, and neither before nor of another.
static void marks_go_one_by_one(void)
{
    for (size_t mark = 0; mark < 8; mark++) {
        int_map m = few_groups();
        uint64_t bit = UINT64_C(0x80) << 8 * mark;
        uint64_t last = add_to(m, 3, mark, 8, 0);
        CHECK_EQ(full_slots(m, 3), 8);
        CHECK_EQ(marks(m, 3), GORT_MAP_HIGH_);
        CHECK_EQ(inside(m)->first.left, FEW_GROUPS * 7 - 8);
        last = add_to(m, 3, mark, 1, last);
        CHECK_EQ(marks(m, 3), GORT_MAP_HIGH_ & ~bit);
        CHECK_EQ(full_slots(m, 4), 1);
        CHECK_EQ(marks(m, 4), GORT_MAP_HIGH_);
        CHECK_EQ(inside(m)->first.left, FEW_GROUPS * 7 - 9);
        // Over four groups: 3, 4, 6, 9.
        last = add_to(m, 3, mark, 16, last);
        CHECK_EQ(full_slots(m, 9), 1);
        CHECK_EQ(marks(m, 4), GORT_MAP_HIGH_ & ~bit);
        CHECK_EQ(marks(m, 6), GORT_MAP_HIGH_ & ~bit);
        CHECK_EQ(marks(m, 9), GORT_MAP_HIGH_);
        CHECK_EQ(inside(m)->first.left, FEW_GROUPS * 7 - 25);
        delete_all_up_to(m, last);
        CHECK_EQ(marks(m, 3), GORT_MAP_HIGH_ & ~bit);
        CHECK_EQ(inside(m)->first.left, FEW_GROUPS * 7 - 24);
        CHECK_EQ(inside(m)->change, 1);
    }
}

// Slots of a group without all its marks are filled again for nothing.
static void slots_are_filled_again(void)
{
    int_map m = few_groups();
    uint64_t keys[8], last = 0;
    for (int i = 0; i < 8; i++)
        keys[i] = last = add_to(m, 5, 2, 1, last);
    last = add_to(m, 5, 2, 1, last);
    uint32_t left = inside(m)->first.left;
    for (size_t i = 0; i < 1000; i++) {
        uint64_t *key = &keys[i % 8];
        CHECK(gort_map_delete(m, *key));
        CHECK(!gort_map_get(m, *key, NULL));
        CHECK_EQ(full_slots(m, 5), 7);
        CHECK_EQ(inside(m)->first.left, left);
        *key = last = add_to(m, 5, i / 8 % 8, 1, last);
        CHECK_EQ(full_slots(m, 5), 8);
        CHECK_EQ(inside(m)->first.left, left);
    }
    CHECK_EQ(marks(m, 5), GORT_MAP_HIGH_ & ~(UINT64_C(0x80) << 16));
    CHECK_EQ(inside(m)->change, 1);
}

// As many groups as may be lose a mark: 14 of 16.  The last one does so when all room is taken, for
// a key that finds a slot that costs none.
static uint64_t lose_most_marks(int_map m)
{
    uint64_t last = 0;
    for (size_t group = 0; group < 13; group++) {
        last = add_to(m, group, group % 8, 9, last);
        CHECK(gort_map_delete(m, last)); // the one that went on
    }
    last = add_to(m, 15, 6, 8, last);
    CHECK_EQ(inside(m)->first.left, 0);
    CHECK_EQ(without_all_marks(&inside(m)->first), 13);
    for (uint64_t key = 1;; key++) { // one of group 0
        uint64_t hash = gort_map_hash_int_(key, inside(m)->seed);
        if ((hash >> 7) % FEW_GROUPS == 0 && gort_map_delete(m, key)) break;
    }
    last = add_to(m, 15, 6, 1, last);
    CHECK_EQ(without_all_marks(&inside(m)->first), 14);
    CHECK_EQ(full_slots(m, 0), 8);
    CHECK_EQ(full_slots(m, 13) + full_slots(m, 14), 0);
    CHECK_EQ(inside(m)->count, 14 * 8);
    return last;
}

static void most_groups_lose_marks(void)
{
    int_map m = few_groups();
    uint64_t last = lose_most_marks(m);
    CHECK_EQ(inside(m)->change, 1);
    delete_all_up_to(m, last);
    CHECK_EQ(inside(m)->first.left, 0);
    // Groups that lost a mark can be filled; of the others, none: the table is rebuilt.
    uint64_t key = add_to(m, 1, 3, 8, last);
    CHECK_EQ(inside(m)->change, 1);
    key = add_to(m, 13, 3, 1, key);
    CHECK_EQ(inside(m)->change, 2);
    CHECK_EQ(inside(m)->first.mask, FEW_GROUPS - 1);
    CHECK_EQ(without_all_marks(&inside(m)->first), 0);
    CHECK_EQ(inside(m)->first.left, FEW_GROUPS * 7 - 9);
    delete_all_up_to(m, key);
}

// The same, then an entry more than fit: the table is doubled.
static void full_without_marks(void)
{
    int_map m = few_groups();
    uint64_t last = lose_most_marks(m);
    last = add_to(m, 15, 6, 1, last);
    CHECK_EQ(inside(m)->first.mask, 2 * FEW_GROUPS - 1);
    CHECK_EQ(inside(m)->count, 14 * 8 + 1);
    delete_all_up_to(m, last);
}

// Keys that all begin at one group come and go, then those of another: the table is rebuilt again
// and again, and never grows.
static void tables_are_rebuilt(void)
{
    enum { N = 60, PHASES = 100 };
    int_map m = few_groups();
    uint64_t keys[N], last = 0;
    for (size_t phase = 0; phase < PHASES; phase++) {
        for (size_t i = 0; i < N; i++) {
            keys[i] = last = key_for(m, 5 * phase % FEW_GROUPS, (phase + i) % 8, last);
            gort_map_put(m, last, phase);
        }
        check_map(inside(m));
        for (size_t i = 0; i < N; i++) {
            uint64_t value;
            CHECK(gort_map_get(m, keys[i * 7 % N], &value));
            CHECK_EQ(value, phase);
            CHECK(gort_map_delete(m, keys[i * 7 % N]));
            CHECK(!gort_map_delete(m, keys[i * 7 % N]));
        }
        check_map(inside(m));
        CHECK_EQ(inside(m)->count, 0);
    }
    CHECK_EQ(inside(m)->first.mask, FEW_GROUPS - 1);
    CHECK_GT(inside(m)->change, PHASES / 10);
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
    RUN_ON(marks_go_one_by_one, 1);
    RUN_ON(slots_are_filled_again, 1);
    RUN_ON(most_groups_lose_marks, 1);
    RUN_ON(full_without_marks, 1);
    RUN_ON(tables_are_rebuilt, 1);
    RUN_ON(growth_is_bounded, 2);
    RUN_ON(directory_is_small, 2);
    return 0;
}
