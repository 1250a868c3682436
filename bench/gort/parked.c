// Pauses with a million goroutines that wait (GORT_BENCH_PARKED says how many, if not that), while
// one for each P makes garbage and collections are forced.  parked.c of bench/ has their memory.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

typedef struct cell cell;
struct cell {
    cell *next;
    uint64_t value;
};
GORT_TYPE(cell, next);

static gort_chan(int) gate;
static gort_waitgroup done;
static int arrived, kept; // atomic

// Has an object that only its stack knows.
static void wait_at_gate(void *arg)
{
    cell *c = gort_new(cell);
    c->value = (uintptr_t)arg;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    gort_recv(gate, NULL);
    if (c->value == (uintptr_t)arg) __atomic_fetch_add(&kept, 1, __ATOMIC_RELAXED);
    gort_waitgroup_done(&done);
}

static void churn(int lane)
{
    cell *list = NULL;
    for (uint64_t i = 0; i < 1000; i++) {
        cell *c = gort_new(cell);
        c->value = i + (uint64_t)lane;
        gort_init(&c->next, list);
        list = c;
    }
    if (list->next->value != (uint64_t)lane + 998) load_fail("garbage was lost");
}

void parked_run(void)
{
    int count = load_setting("GORT_BENCH_PARKED", load_quick ? 100000 : 1000000);
    gort_set(&gate, gort_chan_make(int, 0));
    gort_waitgroup_add(&done, count);
    for (intptr_t i = 0; i < count; i++)
        gort_go(wait_at_gate, (void *)i);
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) != count)
        gort_yield();
    load_collect_while(load_procs, 1, churn);
    load_pauses_begin();
    load_collect_while(load_procs, load_quick ? 3 : 10, churn);
    struct load_pauses p = load_pauses_end("");
    load_stop(load_procs, p.p50);
    gort_close(gate);
    gort_waitgroup_wait(&done);
    if (kept != count) load_fail("a goroutine's object was lost");
    load_check((uint64_t)count << 12);
}
