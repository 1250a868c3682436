// What can not be had: memory, threads, stacks. Each ends in a report that says what was wanted.
//
// EXPECT memory skip=emulated env:GORTMAXPROCS=1 stderr=^fatal error: out of memory
// EXPECT memory stderr=^keep_allocating\(\.\.\.\)$
// EXPECT memory-large skip=emulated env:GORTMAXPROCS=1 stderr=^fatal error: out of memory
// EXPECT memory-large stderr=^keep_allocating\(\.\.\.\)$
// EXPECT memory-garbage env:GORTMAXPROCS=1 exit=0
// EXPECT heap env:GORTDEBUG=mapfailfrom=1 stderr=^fatal error: out of memory: the kernel gave none for the heap
// EXPECT map env:GORTDEBUG=mapfailfrom=40 stderr=^fatal error: (out of memory|can not)
// EXPECT thread env:GORTDEBUG=threadfail=1 stderr=^fatal error: can not create a thread \(have \d+ already\): .*; see ulimit -v and ulimit -u$
// EXPECT thread-later env:GORTDEBUG=threadfail=3 env:GORTMAXPROCS=4 stderr=^fatal error: can not create a thread \(have \d+ already\)
// EXPECT threads stderr=^fatal error: the program needs more than 12 threads \(has 12\): many goroutines block
// EXPECT threads-below stderr=^fatal error: the program needs more than 1 threads \(has \d+\):
// EXPECT threads-attached exit=0 stdout=^attached 40$
// EXPECT stacks stderr=^fatal error: can not make a goroutine's stack of \d+ bytes
// EXPECT stacks stderr=^case_stacks\(\.\.\.\)$
// EXPECT stacks-later env:GORTMAXPROCS=1 stderr=^fatal error: can not make a goroutine's stack of \d+ bytes \(\d+ stacks so far\)
// EXPECT stacks-later stderr=^goroutine \d+ was to begin, started by start_many in goroutine 1$
//
// TEST skip=asan,tsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

typedef struct block block;
struct block {
    block *next;
    char *rest;
};
GORT_TYPE(block, next, rest);

static block *blocks;

NOINLINE static void keep_allocating(size_t size)
{
    for (;;) {
        block *b = gort_new(block);
        gort_set(&b->rest, (char *)gort_alloc_noscan(size));
        memset(b->rest, 1, size);
        gort_set(&b->next, blocks);
        gort_set(&blocks, b);
    }
}

// Far more than fits, but never much at a time.
static void make_garbage(void)
{
    for (int i = 0; i < 4000; i++)
        memset(gort_alloc_noscan(1 << 20), 1, 4096);
}

static void sleeper(void *arg)
{
    gort_recv(*(gort_chan(int) *)arg, NULL);
}

NOINLINE static void case_stacks(void)
{
    static gort_chan(int) c;
    gort_set(&c, gort_chan_make(int, 0));
    for (;;)
        gort_go_opt(&(gort_go_options){ .stack_size = 256 << 20 }, sleeper, &c);
}

// Each has its stack when it first runs: before the next is started, so that it is stacks that run
// out and not the records of those that wait for theirs.
NOINLINE static void start_many(gort_chan(int) *c)
{
    for (;;) {
        gort_go(sleeper, c);
        gort_yield();
    }
}

static void case_stacks_later(void)
{
    static gort_chan(int) c;
    gort_set(&c, gort_chan_make(int, 0));
    start_many(&c);
}

static void spin(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        gort_sleep(GORT_MS);
        gort_yield();
    }
}

// ---- threads

static gort_chan(int) asked;

static void block_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        pause();
}

static void blocker(void *unused)
{
    gort_blocking(block_for_ever, unused);
}

static void case_threads(int limit)
{
    gort_set_max_threads(limit);
    for (int i = 0; i < 40; i++)
        gort_go(blocker, NULL);
    for (;;)
        gort_yield();
}

static void *attach(void *unused)
{
    if (gort_thread_attach() != 0) abort();
    gort_send(asked, 1);
    block_for_ever(unused);
    return NULL;
}

// The program's own threads do not count.
static void case_attached(void)
{
    int n = 0;
    gort_set(&asked, gort_chan_make(int, 0));
    gort_set_max_threads(12);
    for (int i = 0; i < 40; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, attach, NULL) != 0) abort();
    }
    while (n < 40)
        n += gort_recv(asked, NULL);
    printf("attached %d\n", n);
    fflush(stdout);
    _exit(0);
}

static int main_goroutine(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "memory") == 0 || strcmp(name, "map") == 0) keep_allocating(200);
    if (strcmp(name, "memory-large") == 0) keep_allocating(3 << 20);
    if (strcmp(name, "memory-garbage") == 0) make_garbage();
    if (strcmp(name, "stacks") == 0) case_stacks();
    if (strcmp(name, "stacks-later") == 0) case_stacks_later();
    if (strcmp(name, "threads") == 0) case_threads(12);
    if (strcmp(name, "threads-below") == 0) case_threads(1);
    if (strcmp(name, "threads-attached") == 0) case_attached();
    do {
        for (int i = 0; i < 100; i++)
            gort_go(spin, NULL);
        gort_sleep(200 * GORT_MS);
    } while (strcmp(name, "thread-later") == 0); // until the runtime wants that thread
    return 0;
}

static void limit_address_space(rlim_t bytes)
{
    struct rlimit limit = { bytes, bytes };
    if (setrlimit(RLIMIT_AS, &limit) != 0) perror("setrlimit");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strncmp(name, "memory", 6) == 0) limit_address_space((rlim_t)512 << 20);
    if (strncmp(name, "stacks", 6) == 0) limit_address_space((rlim_t)4 << 30);
    return gort_run(main_goroutine, argc, argv);
}
