// Panics that no gort_try catches: what had to run has run, all messages are shown.
//
// EXPECT plain stderr=\Apanic: one 1\n\ngoroutine 1 \[running\]:$
// EXPECT empty stderr=\Apanic: \n\ngoroutine 1 \[running\]:$
// EXPECT long stderr=\Apanic: {254}xc\n
// EXPECT deferred stdout=\Athird second first\n\Z
// EXPECT deferred stderr=\Apanic: one 1$
// EXPECT scopes stdout=\Athird second first outer\n\Z
// EXPECT three stderr=\Apanic: one 1\n\tpanic: two\n\tpanic: three\n\ngoroutine 1 \[running\]:$
// EXPECT at-end stderr=\Apanic: at the end$
// EXPECT at-end stdout=\Afirst\n\Z
// EXPECT in-exit stderr=\Apanic: at the end$
// EXPECT after-catch stderr=\Apanic: one 1\n\ngoroutine 1 \[running\]:$
// EXPECT goroutine stderr=\Apanic: one 1\n\ngoroutine \d+ \[running\]:$
// EXPECT attached stderr=\Apanic: one 1$
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <stdio.h>

#include "../listed.h"

static const char *name = "";

static bool is(const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static void say(void *arg)
{
    printf("%s", (const char *)arg);
    fflush(stdout);
}

static void panic_one(void *arg)
{
    (void)arg;
    gort_panic("one %d", 1);
}

static void panic_text(void *arg)
{
    gort_panic("%s", (const char *)arg);
}

static void defer_and_panic(void *arg)
{
    gort_defer(say, "first");
    gort_defer(say, "second ");
    gort_defer(say, "third ");
    panic_one(arg);
}

// The deferred calls of all scopes run: none catches. (A gort_try would.)
static void finish(void *arg)
{
    (void)arg;
    say("\n");
}

static void *attached(void *arg)
{
    gort_thread_attach();
    panic_one(arg);
    return NULL;
}

static void end_with_panic(void *arg)
{
    gort_defer(finish, NULL);
    gort_defer(say, "first");
    gort_defer(panic_text, "at the end");
    if (arg != NULL) gort_goexit();
}

static int run(int argc, char **argv)
{
    if (argc > 1) name = argv[1];
    if (is("plain")) panic_one(NULL);
    if (is("empty")) gort_panic("%s", "");
    if (is("long")) gort_panic("%254s%s", "x", "cut");
    if (is("deferred")) {
        gort_defer(finish, NULL);
        defer_and_panic(NULL);
    }
    if (is("scopes")) {
        gort_defer(finish, NULL);
        gort_defer(say, " outer");
        defer_and_panic(NULL);
    }
    if (is("three")) {
        gort_defer(panic_text, "three");
        gort_defer(panic_text, "two");
        panic_one(NULL);
    }
    if (is("at-end") || is("in-exit")) {
        gort_go(end_with_panic, is("in-exit") ? "" : NULL);
        wait_for_the_end();
    }
    if (is("after-catch")) {
        gort_try(panic_text, "caught", NULL);
        panic_one(NULL);
    }
    if (is("goroutine")) {
        gort_go(panic_one, NULL);
        wait_for_the_end();
    }
    if (is("attached")) {
        pthread_t t;
        pthread_create(&t, NULL, attached, NULL);
        wait_for_the_end();
    }
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
