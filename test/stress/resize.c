// The number of Ps goes from 1 to 16 and back, again and again, while everything runs: queues,
// timers, caches, mark buffers and waits for descriptors are handed over, and nothing is lost, done
// twice or left lying.
//
// Each kind of work does a known amount and checks it; a thing that is lost leaves the test
// waiting.
// TEST notmodes=p1,p2,p4,p16,gcp1,gcp16,determ
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EACH = 4, BURST = 20 }; // goroutines of each kind; started at a time

static gort_waitgroup group;
static int working;
static int64_t rounds;

static void finish(void)
{
    ADD(&working, -1);
    gort_waitgroup_done(&group);
}

// ---- queues

static void add_one(void *arg)
{
    ADD((int *)arg, 1);
}

static void spawn(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < rounds; i++) {
        int ran = 0;
        for (int k = 0; k < BURST; k++)
            gort_go(add_one, &ran);
        while (LOAD(&ran) < BURST)
            gort_yield();
        CHECK_EQ(LOAD(&ran), BURST);
    }
    finish();
}

struct pair {
    gort_chan(int64_t) there, back;
};

static void answer(void *arg)
{
    struct pair *p = arg;
    int64_t v, next = 0;
    while (gort_recv(p->there, &v)) {
        CHECK_EQ(v, next++);
        gort_send(p->back, 2 * v);
    }
}

static void talk(void *arg)
{
    struct pair p = { gort_chan_make(int64_t, arg != NULL), gort_chan_make(int64_t, 0) };
    gort_go_copy(answer, &p, sizeof p);
    for (int64_t i = 0; i < 10 * rounds; i++) {
        int64_t v = -1;
        gort_send(p.there, i);
        CHECK(gort_recv(p.back, &v));
        CHECK_EQ(v, 2 * i);
    }
    gort_close(p.there);
    finish();
}

// ---- timers

static void nap(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < rounds; i++) {
        int64_t ns = (i % 7 + 1) * 30 * GORT_US, before = gort_now();
        gort_sleep(ns);
        CHECK_GE(gort_now() - before, ns);
    }
    finish();
}

static void call(void *arg)
{
    (void)arg;
    int fired = 0;
    for (int64_t i = 0; i < rounds; i++)
        (void)gort_timer_func((i % 11 + 1) * 50 * GORT_US, add_one, &fired);
    while (LOAD(&fired) < rounds)
        gort_sleep(50 * GORT_US);
    gort_sleep(GORT_MS);
    CHECK_EQ(LOAD(&fired), rounds);
    finish();
}

static void wait_for_channel(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < rounds; i++) {
        gort_chan(int64_t) c = gort_after((i % 5 + 1) * 40 * GORT_US);
        CHECK(gort_recv(c, NULL));
    }
    finish();
}

// ---- descriptors

static void echo(void *arg)
{
    int *ends = arg; // of two pipes: read from the first, write to the second
    int64_t v;
    while (gort_read(ends[0], &v, sizeof v) == sizeof v)
        CHECK_EQ(gort_write(ends[3], &v, sizeof v), sizeof v);
    CHECK_EQ(gort_close_fd(ends[0]), 0);
    CHECK_EQ(gort_close_fd(ends[3]), 0);
}

static void pipes(void *arg)
{
    (void)arg;
    int ends[4];
    CHECK_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    CHECK_EQ(pipe2(ends + 2, O_NONBLOCK | O_CLOEXEC), 0);
    gort_go_copy(echo, ends, sizeof ends);
    for (int64_t i = 0, v = -1; i < rounds; i++) {
        CHECK_EQ(gort_write(ends[1], &i, sizeof i), sizeof i);
        CHECK_EQ(gort_read(ends[2], &v, sizeof v), sizeof v);
        CHECK_EQ(v, i);
    }
    CHECK_EQ(gort_close_fd(ends[1]), 0);
    CHECK_EQ(gort_read(ends[2], ends, 1), 0);
    CHECK_EQ(gort_close_fd(ends[2]), 0);
    finish();
}

// ---- threads

static void block(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < rounds; i++) {
        gort_enter_blocking();
        usleep(20);
        gort_exit_blocking();
    }
    finish();
}

static void stay(void *arg)
{
    (void)arg;
    gort_lock_thread();
    long thread = syscall(SYS_gettid);
    for (int64_t i = 0; i < rounds; i++) {
        gort_yield();
        if (i % 8 == 0) gort_sleep(20 * GORT_US);
        CHECK_EQ(syscall(SYS_gettid), thread);
    }
    gort_unlock_thread();
    finish();
}

// Its P may be taken from it.
static void compute(void *arg)
{
    volatile uint64_t n = (uintptr_t)arg;
    for (int64_t i = 0; i < rounds; i++) {
        for (int k = 0; k < 20000; k++)
            n = n * 3 + 1;
        gort_yield();
    }
    finish();
}

// ---- memory

typedef struct node {
    struct node *next;
    uint64_t key;
} node;
GORT_TYPE(node, next);

static void allocate(void *arg)
{
    uint64_t base = (uintptr_t)arg << 32;
    for (int64_t i = 0; i < rounds; i++) {
        node *list = NULL;
        for (uint64_t k = 0; k < 50; k++) {
            node *n = gort_new(node);
            n->key = base + k;
            gort_init(&n->next, list);
            list = n;
        }
        if (i % 50 == 0) gort_gc();
        gort_yield();
        for (uint64_t k = 50; k-- > 0; list = list->next)
            CHECK_EQ(list->key, base + k);
        CHECK(list == NULL);
    }
    finish();
}

// ------------------------------------------------------------------------------------------------

static void (*const kinds[])(void *) = { spawn, talk,  nap,  call,    wait_for_channel,
                                         pipes, block, stay, compute, allocate };
enum { KINDS = sizeof kinds / sizeof *kinds };

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int procs = gort_max_procs(1);
    rounds = test_count(1500);
    STORE(&working, EACH * KINDS);
    gort_waitgroup_add(&group, EACH * KINDS);
    for (uintptr_t i = 0; i < EACH; i++)
        for (int k = 0; k < KINDS; k++)
            gort_go(kinds[k], (void *)(i % 2));
    do {
        CHECK_EQ(gort_max_procs(16), 1);
        gort_yield();
        CHECK_EQ(gort_max_procs(1), 16);
        gort_yield();
    } while (LOAD(&working) != 0);
    gort_waitgroup_wait(&group);
    WAIT_FOR(gort_num_goroutines() == 1);
    gort_max_procs(procs);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
