// Objects as large as the machine's memory: address space is what they take until they are touched,
// zero at their ends and between, and gone when they die.
//
// TEST skip=asan,tsan timeout=120 serial modes=p1,p16,migrate
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/resource.h>

#include "gc_util.h"

#define GIB ((size_t)1 << 30)

static size_t resident(void)
{
    size_t all = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL);
    CHECK_EQ(fscanf(f, "%zu %zu", &all, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static char *object;

static void touch_ends(char *p, size_t n)
{
    size_t at[] = { 0, 1, n / 3, n / 2, n - 4096, n - 1 };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        CHECK_EQ(p[at[i]], 0);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        p[at[i]] = 1;
}

static void make_noscan(void *size)
{
    size_t n = *(size_t *)size;
    gort_set(&object, (char *)gort_alloc_noscan(n));
    touch_ends(object, n);
}

static void forget(void)
{
    gort_set(&object, (char *)NULL);
    scrub_stack();
    gort_gc();
    gort_gc();
}

static void huge(size_t n)
{
    gort_stats before, with, after;
    size_t memory = resident();
    gort_read_stats(&before);
    on_goroutine(make_noscan, &n);
    gort_read_stats(&with);
    CHECK_GE(with.heap_sys, n);
    CHECK_GE(with.heap_alloc, before.heap_alloc + n);
    CHECK_GE(with.heap_live, n);
    gort_gc(); // marks it, and does not read it
    CHECK_EQ(object[n - 1], 1);
    CHECK_LT(resident(), memory + GIB / 2); // huge pages: some megabytes for each place touched
    forget();
    gort_read_stats(&after);
    CHECK_LT(after.heap_alloc, with.heap_alloc - n + (64 << 20));
    CHECK_LE(after.mallocs - after.frees, with.mallocs - with.frees);
}

TEST(three_gigabytes)
{
    huge(3 * GIB);
}

static void make_dirty(void *unused)
{
    (void)unused;
    char *p = (char *)gort_alloc_noscan(2 << 20);
    memset(p, 0xff, 2 << 20);
    p = (char *)gort_alloc_noscan(64 << 10);
    memset(p, 0xff, 64 << 10);
}

// Pages that were used lie in the run that a huge object gets: it reads as zero, and does not
// become resident for their sake.
TEST(used_pages_in_a_huge_object)
{
    for (int round = 0; round < 3; round++) {
        on_goroutine(make_dirty, NULL);
        gort_gc();
        size_t memory = resident(), n = GIB;
        on_goroutine(make_noscan, &n);
        for (size_t at = 0; at < (size_t)16 << 20; at += 512)
            CHECK_LE(object[at], 1); // 1: touch_ends was there
        CHECK_LT(resident(), memory + GIB / 4);
        forget();
    }
}

typedef struct block {
    struct block *next;
    char space[1 << 20];
} block;
GORT_TYPE(block, next);

enum { BLOCKS = 100 };

static void make_blocks(void *unused)
{
    (void)unused;
    block *b = gort_new_array(block, BLOCKS);
    gort_set(&b[BLOCKS - 1].next, (block *)(void *)witness_new(1));
    gort_set(&object, (char *)b);
}

static void check_blocks(void *unused)
{
    (void)unused;
    block *b = (block *)(void *)object;
    CHECK(b[BLOCKS - 1].next != NULL);
    for (int i = 0; i < BLOCKS - 1; i++)
        CHECK(b[i].next == NULL);
}

// With pointers, far in: what the last one points to is kept, and dies with the object.
TEST(many_blocks_in_a_row)
{
    on_goroutine(make_blocks, NULL);
    gort_gc();
    gort_gc();
    CHECK_EQ(witness_deaths, 0);
    on_goroutine(check_blocks, NULL);
    forget();
    collect_until(1);
    CHECK_EQ(witness_deaths, 1);
}

// Dirty memory of many objects becomes one object: all of it must be zero.
static void dirty(void *unused)
{
    (void)unused;
    for (int i = 0; i < 64; i++)
        memset(gort_alloc_noscan(1 << 20), 0x81, 1 << 20);
}

TEST(a_large_object_of_used_memory)
{
    for (int round = 0; round < 3; round++) {
        on_goroutine(dirty, NULL);
        gort_gc();
        gort_set(&object, (char *)gort_alloc_noscan(80 << 20));
        for (size_t i = 0; i < 80 << 20; i += 8)
            if (*(uint64_t *)(object + i) != 0) CHECK_EQ(i, SIZE_MAX);
        forget();
    }
}

static void tests(void)
{
    struct rlimit space;
    CHECK_EQ(getrlimit(RLIMIT_AS, &space), 0);
    if (space.rlim_cur != RLIM_INFINITY) SKIP("the address space is limited");
    RUN(used_pages_in_a_huge_object);
    RUN(three_gigabytes); // first: of memory that nobody has used
    RUN(many_blocks_in_a_row);
    RUN(a_large_object_of_used_memory);
}

GC_MAIN(tests)
