// What many threads count for the pacer: nothing is lost, nothing is given out twice.
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "base/atomic.h"
#include "gc/pacer_shared.h"

#include "../../test.h"

#define THREADS 4

static struct pacer_shared shared;
static uint64_t taken, added;         // atomic
static int32_t running, most_running; // atomic

static void start(int dedicated, int idle_max)
{
    struct pacer p = { .dedicated = dedicated, .idle_max = idle_max };
    pacer_shared_start(&shared, &p, (struct pacer_assist){ 3.5, 0.25 });
}

static void in_threads(void *(*fn)(void *))
{
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, fn, (void *)(intptr_t)i), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
}

TEST(a_start_clears_the_sums)
{
    start(2, 6);
    pacer_scanned(&shared, PACER_SCAN_HEAP, 1);
    pacer_scanned(&shared, PACER_SCAN_STACKS, 20);
    pacer_scanned(&shared, PACER_SCAN_GLOBALS, 300);
    pacer_time_add(&shared, PACER_TIME_ASSIST, 7);
    pacer_time_add(&shared, PACER_TIME_IDLE, -3); // a clock that went back
    pacer_credit_add(&shared, 5);
    struct scan_work w = pacer_work(&shared);
    CHECK_EQ(w.heap, 1);
    CHECK_EQ(w.stacks, 20);
    CHECK_EQ(w.globals, 300);
    CHECK_EQ(pacer_time_of(&shared, PACER_TIME_ASSIST), 7);
    CHECK_EQ(pacer_time_of(&shared, PACER_TIME_IDLE), 0);
    struct pacer_assist a = pacer_ratio(&shared);
    CHECK(a.work_per_byte == 3.5 && a.bytes_per_work == 0.25);
    start(0, 0);
    w = pacer_work(&shared);
    CHECK_EQ(w.heap + w.stacks + w.globals, 0);
    CHECK_EQ(pacer_time_of(&shared, PACER_TIME_ASSIST), 0);
    CHECK_EQ(pacer_credit_take(&shared, 5), 0);
}

TEST(credit_is_given_once)
{
    start(0, 0);
    pacer_credit_add(&shared, 1000);
    CHECK_EQ(pacer_credit_take(&shared, 300), 300);
    CHECK_EQ(pacer_credit_take(&shared, 900), 700);
    CHECK_EQ(pacer_credit_take(&shared, 1), 0);
    CHECK_EQ(pacer_credit_take(&shared, 0), 0);
}

static void *adds_and_takes(void *me)
{
    uint64_t mine = 0, put = 0;
    for (int i = 0; i < test_count(200000); i++) {
        uint64_t n = (uint64_t)(i * 7 + (intptr_t)me) % 100;
        pacer_credit_add(&shared, n);
        put += n;
        uint64_t got = pacer_credit_take(&shared, 73);
        CHECK_LE(got, 73);
        mine += got;
    }
    atomic_fetch_add_relaxed(&taken, mine);
    atomic_fetch_add_relaxed(&added, put);
    return NULL;
}

TEST(credit_is_neither_lost_nor_invented)
{
    start(0, 0);
    taken = added = 0;
    in_threads(adds_and_takes);
    uint64_t rest = 0, n;
    while ((n = pacer_credit_take(&shared, 1000)) != 0)
        rest += n;
    CHECK_EQ(taken + rest, added);
}

static void enter(void)
{
    int32_t n = atomic_fetch_add_relaxed(&running, 1) + 1;
    int32_t most = atomic_load_relaxed(&most_running);
    while (n > most && !atomic_cas_relaxed(&most_running, &most, n))
        continue;
}

static void leave(void)
{
    atomic_fetch_sub_relaxed(&running, 1);
}

static void *takes_places(void *unused)
{
    (void)unused;
    for (int i = 0; i < test_count(200000); i++) {
        if (!pacer_dedicated_take(&shared)) continue;
        enter();
        leave();
        pacer_dedicated_give(&shared);
    }
    return NULL;
}

TEST(no_more_dedicated_workers_than_places)
{
    start(2, 0);
    CHECK(pacer_dedicated_take(&shared));
    CHECK(pacer_dedicated_take(&shared));
    CHECK(!pacer_dedicated_take(&shared));
    pacer_dedicated_give(&shared);
    CHECK(pacer_dedicated_take(&shared));
    start(2, 0);
    most_running = 0;
    in_threads(takes_places);
    CHECK_GE(most_running, 1);
    CHECK_LE(most_running, 2);
    CHECK(pacer_dedicated_take(&shared) && pacer_dedicated_take(&shared));
    CHECK(!pacer_dedicated_take(&shared));
}

static void set_places(int dedicated, int idle_max)
{
    struct pacer p = { .dedicated = dedicated, .idle_max = idle_max };
    pacer_shared_places(&shared, &p);
}

// The number of Ps changes in the middle of a cycle.
TEST(places_become_fewer_and_more)
{
    start(4, 12);
    for (int i = 0; i < 3; i++)
        CHECK(pacer_dedicated_take(&shared));
    set_places(3, 9); // as many as are out
    CHECK(!pacer_dedicated_over(&shared) && !pacer_dedicated_take(&shared));
    set_places(1, 3);
    CHECK(pacer_dedicated_over(&shared) && !pacer_dedicated_take(&shared));
    pacer_dedicated_give(&shared);
    CHECK(pacer_dedicated_over(&shared) && !pacer_dedicated_take(&shared));
    pacer_dedicated_give(&shared); // one is left, who has the place
    CHECK(!pacer_dedicated_over(&shared) && !pacer_dedicated_take(&shared));
    pacer_dedicated_give(&shared);
    CHECK(pacer_dedicated_take(&shared));
    set_places(0, 1);
    CHECK(pacer_dedicated_over(&shared));
    set_places(3, 9); // he stays after all
    CHECK(!pacer_dedicated_over(&shared));
    CHECK(pacer_dedicated_take(&shared) && pacer_dedicated_take(&shared));
    CHECK(!pacer_dedicated_take(&shared));
    for (int i = 0; i < 9; i++)
        CHECK(pacer_idle_join(&shared));
    CHECK(!pacer_idle_join(&shared));
    set_places(0, 1);
    start(2, 6); // two of another cycle give nothing back
    CHECK(!pacer_dedicated_over(&shared));
    CHECK(pacer_dedicated_take(&shared) && pacer_dedicated_take(&shared));
    for (int i = 0; i < 9; i++)
        pacer_idle_leave(&shared);
}

static void *joins(void *unused)
{
    (void)unused;
    for (int i = 0; i < test_count(200000); i++) {
        if (!pacer_idle_join(&shared)) continue;
        enter();
        leave();
        pacer_idle_leave(&shared);
    }
    return NULL;
}

TEST(no_more_idle_workers_than_allowed)
{
    start(0, 3);
    most_running = 0;
    in_threads(joins);
    CHECK_GE(most_running, 1);
    CHECK_LE(most_running, 3);
    for (int i = 0; i < 3; i++) {
        CHECK(pacer_idle_wanted(&shared));
        CHECK(pacer_idle_join(&shared));
    }
    CHECK(!pacer_idle_wanted(&shared));
    CHECK(!pacer_idle_join(&shared));
    for (int i = 0; i < 3; i++)
        pacer_idle_leave(&shared);
}

// The maximum may fall below the number at work, and rises again with them still there.
TEST(the_maximum_moves_under_workers)
{
    start(0, 3);
    for (int i = 0; i < 3; i++)
        CHECK(pacer_idle_join(&shared));
    pacer_idle_limit(&shared, 1);
    pacer_idle_leave(&shared);
    CHECK(!pacer_idle_join(&shared));
    pacer_idle_leave(&shared);
    CHECK(!pacer_idle_wanted(&shared));
    pacer_idle_limit(&shared, 2);
    CHECK(pacer_idle_join(&shared));
    CHECK(!pacer_idle_join(&shared));
    start(0, 3); // two of the last cycle have not stopped yet
    CHECK(pacer_idle_join(&shared));
    CHECK(!pacer_idle_join(&shared));
    for (int i = 0; i < 3; i++)
        pacer_idle_leave(&shared);
    CHECK(pacer_idle_wanted(&shared));
}

int main(void)
{
    RUN(a_start_clears_the_sums);
    RUN(credit_is_given_once);
    RUN(credit_is_neither_lost_nor_invented);
    RUN(no_more_dedicated_workers_than_places);
    RUN(places_become_fewer_and_more);
    RUN(no_more_idle_workers_than_allowed);
    RUN(the_maximum_moves_under_workers);
    return 0;
}
