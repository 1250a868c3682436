// Locks and wait groups that many goroutines use at once.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#define OUTSIDE 10 // steps of work that do not need the lock, for each that does

static int turns;        // of each goroutine
static uint64_t counter; // under the lock
static uint64_t wasted[64 * 8];

static uint64_t work(uint64_t value)
{
    for (int i = 0; i < OUTSIDE; i++)
        value = tasks_mix(value, (uint64_t)i);
    return value;
}

static void contend(void (*fn)(void *), int total)
{
    int n = tasks_number();
    turns = tasks_count(total) / n;
    tasks_begin();
    tasks_join(n, fn);
    tasks_end((double)turns * n);
}

// ---- mutex: a counter ----

static gort_mutex mutex;

static void count(void *arg)
{
    uint64_t value = (uint64_t)(intptr_t)arg;
    for (int i = 0; i < turns; i++) {
        gort_mutex_lock(&mutex);
        counter++;
        gort_mutex_unlock(&mutex);
        value = work(value);
    }
    wasted[(intptr_t)arg * 8] = value;
}

void mutex_run(void)
{
    contend(count, 4000000);
    tasks_check(counter << 12);
}

// ---- rwmutex: reads ----

static gort_rwmutex rwmutex;

static void read_it(void *arg)
{
    uint64_t value = (uint64_t)(intptr_t)arg, seen = 0;
    for (int i = 0; i < turns; i++) {
        gort_rwmutex_rlock(&rwmutex);
        seen += __atomic_load_n(&counter, __ATOMIC_RELAXED);
        gort_rwmutex_runlock(&rwmutex);
        value = work(value);
    }
    wasted[(intptr_t)arg * 8] = value + seen;
}

void rwmutex_run(void)
{
    contend(read_it, 4000000);
    tasks_check((uint64_t)turns << 12);
}

// ---- wait group: goroutines that are waited for, over and over ----

static void nothing(void *arg)
{
    gort_waitgroup_done(arg);
}

static void wait_for_some(void *arg)
{
    static gort_waitgroup groups[64 * 4];
    gort_waitgroup *done = &groups[(intptr_t)arg * 4];
    for (int i = 0; i < turns; i++) {
        gort_waitgroup_add(done, 4);
        for (int k = 0; k < 4; k++)
            gort_go(nothing, done);
        gort_waitgroup_wait(done);
    }
}

void waitgroup_run(void)
{
    contend(wait_for_some, 400000);
    tasks_check((uint64_t)turns << 12);
}
