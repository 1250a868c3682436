// Objects of one size, each dropped at once: what an allocation costs, with its share of
// collecting.
//
//     typed-N    N bytes that begin with two pointers
//     noscan-N   N bytes without pointers
//     zeroed-N   the same, zeroed by everybody
//     roomy-N    typed-N, where libgc's heap begins with 4 MB (see bench/boehm/port.h)
//     large-heap typed-64 beside 100 MB of small live objects, and one full collection of these
//
// With two procs, two goroutines (threads) do the same at once.  An eighth is done before the clock
// starts, so that all begin with a heap that has been through some collections.
//
// What favours whom: mimalloc frees the object at once and so gets the same, cached, memory again,
// and neither zeroes (but in zeroed-N) nor is it asked to remember anything; it and libgc are
// called in their library, while gort's allocation may be inlined into this file; Go's sink is a
// field of the heap, as a local would let it allocate on the stack, so each of its stores also
// tests the barrier's flag.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define SIZES(X) X(16) X(32) X(64) X(256)

#define DEFINE(n)                                                                                  \
    typedef struct {                                                                               \
        void *first, *second;                                                                      \
        char rest[n - 16];                                                                         \
    } typed_##n;                                                                                   \
    PORT_TYPE(typed_##n, first, second);                                                           \
    typedef struct {                                                                               \
        long rest[n / 8];                                                                          \
    } noscan_##n;                                                                                  \
    PORT_TYPE(noscan_##n);
SIZES(DEFINE)

static long count;    // objects for each job
static long bad[256]; // results that are NULL, by job; each on a line of its own

// A job: `sink` is a local variable, so that no barrier is called for.
#define JOB(name, allocate)                                                                        \
    static void name(int job)                                                                      \
    {                                                                                              \
        void *volatile sink;                                                                       \
        long missing = 0;                                                                          \
        for (long i = 0; i < count; i++) {                                                         \
            void *p = allocate;                                                                    \
            sink = p;                                                                              \
            missing += p == NULL;                                                                  \
            port_free(p);                                                                          \
        }                                                                                          \
        bad[(job * 8) & 255] = missing + (sink == NULL);                                           \
    }
#define JOBS(n)                                                                                    \
    JOB(run_typed_##n, port_new(typed_##n))                                                        \
    JOB(run_noscan_##n, port_new_leaf(noscan_##n))                                                 \
    JOB(run_zeroed_##n, port_zeroed(noscan_##n))
SIZES(JOBS)

static const struct {
    const char *name;
    void (*job)(int);
    size_t size;
} variants[] = {
#define VARIANT(n)                                                                                 \
    { "typed-" #n, run_typed_##n, n }, { "noscan-" #n, run_noscan_##n, n },                        \
        { "zeroed-" #n, run_zeroed_##n, n }, { "roomy-" #n, run_typed_##n, n },
    SIZES(VARIANT)
};

// Runs the jobs; the allocator's own counters must have seen every object.
static void measure(void (*job)(int), size_t size)
{
    count = (load_quick ? 400000 : 4000000) / (size > 64 ? 2 : 1);
    long measured = count;
    count /= 8;
    port_jobs(load_procs, job);
    count = measured;
    double before = port_allocated(), total = (double)count * load_procs;
    load_begin();
    port_jobs(load_procs, job);
    load_end(total);
    double bytes = port_allocated() - before;
    if (before >= 0 && bytes < total * (double)size) load_fail("objects are missing");
    for (int i = 0; i < load_procs; i++)
        if (bad[(i * 8) & 255] != 0) load_fail("allocated NULL");
    load_check((uint64_t)count << 12);
}

void small_run(const char *variant)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (strcmp(variant, variants[i].name) != 0) continue;
        measure(variants[i].job, variants[i].size);
        return;
    }
    exit(3);
}

typedef struct node node;
struct node {
    node *next, *other;
    char *block;
};
PORT_TYPE(node, next, other, block);
static node *kept;

static void keep(int n)
{
    for (int i = 0; i < n; i++) {
        node *x = port_new(node);
        x->next = x->other = NULL;
        x->block = NULL;
        port_init(&x->next, kept);
        node *y = port_new(node);
        y->next = y->other = NULL;
        y->block = NULL;
        port_init(&x->other, y);
        port_init(&x->block, port_bytes(256));
        port_set(&kept, x);
    }
}

void large_heap_run(void)
{
    keep(load_quick ? 20000 : 300000);
    measure(run_typed_64, 64);
    if (PORT_FREES) return;
    load_begin();
    port_collect();
    load_figure("collect", load_cpu());
}
