// A scavenger with work left is no reason against a deadlock, and keeps no program from ending.
//
// EXPECT deadlock skip=emulated env:GORTMAXPROCS=1 exit=2 stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT deadlock stderr=^goroutine 1 \[chan receive\]:$
// EXPECT deadlock stderr=^work is left$
// EXPECT ends skip=emulated env:GORTMAXPROCS=1 exit=0 stderr=^work is left$
// TEST skip=asan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <sys/prctl.h>

#include "../test.h"

#define MB ((size_t)1 << 20)
#define BLOCKS 400 // cost more than what may be saved up for one turn

static char *blocks[BLOCKS];

// Until the scavenger has more to give back than its share of the time allows.
static bool leave_work(void)
{
    double free_bytes = 0;
    for (int i = 0; i < BLOCKS; i++) {
        gort_set(&blocks[i], (char *)gort_alloc_noscan(MB));
        memset(blocks[i], 1, MB);
    }
    for (int i = 0; i < BLOCKS; i++)
        gort_set(&blocks[i], (char *)NULL);
    for (int i = 0; i < 3; i++)
        gort_gc();
    gort_yield();
    gort_metric_read("/memory/classes/heap/free:bytes", &free_bytes);
    return free_bytes > (double)(32 * MB);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    while (!leave_work())
        ;
    fprintf(stderr, "work is left\n");
    if (strcmp(argv[1], "deadlock") == 0) {
        int v;
        gort_recv(gort_chan_make(int, 0), &v);
    }
    return 0;
}

int main(int argc, char **argv)
{
    CHECK_GE(argc, 2);
    CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0); // huge pages would go at once
    return gort_run(gort_main, argc, argv);
}
