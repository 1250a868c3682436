// What the tests of memory share: witnesses that tell whether they were collected, and waiting
// until finalizers are through.
//
// Stacks are scanned conservatively, so a dead object may be kept by a word that somebody left on a
// stack. What a test lets die it builds on a goroutine of its own that has ended; and where it
// counts the dead it allows a few to be kept (keeps_few).
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GC_UTIL_H
#define GC_UTIL_H

#include <gort.h>

#include "../test.h"

enum { WITNESSES_MAX = 1 << 16 };

// Pointer-free, so that it keeps nothing else alive.
typedef struct witness {
    uint32_t id;
    uint32_t mark;
    uint64_t epoch;
} witness;
GORT_TYPE(witness);

static unsigned char witness_dead[WITNESSES_MAX]; // written by finalizers, on one goroutine
static uint32_t witness_deaths;                   // atomic
static uint64_t witness_epoch = 1;                // stragglers of former tests are not counted

static inline void witness_died(void *p)
{
    witness *w = p;
    CHECK_LT(w->id, WITNESSES_MAX);
    CHECK_EQ(w->mark, w->id ^ 0x5a5a5a5a);
    if (w->epoch != __atomic_load_n(&witness_epoch, __ATOMIC_RELAXED)) return;
    witness_dead[w->id]++;
    __atomic_fetch_add(&witness_deaths, 1, __ATOMIC_RELAXED);
}

static inline witness *witness_new(uint32_t id)
{
    witness *w = gort_new(witness);
    CHECK(w->id == 0 && w->mark == 0 && w->epoch == 0);
    w->id = id;
    w->mark = id ^ 0x5a5a5a5a;
    w->epoch = witness_epoch;
    gort_set_finalizer(w, witness_died);
    return w;
}

static inline void witness_reset(void)
{
    TEST_SAW_ALL();
    __atomic_fetch_add(&witness_epoch, 1, __ATOMIC_RELAXED);
    memset(witness_dead, 0, sizeof witness_dead);
    __atomic_store_n(&witness_deaths, 0, __ATOMIC_RELAXED);
}

// Runs fn(arg) on a goroutine of its own, until it has ended.
struct gc_util_call {
    void (*fn)(void *);
    void *arg;
    gort_waitgroup wg;
};

static inline void gc_util_call(void *p)
{
    struct gc_util_call *c = p;
    c->fn(c->arg);
    gort_waitgroup_done(&c->wg);
}

__attribute__((noinline, unused)) static void on_goroutine(void (*fn)(void *), void *arg)
{
    static struct gc_util_call c;
    c = (struct gc_util_call){ .fn = fn, .arg = arg };
    gort_waitgroup_add(&c.wg, 1);
    int others = gort_num_goroutines();
    gort_go(gc_util_call, &c);
    gort_waitgroup_wait(&c.wg);
    // Its stack is a root until it has ended, which is some instructions later.
    while (gort_num_goroutines() > others)
        gort_sleep(10 * GORT_US);
    TEST_SAW_ALL();
}

// Overwrites what calls have left below this frame.
__attribute__((noinline, unused)) static void scrub_stack(void)
{
    volatile uintptr_t words[1024];
    for (unsigned i = 0; i < 1024; i++)
        words[i] = 0;
    __asm__ volatile("" : : "r"(&words) : "memory");
}

static inline double gc_util_metric(const char *name)
{
    double value = -1;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

// Waits until all finalizers have run whose objects were found dead.
static inline void finalizers_done(void)
{
    for (;;) {
        double executed = gc_util_metric("/gc/finalizers/executed:finalizers");
        if (executed >= gc_util_metric("/gc/finalizers/queued:finalizers")) break;
        gort_sleep(20 * GORT_US);
    }
    TEST_SAW_ALL();
}

// Collects until nothing more dies: objects that were dead are finalized.
static inline void collect_until(uint32_t deaths)
{
    for (int round = 0; round < 200; round++) {
        scrub_stack();
        gort_gc();
        finalizers_done();
        uint32_t n = __atomic_load_n(&witness_deaths, __ATOMIC_RELAXED);
        if (n >= deaths && round >= 1) return;
        if (round >= 4 && n + n / 50 + 4 >= deaths) return; // what is left is kept conservatively
    }
}

// Of `expected` deaths nearly all happened.
#define CHECK_NEARLY_ALL(deaths, expected) CHECK_GE((deaths) + (expected) / 20 + 4, (expected))

// A main function that runs the tests listed by RUN in tests().
#define GC_MAIN(tests)                                                                             \
    static int gc_util_main(int argc, char **argv)                                                 \
    {                                                                                              \
        (void)argc;                                                                                \
        (void)argv;                                                                                \
        tests();                                                                                   \
        return 0;                                                                                  \
    }                                                                                              \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return gort_run(gc_util_main, argc, argv);                                                 \
    }

#endif
