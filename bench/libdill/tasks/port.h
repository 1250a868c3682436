// The loads of goroutines on libdill: coroutines of one thread, channels without room.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_TASKS_PORT_H
#define GORT_BENCH_TASKS_PORT_H

#include <libdill.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_NAME "libdill"
#define PORT_THREADS 0
#define PORT_BUFFERS 0
#define PORT_SELECT 1
#define PORT_MANY 0
#define PORT_LOADS

// Both ends; what goes in at one comes out at the other.
typedef struct port_channel {
    int ends[2];
} * port_chan;

typedef struct {
    int count;
    port_chan wake; // not NULL: somebody waits
} port_group;

extern int port_bundle; // of all coroutines: they are freed when they end

static inline port_chan port_chan_make(int capacity)
{
    port_chan c = malloc(sizeof *c);
    if (c == NULL || capacity != 0 || dill_chmake(c->ends) != 0) abort();
    return c;
}

#define port_chan_set(slot, c) (*(slot) = (c))
#define port_chans_make(slot, n) (*(slot) = (port_chan *)calloc((size_t)(n), sizeof(port_chan)))

static inline void port_send(port_chan c, intptr_t value)
{
    if (dill_chsend(c->ends[0], &value, sizeof value, -1) != 0) abort();
}

static inline intptr_t port_recv(port_chan c)
{
    intptr_t value;
    if (dill_chrecv(c->ends[1], &value, sizeof value, -1) != 0) abort();
    return value;
}

__attribute__((always_inline)) static inline intptr_t port_select(port_chan *chans, int n)
{
    intptr_t value = 0;
    struct dill_chclause clauses[8];
    for (int i = 0; i < n; i++)
        clauses[i] = (struct dill_chclause){ DILL_CHRECV, chans[i]->ends[1], &value, sizeof value };
    if (dill_choose(clauses, n, -1) < 0) abort();
    return value;
}

void port_go(void (*fn)(void *), void *arg);

static inline void port_yield(void)
{
    if (dill_yield() != 0) abort();
}

static inline void port_group_add(port_group *g, int n)
{
    g->count += n;
}

static inline void port_group_done(port_group *g)
{
    if (--g->count == 0 && g->wake != NULL) port_send(g->wake, 0);
}

static inline void port_group_wait(port_group *g)
{
    if (g->count == 0) return;
    g->wake = port_chan_make(0);
    port_recv(g->wake);
    dill_hclose(g->wake->ends[0]);
    dill_hclose(g->wake->ends[1]);
    free(g->wake);
    g->wake = NULL;
}

int port_run(int (*fn)(int, char **), int argc, char **argv);

static inline void port_version(char *text, size_t size)
{
    snprintf(text, size, "2.14");
}

#endif
