// Conformance of deferred calls: what Go's tests of defer, recover and Goexit check that
// conform_panic.c, panic_basic.c and panic_scoped.c do not, as gort makes it.
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

static void recover_and_mark(void *letter)
{
    if (gort_recover(NULL)) mark(letter);
}

// ---- which are deferred -------------------------------------------------------------------------

static void some_of_them(void *arg)
{
    int bits = *(int *)arg;
    if (bits & 1) gort_defer(mark, "1");
    if (bits & 2) gort_defer(mark, "2");
    if (bits & 4) gort_defer(mark, "3");
    if (bits & 8) gort_panic("way out");
}

static void defers_under_conditions(void)
{
    static const char *const want[] = { "", "1", "2", "21", "3", "31", "32", "321" };
    for (int bits = 0; bits < 16; bits++) {
        CHECK_EQ(gort_try(some_of_them, &bits, NULL), (bits & 8) != 0);
        CHECK_TRACE(want[bits & 7]);
    }
}

static void in_a_loop(void *arg)
{
    static const char digits[] = "0123456789";
    for (int i = 0; i < 10; i++) {
        gort_defer(mark, (void *)(uintptr_t)&digits[i]);
        gort_scoped_defer(mark, (void *)(uintptr_t) ".");
    }
    if (arg != NULL) gort_panic("way out");
}

static void loops_defer_again_and_again(void)
{
    CHECK(!gort_try(in_a_loop, NULL, NULL));
    CHECK_TRACE("..........9876543210");
    CHECK(gort_try(in_a_loop, trace, NULL));
    CHECK_TRACE("..........9876543210");
}

static void mixed(void *arg)
{
    gort_defer(mark, "a");
    gort_scoped_defer(mark, "b");
    for (int i = 0; i < 2; i++)
        gort_defer(mark, "c");
    {
        gort_scoped_defer(mark, "d");
        if (arg != NULL) gort_panic("within");
    }
    gort_scoped_defer(mark, "e");
}

// Scoped calls end with their blocks, others with the function.
static void scoped_and_other_calls_mix(void)
{
    CHECK(!gort_try(mixed, NULL, NULL));
    CHECK_TRACE("debcca");
    CHECK(gort_try(mixed, trace, NULL));
    CHECK_TRACE("dccba");
}

static void adds(void *arg)
{
    ++*(int64_t *)arg;
}

static void recursive(void *arg)
{
    struct {
        int64_t *n;
        int depth;
    } *at = arg, below;
    gort_defer(adds, at->n);
    if (at->depth == 0) gort_panic("bottom");
    below.n = at->n;
    below.depth = at->depth - 1;
    if (gort_try(recursive, &below, NULL)) gort_panic("again");
}

// Every level catches, and panics anew.
static void each_level_of_a_recursion_panics_again(void)
{
    int64_t n = 0;
    struct {
        int64_t *n;
        int depth;
    } top = { &n, 200 };
    CHECK_PANICS(recursive, &top, "again");
    CHECK_EQ(n, 201);
}

// ---- panics that meet ---------------------------------------------------------------------------

static void panics_in_turn(void *arg)
{
    gort_panic("%s", (const char *)arg);
}

static void three_panics(void *arg)
{
    (void)arg;
    gort_defer(panics_in_turn, "third");
    gort_defer(panics_in_turn, "second");
    gort_panic("first");
}

static void the_last_of_many_panics_is_caught(void)
{
    CHECK_PANICS(three_panics, NULL, "third");
}

static void aborted(void *arg)
{
    (void)arg;
    gort_defer(recover_and_mark, "R");
    gort_defer(panics_in_turn, "second");
    gort_panic("first");
}

static void recovering_ends_the_aborted_ones_too(void)
{
    CHECK(!gort_try(aborted, NULL, NULL));
    CHECK_TRACE("R");
    CHECK(!gort_recover(NULL)); // nothing is left of the first
}

static void repanics(void *arg)
{
    gort_panic_info info;
    int *left = arg;
    if (gort_recover(&info) && (*left)-- > 0) gort_panic("%d left", *left);
}

static void many_repanics(void *arg)
{
    for (int i = 0; i < 20; i++)
        gort_defer(repanics, arg);
    gort_panic("begin");
}

static void recovering_and_panicking_by_turns(void)
{
    for (int n = 0; n < 40; n++) {
        int left = n;
        CHECK_EQ(gort_try(many_repanics, &left, NULL), n >= 20);
        CHECK_EQ(left, n < 20 ? -1 : n - 20);
    }
}

// ---- ends of goroutines -------------------------------------------------------------------------

typedef struct ending {
    gort_waitgroup wg;
    bool after;
} ending;

static void group_done(void *arg)
{
    gort_waitgroup_done(arg);
}

static void exit_now(void *arg)
{
    (void)arg;
    gort_goexit();
}

static void exits_while_panicking(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    gort_defer(mark, "a");
    gort_defer(exit_now, NULL);
    gort_defer(mark, "b");
    gort_panic("lost");
}

static void panics_while_exiting(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    gort_defer(recover_and_mark, "R");
    gort_defer(panics_in_turn, "on the way");
    gort_goexit();
}

static void exits_in_a_try(void *arg)
{
    struct ending *e = *(struct ending **)arg;
    gort_defer(group_done, &e->wg);
    (void)gort_try(exit_now, NULL, NULL);
    e->after = true;
}

static void run_ending(void (*fn)(void *), struct ending *e)
{
    gort_waitgroup_add(&e->wg, 1);
    gort_go_copy(fn, &e, sizeof e);
    gort_waitgroup_wait(&e->wg);
}

static void an_exit_ends_a_panic(void)
{
    struct ending *e = gort_new(ending);
    run_ending(exits_while_panicking, e);
    CHECK_TRACE("ba");
}

static void a_recovered_panic_does_not_stop_an_exit(void)
{
    struct ending *e = gort_new(ending);
    run_ending(panics_while_exiting, e);
    CHECK_TRACE("R");
    run_ending(exits_in_a_try, e);
    CHECK(!e->after);
}

// ---- what is deferred is kept, and let go -------------------------------------------------------

static void died(void *arg)
{
    ADD((int64_t *)arg, 1);
}

static void reads_it(void *arg)
{
    CHECK_EQ(*(int *)arg, 7);
}

static __attribute__((noinline)) void defers_object(int64_t *deaths)
{
    int *object = gort_alloc_noscan(64);
    *object = 7;
    gort_add_cleanup(object, died, deaths);
    gort_defer(reads_it, object);
}

static void defers_objects(void *arg)
{
    for (int i = 0; i < 100; i++)
        defers_object(arg);
    gort_gc();
    CHECK_EQ(LOAD((int64_t *)arg), 0); // the list alone keeps them
}

static void deferred_arguments_die_after_their_calls(void)
{
    static int64_t deaths;
    STORE(&deaths, 0);
    CHECK(!gort_try(defers_objects, &deaths, NULL));
    WAIT_FOR((gort_gc(), LOAD(&deaths) >= 90)); // stale words may keep some
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(defers_under_conditions, 1), CASE(loops_defer_again_and_again, 1),
    CASE(scoped_and_other_calls_mix, 1), CASE(each_level_of_a_recursion_panics_again, 1),
    CASE(the_last_of_many_panics_is_caught, 1), CASE(recovering_ends_the_aborted_ones_too, 1),
    CASE(recovering_and_panicking_by_turns, 1), CASE(an_exit_ends_a_panic, 0),
    CASE(a_recovered_panic_does_not_stop_an_exit, 0),
    CASE(deferred_arguments_die_after_their_calls, 1),
};
// clang-format on

CONFORM_MAIN(cases)
