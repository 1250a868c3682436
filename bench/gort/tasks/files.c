// Small writes to a file in memory, beside as many goroutines that yield in a loop as the load's name
// says.
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "tasks.h"

#include <sys/mman.h>

static int finished; // atomic

static void others(void *arg)
{
    while (__atomic_load_n(&finished, __ATOMIC_RELAXED) == 0)
        gort_yield();
    gort_waitgroup_done(arg);
}

void file_write_run(void)
{
    static gort_waitgroup group;
    char buffer[64] = "a line of a log, or the like\n";
    int fd = memfd_create("bench", MFD_CLOEXEC), n = tasks_count(200000);
    if (fd < 0) tasks_fail("no file in memory");
    gort_waitgroup_add(&group, tasks_number());
    for (int i = 0; i < tasks_number(); i++)
        gort_go(others, &group);
    tasks_begin();
    for (int i = 0; i < n; i++)
        if (gort_write(fd, buffer, sizeof buffer) != sizeof buffer) tasks_fail("can not write");
    tasks_end(n);
    __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&group);
    gort_close_fd(fd);
    tasks_check((uint64_t)n << 12);
}
