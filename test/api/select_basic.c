// Select: what is ready is chosen, fairly; nothing else happens; nobody waits in vain.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

typedef gort_chan(int) ints;

static ints chan_of(int cap)
{
    return gort_chan_make(int, (size_t)cap);
}

// ---- ready at once -----------------------------------------------------------------------------

TEST(one_case)
{
    ints c = chan_of(1);
    int v = 4, out = 0;
    gort_case send[] = { gort_on_send(c, &v) };
    gort_case recv[] = { gort_on_recv(c, &out) };
    CHECK_EQ(gort_select(send, 1), 0);
    CHECK_EQ(gort_select_try(send, 1), -1);
    CHECK_EQ(gort_select(recv, 1), 0);
    CHECK(recv[0].ok);
    CHECK_EQ(out, 4);
    CHECK_EQ(gort_select_try(recv, 1), -1);
    gort_close(c);
    CHECK_EQ(gort_select_try(recv, 1), 0);
    CHECK(!recv[0].ok);
    CHECK_EQ(out, 0);
}

// Each position of the one ready case among n; the others stay as they are.
static void one_ready_of(int n)
{
    ints c[40];
    int out[40];
    gort_case cases[40];
    for (int i = 0; i < n; i++)
        c[i] = chan_of(1);
    for (int ready = 0; ready < n; ready++) {
        for (int i = 0; i < n; i++) {
            out[i] = -1;
            cases[i] = gort_on_recv(c[i], &out[i]);
        }
        CHECK_EQ(gort_select_try(cases, n), -1);
        gort_send(c[ready], ready + 100);
        CHECK_EQ(ready % 2 == 0 ? gort_select(cases, n) : gort_select_try(cases, n), ready);
        for (int i = 0; i < n; i++) {
            CHECK_EQ(out[i], i == ready ? ready + 100 : -1);
            CHECK_EQ(cases[i].ok, i == ready);
        }
        CHECK_EQ(gort_select_try(cases, n), -1);
    }
}

TEST(the_ready_case_is_chosen)
{
    for (int n = 1; n <= 40; n += n < 5 ? 1 : 7)
        one_ready_of(n);
}

TEST(sends_and_receives_mixed)
{
    ints full = chan_of(1), room = chan_of(1);
    int v = 1, w = 2, out = 0;
    gort_send(full, 9);
    gort_case cases[] = { gort_on_send(full, &v), gort_on_recv(room, &out),
                          gort_on_send(room, &w) };
    CHECK_EQ(gort_select(cases, 3), 2);
    cases[2] = gort_on_send(full, &w);
    CHECK_EQ(gort_select(cases, 3), 1);
    CHECK_EQ(out, 2);
    CHECK_EQ(gort_chan_len(full), 1);
}

// The value is read when the case is chosen, not when it is made.
TEST(the_value_is_sent_as_it_is)
{
    ints c = chan_of(1);
    int v = 1, out;
    gort_case cases[] = { gort_on_send(c, &v) };
    v = 2;
    gort_select(cases, 1);
    gort_recv(c, &out);
    CHECK_EQ(out, 2);
}

TEST(null_channels_are_never_ready)
{
    ints c = chan_of(1);
    int v = 1, out = 0;
    gort_case cases[] = { gort_on_recv((ints)NULL, &out), gort_on_send((ints)NULL, &v),
                          gort_on_send(c, &v) };
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(gort_select(cases, 3), 2);
        CHECK_EQ(gort_select_try(cases, 3), -1);
        gort_recv(c, NULL);
    }
    CHECK_EQ(gort_select_try(cases, 2), -1);
    CHECK_EQ(gort_select_try(cases, 1), -1);
    CHECK_EQ(gort_select_try(cases, 0), -1);
    CHECK_EQ(gort_select_try(NULL, 0), -1);
}

TEST(null_outs)
{
    ints c = chan_of(2), d = chan_of(0);
    gort_case cases[] = { gort_on_recv(c, NULL), gort_on_recv(d, NULL) };
    gort_send(c, 1);
    CHECK_EQ(gort_select(cases, 2), 0);
    gort_close(d);
    CHECK_EQ(gort_select(cases, 2), 1);
}

// ---- fairness ----------------------------------------------------------------------------------

static void count_choices(gort_case *cases, int n, ints refill, int *counts, int rounds)
{
    memset(counts, 0, (size_t)n * sizeof *counts);
    for (int i = 0; i < rounds; i++) {
        int k = gort_select(cases, n);
        CHECK(k >= 0 && k < n);
        counts[k]++;
        if (refill != NULL) gort_send(refill, i);
    }
}

// Far outside of what chance does: the bound is about ten standard deviations.
static void check_uniform(const int *counts, int n, int rounds)
{
    int expected = rounds / n;
    for (int i = 0; i < n; i++) {
        CHECK_GT(counts[i], expected * 6 / 10);
        CHECK_LT(counts[i], expected * 14 / 10);
    }
}

TEST(the_choice_is_uniform)
{
    enum { ROUNDS = 9000 };
    static const int sizes[] = { 2, 3, 10 };
    int counts[10];
    for (unsigned s = 0; s < 3; s++) {
        gort_case cases[10];
        for (int i = 0; i < sizes[s]; i++) {
            ints c = chan_of(0);
            gort_close(c);
            cases[i] = gort_on_recv(c, NULL);
        }
        count_choices(cases, sizes[s], NULL, counts, ROUNDS);
        check_uniform(counts, sizes[s], ROUNDS);
    }
}

TEST(the_choice_is_uniform_among_cases_of_one_channel)
{
    enum { ROUNDS = 9000 };
    int counts[5];
    ints c = chan_of(1);
    gort_case cases[5];
    for (int i = 0; i < 5; i++)
        cases[i] = gort_on_recv(c, NULL);
    gort_send(c, 1);
    count_choices(cases, 5, c, counts, ROUNDS);
    check_uniform(counts, 5, ROUNDS);
}

TEST(not_ready_ones_do_not_bias)
{
    enum { ROUNDS = 8000 };
    int counts[8];
    ints closed = chan_of(0), idle = chan_of(0);
    gort_close(closed);
    gort_case cases[8];
    for (int i = 0; i < 8; i++)
        cases[i] = gort_on_recv(i == 1 || i == 2 || i == 6 || i == 7 ? closed : idle, NULL);
    count_choices(cases, 8, NULL, counts, ROUNDS);
    CHECK_EQ(counts[0] + counts[3] + counts[4] + counts[5], 0);
    int ready[] = { counts[1], counts[2], counts[6], counts[7] };
    check_uniform(ready, 4, ROUNDS);
}

// ---- waiting -----------------------------------------------------------------------------------

struct chooser {
    gort_case cases[4];
    int n, chosen, out[4];
    int *done;
};

static void choose(void *arg)
{
    struct chooser *s = arg;
    s->chosen = gort_select(s->cases, s->n);
    ADD(s->done, 1);
}

static void start_chooser(struct chooser *s, ints *c, int n, int *done)
{
    *s = (struct chooser){ .n = n, .chosen = -1, .done = done };
    for (int i = 0; i < n; i++) {
        s->out[i] = -1;
        s->cases[i] = gort_on_recv(c[i], &s->out[i]);
    }
    gort_go(choose, s);
    settle();
    CHECK_EQ(LOAD(&s->chosen), -1);
}

TEST(a_waiting_select_is_served)
{
    ints c[4] = { chan_of(0), chan_of(2), NULL, chan_of(0) };
    for (int k = 0; k < 4; k++) {
        if (c[k] == NULL) continue;
        struct chooser s;
        int done = 0;
        start_chooser(&s, c, 4, &done);
        CHECK(gort_try_send(c[k], 50 + k));
        WAIT_FOR(LOAD(&done) == 1);
        CHECK_EQ(s.chosen, k);
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(s.out[i], i == k ? 50 + k : -1);
            CHECK_EQ(s.cases[i].ok, i == k);
        }
        // No record of it is left on any channel.
        for (int i = 0; i < 4; i++)
            if (i != 1) CHECK(!gort_try_send(c[i], 1));
    }
}

static void send_choice(void *arg)
{
    struct chooser *s = arg;
    s->chosen = gort_select(s->cases, s->n);
    ADD(s->done, 1);
}

TEST(a_waiting_send_is_taken)
{
    ints c = chan_of(0), d = chan_of(1);
    int done = 0;
    gort_send(d, 1);
    struct chooser s = { .n = 2, .chosen = -1, .done = &done, .out = { 11, 22 } };
    s.cases[0] = gort_on_send(c, &s.out[0]);
    s.cases[1] = gort_on_send(d, &s.out[1]);
    gort_go(send_choice, &s);
    settle();
    int v;
    CHECK_EQ(gort_try_recv(d, &v), GORT_GOT);
    CHECK_EQ(v, 1);
    WAIT_FOR(LOAD(&done) == 1);
    CHECK_EQ(s.chosen, 1);
    CHECK_EQ(gort_try_recv(c, &v), GORT_EMPTY);
    CHECK_EQ(gort_try_recv(d, &v), GORT_GOT);
    CHECK_EQ(v, 22);
}

// Only one of two partners that come at once gets it.
TEST(a_select_happens_once)
{
    for (int round = 0; round < 100; round++) {
        ints c[2] = { chan_of(0), chan_of(0) };
        struct chooser s;
        int done = 0;
        start_chooser(&s, c, 2, &done);
        bool first = gort_try_send(c[0], 1), second = gort_try_send(c[1], 2);
        CHECK(first);
        CHECK(!second);
        WAIT_FOR(LOAD(&done) == 1);
        CHECK_EQ(s.chosen, 0);
        CHECK_EQ(s.out[1], -1);
    }
}

// One channel in several cases, in both directions: a goroutine is not its own partner.
TEST(duplicates)
{
    ints c = chan_of(0);
    int v = 8, done = 0;
    struct chooser s = { .n = 4, .chosen = -1, .done = &done };
    for (int i = 0; i < 4; i++)
        s.cases[i] = i < 2 ? gort_on_recv(c, &s.out[i]) : gort_on_send(c, &v);
    CHECK_EQ(gort_select_try(s.cases, 4), -1);
    gort_go(choose, &s);
    settle();
    CHECK_EQ(LOAD(&done), 0);
    int out;
    CHECK_EQ(gort_try_recv(c, &out), GORT_GOT);
    CHECK_EQ(out, 8);
    WAIT_FOR(LOAD(&done) == 1);
    CHECK_GE(s.chosen, 2);
    CHECK(!gort_try_send(c, 1));
    CHECK_EQ(gort_try_recv(c, &out), GORT_EMPTY);
}

TEST(selects_are_served_in_order)
{
    enum { N = 20 };
    struct chooser s[N];
    ints c[3] = { chan_of(0), chan_of(0), chan_of(0) };
    int done = 0;
    for (int i = 0; i < N; i++)
        start_chooser(&s[i], c, 3, &done);
    for (int i = 0; i < N; i++)
        CHECK(gort_try_send(c[i % 3], i));
    WAIT_FOR(LOAD(&done) == N);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(s[i].chosen, i % 3);
        CHECK_EQ(s[i].out[i % 3], i);
    }
}

// Two selects meet, each offering both directions on many channels.
static void meet(void *arg)
{
    struct chooser *s = arg;
    for (int i = 0; i < 500; i++) {
        int k = gort_select(s->cases, s->n);
        CHECK(k >= 0 && k < s->n);
    }
    ADD(s->done, 1);
}

TEST(selects_meet)
{
    ints c[2] = { chan_of(0), chan_of(0) };
    int done = 0, v = 3;
    struct chooser a = { .n = 2, .done = &done }, b = { .n = 2, .done = &done };
    a.cases[0] = gort_on_send(c[0], &v);
    a.cases[1] = gort_on_recv(c[1], &a.out[1]);
    b.cases[0] = gort_on_send(c[1], &v);
    b.cases[1] = gort_on_recv(c[0], &b.out[1]);
    gort_go(meet, &a);
    gort_go(meet, &b);
    WAIT_FOR(LOAD(&done) == 2);
}

// ---- many cases --------------------------------------------------------------------------------

static void feed(void *arg)
{
    ints *c = arg;
    uint64_t r = test_seed() + 7;
    for (int i = 0; i < 300; i++)
        gort_send(c[test_random(&r) % 1000], i);
    for (int i = 0; i < 1000; i++)
        gort_close(c[i]);
}

TEST(a_thousand_cases)
{
    ints *c = gort_alloc(1000 * sizeof *c);
    gort_case *cases = gort_alloc(1000 * sizeof *cases);
    int *out = gort_alloc_noscan(1000 * sizeof *out), got = 0;
    for (int i = 0; i < 1000; i++) {
        gort_chan(int) fresh = chan_of(i % 3);
        gort_set(&c[i], fresh);
        cases[i] = gort_on_recv(c[i], &out[i]);
    }
    gort_go(feed, c);
    for (;;) {
        int k = gort_select(cases, 1000);
        if (!cases[k].ok) break;
        CHECK_LT(out[k], 300);
        got++;
    }
    // Buffered elements may be left behind a close that was chosen first.
    for (int i = 0; i < 1000; i++)
        while (gort_recv(c[i], NULL))
            got++;
    CHECK_EQ(got, 300);
}

TEST(a_thousand_cases_of_one_channel)
{
    gort_case *cases = gort_alloc(1000 * sizeof *cases);
    ints c = chan_of(0);
    int done = 0, out = 0;
    for (int i = 0; i < 1000; i++)
        cases[i] = gort_on_recv(c, &out);
    struct chooser s = { .n = 1, .done = &done, .out = { 5 } };
    s.cases[0] = gort_on_send(c, &s.out[0]);
    gort_go(choose, &s);
    CHECK_GE(gort_select(cases, 1000), 0);
    CHECK_EQ(out, 5);
    WAIT_FOR(LOAD(&done) == 1);
    CHECK(!gort_try_send(c, 1));
}

// ---- misuse ------------------------------------------------------------------------------------

static void select_negative(void *arg)
{
    gort_select(arg, -1);
}

static void select_unmade(void *arg)
{
    gort_case cases[2] = { { arg, NULL, 0, false }, { arg, NULL, 0, false } };
    gort_select(cases, 2);
}

static void select_nothing_to_send(void *arg)
{
    gort_case cases[] = { gort_on_send((ints)arg, NULL) };
    gort_select(cases, 1);
}

TEST(misuse_panics)
{
    CHECK_PANICS(select_negative, NULL, "gort_select: -1 cases");
    CHECK_PANICS(select_unmade, (void *)chan_of(0),
                 "gort_select: case 0 was not made by gort_on_recv or gort_on_send");
    CHECK_PANICS(select_nothing_to_send, (void *)chan_of(1),
                 "gort_select: case 0 has no value to send");
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(one_case);
    RUN(the_ready_case_is_chosen);
    RUN(sends_and_receives_mixed);
    RUN(the_value_is_sent_as_it_is);
    RUN(null_channels_are_never_ready);
    RUN(null_outs);
    RUN(the_choice_is_uniform);
    RUN(the_choice_is_uniform_among_cases_of_one_channel);
    RUN(not_ready_ones_do_not_bias);
    RUN_IN_ORDER(a_waiting_select_is_served);
    RUN_IN_ORDER(a_waiting_send_is_taken);
    RUN_IN_ORDER(a_select_happens_once);
    RUN_IN_ORDER(duplicates);
    RUN_IN_ORDER(selects_are_served_in_order);
    RUN_ON_ALL(selects_meet);
    RUN_ON_ALL(a_thousand_cases);
    RUN_ON_ALL(a_thousand_cases_of_one_channel);
    RUN(misuse_panics);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
