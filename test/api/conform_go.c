// Conformance of goroutines: starting and ending, arguments, stacks, deferred calls and panics
// among many, errno, threads of the program's own, many processors.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "../conform.h"

// ---- starting and ending ------------------------------------------------------------------------

static void start_next(void *args)
{
    struct member *m = args;
    if (m->id == 0) {
        gort_waitgroup_done(&m->w->wg);
        return;
    }
    struct member next = { m->w, m->id - 1 };
    gort_go_copy(start_next, &next, sizeof next);
}

static void a_long_line_of_starts(void)
{
    struct world w = { 0 };
    struct member first = { &w, (int)test_count(2000) };
    gort_waitgroup_add(&w.wg, 1);
    gort_go_copy(start_next, &first, sizeof first);
    gort_waitgroup_wait(&w.wg);
}

static void wait_for_close(void *arg)
{
    struct world *w = arg;
    gort_recv(w->c, NULL);
    ADD(&w->a, 1);
    gort_waitgroup_done(&w->wg);
}

static void ten_thousand_park_and_wake(void)
{
    int n = (int)test_count(10000);
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_waitgroup_add(&w.wg, n);
    for (int i = 0; i < n; i++)
        gort_go(wait_for_close, &w);
    gort_close(w.c);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, n);
}

struct copied {
    struct world *w;
    int id;
    char text[100];
};

static void check_copied(void *args)
{
    struct copied *c = args;
    char want[100];
    snprintf(want, sizeof want, "number %d", c->id);
    CHECK_STR_EQ(c->text, want);
    c->text[0] = 'X'; // its own
    gort_yield();
    CHECK_EQ(c->text[0], 'X');
    gort_waitgroup_done(&c->w->wg);
}

static void arguments_are_copied_at_once(void)
{
    struct world w = { 0 };
    struct copied c = { .w = &w };
    gort_waitgroup_add(&w.wg, 50);
    for (c.id = 0; c.id < 50; c.id++) {
        snprintf(c.text, sizeof c.text, "number %d", c.id);
        gort_go_copy(check_copied, &c, sizeof c);
    }
    memset(&c, 0xff, sizeof c);
    gort_waitgroup_wait(&w.wg);
}

static int down(int depth)
{
    volatile char room[1000];
    room[0] = (char)depth;
    if (depth > 0) room[1] = (char)down(depth - 1);
    if (depth % 20 == 0) gort_yield();
    CHECK_EQ(room[0], (char)depth);
    return depth;
}

static void go_down(void *arg)
{
    struct world *w = arg;
    down(120);
    gort_waitgroup_done(&w->wg);
}

static void deep_stacks_side_by_side(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 20);
    for (int i = 0; i < 20; i++)
        gort_go(go_down, &w);
    gort_waitgroup_wait(&w.wg);
}

static void use_a_megabyte(void *arg)
{
    struct world *w = arg;
    down(800);
    gort_waitgroup_done(&w->wg);
}

static void a_stack_may_be_asked_for(void)
{
    struct world w = { 0 };
    gort_go_options o = { .name = "deep", .stack_size = 2 << 20 };
    gort_waitgroup_add(&w.wg, 4);
    for (int i = 0; i < 4; i++)
        gort_go_opt(&o, use_a_megabyte, &w);
    gort_waitgroup_wait(&w.wg);
}

// ---- deferred calls, panics ---------------------------------------------------------------------

static void count_deferred(void *arg)
{
    ADD(&((struct world *)arg)->a, 1);
}

static void defer_and_exit(void *arg)
{
    struct world *w = arg;
    gort_defer(count_deferred, w);
    gort_defer(count_deferred, w);
    gort_yield();
    gort_waitgroup_done(&w->wg);
    gort_goexit();
}

static void deferred_calls_run_at_goexit(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 30);
    for (int i = 0; i < 30; i++)
        gort_go(defer_and_exit, &w);
    gort_waitgroup_wait(&w.wg);
    WAIT_FOR(LOAD(&w.a) == 60);
}

static void panic_with_number(void *arg)
{
    struct member *m = arg;
    gort_yield();
    gort_panic("number %d", m->id);
}

static void catch_own(void *args)
{
    struct member *m = args;
    gort_panic_info info;
    char want[32];
    snprintf(want, sizeof want, "number %d", m->id);
    for (int i = 0; i < 20; i++) {
        CHECK(gort_try(panic_with_number, m, &info));
        CHECK_STR_EQ(info.message, want);
    }
    gort_waitgroup_done(&m->w->wg);
}

static void panics_of_many_do_not_mix(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 20);
    start_members(&w, 20, catch_own);
    gort_waitgroup_wait(&w.wg);
}

static void recv_in_deferred(void *arg)
{
    struct world *w = arg;
    gort_recv(w->c, NULL);
    ADD(&w->a, 1);
}

static void panic_then_wait(void *arg)
{
    gort_defer(recv_in_deferred, arg);
    gort_panic("later");
}

static void try_waiting(void *arg)
{
    struct world *w = arg;
    CHECK(gort_try(panic_then_wait, w, NULL));
    gort_waitgroup_done(&w->wg);
}

static void a_deferred_call_may_wait(void)
{
    struct world w = { .c = gort_chan_make(int, 0) };
    gort_waitgroup_add(&w.wg, 10);
    for (int i = 0; i < 10; i++)
        gort_go(try_waiting, &w);
    for (int i = 0; i < 10; i++)
        gort_send(w.c, i);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 10);
}

// ---- what is a goroutine's own ------------------------------------------------------------------

static void keep_errno(void *args)
{
    struct member *m = args;
    errno = 1 + m->id;
    for (int i = 0; i < 50; i++) {
        if (i % 5 == 0)
            gort_sleep(i);
        else
            gort_yield();
        CHECK_EQ(errno, 1 + m->id);
    }
    gort_waitgroup_done(&m->w->wg);
}

static void errno_is_each_goroutines_own(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 20);
    start_members(&w, 20, keep_errno);
    gort_waitgroup_wait(&w.wg);
}

static void keep_registers(void *args)
{
    struct member *m = args;
    double x = m->id * 1.5, sum = 0;
    uint64_t a = (uint64_t)m->id, b = a * 3, c = a * 5, d = a * 7, e = a * 11, f = a * 13;
    for (int i = 0; i < 200; i++) {
        gort_yield();
        sum += x;
        a++, b++, c++, d++, e++, f++;
    }
    CHECK(sum == x * 200);
    uint64_t id = (uint64_t)m->id;
    CHECK_EQ(a + b + c + d + e + f, id * 40 + 1200);
    gort_waitgroup_done(&m->w->wg);
}

static void registers_are_each_goroutines_own(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 20);
    start_members(&w, 20, keep_registers);
    gort_waitgroup_wait(&w.wg);
}

// ---- threads ------------------------------------------------------------------------------------

static void attach(struct world *w)
{
    CHECK_EQ(gort_thread_attach(), 0);
    ADD(&w->b, 1);
}

// Starts four threads, and waits until they are attached: before, the runtime does not know that
// somebody is still to come, and would call it a deadlock that all goroutines wait.
static void start_threads(struct world *w, pthread_t *t, void *(*fn)(void *))
{
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, fn, w), 0);
    WAIT_FOR(LOAD(&w->b) == 4);
}

static void *send_from_thread(void *arg)
{
    struct world *w = arg;
    attach(w);
    for (int i = 0; i < 100; i++)
        gort_send(w->c, i);
    gort_thread_detach();
    return NULL;
}

static void join_thread(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
}

static void attached_threads_use_channels(void)
{
    struct world w = { .c = gort_chan_make(int, 3) };
    pthread_t t[4];
    int64_t sum = 0;
    int v;
    start_threads(&w, t, send_from_thread);
    for (int i = 0; i < 400; i++) {
        gort_recv(w.c, &v);
        sum += v;
    }
    CHECK_EQ(sum, 4 * 4950);
    for (int i = 0; i < 4; i++)
        gort_blocking(join_thread, &t[i]);
}

static void *lock_from_thread(void *arg)
{
    struct world *w = arg;
    attach(w);
    for (int i = 0; i < 200; i++) {
        gort_mutex_lock(&w->m);
        w->a++;
        gort_mutex_unlock(&w->m);
    }
    gort_thread_detach();
    return NULL;
}

static void attached_threads_use_mutexes(void)
{
    struct world w = { 0 };
    pthread_t t[4];
    start_threads(&w, t, lock_from_thread);
    for (int i = 0; i < 200; i++) {
        gort_mutex_lock(&w.m);
        w.a++;
        if (i % 10 == 0) gort_yield();
        gort_mutex_unlock(&w.m);
    }
    for (int i = 0; i < 4; i++)
        gort_blocking(join_thread, &t[i]);
    CHECK_EQ(w.a, 1000);
}

static void sleep_and_store(void *arg)
{
    usleep(1000);
    *(int *)arg = 7;
}

static void a_blocking_call_returns_its_work(void)
{
    int result = 0;
    gort_blocking(sleep_and_store, &result);
    CHECK_EQ(result, 7);
}

static void block_often(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < 100; i++) {
        gort_enter_blocking();
        gort_exit_blocking();
    }
    gort_waitgroup_done(&w->wg);
}

static void short_blocking_regions(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 10);
    for (int i = 0; i < 10; i++)
        gort_go(block_often, &w);
    for (int i = 0; i < 3; i++)
        gort_gc();
    gort_waitgroup_wait(&w.wg);
}

// ---- many processors ----------------------------------------------------------------------------

static void yield_and_count(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < 20; i++) {
        gort_yield();
        ADD(&w->a, 1);
    }
    gort_waitgroup_done(&w->wg);
}

static void many_more_ps_than_cpus(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 300);
    for (int i = 0; i < 300; i++)
        gort_go(yield_and_count, &w);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.a, 6000);
}

static void collect_now(void *arg)
{
    struct world *w = arg;
    void **chain = NULL;
    for (int i = 0; i < 50; i++) {
        void **next = gort_alloc(3 * sizeof *next);
        gort_init(&next[0], (void *)chain);
        next[1] = (void *)(uintptr_t)(i + 1);
        chain = next;
        if (i % 25 == 0) gort_gc();
    }
    uintptr_t want = 50;
    for (; chain != NULL; chain = chain[0])
        CHECK_EQ((uintptr_t)chain[1], want--);
    CHECK_EQ(want, 0);
    gort_waitgroup_done(&w->wg);
}

static void many_ask_for_a_collection(void)
{
    struct world w = { 0 };
    gort_waitgroup_add(&w.wg, 20);
    for (int i = 0; i < 20; i++)
        gort_go(collect_now, &w);
    gort_waitgroup_wait(&w.wg);
}

static const struct conform_case cases[] = {
    CASE(a_long_line_of_starts, 0),
    CASE(ten_thousand_park_and_wake, 0),
    CASE(arguments_are_copied_at_once, 0),
    CASE(deep_stacks_side_by_side, 0),
    CASE(a_stack_may_be_asked_for, 0),
    CASE(deferred_calls_run_at_goexit, 0),
    CASE(panics_of_many_do_not_mix, 0),
    CASE(a_deferred_call_may_wait, 0),
    CASE(errno_is_each_goroutines_own, 0),
    CASE(registers_are_each_goroutines_own, 0),
    CASE(attached_threads_use_channels, 0),
    CASE(attached_threads_use_mutexes, 0),
    CASE(a_blocking_call_returns_its_work, 0),
    CASE(short_blocking_regions, 0),
    CASE(many_more_ps_than_cpus, 64),
    CASE(many_ask_for_a_collection, 0),
};
CONFORM_MAIN(cases)
