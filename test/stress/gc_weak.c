// Weak references while collections and sweeps go on: what is got is whole, and stays the
// reference's object as long as it is held; what died is never got; finalizers find their object
// gone.
//
// Makers fill a table with references to new objects, of which they keep some for a while. Getters
// take references out of the table, hold what they get, and let others run. While an object is held
// its reference must lead to it, and to the child that only the object keeps: a get that trusted an
// object that the sweep was yet to free, or one that nobody marked, is found by the next get.
// TEST notmodes=gcstress,gcp1,gcmarkp1,determ
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct child {
    uint64_t id;
    uint64_t filler[3];
} child;
GORT_TYPE(child);

typedef struct thing {
    uint64_t id, canary;
    struct child *child;
    gort_weak *own; // only finalizable ones, which look at it: NULL else
    uint64_t filler[];
} thing;
GORT_TYPE(thing, child, own);
typedef thing *thing_pointer;

// Never changed once it is in the table: a reference and whom it is to.
typedef struct entry {
    gort_weak *w;
    uint64_t id;
    uint32_t inner; // the reference is to a byte inside
} entry;
GORT_TYPE(entry, w);

enum { MAKERS = 4, GETTERS = 6, TABLE = 4000, KEPT = 2000 };
#define CANARY(id) ((id)*UINT64_C(0x9e3779b97f4a7c15) + 1)

static entry *table[TABLE];
static gort_waitgroup makers, getters;
static bool over;                                          // atomic
static uint64_t gets, alive, held, finalized, resurrected; // atomic
static thing *saved;                                       // by finalizers

static void check_thing(thing *t, uint64_t id)
{
    CHECK_EQ(t->id, id);
    CHECK_EQ(t->canary, CANARY(id));
    CHECK_EQ(t->child->id, ~id);
}

// ---- makers -------------------------------------------------------------------------------------

static void finalizer(void *p)
{
    thing *t = p;
    uint64_t id = t->id;
    check_thing(t, id);
    CHECK(gort_weak_get(t->own) == NULL);
    if (id % 64 == 1) gort_sleep((int64_t)(id % 20) * 50 * GORT_US); // over a cycle's end
    check_thing(t, id);
    if (id % 3 == 0) {
        gort_weak *again = gort_weak_make(t);
        CHECK_PTR_NE(again, t->own);
        CHECK_PTR_EQ(gort_weak_get(again), t);
        gort_set(&saved, t);
        __atomic_fetch_add(&resurrected, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&finalized, 1, __ATOMIC_RELAXED);
}

static size_t random_filler(uint64_t *seed)
{
    uint64_t r = test_random(seed);
    return r % 64 == 0 ? (r >> 8) % 6000 : (r >> 8) % 12;
}

static thing *thing_new(uint64_t id, uint64_t *seed, uint32_t *inner)
{
    size_t words = random_filler(seed);
    thing *t = gort_new_flex(thing, filler, words);
    t->id = id;
    t->canary = CANARY(id);
    gort_init(&t->child, gort_new(child));
    t->child->id = ~id;
    *inner = test_random(seed) % 4 == 0 ? (uint32_t)(test_random(seed) % sizeof(thing)) : 0;
    return t;
}

// Getters have found what lives, and found it again.
static bool have_got(void)
{
    return __atomic_load_n(&alive, __ATOMIC_RELAXED) != 0 &&
           __atomic_load_n(&held, __ATOMIC_RELAXED) != 0;
}

static void make(void *arg)
{
    uint64_t me = (uintptr_t)arg, seed = test_seed() + me;
    thing_pointer *kept = gort_new_array(thing_pointer, KEPT);
    for (int64_t k = 0; k < test_count(150000) || !have_got(); k++) {
        entry *e = gort_new(entry);
        e->id = me << 40 | (uint64_t)k;
        thing *t = thing_new(e->id, &seed, &e->inner);
        gort_init(&e->w, gort_weak_make((char *)t + e->inner));
        CHECK_PTR_EQ(gort_weak_make((char *)t + e->inner), e->w);
        if (test_random(&seed) % 8 == 0) {
            gort_set(&t->own, gort_weak_make(t));
            gort_set_finalizer(t, finalizer);
        }
        if (test_random(&seed) % 2 == 0) gort_set(&kept[test_random(&seed) % KEPT], t);
        gort_exchange(&table[test_random(&seed) % TABLE], e);
        if (k % 8192 == 8191 && me == 0) gort_gc();
    }
    gort_waitgroup_done(&makers);
}

// ---- getters ------------------------------------------------------------------------------------

static thing *get(const entry *e)
{
    char *p = gort_weak_get(e->w);
    __atomic_fetch_add(&gets, 1, __ATOMIC_RELAXED);
    return p != NULL ? (thing *)(void *)(p - e->inner) : NULL;
}

// What others do meanwhile decides; half of the time this is the only pointer to the object.
static void let_others(uint64_t *seed)
{
    switch (test_random(seed) % 8) {
    case 0:
        gort_sleep((int64_t)(test_random(seed) % 200) * GORT_US);
        break;
    case 1:
    case 2:
    case 3:
        gort_yield();
        break;
    default:
        for (int i = 0; i < 20; i++)
            gort_keep_alive(gort_alloc_noscan(48));
    }
}

static void get_for_a_while(void *arg)
{
    uint64_t seed = test_seed() + 100 + (uintptr_t)arg;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        const entry *e = gort_load(&table[test_random(&seed) % TABLE]);
        thing *t = e != NULL ? get(e) : NULL;
        if (t == NULL) continue;
        check_thing(t, e->id);
        __atomic_fetch_add(&alive, 1, __ATOMIC_RELAXED);
        for (uint64_t n = test_random(&seed) % 4; n > 0; n--) {
            let_others(&seed);
            check_thing(t, e->id);
            CHECK_PTR_EQ(get(e), t); // held, so never gone
            __atomic_fetch_add(&held, 1, __ATOMIC_RELAXED);
        }
        gort_keep_alive(t);
    }
    gort_waitgroup_done(&getters);
}

static uint64_t count_gone(void)
{
    uint64_t gone = 0;
    for (int i = 0; i < TABLE; i++)
        gone += table[i] != NULL && get(table[i]) == NULL;
    return gone;
}

static bool finalizers_ran(void)
{
    return __atomic_load_n(&finalized, __ATOMIC_RELAXED) != 0 &&
           __atomic_load_n(&resurrected, __ATOMIC_RELAXED) != 0;
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    gort_stats s;
    gort_set_gc_percent(100);
    for (uintptr_t i = 0; i < GETTERS; i++) {
        gort_waitgroup_add(&getters, 1);
        gort_go(get_for_a_while, (void *)i);
    }
    for (uintptr_t i = 0; i < MAKERS; i++) {
        gort_waitgroup_add(&makers, 1);
        gort_go(make, (void *)i);
    }
    gort_waitgroup_wait(&makers);
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&getters);
    uint64_t gone;
    do { // finalizers run when they do; the time limit is the other end
        for (int i = 0; i < 3; i++)
            gort_gc();
        gort_sleep(GORT_MS);
        gone = count_gone();
    } while (test_count(100) == 100 && !(finalizers_ran() && gone > TABLE / 4));
    gort_read_stats(&s);
    printf("%" PRIu64 " gets, %" PRIu64 " of objects alive, %" PRIu64 " again; %" PRIu64
           " finalized, %" PRIu64 " kept by it; %" PRIu64 " of %d gone; %" PRIu64 " cycles\n",
           gets, alive, held, __atomic_load_n(&finalized, __ATOMIC_RELAXED),
           __atomic_load_n(&resurrected, __ATOMIC_RELAXED), gone, TABLE, s.num_gc);
    CHECK_GT(s.num_gc, 3);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
