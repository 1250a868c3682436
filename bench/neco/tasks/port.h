// The loads of goroutines on neco: coroutines of one thread.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_TASKS_PORT_H
#define GORT_BENCH_TASKS_PORT_H

#include <neco.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_NAME "neco"
#define PORT_THREADS 0
#define PORT_BUFFERS 1
#define PORT_SELECT 1
#define PORT_MANY 0
#define PORT_LOADS

typedef neco_chan *port_chan;
typedef neco_waitgroup port_group;

static inline port_chan port_chan_make(int capacity)
{
    port_chan c;
    if (neco_chan_make(&c, sizeof(intptr_t), (size_t)capacity) != NECO_OK) abort();
    return c;
}

#define port_chan_set(slot, c) (*(slot) = (c))
#define port_chans_make(slot, n) (*(slot) = (port_chan *)calloc((size_t)(n), sizeof(port_chan)))

static inline void port_send(port_chan c, intptr_t value)
{
    if (neco_chan_send(c, &value) != NECO_OK) abort();
}

static inline intptr_t port_recv(port_chan c)
{
    intptr_t value;
    if (neco_chan_recv(c, &value) != NECO_OK) abort();
    return value;
}

__attribute__((always_inline)) static inline intptr_t port_select(port_chan *chans, int n)
{
    intptr_t value;
    int i = neco_chan_selectv(n, chans);
    if (i < 0 || neco_chan_case(chans[i], &value) != NECO_OK) abort();
    return value;
}

void port_go(void (*fn)(void *), void *arg);

#define port_yield() neco_yield()
#define port_group_add(g, n) neco_waitgroup_add(g, n)
#define port_group_done(g) neco_waitgroup_done(g)
#define port_group_wait(g) neco_waitgroup_wait(g)

int port_run(int (*fn)(int, char **), int argc, char **argv);

static inline void port_version(char *text, size_t size)
{
    snprintf(text, size, "0.3.2");
}

#endif
