// More goroutines compute and allocate than may hold on to threads of their own: the others, and
// timers, get their turn all the same. Those that wait for a P again must not count as computing.
// TEST notmodes=determ
// TEST timeout=60
// SPDX-License-Identifier: BSD-3-Clause
#include "../test.h"

#include <gort.h>

typedef struct thing {
    struct thing *next;
} thing;
GORT_TYPE(thing, next);

enum { COMPUTING = 9 }; // more than 4 on one P, and on two
static bool finished;   // atomic
static gort_waitgroup done;

static void compute(void *unused)
{
    (void)unused;
    volatile uint64_t x = 0;
    while (!__atomic_load_n(&finished, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 2000; i++)
            x += (uint64_t)i;
        CHECK(x != 0 && gort_new(thing) != NULL);
    }
    gort_waitgroup_done(&done);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    gort_waitgroup_add(&done, COMPUTING);
    for (int i = 0; i < COMPUTING; i++)
        gort_go(compute, NULL);
    for (int i = 0; i < 10; i++)
        gort_sleep(GORT_MS);
    __atomic_store_n(&finished, true, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&done);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
