/* A ticker, a timer that calls a function, and a timeout, in one select.
 *
 * Counts ticks; a worker says how far it has come.  It is asked to stop by a timer's function, and
 * given up when it does not answer in time.  Nothing here is stopped to be freed: the ticker and
 * the timeout are collected with the frame that has them.
 *
 * usage: ticker [MILLISECONDS]     how long to work; 300
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <stdio.h>
#include <stdlib.h>

struct work {
    gort_chan(int64_t) steps; /* how many, at the end */
    int stop;                 /* atomic */
};

static void ask_to_stop(void *arg)
{
    struct work *w = arg;
    __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
}

static void worker(void *arg)
{
    struct work *w = arg;
    int64_t steps = 0;
    for (; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); steps++)
        gort_sleep(5 * GORT_MS);
    gort_send(w->steps, steps);
}

static int watch(struct work *w, int64_t ns)
{
    gort_ticker *tick = gort_ticker_make(ns / 5 + 1);
    gort_chan(int64_t) too_long = gort_after(ns + 20 * GORT_S);
    int64_t steps, ticks = 0;
    for (;;) {
        gort_case cases[] = { gort_on_recv(w->steps, &steps), gort_on_recv(tick->c, NULL),
                              gort_on_recv(too_long, NULL) };
        switch (gort_select(cases, 3)) {
        case 0:
            printf("%lld steps, %lld ticks\n", (long long)steps, (long long)ticks);
            return 0;
        case 1:
            ticks++;
            break;
        default:
            fprintf(stderr, "ticker: the worker does not answer\n");
            return 1;
        }
    }
}

static int run(int argc, char **argv)
{
    char *end = NULL;
    long ms = argc > 1 ? strtol(argv[1], &end, 10) : 300;
    if ((end != NULL && *end != 0) || argc > 2 || ms <= 0 || ms > 60000) {
        fprintf(stderr, "usage: ticker [MILLISECONDS]\n");
        return 2;
    }
    struct work w = { .steps = gort_chan_make(int64_t, 0) };
    gort_go(worker, &w);
    gort_timer_func(ms * GORT_MS, ask_to_stop, &w);
    return watch(&w, ms * GORT_MS);
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
