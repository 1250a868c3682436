// Ten thousand goroutines sleep, over and over, each for its own time, while others come and go.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "test.h"

#define LATE (20 * GORT_S) // only a lost wake-up takes as long

static gort_waitgroup wg;
static int64_t worst; // of all sleeps; atomic

static void note_lateness(int64_t late)
{
    int64_t was = __atomic_load_n(&worst, __ATOMIC_RELAXED);
    while (late > was &&
           !__atomic_compare_exchange_n(&worst, &was, late, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

struct sleeper {
    uint64_t seed;
    int rounds;
    int64_t longest;
};

static void sleeper(void *arg)
{
    struct sleeper s = *(struct sleeper *)arg;
    for (int i = 0; i < s.rounds; i++) {
        int64_t ns = (int64_t)(test_random(&s.seed) % (uint64_t)s.longest);
        int64_t before = gort_now();
        gort_sleep(ns);
        int64_t slept = gort_now() - before;
        CHECK_GE(slept, ns);
        CHECK_LT(slept, ns + LATE);
        note_lateness(slept - ns);
    }
    gort_waitgroup_done(&wg);
}

static void start(uint64_t seed, int rounds, int64_t longest)
{
    struct sleeper s = { seed, rounds, longest };
    gort_waitgroup_add(&wg, 1);
    gort_go_copy(sleeper, &s, sizeof s);
}

TEST(ten_thousand)
{
    int n = (int)test_count(10000);
    for (int i = 0; i < n; i++)
        start(test_seed() + (uint64_t)i, 3, 60 * GORT_MS);
    gort_waitgroup_wait(&wg);
}

// All due at the same moment, again and again.
static void in_step(void *arg)
{
    int64_t begin = *(int64_t *)arg;
    for (int64_t k = 1; k <= 5; k++) {
        int64_t until = begin + k * 20 * GORT_MS;
        gort_sleep(until - gort_now());
        CHECK_GE(gort_now(), until);
        CHECK_LT(gort_now(), until + LATE);
    }
    gort_waitgroup_done(&wg);
}

TEST(all_at_once)
{
    int n = (int)test_count(5000);
    int64_t begin = gort_now();
    gort_waitgroup_add(&wg, n);
    for (int i = 0; i < n; i++)
        gort_go_copy(in_step, &begin, sizeof begin);
    gort_waitgroup_wait(&wg);
}

// Short sleeps among goroutines that keep the processors busy.
static uint32_t quit;
static void busy(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&quit, __ATOMIC_RELAXED)) {
        for (volatile int i = 0; i < 2000; i++)
            ;
        gort_yield();
    }
    gort_waitgroup_done(&wg);
}

TEST(among_busy_ones)
{
    gort_waitgroup_add(&wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go(busy, NULL);
    for (int i = 0; i < test_count(500); i++) {
        int64_t before = gort_now();
        gort_sleep(100 * GORT_US);
        CHECK_LT(gort_now() - before, LATE);
    }
    __atomic_store_n(&quit, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&wg);
}

// The number of processors changes while they sleep.
TEST(processors_come_and_go)
{
    static const int procs[] = { 1, 4, 2, 16, 3 };
    int n = (int)test_count(1000), before = gort_max_procs(0);
    for (int i = 0; i < n; i++)
        start(test_seed() ^ (uint64_t)i, 4, 20 * GORT_MS);
    for (int i = 0; i < test_count(50); i++) {
        gort_max_procs(procs[i % 5]);
        gort_sleep(GORT_MS);
    }
    gort_max_procs(before);
    gort_waitgroup_wait(&wg);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(ten_thousand);
    RUN(all_at_once);
    RUN(among_busy_ones);
    RUN(processors_come_and_go);
    return 0;
}

int main(int argc, char **argv)
{
    (void)test_seed(); // chosen before threads ask
    int result = gort_run(run, argc, argv);
    printf("latest wake-up: %.3f ms\n", (double)worst / 1e6);
    return result;
}
