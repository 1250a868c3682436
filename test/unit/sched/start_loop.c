// The loop of a thread never ends. If it does, by whatever mistake, its P and all that waits there
// would be lost without a word: it is fatal, on threads of the runtime's and on attached ones.
// TEST wrap=m_loop
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "../../expect_fatal.h"
#include "sched_test.h"

static uint32_t calls;      // atomic
static uint32_t returns_at; // the call of the loop that returns; 0: that of an attached thread

// The linker puts these in place of calls of m_loop, and in place of it.
void __wrap_m_loop(void *m);
void __real_m_loop(void *m);

void __wrap_m_loop(void *arg)
{
    const struct m *m = arg;
    uint32_t call = atomic_fetch_add_relaxed(&calls, 1) + 1;
    if (returns_at == 0 ? m->attached : call == returns_at) return;
    __real_m_loop(arg);
}

static void others(void *unused)
{
    (void)unused;
    for (;;)
        g_yield();
}

static void *attaches(void *arg)
{
    CHECK_EQ(m_attach(), 0);
    for (;;)
        g_sleep(1000000);
    return arg;
}

static void main_goroutine(void)
{
    pthread_t t;
    for (int i = 0; i < 4; i++)
        g_start(others, NULL, NULL, 0);
    if (returns_at == 0) CHECK_EQ(pthread_create(&t, NULL, attaches, NULL), 0);
    others(NULL);
}

static void run(void *call)
{
    returns_at = (uint32_t)(uintptr_t)call;
    sched_test_run(main_goroutine, 2);
}

#define OF_A_THREAD "fatal error: the scheduler's loop of a thread has returned"

TEST(of_the_first_thread)
{
    expect_fatal(run, (void *)1, OF_A_THREAD);
}

TEST(of_a_later_one)
{
    expect_fatal(run, (void *)2, OF_A_THREAD);
}

TEST(of_an_attached_one)
{
    expect_fatal(run, NULL, "fatal error: entry function of a context returned");
}

int main(void)
{
    RUN(of_the_first_thread);
    RUN(of_a_later_one);
    RUN(of_an_attached_one);
    return 0;
}
