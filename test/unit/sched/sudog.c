// Waiter records: each is somebody's once, they go from P to P, and their memory goes back.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "sched_test.h"

enum { MANY = 20000, WORKERS = 16 };

static struct group group;

static void acquire(struct sudog **out, int n)
{
    struct g *g = g_self();
    for (int i = 0; i < n; i++) {
        crit_enter();
        out[i] = sudog_acquire(g);
        crit_exit();
        CHECK(out[i]->g == NULL && out[i]->object == NULL && out[i]->wait_link == NULL);
        out[i]->g = g;
        out[i]->object = &out[i];
    }
}

static void release(struct sudog **records, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_PTR_EQ(records[i]->object, &records[i]);
        crit_enter();
        sudog_release(records[i]);
        crit_exit();
    }
}

static void stop_and_flush(void *unused)
{
    (void)unused;
    world_stop(STOP_TEST, NULL);
    for (int i = 0; i < p_count(); i++)
        sudogs_flush_stw(p_at(i));
    world_start();
}

static void flush_and_trim(void)
{
    bool some;
    call_on_system_stack(stop_and_flush, NULL);
    do {
        crit_enter();
        some = sudogs_trim();
        crit_exit();
    } while (some);
}

static void a_burst_goes_back(void)
{
    static struct sudog *records[MANY];
    uint64_t meta = sched_meta_bytes();
    acquire(records, MANY);
    CHECK_PTR_EQ(records[0], &g_self()->sudog0);
    CHECK_GE(sudogs_bytes(), (MANY - 1) * sizeof(struct sudog));
    CHECK_LT(sched_meta_bytes() - meta - sudogs_bytes(), 64 * KB); // threads have records too
    release(records, MANY / 2);
    flush_and_trim();
    CHECK_GE(sudogs_bytes(), MANY / 2 * sizeof(struct sudog)); // what is used stays
    CHECK_LE(sudogs_bytes(), MANY / 2 * sizeof(struct sudog) + 3 * 64 * KB);
    acquire(records, MANY / 2);
    release(records, MANY);
    flush_and_trim();
    CHECK_EQ(sudogs_bytes(), 64 * KB);
    CHECK_LT(sched_meta_bytes() - meta - sudogs_bytes(), 64 * KB); // threads have records too
    CHECK_GE(sudogs_trimmed(), 2 * (MANY / 2 * sizeof(struct sudog) - 3 * 64 * KB));
}

// Acquired on one P, released on another, while chunks are trimmed.
static void wander(void *unused)
{
    struct sudog *records[200];
    uint64_t seed = test_seed() + (uintptr_t)unused;
    for (int64_t k = 0; k < test_count(300); k++) {
        int n = 1 + (int)(test_random(&seed) % 200);
        acquire(records, n);
        g_yield();
        release(records, n);
        if (k % 16 == 0) flush_and_trim();
    }
    group_done(&group);
}

static void they_wander(void)
{
    group.left = WORKERS;
    for (uintptr_t i = 0; i < WORKERS; i++)
        g_start(wander, (void *)i, NULL, 0);
    group_wait(&group);
    flush_and_trim();
    CHECK_EQ(sudogs_bytes(), 64 * KB);
}

int main(void)
{
    test_seed();
    RUN_ALL(a_burst_goes_back);
    RUN_ALL(they_wander);
    return 0;
}
