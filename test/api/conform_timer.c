// Conformance of timers: when they fire, stopping and setting anew, their channels, tickers.
//
// What takes long says nothing on a busy machine: cases state what must not happen early, and what
// must happen at all.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

typedef gort_chan(int64_t) times;

#define HOUR (3600 * GORT_S)

static times channel(gort_timer *t)
{
    return gort_timer_channel(t);
}

static bool is_empty(times c)
{
    return gort_try_recv(c, NULL) == GORT_EMPTY;
}

// ---- waiting ------------------------------------------------------------------------------------

static void after_is_not_early(void)
{
    int64_t begin = gort_now(), value = 0;
    CHECK(gort_recv(gort_after(3 * GORT_MS), &value));
    CHECK_GE(gort_now() - begin, 3 * GORT_MS);
    CHECK_GE(value, begin + 3 * GORT_MS); // the time that it was set for
    CHECK_LE(value, gort_now());
}

static void after_nothing_is_now(void)
{
    static const int64_t none[] = { 0, -1, -GORT_S, INT64_MIN };
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(gort_try_recv(gort_after(none[i]), NULL), GORT_GOT);
        CHECK(gort_recv(gort_after(none[i]), NULL));
    }
}

static void after_ages_is_never(void)
{
    gort_case cases[] = { gort_on_recv(gort_after(INT64_MAX), NULL),
                          gort_on_recv(gort_after(2 * GORT_MS), NULL) };
    CHECK_EQ(gort_select(cases, 2), 1);
    CHECK(cases[1].ok);
}

static void a_value_comes_once(void)
{
    times c = gort_after(0);
    CHECK(gort_recv(c, NULL));
    CHECK(is_empty(c));
    gort_case k = gort_on_recv(c, NULL);
    CHECK_EQ(gort_select_until(&k, 1, gort_now() + GORT_MS), -1);
}

static void a_try_finds_what_has_come(void)
{
    int64_t begin = gort_now(), value = 7;
    times c = gort_after(GORT_MS);
    while (gort_try_recv(c, &value) == GORT_EMPTY) // the time limit is the other end
        ;
    CHECK_GE(gort_now() - begin, GORT_MS);
    CHECK_GE(value, begin + GORT_MS);
}

static void a_try_before_leaves_out_alone(void)
{
    int64_t value = 7;
    CHECK_EQ(gort_try_recv(gort_after(HOUR), &value), GORT_EMPTY);
    CHECK_EQ(value, 7);
}

static void send_to(void *c)
{
    gort_send((times)c, 1);
}
static void try_send_to(void *c)
{
    gort_try_send((times)c, 1);
}
static void select_send_to(void *c)
{
    int64_t v = 1;
    gort_case cases[] = { gort_on_send((times)c, &v), gort_on_recv((times)NULL, NULL) };
    gort_select(cases, 2);
}
static void close_it(void *c)
{
    gort_close((times)c);
}

static void only_the_clock_sends(void)
{
    void *c = (void *)(uintptr_t)gort_after(HOUR);
    CHECK_PANICS(send_to, c, "send on a timer's channel");
    CHECK_PANICS(try_send_to, c, "send on a timer's channel");
    CHECK_PANICS(select_send_to, c, "send on a timer's channel");
    CHECK_PANICS(close_it, c, "close of a timer's channel");
    CHECK(is_empty((times)c));
}

static void a_channel_seems_unbuffered(void)
{
    times c = gort_after(0);
    CHECK_EQ(gort_chan_len(c), 0);
    CHECK_EQ(gort_chan_cap(c), 0);
}

// Each at its time, whatever the order in which they were set and are waited for.
static void many_in_one_select(void)
{
    enum { N = 20 };
    gort_case cases[N];
    int64_t value[N], due[N];
    for (int i = 0; i < N; i++) {
        int64_t ns = (int64_t)((i * 7) % N) * GORT_MS / 4;
        due[i] = gort_now() + ns;
        cases[i] = gort_on_recv(gort_after(ns), &value[i]);
    }
    for (int n = 0; n < N; n++) {
        int i = gort_select(cases, N);
        CHECK(cases[i].ok);
        CHECK_GE(value[i], due[i]);
        CHECK_LE(value[i], gort_now());
        cases[i].ch = NULL;
    }
}

// ---- several who wait for one -------------------------------------------------------------------

struct sharers {
    times c;
    int got; // atomic
};

static void take_one(void *arg)
{
    struct sharers *s = arg;
    if (gort_recv(s->c, NULL)) ADD(&s->got, 1);
}

static void a_ticker_serves_all_who_wait(void)
{
    enum { N = 8 };
    gort_ticker *t = gort_ticker_make(GORT_MS / 4);
    struct sharers s = { t->c, 0 };
    for (int i = 0; i < N; i++)
        gort_go(take_one, &s);
    WAIT_FOR(LOAD(&s.got) == N);
    gort_ticker_stop(t);
}

static void a_timer_serves_one_at_a_time(void)
{
    gort_timer *t = gort_timer_make(HOUR);
    struct sharers s = { channel(t), 0 };
    for (int i = 0; i < 4; i++)
        gort_go(take_one, &s);
    for (int i = 0; i < 4; i++) {
        gort_timer_reset(t, 0);
        WAIT_FOR(LOAD(&s.got) == i + 1);
    }
}

static void note_turn(void *arg)
{
    struct member *m = arg;
    CHECK(gort_recv((times)m->w->p, NULL));
    note(m->w, m->id);
    gort_timer_reset((gort_timer *)(uintptr_t)m->w->sum, 0);
}

// On one P: first come, first served.
static void waiters_are_served_in_order(void)
{
    gort_timer *t = gort_timer_make(HOUR);
    struct world w = { .p = (pointers)(uintptr_t)channel(t), .sum = (int64_t)(uintptr_t)t };
    start_one_by_one(&w, 6, note_turn);
    gort_timer_reset(t, 0);
    WAIT_FOR(w.nlog == 6);
    if (!in_mode("randyield")) check_in_order(&w, 6);
    gort_keep_alive(t);
}

// The time has come, and nobody has looked yet: it is the waiter's all the same.
static void who_waits_comes_first(void)
{
    times c = gort_after(GORT_MS / 2);
    struct sharers s = { c, 0 };
    gort_go(take_one, &s);
    settle();
    for (int64_t until = gort_now() + GORT_MS; gort_now() < until;)
        ;
    CHECK(is_empty(c));
    WAIT_FOR(LOAD(&s.got) == 1);
}

// ---- stopping -----------------------------------------------------------------------------------

static void count_call(void *arg)
{
    ADD((int *)arg, 1);
}

static void stopped_before_it_fires(void)
{
    static int calls;
    calls = 0;
    gort_timer *f = gort_timer_func(HOUR, count_call, &calls), *t = gort_timer_make(HOUR);
    CHECK(gort_timer_stop(f));
    CHECK(!gort_timer_stop(f));
    CHECK(gort_timer_stop(t));
    CHECK(!gort_timer_stop(t));
    CHECK(is_empty(channel(t)));
    CHECK_EQ(calls, 0);
}

static void stopped_after_it_fired(void)
{
    static int calls;
    calls = 0;
    gort_timer *f = gort_timer_func(0, count_call, &calls);
    WAIT_FOR(LOAD(&calls) == 1);
    CHECK(!gort_timer_stop(f));
    gort_timer *t = gort_timer_make(0);
    CHECK(gort_recv(channel(t), NULL));
    CHECK(!gort_timer_stop(t));
}

// A value that has come, but was not received, is as good as not come.
static void no_stale_value_after_stop(void)
{
    gort_timer *t = gort_timer_make(0);
    gort_sleep(GORT_MS / 2);
    CHECK(gort_timer_stop(t));
    CHECK(is_empty(channel(t)));
    CHECK(!gort_timer_stop(t));
}

static void no_stale_value_after_reset(void)
{
    gort_timer *t = gort_timer_make(0);
    gort_sleep(GORT_MS / 2);
    CHECK(gort_timer_reset(t, HOUR));
    CHECK(is_empty(channel(t)));
    CHECK(gort_timer_reset(t, 0));
    CHECK(gort_recv(channel(t), NULL));
    CHECK(!gort_timer_reset(t, 0));
    CHECK(gort_recv(channel(t), NULL));
}

static void a_stopped_one_never_comes(void)
{
    gort_timer *t = gort_timer_make(2 * GORT_MS);
    gort_case k = gort_on_recv(channel(t), NULL);
    CHECK(gort_timer_stop(t));
    CHECK_EQ(gort_select_until(&k, 1, gort_now() + 4 * GORT_MS), -1);
}

// A goroutine waits for it already.
static void stopping_under_a_waiter(void)
{
    gort_timer *t = gort_timer_make(3 * GORT_MS);
    struct sharers s = { channel(t), 0 };
    gort_go(take_one, &s);
    gort_sleep(GORT_MS / 2);
    if (gort_timer_stop(t)) {
        gort_sleep(5 * GORT_MS);
        CHECK_EQ(LOAD(&s.got), 0);
    }
    gort_timer_reset(t, GORT_MS);
    WAIT_FOR(LOAD(&s.got) == 1);
}

static void earlier_under_a_waiter(void)
{
    gort_timer *t = gort_timer_make(HOUR);
    struct sharers s = { channel(t), 0 };
    gort_go(take_one, &s);
    gort_sleep(GORT_MS / 2);
    CHECK(gort_timer_reset(t, GORT_MS));
    WAIT_FOR(LOAD(&s.got) == 1);
}

static void later_under_a_waiter(void)
{
    int64_t begin = gort_now(), value;
    gort_timer *t = gort_timer_make(2 * GORT_MS);
    struct sharers s = { channel(t), 0 };
    gort_go(take_one, &s);
    if (!gort_timer_reset(t, 6 * GORT_MS)) { // it was too slow
        WAIT_FOR(LOAD(&s.got) == 1);
        CHECK(gort_recv(channel(t), &value));
        return;
    }
    WAIT_FOR(LOAD(&s.got) == 1);
    CHECK_GE(gort_now() - begin, 6 * GORT_MS);
}

// ---- functions ----------------------------------------------------------------------------------

struct chain {
    int left;
    int64_t at; // not before
    gort_waitgroup wg;
};

static void next_link(void *arg)
{
    struct chain *c = arg;
    CHECK_GE(gort_now(), c->at);
    if (--c->left == 0) {
        gort_waitgroup_done(&c->wg);
        return;
    }
    c->at = gort_now() + 50 * GORT_US;
    gort_timer_func(50 * GORT_US, next_link, c);
}

static void functions_set_functions(void)
{
    struct chain c = { .left = 10 };
    gort_waitgroup_add(&c.wg, 1);
    gort_timer_func(0, next_link, &c);
    gort_waitgroup_wait(&c.wg);
    CHECK_EQ(c.left, 0);
}

struct blocked {
    ints c;
    gort_waitgroup wg;
};

static void block_on(void *arg)
{
    struct blocked *b = arg;
    CHECK(gort_recv(b->c, NULL));
    gort_waitgroup_done(&b->wg);
}

// Each has its own goroutine: those that wait hold up no others.
static void functions_may_block(void)
{
    enum { N = 50 };
    struct blocked b = { .c = gort_chan_make(int, 0) };
    gort_waitgroup_add(&b.wg, N);
    for (int i = 0; i < N; i++)
        gort_timer_func(i % 3 * GORT_US, block_on, &b);
    for (int i = 0; i < N; i++)
        gort_send(b.c, i);
    gort_waitgroup_wait(&b.wg);
}

static void exit_at_once(void *arg)
{
    gort_defer(count_call, arg);
    gort_goexit();
}

static void functions_may_exit_and_defer(void)
{
    static int calls;
    calls = 0;
    for (int i = 0; i < 10; i++)
        gort_timer_func(0, exit_at_once, &calls);
    WAIT_FOR(LOAD(&calls) == 10);
}

static void a_function_set_anew(void)
{
    static int calls;
    calls = 0;
    gort_timer *t = gort_timer_func(HOUR, count_call, &calls);
    CHECK(gort_timer_reset(t, 0)); // earlier
    WAIT_FOR(LOAD(&calls) == 1);
    CHECK(!gort_timer_reset(t, 0)); // again
    WAIT_FOR(LOAD(&calls) == 2);
    CHECK(!gort_timer_reset(t, HOUR));
    CHECK(gort_timer_reset(t, HOUR));
    CHECK(gort_timer_stop(t));
    CHECK(!gort_timer_reset(t, HOUR)); // stopped before
    CHECK(gort_timer_stop(t));
    CHECK_EQ(LOAD(&calls), 2);
}

static void a_function_has_no_channel(void)
{
    static int calls;
    gort_timer *t = gort_timer_func(HOUR, count_call, &calls);
    CHECK(gort_timer_channel(t) == NULL);
    CHECK(gort_timer_stop(t));
}

static void functions_behind_one_that_waits_long(void)
{
    static int calls;
    calls = 0;
    gort_timer *late = gort_timer_func(HOUR, count_call, &calls);
    for (int i = 0; i < 100; i++)
        gort_timer_func(i % 10 * GORT_US, count_call, &calls);
    WAIT_FOR(LOAD(&calls) == 100);
    CHECK(gort_timer_stop(late));
}

static int fired_beside; // atomic

static void wait_for_timer(void *arg)
{
    (void)arg;
    CHECK_EQ(gort_recv(gort_after(50 * GORT_MS), NULL), true);
    STORE(&fired_beside, 1);
}

// Who waits on the heap of a processor that is idle now, while another computes and nobody polls.
static void one_of_an_idle_processor(void)
{
    for (int i = 0; i < 4; i++) {
        STORE(&fired_beside, 0);
        gort_go(wait_for_timer, NULL);
        gort_sleep(i * 5 * GORT_MS);
        while (!LOAD(&fired_beside)) // no call that parks; the time limit is the other end
            ;
    }
}

// ---- tickers ------------------------------------------------------------------------------------

static void ticks_come_at_their_times(void)
{
    int64_t begin = gort_now(), value, last = 0;
    gort_ticker *t = gort_ticker_make(GORT_MS);
    int64_t first = 0;
    for (int i = 1; i <= 10; i++) {
        CHECK(gort_recv(t->c, &value));
        if (i == 1) first = value;
        CHECK_GE(value, begin + i * GORT_MS);
        CHECK_GT(value, last);
        CHECK_EQ((value - first) % GORT_MS, 0); // they do not drift
        CHECK_LE(value, gort_now());
        last = value;
    }
    gort_ticker_stop(t);
}

static void missed_ticks_are_left_out(void)
{
    int64_t value, next;
    gort_ticker *t = gort_ticker_make(GORT_MS);
    gort_sleep(10 * GORT_MS);
    int64_t then = gort_now();
    CHECK(gort_recv(t->c, &value)); // the first of them
    CHECK(gort_recv(t->c, &next));
    CHECK_GE(next, then); // not before the first was received
    CHECK_GE(next - value, 9 * GORT_MS);
    gort_ticker_stop(t);
}

static void a_stopped_ticker_is_silent(void)
{
    gort_ticker *t = gort_ticker_make(GORT_MS / 4);
    CHECK(gort_recv(t->c, NULL));
    gort_sleep(GORT_MS);
    gort_ticker_stop(t);
    CHECK(is_empty(t->c));
    gort_sleep(GORT_MS);
    CHECK(is_empty(t->c));
    gort_ticker_stop(t); // again
}

static void a_ticker_set_anew(void)
{
    int64_t a, b;
    gort_ticker *t = gort_ticker_make(HOUR);
    CHECK(gort_timer_reset(t->timer, GORT_MS));
    CHECK(gort_recv(t->c, &a));
    CHECK(gort_recv(t->c, &b));
    CHECK_EQ((b - a) % GORT_MS, 0);
    gort_ticker_stop(t);
    CHECK(!gort_timer_reset(t->timer, GORT_MS / 2)); // goes on
    CHECK(gort_recv(t->c, &a));
    CHECK(gort_recv(t->c, &b));
    CHECK_EQ((b - a) % (GORT_MS / 2), 0);
    CHECK(gort_timer_stop(t->timer));
}

static void make_ticker(void *arg)
{
    (void)gort_ticker_make(*(int64_t *)arg);
}
static void reset_ticker(void *arg)
{
    (void)gort_timer_reset(((gort_ticker *)arg)->timer, 0);
}

static void a_period_is_above_zero(void)
{
    int64_t zero = 0, negative = -5;
    CHECK_PANICS(make_ticker, &zero, "gort_ticker_make: a period of 0 ns");
    CHECK_PANICS(make_ticker, &negative, "gort_ticker_make: a period of -5 ns");
    gort_ticker *t = gort_ticker_make(HOUR);
    CHECK_PANICS(reset_ticker, t, "gort_timer_reset: a period of 0 ns");
    gort_ticker_stop(t);
}

static void a_period_of_ages(void)
{
    gort_ticker *t = gort_ticker_make(INT64_MAX);
    CHECK(is_empty(t->c));
    CHECK(gort_timer_reset(t->timer, 1));
    CHECK(gort_recv(t->c, NULL));
    CHECK(gort_timer_reset(t->timer, INT64_MAX));
    CHECK(is_empty(t->c));
    gort_ticker_stop(t);
}

static void the_shortest_period(void)
{
    gort_ticker *t = gort_ticker_make(1);
    int64_t last = 0, value;
    for (int i = 0; i < 100; i++) {
        CHECK(gort_recv(t->c, &value));
        CHECK_GT(value, last);
        last = value;
    }
    gort_ticker_stop(t);
}

// ---- selects ------------------------------------------------------------------------------------

static void a_timeout_of_a_select(void)
{
    ints c = gort_chan_make(int, 0);
    for (int i = 0; i < 20; i++) {
        gort_case cases[] = { gort_on_recv(c, NULL), gort_on_recv(gort_after(50 * GORT_US), NULL) };
        CHECK_EQ(gort_select(cases, 2), 1);
    }
}

static void send_soon(void *arg)
{
    ints c = arg;
    gort_send(c, 1);
}

// The other case wins; the timer is forgotten.
static void a_timeout_that_is_not_needed(void)
{
    ints c = gort_chan_make(int, 0);
    for (int i = 0; i < 50; i++) {
        gort_go(send_soon, (void *)(uintptr_t)c);
        gort_case cases[] = { gort_on_recv(c, NULL), gort_on_recv(gort_after(HOUR), NULL) };
        CHECK_EQ(gort_select(cases, 2), 0);
    }
}

static void one_timer_twice_in_a_select(void)
{
    times c = gort_after(GORT_MS);
    gort_case cases[] = { gort_on_recv(c, NULL), gort_on_recv(c, NULL) };
    int i = gort_select(cases, 2);
    CHECK(i >= 0 && cases[i].ok && !cases[1 - i].ok);
    CHECK_EQ(gort_select_until(cases, 2, gort_now() + GORT_MS / 2), -1);
}

static void a_ready_timer_among_others(void)
{
    int hits = 0;
    for (int i = 0; i < 400; i++) {
        ints c = gort_chan_make(int, 1);
        gort_send(c, 1);
        gort_case cases[] = { gort_on_recv(c, NULL), gort_on_recv(gort_after(0), NULL) };
        hits += gort_select(cases, 2);
    }
    CHECK_GT(hits, 100); // both are ready: either may be chosen
    CHECK_LT(hits, 300);
}

static void a_try_select(void)
{
    times never = gort_after(HOUR), now = gort_after(0);
    gort_case cases[] = { gort_on_recv(never, NULL), gort_on_recv(now, NULL) };
    CHECK_EQ(gort_select_try(cases, 2), 1);
    CHECK_EQ(gort_select_try(cases, 2), -1);
}

// ---- crowds -------------------------------------------------------------------------------------

struct racers {
    gort_waitgroup wg;
    gort_timer *t;
    int64_t rounds;
};

static void stop_or_take(void *arg)
{
    struct racers *r = arg;
    for (int64_t i = 0; i < r->rounds; i++) {
        gort_timer *a = gort_timer_make(100 * GORT_US), *b = gort_timer_make(100 * GORT_US);
        gort_case cases[] = { gort_on_recv(channel(a), NULL), gort_on_recv(channel(b), NULL) };
        gort_timer *other = gort_select(cases, 2) == 0 ? b : a;
        CHECK(gort_timer_stop(other)); // nobody has received from it
        CHECK(is_empty(channel(other)));
    }
    gort_waitgroup_done(&r->wg);
}

static void stopping_beside_firing(void)
{
    struct racers r = { .rounds = test_count(20) };
    gort_waitgroup_add(&r.wg, 50);
    for (int i = 0; i < 50; i++)
        gort_go(stop_or_take, &r);
    gort_waitgroup_wait(&r.wg);
}

static void take_and_reset(void *arg)
{
    struct racers *r = arg;
    for (int64_t i = 0; i < r->rounds; i++) {
        (void)gort_try_recv(channel(r->t), NULL);
        gort_timer_reset(r->t, 1);
    }
    gort_waitgroup_done(&r->wg);
}

static void many_set_one_anew(void)
{
    struct racers r = { .rounds = test_count(1000), .t = gort_timer_make(1) };
    gort_waitgroup_add(&r.wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go(take_and_reset, &r);
    gort_waitgroup_wait(&r.wg);
    gort_timer_reset(r.t, 0);
    CHECK(gort_recv(channel(r.t), NULL));
}

static void tick_or_time_out(void *arg)
{
    struct racers *r = arg;
    for (int64_t i = 0; i < r->rounds; i++) {
        gort_case cases[] = { gort_on_recv(channel(r->t), NULL),
                              gort_on_recv(gort_after(20 * GORT_US), NULL) };
        CHECK_GE(gort_select(cases, 2), 0);
    }
    gort_waitgroup_done(&r->wg);
}

static void many_wait_for_one_ticker(void)
{
    gort_ticker *t = gort_ticker_make(10 * GORT_US);
    struct racers r = { .rounds = test_count(200), .t = t->timer };
    gort_waitgroup_add(&r.wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go(tick_or_time_out, &r);
    gort_waitgroup_wait(&r.wg);
    gort_ticker_stop(t);
}

// What was set to an earlier time fires then, not at the time of before.
static void set_to_the_past(void)
{
    for (int i = 0; i < test_count(200); i++) {
        gort_timer *t = gort_timer_make(HOUR);
        for (int j = 0; j < 10; j++) {
            CHECK(gort_timer_stop(t));
            CHECK(!gort_timer_reset(t, -GORT_S));
        }
        CHECK(gort_recv(channel(t), NULL));
    }
}

#define PROCS_0(name) CASE(name, 0)
static const struct conform_case cases[] = {
    PROCS_0(after_is_not_early),
    PROCS_0(after_nothing_is_now),
    PROCS_0(after_ages_is_never),
    PROCS_0(a_value_comes_once),
    PROCS_0(a_try_finds_what_has_come),
    PROCS_0(a_try_before_leaves_out_alone),
    CASE(only_the_clock_sends, 2),
    CASE(a_channel_seems_unbuffered, 1),
    PROCS_0(many_in_one_select),
    PROCS_0(a_ticker_serves_all_who_wait),
    PROCS_0(a_timer_serves_one_at_a_time),
    CASE(waiters_are_served_in_order, 1),
    CASE(who_waits_comes_first, 1),
    PROCS_0(stopped_before_it_fires),
    PROCS_0(stopped_after_it_fired),
    PROCS_0(no_stale_value_after_stop),
    PROCS_0(no_stale_value_after_reset),
    PROCS_0(a_stopped_one_never_comes),
    PROCS_0(stopping_under_a_waiter),
    PROCS_0(earlier_under_a_waiter),
    PROCS_0(later_under_a_waiter),
    PROCS_0(functions_set_functions),
    PROCS_0(functions_may_block),
    PROCS_0(functions_may_exit_and_defer),
    PROCS_0(a_function_set_anew),
    CASE(a_function_has_no_channel, 1),
    PROCS_0(functions_behind_one_that_waits_long),
    PROCS_0(one_of_an_idle_processor),
    PROCS_0(ticks_come_at_their_times),
    PROCS_0(missed_ticks_are_left_out),
    PROCS_0(a_stopped_ticker_is_silent),
    PROCS_0(a_ticker_set_anew),
    CASE(a_period_is_above_zero, 2),
    CASE(a_period_of_ages, 2),
    PROCS_0(the_shortest_period),
    PROCS_0(a_timeout_of_a_select),
    PROCS_0(a_timeout_that_is_not_needed),
    PROCS_0(one_timer_twice_in_a_select),
    PROCS_0(a_ready_timer_among_others),
    PROCS_0(a_try_select),
    PROCS_0(stopping_beside_firing),
    PROCS_0(many_set_one_anew),
    PROCS_0(many_wait_for_one_ticker),
    PROCS_0(set_to_the_past),
};
CONFORM_MAIN(cases)
