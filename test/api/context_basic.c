// Contexts, scopes, goroutine-local values and pools.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <sys/socket.h>

#include "../conform.h"

// ---- the tree -----------------------------------------------------------------------------------

static bool ended(gort_context *c)
{
    return gort_try_recv(gort_context_done(c), NULL) == GORT_CLOSED;
}

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

static int64_t freed; // atomic

static void count_freed(void *arg)
{
    (void)arg;
    ADD(&freed, 1);
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
    for (int i = 0; i < 100 && LOAD(&freed) < 40; i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    CHECK_GE(LOAD(&freed), 40);
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

static void wait_recv(void *arg)
{
    gort_recv(((struct world *)arg)->c, NULL);
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

// Some wait with a context that ends meanwhile, some without; as many are woken as there were signals.
struct crowd {
    gort_mutex m;
    gort_cond cond;
    int waiting, woken; // by m
    int gone, left;     // of the plain ones, of the others; atomic
    int lingering;      // plain ones not woken yet; by m
    int told;           // atomic; who broadcasts has
};

static void wait_plainly(void *arg)
{
    struct crowd *k = arg;
    gort_mutex_lock(&k->m);
    k->waiting++;
    k->lingering++;
    gort_cond_wait(&k->cond, &k->m);
    k->woken++;
    k->lingering--;
    gort_mutex_unlock(&k->m);
    ADD(&k->gone, 1);
}

static void unlock_crowd(void *arg)
{
    gort_mutex_unlock(&((struct crowd *)arg)->m);
}

static void wait_in_context(void *arg)
{
    struct crowd *k = arg;
    gort_mutex_lock(&k->m);
    gort_defer(unlock_crowd, k);
    k->waiting++;
    gort_cond_wait(&k->cond, &k->m);
    k->woken++;
}

struct crowd_member {
    struct crowd *k;
    gort_context *c;
};

static void run_in_crowd(void *arg)
{
    struct crowd_member *m = arg;
    (void)gort_context_run(m->c, wait_in_context, m->k);
    ADD(&m->k->left, 1);
}

static void cancel_soon(void *c)
{
    gort_context_cancel(c, 0);
}

enum { PLAIN = 3, BOUND = 6 };

static int count_of(struct crowd *k, const int *count)
{
    gort_mutex_lock(&k->m);
    int n = *count;
    gort_mutex_unlock(&k->m);
    return n;
}

static void signal_a_crowd(int signals)
{
    struct crowd k = { .waiting = 0 };
    gort_context *c[BOUND];
    for (int i = 0; i < BOUND; i++) {
        if (i < PLAIN) gort_go(wait_plainly, &k);
        c[i] = gort_context_make(NULL);
        struct crowd_member m = { &k, c[i] };
        gort_go_copy(run_in_crowd, &m, sizeof m);
    }
    WAIT_FOR(count_of(&k, &k.waiting) == PLAIN + BOUND);
    for (int i = 0; i < BOUND; i++) {
        gort_go(cancel_soon, c[i]);
        if (i < signals) gort_cond_signal(&k.cond);
    }
    WAIT_FOR(LOAD(&k.left) == BOUND && count_of(&k, &k.woken) == signals);
    for (int n = count_of(&k, &k.lingering); n > 0; n--)
        gort_cond_signal(&k.cond);
    WAIT_FOR(LOAD(&k.gone) == PLAIN);
    CHECK_EQ(k.cond.waiting, 0);
}

static void no_signal_is_lost(void)
{
    for (int64_t i = 0; i < test_count(200); i++)
        signal_a_crowd((int)(i % (PLAIN + 1)));
}

// A broadcast, and contexts that end beside it: each waiter leaves once, by the one or the other.
static void broadcast_soon(void *arg)
{
    struct crowd *k = arg;
    gort_cond_broadcast(&k->cond);
    STORE(&k->told, 1);
}

// Waits that are too many to sleep in between.
static void yield_until(int *n, int value)
{
    while (LOAD(n) != value)
        gort_yield();
}

static void broadcast_to_a_crowd(void)
{
    struct crowd k = { .waiting = 0 };
    gort_context *c[BOUND];
    for (int i = 0; i < BOUND; i++) {
        c[i] = gort_context_make(NULL);
        struct crowd_member m = { &k, c[i] };
        gort_go_copy(run_in_crowd, &m, sizeof m);
    }
    while (count_of(&k, &k.waiting) != BOUND)
        gort_yield();
    gort_go(broadcast_soon, &k);
    for (int i = 0; i < BOUND; i++)
        gort_go(cancel_soon, c[i]);
    yield_until(&k.left, BOUND);
    yield_until(&k.told, 1);
    CHECK_EQ(k.cond.waiting, 0);
}

static void broadcasts_beside_ends(void)
{
    for (int64_t i = 0; i < test_count(2000); i++)
        broadcast_to_a_crowd();
}

// The context ends while its goroutine is on the way to the condition.
struct late {
    struct crowd k;
    gort_context *c;
    int begins; // atomic
};

static void wait_late(void *arg)
{
    struct late *l = arg;
    gort_mutex_lock(&l->k.m);
    gort_defer(unlock_crowd, &l->k);
    STORE(&l->begins, 1);
    gort_cond_wait(&l->k.cond, &l->k.m);
    l->k.woken++;
}

static void run_late(void *arg)
{
    struct late *l = arg;
    (void)gort_context_run(l->c, wait_late, l);
    ADD(&l->k.left, 1);
}

static void ends_before_it_is_queued(void)
{
    for (int64_t i = 0; i < test_count(20000); i++) {
        struct late l = { .begins = 0 };
        gort_init(&l.c, gort_context_make(NULL));
        gort_go(run_late, &l);
        for (int k = 1; LOAD(&l.begins) == 0; k++)
            if (k % 4096 == 0) gort_yield();
        for (volatile int k = 0; k < i % 64; k++) {
        }
        gort_context_cancel(l.c, 0);
        yield_until(&l.k.left, 1);
        CHECK_EQ(l.k.woken, 0);
    }
}

// Many at one condition, half of them by one context and half by one each below it.
static void a_crowd_leaves_at_once(void)
{
    struct crowd k = { .waiting = 0 };
    int n = (int)test_count(2000);
    gort_context *c = gort_context_make(NULL);
    for (int i = 0; i < n; i++) {
        struct crowd_member m = { &k, i % 2 == 0 ? c : gort_context_make(c) };
        gort_go_copy(run_in_crowd, &m, sizeof m);
    }
    WAIT_FOR(count_of(&k, &k.waiting) == n);
    gort_context_cancel(c, 0);
    WAIT_FOR(LOAD(&k.left) == n);
    CHECK_EQ(k.woken, 0);
    CHECK_EQ(k.cond.waiting, 0);
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

// ---- scopes -------------------------------------------------------------------------------------

static int add_and_return(void *arg)
{
    ADD((int64_t *)arg, 1);
    return 0;
}

static void a_scope_waits(void)
{
    int64_t n = 0;
    gort_scope *s = gort_scope_make(NULL);
    for (int i = 0; i < 100; i++)
        gort_scope_go(s, add_and_return, &n);
    CHECK_EQ(gort_scope_wait(s), 0);
    CHECK_EQ(n, 100);
    CHECK_EQ(gort_scope_wait(gort_scope_make(NULL)), 0);
}

static int wait_for_ever(void *arg)
{
    wait_recv(arg);
    CHECK(false);
    return 0;
}

static int fail_soon(void *arg)
{
    (void)arg;
    gort_sleep(100 * GORT_US);
    return EDOM;
}

static int exit_soon(void *arg)
{
    (void)arg;
    gort_goexit();
}

static void the_first_error_ends_the_others(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_scope *s = gort_scope_make(NULL);
    for (int i = 0; i < 10; i++)
        gort_scope_go(s, wait_for_ever, &w);
    gort_scope_go(s, exit_soon, NULL);
    gort_scope_go(s, fail_soon, NULL);
    CHECK_EQ(gort_scope_wait(s), EDOM);
    CHECK(ended(gort_scope_context(s)));
}

static void a_scope_ends_with_its_parent(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_context *c = gort_context_until(NULL, gort_now() + GORT_MS);
    gort_scope *s = gort_scope_make(c);
    for (int i = 0; i < 10; i++)
        gort_scope_go(s, wait_for_ever, &w);
    CHECK_EQ(gort_scope_wait(s), ETIMEDOUT);
}

static int nested_scope(void *arg)
{
    gort_scope *s = gort_scope_make(gort_context_current());
    gort_scope_go(s, wait_for_ever, arg);
    gort_scope_go(s, wait_for_ever, arg);
    return gort_scope_wait(s);
}

static void scopes_nest(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_scope *s = gort_scope_make(NULL);
    gort_scope_go(s, nested_scope, &w);
    gort_scope_go(s, fail_soon, NULL);
    CHECK_EQ(gort_scope_wait(s), EDOM);
}

// ---- values of a goroutine ----------------------------------------------------------------------

static const char key_a, key_b;

static void use_locals(void *args)
{
    struct member *m = args;
    CHECK(gort_local_get(&key_a) == NULL); // another's are not seen, nor those of a former life
    int *mine = gort_alloc_noscan(sizeof *mine);
    *mine = m->id;
    gort_local_set(&key_a, mine);
    mine = NULL;
    for (int i = 0; i < 5; i++) {
        gort_yield();
        if (i == 2) gort_gc();
        CHECK_EQ(*(int *)gort_local_get(&key_a), m->id);
    }
    gort_local_set(&key_b, &m->id);
    gort_local_set(&key_a, NULL);
    CHECK(gort_local_get(&key_a) == NULL);
    CHECK(gort_local_get(&key_b) == &m->id);
    gort_waitgroup_done(&m->w->wg);
}

static void locals_are_each_goroutines_own(void)
{
    struct world w = { 0 };
    for (int i = 0; i < 3; i++) {
        gort_waitgroup_add(&w.wg, 20);
        start_members(&w, 20, use_locals);
        gort_waitgroup_wait(&w.wg);
    }
}

// ---- pools --------------------------------------------------------------------------------------

typedef struct thing {
    int64_t made, used;
} thing;
GORT_TYPE(thing);

static void *make_thing(void *arg)
{
    thing *t = gort_new(thing);
    t->made = ADD((int64_t *)arg, 1);
    return t;
}

static void a_pool_gives_back(void)
{
    int64_t made = 0;
    gort_pool *p = gort_pool_make(make_thing, &made);
    struct thing *a = gort_pool_get(p), *b = gort_pool_get(p);
    CHECK(a != b);
    gort_pool_put(p, a);
    gort_pool_put(p, b);
    gort_pool_put(p, NULL);
    struct thing *c = gort_pool_get(p), *d = gort_pool_get(p);
    // A collection between forgets them; then they are new.
    CHECK(made == 2 ? c == b && d == a : c->used == 0 && d->used == 0);
    gort_pool *empty = gort_pool_make(NULL, NULL);
    CHECK(gort_pool_get(empty) == NULL);
}

static void a_collection_empties_it(void)
{
    int64_t made = 0;
    gort_pool *p = gort_pool_make(make_thing, &made);
    for (int i = 0; i < 100; i++)
        gort_pool_put(p, make_thing(&made));
    int64_t before = made;
    gort_gc();
    struct thing *t = gort_pool_get(p);
    CHECK_EQ(t->made, before + 1);
}

static void __attribute__((noinline)) put_finalizable(gort_pool *p, int n)
{
    int64_t made = 0;
    for (int i = 0; i < n; i++) {
        void *t = make_thing(&made);
        gort_set_finalizer(t, count_freed);
        gort_pool_put(p, t);
    }
}

static void what_is_pooled_is_collected(void)
{
    gort_pool *p = gort_pool_make(NULL, NULL);
    STORE(&freed, 0);
    put_finalizable(p, 25);
    for (int i = 0; i < 100 && LOAD(&freed) < 20; i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    CHECK_GE(LOAD(&freed), 20);
    gort_keep_alive(p);
}

struct pool_user {
    gort_pool *p;
    struct world *w;
};

static void use_pool(void *args)
{
    struct pool_user *u = args;
    for (int i = 0; i < u->w->rounds; i++) {
        struct thing *t = gort_pool_get(u->p);
        CHECK_EQ(t->used, 0); // nobody else has it
        t->used = 1;
        if (i % 16 == 0) gort_yield();
        if (i % 256 == 0) gort_gc();
        CHECK(t->made > 0);
        t->used = 0;
        gort_pool_put(u->p, t);
    }
    gort_waitgroup_done(&u->w->wg);
}

static void an_object_has_one_user(void)
{
    int64_t made = 0;
    struct world w = { .rounds = (int)test_count(1000) };
    struct pool_user u = { gort_pool_make(make_thing, &made), &w };
    gort_waitgroup_add(&w.wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go_copy(use_pool, &u, sizeof u);
    gort_waitgroup_wait(&w.wg);
    CHECK_LE(made, 8 * (int64_t)w.rounds);
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
    CASE(no_signal_is_lost, 0),
    CASE(broadcasts_beside_ends, 0),
    CASE(a_crowd_leaves_at_once, 0),
    CASE(ends_before_it_is_queued, 0),
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
    CASE(a_scope_waits, 0),
    CASE(the_first_error_ends_the_others, 0),
    CASE(a_scope_ends_with_its_parent, 0),
    CASE(scopes_nest, 0),
    CASE(locals_are_each_goroutines_own, 0),
    CASE(a_pool_gives_back, 1),
    CASE(a_collection_empties_it, 0),
    CASE(what_is_pooled_is_collected, 1),
    CASE(an_object_has_one_user, 0),
};
CONFORM_MAIN(cases)
