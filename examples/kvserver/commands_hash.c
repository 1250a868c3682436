/* Commands on hashes: a dict of fields; a field's value is a string, or a number when HINCRBY made
 * it one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"
#include "reply.h"

static dict *hash_of(const dict_node *n)
{
    return n->value;
}

static dict_node *find_field(const dict_node *n, text field)
{
    return dict_find(hash_of(n), dict_hash(field), field);
}

/* True when the field is new. */
static bool set_field(dict *fields, text field, text value)
{
    uint32_t hash = dict_hash(field);
    dict_node *f = dict_find(fields, hash, field);
    bool added = f == NULL;
    if (added) f = dict_add(fields, hash, field);
    gort_set(&f->value, str_new(value));
    return added;
}

static dict_node *add_hash(const key *k)
{
    dict_node *n = db_add(k, KIND_HASH);
    db_set_value(n, KIND_HASH, gort_new(dict));
    return n;
}

static void reply_field(conn *c, const dict_node *f)
{
    if (f == NULL) {
        reply_null(c);
    } else if (f->value == NULL) {
        reply_bulk_int(c, f->number);
    } else {
        reply_bulk(c, str_text(f->value));
    }
}

/* Sets the fields; the number of new ones, or -1 after an error reply. */
static int64_t set_fields(conn *c, const key *k, const char *command)
{
    dict_node *n;
    if (arg_count(c) % 2 != 0) {
        reply_wrong_arity(c, command);
        return -1;
    }
    if (!find_kind(c, k, KIND_HASH, &n)) return -1;
    if (n == NULL) n = add_hash(k);
    int64_t added = 0;
    for (int i = 2; i < arg_count(c); i += 2) {
        added += set_field(hash_of(n), arg(c, i), arg(c, i + 1));
    }
    return added;
}

void cmd_hset(conn *c, const key *k)
{
    int64_t added = set_fields(c, k, "hset");
    if (added >= 0) reply_int(c, added);
}

void cmd_hmset(conn *c, const key *k)
{
    if (set_fields(c, k, "hmset") >= 0) reply_ok(c);
}

void cmd_hsetnx(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    if (n == NULL) n = add_hash(k);
    bool absent = find_field(n, arg(c, 2)) == NULL;
    if (absent) set_field(hash_of(n), arg(c, 2), arg(c, 3));
    reply_int(c, absent);
}

void cmd_hget(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    reply_field(c, n == NULL ? NULL : find_field(n, arg(c, 2)));
}

void cmd_hmget(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    reply_array(c, (size_t)arg_count(c) - 2);
    for (int i = 2; i < arg_count(c); i++) {
        reply_field(c, n == NULL ? NULL : find_field(n, arg(c, i)));
    }
}

void cmd_hexists(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    reply_int(c, n != NULL && find_field(n, arg(c, 2)) != NULL);
}

void cmd_hlen(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    reply_int(c, n == NULL ? 0 : (int64_t)hash_of(n)->count);
}

void cmd_hdel(conn *c, const key *k)
{
    dict_node *n;
    int64_t removed = 0;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    for (int i = 2; n != NULL && i < arg_count(c); i++) {
        text field = arg(c, i);
        removed += dict_remove(hash_of(n), dict_hash(field), field) != NULL;
    }
    if (n != NULL && hash_of(n)->count == 0) db_remove(k);
    reply_int(c, removed);
}

static void reply_all(conn *c, const key *k, bool fields, bool values)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    if (n == NULL) {
        reply_array(c, 0);
        return;
    }
    reply_array(c, hash_of(n)->count * (size_t)(fields + values));
    for (dict_walk w = dict_walk_start(hash_of(n)); dict_walk_next(&w);) {
        if (fields) reply_bulk(c, dict_key(w.node));
        if (values) reply_field(c, w.node);
    }
}

void cmd_hgetall(conn *c, const key *k)
{
    reply_all(c, k, true, true);
}

void cmd_hkeys(conn *c, const key *k)
{
    reply_all(c, k, true, false);
}

void cmd_hvals(conn *c, const key *k)
{
    reply_all(c, k, false, true);
}

void cmd_hincrby(conn *c, const key *k)
{
    dict_node *n;
    int64_t by, number = 0;
    text field = arg(c, 2);
    if (!arg_int(c, 3, &by)) return;
    if (!find_kind(c, k, KIND_HASH, &n)) return;
    dict_node *f = n == NULL ? NULL : find_field(n, field);
    if (f != NULL && f->value == NULL) {
        number = f->number;
    } else if (f != NULL && !text_to_i64(str_text(f->value), &number)) {
        reply_error(c, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(number, by, &number)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    if (n == NULL) n = add_hash(k);
    if (f == NULL) f = dict_add(hash_of(n), dict_hash(field), field);
    gort_set(&f->value, NULL);
    f->number = number;
    reply_int(c, number);
}
