// Alternate signal stacks with SS_AUTODISARM hide what a handler interrupted: the first stop
// refuses them.
//
// TEST skip=asan,tsan,ubsan
// EXPECT armed skip=emulated exit=2 stderr=^fatal error: this thread has an alternate signal stack with SS_AUTODISARM, which hides
// EXPECT inside skip=emulated exit=2 stderr=^fatal error: a thread is on an unknown stack and has no alternate signal stack: sigaltstack was called with SS_AUTODISARM
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <gort.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "../test.h"

#define AUTODISARM ((int)(1u << 31))
enum { STACK_BYTES = 64 << 10 };

static int ready; // atomic

static void collect(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
        gort_yield();
    gort_gc();
}

static void compute(void)
{
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    for (;;)
        __asm__ volatile("" ::: "memory");
}

static void mask_stops(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(how, &set, NULL);
}

static void handler(int sig)
{
    (void)sig;
    mask_stops(SIG_UNBLOCK);
    compute();
}

static int gort_main(int argc, char **argv)
{
    stack_t stack = { .ss_size = STACK_BYTES, .ss_flags = AUTODISARM };
    struct sigaction act = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
    (void)argc;
    stack.ss_sp =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack.ss_sp != MAP_FAILED);
    gort_lock_thread();
    gort_go(collect, NULL);
    mask_stops(SIG_BLOCK); // none comes before the thread is where it is to be met
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    if (strcmp(argv[1], "inside") == 0) raise(SIGUSR1);
    mask_stops(SIG_UNBLOCK);
    compute();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
