// The sweep is done before the next collection wants to begin, also where it gets no time of its
// own.
//
// 2 times as many goroutines allocate as there are processors, so the sweeper waits among them; and
// they use one size, while most of what there is to sweep is of other sizes, which their refills do
// not touch.
//
// Counts collections and sweeps: not in modes that collect at every few allocations.
// TEST notmodes=determ
// TEST modes=p1,p2,p4,slice
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

typedef struct cell {
    struct cell *next;
    long number;
} cell;
GORT_TYPE(cell, next);

#define CELLS 60000
#define SIZES 20
static cell *cells;
static char *blocks[SIZES * 400];

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

// Half of all dies at once, so that every span has something to sweep and something to keep.
static void build(void *unused)
{
    (void)unused;
    for (long i = 0; i < 2 * CELLS; i++) {
        cell *c = gort_new(cell);
        c->number = i;
        if (i % 2 != 0) continue;
        gort_init(&c->next, cells);
        gort_set(&cells, c);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        gort_set(&blocks[i], (char *)gort_alloc_noscan(32 + i % SIZES * 48));
        gort_keep_alive(gort_alloc_noscan(32 + i % SIZES * 48));
    }
}

static void churn(void *wg)
{
    int64_t mib = 20 + test_count(80);
    for (int64_t i = 0; i < mib * 1024; i++) {
        char *p = gort_alloc_noscan(1024);
        CHECK_EQ(p[0], 0);
        p[0] = 1;
    }
    gort_waitgroup_done(wg);
}

static void check_cells(void)
{
    long n = 0;
    for (const cell *c = cells; c != NULL; c = c->next, n++)
        CHECK_EQ(c->number, 2 * (CELLS - 1 - n));
    CHECK_EQ(n, CELLS);
}

static double swept(const char *why)
{
    char name[64];
    snprintf(name, sizeof name, "/gort/gc/swept/%s:spans", why);
    return metric(name);
}

TEST(nothing_is_left_for_the_next_cycle)
{
    static gort_waitgroup wg;
    int goroutines = 2 * gort_max_procs(0);
    on_goroutine(build, NULL);
    gort_gc();
    double cycles = metric("/gc/cycles/total:gc-cycles"),
           pages = metric("/gort/gc/swept/pages:pages");
    double finish = swept("finish"), paid = swept("paid");
    gort_waitgroup_add(&wg, goroutines);
    for (int i = 0; i < goroutines; i++)
        gort_go(churn, &wg);
    gort_waitgroup_wait(&wg);
    cycles = metric("/gc/cycles/total:gc-cycles") - cycles;
    pages = metric("/gort/gc/swept/pages:pages") - pages;
    finish = swept("finish") - finish;
    paid = swept("paid") - paid;
    fprintf(stderr, "%g cycles, %g pages swept, %g spans paid for, %g left\n", cycles, pages, paid,
            finish);
    CHECK_GE(cycles, 1);
    CHECK_GT(pages, 300 * cycles);
    CHECK_GT(paid, 0);
    CHECK_LE(finish, pages / 50);
    check_cells();
}

static void tests(void)
{
    RUN(nothing_is_left_for_the_next_cycle);
}
GC_MAIN(tests)
