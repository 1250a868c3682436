/* Commands on sets: a dict whose nodes hold nothing but their key.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"
#include "reply.h"

/* A client that asks for more random members, repeats allowed, would be asking for memory. */
#define MAX_REPEATS 10000000

static dict *set_of(const dict_node *n)
{
    return n->value;
}

void cmd_sadd(conn *c, const key *k)
{
    dict_node *n;
    int64_t added = 0;
    if (!find_kind(c, k, KIND_SET, &n)) return;
    if (n == NULL) {
        n = db_add(k, KIND_SET);
        db_set_value(n, KIND_SET, gort_new(dict));
    }
    for (int i = 2; i < arg_count(c); i++) {
        text member = arg(c, i);
        uint32_t hash = dict_hash(member);
        if (dict_find(set_of(n), hash, member) != NULL) continue;
        dict_add(set_of(n), hash, member);
        added++;
    }
    reply_int(c, added);
}

void cmd_srem(conn *c, const key *k)
{
    dict_node *n;
    int64_t removed = 0;
    if (!find_kind(c, k, KIND_SET, &n)) return;
    for (int i = 2; n != NULL && i < arg_count(c); i++) {
        text member = arg(c, i);
        removed += dict_remove(set_of(n), dict_hash(member), member) != NULL;
    }
    if (n != NULL && set_of(n)->count == 0) db_remove(k);
    reply_int(c, removed);
}

void cmd_sismember(conn *c, const key *k)
{
    dict_node *n;
    text member = arg(c, 2);
    if (!find_kind(c, k, KIND_SET, &n)) return;
    reply_int(c, n != NULL && dict_find(set_of(n), dict_hash(member), member) != NULL);
}

void cmd_scard(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_SET, &n)) return;
    reply_int(c, n == NULL ? 0 : (int64_t)set_of(n)->count);
}

static void reply_members(conn *c, const dict *members)
{
    reply_array(c, members->count);
    for (dict_walk w = dict_walk_start(members); dict_walk_next(&w);) {
        reply_bulk(c, dict_key(w.node));
    }
}

void cmd_smembers(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_SET, &n)) return;
    if (n == NULL) {
        reply_array(c, 0);
    } else {
        reply_members(c, set_of(n));
    }
}

static void pop_one(conn *c, dict *members)
{
    dict_node *m = dict_random(members, db_random());
    dict_remove(members, m->hash, dict_key(m));
    reply_bulk(c, dict_key(m));
}

void cmd_spop(conn *c, const key *k)
{
    dict_node *n;
    int64_t count = 1;
    bool many = arg_count(c) == 3;
    if (arg_count(c) > 3) {
        reply_syntax_error(c);
        return;
    }
    if (many && (!text_to_i64(arg(c, 2), &count) || count < 0)) {
        reply_error(c, "ERR value is out of range, must be positive");
        return;
    }
    if (!find_kind(c, k, KIND_SET, &n)) return;
    if (n == NULL) {
        if (many) {
            reply_array(c, 0);
        } else {
            reply_null(c);
        }
        return;
    }
    dict *members = set_of(n);
    if ((uint64_t)count >= members->count) count = (int64_t)members->count;
    if (many) reply_array(c, (size_t)count);
    while (count-- > 0) {
        pop_one(c, members);
    }
    if (members->count == 0) db_remove(k);
}

/* Each member in turn with the probability that makes every choice of `count` equally likely. */
static void reply_sample(conn *c, const dict *members, size_t count)
{
    size_t left = members->count;
    for (dict_walk w = dict_walk_start(members); count > 0 && dict_walk_next(&w);) {
        if (db_random() % left-- >= count) continue;
        reply_bulk(c, dict_key(w.node));
        count--;
    }
}

/* For few of many: draw until enough different ones were drawn. */
static void reply_draws(conn *c, const dict *members, size_t count)
{
    dict drawn = { 0 };
    while (drawn.count < count) {
        dict_node *m = dict_random(members, db_random());
        if (dict_find(&drawn, m->hash, dict_key(m)) != NULL) continue;
        dict_add(&drawn, m->hash, dict_key(m));
        reply_bulk(c, dict_key(m));
    }
}

static void reply_random_members(conn *c, const dict *members, int64_t wanted)
{
    if (wanted < 0) {
        reply_array(c, (size_t)-wanted);
        for (; wanted < 0; wanted++) {
            reply_bulk(c, dict_key(dict_random(members, db_random())));
        }
        return;
    }
    size_t count = (uint64_t)wanted < members->count ? (size_t)wanted : members->count;
    reply_array(c, count);
    if (count < members->count / 8) {
        reply_draws(c, members, count);
    } else {
        reply_sample(c, members, count);
    }
}

void cmd_srandmember(conn *c, const key *k)
{
    dict_node *n;
    int64_t wanted;
    if (arg_count(c) > 3) {
        reply_syntax_error(c);
        return;
    }
    if (arg_count(c) == 2) {
        if (!find_kind(c, k, KIND_SET, &n)) return;
        if (n == NULL) {
            reply_null(c);
        } else {
            reply_bulk(c, dict_key(dict_random(set_of(n), db_random())));
        }
        return;
    }
    if (!arg_int(c, 2, &wanted)) return;
    if (wanted < -MAX_REPEATS) {
        reply_error(c, "ERR value is out of range");
        return;
    }
    if (!find_kind(c, k, KIND_SET, &n)) return;
    if (n == NULL) {
        reply_array(c, 0);
    } else {
        reply_random_members(c, set_of(n), wanted);
    }
}
