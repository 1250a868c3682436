// The loads of goroutines on gort.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_TASKS_PORT_H
#define GORT_BENCH_TASKS_PORT_H

#include <gort.h>
#include <stdio.h>

#define PORT_NAME "gort"
#define PORT_THREADS 1
#define PORT_BUFFERS 1
#define PORT_SELECT 1
#define PORT_MANY 1
#define PORT_LOADS                                                                                 \
    { "mutex-2", mutex_run, 0 }, { "mutex-8", mutex_run, 0 }, { "mutex-64", mutex_run, 0 },        \
        { "rwmutex-2", rwmutex_run, 0 }, { "rwmutex-8", rwmutex_run, 0 },                          \
        { "rwmutex-64", rwmutex_run, 0 }, { "waitgroup-2", waitgroup_run, 0 },                     \
        { "waitgroup-8", waitgroup_run, 0 }, { "waitgroup-64", waitgroup_run, 0 },                 \
        { "queues", queues_run, 0 }, { "parked", parked_run, 0 }, { "parked-64", parked_run, 0 },  \
        { "echo-4", echo_run, 0 }, { "echo-1000", echo_run, 0 }, { "timers", timers_run, 0 },      \
        { "lateness", lateness_run, 0 }, { "defer", defer_run, 0 },                                \
        { "defer-loop", defer_loop_run, 0 }, { "panic", panic_run, 0 },                            \
        { "panic-deep", panic_deep_run, 0 }, { "counter", counter_run, 0 },                        \
        { "cmap-hit-1000", cmap_hit_run, 0 }, { "cmap-hit-1000000", cmap_hit_run, 0 },             \
        { "cmap-update-100000", cmap_update_run, 0 },                                              \
        { "cmap-insert-1000000", cmap_insert_run, 0 }, { "cmap-mixed-100000", cmap_mixed_run, 0 }, \
        { "locked-hit-1000", locked_hit_run, 0 }, { "locked-hit-1000000", locked_hit_run, 0 },     \
        { "locked-update-100000", locked_update_run, 0 },                                          \
        { "locked-insert-1000000", locked_insert_run, 0 },                                         \
        { "locked-mixed-100000", locked_mixed_run, 0 }, { "file-write-0", file_write_run, 0 },     \
        { "file-write-2", file_write_run, 0 },

void mutex_run(void);
void rwmutex_run(void);
void waitgroup_run(void);
void queues_run(void);
void parked_run(void);
void echo_run(void);
void timers_run(void);
void defer_run(void);
void defer_loop_run(void);
void panic_run(void);
void panic_deep_run(void);
void lateness_run(void);
void counter_run(void);
void cmap_hit_run(void);
void cmap_update_run(void);
void cmap_insert_run(void);
void cmap_mixed_run(void);
void locked_hit_run(void);
void locked_update_run(void);
void locked_insert_run(void);
void locked_mixed_run(void);
void file_write_run(void);

typedef gort_chan(intptr_t) port_chan;
typedef gort_waitgroup port_group;

#define port_chan_make(capacity) gort_chan_make(intptr_t, capacity)
#define port_chan_set(slot, c) gort_set(slot, c)
#define port_chans_make(slot, n) gort_set(slot, gort_new_array(port_chan, (size_t)(n)))
#define port_send(c, value) gort_send(c, (intptr_t)(value))
#define port_go(fn, arg) gort_go(fn, arg)
#define port_yield() gort_yield()
#define port_group_add(g, n) gort_waitgroup_add(g, n)
#define port_group_done(g) gort_waitgroup_done(g)
#define port_group_wait(g) gort_waitgroup_wait(g)
#define port_run(fn, argc, argv) gort_run(fn, argc, argv)

static inline intptr_t port_recv(port_chan c)
{
    intptr_t value = 0;
    gort_recv(c, &value);
    return value;
}

__attribute__((always_inline)) static inline intptr_t port_select(port_chan *chans, int n)
{
    intptr_t value = 0;
    gort_case cases[8];
    for (int i = 0; i < n; i++)
        cases[i] = gort_on_recv(chans[i], &value);
    gort_select(cases, n);
    return value;
}

static inline void port_version(char *text, size_t size)
{
    snprintf(text, size, "this tree");
}

#endif
