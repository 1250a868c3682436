/* Replies: appended to the connection's buffer, never written here, so that commands may reply
 * while they hold a lock.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_REPLY_H
#define KV_REPLY_H

#include "conn.h"

/* A string longer than this is not copied into the buffer by reply_str but written from where it
 * lies. */
#define REPLY_LATE_SIZE ((size_t)16 << 10)

/* Room for n more bytes at the end of the buffer; reply_commit says how many were filled. */
char *reply_room_slow(conn *c, size_t n);
static inline char *reply_room(conn *c, size_t n)
{
    if (c->out_cap - c->out_len >= n) return c->out + c->out_len;
    return reply_room_slow(c, n);
}
static inline void reply_commit(conn *c, size_t n)
{
    c->out_len += n;
}

static inline void reply_raw(conn *c, text t)
{
    memcpy(reply_room(c, t.len), t.bytes, t.len);
    reply_commit(c, t.len);
}

static inline void reply_ok(conn *c)
{
    reply_raw(c, TEXT("+OK\r\n"));
}
static inline void reply_null(conn *c)
{
    reply_raw(c, TEXT("$-1\r\n"));
}
static inline void reply_null_array(conn *c)
{
    reply_raw(c, TEXT("*-1\r\n"));
}

void reply_int(conn *c, int64_t v);
void reply_array(conn *c, size_t n); /* n replies follow */
void reply_bulk(conn *c, text t);
void reply_bulk_int(conn *c, int64_t v);

/* A bulk string; a long one is sent after the locks were released. At most once per command, and
 * nothing may follow it. */
void reply_str(conn *c, str *s);

/* printf; bulk of at most 4 KB, and one line for status and error. */
void reply_bulkf(conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_status(conn *c, const char *line);
void reply_error(conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is known only afterwards: leave a gap, append what follows, then fill the gap.  Of several
 * gaps the last is filled first. */
size_t reply_later(conn *c);
void reply_array_now(conn *c, size_t gap, size_t n);
void reply_bulk_int_now(conn *c, size_t gap, int64_t v);

/* Errors that several commands share. */
void reply_wrong_type(conn *c);
void reply_not_an_integer(conn *c);
void reply_syntax_error(conn *c);
void reply_wrong_arity(conn *c, const char *command);
void reply_unknown_subcommand(conn *c, const char *command, text subcommand);

#endif
