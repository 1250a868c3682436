// GORTDEBUG=mutexcheck=1: pthread mutexes that goroutines hold while they park.
//
// EXPECT recv env:GORTDEBUG=mutexcheck=1 stderr=^fatal error: a goroutine waits or yields while it holds a pthread mutex \(1 of them
// EXPECT recv stderr=^receives_holding\(\.\.\.\)$
// EXPECT yield env:GORTDEBUG=mutexcheck=1 stderr=^fatal error: a goroutine waits or yields while it holds a pthread mutex \(2 of them
// EXPECT try env:GORTDEBUG=mutexcheck=1 stderr=^fatal error: a goroutine waits or yields while it holds a pthread mutex \(1 of them
// EXPECT timed env:GORTDEBUG=mutexcheck=1 stderr=^fatal error: a goroutine waits or yields while it holds a pthread mutex \(1 of them
// EXPECT end env:GORTDEBUG=mutexcheck=1 stderr=^fatal error: a goroutine ends while it holds a pthread mutex \(1 of them
// EXPECT after env:GORTDEBUG=mutexcheck=1 exit=0 stdout=^passed$
// EXPECT locked env:GORTDEBUG=mutexcheck=1 exit=0 stdout=^passed$
// EXPECT attached env:GORTDEBUG=mutexcheck=1 exit=0 stdout=^passed$
// EXPECT recv-unchecked env:GORTDEBUG=mutexcheck=0 exit=0 stdout=^passed$
// TEST skip=asan,tsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "../listed.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static gort_chan(int) c;

static void send_one(void *arg)
{
    (void)arg;
    gort_sleep(GORT_MS);
    gort_send(c, 1);
}

NOINLINE static void receives(void)
{
    gort_go(send_one, NULL);
    gort_recv(c, NULL);
    RETURN_HERE();
}

NOINLINE static void receives_holding(void)
{
    pthread_mutex_lock(&mutex);
    receives();
    pthread_mutex_unlock(&mutex);
    RETURN_HERE();
}

static void case_yield(void)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&other);
    gort_yield();
}

static void case_try(void)
{
    if (pthread_mutex_trylock(&mutex) != 0) abort();
    if (pthread_mutex_trylock(&mutex) != EBUSY) abort(); // is not counted
    gort_sleep(GORT_MS);
}

static void case_timed(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    if (pthread_mutex_timedlock(&mutex, &until) != 0) abort();
    gort_sleep(GORT_MS);
}

static void end_holding(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&mutex);
}

static void case_after(void)
{
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_lock(&other);
        pthread_mutex_unlock(&mutex);
        pthread_mutex_unlock(&other);
        receives();
    }
}

static void case_locked(void)
{
    gort_lock_thread();
    receives_holding();
    gort_unlock_thread();
}

static void *attached(void *arg)
{
    if (gort_thread_attach() != 0) abort();
    receives_holding();
    gort_thread_detach();
    return arg;
}

static void join(void *t)
{
    pthread_join(*(pthread_t *)t, NULL);
}

static void case_attached(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, attached, NULL) != 0) abort();
    gort_blocking(join, &t);
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    gort_set(&c, gort_chan_make(int, 0));
    if (strncmp(name, "recv", 4) == 0) receives_holding();
    if (strcmp(name, "yield") == 0) case_yield();
    if (strcmp(name, "try") == 0) case_try();
    if (strcmp(name, "timed") == 0) case_timed();
    if (strcmp(name, "end") == 0) {
        gort_go(end_holding, NULL);
        wait_for_the_end();
    }
    if (strcmp(name, "after") == 0) case_after();
    if (strcmp(name, "locked") == 0) case_locked();
    if (strcmp(name, "attached") == 0) case_attached();
    puts("passed");
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
