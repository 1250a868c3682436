// Note [Records while marking]: with the barrier on, every pointer that enters or leaves a record
// of a finalizer, a cleanup or a weak reference, and every object got from one, is told to the
// collector.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gc/barrier.h"
#include "gort/chan.h"
#include "gort/go.h"
#include "gort/sync.h"

static uintptr_t seen[4096];
static uint32_t nseen;

static void observe(const uintptr_t *words, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (words[i] != 0 && nseen < 4096) seen[nseen++] = words[i];
}

static void switch_barrier(void *on)
{
    struct stop_result r;
    world_stop(STOP_TEST, &r);
    if (!*(bool *)on) barrier_flush_all_stw();
    barrier_set_stw(*(bool *)on);
    world_start();
}

static void begin(void)
{
    bool on = true;
    nseen = 0;
    barrier_observer = observe;
    call_on_system_stack(switch_barrier, &on);
}

static void end(void)
{
    bool off = false;
    call_on_system_stack(switch_barrier, &off);
}

static int count_of(const void *value)
{
    int n = 0;
    for (uint32_t i = 0; i < nseen; i++)
        n += seen[i] == (uintptr_t)value;
    return n;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void what_enters(void)
{
    uint64_t *object = gort_alloc(64), *arg = gort_alloc(64);
    begin();
    gort_set_finalizer(object, nothing);
    end();
    CHECK_EQ(count_of(object), 1);
    begin();
    gort_add_cleanup(object, nothing, arg);
    end();
    CHECK_EQ(count_of(arg), 1);
    begin();
    gort_weak *w = gort_weak_make(object);
    end();
    CHECK_EQ(count_of(w), 1);
    begin();
    CHECK_PTR_EQ(gort_weak_make(object), w); // leaves the record
    end();
    CHECK_EQ(count_of(w), 1);
    gort_keep_alive(object);
    gort_keep_alive(arg);
}

static void what_is_got(void)
{
    char *object = gort_alloc(64);
    gort_weak *w = gort_weak_make(object), *inner = gort_weak_make(object + 40);
    begin();
    CHECK_PTR_EQ(gort_weak_get(w), object);
    CHECK_PTR_EQ(gort_weak_get(inner), object + 40);
    end();
    CHECK_EQ(count_of(object), 1);
    CHECK_EQ(count_of(object + 40), 1);
    nseen = 0;
    CHECK_PTR_EQ(gort_weak_get(w), object);
    CHECK_EQ(nseen, 0);
    gort_keep_alive(object);
}

// ---- from the queues ----------------------------------------------------------------------------

enum { DROPPED = 40 };
static gort_chan(int) gate, done;
static uintptr_t called_with[DROPPED]; // hidden
static uint32_t called, waiting;       // atomic

static void waits(void *unused)
{
    int x;
    (void)unused;
    atomic_fetch_add_relaxed(&waiting, 1);
    gort_recv(gate, &x);
}

static void tells(void *arg)
{
    called_with[atomic_fetch_add_relaxed(&called, 1)] = ~(uintptr_t)arg;
    gort_send(done, 1);
}

static void drop_waiting(void *with_finalizer)
{
    for (int i = 0; i < DROPPED; i++)
        if (with_finalizer != NULL)
            gort_set_finalizer(gort_alloc(64), waits);
        else
            gort_add_cleanup(gort_alloc(64), waits, NULL);
}

static void drop_telling(void *with_finalizer)
{
    for (int i = 0; i < DROPPED; i++)
        if (with_finalizer != NULL)
            gort_set_finalizer(gort_alloc(64), tells);
        else
            gort_add_cleanup(gort_alloc(64), tells, gort_alloc(64));
}

static void on_goroutine(void (*fn)(void *), void *arg)
{
    go(fn, arg);
    for (int i = 0; i < 20; i++)
        gort_yield();
}

static void collect(void)
{
    for (int i = 0; i < 3; i++) {
        scrub_stack();
        gort_gc();
        for (int k = 0; k < 20; k++)
            gort_yield();
    }
}

// Every goroutine that runs such functions waits inside one; then more are queued; then the barrier
// goes on, and they are let go.
static void what_leaves_a_queue(void *with_finalizer, uint32_t runners)
{
    int x;
    waiting = called = 0;
    gate = gort_chan_make(int, 0);
    done = gort_chan_make(int, 0);
    on_goroutine(drop_waiting, with_finalizer);
    collect();
    CHECK_EQ(waiting, runners);
    on_goroutine(drop_telling, with_finalizer);
    collect();
    begin();
    gort_close(gate);
    for (int i = 0; i < DROPPED / 2; i++)
        gort_recv(done, &x);
    end();
    CHECK_GE(called, DROPPED / 2);
    for (uint32_t i = 0; i < called; i++)
        CHECK_EQ(count_of((void *)~called_with[i]), 1);
}

static void what_leaves_the_queue_of_finalizers(void)
{
    what_leaves_a_queue((void *)1, 1);
}

static void what_leaves_the_queue_of_cleanups(void)
{
    what_leaves_a_queue(NULL, 4);
}

int main(void)
{
    RUN_ALL(what_enters);
    RUN_ALL(what_is_got);
    RUN_ON(what_leaves_the_queue_of_finalizers, 1);
    RUN_ON(what_leaves_the_queue_of_cleanups, 1);
    return 0;
}
