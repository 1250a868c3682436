// The loads of goroutines on Boost.Fiber, with its scheduler of one thread.  A call more for each
// operation, into C++, is in the figures: some nanoseconds.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_TASKS_PORT_H
#define GORT_BENCH_TASKS_PORT_H

#include <stdint.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PORT_NAME "Boost.Fiber"
#define PORT_THREADS 0
#define PORT_BUFFERS 1
#define PORT_SELECT 0
#define PORT_MANY 0
#define PORT_LOADS

typedef struct port_channel *port_chan;

typedef struct {
    int count;
    void *waiting; // what the one that waits is woken by
} port_group;

port_chan port_chan_make(int capacity);
void port_send(port_chan c, intptr_t value);
intptr_t port_recv(port_chan c);
void port_go(void (*fn)(void *), void *arg);
void port_yield(void);
void port_group_add(port_group *g, int n);
void port_group_done(port_group *g);
void port_group_wait(port_group *g);
int port_run(int (*fn)(int, char **), int argc, char **argv);
void port_version(char *text, size_t size);

#define port_chan_set(slot, c) (*(slot) = (c))
#define port_chans_make(slot, n) (*(slot) = (port_chan *)calloc((size_t)(n), sizeof(port_chan)))

#ifdef __cplusplus
}
#endif

#endif
