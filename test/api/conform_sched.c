// Conformance of the scheduler: parallelism, wake-ups, turns, stealing, stopping the world, locking
// to threads, blocking regions, the number of processors; time: sleeping, deadlines, fairness of
// timers.
//
// Long for its number of cases, each a dozen lines: they stand together because they share the
// goroutines and helpers between them, and the list at the end runs any of them by name.
//
// TEST notmodes=determ
// TEST timeout=180
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <unistd.h>

#include "../conform.h"

// ---- parallelism --------------------------------------------------------------------------------

// Each waits, without any call, until all have begun: they can only all be running at once.
static void meet_spinning(void *arg)
{
    struct world *w = arg;
    ADD(&w->a, 1);
    while (LOAD(&w->a) < w->n)
        ;
    gort_waitgroup_done(&w->wg);
}

static void parallelism_of(int n)
{
    for (int i = 0; i < test_count(20); i++) {
        struct world w = { .n = n };
        gort_waitgroup_add(&w.wg, n);
        for (int k = 0; k < n; k++)
            gort_go(meet_spinning, &w);
        gort_waitgroup_wait(&w.wg);
    }
}
static void two_run_at_once(void)
{
    parallelism_of(2);
}
static void four_run_at_once(void)
{
    parallelism_of(4);
}

static void yield_once(void *arg)
{
    (void)arg;
    gort_yield();
}

static void as_many_as_ps_run_at_once_from_deep_in_the_queue(void)
{
    struct world w = { .n = gort_max_procs(0) };
    gort_waitgroup_add(&w.wg, w.n);
    for (int i = 0; i < 50; i++)
        gort_go(yield_once, NULL);
    for (int k = 0; k < w.n; k++)
        gort_go(meet_spinning, &w);
    gort_waitgroup_wait(&w.wg);
}

static void compute_until(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->a))
        ;
    gort_waitgroup_done(&w->wg);
}

// Computing goroutines on every P do not keep others from running.
static void computing_does_not_keep_others_waiting(void)
{
    struct world w = { 0 };
    int n = gort_max_procs(0) < 4 ? gort_max_procs(0) : 4;
    gort_waitgroup_add(&w.wg, n);
    for (int i = 0; i < n; i++)
        gort_go(compute_until, &w);
    for (int i = 0; i < 5; i++)
        gort_yield();
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static void a_collection_stops_computing_goroutines(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 2);
    gort_go(compute_until, &w);
    gort_go(compute_until, &w);
    gort_sleep(GORT_MS);
    for (int i = 0; i < 3; i++)
        gort_gc();
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

// ---- turns --------------------------------------------------------------------------------------

static void yield_until(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->a)) {
        ADD(&w->b, 1);
        gort_yield();
    }
    gort_waitgroup_done(&w->wg);
}

static void yielding_lets_others_go_on(void)
{
    struct world w = { 0 }, v = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_waitgroup_add(&v.wg, 1);
    gort_go(yield_until, &w);
    gort_go(yield_until, &v);
    WAIT_FOR(LOAD(&w.b) > 20 && LOAD(&v.b) > 20);
    STORE(&w.a, 1);
    STORE(&v.a, 1);
    gort_waitgroup_wait(&w.wg);
    gort_waitgroup_wait(&v.wg);
}

static void yield_locked_until(void *arg)
{
    gort_lock_thread();
    yield_until(arg);
    gort_unlock_thread();
}

static void yielding_locked_lets_others_go_on(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(yield_locked_until, &w);
    WAIT_FOR(LOAD(&w.b) > 20);
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static void take_turn(void *args)
{
    struct member *m = args;
    for (int i = 0; i < 4; i++) {
        note(m->w, m->id);
        gort_yield();
    }
}

static void yields_take_turns(void)
{
    struct world w = { 0 };
    start_members(&w, 4, take_turn);
    settle();
    CHECK_EQ(w.nlog, 16);
    int count[4] = { 0 };
    for (int i = 0; i < 16; i++) {
        count[w.log[i]]++;
        // Nobody is two rounds ahead of another.
        for (int k = 0; k < 4; k++)
            CHECK_LE(count[w.log[i]], count[k] + 2);
    }
}

enum { CROWD = 1000, CROWD_TURNS = 20, CROWD_MOST = 40 };
static int crowd_turns[CROWD];

static void take_turns_in_a_crowd(void *args)
{
    struct member *m = args;
    while (LOAD(&m->w->a) < CROWD) {
        if (++crowd_turns[m->id] == CROWD_TURNS) ADD(&m->w->a, 1);
        gort_yield();
    }
    gort_waitgroup_done(&m->w->wg);
}

// Those that wait outside of a full queue have as many turns, in the long run, as those in it.
static void a_crowd_takes_turns(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, CROWD);
    start_members(&w, CROWD, take_turns_in_a_crowd);
    gort_waitgroup_wait(&w.wg);
    for (int i = 0; i < CROWD; i++)
        CHECK_LE(crowd_turns[i], CROWD_MOST * CROWD_TURNS);
}

static void note_id(void *args)
{
    struct member *m = args;
    note(m->w, m->id);
}

static void the_latest_started_goes_first_then_in_order(void)
{
    struct world w = { 0 };
    if (in_mode("migrate") || in_mode("slice") || in_mode("randyield")) return; // other orders
    start_members(&w, 10, note_id);
    gort_yield();
    settle();
    CHECK_EQ(w.nlog, 10);
    CHECK_EQ(w.log[0], 9); // it has what was just touched in its cache
    for (int i = 1; i < 10; i++)
        CHECK_EQ(w.log[i], i - 1);
}

static void hog_ping(void *arg)
{
    struct world *w = arg;
    int v;
    while (gort_recv(w->c, &v))
        gort_send(w->d, v);
    gort_waitgroup_done(&w->wg);
}

// Two that only wake each other do not keep a third, which is runnable, waiting.
static void a_pair_does_not_starve_a_third(void)
{
    struct world w = { .c = gort_chan_make(int, 0), .d = gort_chan_make(int, 0) }, third = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_waitgroup_add(&third.wg, 1);
    gort_go(hog_ping, &w);
    gort_go(yield_until, &third);
    for (int i = 0; i < test_count(5000) + 1000; i++) {
        gort_send(w.c, i);
        gort_recv(w.d, NULL);
    }
    int64_t turns = LOAD(&third.b);
    STORE(&third.a, 1);
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
    gort_waitgroup_wait(&third.wg);
    CHECK_GT(turns, 0);
}

// ---- stealing and wake-ups ----------------------------------------------------------------------

static void short_work(void *arg)
{
    struct world *w = arg;
    for (volatile int i = 0; i < 1000; i++)
        ;
    ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void start_and_compute(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->n; i++)
        gort_go(short_work, w);
    while (LOAD(&w->a) < w->n) // without a call: others have to steal them all
        ;
    gort_waitgroup_done(&w->wg);
}

static void stolen(int n)
{
    struct world w = { .n = n };
    gort_waitgroup_add(&w.wg, n + 1);
    gort_go(start_and_compute, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, n);
}
static void one_goroutine_is_stolen(void)
{
    stolen(1); // the one that would run next, too
}
static void a_few_goroutines_are_stolen(void)
{
    stolen(10);
}
static void a_full_queue_is_stolen(void)
{
    stolen(256);
}
static void more_than_a_queue_holds(void)
{
    stolen(1000);
}

static void wake_next(void *args)
{
    struct member *m = args;
    gort_sema *s = (gort_sema *)(uintptr_t)m->w->b;
    for (int i = 0; i < m->w->rounds; i++) {
        gort_sema_acquire(&s[m->id]);
        gort_sema_release(&s[(m->id + 1) % m->w->n]);
    }
    gort_waitgroup_done(&m->w->wg);
}

// A token that goes round: a wake-up that is lost ends it.
static void no_wake_up_is_lost_in_a_ring(void)
{
    enum { N = 30 };
    gort_sema *s = gort_alloc_noscan(N * sizeof *s);
    struct world w = { .n = N, .rounds = (int)test_count(200), .b = (int64_t)(uintptr_t)s };
    gort_waitgroup_add(&w.wg, N);
    start_members(&w, N, wake_next);
    gort_sema_release(&s[0]);
    gort_waitgroup_wait(&w.wg);
}

static void wake_ups_from_idleness(void)
{
    struct world w = { .c = gort_chan_make(int, 0), .d = gort_chan_make(int, 0) };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(hog_ping, &w);
    for (int i = 0; i < 20; i++) {
        gort_sleep(500 * GORT_US); // every thread has gone to sleep
        gort_send(w.c, i);
        gort_recv(w.d, NULL);
    }
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
}

static void fork_join(void *args)
{
    struct {
        int depth;
        gort_waitgroup *wg;
        int64_t *leaves;
    } *f = args, child;
    if (f->depth == 0) {
        ADD(f->leaves, 1);
    } else {
        gort_waitgroup wg = { 0 };
        child.depth = f->depth - 1;
        child.wg = &wg;
        child.leaves = f->leaves;
        gort_waitgroup_add(&wg, 2);
        gort_go_copy(fork_join, &child, sizeof child);
        gort_go_copy(fork_join, &child, sizeof child);
        gort_waitgroup_wait(&wg);
    }
    gort_waitgroup_done(f->wg);
}

static void a_tree_of_goroutines(void)
{
    int64_t leaves = 0;
    gort_waitgroup wg = { 0 };
    struct {
        int depth;
        gort_waitgroup *wg;
        int64_t *leaves;
    } root = { 10, &wg, &leaves };
    gort_waitgroup_add(&wg, 1);
    gort_go_copy(fork_join, &root, sizeof root);
    gort_waitgroup_wait(&wg);
    CHECK_EQ(leaves, 1024);
}

// ---- stopping the world -------------------------------------------------------------------------

static void stop_often(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->n; i++) {
        gort_gc();
        gort_stats s;
        gort_read_stats(&s);
    }
    gort_waitgroup_done(&w->wg);
}

static void several_stop_the_world_at_once(void)
{
    struct world w = { .n = (int)test_count(20) };
    gort_waitgroup_add(&w.wg, 4);
    for (int i = 0; i < 4; i++)
        gort_go(stop_often, &w);
    gort_waitgroup_wait(&w.wg);
}

static void resize_often(void *arg)
{
    struct world *w = arg;
    int former = gort_max_procs(0);
    for (int i = 0; i < w->n; i++)
        gort_max_procs(1 + i % 4);
    gort_max_procs(former);
    gort_waitgroup_done(&w->wg);
}

static void stops_of_different_kinds_do_not_deadlock(void)
{
    struct world w = { .n = (int)test_count(40) };
    int former = gort_max_procs(0);
    gort_waitgroup_add(&w.wg, 3);
    gort_go(stop_often, &w);
    gort_go(resize_often, &w);
    gort_go(stop_often, &w);
    gort_waitgroup_wait(&w.wg);
    gort_max_procs(former);
}

static void stop_while_others_block(void)
{
    struct world w = { .c = gort_chan_make(int, 0), .n = 3 };
    gort_waitgroup_add(&w.wg, 2);
    gort_go(hog_ping, &w); // parked
    gort_go(stop_often, &w);
    gort_enter_blocking();
    usleep(5000);
    gort_exit_blocking();
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
}

static void ps_come_and_go(void)
{
    struct world w = { .n = 200 };
    int former = gort_max_procs(0);
    gort_waitgroup_add(&w.wg, w.n);
    for (int i = 0; i < w.n; i++) {
        gort_go(short_work, &w);
        if (i % 10 == 0) gort_max_procs(1 + i % 7);
    }
    gort_waitgroup_wait(&w.wg);
    gort_max_procs(former);
    CHECK_EQ(w.a, w.n);
}

static void max_procs_tells_and_sets(void)
{
    int former = gort_max_procs(3);
    CHECK_EQ(gort_max_procs(0), 3);
    CHECK_EQ(gort_max_procs(-1), 3);
    CHECK_EQ(gort_max_procs(former), 3);
    CHECK_EQ(gort_max_procs(0), former);
}

// ---- counting goroutines ------------------------------------------------------------------------

static void wait_at_gate(void *arg)
{
    struct world *w = arg;
    gort_waitgroup_wait(&w->wg);
    ADD(&w->a, 1);
}

static void goroutines_are_counted(void)
{
    struct world *w = gort_alloc(sizeof *w);
    WAIT_FOR(gort_num_goroutines() == 1); // those of earlier cases have ended
    gort_waitgroup_add(&w->wg, 1);
    for (int i = 0; i < 100; i++)
        gort_go(wait_at_gate, w);
    CHECK_EQ(gort_num_goroutines(), 101);
    gort_waitgroup_done(&w->wg);
    WAIT_FOR(gort_num_goroutines() == 1);
    CHECK_EQ(LOAD(&w->a), 100);
}

static void tell_number(void *arg)
{
    struct world *w = arg;
    uint64_t id = gort_goid();
    gort_yield();
    CHECK_EQ(gort_goid(), id);
    gort_send(w->p, (void *)(uintptr_t)id);
}

static void numbers_are_unique(void)
{
    enum { N = 200 };
    struct world w = { .p = gort_chan_make(void *, 0) };
    uintptr_t seen[N];
    for (int i = 0; i < N; i++) {
        gort_go(tell_number, &w);
        void *v;
        gort_recv(w.p, &v);
        seen[i] = (uintptr_t)v;
        for (int k = 0; k < i; k++)
            CHECK_NE(seen[k], seen[i]);
    }
}

static void exit_early(void *arg)
{
    struct world *w = arg;
    note(w, 1);
    gort_goexit();
}

static void goexit_ends_only_its_goroutine(void)
{
    struct world w = { 0 };
    gort_go(exit_early, &w);
    settle();
    CHECK_EQ(w.nlog, 1);
}

// ---- threads ------------------------------------------------------------------------------------

static pthread_t locked_on; // while a case runs

static void stay_on_thread(void *arg)
{
    struct world *w = arg;
    gort_lock_thread();
    pthread_t here = pthread_self();
    for (int i = 0; i < 20; i++) {
        if (i % 3 == 0) gort_sleep(10 * GORT_US);
        if (i % 3 == 1) gort_yield();
        if (i % 3 == 2) gort_gc();
        CHECK(pthread_equal(here, pthread_self()));
    }
    gort_unlock_thread();
    gort_waitgroup_done(&w->wg);
}

static void a_locked_goroutine_keeps_its_thread(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 5);
    for (int i = 0; i < 5; i++)
        gort_go(stay_on_thread, &w);
    gort_waitgroup_wait(&w.wg);
}

static void nested_locks(void *arg)
{
    struct world *w = arg;
    gort_lock_thread();
    gort_lock_thread();
    pthread_t here = pthread_self();
    gort_unlock_thread();
    for (int i = 0; i < 10; i++) {
        gort_sleep(10 * GORT_US);
        CHECK(pthread_equal(here, pthread_self())); // one lock is left
    }
    gort_unlock_thread();
    gort_waitgroup_done(&w->wg);
}

static void thread_locks_nest(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(nested_locks, &w);
    gort_waitgroup_wait(&w.wg);
}

static void hold_thread(void *arg)
{
    struct world *w = arg;
    gort_lock_thread();
    locked_on = pthread_self();
    gort_send(w->c, 1);
    gort_recv(w->d, NULL); // parked, with its thread
    gort_unlock_thread();
    gort_waitgroup_done(&w->wg);
}

static void not_on_that_thread(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < 10; i++) {
        CHECK(!pthread_equal(locked_on, pthread_self()));
        gort_yield();
    }
    gort_send(w->done, 1);
}

static void nobody_else_runs_on_a_locked_thread(void)
{
    struct world w = { .c = gort_chan_make(int, 0),
                       .d = gort_chan_make(int, 0),
                       .done = gort_chan_make(int, 0) };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(hold_thread, &w);
    gort_recv(w.c, NULL);
    for (int i = 0; i < 20; i++)
        gort_go(not_on_that_thread, &w);
    for (int i = 0; i < 20; i++)
        gort_recv(w.done, NULL);
    gort_send(w.d, 1); // from now on it is a thread like others
    gort_waitgroup_wait(&w.wg);
}

static void end_locked(void *arg)
{
    struct world *w = arg;
    gort_lock_thread();
    gort_waitgroup_done(&w->wg);
}

static void a_goroutine_may_end_locked(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 10);
    for (int i = 0; i < 10; i++)
        gort_go(end_locked, &w);
    gort_waitgroup_wait(&w.wg);
}

static void locked_goroutines_talk(void)
{
    struct world w = { .c = gort_chan_make(int, 0), .d = gort_chan_make(int, 0) };
    gort_waitgroup_add(&w.wg, 1);
    gort_lock_thread();
    gort_go(hog_ping, &w);
    for (int i = 0; i < 100; i++) {
        int v = -1;
        gort_send(w.c, i);
        gort_recv(w.d, &v);
        CHECK_EQ(v, i);
    }
    gort_unlock_thread();
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
}

static void block_thread(void *arg)
{
    struct world *w = arg;
    gort_enter_blocking();
    ADD(&w->a, 1);
    while (LOAD(&w->a) < w->n) // until all are here
        usleep(100);
    gort_exit_blocking();
    gort_waitgroup_done(&w->wg);
}

static void blocked_threads_do_not_hold_up_others(void)
{
    struct world w = { .n = 20 };
    gort_waitgroup_add(&w.wg, w.n);
    for (int i = 0; i < w.n; i++)
        gort_go(block_thread, &w);
    gort_waitgroup_wait(&w.wg);
}

// ---- sleeping and timers ------------------------------------------------------------------------

static void sleep_is_long_enough(void)
{
    for (int i = 1; i < 10; i++) {
        int64_t begin = gort_now(), ns = i * 100 * GORT_US;
        gort_sleep(ns);
        CHECK_GE(gort_now() - begin, ns);
    }
}

static void sleep_of_nothing_yields(void)
{
    struct world w = { 0 };
    struct member m = { &w, 1 };
    gort_go_copy(note_id, &m, sizeof m);
    gort_sleep(0);
    settle();
    CHECK_EQ(w.nlog, 1);
    gort_sleep(-5);
    gort_sleep(INT64_MIN);
}

static void sleep_and_note(void *args)
{
    struct member *m = args;
    int64_t until = m->w->b + (m->id + 1) * GORT_MS;
    CHECK_EQ(gort_select_until(NULL, 0, until), -1);
    CHECK_GE(gort_now(), until);
    ADD(&m->w->a, 1);
    gort_waitgroup_done(&m->w->wg);
}

static void nobody_wakes_early(void)
{
    struct world w = { .b = gort_now() };
    gort_waitgroup_add(&w.wg, 20);
    start_members(&w, 20, sleep_and_note);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 20);
    CHECK_GE(gort_now(), w.b + 20 * GORT_MS);
}

static void nap(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < 5; i++)
        gort_sleep(50 * GORT_US + i);
    ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void a_thousand_sleepers_all_wake(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1000);
    for (int i = 0; i < 1000; i++)
        gort_go(nap, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 1000);
}

static void count_in_select(void *arg)
{
    struct world *w = arg;
    for (int i = 0;; i++) {
        int64_t until = gort_now() + (i % 2 == 0 ? w->b : GORT_MS); // every other one is met
        gort_case k[] = { gort_on_recv(w->c, NULL), gort_on_recv(w->done, NULL) };
        int chosen = gort_select_until(k, 2, until);
        if (chosen == 1) break;
        ADD(chosen == 0 ? &w->a : &w->sum, 1);
    }
    gort_waitgroup_done(&w->wg);
}

// Goroutines that are always busy with a channel do not keep a deadline from passing.
static void busy_channels_do_not_keep_timers_waiting(void)
{
    struct world w = { .c = gort_chan_make(int, 0), .done = gort_chan_make(int, 0), .b = 1 };
    int n = 0;
    gort_waitgroup_add(&w.wg, 1);
    gort_go(count_in_select, &w);
    // The receiver leaves by its deadline again and again while we offer all the time.
    while (LOAD(&w.sum) < 3 || n < 3) {
        n += gort_try_send(w.c, 1);
        gort_yield();
    }
    gort_close(w.done);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, n);
    CHECK_GE(w.sum, 3);
    CHECK_GE(n, 3);
}

// Nor does a goroutine that never sleeps and only yields.
static void yielding_does_not_keep_sleepers_waiting(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(yield_until, &w);
    for (int i = 0; i < 5; i++)
        gort_sleep(GORT_MS);
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static void computing_does_not_keep_sleepers_waiting(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(compute_until, &w);
    gort_sleep(2 * GORT_MS);
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
}

static void an_earlier_sleeper_is_not_held_up_by_a_later(void)
{
    struct world w = { .c = gort_chan_make(int, 0),
                       .done = gort_chan_make(int, 0),
                       .b = 3600 * GORT_S };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(count_in_select, &w); // a deadline in an hour
    gort_sleep(GORT_MS);
    gort_sleep(GORT_MS);
    gort_close(w.done);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.sum, 0);
}

static void timers_survive_their_p(void)
{
    struct world w = { 0 };
    int former = gort_max_procs(8);
    gort_waitgroup_add(&w.wg, 100);
    for (int i = 0; i < 100; i++)
        gort_go(nap, &w);
    gort_yield();
    gort_max_procs(1);
    gort_waitgroup_wait(&w.wg);
    gort_max_procs(former);
    CHECK_EQ(w.a, 100);
}

static void time_goes_forward(void)
{
    int64_t last = gort_now();
    for (int i = 0; i < 1000; i++) {
        int64_t now = gort_now();
        CHECK_GE(now, last);
        last = now;
        if (i % 100 == 0) gort_yield();
    }
}

static const struct conform_case cases[] = {
    CASE(two_run_at_once, 2),
    CASE(four_run_at_once, 4),
    CASE(as_many_as_ps_run_at_once_from_deep_in_the_queue, 3),
    CASE(computing_does_not_keep_others_waiting, 0),
    CASE(a_collection_stops_computing_goroutines, 0),
    CASE(yielding_lets_others_go_on, 0),
    CASE(yielding_locked_lets_others_go_on, 0),
    CASE(yields_take_turns, 1),
    CASE(a_crowd_takes_turns, 1),
    CASE(the_latest_started_goes_first_then_in_order, 1),
    CASE(a_pair_does_not_starve_a_third, 1),
    CASE(one_goroutine_is_stolen, 2),
    CASE(a_few_goroutines_are_stolen, 4),
    CASE(a_full_queue_is_stolen, 4),
    CASE(more_than_a_queue_holds, 4),
    CASE(no_wake_up_is_lost_in_a_ring, 0),
    CASE(wake_ups_from_idleness, 0),
    CASE(a_tree_of_goroutines, 0),
    CASE(several_stop_the_world_at_once, 0),
    CASE(stops_of_different_kinds_do_not_deadlock, 0),
    CASE(stop_while_others_block, 0),
    CASE(ps_come_and_go, 0),
    CASE(max_procs_tells_and_sets, 0),
    CASE(goroutines_are_counted, 0),
    CASE(numbers_are_unique, 0),
    CASE(goexit_ends_only_its_goroutine, 1),
    CASE(a_locked_goroutine_keeps_its_thread, 0),
    CASE(thread_locks_nest, 0),
    CASE(nobody_else_runs_on_a_locked_thread, 0),
    CASE(a_goroutine_may_end_locked, 0),
    CASE(locked_goroutines_talk, 0),
    CASE(blocked_threads_do_not_hold_up_others, 0),
    CASE(sleep_is_long_enough, 0),
    CASE(sleep_of_nothing_yields, 1),
    CASE(nobody_wakes_early, 0),
    CASE(a_thousand_sleepers_all_wake, 0),
    CASE(busy_channels_do_not_keep_timers_waiting, 0),
    CASE(yielding_does_not_keep_sleepers_waiting, 0),
    CASE(computing_does_not_keep_sleepers_waiting, 0),
    CASE(an_earlier_sleeper_is_not_held_up_by_a_later, 0),
    CASE(timers_survive_their_p, 0),
    CASE(time_goes_forward, 0),
};
CONFORM_MAIN(cases)
