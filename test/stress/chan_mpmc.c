// Channels under load: many senders and receivers, rings, trees; every value arrives exactly once,
// each sender's in order. On 1, 2, 4 and 16 Ps.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- many senders, many receivers --------------------------------------------------------------

typedef struct parcel {
    struct parcel *next;
    uint32_t sender, number;
    uint64_t check;
} parcel;
GORT_TYPE(parcel, next);

typedef gort_chan(parcel *) parcels;

static uint64_t check_of(uint32_t sender, uint32_t number)
{
    return (uint64_t)sender * 0x9e3779b97f4a7c15u ^ number;
}

struct traffic {
    parcels c;
    uint32_t per_sender, senders_left;
    int64_t received, sum;
    int done;
};

struct sender {
    struct traffic *t;
    uint32_t number;
};

static void send_parcels(void *arg)
{
    struct sender *s = arg;
    uint64_t r = test_seed() + s->number;
    for (uint32_t i = 0; i < s->t->per_sender; i++) {
        parcel *p = gort_new(parcel);
        p->sender = s->number;
        p->number = i;
        p->check = check_of(s->number, i);
        if (test_random(&r) % 4 == 0) {
            while (!gort_try_send(s->t->c, p))
                gort_yield();
        } else {
            gort_send(s->t->c, p);
        }
    }
    if (ADD(&s->t->senders_left, -1) == 0) gort_close(s->t->c);
    ADD(&s->t->done, 1);
}

// One receiver sees the values of one sender in their order.
static void receive_parcels(void *arg)
{
    struct traffic *t = arg;
    uint32_t last[64] = { 0 };
    int64_t n = 0, sum = 0;
    parcel *p;
    for (;;) {
        int got = n % 3 == 0 ? gort_try_recv(t->c, &p) : gort_recv(t->c, &p);
        if (got == GORT_EMPTY && n % 3 == 0) {
            if (!gort_recv(t->c, &p)) break;
        } else if (got != GORT_GOT) {
            break;
        }
        CHECK_EQ(p->check, check_of(p->sender, p->number));
        CHECK_GE(p->number + 1, last[p->sender] + 1);
        CHECK(last[p->sender] == 0 || p->number + 1 > last[p->sender]);
        last[p->sender] = p->number + 1;
        n++;
        sum += p->number;
    }
    __atomic_add_fetch(&t->received, n, __ATOMIC_RELAXED);
    __atomic_add_fetch(&t->sum, sum, __ATOMIC_RELAXED);
    ADD(&t->done, 1);
}

static void traffic(uint32_t senders, int receivers, size_t cap, uint32_t each)
{
    struct traffic t = { .c = gort_chan_make(parcel *, cap),
                         .per_sender = each,
                         .senders_left = senders };
    for (uint32_t i = 0; i < senders; i++) {
        struct sender s = { &t, i };
        gort_go_copy(send_parcels, &s, sizeof s);
    }
    for (int i = 0; i < receivers; i++)
        gort_go(receive_parcels, &t);
    WAIT_FOR(LOAD(&t.done) == (int)senders + receivers);
    CHECK_EQ(t.received, (int64_t)senders * each);
    CHECK_EQ(t.sum, (int64_t)senders * each * (each - 1) / 2);
    CHECK_EQ(gort_chan_len(t.c), 0);
}

TEST(many_to_many)
{
    static const size_t caps[] = { 0, 1, 2, 10, 128 };
    uint32_t each = (uint32_t)test_count(1500);
    for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        traffic(1, 1, caps[i], each);
        traffic(1, 10, caps[i], each);
        traffic(10, 1, caps[i], each);
        traffic(20, 20, caps[i], each / 4 + 1);
    }
}

// ---- rings -------------------------------------------------------------------------------------

struct link {
    gort_chan(int64_t) in, out;
};

static void pass_on(void *arg)
{
    struct link *l = arg;
    int64_t v;
    while (gort_recv(l->in, &v))
        gort_send(l->out, v + 1);
    gort_close(l->out);
}

static void ring(int n, size_t cap, int rounds)
{
    gort_chan(int64_t) first = gort_chan_make(int64_t, cap), in = first;
    for (int i = 0; i < n; i++) {
        gort_chan(int64_t) out = gort_chan_make(int64_t, cap);
        struct link l = { in, out };
        gort_go_copy(pass_on, &l, sizeof l);
        in = out;
    }
    int64_t v = 0;
    for (int i = 0; i < rounds; i++) {
        gort_send(first, v);
        CHECK(gort_recv(in, &v));
        CHECK_EQ(v, (int64_t)n * (i + 1));
    }
    gort_close(first);
    CHECK(!gort_recv(in, &v));
}

TEST(rings)
{
    ring(1000, 0, 1 + (int)test_count(20));
    ring(100, 1, 1 + (int)test_count(100));
    ring(3, 0, 1 + (int)test_count(5000));
}

// ---- prime sieve -------------------------------------------------------------------------------

static void generate(void *arg)
{
    gort_chan(int) out = arg;
    for (int i = 2; i < 2000; i++)
        gort_send(out, i);
    gort_close(out);
}

struct filter {
    gort_chan(int) in, out;
    int prime;
};

static void filter(void *arg)
{
    struct filter *f = arg;
    int v;
    while (gort_recv(f->in, &v))
        if (v % f->prime != 0) gort_send(f->out, v);
    gort_close(f->out);
}

TEST(a_prime_sieve)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    int prime, n = 0, last = 0;
    gort_go(generate, (void *)c);
    while (gort_recv(c, &prime)) {
        gort_chan(int) next = gort_chan_make(int, (size_t)(n % 3));
        struct filter f = { c, next, prime };
        gort_go_copy(filter, &f, sizeof f);
        c = next;
        n++;
        last = prime;
    }
    CHECK_EQ(n, 303);
    CHECK_EQ(last, 1999);
}

// ---- goroutines that come and go ---------------------------------------------------------------

static void leaf(void *arg)
{
    gort_send((gort_chan(int))arg, 1);
}

struct branch {
    gort_chan(int) up;
    int depth;
};

static void branch(void *arg)
{
    struct branch *b = arg;
    gort_chan(int) c = gort_chan_make(int, 0);
    for (int i = 0; i < 4; i++) {
        struct branch down = { c, b->depth - 1 };
        if (b->depth > 1)
            gort_go_copy(branch, &down, sizeof down);
        else
            gort_go(leaf, (void *)c);
    }
    int sum = 0, v;
    for (int i = 0; i < 4; i++) {
        CHECK(gort_recv(c, &v));
        sum += v;
    }
    gort_send(b->up, sum);
}

TEST(a_tree_of_goroutines)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    for (int64_t i = 0; i < test_count(4); i++) {
        struct branch b = { c, 6 };
        int v;
        gort_go_copy(branch, &b, sizeof b);
        CHECK(gort_recv(c, &v));
        CHECK_EQ(v, 4096);
    }
}

// ---- closing under senders and receivers -------------------------------------------------------

struct closing {
    gort_chan(int) c;
    int64_t sent, received;
    int senders, receivers;
};

struct closing_sender {
    struct closing *x;
    int64_t sent;
};

static void send_until_panic(void *arg)
{
    struct closing_sender *s = arg;
    for (;; s->sent++)
        gort_send(s->x->c, 1);
}

static void send_to_the_end(void *arg)
{
    struct closing_sender s = { arg, 0 };
    gort_panic_info info;
    CHECK(gort_try(send_until_panic, &s, &info));
    CHECK_STR_EQ(info.message, "send on closed channel");
    __atomic_add_fetch(&s.x->sent, s.sent, __ATOMIC_RELAXED);
    ADD(&s.x->senders, -1);
}

static void receive_to_the_end(void *arg)
{
    struct closing *x = arg;
    int64_t n = 0;
    while (gort_recv(x->c, NULL))
        n++;
    __atomic_add_fetch(&x->received, n, __ATOMIC_RELAXED);
    ADD(&x->receivers, -1);
}

// Nobody is left waiting, and what was sent is received, whenever the close comes.
TEST(closing_at_any_moment)
{
    for (int64_t i = 0; i < test_count(400); i++) {
        struct closing x = { .c = gort_chan_make(int, (size_t)(i % 4)),
                             .senders = 3,
                             .receivers = 1 + (int)(i % 3) };
        for (int k = x.receivers; k > 0; k--)
            gort_go(receive_to_the_end, &x);
        for (int k = 0; k < 3; k++)
            gort_go(send_to_the_end, &x);
        for (int64_t k = 0; k < i % 5; k++)
            gort_yield();
        gort_close(x.c);
        WAIT_FOR(LOAD(&x.senders) == 0 && LOAD(&x.receivers) == 0);
        CHECK_EQ(x.sent, x.received);
        CHECK_EQ(gort_chan_len(x.c), 0);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(many_to_many);
    RUN_ON_ALL(rings);
    RUN_ON_ALL(a_prime_sieve);
    RUN_ON_ALL(a_tree_of_goroutines);
    RUN_ON_ALL(closing_at_any_moment);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
