/* The buffer of a connection's input, and the parser; see request.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "request.h"

#include <stdio.h>
#include <string.h>

/* The buffer in which an idle client is waited for, so it is what 10,000 of them cost.  One command
 * of a usual size fits.  A client that sends more at once, which a buffer filled to its end tells,
 * gets more, and keeps it while it uses it: each system call costs as much as a dozen commands. */
#define IDLE_SIZE ((size_t)512)
#define BUSY_SIZE ((size_t)4 << 10)
#define KEPT_SIZE ((size_t)64 << 10)
#define SHRINK_AFTER 64 /* reads in a row that IDLE_SIZE would have sufficed for */
#define FEW_ARGS 8
#define KEPT_ARGS 1024
#define MAX_LENGTH_DIGITS 20

/* ---- The buffer ---- */

static void resize_buffer(request *r, size_t cap)
{
    char *bytes = gort_alloc_noscan(cap);
    if (r->end > r->start) memcpy(bytes, r->bytes + r->start, r->end - r->start);
    r->at -= r->start;
    r->end -= r->start;
    r->start = 0;
    gort_set(&r->bytes, bytes);
    r->cap = cap;
}

static void move_to_front(request *r)
{
    if (r->start == 0) return;
    memmove(r->bytes, r->bytes + r->start, r->end - r->start);
    r->at -= r->start;
    r->end -= r->start;
    r->start = 0;
}

/* Between commands, with nothing left to parse: back to small buffers after a large command, or
 * when large ones have not been used for a while. */
static void shrink(request *r)
{
    if (r->cap > KEPT_SIZE || (r->cap > IDLE_SIZE && r->small_reads >= SHRINK_AFTER)) {
        resize_buffer(r, r->cap > KEPT_SIZE ? BUSY_SIZE : IDLE_SIZE);
        r->small_reads = 0;
    }
    if (r->arg_cap > KEPT_ARGS) {
        gort_set(&r->args, NULL);
        r->arg_cap = 0;
    }
}

/* Four times the buffer, but no more than the argument that is under way needs. */
static size_t next_size(const request *r)
{
    if (r->cap < BUSY_SIZE) return BUSY_SIZE;
    size_t size = r->cap * 4;
    if (r->bulk_left >= 0) {
        size_t needed = r->at - r->start + (size_t)r->bulk_left + 2;
        size_t rounded = (needed + BUSY_SIZE - 1) / BUSY_SIZE * BUSY_SIZE;
        if (rounded > r->cap && rounded < size) size = rounded;
    }
    return size < REQUEST_MAX_SIZE ? size : REQUEST_MAX_SIZE;
}

static bool make_room(request *r)
{
    if (r->cap == IDLE_SIZE && r->end == r->cap) {
        resize_buffer(r, BUSY_SIZE);
        return true;
    }
    if (r->start == r->end) {
        r->start = r->at = r->end = 0;
        shrink(r);
        if (r->bytes == NULL) resize_buffer(r, IDLE_SIZE);
        return true;
    }
    if (r->cap - r->end < r->cap / 4) move_to_front(r);
    if (r->end < r->cap) return true;
    if (r->cap >= REQUEST_MAX_SIZE) return false;
    resize_buffer(r, next_size(r));
    return true;
}

ssize_t request_read(request *r, int fd)
{
    if (!make_room(r)) {
        errno = EMSGSIZE;
        return -1;
    }
    size_t room = r->cap - r->end;
    ssize_t n = gort_read(fd, r->bytes + r->end, room);
    if (n <= 0) return n;
    r->end += (size_t)n;
    if (r->cap > IDLE_SIZE) {
        r->small_reads = (size_t)n < IDLE_SIZE ? r->small_reads + 1 : 0;
    }
    return n;
}

/* ---- The parser ---- */

static void add_arg(request *r, size_t from, size_t len)
{
    if (r->arg_count == r->arg_cap) {
        uint32_t cap = r->arg_cap == 0 ? FEW_ARGS : r->arg_cap * 2;
        request_arg *args = gort_new_array(request_arg, cap);
        if (r->arg_count > 0) memcpy(args, r->args, r->arg_count * sizeof(request_arg));
        gort_set(&r->args, args);
        r->arg_cap = cap;
    }
    r->args[r->arg_count++] = (request_arg){ (uint32_t)(from - r->start), (uint32_t)len };
}

enum line { LINE_OK, LINE_MORE, LINE_TOO_LONG, LINE_NOT_A_NUMBER };

/* The number of the line at r->at, behind its first character; moves r->at behind the line. */
static enum line read_length(request *r, int64_t *value)
{
    const char *p = r->bytes + r->at + 1, *end = r->bytes + r->end, *first = p;
    uint64_t u = 0;
    bool negative = p < end && *p == '-';
    p += negative;
    const char *digits = p;
    while (p < end && (unsigned char)(*p - '0') <= 9) {
        if (p - first == MAX_LENGTH_DIGITS) return LINE_TOO_LONG;
        u = u * 10 + (unsigned char)(*p++ - '0');
    }
    if (p == end || (*p == '\r' && p + 1 == end)) return LINE_MORE;
    if (*p != '\r' || p[1] != '\n' || p == digits || p - digits > 18) return LINE_NOT_A_NUMBER;
    *value = negative ? -(int64_t)u : (int64_t)u;
    r->at = (size_t)(p + 2 - r->bytes);
    return LINE_OK;
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9') return ch - '0';
    if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F') return ch - 'A' + 10;
    return -1;
}

/* What the escape at *p, a backslash in double quotes, stands for; moves *p behind it. */
static char unescape(const char **p, const char *end)
{
    const char *q = *p + 1;
    if (end - q >= 3 && *q == 'x' && hex_digit(q[1]) >= 0 && hex_digit(q[2]) >= 0) {
        *p = q + 3;
        return (char)(hex_digit(q[1]) << 4 | hex_digit(q[2]));
    }
    *p = q + 1;
    switch (*q) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return *q;
    }
}

static bool is_space(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r') || ch == '\0';
}

/* Copies the word at *p to out, without its quotes; out may be where the word lies, since it
 * never grows.  Returns the end of the copy, NULL when a quote is not closed or not at the end. */
static char *copy_word(const char **p, const char *end, char *out)
{
    char quote = '\0';
    const char *q = *p;
    while (q < end && (quote != '\0' || !is_space(*q))) {
        if (quote == '\0' && (*q == '"' || *q == '\'')) {
            quote = *q++;
        } else if (quote != '\0' && *q == quote) {
            if (++q < end && !is_space(*q)) return NULL;
            quote = '\0';
            break;
        } else if (quote == '"' && *q == '\\' && end - q >= 2) {
            *out++ = unescape(&q, end);
        } else if (quote == '\'' && *q == '\\' && end - q >= 2 && q[1] == '\'') {
            *out++ = '\'';
            q += 2;
        } else {
            *out++ = *q++;
        }
    }
    *p = q;
    return quote == '\0' ? out : NULL;
}

static enum request_state bad(char *error, const char *why)
{
    snprintf(error, REQUEST_ERROR_SIZE, "%s", why);
    return REQUEST_BAD;
}

static enum request_state parse_line(request *r, char *error)
{
    const char *line = r->bytes + r->start;
    const char *newline = memchr(r->bytes + r->at, '\n', r->end - r->at);
    size_t length = newline != NULL ? (size_t)(newline - line) : r->end - r->start;
    if (length > REQUEST_MAX_LINE) return bad(error, "too big inline request");
    if (newline == NULL) {
        r->at = r->end; /* these bytes need not be searched again */
        return REQUEST_MORE;
    }
    const char *end = length > 0 && newline[-1] == '\r' ? newline - 1 : newline;
    for (const char *p = line;;) {
        while (p < end && is_space(*p)) {
            p++;
        }
        if (p == end) break;
        size_t from = (size_t)(p - r->bytes);
        const char *word_end = copy_word(&p, end, r->bytes + from);
        if (word_end == NULL) return bad(error, "unbalanced quotes in request");
        add_arg(r, from, (size_t)(word_end - r->bytes) - from);
    }
    r->at = (size_t)(newline + 1 - r->bytes);
    return REQUEST_READY;
}

/* "*3\r\n": how many arguments follow. */
static enum request_state parse_count(request *r, char *error)
{
    int64_t count = 0;
    switch (read_length(r, &count)) {
    case LINE_MORE:
        return REQUEST_MORE;
    case LINE_TOO_LONG:
        return bad(error, "too big mbulk count string");
    case LINE_NOT_A_NUMBER:
        return bad(error, "invalid multibulk length");
    case LINE_OK:
        break;
    }
    if (count > REQUEST_MAX_ARGS) return bad(error, "invalid multibulk length");
    r->args_left = count < 0 ? 0 : count;
    return REQUEST_READY;
}

/* "$5\r\n": how long the next argument is. */
static enum request_state parse_bulk_length(request *r, char *error)
{
    if (r->at == r->end) return REQUEST_MORE;
    if (r->bytes[r->at] != '$') {
        snprintf(error, REQUEST_ERROR_SIZE, "expected '$', got '%c'", r->bytes[r->at]);
        return REQUEST_BAD;
    }
    int64_t length = -1;
    switch (read_length(r, &length)) {
    case LINE_MORE:
        return REQUEST_MORE;
    case LINE_TOO_LONG:
        return bad(error, "too big bulk count string");
    case LINE_NOT_A_NUMBER:
        return bad(error, "invalid bulk length");
    case LINE_OK:
        break;
    }
    if (length < 0 || length > REQUEST_MAX_BULK) return bad(error, "invalid bulk length");
    r->bulk_left = length;
    return REQUEST_READY;
}

static enum request_state parse_args(request *r, char *error)
{
    while (r->args_left > 0) {
        if (r->bulk_left < 0) {
            enum request_state state = parse_bulk_length(r, error);
            if (state != REQUEST_READY) return state;
        }
        size_t length = (size_t)r->bulk_left;
        if (r->end - r->at < length + 2) return REQUEST_MORE;
        add_arg(r, r->at, length);
        r->at += length + 2;
        r->bulk_left = -1;
        r->args_left--;
    }
    return REQUEST_READY;
}

/* "$5\r\n" with one to three digits and something behind: the number, and *p is moved behind the
 * line.  -1 for all else, which is left to read_length. */
static inline int read_short_length(const char **p, const char *end, char type)
{
    const char *q = *p;
    if (end - q < 6 || q[0] != type || (unsigned char)(q[1] - '0') > 9) return -1;
    int v = q[1] - '0';
    q += 2;
    for (int i = 0; i < 2 && (unsigned char)(*q - '0') <= 9; i++) {
        v = v * 10 + (*q++ - '0');
    }
    if (q[0] != '\r' || q[1] != '\n') return -1;
    *p = q + 2;
    return v;
}

/* The usual case in one go: a command at *p that is all there, with few and short arguments.  Moves
 * *p behind it; how many arguments, of which there is room for `most`.  0 for all else, with nothing
 * changed but what is in args; the careful functions above decide. */
static inline uint32_t read_usual(const char **p, const char *end, request_arg *args, uint32_t most)
{
    const char *start = *p, *q = start;
    int count = read_short_length(&q, end, '*');
    if (count <= 0 || (uint32_t)count > most) return 0;
    for (int i = 0; i < count; i++) {
        int length = read_short_length(&q, end, '$');
        if (length < 0 || end - q < length + 2) return 0;
        args[i] = (request_arg){ (uint32_t)(q - start), (uint32_t)length };
        q += length + 2;
    }
    *p = q;
    return (uint32_t)count;
}

static bool parse_usual(request *r)
{
    const char *p = r->bytes + r->start;
    if (r->at != r->start) return false;
    uint32_t count = read_usual(&p, r->bytes + r->end, r->args, r->arg_cap);
    if (count == 0) return false;
    r->arg_count = count;
    r->at = (size_t)(p - r->bytes);
    return true;
}

bool request_peek(const request *r, size_t *at, text *word)
{
    request_arg args[FEW_ARGS];
    const char *start = r->bytes + *at, *p = start;
    if (read_usual(&p, r->bytes + r->end, args, FEW_ARGS) < 2) return false;
    *word = (text){ start + args[1].offset, args[1].len };
    *at = (size_t)(p - r->bytes);
    return true;
}

enum request_state request_parse(request *r, char *error)
{
    if (parse_usual(r)) return REQUEST_READY;
    for (;;) {
        enum request_state state;
        if (r->args_left == 0) {
            if (r->start == r->end) return REQUEST_MORE;
            bool array = r->bytes[r->start] == '*';
            state = array ? parse_count(r, error) : parse_line(r, error);
            if (state != REQUEST_READY) return state;
        }
        state = parse_args(r, error);
        if (state != REQUEST_READY || r->arg_count > 0) return state;
        request_done(r); /* an empty array or line: on to the next command */
    }
}
