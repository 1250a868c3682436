// Goroutines that were just made ready, alone, on a P whose goroutine goes on computing: another P
// takes them, also after a conversation of both has made the thieves doze for long; and while
// threads doze, stops, changes of the number of Ps and new work come through.
//
// No goroutine loses its P here for computing (slice), so one that is left in a next slot hangs the
// test.
//
// TEST notmodes=slice,gcslice,determ
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

static gort_chan(int) there, back;
static int reached; // atomic

static uint64_t metric(const char *name)
{
    double value = -1;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return (uint64_t)value;
}

static void answer(void *arg)
{
    int n;
    (void)arg;
    while (gort_recv(there, &n)) {
        if (n >= 0)
            gort_send(back, n + 1);
        else
            // The sender waits for this and calls nothing.
            __atomic_store_n(&reached, -n, __ATOMIC_RELAXED);
    }
}

static void converse(int messages)
{
    for (int i = 0; i < messages; i++) {
        int n;
        gort_send(there, i);
        CHECK(gort_recv(back, &n));
        CHECK_EQ(n, i + 1);
    }
}

static void next_ones_of_a_computing_p_run(void)
{
    int rounds = test_count(300);
    for (int i = 1; i <= rounds; i++) {
        converse(i % 3 == 0 ? 2000 : i % 3);
        gort_send(there, -i);
        while (__atomic_load_n(&reached, __ATOMIC_RELAXED) != i) {
        }
    }
}

static bool quit;   // atomic
static int spawned; // atomic

static void nothing(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&spawned, 1, __ATOMIC_RELAXED);
}

static void spawn_some(int n)
{
    gort_waitgroup done = { 0 };
    gort_waitgroup_add(&done, 1);
    for (int i = 0; i < n; i++)
        gort_go(nothing, NULL);
    gort_waitgroup_done(&done);
    gort_waitgroup_wait(&done);
}

static void disturb(void *arg)
{
    gort_waitgroup *done = arg;
    for (int i = 0; !__atomic_load_n(&quit, __ATOMIC_RELAXED); i++) {
        gort_max_procs(1 + i % 4);
        spawn_some(8);
        if (i % 4 == 0) gort_gc();
        gort_sleep(GORT_MS / 2);
    }
    gort_waitgroup_done(done);
}

static void dozers_are_stopped_and_resized(void)
{
    gort_waitgroup done = { 0 };
    quit = false;
    gort_waitgroup_add(&done, 1);
    gort_go(disturb, &done);
    for (int i = 0; i < test_count(100); i++)
        converse(500);
    __atomic_store_n(&quit, true, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&done);
}

// Until it has happened: which thread dozes when is the kernel's business too.  So many that they
// are worth a dozer's rising, as short as they are.
static void new_work_ends_a_doze(void)
{
    gort_max_procs(2);
    uint64_t dozes = metric("/gort/sched/dozes:events");
    uint64_t ended = metric("/gort/sched/dozes/ended:events");
    while (metric("/gort/sched/dozes:events") == dozes ||
           metric("/gort/sched/dozes/ended:events") == ended) {
        converse(2000);
        spawn_some(200);
    }
}

static int run(int argc, char **argv)
{
    const char *debug = getenv("GORTDEBUG");
    (void)argc, (void)argv;
    gort_max_procs(2);
    gort_set(&there, gort_chan_make(int, 0));
    gort_set(&back, gort_chan_make(int, 0));
    gort_go(answer, NULL);
    next_ones_of_a_computing_p_run();
    dozers_are_stopped_and_resized();
    if (debug == NULL || strstr(debug, "migrate") == NULL) new_work_ends_a_doze();
    return 0;
}

int main(int argc, char **argv)
{
    char text[512];
    const char *debug = getenv("GORTDEBUG");
    snprintf(text, sizeof text, "%s%sslice=10000000", debug != NULL ? debug : "",
             debug != NULL && *debug != '\0' ? "," : "");
    setenv("GORTDEBUG", text, 1);
    return gort_run(run, argc, argv);
}
