// Counters and maps that several goroutines use at once; for comparison also gort_map under locks.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

enum { USERS = 8, SHARDS = 32 };

static int turns; // of each goroutine
static uint64_t entries, sums[USERS * 8];

static void use(void (*fn)(void *), int total)
{
    turns = total / USERS;
    tasks_begin();
    tasks_join(USERS, fn);
    tasks_end((double)turns * USERS);
}

static uint64_t check_sums(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < USERS; i++)
        sum += sums[i * 8];
    return sum;
}

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static uint64_t random_of(void *arg)
{
    return ((uint64_t)(intptr_t)arg + 1) * 0x9E3779B97F4A7C15u;
}

// ---- a counter ----------------------------------------------------------------------------------

static gort_counter *counter;

static void add(void *arg)
{
    (void)arg;
    for (int i = 0; i < turns; i++)
        gort_counter_add(counter, 1);
}

void counter_run(void)
{
    gort_set(&counter, gort_counter_make());
    use(add, tasks_count(100000000));
    tasks_check((uint64_t)gort_counter_read(counter) << 12);
}

// ---- a concurrent map ---------------------------------------------------------------------------

static gort_cmap(int64_t, int64_t) shared;

static void fill_shared(void)
{
    entries = (uint64_t)tasks_number();
    gort_set(&shared, gort_cmap_make(int64_t, int64_t, 0));
    for (uint64_t i = 0; i < entries; i++)
        gort_cmap_store(shared, (int64_t)i, (int64_t)i + 1);
}

static void hit(void *arg)
{
    uint64_t random = random_of(arg), sum = 0;
    for (int i = 0; i < turns; i++) {
        int64_t value;
        if (gort_cmap_load(shared, (int64_t)(next_random(&random) % entries), &value))
            sum += (uint64_t)value;
    }
    sums[(intptr_t)arg * 8] = sum;
}

void cmap_hit_run(void)
{
    fill_shared();
    use(hit, tasks_count(8000000));
    tasks_check(check_sums() << 12);
}

static void update(void *arg)
{
    uint64_t random = random_of(arg);
    for (int i = 0; i < turns; i++)
        gort_cmap_store(shared, (int64_t)(next_random(&random) % entries), (int64_t)i);
}

void cmap_update_run(void)
{
    fill_shared();
    use(update, tasks_count(4000000));
    tasks_check((uint64_t)gort_cmap_len(shared) << 12);
}

static void insert(void *arg)
{
    for (int64_t i = 0; i < turns; i++)
        gort_cmap_load_or_store(shared, (int64_t)(intptr_t)arg * turns + i, NULL, i);
}

void cmap_insert_run(void)
{
    gort_set(&shared, gort_cmap_make(int64_t, int64_t, 0));
    use(insert, tasks_count(tasks_number()));
    tasks_check((uint64_t)gort_cmap_len(shared) << 12);
}

// Of a hundred calls five store and five delete.
static void mix(void *arg)
{
    uint64_t random = random_of(arg), found = 0;
    for (int i = 0; i < turns; i++) {
        uint64_t r = next_random(&random);
        int64_t key = (int64_t)(r % entries), value;
        unsigned what = (unsigned)(r >> 40) % 100;
        if (what < 5)
            gort_cmap_store(shared, key, (int64_t)i);
        else if (what < 10)
            gort_cmap_delete(shared, key);
        else
            found += gort_cmap_load(shared, key, &value);
    }
    sums[(intptr_t)arg * 8] = found;
}

void cmap_mixed_run(void)
{
    fill_shared();
    use(mix, tasks_count(4000000));
    tasks_check((uint64_t)turns << 12);
}

// ---- maps under locks ---------------------------------------------------------------------------

typedef gort_map(int64_t, int64_t) numbers;
static struct {
    gort_rwmutex lock;
    numbers map;
    char apart[64];
} shards[SHARDS];

static unsigned shard_of(int64_t key)
{
    return (unsigned)(gort_hash_int((uint64_t)key, 1) >> 40) % SHARDS;
}

static void locked_store(int64_t key, int64_t value)
{
    unsigned s = shard_of(key);
    gort_rwmutex_lock(&shards[s].lock);
    gort_map_put(shards[s].map, key, value);
    gort_rwmutex_unlock(&shards[s].lock);
}

static void locked_delete(int64_t key)
{
    unsigned s = shard_of(key);
    gort_rwmutex_lock(&shards[s].lock);
    gort_map_delete(shards[s].map, key);
    gort_rwmutex_unlock(&shards[s].lock);
}

static bool locked_load(int64_t key, int64_t *value)
{
    unsigned s = shard_of(key);
    gort_rwmutex_rlock(&shards[s].lock);
    bool found = gort_map_get(shards[s].map, key, value);
    gort_rwmutex_runlock(&shards[s].lock);
    return found;
}

static void make_shards(void)
{
    for (int i = 0; i < SHARDS; i++)
        gort_set(&shards[i].map, gort_map_make(int64_t, int64_t, 0));
}

static void fill_shards(void)
{
    entries = (uint64_t)tasks_number();
    make_shards();
    for (uint64_t i = 0; i < entries; i++)
        locked_store((int64_t)i, (int64_t)i + 1);
}

static void locked_hit(void *arg)
{
    uint64_t random = random_of(arg), sum = 0;
    for (int i = 0; i < turns; i++) {
        int64_t value;
        if (locked_load((int64_t)(next_random(&random) % entries), &value)) sum += (uint64_t)value;
    }
    sums[(intptr_t)arg * 8] = sum;
}

void locked_hit_run(void)
{
    fill_shards();
    use(locked_hit, tasks_count(8000000));
    tasks_check(check_sums() << 12);
}

static void locked_update(void *arg)
{
    uint64_t random = random_of(arg);
    for (int i = 0; i < turns; i++)
        locked_store((int64_t)(next_random(&random) % entries), (int64_t)i);
}

void locked_update_run(void)
{
    fill_shards();
    use(locked_update, tasks_count(4000000));
    tasks_check(entries << 12);
}

static void locked_insert(void *arg)
{
    for (int64_t i = 0; i < turns; i++)
        locked_store((int64_t)(intptr_t)arg * turns + i, i);
}

void locked_insert_run(void)
{
    make_shards();
    use(locked_insert, tasks_count(tasks_number()));
    tasks_check((uint64_t)turns * USERS << 12);
}

static void locked_mix(void *arg)
{
    uint64_t random = random_of(arg), found = 0;
    for (int i = 0; i < turns; i++) {
        uint64_t r = next_random(&random);
        int64_t key = (int64_t)(r % entries), value;
        unsigned what = (unsigned)(r >> 40) % 100;
        if (what < 5)
            locked_store(key, (int64_t)i);
        else if (what < 10)
            locked_delete(key);
        else
            found += locked_load(key, &value);
    }
    sums[(intptr_t)arg * 8] = found;
}

void locked_mixed_run(void)
{
    fill_shards();
    use(locked_mix, tasks_count(4000000));
    tasks_check((uint64_t)turns << 12);
}
