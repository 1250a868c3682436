// Channels: making, elements of every size, order, hand-over, trying, NULL channels.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- making ------------------------------------------------------------------------------------

TEST(length_and_capacity)
{
    gort_chan(int) none = NULL;
    CHECK_EQ(gort_chan_len(none), 0);
    CHECK_EQ(gort_chan_cap(none), 0);
    gort_chan(int) c = gort_chan_make(int, 0);
    CHECK_EQ(gort_chan_len(c), 0);
    CHECK_EQ(gort_chan_cap(c), 0);
    gort_chan(int) d = gort_chan_make(int, 3);
    CHECK_EQ(gort_chan_cap(d), 3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(gort_chan_len(d), i);
        gort_send(d, i);
    }
    CHECK_EQ(gort_chan_len(d), 3);
    gort_close(d);
    CHECK_EQ(gort_chan_len(d), 3);
    CHECK_EQ(gort_chan_cap(d), 3);
    gort_recv(d, NULL);
    CHECK_EQ(gort_chan_len(d), 2);
}

TEST(channels_are_distinct)
{
    gort_chan(char) c[100];
    for (int i = 0; i < 100; i++)
        c[i] = gort_chan_make(char, 1);
    for (int i = 0; i < 100; i++)
        gort_send(c[i], (char)i);
    for (int i = 0; i < 100; i++) {
        char v;
        CHECK(gort_recv(c[i], &v));
        CHECK_EQ(v, (char)i);
    }
}

TEST(a_large_buffer)
{
    enum { N = 100000 };
    gort_chan(uint32_t) c = gort_chan_make(uint32_t, N);
    for (uint32_t i = 0; i < N; i++)
        gort_send(c, i);
    CHECK(!gort_try_send(c, 0));
    for (uint32_t i = 0; i < N; i++) {
        uint32_t v;
        CHECK(gort_recv(c, &v));
        CHECK_EQ(v, i);
    }
}

// ---- element sizes -----------------------------------------------------------------------------

#define SIZED(bytes)                                                                               \
    typedef struct {                                                                               \
        unsigned char b[bytes];                                                                    \
    } sized_##bytes;                                                                               \
    static void echo_##bytes(void *arg)                                                            \
    {                                                                                              \
        gort_chan(sized_##bytes) *c = arg;                                                         \
        sized_##bytes v;                                                                           \
        while (gort_recv(c[0], &v))                                                                \
            gort_send(c[1], v);                                                                    \
        gort_close(c[1]);                                                                          \
    }                                                                                              \
    static void elements_of_##bytes(size_t cap)                                                    \
    {                                                                                              \
        gort_chan(sized_##bytes) c[2] = { gort_chan_make(sized_##bytes, cap),                      \
                                          gort_chan_make(sized_##bytes, cap) };                    \
        gort_go(echo_##bytes, c);                                                                  \
        for (int i = 0; i < 20; i++) {                                                             \
            struct {                                                                               \
                unsigned char before[8];                                                           \
                sized_##bytes v;                                                                   \
                unsigned char after[8];                                                            \
            } got;                                                                                 \
            sized_##bytes v;                                                                       \
            for (size_t k = 0; k < sizeof v; k++)                                                  \
                v.b[k] = (unsigned char)(k * 7 + (size_t)i);                                       \
            memset(&got, 0xee, sizeof got);                                                        \
            gort_send(c[0], v);                                                                    \
            CHECK(gort_recv(c[1], &got.v));                                                        \
            CHECK(memcmp(&got.v, &v, sizeof v) == 0);                                              \
            for (int k = 0; k < 8; k++) {                                                          \
                CHECK_EQ(got.before[k], 0xee);                                                     \
                CHECK_EQ(got.after[k], 0xee);                                                      \
            }                                                                                      \
        }                                                                                          \
        gort_close(c[0]);                                                                          \
        sized_##bytes end;                                                                         \
        memset(&end, 0xee, sizeof end);                                                            \
        CHECK(!gort_recv(c[1], &end));                                                             \
        for (size_t k = 0; k < sizeof end; k++)                                                    \
            CHECK_EQ(end.b[k], 0);                                                                 \
    }
SIZED(1)
SIZED(2)
SIZED(3)
SIZED(4)
SIZED(7)
SIZED(8)
SIZED(9)
SIZED(12)
SIZED(16)
SIZED(24)
SIZED(63)
SIZED(100)
SIZED(5000)
SIZED(40000)

TEST(elements_of_all_sizes)
{
    for (size_t cap = 0; cap < 5; cap += 2) {
        elements_of_1(cap);
        elements_of_2(cap);
        elements_of_3(cap);
        elements_of_4(cap);
        elements_of_7(cap);
        elements_of_8(cap);
        elements_of_9(cap);
        elements_of_12(cap);
        elements_of_16(cap);
        elements_of_24(cap);
        elements_of_63(cap);
        elements_of_100(cap);
        elements_of_5000(cap);
        elements_of_40000(cap);
    }
}

typedef struct {
    char nothing[0];
} empty;

TEST(elements_without_bytes)
{
    gort_chan(empty) c = gort_chan_make(empty, 2);
    empty e = {};
    gort_send(c, e);
    gort_send(c, e);
    CHECK(!gort_try_send(c, e));
    CHECK_EQ(gort_chan_len(c), 2);
    CHECK(gort_recv(c, &e));
    CHECK(gort_recv(c, NULL));
    CHECK_EQ(gort_try_recv(c, &e), GORT_EMPTY);
    // No bytes: no capacity overflows.
    gort_chan(empty) d = gort_chan_make(empty, SIZE_MAX);
    for (int i = 0; i < 1000; i++)
        gort_send(d, e);
    CHECK_EQ(gort_chan_len(d), 1000);
    CHECK_EQ(gort_chan_cap(d), SIZE_MAX);
}

typedef struct {
    int x, y;
} point;

TEST(compound_literals)
{
    gort_chan(point) c = gort_chan_make(point, 2);
    gort_send(c, (point){ 3, 4 });
    CHECK(gort_try_send(c, (point){ .y = 6, .x = 5 }));
    point p;
    CHECK(gort_recv(c, &p));
    CHECK_EQ(p.x, 3);
    CHECK_EQ(p.y, 4);
    CHECK_EQ(gort_try_recv(c, &p), GORT_GOT);
    CHECK_EQ(p.x, 5);
    CHECK_EQ(p.y, 6);
}

TEST(elements_that_are_channels)
{
    typedef gort_chan(int) inner;
    gort_chan(inner) c = gort_chan_make(inner, 1);
    inner d = gort_chan_make(int, 1), e;
    gort_send(d, 42);
    gort_send(c, d);
    CHECK(gort_recv(c, &e));
    int v;
    CHECK(gort_recv(e, &v));
    CHECK_EQ(v, 42);
}

// ---- order -------------------------------------------------------------------------------------

TEST(fifo_across_the_end_of_the_ring)
{
    for (size_t cap = 1; cap <= 7; cap++) {
        gort_chan(int) c = gort_chan_make(int, cap);
        int sent = 0, got = 0;
        uint64_t r = test_seed();
        for (int step = 0; step < 2000; step++) {
            size_t len = gort_chan_len(c);
            CHECK_EQ(len, sent - got);
            if (test_random(&r) % 2 == 0) {
                bool ok = gort_try_send(c, sent);
                CHECK_EQ(ok, len < cap);
                sent += ok;
            } else {
                int v = -1;
                int ok = gort_try_recv(c, &v);
                CHECK_EQ(ok, len > 0 ? GORT_GOT : GORT_EMPTY);
                if (ok == GORT_GOT) CHECK_EQ(v, got++);
                if (ok == GORT_EMPTY) CHECK_EQ(v, -1);
            }
        }
    }
}

struct waiter {
    gort_chan(int) c;
    int value;
    int *order;
};

static void receive_one(void *arg)
{
    struct waiter *w = arg;
    CHECK(gort_recv(w->c, &w->value));
    ADD(w->order, 1);
}

static void send_one(void *arg)
{
    struct waiter *w = arg;
    gort_send(w->c, w->value);
    ADD(w->order, 1);
}

TEST(receivers_are_served_in_order)
{
    enum { N = 50 };
    struct waiter w[N];
    gort_chan(int) c = gort_chan_make(int, 0);
    int done = 0;
    for (int i = 0; i < N; i++) {
        w[i] = (struct waiter){ c, -1, &done };
        gort_go(receive_one, &w[i]);
        settle();
    }
    for (int i = 0; i < N; i++)
        gort_send(c, i);
    WAIT_FOR(LOAD(&done) == N);
    for (int i = 0; i < N; i++)
        CHECK_EQ(w[i].value, i);
}

static void senders_in_order(size_t cap)
{
    enum { N = 50 };
    struct waiter w[N];
    gort_chan(int) c = gort_chan_make(int, cap);
    int done = 0;
    for (int i = 0; i < N; i++) {
        w[i] = (struct waiter){ c, i, &done };
        gort_go(send_one, &w[i]);
        settle();
    }
    CHECK_EQ(LOAD(&done), cap);
    for (int i = 0; i < N; i++) {
        int v;
        CHECK(gort_recv(c, &v));
        CHECK_EQ(v, i);
    }
    WAIT_FOR(LOAD(&done) == N);
    CHECK_EQ(gort_chan_len(c), 0);
}

TEST(senders_are_served_in_order)
{
    senders_in_order(0);
    senders_in_order(1);
    senders_in_order(3);
}

// A value goes to a receiver that waits, past the buffer; the buffer is not used meanwhile.
TEST(hand_over_to_a_waiting_receiver)
{
    gort_chan(int) c = gort_chan_make(int, 4);
    int done = 0;
    struct waiter w = { c, -1, &done };
    gort_go(receive_one, &w);
    settle();
    CHECK(gort_try_send(c, 7));
    CHECK_EQ(gort_chan_len(c), 0);
    WAIT_FOR(LOAD(&done) == 1);
    CHECK_EQ(w.value, 7);
}

TEST(unbuffered_try_needs_a_partner)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    int done = 0, v = 5;
    struct waiter w = { c, 9, &done };
    CHECK(!gort_try_send(c, 1));
    CHECK_EQ(gort_try_recv(c, &v), GORT_EMPTY);
    CHECK_EQ(v, 5);
    gort_go(send_one, &w);
    settle();
    CHECK(!gort_try_send(c, 1));
    CHECK_EQ(gort_chan_len(c), 0);
    CHECK_EQ(gort_try_recv(c, &v), GORT_GOT);
    CHECK_EQ(v, 9);
    CHECK_EQ(gort_try_recv(c, &v), GORT_EMPTY);
    WAIT_FOR(LOAD(&done) == 1);
}

TEST(out_may_be_null)
{
    gort_chan(int) c = gort_chan_make(int, 2);
    int done = 0;
    gort_send(c, 1);
    gort_send(c, 2);
    CHECK(gort_recv(c, NULL));
    CHECK_EQ(gort_try_recv(c, NULL), GORT_GOT);
    CHECK_EQ(gort_try_recv(c, NULL), GORT_EMPTY);
    gort_chan(int) d = gort_chan_make(int, 0);
    struct waiter w = { d, 1, &done };
    gort_go(send_one, &w);
    CHECK(gort_recv(d, NULL));
    WAIT_FOR(LOAD(&done) == 1);
    gort_close(c);
    CHECK(!gort_recv(c, NULL));
    CHECK_EQ(gort_try_recv(c, NULL), GORT_CLOSED);
}

TEST(arguments_are_evaluated_once)
{
    gort_chan(int) c[2] = { gort_chan_make(int, 4), gort_chan_make(int, 4) };
    int i = 0, n = 10, out[2];
    gort_send(c[i++], n++);
    CHECK_EQ(i, 1);
    CHECK_EQ(n, 11);
    CHECK(gort_try_send(c[i--], n++));
    CHECK_EQ(i, 0);
    CHECK_EQ(n, 12);
    CHECK(gort_recv(c[i++], &out[0]));
    CHECK_EQ(gort_try_recv(c[i++], &out[1]), GORT_GOT);
    CHECK_EQ(i, 2);
    CHECK_EQ(out[0], 10);
    CHECK_EQ(out[1], 11);
    // Calls nest in one another's arguments.
    gort_send(c[0], ({
                  int inner = 0;
                  gort_send(c[1], 5);
                  gort_recv(c[1], &inner);
                  inner + 1;
              }));
    CHECK(gort_recv(c[0], &n));
    CHECK_EQ(n, 6);
}

// ---- NULL --------------------------------------------------------------------------------------

static int reached;

static void send_to_null(void *arg)
{
    (void)arg;
    gort_chan(int) none = NULL;
    gort_send(none, 1);
    ADD(&reached, 1);
}

static void receive_from_null(void *arg)
{
    (void)arg;
    gort_chan(int) none = NULL;
    gort_recv(none, NULL);
    ADD(&reached, 1);
}

TEST(null_channels_block_for_ever)
{
    gort_chan(int) none = NULL;
    int v = 3;
    CHECK(!gort_try_send(none, 1));
    CHECK_EQ(gort_try_recv(none, &v), GORT_EMPTY);
    CHECK_EQ(v, 3);
    gort_go(send_to_null, NULL);
    gort_go(receive_from_null, NULL);
    settle();
    gort_sleep(5 * GORT_MS);
    CHECK_EQ(LOAD(&reached), 0);
}

// ---- elements in collected memory --------------------------------------------------------------

typedef struct box {
    struct box *next;
    int64_t value;
} box;
GORT_TYPE(box, next);

static void make_boxes(void *arg)
{
    gort_chan(box *) c = arg;
    for (int i = 0; i < 1000; i++) {
        box *b = gort_new(box);
        b->value = i;
        gort_send(c, b);
    }
    gort_close(c);
}

TEST(pointers_in_flight_are_kept)
{
    for (size_t cap = 0; cap <= 64; cap += 32) {
        gort_chan(box *) c = gort_chan_make(box *, cap);
        gort_go(make_boxes, (void *)c);
        box *b, *all = NULL;
        for (int i = 0; gort_recv(c, &b); i++) {
            CHECK_EQ(b->value, i);
            gort_set(&b->next, all);
            all = b;
            if (i % 100 == 50) gort_gc();
        }
        int n = 0;
        for (; all != NULL; all = all->next)
            CHECK_EQ(all->value, 999 - n++);
        CHECK_EQ(n, 1000);
    }
}

TEST(out_may_lie_in_collected_memory)
{
    gort_chan(box *) c = gort_chan_make(box *, 1);
    box *holder = gort_new(box);
    box *b = gort_new(box);
    b->value = 77;
    gort_send(c, b);
    b = NULL;
    gort_gc();
    CHECK(gort_recv(c, &holder->next));
    gort_gc();
    CHECK_EQ(holder->next->value, 77);
    gort_close(c);
    CHECK(!gort_recv(c, &holder->next));
    CHECK(holder->next == NULL);
}

// ---- what was received is not kept -------------------------------------------------------------

static int finalized;

static void count_finalized(void *obj)
{
    (void)obj;
    ADD(&finalized, 1);
}

enum { KEPT = 200 };

__attribute__((noinline)) static void pass_boxes(gort_chan(box *) c)
{
    for (int i = 0; i < KEPT; i++) {
        box *b = gort_new(box);
        gort_set_finalizer(b, count_finalized);
        gort_send(c, b);
    }
    for (int i = 0; i < KEPT; i++)
        gort_recv(c, NULL);
}

// A long ring does not keep what went through it. A word left on the stack may keep one or the
// other.
TEST(the_ring_keeps_nothing)
{
    gort_chan(box *) c = gort_chan_make(box *, KEPT);
    STORE(&finalized, 0);
    pass_boxes(c);
    WAIT_FOR((gort_gc(), LOAD(&finalized) >= KEPT - 10));
    CHECK_EQ(gort_chan_len(c), 0);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(length_and_capacity);
    RUN(channels_are_distinct);
    RUN(a_large_buffer);
    RUN_ON_ALL(elements_of_all_sizes);
    RUN(elements_without_bytes);
    RUN(compound_literals);
    RUN(elements_that_are_channels);
    RUN(fifo_across_the_end_of_the_ring);
    RUN_IN_ORDER(receivers_are_served_in_order);
    RUN_IN_ORDER(senders_are_served_in_order);
    RUN_IN_ORDER(hand_over_to_a_waiting_receiver);
    RUN_IN_ORDER(unbuffered_try_needs_a_partner);
    RUN(out_may_be_null);
    RUN(arguments_are_evaluated_once);
    RUN_IN_ORDER(null_channels_block_for_ever);
    RUN_ON_ALL(pointers_in_flight_are_kept);
    RUN(out_may_lie_in_collected_memory);
    RUN(the_ring_keeps_nothing);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
