// An object larger than the machine's memory: memory is not reserved, so what is not touched is not
// needed.
//
// TEST skip=asan,tsan timeout=120 serial modes=p1,p16,gcstress
// SPDX-License-Identifier: BSD-3-Clause
#include <sys/resource.h>

#include "gc_util.h"

static size_t number_in(const char *path, const char *format)
{
    size_t n = 0;
    char line[256];
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, format, &n) == 1) break;
    fclose(f);
    return n;
}

static char *object;

static void tests(void)
{
    struct rlimit space;
    CHECK_EQ(getrlimit(RLIMIT_AS, &space), 0);
    if (space.rlim_cur != RLIM_INFINITY) SKIP("the address space is limited");
    if (number_in("/proc/sys/vm/overcommit_memory", "%zu") == 2)
        SKIP("the kernel never overcommits");
    size_t n = number_in("/proc/meminfo", "MemTotal: %zu") << 10;
    n += n / 2;
    gort_set(&object, (char *)gort_alloc_noscan(n));
    for (size_t i = 0; i <= 64; i++) {
        size_t at = i * (n / 64) - (i == 64);
        CHECK_EQ(object[at], 0);
        object[at] = 1;
    }
    gort_gc();
    CHECK_EQ(object[n - 1], 1);
    gort_set(&object, (char *)NULL);
    gort_gc();
    memset(gort_alloc(100), 1, 100);
}

GC_MAIN(tests)
