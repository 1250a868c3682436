// Finalizers: once, in order of reference, resurrection, tiny objects, replacing, circles.
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

typedef struct chained {
    struct chained *next;
    uint32_t id;
} chained;
GORT_TYPE(chained, next);

enum { CHAIN = 8, CHAINS = 60 };
static uint32_t order[CHAINS * CHAIN], norder;

static void link_died(void *p)
{
    chained *l = p;
    if (l->next != NULL) // still whole when the one before it is finalized
        CHECK_EQ(l->next->id, l->id + 1);
    CHECK_LT(norder, CHAINS * CHAIN);
    order[norder] = l->id;
    __atomic_store_n(&norder, norder + 1, __ATOMIC_RELEASE);
}

static void make_chains(void *unused)
{
    (void)unused;
    for (uint32_t c = 0; c < CHAINS; c++) {
        chained *next = NULL;
        for (uint32_t i = CHAIN; i-- > 0;) {
            chained *l = gort_new(chained);
            l->id = c * CHAIN + i;
            gort_init(&l->next, next);
            gort_set_finalizer(l, link_died);
            next = l;
        }
    }
}

static void the_pointing_comes_before_the_pointed_to(void)
{
    on_goroutine(make_chains, NULL);
    for (int i = 0; i < CHAIN + 60 && norder < CHAINS * CHAIN; i++) {
        scrub_stack();
        gort_gc();
        finalizers_done();
    }
    uint32_t at[CHAINS * CHAIN];
    memset(at, 0xff, sizeof at);
    CHECK_NEARLY_ALL(norder, CHAINS * CHAIN);
    for (uint32_t i = 0; i < norder; i++) {
        CHECK_EQ(at[order[i]], UINT32_MAX); // once
        at[order[i]] = i;
    }
    for (uint32_t i = 0; i < CHAINS * CHAIN; i++)
        if (i % CHAIN != 0 && at[i] != UINT32_MAX) CHECK_LT(at[i - 1], at[i]);
}

// ---- resurrection -------------------------------------------------------------------------------

static witness *saved[100];

static void save(void *p)
{
    witness *w = p;
    witness_dead[w->id]++;
    gort_set(&saved[w->id], w);
}

static void make_savers(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 100; i++)
        gort_set_finalizer(witness_new(i), save); // replaces
}

static void a_finalizer_may_keep_its_object(void)
{
    uint32_t n = 0;
    witness_reset();
    on_goroutine(make_savers, NULL);
    collect_until(0);
    collect_until(0);
    for (uint32_t i = 0; i < 100; i++)
        if (saved[i] != NULL) {
            CHECK_EQ(saved[i]->id, i);
            CHECK_EQ(saved[i]->mark, i ^ 0x5a5a5a5a);
            CHECK_EQ(witness_dead[i], 1);
            gort_set_finalizer(saved[i], witness_died); // a second life, and a second death
            n++;
        }
    CHECK_GE(n, 90);
    memset(saved, 0, sizeof saved);
    collect_until(n);
    CHECK_NEARLY_ALL(witness_deaths, n);
    for (uint32_t i = 0; i < 100; i++)
        CHECK_LE(witness_dead[i], 2);
}

// ---- setting and removing -----------------------------------------------------------------------

static void never(void *p)
{
    (void)p;
    test_fail(__FILE__, __LINE__, "a removed or replaced finalizer ran", NULL);
}

static void make_removed(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 200; i++) {
        witness *w = witness_new(i);
        gort_set_finalizer(w, never);
        gort_set_finalizer(w, i % 2 ? NULL : witness_died);
        gort_set_finalizer(w, i % 2 ? NULL : witness_died);
    }
}

static void the_last_setting_counts(void)
{
    witness_reset();
    on_goroutine(make_removed, NULL);
    collect_until(100);
    CHECK_NEARLY_ALL(witness_deaths, 100);
    CHECK_LE(witness_deaths, 100);
}

// ---- tiny objects -------------------------------------------------------------------------------

enum { TINY = 2000 };
static uint32_t tiny_died[TINY], tiny_deaths;

static void tiny_finalizer(void *p)
{
    uint32_t id = *(uint32_t *)p;
    CHECK_LT(id, TINY);
    tiny_died[id]++;
    tiny_deaths++;
}

static void make_tiny(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < TINY; i++) {
        uint32_t *p = gort_new(uint32_t);
        *p = i;
        gort_set_finalizer(p, tiny_finalizer);
    }
}

static void objects_in_one_block_have_their_own(void)
{
    on_goroutine(make_tiny, NULL);
    collect_until(0);
    CHECK_NEARLY_ALL(tiny_deaths, TINY);
    for (uint32_t i = 0; i < TINY; i++)
        CHECK_LE(tiny_died[i], 1);
}

// ---- circles, sizes, many -----------------------------------------------------------------------

static void make_circles(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 50; i++) {
        chained *a = gort_new(chained), *b = gort_new(chained);
        gort_init(&a->next, b);
        gort_init(&b->next, a);
        gort_set_finalizer(a, never);
    }
}

static void circles_are_never_finalized(void)
{
    on_goroutine(make_circles, NULL);
    for (int i = 0; i < 4; i++)
        gort_gc();
    finalizers_done();
}

static uint32_t large_deaths;

static void large_died(void *p)
{
    (void)p;
    large_deaths++;
}

static void make_large(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        gort_set_finalizer(gort_alloc(100000), large_died);
        gort_set_finalizer(gort_alloc(3000), large_died);
    }
}

static void objects_of_any_size(void)
{
    on_goroutine(make_large, NULL);
    collect_until(0);
    CHECK_NEARLY_ALL(large_deaths, 40);
}

static void allocate(void *p)
{
    char *q = gort_alloc(64);
    q[0] = *(char *)p;
    gort_yield();
    gort_gc();
    __atomic_fetch_add(&witness_deaths, 1, __ATOMIC_RELAXED);
}

static void make_allocating(void *unused)
{
    (void)unused;
    for (int i = 0; i < 30; i++)
        gort_set_finalizer(gort_alloc(48), allocate);
}

static void a_finalizer_may_allocate_park_and_collect(void)
{
    witness_reset();
    on_goroutine(make_allocating, NULL);
    collect_until(30);
    CHECK_NEARLY_ALL(witness_deaths, 30);
}

static uint32_t deferring, deferred_ran; // atomic; stragglers of former tests are in neither

static void deferred(void *obj)
{
    CHECK_EQ(*(uint64_t *)obj, 7);
    __atomic_fetch_add(&deferred_ran, 1, __ATOMIC_RELAXED);
}

static void defer_and_perhaps_exit(void *p)
{
    uint64_t *x = p;
    gort_defer(deferred, p);
    __atomic_fetch_add(&deferring, 1, __ATOMIC_RELAXED);
    // A straggler is no witness of a later test.
    if (x[2] == __atomic_load_n(&witness_epoch, __ATOMIC_RELAXED))
        __atomic_fetch_add(&witness_deaths, 1, __ATOMIC_RELAXED);
    if (x[1] % 2 != 0) gort_goexit();
}

static void make_exiting(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t *p = gort_alloc_noscan(48);
        p[0] = 7;
        p[1] = i;
        p[2] = witness_epoch;
        gort_set_finalizer(p, defer_and_perhaps_exit);
    }
}

// What a finalizer defers runs when it ends, by goexit too; and others run after it.
static void a_finalizer_may_defer_and_exit(void)
{
    witness_reset();
    on_goroutine(make_exiting, NULL);
    collect_until(200);
    CHECK_NEARLY_ALL(witness_deaths, 200);
    CHECK_NEARLY_ALL(__atomic_load_n(&deferring, __ATOMIC_RELAXED), 200);
    CHECK_EQ(__atomic_load_n(&deferred_ran, __ATOMIC_RELAXED),
             __atomic_load_n(&deferring, __ATOMIC_RELAXED));
}

// The last use of the pointer is gort_keep_alive: up to there the object lives, though a stack word
// is all that keeps it.
static void kept_up_to_keep_alive(void)
{
    for (uint32_t i = 0; i < 50; i++) {
        witness_reset();
        witness *w = witness_new(i);
        gort_gc();
        finalizers_done();
        CHECK_EQ(__atomic_load_n(&witness_deaths, __ATOMIC_RELAXED), 0);
        gort_keep_alive(w);
    }
}

static void make_many(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < (uint32_t)test_count(60000); i++)
        witness_new(i);
}

static void many(void)
{
    uint32_t n = (uint32_t)test_count(60000);
    witness_reset();
    on_goroutine(make_many, NULL);
    collect_until(n);
    CHECK_NEARLY_ALL(witness_deaths, n);
    for (uint32_t i = 0; i < n; i++)
        CHECK_LE(witness_dead[i], 1);
}

static void tests(void)
{
    RUN(the_pointing_comes_before_the_pointed_to);
    RUN(a_finalizer_may_keep_its_object);
    RUN(the_last_setting_counts);
    RUN(objects_in_one_block_have_their_own);
    RUN(circles_are_never_finalized);
    RUN(objects_of_any_size);
    RUN(a_finalizer_may_allocate_park_and_collect);
    RUN(a_finalizer_may_defer_and_exit);
    RUN(kept_up_to_keep_alive);
    RUN(many);
}
GC_MAIN(tests)
