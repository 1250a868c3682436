// Destructors of the frames that a panic or an exit leaves behind, in the order of the frames.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <stdexcept>

#include "../goroutines.h"

static char trace[256]; // what happened: each event appends a letter

static void note(const char *event)
{
    CHECK_LT(strlen(trace) + strlen(event), sizeof trace);
    strcat(trace, event);
}

static void deferred(void *event)
{
    note(static_cast<const char *>(event));
}

static void *text(const char *s)
{
    return const_cast<char *>(s);
}

#define CHECK_TRACE(expected)                                                                      \
    do {                                                                                           \
        CHECK_STR_EQ(trace, expected);                                                             \
        trace[0] = '\0';                                                                           \
    } while (0)

struct noted {
    const char *event;
    explicit noted(const char *e) : event(e)
    {
    }
    ~noted()
    {
        note(event);
    }
};

static void panic_with(void *arg)
{
    gort_panic("%s", static_cast<const char *>(arg));
}

// ---- panics ------------------------------------------------------------------------------------

static void __attribute__((noinline)) inner(void *arg)
{
    noted a("a");
    gort_scoped_defer(deferred, text("1"));
    noted b("b");
    gort_defer(deferred, text("H"));
    gort_scoped_defer(deferred, text("2"));
    if (arg != nullptr) panic_with(arg);
}

static void middle(void *arg)
{
    noted c("c");
    gort_scoped_defer(deferred, text("3"));
    inner(arg);
    note("-");
}

TEST(destructors_run_in_turn)
{
    CHECK(!gort_try(middle, nullptr, nullptr));
    CHECK_TRACE("2b1a-3cH");
    CHECK_PANICS(middle, text("p"), "p");
    CHECK_TRACE("2H1ba3c");
}

// Where frames will lie.
static void __attribute__((noinline)) fill_stack(unsigned char byte)
{
    volatile unsigned char below[16384];
    for (volatile unsigned char &b : below)
        b = byte;
}

static unsigned char old_byte;

static void middle_on_old_bytes(void *arg)
{
    fill_stack(old_byte);
    middle(arg);
}

// The beginning of a block does not write all of a scoped call's record.
TEST(the_order_does_not_depend_on_old_bytes)
{
    static const unsigned char bytes[] = { 0, 1, 0x7f, 0xff };
    for (unsigned char byte : bytes) {
        old_byte = byte;
        CHECK_PANICS(middle_on_old_bytes, text("p"), "p");
        CHECK_TRACE("2H1ba3c");
    }
}

static void nested(void *arg)
{
    noted o("o");
    gort_scoped_defer(deferred, text("4"));
    CHECK_PANICS(middle, arg, "p");
    note("=");
}

TEST(only_frames_inside_are_left)
{
    noted out("");
    CHECK(!gort_try(nested, text("p"), nullptr));
    CHECK_TRACE("2H1ba3c=4o");
}

static void catches_all(void *arg)
{
    try {
        noted a("a");
        panic_with(arg);
    } catch (...) {
        note("c");
        throw;
    }
}

static void catches_others(void *arg)
{
    try {
        catches_all(arg);
    } catch (const std::exception &) {
        note("not reached");
    }
}

TEST(catch_clauses)
{
    CHECK_PANICS(catches_others, text("p"), "p");
    CHECK_TRACE("ac");
}

static void panic_in_handler(void *arg)
{
    try {
        throw std::runtime_error("x");
    } catch (const std::exception &) {
        panic_with(arg);
    }
}

static void exceptions_go_on(void *arg)
{
    try {
        CHECK_PANICS(panic_in_handler, arg, "p");
        throw std::runtime_error("y");
    } catch (const std::exception &e) {
        CHECK_STR_EQ(e.what(), "y");
        note("e");
    }
    CHECK(!std::uncaught_exceptions());
}

TEST(a_panic_out_of_a_handler)
{
    CHECK(!gort_try(exceptions_go_on, text("p"), nullptr));
    CHECK_TRACE("e");
}

// ---- panics while frames are left --------------------------------------------------------------

static void panic_deferred(void *arg)
{
    noted d("d");
    panic_with(arg);
}

static void deferred_panics(void *)
{
    noted a("a");
    gort_scoped_defer(panic_deferred, text("third"));
    gort_defer(panic_deferred, text("second"));
    noted b("b");
    panic_with(text("first"));
}

TEST(panics_in_deferred_calls)
{
    CHECK_PANICS(deferred_panics, nullptr, "third");
    CHECK_TRACE("ddba");
}

struct tries_in_destructor {
    ~tries_in_destructor()
    {
        gort_panic_info info;
        CHECK(gort_try(middle, text("in destructor"), &info));
        CHECK_STR_EQ(info.message, "in destructor");
    }
};

static void try_in_destructor(void *arg)
{
    noted a("z");
    tries_in_destructor t;
    panic_with(arg);
}

TEST(a_destructor_tries)
{
    CHECK_PANICS(try_in_destructor, text("p"), "p");
    CHECK_TRACE("2H1ba3cz");
}

static void recover(void *)
{
    CHECK(gort_recover(nullptr));
    note("R");
}

static void recovers(void *arg)
{
    noted a("a");
    gort_scoped_defer(recover, nullptr);
    noted b("b");
    panic_with(arg);
}

TEST(recovering)
{
    CHECK(!gort_try(recovers, text("p"), nullptr));
    CHECK_TRACE("Rba");
}

// ---- exits -------------------------------------------------------------------------------------

static int ended;

static void count_end(void *)
{
    ADD(&ended, 1);
}

static void exit_inside(void *arg)
{
    noted a("a");
    gort_scoped_defer(deferred, text("1"));
    gort_defer(deferred, text("H"));
    noted b("b");
    if (arg != nullptr) gort_defer(panic_with, arg);
    gort_goexit();
}

static void exits(void *arg)
{
    noted c("c");
    gort_defer(count_end, nullptr);
    gort_scoped_defer(deferred, text("2"));
    noted d("d");
    gort_try(exit_inside, arg, nullptr);
    note("not reached");
}

static void run_to_end(void (*fn)(void *), const char *arg, const char *expected)
{
    int goroutines = gort_num_goroutines();
    int before = LOAD(&ended);
    gort_go(fn, text(arg));
    WAIT_FOR(LOAD(&ended) == before + 1 && gort_num_goroutines() == goroutines);
    CHECK_TRACE(expected);
}

static void recovers_outside(void *arg)
{
    noted o("o");
    gort_defer(count_end, nullptr);
    gort_scoped_defer(recover, nullptr);
    middle(arg);
}

TEST(exits_run_destructors)
{
    run_to_end(exits, nullptr, "H1ba2dc");
    // The panic leaves the frames inside of the gort_try, which goes on with the exit.
    run_to_end(exits, "dropped", "H1ba2dc");
}

TEST(a_recovered_goroutine_ends)
{
    // Nobody catches it, so no frame is left before all deferred calls have run.
    run_to_end(recovers_outside, "p", "2H13Rbaco");
}

// ---- many --------------------------------------------------------------------------------------

static int alive;

struct counted {
    int *object;
    counted() : object(static_cast<int *>(gort_alloc(64)))
    {
        ADD(&alive, 1);
        *object = 77;
    }
    ~counted()
    {
        CHECK_EQ(*object, 77);
        ADD(&alive, -1);
    }
};

static void many_frames(void *arg)
{
    int *left = static_cast<int *>(arg);
    counted c;
    if (*left % 7 == 0) gort_yield();
    if (*left % 13 == 0) gort_gc();
    if ((*left)-- == 0) gort_panic("bottom");
    void (*volatile deeper)(void *) = many_frames;
    deeper(arg);
}

static int done;

static void many_times(void *)
{
    for (int i = 0; i < test_count(20); i++) {
        int left = 20 + i;
        CHECK(gort_try(many_frames, &left, nullptr));
    }
    ADD(&done, 1);
}

TEST(goroutines_side_by_side)
{
    STORE(&done, 0);
    for (int i = 0; i < 6; i++)
        gort_go(many_times, nullptr);
    WAIT_FOR(LOAD(&done) == 6);
    CHECK_EQ(LOAD(&alive), 0);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(destructors_run_in_turn);
    RUN(the_order_does_not_depend_on_old_bytes);
    RUN(only_frames_inside_are_left);
    RUN(catch_clauses);
    RUN(a_panic_out_of_a_handler);
    RUN(panics_in_deferred_calls);
    RUN(a_destructor_tries);
    RUN(recovering);
    RUN_ON_ALL(exits_run_destructors);
    RUN_ON_ALL(a_recovered_goroutine_ends);
    RUN_ON_ALL(goroutines_side_by_side);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
