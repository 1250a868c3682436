// Concurrent maps and counters from within: the invariants of lang/cmap.h after random operations
// and in the middle of growth, that an operation takes few buckets over, and that adding to a
// counter is a restartable range.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "base/ranges.h"
#include "lang/cmap.h"

typedef gort_cmap(uint64_t, uint64_t) int_map;

static struct gort_cmap *inside(int_map m)
{
    return (struct gort_cmap *)(uintptr_t)m;
}

// ---- concurrent maps ----

static uintptr_t word_of(const struct cmap_table *t, size_t i)
{
    const uintptr_t *s = t->segment[i >> CMAP_SEGMENT_BITS];
    return s != NULL ? s[i % CMAP_SEGMENT] : 0;
}

// Entries of a bucket belong there, and differ: invariant (3).
static size_t check_list(const struct gort_cmap *m, const struct cmap_table *t, size_t i)
{
    size_t n = 0;
    for (struct cmap_entry *e = cmap_list(word_of(t, i)); e != NULL; e = e->next, n++) {
        CHECK_EQ(e->hash >> t->shift, i);
        uint64_t key = *(uint64_t *)cmap_key(cmap_layout(m), e);
        CHECK_EQ(e->hash, gort_map_hash_int_(key, m->keys.seed));
        for (struct cmap_entry *f = e->next; f != NULL; f = f->next)
            CHECK_NE(*(uint64_t *)cmap_key(cmap_layout(m), f), key);
    }
    return n;
}

// Buckets that were taken over have a frozen parent; of the others the parent counts.
static size_t check_growing(const struct gort_cmap *m, const struct cmap_table *t)
{
    const struct cmap_table *from = t->from;
    size_t total = 0;
    CHECK(from->from == NULL && from->shift == t->shift + 1); // invariant (1)
    for (size_t i = 0; i < cmap_buckets(from); i++) {
        uintptr_t parent = word_of(from, i),
                  heirs[2] = { word_of(t, 2 * i), word_of(t, 2 * i + 1) };
        if (heirs[0] != 0 || heirs[1] != 0) CHECK(parent & CMAP_FROZEN);
        for (int k = 0; k < 2; k++) {
            if (heirs[k] != 0)
                total += check_list(m, t, 2 * i + (size_t)k);
            else
                for (struct cmap_entry *e = cmap_list(parent); e != NULL; e = e->next)
                    total += e->hash >> t->shift == 2 * i + (size_t)k;
        }
    }
    return total;
}

static void check_map(const struct gort_cmap *m)
{
    const struct cmap_table *t = m->table;
    size_t total = 0;
    if (t->from != NULL)
        total = check_growing(m, t);
    else
        for (size_t i = 0; i < cmap_buckets(t); i++) {
            CHECK(!(word_of(t, i) & CMAP_FROZEN));
            total += check_list(m, t, i);
        }
    CHECK_EQ(total, gort_counter_read(t->count)); // invariant (4)
}

static void invariants(void)
{
    uint64_t r = test_seed();
    for (uint64_t keys = 4; keys <= 16384; keys *= 8) {
        int_map m = gort_cmap_make(uint64_t, uint64_t, 0);
        bool adding = true;
        for (int64_t i = 0; i < test_count(60000); i++) {
            uint64_t key = test_random(&r) % keys;
            if (test_random(&r) % keys == 0) adding = !adding;
            if (test_random(&r) % 8 < (adding ? 6 : 2))
                gort_cmap_store(m, key, i);
            else
                gort_cmap_delete(m, key);
            if (i % (int64_t)(keys / 4 + 50) == 0) check_map(inside(m));
        }
        check_map(inside(m));
    }
}

// Buckets that hold something, of all that were made.
static size_t words_taken(const struct cmap_table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < cmap_buckets(t); i++)
        n += word_of(t, i) != 0;
    return n;
}

// A write takes over its own bucket and sixteen more, so that growth is done long before the next.
static void growth_is_in_steps(void)
{
    int_map m = gort_cmap_make(uint64_t, uint64_t, 0);
    const struct cmap_table *table = inside(m)->table;
    size_t taken = 0, growths = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        gort_cmap_store(m, i, i);
        const struct cmap_table *t = inside(m)->table;
        if (t != table) {
            CHECK(table->from == NULL); // the former growth was done
            growths++;
            taken = 0;
        }
        table = t;
        if (t->from == NULL) continue;
        size_t now = words_taken(t);
        CHECK_LE(now - taken, 17);
        taken = now;
    }
    CHECK_GE(growths, 10);
    CHECK_LE(cmap_buckets(table), 2 * 20000);
}

// ---- counters ----

static __attribute__((noinline)) void add_one(gort_counter *c)
{
    gort_counter_add(c, 1);
}

// Some addresses of the function lead back to an earlier one: those in the range.
static void adding_is_restartable(void)
{
    gort_counter *c = gort_counter_make();
    uintptr_t fn = (uintptr_t)add_one, start = 0;
    size_t inside_range = 0;
    for (uintptr_t pc = fn; pc < fn + 256 && (start == 0 || ranges_rollback(pc) == start); pc++) {
        if (ranges_rollback(pc) == pc) continue;
        if (start == 0) start = ranges_rollback(pc);
        inside_range++;
    }
    CHECK_GE(start, fn);
    CHECK_GE(inside_range, 8); // bytes: several instructions
    add_one(c);
    CHECK_EQ(gort_counter_read(c), 1);
}

int main(void)
{
    RUN_ON(invariants, 1);
    RUN_ON(growth_is_in_steps, 2);
    RUN_ON(adding_is_restartable, 1);
    return 0;
}
