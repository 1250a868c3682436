// Allocation where it must not be: each place has its own report.
// TEST skip=asan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "../../expect_fatal.h"
#include "../gc/gc_test.h"
#include "gort.h"
#include "heap/sizeclass.h"
#include "sched/stw.h"

static void allocate(void *unused)
{
    (void)unused;
    gort_keep_alive((gort_alloc)(600)); // beyond the sizes of the fast path
}

static void stopped(void *phase)
{
    world_stop(STOP_TEST, NULL);
    gc_phase = (uint32_t)(uintptr_t)phase;
    allocate(NULL);
}

static void while_marking_ends(void)
{
    call_on_system_stack(stopped, (void *)GC_MARKTERM);
}

static void by_the_collector(void)
{
    call_on_system_stack(stopped, (void *)GC_MARK);
}

static void on_the_system_stack(void)
{
    call_on_system_stack(allocate, NULL);
}

static void in_a_section(void)
{
    crit_enter();
    allocate(NULL);
}

static void on_a_foreign_stack(void)
{
    uintptr_t sp;
    char *stack = os_mem_map(NULL, 1 << 20);
    arch_call_on_stack(allocate, NULL, (uintptr_t)stack + (1 << 20), &sp);
}

static void freed_allocates(struct span *s, uintptr_t base, size_t size)
{
    (void)s;
    (void)base;
    (void)size;
    allocate(NULL);
}

// A hook of the sweeper, which malloc itself runs.
static void nested(void)
{
    heap->params.trace_frees = true;
    heap->hooks.freed = freed_allocates;
    for (int i = 0; i < 100000; i++)
        allocate(NULL);
}

static void run(void *fn)
{
    gc_test_run((void (*)(void))fn, 2, &gc_test_plain);
}

static void every_class_but_two_is_aligned_to_16(void)
{
    for (unsigned c = 1; c < SIZE_CLASSES; c++) {
        size_t size = size_class_table[c].size;
        CHECK(size % 16 == 0 || size == 8 || size == 24);
    }
}

int main(void)
{
    RUN(every_class_but_two_is_aligned_to_16);
    expect_fatal(run, while_marking_ends, "gort_alloc: allocation while marking ends");
    expect_fatal(run, by_the_collector, "gort_alloc: allocation by the collector");
    expect_fatal(run, on_the_system_stack, "gort_alloc");
    expect_fatal(run, in_a_section, "gort_alloc: allocation inside the runtime");
    expect_fatal(run, on_a_foreign_stack, "on a stack that gort does not know");
    expect_fatal(run, nested, "gort_alloc: allocation inside the runtime, nested in another");
    return 0;
}
