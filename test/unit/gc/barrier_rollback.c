// A store is logged exactly when it takes effect while barriers are on, wherever a stop meets the
// thread; and that is the roll-back's doing: without it, stores are lost.
//
// Several goroutines store rising numbers into a slot each, in tight loops. The main goroutine
// stops the world again and again, turns the flag on, lets them run, stops them and turns it off.
// Between the two stops a slot's number rose by as many as were logged for it, or a store went past
// the log.
//
// Looks inside the library, so it stands here and not in test/stress.
// TEST serial
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/barrier.h"
#include "gc_test.h"
#include "gort/inline.h"

#define SECOND INT64_C(1000000000)
enum { WRITERS = 3, ID_SHIFT = 40 };
#define NUMBER(word) ((uintptr_t)(word) & ((UINT64_C(1) << ID_SHIFT) - 1))

static struct {
    void *slot;
    uint64_t logged; // atomic
    uint64_t stores, before, logged_before;
    char pad[64];
} writer[WRITERS];

static uint32_t quit; // atomic
static struct group group;
static uint64_t violations, phases, stores_logged;
static bool same_slot_exchange; // writers use gort_exchange_raw at times: the other barriered store

static void observe(const uintptr_t *words, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 2) {
        uintptr_t id = words[i + 1] >> ID_SHIFT;
        CHECK_LT(id, WRITERS);
        atomic_fetch_add_relaxed(&writer[id].logged, 1);
    }
}

static void write_for_ever(void *arg)
{
    uintptr_t id = (uintptr_t)arg, n = 0;
    void **slot = &writer[id].slot;
    *slot = (void *)(id << ID_SHIFT);
    while (!atomic_load_relaxed(&quit)) {
        for (int i = 0; i < 256; i++)
            gort_store_pointer(slot, (void *)(id << ID_SHIFT | ++n));
        if (same_slot_exchange) gort_exchange_raw(slot, (void *)(id << ID_SHIFT | ++n));
        if (n % (256 << 10) < 256) g_yield();
    }
    writer[id].stores = n;
    group_done(&group);
}

static void turn_on(void *unused)
{
    (void)unused;
    world_stop(STOP_TEST, NULL);
    barrier_flush_all_stw();
    for (int i = 0; i < WRITERS; i++) {
        writer[i].before = NUMBER(writer[i].slot);
        writer[i].logged_before = writer[i].logged;
    }
    barrier_set_stw(true);
    world_start();
}

static void turn_off(void *unused)
{
    (void)unused;
    world_stop(STOP_TEST, NULL);
    barrier_flush_all_stw();
    for (int i = 0; i < WRITERS; i++) {
        uint64_t stored = NUMBER(writer[i].slot) - writer[i].before;
        uint64_t logged = writer[i].logged - writer[i].logged_before;
        stores_logged += logged;
        if (stored != logged) violations++;
    }
    barrier_set_stw(false);
    world_start();
}

static void pause_a_little(uint64_t *rnd)
{
    int64_t until = test_now_ns() + (int64_t)(test_random(rnd) % 60000);
    while (test_now_ns() < until)
        g_yield();
}

static uint64_t rolled(void)
{
    uint64_t n = 0;
    for (struct m *m = m_all(); m != NULL; m = m->all_next)
        n += m->ranges_rolled;
    return n;
}

// Until `enough` says so: when enough has been shown, however long that takes.
static void toggle(bool (*enough)(int64_t started))
{
    uint64_t rnd = test_seed();
    int64_t started = test_now_ns();
    group.left = WRITERS;
    barrier_observer = observe;
    for (uintptr_t i = 0; i < WRITERS; i++)
        go(write_for_ever, (void *)i);
    while (!enough(started)) {
        call_on_system_stack(turn_on, NULL);
        pause_a_little(&rnd);
        call_on_system_stack(turn_off, NULL);
        pause_a_little(&rnd);
        phases++;
    }
    atomic_store_relaxed(&quit, 1);
    group_wait(&group);
}

static bool enough_met(int64_t started)
{
    int64_t t = test_now_ns() - started;
    return violations != 0 || (t > 3 * SECOND && rolled() >= 20 && stores_logged > 0);
}

static void no_store_is_lost(void)
{
    toggle(enough_met);
    CHECK_EQ(violations, 0);
    struct barrier_counts c;
    barrier_read_counts(&c);
    CHECK_EQ(c.logged, 2 * stores_logged);
}

static void nor_an_exchange(void)
{
    same_slot_exchange = true;
    no_store_is_lost();
}

static bool enough_lost(int64_t started)
{
    (void)started;
    return violations != 0; // the time limit is the other end
}

static void without_roll_back_stores_are_lost(void)
{
    preempt_disable_rollback = true;
    toggle(enough_lost);
}

int main(void)
{
    RUN_ON(no_store_is_lost, 4);
    RUN_ON(nor_an_exchange, 2);
    RUN_ON(without_roll_back_stores_are_lost, 4);
    return 0;
}
