// In the style of cache-scratch: small objects allocated side by side go to different goroutines
// (threads), which write to them, free them, and write to new ones of the same size.  An allocator
// that gives freed slots of one cache line to different processors makes them fight for it
// (passive false sharing), which shows as a multiple of the time.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define SIZE 8
#define HANDED 64
#define WRITES 100
#define LANES 8

static char *handed[LANES][HANDED];
static uint64_t sums[LANES * 8]; // a line each
static int rounds;

// Writes every byte of the object, over and over.
static uint64_t scratch(volatile char *p)
{
    uint64_t sum = 0;
    for (int i = 0; i < WRITES; i++)
        for (int k = 0; k < SIZE; k++) {
            p[k] = (char)(i + k);
            sum += (uint64_t)(unsigned char)p[k];
        }
    return sum;
}

static void work(int lane)
{
    uint64_t sum = 0;
    for (int i = 0; i < HANDED; i++) {
        sum += scratch(handed[lane][i]);
        port_free(handed[lane][i]);
        port_set(&handed[lane][i], NULL);
        for (int k = 0; k < rounds; k++) {
            char *p = port_bytes(SIZE);
            sum += scratch(p);
            port_free(p);
        }
    }
    sums[lane * 8] = sum;
}

void scratch_run(void)
{
    rounds = load_quick ? 1000 : 10000;
    if (load_procs > LANES) load_fail("too many procs");
    load_begin();
    for (int i = 0; i < HANDED; i++)
        for (int lane = 0; lane < load_procs; lane++)
            port_set(&handed[lane][i], port_bytes(SIZE));
    port_jobs(load_procs, work);
    load_end((double)rounds * HANDED * load_procs);
    uint64_t check = 0;
    for (int i = 0; i < load_procs; i++)
        check = load_mix(check, sums[i * 8]);
    load_check(check);
}
