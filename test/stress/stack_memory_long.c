// What many goroutines had in use of their stacks goes back to the kernel: of 100,000 that were
// deep and have ended, and of 20,000 that were deeper and wait.  By what the kernel says the
// process has; which pages these are, and who gives them back when, is api/stack_memory's.
// TEST serial modes=none
// TEST skip=asan,ubsan,tsan,coverage,emulated
// SPDX-License-Identifier: BSD-3-Clause
#include <unistd.h>

#include "../goroutines.h"

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)

enum { ENDING = 100000, WAITING = 20000 };
#define END_DEPTH (32 * KB)
#define WAIT_DEPTH (150 * KB)
#define WAIT_KEPT (80 * KB) // the page of the record and 64 KB, and what shares a page with them
#define OTHERS (128 * MB)   // the heap, records, batches of stacks in somebody's hands

static gort_waitgroup group;
static gort_chan(int) gate;
static int there; // atomic

static size_t read_number(const char *file, const char *format)
{
    size_t value = 0;
    char line[256];
    FILE *f = fopen(file, "r");
    CHECK(f != NULL);
    while (value == 0 && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, format, &value) != 1) value = 0;
    CHECK_EQ(fclose(f), 0);
    return value;
}

static size_t resident(void)
{
    return read_number("/proc/self/statm", "%*u %zu") * (size_t)sysconf(_SC_PAGESIZE);
}

static __attribute__((noinline)) int fill(size_t bytes)
{
    volatile char frame[4 * KB];
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = 1;
    int sum = bytes > sizeof frame ? fill(bytes - sizeof frame) : 0;
    __asm__ volatile("" : : "r"(frame) : "memory"); // or a compiler makes it a loop
    return sum + frame[0];
}

static void wait_at_the_gate(void)
{
    int x;
    ADD(&there, 1);
    CHECK(!gort_recv(gate, &x));
}

static void ends_deep(void *unused)
{
    (void)unused;
    wait_at_the_gate(); // so that all have a stack at the same time
    fill(END_DEPTH);
    gort_waitgroup_done(&group);
}

static void waits_deep(void *unused)
{
    (void)unused;
    fill(WAIT_DEPTH);
    wait_at_the_gate();
    gort_waitgroup_done(&group);
}

static void start(int n, void (*fn)(void *))
{
    gate = gort_chan_make(int, 0);
    STORE(&there, 0);
    gort_waitgroup_add(&group, n);
    for (int i = 0; i < n; i++)
        gort_go(fn, NULL);
    WAIT_FOR(LOAD(&there) == n);
}

static void end(void)
{
    gort_close(gate);
    gort_waitgroup_wait(&group);
}

TEST(of_the_dead)
{
    start(ENDING, ends_deep);
    size_t shallow = resident();
    end();
    size_t deep = resident();
    printf("%zu MB, %zu MB when they had been deep\n", shallow / MB, deep / MB);
    CHECK_GE(deep, shallow + ENDING * (END_DEPTH / 2));
    WAIT_FOR((gort_gc(), resident() <= shallow + OTHERS));
    printf("%zu MB after collections\n", resident() / MB);
}

TEST(of_those_that_wait)
{
    size_t before = resident();
    start(WAITING, waits_deep);
    size_t deep = resident();
    printf("%zu MB, %zu MB where they wait\n", before / MB, deep / MB);
    CHECK_GE(deep, before + WAITING * (WAIT_KEPT + WAIT_DEPTH) / 2);
    WAIT_FOR((gort_gc(), resident() <= before + WAITING * WAIT_KEPT + OTHERS));
    printf("%zu MB after collections\n", resident() / MB);
    end();
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(of_the_dead);
    RUN(of_those_that_wait);
    return 0;
}

int main(int argc, char **argv)
{
    if (read_number("/proc/meminfo", "MemAvailable: %zu kB") * KB < 8192 * MB) {
        fprintf(stderr, "skipped: it needs 8 GB\n");
        return 77;
    }
    return gort_run(main_goroutine, argc, argv);
}
