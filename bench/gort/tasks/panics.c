// Deferred calls and panics.
//
//     defer         a function that defers a call, which is not inlined: what an unlock would be
//     defer-loop    the same, deferred to the end of a scope that is not the block
//     panic         a panic, caught by who called the function
//     panic-deep    the same from 20 frames further down
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#define DEPTH 20
#define NOINLINE __attribute__((noinline))

static uint64_t calls;

NOINLINE static void count_call(void *arg)
{
    calls++;
    __asm__ volatile("" : : "r"(arg) : "memory");
}

NOINLINE static void defer_one(void)
{
    gort_scoped_defer(count_call, NULL);
    __asm__ volatile("" : : : "memory");
}

void defer_run(void)
{
    int n = tasks_count(100000000);
    tasks_begin();
    for (int i = 0; i < n; i++)
        defer_one();
    tasks_end(n);
    tasks_check(calls << 12);
}

static void defer_to_scope(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        gort_defer(count_call, NULL);
}

void defer_loop_run(void)
{
    int batches = tasks_count(100000), batch = 100;
    tasks_begin();
    for (int i = 0; i < batches; i++)
        gort_try(defer_to_scope, &batch, NULL);
    tasks_end((double)batches * batch);
    tasks_check(calls << 12);
}

NOINLINE static void panic_below(void *arg)
{
    int left = *(int *)arg - 1;
    if (left == -1) gort_panic("it is over");
    if (left >= 0) panic_below(&left);
    __asm__ volatile("" : : : "memory"); // a frame for each
}

static void panic_from(int depth)
{
    int n = tasks_count(2000000), caught = 0;
    gort_panic_info info;
    tasks_begin();
    for (int i = 0; i < n; i++)
        caught += gort_try(panic_below, &depth, &info);
    tasks_end(n);
    tasks_check((uint64_t)caught << 12);
}

void panic_run(void)
{
    panic_from(0);
}

void panic_deep_run(void)
{
    panic_from(DEPTH);
}
