/* The hash table; see dict.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "dict.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define DICT_MIN_BITS 2
#define DICT_MAX_BITS 32

/* Per change of the dict during a resize.  Growing from n buckets, n more additions may come before
 * the next resize is due, so any number above 1 suffices; shrinking, most buckets are empty. */
#define STEP_FULL_BUCKETS 4
#define STEP_EMPTY_BUCKETS 64

/* ---- Hashing ---- */

__extension__ typedef unsigned __int128 u128;

static uint64_t secret[2];

void dict_seed(void)
{
    if (getrandom(secret, sizeof(secret), 0) == (ssize_t)sizeof(secret)) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    secret[0] = (uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec;
    secret[1] = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)&now;
}

/* Both halves of the product, folded: every bit of a and b reaches every bit of the result. */
static inline uint64_t fold_product(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

uint64_t dict_hash64(text key)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u; /* 2^64 divided by the golden ratio */
    const char *p = key.bytes;
    size_t n = key.len;
    uint64_t h = secret[0] ^ n * odd, a = 0, b = 0;
    while (n > 16) {
        h = fold_product(load64(p) ^ secret[1] ^ h, load64(p + 8) ^ odd);
        p += 16;
        n -= 16;
    }
    /* The last 1 to 16 bytes, by two loads that may overlap. */
    if (n >= 8) {
        a = load64(p);
        b = load64(p + n - 8);
    } else if (n >= 4) {
        a = load32(p);
        b = load32(p + n - 4);
    } else if (n > 0) {
        a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
            (unsigned char)p[n - 1];
    }
    h = fold_product(a ^ secret[1] ^ h, b ^ odd);
    return fold_product(h ^ secret[0], odd);
}

/* ---- Where a hash lives ---- */

static inline size_t bucket_of(uint32_t hash, unsigned bits)
{
    return (size_t)(((uint64_t)hash << bits) >> 32);
}

static inline bool lives_in_later(const dict *d, uint32_t hash)
{
    return d->later != NULL && bucket_of(hash, d->now_bits) < d->moved;
}

/* The dict must have a table. */
static inline dict_bucket *home_of(const dict *d, uint32_t hash)
{
    if (lives_in_later(d, hash)) return &d->later[bucket_of(hash, d->later_bits)];
    return &d->now[bucket_of(hash, d->now_bits)];
}

static inline bool node_is(const dict_node *n, uint32_t hash, text key)
{
    return n->hash == hash && n->key_len == key.len && memcmp(n->key, key.bytes, key.len) == 0;
}

/* ---- Resizing ---- */

static void resize_start(dict *d, unsigned bits)
{
    gort_set(&d->later, gort_new_array(dict_bucket, (size_t)1 << bits));
    d->later_bits = (uint8_t)bits;
    d->moved = 0;
}

static void resize_finish(dict *d)
{
    gort_set(&d->now, d->later);
    gort_set(&d->later, NULL);
    d->now_bits = d->later_bits;
    d->moved = 0;
}

static void move_bucket(dict *d, dict_bucket *from)
{
    dict_node *n = from->head, *next;
    for (; n != NULL; n = next) {
        dict_bucket *to = &d->later[bucket_of(n->hash, d->later_bits)];
        next = n->next;
        gort_set(&n->next, to->head);
        gort_set(&to->head, n);
    }
    gort_set(&from->head, NULL);
}

bool dict_step(dict *d)
{
    if (d->later == NULL) return false;
    size_t buckets = (size_t)1 << d->now_bits;
    int full = STEP_FULL_BUCKETS, empty = STEP_EMPTY_BUCKETS;
    while (d->moved < buckets && full > 0 && empty > 0) {
        dict_bucket *b = &d->now[d->moved++];
        if (b->head == NULL) {
            empty--;
        } else {
            move_bucket(d, b);
            full--;
        }
    }
    if (d->moved < buckets) return true;
    resize_finish(d);
    return false;
}

/* Before an addition: there is a table, and at most one node per bucket on average. */
static void make_room(dict *d)
{
    if (d->now == NULL) {
        gort_set(&d->now, gort_new_array(dict_bucket, (size_t)1 << DICT_MIN_BITS));
        d->now_bits = DICT_MIN_BITS;
    } else if (d->later != NULL) {
        dict_step(d);
    } else if (d->count >> d->now_bits != 0 && d->now_bits < DICT_MAX_BITS) {
        resize_start(d, d->now_bits + 1u);
        dict_step(d);
    }
}

/* After a removal: at least one node per eight buckets. */
static void give_room_back(dict *d)
{
    if (d->count == 0) {
        dict_clear(d);
    } else if (d->later != NULL) {
        dict_step(d);
    } else if (d->now_bits > DICT_MIN_BITS && d->count < (size_t)1 << (d->now_bits - 3)) {
        unsigned bits = d->now_bits - 2u;
        resize_start(d, bits < DICT_MIN_BITS ? DICT_MIN_BITS : bits);
        dict_step(d);
    }
}

/* ---- Operations ---- */

dict_node *dict_find(const dict *d, uint32_t hash, text key)
{
    if (d->now == NULL) return NULL;
    dict_node *n = home_of(d, hash)->head;
    while (n != NULL && !node_is(n, hash, key)) {
        n = n->next;
    }
    return n;
}

void dict_fetch_bucket(const dict *d, uint32_t hash)
{
    if (d->now != NULL) __builtin_prefetch(home_of(d, hash));
}

void dict_fetch_node(const dict *d, uint32_t hash)
{
    if (d->now != NULL) __builtin_prefetch(home_of(d, hash)->head);
}

dict_node *dict_add(dict *d, uint32_t hash, text key)
{
    make_room(d);
    dict_node *n = gort_new_flex(dict_node, key, key.len);
    n->hash = hash;
    n->key_len = (uint32_t)key.len;
    memcpy(n->key, key.bytes, key.len);
    dict_bucket *b = home_of(d, hash);
    gort_init(&n->next, b->head);
    gort_set(&b->head, n);
    d->count++;
    return n;
}

dict_node *dict_remove(dict *d, uint32_t hash, text key)
{
    if (d->now == NULL) return NULL;
    dict_node **link = &home_of(d, hash)->head;
    while (*link != NULL && !node_is(*link, hash, key)) {
        link = &(*link)->next;
    }
    dict_node *n = *link;
    if (n == NULL) return NULL;
    gort_set(link, n->next);
    d->count--;
    give_room_back(d);
    return n;
}

void dict_clear(dict *d)
{
    gort_set(&d->now, NULL);
    gort_set(&d->later, NULL);
    d->count = d->moved = 0;
    d->now_bits = d->later_bits = 0;
}

/* ---- Walks, scans, random nodes ---- */

dict_walk dict_walk_start(const dict *d)
{
    /* Buckets below moved are empty, and need no look. */
    return (dict_walk){ .dict = d, .bucket = d->moved };
}

bool dict_walk_next(dict_walk *w)
{
    const dict *d = w->dict;
    while (w->following == NULL) {
        const dict_bucket *table = w->in_later ? d->later : d->now;
        unsigned bits = w->in_later ? d->later_bits : d->now_bits;
        if (table != NULL && w->bucket >> bits == 0) {
            w->following = table[w->bucket++].head;
        } else if (!w->in_later && d->later != NULL) {
            w->in_later = true;
            w->bucket = 0;
        } else {
            w->node = NULL;
            return false;
        }
    }
    w->node = w->following;
    w->following = w->node->next;
    return true;
}

uint64_t dict_scan(const dict *d, uint64_t from, void (*visit)(dict_node *n, void *arg), void *arg)
{
    if (from >= DICT_SCAN_END || d->now == NULL) return DICT_SCAN_END;
    uint32_t hash = (uint32_t)from;
    bool later = lives_in_later(d, hash);
    unsigned bits = later ? d->later_bits : d->now_bits;
    uint64_t end = (uint64_t)(bucket_of(hash, bits) + 1) << (32 - bits);
    if (later) { /* a bucket of a smaller table may be filled in part only */
        uint64_t filled = (uint64_t)d->moved << (32 - d->now_bits);
        if (end > filled) end = filled;
    }
    for (dict_node *n = home_of(d, hash)->head, *next; n != NULL; n = next) {
        next = n->next;
        if (n->hash >= hash && n->hash < end) visit(n, arg);
    }
    return end;
}

static dict_node *random_of_chain(dict_node *head, uint64_t random)
{
    size_t length = 0;
    for (dict_node *n = head; n != NULL; n = n->next) {
        length++;
    }
    for (size_t skip = (size_t)(random % length); skip > 0; skip--) {
        head = head->next;
    }
    return head;
}

/* Random buckets until one has nodes.  One in eight has, unless a resize is behind; so after many
 * tries walk on from the last. */
dict_node *dict_random(const dict *d, uint64_t random)
{
    if (d->count == 0) return NULL;
    for (int tries = 0; tries < 64; tries++) {
        dict_node *head = home_of(d, (uint32_t)(random >> 32))->head;
        if (head != NULL) return random_of_chain(head, random & 0xffff);
        random = random * 6364136223846793005u + 1442695040888963407u;
    }
    size_t skip = (size_t)(random % d->count);
    dict_walk w = dict_walk_start(d);
    do {
        dict_walk_next(&w);
    } while (skip-- > 0);
    return w.node;
}

/* ---- Self-check ---- */

static bool table_is_valid(const dict *d, bool later, size_t *count, const char **why)
{
    const dict_bucket *table = later ? d->later : d->now;
    unsigned bits = later ? d->later_bits : d->now_bits;
    for (size_t i = 0; i >> bits == 0; i++) {
        for (const dict_node *n = table[i].head; n != NULL; n = n->next) {
            ++*count;
            if (n->hash != dict_hash(dict_key(n))) {
                *why = "a node's hash is not that of its key";
            } else if (lives_in_later(d, n->hash) != later || bucket_of(n->hash, bits) != i) {
                *why = "a node lies in the wrong bucket";
            } else {
                continue;
            }
            return false;
        }
    }
    return true;
}

bool dict_is_valid(const dict *d, const char **why)
{
    size_t count = 0;
    if (d->now == NULL) {
        *why = "nodes or a resize without a table";
        return d->count == 0 && d->later == NULL;
    }
    if (!table_is_valid(d, false, &count, why)) return false;
    if (d->later != NULL && !table_is_valid(d, true, &count, why)) return false;
    *why = "the count is wrong";
    return count == d->count;
}
