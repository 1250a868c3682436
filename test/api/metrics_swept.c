// What spans are swept for, in the metrics: an object was asked about, pages were wanted. Nobody sweeps in a
// stop (test/fatal/gc_stopped.c has who does), and nothing is left in caches to be swept when they give it
// up, since the stop that ends marking empties them.
// TEST notmodes=determ,gcefence
//
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

typedef struct cell {
    struct cell *next;
    long number[5];
} cell;
GORT_TYPE(cell, next);

enum { CELLS = 20000, LARGE = 1 << 20 };
static cell *kept[CELLS / 8];
static char *large;

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

static double swept(const char *why)
{
    char name[64];
    snprintf(name, sizeof name, "/gort/gc/swept/%s:spans", why);
    return metric(name);
}

// Seven of eight die, and the spans of the others; until a collection has come by itself.
static void build(void *unused)
{
    (void)unused;
    double cycles = metric("/gc/cycles/total:gc-cycles");
    do
        for (int i = 0; i < CELLS; i++) {
            cell *c = gort_new(cell);
            if (i % 8 == 0) gort_set(&kept[i / 8], c);
        }
    while (metric("/gc/cycles/total:gc-cycles") == cycles);
}

// The time limit is the other end of these: the sweeper may have been faster.
TEST(what_is_asked_about)
{
    double before = swept("demand");
    while (swept("demand") == before) {
        on_goroutine(build, NULL);
        for (int i = 0; i < CELLS / 8; i++)
            gort_keep_alive(gort_weak_make(kept[i]));
    }
}

TEST(what_gives_pages)
{
    double before = swept("reclaim"), freed = metric("/gort/gc/reclaim/freed:pages");
    while (metric("/gort/gc/reclaim/freed:pages") == freed) {
        memset(kept, 0, sizeof kept);
        on_goroutine(build, NULL);
        for (int i = 0; i < 8; i++)
            gort_set(&large, (char *)gort_alloc_noscan(LARGE));
    }
    CHECK(swept("reclaim") > before);
}

TEST(what_there_is_none_of)
{
    CHECK(swept("flush") == 0);
    CHECK(swept("stopped") == 0);
    CHECK(metric("/gort/gc/swept/pages:pages") > 0);
}

static void tests(void)
{
    RUN(what_is_asked_about);
    RUN(what_gives_pages);
    RUN(what_there_is_none_of);
}
GC_MAIN(tests)
