// Stacks: what is captured, from where on, that equal ones are kept once, how they print.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "diag/stack.h"

#include <gort.h>
#include <pthread.h>

#include "diag/callstack.h"
#include "diag/traceback.h"
#include "goroutines.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

static uintptr_t pcs[STACK_FRAMES];
static unsigned frames;

// after: what lies inside of this frame, and the frame itself, is left out.
NOINLINE static void observer(unsigned max, bool after)
{
    char inside[16];
    __asm__ volatile("" : : "r"(inside) : "memory");
    frames = callstack_all(pcs, max, after ? inside : NULL);
    RETURN_HERE();
}

NOINLINE static void gort_public_like(unsigned max, bool after)
{
    observer(max, after);
    RETURN_HERE();
}

NOINLINE static void deep(int n, unsigned max, bool after)
{
    if (n == 0)
        gort_public_like(max, after);
    else
        deep(n - 1, max, after);
    RETURN_HERE();
}

static bool is_in(unsigned i, const char *name)
{
    return strcmp(traceback_function(pcs[i]), name) == 0;
}

TEST(what_is_inside_of_after_is_left_out)
{
    deep(0, STACK_FRAMES, true);
    CHECK_GE(frames, 3u);
    CHECK(is_in(0, "gort_public_like"));
    CHECK(is_in(1, "deep"));
    deep(0, STACK_FRAMES, false);
    CHECK(is_in(0, "callstack_all"));
    CHECK(is_in(1, "observer"));
    CHECK(is_in(2, "gort_public_like"));
}

TEST(the_innermost_frames_of_a_deep_stack)
{
    for (unsigned max = 1; max <= STACK_FRAMES; max++) {
        deep(200, max, true);
        CHECK_EQ(frames, max);
        CHECK(is_in(0, "gort_public_like"));
        if (max > 1) CHECK(is_in(max - 1, "deep"));
    }
}

// On a goroutine the walk ends where the goroutine began.
TEST(ends_at_the_goroutines_first_frame)
{
    deep(3, STACK_FRAMES, true);
    CHECK_LT(frames, STACK_FRAMES);
    for (unsigned i = 0; i < frames; i++)
        CHECK(!is_in(i, "arch_entry"));
}

TEST(equal_stacks_are_kept_once)
{
    uintptr_t a[STACK_FRAMES] = { 1, 2, 3 };
    uint64_t before = stack_count();
    const struct stack *s = stack_keep(a, 3);
    CHECK(s != NULL);
    CHECK_EQ(s->n, 3u);
    CHECK_EQ(s->pcs[2], 3u);
    CHECK(stack_keep(a, 3) == s);
    CHECK_EQ(stack_count(), before + 1);
    CHECK(stack_keep(a, 2) != s);
    a[2] = 4;
    CHECK(stack_keep(a, 3) != s);
    CHECK(stack_keep(a, 0) == stack_keep(a, 0));
    CHECK_EQ(stack_count(), before + 4);
}

// ---- by many threads at once --------------------------------------------------------------------

enum { THREADS = 4, STACKS = 20000 };
static const struct stack *found[THREADS][STACKS];
static pthread_barrier_t start;

static void *keep_all(void *arg)
{
    const struct stack **mine = arg;
    pthread_barrier_wait(&start);
    for (uintptr_t i = 0; i < STACKS; i++) {
        uintptr_t a[2] = { i + 100, 7 };
        mine[i] = stack_keep(a, 2);
    }
    return NULL;
}

static void run_threads(void *unused)
{
    pthread_t t[THREADS];
    (void)unused;
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, keep_all, found[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

TEST(threads_agree)
{
    uint64_t before = stack_count();
    pthread_barrier_init(&start, NULL, THREADS);
    gort_blocking(run_threads, NULL);
    for (int i = 0; i < STACKS; i++) {
        CHECK(found[0][i] != NULL);
        for (int k = 1; k < THREADS; k++)
            CHECK(found[k][i] == found[0][i]);
    }
    CHECK_EQ(stack_count(), before + STACKS);
}

// ---- printing -----------------------------------------------------------------------------------

TEST(prints_from_the_public_call_on)
{
    struct print out;
    int fds[2];
    char text[8192] = "";
    CHECK_EQ(pipe(fds), 0);
    deep(0, STACK_FRAMES, false);
    print_init(&out, fds[1]);
    stack_print(&out, pcs, frames);
    print_flush(&out);
    ssize_t n = read(fds[0], text, sizeof text - 1);
    CHECK_GT(n, 0);
    CHECK(strncmp(text, "gort_public_like(...)\n\t", 23) == 0);
    CHECK_STR_HAS(text, "\ndeep(...)\n");
    CHECK(strstr(text, "observer") == NULL);
    CHECK(strstr(text, "go_call") == NULL);
    close(fds[0]);
    close(fds[1]);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(what_is_inside_of_after_is_left_out);
    RUN(the_innermost_frames_of_a_deep_stack);
    RUN(ends_at_the_goroutines_first_frame);
    RUN(equal_stacks_are_kept_once);
    RUN(threads_agree);
    RUN(prints_from_the_public_call_on);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
