// Selects under load: goroutines that send and receive on random sets of channels, with and without
// deadlines, until a close; the books balance. On 1, 2, 4 and 16 Ps.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

enum { CHANNELS = 8, GOROUTINES = 24 };

typedef struct token {
    int64_t value;
    struct token *self;
} token;
GORT_TYPE(token, self);

typedef gort_chan(token *) tokens;

struct market {
    tokens c[CHANNELS];
    gort_chan(int) quit;
    int64_t sent[CHANNELS], received[CHANNELS]; // sums; atomic
    int64_t nsent, nreceived, expired, tried;
    int rounds, done;
};

struct trader {
    struct market *m;
    uint64_t random;
};

static void book(int64_t *sum, int64_t value)
{
    __atomic_add_fetch(sum, value, __ATOMIC_RELAXED);
}

static token *mint(uint64_t *random)
{
    token *t = gort_new(token);
    t->value = 1 + (int64_t)(test_random(random) % 1000);
    gort_set(&t->self, t);
    return t;
}

// One select over up to 6 random cases, in both directions.
static void trade_once(struct trader *t, bool sending_only)
{
    struct market *m = t->m;
    gort_case cases[7];
    token *out[6], *in[6];
    int where[6], n = 1 + (int)(test_random(&t->random) % 6), chosen;
    for (int i = 0; i < n; i++) {
        where[i] = (int)(test_random(&t->random) % CHANNELS);
        out[i] = mint(&t->random);
        in[i] = NULL;
        bool send = sending_only || test_random(&t->random) % 2 == 0;
        cases[i] =
            send ? gort_on_send(m->c[where[i]], &out[i]) : gort_on_recv(m->c[where[i]], &in[i]);
    }
    uint64_t way = test_random(&t->random) % 3;
    if (way == 0) {
        chosen = gort_select_try(cases, n);
        book(&m->tried, 1);
    } else {
        int64_t wait = (int64_t)(test_random(&t->random) % 200) * GORT_US;
        chosen = gort_select_until(cases, n, gort_now() + wait);
    }
    if (chosen < 0) {
        book(&m->expired, 1);
    } else if (cases[chosen].kind == GORT_CASE_SEND) {
        book(&m->sent[where[chosen]], out[chosen]->value);
        book(&m->nsent, 1);
    } else {
        CHECK(cases[chosen].ok);
        CHECK_PTR_EQ(in[chosen]->self, in[chosen]);
        book(&m->received[where[chosen]], in[chosen]->value);
        book(&m->nreceived, 1);
    }
    for (int i = 0; i < n; i++)
        if (i != chosen) CHECK(in[i] == NULL);
}

static void trade(void *arg)
{
    struct trader *t = arg;
    for (int i = 0; i < t->m->rounds; i++)
        trade_once(t, false);
    ADD(&t->m->done, 1);
}

// Receives everything until told to stop.
static void drain(void *arg)
{
    struct trader *t = arg;
    struct market *m = t->m;
    gort_case cases[CHANNELS + 1];
    token *in[CHANNELS];
    for (;;) {
        for (int i = 0; i < CHANNELS; i++)
            cases[i] = gort_on_recv(m->c[i], &in[i]);
        cases[CHANNELS] = gort_on_recv(m->quit, NULL);
        int k = gort_select(cases, CHANNELS + 1);
        if (k == CHANNELS) break;
        CHECK(cases[k].ok);
        CHECK_PTR_EQ(in[k]->self, in[k]);
        book(&m->received[k], in[k]->value);
        book(&m->nreceived, 1);
    }
    ADD(&m->done, 1);
}

TEST(a_market)
{
    struct market m = { .rounds = (int)test_count(600), .quit = gort_chan_make(int, 0) };
    for (int i = 0; i < CHANNELS; i++)
        m.c[i] = gort_chan_make(token *, (size_t)(i % 4));
    for (uint64_t i = 0; i < GOROUTINES; i++) {
        struct trader t = { &m, test_seed() + i };
        gort_go_copy(trade, &t, sizeof t);
    }
    for (uint64_t i = 0; i < 2; i++) {
        struct trader t = { &m, 0 };
        gort_go_copy(drain, &t, sizeof t);
    }
    WAIT_FOR(LOAD(&m.done) == GOROUTINES);
    gort_close(m.quit);
    WAIT_FOR(LOAD(&m.done) == GOROUTINES + 2);
    for (int i = 0; i < CHANNELS; i++) {
        token *t;
        while (gort_try_recv(m.c[i], &t) == GORT_GOT) {
            m.received[i] += t->value;
            m.nreceived++;
        }
        CHECK_EQ(m.sent[i], m.received[i]);
        CHECK(!gort_try_send(m.c[i], NULL) || gort_chan_cap(m.c[i]) > 0); // nobody is left waiting
    }
    CHECK_EQ(m.nsent, m.nreceived);
    CHECK_GT(m.nsent, 0);
}

// ---- two that select over the same channels in opposite order ----------------------------------

struct pair {
    gort_chan(int) a, b;
    bool turned;
    int rounds, *done;
    int64_t *balance;
};

static void pair_up(void *arg)
{
    struct pair *p = arg;
    int one = 1, got;
    for (int i = 0; i < p->rounds; i++) {
        gort_case cases[] = { gort_on_send(p->turned ? p->b : p->a, &one),
                              gort_on_recv(p->turned ? p->a : p->b, &got) };
        if (p->turned) {
            gort_case first = cases[0];
            cases[0] = cases[1];
            cases[1] = first;
        }
        int k = gort_select(cases, 2);
        book(p->balance, cases[k].kind == GORT_CASE_SEND ? 1 : -1);
    }
    ADD(p->done, 1);
}

TEST(opposite_orders)
{
    int done = 0;
    int64_t balance = 0;
    gort_chan(int) a = gort_chan_make(int, 0), b = gort_chan_make(int, 0);
    for (int i = 0; i < 2; i++) {
        struct pair p = { a, b, i % 2 != 0, (int)test_count(4000), &done, &balance };
        gort_go_copy(pair_up, &p, sizeof p);
    }
    WAIT_FOR(LOAD(&done) == 2);
    CHECK_EQ(balance, 0);
}

// ---- closing while others select ---------------------------------------------------------------

struct closing {
    gort_chan(int) c[3];
    int ended, panicked;
};

static void select_until_closed(void *arg)
{
    struct closing *x = arg;
    int v = 1, in;
    for (int i = 0;; i++) {
        if (i % 8 == 7) gort_yield(); // there may always be one that is ready
        gort_case cases[] = { gort_on_send(x->c[0], &v), gort_on_recv(x->c[1], &in),
                              gort_on_send(x->c[2], &v), gort_on_recv(x->c[0], &in) };
        int k = gort_select(cases, 4);
        if (cases[k].kind == GORT_CASE_RECV && !cases[k].ok) return;
    }
}

static void select_and_end(void *arg)
{
    struct closing *x = arg;
    gort_panic_info info;
    if (gort_try(select_until_closed, x, &info)) {
        CHECK_STR_EQ(info.message, "send on closed channel");
        ADD(&x->panicked, 1);
    }
    ADD(&x->ended, 1);
}

TEST(closing_under_selects)
{
    for (int64_t i = 0; i < test_count(60); i++) {
        struct closing x = { .ended = 0 };
        for (int k = 0; k < 3; k++)
            x.c[k] = gort_chan_make(int, (size_t)(i % 2));
        for (int k = 0; k < 8; k++)
            gort_go(select_and_end, &x);
        for (int k = 0; k < i % 7; k++)
            gort_yield();
        for (int k = 0; k < 3; k++)
            gort_close(x.c[(i + k) % 3]);
        WAIT_FOR(LOAD(&x.ended) == 8);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(a_market);
    RUN_ON_ALL(opposite_orders);
    RUN_ON_ALL(closing_under_selects);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
