// Recovering, panicking again, values, faults: what Go's tests of defer and recover ask, in gort's
// terms.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../conform.h"

static char trace[256]; // what happened: each event appends a letter

static void event(void *letter)
{
    CHECK_LT(strlen(trace) + strlen(letter), sizeof trace);
    strcat(trace, letter);
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

// ---- recovering --------------------------------------------------------------------------------

static void recover(void *arg)
{
    gort_panic_info info;
    memset(&info, 'x', sizeof info);
    bool did = gort_recover(&info);
    CHECK_EQ(did, arg != NULL);
    if (did)
        CHECK_STR_EQ(info.message, arg);
    else
        CHECK_EQ(info.message[0], 'x');
    event(did ? "R" : "n");
}

static void recovers(void *arg)
{
    gort_defer(event, "1");
    gort_defer(recover, arg);
    gort_defer(event, "2");
    if (arg != NULL) panic_with(arg);
}

static void recover_ends_the_panic(void)
{
    gort_panic_info info = { "untouched" };
    CHECK(!gort_try(recovers, "x", &info));
    CHECK_STR_EQ(info.message, "untouched");
    CHECK_TRACE("2R1");
    CHECK(!gort_try(recovers, NULL, NULL));
    CHECK_TRACE("2n1");
}

static void recovers_scoped(void *arg)
{
    gort_scoped_defer(event, "1");
    gort_scoped_defer(recover, arg);
    panic_with(arg);
}

static void recover_in_a_scoped_call(void)
{
    CHECK(!gort_try(recovers_scoped, "y", NULL));
    CHECK_TRACE("R1");
}

// Only the first recovers.
static void recovers_twice(void *arg)
{
    gort_defer(recover, NULL);
    gort_defer(recover, arg);
    panic_with(arg);
}

static void recover_once(void)
{
    CHECK(!gort_try(recovers_twice, "once", NULL));
    CHECK_TRACE("Rn");
}

// Nothing panics in the function itself, nor in one that a deferred call tries.
static void recover_in_try(void *arg)
{
    (void)arg;
    CHECK(!gort_try(recover, NULL, NULL));
}

static void not_ours(void *arg)
{
    recover(NULL);
    gort_defer(recover_in_try, NULL);
    panic_with(arg);
}

static void recover_elsewhere_does_nothing(void)
{
    CHECK_PANICS(not_ours, "still", "still");
    CHECK_TRACE("nn");
}

// A call that a deferred call makes, however deep, recovers too.
static void recover_deep(void *arg)
{
    if (arg == NULL) return;
    recover(arg);
}

static void recovers_deep(void *arg)
{
    gort_defer(recover_deep, arg);
    panic_with(arg);
}

static void recover_below_the_deferred_call(void)
{
    CHECK(!gort_try(recovers_deep, "deep", NULL));
    CHECK_TRACE("R");
}

static void recover_and_panic(void *arg)
{
    recover(arg);
    gort_panic("after %s", (const char *)arg);
}

static void recovers_and_panics(void *arg)
{
    gort_defer(event, "1");
    gort_defer(recover_and_panic, arg);
    panic_with(arg);
}

static void a_panic_after_recovering(void)
{
    CHECK_PANICS(recovers_and_panics, "it", "after it");
    CHECK_TRACE("R1");
}

static void second_panic(void *arg)
{
    (void)arg;
    gort_defer(recover, "second");
    gort_defer(panic_with, "second");
    gort_panic("first");
}

static void recovering_the_second_drops_the_first(void)
{
    CHECK(!gort_try(second_panic, NULL, NULL));
    CHECK_TRACE("R");
}

static void panic_inside_recovered(void *arg)
{
    (void)arg;
    CHECK(!gort_try(recovers, "inner", NULL));
}

static void inner_panic(void *arg)
{
    gort_defer(panic_inside_recovered, NULL);
    panic_with(arg);
}

static void an_inner_recover_leaves_the_outer_panic(void)
{
    CHECK_PANICS(inner_panic, "outer", "outer");
    CHECK_TRACE("2R1");
}

static int ended;

static void count_end(void *arg)
{
    (void)arg;
    ADD(&ended, 1);
}

static void recovered_goroutine(void *arg)
{
    gort_defer(count_end, NULL);
    recovers(arg);
    event("not reached");
}

static void exit_inner(void *arg)
{
    (void)arg;
    gort_defer(recover, "in exit");
    gort_defer(panic_with, "in exit");
    gort_goexit();
}

static void recovered_exit(void *arg)
{
    gort_defer(count_end, NULL);
    gort_defer(event, "o");
    gort_try(exit_inner, arg, NULL);
    event("not reached");
}

static void recovered_exit_outside(void *arg)
{
    gort_defer(count_end, NULL);
    exit_inner(arg);
}

static void run_to_end(void (*fn)(void *), const char *arg, const char *expected)
{
    int before = LOAD(&ended);
    gort_go(fn, (void *)(uintptr_t)arg);
    WAIT_FOR(LOAD(&ended) == before + 1);
    CHECK_TRACE(expected);
}

static void a_recovered_goroutine_ends(void)
{
    run_to_end(recovered_goroutine, "g", "2R1");
    run_to_end(recovered_exit, NULL, "Ro"); // the exit goes on
    run_to_end(recovered_exit_outside, NULL, "R");
}

// ---- panicking ---------------------------------------------------------------------------------

static void is_panicking(void *arg)
{
    gort_panic_info info = { "" };
    CHECK_EQ(gort_panicking(&info), arg != NULL);
    CHECK_EQ(gort_panicking(NULL), arg != NULL);
    CHECK_STR_EQ(info.message, arg != NULL ? arg : "");
    event("?");
}

static void asks(void *arg)
{
    is_panicking(NULL);
    gort_defer(is_panicking, arg);
    if (arg != NULL) panic_with(arg);
}

static void a_deferred_call_knows(void)
{
    CHECK(!gort_try(asks, NULL, NULL));
    CHECK_PANICS(asks, "why", "why");
    CHECK_TRACE("????");
}

// ---- values, and panicking again ---------------------------------------------------------------

typedef struct value {
    struct value *next;
    int64_t n;
} value;
GORT_TYPE(value, next);

static void panic_value(void *arg)
{
    value *v = gort_new(value);
    v->n = (int64_t)(intptr_t)arg;
    gort_panic_with(v, "value %d", (int)v->n);
}

static void collect(void *arg)
{
    (void)arg;
    gort_gc();
    for (int i = 0; i < 1000; i++)
        gort_new(value)->n = -1;
}

static void panic_value_and_collect(void *arg)
{
    gort_defer(collect, NULL);
    panic_value(arg);
}

static void values_are_carried_and_kept(void)
{
    for (intptr_t i = 1; i < 20; i++) {
        char text[32];
        snprintf(text, sizeof text, "value %d", (int)i);
        CHECK_PANICS(panic_value_and_collect, (void *)i, text);
        collect(NULL);
        CHECK_EQ(((value *)gort_panic_value())->n, i);
    }
    CHECK_PANICS(panic_with, "none", "none");
    CHECK(gort_panic_value() == NULL);
}

static void recover_value(void *arg)
{
    CHECK(gort_recover(NULL));
    CHECK_EQ(((value *)gort_panic_value())->n, (int64_t)(intptr_t)arg);
    event("v");
}

static void recovers_value(void *arg)
{
    gort_defer(recover_value, arg);
    panic_value(arg);
}

static void recovered_values(void)
{
    CHECK(!gort_try(recovers_value, (void *)7, NULL));
    CHECK_EQ(((value *)gort_panic_value())->n, 7);
    CHECK_TRACE("v");
}

static void again(void *arg)
{
    gort_panic_info info;
    CHECK(gort_try(panic_value, arg, &info));
    gort_repanic(&info);
}

static void panicking_again(void)
{
    CHECK_PANICS(again, (void *)3, "value 3");
    CHECK_EQ(((value *)gort_panic_value())->n, 3);
}

static void value_is_mine(void *arg)
{
    for (intptr_t i = 0; i < test_count(30); i++) {
        CHECK(gort_try(panic_value_and_collect, (void *)(i + (intptr_t)gort_goid() * 1000), NULL));
        gort_yield();
        CHECK_EQ(((value *)gort_panic_value())->n, i + (int64_t)gort_goid() * 1000);
    }
    ADD((int *)arg, 1);
}

static void each_goroutine_has_its_value(void)
{
    static int done;
    STORE(&done, 0);
    for (int i = 0; i < 8; i++)
        gort_go(value_is_mine, &done);
    WAIT_FOR(LOAD(&done) == 8);
}

// ---- messages ----------------------------------------------------------------------------------

static void panic_plain(void *arg)
{
    (void)arg;
    gort_panic("no conversion");
}

static void panic_percent(void *arg)
{
    (void)arg;
    gort_panic("100%%");
}

static void panic_null(void *arg)
{
    gort_panic("%s", *(char **)arg);
}

static void messages_without_printf(void)
{
    char *none = NULL, longest[400];
    CHECK_PANICS(panic_plain, NULL, "no conversion");
    CHECK_PANICS(panic_percent, NULL, "100%");
    CHECK_PANICS(panic_null, &none, "(null)");
    for (size_t n = 250; n < 260; n++) {
        memset(longest, 'a', n);
        longest[n] = '\0';
        CHECK(gort_try(panic_with, longest, &test_panic_));
        CHECK_EQ(strlen(test_panic_.message), n < 255 ? n : 255);
    }
}

// ---- faults ------------------------------------------------------------------------------------

// A case in which faults are panics. With efence a fault is the finding, and ends the program.
static void with_faults(void (*fn)(void))
{
    if (in_mode("efence")) return;
    CHECK(!gort_set_panic_on_fault(true));
    CHECK(gort_set_panic_on_fault(true));
    fn();
    CHECK(gort_set_panic_on_fault(false));
}
#define FAULT_TEST(name)                                                                           \
    static void name##_body(void);                                                                 \
    static void name(void)                                                                         \
    {                                                                                              \
        with_faults(name##_body);                                                                  \
    }                                                                                              \
    static void name##_body(void)

#define FAULTS                                                                                     \
    __attribute__((noinline, no_sanitize("undefined"), no_sanitize("address"),                     \
                   no_sanitize("thread")))

FAULTS static int64_t load(const volatile int64_t *p)
{
    __asm__ volatile("" : "+r"(p));
    return p[1];
}

FAULTS static void store(int64_t *p)
{
    __asm__ volatile("" : "+r"(p));
    *p = 1;
}

static void load_null(void *arg)
{
    gort_scoped_defer(event, "d");
    load(arg);
}

static void store_there(void *arg)
{
    store(arg);
}

static void call_null(void *arg)
{
    void (*fn)(void) = NULL;
    __asm__ volatile("" : "+r"(fn));
    (void)arg;
    fn();
    event("not reached");
}

static char *read_only_page(void)
{
    static char *page;
    if (page == NULL) page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    return page;
}

FAULT_TEST(bad_addresses_panic)
{
    char text[100];
    CHECK_PANICS(load_null, NULL, "NULL pointer dereference (SIGSEGV at address 0x8)");
    CHECK_TRACE("d");
    snprintf(text, sizeof text, "invalid memory address (SIGSEGV at address 0x%lx)",
             (unsigned long)(uintptr_t)read_only_page());
    CHECK_PANICS(store_there, read_only_page(), text);
    CHECK(gort_try(call_null, NULL, &test_panic_));
    CHECK_STR_EQ(test_panic_.message, "NULL pointer dereference (SIGSEGV at address 0x0)");
}

#if defined(__x86_64__)
FAULTS static int divide(int a, int b)
{
    __asm__ volatile("cltd\n\tidivl %1" : "+a"(a) : "r"(b) : "edx", "cc");
    return a;
}

static void divide_by(void *arg)
{
    divide(*(int *)arg == 0 ? 1 : INT32_MIN, *(int *)arg);
    event("not reached");
}

static void impossible_address(void *arg)
{
    (void)arg;
    load((const int64_t *)0x7777777777777777);
}

// What the interrupted code may have left: the direction flag, and use of the red zone.
FAULTS static void fault_backwards(void *arg)
{
    (void)arg;
    __asm__ volatile("std\n\tmovl $0, 0\n\tcld" ::: "memory");
}

FAULT_TEST(faults_of_this_processor)
{
    int zero = 0, minus = -1;
    CHECK_PANICS(divide_by, &zero, "integer divide by zero or overflow");
    CHECK_PANICS(divide_by, &minus, "integer divide by zero or overflow");
    CHECK_PANICS(impossible_address, NULL, "invalid memory address (SIGSEGV)");
    CHECK_PANICS(fault_backwards, NULL, "NULL pointer dereference (SIGSEGV at address 0x0)");
    char from[64], to[64];
    memset(from, 'f', sizeof from);
    __asm__ volatile("" : : "r"(from) : "memory");
    memmove(to, from, sizeof to);
    CHECK_EQ(to[63], 'f');
}
#endif

static void trap(void *arg)
{
    (void)arg;
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#else
    __asm__ volatile(".inst 0");
#endif
}

FAULT_TEST(illegal_instructions_panic)
{
    CHECK_PANICS(trap, NULL, "illegal instruction");
}

// Signals are open again afterwards, and the registers of who tries are as they were.
FAULT_TEST(many_faults)
{
    volatile double x = 1.5;
    int caught = 0;
    for (int i = 0; i < test_count(2000); i++) {
        double y = x * i;
        caught += gort_try(load_null, NULL, NULL);
        CHECK(y == x * i);
        trace[0] = '\0';
    }
    CHECK_EQ(caught, test_count(2000));
    sigset_t set;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    CHECK(!sigismember(&set, SIGSEGV));
}

static void faults_within(void *arg)
{
    value *v = gort_new(value);
    v->n = 42;
    for (int i = 0; i < 100; i++)
        gort_new(value)->n = i;
    CHECK_EQ(v->n, 42);
    load(arg);
}

static void fault_often(void *arg)
{
    for (int i = 0; i < test_count(300); i++) {
        CHECK(gort_try(faults_within, NULL, NULL));
        if (i % 10 == 0) gort_yield();
        if (i % 100 == 0) gort_gc();
    }
    ADD((int *)arg, 1);
}

FAULT_TEST(faults_beside_collections)
{
    static int done;
    STORE(&done, 0);
    for (int i = 0; i < 6; i++)
        gort_go(fault_often, &done);
    WAIT_FOR(LOAD(&done) == 6);
}

static void recover_fault(void *arg)
{
    (void)arg;
    gort_panic_info info;
    CHECK(gort_recover(&info));
    CHECK_STR_HAS(info.message, "NULL pointer");
    event("R");
}

static void fault_in_goroutine(void *arg)
{
    gort_defer(count_end, NULL);
    gort_defer(recover_fault, NULL);
    load(arg);
}

static void fault_in_deferred(void *arg)
{
    gort_defer(load_null, NULL);
    panic_with(arg);
}

FAULT_TEST(faults_are_panics_like_others)
{
    run_to_end(fault_in_goroutine, NULL, "R");
    CHECK(gort_try(fault_in_deferred, "first", &test_panic_));
    CHECK_STR_HAS(test_panic_.message, "NULL pointer");
    CHECK_TRACE("d");
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(recover_ends_the_panic, 2), CASE(recover_in_a_scoped_call, 2), CASE(recover_once, 2),
    CASE(recover_elsewhere_does_nothing, 2), CASE(recover_below_the_deferred_call, 2),
    CASE(a_panic_after_recovering, 2), CASE(recovering_the_second_drops_the_first, 2),
    CASE(an_inner_recover_leaves_the_outer_panic, 2), CASE(a_recovered_goroutine_ends, 0),
    CASE(a_deferred_call_knows, 2), CASE(values_are_carried_and_kept, 2), CASE(recovered_values, 2),
    CASE(panicking_again, 2), CASE(each_goroutine_has_its_value, 0),
    CASE(messages_without_printf, 2), CASE(bad_addresses_panic, 2),
#if defined(__x86_64__)
    CASE(faults_of_this_processor, 2),
#endif
    CASE(illegal_instructions_panic, 2), CASE(many_faults, 2), CASE(faults_beside_collections, 0),
    CASE(faults_are_panics_like_others, 0),
};
// clang-format on

CONFORM_MAIN(cases)
