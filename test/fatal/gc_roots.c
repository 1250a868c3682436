// Roots are registered by goroutines only: what a stop does not wait for must not change them. One whose
// memory is gone is named.
//
// EXPECT add-before-run exit=2 stderr=^fatal error: gort_root_add called on a thread that gort does not know
// EXPECT remove-before-run exit=2 stderr=^fatal error: gort_root_remove called on a thread that gort does not know
// EXPECT add-on-thread exit=2 stderr=^fatal error: gort_root_add called on a thread that gort does not know
// EXPECT remove-on-thread exit=2 stderr=^fatal error: gort_root_remove called on a thread that gort does not know
// EXPECT add-in-blocking exit=2 stderr=^fatal error: gort_root_add called inside a blocking region
// EXPECT remove-in-blocking exit=2 stderr=^fatal error: gort_root_remove called inside a blocking region
// EXPECT add-null skip=ubsan exit=2 stderr=^fatal error: gort_root_add: the range (0x0|\(nil\)) \+ 64 is no memory
// EXPECT unmapped exit=2 stderr=^gort: the collector can not read the range 0x[0-9a-f]+ \+ 12288 of gort_root_add any more
// EXPECT unmapped-tail exit=2 stderr=^fatal error: SIGSEGV: segmentation violation at address 0x[0-9a-f]+, pc=0x
// EXPECT unmapped-tail stderr=^gort: the collector can not read the range 0x[0-9a-f]+ \+ 12288 of gort_root_add any more
// EXPECT truncated exit=2 stderr=^fatal error: SIGBUS: bus error at address 0x[0-9a-f]+, pc=0x
// EXPECT truncated stderr=^gort: the collector can not read the range 0x[0-9a-f]+ \+ 12288 of gort_root_add any more
// EXPECT own-fault exit=2 stderr=^fatal error: SIGSEGV: segmentation violation at address 0x[0-9a-f]+
// EXPECT own-fault absent=gort_root_add
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../test.h"

static char range[64];
static const char *which;

static bool is(const char *name)
{
    return strcmp(which, name) == 0;
}

static void *on_a_thread(void *unused)
{
    if (is("add-on-thread"))
        gort_root_add(range, sizeof range);
    else
        gort_root_remove(range);
    return unused;
}

// ---- memory that goes away ----------------------------------------------------------------------

enum { PAGE = 4096, MAPPED = 3 * PAGE };

static void lose_memory(void)
{
    FILE *f = tmpfile();
    CHECK(f != NULL && ftruncate(fileno(f), MAPPED) == 0);
    char *place = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(f), 0);
    CHECK(place != MAP_FAILED);
    gort_root_add(place, MAPPED);
    gort_gc();
    if (is("unmapped")) munmap(place, MAPPED);
    if (is("unmapped-tail")) munmap(place + 2 * PAGE, PAGE);
    if (is("truncated")) CHECK_EQ(ftruncate(fileno(f), 0), 0);
    if (is("own-fault")) {
        mprotect(place, MAPPED, PROT_NONE);
        *(volatile char *)place = 1; // no matter of the collector's
    }
    gort_gc();
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (is("add-on-thread") || is("remove-on-thread")) {
        pthread_t t;
        pthread_create(&t, NULL, on_a_thread, NULL);
        pthread_join(t, NULL);
    }
    void *volatile no_range = NULL;
    if (is("add-null")) gort_root_add(no_range, sizeof range);
    if (is("unmapped") || is("unmapped-tail") || is("truncated") || is("own-fault")) lose_memory();
    gort_enter_blocking();
    if (is("add-in-blocking")) gort_root_add(range, sizeof range);
    if (is("remove-in-blocking")) gort_root_remove(range);
    gort_exit_blocking();
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    if (is("add-before-run")) gort_root_add(range, sizeof range);
    if (is("remove-before-run")) gort_root_remove(range);
    return gort_run(gort_main, argc, argv);
}
