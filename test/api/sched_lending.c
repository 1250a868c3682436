// Blocking regions that are expected to be short keep their P for who comes back: they find it
// again, others get it when the region lasts or the goroutine has had its slice, and stops and
// changes of the number of Ps find it.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t count_of(const char *name)
{
    double n;
    CHECK_EQ(gort_metric_read(name, &n), 0);
    return (int64_t)n;
}

static int64_t lends(void)
{
    return count_of("/gort/sched/lends:events");
}

static int64_t lost(void)
{
    return count_of("/gort/sched/lends/lost:events");
}

// The only place of a region here: what it learns from short ones holds for the long.
static void wait_until_set(void *flag)
{
    while (flag != NULL && LOAD((int *)flag) == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static void train(void)
{
    for (int64_t before = lends(); lends() < before + 100;)
        gort_blocking(wait_until_set, NULL);
}

static void set(void *flag)
{
    STORE((int *)flag, 1);
}

// ---- on one P

static void a_long_region_loses_its_p(void)
{
    int before = gort_max_procs(1);
    for (int64_t i = 0; i < test_count(5);) {
        int flag = 0;
        train();
        int64_t lent = lends(), taken = lost();
        gort_go(set, &flag);
        gort_blocking(wait_until_set, &flag); // for ever, if nobody takes the P for who sets it
        if (lends() == lent) continue;        // it was handed over: this machine is slow just now
        CHECK_GE(lost(), taken + 1);
        i++;
    }
    gort_max_procs(before);
}

// Nothing waits on a queue, and the region's P is the only one that could fire it.
static void a_timer_fires_beside_a_region(void)
{
    int before = gort_max_procs(1);
    for (int64_t i = 0; i < test_count(3); i++) {
        int flag = 0;
        train();
        gort_timer *t = gort_timer_func(GORT_MS, set, &flag);
        gort_blocking(wait_until_set, &flag);
        CHECK(!gort_timer_stop(t));
    }
    gort_max_procs(before);
}

// Though each lending is a new one.
static void short_regions_take_turns(void)
{
    int before = gort_max_procs(1), flag = 0;
    train();
    gort_go(set, &flag);
    while (LOAD(&flag) == 0)
        gort_blocking(wait_until_set, NULL);
    gort_max_procs(before);
}

typedef struct kept {
    char *at[100];
} kept;
GORT_TYPE(kept, at);

static void what_a_region_finds_again(void)
{
    kept *k = gort_new(kept);
    for (int64_t round = 0; round < test_count(2000); round++) {
        int64_t i = round % 100;
        gort_set(&k->at[i], (char *)gort_alloc_noscan(64));
        memset(k->at[i], (int)i, 64);
        errno = (int)i;
        gort_blocking(wait_until_set, NULL);
        CHECK_EQ(errno, (int)i);
        if (round % 200 == 0) gort_gc();
        CHECK_EQ(k->at[i][63], (char)i);
    }
}

// ---- stops, and the number of Ps

enum { BLOCKED = 3 };

static gort_waitgroup group;

static void block_until(void *flag)
{
    gort_blocking(wait_until_set, flag);
    for (int i = 0; i < 1000; i++) // with the P that it found
        memset(gort_alloc_noscan(64), i, 64);
    gort_waitgroup_done(&group);
}

static void stops_beside_lent_ps(void)
{
    int before = gort_max_procs(BLOCKED + 1);
    for (int64_t round = 0; round < test_count(30); round++) {
        int flag = 0;
        train();
        gort_waitgroup_add(&group, BLOCKED);
        for (int i = 0; i < BLOCKED; i++)
            gort_go(block_until, &flag);
        for (int i = 0; i < (int)(round % 8); i++)
            gort_yield();
        if (round % 3 == 0) gort_gc();
        if (round % 3 == 1) CHECK_EQ(gort_max_procs(1), BLOCKED + 1);
        if (round % 3 == 2) CHECK_EQ(gort_max_procs(2), BLOCKED + 1);
        STORE(&flag, 1);
        gort_waitgroup_wait(&group);
        gort_max_procs(BLOCKED + 1);
    }
    gort_max_procs(before);
}

// ---- everything at once

struct load {
    int flag, left;
};

static void regions(void *arg)
{
    struct load *l = arg;
    for (int64_t i = 0; i < test_count(300); i++) {
        int64_t due = gort_now() + (i % 50 == 0 ? 300000 : 0); // ns: a long one now and then
        int done = 1;
        gort_blocking(wait_until_set, i % 2 == 0 ? NULL : &done);
        while (gort_now() < due)
            gort_blocking(wait_until_set, NULL);
        memset(gort_alloc_noscan(100), 1, 100);
        if (i % 7 == 0) gort_yield();
    }
    ADD(&l->left, -1);
}

static void lending_in_a_crowd(void)
{
    int before = gort_max_procs(0);
    struct load l = { .left = 8 };
    for (int i = 0; i < 8; i++)
        gort_go(regions, &l);
    for (int64_t round = 0; LOAD(&l.left) != 0; round++) {
        gort_max_procs((int)(1 + round % 5));
        if (round % 4 == 0) gort_gc();
        gort_sleep(100 * GORT_US);
    }
    gort_max_procs(before);
}

// ---- files

static void a_file_keeps_the_p(void)
{
    char path[] = "/tmp/gort-lending-XXXXXX";
    int fd = mkstemp(path);
    CHECK_GE(fd, 0);
    CHECK_EQ(unlink(path), 0);
    int64_t before = lends(), n = 0;
    for (; lends() == before; n++)
        CHECK_EQ(gort_write(fd, "x", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_END), n);
    CHECK_EQ(gort_close_fd(fd), 0);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    a_long_region_loses_its_p();
    a_timer_fires_beside_a_region();
    short_regions_take_turns();
    what_a_region_finds_again();
    stops_beside_lent_ps();
    lending_in_a_crowd();
    a_file_keeps_the_p();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
