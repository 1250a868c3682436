// The list of tables that are not searched for pointers: in order of address, whatever the order of
// entry.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/unscanned.h"

#include "expect_fatal.h"
#include "test.h"

static uint64_t memory[100];
static uint64_t declared[7];
UNSCANNED(declared);

static void check_next(const void *at, const void *lo, size_t words)
{
    struct unscanned u = { 0, 0 };
    CHECK(unscanned_next((uintptr_t)at, &u));
    CHECK_PTR_EQ((void *)u.lo, lo);
    CHECK_EQ(u.hi - u.lo, words * 8);
}

TEST(a_declared_table_is_there)
{
    check_next(declared, declared, 7);
}

TEST(ordered_by_address)
{
    unscanned_add(memory + 50, 80);
    unscanned_add(memory + 10, 16);
    unscanned_add(memory + 90, 24);
    check_next(memory, memory + 10, 2);
    check_next(memory + 11, memory + 10, 2); // it ends above
    check_next(memory + 12, memory + 50, 10);
    check_next(memory + 60, memory + 90, 3);
    struct unscanned u;
    CHECK(!unscanned_next(UINTPTR_MAX, &u));
}

static void add_too_many(void *unused)
{
    (void)unused;
    for (int i = 0; i <= UNSCANNED_MOST; i++)
        unscanned_add(memory, 8);
}

static void add_odd(void *unused)
{
    (void)unused;
    unscanned_add((char *)memory + 4, 8);
}

TEST(what_can_not_be_added_is_fatal)
{
    expect_fatal(add_too_many, NULL, "UNSCANNED_MOST");
    expect_fatal(add_odd, NULL, "% 8 == 0");
}

int main(void)
{
    RUN(a_declared_table_is_there);
    RUN(ordered_by_address);
    RUN(what_can_not_be_added_is_fatal);
    return 0;
}
