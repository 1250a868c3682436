// Little address space, or not where it is looked for: the runtime starts and works, or says why
// not. An arena has 64 MB of address space; where that is refused just what is needed is asked for.
//
// EXPECT space-300 exit=0 stdout=^done$
// EXPECT space-150 env:GORTMAXPROCS=1 exit=0 stdout=^done$
// EXPECT space-none skip=emulated exit=2 stderr=^fatal error: .*(out of memory|address space|see ulimit -v)
// EXPECT space-none absent=done
// EXPECT space-exhausted skip=emulated env:GORTMAXPROCS=1 exit=2 stderr=^fatal error: (out of memory: gort_alloc can not allocate \d+ bytes; the heap has \d+ MB mapped, \d+ MB in use, \d+ MB live; address space is limited to 300 MB|can not create a thread)
// EXPECT data-160 env:GORTMAXPROCS=1 exit=0 stdout=^done$
// EXPECT data-exhausted skip=emulated env:GORTMAXPROCS=1 exit=2 stderr=^fatal error: (out of memory: gort_alloc can not allocate|can not create a thread)
// EXPECT hint-taken exit=0 stdout=^done$
// EXPECT hints-taken exit=0 stdout=^done$
// EXPECT arenas-apart exit=0 stdout=^done$
// TEST skip=asan,tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../test.h"

#define MB ((size_t)1 << 20)
#define HINT ((uintptr_t)0x3b9f00000000) // where the first arena is asked for

static const char *which;

static bool is(const char *name)
{
    return strcmp(which, name) == 0;
}

static void limit(int resource, size_t bytes)
{
    struct rlimit r = { bytes, bytes };
    CHECK_EQ(setrlimit(resource, &r), 0);
}

static void occupy(uintptr_t addr)
{
    void *p = mmap((void *)addr, 4096, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK_PTR_EQ(p, addr);
}

typedef struct node {
    struct node *next;
    char rest[1000];
} node;
GORT_TYPE(node, next);
static node *kept;
static char *large[64];

// Some megabytes live, ten times as many allocated.
static void work(void)
{
    for (int round = 0; round < 10; round++) {
        gort_set(&kept, (node *)NULL);
        for (int i = 0; i < 5000; i++) {
            node *n = gort_new(node);
            CHECK_EQ(n->rest[999], 0);
            n->rest[999] = 1;
            gort_init(&n->next, kept);
            gort_set(&kept, n);
        }
        gort_set(&large[round % 3], (char *)gort_alloc_noscan(3 * MB));
        memset(large[round % 3], 1, 3 * MB);
    }
    int n = 0;
    for (node *p = kept; p != NULL; p = p->next)
        n++;
    CHECK_EQ(n, 5000);
}

static void exhaust(void)
{
    static void *all[4096];
    for (int i = 0; i < 4096; i++)
        gort_set(&all[i], gort_alloc(3 * MB));
}

// The arenas can not be neighbours: each has something right behind it.
static void apart(void)
{
    for (int i = 0; i < 8; i++) {
        gort_set(&large[i], (char *)gort_alloc_noscan(60 * MB));
        large[i][60 * MB - 1] = (char)i;
        uintptr_t end = ((uintptr_t)large[i] + 64 * MB) & ~(64 * MB - 1);
        void *p = mmap((void *)end, 4096, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        (void)p; // taken already, or now
    }
    for (int i = 0; i < 8; i++)
        CHECK_EQ(large[i][60 * MB - 1], (char)i);
    gort_gc();
    for (int i = 0; i < 8; i++)
        gort_set(&large[i], (char *)NULL);
    gort_free_os_memory();
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (is("arenas-apart")) apart();
    if (is("space-exhausted") || is("data-exhausted")) exhaust();
    work();
    gort_free_os_memory();
    work();
    printf("done\n");
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    if (is("space-300") || is("space-exhausted")) limit(RLIMIT_AS, 300 * MB);
    if (is("space-150")) limit(RLIMIT_AS, 150 * MB);
    if (is("space-none")) limit(RLIMIT_AS, 24 * MB);
    if (is("data-160") || is("data-exhausted")) limit(RLIMIT_DATA, 160 * MB);
    if (is("hint-taken")) occupy(HINT);
    if (is("hints-taken"))
        for (uintptr_t i = 0; i < 60; i++)
            occupy(HINT + (i << 40));
    return gort_run(gort_main, argc, argv);
}
