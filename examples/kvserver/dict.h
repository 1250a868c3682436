/* A hash table in collected memory that grows and shrinks a little at a time.
 *
 * The bucket of a hash is its top bits, so buckets lie in the order of the hashes: bucket b of a
 * table splits into 2b and 2b+1 of one twice the size.  Three things follow.  A resize walks both
 * tables from front to back.  While it is under way, one comparison tells which of the two holds
 * a hash, so no operation looks into both.  And a scan is a walk over hashes from 0 to 2^32: its
 * cursor keeps its meaning across any number of resizes, and it returns each element that was
 * there throughout exactly once.  (Low bits as bucket, the usual choice, need a reversed-bits
 * cursor and return elements twice.)
 *
 * A node holds its key's bytes itself: one object, one cache line or two, per element.  The same
 * node serves the key space (value or number by kind), hashes (value, or number when value is
 * NULL), sets (neither) and deadlines (number).
 *
 * Invariants: (1) while later != NULL, buckets [0, moved) of now are empty, and a hash whose bucket
 * in now is below moved lives in later, any other in now; (2) count is the number of nodes in
 * both; (3) hash is dict_hash(key) for every node; (4) a dict without tables has no nodes.
 *
 * Locking: none; a dict belongs to the shard whose lock the caller holds.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_DICT_H
#define KV_DICT_H

#include "text.h"

#include <gort.h>

typedef struct dict_node {
    struct dict_node *next;
    void *value; /* what it is, the owner of the table knows */
    int64_t number;
    uint32_t hash;
    uint32_t key_len;
    uint8_t kind;
    bool timed; /* the key has a deadline */
    char key[];
} dict_node;
GORT_TYPE(dict_node, next, value);

typedef struct dict_bucket {
    dict_node *head;
} dict_bucket;
GORT_TYPE(dict_bucket, head);

typedef struct dict {
    dict_bucket *now;   /* 2^now_bits buckets */
    dict_bucket *later; /* the table being filled; NULL when no resize is under way */
    size_t count;
    size_t moved;
    uint8_t now_bits, later_bits;
} dict;
GORT_TYPE(dict, now, later);

static inline text dict_key(const dict_node *n)
{
    return (text){ n->key, n->key_len };
}

/* Draws the secret that keeps clients from choosing keys that collide.  Call once, first. */
void dict_seed(void);

/* 64 well-mixed bits; the tables use the upper 32, the lower ones are free for other uses. */
uint64_t dict_hash64(text key);

static inline uint32_t dict_hash(text key)
{
    return (uint32_t)(dict_hash64(key) >> 32);
}

dict_node *dict_find(const dict *d, uint32_t hash, text key);

/* Ask the processor for what dict_find will read: the bucket, and, when that has come, the first
 * node.  They wait for nothing, so those for many keys go on at a time. */
void dict_fetch_bucket(const dict *d, uint32_t hash);
void dict_fetch_node(const dict *d, uint32_t hash);

/* Adds a node with the key, everything else zero.  The key must not be present. */
dict_node *dict_add(dict *d, uint32_t hash, text key);

/* Unlinks the node of the key and returns it; NULL when there is none. */
dict_node *dict_remove(dict *d, uint32_t hash, text key);

/* Forgets all nodes and tables; the collector has the rest to do. */
void dict_clear(dict *d);

/* A node chosen at random, or NULL; random is any 64 random bits. */
dict_node *dict_random(const dict *d, uint64_t random);

/* Does some of the work of a resize.  False when none is left. */
bool dict_step(dict *d);

/* A walk over all nodes.  The dict must not change meanwhile.
 *     for (dict_walk w = dict_walk_start(d); dict_walk_next(&w);) use(w.node); */
typedef struct dict_walk {
    const dict *dict;
    dict_node *node, *following;
    size_t bucket;
    bool in_later;
} dict_walk;
dict_walk dict_walk_start(const dict *d);
bool dict_walk_next(dict_walk *w);

/* One step of a scan that the dict's owner may interrupt and change the dict in between: visits
 * the nodes of one bucket from hash `from` on, and returns where to go on; DICT_SCAN_END when all
 * hashes were visited.  Start at 0. */
#define DICT_SCAN_END ((uint64_t)1 << 32)
uint64_t dict_scan(const dict *d, uint64_t from, void (*visit)(dict_node *n, void *arg), void *arg);

/* Checks the invariants; false and *why when one does not hold.  For tests. */
bool dict_is_valid(const dict *d, const char **why);

#endif
