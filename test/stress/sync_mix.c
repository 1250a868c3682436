// Sync objects under load, many of them at once, some in frames that are left as soon as that is
// allowed. On 1, 2, 4 and 16 Ps.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- money moves between accounts under two locks ----------------------------------------------

enum { ACCOUNTS = 16, CLERKS = 20 };

struct bank {
    struct account {
        gort_mutex m;
        int64_t money;
    } a[ACCOUNTS];
    gort_rwmutex audit;
    int rounds;
    int64_t audits;
    gort_waitgroup clerks;
};

struct clerk {
    struct bank *b;
    uint64_t random;
};

static void transfer(struct bank *b, uint64_t *r)
{
    unsigned i = test_random(r) % ACCOUNTS, k = test_random(r) % ACCOUNTS;
    if (i == k) return;
    struct account *lo = &b->a[i < k ? i : k], *hi = &b->a[i < k ? k : i];
    gort_rwmutex_rlock(&b->audit);
    gort_mutex_lock(&lo->m);
    if (test_random(r) % 8 == 0) gort_yield();
    if (test_random(r) % 4 != 0)
        gort_mutex_lock(&hi->m);
    else
        while (!gort_mutex_trylock(&hi->m))
            gort_yield();
    int64_t n = (int64_t)(test_random(r) % 100);
    lo->money -= n;
    hi->money += n;
    gort_mutex_unlock(&hi->m);
    gort_mutex_unlock(&lo->m);
    gort_rwmutex_runlock(&b->audit);
}

static void check_books(struct bank *b)
{
    int64_t sum = 0;
    gort_rwmutex_lock(&b->audit);
    for (int i = 0; i < ACCOUNTS; i++)
        sum += b->a[i].money;
    b->audits++;
    gort_rwmutex_unlock(&b->audit);
    CHECK_EQ(sum, ACCOUNTS * 1000);
}

static void work(void *arg)
{
    struct clerk *c = arg;
    for (int i = 0; i < c->b->rounds; i++) {
        transfer(c->b, &c->random);
        if (test_random(&c->random) % 32 == 0) check_books(c->b);
    }
    gort_waitgroup_done(&c->b->clerks);
}

TEST(a_bank)
{
    struct bank b = { .rounds = (int)test_count(1000) };
    for (int i = 0; i < ACCOUNTS; i++)
        b.a[i].money = 1000;
    gort_waitgroup_add(&b.clerks, CLERKS);
    for (uint64_t i = 0; i < CLERKS; i++) {
        struct clerk c = { &b, test_seed() + i };
        gort_go_copy(work, &c, sizeof c);
    }
    gort_waitgroup_wait(&b.clerks);
    check_books(&b);
    for (int i = 0; i < ACCOUNTS; i++)
        CHECK_EQ(b.a[i].m.state, 0);
}

// ---- groups and semaphores in frames that end at once ------------------------------------------

struct short_lived {
    gort_waitgroup wg;
    gort_sema s;
};

static void finish_group(void *arg)
{
    gort_waitgroup_done(&((struct short_lived *)arg)->wg);
}

static void release_sema(void *arg)
{
    gort_sema_release(&((struct short_lived *)arg)->s);
}

__attribute__((noinline)) static void use_frame(int n, bool group)
{
    struct short_lived x = { .s = { 0, 0 } };
    if (group) gort_waitgroup_add(&x.wg, n);
    for (int i = 0; i < n; i++)
        gort_go(group ? finish_group : release_sema, &x);
    if (group)
        gort_waitgroup_wait(&x.wg);
    else
        for (int i = 0; i < n; i++)
            gort_sema_acquire(&x.s);
    CHECK_EQ(x.s.count, 0);
}

// What a late toucher would damage.
__attribute__((noinline)) static void check_frame(void)
{
    volatile uint32_t words[64];
    for (int i = 0; i < 64; i++)
        words[i] = 1;
    for (int i = 0; i < 4; i++)
        gort_yield();
    for (int i = 0; i < 64; i++)
        CHECK_EQ(words[i], 1);
}

static void frames(void *arg)
{
    for (int64_t i = 0; i < test_count(300); i++) {
        use_frame(1 + (int)(i % 5), i % 2 == 0);
        check_frame();
    }
    ADD((int *)arg, 1);
}

TEST(frames_that_end)
{
    int done = 0;
    for (int i = 0; i < 8; i++)
        gort_go(frames, &done);
    WAIT_FOR(LOAD(&done) == 8);
}

// ---- handshakes: each waits for what the other gives at that moment -----------------------------

struct handshake {
    gort_sema a, b;
    int *done;
};

static void shake(struct handshake *h, bool first)
{
    for (int64_t i = 0; i < test_count(6000); i++) {
        gort_sema_release(first ? &h->a : &h->b);
        gort_sema_acquire(first ? &h->b : &h->a);
    }
    ADD(h->done, 1);
}

static void shake_first(void *arg)
{
    shake(arg, true);
}

static void shake_second(void *arg)
{
    shake(arg, false);
}

TEST(handshakes)
{
    enum { PAIRS = 4 };
    struct handshake h[PAIRS];
    int done = 0;
    for (int i = 0; i < PAIRS; i++) {
        h[i] = (struct handshake){ .done = &done };
        gort_go(shake_first, &h[i]);
        gort_go(shake_second, &h[i]);
    }
    WAIT_FOR(LOAD(&done) == 2 * PAIRS);
}

// ---- a queue with conditions, ended by broadcast -----------------------------------------------

struct queue {
    gort_mutex m;
    gort_cond changed;
    int64_t put, taken, sum;
    int n, ended;
    bool closed;
};

static void put_some(void *arg)
{
    struct queue *q = arg;
    for (int64_t i = 0; i < test_count(1500); i++) {
        gort_mutex_lock(&q->m);
        while (q->n >= 8)
            gort_cond_wait(&q->changed, &q->m);
        q->n++;
        q->put++;
        gort_cond_broadcast(&q->changed);
        gort_mutex_unlock(&q->m);
    }
    ADD(&q->ended, 1);
}

static void take_some(void *arg)
{
    struct queue *q = arg;
    gort_mutex_lock(&q->m);
    for (;;) {
        while (q->n == 0 && !q->closed)
            gort_cond_wait(&q->changed, &q->m);
        if (q->n == 0) break;
        q->n--;
        q->taken++;
        gort_cond_broadcast(&q->changed);
    }
    gort_mutex_unlock(&q->m);
    ADD(&q->ended, 1);
}

TEST(a_queue)
{
    struct queue q = { .n = 0 };
    for (int i = 0; i < 4; i++) {
        gort_go(put_some, &q);
        gort_go(take_some, &q);
        gort_go(take_some, &q);
    }
    WAIT_FOR(LOAD(&q.ended) == 4);
    gort_mutex_lock(&q.m);
    q.closed = true;
    gort_cond_broadcast(&q.changed);
    gort_mutex_unlock(&q.m);
    WAIT_FOR(LOAD(&q.ended) == 12);
    CHECK_EQ(q.put, q.taken);
    CHECK_EQ(q.put, 4 * test_count(1500));
}

// ---- as many wake as were signalled ------------------------------------------------------------

struct tally {
    gort_mutex m;
    gort_cond c;
    int64_t waiting, signalled, woken;
    int ended;
};

static void wait_and_count(void *arg)
{
    struct tally *t = arg;
    for (int64_t i = 0; i < test_count(2000); i++) {
        gort_mutex_lock(&t->m);
        t->waiting++;
        gort_cond_wait(&t->c, &t->m);
        t->woken++;
        CHECK_LE(t->woken, t->signalled);
        gort_mutex_unlock(&t->m);
    }
    ADD(&t->ended, 1);
}

TEST(signals_are_exact)
{
    enum { N = 6 };
    struct tally t = { .waiting = 0 };
    for (int i = 0; i < N; i++)
        gort_go(wait_and_count, &t);
    for (int64_t left = N * test_count(2000); left > 0;) {
        gort_mutex_lock(&t.m);
        bool due = t.signalled < t.waiting;
        t.signalled += due;
        gort_mutex_unlock(&t.m);
        if (due)
            gort_cond_signal(&t.c);
        else
            gort_yield();
        left -= due;
    }
    WAIT_FOR(LOAD(&t.ended) == N);
    CHECK_EQ(t.woken, t.signalled);
}

// ---- ten thousand that wait at one place -------------------------------------------------------

struct crowd {
    gort_mutex m;
    gort_waitgroup wg;
    int64_t n;
};

static void join_crowd(void *arg)
{
    struct crowd *c = arg;
    gort_mutex_lock(&c->m);
    c->n++;
    gort_mutex_unlock(&c->m);
    gort_waitgroup_done(&c->wg);
}

TEST(a_crowd)
{
    struct crowd c = { .n = 0 };
    int n = (int)test_count(10000);
    gort_mutex_lock(&c.m);
    gort_waitgroup_add(&c.wg, n);
    for (int i = 0; i < n; i++)
        gort_go(join_crowd, &c);
    settle();
    gort_mutex_unlock(&c.m);
    gort_waitgroup_wait(&c.wg);
    CHECK_EQ(c.n, n);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(a_bank);
    RUN_ON_ALL(frames_that_end);
    RUN_ON_ALL(handshakes);
    RUN_ON_ALL(a_queue);
    RUN_ON_ALL(signals_are_exact);
    RUN_ON_ALL(a_crowd);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
