/* Commands on strings and counters.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"
#include "expiry.h"
#include "reply.h"

/* ---- Shared pieces ---- */

static bool is_string(const dict_node *n)
{
    return n->kind == KIND_STRING || n->kind == KIND_INT;
}

/* Finds a string; false after an error reply when the key holds something else. */
static bool find_string(conn *c, const key *k, dict_node **out)
{
    *out = db_find(k);
    if (*out == NULL || is_string(*out)) return true;
    reply_wrong_type(c);
    return false;
}

/* The value, or null; must be the end of the reply (see reply_str). */
static void reply_value(conn *c, const dict_node *n)
{
    if (n == NULL) {
        reply_null(c);
    } else if (n->kind == KIND_INT) {
        reply_bulk_int(c, n->number);
    } else {
        reply_str(c, n->value);
    }
}

/* n is the key's node, or NULL; a deadline stays. */
static dict_node *store(const key *k, dict_node *n, text value)
{
    if (n == NULL) n = db_add(k, KIND_STRING);
    db_set_value(n, KIND_STRING, str_new(value));
    return n;
}

static void store_without_deadline(const key *k, dict_node *n, text value)
{
    n = store(k, n, value);
    if (n->timed) db_clear_deadline(k, n);
}

static void store_until(const key *k, dict_node *n, text value, int64_t deadline)
{
    n = store(k, n, value);
    db_set_deadline(k, n, deadline);
}

/* ---- Reading ---- */

void cmd_get(conn *c, const key *k)
{
    dict_node *n;
    if (find_string(c, k, &n)) reply_value(c, n);
}

void cmd_getdel(conn *c, const key *k)
{
    dict_node *n;
    if (!find_string(c, k, &n)) return;
    reply_value(c, n);
    if (n != NULL) db_remove(k);
}

void cmd_mget(conn *c, const key *k)
{
    (void)k;
    reply_array(c, (size_t)arg_count(c) - 1);
    for (int i = 1; i < arg_count(c); i++) {
        key each = arg_key(c, i);
        dict_node *n = db_find(&each);
        if (n != NULL && n->kind == KIND_STRING) {
            reply_bulk(c, str_text(n->value));
        } else if (n != NULL && n->kind == KIND_INT) {
            reply_bulk_int(c, n->number);
        } else {
            reply_null(c);
        }
    }
}

void cmd_strlen(conn *c, const key *k)
{
    dict_node *n;
    char digits[TEXT_I64_MAX_SIZE];
    if (!find_string(c, k, &n)) return;
    if (n == NULL) {
        reply_int(c, 0);
    } else if (n->kind == KIND_INT) {
        reply_int(c, (int64_t)text_from_i64(digits, n->number));
    } else {
        reply_int(c, ((str *)n->value)->len);
    }
}

/* ---- SET and its relatives ---- */

struct set_options {
    bool if_absent, if_present, get, keep_deadline;
    int64_t deadline; /* 0: none */
};

static bool read_set_options(conn *c, struct set_options *o)
{
    for (int i = 3; i < arg_count(c); i++) {
        text word = arg(c, i);
        bool has_next = i + 1 < arg_count(c);
        if (text_is(word, "nx") && !o->if_present) {
            o->if_absent = true;
        } else if (text_is(word, "xx") && !o->if_absent) {
            o->if_present = true;
        } else if (text_is(word, "get")) {
            o->get = true;
        } else if (text_is(word, "keepttl") && o->deadline == 0) {
            o->keep_deadline = true;
        } else if ((text_is(word, "ex") || text_is(word, "px")) && has_next && o->deadline == 0 &&
                   !o->keep_deadline) {
            int64_t unit = text_is(word, "ex") ? 1000 : 1;
            if (!expiry_read(c, ++i, unit, "set", &o->deadline)) return false;
        } else {
            reply_syntax_error(c);
            return false;
        }
    }
    return true;
}

static void set_with_options(conn *c, const key *k)
{
    struct set_options o = { 0 };
    if (!read_set_options(c, &o)) return;
    dict_node *n = db_peek(k);
    if (o.get) {
        if (n != NULL && !is_string(n)) {
            reply_wrong_type(c);
            return;
        }
        reply_value(c, n);
    }
    if (o.if_absent ? n != NULL : o.if_present && n == NULL) {
        if (!o.get) reply_null(c);
        return;
    }
    if (o.deadline != 0) {
        store_until(k, n, arg(c, 2), o.deadline);
    } else if (o.keep_deadline) {
        store(k, n, arg(c, 2));
    } else {
        store_without_deadline(k, n, arg(c, 2));
    }
    if (!o.get) reply_ok(c);
}

void cmd_set(conn *c, const key *k)
{
    if (arg_count(c) > 3) {
        set_with_options(c, k);
        return;
    }
    store_without_deadline(k, db_peek(k), arg(c, 2));
    reply_ok(c);
}

static void set_for(conn *c, const key *k, int64_t unit, const char *command)
{
    int64_t deadline;
    if (!expiry_read(c, 2, unit, command, &deadline)) return;
    store_until(k, db_peek(k), arg(c, 3), deadline);
    reply_ok(c);
}

void cmd_setex(conn *c, const key *k)
{
    set_for(c, k, 1000, "setex");
}

void cmd_psetex(conn *c, const key *k)
{
    set_for(c, k, 1, "psetex");
}

void cmd_setnx(conn *c, const key *k)
{
    bool absent = db_peek(k) == NULL;
    if (absent) store(k, NULL, arg(c, 2));
    reply_int(c, absent);
}

void cmd_getset(conn *c, const key *k)
{
    dict_node *n;
    if (!find_string(c, k, &n)) return;
    reply_value(c, n);
    store_without_deadline(k, n, arg(c, 2));
}

void cmd_mset(conn *c, const key *k)
{
    (void)k;
    if (arg_count(c) % 2 == 0) {
        reply_wrong_arity(c, "mset");
        return;
    }
    for (int i = 1; i < arg_count(c); i += 2) {
        key each = arg_key(c, i);
        store_without_deadline(&each, db_peek(&each), arg(c, i + 1));
    }
    reply_ok(c);
}

/* Into the room behind the string when there is some (see str.h), else into a string twice as
 * long. */
static str *append(str *s, text tail)
{
    size_t len = s->len + tail.len;
    if (len > s->cap) {
        size_t cap = len * 2 < STR_MAX_LEN ? len * 2 : STR_MAX_LEN;
        s = str_with_room(str_text(s), cap);
    }
    memcpy(s->bytes + s->len, tail.bytes, tail.len);
    s->len = (uint32_t)len;
    return s;
}

void cmd_append(conn *c, const key *k)
{
    dict_node *n;
    if (!find_string(c, k, &n)) return;
    text tail = arg(c, 2);
    str *s;
    if (n == NULL) {
        n = db_add(k, KIND_STRING);
        s = str_new(tail);
    } else {
        char digits[TEXT_I64_MAX_SIZE];
        s = n->kind == KIND_STRING ? n->value
                                   : str_new((text){ digits, text_from_i64(digits, n->number) });
        if (s->len + tail.len > STR_MAX_LEN) {
            reply_error(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
            return;
        }
        s = append(s, tail);
    }
    db_set_value(n, KIND_STRING, s);
    reply_int(c, s->len);
}

/* ---- Counters ---- */

static void increment(conn *c, const key *k, int64_t by)
{
    dict_node *n;
    int64_t number = 0;
    if (!find_string(c, k, &n)) return;
    if (n != NULL && n->kind == KIND_INT) {
        number = n->number;
    } else if (n != NULL && !text_to_i64(str_text(n->value), &number)) {
        reply_not_an_integer(c);
        return;
    }
    if (__builtin_add_overflow(number, by, &number)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    if (n == NULL) n = db_add(k, KIND_INT);
    db_set_number(n, number);
    reply_int(c, number);
}

void cmd_incr(conn *c, const key *k)
{
    increment(c, k, 1);
}

void cmd_decr(conn *c, const key *k)
{
    increment(c, k, -1);
}

void cmd_incrby(conn *c, const key *k)
{
    int64_t by;
    if (arg_int(c, 2, &by)) increment(c, k, by);
}

void cmd_decrby(conn *c, const key *k)
{
    int64_t by;
    if (!arg_int(c, 2, &by)) return;
    if (by == INT64_MIN) {
        reply_error(c, "ERR decrement would overflow");
        return;
    }
    increment(c, k, -by);
}
