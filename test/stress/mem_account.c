// Exact accounting: many Ps allocate, keep, drop and hand over objects of all sizes, while
// goroutines end, threads come and go, and the number of Ps changes. Then all is quiet, and each
// sum is what a model of the program predicts: objects and bytes allocated, freed and present, in
// total and for each size.
//
// What is present is, byte for byte, what the collector marked. Stacks are scanned conservatively,
// and a word that was left on one keeps a dead object: so what is marked may be a few objects more
// than what the program keeps.
// Who exchanges in another's table, which the other sets, races on purpose: not under TSan.
// TEST notmodes=efence,gcefence,determ skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "../api/gc_util.h"

enum {
    WORKERS = 32,
    THREADS = 3,
    KEPT = 12,
    GENERATIONS = 3,
    BUCKETS = 100,
    STRAYS = 12,
    MAGIC = 0x51c3
};

// ---- what is allocated --------------------------------------------------------------------------

typedef struct cell {
    uint32_t magic, kind;
    struct cell *next;
} cell;
GORT_TYPE(cell, next);

static const struct kind {
    enum { PLAIN, NOSCAN, CELLS } way;
    size_t size;
} kinds[] = { { CELLS, 16 },      { NOSCAN, 16 },   { PLAIN, 24 },      { NOSCAN, 40 },
              { PLAIN, 64 },      { CELLS, 96 },    { NOSCAN, 100 },    { PLAIN, 250 },
              { NOSCAN, 500 },    { PLAIN, 512 },   { PLAIN, 513 },     { CELLS, 1024 },
              { NOSCAN, 1025 },   { PLAIN, 3000 },  { NOSCAN, 4096 },   { PLAIN, 8192 },
              { NOSCAN, 9000 },   { PLAIN, 18000 }, { NOSCAN, 32768 },  { PLAIN, 32761 },
              { NOSCAN, 32769 },  { PLAIN, 50000 }, { NOSCAN, 200000 }, { CELLS, 160000 },
              { NOSCAN, 1500000 } };
enum { KINDS = sizeof kinds / sizeof *kinds };
static size_t slot[KINDS]; // bytes that an object of the kind takes

static cell *make(uint32_t k)
{
    cell *c = kinds[k].way == PLAIN    ? gort_alloc(kinds[k].size)
              : kinds[k].way == NOSCAN ? gort_alloc_noscan(kinds[k].size)
                                       : gort_new_array(cell, kinds[k].size / sizeof(cell));
    CHECK(c->magic == 0 && c->kind == 0);
    c->magic = MAGIC;
    c->kind = k;
    return c;
}

// The smaller the oftener.
static uint32_t choose_kind(uint64_t *rnd)
{
    uint64_t r = test_random(rnd);
    uint32_t k = (uint32_t)(r % KINDS);
    if (slot[k] > 8192 && r / KINDS % 8 != 0) k = (uint32_t)(r / KINDS / 8 % 12);
    if (slot[k] > 100000 && r / KINDS / 128 % 4 != 0) k = (uint32_t)(r / KINDS / 512 % 4);
    return k;
}

// ---- the model ----------------------------------------------------------------------------------

static struct model {
    uint64_t made[KINDS], tiny;
} model; // atomic adds

static cell *kept[WORKERS + THREADS][KEPT];
static gort_chan(cell *) handed;

struct worker {
    unsigned id;
    uint64_t rnd;
    struct model mine;
};

static void publish_counts(const struct model *m)
{
    for (int k = 0; k < KINDS; k++)
        __atomic_fetch_add(&model.made[k], m->made[k], __ATOMIC_RELAXED);
    __atomic_fetch_add(&model.tiny, m->tiny, __ATOMIC_RELAXED);
}

static void check_cell(const cell *c)
{
    CHECK_EQ(c->magic, MAGIC);
    CHECK_LT(c->kind, KINDS);
}

__attribute__((noinline)) static void one_step(struct worker *w)
{
    uint64_t r = test_random(&w->rnd);
    cell **place = &kept[w->id][r / 64 % KEPT], *c;
    if (r % 64 < 8) {
        memset(gort_alloc_noscan(r / 64 % 15 + 1), 1, 1);
        w->mine.tiny++;
        return;
    }
    if (r % 64 < 16) { // from another
        if (gort_try_recv(handed, &c) == GORT_GOT) {
            check_cell(c);
            gort_set(place, c);
        }
        return;
    }
    uint32_t k = choose_kind(&w->rnd);
    c = make(k);
    w->mine.made[k]++;
    if (r % 64 < 32) {
        if (*place != NULL) check_cell(*place);
        gort_set(place, c);
    } else if (r % 64 < 40) {
        gort_try_send(handed, c);
    } else if (r % 64 < 44) {
        c = gort_exchange(&kept[r / 4096 % (WORKERS + THREADS)][r / 64 % KEPT], c);
        if (c != NULL) check_cell(c);
    }
}

static void work(unsigned id, int64_t steps)
{
    struct worker w = { .id = id, .rnd = test_seed() + id * 7919 };
    for (int64_t i = 0; i < steps; i++) {
        one_step(&w);
        if (i % 256 == 0 && test_random(&w.rnd) % 4 == 0) gort_yield();
    }
    publish_counts(&w.mine);
}

static int64_t steps;
static gort_waitgroup running;

static void worker(void *id)
{
    work((unsigned)(uintptr_t)id, steps);
    gort_waitgroup_done(&running);
}

static void *attached(void *id)
{
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(gort_thread_attach(), 0);
        work((unsigned)(uintptr_t)id, steps / 3);
        gort_thread_detach();
    }
    return NULL;
}

static uint32_t stop_changing; // atomic

static void change_procs(void *unused)
{
    (void)unused;
    uint64_t rnd = test_seed() + 1;
    while (!__atomic_load_n(&stop_changing, __ATOMIC_RELAXED)) {
        gort_max_procs(1 + (int)(test_random(&rnd) % 16));
        gort_sleep(2 * GORT_MS);
    }
    gort_waitgroup_done(&running);
}

static void one_generation(bool change)
{
    pthread_t t[THREADS];
    for (unsigned i = 0; i < WORKERS; i++) {
        gort_waitgroup_add(&running, 1);
        gort_go(worker, (void *)(uintptr_t)i);
    }
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, attached, (void *)(uintptr_t)(WORKERS + i)), 0);
    stop_changing = 0;
    if (change) {
        gort_waitgroup_add(&running, 1);
        gort_go(change_procs, NULL);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        gort_enter_blocking();
        pthread_join(t[i], NULL);
        gort_exit_blocking();
    }
    __atomic_store_n(&stop_changing, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&running);
}

// ---- what the runtime counted -------------------------------------------------------------------

struct counted {
    gort_stats s;
    double tiny, objects;
    uint64_t allocs[BUCKETS], frees[BUCKETS];
    uint64_t readings; // that were complete before this one
};

static const double *bounds;
static size_t nbuckets;
static uint64_t readings; // each allocates twice, after the statistics were read

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

static void read_sizes(const char *name, uint64_t *out)
{
    const uint64_t *counts;
    CHECK_EQ(gort_metric_histogram(name, &bounds, &counts, &nbuckets), 0);
    CHECK_LE(nbuckets, BUCKETS);
    memcpy(out, counts, nbuckets * sizeof *counts);
}

// All at one moment: again, if a collection came between.
static void read_all(void *counted)
{
    struct counted *c = counted;
    gort_stats later;
    do {
        c->readings = readings;
        gort_read_stats(&c->s);
        c->tiny = metric("/gc/heap/tiny/allocs:objects");
        c->objects = metric("/gc/heap/objects:objects");
        read_sizes("/gc/heap/allocs-by-size:bytes", c->allocs);
        read_sizes("/gc/heap/frees-by-size:bytes", c->frees);
        gort_read_stats(&later);
        readings++;
    } while (later.frees != c->s.frees);
    CHECK_EQ(later.mallocs, c->s.mallocs + 2);
}

static size_t bucket_of(size_t bytes)
{
    size_t i = 0;
    while (bounds[i + 1] <= (double)bytes)
        i++;
    return i;
}

// A pointer costs a layout word where the slot has room for it; so much decides what is large.
static size_t bucket_of_kind(int k)
{
    size_t need = kinds[k].size + (kinds[k].way == NOSCAN ? 0 : 8);
    return need > 32768 ? nbuckets - 1 : bucket_of(slot[k]);
}

static struct counted before, after;
static uint64_t read_size; // bytes of what read_sizes allocates

// The kinds' slots, and what read_sizes itself allocates: measured while nothing else runs.
static void calibrate(void *unused)
{
    gort_stats a, b;
    static uint64_t copy[BUCKETS];
    (void)unused;
    for (uint32_t k = 0; k < KINDS; k++) {
        gort_read_stats(&a);
        cell *c = make(k);
        gort_read_stats(&b);
        check_cell(c);
        CHECK_EQ(b.mallocs - a.mallocs, 1);
        slot[k] = b.total_alloc - a.total_alloc;
        CHECK_GE(slot[k], kinds[k].size / sizeof(cell) * sizeof(cell));
    }
    gort_read_stats(&a);
    read_sizes("/gc/heap/allocs-by-size:bytes", copy);
    gort_read_stats(&b);
    CHECK_EQ(b.mallocs - a.mallocs, 1);
    read_size = b.total_alloc - a.total_alloc;
}

// ---- comparing ----------------------------------------------------------------------------------

static uint64_t kept_of[KINDS];

static void count_kept(void *unused)
{
    (void)unused;
    memset(kept_of, 0, sizeof kept_of);
    for (int i = 0; i < WORKERS + THREADS; i++)
        for (int k = 0; k < KEPT; k++) {
            if (kept[i][k] == NULL) continue;
            check_cell(kept[i][k]);
            kept_of[kept[i][k]->kind]++;
        }
}

// Allocated, in total and by size: what the program and the readings allocated.
static void compare_allocated(void)
{
    uint64_t copies = 2 * (after.readings - before.readings), by_bucket[BUCKETS] = { 0 };
    uint64_t shared = (uint64_t)(after.tiny - before.tiny), blocks = model.tiny - shared;
    uint64_t objects = model.tiny + copies, bytes = blocks * 16 + copies * read_size;
    CHECK_LE(shared, model.tiny);
    CHECK_GE(blocks * 16, model.tiny); // a block has at most 16
    by_bucket[bucket_of(16)] = blocks;
    by_bucket[bucket_of(read_size)] += copies;
    for (int k = 0; k < KINDS; k++) {
        objects += model.made[k];
        bytes += model.made[k] * slot[k];
        by_bucket[bucket_of_kind(k)] += model.made[k];
    }
    CHECK_EQ(after.s.mallocs - before.s.mallocs, objects);
    CHECK_EQ(after.s.total_alloc - before.s.total_alloc, bytes);
    for (size_t i = 0; i < nbuckets; i++)
        CHECK_EQ(after.allocs[i] - before.allocs[i], by_bucket[i]);
}

// What is present is what was allocated less what was freed.
static void compare_present(const struct counted *c)
{
    uint64_t present = 0;
    CHECK(c->objects == (double)(c->s.mallocs - c->s.frees));
    for (size_t i = 0; i < nbuckets; i++) {
        CHECK_LE(c->frees[i], c->allocs[i]);
        present += c->allocs[i] - c->frees[i];
    }
    CHECK_EQ(present, c->s.mallocs - c->s.frees + 1); // the copy of the first distribution
}

static void nearly(uint64_t now, uint64_t then, uint64_t more)
{
    CHECK_LE(now, then + more + STRAYS);
    CHECK_LE(then + more, now + STRAYS);
}

// What is present is what was there before, what is kept, and strays, then or now.
static void compare_kept(void)
{
    uint64_t n = 0, by_bucket[BUCKETS] = { 0 };
    for (int k = 0; k < KINDS; k++) {
        n += kept_of[k];
        by_bucket[bucket_of_kind(k)] += kept_of[k];
    }
    nearly(after.s.mallocs - after.s.frees, before.s.mallocs - before.s.frees, n);
    for (size_t i = 0; i < nbuckets; i++)
        nearly(after.allocs[i] - after.frees[i], before.allocs[i] - before.frees[i], by_bucket[i]);
}

// Nothing runs; all that is dead is swept. What is there is what was marked.
static void quiet(void)
{
    gort_stats s;
    scrub_stack();
    gort_gc();
    gort_gc();
    gort_read_stats(&s);
    CHECK_EQ(s.heap_alloc, s.heap_marked);
    CHECK_GE(s.heap_live, s.heap_marked);
}

static void compare(void)
{
    on_goroutine(count_kept, NULL);
    quiet();
    on_goroutine(read_all, &after);
    compare_allocated();
    compare_present(&after);
    compare_kept();
}

static void begin(void)
{
    quiet();
    on_goroutine(read_all, &before);
    compare_present(&before);
    memset(&model, 0, sizeof model);
}

static void drain(void *unused)
{
    (void)unused;
    cell *c;
    while (gort_try_recv(handed, &c) == GORT_GOT)
        check_cell(c);
}

static void drop_kept(void *unused)
{
    (void)unused;
    for (int i = 0; i < WORKERS + THREADS; i++)
        for (int k = 0; k < KEPT; k++)
            gort_set(&kept[i][k], (cell *)NULL);
}

static void generations(bool change)
{
    begin();
    for (int g = 0; g < GENERATIONS; g++) {
        one_generation(change);
        on_goroutine(drain, NULL);
        compare();
    }
    on_goroutine(drop_kept, NULL);
    compare();
}

TEST(sixteen_processors)
{
    gort_max_procs(16);
    generations(false);
}

TEST(processors_that_come_and_go)
{
    generations(true);
}

static void tests(void)
{
    steps = test_count(4000);
    gort_set(&handed, gort_chan_make(cell *, 64));
    on_goroutine(calibrate, NULL);
    RUN(sixteen_processors);
    RUN(processors_that_come_and_go);
}

GC_MAIN(tests)
