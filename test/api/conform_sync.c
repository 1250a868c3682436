// Conformance of condition, once, wait group and semaphore: order of service, hand-over,
// publication, reuse.
//
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

// ---- condition ----------------------------------------------------------------------------------

static void wait_cond(void *args)
{
    struct member *m = args;
    gort_mutex_lock(&m->w->m);
    gort_cond_wait(&m->w->cond, &m->w->m);
    CHECK(!gort_mutex_trylock(&m->w->m)); // it holds it again
    note(m->w, m->id);
    gort_mutex_unlock(&m->w->m);
}

static void a_signal_wakes_one(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 5, wait_cond);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(w.nlog, i);
        gort_cond_signal(&w.cond);
        settle();
        CHECK_EQ(w.nlog, i + 1);
    }
}

static void signals_wake_in_order_of_waiting(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 20, wait_cond);
    for (int i = 0; i < 20; i++) {
        gort_cond_signal(&w.cond);
        settle();
    }
    check_in_order(&w, 20);
}

static void a_broadcast_wakes_all(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 20, wait_cond);
    gort_cond_broadcast(&w.cond);
    settle();
    CHECK_EQ(w.nlog, 20);
}

static void a_signal_without_waiters_is_lost(void)
{
    struct world w = { 0 };
    gort_cond_signal(&w.cond);
    gort_cond_broadcast(&w.cond);
    start_one_by_one(&w, 1, wait_cond);
    CHECK_EQ(w.nlog, 0);
    gort_cond_signal(&w.cond);
    settle();
    CHECK_EQ(w.nlog, 1);
}

static void a_broadcast_is_not_for_later_waiters(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 3, wait_cond);
    gort_cond_broadcast(&w.cond);
    start_one_by_one(&w, 2, wait_cond);
    settle();
    CHECK_EQ(w.nlog, 3);
    gort_cond_broadcast(&w.cond);
    settle();
    CHECK_EQ(w.nlog, 5);
}

static void more_signals_than_waiters(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 2, wait_cond);
    for (int i = 0; i < 10; i++)
        gort_cond_signal(&w.cond);
    settle();
    CHECK_EQ(w.nlog, 2);
}

static void a_signal_while_the_mutex_is_held(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 1, wait_cond);
    gort_mutex_lock(&w.m);
    gort_cond_signal(&w.cond);
    settle();
    CHECK_EQ(w.nlog, 0); // it waits for the mutex
    gort_mutex_unlock(&w.m);
    settle();
    CHECK_EQ(w.nlog, 1);
}

static void next_step(void *args)
{
    struct member *m = args;
    struct world *w = m->w;
    gort_mutex_lock(&w->m);
    while (w->a < m->id)
        gort_cond_wait(&w->cond, &w->m);
    CHECK_EQ(w->a, m->id);
    w->a++;
    gort_cond_broadcast(&w->cond);
    gort_mutex_unlock(&w->m);
    gort_waitgroup_done(&w->wg);
}

static void a_condition_orders_many(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 50);
    start_members(&w, 50, next_step);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 50);
}

static void wait_late(void *arg)
{
    struct world *w = arg;
    gort_mutex_lock(&w->m);
    ADD(&w->a, 1);
    gort_cond_wait(&w->cond, &w->m);
    gort_mutex_unlock(&w->m);
    ADD(&w->b, 1);
    gort_waitgroup_done(&w->wg);
}

// A goroutine that begins to wait after the signal can not take it from one that waited before.
static void a_signal_is_not_stolen(void)
{
    for (int i = 0; i < test_count(200); i++) {
        struct world w = { 0 };
        gort_waitgroup_add(&w.wg, 1);
        gort_go(wait_late, &w);
        WAIT_FOR(LOAD(&w.a) == 1);
        gort_mutex_lock(&w.m); // it is queued
        gort_mutex_unlock(&w.m);
        gort_cond_signal(&w.cond);
        gort_waitgroup_add(&w.wg, 1);
        gort_go(wait_late, &w);
        WAIT_FOR(LOAD(&w.b) >= 1);
        WAIT_FOR(LOAD(&w.a) == 2);
        gort_mutex_lock(&w.m);
        gort_mutex_unlock(&w.m);
        CHECK_EQ(LOAD(&w.b), 1);
        gort_cond_signal(&w.cond);
        gort_waitgroup_wait(&w.wg);
    }
}

struct buffer {
    gort_mutex m;
    gort_cond not_full, not_empty;
    int n, in, out, each;
    int slot[8];
    int64_t sum;
    gort_waitgroup wg;
};

static void put_all(void *arg)
{
    struct buffer *b = arg;
    for (int i = 1; i <= b->each; i++) {
        gort_mutex_lock(&b->m);
        while (b->n == 8)
            gort_cond_wait(&b->not_full, &b->m);
        b->slot[b->in++ % 8] = i;
        b->n++;
        gort_cond_signal(&b->not_empty);
        gort_mutex_unlock(&b->m);
    }
    gort_waitgroup_done(&b->wg);
}

static void take_all(void *arg)
{
    struct buffer *b = arg;
    for (int i = 1; i <= b->each; i++) {
        gort_mutex_lock(&b->m);
        while (b->n == 0)
            gort_cond_wait(&b->not_empty, &b->m);
        b->sum += b->slot[b->out++ % 8];
        b->n--;
        gort_cond_signal(&b->not_full);
        gort_mutex_unlock(&b->m);
    }
    gort_waitgroup_done(&b->wg);
}

static void a_buffer_under_two_conditions(void)
{
    struct buffer b = { .each = (int)test_count(1000) };
    gort_waitgroup_add(&b.wg, 8);
    for (int i = 0; i < 4; i++) {
        gort_go(put_all, &b);
        gort_go(take_all, &b);
    }
    gort_waitgroup_wait(&b.wg);
    CHECK_EQ(b.sum, 4 * (int64_t)b.each * (b.each + 1) / 2);
    CHECK_EQ(b.n, 0);
}

static void barrier_rounds(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        gort_mutex_lock(&w->m);
        int64_t generation = w->b;
        CHECK_EQ(generation, i);
        if (++w->a == w->n) {
            w->a = 0;
            w->b++;
            gort_cond_broadcast(&w->cond);
        }
        while (w->b == generation)
            gort_cond_wait(&w->cond, &w->m);
        gort_mutex_unlock(&w->m);
    }
    gort_waitgroup_done(&w->wg);
}

static void a_barrier_by_generations(void)
{
    struct world w = { .n = 8, .rounds = (int)test_count(200) };
    gort_waitgroup_add(&w.wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go(barrier_rounds, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.b, w.rounds);
}

// ---- once ---------------------------------------------------------------------------------------

static void add_one(void *arg)
{
    struct world *w = arg;
    gort_yield();
    ADD(&w->a, 1);
    w->b = 42;
}

static void do_it(void *arg)
{
    struct world *w = arg;
    gort_once_do(&w->once, add_one, w);
    CHECK_EQ(LOAD(&w->a), 1);
    CHECK_EQ(w->b, 42); // what it did is visible to all
    gort_waitgroup_done(&w->wg);
}

static void once_of_many_callers(void)
{
    for (int i = 0; i < test_count(200); i++) {
        struct world w = { 0 };
        gort_waitgroup_add(&w.wg, 10);
        for (int k = 0; k < 10; k++)
            gort_go(do_it, &w);
        gort_waitgroup_wait(&w.wg);
        CHECK_EQ(w.a, 1);
    }
}

static void slow_first(void *arg)
{
    struct world *w = arg;
    note(w, 1);
    gort_recv(w->c, NULL);
    note(w, 2);
}

static void call_slow(void *arg)
{
    struct world *w = arg;
    gort_once_do(&w->once, slow_first, w);
    note(w, 3);
}

static void others_wait_for_the_first_call(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_go(call_slow, &w);
    settle();
    gort_go(call_slow, &w);
    settle();
    CHECK_EQ(w.nlog, 1);
    gort_send(w.c, 1);
    settle();
    CHECK_EQ(w.nlog, 4);
    CHECK_EQ(w.log[1], 2);
}

static void panic_once(void *arg)
{
    ADD(&((struct world *)arg)->a, 1);
    gort_panic("no");
}

static void do_panic(void *arg)
{
    gort_once_do(&((struct world *)arg)->once, panic_once, arg);
}

static void a_panic_counts_as_done(void)
{
    struct world w = { 0 };
    CHECK_PANICS(do_panic, &w, "no");
    for (int i = 0; i < 3; i++)
        gort_once_do(&w.once, panic_once, &w);
    CHECK_EQ(w.a, 1);
}

static void inner_once(void *arg)
{
    struct world *w = arg;
    w->a++;
}

static void outer_once(void *arg)
{
    struct world *w = arg;
    gort_once inner = { 0 };
    gort_once_do(&inner, inner_once, w);
    gort_once_do(&inner, inner_once, w);
}

static void one_once_inside_another(void)
{
    struct world w = { 0 };
    gort_once_do(&w.once, outer_once, &w);
    gort_once_do(&w.once, outer_once, &w);
    CHECK_EQ(w.a, 1);
}

// ---- wait group ---------------------------------------------------------------------------------

static void count_and_done(void *arg)
{
    struct world *w = arg;
    ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void a_wait_group_counts(void)
{
    struct world w = { 0 };
    for (int round = 1; round <= 8; round++) { // and may be used again
        gort_waitgroup_add(&w.wg, 16);
        for (int i = 0; i < 16; i++)
            gort_go(count_and_done, &w);
        gort_waitgroup_wait(&w.wg);
        CHECK_EQ(w.a, 16 * round);
    }
}

static void wait_of_nothing_returns(void)
{
    gort_waitgroup wg = { 0 };
    gort_waitgroup_wait(&wg);
    gort_waitgroup_add(&wg, 3);
    gort_waitgroup_add(&wg, -3);
    gort_waitgroup_wait(&wg);
}

static void two_steps(void *arg)
{
    struct world *w = arg;
    ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

// A group in a frame that ends at once after the wait.
static void __attribute__((noinline)) short_lived_group(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 2);
    gort_go(two_steps, &w);
    gort_go(two_steps, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 2);
}

static void groups_in_frames_that_end(void)
{
    for (int i = 0; i < test_count(1000); i++)
        short_lived_group();
}

static void wait_and_count(void *arg)
{
    struct world *w = arg;
    gort_waitgroup_wait(&w->wg);
    CHECK_EQ(w->b, 5);
    gort_send(w->done, 1);
}

static void all_that_wait_are_woken(void)
{
    struct world w = { .done = gort_chan_make(int, 0) };
    gort_waitgroup_add(&w.wg, 1);
    for (int i = 0; i < 50; i++)
        gort_go(wait_and_count, &w);
    gort_sleep(GORT_MS);
    CHECK_EQ(gort_try_recv(w.done, NULL), GORT_EMPTY);
    w.b = 5;
    gort_waitgroup_done(&w.wg);
    for (int i = 0; i < 50; i++)
        gort_recv(w.done, NULL);
}

static void grow(void *arg)
{
    struct world *w = arg;
    int64_t n = ADD(&w->a, 1);
    if (n < 200) {
        gort_waitgroup_add(&w->wg, 2);
        gort_go(grow, w);
        gort_go(grow, w);
    }
    gort_waitgroup_done(&w->wg);
}

static void a_group_may_grow_while_it_is_waited_for(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(grow, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_GE(w.a, 200);
    int64_t was = w.a;
    settle();
    CHECK_EQ(LOAD(&w.a), was);
}

// ---- semaphore ----------------------------------------------------------------------------------

static void acquire_and_log(void *args)
{
    struct member *m = args;
    gort_sema_acquire(&m->w->sema);
    note(m->w, m->id);
}

static void units_go_in_order_of_waiting(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 20, acquire_and_log);
    for (int i = 0; i < 20; i++) {
        gort_sema_release(&w.sema);
        settle();
    }
    check_in_order(&w, 20);
}

// The unit belongs to the one that waits, from the release on.
static void a_newcomer_does_not_get_ahead(void)
{
    struct world w = { 0 };
    start_one_by_one(&w, 1, acquire_and_log);
    gort_sema_release(&w.sema);
    start_one_by_one(&w, 0, acquire_and_log);
    CHECK_EQ(w.nlog, 0);
    struct member m = { &w, 1 };
    gort_go_copy(acquire_and_log, &m, sizeof m);
    settle();
    CHECK_EQ(w.nlog, 1);
    CHECK_EQ(w.log[0], 0);
    gort_sema_release(&w.sema);
    settle();
    CHECK_EQ(w.nlog, 2);
}

static void units_may_come_first(void)
{
    gort_sema s = { 0 };
    for (int i = 0; i < 5; i++)
        gort_sema_release(&s);
    for (int i = 0; i < 5; i++)
        gort_sema_acquire(&s);
}

static void use_one_of_few(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        gort_sema_acquire(&w->sema);
        CHECK_LE(ADD(&w->a, 1), 3);
        if (i % 8 == 0) gort_yield();
        ADD(&w->a, -1);
        gort_sema_release(&w->sema);
    }
    gort_waitgroup_done(&w->wg);
}

static void no_more_than_there_are_units(void)
{
    struct world w = { .rounds = (int)test_count(500) };
    gort_sema_init(&w.sema, 3);
    gort_waitgroup_add(&w.wg, 12);
    for (int i = 0; i < 12; i++)
        gort_go(use_one_of_few, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 0);
    for (int i = 0; i < 3; i++)
        gort_sema_acquire(&w.sema);
}

struct duet {
    gort_sema ping, pong;
    int rounds;
    int64_t steps;
    gort_waitgroup wg;
};

static void answer_pings(void *arg)
{
    struct duet *d = arg;
    for (int i = 0; i < d->rounds; i++) {
        gort_sema_acquire(&d->ping);
        CHECK_EQ(d->steps++ % 2, 1);
        gort_sema_release(&d->pong);
    }
    gort_waitgroup_done(&d->wg);
}

static void two_semaphores_alternate(void)
{
    struct duet d = { .rounds = (int)test_count(2000) };
    gort_waitgroup_add(&d.wg, 1);
    gort_go(answer_pings, &d);
    for (int i = 0; i < d.rounds; i++) {
        CHECK_EQ(d.steps++ % 2, 0);
        gort_sema_release(&d.ping);
        gort_sema_acquire(&d.pong);
    }
    gort_waitgroup_wait(&d.wg);
}

static void acquire_in_heap(void *arg)
{
    gort_sema *s = arg;
    gort_sema_acquire(s);
    gort_sema_release(s + 1);
}

static void a_semaphore_in_collected_memory_is_kept(void)
{
    gort_sema *s = gort_alloc_noscan(2 * sizeof *s);
    for (int i = 0; i < 10; i++)
        gort_go(acquire_in_heap, s);
    gort_sleep(GORT_MS);
    for (int i = 0; i < 10; i++) {
        gort_gc();
        gort_sema_release(s);
        gort_sema_acquire(s + 1);
    }
}

static void acquire_once(void *arg)
{
    struct world *w = arg;
    gort_sema_acquire(&w->sema);
    ADD(&w->a, 1);
}

static void many_addresses_do_not_mix(void)
{
    enum { N = 300 };
    struct world *w = gort_alloc(N * sizeof *w);
    for (int i = 0; i < N; i++)
        gort_go(acquire_once, &w[i]);
    gort_yield();
    for (int i = N; i-- > 0;) {
        CHECK_EQ(LOAD(&w[i].a), 0);
        gort_sema_release(&w[i].sema);
    }
    for (int i = 0; i < N; i++) {
        WAIT_FOR(LOAD(&w[i].a) == 1);
    }
}

static const struct conform_case cases[] = {
    CASE(a_signal_wakes_one, 1),
    CASE(signals_wake_in_order_of_waiting, 1),
    CASE(a_broadcast_wakes_all, 1),
    CASE(a_signal_without_waiters_is_lost, 1),
    CASE(a_broadcast_is_not_for_later_waiters, 1),
    CASE(more_signals_than_waiters, 1),
    CASE(a_signal_while_the_mutex_is_held, 1),
    CASE(a_condition_orders_many, 0),
    CASE(a_signal_is_not_stolen, 0),
    CASE(a_buffer_under_two_conditions, 0),
    CASE(a_barrier_by_generations, 0),
    CASE(once_of_many_callers, 0),
    CASE(others_wait_for_the_first_call, 1),
    CASE(a_panic_counts_as_done, 0),
    CASE(one_once_inside_another, 0),
    CASE(a_wait_group_counts, 0),
    CASE(wait_of_nothing_returns, 0),
    CASE(groups_in_frames_that_end, 0),
    CASE(all_that_wait_are_woken, 0),
    CASE(a_group_may_grow_while_it_is_waited_for, 0),
    CASE(units_go_in_order_of_waiting, 1),
    CASE(a_newcomer_does_not_get_ahead, 1),
    CASE(units_may_come_first, 0),
    CASE(no_more_than_there_are_units, 0),
    CASE(two_semaphores_alternate, 0),
    CASE(a_semaphore_in_collected_memory_is_kept, 0),
    CASE(many_addresses_do_not_mix, 0),
};
CONFORM_MAIN(cases)
