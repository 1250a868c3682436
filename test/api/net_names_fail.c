// Names when no thread can be made to look them up: every lookup fails, also those that come while
// others' threads are being made; when the first thread is there, all are answered.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST skip=asan,tsan modes=none timeout=120
#define _GNU_SOURCE
#include "../goroutines.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

enum { SPARE = 40, LOOKUPS = 24 }; // more than resolve.c makes threads

static int failing; // atomic
static int refused; // atomic

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (LOAD(&failing)) {
        usleep(5000); // as many as may be under way at once are
        ADD(&refused, 1);
        return EAGAIN;
    }
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(t, a, fn, arg);
}

static int done; // atomic

static void block(void *unused)
{
    (void)unused;
    gort_enter_blocking();
    usleep(50000);
    gort_exit_blocking();
    ADD(&done, 1);
}

// Threads for goroutines that block, which the runtime keeps: it shall need no others.
static void make_spare_threads(void)
{
    for (int i = 0; i < SPARE; i++)
        gort_go(block, NULL);
    WAIT_FOR(LOAD(&done) == SPARE);
}

static void look_up(void *error)
{
    errno = 0;
    CHECK_EQ(gort_dial("tcp", "nowhere.invalid:1", 0), -1);
    *(int *)error = errno;
    ADD(&done, 1);
}

static void look_all_up(int error[LOOKUPS])
{
    STORE(&done, 0);
    for (int i = 0; i < LOOKUPS; i++)
        gort_go(look_up, &error[i]);
    WAIT_FOR(LOAD(&done) == LOOKUPS);
}

TEST(nobody_waits_for_a_thread_that_is_not_made)
{
    static int error[LOOKUPS];
    STORE(&failing, 1);
    look_all_up(error);
    STORE(&failing, 0);
    CHECK_GT(LOAD(&refused), 0);
    for (int i = 0; i < LOOKUPS; i++)
        CHECK_EQ(error[i], EAGAIN);
    look_all_up(error);
    for (int i = 0; i < LOOKUPS; i++)
        CHECK(error[i] == ENOENT || error[i] == EAGAIN); // no such host, or no server of names
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    make_spare_threads();
    RUN(nobody_waits_for_a_thread_that_is_not_made);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
