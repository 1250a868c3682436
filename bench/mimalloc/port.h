// The loads on mimalloc: malloc with free.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_PORT_H
#define GORT_BENCH_PORT_H

#include <mimalloc.h>
#include <stdio.h>

#include "threads.h"

#define PORT_NAME "mimalloc"
#define PORT_SPLIT 2
#define PORT_GOROUTINES 0
#define PORT_STOPS 0
#define PORT_LOADS
#define PORT_FREES 1

#define PORT_TYPE(T, ...) struct port_type_##T
#define port_new(T) ((T *)mi_malloc(sizeof(T)))
#define port_new_leaf(T) ((T *)mi_malloc(sizeof(T)))
#define port_zeroed(T) ((T *)mi_zalloc(sizeof(T)))
#define port_new_array(T, n) ((T *)mi_calloc(n, sizeof(T)))
#define port_bytes(n) mi_malloc(n)
#define port_free(p) mi_free(p)
#define port_set(slot, value) ((void)(*(slot) = (value)))
#define port_init(slot, value) ((void)(*(slot) = (value)))
#define port_run(fn, argc, argv) fn(argc, argv)
#define port_collect() mi_collect(true)
#define port_sleep_ms(ms) threads_sleep_ms(ms)
#define port_jobs(n, fn) threads_jobs(n, fn)
#define port_lanes(n, fn) threads_run(n, n, fn)
#define port_stop() ((void)0)

typedef struct threads_queue *port_queue;
#define port_queue_make(queue, capacity)                                                           \
    (*(queue) = mi_malloc(sizeof(struct threads_queue)), threads_queue_make(*(queue), capacity))
#define port_send(queue, p) threads_send(queue, p)
#define port_recv(queue) threads_recv(queue)

static inline double port_in_use(void)
{
    return -1;
}

static inline double port_allocated(void)
{
    return -1;
}

static inline double port_collections(void)
{
    return 0;
}

static inline int port_gc_percent(int percent)
{
    return percent;
}

static inline double port_mark_cpu(void)
{
    return 0;
}

static inline size_t port_pauses(bool stopping, const double **bounds, const uint64_t **counts)
{
    (void)stopping;
    *bounds = NULL;
    *counts = NULL;
    return 0;
}

static inline void port_details(void)
{
}

static inline void port_version(char *text, size_t size)
{
    int v = mi_version();
    snprintf(text, size, "%d.%d.%d", v / 100, v / 10 % 10, v % 10);
}

#endif
