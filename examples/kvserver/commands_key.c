/* Commands on keys whatever they hold: existence, deadlines, listing.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"
#include "expiry.h"
#include "reply.h"

/* ---- Existence ---- */

void cmd_del(conn *c, const key *k)
{
    (void)k;
    int64_t removed = 0;
    for (int i = 1; i < arg_count(c); i++) {
        key each = arg_key(c, i);
        removed += db_peek(&each) != NULL && db_remove(&each);
    }
    reply_int(c, removed);
}

/* Large values need no second thread to free them; the collector takes its time anyway. */
void cmd_unlink(conn *c, const key *k)
{
    cmd_del(c, k);
}

void cmd_exists(conn *c, const key *k)
{
    (void)k;
    int64_t found = 0;
    for (int i = 1; i < arg_count(c); i++) {
        key each = arg_key(c, i);
        found += db_find(&each) != NULL;
    }
    reply_int(c, found);
}

void cmd_touch(conn *c, const key *k)
{
    cmd_exists(c, k);
}

static const char *kind_name(const dict_node *n)
{
    switch ((enum kind)n->kind) {
    case KIND_STRING:
    case KIND_INT:
        return "string";
    case KIND_LIST:
        return "list";
    case KIND_HASH:
        return "hash";
    case KIND_SET:
        return "set";
    }
    return "none";
}

void cmd_type(conn *c, const key *k)
{
    dict_node *n = db_peek(k);
    reply_status(c, n == NULL ? "none" : kind_name(n));
}

/* ---- Deadlines ---- */

static bool deadline_after(int64_t count, int64_t unit_ms, int64_t *deadline)
{
    return !__builtin_mul_overflow(count, unit_ms, deadline) &&
           !__builtin_add_overflow(*deadline, db_now_ms(), deadline);
}

static void reply_invalid_expiry(conn *c, const char *command)
{
    reply_error(c, "ERR invalid expire time in '%s' command", command);
}

bool expiry_read(conn *c, int i, int64_t unit_ms, const char *command, int64_t *deadline)
{
    int64_t count;
    if (!arg_int(c, i, &count)) return false;
    if (count > 0 && deadline_after(count, unit_ms, deadline)) return true;
    reply_invalid_expiry(c, command);
    return false;
}

enum { ONLY_NEW = 1, ONLY_CHANGED = 2, ONLY_LATER = 4, ONLY_EARLIER = 8 };

static bool read_expire_conditions(conn *c, int *conditions)
{
    *conditions = 0;
    for (int i = 3; i < arg_count(c); i++) {
        text word = arg(c, i);
        if (text_is(word, "nx")) {
            *conditions |= ONLY_NEW;
        } else if (text_is(word, "xx")) {
            *conditions |= ONLY_CHANGED;
        } else if (text_is(word, "gt")) {
            *conditions |= ONLY_LATER;
        } else if (text_is(word, "lt")) {
            *conditions |= ONLY_EARLIER;
        } else {
            reply_error(c, "ERR Unsupported option %.*s", (int)(word.len < 64 ? word.len : 64),
                        word.bytes);
            return false;
        }
    }
    if (*conditions & ONLY_NEW && *conditions != ONLY_NEW) {
        reply_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (*conditions & ONLY_LATER && *conditions & ONLY_EARLIER) {
        reply_error(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* No deadline counts as one that is infinitely late. */
static bool conditions_hold(int conditions, int64_t former, int64_t deadline)
{
    if (conditions & ONLY_NEW && former != 0) return false;
    if (conditions & ONLY_CHANGED && former == 0) return false;
    if (conditions & ONLY_LATER && (former == 0 || deadline <= former)) return false;
    if (conditions & ONLY_EARLIER && former != 0 && deadline >= former) return false;
    return true;
}

static void expire(conn *c, const key *k, int64_t unit_ms, const char *command)
{
    int64_t count, deadline;
    int conditions;
    if (!arg_int(c, 2, &count)) return;
    if (!read_expire_conditions(c, &conditions)) return;
    if (!deadline_after(count, unit_ms, &deadline)) {
        reply_invalid_expiry(c, command);
        return;
    }
    dict_node *n = db_peek(k);
    if (n == NULL || !conditions_hold(conditions, db_deadline(k, n), deadline)) {
        reply_int(c, 0);
        return;
    }
    if (count <= 0) {
        db_remove(k);
    } else {
        db_set_deadline(k, n, deadline);
    }
    reply_int(c, 1);
}

void cmd_expire(conn *c, const key *k)
{
    expire(c, k, 1000, "expire");
}

void cmd_pexpire(conn *c, const key *k)
{
    expire(c, k, 1, "pexpire");
}

/* Milliseconds left, -1 without a deadline, -2 without a key. */
static int64_t time_left(const key *k)
{
    dict_node *n = db_peek(k);
    if (n == NULL) return -2;
    if (!n->timed) return -1;
    int64_t left = db_deadline(k, n) - db_now_ms();
    return left > 0 ? left : 0;
}

void cmd_pttl(conn *c, const key *k)
{
    reply_int(c, time_left(k));
}

void cmd_ttl(conn *c, const key *k)
{
    int64_t left = time_left(k);
    reply_int(c, left < 0 ? left : left / 1000 + (left % 1000 >= 500));
}

void cmd_persist(conn *c, const key *k)
{
    dict_node *n = db_peek(k);
    bool timed = n != NULL && n->timed;
    if (timed) db_clear_deadline(k, n);
    reply_int(c, timed);
}

/* ---- Listing ---- */

struct listing {
    conn *c;
    shard *shard;
    text pattern;
    text kind; /* no bytes: any */
    bool all;
    size_t visited, listed;
};

static void list_key(dict_node *n, void *arg)
{
    struct listing *l = arg;
    l->visited++;
    if (!l->all && !text_matches(dict_key(n), l->pattern)) return;
    if (l->kind.bytes != NULL && !text_is(l->kind, kind_name(n))) return;
    if (db_is_expired(l->shard, n)) return;
    reply_bulk(l->c, dict_key(n));
    l->listed++;
}

static bool matches_all(text pattern)
{
    return pattern.len == 1 && pattern.bytes[0] == '*';
}

void cmd_keys(conn *c, const key *k)
{
    (void)k;
    struct listing l = { .c = c, .pattern = arg(c, 1), .all = matches_all(arg(c, 1)) };
    size_t gap = reply_later(c);
    for (int i = 0; i < DB_SHARDS; i++) {
        l.shard = &c->db->shards[i];
        gort_mutex_lock(&l.shard->lock);
        for (dict_walk w = dict_walk_start(&l.shard->keys); dict_walk_next(&w);) {
            list_key(w.node, &l);
        }
        gort_mutex_unlock(&l.shard->lock);
    }
    reply_array_now(c, gap, l.listed);
}

/* A cursor is the shard in its lowest digit and above that the hash to go on from (see dict_scan).
 * 0 is both the first cursor and the sign of the end. */
static uint64_t scan_shard(struct listing *l, uint64_t cursor, size_t count, size_t *steps)
{
    size_t index = (size_t)(cursor % DB_SHARDS);
    uint64_t hash = cursor / DB_SHARDS;
    l->shard = &l->c->db->shards[index];
    gort_mutex_lock(&l->shard->lock);
    while (hash < DICT_SCAN_END && l->visited<count && * steps> 0) {
        hash = dict_scan(&l->shard->keys, hash, list_key, l);
        --*steps;
    }
    gort_mutex_unlock(&l->shard->lock);
    if (hash < DICT_SCAN_END) return hash * DB_SHARDS + index;
    return (index + 1) % DB_SHARDS; /* the next shard's beginning; after the last one 0, the end */
}

static bool read_scan_options(conn *c, struct listing *l, size_t *count)
{
    for (int i = 2; i < arg_count(c); i += 2) {
        text word = arg(c, i);
        int64_t n;
        if (i + 1 == arg_count(c)) {
            reply_syntax_error(c);
            return false;
        }
        if (text_is(word, "match")) {
            l->pattern = arg(c, i + 1);
            l->all = matches_all(l->pattern);
        } else if (text_is(word, "type")) {
            l->kind = arg(c, i + 1);
        } else if (text_is(word, "count")) {
            if (!arg_int(c, i + 1, &n)) return false;
            if (n < 1) {
                reply_syntax_error(c);
                return false;
            }
            *count = (size_t)n;
        } else {
            reply_syntax_error(c);
            return false;
        }
    }
    return true;
}

void cmd_scan(conn *c, const key *k)
{
    (void)k;
    int64_t start;
    size_t count = 10;
    struct listing l = { .c = c, .all = true };
    if (!text_to_i64(arg(c, 1), &start) || start < 0 ||
        (uint64_t)start / DB_SHARDS >= DICT_SCAN_END) {
        reply_error(c, "ERR invalid cursor");
        return;
    }
    if (!read_scan_options(c, &l, &count)) return;

    uint64_t cursor = (uint64_t)start;
    size_t steps =
        count < SIZE_MAX / 16 ? count * 16 : SIZE_MAX; /* empty buckets are visited too */
    reply_array(c, 2);
    size_t cursor_gap = reply_later(c);
    size_t keys_gap = reply_later(c);
    do {
        cursor = scan_shard(&l, cursor, count, &steps);
    } while (cursor != 0 && l.visited < count && steps > 0);
    reply_array_now(c, keys_gap, l.listed);
    reply_bulk_int_now(c, cursor_gap, (int64_t)cursor);
}

void cmd_randomkey(conn *c, const key *k)
{
    (void)k;
    uint64_t random = db_random();
    for (unsigned i = 0; i < DB_SHARDS; i++) {
        shard *s = &c->db->shards[(random + i) % DB_SHARDS];
        gort_mutex_lock(&s->lock);
        dict_node *n = dict_random(&s->keys, random);
        bool found = n != NULL && !db_is_expired(s, n);
        if (found) reply_bulk(c, dict_key(n));
        gort_mutex_unlock(&s->lock);
        if (found) return;
    }
    reply_null(c);
}

void cmd_dbsize(conn *c, const key *k)
{
    (void)k;
    reply_int(c, (int64_t)db_size(c->db));
}

/* ---- Flushing ---- */

static bool flush_mode_is_good(conn *c)
{
    if (arg_count(c) == 1) return true;
    text mode = arg(c, 1);
    if (arg_count(c) == 2 && (text_is(mode, "async") || text_is(mode, "sync"))) return true;
    reply_syntax_error(c);
    return false;
}

void cmd_flushdb(conn *c, const key *k)
{
    (void)k;
    if (!flush_mode_is_good(c)) return;
    db_flush(c->db);
    reply_ok(c);
}

void cmd_flushall(conn *c, const key *k)
{
    (void)k;
    if (!flush_mode_is_good(c)) return;
    for (int i = 0; i < DB_COUNT; i++) {
        db_flush(db_number(i));
    }
    reply_ok(c);
}
