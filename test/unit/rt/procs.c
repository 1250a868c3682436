// The affinity mask changes while the program runs: waiters for locks spin only while there are
// several CPUs, also where the number of Ps is the program's.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>

#include "goroutines.h"
#include "sync/lock.h"

static void set_mask(const cpu_set_t *mask)
{
    CHECK_EQ(sched_setaffinity(getpid(), sizeof *mask, mask), 0);
}

TEST(locks_follow_the_mask)
{
    cpu_set_t all, one;
    CHECK_EQ(sched_getaffinity(getpid(), sizeof all, &all), 0);
    if (CPU_COUNT(&all) < 2) return; // there is nothing to follow
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    WAIT_FOR(lock_spin_rounds() > 0);
    set_mask(&one);
    WAIT_FOR(lock_spin_rounds() == 0);
    set_mask(&all);
    WAIT_FOR(lock_spin_rounds() > 0);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(locks_follow_the_mask);
    gort_max_procs(2); // the number is fixed from now on
    RUN(locks_follow_the_mask);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
