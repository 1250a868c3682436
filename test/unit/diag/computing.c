// Threads that lose their P while they compute (rules 6 and 12 of the design): the cache goes with
// the P, and at most COMPUTING_PER_P threads of each P compute without one. Those that sleep in the
// kernel, in calls that they did not declare, lose it too, and take no other's place.
//
// On one P, goroutines compute until as many as may do without a P, and the monitor has refused to
// take it from the next. All is on one CPU, so that each of them waits for it most of the time,
// which is not to be taken for sleep. test/removals.txt takes out the cache's leaving, the limit,
// and what is different about those that sleep.
// TEST timeout=60
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <unistd.h>

#include "goroutines.h"
#include "os/os.h"
#include "sched/sched_internal.h"

enum { MOST = 4, MANY = MOST + 3 };

static uint32_t asleep;        // at most so many have no P, and sleep
static uint64_t refused_first; // how often the monitor had refused before
static uint32_t without, over; // atomic: who has computed without a P; the end
static bool until_refused;     // the end is when the monitor has refused
static gort_waitgroup left;

static void compute(void *unused)
{
    (void)unused;
    bool counted = false;
    while (!LOAD(&over)) {
        CHECK_LE(LOAD(&sched.ncomputing), asleep + MOST);
        if (LOAD(&m_self()->p) == NULL) { // nor does a cache come back without a call
            CHECK_PTR_EQ(arch_tls_cache(), &gort_cache_empty);
            if (!counted) ADD(&without, 1);
            counted = true;
        }
        if (until_refused && LOAD(&without) >= MOST &&
            LOAD(&sched.retakes_refused) != refused_first)
            STORE(&over, 1);
    }
    gort_waitgroup_done(&left);
}

static void start_computing(int n)
{
    refused_first = LOAD(&sched.retakes_refused);
    without = over = 0;
    gort_waitgroup_add(&left, n);
    for (int i = 0; i < n; i++)
        gort_go(compute, NULL);
}

// Who is refused keeps the P, so the last ones do not run before the end.
static void compute_many(void)
{
    until_refused = true;
    start_computing(MANY);
    gort_waitgroup_wait(&left);
    until_refused = false;
}

TEST(at_most_so_many_without_a_p)
{
    compute_many();
}

// ---- beside some that sleep ---------------------------------------------------------------------

static int fds[2];
static struct m *reader[MANY]; // atomic
static gort_waitgroup readers;

static void read_one(void *arg)
{
    char byte = 0;
    STORE((struct m **)arg, m_self());
    CHECK_EQ(read(fds[0], &byte, 1), 1); // SA_RESTART: no EINTR
    gort_waitgroup_done(&readers);
}

static bool all_sleep(void)
{
    for (int i = 0; i < MANY; i++) {
        struct m *m = LOAD(&reader[i]);
        if (m == NULL || !LOAD(&m->computing) || !os_thread_sleeps(m->tid)) return false;
    }
    return true;
}

// On one P: each has lost it.
static void start_reading(void)
{
    CHECK_EQ(pipe(fds), 0);
    memset(reader, 0, sizeof reader);
    asleep = MANY;
    gort_waitgroup_add(&readers, MANY);
    for (int i = 0; i < MANY; i++)
        gort_go(read_one, &reader[i]);
    WAIT_FOR(all_sleep());
}

static void end_reading(void)
{
    CHECK(all_sleep());
    CHECK_EQ(write(fds[1], "1234567", MANY), MANY);
    gort_waitgroup_wait(&readers);
    asleep = 0;
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
}

TEST(those_that_sleep_do_not_count)
{
    start_reading();
    compute_many();
    end_reading();
}

TEST(beside_so_many_those_that_sleep_lose_theirs)
{
    start_computing(MOST);
    WAIT_FOR(LOAD(&without) == MOST);
    start_reading();
    end_reading();
    STORE(&over, 1);
    gort_waitgroup_wait(&left);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON(1, at_most_so_many_without_a_p);
    RUN_ON(1, those_that_sleep_do_not_count);
    RUN_ON(1, beside_so_many_those_that_sleep_lose_theirs);
    RUN_ON(1, at_most_so_many_without_a_p); // who slept counts no more
    return 0;
}

static void use_one_cpu(void)
{
    cpu_set_t all, first;
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&first);
    for (int i = 0; CPU_COUNT(&first) == 0; i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &first);
    CHECK_EQ(sched_setaffinity(0, sizeof first, &first), 0);
}

int main(int argc, char **argv)
{
    use_one_cpu();
    return gort_run(main_goroutine, argc, argv);
}
