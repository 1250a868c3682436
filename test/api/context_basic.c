// Contexts: the tree of them, waits that end, deadlines.  Conditions: context_cond.c; scopes,
// goroutine-local values and pools: context_scopes.c.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <sys/socket.h>

#include "context_util.h"

// ---- the tree -----------------------------------------------------------------------------------

static void cancelling_ends_all_below(void)
{
    gort_context *root = gort_context_make(NULL), *a = gort_context_make(root);
    gort_context *b = gort_context_make(root), *aa = gort_context_make(a);
    CHECK_EQ(gort_context_error(aa), 0);
    CHECK(!ended(aa));
    gort_context_cancel(a, EPIPE);
    CHECK(ended(a) && ended(aa) && !ended(b) && !ended(root));
    CHECK_EQ(gort_context_error(a), EPIPE);
    CHECK_EQ(gort_context_error(aa), EPIPE);
    gort_context_cancel(root, 0);
    CHECK(ended(b) && ended(root));
    CHECK_EQ(gort_context_error(b), ECANCELED);
    CHECK_EQ(gort_context_error(a), EPIPE); // the first stays
    gort_context_cancel(root, EIO);
    CHECK_EQ(gort_context_error(root), ECANCELED);
    CHECK_EQ(gort_context_error(gort_context_make(a)), EPIPE); // born ended
}

static void no_context_never_ends(void)
{
    CHECK_EQ(gort_context_error(NULL), 0);
    CHECK_EQ(gort_context_deadline(NULL), 0);
    CHECK(gort_context_done(NULL) == NULL);
    CHECK(gort_context_current() == NULL);
}

static void values_are_found_upwards(void)
{
    static const char k1, k2;
    int one = 1, two = 2, three = 3;
    gort_context *a = gort_context_with(NULL, &k1, &one), *b = gort_context_make(a);
    gort_context *c = gort_context_with(b, &k2, &two), *d = gort_context_with(c, &k1, &three);
    CHECK(gort_context_value(d, &k1) == &three);
    CHECK(gort_context_value(d, &k2) == &two);
    CHECK(gort_context_value(c, &k1) == &one);
    CHECK(gort_context_value(a, &k2) == NULL);
    CHECK(gort_context_value(NULL, &k1) == NULL);
    CHECK(gort_context_done(a) == NULL);
    CHECK(gort_context_done(d) == gort_context_done(b));
    gort_context_cancel(b, 0);
    CHECK_EQ(gort_context_error(d), ECANCELED);
}

static void cancel_with(void *arg)
{
    gort_context_cancel(arg, 0);
}

static void a_context_with_a_value_is_not_cancelled(void)
{
    static const char key;
    CHECK_PANICS(cancel_with, gort_context_with(NULL, &key, NULL),
                 "gort_context_cancel of a context made by gort_context_with");
}

static void a_deadline_ends_it(void)
{
    int64_t at = gort_now() + 3 * GORT_MS;
    gort_context *c = gort_context_until(NULL, at), *below = gort_context_until(c, at + GORT_S);
    CHECK_EQ(gort_context_deadline(c), at);
    CHECK_EQ(gort_context_deadline(below), at); // the earlier
    CHECK(!gort_recv(gort_context_done(below), NULL));
    CHECK_GE(gort_now(), at);
    CHECK_EQ(gort_context_error(c), ETIMEDOUT);
    CHECK_EQ(gort_context_error(below), ETIMEDOUT);
    CHECK_EQ(gort_context_error(gort_context_until(NULL, 1)), ETIMEDOUT);
}

static void cancelled_before_its_deadline(void)
{
    gort_context *c = gort_context_until(NULL, gort_now() + 1000 * GORT_S);
    gort_context_cancel(c, 0);
    CHECK_EQ(gort_context_error(c), ECANCELED);
}

static void a_deep_tree_ends(void)
{
    gort_context *root = gort_context_make(NULL), *c = root;
    for (int i = 0; i < test_count(20000); i++)
        c = gort_context_make(c);
    gort_context_cancel(root, 0);
    CHECK_EQ(gort_context_error(c), ECANCELED);
}

static void grow_and_end(void *arg)
{
    struct world *w = arg;
    gort_context *root = w->p != NULL ? *(gort_context **)(uintptr_t)w->b : NULL;
    for (int i = 0; i < w->rounds; i++) {
        gort_context *c = gort_context_make(root), *d = gort_context_make(c);
        gort_context_cancel(i % 2 ? c : d, 0);
        gort_context_cancel(c, EIO);
        CHECK(gort_context_error(d) != 0);
    }
    gort_waitgroup_done(&w->wg);
}

// Children come and go while the parent ends.
static void many_change_one_tree(void)
{
    for (int i = 0; i < 5; i++) {
        gort_context *root = gort_context_make(NULL);
        struct world w = { .rounds = (int)test_count(200),
                           .b = (int64_t)(uintptr_t)&root,
                           .p = gort_chan_make(void *, 0) };
        gort_waitgroup_add(&w.wg, 6);
        for (int k = 0; k < 6; k++)
            gort_go(grow_and_end, &w);
        gort_yield();
        gort_context_cancel(root, 0);
        gort_waitgroup_wait(&w.wg);
    }
}

static void __attribute__((noinline)) make_many(gort_context *root, int n)
{
    for (int i = 0; i < n; i++) {
        gort_context *c =
            gort_context_until(root, gort_now() + 1000 * GORT_S); // its timer is stopped
        gort_add_cleanup(c, count_freed, NULL);
        gort_context_cancel(c, 0);
    }
}

static void what_has_ended_is_not_kept(void)
{
    gort_context *root = gort_context_make(NULL);
    STORE(&freed, 0);
    make_many(root, 50);
    WAIT_FOR((gort_gc(), LOAD(&freed) >= 40));
    gort_context_cancel(root, 0);
}

// ---- waits that end -----------------------------------------------------------------------------

struct waiter {
    gort_context *c;
    void (*wait)(void *);
    struct world *w;
};

static void note_left(void *arg)
{
    note(arg, 7);
}

static void wait_here(void *arg)
{
    struct waiter *k = arg;
    gort_defer(note_left, k->w);
    k->wait(k->w);
    note(k->w, 1); // it returned
}

static void run_waiter(void *args)
{
    struct waiter *k = args;
    CHECK_EQ(gort_context_run(k->c, wait_here, k), EPIPE);
    CHECK(gort_context_current() == NULL);
    note(k->w, 8);
}

// Parks, is cancelled, runs what it deferred, leaves; what it waited for is as it was.
static void check_wait_ends(struct world *w, void (*wait)(void *))
{
    struct waiter k = { gort_context_make(NULL), wait, w };
    w->nlog = 0;
    gort_go_copy(run_waiter, &k, sizeof k);
    settle();
    CHECK_EQ(w->nlog, 0);
    gort_context_cancel(k.c, EPIPE);
    settle();
    CHECK_EQ(w->nlog, 2);
    CHECK_EQ(w->log[0], 7);
    CHECK_EQ(w->log[1], 8);
}

static void wait_send(void *arg)
{
    gort_send(((struct world *)arg)->c, 1);
}
static void wait_null(void *arg)
{
    (void)arg;
    gort_recv((ints)NULL, NULL);
}
static void wait_select(void *arg)
{
    struct world *w = arg;
    int x = 1;
    gort_case k[] = { gort_on_recv(w->c, NULL), gort_on_send(w->d, &x) };
    gort_select(k, 2);
}
static void wait_select_long(void *arg)
{
    struct world *w = arg;
    gort_case k[50];
    for (int i = 0; i < 50; i++)
        k[i] = gort_on_recv(i % 2 ? w->c : w->d, NULL);
    gort_select_until(k, 50, gort_now() + 1000 * GORT_S);
}
static void wait_no_cases(void *arg)
{
    (void)arg;
    gort_select(NULL, 0);
}
static void wait_asleep(void *arg)
{
    (void)arg;
    gort_sleep(1000 * GORT_S);
}
static void wait_sema(void *arg)
{
    gort_sema_acquire(&((struct world *)arg)->sema);
}
static void wait_group(void *arg)
{
    gort_waitgroup_wait(&((struct world *)arg)->wg);
}
static void wait_in_try(void *arg)
{
    struct world *w = arg;
    gort_try(wait_recv, w, NULL); // is passed over
    note(w, 2);
}
static void run_inner(void *arg)
{
    gort_context *inner = gort_context_make(gort_context_current());
    CHECK_EQ(gort_context_run(inner, wait_recv, arg), EPIPE);
    wait_recv(arg); // leaves the outer one
}

static void every_wait_ends(void)
{
    struct world w = { .c = gort_chan_make(int, 0), .d = gort_chan_make(int, 0) };
    check_wait_ends(&w, wait_recv);
    check_wait_ends(&w, wait_send);
    check_wait_ends(&w, wait_null);
    check_wait_ends(&w, wait_select);
    check_wait_ends(&w, wait_select_long);
    check_wait_ends(&w, wait_no_cases);
    check_wait_ends(&w, wait_asleep);
    check_wait_ends(&w, wait_sema);
    check_wait_ends(&w, wait_in_try);
    check_wait_ends(&w, run_inner);
    CHECK_EQ(gort_try_recv(w.c, NULL), GORT_EMPTY); // nobody is left there
    CHECK(!gort_try_send(w.c, 1));
    CHECK(!gort_try_send(w.d, 1));
    gort_waitgroup_add(&w.wg, 1);
    check_wait_ends(&w, wait_group);
    gort_waitgroup_done(&w.wg);
    gort_waitgroup_wait(&w.wg);
    gort_sema_release(&w.sema); // the unit is still there
    gort_sema_acquire(&w.sema);
}

// ---- descriptors, conditions --------------------------------------------------------------------

static int pair[2], listener;

static void wait_read(void *arg)
{
    char byte;
    (void)arg;
    (void)gort_read(pair[0], &byte, 1);
}
static void wait_write(void *arg)
{
    static char much[1 << 22];
    (void)arg;
    (void)gort_write(pair[0], much, sizeof much);
}
static void wait_accept(void *arg)
{
    (void)arg;
    (void)gort_accept(listener);
}
static void wait_after_reading(void *arg)
{
    char byte;
    (void)arg;
    CHECK_EQ(gort_read(pair[0], &byte, 1), 1); // it is there: no wait
    wait_read(NULL);
}

static void descriptors_are_waited_for_no_longer(void)
{
    struct world w = { .n = 0 };
    char byte = 'x', address[64];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    listener = gort_listen("tcp", "127.0.0.1:0");
    check_wait_ends(&w, wait_read);
    check_wait_ends(&w, wait_accept);
    CHECK_EQ(gort_write(pair[1], &byte, 1), 1);
    check_wait_ends(&w, wait_after_reading);
    check_wait_ends(&w, wait_write);
    CHECK_EQ(gort_write(pair[1], &byte, 1), 1); // both sides can be used as before
    CHECK_EQ(gort_read(pair[0], &byte, 1), 1);
    CHECK_GT(gort_local_addr(listener, address, sizeof address), 0);
    int client = gort_dial("tcp", address, 0), server = gort_accept(listener);
    CHECK(client >= 0 && server >= 0);
    int all[] = { pair[0], pair[1], listener, client, server };
    for (int i = 0; i < 5; i++)
        CHECK_EQ(gort_close_fd(all[i]), 0);
}

static void unlock_held(void *arg)
{
    struct world *w = arg;
    CHECK(!gort_mutex_trylock(&w->m));
    gort_mutex_unlock(&w->m);
}

static void wait_cond(void *arg)
{
    struct world *w = arg;
    gort_mutex_lock(&w->m);
    gort_defer(unlock_held, w);
    gort_cond_wait(&w->cond, &w->m);
}

static void a_condition_is_left_with_its_mutex(void)
{
    struct world w = { .n = 0 };
    check_wait_ends(&w, wait_cond);
    check_wait_ends(&w, wait_cond);
    CHECK(gort_mutex_trylock(&w.m));
}

// ---- deadlines ----------------------------------------------------------------------------------

static void deadlines_under_waits(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    void (*const waits[])(void *) = { wait_recv, wait_read, wait_cond, wait_asleep, wait_sema };
    for (int i = 0; i < 5; i++) {
        int64_t at = gort_now() + GORT_MS;
        gort_context *c = gort_context_until(NULL, at);
        CHECK_EQ(gort_context_run(c, waits[i], &w), ETIMEDOUT);
        CHECK_GE(gort_now(), at);
    }
    CHECK_EQ(gort_close_fd(pair[0]) + gort_close_fd(pair[1]), 0);
}

static void deadlines_cost_no_goroutine(void)
{
    enum { N = 3000 };
    static gort_context *c[N];
    gort_stats before, after;
    gort_read_stats(&before);
    for (int i = 0; i < N; i++)
        gort_set(&c[i], gort_context_until(NULL, gort_now() + 1000 * GORT_S));
    gort_read_stats(&after);
    CHECK_LT(after.stack_sys, before.stack_sys + N * 1000);
    for (int i = 0; i < N; i++) {
        gort_context_cancel(c[i], 0);
        gort_set(&c[i], (gort_context *)NULL);
    }
}

static void use_ready_things(void *arg)
{
    struct world *w = arg;
    int v;
    gort_context_cancel(gort_context_current(), 0);
    gort_send(w->c, 5); // need not wait
    CHECK(gort_recv(w->c, &v));
    CHECK_EQ(v, 5);
    gort_sema_acquire(&w->sema);
    gort_waitgroup_wait(&w->wg);
    gort_mutex_lock(&w->m);
    gort_mutex_unlock(&w->m);
    CHECK(!gort_try_send((ints)NULL, 1));
    gort_yield();
    w->a = 1;
    gort_recv(w->c, &v);
    w->a = 2;
}

static void what_need_not_wait_goes_on(void)
{
    struct world w = { .c = gort_chan_make(int, 1) };
    gort_sema_release(&w.sema);
    CHECK_EQ(gort_context_run(gort_context_make(NULL), use_ready_things, &w), ECANCELED);
    CHECK_EQ(w.a, 1);
}

static void never_called(void *arg)
{
    (void)arg;
    CHECK(false);
}
static void nothing(void *arg)
{
    (void)arg;
}

static void an_ended_context_runs_nothing(void)
{
    gort_context *c = gort_context_make(NULL);
    CHECK_EQ(gort_context_run(c, nothing, NULL), 0);
    gort_context_cancel(c, EIO);
    CHECK_EQ(gort_context_run(c, never_called, NULL), EIO);
}

static void panic_inside(void *arg)
{
    (void)arg;
    gort_panic("inside");
}

static void run_and_panic(void *arg)
{
    gort_context_run(arg, panic_inside, NULL);
    CHECK(false);
}

static void panics_pass_through(void)
{
    CHECK_PANICS(run_and_panic, gort_context_make(NULL), "inside");
    CHECK(gort_context_current() == NULL);
}

static void exit_inside(void *arg)
{
    gort_context_cancel(gort_context_current(), 0);
    gort_defer(wait_recv, arg); // may wait: outside of any context
    gort_goexit();
}

static void run_and_exit(void *arg)
{
    gort_context_run(gort_context_make(NULL), exit_inside, arg);
    CHECK(false);
}

static void goexit_passes_through(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_go(run_and_exit, &w);
    gort_send(w.c, 1);
}

static void cleanup_waits(void *arg)
{
    struct world *w = arg;
    CHECK(gort_recv(w->d, NULL));
    w->a = 1;
}

static void wait_and_clean(void *arg)
{
    struct world *w = arg;
    gort_defer(cleanup_waits, w);
    gort_send(w->done, 1);
    wait_recv(w);
}

static void run_and_clean(void *args)
{
    struct waiter *k = args;
    CHECK_EQ(gort_context_run(k->c, wait_and_clean, k->w), ECANCELED);
    CHECK_EQ(k->w->a, 1);
    gort_waitgroup_done(&k->w->wg);
}

static void deferred_calls_may_wait(void)
{
    struct world w = { .c = gort_chan_make(int, 0),
                       .d = gort_chan_make(int, 0),
                       .done = gort_chan_make(int, 0) };
    struct waiter k = { gort_context_make(NULL), NULL, &w };
    gort_waitgroup_add(&w.wg, 1);
    gort_go_copy(run_and_clean, &k, sizeof k);
    gort_recv(w.done, NULL);
    gort_context_cancel(k.c, 0);
    gort_send(w.d, 1);
    gort_waitgroup_wait(&w.wg);
}

struct race {
    gort_context *c;
    gort_sema s;
    gort_waitgroup wg;
    int64_t got, left;
};

static void acquire_loop(void *arg)
{
    struct race *r = arg;
    for (;;) {
        gort_sema_acquire(&r->s);
        ADD(&r->got, 1);
    }
}

static void run_acquire(void *arg)
{
    struct race *r = arg;
    CHECK_EQ(gort_context_run(r->c, acquire_loop, r), ECANCELED);
    ADD(&r->left, 1);
    gort_waitgroup_done(&r->wg);
}

// Units that are given while waiters leave are not lost: what nobody got is in the count.
static void no_unit_is_lost(void)
{
    for (int i = 0; i < test_count(200) + 3; i++) {
        struct race r = { .c = gort_context_make(NULL) };
        int64_t given = 50;
        gort_waitgroup_add(&r.wg, 8);
        for (int k = 0; k < 8; k++)
            gort_go(run_acquire, &r);
        for (int k = 0; k < given; k++) {
            if (k == 20 + i % 20) gort_context_cancel(r.c, 0);
            if (k % 16 == 0) gort_yield();
            gort_sema_release(&r.s);
        }
        gort_waitgroup_wait(&r.wg);
        for (int64_t k = LOAD(&r.got); k < given; k++)
            gort_sema_acquire(&r.s); // blocks for ever if one is lost
        CHECK_EQ(r.left, 8);
    }
}

struct group_race {
    gort_context *c;
    gort_waitgroup wg, ended;
    int64_t waited, left;
};

static void group_wait(void *arg)
{
    struct group_race *r = arg;
    gort_waitgroup_wait(&r->wg);
    ADD(&r->waited, 1);
}

static void run_group_wait(void *arg)
{
    struct group_race *r = arg;
    if (gort_context_run(r->c, group_wait, r) != 0) ADD(&r->left, 1);
    gort_waitgroup_done(&r->ended);
}

static void waiting_for_a_group_and_its_end_race(void)
{
    for (int i = 0; i < test_count(300) + 3; i++) {
        struct group_race r = { .c = gort_context_make(NULL) };
        gort_waitgroup_add(&r.wg, 1);
        gort_waitgroup_add(&r.ended, 4);
        for (int k = 0; k < 4; k++)
            gort_go(run_group_wait, &r);
        if (i % 3 != 0) gort_yield();
        if (i % 2 == 0) gort_context_cancel(r.c, 0);
        gort_waitgroup_done(&r.wg);
        gort_context_cancel(r.c, 0);
        gort_waitgroup_wait(&r.ended);
        CHECK_EQ(r.waited + r.left, 4);
    }
}

static void pass_on(void *arg)
{
    struct world *w = arg;
    int v;
    for (;;) {
        gort_recv(w->c, &v);
        ADD(&w->a, 1);
    }
}

struct flow {
    gort_context *c;
    struct world *w;
};

static void run_pass_on(void *args)
{
    struct flow *f = args;
    CHECK_EQ(gort_context_run(f->c, pass_on, f->w), ECANCELED);
    gort_waitgroup_done(&f->w->wg);
}

static void no_element_is_lost(void)
{
    for (int i = 0; i < test_count(100) + 3; i++) {
        struct world w = { .c = gort_chan_make(int, (size_t)(i % 3)) };
        struct flow f = { gort_context_make(NULL), &w };
        int64_t sent = 0;
        gort_waitgroup_add(&w.wg, 5);
        for (int k = 0; k < 5; k++)
            gort_go_copy(run_pass_on, &f, sizeof f);
        for (int k = 0; k < 60; k++) {
            if (k == 30) gort_context_cancel(f.c, 0);
            if (k % 8 == 0) gort_yield();
            sent += gort_try_send(w.c, k);
        }
        gort_waitgroup_wait(&w.wg);
        while (gort_try_recv(w.c, NULL) == GORT_GOT)
            w.a++;
        CHECK_EQ(w.a, sent);
    }
}

static const struct conform_case cases[] = {
    CASE(cancelling_ends_all_below, 0),
    CASE(no_context_never_ends, 0),
    CASE(values_are_found_upwards, 0),
    CASE(a_context_with_a_value_is_not_cancelled, 0),
    CASE(a_deadline_ends_it, 0),
    CASE(cancelled_before_its_deadline, 0),
    CASE(a_deep_tree_ends, 0),
    CASE(many_change_one_tree, 0),
    CASE(what_has_ended_is_not_kept, 1),
    CASE(every_wait_ends, 1),
    CASE(descriptors_are_waited_for_no_longer, 1),
    CASE(a_condition_is_left_with_its_mutex, 1),
    CASE(deadlines_under_waits, 0),
    CASE(deadlines_cost_no_goroutine, 2),
    CASE(what_need_not_wait_goes_on, 0),
    CASE(an_ended_context_runs_nothing, 0),
    CASE(panics_pass_through, 0),
    CASE(goexit_passes_through, 0),
    CASE(deferred_calls_may_wait, 0),
    CASE(no_unit_is_lost, 0),
    CASE(waiting_for_a_group_and_its_end_race, 0),
    CASE(no_element_is_lost, 0),
};
CONFORM_MAIN(cases)
