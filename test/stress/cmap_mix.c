// Concurrent maps under load. What goroutines do to a key leaves traces that add up only if each
// call happened at one instant: counters that none may lose, tokens that none may double, keys that
// are there all the time and must be met by every iteration. On 1, 2, 4 and 16 Ps, while the map
// grows.
// TEST timeout=240
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

enum { WORKERS = 8, HOT = 16 };

typedef gort_cmap(int64_t, int64_t) numbers;
typedef gort_cmap(int64_t, struct box *) boxes;

typedef struct box {
    struct box *self;
    int64_t key, n;
    uint64_t check;
} box;
GORT_TYPE(box, self);

struct load {
    numbers m;
    boxes objects;
    int rounds;
    int running;          // atomic
    int64_t done[HOT];    // atomic: additions to a hot key that were told to have happened
    int64_t wins, tokens; // atomic
    gort_waitgroup wg;
};
struct worker {
    struct load *l;
    int id;
};

static struct load *load_of(int rounds)
{
    struct load *l = gort_alloc(sizeof *l);
    gort_set(&l->m, gort_cmap_make(int64_t, int64_t, 0));
    gort_set(&l->objects, gort_cmap_make(int64_t, struct box *, 0));
    l->rounds = rounds;
    return l;
}

static void start(struct load *l, int n, void (*fn)(void *))
{
    gort_waitgroup_add(&l->wg, n);
    for (int i = 0; i < n; i++) {
        struct worker w = { l, i };
        gort_go_copy(fn, &w, sizeof w);
    }
}

static void end(struct load *l)
{
    ADD(&l->running, -1);
    gort_waitgroup_done(&l->wg);
}

// Keys of a worker alone: HOT and above, one range for each.
static int64_t own_key(const struct worker *w, int64_t i)
{
    return HOT + (int64_t)w->id * 1000000 + i;
}

// ---- counters -----------------------------------------------------------------------------------

// One more, by whichever call.
static void increment(struct load *l, int64_t key)
{
    int64_t n, actual;
    for (;;) {
        if (!gort_cmap_load(l->m, key, &n)) {
            if (!gort_cmap_load_or_store(l->m, key, &actual, 1)) return;
            CHECK_GE(actual, 1);
            n = actual;
        }
        if (gort_cmap_compare_and_swap(l->m, key, n, n + 1)) return;
    }
}

static void count(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->l;
    uint64_t random = test_random(&(uint64_t){ test_seed_used + (uint64_t)w->id });
    for (int i = 0; i < l->rounds; i++) {
        int64_t hot = (int64_t)(test_random(&random) % HOT), n;
        increment(l, hot);
        ADD(&l->done[hot], 1);
        // Its own keys grow the map meanwhile; nobody else touches them.
        CHECK(!gort_cmap_load(l->m, own_key(w, i), &n));
        gort_cmap_store(l->m, own_key(w, i), i);
        CHECK(gort_cmap_load(l->m, own_key(w, i), &n) && n == i);
        if (i % 3 == 0) CHECK(gort_cmap_load_and_delete(l->m, own_key(w, i), &n) && n == i);
        if (i % 3 == 1) CHECK(gort_cmap_swap(l->m, own_key(w, i), &n, -i) && n == i);
    }
    end(l);
}

// A counter holds at least what was surely counted before, and is never seen to fall.
static void watch(void *arg)
{
    struct load *l = ((struct worker *)arg)->l;
    int64_t last[HOT] = { 0 };
    for (int64_t hot = 0; LOAD(&l->running) != 0; hot = (hot + 1) % HOT) {
        int64_t least = LOAD(&l->done[hot]), n = 0;
        bool there = gort_cmap_load(l->m, hot, &n);
        CHECK(there || least == 0);
        CHECK_GE(n, least);
        CHECK_GE(n, last[hot]);
        last[hot] = n;
        if (hot == 0) gort_yield();
    }
    gort_waitgroup_done(&l->wg);
}

// Every iteration meets each hot key that was there before it, once, and no key twice.
static void iterate(void *arg)
{
    struct load *l = ((struct worker *)arg)->l;
    while (LOAD(&l->running) != 0) {
        int64_t least[HOT], k, n;
        int met[HOT] = { 0 };
        for (int i = 0; i < HOT; i++)
            least[i] = LOAD(&l->done[i]);
        gort_map(int64_t, char) seen = gort_map_make(int64_t, char, 0);
        gort_cmap_iter it = GORT_CMAP_ITER;
        while (gort_cmap_next(l->m, &it, &k, &n)) {
            CHECK(!gort_map_get(seen, k, NULL));
            gort_map_put(seen, k, 1);
            if (k >= HOT) continue;
            met[k]++;
            CHECK_GE(n, least[k]);
        }
        for (int i = 0; i < HOT; i++)
            CHECK_EQ(met[i], met[i] != 0 || least[i] != 0);
        gort_yield();
    }
    gort_waitgroup_done(&l->wg);
}

static void check_own_keys(const struct load *l)
{
    for (int id = 0; id < WORKERS; id++)
        for (int64_t i = 0; i < l->rounds; i++) {
            struct worker w = { NULL, id };
            int64_t n;
            CHECK_EQ(gort_cmap_load(l->m, own_key(&w, i), &n), i % 3 != 0);
            if (i % 3 != 0) CHECK_EQ(n, i % 3 == 1 ? -i : i);
        }
}

TEST(counters_lose_nothing)
{
    struct load *l = load_of(test_count(4000));
    l->running = WORKERS;
    start(l, WORKERS, count);
    start(l, 1, watch);
    start(l, 1, iterate);
    gort_waitgroup_wait(&l->wg);
    size_t left = 0;
    for (int64_t i = 0; i < HOT; i++) {
        int64_t n = 0;
        left += gort_cmap_load(l->m, i, &n);
        CHECK_EQ(n, l->done[i]);
    }
    check_own_keys(l);
    for (int64_t i = 0; i < l->rounds; i++)
        left += WORKERS * (i % 3 != 0);
    CHECK_EQ(gort_cmap_len(l->m), left);
}

// ---- tokens -------------------------------------------------------------------------------------

// Of those who store a key first one wins, and of those who take it away one does.
static void race(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->l;
    for (int64_t key = 0; key < l->rounds; key++) {
        int64_t actual;
        bool loaded = gort_cmap_load_or_store(l->m, key, &actual, w->id);
        CHECK_EQ(!loaded && actual != w->id, false);
        ADD(&l->wins, !loaded);
        if (key % 7 == w->id % 7) gort_yield();
    }
    gort_waitgroup_done(&l->wg);
}

static void take(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->l;
    for (int64_t key = 0; key < l->rounds; key++) {
        bool mine = w->id % 2 == 0 ? gort_cmap_delete(l->m, key)
                                   : gort_cmap_load_and_delete(l->m, key, NULL);
        ADD(&l->tokens, mine);
        if (key % 5 == w->id % 5) gort_yield();
    }
    gort_waitgroup_done(&l->wg);
}

TEST(one_wins_each_key)
{
    struct load *l = load_of(test_count(5000));
    start(l, WORKERS, race);
    gort_waitgroup_wait(&l->wg);
    CHECK_EQ(l->wins, l->rounds);
    CHECK_EQ(gort_cmap_len(l->m), (size_t)l->rounds);
    start(l, WORKERS, take);
    gort_waitgroup_wait(&l->wg);
    CHECK_EQ(l->tokens, l->rounds);
    CHECK_EQ(gort_cmap_len(l->m), 0);
}

// The same at once: a key goes in and out, each time by one of them.
static void pass(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->l;
    uint64_t random = test_random(&(uint64_t){ test_seed_used + 100 + (uint64_t)w->id });
    for (int i = 0; i < l->rounds; i++) {
        int64_t key = (int64_t)(test_random(&random) % 64), held;
        if (test_random(&random) % 2 == 0)
            ADD(&l->tokens, !gort_cmap_load_or_store(l->m, key, NULL, i));
        else if (gort_cmap_load(l->m, key, &held))
            ADD(&l->tokens, -(int64_t)gort_cmap_compare_and_delete(l->m, key, held));
    }
    gort_waitgroup_done(&l->wg);
}

TEST(what_went_in_and_not_out_is_there)
{
    struct load *l = load_of(test_count(20000));
    start(l, WORKERS, pass);
    gort_waitgroup_wait(&l->wg);
    CHECK_EQ(gort_cmap_len(l->m), (size_t)l->tokens);
    int64_t met = 0;
    gort_cmap_iter it = GORT_CMAP_ITER;
    while (gort_cmap_next(l->m, &it, NULL, NULL))
        met++;
    CHECK_EQ(met, l->tokens);
}

// ---- objects ------------------------------------------------------------------------------------

static box *box_new(int64_t key, int64_t n)
{
    box *b = gort_new(box);
    gort_init(&b->self, b);
    b->key = key;
    b->n = n;
    b->check = (uint64_t)(key ^ n) * UINT64_C(0x9e3779b97f4a7c15);
    return b;
}

static void check_box(const box *b, int64_t key)
{
    CHECK_PTR_EQ(b->self, b);
    CHECK_EQ(b->key, key);
    CHECK_EQ(b->check, (uint64_t)(b->key ^ b->n) * UINT64_C(0x9e3779b97f4a7c15));
}

// Values that only the map has, replaced while the collector marks.
static void juggle(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->l;
    uint64_t random = test_random(&(uint64_t){ test_seed_used + 200 + (uint64_t)w->id });
    for (int i = 0; i < l->rounds; i++) {
        int64_t key = (int64_t)(test_random(&random) % 2000);
        box *b = NULL;
        switch (test_random(&random) % 4) {
        case 0:
            gort_cmap_store(l->objects, key, box_new(key, i));
            break;
        case 1:
            if (gort_cmap_swap(l->objects, key, &b, box_new(key, i))) check_box(b, key);
            break;
        case 2:
            if (gort_cmap_load_and_delete(l->objects, key, &b)) check_box(b, key);
            break;
        default:
            if (gort_cmap_load(l->objects, key, &b)) check_box(b, key);
        }
    }
    end(l);
}

static void check_all_boxes(const struct load *l)
{
    int64_t k;
    box *b;
    gort_cmap_iter it = GORT_CMAP_ITER;
    while (gort_cmap_next(l->objects, &it, &k, &b))
        check_box(b, k);
}

TEST(objects_live_as_long_as_they_are_in_it)
{
    struct load *l = load_of(test_count(20000));
    l->running = WORKERS;
    start(l, WORKERS, juggle);
    while (LOAD(&l->running) != 0) {
        gort_gc();
        check_all_boxes(l);
    }
    gort_waitgroup_wait(&l->wg);
    check_all_boxes(l);
}

// ---- clearing -----------------------------------------------------------------------------------

// What was stored after a clear returned is there until the next.
static void store_one(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->l;
    for (int i = 0; i < l->rounds; i++) {
        for (int64_t k = 0; k < 50; k++)
            gort_cmap_store(l->m, own_key(w, k), i);
        int64_t n;
        for (int64_t k = 0; k < 50; k++)
            if (gort_cmap_load(l->m, own_key(w, k), &n)) CHECK_EQ(n, i);
    }
    end(l);
}

TEST(clears_beside_stores)
{
    struct load *l = load_of(test_count(300));
    l->running = WORKERS;
    start(l, WORKERS, store_one);
    while (LOAD(&l->running) != 0) {
        gort_cmap_clear(l->m);
        gort_yield();
    }
    gort_waitgroup_wait(&l->wg);
    gort_cmap_clear(l->m);
    CHECK_EQ(gort_cmap_len(l->m), 0);
    gort_cmap_iter it = GORT_CMAP_ITER;
    CHECK(!gort_cmap_next(l->m, &it, NULL, NULL));
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON_ALL(counters_lose_nothing);
    RUN_ON_ALL(one_wins_each_key);
    RUN_ON_ALL(what_went_in_and_not_out_is_there);
    RUN_ON_ALL(objects_live_as_long_as_they_are_in_it);
    RUN_ON_ALL(clears_beside_stores);
    return 0;
}

int main(int argc, char **argv)
{
    test_seed();
    return gort_run(run, argc, argv);
}
