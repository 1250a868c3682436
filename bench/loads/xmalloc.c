// In the style of xmalloc-test: producers allocate, consumers free.  Every object crosses from one
// goroutine (thread) to another, in batches through a bounded queue.
//
// An object begins with a number that its consumer adds up.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define BATCH 256
#define QUEUED 32
#define LANES 8

typedef struct batch {
    void *objects[BATCH];
    int n;
} batch;
PORT_TYPE(batch, objects);

static port_queue queues[LANES];
static uint64_t sums[LANES], sent[LANES];
static int batches;

static const uint16_t sizes[16] = { 16, 24,  32,  32,  48,  64,  64,  80,
                                    96, 128, 128, 192, 256, 320, 400, 512 };

static batch *produce(uint64_t *seed, uint64_t *sum)
{
    batch *b = port_new(batch);
    b->n = BATCH;
    for (int i = 0; i < BATCH; i++) {
        size_t size = sizes[load_random(seed) % 16];
        uint64_t *p = port_bytes(size);
        p[size / 8 - 1] = size; // the last word
        p[0] = load_random(seed);
        *sum += p[0];
        port_init(&b->objects[i], p);
    }
    return b;
}

static uint64_t consume(batch *b)
{
    uint64_t sum = 0;
    for (int i = 0; i < b->n; i++) {
        sum += *(uint64_t *)b->objects[i];
        port_free(b->objects[i]);
    }
    port_free(b);
    return sum;
}

// Even jobs produce, odd ones consume.
static void work(int job)
{
    int lane = job / 2;
    uint64_t sum = 0, seed = (uint64_t)lane + 7;
    if (job % 2 == 0) {
        for (int i = 0; i < batches; i++)
            port_send(queues[lane], produce(&seed, &sum));
        sent[lane] = sum;
    } else {
        for (int i = 0; i < batches; i++)
            sum += consume(port_recv(queues[lane]));
        sums[lane] = sum;
    }
}

void xmalloc_run(void)
{
    int lanes = load_procs / 2;
    batches = load_quick ? 2000 : 30000;
    if (lanes < 1 || lanes > LANES) load_fail("wants 2 to 16 procs");
    for (int i = 0; i < lanes; i++)
        port_queue_make(&queues[i], QUEUED);
    load_begin();
    port_jobs(load_procs, work);
    load_end((double)batches * BATCH * lanes);
    uint64_t check = 0;
    for (int i = 0; i < lanes; i++) {
        if (sums[i] != sent[i]) load_fail("an object was overwritten");
        check = load_mix(check, sums[i]);
    }
    load_check(check);
}
