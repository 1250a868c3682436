// Note [Newborns]: what was started and has not run yet needs no stack, runs once, and its record is
// used again.
// SPDX-License-Identifier: BSD-3-Clause
#include "sched_test.h"
#include "sched/newborn.h"

enum { BURST = 5000, ROUNDS = 20 };

struct arguments {
    uint64_t number;
    uint64_t words[GO_COPY_MOST / WORD_SIZE - 1];
};

static struct group group;
static uint64_t ran[BURST]; // atomic: how often, by number

static unsigned words_of(uint64_t number)
{
    return (unsigned)number % (GO_COPY_MOST / WORD_SIZE);
}

static void note(void *args)
{
    struct arguments *a = args;
    CHECK_EQ((uintptr_t)args % 16, 0);
    for (unsigned i = 0; i < array_len(a->words); i++)
        CHECK_EQ(a->words[i], i < words_of(a->number) ? a->number * 31 + i : 0);
    atomic_fetch_add_relaxed(&ran[a->number], 1);
    group_done(&group);
}

static void start_one(uint64_t number, uintptr_t created_pc)
{
    struct arguments a = { .number = number };
    for (unsigned k = 0; k < words_of(number); k++)
        a.words[k] = number * 31 + k;
    g_start_bare(note, &a, (1 + words_of(number)) * WORD_SIZE, created_pc);
}

// Arguments of each size that fits, the number at least.
static void start_burst(int n, uintptr_t created_pc)
{
    for (int i = 0; i < n; i++)
        start_one((uint64_t)i, created_pc);
}

// Who was waited for may be about to end yet.
static void all_ended(void)
{
    while (g_count() != 1)
        g_yield();
}

static void each_ran(int n, uint64_t times)
{
    for (int i = 0; i < n; i++)
        CHECK_EQ(ran[i], times);
}

static void each_runs_once(void)
{
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        group.left = BURST;
        start_burst(BURST, 0);
        group_wait(&group);
        each_ran(BURST, round);
    }
    // Free records lie with Ps, which keep few of them.
    uint32_t most = BURST + (uint32_t)p_count() * (NEWBORNS_KEPT + 1);
    CHECK_LE(newborns_table_size(), most);
}

static uint64_t stacks_made(void)
{
    struct stack_stats s;
    stack_read_stats(&s);
    return s.slots;
}

// Without others, one stack serves all that end without waiting.
static void one_stack_serves_many(void)
{
    uint64_t before = stacks_made();
    group.left = BURST;
    start_burst(BURST, 0);
    group_wait(&group);
    each_ran(BURST, 1);
    CHECK_LE(stacks_made() - before, 64); // some are made at once
}

#define PLACE ((uintptr_t)0x1234)

static int count_newborns(void)
{
    struct newborn_view v;
    uint64_t last = 0;
    int n = 0;
    for (uint32_t i = 0; i < newborns_table_size(); i++) {
        if (!newborn_read(i, &v)) continue;
        CHECK_EQ(v.created_pc, PLACE);
        CHECK_EQ(v.created_by, 1);
        CHECK_EQ(v.hi - v.lo, (1 + words_of(*(const uint64_t *)v.lo)) * WORD_SIZE);
        CHECK_GT(v.goid, 1);
        CHECK_NE(v.goid, last);
        last = v.goid;
        n++;
    }
    return n;
}

static void count_stopped(void *n)
{
    world_stop(STOP_TEST, NULL);
    *(int *)n = count_newborns();
    CHECK_EQ(newborns_to_scan_stw(), *(int *)n != 0 ? newborns_table_size() : 0);
    world_start();
}

// The one P may be taken meanwhile by the monitor, and some run: each is a newborn or has run.
static void they_are_listed(void)
{
    int n = -1, done = 0;
    group.left = 100;
    start_burst(100, PLACE);
    call_on_system_stack(count_stopped, &n);
    for (int i = 0; i < 100; i++)
        done += (int)atomic_load_relaxed(&ran[i]);
    CHECK_LE(n, 100);
    CHECK_GE(n + done, 100);
    group_wait(&group);
    all_ended();
    call_on_system_stack(count_stopped, &n);
    CHECK_EQ(n, 0);
}

// Bursts on several Ps, whose number changes: records and stacks go over to others.
static void start_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50; i++) {
        start_one((uint64_t)i, 0);
        if (i % 10 == 0) g_yield();
    }
    group_done(&group);
}

static void starters_on_changing_ps(void)
{
    static const int counts[] = { 1, 4, 2, 16, 3 };
    for (int round = 0; round < ROUNDS; round++) {
        group.left = 51 * 100;
        for (int i = 0; i < 100; i++)
            g_start(start_many, NULL, NULL, 0);
        p_set_count(counts[round % 5]);
        group_wait(&group);
    }
    CHECK_EQ(count_newborns(), 0);
    all_ended();
}

int main(void)
{
    RUN_ALL(each_runs_once);
    CHECK_EQ(sched_test_child(one_stack_serves_many, 1), 0);
    CHECK_EQ(sched_test_child(they_are_listed, 1), 0);
    RUN_ALL(starters_on_changing_ps);
    return 0;
}
