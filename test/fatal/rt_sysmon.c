// What the monitor does by the clock: its trace, a forced collection, following the machine.
//
// EXPECT trace exit=0 env:GORTDEBUG=schedtrace=10 env:GORTMAXPROCS=3
// EXPECT trace stderr=^SCHED \d+ms: gomaxprocs=3 idleprocs=[0-3] threads=\d+ spinningthreads=\d needspinning=0 idlethreads=\d+ runqueue=\d+ \[ \d+ \d+ \d+ \] schedticks=\[ \d+ \d+ \d+ \]$
// EXPECT detail exit=0 env:GORTDEBUG=schedtrace=10,scheddetail=1 env:GORTMAXPROCS=2
// EXPECT detail stderr=^SCHED \d+ms: gomaxprocs=2 idleprocs=[0-2] threads=\d+ spinningthreads=\d needspinning=0 idlethreads=\d+ runqueue=\d+$
// EXPECT detail stderr=^  P1: status=\d schedtick=\d+ m=(nil|\d+) runqsize=\d+ gfreecnt=\d+ timerslen=\d+$
// EXPECT detail stderr=^  M0: p=(nil|\d) curg=(nil|\d+) state=\w+ spinning=[01] lockedg=nil$
// EXPECT detail stderr=^  G1: status=\d\(.*\) lockedm=nil$
// EXPECT off exit=0 absent=SCHED
// EXPECT period exit=0 env:GORTDEBUG=gcperiod=20,gctrace=1 stderr=^gc 3 @
// EXPECT no-period exit=0 env:GORTGC=off env:GORTDEBUG=gcperiod=20,gctrace=1 absent=^gc \d
// EXPECT boot exit=0 env:GORTDEBUG=boottrace=1 env:GORTMAXPROCS=2 stderr=^gort: boot: environment\ngort: boot: machine: linux \w+, \d+ CPUs, quota \d+\.\d\d, pages of \d+ KB, huge ones of \d+ KB, 2 Ps wanted; gort \d+\.\d+\.\d+\ngort: boot: heap\ngort: boot: collector\ngort: boot: faults\ngort: boot: scheduler\ngort: boot: main goroutine\ngort: boot: background goroutines\ngort: boot: monitor\ngort: boot: main function\ngort: boot: main function returned$
// EXPECT undeclared exit=0 env:GORTMAXPROCS=1
// EXPECT undeclared-beside exit=0 env:GORTMAXPROCS=1
// EXPECT computing exit=0 env:GORTMAXPROCS=1 stderr=^gort: goroutine \d+ computes for long without a call, and keeps those waiting that its P could run: 4 threads compute without a P already \(said once; /gort/sched/retakes/refused counts\)$
// EXPECT computing absent=(?s)computes for long.*computes for long
// EXPECT follows exit=0
// EXPECT fixed-by-call exit=0
// EXPECT fixed-by-environment exit=0 env:GORTMAXPROCS=2
// EXPECT fixed-by-debug exit=0 env:GORTDEBUG=updatemaxprocs=0
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "../listed.h"

static void fail(const char *what)
{
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void wait_ms(int64_t ms)
{
    gort_sleep(ms * GORT_MS);
}

// ---- collections --------------------------------------------------------------------------------

static uint64_t collections(void)
{
    gort_stats s;
    gort_read_stats(&s);
    return s.num_gc;
}

static void case_period(void)
{
    while (collections() < 4) // the case's time limit is the other end
        wait_ms(10);
}

// ---- Ps -----------------------------------------------------------------------------------------

static cpu_set_t all, first;

static bool read_masks(void)
{
    if (sched_getaffinity(getpid(), sizeof all, &all) != 0) fail("sched_getaffinity");
    CPU_ZERO(&first);
    for (int i = 0; CPU_COUNT(&first) == 0; i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &first);
    return CPU_COUNT(&all) > 1;
}

static void set_mask(const cpu_set_t *mask)
{
    if (sched_setaffinity(getpid(), sizeof *mask, mask) != 0) fail("sched_setaffinity");
}

static void case_follows(void)
{
    int before = gort_max_procs(0);
    if (!read_masks() || before == 1) return; // one CPU: there is nothing to follow
    for (int i = 0; i < 2; i++) {
        set_mask(&first);
        while (gort_max_procs(0) != 1)
            wait_ms(10);
        set_mask(&all);
        while (gort_max_procs(0) != before)
            wait_ms(10);
    }
}

// Three looks of the monitor.
static void stays(int n)
{
    if (!read_masks()) return;
    set_mask(&first);
    for (int i = 0; i < 300; i++) {
        if (gort_max_procs(0) != n) fail("the number of Ps has changed");
        wait_ms(10);
    }
}

// ---- blocking in the kernel, undeclared ---------------------------------------------------------

// More than may compute without a P, on one P.
enum { READERS = 12, COMPUTING = 6 };

static int fds[2];
static gort_waitgroup left;
static bool over; // atomic

// The thread sleeps in the kernel with the only P, and says nothing.
static void reads(void *arg)
{
    char byte = 0;
    (void)arg;
    if (read(fds[0], &byte, 1) != 1 || byte != 'x') fail("read"); // SA_RESTART: no EINTR
    gort_waitgroup_done(&left);
}

static void computes(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
        ;
    gort_waitgroup_done(&left);
}

static void begin_reading(void)
{
    if (pipe(fds) != 0) fail("pipe");
    gort_waitgroup_add(&left, READERS);
    for (int i = 0; i < READERS; i++)
        gort_go(reads, NULL);
    gort_yield(); // they run; only when its P is taken from the last one does this come back
}

static void end_reading(void)
{
    for (int i = 0; i < READERS; i++)
        if (write(fds[1], "x", 1) != 1) fail("write");
    gort_waitgroup_wait(&left);
}

// Those that sleep do not keep one that computes from losing its P.
static void case_undeclared_beside(void)
{
    begin_reading();
    gort_waitgroup_add(&left, 1);
    gort_go(computes, NULL);
    for (int i = 0; i < 5; i++)
        wait_ms(1);
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    end_reading();
}

// A thread of the program's own: nobody else runs.
static void *end_computing(void *arg)
{
    while (!is_printed(1))
        usleep(1000);
    usleep(100000); // some more looks of the monitor
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    return arg;
}

static void case_computing(void)
{
    pthread_t thread;
    gort_waitgroup_add(&left, COMPUTING);
    for (int i = 0; i < COMPUTING; i++)
        gort_go(computes, NULL);
    if (pthread_create(&thread, NULL, end_computing, NULL) != 0) fail("pthread_create");
    gort_waitgroup_wait(&left);
    pthread_join(thread, NULL);
}

static int main_goroutine(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    bool traces = strcmp(name, "trace") == 0 || strcmp(name, "detail") == 0;
    if (strcmp(name, "period") == 0)
        case_period();
    else if (strcmp(name, "no-period") == 0)
        wait_ms(300);
    else if (strcmp(name, "undeclared") == 0)
        begin_reading(), end_reading();
    else if (strcmp(name, "undeclared-beside") == 0)
        case_undeclared_beside();
    else if (strcmp(name, "computing") == 0)
        case_computing();
    else if (strcmp(name, "follows") == 0)
        case_follows();
    else if (strncmp(name, "fixed", 5) == 0) {
        if (strcmp(name, "fixed-by-call") == 0) gort_max_procs(3);
        stays(gort_max_procs(0));
    } else {
        wait_ms(200);
        while (traces && !is_printed(4000)) // several times all there is
            wait_ms(10);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
