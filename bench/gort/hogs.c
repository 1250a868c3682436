// Time to stop: as many goroutines as Ps compute in loops that make no call, while another forces
// collections.
//
// Where that one needs a P of theirs, Go has stopped one of them already to let it run: on one P no
// other runs when Go stops the world.  gort's, once they have lost their P, go on as plain threads,
// all of which have to be stopped.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

static int finished; // atomic
static gort_waitgroup done;

static void hog(void *arg)
{
    uint64_t x = (uintptr_t)arg;
    while (!__atomic_load_n(&finished, __ATOMIC_RELAXED))
        x = load_mix(x, x);
    __asm__ volatile("" : : "r"(x)); // it was computed
    gort_waitgroup_done(&done);
}

void hogs_run(void)
{
    gort_waitgroup_add(&done, load_procs);
    for (intptr_t i = 0; i < load_procs; i++)
        gort_go(hog, (void *)i);
    gort_sleep(50 * GORT_MS); // they run
    load_pauses_begin();
    for (int i = 0; i < (load_quick ? 10 : 100); i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    load_pauses_end("");
    __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&done);
    load_check(1 << 12);
}
