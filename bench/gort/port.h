// The loads on gort.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_PORT_H
#define GORT_BENCH_PORT_H

#include <gort.h>
#include <stdio.h>

#define PORT_NAME "gort"
#define PORT_SPLIT 1
#define PORT_FREES 0
#define PORT_GOROUTINES 1
#define PORT_STOPS 1
#define PORT_LOADS                                                                                 \
    { "parked", parked_run }, { "deep", deep_run }, { "hogs", hogs_run },                          \
        { "barrier", barrier_run },

void parked_run(void);
void deep_run(void);
void hogs_run(void);
void barrier_run(void);

#define PORT_TYPE(...) GORT_TYPE(__VA_ARGS__)
#define port_new(T) gort_new(T)
#define port_new_leaf(T) gort_new(T)
#define port_zeroed(T) gort_new(T)
#define port_new_array(T, n) gort_new_array(T, n)
#define port_bytes(n) gort_alloc_uninit(n)
#define port_free(p) ((void)(p))
#define port_set(slot, value) gort_set(slot, value)
#define port_init(slot, value) gort_init(slot, value)
#define port_run(fn, argc, argv) gort_run(fn, argc, argv)
#define port_collect() gort_gc()
#define port_gc_percent(percent) gort_set_gc_percent(percent)
#define port_sleep_ms(ms) gort_sleep((ms)*GORT_MS)

typedef void *port_element;
typedef gort_chan(port_element) port_queue;

#define port_queue_make(queue, capacity) gort_set(queue, gort_chan_make(port_element, capacity))
#define port_send(queue, p) gort_send(queue, p)

static inline void *port_recv(port_queue queue)
{
    void *p = NULL;
    gort_recv(queue, &p);
    return p;
}

struct port_job {
    void (*fn)(int);
    int index;
    gort_waitgroup *done;
};

static void port_job_run(void *arg)
{
    struct port_job *j = arg;
    j->fn(j->index);
    gort_waitgroup_done(j->done);
}

static inline void port_jobs(int n, void (*fn)(int))
{
    static gort_waitgroup done;
    gort_waitgroup_add(&done, n);
    for (int i = 0; i < n; i++) {
        struct port_job j = { fn, i, &done };
        gort_go_copy(port_job_run, &j, sizeof j);
    }
    gort_waitgroup_wait(&done);
}

#define port_lanes(n, fn) port_jobs(n, fn)

static inline double port_metric(const char *name)
{
    double value = -1;
    gort_metric_read(name, &value);
    return value;
}

static inline double port_in_use(void)
{
    return port_metric("/gort/heap/in-use:bytes");
}

static inline double port_allocated(void)
{
    return port_metric("/gc/heap/allocs:bytes");
}

static inline double port_collections(void)
{
    return port_metric("/gc/cycles/total:gc-cycles");
}

// By the classes of Go, and what callers of gort_gc marked, which has no class there; a collector
// without them, which marks with the world stopped, counts all of a collection.
static inline double port_mark_cpu(void)
{
    static const char *const classes[] = { "/cpu/classes/gc/mark/assist:cpu-seconds",
                                           "/cpu/classes/gc/mark/dedicated:cpu-seconds",
                                           "/cpu/classes/gc/mark/idle:cpu-seconds",
                                           "/gort/gc/mark-waiting:cpu-seconds" };
    double sum = 0, value;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (gort_metric_read(classes[i], &value) != 0)
            return port_metric("/cpu/classes/gc/total:cpu-seconds");
        sum += value;
    }
    return sum;
}

static inline size_t port_pauses(bool stopping, const double **bounds, const uint64_t **counts)
{
    size_t n = 0;
    const char *name =
        stopping ? "/sched/pauses/stopping/gc:seconds" : "/sched/pauses/total/gc:seconds";
    return gort_metric_histogram(name, bounds, counts, &n) == 0 ? n : 0;
}

// For this the statistics stop the world.
static inline void port_stop(void)
{
    gort_stats stats;
    gort_read_stats(&stats);
}

// Where the time may have gone: counters since the start.
static inline void port_details(void)
{
    static const struct {
        const char *name, *metric;
    } details[] = {
        { "collector-cpu-s", "/cpu/classes/gc/total:cpu-seconds" },
        { "pauses-s", "/gort/gc/pause/total:seconds" },
        { "objects", "/gc/heap/allocs:objects" },
        { "objects-marked", "/gort/gc/objects-marked:objects" },
        { "windows", "/gort/heap/windows:events" },
        { "refills", "/gort/heap/refills:spans" },
        { "span-allocs", "/gort/heap/span-allocs:spans" },
        { "swept-alloc", "/gort/gc/swept/alloc:spans" },
        { "swept-background", "/gort/gc/swept/background:spans" },
        { "swept-finish", "/gort/gc/swept/finish:spans" },
        { "swept-flush", "/gort/gc/swept/flush:spans" },
        { "swept-paid", "/gort/gc/swept/paid:spans" },
        { "swept-reclaim", "/gort/gc/swept/reclaim:spans" },
    };
    for (size_t i = 0; i < sizeof details / sizeof *details; i++)
        printf("%s %.6f\n", details[i].name, port_metric(details[i].metric));
}

static inline void port_version(char *text, size_t size)
{
    snprintf(text, size, "this tree");
}

#endif
