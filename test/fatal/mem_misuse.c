// Misuse of memory calls: each ends with its own report.
//
// EXPECT new-before-run exit=2 stderr=^fatal error: .*gort_new
// EXPECT alloc-on-thread exit=2 stderr=^fatal error: .*gort_alloc
// EXPECT alloc-in-handler exit=2 stderr=^fatal error: gort_alloc: allocation in a signal handler
// EXPECT alloc-in-blocking exit=2 stderr=^fatal error: .*gort_alloc
// EXPECT array-overflow exit=2 stderr=^fatal error: out of memory: gort_new_array: \d+ elements of 8 bytes overflow
// EXPECT flex-overflow exit=2 stderr=^fatal error: out of memory: gort_new_flex: \d+ elements of 8 bytes overflow
// EXPECT copy-overflow exit=2 stderr=^fatal error: out of memory: gort_copy: \d+ elements of 8 bytes overflow
// EXPECT huge exit=2 stderr=^fatal error: out of memory: gort_alloc can not allocate 4611686018427387904 bytes; the heap has \d+ MB
// EXPECT root-twice exit=2 stderr=^fatal error: gort_root_add: a range at 0x[0-9a-f]+ is registered already
// EXPECT root-unknown exit=2 stderr=^fatal error: gort_root_remove: no range is registered at 0x[0-9a-f]+
// EXPECT root-wraps exit=2 stderr=^fatal error: gort_root_add: the range .* ends beyond memory
// EXPECT finalizer-inside exit=2 stderr=^fatal error: gort_set_finalizer: 0x[0-9a-f]+ is not the start of an object
// EXPECT finalizer-foreign exit=2 stderr=^fatal error: gort_set_finalizer: 0x[0-9a-f]+ is not a collected object
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <signal.h>

#include "../test.h"

typedef struct cell {
    struct cell *next;
    char space[4088];
} cell;
GORT_TYPE(cell, next);
typedef struct flex {
    size_t n;
    int64_t a[];
} flex;

static const char *which;
static bool is(const char *name)
{
    return strcmp(which, name) == 0;
}

static void *on_a_thread(void *unused)
{
    (void)unused;
    return (gort_alloc)(100);
}

static void on_signal(int sig)
{
    (void)sig;
    gort_keep_alive((gort_alloc)(100)); // the call, not what is inlined
}

static void raise_on_own_stack(void)
{
    stack_t s = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
    gort_lock_thread();
    sigaltstack(&s, NULL);
    sigaction(SIGUSR1, &a, NULL);
    pthread_kill(pthread_self(), SIGUSR1);
}

static void sizes(void)
{
    static int64_t a[2];
    volatile size_t n = SIZE_MAX / 4;
    if (is("array-overflow")) gort_keep_alive(gort_new_array(int64_t, n));
    if (is("flex-overflow")) gort_keep_alive(gort_new_flex(flex, a, n));
    if (is("copy-overflow")) gort_copy(int64_t, a, a + 1, n);
    n = (size_t)1 << 62;
    if (is("huge")) gort_keep_alive(gort_alloc(n));
}

static void roots_and_finalizers(void)
{
    static char range[64];
    if (is("root-twice")) {
        gort_root_add(range, 64);
        gort_root_add(range, 8);
    }
    if (is("root-unknown")) gort_root_remove(range + 1);
    if (is("root-wraps")) gort_root_add(range, SIZE_MAX - 1);
    if (is("finalizer-inside")) gort_set_finalizer((char *)gort_alloc(64) + 8, free);
    if (is("finalizer-foreign")) gort_set_finalizer(range, free);
}

static int gort_main(int argc, char **argv)
{
    pthread_t t;
    (void)argc;
    (void)argv;
    if (is("alloc-on-thread")) {
        pthread_create(&t, NULL, on_a_thread, NULL);
        pthread_join(t, NULL);
    }
    if (is("alloc-in-handler")) raise_on_own_stack();
    if (is("alloc-in-blocking")) {
        gort_enter_blocking();
        gort_keep_alive((gort_alloc)(100)); // the call, not what is inlined
    }
    sizes();
    roots_and_finalizers();
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    if (is("new-before-run")) gort_keep_alive(gort_new(cell));
    return gort_run(gort_main, argc, argv);
}
