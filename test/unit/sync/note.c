// Notes: either order of waking and waiting, timeouts, data handed over, races.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "sync/note.h"

#include <pthread.h>

#include "base/atomic.h"
#include "expect_fatal.h"
#include "os/os.h"
#include "test.h"

#define MS INT64_C(1000000)

TEST(a_wake_before_the_wait)
{
    struct note n;
    note_clear(&n);
    note_wake(&n);
    note_wait(&n);
    note_wait(&n); // still woken
    CHECK(note_wait_timeout(&n, 0));
    CHECK(note_wait_timeout(&n, -1));
}

TEST(timeouts)
{
    struct note n;
    note_clear(&n);
    CHECK(!note_wait_timeout(&n, 0));
    int64_t start = os_now();
    CHECK(!note_wait_timeout(&n, 20 * MS));
    CHECK_GE(os_now() - start, 20 * MS);
}

static void wakes_twice(void *arg)
{
    struct note n;
    (void)arg;
    note_clear(&n);
    note_wake(&n);
    note_wake(&n);
}

TEST(waking_twice_is_fatal)
{
    expect_fatal(wakes_twice, NULL, "fatal error: note woken twice");
}

// Two threads in turns, each waking the other: plain data travels with the wake.
static struct note ping, pong;
static int64_t data, rounds;

static void *ponger(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < rounds; i++) {
        note_wait(&ping);
        note_clear(&ping);
        CHECK_EQ(data, 2 * i + 1);
        data++;
        note_wake(&pong);
    }
    return NULL;
}

TEST(ping_pong)
{
    pthread_t thread;
    rounds = test_count(20000);
    note_clear(&ping);
    note_clear(&pong);
    CHECK_EQ(pthread_create(&thread, NULL, ponger, NULL), 0);
    for (int64_t i = 0; i < rounds; i++) {
        CHECK_EQ(data, 2 * i);
        data++;
        note_wake(&ping);
        while (!note_wait_timeout(&pong, i % 3 == 0 ? 1000 : -1)) {
        }
        note_clear(&pong);
    }
    pthread_join(thread, NULL);
    CHECK_EQ(data, 2 * rounds);
}

// A wake that races with the end of a timeout is seen by one side or the other, never lost.
static struct note racing;
static uint32_t racing_round;

static void *racer(void *arg)
{
    uint64_t state = test_seed();
    (void)arg;
    for (uint32_t i = 1; i <= (uint32_t)rounds; i++) {
        for (uint32_t k = 1; atomic_load_acquire(&racing_round) != i;
             k++)              // pairs with the test's store
            if (k % 1024 == 0) // long: others may have the CPU
                os_thread_yield();
            else
                os_cpu_relax_thread(1);
        os_cpu_relax_thread(test_random(&state) % 300);
        note_wake(&racing);
    }
    return NULL;
}

TEST(timeout_and_wake_race)
{
    pthread_t thread;
    int64_t in_time = 0;
    rounds = os_cpu_count() > 1 ? test_count(5000) : 50;
    CHECK_EQ(pthread_create(&thread, NULL, racer, NULL), 0);
    for (uint32_t i = 1; i <= (uint32_t)rounds; i++) {
        note_clear(&racing);
        atomic_store_release(&racing_round, i); // pairs with racer
        if (note_wait_timeout(&racing, 2000))
            in_time++;
        else
            note_wait(&racing);
    }
    pthread_join(thread, NULL);
    CHECK(in_time <= rounds);
}

int main(void)
{
    RUN(waking_twice_is_fatal);
    RUN(a_wake_before_the_wait);
    RUN(timeouts);
    RUN(ping_pong);
    RUN(timeout_and_wake_race);
    return 0;
}
