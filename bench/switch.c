// What it costs to switch between goroutines on one P: by yielding, through channels, by starting
// them. Nanoseconds of CPU time; each program measures each line in turn with the same in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "bench.h"

#define SWITCHES 400000
#define BATCH 100

typedef gort_chan(int) ints;

struct pair {
    ints there, back;
    gort_waitgroup done;
};
static struct pair pair;

static void begin(void)
{
    pair = (struct pair){ .there = NULL };
}

static void yielder(void *arg)
{
    (void)arg;
    for (int i = 0; i < SWITCHES / 2; i++)
        gort_yield();
    gort_waitgroup_done(&pair.done);
}

static void measure_yield(void)
{
    begin();
    gort_waitgroup_add(&pair.done, 2);
    gort_go(yielder, NULL);
    gort_go(yielder, NULL);
    int64_t t = bench_cpu();
    gort_waitgroup_wait(&pair.done);
    bench_add("yield", (double)(bench_cpu() - t) / SWITCHES);
}

static void echo(void *arg)
{
    int v;
    (void)arg;
    while (gort_recv(pair.there, &v))
        gort_send(pair.back, v);
}

static void measure_round_trip(void)
{
    begin();
    gort_set(&pair.there, gort_chan_make(int, 0));
    gort_set(&pair.back, gort_chan_make(int, 0));
    gort_go(echo, NULL);
    int64_t t = bench_cpu();
    for (int i = 0; i < SWITCHES / 2; i++) {
        int v;
        gort_send(pair.there, i);
        gort_recv(pair.back, &v);
    }
    bench_add("unbuffered-round-trip", (double)(bench_cpu() - t) / (SWITCHES / 2.0));
    gort_close(pair.there);
}

static void produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < SWITCHES; i++)
        gort_send(pair.there, i);
    gort_close(pair.there);
}

static void measure_element(const char *name, size_t capacity)
{
    int v;
    begin();
    gort_set(&pair.there, gort_chan_make(int, capacity));
    gort_go(produce, NULL);
    int64_t t = bench_cpu();
    while (gort_recv(pair.there, &v)) {
    }
    bench_add(name, (double)(bench_cpu() - t) / SWITCHES);
}

static void nothing(void *arg)
{
    (void)arg;
    gort_waitgroup_done(&pair.done);
}

static void measure_spawn(void)
{
    begin();
    int64_t t = bench_cpu();
    for (int i = 0; i < SWITCHES / BATCH; i++) {
        gort_waitgroup_add(&pair.done, BATCH);
        for (int k = 0; k < BATCH; k++)
            gort_go(nothing, NULL);
        gort_waitgroup_wait(&pair.done);
    }
    bench_add("start-and-exit", (double)(bench_cpu() - t) / SWITCHES);
}

static void measure_mutex(void)
{
    static gort_mutex m;
    int64_t t = bench_cpu();
    for (int i = 0; i < SWITCHES; i++) {
        gort_mutex_lock(&m);
        gort_mutex_unlock(&m);
    }
    bench_add("mutex-uncontended", (double)(bench_cpu() - t) / SWITCHES);
}

static void measure_select(void)
{
    int a, b;
    begin();
    gort_set(&pair.there, gort_chan_make(int, 1));
    gort_set(&pair.back, gort_chan_make(int, 1));
    int64_t t = bench_cpu();
    for (int i = 0; i < SWITCHES; i++) {
        gort_send(pair.there, i);
        gort_case cases[] = { gort_on_recv(pair.there, &a), gort_on_recv(pair.back, &b) };
        gort_select(cases, 2);
    }
    bench_add("send-and-select-of-2", (double)(bench_cpu() - t) / SWITCHES);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < BENCH_RUNS; i++) {
        bench_run_peer("switch");
        measure_yield();
        measure_round_trip();
        measure_element("buffered-128-element", 128);
        measure_element("unbuffered-element", 0);
        measure_spawn();
        measure_select();
        measure_mutex();
    }
    bench_print("ns of CPU");
    return 0;
}

int main(int argc, char **argv)
{
    setenv("GORTMAXPROCS", "1", 0);
    setenv("GOMAXPROCS", "1", 0);
    return gort_run(run, argc, argv);
}
