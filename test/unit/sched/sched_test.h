// Runs a function as the main goroutine of a scheduler without collector, in a child process of its
// own, because a process has one scheduler.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef SCHED_TEST_H
#define SCHED_TEST_H

#include <sys/wait.h>

#include "../../test.h"
#include "base/atomic.h"
#include "heap/heap.h"
#include "os/os.h"
#include "sched/sched_internal.h"

struct sched_test_main {
    void (*fn)(void);
};

static void sched_test_entry(void *arg)
{
    struct sched_test_main *t = arg;
    t->fn();
    sched_main_done();
}

// In this process.
static inline void sched_test_run(void (*fn)(void), int procs)
{
    struct sched_test_main t = { fn };
    random_set_process_seed(test_seed());
    sched_debug.lend = 2; // there is no monitor
    heap_init(NULL);
    sched_init(procs);
    sched_run(sched_test_entry, &t, 0);
}

static inline int sched_test_child(void (*fn)(void), int procs)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        sched_test_run(fn, procs);
        _exit(0);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0)
        ;
    return status;
}

// On 1, 2, 4 and 16 Ps.
static inline void sched_test_all(const char *name, void (*fn)(void))
{
    static const int procs[] = { 1, 2, 4, 16 };
    for (unsigned i = 0; i < 4; i++) {
        int status = sched_test_child(fn, procs[i]);
        if (status != 0) {
            char text[128];
            snprintf(text, sizeof text, "%s with %d Ps: status %#x\n", name, procs[i], status);
            test_print(text);
            abort();
        }
    }
}
#define RUN_ALL(fn) sched_test_all(#fn, fn)

// A group that the main goroutine waits for by yielding.
struct group {
    uint32_t left; // atomic
};
static inline void group_done(struct group *w)
{
    atomic_fetch_sub_acqrel(&w->left, 1);
}
static inline void group_wait(struct group *w)
{
    while (atomic_load_acquire(&w->left) != 0)
        g_yield();
}

#endif
