// System calls that a filter refuses, from the start or later: what is advice, or has a fallback, is done
// without.
//
// EXPECT madvise exit=0 stdout=^served 200$
// EXPECT madvise absent=fatal
// EXPECT madvise-unknown exit=0 stdout=^served 200$
// EXPECT madvise-later exit=0 stdout=^served 200$
// EXPECT madvise-overflow exit=2 stderr=^fatal error: stack overflow: goroutine \d+ exceeded its stack of \d+ bytes
// EXPECT madvise-later-overflow exit=2 stderr=^fatal error: stack overflow: goroutine \d+ exceeded its stack of \d+ bytes
// EXPECT membarrier exit=0 stdout=^served 200$
// EXPECT membarrier-later exit=0 stdout=^served 200$
// EXPECT prctl exit=0 stdout=^served 200$
// EXPECT mincore exit=0 stdout=^served 200$
// EXPECT getrandom-unknown exit=0 stdout=^served 200$
// EXPECT sched_getaffinity skip=asan exit=0 stdout=^served 200$
//
// TEST skip=tsan,emulated
//
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <gort.h>

#include "../forbid.h"
#include "../listed.h"
#include "../test.h"

enum { GOROUTINES = 200 };

static const char *which;

static bool has(const char *part)
{
    return strstr(which, part) != NULL;
}

static void forbid(void)
{
    static const struct {
        const char *name;
        long number;
    } calls[] = {
        { "madvise", SYS_madvise },     { "membarrier", SYS_membarrier },
        { "prctl", SYS_prctl },         { "mincore", SYS_mincore },
        { "getrandom", SYS_getrandom }, { "sched_getaffinity", SYS_sched_getaffinity },
    };
    int error = has("unknown") ? ENOSYS : EPERM;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (has(calls[i].name) && !forbid_call(calls[i].number, error)) _exit(8);
}

// ---- a program that wants something of everything -----------------------------------------------

static gort_chan(int) served;

static void serve(void *unused)
{
    (void)unused;
    gort_sleep(GORT_MS);
    if (gort_goid() % 16 == 0) gort_gc();
    gort_keep_alive(gort_alloc(100 << 10));
    gort_send(served, 1);
}

static void computes(void *stop)
{
    while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
        ;
}

__attribute__((noinline)) static int too_deep(int n)
{
    volatile int here[64] = { n };
    return n == 0 ? 0 : too_deep(n - 1) + here[0];
}

static void overflow(void *unused)
{
    (void)unused;
    if (too_deep(1 << 30) != 0) _exit(8);
}

static int run(int argc, char **argv)
{
    static bool stop;
    int n = 0;
    (void)argc;
    (void)argv;
    if (has("later")) forbid();
    if (has("overflow")) gort_go(overflow, NULL);
    gort_set(&served, gort_chan_make(int, 0));
    gort_go(computes, &stop); // to be stopped by a signal
    for (int i = 0; i < GOROUTINES; i++)
        gort_go(serve, NULL);
    for (int i = 0; i < GOROUTINES; i++)
        n += gort_recv(served, NULL);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    gort_free_os_memory();
    if (has("overflow")) wait_for_the_end();
    printf("served %d\n", n);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    if (!has("later")) forbid();
    return gort_run(run, argc, argv);
}
