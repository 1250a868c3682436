// What the runtime itself knows of addresses is no root: a list through several arenas dies when
// the program has dropped it, whatever object lies where an arena begins.
//
// TEST modes=p1,p16
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { MEGABYTES = 200 };

typedef struct piece piece;
struct piece {
    piece *next;
    char rest[2000];
};
GORT_TYPE(piece, next);
static piece *list;

static void build(void *unused)
{
    (void)unused;
    for (int i = 0; i < MEGABYTES * 512; i++) {
        piece *x = gort_new(piece);
        gort_init(&x->next, list);
        gort_set(&list, x);
    }
}

// A chain that began at an arena's first object would hold a third of it, or more.
TEST(long_list_dies)
{
    double in_use = 0;
    on_goroutine(build, NULL);
    CHECK_EQ(gort_metric_read("/gort/heap/in-use:bytes", &in_use), 0);
    CHECK_GT(in_use, (MEGABYTES - 10) * 1e6);
    gort_set(&list, (piece *)NULL);
    for (int i = 0; i < 2; i++)
        gort_gc();
    CHECK_EQ(gort_metric_read("/gort/heap/in-use:bytes", &in_use), 0);
    CHECK_LT(in_use, 30e6);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(long_list_dies);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
