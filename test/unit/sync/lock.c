// Locks: exclusion and progress under contention, trying, ranks.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "sync/lock.h"

#include <pthread.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "expect_fatal.h"
#include "os/os.h"
#include "test.h"

enum { THREADS = 8 };

static pthread_t thread[THREADS];

static void run_threads(void *(*fn)(void *))
{
    test_seed(); // before the threads ask for it
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, fn, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

TEST(one_thread)
{
    struct lock l;
    lock_init(&l, RANK_SCHED);
    CHECK(!lock_is_held(&l));
    CHECK(lock_none_held());
    lock_acquire(&l);
    CHECK(lock_is_held(&l));
    lock_release(&l);
    CHECK(!lock_is_held(&l));
    CHECK(lock_try_acquire(&l));
    CHECK(lock_is_held(&l));
    lock_release(&l);
    CHECK(lock_none_held());
    CHECK_EQ(lock_held_count(), 0);
}

// ---- exclusion ---------------------------------------------------------------------------------

static struct lock contended = LOCK_INIT(RANK_SCHED);
static int64_t counter, rounds; // counter: plain, under the lock
static int inside;

static void *increments(void *arg)
{
    uint64_t state = test_seed() + (uintptr_t)arg;
    for (int64_t i = 0; i < rounds; i++) {
        bool tried = test_random(&state) % 4 == 0;
        if (!tried || !lock_try_acquire(&contended)) lock_acquire(&contended);
        CHECK_EQ(inside, 0);
        inside = 1;
        counter++;
        if (test_random(&state) % 1024 == 0) os_thread_yield(); // make the others sleep
        inside = 0;
        lock_release(&contended);
    }
    return NULL;
}

TEST(exclusion_under_contention)
{
    rounds = test_count(100000);
    run_threads(increments);
    CHECK_EQ(counter, THREADS * rounds);
    CHECK(!lock_is_held(&contended));
}

// ---- nobody sleeps for ever --------------------------------------------------------------------

// Holders that sleep force everybody else through the kernel; a lost wake-up hangs the test.
static void *holds_long(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        lock_acquire(&contended);
        usleep(200);
        lock_release(&contended);
    }
    return NULL;
}

TEST(every_sleeper_is_woken)
{
    run_threads(holds_long);
    CHECK(!lock_is_held(&contended));
}

static void *fails_to_take(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK(!lock_try_acquire(&contended));
    return NULL;
}

TEST(trying_a_held_lock_fails)
{
    lock_acquire(&contended);
    run_threads(fails_to_take);
    lock_release(&contended);
}

// Waiting costs no CPU time: waiters sleep instead of spinning on.
TEST(waiting_sleeps)
{
    pthread_t waiter[THREADS];
    rounds = 1;
    int64_t cpu = os_process_cpu();
    lock_acquire(&contended);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&waiter[i], NULL, increments, (void *)i), 0);
    usleep(200 * 1000);
    lock_release(&contended);
    for (int i = 0; i < THREADS; i++)
        pthread_join(waiter[i], NULL);
    CHECK_LT(os_process_cpu() - cpu, 100 * 1000 * 1000);
}

// ---- ranks -------------------------------------------------------------------------------------

TEST(rank_names)
{
    CHECK_STR_EQ(lock_rank_name(RANK_SCHED), "SCHED");
    CHECK_STR_EQ(lock_rank_name(RANK_NONE), "NONE");
    CHECK_STR_EQ(lock_rank_name(RANK_COUNT), "?");
    CHECK(RANK_WORLD < RANK_SCHED && RANK_SCHED < RANK_HEAP);
}

static void release_free(void *arg)
{
    (void)arg;
    struct lock l = LOCK_INIT(RANK_HEAP);
    lock_release(&l);
}

TEST(releasing_a_free_lock_is_fatal)
{
    expect_fatal(release_free, NULL, "fatal error: ");
}

#if GORT_ASSERT_LEVEL >= 1

static struct lock sched = LOCK_INIT(RANK_SCHED), heap = LOCK_INIT(RANK_HEAP);
static struct lock chan[40], heap2 = LOCK_INIT(RANK_HEAP);

static struct lock world_lock = LOCK_INIT(RANK_WORLD);

static void falls(void *arg)
{
    (void)arg;
    lock_acquire(&heap);
    lock_acquire(&sched);
}

static void falls_by_trying(void *arg)
{
    (void)arg;
    lock_acquire(&heap);
    lock_try_acquire(&sched);
}

static void equal(void *arg)
{
    (void)arg;
    lock_acquire(&heap);
    lock_acquire(&heap2);
}

static void itself(void *arg)
{
    (void)arg;
    lock_acquire(&heap);
    lock_acquire(&heap);
}

static void multi_backwards(void *arg)
{
    (void)arg;
    lock_acquire(&chan[1]);
    lock_acquire(&chan[0]);
}

static void unranked(void *arg)
{
    (void)arg;
    struct lock l = { 0, 0 };
    lock_acquire(&l);
}

static void *acquires_sched(void *arg)
{
    lock_acquire(&sched);
    return arg;
}

static void others_lock(void *arg)
{
    (void)arg;
    pthread_create(&thread[0], NULL, acquires_sched, NULL);
    pthread_join(thread[0], NULL);
    lock_release(&sched);
}

static void outside_section(void *arg)
{
    arch_tls_set_m(arg);
    lock_acquire(&heap);
}

static void falls_beyond_the_list(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++)
        lock_acquire(&chan[i]);
    struct lock world = LOCK_INIT(RANK_WORLD);
    lock_acquire(&world);
}

TEST(violations_are_fatal_and_name_both)
{
    int m;
    expect_fatal(falls, NULL, "fatal error: lock order: SCHED (");
    expect_fatal(falls, NULL, ") acquired while holding HEAP (");
    expect_fatal(falls_by_trying, NULL, "acquired while holding HEAP (");
    expect_fatal(equal, NULL, "lock order: HEAP (");
    expect_fatal(itself, NULL, "lock order: HEAP (");
    expect_fatal(multi_backwards, NULL, "lock order: SELECT_CHAN (");
    expect_fatal(unranked, NULL, "has no rank");
    expect_fatal(others_lock, NULL, "SCHED (");
    expect_fatal(others_lock, NULL, "released by a thread that does not hold it");
    expect_fatal(outside_section, &m, "lock HEAP acquired outside a critical section");
    expect_fatal(falls_beyond_the_list, NULL, "lock order: WORLD (");
}

TEST(rising_orders_are_accepted)
{
    lock_acquire(&sched);
    lock_acquire(&heap);
    CHECK_EQ(lock_held_count(), 2);
    lock_release(&sched); // in any order
    CHECK_EQ(lock_held_count(), 1);
    lock_release(&heap);
    for (int i = 0; i < 40; i++) // more than the checker's list holds
        lock_acquire(&chan[i]);
    lock_acquire(&sched);
    CHECK_EQ(lock_held_count(), 41);
    lock_release(&sched);
    for (int i = 39; i >= 0; i--)
        lock_release(&chan[i]);
    CHECK(lock_none_held());
}

static void hold_forty(void)
{
    for (int i = 0; i < 40; i++)
        lock_acquire(&chan[i]);
}

static void falls_after_a_release_beyond_the_list(void *arg)
{
    (void)arg;
    hold_forty();
    lock_acquire(&heap);
    lock_release(&heap);
    lock_acquire(&sched);
    lock_acquire(&world_lock);
}

// What was released beyond the list's end does not forbid what may follow, and is not looked at.
TEST(released_beyond_the_list)
{
    hold_forty();
    struct lock *gone =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    lock_init(gone, RANK_HEAP);
    lock_acquire(gone);
    lock_release(gone);
    munmap(gone, 4096);
    lock_acquire(&sched); // below HEAP, above all that is held
    lock_acquire(&heap);
    lock_release(&sched); // not the deepest: HEAP is still known
    CHECK_EQ(lock_held_count(), 41);
    lock_release(&heap);
    lock_release(&chan[39]);
    lock_acquire(&chan[39]);
    for (int i = 39; i >= 0; i--)
        lock_release(&chan[i]);
    CHECK(lock_none_held());
    lock_acquire(&chan[7]); // nothing is remembered
    lock_release(&chan[7]);
    expect_fatal(falls_after_a_release_beyond_the_list, NULL, "acquired while holding SCHED (");
}

TEST(known_threads_in_critical_sections)
{
    int m;
    arch_tls_set_m(&m);
    arch_crit_enter();
    lock_acquire(&heap);
    lock_release(&heap);
    arch_crit_leave();
    struct lock world = LOCK_INIT(RANK_WORLD); // waited for in blocking state
    lock_acquire(&world);
    lock_release(&world);
    arch_tls_set_m(NULL);
}

static void rank_tests(void)
{
    for (int i = 0; i < 40; i++)
        lock_init(&chan[i], RANK_SELECT_CHAN);
    RUN(violations_are_fatal_and_name_both);
    RUN(rising_orders_are_accepted);
    RUN(released_beyond_the_list);
    RUN(known_threads_in_critical_sections);
}

#else

static void rank_tests(void)
{
}

#endif

int main(void)
{
    RUN(rank_names);
    RUN(releasing_a_free_lock_is_fatal);
    rank_tests();
    RUN(one_thread);
    RUN(exclusion_under_contention);
    RUN(every_sleeper_is_woken);
    RUN(trying_a_held_lock_fails);
    RUN(waiting_sleeps);
    return 0;
}
