// Runs a function as the main goroutine of a runtime up to the collector's floor (and malloc's, for
// tests that link it), in a child process of its own, because a process has one scheduler.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GC_TEST_H
#define GC_TEST_H

#include <signal.h>
#include <sys/wait.h>

#include "../../test.h"
#include "base/atomic.h"
#include "gc/gc.h"
#include "gort/mem.h"
#include "heap/heap.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sched/stw.h"

struct gc_test_options {
    int percent;
    uint32_t gcstress;
    bool gccheck, gccheckmark, clobber;
    uint32_t small, stoptheworld;
    bool no_background; // gc_start_background is the test's to call
};
static const struct gc_test_options gc_test_plain = { .percent = 100, .gccheck = true };

struct gc_test_main {
    void (*fn)(void);
    const struct gc_test_options *o;
};

static void gc_test_entry(void *arg)
{
    struct gc_test_main *t = arg;
    if (!t->o->no_background) gc_start_background();
    t->fn();
    sched_main_done();
}

// In this process; does not return.
__attribute__((noreturn)) static inline void gc_test_run(void (*fn)(void), int procs,
                                                         const struct gc_test_options *o)
{
    struct gc_test_main t = { fn, o };
    struct heap_params params = { .huge_pages = true, .clobber_free = o->clobber };
    struct gc_options options = { .percent = o->percent,
                                  .debug = { .gcstress = o->gcstress,
                                             .gccheck = o->gccheck,
                                             .gccheckmark = o->gccheckmark,
                                             .small = o->small,
                                             .stoptheworld = o->stoptheworld } };
    struct sched_hooks hooks = { 0 };
    random_set_process_seed(test_seed());
    CHECK(heap_init(&params));
    gc_init(&options);
    gc_hooks_fill(&hooks);
    sched_hooks_install(&hooks);
    sched_init(procs);
    sched_run(gc_test_entry, &t, 0);
    _exit(0);
}

static inline void gc_test_child(const char *name, void (*fn)(void), int procs,
                                 const struct gc_test_options *o)
{
    int status = -1;
    test_seed();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        test_current = name;
        gc_test_run(fn, procs, o);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    if (status != 0) {
        char text[160];
        snprintf(text, sizeof text, "%s with %d Ps: status %#x\n", name, procs, status);
        test_print(text);
        abort();
    }
}

// On 1, 2, 4 and 16 Ps.
static inline void gc_test_all(const char *name, void (*fn)(void), const struct gc_test_options *o)
{
    static const int procs[] = { 1, 2, 4, 16 };
    for (unsigned i = 0; i < 4; i++)
        gc_test_child(name, fn, procs[i], o);
}
#define RUN_ALL(fn) gc_test_all(#fn, fn, &gc_test_plain)
#define RUN_ON(fn, procs) gc_test_child(#fn, fn, procs, &gc_test_plain)
#define RUN_WITH(fn, o) gc_test_all(#fn, fn, o)

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
static inline void go(void (*fn)(void *), void *arg)
{
    g_start(fn, arg, NULL, 0);
}

// Overwrites what dead frames left on the stack and in registers.
__attribute__((noinline, unused)) static void scrub_stack(void)
{
    volatile uintptr_t words[512];
    for (unsigned i = 0; i < 512; i++)
        words[i] = 0;
    __asm__ volatile("" : : "r"(&words) : "memory");
}

#endif
