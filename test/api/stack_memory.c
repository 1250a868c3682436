// What stacks of goroutines had in use goes back to the kernel: of those that ended, after
// collections; of those that wait, what lies below the frames they have.
// TEST notmodes=determ
// TEST skip=asan,tsan,emulated
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>

#include "../goroutines.h"

#define PAGE ((size_t)4096)
#define MB ((size_t)1 << 20)
#define DEPTH ((size_t)150 << 10)
#define LARGE_DEPTH ((size_t)20 << 20)
#define LARGE_STACK ((size_t)64 << 20)

static gort_waitgroup group;
static gort_chan(int) gate;
static int deep; // atomic; goroutines that have been at the bottom

// Where the stacks of the goroutines of a test have their first frames.
#define MOST 3000
static uintptr_t frames[MOST];

// Of what the first n of them may use below those, in bytes; what is not mapped any more counts as
// given back.
static size_t resident(int n, size_t depth)
{
    static unsigned char there[LARGE_DEPTH / PAGE + 1];
    size_t pages = 0;
    for (int i = 0; i < n; i++) {
        uintptr_t hi = frames[i] & ~(uintptr_t)(PAGE - 1), lo = hi - depth / PAGE * PAGE;
        if (mincore((void *)lo, hi - lo, there) != 0) continue;
        for (size_t k = 0; k < (hi - lo) / PAGE; k++)
            pages += there[k] & 1;
    }
    return pages * PAGE;
}

static __attribute__((noinline)) int fill(size_t bytes, int seed)
{
    volatile char frame[4096];
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = (char)seed;
    int sum = bytes > sizeof frame ? fill(bytes - sizeof frame, seed) : 0;
    __asm__ volatile("" : : "r"(frame) : "memory"); // or a compiler makes it a loop
    return sum + frame[0];
}

static int arrived; // atomic

// All of them have a stack at the same time, or a few stacks would do for all.
static void goes_deep_and_ends(void *arg)
{
    (void)arg;
    int x;
    frames[ADD(&arrived, 1) - 1] = (uintptr_t)__builtin_frame_address(0);
    CHECK(!gort_recv(gate, &x));
    fill(DEPTH, 1);
    gort_waitgroup_done(&group);
}

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

// Nothing of them, those that the Ps kept included; but of goroutines that ended since the last
// stop, as there are few, and of others that use one of these stacks now.
enum { KEPT = 2 * MB };

static void stacks_of_the_dead_give_their_pages_back(void)
{
    int n = (int)test_count(MOST);
    if (n > MOST) n = MOST;
    gate = gort_chan_make(int, 0);
    gort_waitgroup_add(&group, n);
    STORE(&arrived, 0);
    for (int i = 0; i < n; i++)
        gort_go(goes_deep_and_ends, NULL);
    WAIT_FOR(LOAD(&arrived) == n);
    size_t before = resident(n, DEPTH);
    gort_close(gate);
    gort_waitgroup_wait(&group);
    size_t used = resident(n, DEPTH) - before;
    CHECK_GE(used, (size_t)n * DEPTH / 2);
    double bared = metric("/gort/stacks/bared:stacks");
    WAIT_FOR((gort_gc(), resident(n, DEPTH) <= before + KEPT));
    WAIT_FOR(metric("/gort/stacks/bared:stacks") > bared);
}

// So few that the Ps keep them all.
static void stacks_that_the_ps_keep_do_too(void)
{
    enum { FEW = 60 };
    gate = gort_chan_make(int, 0);
    gort_waitgroup_add(&group, FEW);
    STORE(&arrived, 0);
    for (int i = 0; i < FEW; i++)
        gort_go(goes_deep_and_ends, NULL);
    WAIT_FOR(LOAD(&arrived) == FEW);
    size_t before = resident(FEW, DEPTH);
    gort_close(gate);
    gort_waitgroup_wait(&group);
    CHECK_GE(resident(FEW, DEPTH) - before, (size_t)FEW * DEPTH / 2);
    WAIT_FOR((gort_gc(), resident(FEW, DEPTH) <= before + KEPT));
}

static void free_os_memory_takes_all(void)
{
    int n = (int)test_count(MOST);
    if (n > MOST) n = MOST;
    gate = gort_chan_make(int, 0);
    gort_waitgroup_add(&group, n);
    STORE(&arrived, 0);
    for (int i = 0; i < n; i++)
        gort_go(goes_deep_and_ends, NULL);
    WAIT_FOR(LOAD(&arrived) == n);
    size_t before = resident(n, DEPTH);
    gort_close(gate);
    gort_waitgroup_wait(&group);
    // A batch of stacks may be in the sweeper's hands, and who ended last may still be on its way.
    WAIT_FOR((gort_free_os_memory(), resident(n, DEPTH) <= before + KEPT));
}

struct visit {
    size_t depth;
    int seed;
};

static void goes_deep_and_waits(void *arg)
{
    const struct visit *v = arg;
    frames[v->seed] = (uintptr_t)__builtin_frame_address(0);
    volatile int local[64];
    for (int i = 0; i < 64; i++)
        local[i] = v->seed + i;
    int sum = fill(v->depth, v->seed % 100), x;
    __atomic_add_fetch(&deep, 1, __ATOMIC_RELEASE);
    CHECK(!gort_recv(gate, &x));
    for (int i = 0; i < 64; i++)
        CHECK_EQ(local[i], v->seed + i);
    CHECK_EQ(fill(v->depth, v->seed % 100), sum);
    gort_waitgroup_done(&group);
}

// Collections that nobody asks for.
static void allocate(void)
{
    for (int i = 0; i < 8000; i++)
        gort_keep_alive(gort_alloc_noscan(1000));
}

static void stacks_that_wait_are_trimmed(int n, size_t depth, size_t stack, void (*collect)(void))
{
    gort_go_options options = { .stack_size = stack };
    struct visit *visits = gort_alloc((size_t)n * sizeof visits[0]);
    gate = gort_chan_make(int, 0);
    STORE(&deep, 0);
    gort_waitgroup_add(&group, n);
    for (int i = 0; i < n; i++) {
        visits[i] = (struct visit){ depth, i };
        gort_go_opt(&options, goes_deep_and_waits, &visits[i]);
    }
    WAIT_FOR(LOAD(&deep) == n);
    settle();
    double trimmed = metric("/gort/stacks/trimmed:stacks");
    // Kept are the page of the record and 64 KB.
    size_t kept = (size_t)n * (80 << 10);
    WAIT_FOR((collect(), resident(n, depth) <= kept + MB));
    WAIT_FOR(metric("/gort/stacks/trimmed:stacks") > trimmed);
    gort_close(gate);
    gort_waitgroup_wait(&group);
}

static void small_stacks_that_wait_are_trimmed(void)
{
    int n = (int)test_count(1000);
    stacks_that_wait_are_trimmed(n < MOST ? n : MOST, DEPTH, 0, gort_gc);
}

static void large_stacks_that_wait_are_trimmed(void)
{
    stacks_that_wait_are_trimmed(3, LARGE_DEPTH, LARGE_STACK, gort_gc);
}

static void collections_of_the_program_trim_too(void)
{
    for (int64_t i = 0; i < test_count(10); i++)
        allocate(); // nothing is found: the next look is due by the clock
    stacks_that_wait_are_trimmed(100, DEPTH, 0, allocate);
}

// Stacks are trimmed while their goroutines wake up and go deep again.
static void shuttle(void *arg)
{
    const struct visit *v = arg;
    int64_t end = gort_now() + (int64_t)test_count(1000) * GORT_MS;
    for (int i = 0; gort_now() < end; i++) {
        volatile int local = i;
        CHECK_EQ(fill(v->depth, 3), (int)((v->depth + 4095) / 4096 * 3));
        gort_sleep((v->seed * 37 + i) % 200 * GORT_US);
        CHECK_EQ(local, i);
    }
    gort_waitgroup_done(&group);
}

static void stacks_are_trimmed_while_they_wake(void)
{
    enum { N = 8 };
    static struct visit visits[N];
    gort_waitgroup_add(&group, N);
    for (int i = 0; i < N; i++) {
        visits[i] = (struct visit){ (size_t)(i + 20) * 5000, i };
        gort_go(shuttle, &visits[i]);
    }
    int64_t end = gort_now() + (int64_t)test_count(1000) * GORT_MS;
    while (gort_now() < end)
        gort_gc();
    gort_waitgroup_wait(&group);
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(stacks_of_the_dead_give_their_pages_back);
    RUN(stacks_that_the_ps_keep_do_too);
    RUN(free_os_memory_takes_all);
    RUN(small_stacks_that_wait_are_trimmed);
    RUN(large_stacks_that_wait_are_trimmed);
    RUN(collections_of_the_program_trim_too);
    RUN(stacks_are_trimmed_while_they_wake);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(test_main, argc, argv);
}
