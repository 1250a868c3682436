/* The databases; see db.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "db.h"

static database databases[DB_COUNT];

database *db_number(int index)
{
    return &databases[index];
}

/* A Weyl sequence, mixed; any number of threads draw from it. */
uint64_t db_random(void)
{
    static uint64_t state;
    uint64_t x = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);
    x = (x ^ x >> 31) * 0x7fb5d329728ea185u;
    x = (x ^ x >> 27) * 0x81dadef4bc2dd44du;
    return x ^ x >> 33;
}

/* ---- Keys ---- */

int64_t db_deadline(const key *k, const dict_node *n)
{
    if (!n->timed) return 0;
    return dict_find(&k->shard->deadlines, k->hash, k->name)->number;
}

bool db_is_expired(const shard *s, const dict_node *n)
{
    return n->timed && dict_find(&s->deadlines, n->hash, dict_key(n))->number <= db_now_ms();
}

dict_node *db_peek(const key *k)
{
    shard *s = k->shard;
    dict_node *n = dict_find(&s->keys, k->hash, k->name);
    if (n != NULL && n->timed && db_is_expired(s, n)) {
        db_remove(k);
        s->expired++;
        return NULL;
    }
    return n;
}

dict_node *db_find(const key *k)
{
    dict_node *n = db_peek(k);
    if (n != NULL) {
        k->shard->hits++;
    } else {
        k->shard->misses++;
    }
    return n;
}

void db_fetch(const key *k, void (*fetch)(const dict *d, uint32_t hash))
{
    if (!gort_mutex_trylock(&k->shard->lock)) return;
    fetch(&k->shard->keys, k->hash);
    gort_mutex_unlock(&k->shard->lock);
}

dict_node *db_add(const key *k, enum kind kind)
{
    dict_node *n = dict_add(&k->shard->keys, k->hash, k->name);
    n->kind = (uint8_t)kind;
    return n;
}

bool db_remove(const key *k)
{
    dict_node *n = dict_remove(&k->shard->keys, k->hash, k->name);
    if (n == NULL) return false;
    if (n->timed) dict_remove(&k->shard->deadlines, k->hash, k->name);
    return true;
}

void db_set_value(dict_node *n, enum kind kind, void *value)
{
    n->kind = (uint8_t)kind;
    gort_set(&n->value, value);
}

void db_set_number(dict_node *n, int64_t number)
{
    if (n->value != NULL) gort_set(&n->value, NULL);
    n->kind = KIND_INT;
    n->number = number;
}

void db_set_deadline(const key *k, dict_node *n, int64_t when)
{
    dict *deadlines = &k->shard->deadlines;
    dict_node *d =
        n->timed ? dict_find(deadlines, k->hash, k->name) : dict_add(deadlines, k->hash, k->name);
    d->number = when;
    n->timed = true;
}

void db_clear_deadline(const key *k, dict_node *n)
{
    if (n->timed) dict_remove(&k->shard->deadlines, k->hash, k->name);
    n->timed = false;
}

/* ---- Whole databases ---- */

void db_lock(database *db, shard_set set)
{
    for (; set != 0; set &= set - 1) {
        gort_mutex_lock(&db->shards[__builtin_ctz(set)].lock);
    }
}

void db_unlock(database *db, shard_set set)
{
    for (; set != 0; set &= set - 1) {
        gort_mutex_unlock(&db->shards[__builtin_ctz(set)].lock);
    }
}

void db_flush(database *db)
{
    shard_set all = (shard_set)((1u << DB_SHARDS) - 1);
    db_lock(db, all);
    for (int i = 0; i < DB_SHARDS; i++) {
        dict_clear(&db->shards[i].keys);
        dict_clear(&db->shards[i].deadlines);
    }
    db_unlock(db, all);
}

size_t db_size(database *db)
{
    size_t size = 0;
    for (int i = 0; i < DB_SHARDS; i++) {
        shard *s = &db->shards[i];
        gort_mutex_lock(&s->lock);
        size += s->keys.count;
        gort_mutex_unlock(&s->lock);
    }
    return size;
}

/* ---- Housekeeping ---- */

#define HOUSEKEEPING_PERIOD (100 * GORT_MS)
#define SAMPLES 20

/* Looks at a few timed keys.  True when many had expired, so that looking on pays. */
static bool expire_some(shard *s)
{
    int64_t now = db_now_ms();
    int removed = 0;
    for (int i = 0; i < SAMPLES; i++) {
        dict_node *d = dict_random(&s->deadlines, db_random());
        if (d == NULL) return false;
        if (d->number > now) continue;
        key k = { dict_key(d), s, d->hash };
        db_remove(&k);
        s->expired++;
        removed++;
    }
    return removed > SAMPLES / 4;
}

static bool resize_some(shard *s)
{
    bool more = false;
    for (int i = 0; i < 32; i++) {
        more = dict_step(&s->keys);
        if (!more) break;
    }
    return more;
}

/* The lock is given back between steps, so that a client waits for one step at most. */
static void tend_shard(shard *s)
{
    bool more = true;
    for (int steps = 0; more && steps < 1000; steps++) {
        gort_mutex_lock(&s->lock);
        more = expire_some(s);
        more |= resize_some(s);
        gort_mutex_unlock(&s->lock);
    }
}

void db_housekeeping(void *unused)
{
    (void)unused;
    for (;;) {
        gort_sleep(HOUSEKEEPING_PERIOD);
        for (int i = 0; i < DB_COUNT * DB_SHARDS; i++) {
            tend_shard(&databases[i / DB_SHARDS].shards[i % DB_SHARDS]);
        }
    }
}

/* ---- Self-check ---- */

static bool value_is_valid(const dict_node *n, const char **why)
{
    switch ((enum kind)n->kind) {
    case KIND_STRING:
        *why = "a string is missing or longer than its room";
        return n->value != NULL && ((str *)n->value)->len <= ((str *)n->value)->cap;
    case KIND_INT:
        *why = "a number holds a string too";
        return n->value == NULL;
    case KIND_LIST:
        *why = "a list is empty";
        return ((list *)n->value)->length > 0 && list_is_valid(n->value, why);
    case KIND_HASH:
    case KIND_SET:
        *why = "a hash or set is empty";
        return ((dict *)n->value)->count > 0 && dict_is_valid(n->value, why);
    }
    *why = "a value is of no kind";
    return false;
}

bool db_shard_is_valid(const shard *s, const char **why)
{
    size_t timed = 0;
    if (!dict_is_valid(&s->keys, why) || !dict_is_valid(&s->deadlines, why)) return false;
    for (dict_walk w = dict_walk_start(&s->keys); dict_walk_next(&w);) {
        if (!value_is_valid(w.node, why)) return false;
        *why = "a key with a deadline is not among the deadlines";
        if (!w.node->timed) continue;
        if (dict_find(&s->deadlines, w.node->hash, dict_key(w.node)) == NULL) return false;
        timed++;
    }
    *why = "a deadline belongs to no key";
    return timed == s->deadlines.count;
}
