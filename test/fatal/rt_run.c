// Misuse of gort_run, and of gort calls outside of it.
//
// EXPECT twice stderr=^fatal error: gort_run called a second time: it runs once per process$
// EXPECT twice stdout=^main ran$
// EXPECT nested stderr=^fatal error: gort_run called inside gort_run$
// EXPECT nested stderr=^goroutine 1 \[running\]:\n(?s:.*)^run_again\(\.\.\.\)\n\t.*\nmain_goroutine\(\.\.\.\)$
// EXPECT before stderr=^fatal error: gort_yield called on a thread that gort does not know: use gort_run
// EXPECT before stderr=^thread without a goroutine:\n(?s:.*)^call_before\(\.\.\.\)\n\t.*\nmain\(\.\.\.\)$
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <stdio.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

static const char *name = "";

static int main_goroutine(int argc, char **argv);

NOINLINE static void run_again(int argc, char **argv)
{
    gort_run(main_goroutine, argc, argv);
    RETURN_HERE();
}

NOINLINE static int main_goroutine(int argc, char **argv)
{
    puts("main ran");
    fflush(stdout);
    if (strcmp(name, "nested") == 0) run_again(argc, argv);
    RETURN_HERE();
    return 0;
}

NOINLINE static void call_before(void)
{
    gort_yield();
    RETURN_HERE();
}

int main(int argc, char **argv)
{
    if (argc > 1) name = argv[1];
    if (strcmp(name, "before") == 0) call_before();
    gort_run(main_goroutine, argc, argv);
    if (strcmp(name, "twice") == 0) gort_run(main_goroutine, argc, argv);
    return 0;
}
