/* Replies; see reply.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>

#define FIRST_SIZE ((size_t)1 << 10)

char *reply_room_slow(conn *c, size_t n)
{
    size_t cap = c->out_cap == 0 ? FIRST_SIZE : c->out_cap * 2;
    while (cap - c->out_len < n) {
        cap *= 2;
    }
    char *out = gort_alloc_noscan(cap);
    if (c->out_len > 0) memcpy(out, c->out, c->out_len);
    gort_set(&c->out, out);
    c->out_cap = cap;
    return out + c->out_len;
}

/* ":123\r\n", "*123\r\n", "$123\r\n" */
static size_t put_header(char *p, char type, int64_t v)
{
    p[0] = type;
    size_t n = 1;
    if (v >= 0 && v <= 9) {
        p[n++] = (char)('0' + v);
    } else {
        n += text_from_i64(p + 1, v);
    }
    p[n++] = '\r';
    p[n++] = '\n';
    return n;
}
#define HEADER_SIZE (TEXT_I64_MAX_SIZE + 3)

static void reply_header(conn *c, char type, int64_t v)
{
    reply_commit(c, put_header(reply_room(c, HEADER_SIZE), type, v));
}

void reply_int(conn *c, int64_t v)
{
    reply_header(c, ':', v);
}

void reply_array(conn *c, size_t n)
{
    reply_header(c, '*', (int64_t)n);
}

void reply_bulk(conn *c, text t)
{
    char *p = reply_room(c, HEADER_SIZE + t.len + 2);
    size_t n = put_header(p, '$', (int64_t)t.len);
    memcpy(p + n, t.bytes, t.len);
    n += t.len;
    p[n++] = '\r';
    p[n++] = '\n';
    reply_commit(c, n);
}

void reply_bulk_int(conn *c, int64_t v)
{
    char digits[TEXT_I64_MAX_SIZE];
    reply_bulk(c, (text){ digits, text_from_i64(digits, v) });
}

void reply_str(conn *c, str *s)
{
    if (s->len <= REPLY_LATE_SIZE) {
        reply_bulk(c, str_text(s));
        return;
    }
    reply_header(c, '$', s->len);
    gort_set(&c->late, s);
    c->late_len = s->len;
}

void reply_bulkf(conn *c, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    reply_bulk(c, (text){ line, len < sizeof(line) ? len : sizeof(line) - 1 });
}

void reply_status(conn *c, const char *line)
{
    char *p = reply_room(c, strlen(line) + 3);
    reply_commit(c, (size_t)sprintf(p, "+%s\r\n", line));
}

/* A reply is one line: what a client may have put between becomes blanks. */
void reply_error(conn *c, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n < 0) line[0] = '\0';
    for (char *p = line; *p != '\0'; p++) {
        if (*p == '\r' || *p == '\n') *p = ' ';
    }
    char *p = reply_room(c, strlen(line) + 4);
    reply_commit(c, (size_t)sprintf(p, "-%s\r\n", line));
}

#define GAP_SIZE ((size_t)2 * HEADER_SIZE)

size_t reply_later(conn *c)
{
    reply_room(c, GAP_SIZE);
    size_t gap = c->out_len;
    reply_commit(c, GAP_SIZE);
    return gap;
}

/* What follows moves up to the n bytes that the gap turned out to need. */
static void fill_gap(conn *c, size_t gap, const char *bytes, size_t n)
{
    size_t behind = gap + GAP_SIZE;
    memcpy(c->out + gap, bytes, n);
    memmove(c->out + gap + n, c->out + behind, c->out_len - behind);
    c->out_len -= GAP_SIZE - n;
}

void reply_array_now(conn *c, size_t gap, size_t n)
{
    char header[HEADER_SIZE];
    fill_gap(c, gap, header, put_header(header, '*', (int64_t)n));
}

void reply_bulk_int_now(conn *c, size_t gap, int64_t v)
{
    char digits[TEXT_I64_MAX_SIZE], bulk[GAP_SIZE];
    size_t len = text_from_i64(digits, v);
    size_t n = put_header(bulk, '$', (int64_t)len);
    memcpy(bulk + n, digits, len);
    memcpy(bulk + n + len, "\r\n", 2);
    fill_gap(c, gap, bulk, n + len + 2);
}

void reply_wrong_type(conn *c)
{
    reply_raw(c, TEXT("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"));
}

void reply_not_an_integer(conn *c)
{
    reply_error(c, "ERR value is not an integer or out of range");
}

void reply_syntax_error(conn *c)
{
    reply_error(c, "ERR syntax error");
}

void reply_wrong_arity(conn *c, const char *command)
{
    reply_error(c, "ERR wrong number of arguments for '%s' command", command);
}

void reply_unknown_subcommand(conn *c, const char *command, text subcommand)
{
    char upper[16];
    size_t n = strlen(command);
    for (size_t i = 0; i <= n; i++) {
        upper[i] = command[i] >= 'a' && command[i] <= 'z' ? (char)(command[i] - 32) : command[i];
    }
    reply_error(c, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                (int)(subcommand.len < 128 ? subcommand.len : 128), subcommand.bytes, upper);
}
