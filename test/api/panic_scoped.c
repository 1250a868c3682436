// Scoped deferred calls: every way out of a block, beside gort_defer, panics and exits.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

static char trace[256]; // what happened: each event appends a letter

static void note(void *event)
{
    CHECK_LT(strlen(trace) + strlen(event), sizeof trace);
    strcat(trace, event);
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

// ---- ways out of a block -----------------------------------------------------------------------

static int leave_by(int way)
{
    gort_scoped_defer(note, "o");
    for (int i = 0; i < 3; i++) {
        gort_scoped_defer(note, "l");
        if (way == 0 && i == 1) break;
        if (way == 1 && i == 0) continue;
        if (way == 2 && i == 1) return 7;
        if (way == 3 && i == 2) goto out;
        note("b");
    }
    note("e");
out:
    note("x");
    return 0;
}

TEST(every_way_out)
{
    CHECK_EQ(leave_by(0), 0);
    CHECK_TRACE("bllexo");
    CHECK_EQ(leave_by(1), 0);
    CHECK_TRACE("lblblexo");
    CHECK_EQ(leave_by(2), 7);
    CHECK_TRACE("bllo");
    CHECK_EQ(leave_by(3), 0);
    CHECK_TRACE("blbllxo");
    CHECK_EQ(leave_by(4), 0);
    CHECK_TRACE("blblblexo");
}

static void two(void *arg)
{
    gort_scoped_defer(note, "1");
    gort_scoped_defer(note, "2");
    if (arg != NULL) panic_with(arg);
    note("f");
}

TEST(last_first)
{
    two(NULL);
    CHECK_TRACE("f21");
    CHECK_PANICS(two, "why", "why");
    CHECK_TRACE("21");
}

static int recurse(int n)
{
    gort_scoped_defer(note, n % 2 == 0 ? "0" : "1");
    return n == 0 ? 0 : 1 + recurse(n - 1);
}

TEST(recursion)
{
    CHECK_EQ(recurse(5), 5);
    CHECK_TRACE("010101");
}

// The value is the one that stands there when the block begins.
static void argument(void *arg)
{
    char *s = arg;
    gort_scoped_defer(note, s);
    s = "other";
    (void)s;
}

TEST(arguments_are_taken_at_once)
{
    argument("mine");
    CHECK_TRACE("mine");
}

static void counted(int *fns, int *args)
{
    gort_scoped_defer((++*fns, note), (++*args, "."));
}

TEST(arguments_are_evaluated_once)
{
    int fns = 0, args = 0;
    counted(&fns, &args);
    CHECK_EQ(fns, 1);
    CHECK_EQ(args, 1);
    CHECK_TRACE(".");
}

// ---- beside gort_defer -------------------------------------------------------------------------

static void mixed(void *arg)
{
    gort_defer(note, "a");
    {
        gort_scoped_defer(note, "1");
        gort_defer(note, "b");
        {
            gort_scoped_defer(note, "2");
            gort_defer(note, "c");
            gort_defer(note, "d");
            if (arg != NULL) panic_with(arg);
        }
        note("-");
    }
    note("=");
}

TEST(calls_of_the_scope_outlive_the_block)
{
    CHECK(!gort_try(mixed, NULL, NULL));
    CHECK_TRACE("2-1=dcba");
    CHECK_PANICS(mixed, "p", "p");
    CHECK_TRACE("dc2b1a");
}

static void many_mixed(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        gort_scoped_defer(note, "");
        gort_defer(note, i < 100 ? "h" : "");
    }
    CHECK_TRACE("");
}

TEST(many_out_of_the_middle)
{
    CHECK(!gort_try(many_mixed, NULL, NULL));
    CHECK_EQ(strlen(trace), 100);
    trace[0] = '\0';
}

// ---- panics ------------------------------------------------------------------------------------

static void replace(void *arg)
{
    gort_scoped_defer(note, "1");
    gort_scoped_defer(panic_with, "second");
    gort_scoped_defer(note, "2");
    gort_scoped_defer(panic_with, "first");
    gort_scoped_defer(note, "3");
    if (arg != NULL) panic_with(arg);
}

TEST(a_panic_in_a_scoped_call_replaces)
{
    CHECK_PANICS(replace, "original", "second");
    CHECK_TRACE("321");
    CHECK_PANICS(replace, NULL, "second"); // the end of the block calls them
    CHECK_TRACE("321");
}

static void inner(void *arg)
{
    gort_scoped_defer(note, "i");
    if (arg != NULL) panic_with(arg);
}

static void outer(void *arg)
{
    gort_scoped_defer(note, "o");
    note(gort_try(inner, arg, NULL) ? "P" : "R");
    gort_scoped_defer(note, "q");
}

TEST(scopes_nest)
{
    outer(NULL);
    CHECK_TRACE("iRqo");
    outer("x");
    CHECK_TRACE("iPqo");
}

static void try_inside(void *arg)
{
    gort_scoped_defer(note, "t");
    CHECK_PANICS(two, arg, arg);
}

static void scoped_tries(void *arg)
{
    gort_scoped_defer(try_inside, "one");
    gort_scoped_defer(try_inside, "two");
    if (arg != NULL) panic_with(arg);
}

TEST(a_scoped_call_tries)
{
    CHECK(!gort_try(scoped_tries, NULL, NULL));
    CHECK_TRACE("21t21t");
    CHECK_PANICS(scoped_tries, "outer", "outer");
    CHECK_TRACE("21t21t");
}

// ---- exits -------------------------------------------------------------------------------------

static int ended;

static void count_end(void *arg)
{
    (void)arg;
    ADD(&ended, 1);
}

static void exits_within(void *arg)
{
    gort_scoped_defer(note, "3");
    if (arg != NULL) gort_goexit();
}

static void exits(void *arg)
{
    gort_defer(count_end, NULL);
    gort_scoped_defer(note, "1");
    gort_defer(note, "2");
    gort_try(exits_within, arg, NULL);
    note("not reached");
}

static void ends(void *arg)
{
    gort_defer(count_end, NULL);
    gort_scoped_defer(note, arg);
    gort_defer(note, "h");
}

static void run_to_end(void (*fn)(void *), const char *arg, const char *expected)
{
    int before = LOAD(&ended);
    gort_go(fn, (void *)(uintptr_t)arg);
    WAIT_FOR(LOAD(&ended) == before + 1);
    CHECK_TRACE(expected);
}

TEST(goroutines_end)
{
    run_to_end(exits, "x", "321");
    run_to_end(ends, "s", "sh");
}

// ---- arguments, threads, collections -----------------------------------------------------------

typedef struct item {
    struct item *next;
    int64_t value;
} item;
GORT_TYPE(item, next);

static int64_t seen;

static void see(void *arg)
{
    ADD(&seen, ((item *)arg)->value);
}

// Blocks within blocks, each with an item that only its scoped call knows, and calls of the scope
// between.
__attribute__((noinline)) static void keep(int depth, int panic_at)
{
    item *x = gort_new(item), *y = gort_new(item);
    x->value = y->value = depth;
    gort_scoped_defer(see, x);
    if (depth % 3 == 0) gort_defer(see, y);
    x = y = NULL;
    if (depth % 8 == 0) gort_yield();
    if (depth % 16 == 5) gort_gc();
    for (int i = 0; i < 50; i++)
        gort_new(item)->value = INT64_MIN / 1000;
    if (depth == panic_at) gort_panic("at %d", depth);
    if (depth > 1) keep(depth - 1, panic_at);
}

static void keep_all(void *arg)
{
    keep(30, *(int *)arg);
}

static int done;

static void keep_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_count(20); i++) {
        int at = i % 2 == 0 ? 0 : 1 + i % 30;
        CHECK_EQ(gort_try(keep_all, &at, NULL), at != 0);
    }
    ADD(&done, 1);
}

static int64_t expected_sum(int rounds)
{
    int64_t sum = 0;
    for (int i = 0; i < rounds; i++)
        for (int at = i % 2 == 0 ? 1 : 1 + i % 30, d = 30; d >= at; d--)
            sum += d % 3 == 0 ? 2 * d : d;
    return sum;
}

TEST(arguments_are_kept)
{
    STORE(&seen, 0);
    STORE(&done, 0);
    for (int i = 0; i < 4; i++)
        gort_go(keep_often, NULL);
    WAIT_FOR(LOAD(&done) == 4);
    CHECK_EQ(LOAD(&seen), 4 * expected_sum((int)test_count(20)));
}

static void yields(void *arg)
{
    gort_scoped_defer(count_end, NULL);
    for (int i = 0; i < 20; i++) {
        gort_scoped_defer(count_end, NULL);
        gort_yield();
        if (i == 10 && arg != NULL) gort_panic("ten");
        gort_scoped_defer(count_end, NULL);
    }
}

static void yields_tried(void *arg)
{
    CHECK_EQ(gort_try(yields, arg, NULL), arg != NULL);
    ADD(&done, 1);
}

TEST(goroutines_side_by_side)
{
    STORE(&done, 0);
    STORE(&ended, 0);
    for (int i = 0; i < 40; i++)
        gort_go(yields_tried, i % 2 == 0 ? "" : NULL);
    WAIT_FOR(LOAD(&done) == 40);
    CHECK_EQ(LOAD(&ended), 20 * (1 + 40) + 20 * (1 + 21));
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(every_way_out);
    RUN(last_first);
    RUN(recursion);
    RUN(arguments_are_taken_at_once);
    RUN(arguments_are_evaluated_once);
    RUN(calls_of_the_scope_outlive_the_block);
    RUN(many_out_of_the_middle);
    RUN(a_panic_in_a_scoped_call_replaces);
    RUN(scopes_nest);
    RUN(a_scoped_call_tries);
    RUN_ON_ALL(goroutines_end);
    RUN_ON_ALL(arguments_are_kept);
    RUN_ON_ALL(goroutines_side_by_side);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
