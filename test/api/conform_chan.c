// Conformance of channels: blocking, trying, order, closing, races between them.
//
// Long for its number of cases, each a dozen lines: they stand together because they share the
// goroutines and helpers between them, and the list at the end runs any of them by name.
//
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

static ints ints_of(size_t cap)
{
    return gort_chan_make(int, cap);
}

static void fill(ints c)
{
    for (size_t i = gort_chan_len(c); i < gort_chan_cap(c); i++)
        gort_send(c, (int)i);
}

// ---- blocking and trying ------------------------------------------------------------------------

static void recv_and_note(void *arg)
{
    struct world *w = arg;
    int v = -1;
    note(w, gort_recv(w->c, &v) ? v : -1);
}

static void send_and_note(void *arg)
{
    struct world *w = arg;
    gort_send(w->c, 7);
    note(w, 1);
}

static void an_empty_channel_blocks_receivers(void)
{
    for (size_t cap = 0; cap < 4; cap++) {
        struct world w = { .c = ints_of(cap) };
        gort_go(recv_and_note, &w);
        settle();
        CHECK_EQ(w.nlog, 0);
        gort_send(w.c, 5);
        settle();
        CHECK_EQ(w.nlog, 1);
        CHECK_EQ(w.log[0], 5);
    }
}

static void a_full_channel_blocks_senders(void)
{
    for (size_t cap = 0; cap < 4; cap++) {
        struct world w = { .c = ints_of(cap) };
        fill(w.c);
        gort_go(send_and_note, &w);
        settle();
        CHECK_EQ(w.nlog, 0);
        CHECK(gort_recv(w.c, NULL));
        settle();
        CHECK_EQ(w.nlog, 1);
    }
}

static void a_buffered_send_does_not_wait(void)
{
    ints c = ints_of(3);
    fill(c); // would be a deadlock
    CHECK_EQ(gort_chan_len(c), 3);
}

static void try_recv_of_an_empty_channel(void)
{
    for (size_t cap = 0; cap < 4; cap++) {
        int v = 42;
        CHECK_EQ(gort_try_recv(ints_of(cap), &v), GORT_EMPTY);
        CHECK_EQ(v, 42);
    }
}

static void try_send_to_a_full_channel(void)
{
    for (size_t cap = 0; cap < 4; cap++) {
        ints c = ints_of(cap);
        fill(c);
        CHECK(!gort_try_send(c, 9));
        CHECK_EQ(gort_chan_len(c), cap);
        for (int i = 0; i < (int)cap; i++) {
            int v;
            CHECK_EQ(gort_try_recv(c, &v), GORT_GOT);
            CHECK_EQ(v, i);
        }
    }
}

static void try_finds_a_waiting_receiver(void)
{
    struct world w = { .c = ints_of(0) };
    CHECK(!gort_try_send(w.c, 1));
    gort_go(recv_and_note, &w);
    settle();
    CHECK(gort_try_send(w.c, 2));
    CHECK(!gort_try_send(w.c, 3));
    settle();
    CHECK_EQ(w.log[0], 2);
}

static void try_finds_a_waiting_sender(void)
{
    struct world w = { .c = ints_of(0) };
    gort_go(send_and_note, &w);
    settle();
    int v = 0;
    CHECK_EQ(gort_try_recv(w.c, &v), GORT_GOT);
    CHECK_EQ(v, 7);
    CHECK_EQ(gort_try_recv(w.c, &v), GORT_EMPTY);
    settle();
    CHECK_EQ(w.nlog, 1);
}

static void a_waiting_sender_fills_the_freed_slot(void)
{
    struct world w = { .c = ints_of(2) };
    fill(w.c);
    gort_go(send_and_note, &w);
    settle();
    int v;
    CHECK(gort_recv(w.c, &v));
    CHECK_EQ(gort_chan_len(w.c), 2); // at once, by the receiver
    CHECK(gort_recv(w.c, &v));
    CHECK_EQ(v, 1);
    CHECK(gort_recv(w.c, &v));
    CHECK_EQ(v, 7);
    settle();
    CHECK_EQ(w.nlog, 1);
}

// A receiver that runs while a sender has sent, or is about to, never finds both nothing and a
// closed channel that something was sent to.
static void recv_once_then_close(void *arg)
{
    struct world *w = arg;
    if (gort_try_recv(w->c, NULL) == GORT_EMPTY) STORE(&w->a, 1);
    gort_send(w->done, 0);
}

static void try_recv_never_misses_what_was_sent(void)
{
    for (int i = 0; i < test_count(2000); i++) {
        struct world w = { .c = ints_of(1), .done = ints_of(1) };
        gort_send(w.c, 1);
        gort_go(recv_once_then_close, &w);
        gort_close(w.c);
        gort_recv(w.c, NULL);
        gort_recv(w.done, NULL);
        // The other found it, or we did: then it found the channel closed, not empty.
        CHECK_EQ(LOAD(&w.a), 0);
    }
}

static void try_send_once(void *arg)
{
    struct world *w = arg;
    if (gort_try_send(w->c, 5)) ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void one_slot_is_given_once(void)
{
    for (int i = 0; i < test_count(500); i++) {
        struct world w = { .c = ints_of(1) };
        gort_waitgroup_add(&w.wg, 4);
        for (int k = 0; k < 4; k++)
            gort_go(try_send_once, &w);
        gort_waitgroup_wait(&w.wg);
        CHECK_EQ(LOAD(&w.a), 1);
        CHECK_EQ(gort_chan_len(w.c), 1);
    }
}

static void try_recv_once(void *arg)
{
    struct world *w = arg;
    if (gort_try_recv(w->c, NULL) == GORT_GOT) ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void one_element_is_got_once(void)
{
    for (int i = 0; i < test_count(500); i++) {
        struct world w = { .c = ints_of(1) };
        gort_send(w.c, 1);
        gort_waitgroup_add(&w.wg, 4);
        for (int k = 0; k < 4; k++)
            gort_go(try_recv_once, &w);
        gort_waitgroup_wait(&w.wg);
        CHECK_EQ(LOAD(&w.a), 1);
    }
}

static void try_does_not_switch(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(1) };
    gort_go(recv_and_note, &w);
    settle();
    CHECK(gort_try_send(w.c, 1));
    CHECK(gort_try_send(w.d, 1));
    CHECK_EQ(gort_try_recv(w.d, NULL), GORT_GOT);
    CHECK_EQ(w.nlog, 0); // it is ready, and runs when we wait
    settle();
    CHECK_EQ(w.nlog, 1);
}

// ---- order --------------------------------------------------------------------------------------

static void send_hundred(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < 100; i++)
        gort_send(w->c, i);
}

static void elements_in_order_of(size_t cap)
{
    struct world w = { .c = ints_of(cap) };
    gort_go(send_hundred, &w);
    for (int i = 0; i < 100; i++) {
        int v = -1;
        CHECK(gort_recv(w.c, &v));
        CHECK_EQ(v, i);
    }
}
static void elements_in_order_unbuffered(void)
{
    elements_in_order_of(0);
}
static void elements_in_order_one_slot(void)
{
    elements_in_order_of(1);
}
static void elements_in_order_odd_ring(void)
{
    elements_in_order_of(7);
}
static void elements_in_order_roomy(void)
{
    elements_in_order_of(200);
}

static void send_tagged(void *args)
{
    struct member *m = args;
    for (int i = 0; i < m->w->rounds; i++)
        gort_send(m->w->c, m->id << 20 | i);
    gort_waitgroup_done(&m->w->wg);
}

// Each sender's elements come in the order in which it sent them, none lost, none twice.
static void order_of_each_sender(size_t cap)
{
    struct world w = { .c = ints_of(cap), .rounds = (int)test_count(400) };
    int next[10] = { 0 };
    gort_waitgroup_add(&w.wg, 10);
    start_members(&w, 10, send_tagged);
    for (int i = 0; i < 10 * w.rounds; i++) {
        int v;
        CHECK(gort_recv(w.c, &v));
        CHECK_EQ(v & 0xfffff, next[v >> 20]++);
    }
    gort_waitgroup_wait(&w.wg);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(next[i], w.rounds);
}
static void senders_keep_their_order_unbuffered(void)
{
    order_of_each_sender(0);
}
static void senders_keep_their_order_buffered(void)
{
    order_of_each_sender(10);
}

static void recv_and_log_id(void *args)
{
    struct member *m = args;
    int v;
    gort_recv(m->w->c, &v);
    CHECK_EQ(v, m->id);
    note(m->w, m->id);
}

static void receivers_are_served_in_turn(void)
{
    struct world w = { .c = ints_of(0) };
    for (int i = 0; i < 10; i++) {
        struct member m = { &w, i };
        gort_go_copy(recv_and_log_id, &m, sizeof m);
        settle();
    }
    for (int i = 0; i < 10; i++)
        gort_send(w.c, i);
    settle();
    CHECK_EQ(w.nlog, 10);
}

static void send_id(void *args)
{
    struct member *m = args;
    gort_send(m->w->c, m->id);
    note(m->w, m->id);
}

static void senders_are_served_in_turn(void)
{
    struct world w = { .c = ints_of(2) };
    for (int i = 0; i < 10; i++) {
        struct member m = { &w, i };
        gort_go_copy(send_id, &m, sizeof m);
        settle();
    }
    for (int i = 0; i < 10; i++) {
        int v;
        CHECK(gort_recv(w.c, &v));
        CHECK_EQ(v, i);
    }
    settle();
    CHECK_EQ(w.nlog, 10);
}

static void count_received(void *args)
{
    struct member *m = args;
    int64_t *counts = (int64_t *)(uintptr_t)m->w->b;
    int v;
    while (gort_recv(m->w->c, &v))
        counts[m->id]++;
    gort_waitgroup_done(&m->w->wg);
}

// Receivers that wait take turns: with one P each of four gets its share.
static void receivers_share_fairly(void)
{
    int64_t counts[4] = { 0 };
    int rounds = (int)test_count(2000) + 400;
    struct world w = { .c = ints_of(0), .b = (int64_t)(uintptr_t)counts };
    gort_waitgroup_add(&w.wg, 4);
    start_members(&w, 4, count_received);
    settle();
    for (int i = 0; i < rounds; i++)
        gort_send(w.c, i);
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
    for (int i = 0; i < 4; i++)
        CHECK_GE(counts[i], rounds / 16);
    CHECK_EQ(counts[0] + counts[1] + counts[2] + counts[3], rounds);
}

static void tell_where(void *arg)
{
    struct world *w = arg;
    STORE(&w->b, 1);
    gort_send(w->c, 0);
    STORE(&w->b, 2);
    gort_recv(w->d, NULL);
    CHECK_EQ(w->a, 9); // written before the send that we received
    gort_send(w->done, 0);
}

static void a_send_publishes_what_was_before(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(1), .done = ints_of(0) };
    gort_go(tell_where, &w);
    gort_recv(w.c, NULL);
    CHECK(LOAD(&w.b) >= 1);
    w.a = 9;
    gort_send(w.d, 1);
    gort_recv(w.done, NULL);
    CHECK_EQ(w.b, 2);
}

static void lock_step(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        gort_send(w->c, 1); // takes the only slot: a lock
        int64_t seen = w->a;
        w->a = seen + 1;
        gort_recv(w->c, NULL);
    }
    gort_send(w->done, 0);
}

// The k-th receive of a channel of capacity C happens before the end of the k+C-th send.
static void a_buffer_of_one_is_a_lock(void)
{
    struct world w = { .c = ints_of(1), .done = ints_of(8), .rounds = (int)test_count(2000) };
    for (int i = 0; i < 8; i++)
        gort_go(lock_step, &w);
    for (int i = 0; i < 8; i++)
        gort_recv(w.done, NULL);
    CHECK_EQ(w.a, 8 * w.rounds);
}

// ---- closing ------------------------------------------------------------------------------------

static void a_closed_channel_gives_zero(void)
{
    for (size_t cap = 0; cap < 4; cap++) {
        ints c = ints_of(cap);
        gort_close(c);
        for (int i = 0; i < 3; i++) {
            int v = 42;
            CHECK(!gort_recv(c, &v));
            CHECK_EQ(v, 0);
        }
    }
}

static void try_on_a_closed_channel(void)
{
    ints c = ints_of(1);
    int v = 42;
    gort_send(c, 3);
    gort_close(c);
    CHECK_EQ(gort_try_recv(c, &v), GORT_GOT);
    CHECK_EQ(v, 3);
    CHECK_EQ(gort_try_recv(c, &v), GORT_CLOSED);
    CHECK_EQ(v, 0);
    CHECK_EQ(gort_try_recv(c, NULL), GORT_CLOSED);
}

static void what_was_sent_comes_before_the_end(void)
{
    ints c = ints_of(5);
    fill(c);
    gort_close(c);
    for (int i = 0; i < 5; i++) {
        int v;
        CHECK(gort_recv(c, &v));
        CHECK_EQ(v, i);
    }
    CHECK(!gort_recv(c, NULL));
}

static void close_wakes_a_receiver(void)
{
    for (size_t cap = 0; cap < 3; cap++) {
        struct world w = { .c = ints_of(cap) };
        gort_go(recv_and_note, &w);
        settle();
        gort_close(w.c);
        settle();
        CHECK_EQ(w.nlog, 1);
        CHECK_EQ(w.log[0], -1);
    }
}

static void receive_the_end(void *arg)
{
    struct world *w = arg;
    int v = 9;
    CHECK(!gort_recv(w->c, &v));
    CHECK_EQ(v, 0);
    ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void close_wakes_all_receivers(void)
{
    int n = 500;
    struct world w = { .c = ints_of(0) };
    gort_waitgroup_add(&w.wg, n);
    for (int i = 0; i < n; i++)
        gort_go(receive_the_end, &w);
    if (gort_max_procs(0) == 1) settle();
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(LOAD(&w.a), n);
}

static void send_one(void *arg)
{
    gort_send(((struct world *)arg)->c, 1);
}
static void try_send_one(void *arg)
{
    gort_try_send(((struct world *)arg)->c, 1);
}
static void close_one(void *arg)
{
    gort_close(((struct world *)arg)->c);
}

static void expect_send_panic(void *arg)
{
    CHECK_PANICS(send_one, arg, "send on closed channel");
    note(arg, 2);
}

static void close_panics_a_waiting_sender(void)
{
    for (size_t cap = 0; cap < 3; cap++) {
        struct world w = { .c = ints_of(cap) };
        fill(w.c);
        gort_go(expect_send_panic, &w);
        settle();
        gort_close(w.c);
        settle();
        CHECK_EQ(w.nlog, 1);
        // The value of the one that panicked is not in the channel.
        for (size_t i = 0; i < cap; i++)
            CHECK(gort_recv(w.c, NULL));
        CHECK(!gort_recv(w.c, NULL));
    }
}

static void send_on_a_closed_channel_panics(void)
{
    for (size_t cap = 0; cap < 3; cap++) {
        struct world w = { .c = ints_of(cap) };
        gort_close(w.c);
        CHECK_PANICS(send_one, &w, "send on closed channel");
        CHECK_PANICS(try_send_one, &w, "send on closed channel");
    }
}

static void a_second_close_panics(void)
{
    struct world w = { .c = ints_of(1) };
    gort_close(w.c);
    CHECK_PANICS(close_one, &w, "close of closed channel");
    CHECK(!gort_recv(w.c, NULL));
}

static void close_of_null_panics(void)
{
    struct world w = { .c = NULL };
    CHECK_PANICS(close_one, &w, "close of NULL channel");
}

static void try_to_close(void *arg)
{
    struct world *w = arg;
    if (!gort_try(close_one, w, NULL)) ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void one_of_many_closes_wins(void)
{
    for (int i = 0; i < test_count(200); i++) {
        struct world w = { .c = ints_of(0) };
        gort_waitgroup_add(&w.wg, 4);
        for (int k = 0; k < 4; k++)
            gort_go(try_to_close, &w);
        gort_waitgroup_wait(&w.wg);
        CHECK_EQ(LOAD(&w.a), 1);
    }
}

static void watch_close(void *arg)
{
    struct world *w = arg;
    gort_recv(w->c, NULL);
    CHECK_EQ(w->b, 77);
    gort_waitgroup_done(&w->wg);
}

static void a_close_publishes_what_was_before(void)
{
    for (int i = 0; i < test_count(200); i++) {
        struct world w = { .c = ints_of(0) };
        gort_waitgroup_add(&w.wg, 3);
        for (int k = 0; k < 3; k++)
            gort_go(watch_close, &w);
        w.b = 77;
        gort_close(w.c);
        gort_waitgroup_wait(&w.wg);
    }
}

static void close_keeps_length_and_capacity(void)
{
    ints c = ints_of(4);
    gort_send(c, 1);
    gort_send(c, 2);
    gort_close(c);
    CHECK_EQ(gort_chan_len(c), 2);
    CHECK_EQ(gort_chan_cap(c), 4);
    gort_recv(c, NULL);
    CHECK_EQ(gort_chan_len(c), 1);
}

static void sum_until_end(void *arg)
{
    struct world *w = arg;
    int v;
    int64_t sum = 0;
    while (gort_recv(w->c, &v))
        sum += v;
    ADD(&w->sum, sum);
    gort_waitgroup_done(&w->wg);
}

static void a_close_ends_every_loop(void)
{
    int n = (int)test_count(5000);
    struct world w = { .c = ints_of(16) };
    gort_waitgroup_add(&w.wg, 7);
    for (int i = 0; i < 7; i++)
        gort_go(sum_until_end, &w);
    for (int i = 1; i <= n; i++)
        gort_send(w.c, i);
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.sum, (int64_t)n * (n + 1) / 2);
}

// ---- pipelines ----------------------------------------------------------------------------------

static void pass_plus_one(void *args)
{
    ints *c = args;
    int v;
    while (gort_recv(c[0], &v))
        gort_send(c[1], v + 1);
    gort_close(c[1]);
}

static void a_chain_of_goroutines(size_t cap)
{
    ints c[2] = { NULL, ints_of(cap) };
    ints first = c[1];
    for (int i = 0; i < 100; i++) {
        c[0] = c[1];
        c[1] = ints_of(cap);
        gort_go_copy(pass_plus_one, c, sizeof c);
    }
    for (int k = 0; k < 3; k++) {
        int v;
        gort_send(first, k);
        CHECK(gort_recv(c[1], &v));
        CHECK_EQ(v, k + 100);
    }
    gort_close(first);
    CHECK(!gort_recv(c[1], NULL));
}
static void a_chain_unbuffered(void)
{
    a_chain_of_goroutines(0);
}
static void a_chain_buffered(void)
{
    a_chain_of_goroutines(3);
}

static void work(void *arg)
{
    struct world *w = arg;
    int v;
    while (gort_recv(w->c, &v))
        gort_send(w->d, (int)((int64_t)v * v % 10007));
    gort_waitgroup_done(&w->wg);
}

static void close_results(void *arg)
{
    struct world *w = arg;
    gort_waitgroup_wait(&w->wg);
    gort_close(w->d);
}

static void feed(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->n; i++)
        gort_send(w->c, i);
    gort_close(w->c);
}

// Many workers between one source and one sink: every job is done once.
static void many_workers(void)
{
    struct world w = { .c = ints_of(23), .d = ints_of(13), .n = (int)test_count(10000) };
    int64_t want = 0, got = 0;
    int v;
    gort_waitgroup_add(&w.wg, 23);
    for (int i = 0; i < 23; i++)
        gort_go(work, &w);
    gort_go(feed, &w);
    gort_go(close_results, &w);
    while (gort_recv(w.d, &v))
        got += v;
    for (int64_t i = 0; i < w.n; i++)
        want += i * i % 10007;
    CHECK_EQ(got, want);
}

static void bounce(void *args)
{
    ints *c = args;
    int v;
    while (gort_recv(c[0], &v))
        gort_send(c[1], v + 1);
}

static void ping_pong(void)
{
    ints c[2] = { ints_of(0), ints_of(0) };
    int n = (int)test_count(3000), v = 0;
    gort_go_copy(bounce, c, sizeof c);
    for (int i = 0; i < n; i++) {
        gort_send(c[0], v);
        CHECK(gort_recv(c[1], &v));
    }
    CHECK_EQ(v, n);
    gort_close(c[0]);
}

static void echo_replies(void *arg)
{
    ints reply;
    gort_chan(ints) c = arg;
    while (gort_recv(c, &reply))
        gort_send(reply, 6);
}

static void channels_through_channels(void)
{
    gort_chan(ints) c = gort_chan_make(ints, 0);
    gort_go(echo_replies, (void *)c);
    for (int i = 0; i < 50; i++) {
        ints reply = ints_of(i % 2);
        int v = 0;
        gort_send(c, reply);
        CHECK(gort_recv(reply, &v));
        CHECK_EQ(v, 6);
    }
    gort_close(c);
}

static void a_goroutine_may_send_to_itself(void)
{
    ints c = ints_of(1);
    for (int i = 0; i < 100; i++) {
        int v;
        gort_send(c, i);
        CHECK(gort_recv(c, &v));
        CHECK_EQ(v, i);
    }
}

// ---- NULL channels, length ----------------------------------------------------------------------

static void null_channels(void)
{
    ints none = NULL;
    int v = 3;
    CHECK(!gort_try_send(none, 1));
    CHECK_EQ(gort_try_recv(none, &v), GORT_EMPTY);
    CHECK_EQ(v, 3);
    CHECK_EQ(gort_chan_len(none), 0);
    CHECK_EQ(gort_chan_cap(none), 0);
}

static void recv_from_null(void *arg)
{
    struct world *w = arg;
    ints none = NULL;
    note(w, 1);
    gort_recv(none, NULL);
    note(w, 2);
}

static void a_null_channel_blocks_for_ever(void)
{
    struct world *w = gort_alloc(sizeof *w);
    gort_go(recv_from_null, w);
    settle();
    gort_gc();
    settle();
    CHECK_EQ(w->nlog, 1);
}

static void look_at_length(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->a)) {
        CHECK_LE(gort_chan_len(w->c), 3);
        CHECK_EQ(gort_chan_cap(w->c), 3);
        gort_yield();
    }
    gort_waitgroup_done(&w->wg);
}

static void length_is_always_within_capacity(void)
{
    struct world w = { .c = ints_of(3), .n = (int)test_count(3000) };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(look_at_length, &w);
    gort_go(feed, &w);
    while (gort_recv(w.c, NULL))
        ;
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static const struct conform_case cases[] = {
    CASE(an_empty_channel_blocks_receivers, 1),
    CASE(a_full_channel_blocks_senders, 1),
    CASE(a_buffered_send_does_not_wait, 0),
    CASE(try_recv_of_an_empty_channel, 0),
    CASE(try_send_to_a_full_channel, 0),
    CASE(try_finds_a_waiting_receiver, 1),
    CASE(try_finds_a_waiting_sender, 1),
    CASE(a_waiting_sender_fills_the_freed_slot, 1),
    CASE(try_recv_never_misses_what_was_sent, 0),
    CASE(one_slot_is_given_once, 0),
    CASE(one_element_is_got_once, 0),
    CASE(try_does_not_switch, 1),
    CASE(elements_in_order_unbuffered, 0),
    CASE(elements_in_order_one_slot, 0),
    CASE(elements_in_order_odd_ring, 0),
    CASE(elements_in_order_roomy, 0),
    CASE(senders_keep_their_order_unbuffered, 0),
    CASE(senders_keep_their_order_buffered, 0),
    CASE(receivers_are_served_in_turn, 1),
    CASE(senders_are_served_in_turn, 1),
    CASE(receivers_share_fairly, 1),
    CASE(a_send_publishes_what_was_before, 0),
    CASE(a_buffer_of_one_is_a_lock, 0),
    CASE(a_closed_channel_gives_zero, 0),
    CASE(try_on_a_closed_channel, 0),
    CASE(what_was_sent_comes_before_the_end, 0),
    CASE(close_wakes_a_receiver, 1),
    CASE(close_wakes_all_receivers, 0),
    CASE(close_panics_a_waiting_sender, 1),
    CASE(send_on_a_closed_channel_panics, 0),
    CASE(a_second_close_panics, 0),
    CASE(close_of_null_panics, 0),
    CASE(one_of_many_closes_wins, 0),
    CASE(a_close_publishes_what_was_before, 0),
    CASE(close_keeps_length_and_capacity, 0),
    CASE(a_close_ends_every_loop, 0),
    CASE(a_chain_unbuffered, 0),
    CASE(a_chain_buffered, 0),
    CASE(many_workers, 0),
    CASE(ping_pong, 0),
    CASE(channels_through_channels, 0),
    CASE(a_goroutine_may_send_to_itself, 0),
    CASE(null_channels, 0),
    CASE(a_null_channel_blocks_for_ever, 1),
    CASE(length_is_always_within_capacity, 0),
};
CONFORM_MAIN(cases)
