// Goroutines sleep: not too short, not for ever, and an earlier one is not behind a later one.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST skip=tsan
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>

#include "sched_test.h"

#define MS INT64_C(1000000)
#define LATE (10000 * MS) // on a machine that does something else meanwhile

static struct group group;

struct nap {
    int64_t ns;
};
static void sleeper(void *arg)
{
    int64_t ns = ((struct nap *)arg)->ns, before = os_now();
    g_sleep(ns);
    int64_t slept = os_now() - before;
    CHECK_GE(slept, ns);
    CHECK_LT(slept, ns + LATE);
    group_done(&group);
}

static void start_sleeper(int64_t ns)
{
    struct nap nap = { ns };
    struct g_options o = { .copy = &nap, .copy_size = sizeof nap };
    g_start(sleeper, NULL, &o, 0);
}

static void wait_asleep(void)
{
    while (atomic_load_acquire(&group.left) != 0)
        g_sleep(MS);
}

static void ten_thousand_sleepers(void)
{
    uint64_t seed = test_seed();
    uint32_t n = (uint32_t)test_count(10000);
    group.left = n;
    for (uint32_t i = 0; i < n; i++)
        start_sleeper((int64_t)(test_random(&seed) % (50 * MS)));
    wait_asleep();
    while (g_count() != 1)
        g_yield();
    for (int i = 0; i < p_count(); i++)
        CHECK_EQ(p_at(i)->timers.n, 0);
}

// All at the same moment: more than one call fires.
static void a_crowd_wakes(void)
{
    uint32_t n = (uint32_t)test_count(3000);
    group.left = n;
    for (uint32_t i = 0; i < n; i++)
        start_sleeper(20 * MS);
    wait_asleep();
}

// When one has woken, no timer that was due before its own is left.
static uint32_t order;
static void sleep_in_order(void *arg)
{
    int64_t ns = (int64_t)((uintptr_t)arg + 1) * 30 * MS, due = os_now() + ns; // or later
    g_sleep(ns);
    int64_t first = timer_first(p_at(0));
    if (p_count() == 1) CHECK(first == 0 || first >= due);
    atomic_fetch_add_relaxed(&order, 1u);
    group_done(&group);
}
static void in_order(void)
{
    group.left = 5;
    for (uintptr_t i = 5; i-- > 0;)
        g_start(sleep_in_order, (void *)i, NULL, 0);
    wait_asleep();
    CHECK_EQ(order, 5);
}

static void sleep_very_long(void *arg)
{
    (void)arg;
    g_sleep(INT64_MAX);
    CHECK(false);
}
// A thread waits in the poller for a timer far away; a new one is sooner.
static void earlier_than_the_poller(void)
{
    g_start(sleep_very_long, NULL, NULL, 0);
    g_start(sleep_very_long, NULL, NULL, 0);
    for (int i = 0; i < 50; i++) {
        int64_t before = os_now();
        g_sleep(MS);
        CHECK_LT(os_now() - before, LATE);
    }
}

static void no_time_at_all(void)
{
    for (int i = 0; i < 1000; i++) {
        g_sleep(0);
        g_sleep(-1);
        g_sleep(INT64_MIN);
        g_sleep(1);
    }
}

// Alone, a sleeper is late by less than the granularity of milliseconds, most of the time.
static void finer_than_milliseconds(void)
{
    enum { EPOLL_PWAIT2 = 441 };
    if (syscall(EPOLL_PWAIT2, -1, NULL, 0, NULL, NULL, 0) < 0 && errno == ENOSYS) return;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 100 || best >= MS / 2; i++) { // the time limit is the other end
        int64_t before = os_now();
        g_sleep(200000);
        int64_t late = os_now() - before - 200000;
        CHECK_GE(late, 0);
        if (late < best) best = late;
    }
}

// Ps come and go while goroutines sleep: their timers move.
static void resize(void *procs)
{
    world_stop(STOP_PROCS, NULL);
    p_resize_stw((int)(uintptr_t)procs);
    world_start();
}

static void ps_come_and_go(void)
{
    static const uintptr_t procs[] = { 1, 5, 2, 16, 1, 3 };
    uint64_t seed = test_seed();
    group.left = 400;
    for (int i = 0; i < 400; i++)
        start_sleeper((int64_t)(test_random(&seed) % (40 * MS)));
    for (unsigned i = 0; atomic_load_acquire(&group.left) != 0; i++) {
        call_on_system_stack(resize, (void *)procs[i % array_len(procs)]);
        g_sleep(2 * MS);
    }
}

// Nobody but a sleeper: that is no deadlock.
static void alone(void)
{
    g_sleep(20 * MS);
}

int main(void)
{
    RUN_ALL(alone);
    RUN_ALL(no_time_at_all);
    RUN_ALL(in_order);
    RUN_ALL(finer_than_milliseconds);
    RUN_ALL(earlier_than_the_poller);
    RUN_ALL(a_crowd_wakes);
    RUN_ALL(ten_thousand_sleepers);
    RUN_ALL(ps_come_and_go);
    return 0;
}
