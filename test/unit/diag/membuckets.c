// The buckets of the memory profile: one for each stack, size and rate; and a reader sees the
// allocations up to the end of some marking together with the frees that this marking led to,
// whatever was counted since and however seldom the bucket was touched.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "diag/membuckets.h"

#include <math.h>

#include "diag/memprofile.h"
#include "sched/sched.h"
#include "test.h"

static struct mem_buckets table;
static uint64_t memory;

static struct mem_bucket *get(const uintptr_t *pc, uint32_t n, uint64_t size, uint64_t rate)
{
    struct mem_stack s = { .size = size, .rate = rate, .pc = pc, .npc = n };
    return membuckets_get_locked(&table, &s, 5);
}

TEST(each_stack_size_and_rate_has_one)
{
    uintptr_t pc[64] = { 1, 2, 3 };
    struct mem_bucket *a = get(pc, 3, 16, 1);
    CHECK_GT(memory, 0);
    CHECK(get(pc, 3, 16, 1) == a);
    CHECK(get(pc, 2, 16, 1) != a);
    CHECK(get(pc, 3, 32, 1) != a);
    CHECK(get(pc, 3, 16, 2) != a);
    pc[2] = 4;
    CHECK(get(pc, 3, 16, 1) != a);
    pc[2] = 3;
    CHECK(get(pc, 3, 16, 1) == a);
    CHECK(get(pc, 0, 16, 1) == get(pc, 0, 16, 1));
    CHECK(get(pc, 64, 16, 1) == get(pc, 64, 16, 1));
    CHECK_EQ(table.count, 7);
}

TEST(many_are_found_again)
{
    enum { N = 100000 };
    static struct mem_bucket *found[N];
    uint64_t before = table.count, n = 0;
    for (uintptr_t i = 0; i < N; i++)
        found[i] = get(&i, 1, 8, 512);
    for (uintptr_t i = 0; i < N; i++) {
        CHECK(get(&i, 1, 8, 512) == found[i]);
        CHECK_EQ(found[i]->pc[0], i);
    }
    CHECK_EQ(table.count, before + N);
    for (struct mem_bucket *b = table.newest; b != NULL; b = b->older)
        n++;
    CHECK_EQ(n, table.count);
}

static void see(struct mem_bucket *b, uint32_t cycle, enum mem_view v, uint64_t allocs,
                uint64_t frees)
{
    struct mem_counts c = mem_bucket_read_locked(b, cycle, v);
    CHECK_EQ(c.allocs, allocs);
    CHECK_EQ(c.frees, frees);
}

static void count(struct mem_bucket *b, uint32_t cycle, int allocs, int frees)
{
    for (int i = 0; i < allocs; i++)
        mem_bucket_alloc_locked(b, cycle);
    for (int i = 0; i < frees; i++)
        mem_bucket_free_locked(b, cycle);
}

// As drawn in Note [Profile cycles].
TEST(frees_are_seen_with_their_allocations)
{
    uintptr_t pc = 77;
    struct mem_bucket *b = get(&pc, 1, 8, 1);
    count(b, 5, 10, 0);
    see(b, 5, MEM_PUBLISHED, 0, 0);
    see(b, 5, MEM_SWEPT, 0, 0);
    see(b, 5, MEM_ALL, 10, 0);
    count(b, 6, 3, 4); // the sweep of cycle 6, and new ones beside it
    see(b, 6, MEM_PUBLISHED, 0, 0);
    see(b, 6, MEM_SWEPT, 10, 4);
    count(b, 6, 2, 0);
    see(b, 6, MEM_SWEPT, 10, 4);
    see(b, 7, MEM_PUBLISHED, 10, 4);
    count(b, 7, 0, 5);
    see(b, 7, MEM_PUBLISHED, 10, 4);
    see(b, 7, MEM_SWEPT, 15, 9);
    see(b, 8, MEM_PUBLISHED, 15, 9);
}

TEST(a_bucket_may_sleep)
{
    uintptr_t pc = 78;
    for (uint32_t wait = 0; wait < 5; wait++) {
        struct mem_bucket *b = get(&pc, 1, 8 + wait, 1);
        count(b, 5, 7, 0);
        see(b, 5 + wait, MEM_PUBLISHED, wait >= 2 ? 7 : 0, 0);
        count(b, 5 + wait, 1, wait >= 1 ? 2 : 0);
        see(b, 15, MEM_PUBLISHED, 8, wait >= 1 ? 2 : 0);
    }
    pc = 79; // and over the end of the numbers
    struct mem_stack s = { .size = 8, .rate = 1, .pc = &pc, .npc = 1 };
    struct mem_bucket *b = membuckets_get_locked(&table, &s, UINT32_MAX);
    count(b, UINT32_MAX, 3, 0);
    see(b, 0, MEM_SWEPT, 3, 0);
    see(b, 1, MEM_PUBLISHED, 3, 0);
}

// Expected: of n objects each is sampled by 1 - exp(-size / rate), and the samples are scaled to n.
TEST(samples_are_scaled)
{
    static const uint64_t sizes[] = { 8, 16, 48, 1024, 32768, 524288, 1048576, 1ull << 40 };
    CHECK_EQ(memprofile_scale(17, 48, 1), 17);
    CHECK_EQ(memprofile_scale(0, 48, 524288), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double size = (double)sizes[i], n = 1e9;
        double sampled = n * (1 - exp(-size / 524288));
        uint64_t scaled = memprofile_scale((uint64_t)(sampled + 0.5), sizes[i], 524288);
        CHECK(fabs((double)scaled - n) <= n * 1e-3);
    }
    CHECK_LE(memprofile_scale(1, 8, (uint64_t)1 << 40) - ((uint64_t)1 << 37), 1);
}

int main(void)
{
    arch_crit_enter(); // locks are held in critical sections
    membuckets_init(&table, &memory);
    CHECK(membuckets_open(&table) && membuckets_open(&table));
    lock_acquire(&table.lock);
    RUN(each_stack_size_and_rate_has_one);
    RUN(many_are_found_again);
    RUN(frees_are_seen_with_their_allocations);
    RUN(a_bucket_may_sleep);
    RUN(samples_are_scaled);
    lock_release(&table.lock);
    return 0;
}
