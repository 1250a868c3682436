// Condition variables, once, wait groups, semaphores.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- cond --------------------------------------------------------------------------------------

struct meeting {
    gort_mutex m;
    gort_cond c;
    int waiting, woken, done, allowed;
    int order[64];
};

static void wait_once(void *arg)
{
    struct meeting *t = arg;
    gort_mutex_lock(&t->m);
    int place = t->waiting++;
    gort_cond_wait(&t->c, &t->m);
    t->order[t->woken++ % 64] = place;
    gort_mutex_unlock(&t->m);
    ADD(&t->done, 1);
}

static int locked_read(struct meeting *t, const int *what)
{
    gort_mutex_lock(&t->m);
    int n = *what;
    gort_mutex_unlock(&t->m);
    return n;
}

static void start_waiters(struct meeting *t, int n)
{
    for (int i = 0; i < n; i++)
        gort_go(wait_once, t);
    WAIT_FOR(locked_read(t, &t->waiting) == n);
}

TEST(signal_wakes_one)
{
    enum { N = 20 };
    struct meeting t = { .waiting = 0 };
    gort_cond_signal(&t.c); // nobody waits: nothing is kept
    gort_cond_broadcast(&t.c);
    start_waiters(&t, N);
    CHECK_EQ(LOAD(&t.done), 0);
    for (int i = 1; i <= N; i++) {
        gort_cond_signal(&t.c);
        WAIT_FOR(LOAD(&t.done) == i);
        gort_yield();
        CHECK_EQ(LOAD(&t.done), i);
    }
    for (int i = 0; i < N; i++)
        CHECK_EQ(t.order[i], i); // who waits longest first
    gort_cond_signal(&t.c);
}

TEST(broadcast_wakes_all)
{
    for (int n = 0; n < 400; n = n * 3 + 1) { // more than are woken in one section
        struct meeting t = { .waiting = 0 };
        start_waiters(&t, n);
        gort_cond_broadcast(&t.c);
        WAIT_FOR(LOAD(&t.done) == n);
        gort_cond_broadcast(&t.c);
    }
}

TEST(signals_under_the_mutex)
{
    struct meeting t = { .waiting = 0 };
    start_waiters(&t, 10);
    gort_mutex_lock(&t.m);
    for (int i = 0; i < 10; i++)
        gort_cond_signal(&t.c);
    CHECK_EQ(LOAD(&t.done), 0);
    gort_mutex_unlock(&t.m);
    WAIT_FOR(LOAD(&t.done) == 10);
}

// The number of broadcasts begins again at 0.
TEST(broadcasts_wrap_around)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct meeting t = { .c = { .broadcasts = UINT32_MAX - 1 + i } };
        start_waiters(&t, 4);
        gort_cond_signal(&t.c);
        WAIT_FOR(LOAD(&t.done) == 1);
        gort_cond_broadcast(&t.c);
        WAIT_FOR(LOAD(&t.done) == 4);
        CHECK_EQ(t.c.broadcasts, UINT32_MAX + i);
        CHECK_EQ(t.c.waiting, 0);
    }
}

// One waits for its turn, and the other takes the mutex the moment it is let go: the signal comes
// while the waiter is between its unlock and its parking.
struct turns {
    gort_mutex m;
    gort_cond c;
    bool asked;        // by m
    int rounds, stops; // rounds left; atomic: the asker has ended
};

static void ask(void *arg)
{
    struct turns *t = arg;
    gort_mutex_lock(&t->m);
    for (; t->rounds > 0; t->rounds--) {
        t->asked = true;
        while (t->asked)
            gort_cond_wait(&t->c, &t->m);
    }
    gort_mutex_unlock(&t->m);
    STORE(&t->stops, 1);
}

static void answer_one(struct turns *t)
{
    for (int i = 0; !gort_mutex_trylock(&t->m); i++)
        if (i % 256 == 255) gort_yield();
    bool asked = t->asked;
    t->asked = false;
    if (asked) gort_cond_signal(&t->c);
    gort_mutex_unlock(&t->m);
    if (!asked) gort_yield();
}

TEST(signals_before_it_parks)
{
    struct turns t = { .rounds = (int)test_count(30000) };
    gort_go(ask, &t);
    while (LOAD(&t.stops) == 0)
        answer_one(&t);
}

// A bounded buffer with two conditions: no signal is lost.
struct buffer {
    gort_mutex m;
    gort_cond not_full, not_empty;
    int items[4], n, produced, consumed, done;
    int64_t sum;
};

enum { ITEMS = 600 };

static void produce(void *arg)
{
    struct buffer *b = arg;
    for (;;) {
        gort_mutex_lock(&b->m);
        while (b->n == 4)
            gort_cond_wait(&b->not_full, &b->m);
        if (b->produced == ITEMS) break;
        b->items[b->n++] = ++b->produced;
        gort_cond_signal(&b->not_empty);
        gort_mutex_unlock(&b->m);
    }
    gort_cond_signal(&b->not_full);
    gort_mutex_unlock(&b->m);
    ADD(&b->done, 1);
}

static void consume(void *arg)
{
    struct buffer *b = arg;
    for (;;) {
        gort_mutex_lock(&b->m);
        while (b->n == 0 && b->consumed < ITEMS)
            gort_cond_wait(&b->not_empty, &b->m);
        if (b->consumed == ITEMS) break;
        b->sum += b->items[--b->n];
        if (++b->consumed == ITEMS) gort_cond_broadcast(&b->not_empty);
        gort_cond_signal(&b->not_full);
        gort_mutex_unlock(&b->m);
    }
    gort_mutex_unlock(&b->m);
    ADD(&b->done, 1);
}

TEST(a_bounded_buffer)
{
    struct buffer b = { .n = 0 };
    for (int i = 0; i < 5; i++) {
        gort_go(produce, &b);
        gort_go(consume, &b);
    }
    WAIT_FOR(LOAD(&b.done) == 10);
    CHECK_EQ(b.sum, (int64_t)ITEMS * (ITEMS + 1) / 2);
}

// ---- once --------------------------------------------------------------------------------------

struct first {
    gort_once once;
    int calls, done, plain;
};

static void first_call(void *arg)
{
    struct first *f = arg;
    f->calls++;
    gort_sleep(2 * GORT_MS);
    f->plain = 7;
}

static void call_once(void *arg)
{
    struct first *f = arg;
    gort_once_do(&f->once, first_call, f);
    CHECK_EQ(f->plain, 7); // it has returned, whoever called it
    ADD(&f->done, 1);
}

TEST(once_is_once)
{
    struct first f = { .calls = 0 };
    for (int i = 0; i < 50; i++)
        gort_go(call_once, &f);
    WAIT_FOR(LOAD(&f.done) == 50);
    CHECK_EQ(f.calls, 1);
    call_once(&f);
    CHECK_EQ(f.calls, 1);
}

static void panic_in_once(void *arg)
{
    struct first *f = arg;
    f->calls++;
    gort_panic("inside");
}

static void do_panicking(void *arg)
{
    struct first *f = arg;
    gort_once_do(&f->once, panic_in_once, f);
}

static void exit_in_once(void *arg)
{
    struct first *f = arg;
    f->calls++;
    gort_goexit();
}

static void note_deferred(void *arg)
{
    ADD((int *)arg, 1);
}

static void do_exiting(void *arg)
{
    struct first *f = arg;
    gort_defer(note_deferred, &f->done); // behind what gort_once_do has to do at the end
    gort_once_do(&f->once, exit_in_once, f);
    test_fail(__FILE__, __LINE__, "gort_once_do returned", NULL);
}

TEST(a_panic_or_exit_counts_as_done)
{
    struct first f = { .calls = 0 }, e = { .calls = 0 };
    CHECK_PANICS(do_panicking, &f, "inside");
    CHECK(!gort_try(do_panicking, &f, NULL));
    CHECK_EQ(f.calls, 1);
    gort_go(do_exiting, &e);
    WAIT_FOR(LOAD(&e.done) == 1);
    CHECK_EQ(e.once.done, 1);
    gort_once_do(&e.once, first_call, &e);
    CHECK_EQ(e.calls, 1);
}

static void defer_in_once(void *arg)
{
    gort_defer(note_deferred, arg);
}

static void do_deferring(void *arg)
{
    struct first *f = arg;
    gort_once_do(&f->once, defer_in_once, &f->done);
    CHECK_EQ(f->done, 0); // belongs to the function that gort_try started
    gort_once_do(&f->once, defer_in_once, &f->done);
}

TEST(a_deferred_call_inside_once)
{
    struct first f = { .calls = 0 };
    CHECK(!gort_try(do_deferring, &f, NULL));
    CHECK_EQ(f.done, 1);
}

// ---- wait groups -------------------------------------------------------------------------------

struct work {
    gort_waitgroup wg;
    int n, waited;
    int plain[64];
};

struct worker {
    struct work *w;
    int i;
};

static void do_work(void *arg)
{
    struct worker *k = arg;
    if (k->i % 3 == 0) gort_yield();
    k->w->plain[k->i % 64] = k->i;
    gort_waitgroup_done(&k->w->wg);
}

TEST(a_wait_group_waits)
{
    for (int round = 0; round < 30; round++) {
        struct work w = { .n = 0 }; // in the frame that waits
        gort_waitgroup_wait(&w.wg);
        gort_waitgroup_add(&w.wg, 20);
        for (int i = 0; i < 20; i++) {
            struct worker k = { &w, i };
            gort_go_copy(do_work, &k, sizeof k);
        }
        gort_waitgroup_wait(&w.wg);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(w.plain[i], i);
        gort_waitgroup_wait(&w.wg);
    }
}

static void wait_for_work(void *arg)
{
    struct work *w = arg;
    gort_waitgroup_wait(&w->wg);
    ADD(&w->waited, 1);
}

TEST(several_may_wait)
{
    struct work w = { .n = 0 };
    gort_waitgroup_add(&w.wg, 2);
    for (int i = 0; i < 30; i++)
        gort_go(wait_for_work, &w);
    settle();
    gort_waitgroup_done(&w.wg);
    gort_waitgroup_add(&w.wg, 5);
    gort_waitgroup_add(&w.wg, -5);
    settle();
    CHECK_EQ(LOAD(&w.waited), 0);
    gort_waitgroup_add(&w.wg, -1);
    WAIT_FOR(LOAD(&w.waited) == 30);
    CHECK_EQ(w.wg.state, 0);
    CHECK_EQ(w.wg.sema, 0);
}

// ---- semaphores --------------------------------------------------------------------------------

struct pool {
    gort_sema s;
    int inside, most, done;
};

static void use_pool(void *arg)
{
    struct pool *p = arg;
    for (int i = 0; i < 50; i++) {
        gort_sema_acquire(&p->s);
        int n = ADD(&p->inside, 1);
        CHECK_LE(n, 3);
        if (n > LOAD(&p->most)) STORE(&p->most, n);
        gort_yield();
        ADD(&p->inside, -1);
        gort_sema_release(&p->s);
    }
    ADD(&p->done, 1);
}

TEST(a_semaphore_counts)
{
    struct pool p = { .inside = 0 };
    gort_sema_init(&p.s, 3);
    for (int i = 0; i < 12; i++)
        gort_go(use_pool, &p);
    WAIT_FOR(LOAD(&p.done) == 12);
    CHECK_EQ(p.s.count, 3);
    if (gort_max_procs(0) == 1) CHECK_EQ(p.most, 3); // with more each may be done alone
}

TEST(a_zeroed_semaphore_is_empty)
{
    gort_sema s = { 0 };
    gort_sema_release(&s);
    gort_sema_release(&s);
    gort_sema_acquire(&s);
    gort_sema_acquire(&s);
    CHECK_EQ(s.count, 0);
}

struct turn {
    gort_sema *s;
    int *next, place;
};

static void take_turn(void *arg)
{
    struct turn *t = arg;
    gort_sema_acquire(t->s);
    t->place = ADD(t->next, 1);
}

TEST(a_unit_goes_to_who_waits_longest)
{
    enum { N = 20 };
    gort_sema s = { 0 };
    struct turn t[N];
    int next = 0;
    for (int i = 0; i < N; i++) {
        t[i] = (struct turn){ &s, &next, 0 };
        gort_go(take_turn, &t[i]);
        settle();
    }
    for (int i = 0; i < N; i++) {
        gort_sema_release(&s);
        CHECK_EQ(s.count, 0); // in hand of the waiter, not up for grabs
        settle();
        CHECK_EQ(t[i].place, i + 1);
    }
}

// Thousands of objects that somebody waits at: all are found.
struct lonely {
    gort_sema go, back;
};

static void answer(void *arg)
{
    struct lonely *l = arg;
    gort_sema_acquire(&l->go);
    gort_sema_release(&l->back);
}

TEST(many_objects)
{
    int n = (int)test_count(5000); // no multiple of 7919, so every index comes once
    struct lonely *l = gort_alloc_noscan((size_t)n * sizeof *l);
    for (int i = 0; i < n; i++)
        gort_go(answer, &l[i]);
    for (int i = 0; i < n; i++)
        gort_sema_release(&l[(size_t)i * 7919 % (size_t)n].go);
    for (int i = 0; i < n; i++)
        gort_sema_acquire(&l[i].back);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(signal_wakes_one);
    RUN_ON_ALL(broadcast_wakes_all);
    RUN_ON_ALL(signals_under_the_mutex);
    RUN_ON_ALL(broadcasts_wrap_around);
    RUN_ON_ALL(signals_before_it_parks);
    RUN_ON_ALL(a_bounded_buffer);
    RUN_ON_ALL(once_is_once);
    RUN_ON_ALL(a_panic_or_exit_counts_as_done);
    RUN(a_deferred_call_inside_once);
    RUN_ON_ALL(a_wait_group_waits);
    RUN_IN_ORDER(several_may_wait);
    RUN_ON_ALL(a_semaphore_counts);
    RUN(a_zeroed_semaphore_is_empty);
    RUN_IN_ORDER(a_unit_goes_to_who_waits_longest);
    RUN_ON_ALL(many_objects);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
