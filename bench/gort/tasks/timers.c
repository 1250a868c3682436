// Timers: a million functions set to times of half a second, and called; and how late goroutines
// that sleep wake up, while others compute and yield.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#define TIMERS 1000000
#define FIRST_NS (200 * GORT_MS)
#define SPREAD_NS (500 * GORT_MS)

#define SLEEPERS 200
#define BUSY 8 // goroutines that compute
#define TURN 4000
#define SLEEP_MAX_NS (5 * GORT_MS)

static int calls; // atomic

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void count_call(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
}

void timers_run(void)
{
    int n = tasks_count(TIMERS);
    uint64_t random = 88172645463325252u;
    tasks_begin();
    for (int i = 0; i < n; i++)
        gort_timer_func(FIRST_NS + (int64_t)(next_random(&random) % SPREAD_NS), count_call, NULL);
    while (__atomic_load_n(&calls, __ATOMIC_RELAXED) != n)
        gort_sleep(GORT_MS);
    tasks_end(n);
    tasks_check((uint64_t)n << 12);
}

// ---- lateness -----------------------------------------------------------------------------------

static double *late;             // microseconds
static int rounds, still_asleep; // the latter atomic

static void sleep_often(void *arg)
{
    intptr_t id = (intptr_t)arg;
    uint64_t random = 0x9E3779B97F4A7C15u * ((uint64_t)id + 1);
    for (int i = 0; i < rounds; i++) {
        int64_t ns = (int64_t)(next_random(&random) % SLEEP_MAX_NS), begin = gort_now();
        gort_sleep(ns);
        late[id * rounds + i] = (double)(gort_now() - begin - ns) / 1e3;
    }
    __atomic_fetch_sub(&still_asleep, 1, __ATOMIC_RELAXED);
}

static void compute(void *arg)
{
    volatile uint64_t value = (uint64_t)(intptr_t)arg;
    while (__atomic_load_n(&still_asleep, __ATOMIC_RELAXED) != 0) {
        for (int k = 0; k < TURN; k++)
            value = tasks_mix(value, (uint64_t)k);
        gort_yield();
    }
}

static void sleep_or_compute(void *arg)
{
    if ((intptr_t)arg < SLEEPERS)
        sleep_often(arg);
    else
        compute(arg);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void lateness_run(void)
{
    rounds = tasks_count(400);
    still_asleep = SLEEPERS;
    size_t n = (size_t)rounds * SLEEPERS;
    late = calloc(n, sizeof *late);
    if (late == NULL) tasks_fail("no memory");
    tasks_begin();
    tasks_join(SLEEPERS + BUSY, sleep_or_compute);
    tasks_end((double)n);
    qsort(late, n, sizeof *late, by_value);
    tasks_figure("p50", late[n / 2]);
    tasks_figure("p99", late[n - n / 100]);
    free(late);
    tasks_check((uint64_t)n << 12);
}
