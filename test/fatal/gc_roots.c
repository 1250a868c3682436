// Roots are registered by goroutines only: what a stop does not wait for must not change them.
//
// EXPECT add-before-run exit=2 stderr=^fatal error: gort_root_add called on a thread that gort does not know
// EXPECT remove-before-run exit=2 stderr=^fatal error: gort_root_remove called on a thread that gort does not know
// EXPECT add-on-thread exit=2 stderr=^fatal error: gort_root_add called on a thread that gort does not know
// EXPECT remove-on-thread exit=2 stderr=^fatal error: gort_root_remove called on a thread that gort does not know
// EXPECT add-in-blocking exit=2 stderr=^fatal error: gort_root_add called inside a blocking region
// EXPECT remove-in-blocking exit=2 stderr=^fatal error: gort_root_remove called inside a blocking region
// EXPECT add-null skip=ubsan exit=2 stderr=^fatal error: gort_root_add: the range (0x0|\(nil\)) \+ 64 is no memory
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>

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
