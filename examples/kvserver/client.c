/* The client's side of the protocol; see client.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include "client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

client *client_connect(const char *network, const char *address)
{
    int fd = gort_dial(network, address, 0);
    if (fd < 0) return NULL;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    client *cl = gort_new(client);
    cl->fd = fd;
    gort_init(&cl->out, (char *)gort_alloc_noscan(CLIENT_BUFFER_SIZE));
    gort_init(&cl->in, (char *)gort_alloc_noscan(CLIENT_BUFFER_SIZE));
    return cl;
}

void client_close(client *cl)
{
    gort_close_fd(cl->fd);
}

static void put(client *cl, const char *bytes, size_t n)
{
    if (cl->out_len + n > CLIENT_BUFFER_SIZE) {
        cl->broken = true;
        return;
    }
    memcpy(cl->out + cl->out_len, bytes, n);
    cl->out_len += n;
}

static void put_header(client *cl, char type, size_t v)
{
    char header[TEXT_I64_MAX_SIZE + 3] = { type };
    size_t n = 1 + text_from_i64(header + 1, (int64_t)v);
    memcpy(header + n, "\r\n", 2);
    put(cl, header, n + 2);
}

void client_command(client *cl, const text *words, int n)
{
    put_header(cl, '*', (size_t)n);
    for (int i = 0; i < n; i++) {
        put_header(cl, '$', words[i].len);
        put(cl, words[i].bytes, words[i].len);
        put(cl, "\r\n", 2);
    }
}

bool client_send(client *cl)
{
    if (!cl->broken && gort_write(cl->fd, cl->out, cl->out_len) < 0) cl->broken = true;
    cl->out_len = 0;
    return !cl->broken;
}

/* At least one byte more; what was received and used makes room first. */
static bool receive_more(client *cl)
{
    if (cl->in_at == cl->in_end) {
        cl->in_at = cl->in_end = 0;
    } else if (cl->in_end == CLIENT_BUFFER_SIZE) {
        memmove(cl->in, cl->in + cl->in_at, cl->in_end - cl->in_at);
        cl->in_end -= cl->in_at;
        cl->in_at = 0;
    }
    ssize_t n = 0;
    if (cl->in_end < CLIENT_BUFFER_SIZE) {
        n = gort_read(cl->fd, cl->in + cl->in_end, CLIENT_BUFFER_SIZE - cl->in_end);
    }
    if (n <= 0) {
        cl->broken = true;
        return false;
    }
    cl->in_end += (size_t)n;
    return true;
}

/* Receives until n bytes from in_at on are there. */
static bool receive_at_least(client *cl, size_t n)
{
    while (cl->in_end - cl->in_at < n) {
        if (n > CLIENT_BUFFER_SIZE) cl->broken = true;
        if (cl->broken || !receive_more(cl)) return false;
    }
    return true;
}

/* Receives up to the end of a line; *len is its length without the line end. */
static bool receive_line(client *cl, size_t *len)
{
    size_t searched = 0;
    for (;;) {
        size_t there = cl->in_end - cl->in_at;
        if (there > searched) {
            const char *line = cl->in + cl->in_at;
            const char *end = memchr(line + searched, '\n', there - searched);
            if (end != NULL && end > line && end[-1] == '\r') {
                *len = (size_t)(end - line) - 1;
                return true;
            }
            if (end != NULL) {
                cl->broken = true;
                return false;
            }
            searched = there;
        }
        if (!receive_more(cl)) return false;
    }
}

bool client_receive(client *cl, reply *out)
{
    size_t len;
    if (cl->broken || !receive_line(cl, &len)) return false;
    text line = { cl->in + cl->in_at + 1, len == 0 ? 0 : len - 1 };
    char type = cl->in[cl->in_at];
    *out = (reply){ .bytes = line };
    switch (type) {
    case '+':
    case '-':
        out->type = type == '+' ? REPLY_STATUS : REPLY_ERROR;
        cl->in_at += len + 2;
        return true;
    case ':':
    case '$':
        if (text_to_i64(line, &out->number)) break;
        /* fall through */
    default:
        cl->broken = true;
        return false;
    }
    if (type == ':' || out->number < 0) {
        out->type = type == ':' ? REPLY_INT : REPLY_NULL;
        cl->in_at += len + 2;
        return true;
    }
    size_t size = (size_t)out->number;
    if (!receive_at_least(cl, len + 2 + size + 2)) return false;
    out->type = REPLY_BULK;
    out->bytes = (text){ cl->in + cl->in_at + len + 2, size };
    cl->in_at += len + 2 + size + 2;
    return true;
}
