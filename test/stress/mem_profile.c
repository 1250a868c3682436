// The memory profile while everything happens at once: goroutines allocate on all Ps, some change
// the rate, some collect, some write.  Each file is whole, and nowhere are more objects in use than
// were allocated.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <gort.h>
#include <sys/mman.h>

#include "pprof.h"

typedef struct node {
    struct node *next;
    long words[4];
} node;
GORT_TYPE(node, next);

#define LISTS 8

static node *lists[LISTS];
static gort_waitgroup workers, others;
static int working; // atomic

__attribute__((noinline)) static void grow(int list, int n)
{
    for (int i = 0; i < n; i++) {
        node *x = gort_new(node);
        gort_init(&x->next, lists[list]);
        gort_set(&lists[list], x);
    }
}

static void allocate(void *arg)
{
    int list = *(int *)arg;
    uint64_t state = test_seed() + (uint64_t)list;
    for (int64_t i = test_count(3000); i > 0; i--) {
        grow(list, (int)(test_random(&state) % 20));
        size_t n = test_random(&state) % 3000;
        memset(gort_alloc(n + 1), 1, n);
        (void)*(volatile char *)gort_alloc_noscan(test_random(&state) % 15 + 1);
        if (i % 64 == 0) (void)*(volatile char *)gort_alloc_noscan(100000);
        if (test_random(&state) % 100 == 0) gort_set(&lists[list], (node *)NULL);
        if (i % 32 == 0) gort_yield();
    }
    __atomic_fetch_sub(&working, 1, __ATOMIC_RELAXED);
    gort_waitgroup_done(&workers);
}

static bool at_work(void)
{
    return __atomic_load_n(&working, __ATOMIC_RELAXED) > 0;
}

static void write_and_check(void)
{
    int fd = memfd_create("profile", 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_mem_profile_write(fd), 0);
    struct profile *p = pprof_read(fd);
    close(fd);
    for (size_t i = 0; i < p->nsamples; i++) {
        const int64_t *v = p->samples[i].value;
        CHECK_GT(v[0], 0);
        CHECK_GE(v[2], 0);
        CHECK_LE(v[2], v[0]);
        CHECK_EQ(v[1], v[0] * (int64_t)p->samples[i].bytes);
        CHECK_EQ(v[3], v[2] * (int64_t)p->samples[i].bytes);
    }
    pprof_free(p);
}

static void write_often(void *arg)
{
    (void)arg;
    do {
        write_and_check();
        gort_yield();
    } while (at_work());
    gort_waitgroup_done(&others);
}

static void change_rate(void *arg)
{
    static const int64_t rates[] = { 1, 0, 4096, 1, 524288, 100, (int64_t)1 << 50 };
    (void)arg;
    for (unsigned i = 0; at_work(); i++) {
        int64_t old = gort_set_mem_profile_rate(rates[i % (sizeof rates / sizeof rates[0])]);
        CHECK_GE(old, 0);
        gort_sleep(200 * GORT_US);
    }
    gort_waitgroup_done(&others);
}

static void collect(void *arg)
{
    (void)arg;
    while (at_work()) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    gort_waitgroup_done(&others);
}

static void change_procs(void *arg)
{
    (void)arg;
    for (int i = 0; at_work(); i++) {
        gort_max_procs(i % 5 + 1);
        gort_sleep(GORT_MS);
    }
    gort_waitgroup_done(&others);
}

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

static int gort_main(int argc, char **argv)
{
    void (*const helpers[])(void *) = { write_often, write_often, change_rate, collect,
                                        change_procs };
    (void)argc;
    (void)argv;
    working = LISTS;
    for (int i = 0; i < LISTS; i++) {
        gort_waitgroup_add(&workers, 1);
        gort_go_copy(allocate, &i, sizeof i);
    }
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++) {
        gort_waitgroup_add(&others, 1);
        gort_go(helpers[i], NULL);
    }
    gort_waitgroup_wait(&workers);
    gort_waitgroup_wait(&others);
    CHECK(metric("/gort/profile/memory/samples:objects") > 0);
    CHECK(metric("/gort/profile/memory/dropped:objects") == 0);
    // All that is sampled can be freed again.
    for (int i = 0; i < LISTS; i++)
        gort_set(&lists[i], (node *)NULL);
    gort_set_mem_profile_rate(0);
    do // a goroutine may still be about to end, its stack a root; the time limit is the other end
        gort_gc();
    while (metric("/gort/profile/memory/live:objects") >=
           metric("/gort/profile/memory/samples:objects") / 10 + 1000);
    write_and_check();
    return 0;
}

int main(int argc, char **argv)
{
    gort_set_mem_profile_rate(4096);
    return gort_run(gort_main, argc, argv);
}
