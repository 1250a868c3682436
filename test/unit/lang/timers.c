// What timers do between two steps of others: a channel's timer that was stopped after it left its
// heap and before it fires; arguments that enter and leave records while marking.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gc/barrier.h"
#include "gort/chan.h"
#include "gort/go.h"
#include "gort/time.h"
#include "lang/timer.h"
#include "lang/timer_chan.h"
#include "sched/timer.h"

#define HOUR (3600 * GORT_S)

// ---- stopped on its way -------------------------------------------------------------------------

struct stopper {
    struct timer timer;
    struct hchan *c;
    int64_t when; // what it sets the channel's timer to
    bool was_active;
    uint32_t ran; // atomic
};

// Fires in the same batch as the channel's timer, just before it.
static void set_before(struct timer *t, struct ready_list *ready)
{
    struct stopper *s = t->arg;
    (void)ready;
    s->was_active = timer_chan_set(s->c, s->when, 0);
    __atomic_store_n(&s->ran, 1, __ATOMIC_RELEASE);
}

struct waiter {
    struct hchan *c;
    int64_t until;
    int result;
    uint32_t done; // atomic
};

static void wait_until(void *arg)
{
    struct waiter *w = arg;
    gort_case k = { .ch = w->c, .kind = GORT_CASE_RECV };
    w->result = gort_select_until(&k, 1, w->until);
    __atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
}

// false: it had fired before.
static bool set_on_its_way(int64_t when, int expected)
{
    int64_t due = gort_now() + 2 * GORT_MS, longest = expected < 0 ? 20 * GORT_MS : HOUR;
    struct waiter w = { .c = timer_chan_make(due, 0), .until = due + longest };
    struct stopper s = { .c = w.c, .when = when };
    gort_go(wait_until, &w);
    for (int i = 0; i < 10; i++)
        gort_yield();
    while (gort_now() <= due)
        ;
    s.timer = (struct timer){ .when = 1, .fn = set_before, .arg = &s, .late = true };
    (void)timer_add(p_pin(), &s.timer);
    p_unpin();
    while (!__atomic_load_n(&w.done, __ATOMIC_ACQUIRE) ||
           !__atomic_load_n(&s.ran, __ATOMIC_ACQUIRE))
        gort_sleep(GORT_MS / 2); // w may have been served before the timer was added
    CHECK_EQ(w.result, s.was_active ? expected : 0);
    return s.was_active;
}

static void stopped_on_its_way(void)
{
    while (!set_on_its_way(0, -1)) // this thread was kept from running, and its P taken
        ;
}

static void put_off_on_its_way(void)
{
    while (!set_on_its_way(gort_now() + HOUR, -1))
        ;
    while (!set_on_its_way(gort_now() + 8 * GORT_MS, 0)) // armed again by the one that fires
        ;
}

// ---- a decided select ---------------------------------------------------------------------------

struct either {
    struct hchan *timer;
    gort_chan(int) other;
    int chosen;
    uint32_t done; // atomic
};

static void wait_for_either(void *arg)
{
    struct either *e = arg;
    int v;
    gort_case k[] = { { .ch = e->timer, .kind = GORT_CASE_RECV }, gort_on_recv(e->other, &v) };
    e->chosen = gort_select(k, 2);
    __atomic_store_n(&e->done, 1, __ATOMIC_RELEASE);
}

// A select that another channel decided, and that has not run since, leaves the tick to others.
// false: the time had come before.
static bool taken_beside_a_decided_select(void)
{
    int64_t due = gort_now() + 2 * GORT_MS, v = 0;
    struct either e = { timer_chan_make(due, 0), gort_chan_make(int, 0), -1, 0 };
    gort_go(wait_for_either, &e);
    for (int i = 0; i < 10; i++)
        gort_yield();
    bool decided = gort_try_send(e.other, 1);
    while (gort_now() <= due)
        ;
    int got = decided ? chan_try_recv(e.timer, &v) : GORT_GOT;
    while (!__atomic_load_n(&e.done, __ATOMIC_ACQUIRE))
        gort_yield();
    CHECK_EQ(got, GORT_GOT);
    CHECK_EQ(e.chosen, decided);
    if (decided) CHECK_EQ(v, due);
    return decided;
}

static void a_decided_select_does_not_wait(void)
{
    while (!taken_beside_a_decided_select())
        ;
}

// ---- arguments while marking --------------------------------------------------------------------

static uintptr_t seen[4096];
static uint32_t nseen, called; // called: atomic

static void observe(const uintptr_t *words, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (words[i] != 0 && nseen < 4096) seen[nseen++] = words[i];
}

static void switch_barrier(void *on)
{
    struct stop_result r;
    world_stop(STOP_TEST, &r);
    if (!*(bool *)on) barrier_flush_all_stw();
    barrier_set_stw(*(bool *)on);
    world_start();
}

static void begin(void)
{
    bool on = true;
    nseen = 0;
    barrier_observer = observe;
    call_on_system_stack(switch_barrier, &on);
}

static int end(const void *value)
{
    bool off = false;
    int n = 0;
    call_on_system_stack(switch_barrier, &off);
    for (uint32_t i = 0; i < nseen; i++)
        n += seen[i] == (uintptr_t)value;
    return n;
}

static void count_call(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&called, 1, __ATOMIC_RELEASE);
}

static void arguments_are_told(void)
{
    uint64_t *arg = gort_alloc(64);
    timers_init(); // otherwise boot does it
    begin();
    gort_timer *t = gort_timer_func(HOUR, count_call, arg);
    CHECK_EQ(end(arg), 1);
    begin();
    CHECK(gort_timer_reset(t, HOUR)); // the record stays
    CHECK_EQ(end(arg), 0);
    CHECK(gort_timer_reset(t, 0));
    begin();
    while (__atomic_load_n(&called, __ATOMIC_ACQUIRE) == 0)
        gort_yield();
    CHECK_GE(end(arg), 1);
    gort_keep_alive(arg);
}

int main(void)
{
    RUN_ON(stopped_on_its_way, 1);
    RUN_ON(put_off_on_its_way, 1);
    RUN_ON(a_decided_select_does_not_wait, 1);
    RUN_ON(arguments_are_told, 1);
    return 0;
}
