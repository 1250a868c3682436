// Select with a deadline: -1 once it has passed and not before; a partner in time wins; nothing of
// an expired select is left on its channels.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

typedef gort_chan(int) ints;

static ints chan_of(int cap)
{
    return gort_chan_make(int, (size_t)cap);
}

TEST(a_deadline_that_passed)
{
    ints c = chan_of(1);
    int out = -1;
    gort_case cases[] = { gort_on_recv(c, &out), gort_on_recv((ints)NULL, &out) };
    CHECK_EQ(gort_select_until(cases, 2, 0), -1);
    CHECK_EQ(gort_select_until(cases, 2, -5), -1);
    CHECK_EQ(gort_select_until(cases, 2, INT64_MIN), -1);
    CHECK_EQ(gort_select_until(cases, 2, 1), -1);
    CHECK_EQ(gort_select_until(cases, 2, gort_now()), -1);
    CHECK_EQ(gort_select_until(cases, 1, gort_now()), -1);
    CHECK_EQ(out, -1);
    // What is ready is chosen all the same.
    gort_send(c, 3);
    CHECK_EQ(gort_select_until(cases, 2, 1), 0);
    CHECK_EQ(out, 3);
}

static void waits_until(gort_case *cases, int n)
{
    int64_t before = gort_now();
    CHECK_EQ(gort_select_until(cases, n, before + 20 * GORT_MS), -1);
    CHECK_GE(gort_now(), before + 20 * GORT_MS);
}

TEST(it_waits_until_the_deadline)
{
    ints c = chan_of(0), d = chan_of(1);
    int v = 1;
    gort_send(d, 1);
    gort_case cases[] = { gort_on_recv(c, &v), gort_on_send(d, &v), gort_on_send((ints)NULL, &v) };
    waits_until(cases, 3);
    waits_until(cases, 1);
    waits_until(cases + 2, 1);
    waits_until(cases, 0);
    waits_until(NULL, 0);
    CHECK_EQ(v, 1);
    // No record is left.
    CHECK(!gort_try_send(c, 1));
    CHECK_EQ(gort_try_recv(d, NULL), GORT_GOT);
    CHECK_EQ(gort_chan_len(d), 0);
}

static void send_later(void *arg)
{
    gort_sleep(5 * GORT_MS);
    gort_send((ints)arg, 9);
}

TEST(a_partner_in_time)
{
    for (int i = 0; i < 10; i++) {
        ints c = chan_of(0), other = chan_of(0);
        int out = 0;
        gort_case cases[] = { gort_on_recv(other, &out), gort_on_recv(c, &out) };
        gort_go(send_later, (void *)c);
        CHECK_EQ(gort_select_until(cases, 2, gort_now() + 1000 * GORT_S), 1);
        CHECK_EQ(out, 9);
        CHECK(cases[1].ok);
    }
}

TEST(no_deadline_in_practice)
{
    ints c = chan_of(0);
    int out = 0;
    gort_case cases[] = { gort_on_recv(c, &out) };
    gort_go(send_later, (void *)c);
    CHECK_EQ(gort_select_until(cases, 1, INT64_MAX), 0);
    CHECK_EQ(out, 9);
}

static void close_later(void *arg)
{
    gort_sleep(5 * GORT_MS);
    gort_close((ints)arg);
}

TEST(a_close_in_time)
{
    ints c = chan_of(0);
    int out = 7;
    gort_case cases[] = { gort_on_recv(c, &out), gort_on_recv((ints)NULL, NULL) };
    gort_go(close_later, (void *)c);
    CHECK_EQ(gort_select_until(cases, 2, gort_now() + 1000 * GORT_S), 0);
    CHECK(!cases[0].ok);
    CHECK_EQ(out, 0);
}

// Deadline and partner race: whoever wins, the value arrives exactly once.
struct race {
    ints c;
    int sent, got, expired, done;
};

static void race_sender(void *arg)
{
    struct race *r = arg;
    uint64_t random = test_seed() + 1;
    for (int i = 0; i < 300; i++) {
        if (gort_try_send(r->c, i)) ADD(&r->sent, 1);
        if (test_random(&random) % 2 == 0) gort_sleep((int64_t)(test_random(&random) % 60000));
    }
    ADD(&r->done, 1);
}

static void race_receiver(void *arg)
{
    struct race *r = arg;
    uint64_t random = test_seed() + 2;
    while (LOAD(&r->done) == 0) {
        int v;
        gort_case cases[] = { gort_on_recv(r->c, &v), gort_on_recv((ints)NULL, NULL) };
        int64_t wait = (int64_t)(test_random(&random) % 60000);
        if (gort_select_until(cases, 2, gort_now() + wait) == 0)
            ADD(&r->got, 1);
        else
            ADD(&r->expired, 1);
    }
    ADD(&r->done, 1);
}

TEST(deadline_and_partner_race)
{
    struct race r = { .c = chan_of(0) };
    gort_go(race_receiver, &r);
    gort_go(race_sender, &r);
    WAIT_FOR(LOAD(&r.done) == 2);
    CHECK_EQ(r.got, r.sent);
    CHECK(!gort_try_send(r.c, 1));
}

// Many sleepers with deadlines of their own end in their order.
struct sleeper {
    int64_t deadline, woke;
    int *done;
};

static void sleep_in_select(void *arg)
{
    struct sleeper *s = arg;
    CHECK_EQ(gort_select_until(NULL, 0, s->deadline), -1);
    s->woke = gort_now();
    ADD(s->done, 1);
}

TEST(many_deadlines)
{
    enum { N = 200 };
    struct sleeper s[N];
    int done = 0;
    int64_t base = gort_now() + 5 * GORT_MS;
    for (int i = 0; i < N; i++) {
        s[i] = (struct sleeper){ base + (i * 37 % N) * 100 * GORT_US, 0, &done };
        gort_go(sleep_in_select, &s[i]);
    }
    WAIT_FOR(LOAD(&done) == N);
    for (int i = 0; i < N; i++)
        CHECK_GE(s[i].woke, s[i].deadline);
}

// Another thread sleeps in the poller until a later time: it must learn of the earlier one, or this
// waits for an hour.
struct long_sleep {
    gort_chan(int) end;
    int done;
};

static void sleep_long(void *arg)
{
    struct long_sleep *s = arg;
    gort_case k = gort_on_recv(s->end, NULL);
    CHECK_EQ(gort_select_until(&k, 1, gort_now() + 3600 * GORT_S), 0);
    ADD(&s->done, 1);
}

TEST(an_earlier_deadline_is_kept)
{
    struct long_sleep s = { .end = gort_chan_make(int, 0) };
    gort_go(sleep_long, &s);
    for (int i = 0; i < 5; i++) {
        usleep(10000); // this thread is busy, so the other one goes to wait
        CHECK_EQ(gort_select_until(NULL, 0, gort_now() + 5 * GORT_MS), -1);
    }
    gort_close(s.end);
    WAIT_FOR(LOAD(&s.done) == 1);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(a_deadline_that_passed);
    RUN_ON_ALL(it_waits_until_the_deadline);
    RUN_ON_ALL(a_partner_in_time);
    RUN(no_deadline_in_practice);
    RUN_ON_ALL(a_close_in_time);
    RUN_ON_ALL(deadline_and_partner_race);
    RUN_ON_ALL(many_deadlines);
    RUN_ON(2, an_earlier_deadline_is_kept);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
