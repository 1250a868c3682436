/* The databases: keys to values, and deadlines.
 *
 * Each of the 16 databases is cut into 16 shards by the lower bits of the key's hash, each with its
 * own mutex, so that connections on different cores seldom meet.  One big lock would be simpler,
 * but every wait for it parks and wakes a goroutine, which costs more than a whole GET.
 *
 * A key's value is by kind:   KIND_STRING  value is a str
 *                             KIND_INT     number; a string that INCR found to be one
 *                             KIND_LIST    value is a list
 *                             KIND_HASH    value is a dict; nodes hold a str, or number if NULL
 *                             KIND_SET     value is a dict; nodes hold nothing
 *
 * Invariants: (1) a node of `keys` is timed if and only if `deadlines` has the same key; (2) lists,
 * hashes and sets are never empty: the command that removes the last element removes the key.
 *
 * Locking: shard.lock protects everything in the shard and all values reached from it (what a str
 * holds may be read later, see str.h).  Several are taken in ascending order of the shards of
 * one database; nothing blocks and no client is written to while one is held.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_DB_H
#define KV_DB_H

#include "dict.h"
#include "list.h"
#include "str.h"

#define DB_COUNT 16
#define DB_SHARDS 16

enum kind { KIND_STRING, KIND_INT, KIND_LIST, KIND_HASH, KIND_SET };

typedef struct shard {
    gort_mutex lock;
    dict keys;
    dict deadlines; /* number: when, by db_now_ms() */
    uint64_t hits, misses, expired;
} __attribute__((aligned(128))) shard; /* two lines: the prefetcher fetches pairs */

typedef struct database {
    shard shards[DB_SHARDS];
} database;

/* A key of a command, hashed. */
typedef struct key {
    text name;
    shard *shard;
    uint32_t hash;
} key;

database *db_number(int index);

static inline key db_key(database *db, text name)
{
    uint64_t h = dict_hash64(name);
    return (key){ name, &db->shards[h % DB_SHARDS], (uint32_t)(h >> 32) };
}

/* Milliseconds of the clock that deadlines are measured by. */
static inline int64_t db_now_ms(void)
{
    return gort_now() / GORT_MS;
}

/* The node of a key, or NULL; a key past its deadline is removed first.  db_find counts the hit or
 * miss for INFO.  As all below, with the shard locked. */
dict_node *db_find(const key *k);
dict_node *db_peek(const key *k);

/* One step of a look ahead for a key that will be asked for: dict_fetch_bucket or dict_fetch_node.
 * Takes the lock by itself, or does nothing when somebody has it. */
void db_fetch(const key *k, void (*fetch)(const dict *d, uint32_t hash));

dict_node *db_add(const key *k, enum kind kind); /* the key must not exist */
bool db_remove(const key *k);                    /* did it exist? */

/* Sets what the key holds; the deadline stays as it is. */
void db_set_value(dict_node *n, enum kind kind, void *value);
void db_set_number(dict_node *n, int64_t number);

int64_t db_deadline(const key *k, const dict_node *n); /* 0: none */
void db_set_deadline(const key *k, dict_node *n, int64_t when);
void db_clear_deadline(const key *k, dict_node *n);

/* Is the node of s->keys past its deadline?  For walks, which may not remove it. */
bool db_is_expired(const shard *s, const dict_node *n);

/* Locks of several shards of a database, bit i for shard i. */
typedef uint32_t shard_set;
static inline shard_set db_shard_bit(const database *db, const key *k)
{
    return (shard_set)1 << (k->shard - db->shards);
}
void db_lock(database *db, shard_set set);
void db_unlock(database *db, shard_set set);

/* These lock by themselves. */
void db_flush(database *db);
size_t db_size(database *db);

/* Checks the invariants of all data of the shard, which is locked; false and *why when one does not
 * hold.  For tests. */
bool db_shard_is_valid(const shard *s, const char **why);

/* The goroutine that removes keys past their deadline and finishes resizes; never returns. */
void db_housekeeping(void *unused);

/* A random number for choices that need no secrecy. */
uint64_t db_random(void);

#endif
