// Mutex and rwmutex: exclusion, order, fairness, who may unlock.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- mutex -------------------------------------------------------------------------------------

struct counter {
    gort_mutex m;
    gort_rwmutex rw;
    int64_t n; // plain: the lock protects it
    int inside, readers, done, times;
};

static void count_up(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < c->times; i++) {
        gort_mutex_lock(&c->m);
        CHECK_EQ(c->inside++, 0);
        c->n++;
        if (i % 64 == 0) gort_yield();
        c->inside--;
        gort_mutex_unlock(&c->m);
    }
    ADD(&c->done, 1);
}

static void exclusion(int goroutines, int times)
{
    struct counter c = { .times = times };
    for (int i = 0; i < goroutines; i++)
        gort_go(count_up, &c);
    WAIT_FOR(LOAD(&c.done) == goroutines);
    CHECK_EQ(c.n, (int64_t)goroutines * times);
    CHECK_EQ(c.m.state, 0);
    CHECK_EQ(c.m.sema, 0);
}

TEST(a_mutex_excludes)
{
    exclusion(1, 1000);
    exclusion(2, 3000);
    exclusion(20, 300);
    exclusion(200, 30);
}

TEST(trylock)
{
    gort_mutex m = { 0 };
    CHECK(gort_mutex_trylock(&m));
    CHECK(!gort_mutex_trylock(&m));
    gort_mutex_unlock(&m);
    CHECK(gort_mutex_trylock(&m));
    gort_mutex_unlock(&m);
    gort_mutex_lock(&m);
    CHECK(!gort_mutex_trylock(&m));
    gort_mutex_unlock(&m);
}

static void lock_and_leave(void *arg)
{
    gort_mutex_lock(arg);
}

TEST(another_goroutine_may_unlock)
{
    gort_mutex m = { 0 };
    gort_go(lock_and_leave, &m);
    WAIT_FOR(!gort_mutex_trylock(&m) || (gort_mutex_unlock(&m), false));
    gort_mutex_unlock(&m);
    CHECK(gort_mutex_trylock(&m));
}

struct queued {
    gort_mutex *m;
    gort_rwmutex *rw;
    int *next, place;
    int *done;
};

static void lock_in_turn(void *arg)
{
    struct queued *q = arg;
    gort_mutex_lock(q->m);
    q->place = (*q->next)++;
    gort_mutex_unlock(q->m);
    ADD(q->done, 1);
}

// On one P, with nobody running by, waiters get it in their order.
TEST(waiters_are_served_in_order)
{
    enum { N = 30 };
    gort_mutex m = { 0 };
    struct queued q[N];
    int next = 0, done = 0;
    gort_mutex_lock(&m);
    for (int i = 0; i < N; i++) {
        q[i] = (struct queued){ .m = &m, .next = &next, .place = -1, .done = &done };
        gort_go(lock_in_turn, &q[i]);
        settle();
    }
    CHECK_EQ(next, 0);
    gort_mutex_unlock(&m);
    WAIT_FOR(LOAD(&done) == N);
    for (int i = 0; i < N; i++)
        CHECK_EQ(q[i].place, i);
}

// A woken waiter that finds the mutex taken again waits ahead of those that came after it.
TEST(a_waiter_that_lost_keeps_its_place)
{
    gort_mutex m = { 0 };
    struct queued q[3];
    int next = 0, done = 0;
    gort_mutex_lock(&m);
    for (int i = 0; i < 3; i++) {
        q[i] = (struct queued){ .m = &m, .next = &next, .place = -1, .done = &done };
        gort_go(lock_in_turn, &q[i]);
        settle();
    }
    bool mine = true;
    for (int i = 0; i < 2 && mine; i++) {
        gort_mutex_unlock(&m); // wakes the first, which can not run yet
        mine = gort_mutex_trylock(&m);
        settle();
    }
    if (mine) gort_mutex_unlock(&m); // else it was handed over: it had waited too long
    WAIT_FOR(LOAD(&done) == 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(q[i].place, i);
}

// It competes for a millisecond; then an unlock gives the mutex to it and to nobody else.
TEST(handed_over_after_a_millisecond)
{
    gort_mutex m = { 0 };
    int next = 0, done = 0;
    struct queued q = { .m = &m, .next = &next, .place = -1, .done = &done };
    gort_mutex_lock(&m);
    gort_go(lock_in_turn, &q);
    settle();
    usleep(3000);
    gort_mutex_unlock(&m); // wakes it
    CHECK(gort_mutex_trylock(&m));
    settle(); // it comes too late
    CHECK_EQ(done, 0);
    gort_mutex_unlock(&m);
    CHECK(!gort_mutex_trylock(&m));
    WAIT_FOR(LOAD(&done) == 1);
    CHECK(gort_mutex_trylock(&m));
    gort_mutex_unlock(&m);
    CHECK_EQ(m.state, 0);
}

// A goroutine that takes the mutex again and again does not keep another from it for long.
struct hog {
    gort_mutex m;
    int stop, hogs, sections;
};

static void hog_it(void *arg)
{
    struct hog *h = arg;
    while (!LOAD(&h->stop)) {
        gort_mutex_lock(&h->m);
        int64_t until = gort_now() + 200 * GORT_US;
        while (gort_now() < until)
            ;
        ADD(&h->sections, 1);
        gort_mutex_unlock(&h->m);
    }
    ADD(&h->hogs, -1);
}

TEST(nobody_starves)
{
    struct hog h = { .hogs = 2 };
    gort_go(hog_it, &h);
    gort_go(hog_it, &h);
    int waited = 0;
    for (int i = 0; i < 20; i++) {
        gort_sleep(100 * GORT_US);
        int before = LOAD(&h.sections);
        gort_mutex_lock(&h.m);
        waited += LOAD(&h.sections) - before;
        gort_mutex_unlock(&h.m);
    }
    CHECK_LT(waited, 20 * 500); // some ten each
    STORE(&h.stop, 1);
    WAIT_FOR(LOAD(&h.hogs) == 0);
    CHECK_EQ(h.m.state, 0);
}

TEST(mutexes_in_collected_memory)
{
    for (int i = 0; i < 20; i++) {
        struct counter *c = i % 2 == 0 ? gort_alloc_noscan(sizeof *c) : gort_alloc(sizeof *c);
        c->times = 50;
        for (int k = 0; k < 5; k++)
            gort_go(count_up, c);
        if (i % 5 == 0) gort_gc();
        WAIT_FOR(LOAD(&c->done) == 5);
        CHECK_EQ(c->n, 250);
    }
}

// ---- rwmutex -----------------------------------------------------------------------------------

static void read_some(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < c->times; i++) {
        gort_rwmutex_rlock(&c->rw);
        ADD(&c->readers, 1);
        CHECK_EQ(LOAD(&c->inside), 0);
        if (i % 16 == 0) gort_yield();
        ADD(&c->readers, -1);
        gort_rwmutex_runlock(&c->rw);
    }
    ADD(&c->done, 1);
}

static void write_some(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < c->times; i++) {
        gort_rwmutex_lock(&c->rw);
        CHECK_EQ(ADD(&c->inside, 1), 1);
        CHECK_EQ(LOAD(&c->readers), 0);
        c->n++;
        if (i % 16 == 0) gort_yield();
        ADD(&c->inside, -1);
        gort_rwmutex_unlock(&c->rw);
    }
    ADD(&c->done, 1);
}

static void readers_and_writers(int readers, int writers)
{
    struct counter c = { .times = 300 };
    for (int i = 0; i < readers + writers; i++)
        gort_go(i % 2 == 0 && i / 2 < writers ? write_some : read_some, &c);
    int started_writers =
        (readers + writers + 1) / 2 < writers ? (readers + writers + 1) / 2 : writers;
    WAIT_FOR(LOAD(&c.done) == readers + writers);
    CHECK_EQ(c.n, (int64_t)started_writers * c.times);
    gort_rwmutex_lock(&c.rw); // after a writer it is as in the beginning
    gort_rwmutex_unlock(&c.rw);
    CHECK_EQ(c.rw.readers, 0);
    CHECK_EQ(c.rw.departing, 0);
    CHECK_EQ(c.rw.writer_sema, 0);
    CHECK_EQ(c.rw.reader_sema, 0);
}

TEST(an_rwmutex_excludes)
{
    readers_and_writers(0, 5);
    readers_and_writers(5, 0);
    readers_and_writers(1, 1);
    readers_and_writers(10, 2);
    readers_and_writers(40, 10);
}

TEST(readers_share)
{
    gort_rwmutex rw = { 0 };
    for (int i = 0; i < 100; i++)
        gort_rwmutex_rlock(&rw);
    for (int i = 0; i < 100; i++)
        gort_rwmutex_runlock(&rw);
    gort_rwmutex_lock(&rw);
    gort_rwmutex_unlock(&rw);
}

static void write_in_turn(void *arg)
{
    struct queued *q = arg;
    gort_rwmutex_lock(q->rw);
    q->place = (*q->next)++;
    gort_rwmutex_unlock(q->rw);
    ADD(q->done, 1);
}

static void read_in_turn(void *arg)
{
    struct queued *q = arg;
    gort_rwmutex_rlock(q->rw);
    q->place = ADD(q->next, 1) - 1;
    gort_rwmutex_runlock(q->rw);
    ADD(q->done, 1);
}

// A writer that waits keeps later readers out, and then they get in before the next writer.
TEST(a_waiting_writer_goes_before_later_readers)
{
    gort_rwmutex rw = { 0 };
    struct queued q[4];
    int next = 0, done = 0;
    gort_rwmutex_rlock(&rw);
    for (int i = 0; i < 4; i++) {
        q[i] = (struct queued){ .rw = &rw, .next = &next, .place = -1, .done = &done };
        gort_go(i == 0 || i == 3 ? write_in_turn : read_in_turn, &q[i]);
        settle();
    }
    CHECK_EQ(LOAD(&done), 0);
    gort_rwmutex_runlock(&rw);
    WAIT_FOR(LOAD(&done) == 4);
    CHECK_EQ(q[0].place, 0);
    CHECK_EQ(q[1].place + q[2].place, 3);
    CHECK_EQ(q[3].place, 3);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(a_mutex_excludes);
    RUN(trylock);
    RUN_IN_ORDER(handed_over_after_a_millisecond);
    RUN_ON_ALL(another_goroutine_may_unlock);
    RUN_IN_ORDER(waiters_are_served_in_order);
    RUN_IN_ORDER(a_waiter_that_lost_keeps_its_place);
    RUN_ON(2, nobody_starves);
    RUN_ON(4, nobody_starves);
    RUN_ON_ALL(mutexes_in_collected_memory);
    RUN_ON_ALL(an_rwmutex_excludes);
    RUN(readers_share);
    RUN_IN_ORDER(a_waiting_writer_goes_before_later_readers);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
