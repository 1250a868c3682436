// Panics, gort_try, deferred calls, goexit, and what happens when they meet.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// What happened, as text: each event appends a letter.
static char trace[256];

static void note(const char *event)
{
    CHECK_LT(strlen(trace) + strlen(event), sizeof trace);
    strcat(trace, event);
}

static void deferred(void *arg)
{
    note(arg);
}

#define CHECK_TRACE(text)                                                                          \
    do {                                                                                           \
        CHECK_STR_EQ(trace, text);                                                                 \
        trace[0] = '\0';                                                                           \
    } while (0)

// ---- try ---------------------------------------------------------------------------------------

static void just_return(void *arg)
{
    if (arg != NULL) note(arg);
}

static void panic_with(void *arg)
{
    gort_panic("%s", (const char *)arg);
}

TEST(try_tells_which)
{
    gort_panic_info info;
    memset(&info, 'x', sizeof info);
    CHECK(!gort_try(just_return, "a", &info));
    CHECK_EQ(info.message[0], 'x'); // untouched
    CHECK(!gort_try(just_return, "b", NULL));
    CHECK(gort_try(panic_with, "oops", &info));
    CHECK_STR_EQ(info.message, "oops");
    CHECK(gort_try(panic_with, "", &info));
    CHECK_STR_EQ(info.message, "");
    CHECK(gort_try(panic_with, "oops", NULL));
    CHECK_TRACE("ab");
}

static void panic_formatted(void *arg)
{
    (void)arg;
    gort_panic("%d %s %5.2f %#lx %c%%", -3, "text", 2.5, 255UL, 'c');
}

static void panic_long(void *arg)
{
    gort_panic("%*d", *(int *)arg, 7);
}

TEST(messages)
{
    CHECK_PANICS(panic_formatted, NULL, "-3 text  2.50 0xff c%");
    for (int n = 250; n < 300; n++) {
        gort_panic_info info;
        CHECK(gort_try(panic_long, &n, &info));
        size_t length = strlen(info.message);
        CHECK_EQ(length, n < 255 ? n : 255);
        CHECK_EQ(info.message[length - 1], n <= 255 ? '7' : ' ');
    }
}

struct depth {
    int left, tries_left;
};

static void panic_deep(void *arg)
{
    struct depth *d = arg;
    volatile char use[200];
    memset((void *)use, 1, sizeof use);
    if (d->left-- > 0) panic_deep(d);
    if (use[0] == 1) gort_panic("from below");
}

TEST(a_panic_crosses_many_frames)
{
    struct depth d = { .left = 300 };
    CHECK_PANICS(panic_deep, &d, "from below");
}

static void nest(void *arg)
{
    struct depth *d = arg;
    if (d->tries_left-- > 0) {
        gort_panic_info info;
        CHECK(gort_try(nest, d, &info));
        int n = atoi(info.message);
        gort_panic("%d", n + 1);
    }
    gort_panic("0");
}

TEST(tries_nest)
{
    struct depth d = { .tries_left = 40 };
    CHECK_PANICS(nest, &d, "40");
}

static void locals_survive(void *arg)
{
    int *sum = arg;
    for (int i = 0; i < 100; i++) {
        gort_panic_info info;
        int before = i * 3;
        bool panicked =
            gort_try(i % 3 == 0 ? just_return : panic_with, i % 3 == 0 ? NULL : "x", &info);
        CHECK_EQ(panicked, i % 3 != 0);
        CHECK_EQ(before, i * 3);
        *sum += before;
    }
}

TEST(locals_of_the_caller_survive)
{
    int sum = 0;
    locals_survive(&sum);
    CHECK_EQ(sum, 3 * 99 * 100 / 2);
}

// ---- defer -------------------------------------------------------------------------------------

static void defer_three(void *arg)
{
    gort_defer(deferred, "1");
    gort_defer(deferred, "2");
    note("f");
    gort_defer(deferred, "3");
    if (arg != NULL) gort_panic("%s", (const char *)arg);
}

TEST(deferred_calls_run_last_first)
{
    CHECK(!gort_try(defer_three, NULL, NULL));
    CHECK_TRACE("f321");
    CHECK_PANICS(defer_three, "p", "p");
    CHECK_TRACE("f321");
}

static void inner_scope(void *arg)
{
    gort_defer(deferred, "i");
    if (arg != NULL) gort_panic("inner");
}

static void outer_scope(void *arg)
{
    gort_defer(deferred, "o");
    bool panicked = gort_try(inner_scope, arg, NULL);
    note(panicked ? "P" : "R");
    gort_defer(deferred, "q");
}

TEST(scopes)
{
    CHECK(!gort_try(outer_scope, NULL, NULL));
    CHECK_TRACE("iRqo");
    CHECK(!gort_try(outer_scope, "", NULL));
    CHECK_TRACE("iPqo");
}

static void defer_more(void *arg)
{
    note(arg);
    gort_defer(deferred, "m");
}

static void defer_one_that_defers(void *arg)
{
    gort_defer(deferred, "z");
    gort_defer(defer_more, "d");
    gort_defer(deferred, "a");
    if (arg != NULL) gort_panic("%s", (const char *)arg);
}

TEST(a_deferred_call_defers)
{
    CHECK(!gort_try(defer_one_that_defers, NULL, NULL));
    CHECK_TRACE("admz");
    CHECK_PANICS(defer_one_that_defers, "x", "x");
    CHECK_TRACE("admz");
}

static void panic_deferred(void *arg)
{
    note("!");
    gort_panic("%s", (const char *)arg);
}

static void defer_panics(void *arg)
{
    gort_defer(deferred, "1");
    gort_defer(panic_deferred, "second");
    gort_defer(deferred, "2");
    gort_defer(panic_deferred, "first");
    gort_defer(deferred, "3");
    if (arg != NULL) gort_panic("%s", (const char *)arg);
}

TEST(a_panic_in_a_deferred_call_replaces)
{
    CHECK_PANICS(defer_panics, NULL, "second");
    CHECK_TRACE("3!2!1");
    CHECK_PANICS(defer_panics, "original", "second");
    CHECK_TRACE("3!2!1");
}

static void try_inside(void *arg)
{
    gort_panic_info info;
    CHECK(gort_try(panic_with, arg, &info));
    CHECK_STR_EQ(info.message, arg);
    note("t");
}

static void defer_tries(void *arg)
{
    gort_defer(try_inside, "one");
    gort_defer(try_inside, "two");
    if (arg != NULL) gort_panic("%s", (const char *)arg);
}

TEST(a_deferred_call_tries)
{
    CHECK(!gort_try(defer_tries, NULL, NULL));
    CHECK_TRACE("tt");
    CHECK_PANICS(defer_tries, "outer", "outer");
    CHECK_TRACE("tt");
}

static void defer_many(void *arg)
{
    int *n = arg;
    for (int i = 0; i < 10000; i++)
        gort_defer(deferred, "");
    *n = 1;
}

TEST(many_deferred_calls)
{
    int n = 0;
    CHECK(!gort_try(defer_many, &n, NULL));
    CHECK_EQ(n, 1);
}

// ---- arguments are kept ------------------------------------------------------------------------

typedef struct item {
    struct item *next;
    int64_t value;
} item;
GORT_TYPE(item, next);

static int64_t seen;

static void see(void *arg)
{
    seen += ((item *)arg)->value;
}

__attribute__((noinline)) static void defer_items(void)
{
    for (int i = 0; i < 100; i++) {
        item *x = gort_new(item);
        x->value = i;
        gort_defer(see, x);
    }
}

static void collect_meanwhile(void *arg)
{
    defer_items();
    for (int i = 0; i < 3; i++) {
        gort_gc();
        for (int k = 0; k < 1000; k++)
            gort_new(item)->value = -1;
    }
    if (arg != NULL) gort_panic("x");
}

TEST(arguments_are_scanned)
{
    seen = 0;
    CHECK(!gort_try(collect_meanwhile, NULL, NULL));
    CHECK_EQ(seen, 4950);
    CHECK(gort_try(collect_meanwhile, "", NULL));
    CHECK_EQ(seen, 9900);
}

// ---- goroutines --------------------------------------------------------------------------------

static int ended;

static void count_end(void *arg)
{
    (void)arg;
    ADD(&ended, 1);
}

static void ends_by_returning(void *arg)
{
    gort_defer(count_end, NULL);
    gort_defer(deferred, arg);
}

static void ends_by_exiting(void *arg)
{
    gort_defer(count_end, NULL);
    gort_defer(deferred, arg);
    gort_goexit();
}

static void try_exit(void *arg)
{
    gort_defer(deferred, arg);
    gort_goexit();
}

static void ends_by_exiting_inside_try(void *arg)
{
    gort_defer(count_end, NULL);
    gort_defer(deferred, "o");
    gort_try(try_exit, arg, NULL);
    note("not reached");
}

static void try_exit_and_panic(void *arg)
{
    gort_defer(deferred, "l");
    gort_defer(panic_deferred, "dropped");
    gort_defer(deferred, arg);
    gort_goexit();
}

// The panic is caught by the gort_try, which goes on with the exit.
static void exits_and_panics(void *arg)
{
    gort_defer(count_end, NULL);
    gort_defer(deferred, "o");
    gort_try(try_exit_and_panic, arg, NULL);
    note("not reached");
}

static void exit_deferred(void *arg)
{
    note(arg);
    gort_goexit();
}

static void panics_and_exits_inside(void *arg)
{
    gort_defer(deferred, "i");
    gort_defer(exit_deferred, arg);
    gort_panic("dropped");
}

static void panics_and_exits(void *arg)
{
    gort_defer(count_end, NULL);
    gort_try(panics_and_exits_inside, arg, NULL);
    note("not reached");
}

static void run_to_end(void (*fn)(void *), const char *arg, const char *expected)
{
    int before = LOAD(&ended);
    gort_go(fn, (void *)(uintptr_t)arg);
    WAIT_FOR(LOAD(&ended) == before + 1);
    CHECK_TRACE(expected);
}

TEST(ends_of_goroutines)
{
    run_to_end(ends_by_returning, "r", "r");
    run_to_end(ends_by_exiting, "e", "e");
    run_to_end(ends_by_exiting_inside_try, "e", "eo");
    run_to_end(exits_and_panics, "e", "e!lo");
    run_to_end(panics_and_exits, "x", "xi");
}

// A panic of a scope that an exit has left behind goes to the scope outside of it.
static void two_scopes_inner(void *arg)
{
    (void)arg;
    gort_defer(deferred, "a");
    gort_goexit();
}

static void two_scopes_outer(void *arg)
{
    (void)arg;
    gort_defer(deferred, "b");
    gort_defer(panic_deferred, "late");
    gort_try(two_scopes_inner, NULL, NULL);
    note("not reached");
}

static void two_scopes(void *arg)
{
    (void)arg;
    gort_defer(count_end, NULL);
    gort_try(two_scopes_outer, NULL, NULL);
    note("not reached");
}

TEST(an_exit_leaves_scopes_behind)
{
    run_to_end(two_scopes, NULL, "a!b");
}

// Each goroutine has its own: they wait inside of their scopes.
static void many_tries(void *arg)
{
    for (int i = 0; i < 20; i++) {
        char text[32];
        gort_panic_info info;
        snprintf(text, sizeof text, "%d of %" PRIu64, i, gort_goid());
        gort_yield();
        CHECK(gort_try(panic_with, text, &info));
        CHECK_STR_EQ(info.message, text);
    }
    ADD((int *)arg, 1);
}

TEST(goroutines_panic_side_by_side)
{
    int done = 0;
    for (int i = 0; i < 50; i++)
        gort_go(many_tries, &done);
    WAIT_FOR(LOAD(&done) == 50);
}

static void wait_then_panic(void *arg)
{
    gort_yield();
    gort_sleep(GORT_MS);
    gort_panic("after %s", (const char *)arg);
}

TEST(a_panic_after_a_switch)
{
    for (int i = 0; i < 20; i++)
        CHECK_PANICS(wait_then_panic, "a wait", "after a wait");
}

// ---- past a gort_context_run --------------------------------------------------------------------

static int passed; // atomic

static void note_passed(void *n)
{
    ADD(&passed, (int)(uintptr_t)n);
}

static void recover_it(void *unused)
{
    (void)unused;
    CHECK(gort_recover(NULL));
}

static int recovering_member(void *unused)
{
    (void)unused;
    gort_defer(note_passed, (void *)1);
    gort_defer(recover_it, NULL);
    gort_panic("in a scope");
    return 0;
}

// The member ends as by gort_goexit; its scope hears of it.
TEST(a_scope_s_member_recovers)
{
    STORE(&passed, 0);
    gort_scope *s = gort_scope_make(NULL);
    for (int i = 0; i < 10; i++)
        gort_scope_go(s, recovering_member, NULL);
    (void)gort_scope_wait(s);
    CHECK_EQ(LOAD(&passed), 10);
}

static void panic_inside(void *unused)
{
    (void)unused;
    gort_defer(note_passed, (void *)100);
    gort_panic("inside");
}

static void exit_now(void *unused)
{
    (void)unused;
    ADD(&passed, 10);
    gort_goexit();
}

static void exit_past_a_run(void *context)
{
    gort_defer(note_passed, (void *)1);
    gort_defer(exit_now, NULL);
    gort_context_run(context, panic_inside, NULL);
    CHECK(false);
}

static void exit_past_a_run_tried(void *context)
{
    (void)gort_try(exit_past_a_run, context, NULL);
    CHECK(false); // the goroutine exits
}

static gort_waitgroup gone;

static void one_is_gone(void *unused)
{
    (void)unused;
    gort_waitgroup_done(&gone);
}

static void until_gone(void *fn)
{
    gort_context *c = gort_context_make(NULL);
    gort_defer(one_is_gone, NULL);
    ((void (*)(void *))(uintptr_t)fn)(c);
}

// A deferred call outside the run exits, when the panic has passed the run.
TEST(an_exit_past_a_context_run)
{
    static void (*const ways[])(void *) = { exit_past_a_run, exit_past_a_run_tried };
    for (int i = 0; i < 2; i++) {
        STORE(&passed, 0);
        gort_waitgroup_add(&gone, 1);
        gort_go(until_gone, (void *)(uintptr_t)ways[i]);
        gort_waitgroup_wait(&gone);
        CHECK_EQ(LOAD(&passed), 111);
    }
}

static void wait_in_vain(void *unused)
{
    (void)unused;
    ADD(&passed, 10);
    gort_sleep(1000 * GORT_S); // outer's context has ended
    CHECK(false);
}

static void run_inner(void *inner)
{
    gort_defer(note_passed, (void *)1);
    gort_defer(wait_in_vain, NULL);
    gort_context_run(inner, panic_inside, NULL);
    CHECK(false);
}

static gort_context *outer, *inner_context;

static void end_outer_and_run(void *unused)
{
    (void)unused;
    gort_context_cancel(outer, 0);
    (void)gort_try(run_inner, inner_context, NULL);
    CHECK(false); // left
}

// The panic has passed the inner run; what is deferred in the gort_try outside of it leaves the
// outer one.
TEST(a_panic_past_a_run_and_an_end)
{
    STORE(&passed, 0);
    gort_set(&outer, gort_context_make(NULL));
    gort_set(&inner_context, gort_context_make(NULL));
    CHECK_EQ(gort_context_run(outer, end_outer_and_run, NULL), ECANCELED);
    CHECK_EQ(LOAD(&passed), 111);
}

static void panic_in_a_try(void *unused)
{
    (void)unused;
    gort_defer(note_passed, (void *)100);
    gort_context_cancel(outer, 0);
    gort_sleep(1000 * GORT_S);
    CHECK(false);
}

static void panic_late(void *unused)
{
    (void)unused;
    ADD(&passed, 10);
    gort_panic("late");
}

static void try_and_panic_late(void *unused)
{
    (void)unused;
    gort_defer(note_passed, (void *)1);
    gort_defer(panic_late, NULL);
    (void)gort_try(panic_in_a_try, NULL, NULL);
    CHECK(false);
}

static void run_outer(void *unused)
{
    (void)unused;
    (void)gort_context_run(outer, try_and_panic_late, NULL);
    CHECK(false);
}

// The other way round: who leaves has passed a gort_try, and a call deferred outside of it panics.
TEST(an_end_past_a_try_and_a_panic)
{
    gort_panic_info why;
    STORE(&passed, 0);
    gort_set(&outer, gort_context_make(NULL));
    CHECK(gort_try(run_outer, NULL, &why));
    CHECK_STR_EQ(why.message, "late");
    CHECK_EQ(LOAD(&passed), 111);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(try_tells_which);
    RUN(messages);
    RUN(a_panic_crosses_many_frames);
    RUN(tries_nest);
    RUN(locals_of_the_caller_survive);
    RUN(deferred_calls_run_last_first);
    RUN(scopes);
    RUN(a_deferred_call_defers);
    RUN(a_panic_in_a_deferred_call_replaces);
    RUN(a_deferred_call_tries);
    RUN(many_deferred_calls);
    RUN(arguments_are_scanned);
    RUN_ON_ALL(ends_of_goroutines);
    RUN_ON_ALL(an_exit_leaves_scopes_behind);
    RUN_ON_ALL(goroutines_panic_side_by_side);
    RUN_ON_ALL(a_panic_after_a_switch);
    RUN(a_scope_s_member_recovers);
    RUN(an_exit_past_a_context_run);
    RUN(a_panic_past_a_run_and_an_end);
    RUN(an_end_past_a_try_and_a_panic);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
