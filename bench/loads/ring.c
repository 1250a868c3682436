// The message ring of gc-latency-experiment: a window of the last 200,000 messages of 1 KiB each,
// into which two million are pushed.  What a push takes at worst is what a program sees of pauses,
// assists and sweeping.  One goroutine; with two Ps, the collector has one for itself.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define MESSAGE 1024

static port_pointer *window;
static int size;

static int64_t push(int i)
{
    int64_t begin = load_now();
    unsigned char *m = port_bytes(MESSAGE);
    memset(m, i & 255, MESSAGE);
    port_free(window[i % size]);
    port_set(&window[i % size], (port_pointer)m);
    return load_now() - begin;
}

static uint64_t sum_window(int pushes)
{
    uint64_t sum = 0;
    for (int i = pushes - size; i < pushes; i++) {
        const unsigned char *m = window[i % size];
        if (m[0] != (i & 255) || m[MESSAGE - 1] != (i & 255)) load_fail("a message was lost");
        sum = load_mix(sum, m[MESSAGE / 2]);
    }
    return sum;
}

void ring_run(void)
{
    size = load_quick ? 20000 : 200000;
    int pushes = 10 * size;
    int64_t worst = 0;
    port_set(&window, port_new_array(port_pointer, (size_t)size));
    for (int i = 0; i < size; i++)
        push(i);
    load_pauses_begin();
    load_begin();
    for (int i = size; i < pushes; i++) {
        int64_t t = push(i);
        if (t > worst) worst = t;
    }
    load_end(pushes - size);
    load_figure("worst", (double)worst / 1e3);
    struct load_pauses p = load_pauses_end("");
    uint64_t sum = sum_window(pushes);
    load_stop(1, p.p50);
    load_check(sum);
}
