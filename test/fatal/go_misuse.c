// Calls from where they can not be made, and arguments that can not be met.
//
// EXPECT outside:go stderr=^fatal error: gort_go called on a thread that gort does not know
// EXPECT outside:send stderr=^fatal error: gort_send called on a thread that gort does not know
// EXPECT outside:lock stderr=^fatal error: gort_mutex_lock called on a thread that gort does not know
// EXPECT outside:try stderr=^fatal error: gort_try called on a thread that gort does not know
// EXPECT outside:panic stderr=^fatal error: gort_panic called on a thread that gort does not know
// EXPECT outside:defer stderr=^fatal error: gort_defer called on a thread that gort does not know
// EXPECT outside:sleep stderr=^fatal error: gort_sleep called on a thread that gort does not know
// EXPECT outside:read stderr=^fatal error: gort_read called on a thread that gort does not know
// EXPECT outside:wait stderr=^fatal error: gort_waitgroup_wait called on a thread that gort does not know
// EXPECT outside:select stderr=^fatal error: gort_select called on a thread that gort does not know
// EXPECT outside:exit stderr=^fatal error: gort_goexit called on a thread that gort does not know
// EXPECT outside:procs stderr=^fatal error: gort_max_procs called on a thread that gort does not know
// EXPECT outside:detach stderr=^fatal error: gort_thread_detach on a thread that is not attached
// EXPECT outside:now exit=0
// EXPECT blocking:go stderr=^fatal error: gort_go called inside a blocking region
// EXPECT blocking:send stderr=^fatal error: gort_send called inside a blocking region
// EXPECT blocking:panic stderr=^fatal error: gort_panic called inside a blocking region
// EXPECT blocking:yield stderr=^fatal error: gort_yield called inside a blocking region
// EXPECT region:send stderr=^fatal error: gort_send called inside a blocking region
// EXPECT region:region stderr=^fatal error: gort_enter_blocking called inside a blocking region
// EXPECT exit-blocking stderr=^fatal error: gort_exit_blocking without gort_enter_blocking
// EXPECT unlock-thread stderr=^fatal error: gort_unlock_thread without gort_lock_thread
// EXPECT detach stderr=^fatal error: gort_thread_detach on a thread that is not attached
// EXPECT attached-goexit stderr=^fatal error: gort_goexit on a thread of the program's own
// EXPECT attached-detach-in-try stderr=^fatal error: gort_thread_detach inside gort_try
// EXPECT huge-stack stderr=^fatal error: gort_go_opt: a stack of 18446744073709551615 bytes can not be had
// EXPECT huge-copy stderr=^fatal error: gort_go_copy: 1\d{6} bytes of arguments do not fit a stack
// EXPECT null:go skip=ubsan stderr=^fatal error: gort_go: no function to run
// EXPECT null:opt skip=ubsan stderr=^fatal error: gort_go_opt: no function to run
// EXPECT null:copy skip=ubsan stderr=^fatal error: gort_go_copy: no function to run
// EXPECT null:timer skip=ubsan stderr=^fatal error: gort_timer_func: no function to run
// EXPECT pthread-exit stderr=^fatal error: a goroutine ended its thread, by pthread_exit or pthread_cancel
// EXPECT pthread-exit-elsewhere stderr=^fatal error: a goroutine ended its thread, by pthread_exit or pthread_cancel
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "../listed.h"

static const char *name = "";

static bool is(const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

static gort_chan(int) c;
static gort_mutex m;
static gort_waitgroup wg;

static void call(const char *what)
{
    char b;
    gort_case none = gort_on_recv(c, NULL);
    if (strcmp(what, "go") == 0) gort_go(nothing, NULL);
    if (strcmp(what, "send") == 0) gort_send(c, 1);
    if (strcmp(what, "lock") == 0) gort_mutex_lock(&m);
    if (strcmp(what, "try") == 0) gort_try(nothing, NULL, NULL);
    if (strcmp(what, "panic") == 0) gort_panic("x");
    if (strcmp(what, "defer") == 0) gort_defer(nothing, NULL);
    if (strcmp(what, "sleep") == 0) gort_sleep(1);
    if (strcmp(what, "yield") == 0) gort_yield();
    if (strcmp(what, "read") == 0) gort_read(0, &b, 1);
    if (strcmp(what, "wait") == 0) gort_waitgroup_wait(&wg);
    if (strcmp(what, "select") == 0) gort_select(&none, 1);
    if (strcmp(what, "exit") == 0) gort_goexit();
    if (strcmp(what, "procs") == 0) gort_max_procs(0);
    if (strcmp(what, "detach") == 0) gort_thread_detach();
    if (strcmp(what, "region") == 0) gort_enter_blocking();
    if (strcmp(what, "now") == 0)
        exit(gort_now() <= 0 || gort_goid() != 0 || gort_chan_len(c) != 0);
}

static void call_blocking(void *what)
{
    call(what);
}

static void detach(void *arg)
{
    (void)arg;
    gort_thread_detach();
}

static void *attached(void *arg)
{
    gort_thread_attach();
    if (is("attached-goexit")) gort_goexit();
    if (is("attached-detach-in-try")) gort_try(detach, NULL, NULL);
    return arg;
}

static void ends_thread(void *arg)
{
    pthread_exit(arg);
}

static void arguments(void)
{
    gort_go_options huge = { .stack_size = SIZE_MAX };
    static char big[1500000];
    void (*volatile no_function)(void *) = NULL;
    if (is("null:go")) gort_go(no_function, NULL);
    if (is("null:opt")) gort_go_opt(NULL, no_function, NULL);
    if (is("null:copy")) gort_go_copy(no_function, big, 8);
    if (is("null:timer")) gort_timer_func(GORT_MS, no_function, NULL);
    if (is("huge-stack")) gort_go_opt(&huge, nothing, NULL);
    if (is("huge-copy")) gort_go_copy(nothing, big, sizeof big);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    gort_set(&c, gort_chan_make(int, 1));
    arguments();
    if (strncmp(name, "blocking:", 9) == 0)
        gort_blocking(call_blocking, (void *)(uintptr_t)(name + 9));
    if (strncmp(name, "region:", 7) == 0) {
        gort_enter_blocking();
        call(name + 7);
        gort_exit_blocking();
    }
    if (is("pthread-exit")) ends_thread(NULL);
    if (is("pthread-exit-elsewhere")) {
        gort_go(ends_thread, NULL);
        wait_for_the_end();
    }
    if (is("exit-blocking")) gort_exit_blocking();
    if (is("unlock-thread")) gort_unlock_thread();
    if (is("detach")) gort_thread_detach();
    if (strncmp(name, "attached-", 9) == 0) {
        pthread_t t;
        pthread_create(&t, NULL, attached, NULL);
        wait_for_the_end();
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) name = argv[1];
    if (strncmp(name, "outside:", 8) == 0) call(name + 8);
    return gort_run(run, argc, argv);
}
