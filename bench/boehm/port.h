// The loads on Boehm's collector, with threads: GC_THREADS makes pthread_create register them, and
// small objects come from lists that each thread has for itself.  It is Debian's library as it
// comes, which collects a heap with little in it every 100 KB; the loads "roomy-N" give it the 4 MB
// to start with that Go and gort let theirs grow to at least.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_PORT_H
#define GORT_BENCH_PORT_H

#define GC_THREADS
#include <gc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "threads.h"

#define PORT_NAME "boehm"
#define PORT_SPLIT 2
#define PORT_GOROUTINES 0
#define PORT_STOPS 0
#define PORT_LOADS
#define PORT_FREES 0

#define PORT_TYPE(T, ...) struct port_type_##T
#define port_new(T) ((T *)GC_MALLOC(sizeof(T)))
#define port_new_leaf(T) ((T *)GC_MALLOC_ATOMIC(sizeof(T)))
// What is not scanned is not zeroed either, so this asks for memory that is scanned.
#define port_zeroed(T) ((T *)GC_MALLOC(sizeof(T)))
#define port_new_array(T, n) ((T *)GC_MALLOC((n) * sizeof(T)))
#define port_bytes(n) GC_MALLOC_ATOMIC(n)
#define port_free(p) ((void)(p))
#define port_set(slot, value) ((void)(*(slot) = (value)))
#define port_init(slot, value) ((void)(*(slot) = (value)))
#define port_collect() GC_gcollect()
#define port_sleep_ms(ms) threads_sleep_ms(ms)
#define port_jobs(n, fn) threads_jobs(n, fn)
#define port_lanes(n, fn) threads_run(n, n, fn)
#define port_stop() ((void)0)

typedef struct threads_queue *port_queue;
#define port_queue_make(queue, capacity)                                                           \
    (*(queue) = GC_MALLOC(sizeof(struct threads_queue)), threads_queue_make(*(queue), capacity))
#define port_send(queue, p) threads_send(queue, p)
#define port_recv(queue) threads_recv(queue)

// pauses.c
void port_event(GC_EventType event);
size_t port_pauses(bool stopping, const double **bounds, const uint64_t **counts);

static inline int port_run(int (*fn)(int, char **), int argc, char **argv)
{
    GC_INIT();
    GC_set_on_collection_event(port_event);
    if (argc > 1 && strncmp(argv[1], "roomy-", 6) == 0 && GC_expand_hp(4 << 20) == 0) return 1;
    return fn(argc, argv);
}

static inline double port_in_use(void)
{
    return -1;
}

static inline double port_allocated(void)
{
    return (double)GC_get_total_bytes();
}

static inline double port_collections(void)
{
    return (double)GC_get_gc_no();
}

static inline int port_gc_percent(int percent)
{
    return percent;
}

static inline double port_mark_cpu(void)
{
    return 0;
}

static inline void port_details(void)
{
}

static inline void port_version(char *text, size_t size)
{
    unsigned v = GC_get_version();
    snprintf(text, size, "%u.%u.%u", v >> 16, v >> 8 & 255, v & 255);
}

#endif
