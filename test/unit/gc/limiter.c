// The CPU limiter's bucket, and the times that flow into it.
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "base/atomic.h"
#include "gc/limiter.h"

#include "../../test.h"

#define PROCS 14
#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static struct limiter l;
static int64_t now;
static uint64_t cycle;

static void fresh(int procs)
{
    now = 5 * SECOND;
    cycle = 0;
    limiter_init(&l, now, procs);
    CHECK_EQ(l.fill, 0);
    CHECK(!limiter_limiting(&l));
}

static void checked(void)
{
    const char *fault = limiter_fault(&l);
    if (fault != NULL) test_fail(__FILE__, __LINE__, fault, NULL);
}

// Time goes by in which all Ps together assist and idle for such parts of it.
static void pass(int64_t ns, double assist, double idle)
{
    double all = (double)ns * l.procs;
    now += ns;
    limiter_update(&l, now,
                   (struct limiter_times){ (int64_t)(assist * all), (int64_t)(idle * all) });
    checked();
}

static void transition(int64_t before, int64_t stopped, bool marking)
{
    now += before;
    limiter_begin(&l, now, (struct limiter_times){ 0, 0 }, marking, ++cycle);
    now += stopped;
    limiter_end(&l, now);
    checked();
}

TEST(the_program_alone_never_fills_it)
{
    fresh(PROCS);
    CHECK_EQ(l.capacity, PROCS * SECOND);
    pass(10 * MS, 0, 0);
    pass(SECOND, 0, 0);
    pass(3600 * SECOND, 0, 0.3);
    CHECK_EQ(l.fill, 0);
}

TEST(updates_are_due_by_the_clock)
{
    fresh(PROCS);
    CHECK(!limiter_due(&l, now + 5 * MS, LIMITER_PERIOD_NS));
    CHECK(!limiter_due(&l, now + 10 * MS, LIMITER_PERIOD_NS));
    CHECK(limiter_due(&l, now + 10 * MS + 1, LIMITER_PERIOD_NS));
    pass(15 * MS, 0, 0);
    CHECK(!limiter_due(&l, now, LIMITER_PERIOD_NS));
}

TEST(stops_count_in_full)
{
    fresh(PROCS);
    transition(109 * MS, 2 * MS + 1000, true);
    CHECK_EQ(l.fill, PROCS * (2 * MS + 1000));
    CHECK(l.marking);
    // The background's quarter against the other three: half of the time drains.
    pass(2 * MS, 0, 0);
    CHECK_EQ(l.fill, PROCS * (MS + 1000));
    pass(SECOND, 0, 0);
    CHECK_EQ(l.fill, 0);
    transition(MS, 3 * MS, false);
    CHECK(!l.marking);
    CHECK_EQ(l.fill, PROCS * 3 * MS);
}

TEST(half_changes_nothing)
{
    fresh(PROCS);
    transition(0, MS, true);
    uint64_t fill = l.fill;
    pass(10 * MS, 0.25, 0); // the background's quarter, and another
    CHECK_EQ(l.fill, fill);
    pass(10 * MS, 0.375, 0); // five eighths: a quarter of the time more than half
    CHECK_EQ(l.fill, fill + PROCS * 10 * MS / 4);
}

TEST(idle_time_is_nobodys)
{
    fresh(4);
    transition(0, MS, true);
    uint64_t fill = l.fill;
    // Half idle: of the other half the background's quarter is one half.
    pass(10 * MS, 0, 0.5);
    CHECK_EQ(l.fill, fill);
    pass(10 * MS, 0.125, 0.5);
    CHECK_EQ(l.fill, fill + 4 * 10 * MS / 4);
    // More idle time than there was: as all of it.
    fill = l.fill;
    pass(MS, 0, 2);
    CHECK_EQ(l.fill, fill + 4 * MS / 2);
}

TEST(it_limits_when_full_and_stops_when_it_drains)
{
    fresh(PROCS);
    transition(0, 0, true);
    pass(SECOND - MS, 0.75, 0);
    CHECK(!limiter_limiting(&l));
    pass(MS, 0.75, 0);
    CHECK(limiter_limiting(&l));
    CHECK_EQ(l.fill, l.capacity);
    CHECK_EQ(l.overflow, 0);
    pass(SECOND, 0.25, 0); // half: stays
    CHECK(limiter_limiting(&l));
    CHECK_EQ(l.overflow, 0);
    pass(SECOND, 0.75, 0); // overflows
    CHECK_EQ(l.overflow, PROCS * SECOND);
    pass(2 * MS, 0, 0);
    CHECK(!limiter_limiting(&l));
    CHECK_EQ(l.fill, l.capacity - PROCS * MS);
    // Room for 1 ms of full use.
    pass(MS, 0.75, 0);
    CHECK(limiter_limiting(&l));
    transition(0, MS, false);
    CHECK_EQ(l.overflow, PROCS * (SECOND + MS));
    pass(3600 * SECOND, 0, 0);
    CHECK_EQ(l.fill, 0);
    // And no credit for the hour.
    transition(0, SECOND, true);
    CHECK(limiter_limiting(&l));
}

TEST(it_says_when_and_how_long_it_limited)
{
    fresh(1);
    CHECK_EQ(l.last_cycle, 0);
    transition(SECOND, SECOND, true);
    CHECK(limiter_limiting(&l));
    CHECK_EQ(l.last_cycle, 1);
    CHECK_EQ(limiter_on_ns(&l, now), 0);
    CHECK_EQ(limiter_on_ns(&l, now + 3 * MS), 3 * MS);
    pass(5 * MS, 0, 0);
    CHECK(!limiter_limiting(&l));
    CHECK_EQ(limiter_on_ns(&l, now + 3 * MS), 5 * MS);
    transition(0, MS, true); // a stop that found too much left
    CHECK(!limiter_limiting(&l));
    transition(0, SECOND, false);
    CHECK_EQ(l.last_cycle, 3);
    CHECK_EQ(limiter_on_ns(&l, now + MS), 6 * MS);
}

// What does not fit into the window was spent before it: the rest of the window is the collector's.
TEST(what_is_reported_late_is_cut_off)
{
    fresh(2);
    pass(10 * MS, 7, 0.5);
    CHECK_EQ(l.fill, 10 * MS);
}

TEST(the_number_of_ps_changes)
{
    static const struct limiter_times none;
    fresh(PROCS);
    transition(0, SECOND, true);
    transition(0, 0, false);
    CHECK(limiter_limiting(&l));
    limiter_set_procs(&l, now, none, PROCS + 10);
    checked();
    CHECK_EQ(l.fill, PROCS * SECOND);
    CHECK(!limiter_limiting(&l));
    limiter_set_procs(&l, now, none, PROCS - 10);
    checked();
    CHECK(limiter_limiting(&l));
    CHECK_EQ(l.fill, (PROCS - 10) * SECOND);
    CHECK_EQ(l.overflow, 0); // nothing was spent to get there
    // The time until the change is the old number's.
    now += MS;
    limiter_set_procs(&l, now, none, 1000);
    CHECK_EQ(l.fill, (PROCS - 10) * (SECOND - MS));
}

// What it brings is counted by the next one.
TEST(a_clock_that_was_read_early_moves_nothing)
{
    static const struct limiter_times none;
    fresh(PROCS);
    transition(0, MS, false);
    struct limiter before = l;
    limiter_update(&l, now - 1, (struct limiter_times){ 9 * MS, 2 * MS });
    limiter_update(&l, now, (struct limiter_times){ MS, 0 }); // no time has passed either
    CHECK_EQ(l.kept.assist, 10 * MS);
    CHECK_EQ(l.kept.idle, 2 * MS);
    CHECK_EQ(l.fill, before.fill);
    CHECK_EQ(l.last, before.last);
    CHECK_EQ(l.limiting, before.limiting);
    limiter_update(&l, now += MS, none);
    CHECK_EQ(l.fill, before.fill + 10 * MS - (PROCS - 12) * MS);
    CHECK_EQ(l.kept.assist + l.kept.idle, 0);
}

TEST(faults_are_found)
{
    fresh(2);
    l.fill = l.capacity + 1;
    CHECK(limiter_fault(&l) != NULL);
    fresh(2);
    l.limiting = 1;
    CHECK(limiter_fault(&l) != NULL);
    fresh(2);
    l.procs = 3;
    CHECK(limiter_fault(&l) != NULL);
}

// ---- times --------------------------------------------------------------------------------------

TEST(an_event_is_counted_once)
{
    struct limiter_event e = { 0 };
    struct limiter_pool pool = { 0, 0 };
    struct limiter_times t = { 0, 0 };
    limiter_consume(&e, 50, &t);
    CHECK_EQ(t.assist + t.idle, 0);
    CHECK(limiter_start(&e, LIMITER_ASSIST, 100));
    CHECK(!limiter_start(&e, LIMITER_IDLE_MARK, 110)); // inside the assist: its time already
    limiter_consume(&e, 130, &t);
    CHECK_EQ(t.assist, 30);
    limiter_consume(&e, 120, &t); // read before that one
    CHECK_EQ(t.assist, 30);
    limiter_stop(&e, LIMITER_ASSIST, 150, &pool);
    CHECK_EQ(pool.assist, 20);
    limiter_consume(&e, 200, &t);
    CHECK_EQ(t.assist, 30);
    t = limiter_drain(&pool);
    CHECK_EQ(t.assist, 20);
    CHECK_EQ(limiter_drain(&pool).assist, 0);
}

TEST(events_are_of_two_kinds)
{
    static const struct {
        enum limiter_what what;
        bool idle;
    } kinds[] = { { LIMITER_ASSIST, false }, { LIMITER_IDLE_MARK, true }, { LIMITER_IDLE, true } };
    // Times whose low 61 bits are the largest there are, too.
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct limiter_event e = { 0 };
        struct limiter_pool pool = { 0, 0 };
        int64_t begin = (INT64_C(1) << 61) - 10;
        CHECK(limiter_start(&e, kinds[i].what, begin));
        limiter_stop(&e, kinds[i].what, begin + 7, &pool);
        CHECK_EQ(kinds[i].idle ? pool.idle : pool.assist, 7);
        CHECK_EQ(kinds[i].idle ? pool.assist : pool.idle, 0);
    }
}

// A P that works in small events and an update that takes the part that has passed: each ns once.
static struct limiter_event event;
static struct limiter_pool pool;
static int64_t clock_ns; // atomic
static uint32_t over;    // atomic

static void *works(void *spent)
{
    for (int i = 0; i < test_count(300000); i++) {
        int64_t begin = atomic_load_acquire(&clock_ns); // pairs with the exchange below
        CHECK(limiter_start(&event, LIMITER_ASSIST, begin));
        int64_t end = atomic_fetch_add_acqrel(&clock_ns, 10) + 10;
        limiter_stop(&event, LIMITER_ASSIST, end, &pool);
        *(int64_t *)spent += end - begin;
    }
    atomic_store_release(&over, 1u); // pairs with the load in the test
    return NULL;
}

TEST(no_time_is_lost_between_a_p_and_an_update)
{
    pthread_t t;
    int64_t spent = 0;
    struct limiter_times sum = { 0, 0 };
    CHECK_EQ(pthread_create(&t, NULL, works, &spent), 0);
    while (!atomic_load_acquire(&over)) { // pairs with the store in works
        struct limiter_times more = limiter_drain(&pool);
        limiter_consume(&event, atomic_load_acquire(&clock_ns), &more);
        CHECK_GE(more.assist, 0);
        sum.assist += more.assist;
    }
    CHECK_EQ(pthread_join(t, NULL), 0);
    sum.assist += limiter_drain(&pool).assist;
    CHECK_EQ(sum.assist, spent);
}

TEST(one_updates_at_a_time)
{
    fresh(1);
    CHECK(limiter_try(&l));
    CHECK(!limiter_try(&l));
    limiter_done(&l);
    CHECK(limiter_try(&l));
    limiter_done(&l);
}

int main(void)
{
    RUN(the_program_alone_never_fills_it);
    RUN(updates_are_due_by_the_clock);
    RUN(stops_count_in_full);
    RUN(half_changes_nothing);
    RUN(idle_time_is_nobodys);
    RUN(it_limits_when_full_and_stops_when_it_drains);
    RUN(it_says_when_and_how_long_it_limited);
    RUN(what_is_reported_late_is_cut_off);
    RUN(the_number_of_ps_changes);
    RUN(a_clock_that_was_read_early_moves_nothing);
    RUN(faults_are_found);
    RUN(an_event_is_counted_once);
    RUN(events_are_of_two_kinds);
    RUN(no_time_is_lost_between_a_p_and_an_update);
    RUN(one_updates_at_a_time);
    return 0;
}
