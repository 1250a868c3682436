// Futexes: a changed word, timeouts, waking, counting sleepers.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>

#include "base/atomic.h"
#include "os/os.h"
#include "test.h"

static uint32_t word, sleepers, woken;

TEST(returns_when_the_value_differs)
{
    word = 1;
    CHECK(os_futex_wait(&word, 0, -1));
    CHECK(os_futex_wait(&word, 0, 0)); // the value counts before the time
}

TEST(times_out)
{
    word = 0;
    errno = 99;
    CHECK(!os_futex_wait(&word, 0, 0));
    int64_t start = os_now();
    CHECK(!os_futex_wait(&word, 0, 20 * 1000 * 1000));
    int64_t took = os_now() - start;
    CHECK_GE(took, 20 * 1000 * 1000);
    CHECK_LT(took, INT64_C(5000) * 1000 * 1000);
    CHECK_EQ(errno, 99);
}

TEST(waking_nobody)
{
    CHECK_EQ(os_futex_wake(&word, 1), 0);
    CHECK_EQ(os_futex_wake(&word, 1000), 0);
}

static void *sleeper(void *arg)
{
    (void)arg;
    atomic_fetch_add_relaxed(&sleepers, 1);
    while (atomic_load_acquire(&word) == 0) // pairs with the test's store
        os_futex_wait(&word, 0, -1);
    atomic_fetch_add_relaxed(&woken, 1);
    return NULL;
}

TEST(wakes_everybody)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    atomic_store_relaxed(&word, 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, sleeper, NULL), 0);
    while (atomic_load_relaxed(&sleepers) < THREADS)
        os_thread_yield();
    atomic_store_release(&word, 1); // pairs with sleeper
    int n = os_futex_wake(&word, THREADS);
    CHECK(n >= 0 && n <= THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CHECK_EQ(woken, THREADS);
}

// Two threads pass a turn back and forth: a lost wake-up hangs.
static uint32_t turn;
static int64_t rounds;

static void take_turns(uint32_t me)
{
    for (int64_t i = 0; i < rounds; i++) {
        while (atomic_load_acquire(&turn) != me) // pairs with the store below
            os_futex_wait(&turn, !me, -1);
        atomic_store_release(&turn, !me); // pairs with the load above
        os_futex_wake(&turn, 1);
    }
}

static void *other_player(void *arg)
{
    (void)arg;
    take_turns(1);
    return NULL;
}

TEST(ping_pong)
{
    pthread_t thread;
    rounds = test_count(20000);
    CHECK_EQ(pthread_create(&thread, NULL, other_player, NULL), 0);
    take_turns(0);
    pthread_join(thread, NULL);
    CHECK_EQ(turn, 0u);
}

int main(void)
{
    RUN(returns_when_the_value_differs);
    RUN(times_out);
    RUN(waking_nobody);
    RUN(wakes_everybody);
    RUN(ping_pong);
    return 0;
}
