// What hangs on objects, misused; and what ends a program from inside a cleanup.
//
// EXPECT finalizer-null exit=2 stderr=^fatal error: gort_set_finalizer: (0x0|\(nil\)) is not a collected object
// EXPECT cleanup-foreign exit=2 stderr=^fatal error: gort_add_cleanup: 0x[0-9a-f]+ is not a collected object
// EXPECT cleanup-malloc exit=2 stderr=^fatal error: gort_add_cleanup: 0x[0-9a-f]+ is not a collected object
// EXPECT cleanup-self exit=2 stderr=^fatal error: gort_add_cleanup: the argument is the object itself, 0x[0-9a-f]+: it would never die
// EXPECT cleanup-inside exit=2 stderr=^fatal error: gort_add_cleanup: the argument, 0x[0-9a-f]+, lies in the object of 0x[0-9a-f]+: it would never die
// EXPECT cleanup-around exit=2 stderr=^fatal error: gort_add_cleanup: the argument, 0x[0-9a-f]+, lies in the object of
// EXPECT cleanup-large exit=2 stderr=^fatal error: gort_add_cleanup: the argument, 0x[0-9a-f]+, lies in the object of
// EXPECT cleanup-tiny-self exit=2 stderr=^fatal error: gort_add_cleanup: the argument is the object itself
// EXPECT cleanup-no-function exit=2 stderr=^fatal error: gort_add_cleanup: no function
// EXPECT cleanup-on-thread exit=2 stderr=^fatal error: gort_add_cleanup called on a thread that gort does not know
// EXPECT stop-on-thread exit=2 stderr=^fatal error: gort_cleanup_stop called on a thread that gort does not know
// EXPECT weak-foreign exit=2 stderr=^fatal error: gort_weak_make: 0x[0-9a-f]+ is not a collected object
// EXPECT weak-on-thread exit=2 stderr=^fatal error: gort_weak_make called on a thread that gort does not know
// EXPECT get-on-thread exit=2 stderr=^fatal error: gort_weak_get called on a thread that gort does not know
// EXPECT get-in-blocking exit=2 stderr=^fatal error: gort_weak_get called inside a blocking region
// EXPECT panic exit=2 stderr=^panic: in a cleanup$
// EXPECT panic stderr=^goroutine \d+ \[running, cleanups, system\]:$
// EXPECT panic stderr=^panics\(
// EXPECT fault exit=2 stderr=^fatal error: SIGSEGV
// EXPECT exit exit=7 stdout=^leaving$
// EXPECT deadlock exit=2 stderr=^fatal error: all goroutines are asleep - deadlock!$
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>

#include "../test.h"

static const char *which;
static gort_cleanup *some_cleanup;
static gort_weak *some_weak;
static void *some_object;
static void *volatile null;

static bool is(const char *name)
{
    return strcmp(which, name) == 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void *on_a_thread(void *unused)
{
    if (is("cleanup-on-thread")) gort_add_cleanup(some_object, nothing, NULL);
    if (is("stop-on-thread")) gort_cleanup_stop(some_cleanup);
    if (is("weak-on-thread")) gort_weak_make(some_object);
    if (is("get-on-thread")) gort_weak_get(some_weak);
    return unused;
}

// A sanitizer would stop at the null pointer before gort does.
__attribute__((no_sanitize("nonnull-attribute"))) static void misuse(void)
{
    static char foreign[64];
    char *object = gort_alloc(64), *large = gort_alloc(100000);
    uint32_t *tiny = gort_new(uint32_t);
    if (is("finalizer-null")) gort_set_finalizer(null, nothing);
    if (is("cleanup-foreign")) gort_add_cleanup(foreign, nothing, NULL);
    if (is("cleanup-malloc")) gort_add_cleanup(malloc(64), nothing, NULL);
    if (is("cleanup-self")) gort_add_cleanup(object, nothing, object);
    if (is("cleanup-inside")) gort_add_cleanup(object, nothing, object + 63);
    if (is("cleanup-around")) gort_add_cleanup(object + 8, nothing, object);
    if (is("cleanup-large")) gort_add_cleanup(large, nothing, large + 99999);
    if (is("cleanup-tiny-self")) gort_add_cleanup(tiny, nothing, tiny);
    if (is("cleanup-no-function")) gort_add_cleanup(object, (void (*)(void *))null, NULL);
    if (is("weak-foreign")) gort_weak_make(foreign);
}

// ---- from inside --------------------------------------------------------------------------------

static __attribute__((noinline)) void panics(void *arg)
{
    (void)arg;
    gort_panic("in a cleanup");
}

static void faults(void *arg)
{
    *(volatile char *)arg = 1;
}

static void exits(void *arg)
{
    (void)arg;
    puts("leaving");
    exit(7);
}

static void blocks(void *arg)
{
    (void)arg;
    gort_chan(int) none = NULL;
    int x;
    gort_recv(none, &x);
}

static void drop(void *arg)
{
    void (*fn)(void *) = is("panic") ? panics : is("exit") ? exits : is("fault") ? faults : blocks;
    for (int i = 0; i < 100; i++)
        gort_add_cleanup(gort_alloc(32), fn, (void *)8);
    gort_close((gort_chan(int))arg);
}

static void from_inside(void)
{
    gort_chan(int) done = gort_chan_make(int, 0);
    int x;
    gort_go(drop, (void *)done);
    gort_recv(done, &x);
    for (int i = 0; i < 20 || !is("deadlock"); i++) {
        gort_gc();
        if (!is("deadlock")) gort_sleep(5 * GORT_MS);
    }
    blocks(NULL);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    pthread_t t;
    gort_set(&some_object, gort_alloc(64));
    gort_set(&some_cleanup, gort_add_cleanup(some_object, nothing, NULL));
    gort_set(&some_weak, gort_weak_make(some_object));
    if (strstr(which, "-on-thread") != NULL) {
        pthread_create(&t, NULL, on_a_thread, NULL);
        pthread_join(t, NULL);
    }
    misuse();
    if (is("get-in-blocking")) {
        gort_enter_blocking();
        gort_weak_get(some_weak);
        gort_exit_blocking();
    }
    from_inside();
    return 0;
}

int main(int argc, char **argv)
{
    which = argc > 1 ? argv[1] : "";
    return gort_run(gort_main, argc, argv);
}
