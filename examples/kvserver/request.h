/* Requests: the bytes read from a client and the command found in them.
 *
 * A command is either an array of bulk strings ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") or, for people
 * with telnet, one line of words ("GET k\r\n").  It is parsed where it lies: an argument is an
 * offset and a length, so that the buffer may move while the rest of a command is still to come.
 * The parser remembers how far it came; a command that arrives in a thousand reads is looked at
 * once.
 *
 *     bytes  0 ... start ........... at ......... end ... cap
 *            done  command so far    not parsed   free
 *
 * Nothing is allocated because of a length that a client announces, only for bytes that came: the
 * buffer and the argument table double when they are full.
 *
 * Invariants: (1) start <= at <= end <= cap; (2) offsets of arguments count from start; (3) between
 * commands args_left is 0 and bulk_left is -1.
 *
 * Locking: none; one goroutine, that of the connection, touches a request.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_REQUEST_H
#define KV_REQUEST_H

#include "text.h"

#include <gort.h>
#include <sys/types.h>

#define REQUEST_MAX_BULK ((int64_t)512 << 20)   /* bytes of one argument */
#define REQUEST_MAX_ARGS ((int64_t)1024 * 1024) /* arguments of one command */
#define REQUEST_MAX_SIZE ((size_t)1 << 30)      /* bytes of one command */
#define REQUEST_MAX_LINE ((size_t)64 << 10)     /* bytes of an inline command */

typedef struct request_arg {
    uint32_t offset, len;
} request_arg;
GORT_TYPE(request_arg);

typedef struct request {
    char *bytes;       /* collected, pointer-free; NULL until the first read */
    request_arg *args; /* collected, pointer-free */
    size_t start, at, end, cap;
    uint32_t arg_count, arg_cap;
    int64_t args_left; /* of an array: arguments still to come */
    int64_t bulk_left; /* length of the argument that comes next, -1: not known yet */
    uint32_t small_reads;
} request;

enum request_state {
    REQUEST_READY, /* a command is there: arg_count arguments, at least one */
    REQUEST_MORE,  /* bytes are missing */
    REQUEST_BAD    /* not the protocol; error says why */
};
#define REQUEST_ERROR_SIZE 48

/* A request without a buffer yet.  r is in a new object. */
static inline void request_init(request *r)
{
    r->bulk_left = -1;
}

/* Looks for the next command.  error: REQUEST_ERROR_SIZE bytes. */
enum request_state request_parse(request *r, char *error);

/* The second word of the command at *at, if all of it has arrived, with few and short words; *at
 * moves behind the command.  For a look ahead: offsets of r->bytes, and r->start to begin with. */
bool request_peek(const request *r, size_t *at, text *word);

/* The command was executed; its bytes are no longer needed. */
static inline void request_done(request *r)
{
    r->start = r->at;
    r->arg_count = 0;
}

/* Reads what the client sent, at least one byte, making room first.  Parks the goroutine.  As
 * read(2); fails with EMSGSIZE when a command would exceed REQUEST_MAX_SIZE. */
ssize_t request_read(request *r, int fd);

static inline text request_text(const request *r, uint32_t i)
{
    return (text){ r->bytes + r->start + r->args[i].offset, r->args[i].len };
}

#endif
