// Allocation and stores never switch goroutines (rule 13 of the design), whatever they do for a
// collection: begin one, assist, wait for its end, sweep. No other goroutine runs on a thread that
// is inside of them, and they return on the thread that called.
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/syscall.h>
#include <unistd.h>

#include "gc_util.h"

enum { CYCLES = 12, OTHERS = 4, KEPT = 4096 };

typedef struct node {
    struct node *next;
    uint64_t space[6];
} node;
GORT_TYPE(node, next);

static node **kept;
static uint32_t enough; // atomic
static gort_waitgroup wg;

// Functions of their own: compilers keep the address of a thread-local across calls that switch
// threads.
static __thread volatile int inside;
__attribute__((noinline)) static void set_inside(int to)
{
    inside = to;
    __asm__ volatile("" : : : "memory");
}
__attribute__((noinline)) static int is_inside(void)
{
    __asm__ volatile("" : : : "memory");
    return inside;
}

static long thread(void)
{
    return syscall(SYS_gettid);
}

static void look(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
        CHECK_EQ(is_inside(), 0);
        gort_yield();
    }
    gort_waitgroup_done(&wg);
}

static void allocate_and_store(uint32_t seed)
{
    set_inside(1);
    long before = thread();
    for (uint32_t i = 0; i < 2000; i++) {
        node *x = gort_new(node);
        gort_init(&x->next, kept[(seed + i * 7) % KEPT]);
        if (i % 3 == 0) gort_set(&x->next, NULL);
        gort_set(&kept[(seed + i) % KEPT], x);
        if (i % 256 == 0) gort_keep_alive(gort_alloc(64 << 10));
    }
    CHECK_EQ(thread(), before);
    set_inside(0);
}

static double cycles(void)
{
    double n = -1;
    CHECK_EQ(gort_metric_read("/gc/cycles/total:gc-cycles", &n), 0);
    return n;
}

static void nobody_runs_inside(void)
{
    gort_set(&kept, (node **)gort_alloc(KEPT * sizeof(node *)));
    gort_waitgroup_add(&wg, OTHERS);
    for (int i = 0; i < OTHERS; i++)
        gort_go(look, NULL);
    uint32_t round = 0;
    for (double end = cycles() + CYCLES; cycles() < end; round++) {
        allocate_and_store(round * 31);
        gort_yield();
    }
    __atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&wg);
}

static void tests(void)
{
    RUN(nobody_runs_inside);
}
GC_MAIN(tests)
