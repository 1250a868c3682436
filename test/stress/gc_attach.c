// Threads with large thread-locals, and stacks that are unmapped when they end, attach and detach
// while others collect: thread-locals are read only while their thread is there.
// TEST notmodes=determ
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>

#include "../test.h"

enum { SPAWNERS = 3, STACK_BYTES = 60 << 20 }; // too large for the C library's cache of stacks

static __thread char large[1 << 20];
static uint32_t stop; // atomic
static uint32_t attached;

static void *attach(void *unused)
{
    large[5] = 1;
    CHECK_EQ(gort_thread_attach(), 0);
    gort_thread_detach();
    __atomic_fetch_add(&attached, 1, __ATOMIC_RELAXED);
    return unused;
}

static void *spawn(void *unused)
{
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, STACK_BYTES);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        pthread_t t;
        CHECK_EQ(pthread_create(&t, &a, attach, NULL), 0);
        CHECK_EQ(pthread_join(t, NULL), 0);
    }
    pthread_attr_destroy(&a);
    return unused;
}

static int gort_main(int argc, char **argv)
{
    pthread_t t[SPAWNERS];
    (void)argc;
    (void)argv;
    for (int i = 0; i < SPAWNERS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, spawn, NULL), 0);
    uint32_t enough = (uint32_t)test_count(3000);
    while (__atomic_load_n(&attached, __ATOMIC_RELAXED) < enough)
        gort_gc();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    gort_enter_blocking();
    for (int i = 0; i < SPAWNERS; i++)
        pthread_join(t[i], NULL);
    gort_exit_blocking();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
