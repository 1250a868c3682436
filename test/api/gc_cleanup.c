// Cleanups: once for each, several on an object, taken back; arguments are kept; several goroutines
// run them; with finalizers; in circles; at inner addresses and on tiny objects; very many.
// TEST timeout=180
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"
#include "gc_util.h"

typedef struct cell {
    struct cell *next;
    uint64_t n[7];
} cell;
GORT_TYPE(cell, next);

enum { MANY = 1 << 16 };
static uint8_t ran[MANY]; // atomic
static uint32_t runs;     // atomic
static uint64_t
    epoch; // stragglers of former tests are not counted; moved where none of this one's are

static void note(void *arg)
{
    uint64_t *id = arg;
    CHECK_LT(id[0], MANY);
    CHECK_EQ(id[1], ~id[0]);
    if (id[2] != __atomic_load_n(&epoch, __ATOMIC_RELAXED)) return;
    __atomic_fetch_add(&ran[id[0]], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&runs, 1, __ATOMIC_RELEASE);
}

// Collected, and known to nobody but the cleanup.
static void *number(uint64_t i)
{
    uint64_t *id = gort_alloc_noscan(3 * sizeof *id);
    id[0] = i;
    id[1] = ~i;
    id[2] = epoch;
    return id;
}

// All cleanups have run whose objects were found dead.
static bool cleanups_are_done(void)
{
    double executed = gc_util_metric("/gc/cleanups/executed:cleanups");
    return executed >= gc_util_metric("/gc/cleanups/queued:cleanups");
}

static void reset(void)
{
    WAIT_FOR(cleanups_are_done()); // none is between its look at the epoch and its count
    __atomic_fetch_add(&epoch, 1, __ATOMIC_RELAXED);
    memset(ran, 0, sizeof ran);
    __atomic_store_n(&runs, 0, __ATOMIC_RELEASE);
}

static uint32_t collect_until_run(uint32_t *count, uint32_t wanted)
{
    uint32_t n = 0;
    for (int round = 0; round < 100; round++) {
        scrub_stack();
        gort_gc();
        WAIT_FOR(cleanups_are_done());
        n = __atomic_load_n(count, __ATOMIC_ACQUIRE);
        if (n >= wanted || (round > 4 && n + wanted / 20 + 4 >= wanted)) break;
    }
    return n;
}

// ---- once, several, taken back ------------------------------------------------------------------

static void make_thousand(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 1000; i++)
        gort_add_cleanup(gort_new(cell), note, number(i));
}

static void each_runs_once(void)
{
    reset();
    on_goroutine(make_thousand, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&runs, 1000), 1000);
    gort_gc();
    for (uint32_t i = 0; i < 1000; i++)
        CHECK_LE(ran[i], 1);
}

static void make_several(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 200; i++) {
        cell *c = gort_new(cell);
        for (uint64_t k = 0; k < 10; k++) {
            gort_cleanup *h =
                gort_add_cleanup(k % 3 == 0 ? c : (void *)&c->n[k % 7], note, number(10 * i + k));
            if (k % 5 != 2) continue;
            gort_cleanup_stop(h);
            gort_cleanup_stop(h); // twice: nothing
        }
        gort_keep_alive(c);
    }
}

static void of_several_those_not_stopped(void)
{
    reset();
    double stopped = gc_util_metric("/gort/gc/cleanups/stopped:cleanups");
    on_goroutine(make_several, NULL);
    CHECK(gc_util_metric("/gort/gc/cleanups/stopped:cleanups") == stopped + 400);
    CHECK_NEARLY_ALL(collect_until_run(&runs, 1600), 1600);
    for (uint32_t i = 0; i < 2000; i++)
        CHECK_LE(ran[i], i % 5 != 2);
}

static gort_cleanup *handles[1000];

static void make_handled(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 1000; i++)
        gort_set(&handles[i], gort_add_cleanup(gort_new(cell), note, number(i)));
}

static void make_other(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 1000; i++)
        gort_add_cleanup(gort_new(cell), note, number(i));
}

// The handle of one that has run does not stop another, whose record and object lie where its did.
static void stopping_what_has_run_does_nothing(void)
{
    reset();
    on_goroutine(make_handled, NULL);
    uint32_t first = collect_until_run(&runs, 1000);
    CHECK_NEARLY_ALL(first, 1000);
    on_goroutine(make_other, NULL);
    double stopped = gc_util_metric("/gort/gc/cleanups/stopped:cleanups");
    for (int i = 0; i < 1000; i++)
        gort_cleanup_stop(handles[i]);
    CHECK(gc_util_metric("/gort/gc/cleanups/stopped:cleanups") <= stopped + (1000 - first));
    CHECK_NEARLY_ALL(collect_until_run(&runs, 2000), 2000);
    memset(handles, 0, sizeof handles);
}

// ---- arguments ----------------------------------------------------------------------------------

static cell *argument_object;
static gort_weak *argument;

static void keep_object(void *unused)
{
    (void)unused;
    gort_set(&argument_object, gort_new(cell));
    void *arg = number(1);
    gort_set(&argument, gort_weak_make(arg));
    gort_set(&handles[0], gort_add_cleanup(argument_object, note, arg));
}

static void argument_lives_until_stopped(void)
{
    reset();
    on_goroutine(keep_object, NULL);
    for (int i = 0; i < 5; i++)
        gort_gc();
    uint64_t *id = gort_weak_get(argument);
    CHECK(id != NULL && id[0] == 1 && id[1] == ~UINT64_C(1));
    id = NULL;
    gort_cleanup_stop(handles[0]);
    bool gone = false;
    for (int i = 0; i < 10 && !gone; i++) {
        scrub_stack();
        gort_gc();
        gone = gort_weak_get(argument) == NULL;
    }
    gort_set(&argument_object, (cell *)NULL);
    gort_gc();
    WAIT_FOR(cleanups_are_done());
    CHECK_EQ(ran[1], 0);
}

static void never(void *arg)
{
    (void)arg;
    test_fail(__FILE__, __LINE__, "a cleanup ran though its argument reaches the object", NULL);
}

static void make_reaching(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50; i++) {
        cell *object = gort_new(cell), *arg = gort_new(cell);
        gort_init(&arg->next, object);
        gort_add_cleanup(object, never, arg);
    }
}

static void an_argument_that_reaches_the_object_keeps_it(void)
{
    on_goroutine(make_reaching, NULL);
    for (int i = 0; i < 4; i++)
        gort_gc();
    WAIT_FOR(cleanups_are_done());
}

static void make_circles(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 500; i++) {
        cell *a = gort_new(cell), *b = gort_new(cell);
        gort_init(&a->next, b);
        gort_init(&b->next, a);
        gort_add_cleanup(a, note, number(2 * i));
        gort_add_cleanup(b, note, number(2 * i + 1));
    }
}

static void circles_are_cleaned_up(void)
{
    reset();
    on_goroutine(make_circles, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&runs, 1000), 1000);
}

// ---- with finalizers ----------------------------------------------------------------------------

static uint8_t finalized[200]; // written by the finalizers' goroutine, atomic
static cell *again[200];

static void resurrect(void *p)
{
    cell *c = p;
    if (c->n[1] == __atomic_load_n(&epoch, __ATOMIC_RELAXED))
        CHECK_EQ(__atomic_load_n(&ran[c->n[0]], __ATOMIC_RELAXED), 0);
    gort_set(&again[c->n[0]], c);
    __atomic_store_n(&finalized[c->n[0]], 1, __ATOMIC_RELEASE);
}

static void after_finalizer(void *arg)
{
    uint64_t *id = arg;
    CHECK_EQ(__atomic_load_n(&finalized[id[0]], __ATOMIC_ACQUIRE), 1);
    CHECK(__atomic_load_n(&again[id[0]], __ATOMIC_ACQUIRE) == NULL);
    note(arg);
}

static void make_finalized(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 200; i++) {
        cell *c = gort_new(cell);
        c->n[0] = i;
        c->n[1] = epoch;
        gort_add_cleanup(c, after_finalizer, number(i));
        gort_set_finalizer(c, resurrect);
    }
}

static void a_cleanup_waits_for_the_finalizer(void)
{
    reset();
    on_goroutine(make_finalized, NULL);
    uint32_t n = 0;
    for (int round = 0; round < 20; round++) {
        scrub_stack();
        gort_gc();
        finalizers_done();
        n = 0;
        for (int i = 0; i < 200; i++)
            n += __atomic_load_n(&finalized[i], __ATOMIC_ACQUIRE);
        if (n >= 190) break;
    }
    CHECK_NEARLY_ALL(n, 200);
    CHECK_EQ(runs, 0); // kept by `again`
    for (int i = 0; i < 200; i++)
        gort_set(&again[i], (cell *)NULL);
    CHECK_NEARLY_ALL(collect_until_run(&runs, n), n);
}

// ---- goroutines ---------------------------------------------------------------------------------

static gort_chan(int) meeting;
static uint32_t met, nobody_comes; // atomic

static void meets_another(void *arg)
{
    int x = 0, one = 1;
    gort_case cases[] = { gort_on_send(meeting, &one), gort_on_recv(meeting, &x) };
    if (__atomic_load_n(&nobody_comes, __ATOMIC_ACQUIRE) != 0) return; // a straggler
    gort_select(cases, 2);
    __atomic_fetch_add(&met, 1, __ATOMIC_RELEASE);
    (void)arg;
}

static void make_meeting(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        gort_add_cleanup(gort_new(cell), meets_another, NULL);
}

// We meet one only if it is the last that is left, alone where the number is odd.
static bool meetings_are_over(void)
{
    int x;
    double executed = gc_util_metric("/gc/cleanups/executed:cleanups");
    double queued = gc_util_metric("/gc/cleanups/queued:cleanups");
    if (executed == queued - 1) (void)gort_try_recv(meeting, &x);
    return executed >= queued;
}

// Each waits for another one: a single goroutine would never end.
static void several_goroutines_run_them(void)
{
    gort_set((void **)&meeting, (void *)gort_chan_make(int, 0));
    on_goroutine(make_meeting, NULL);
    for (int round = 0; round < 100; round++) {
        scrub_stack();
        gort_gc();
        WAIT_FOR(meetings_are_over());
        if (round > 4 && met >= 91) break;
    }
    CHECK_NEARLY_ALL(met, 100);
    CHECK(gc_util_metric("/gort/gc/cleanups/goroutines:goroutines") >= 2);
    __atomic_store_n(&nobody_comes, 1, __ATOMIC_RELEASE);
}

static uint32_t deferring, deferred_ran; // atomic

static void deferred(void *arg)
{
    CHECK_EQ(*(uint64_t *)arg, 7);
    __atomic_fetch_add(&deferred_ran, 1, __ATOMIC_RELEASE);
}

static void defers_allocates_exits(void *arg)
{
    uint64_t *x = arg;
    gort_defer(deferred, arg);
    char *q = gort_alloc(100);
    q[0] = (char)x[1];
    gort_yield();
    if (x[1] % 16 == 3) gort_gc();
    __atomic_fetch_add(&deferring, 1, __ATOMIC_RELEASE);
    if (x[1] % 2 != 0) gort_goexit();
}

static void make_exiting(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t *x = gort_alloc_noscan(48);
        x[0] = 7;
        x[1] = i;
        gort_add_cleanup(gort_new(cell), defers_allocates_exits, x);
    }
}

static void one_may_allocate_park_collect_defer_exit(void)
{
    on_goroutine(make_exiting, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&deferring, 200), 200);
    CHECK_EQ(__atomic_load_n(&deferred_ran, __ATOMIC_ACQUIRE),
             __atomic_load_n(&deferring, __ATOMIC_ACQUIRE));
}

static void panics(void *arg)
{
    gort_panic("of %p", arg);
}

static uint32_t caught;

static void tries(void *arg)
{
    gort_panic_info info;
    CHECK(gort_try(panics, arg, &info));
    CHECK_STR_HAS(info.message, "of ");
    __atomic_fetch_add(&caught, 1, __ATOMIC_RELEASE);
}

static void make_panicking(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        gort_add_cleanup(gort_new(cell), tries, NULL);
}

static void a_panic_inside_may_be_caught_inside(void)
{
    on_goroutine(make_panicking, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&caught, 100), 100);
}

// ---- tiny, large, many --------------------------------------------------------------------------

static void make_tiny(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 2000; i++)
        gort_add_cleanup(gort_new(uint32_t), note, number(i));
}

static void tiny_objects_have_their_own(void)
{
    reset();
    on_goroutine(make_tiny, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&runs, 2000), 2000);
    for (uint32_t i = 0; i < 2000; i++)
        CHECK_LE(ran[i], 1);
}

static void make_large(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 20; i++) {
        char *p = gort_alloc(150000);
        gort_add_cleanup(p + 149999, note, number(2 * i));
        gort_add_cleanup(gort_alloc_noscan(3000), note, number(2 * i + 1));
    }
}

static void objects_of_any_size(void)
{
    reset();
    on_goroutine(make_large, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&runs, 40), 40);
}

static uint32_t counted;

static void count(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&counted, 1, __ATOMIC_RELEASE);
}

static void make_million(void *unused)
{
    (void)unused;
    for (int64_t i = 0; i < test_count(1000000); i++)
        gort_add_cleanup(gort_new(cell), count, NULL);
}

static void a_million(void)
{
    uint32_t n = (uint32_t)test_count(1000000);
    on_goroutine(make_million, NULL);
    CHECK_NEARLY_ALL(collect_until_run(&counted, n), n);
    CHECK_LE(counted, n);
    double executed = gc_util_metric("/gc/cleanups/executed:cleanups");
    double queued = gc_util_metric("/gc/cleanups/queued:cleanups");
    CHECK(queued >= executed);
    CHECK(gc_util_metric("/gort/gc/cleanups/added:cleanups") >= queued);
}

static gort_cleanup *on_one[MANY];
static uint32_t counted_on_one;

static void count_on_one(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&counted_on_one, 1, __ATOMIC_RELEASE);
}

static void make_on_one(void *unused)
{
    (void)unused;
    cell *c = gort_new(cell);
    uint32_t n = (uint32_t)test_count(MANY);
    for (uint32_t i = 0; i < n; i++)
        gort_set(&on_one[i], gort_add_cleanup(c, count_on_one, NULL));
    for (uint32_t i = 0; i < n; i += 2)
        gort_cleanup_stop(on_one[i]); // the first added first
    gort_keep_alive(c);
}

static void many_on_one_object(void)
{
    uint32_t n = (uint32_t)test_count(MANY);
    on_goroutine(make_on_one, NULL);
    memset(on_one, 0, sizeof on_one);
    uint32_t ran_now = collect_until_run(&counted_on_one, n / 2);
    CHECK(ran_now == 0 || ran_now == n / 2); // all or, kept conservatively, none
}

static void tests(void)
{
    RUN(each_runs_once);
    RUN(of_several_those_not_stopped);
    RUN(stopping_what_has_run_does_nothing);
    RUN(argument_lives_until_stopped);
    RUN(an_argument_that_reaches_the_object_keeps_it);
    RUN(circles_are_cleaned_up);
    RUN(a_cleanup_waits_for_the_finalizer);
    RUN(several_goroutines_run_them);
    RUN(one_may_allocate_park_collect_defer_exit);
    RUN(a_panic_inside_may_be_caught_inside);
    RUN(tiny_objects_have_their_own);
    RUN(objects_of_any_size);
    RUN(a_million);
    RUN(many_on_one_object);
}
GC_MAIN(tests)
