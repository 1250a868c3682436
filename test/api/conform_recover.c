// Conformance of panics that go through the runtime's own calls, through many frames, through each
// other and through the ends of goroutines: what Go's test/recover*.go and the tests of panics in
// its package runtime check that conform_panic.c and conform_defer.c do not, as gort makes it.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

static char trace[64];

static void mark(void *letter)
{
    size_t n = strlen(trace);
    CHECK_LT(n + 1, sizeof trace);
    trace[n] = *(const char *)letter;
    trace[n + 1] = '\0';
}
#define CHECK_TRACE(text)                                                                          \
    do {                                                                                           \
        CHECK_STR_EQ(trace, text);                                                                 \
        trace[0] = '\0';                                                                           \
    } while (0)

static void panic_with(void *arg)
{
    gort_panic("%s", (const char *)arg);
}

static void recover_it(void *message)
{
    gort_panic_info info;
    CHECK_EQ(gort_recover(&info), message != NULL);
    if (message != NULL) CHECK_STR_EQ(info.message, message);
}

// ---- calls of the runtime that panic ------------------------------------------------------------

typedef gort_slice(int) slice;
typedef gort_map(int, int) int_map;

static void index_beyond(void *arg)
{
    slice s = gort_slice_make(slice, int, 3, 3);
    gort_slice_at(s, *(int *)arg) = 1;
}
static void sub_beyond(void *arg)
{
    slice s = gort_slice_make(slice, int, 3, 3);
    (void)gort_slice_sub(s, *(int *)arg, 3);
}
static void make_too_large(void *arg)
{
    (void)arg;
    (void)gort_slice_make(slice, int, INT64_MAX, INT64_MAX);
}
static void string_beyond(void *arg)
{
    (void)gort_string_at(gort_str("abc"), *(int *)arg);
}
static void put_in_null(void *arg)
{
    int_map m = NULL;
    gort_map_put(m, 1, *(int *)arg);
}
static void close_twice(void *arg)
{
    gort_close(*(ints *)arg);
    gort_close(*(ints *)arg);
}
static void send_closed(void *arg)
{
    gort_send(*(ints *)arg, 1);
}
static void close_null(void *arg)
{
    ints none = NULL;
    (void)arg;
    gort_close(none);
}

static void errors_of_the_runtime_say_what(void)
{
    int five = 5;
    ints c = gort_chan_make(int, 1);
    CHECK_PANICS(index_beyond, &five, "runtime error: index out of range [5] with length 3");
    CHECK_PANICS(sub_beyond, &five, "runtime error: slice bounds out of range [5:3]");
    CHECK_PANICS(make_too_large, NULL, "runtime error: makeslice: len out of range");
    CHECK_PANICS(string_beyond, &five, "runtime error: index out of range [5] with length 3");
    CHECK(gort_try(put_in_null, &five, &test_panic_));
    CHECK_STR_HAS(test_panic_.message, "assignment to entry in nil map");
    CHECK_PANICS(close_twice, &c, "close of closed channel");
    CHECK_PANICS(send_closed, &c, "send on closed channel");
    CHECK_PANICS(close_null, NULL, "close of NULL channel");
}

// ---- no lock is left behind ---------------------------------------------------------------------

struct many {
    ints c;
    gort_waitgroup wg;
    int64_t panics;
};

static void send_until_closed(void *arg)
{
    for (;;)
        gort_send(*(ints *)arg, 1);
}

static void send_and_count(void *arg)
{
    struct many *m = *(struct many **)arg;
    gort_panic_info info;
    CHECK(gort_try(send_until_closed, &m->c, &info));
    CHECK_STR_EQ(info.message, "send on closed channel");
    CHECK(gort_try(send_closed, &m->c, NULL)); // again, and the channel can be used
    int v;
    while (gort_recv(m->c, &v))
        CHECK_EQ(v, 1);
    ADD(&m->panics, 1);
    gort_waitgroup_done(&m->wg);
}

// Those that wait are woken by the close and panic; each leaves the channel's lock.
static void senders_panic_and_the_channel_goes_on(void)
{
    for (size_t room = 0; room < 3; room++) {
        struct many *m = gort_alloc(sizeof *m);
        gort_set(&m->c, gort_chan_make(int, room));
        gort_waitgroup_add(&m->wg, 8);
        for (int i = 0; i < 8; i++)
            gort_go_copy(send_and_count, &m, sizeof m);
        int v;
        for (int i = 0; i < 100; i++)
            CHECK(gort_recv(m->c, &v));
        gort_close(m->c);
        gort_waitgroup_wait(&m->wg);
        CHECK_EQ(m->panics, 8);
    }
}

struct guarded {
    gort_mutex lock;
    gort_rwmutex rw;
    int64_t n;
};

static void unlock_it(void *arg)
{
    gort_mutex_unlock(arg);
}
static void runlock_it(void *arg)
{
    gort_rwmutex_runlock(arg);
}

static void lock_and_panic(void *arg)
{
    struct guarded *g = arg;
    gort_mutex_lock(&g->lock);
    gort_scoped_defer(unlock_it, &g->lock);
    gort_rwmutex_rlock(&g->rw);
    gort_defer(runlock_it, &g->rw);
    g->n++;
    gort_panic("with both");
}

static void deferred_calls_unlock(void)
{
    struct guarded *g = gort_alloc(sizeof *g);
    for (int i = 0; i < 100; i++)
        CHECK_PANICS(lock_and_panic, g, "with both");
    CHECK(gort_mutex_trylock(&g->lock));
    gort_mutex_unlock(&g->lock);
    gort_rwmutex_lock(&g->rw);
    gort_rwmutex_unlock(&g->rw);
    CHECK_EQ(g->n, 100);
}

static gort_once once;
static void once_panics(void *arg)
{
    (void)arg;
    gort_panic("first time");
}
static void do_once(void *arg)
{
    (void)arg;
    gort_once_do(&once, once_panics, NULL);
}

// As in Go it counts as done.
static void a_once_that_panics_is_done(void)
{
    memset(&once, 0, sizeof once);
    CHECK_PANICS(do_once, NULL, "first time");
    CHECK(!gort_try(do_once, NULL, NULL));
}

static int comparisons;
static int compare_until(const int *a, const int *b)
{
    if (comparisons-- == 0) gort_panic("compared enough");
    return (*a > *b) - (*a < *b);
}
static void sort_it(void *arg)
{
    gort_slice_sort_stable(int, *(slice *)arg, compare_until);
}

static void a_stable_sort_that_panics_loses_nothing(void)
{
    for (int left = 0; left < 2000; left += 61) {
        slice s = { 0 };
        int64_t sum = 0;
        for (int i = 0; i < 400; i++)
            gort_slice_append(int, &s, i * 7919 % 400);
        comparisons = left;
        CHECK_PANICS(sort_it, &s, "compared enough");
        for (int i = 0; i < 400; i++)
            sum += (int64_t)s.ptr[i] * s.ptr[i];
        CHECK_EQ(sum, (int64_t)399 * 400 * 799 / 6);
    }
}

// ---- many frames --------------------------------------------------------------------------------

typedef struct level {
    int depth;
    int64_t *sum;
} level;

static void add_depth(void *arg)
{
    struct level *l = arg;
    *l->sum += l->depth;
}

static int returned;
static __attribute__((noinline)) void descend(void *arg)
{
    struct level here = *(struct level *)arg;
    char room[100];
    memset(room, here.depth, sizeof room);
    gort_scoped_defer(add_depth, &here);
    struct level below = { here.depth - 1, here.sum };
    if (below.depth != 0)
        descend(&below);
    else if (here.depth == 1)
        panic_with(room[99] == 1 ? "at the bottom" : "room");
    returned++;
}

static void calls_of_all_frames_run(void)
{
    for (int depth = 1; depth <= 256; depth *= 4) {
        int64_t sum = 0;
        struct level l = { depth, &sum };
        CHECK_PANICS(descend, &l, "at the bottom");
        CHECK_EQ(sum, (int64_t)depth * (depth + 1) / 2);
    }
    CHECK_EQ(returned, 0);
}

static void recover_deep(void *arg)
{
    struct level *l = arg;
    gort_panic_info info;
    char want[32];
    if (l->depth % 3 != 0) return;
    CHECK(gort_recover(&info));
    snprintf(want, sizeof want, "panic %d", l->depth);
    CHECK_STR_EQ(info.message, want);
    ++*l->sum;
}

static void panics_below(void *arg)
{
    struct level *l = arg, below = { l->depth - 1, l->sum };
    gort_defer(recover_deep, l);
    if (l->depth > 1) CHECK_EQ(gort_try(panics_below, &below, NULL), below.depth % 3 != 0);
    gort_panic("panic %d", l->depth);
}

// Each level panics with its own, and each third recovers it.
static void each_third_level_recovers(void)
{
    int64_t recovered = 0;
    struct level l = { 90, &recovered };
    CHECK(!gort_try(panics_below, &l, NULL));
    CHECK_EQ(recovered, 30);
}

// What registers of the caller held is as it was, after many ways out.
static void registers_are_as_they_were(void)
{
    volatile int64_t source = 3;
    int64_t a = source, b = a * 5, c = b * 7, d = c * 11, e = d * 13, f = e * 17;
    double x = (double)a / 7;
    for (int i = 0; i < 50; i++) {
        int64_t sum = 0;
        struct level l = { 30, &sum };
        CHECK(gort_try(descend, &l, NULL));
        CHECK(a == 3 && b == 15 && c == 105 && d == 1155 && e == 15015 && f == 255255);
        CHECK(x * 7 > 2.99 && x * 7 < 3.01);
        a = source, b = a * 5, c = b * 7, d = c * 11, e = d * 13, f = e * 17;
    }
}

// ---- panics within panics -----------------------------------------------------------------------

static void first_then_second(void *arg)
{
    (void)arg;
    gort_defer(panic_with, "second");
    gort_panic("first");
}
static void try_both(void *arg)
{
    CHECK_PANICS(first_then_second, NULL, "second");
    mark(arg);
}
static void outer_panic(void *arg)
{
    gort_defer(mark, "c");
    gort_defer(recover_it, "outer");
    gort_defer(try_both, "b");
    gort_defer(mark, arg);
    gort_panic("outer");
}

// A deferred call that itself tries what panics twice leaves the panic that runs it.
static void tries_within_deferred_calls_nest(void)
{
    CHECK(!gort_try(outer_panic, "a", NULL));
    CHECK_TRACE("abc");
    CHECK(!gort_recover(NULL));
}

static void recovers_in_turn(void *arg)
{
    (void)arg;
    gort_defer(recover_it, NULL); // nothing is left for it
    gort_defer(recover_it, "three");
    gort_defer(panic_with, "three");
    gort_defer(recover_it, "two");
    gort_defer(panic_with, "two");
    gort_defer(recover_it, "one");
    gort_panic("one");
}

static void one_after_the_other_is_recovered(void)
{
    for (int i = 0; i < 20; i++)
        CHECK(!gort_try(recovers_in_turn, NULL, NULL));
}

static int values[3];
static void value_panic(void *arg)
{
    gort_panic_with(arg, "a value");
}
static void replaces_value(void *arg)
{
    gort_defer(value_panic, arg);
    gort_panic_with(&values[0], "the first");
}
static void value_of_the_last_counts_body(void *arg)
{
    (void)arg;
    CHECK_PANICS(replaces_value, &values[1], "a value");
    CHECK_PTR_EQ(gort_panic_value(), &values[1]);
}
static void keeps_value(void *arg)
{
    gort_defer(value_of_the_last_counts_body, NULL);
    gort_panic_with(arg, "outside");
}

static void the_value_is_of_the_panic_that_was_caught(void)
{
    CHECK_PANICS(keeps_value, &values[2], "outside");
    CHECK_PTR_EQ(gort_panic_value(), &values[2]);
    value_of_the_last_counts_body(NULL);
    CHECK_PANICS(panic_with, "none", "none");
    CHECK(gort_panic_value() == NULL);
}

static void again_and_again(void *arg)
{
    gort_panic_info info;
    int *left = arg;
    if ((*left)-- == 0) value_panic(&values[1]);
    CHECK(gort_try(again_and_again, left, &info));
    gort_repanic(&info);
}

static void a_panic_is_passed_on_many_times(void)
{
    int left = 100;
    CHECK_PANICS(again_and_again, &left, "a value");
    CHECK_PTR_EQ(gort_panic_value(), &values[1]);
}

// ---- ends of goroutines -------------------------------------------------------------------------

struct ending {
    gort_waitgroup wg;
    int64_t after;
};
static void group_done(void *arg)
{
    gort_waitgroup_done(arg);
}
static void run_ending(void (*fn)(void *), struct ending *e)
{
    gort_waitgroup_add(&e->wg, 1);
    gort_go_copy(fn, &e, sizeof e);
    gort_waitgroup_wait(&e->wg);
}
static void tried_panic(void *arg)
{
    (void)arg;
    CHECK_PANICS(panic_with, "inner", "inner");
    mark("t");
}
static void exit_it(void *arg)
{
    (void)arg;
    gort_goexit();
}

// A panic that begins and is recovered within a call that an exit runs.
static void tries_while_exiting(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    gort_defer(mark, "z");
    gort_defer(tried_panic, NULL);
    gort_defer(mark, "a");
    gort_goexit();
}
// A panic is recovered, then the goroutine exits, and panics again on its way.
static void recovers_then_exits(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    gort_defer(mark, "z");
    gort_defer(recover_it, "late");
    gort_defer(panic_with, "late");
    gort_defer(recover_it, NULL);
    CHECK_PANICS(first_then_second, NULL, "second");
    gort_goexit();
}
// Exits within exits, each of which runs what the others left.
static void exits_again_and_again(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    gort_defer(mark, "c");
    gort_defer(exit_it, NULL);
    gort_defer(mark, "b");
    gort_defer(exit_it, NULL);
    gort_defer(mark, "a");
    gort_goexit();
}
static void exits_scoped(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    gort_scoped_defer(mark, "2");
    {
        gort_scoped_defer(mark, "1");
        (void)gort_try(exit_it, NULL, NULL);
        e->after = 1;
    }
    e->after = 1;
}

static void panics_within_exits(void)
{
    struct ending *e = gort_alloc(sizeof *e);
    run_ending(tries_while_exiting, e);
    CHECK_TRACE("atz");
    run_ending(recovers_then_exits, e);
    CHECK_TRACE("z");
}

static void exits_within_exits(void)
{
    struct ending *e = gort_alloc(sizeof *e);
    run_ending(exits_again_and_again, e);
    CHECK_TRACE("abc");
}

static void exits_leave_blocks(void)
{
    struct ending *e = gort_alloc(sizeof *e);
    run_ending(exits_scoped, e);
    CHECK_TRACE("12");
    CHECK_EQ(e->after, 0);
}

static void panic_often(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    for (int i = 0; i < test_count(200); i++) {
        int64_t sum = 0;
        struct level l = { i % 20 + 1, &sum };
        CHECK(gort_try(descend, &l, NULL));
        CHECK_EQ(sum, (int64_t)l.depth * (l.depth + 1) / 2);
        CHECK(!gort_try(recovers_in_turn, NULL, NULL));
        if (i % 50 == 0) gort_gc();
        if (i % 7 == 0) gort_yield();
    }
    ADD(&e->after, 1);
    gort_waitgroup_done(&e->wg);
}

static void goroutines_panic_beside_each_other(void)
{
    struct ending *e = gort_alloc(sizeof *e);
    gort_waitgroup_add(&e->wg, 8);
    for (int i = 0; i < 8; i++)
        gort_go_copy(panic_often, &e, sizeof e);
    gort_waitgroup_wait(&e->wg);
    CHECK_EQ(e->after, 8);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(errors_of_the_runtime_say_what, 1), CASE(senders_panic_and_the_channel_goes_on, 0),
    CASE(deferred_calls_unlock, 0), CASE(a_once_that_panics_is_done, 1),
    CASE(a_stable_sort_that_panics_loses_nothing, 1), CASE(calls_of_all_frames_run, 1),
    CASE(each_third_level_recovers, 1), CASE(registers_are_as_they_were, 1),
    CASE(tries_within_deferred_calls_nest, 1), CASE(one_after_the_other_is_recovered, 1),
    CASE(the_value_is_of_the_panic_that_was_caught, 1), CASE(a_panic_is_passed_on_many_times, 1),
    CASE(panics_within_exits, 0), CASE(exits_within_exits, 0), CASE(exits_leave_blocks, 0),
    CASE(goroutines_panic_beside_each_other, 0),
};
// clang-format on

CONFORM_MAIN(cases)
