// Conformance of mutex and rwmutex: exclusion, order of service, fairness, publication.
//
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

// ---- mutex --------------------------------------------------------------------------------------

static void hammer(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        if (i % 3 == 0) {
            if (!gort_mutex_trylock(&w->m)) continue;
        } else {
            gort_mutex_lock(&w->m);
        }
        CHECK_EQ(w->a, 0);
        w->a = 1;
        w->b++;
        if (i % 64 == 0) gort_yield();
        w->a = 0;
        gort_mutex_unlock(&w->m);
        ADD(&w->sum, 1);
    }
    gort_waitgroup_done(&w->wg);
}

static void a_mutex_excludes(void)
{
    struct world w = { .rounds = (int)test_count(2000) };
    gort_waitgroup_add(&w.wg, 10);
    for (int i = 0; i < 10; i++)
        gort_go(hammer, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.b, w.sum);
    CHECK(gort_mutex_trylock(&w.m));
}

static void trylock_of_a_free_mutex(void)
{
    gort_mutex m = { 0 };
    CHECK(gort_mutex_trylock(&m));
    gort_mutex_unlock(&m);
    CHECK(gort_mutex_trylock(&m));
}

static void trylock_of_a_held_mutex(void)
{
    gort_mutex m = { 0 };
    gort_mutex_lock(&m);
    CHECK(!gort_mutex_trylock(&m)); // its holder's own, too
    gort_mutex_unlock(&m);
    CHECK(gort_mutex_trylock(&m));
}

static void unlock_it(void *arg)
{
    struct world *w = arg;
    gort_mutex_unlock(&w->m);
    gort_waitgroup_done(&w->wg);
}

static void another_goroutine_may_unlock(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_mutex_lock(&w.m);
    gort_go(unlock_it, &w);
    gort_mutex_lock(&w.m); // when it did
    gort_waitgroup_wait(&w.wg);
    CHECK(!gort_mutex_trylock(&w.m));
}

static void lock_and_log(void *args)
{
    struct member *m = args;
    gort_mutex_lock(&m->w->m);
    note(m->w, m->id);
    gort_mutex_unlock(&m->w->m);
}

static void waiters_of_a_mutex_queue_up(void)
{
    struct world w = { 0 };
    gort_mutex_lock(&w.m);
    start_one_by_one(&w, 10, lock_and_log);
    CHECK_EQ(w.nlog, 0);
    gort_mutex_unlock(&w.m);
    settle();
    check_in_order(&w, 10);
}

static void unlock_does_not_switch(void)
{
    struct world w = { 0 };
    gort_mutex_lock(&w.m);
    start_one_by_one(&w, 1, lock_and_log);
    gort_mutex_unlock(&w.m);
    CHECK_EQ(w.nlog, 0);
    CHECK(gort_mutex_trylock(&w.m)); // the woken one competes, and has not run
    gort_mutex_unlock(&w.m);
    settle();
    CHECK_EQ(w.nlog, 1);
}

static void hog_mutex(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->a)) {
        gort_mutex_lock(&w->m);
        gort_sleep(100 * GORT_US);
        gort_mutex_unlock(&w->m);
    }
    gort_waitgroup_done(&w->wg);
}

// One that holds it nearly always does not starve another.
static void a_mutex_is_fair(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(hog_mutex, &w);
    for (int i = 0; i < 10; i++) {
        gort_sleep(100 * GORT_US);
        gort_mutex_lock(&w.m); // the time limit is the other end
        gort_mutex_unlock(&w.m);
    }
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static void late_locker(void *arg)
{
    struct world *w = arg;
    gort_mutex_lock(&w->m);
    STORE(&w->b, 1);
    gort_mutex_unlock(&w->m);
    gort_waitgroup_done(&w->wg);
}

// A waiter that was woken, lost, and has waited for more than a millisecond: the next unlock hands
// it the mutex, which nobody can take in between.
static void a_late_waiter_is_handed_the_mutex(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_mutex_lock(&w.m);
    gort_go(late_locker, &w);
    settle();
    for (int64_t until = gort_now() + 2 * GORT_MS; gort_now() < until;)
        ;
    gort_mutex_unlock(&w.m);
    if (gort_mutex_trylock(&w.m)) {
        settle(); // it wakes, and finds that it is late
        gort_mutex_unlock(&w.m);
        CHECK(!gort_mutex_trylock(&w.m));
        CHECK_EQ(LOAD(&w.b), 0);
    }
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.b, 1);
}

static void neighbours_are_independent(void)
{
    gort_mutex *m = gort_alloc_noscan(16 * sizeof *m);
    for (int i = 0; i < 16; i += 2)
        gort_mutex_lock(&m[i]);
    for (int i = 0; i < 16; i++)
        CHECK_EQ(gort_mutex_trylock(&m[i]), i % 2 != 0);
}

#define SEATS 5
static void dine(void *args)
{
    struct member *m = args;
    gort_mutex *forks = (gort_mutex *)(uintptr_t)m->w->b;
    int a = m->id, b = (m->id + 1) % SEATS;
    for (int i = 0; i < m->w->rounds; i++) {
        gort_mutex_lock(&forks[a < b ? a : b]);
        gort_mutex_lock(&forks[a < b ? b : a]);
        ADD(&m->w->sum, 1);
        gort_mutex_unlock(&forks[a]);
        gort_mutex_unlock(&forks[b]);
    }
    gort_waitgroup_done(&m->w->wg);
}

static void philosophers_eat(void)
{
    gort_mutex forks[SEATS] = { { 0 } };
    struct world w = { .b = (int64_t)(uintptr_t)forks, .rounds = (int)test_count(1000) };
    gort_waitgroup_add(&w.wg, SEATS);
    start_members(&w, SEATS, dine);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.sum, SEATS * w.rounds);
}

static void unlock_deferred(void *arg)
{
    gort_mutex_unlock(&((struct world *)arg)->m);
}

static void panic_holding(void *arg)
{
    struct world *w = arg;
    gort_mutex_lock(&w->m);
    gort_defer(unlock_deferred, w);
    gort_panic("in the middle");
}

static void a_deferred_unlock_happens(void)
{
    struct world w = { 0 };
    CHECK_PANICS(panic_holding, &w, "in the middle");
    CHECK(gort_mutex_trylock(&w.m));
}

static void hold_over_a_park(void *arg)
{
    struct world *w = arg;
    gort_mutex_lock(&w->m);
    gort_recv(w->c, NULL);
    note(w, 1);
    gort_mutex_unlock(&w->m);
}

static void a_holder_may_park(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_go(hold_over_a_park, &w);
    settle();
    CHECK(!gort_mutex_trylock(&w.m));
    start_one_by_one(&w, 1, lock_and_log);
    gort_send(w.c, 1);
    settle();
    CHECK_EQ(w.nlog, 2);
    CHECK_EQ(w.log[0], 1);
}

static void lock_once(void *arg)
{
    struct world *w = arg;
    gort_mutex_lock(&w->m);
    w->b++;
    gort_mutex_unlock(&w->m);
    gort_waitgroup_done(&w->wg);
}

static void a_thousand_wait_for_a_mutex(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1000);
    gort_mutex_lock(&w.m);
    for (int i = 0; i < 1000; i++)
        gort_go(lock_once, &w);
    gort_sleep(GORT_MS);
    CHECK_EQ(w.b, 0);
    gort_mutex_unlock(&w.m);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.b, 1000);
}

// ---- readers and writers ------------------------------------------------------------------------

static void read_together(void *arg)
{
    struct world *w = arg;
    gort_rwmutex_rlock(&w->rw);
    ADD(&w->a, 1);
    WAIT_FOR(LOAD(&w->a) == w->n); // all are inside
    gort_rwmutex_runlock(&w->rw);
    gort_waitgroup_done(&w->wg);
}

static void readers_are_inside_together(void)
{
    static const int counts[] = { 1, 3, 4, 40 };
    for (int i = 0; i < 4; i++) {
        struct world w = { .n = counts[i] };
        gort_waitgroup_add(&w.wg, w.n);
        for (int k = 0; k < w.n; k++)
            gort_go(read_together, &w);
        gort_waitgroup_wait(&w.wg);
    }
}

static void rw_read(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        gort_rwmutex_rlock(&w->rw);
        int64_t inside = ADD(&w->a, 1);
        CHECK(inside >= 1 && inside < 10000);
        if (i % 32 == 0) gort_yield();
        ADD(&w->a, -1);
        gort_rwmutex_runlock(&w->rw);
    }
    gort_waitgroup_done(&w->wg);
}

static void rw_write(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        gort_rwmutex_lock(&w->rw);
        CHECK_EQ(ADD(&w->a, 10000), 10000);
        w->b++;
        if (i % 32 == 0) gort_yield();
        ADD(&w->a, -10000);
        gort_rwmutex_unlock(&w->rw);
    }
    gort_waitgroup_done(&w->wg);
}

static void rw_hammer(int readers, int writers)
{
    struct world w = { .rounds = (int)test_count(400) };
    gort_waitgroup_add(&w.wg, readers + writers);
    for (int i = 0; i < readers || i < writers; i++) {
        if (i < writers) gort_go(rw_write, &w);
        if (i < readers) gort_go(rw_read, &w);
    }
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.b, (int64_t)writers * w.rounds);
    CHECK_EQ(w.a, 0);
}
static void one_reader_one_writer(void)
{
    rw_hammer(1, 1);
}
static void few_readers_two_writers(void)
{
    rw_hammer(3, 2);
}
static void many_readers_two_writers(void)
{
    rw_hammer(20, 2);
}
static void more_writers_than_readers(void)
{
    rw_hammer(2, 8);
}
static void readers_alone(void)
{
    rw_hammer(8, 0);
}
static void writers_alone(void)
{
    rw_hammer(0, 8);
}

static void read_and_log(void *args)
{
    struct member *m = args;
    gort_rwmutex_rlock(&m->w->rw);
    note(m->w, m->id);
    gort_rwmutex_runlock(&m->w->rw);
}

static void write_and_log(void *args)
{
    struct member *m = args;
    gort_rwmutex_lock(&m->w->rw);
    note(m->w, 100 + m->id);
    gort_rwmutex_unlock(&m->w->rw);
}

static void a_writer_keeps_readers_out(void)
{
    struct world w = { 0 };
    gort_rwmutex_lock(&w.rw);
    start_one_by_one(&w, 3, read_and_log);
    CHECK_EQ(w.nlog, 0);
    gort_rwmutex_unlock(&w.rw);
    settle();
    CHECK_EQ(w.nlog, 3);
}

static void readers_keep_a_writer_out(void)
{
    struct world w = { 0 };
    gort_rwmutex_rlock(&w.rw);
    gort_rwmutex_rlock(&w.rw); // nobody writes or waits: it may be held twice
    start_one_by_one(&w, 1, write_and_log);
    gort_rwmutex_runlock(&w.rw);
    settle();
    CHECK_EQ(w.nlog, 0);
    gort_rwmutex_runlock(&w.rw);
    settle();
    CHECK_EQ(w.nlog, 1);
}

static void a_waiting_writer_goes_before_new_readers(void)
{
    struct world w = { 0 };
    gort_rwmutex_rlock(&w.rw);
    start_one_by_one(&w, 1, write_and_log);
    start_one_by_one(&w, 2, read_and_log);
    CHECK_EQ(w.nlog, 0);
    gort_rwmutex_runlock(&w.rw);
    settle();
    CHECK_EQ(w.nlog, 3);
    CHECK_EQ(w.log[0], 100);
}

static void readers_that_waited_go_before_the_next_writer(void)
{
    struct world w = { 0 };
    gort_rwmutex_lock(&w.rw);
    start_one_by_one(&w, 2, read_and_log);
    start_one_by_one(&w, 1, write_and_log);
    gort_rwmutex_unlock(&w.rw);
    settle();
    CHECK_EQ(w.nlog, 3);
    CHECK_EQ(w.log[2], 100);
}

static void runlock_it(void *arg)
{
    struct world *w = arg;
    gort_rwmutex_runlock(&w->rw);
    gort_waitgroup_done(&w->wg);
}

static void another_goroutine_may_leave_for_a_reader(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_rwmutex_rlock(&w.rw);
    gort_go(runlock_it, &w);
    gort_rwmutex_lock(&w.rw);
    gort_waitgroup_wait(&w.wg);
    gort_rwmutex_unlock(&w.rw);
}

static void read_pair(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->n)) {
        gort_rwmutex_rlock(&w->rw);
        CHECK_EQ(w->a, w->b);
        gort_rwmutex_runlock(&w->rw);
    }
    gort_waitgroup_done(&w->wg);
}

static void readers_see_whole_writes(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 3);
    for (int i = 0; i < 3; i++)
        gort_go(read_pair, &w);
    for (int i = 0; i < test_count(500); i++) {
        gort_rwmutex_lock(&w.rw);
        w.a++;
        if (i % 50 == 0) gort_sleep(10 * GORT_US);
        w.b++;
        gort_rwmutex_unlock(&w.rw);
    }
    STORE(&w.n, 1);
    gort_waitgroup_wait(&w.wg);
}

static void read_for_ever(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->a)) {
        gort_rwmutex_rlock(&w->rw);
        if (gort_max_procs(0) == 1) gort_yield();
        gort_rwmutex_runlock(&w->rw);
    }
    gort_waitgroup_done(&w->wg);
}

static void readers_do_not_starve_a_writer(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 6);
    for (int i = 0; i < 6; i++)
        gort_go(read_for_ever, &w);
    for (int i = 0; i < 20; i++) {
        gort_rwmutex_lock(&w.rw);
        gort_rwmutex_unlock(&w.rw);
    }
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static const struct conform_case cases[] = {
    CASE(a_mutex_excludes, 0),
    CASE(trylock_of_a_free_mutex, 0),
    CASE(trylock_of_a_held_mutex, 0),
    CASE(another_goroutine_may_unlock, 0),
    CASE(waiters_of_a_mutex_queue_up, 1),
    CASE(unlock_does_not_switch, 1),
    CASE(a_mutex_is_fair, 0),
    CASE(a_late_waiter_is_handed_the_mutex, 1),
    CASE(neighbours_are_independent, 0),
    CASE(philosophers_eat, 0),
    CASE(a_deferred_unlock_happens, 0),
    CASE(a_holder_may_park, 1),
    CASE(a_thousand_wait_for_a_mutex, 0),
    CASE(readers_are_inside_together, 0),
    CASE(one_reader_one_writer, 0),
    CASE(few_readers_two_writers, 0),
    CASE(many_readers_two_writers, 0),
    CASE(more_writers_than_readers, 0),
    CASE(readers_alone, 0),
    CASE(writers_alone, 0),
    CASE(a_writer_keeps_readers_out, 1),
    CASE(readers_keep_a_writer_out, 1),
    CASE(a_waiting_writer_goes_before_new_readers, 1),
    CASE(readers_that_waited_go_before_the_next_writer, 1),
    CASE(another_goroutine_may_leave_for_a_reader, 0),
    CASE(readers_see_whole_writes, 0),
    CASE(readers_do_not_starve_a_writer, 0),
};
CONFORM_MAIN(cases)
