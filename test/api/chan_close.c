// Closing channels: what is left is received, waiters wake, misuse panics.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

typedef gort_chan(int) ints;

// ---- receiving ---------------------------------------------------------------------------------

TEST(what_is_left_is_received)
{
    for (int cap = 1; cap < 6; cap++)
        for (int n = 0; n <= cap; n++) {
            ints c = gort_chan_make(int, (size_t)cap);
            for (int i = 0; i < n; i++)
                gort_send(c, i + 1);
            gort_close(c);
            for (int i = 0; i < n; i++) {
                int v = -1;
                if (i % 2 == 0)
                    CHECK(gort_recv(c, &v));
                else
                    CHECK_EQ(gort_try_recv(c, &v), GORT_GOT);
                CHECK_EQ(v, i + 1);
            }
            for (int i = 0; i < 3; i++) {
                int v = -1;
                CHECK(!gort_recv(c, &v));
                CHECK_EQ(v, 0);
                v = -1;
                CHECK_EQ(gort_try_recv(c, &v), GORT_CLOSED);
                CHECK_EQ(v, 0);
            }
        }
}

TEST(a_large_out_is_zeroed)
{
    typedef struct {
        unsigned char b[777];
    } large;
    gort_chan(large) c = gort_chan_make(large, 0);
    large v;
    memset(&v, 1, sizeof v);
    gort_close(c);
    CHECK(!gort_recv(c, &v));
    for (size_t i = 0; i < sizeof v; i++)
        CHECK_EQ(v.b[i], 0);
}

struct receiver {
    ints c;
    int value;
    bool ok;
    int *done;
};

static void receive(void *arg)
{
    struct receiver *r = arg;
    r->ok = gort_recv(r->c, &r->value);
    ADD(r->done, 1);
}

static void wakes_receivers(int n)
{
    struct receiver *r = gort_alloc((size_t)n * sizeof *r);
    ints c = gort_chan_make(int, 0);
    int done = 0;
    for (int i = 0; i < n; i++) {
        r[i] = (struct receiver){ c, 123, true, &done };
        gort_go(receive, &r[i]);
    }
    settle();
    CHECK_EQ(LOAD(&done), 0);
    gort_close(c);
    WAIT_FOR(LOAD(&done) == n);
    for (int i = 0; i < n; i++) {
        CHECK(!r[i].ok);
        CHECK_EQ(r[i].value, 0);
    }
}

TEST(all_receivers_wake)
{
    wakes_receivers(1);
    wakes_receivers(10);
    wakes_receivers(1000);
}

// What was done before the close is seen by those that it wakes.
static int plain;

static void look_after_close(void *arg)
{
    struct receiver *r = arg;
    CHECK(!gort_recv(r->c, NULL));
    CHECK_EQ(plain, 42);
    ADD(r->done, 1);
}

TEST(close_publishes)
{
    for (int round = 0; round < 50; round++) {
        ints c = gort_chan_make(int, 0);
        int done = 0;
        struct receiver r = { c, 0, true, &done };
        plain = 0;
        for (int i = 0; i < 4; i++)
            gort_go(look_after_close, &r);
        gort_yield();
        plain = 42;
        gort_close(c);
        WAIT_FOR(LOAD(&done) == 4);
    }
}

// ---- panics ------------------------------------------------------------------------------------

static void close_it(void *arg)
{
    gort_close((ints)arg);
}

static void send_it(void *arg)
{
    gort_send((ints)arg, 1);
}

static void try_send_it(void *arg)
{
    (void)gort_try_send((ints)arg, 1);
}

static void select_send_it(void *arg)
{
    int v = 1;
    gort_case cases[] = { gort_on_send((ints)arg, &v) };
    gort_select(cases, 1);
}

static void select_send_of_two(void *arg)
{
    int v = 1;
    gort_case cases[] = { gort_on_recv((ints)NULL, &v), gort_on_send((ints)arg, &v) };
    gort_select(cases, 2);
}

static void select_try_send_it(void *arg)
{
    int v = 1;
    gort_case cases[] = { gort_on_send((ints)arg, &v), gort_on_recv((ints)NULL, &v) };
    gort_select_try(cases, 2);
}

TEST(misuse_panics)
{
    CHECK_PANICS(close_it, NULL, "close of NULL channel");
    for (size_t cap = 0; cap < 2; cap++) {
        ints c = gort_chan_make(int, cap);
        CHECK(!gort_try(close_it, (void *)c, NULL));
        CHECK_PANICS(close_it, (void *)c, "close of closed channel");
        CHECK_PANICS(send_it, (void *)c, "send on closed channel");
        CHECK_PANICS(try_send_it, (void *)c, "send on closed channel");
        CHECK_PANICS(select_send_it, (void *)c, "send on closed channel");
        CHECK_PANICS(select_send_of_two, (void *)c, "send on closed channel");
        CHECK_PANICS(select_try_send_it, (void *)c, "send on closed channel");
        // The channel is as it was: no lock is left behind.
        int v = 1;
        CHECK(!gort_recv(c, &v));
        CHECK_EQ(gort_chan_len(c), 0);
    }
}

TEST(a_full_closed_channel_panics_too)
{
    ints c = gort_chan_make(int, 1);
    gort_send(c, 5);
    gort_close(c);
    CHECK_PANICS(send_it, (void *)c, "send on closed channel");
    CHECK_PANICS(try_send_it, (void *)c, "send on closed channel");
    int v;
    CHECK(gort_recv(c, &v));
    CHECK_EQ(v, 5);
}

struct sender {
    ints c;
    gort_panic_info info;
    void (*how)(void *);
    int *done;
};

static void send_and_note(void *arg)
{
    struct sender *s = arg;
    CHECK(gort_try(s->how, (void *)s->c, &s->info));
    ADD(s->done, 1);
}

static void senders_panic(size_t cap, void (*how)(void *))
{
    enum { N = 20 };
    struct sender s[N];
    ints c = gort_chan_make(int, cap);
    int done = 0;
    for (size_t i = 0; i < cap; i++)
        gort_send(c, 9);
    for (int i = 0; i < N; i++) {
        s[i] = (struct sender){ .c = c, .how = how, .done = &done };
        gort_go(send_and_note, &s[i]);
    }
    settle();
    CHECK_EQ(LOAD(&done), 0);
    gort_close(c);
    WAIT_FOR(LOAD(&done) == N);
    for (int i = 0; i < N; i++)
        CHECK_STR_EQ(s[i].info.message, "send on closed channel");
    for (size_t i = 0; i < cap; i++) {
        int v;
        CHECK(gort_recv(c, &v));
        CHECK_EQ(v, 9);
    }
    CHECK_EQ(gort_try_recv(c, NULL), GORT_CLOSED);
}

TEST(waiting_senders_panic)
{
    senders_panic(0, send_it);
    senders_panic(3, send_it);
    senders_panic(0, select_send_it);
    senders_panic(0, select_send_of_two);
    senders_panic(3, select_send_of_two);
}

// ---- select ------------------------------------------------------------------------------------

static void select_two(void *arg)
{
    struct receiver *r = arg;
    int v = -1;
    gort_case cases[] = { gort_on_recv((ints)NULL, &v), gort_on_recv(r->c, &r->value),
                          gort_on_recv(gort_chan_make(int, 0), &v) };
    cases[1].ok = true;
    CHECK_EQ(gort_select(cases, 3), 1);
    CHECK_EQ(v, -1);
    r->ok = cases[1].ok;
    ADD(r->done, 1);
}

// Finds it closed, perhaps while others are still to be woken.
static void look(void *arg)
{
    struct receiver *r = arg;
    int got;
    while ((got = gort_try_recv(r->c, &r->value)) == GORT_EMPTY)
        gort_yield();
    CHECK_EQ(got, GORT_CLOSED);
    for (int i = 0; i < 100; i++)
        CHECK(!gort_recv(r->c, NULL));
    receive(r);
}

static void selects_wake_among(int n)
{
    struct receiver *r = gort_alloc((size_t)n * sizeof *r);
    ints c = gort_chan_make(int, 0);
    int done = 0;
    for (int i = 0; i < n; i++) {
        r[i] = (struct receiver){ c, 5, true, &done };
        gort_go(i % 2 == 0 ? select_two : i % 100 == 99 ? look : receive, &r[i]);
    }
    settle();
    gort_close(c);
    WAIT_FOR(LOAD(&done) == n);
    for (int i = 0; i < n; i++) {
        CHECK(!r[i].ok);
        CHECK_EQ(r[i].value, 0);
    }
}

TEST(selects_wake)
{
    selects_wake_among(20);
    selects_wake_among(1000);
}

// ---- a producer that closes --------------------------------------------------------------------

static void produce(void *arg)
{
    ints c = arg;
    for (int i = 0; i < 1000; i++)
        gort_send(c, i);
    gort_close(c);
}

TEST(a_loop_over_a_channel_ends)
{
    for (size_t cap = 0; cap <= 16; cap = cap * 4 + 1) {
        ints c = gort_chan_make(int, cap);
        gort_go(produce, (void *)c);
        int v, n = 0;
        while (gort_recv(c, &v))
            CHECK_EQ(v, n++);
        CHECK_EQ(n, 1000);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(what_is_left_is_received);
    RUN(a_large_out_is_zeroed);
    RUN_IN_ORDER(all_receivers_wake);
    RUN_ON_ALL(close_publishes);
    RUN(misuse_panics);
    RUN(a_full_closed_channel_panics_too);
    RUN_IN_ORDER(waiting_senders_panic);
    RUN_IN_ORDER(selects_wake);
    RUN_ON_ALL(a_loop_over_a_channel_ends);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
