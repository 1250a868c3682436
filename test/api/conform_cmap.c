// Conformance of concurrent maps: what Go's tests of sync.Map and of its hash trie check, as gort
// makes it.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

enum { MANY = 16 };

typedef gort_cmap(int, int) map;
typedef gort_cmap(int, int *) pointer_map;

// One goroutine's part.
struct part {
    struct shared {
        map m;
        pointer_map p;
        int n;
        int64_t a, b; // atomic
        gort_waitgroup wg;
    } * s;
    int id;
};

static struct shared *shared_new(int n)
{
    struct shared *s = gort_alloc(sizeof *s);
    gort_set(&s->m, gort_cmap_make(int, int, 0));
    gort_set(&s->p, gort_cmap_make(int, int *, 0));
    s->n = n;
    return s;
}

static void start_parts(struct shared *s, void (*fn)(void *))
{
    gort_waitgroup_add(&s->wg, MANY);
    for (int i = 0; i < MANY; i++) {
        struct part p = { s, i };
        gort_go_copy(fn, &p, sizeof p);
    }
}

static void run_parts(struct shared *s, void (*fn)(void *))
{
    start_parts(s, fn);
    gort_waitgroup_wait(&s->wg);
}

// ---- one goroutine ------------------------------------------------------------------------------

static void comparing_with_what_is_missing_fails(void)
{
    map m = gort_cmap_make(int, int, 0);
    CHECK(!gort_cmap_compare_and_swap(m, 1, 0, 42));
    CHECK(!gort_cmap_load(m, 1, NULL));
    CHECK(!gort_cmap_compare_and_delete(m, 1, 0));
    gort_cmap_store(m, 1, 0);
    CHECK(gort_cmap_compare_and_swap(m, 1, 0, 42));
}

static void calls_within_an_iteration(void)
{
    map m = gort_cmap_make(int, int, 0);
    for (int i = 0; i < 3; i++)
        gort_cmap_store(m, i, i);
    int k, v, rounds = 0;
    gort_cmap_iter it = GORT_CMAP_ITER;
    while (gort_cmap_next(m, &it, &k, &v)) {
        int inner = 0, actual;
        gort_cmap_iter jt = GORT_CMAP_ITER;
        while (gort_cmap_next(m, &jt, NULL, NULL))
            inner++;
        CHECK_EQ(inner, 3 - rounds);
        CHECK(gort_cmap_load_or_store(m, k, &actual, -1) && actual == v);
        CHECK(gort_cmap_load_and_delete(m, k, &actual) && actual == v);
        CHECK(!gort_cmap_load(m, k, NULL));
        rounds++;
    }
    CHECK(rounds == 3 && gort_cmap_len(m) == 0);
}

static void deleting_all_within_an_iteration(void)
{
    map m = gort_cmap_make(int, int, 0);
    for (int i = 0; i < 5000; i++)
        gort_cmap_store(m, i, i);
    int k, n = 0;
    gort_cmap_iter it = GORT_CMAP_ITER;
    for (; gort_cmap_next(m, &it, &k, NULL); n++)
        CHECK(gort_cmap_delete(m, k));
    CHECK(n == 5000 && gort_cmap_len(m) == 0);
}

static uint64_t no_hash(const int *k, uint64_t seed)
{
    (void)k, (void)seed;
    return 0;
}
static uint64_t short_hash(const int *k, uint64_t seed)
{
    return gort_hash_int((uint64_t)*k, seed) & 3;
}
static bool same_int(const int *a, const int *b)
{
    return *a == *b;
}

static void check_all_calls(map m, int n)
{
    int v;
    for (int i = 0; i < n; i++)
        CHECK(!gort_cmap_load_or_store(m, i, &v, i) && v == i);
    for (int i = 0; i < n; i++) {
        CHECK(gort_cmap_load(m, i, &v) && v == i);
        CHECK(!gort_cmap_compare_and_swap(m, i, -1, 0));
        CHECK(gort_cmap_compare_and_swap(m, i, i, i + n));
        CHECK(gort_cmap_swap(m, i, &v, i + 2 * n) && v == i + n);
    }
    CHECK_EQ(gort_cmap_len(m), (size_t)n);
    for (int i = n - 1; i >= 0; i--) {
        CHECK(!gort_cmap_compare_and_delete(m, i, i));
        if (i % 2 == 0) CHECK(gort_cmap_compare_and_delete(m, i, i + 2 * n));
        if (i % 2 != 0) CHECK(gort_cmap_load_and_delete(m, i, &v) && v == i + 2 * n);
        CHECK(!gort_cmap_load(m, i, NULL));
    }
    CHECK_EQ(gort_cmap_len(m), 0);
}

static void hashes_are_all_equal(void)
{
    check_all_calls(gort_cmap_make_own(int, int, 0, no_hash, same_int), 300);
}

static void hashes_have_few_bits(void)
{
    check_all_calls(gort_cmap_make_own(int, int, 0, short_hash, same_int), 500);
}

static void hashes_are_good(void)
{
    check_all_calls(gort_cmap_make(int, int, 0), 20000);
}

static void let_go(void *arg)
{
    ADD((int64_t *)arg, 1);
}

// What was deleted, replaced or cleared is not kept.
static __attribute__((noinline)) void fill_and_empty(pointer_map m, int64_t *deaths, int n)
{
    for (int i = 0; i < n; i++) {
        int *p = gort_alloc_noscan(64);
        gort_add_cleanup(p, let_go, deaths);
        gort_cmap_store(m, i % 100, p);
        if (i % 3 == 0) gort_cmap_delete(m, i % 100);
    }
}

static void what_left_is_collected(void)
{
    static int64_t deaths;
    STORE(&deaths, 0);
    pointer_map m = gort_cmap_make(int, int *, 0);
    fill_and_empty(m, &deaths, 1000);
    gort_cmap_clear(m);
    WAIT_FOR((gort_gc(), LOAD(&deaths) >= 900)); // stale words may keep some
    CHECK_EQ(gort_cmap_len(m), 0);
}

// ---- many ---------------------------------------------------------------------------------------

static void store_first(void *arg)
{
    struct part *p = arg;
    for (int i = 0; i < p->s->n; i++) {
        int actual = -1;
        bool loaded = gort_cmap_load_or_store(p->s->m, i, &actual, p->id);
        CHECK(loaded || actual == p->id);
        ADD(&p->s->a, !loaded);
        int again = -1;
        CHECK(gort_cmap_load(p->s->m, i, &again) && again == actual); // it stays the first's
    }
    gort_waitgroup_done(&p->s->wg);
}

static void all_see_the_first_that_was_stored(void)
{
    struct shared *s = shared_new(test_count(500));
    run_parts(s, store_first);
    CHECK_EQ(s->a, s->n);
}

static void pass_on(void *arg)
{
    struct part *p = arg;
    int held = p->id;
    for (int i = 0; i < p->s->n; i++)
        CHECK(gort_cmap_swap(p->s->m, i % 4, &held, held));
    ADD(&p->s->a, held);
    ADD(&p->s->b, (int64_t)1 << (2 * held));
    gort_waitgroup_done(&p->s->wg);
}

// Each value is always in one place: the map or one goroutine.
static void swapping_loses_and_doubles_nothing(void)
{
    struct shared *s = shared_new(test_count(2000));
    for (int i = 0; i < 4; i++)
        gort_cmap_store(s->m, i, MANY + i);
    run_parts(s, pass_on);
    for (int i = 0; i < 4; i++) {
        int v;
        CHECK(gort_cmap_load(s->m, i, &v));
        s->a += v;
        s->b += (int64_t)1 << (2 * v);
    }
    int64_t each_once = 0;
    for (int v = 0; v < MANY + 4; v++)
        each_once += (int64_t)1 << (2 * v);
    CHECK_EQ(s->a, (MANY + 4) * (MANY + 3) / 2);
    CHECK_EQ(s->b, each_once);
}

static void publish(void *arg)
{
    struct part *p = arg;
    struct shared *s = p->s;
    for (int i = 0; i < s->n; i++) {
        int key = (p->id + i) % MANY, *seen = NULL;
        if (gort_cmap_load(s->p, key, &seen)) CHECK_EQ(seen[0] + seen[15], 0);
        int *mine = gort_alloc_noscan(16 * sizeof(int));
        mine[0] = i + 1;
        mine[15] = -i - 1;
        gort_cmap_store(s->p, key, mine);
    }
    gort_waitgroup_done(&s->wg);
}

static void who_finds_sees_what_was_written_before(void)
{
    struct shared *s = shared_new(test_count(2000));
    run_parts(s, publish);
    CHECK_EQ(gort_cmap_len(s->p), MANY);
}

static void take_one(void *arg)
{
    struct part *p = arg;
    for (int i = 0; i < p->s->n; i++)
        ADD(&p->s->a, gort_cmap_compare_and_delete(p->s->m, i, i));
    gort_waitgroup_done(&p->s->wg);
}

static void one_compares_and_deletes(void)
{
    struct shared *s = shared_new(test_count(1000));
    for (int i = 0; i < s->n; i++)
        gort_cmap_store(s->m, i, i);
    run_parts(s, take_one);
    CHECK(s->a == s->n && gort_cmap_len(s->m) == 0);
}

static void rewrite(void *arg)
{
    struct part *p = arg;
    for (int round = 0; round < 5; round++)
        for (int i = p->id; i < p->s->n; i += MANY)
            gort_cmap_store(p->s->m, i, i * (round + 2));
    ADD(&p->s->a, 1);
    gort_waitgroup_done(&p->s->wg);
}

// Values are multiples of their keys whenever they are looked at, and all keys are met.
static void iterations_beside_stores(void)
{
    struct shared *s = shared_new(test_count(1000));
    for (int i = 0; i < s->n; i++)
        gort_cmap_store(s->m, i, i);
    start_parts(s, rewrite);
    bool more;
    do {
        more = LOAD(&s->a) != MANY;
        int k, v, met = 0;
        gort_cmap_iter it = GORT_CMAP_ITER;
        for (; gort_cmap_next(s->m, &it, &k, &v); met++)
            CHECK(k == 0 ? v == 0 : v % k == 0);
        CHECK_EQ(met, s->n);
        gort_yield();
    } while (more);
    gort_waitgroup_wait(&s->wg);
}

static void clear_and_store(void *arg)
{
    struct part *p = arg;
    for (int i = 0; i < p->s->n; i++) {
        if (p->id % 4 == 0)
            gort_cmap_clear(p->s->m);
        else
            gort_cmap_store(p->s->m, p->id * p->s->n + i, p->id);
    }
    gort_waitgroup_done(&p->s->wg);
}

static void clears_beside_others(void)
{
    struct shared *s = shared_new(test_count(200));
    run_parts(s, clear_and_store);
    size_t met = 0;
    int k, v;
    gort_cmap_iter it = GORT_CMAP_ITER;
    for (; gort_cmap_next(s->m, &it, &k, &v); met++)
        CHECK(k / s->n == v && v % 4 != 0);
    CHECK_EQ(gort_cmap_len(s->m), met);
    gort_cmap_clear(s->m);
    CHECK_EQ(gort_cmap_len(s->m), 0);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(comparing_with_what_is_missing_fails, 1), CASE(calls_within_an_iteration, 1),
    CASE(deleting_all_within_an_iteration, 1), CASE(hashes_are_all_equal, 1),
    CASE(hashes_have_few_bits, 1), CASE(hashes_are_good, 1), CASE(what_left_is_collected, 1),
    CASE(all_see_the_first_that_was_stored, 0), CASE(swapping_loses_and_doubles_nothing, 0),
    CASE(who_finds_sees_what_was_written_before, 0), CASE(one_compares_and_deletes, 0),
    CASE(iterations_beside_stores, 0), CASE(clears_beside_others, 0),
};
// clang-format on

CONFORM_MAIN(cases)
