// Cleanups added and taken back by several goroutines while collections, sweeps, and the cleanups
// of others go on: each runs once at most, after its object has gone; one that was taken back while
// its object was held never runs; nearly all others do.
// TEST notmodes=gcstress,gcp1,gcmarkp1
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

enum { MAKERS = 6, ROUNDS = 20000, KEPT = 300, OLD = 4000, PER_OBJECT = 4 };
#define CANARY(id) ((id)*UINT64_C(0x9e3779b97f4a7c15) + 1)

// What a cleanup is called with; known to it alone.
typedef struct order {
    uint64_t id, canary;
    gort_weak *object;
} order;
GORT_TYPE(order, object);

typedef struct thing {
    gort_cleanup *cleanup; // one of its cleanups, and whose it is
    uint64_t id;
    uint64_t filler[];
} thing;
GORT_TYPE(thing, cleanup);
typedef thing *thing_pointer;
typedef gort_cleanup *handle;

enum { RAN = 1, STOPPED = 2, PERHAPS = 4 };
static uint8_t *fate; // of each cleanup; atomic
static gort_waitgroup makers;
static uint64_t ran, stopped, perhaps, exited; // atomic

static void clean(void *arg)
{
    const order *o = arg;
    CHECK_EQ(o->canary, CANARY(o->id));
    CHECK(gort_weak_get(o->object) == NULL);
    uint8_t was = __atomic_fetch_or(&fate[o->id], RAN, __ATOMIC_RELAXED);
    CHECK_EQ(was & (RAN | STOPPED), 0);
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELEASE);
    uint64_t id = o->id;
    if (id % 64 == 0) gort_yield();
    if (id % 128 == 1) gort_sleep((int64_t)(id % 20) * 100 * GORT_US); // over a cycle's end
    CHECK_EQ(o->id, id);
    CHECK_EQ(o->canary, CANARY(id));
    if (id % 256 == 3) {
        __atomic_fetch_add(&exited, 1, __ATOMIC_RELAXED);
        gort_goexit();
    }
}

static order *order_new(uint64_t id, thing *t)
{
    order *o = gort_new(order);
    o->id = id;
    o->canary = CANARY(id);
    gort_init(&o->object, gort_weak_make(t));
    return o;
}

static void stop_held(const thing *t)
{
    CHECK_EQ(__atomic_load_n(&fate[t->id], __ATOMIC_RELAXED) & RAN, 0);
    gort_cleanup_stop(t->cleanup);
    __atomic_fetch_or(&fate[t->id], STOPPED, __ATOMIC_RELAXED);
    __atomic_fetch_add(&stopped, 1, __ATOMIC_RELAXED);
    if (t->id % 3 == 0) gort_cleanup_stop(t->cleanup);
    gort_keep_alive(t);
}

static thing *thing_new(uint64_t id, uint64_t *seed)
{
    size_t words = test_random(seed) % 32 == 0 ? test_random(seed) % 5000 : test_random(seed) % 10;
    thing *t = gort_new_flex(thing, filler, words);
    t->id = id;
    uint64_t n = 1 + test_random(seed) % PER_OBJECT;
    for (uint64_t i = 0; i < n; i++) {
        size_t inner = i == 0 ? 0 : test_random(seed) % sizeof(thing);
        gort_cleanup *c = gort_add_cleanup((char *)t + inner, clean, order_new(id + i, t));
        if (i == 0) gort_init(&t->cleanup, c);
    }
    for (uint64_t i = n; i < PER_OBJECT; i++)
        fate[id + i] = STOPPED; // there is none
    return t;
}

// Handles of cleanups that may have run long ago, their records being others'.
static void stop_some_old(handle *old, uint64_t *ids, uint64_t *seed)
{
    uint64_t i = test_random(seed) % OLD;
    if (old[i] == NULL) return;
    __atomic_fetch_or(&fate[ids[i]], PERHAPS, __ATOMIC_RELAXED);
    __atomic_fetch_add(&perhaps, 1, __ATOMIC_RELAXED);
    gort_cleanup_stop(old[i]);
    gort_set(&old[i], (handle)NULL);
}

static void make(void *arg)
{
    uint64_t me = (uintptr_t)arg, seed = test_seed() + me;
    thing_pointer *kept = gort_new_array(thing_pointer, KEPT);
    handle *old = gort_new_array(handle, OLD);
    uint64_t *ids = gort_alloc_noscan(OLD * sizeof *ids);
    for (int64_t k = 0; k < test_count(ROUNDS); k++) {
        uint64_t id = PER_OBJECT * ((uint64_t)k * MAKERS + me), r = test_random(&seed);
        thing *t = thing_new(id, &seed), **place = &kept[r % KEPT];
        if (r % 4 == 1 && *place != NULL && (fate[(*place)->id] & (STOPPED | PERHAPS)) == 0)
            stop_held(*place);
        gort_set(place, t);
        uint64_t i = (r >> 32) % OLD;
        gort_set(&old[i], t->cleanup);
        ids[i] = id;
        if (r % 4 == 2) stop_some_old(old, ids, &seed);
        if (r % 64 == 5) gort_yield();
        if (r % 8192 == 5) gort_gc();
    }
    gort_waitgroup_done(&makers);
}

// Cleanups that must run in the end.
static uint64_t count_due(size_t n)
{
    uint64_t due = 0;
    for (size_t i = 0; i < n; i++)
        due += (__atomic_load_n(&fate[i], __ATOMIC_RELAXED) & (STOPPED | PERHAPS)) == 0;
    return due;
}

static uint64_t count_due_run(size_t n)
{
    uint64_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += __atomic_load_n(&fate[i], __ATOMIC_RELAXED) == RAN;
    return done;
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    size_t n = (size_t)test_count(ROUNDS) * MAKERS * PER_OBJECT;
    fate = calloc(n, 1);
    for (uintptr_t i = 0; i < MAKERS; i++) {
        gort_waitgroup_add(&makers, 1);
        gort_go(make, (void *)i);
    }
    gort_waitgroup_wait(&makers);
    uint64_t due = count_due(n), done = 0;
    for (int round = 0; done + due / 50 + 50 < due || (round < 6 && done < due); round++) {
        gort_gc();
        gort_sleep(10 * GORT_MS); // the time limit is the other end
        done = count_due_run(n);
    }
    printf("%zu cleanups, %" PRIu64 " ran, %" PRIu64 " taken back held, %" PRIu64
           " at any time, %" PRIu64 " ended their goroutine\n",
           n, __atomic_load_n(&ran, __ATOMIC_ACQUIRE), stopped, perhaps,
           __atomic_load_n(&exited, __ATOMIC_ACQUIRE));
    CHECK_GT(stopped, 0);
    CHECK_GT(perhaps, 0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
