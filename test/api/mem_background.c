// The scavenger by itself: what the program does not need goes back, in several turns, without a
// call.
//
// A program that has just started has saved up little of the one percent: a quarter of a gigabyte,
// in pages of 4 KB, takes more than one turn, and the monitor wakes it for the others.
//
// TEST notmodes=determ
// TEST timeout=120 modes=p1,p2,p16,migrate,slice
// TEST skip=emulated
// (the emulator knows no huge pages)
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <sys/prctl.h>

#include "test.h"

#define MB ((size_t)1 << 20)
#define BLOCKS 256

static char *blocks[BLOCKS];

static double read_metric(const char *name)
{
    double value = -1;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

static __attribute__((noinline)) void fill(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        gort_set(&blocks[i], (char *)gort_alloc_noscan(MB));
        memset(blocks[i], i, MB);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int64_t begin = gort_now();
    fill();
    for (int i = 0; i < BLOCKS; i++)
        gort_set(&blocks[i], (char *)NULL);
    for (int i = 0; i < 3; i++)
        gort_gc();
    // A turn is counted when it has ended.
    while (read_metric("/memory/classes/heap/free:bytes") > (double)(24 * MB) ||
           read_metric("/gort/heap/scavenge/turns:events") < 1)
        gort_sleep(50 * GORT_MS);
    double cpu = read_metric("/cpu/classes/scavenge/background:cpu-seconds");
    double all = (double)(gort_now() - begin) / 1e9 * gort_max_procs(0);
    CHECK(read_metric("/gort/heap/scavenge/background:bytes") > (double)(100 * MB));
    // The share holds, but for the end of the last step, which is a small part of the work.
    CHECK(cpu <= all / 100 + cpu / 10 + 0.002);
    printf("%.1f ms of CPU time in %.0f turns, %.2f s\n", cpu * 1e3,
           read_metric("/gort/heap/scavenge/turns:events"), (double)(gort_now() - begin) / 1e9);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0); // huge pages would go at once
    return gort_run(run, argc, argv);
}
