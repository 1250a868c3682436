// Why each P has a queue of its own: goroutines that do a little work and yield, and start others,
// with per-P queues and, by GORTDEBUG=migrate=2, with the global one alone.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#define GOROUTINES 256
#define WORK 25

static int turns;
static uint64_t sums[GOROUTINES];

static void work_and_yield(void *arg)
{
    uint64_t value = (uint64_t)(intptr_t)arg;
    for (int i = 0; i < turns; i++) {
        for (int k = 0; k < WORK; k++)
            value = tasks_mix(value, (uint64_t)k);
        gort_yield();
    }
    sums[(intptr_t)arg] = value;
}

void queues_run(void)
{
    uint64_t sum = 0;
    turns = tasks_count(10000);
    tasks_begin();
    tasks_join(GOROUTINES, work_and_yield);
    tasks_end((double)turns * GOROUTINES);
    for (int i = 0; i < GOROUTINES; i++)
        sum = tasks_mix(sum, sums[i]);
    tasks_check(sum);
}
