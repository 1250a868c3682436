// The deadlock report: every goroutine with where it waits; and exit codes.
//
// EXPECT main exit=2 stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT main stderr=^goroutine 1 \[chan receive\]:\ngort_recv_raw\(\.\.\.\)\n\t.*\nwait_here\(\.\.\.\)\n\t.*\nmain_goroutine\(\.\.\.\)$
// EXPECT main absent=system\]|switch_from|arch_switch
// EXPECT none env:GORTTRACEBACK=none stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT none absent=goroutine \d
// EXPECT system env:GORTTRACEBACK=system stderr=^goroutine \d+ \[.*system\]:$
// EXPECT system stderr=^g_park.*\n\t.*\n(?s:.*)^wait_here\(\.\.\.\)$
// EXPECT every stderr=^goroutine 1 \[chan receive\]:$
// EXPECT every stderr=^goroutine \d+ \[chan send, sender\]:\ngort_send_raw\(\.\.\.\)\n\t.*\nsend_here\(\.\.\.\)\n\t.*\nsender\(\.\.\.\)\n\t.*\ncreated by start in goroutine 1$
// EXPECT every stderr=^goroutine \d+ \[select, selector\]:\ngort_select\(\.\.\.\)\n\t.*\nselector\(\.\.\.\)$
// EXPECT every stderr=^goroutine \d+ \[select \(no cases\), nothing\]:$
// EXPECT every stderr=^goroutine \d+ \[chan receive \(NULL chan\), null\]:$
// EXPECT every stderr=^goroutine \d+ \[mutex lock, locker\]:\ngort_mutex_lock\S*\(\.\.\.\)\n\t.*\nlocker\(\.\.\.\)$
// EXPECT every stderr=^goroutine \d+ \[waitgroup wait, waiter\]:$
// EXPECT every stderr=^goroutine \d+ \[chan receive, bound, locked to thread\]:$
// EXPECT goexit stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT goexit-others exit=0 stdout=^the other one ends the process$
// EXPECT one-p env:GORTMAXPROCS=1 stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT many env:GORTMAXPROCS=16 stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT result exit=42
// EXPECT attached-waits stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT attached-waits stderr=^goroutine \d+ \[chan receive, attached thread\]:\ngort_recv_raw\(\.\.\.\)\n\t.*\nwait_here\(\.\.\.\)$
// EXPECT attached-left stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT attached-alive exit=0 absent=deadlock
// EXPECT attached-again skip=emulated exit=0 absent=deadlock
// EXPECT foreign-later skip=emulated exit=0 absent=deadlock
// EXPECT foreign-exits skip=emulated exit=7 absent=deadlock
// EXPECT foreign-ends stderr=^fatal error: all goroutines are asleep - deadlock!$
// EXPECT foreign-ends-determ env:GORTDEBUG=deterministic=1 stderr=^fatal error: all goroutines are asleep - deadlock!$
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

static gort_chan(int) c;
static gort_mutex mutex;
static gort_waitgroup group;

NOINLINE static void wait_here(void)
{
    gort_recv(c, NULL);
    RETURN_HERE();
}

NOINLINE static void send_here(void *to)
{
    gort_send(*(gort_chan(int) *)to, 1);
    RETURN_HERE();
}

NOINLINE static void sender(void *to)
{
    send_here(to);
    RETURN_HERE();
}

NOINLINE static void selector(void *arg)
{
    (void)arg;
    gort_chan(int) other = gort_chan_make(int, 0);
    int v = 0;
    gort_case cases[] = { gort_on_recv(other, &v), gort_on_send(other, &v) };
    gort_select(cases, 2);
    RETURN_HERE();
}

NOINLINE static void nothing(void *arg)
{
    (void)arg;
    gort_select(NULL, 0);
    RETURN_HERE();
}

NOINLINE static void null(void *arg)
{
    (void)arg;
    gort_chan(int) none = NULL;
    gort_recv(none, NULL);
    RETURN_HERE();
}

NOINLINE static void locker(void *arg)
{
    (void)arg;
    gort_mutex_lock(&mutex);
    RETURN_HERE();
}

NOINLINE static void waiter(void *arg)
{
    (void)arg;
    gort_waitgroup_add(&group, 1);
    gort_waitgroup_wait(&group);
    RETURN_HERE();
}

NOINLINE static void bound(void *arg)
{
    gort_lock_thread();
    gort_recv(*(gort_chan(int) *)arg, NULL);
    RETURN_HERE();
}

NOINLINE static void start(const char *name, void (*fn)(void *), void *arg)
{
    gort_go_opt(&(gort_go_options){ .name = name }, fn, arg);
    RETURN_HERE();
}

NOINLINE static void case_every(void)
{
    static gort_chan(int) other, third;
    gort_set(&other, gort_chan_make(int, 0));
    gort_set(&third, gort_chan_make(int, 0));
    gort_mutex_lock(&mutex);
    start("sender", sender, &third);
    start("selector", selector, NULL);
    start("nothing", nothing, NULL);
    start("null", null, NULL);
    start("locker", locker, NULL);
    start("waiter", waiter, NULL);
    start("bound", bound, &other);
}

// ---- threads of the program's own

static const char *thread_does;
static int has_attached;

static bool thread_is(const char *what)
{
    return strcmp(thread_does, what) == 0;
}

NOINLINE static void *thread(void *unused)
{
    (void)unused;
    if (gort_thread_attach() != 0) abort();
    __atomic_store_n(&has_attached, 1, __ATOMIC_SEQ_CST);
    if (thread_is("attached-waits")) wait_here();
    if (thread_is("attached-again")) gort_thread_detach();
    if (!thread_is("attached-left")) usleep(300000); // nobody else does anything
    if (thread_is("attached-again") && gort_thread_attach() != 0) abort();
    if (!thread_is("attached-left")) gort_send(c, 1);
    gort_thread_detach();
    return NULL;
}

static void start_thread(const char *does)
{
    pthread_t t;
    thread_does = does;
    if (pthread_create(&t, NULL, thread, NULL) != 0) abort();
    while (!__atomic_load_n(&has_attached, __ATOMIC_SEQ_CST))
        gort_sleep(GORT_MS);
}

// Not attached: it works in another library, and attaches only then; ends the process; or ends.
static void *foreign(void *unused)
{
    usleep(300000);
    if (thread_is("foreign-exits")) exit(7);
    return thread_is("foreign-later") ? thread(unused) : NULL;
}

static void start_foreign(const char *does)
{
    pthread_t t;
    thread_does = does;
    if (pthread_create(&t, NULL, foreign, NULL) != 0) abort();
}

static void end_process(void *arg)
{
    (void)arg;
    gort_sleep(20 * GORT_MS);
    puts("the other one ends the process");
    exit(0);
}

NOINLINE static int main_goroutine(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    gort_set(&c, gort_chan_make(int, 0));
    if (strcmp(name, "result") == 0) return 42;
    if (strcmp(name, "every") == 0) case_every();
    if (strcmp(name, "goexit-others") == 0) gort_go(end_process, NULL);
    if (strncmp(name, "goexit", 6) == 0) gort_goexit();
    if (strcmp(name, "many") == 0)
        for (int i = 0; i < 1000; i++)
            gort_go(bound, &c);
    if (strncmp(name, "attached", 8) == 0) start_thread(name);
    if (strncmp(name, "foreign", 7) == 0) start_foreign(name);
    wait_here();
    RETURN_HERE();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
