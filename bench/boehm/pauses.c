// Pauses of Boehm's collector, by its events: from before a stop to after the start.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define PARTS 8 // of each power of two of nanoseconds
#define POWERS 40
#define LEAST 3 // the first power: shorter ones count as that
#define BUCKETS (PARTS * (POWERS - LEAST))

// Moved by the thread that collects, which holds the collector's lock.
static uint64_t counts[BUCKETS];
static int64_t began;

void port_event(GC_EventType event)
{
    if (event == GC_EVENT_PRE_STOP_WORLD) began = load_now();
    if (event != GC_EVENT_POST_START_WORLD) return;
    int64_t ns = load_now() - began;
    if (ns < 1 << LEAST) ns = 1 << LEAST;
    int power = 63 - __builtin_clzll((unsigned long long)ns);
    int bucket = (power - LEAST) * PARTS + (int)(ns >> (power - 3) & (PARTS - 1));
    if (bucket < BUCKETS) counts[bucket]++;
}

size_t port_pauses(bool stopping, const double **bounds, const uint64_t **all)
{
    static double begins[BUCKETS + 1];
    for (int i = 0; i <= BUCKETS; i++)
        begins[i] =
            (double)((uint64_t)1 << (i / PARTS + LEAST)) * (PARTS + i % PARTS) / PARTS / 1e9;
    *bounds = begins;
    *all = counts;
    return stopping ? 0 : BUCKETS;
}
