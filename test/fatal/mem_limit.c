// Memory that can not be had: collected first, then reported.
//
// EXPECT limit-large skip=emulated env:GORTMAXPROCS=1 exit=2 stderr=^fatal error: out of memory: gort_alloc can not allocate \d+ bytes; the heap has \d+ MB mapped, \d+ MB in use, \d+ MB live; address space is limited to
// EXPECT limit-small skip=emulated env:GORTMAXPROCS=1 exit=2 stderr=^fatal error: out of memory: gort_new can not allocate \d+ bytes; .*address space is limited to
// EXPECT limit-garbage env:GORTMAXPROCS=1 exit=0 stdout=^survived$
// TEST skip=asan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <sys/resource.h>

#include "../test.h"

typedef struct cell {
    struct cell *next;
    char space[4088];
} cell;
GORT_TYPE(cell, next);

static const char *which;
static bool is(const char *name)
{
    return strcmp(which, name) == 0;
}

static void limit_address_space(size_t more)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL && fscanf(f, "%zu", &pages) == 1);
    fclose(f);
    struct rlimit r = { pages * 4096 + more, pages * 4096 + more };
    CHECK_EQ(setrlimit(RLIMIT_AS, &r), 0);
}

static cell *all;

static void fill_small(void)
{
    for (;;) {
        cell *c = gort_new(cell);
        gort_init(&c->next, all);
        gort_set(&all, c);
    }
}

static void fill_large(void)
{
    static void *keep[4096];
    for (int i = 0; i < 4096; i++)
        gort_set(&keep[i], gort_alloc(3 << 20));
}

// Ten times the limit is allocated, collected as memory runs out.
static void fill_garbage(void)
{
    gort_set_gc_percent(-1);
    for (int i = 0; i < 1000; i++) {
        char *p = gort_alloc_noscan(1 << 20);
        p[i] = 1;
        gort_keep_alive(gort_new(cell));
    }
    printf("survived\n");
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    limit_address_space(200 << 20);
    if (is("limit-large")) fill_large();
    if (is("limit-small")) fill_small();
    if (is("limit-garbage")) fill_garbage();
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    return gort_run(gort_main, argc, argv);
}
