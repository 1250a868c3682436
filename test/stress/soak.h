// What the kinds of work of the soak share: books, the window, and parcels to pass on. The head of
// soak_long.c says what for.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_SOAK_H
#define GORT_TEST_SOAK_H

#include "../goroutines.h"

// ---- books --------------------------------------------------------------------------------------

enum law {
    PARCELS, // sent, received
    NUMBERS, // their contents
    TIMERS,  // set, called or stopped
    WAKES,   // begun to sleep, woken
    ECHOES,  // bytes written, come back
    SERVED,  // connections accepted, ended
    PIPED,   // bytes written, read
    FILED,   // bytes written, read
    ENTRIES, // of maps: put, deleted
    SHARED,  // of a concurrent map
    MONEY,   // out of accounts, into others
    NODES,   // of trees: made, found
    STARTED, // goroutines started, ended
    PANICS,  // raised, caught
    ENDED,   // waits begun, ended by their context
    BLOCKED, // blocking calls begun, ended
    FOREIGN, // values sent by threads of the program's own, received
    LAWS
};
static const char *const law_names[LAWS] = {
    "parcels", "numbers", "timers", "wakes",   "echoes", "served", "piped",   "filed",   "entries",
    "shared",  "money",   "nodes",  "started", "panics", "ended",  "blocked", "foreign",
};
static int64_t given[LAWS], taken[LAWS]; // atomic

#define GIVE(law, n) ((void)ADD(&given[law], (int64_t)(n)))
#define TAKE(law, n) ((void)ADD(&taken[law], (int64_t)(n)))

static int over; // atomic: the window is
static gort_waitgroup workers;
static uint64_t seeds; // atomic

static bool goes_on(void)
{
    return !LOAD(&over);
}

static uint64_t own_seed(void)
{
    uint64_t n = ADD(&seeds, 1);
    return test_seed() + n * 0x9e3779b97f4a7c15u;
}

static void start(int n, void (*fn)(void *), void *arg)
{
    gort_waitgroup_add(&workers, n);
    for (int i = 0; i < n; i++)
        gort_go(fn, arg);
}

static void end(void)
{
    gort_waitgroup_done(&workers);
}

// ---- parcels ------------------------------------------------------------------------------------

typedef struct parcel {
    struct parcel *self;
    int64_t number;
    char bytes[40];
} parcel;
GORT_TYPE(parcel, self);

static parcel *parcel_new(uint64_t *random)
{
    parcel *p = gort_new(parcel);
    gort_init(&p->self, p);
    p->number = (int64_t)(test_random(random) & 0xffff);
    memset(p->bytes, (int)(p->number & 0x7f), sizeof p->bytes);
    return p;
}

static void parcel_check(const parcel *p)
{
    CHECK_PTR_EQ(p->self, p);
    for (size_t i = 0; i < sizeof p->bytes; i++)
        CHECK_EQ(p->bytes[i], (char)(p->number & 0x7f));
}

#endif
