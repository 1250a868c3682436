// What it costs to switch: by yielding, by starting a task, through channels and select.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#define BATCH 100
#define MOST 8 // channels of a select

static port_chan there, back;
static uint64_t sum;

// ---- yield and spawn ----

static int yields;

static void yielder(void *arg)
{
    (void)arg;
    for (int i = 0; i < yields; i++)
        port_yield();
}

void yield_run(void)
{
    yields = tasks_count(2000000);
    tasks_begin();
    tasks_join(2, yielder);
    tasks_end(2.0 * yields);
    tasks_check((uint64_t)yields << 12);
}

static void nothing(void *arg)
{
    (void)arg;
}

void spawn_run(void)
{
    int batches = tasks_count(20000);
    tasks_join(BATCH, nothing); // from here on they are recycled
    tasks_begin();
    for (int i = 0; i < batches; i++)
        tasks_join(BATCH, nothing);
    tasks_end((double)batches * BATCH);
    tasks_check((uint64_t)batches << 12);
}

// ---- channels ----

static int messages;

static void echo(void *arg)
{
    (void)arg;
    for (int i = 0; i < messages; i++)
        port_send(back, port_recv(there) + 1);
}

void trip_run(void)
{
    messages = tasks_count(1000000);
    port_chan_set(&there, port_chan_make(0));
    port_chan_set(&back, port_chan_make(0));
    port_go(echo, NULL);
    tasks_begin();
    for (int i = 0; i < messages; i++) {
        port_send(there, i);
        sum = tasks_mix(sum, (uint64_t)port_recv(back));
    }
    tasks_end(messages);
    tasks_check(sum);
}

static void produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < messages; i++)
        port_send(there, i);
}

static void consume(int capacity)
{
    messages = tasks_count(4000000);
    port_chan_set(&there, port_chan_make(capacity));
    port_go(produce, NULL);
    tasks_begin();
    for (int i = 0; i < messages; i++)
        sum = tasks_mix(sum, (uint64_t)port_recv(there));
    tasks_end(messages);
    tasks_check(sum);
}

void element_run(void)
{
    consume(0);
}

#if PORT_BUFFERS
void buffered_run(void)
{
    consume(128);
}
#endif

// ---- select ----

#if PORT_SELECT
static port_chan *chans;

static void make_chans(int n, int capacity)
{
    port_chans_make(&chans, MOST);
    for (int i = 0; i < n; i++)
        port_chan_set(&chans[i], port_chan_make(capacity));
}

static uint64_t receive_any(int n)
{
    return (uint64_t)(n == 2 ? port_select(chans, 2) : port_select(chans, MOST));
}

#if PORT_BUFFERS
// One of the channels is ready; sending to it counts too.
void select_ready_run(void)
{
    int n = tasks_number();
    messages = tasks_count(1000000);
    make_chans(n, 1);
    tasks_begin();
    for (int i = 0; i < messages; i++) {
        port_send(chans[i % n], i);
        sum = tasks_mix(sum, receive_any(n));
    }
    tasks_end(messages);
    tasks_check(sum);
}
#else
void select_ready_run(void)
{
}
#endif

static void answer(void *arg)
{
    int n = (int)(intptr_t)arg;
    for (int i = 0; i < messages; i++)
        port_send(back, (intptr_t)receive_any(n) + 1);
}

// A round trip whose other side has to wait in a select each time.
void select_blocking_run(void)
{
    int n = tasks_number();
    messages = tasks_count(500000);
    make_chans(n, 0);
    port_chan_set(&back, port_chan_make(0));
    port_go(answer, (void *)(intptr_t)n);
    port_yield(); // or with one P the select would always find the one who came first
    tasks_begin();
    for (int i = 0; i < messages; i++) {
        port_send(chans[i % n], i);
        sum = tasks_mix(sum, (uint64_t)port_recv(back));
    }
    tasks_end(messages);
    tasks_check(sum);
}
#else
void select_ready_run(void)
{
}
void select_blocking_run(void)
{
}
#endif

#if !PORT_BUFFERS
void buffered_run(void)
{
}
#endif
