/* Commands on lists.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "command.h"
#include "reply.h"

static list *list_of(const dict_node *n)
{
    return n->value;
}

static void push(conn *c, const key *k, enum list_end end)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_LIST, &n)) return;
    if (n == NULL) {
        n = db_add(k, KIND_LIST);
        db_set_value(n, KIND_LIST, gort_new(list));
    }
    list *l = list_of(n);
    for (int i = 2; i < arg_count(c); i++) {
        list_push(l, end, str_new(arg(c, i)));
    }
    reply_int(c, (int64_t)l->length);
}

void cmd_lpush(conn *c, const key *k)
{
    push(c, k, LIST_LEFT);
}

void cmd_rpush(conn *c, const key *k)
{
    push(c, k, LIST_RIGHT);
}

static void pop_many(conn *c, const key *k, list *l, enum list_end end, int64_t count)
{
    size_t n = (uint64_t)count < l->length ? (size_t)count : l->length;
    reply_array(c, n);
    for (size_t i = 0; i < n; i++) {
        reply_bulk(c, str_text(list_pop(l, end)));
    }
    if (l->length == 0) db_remove(k);
}

static void pop(conn *c, const key *k, enum list_end end)
{
    dict_node *n;
    int64_t count = 0;
    bool many = arg_count(c) == 3;
    if (arg_count(c) > 3) {
        reply_wrong_arity(c, end == LIST_LEFT ? "lpop" : "rpop");
        return;
    }
    if (many && (!text_to_i64(arg(c, 2), &count) || count < 0)) {
        reply_error(c, "ERR value is out of range, must be positive");
        return;
    }
    if (!find_kind(c, k, KIND_LIST, &n)) return;
    if (n == NULL && many) {
        reply_null_array(c);
    } else if (n == NULL) {
        reply_null(c);
    } else if (many) {
        pop_many(c, k, list_of(n), end, count);
    } else {
        list *l = list_of(n);
        str *s = list_pop(l, end);
        if (l->length == 0) db_remove(k);
        reply_str(c, s);
    }
}

void cmd_lpop(conn *c, const key *k)
{
    pop(c, k, LIST_LEFT);
}

void cmd_rpop(conn *c, const key *k)
{
    pop(c, k, LIST_RIGHT);
}

void cmd_llen(conn *c, const key *k)
{
    dict_node *n;
    if (!find_kind(c, k, KIND_LIST, &n)) return;
    reply_int(c, n == NULL ? 0 : (int64_t)list_of(n)->length);
}

/* Negative positions count from the end: -1 is the last element. */
static int64_t from_end(int64_t position, size_t length)
{
    return position < 0 ? position + (int64_t)length : position;
}

void cmd_lindex(conn *c, const key *k)
{
    dict_node *n;
    int64_t index;
    if (!arg_int(c, 2, &index)) return;
    if (!find_kind(c, k, KIND_LIST, &n)) return;
    if (n != NULL) {
        list *l = list_of(n);
        index = from_end(index, l->length);
        if (index >= 0 && (uint64_t)index < l->length) {
            list_place p = list_at(l, (size_t)index);
            reply_str(c, list_read(&p));
            return;
        }
    }
    reply_null(c);
}

void cmd_lrange(conn *c, const key *k)
{
    dict_node *n;
    int64_t first, last;
    if (!arg_int(c, 2, &first) || !arg_int(c, 3, &last)) return;
    if (!find_kind(c, k, KIND_LIST, &n)) return;
    int64_t length = n == NULL ? 0 : (int64_t)list_of(n)->length;
    first = from_end(first, (size_t)length);
    last = from_end(last, (size_t)length);
    if (first < 0) first = 0;
    if (last >= length) last = length - 1;
    if (first > last) {
        reply_array(c, 0);
        return;
    }
    reply_array(c, (size_t)(last - first + 1));
    list_place p = list_at(list_of(n), (size_t)first);
    for (int64_t i = first; i <= last; i++) {
        reply_bulk(c, str_text(list_read(&p)));
    }
}
