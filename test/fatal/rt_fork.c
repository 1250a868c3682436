// Children of fork: gort calls are fatal, exec is safe, and the parent goes on.
//
// EXPECT yield exit=2 stderr=^fatal error: gort_yield called in a child of fork, where only exec and _exit are safe$
// EXPECT alloc exit=2 stderr=^fatal error: gort_alloc called in a child of fork
// EXPECT inline exit=2 stderr=^fatal error: gort_new called in a child of fork
// EXPECT collect exit=2 stderr=^fatal error: gort_gc called in a child of fork
// EXPECT attached exit=2 stderr=^fatal error: gort_yield called in a child of fork
// EXPECT exec exit=0 stdout=^the parent goes on$
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../test.h"

typedef struct cell {
    struct cell *next;
} cell;
GORT_TYPE(cell, next);

static const char *which;
static bool is(const char *name)
{
    return strcmp(which, name) == 0;
}

static void call(void)
{
    if (is("yield") || is("attached")) gort_yield();
    if (is("alloc")) gort_alloc(100);
    if (is("inline")) gort_keep_alive(gort_new(cell));
    if (is("collect")) gort_gc();
}

// Ends as the child does.
static void fork_and_call(void)
{
    int status = -1;
    gort_keep_alive(gort_new(cell)); // the inlined path has slots
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        if (is("exec")) execlp("true", "true", (char *)NULL);
        call();
        _exit(0); // not fatal
    }
    while (waitpid(child, &status, 0) < 0)
        CHECK_EQ(errno, EINTR);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0) _exit(WEXITSTATUS(status));
}

static void *on_thread(void *unused)
{
    CHECK_EQ(gort_thread_attach(), 0);
    fork_and_call();
    gort_thread_detach();
    return unused;
}

static int gort_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    if (is("attached")) {
        pthread_t t;
        CHECK_EQ(pthread_create(&t, NULL, on_thread, NULL), 0);
        gort_enter_blocking();
        pthread_join(t, NULL);
        gort_exit_blocking();
    } else {
        fork_and_call();
    }
    gort_gc();
    gort_keep_alive(gort_new(cell));
    if (is("exec")) printf("the parent goes on\n");
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    return gort_run(gort_main, argc, argv);
}
