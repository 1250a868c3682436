// A walk by rules finds what the compiler's unwinder finds: through frames of constant and of
// variable size, recursion, the C library's functions, cut at 64, on goroutines and on attached
// threads; and plain frames are indeed walked by rules.
//
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "arch/arch.h"
#include "diag/callstack.h"

#include <alloca.h>
#include <gort.h>
#include <pthread.h>

#include "diag/cfi.h"
#include "test.h"

static uint64_t memory;
static int by_rules, by_unwinder; // walks

// The frames of the caller and outwards.
__attribute__((noinline)) static void compare(void)
{
    uintptr_t want[CALLSTACK_MAX], got[CALLSTACK_MAX], here[CALLSTACK_MAX];
    char local;
    __asm__ volatile("" : : "r"(&local) : "memory");
    unsigned n = 0, nwant = callstack_by_unwinder(want, &local);
    CHECK_EQ(callstack_here(here, &local), nwant);
    CHECK(memcmp(here, want, nwant * sizeof want[0]) == 0);
    bool done = callstack_by_rules(got, &local, &n);
    by_rules += done;
    by_unwinder += !done;
    if (!done) return;
    CHECK_EQ(n, nwant);
    CHECK(memcmp(got, want, n * sizeof got[0]) == 0);
}

static void expect(bool rules)
{
    rules = rules && ARCH_CALL_PUSHES; // else there are none
    CHECK_EQ(by_rules > 0, rules);
    CHECK_EQ(by_unwinder > 0, !rules);
    by_rules = by_unwinder = 0;
}

#define KEEP_FRAME __asm__ volatile("" : : : "memory")

__attribute__((noinline)) static void plain(int depth)
{
    if (depth == 0)
        compare();
    else
        plain(depth - 1);
    KEEP_FRAME;
}

__attribute__((noinline)) static void large(int depth)
{
    char bytes[5000];
    __asm__ volatile("" : : "r"(bytes) : "memory");
    if (depth == 0)
        compare();
    else
        plain(depth - 1);
    KEEP_FRAME;
}

__attribute__((noinline)) static void variable(int depth)
{
    char *bytes = alloca((size_t)(depth % 7) * 40 + 8);
    __asm__ volatile("" : : "r"(bytes) : "memory");
    if (depth == 0)
        compare();
    else if (depth % 2 == 0)
        variable(depth - 1);
    else
        large(depth - 1);
    KEEP_FRAME;
}

__attribute__((noinline)) static void realigned(int depth)
{
    char bytes[64] __attribute__((aligned(64)));
    __asm__ volatile("" : : "r"(bytes) : "memory");
    plain(depth);
    KEEP_FRAME;
}

static int in_order(const void *a, const void *b)
{
    compare();
    return *(const int *)a - *(const int *)b;
}

TEST(frames_of_constant_size)
{
    for (int depth = 0; depth < 100; depth++)
        plain(depth);
    large(3);
    expect(true);
}

TEST(frames_of_variable_size)
{
    for (int depth = 0; depth < 60; depth++)
        variable(depth);
    expect(true);
}

// Whichever way, it is right.
TEST(realigned_frames)
{
    for (int depth = 0; depth < 10; depth++)
        realigned(depth);
    by_rules = by_unwinder = 0;
}

TEST(through_the_c_library)
{
    int numbers[] = { 3, 1, 2, 5, 4 };
    qsort(numbers, 5, sizeof numbers[0], in_order);
    CHECK_EQ(numbers[4], 5);
    by_rules = by_unwinder = 0;
}

static gort_sema done;

static void on_goroutine(void *arg)
{
    (void)arg;
    plain(10);
    expect(true);
    gort_sema_release(&done);
}

static void *on_thread(void *arg)
{
    (void)arg;
    CHECK_EQ(gort_thread_attach(), 0);
    plain(10);
    gort_thread_detach();
    return NULL;
}

TEST(goroutines_and_threads)
{
    pthread_t t;
    gort_sema_init(&done, 0);
    gort_go(on_goroutine, NULL);
    gort_sema_acquire(&done);
    CHECK_EQ(pthread_create(&t, NULL, on_thread, NULL), 0);
    gort_enter_blocking();
    pthread_join(t, NULL);
    gort_exit_blocking();
    by_rules = by_unwinder = 0;
}

TEST(what_has_no_rule)
{
    struct cfi_rule r;
    int data;
    CHECK(!cfi_find((uintptr_t)&data, &r));
    CHECK(!cfi_find(8, &r));
    CHECK_EQ(cfi_find((uintptr_t)plain + 1, &r), ARCH_CALL_PUSHES);
    if (ARCH_CALL_PUSHES) CHECK_EQ(r.start, (uintptr_t)plain);
}

TEST(without_the_table_the_unwinder_walks)
{
    plain(5);
    expect(false);
    callstack_open(&memory);
    uint64_t taken = memory;
    CHECK_GT(taken, 0);
    callstack_open(&memory);
    CHECK_EQ(memory, taken);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(without_the_table_the_unwinder_walks);
    RUN(frames_of_constant_size);
    RUN(frames_of_variable_size);
    RUN(realigned_frames);
    RUN(through_the_c_library);
    RUN(goroutines_and_threads);
    RUN(what_has_no_rule);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
