// Timers and the collector: what nothing points to dies, set or not; what is still to be called
// lives, with its argument.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST timeout=120
#include "gc_util.h"

#include "../goroutines.h"

#define HOUR (3600 * GORT_S)

enum { N = 400 };

// ---- the dead -----------------------------------------------------------------------------------

static uint64_t live_objects(void)
{
    gort_stats s;
    gort_gc();
    gort_gc();
    gort_read_stats(&s);
    return s.mallocs - s.frees;
}

enum what { AFTER, MAKE, MAKE_STOP, FUNC_STOP, TICKER, TICKER_STOP, WHATS };
static const char *const what_names[] = { "after",         "make",   "make, stopped",
                                          "func, stopped", "ticker", "ticker, stopped" };

static void no_call(void *arg)
{
    (void)arg;
    CHECK(!"called");
}

static void make_one(enum what what)
{
    gort_timer *t = NULL;
    gort_chan(int64_t) c = NULL;
    if (what == AFTER) c = gort_after(HOUR);
    if (what == MAKE || what == MAKE_STOP) t = gort_timer_make(HOUR);
    if (what == FUNC_STOP) t = gort_timer_func(HOUR, no_call, NULL);
    if (what == TICKER || what == TICKER_STOP) t = gort_ticker_make(HOUR)->timer;
    if (what == MAKE_STOP || what == FUNC_STOP || what == TICKER_STOP) CHECK(gort_timer_stop(t));
    (void)c;
}

static void make_many(void *arg)
{
    for (int i = 0; i < N; i++)
        make_one(*(enum what *)arg);
}

TEST(what_nobody_has_dies)
{
    for (enum what w = 0; w < WHATS; w++) {
        uint64_t before = live_objects();
        on_goroutine(make_many, &w);
        uint64_t after = live_objects();
        if (after >= before + N / 4)
            test_fail(__FILE__, __LINE__, what_names[w], "they were not collected");
    }
}

// Somebody waited for them, beside something else that came.
static void wait_for_both(void *arg)
{
    (void)arg;
    for (int i = 0; i < N; i++) {
        gort_ticker *t = gort_ticker_make(HOUR);
        gort_case cases[] = { gort_on_recv(gort_after(i % 2 ? GORT_US : 0), NULL),
                              gort_on_recv(t->c, NULL), gort_on_recv(gort_after(HOUR), NULL) };
        CHECK_EQ(gort_select(cases, 3), 0);
    }
}

TEST(what_nobody_waits_for_any_more_dies)
{
    uint64_t before = live_objects();
    on_goroutine(wait_for_both, NULL);
    CHECK_LT(live_objects(), before + N / 4);
}

// ---- the living ---------------------------------------------------------------------------------

static int called;        // atomic
static uint64_t call_sum; // atomic

static void call(void *arg)
{
    witness *w = arg;
    CHECK_EQ(w->mark, w->id ^ 0x5a5a5a5a);
    __atomic_add_fetch(&call_sum, w->id, __ATOMIC_RELAXED);
    ADD(&called, 1);
}

static int64_t delay_of(int i)
{
    return i % 5 * GORT_MS;
}

static void set_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < N; i++)
        (void)gort_timer_func(delay_of(i), call, witness_new((uint32_t)i));
}

// Only the timer has the argument; and nobody has the timer.
TEST(arguments_live_until_the_call)
{
    witness_reset();
    called = 0;
    call_sum = 0;
    on_goroutine(set_many, NULL);
    for (int i = 0; i < 3; i++) {
        gort_gc();
        CHECK_LE(LOAD(&witness_deaths), (uint32_t)LOAD(&called)); // first called, then dead
    }
    WAIT_FOR(LOAD(&called) == N);
    CHECK_EQ(call_sum, (uint64_t)N * (N - 1) / 2);
}

TEST(arguments_die_after_the_call)
{
    collect_until(N - N / 4);
    CHECK_GE(LOAD(&witness_deaths), N - N / 4);
}

// What is stopped keeps its argument by the handle, for it may be set anew.
static gort_timer *kept[N];

static void keep_stopped(void *arg)
{
    (void)arg;
    for (int i = 0; i < N; i++) {
        gort_set(&kept[i], gort_timer_func(HOUR, call, witness_new((uint32_t)i)));
        CHECK(gort_timer_stop(kept[i]));
    }
}

TEST(a_handle_keeps_the_argument)
{
    witness_reset();
    called = 0;
    on_goroutine(keep_stopped, NULL);
    gort_gc();
    gort_gc();
    CHECK_EQ(LOAD(&witness_deaths), 0);
    for (int i = 0; i < N; i++)
        CHECK(!gort_timer_reset(kept[i], 0));
    WAIT_FOR(LOAD(&called) == N);
    for (int i = 0; i < N; i++)
        gort_set(&kept[i], (gort_timer *)NULL);
}

// Memory of records is used again: a stale handle stops nobody else's timer.
TEST(a_stale_handle_stops_nothing)
{
    called = 0;
    witness_reset();
    gort_timer *stale = gort_timer_func(0, call, witness_new(1));
    WAIT_FOR(LOAD(&called) == 1);
    for (int i = 0; i < 100; i++)
        (void)gort_timer_func(2 * GORT_MS, call, witness_new(1));
    for (int i = 0; i < 100; i++)
        CHECK(!gort_timer_stop(stale));
    WAIT_FOR(LOAD(&called) == 101);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(what_nobody_has_dies);
    RUN(what_nobody_waits_for_any_more_dies);
    RUN(arguments_live_until_the_call);
    RUN(arguments_die_after_the_call);
    RUN(a_handle_keeps_the_argument);
    RUN(a_stale_handle_stops_nothing);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
