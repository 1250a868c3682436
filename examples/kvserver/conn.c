/* Connections; see conn.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include "conn.h"

#include "command.h"
#include "reply.h"
#include "server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define LOOK_AHEAD 16 /* commands; more fetches than that the processor does not have under way */
#define KEPT_OUT_SIZE ((size_t)16 << 10) /* a larger buffer is left to the collector */

static void write_all(conn *c, const char *bytes, size_t n)
{
    if (!c->broken && gort_write(c->fd, bytes, n) < 0) c->broken = true;
}

/* Writes what commands replied.  Parks while the client does not read. */
static void write_replies(conn *c)
{
    if (c->out_len > 0) {
        write_all(c, c->out, c->out_len);
        c->out_len = 0;
    }
    if (c->late != NULL) {
        write_all(c, c->late->bytes, c->late_len);
        gort_set(&c->late, NULL);
        reply_raw(c, TEXT("\r\n"));
    }
    if (c->out_cap > KEPT_OUT_SIZE && c->out_len == 0) {
        gort_set(&c->out, NULL);
        c->out_cap = 0;
    }
}

/* A key's bucket and its node are seldom in the cache when there are many keys, and each takes
 * longer to come than all else about a GET.  When a client has sent several commands at once, those
 * of the next ones come at the same time.  That a word is no key, or of another database, is
 * harmless.  Returns how many commands it looked at. */
static int look_ahead(const conn *c)
{
    key keys[LOOK_AHEAD];
    int n = 0;
    text word;
    for (size_t at = c->in.start; n < LOOK_AHEAD && request_peek(&c->in, &at, &word); n++) {
        keys[n] = db_key(c->db, word);
    }
    if (n == 1) return n;
    for (int i = 0; i < n; i++) {
        db_fetch(&keys[i], dict_fetch_bucket);
    }
    for (int i = 0; i < n; i++) {
        db_fetch(&keys[i], dict_fetch_node);
    }
    return n;
}

/* Executes the commands that have arrived in full. */
static void execute_input(conn *c)
{
    char error[REQUEST_ERROR_SIZE];
    for (int looked_at = 0; !c->closing && !c->broken; looked_at--) {
        if (looked_at <= 0) looked_at = look_ahead(c);
        enum request_state state = request_parse(&c->in, error);
        if (state == REQUEST_MORE) return;
        if (state == REQUEST_BAD) {
            reply_error(c, "ERR Protocol error: %s", error);
            c->closing = true;
            return;
        }
        command_run(c);
        c->commands_run++;
        request_done(&c->in);
        if (c->late != NULL || c->out_len >= CONN_FLUSH_AT) write_replies(c);
    }
}

/* Closing a socket while bytes lie unread makes the kernel reset the connection, and the client
 * may lose our last words.  So a little is read and thrown away, without waiting for more. */
static void discard_input(int fd)
{
    char waste[4096];
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 256; i++) {
        if (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) <= 0) return;
    }
}

static void conn_end(conn *c)
{
    server_count_commands(c->commands_run);
    server_remove_client(c);
    if (c->closing) discard_input(c->fd);
    gort_close_fd(c->fd);
}

static void conn_serve(void *arg)
{
    conn *c = arg;
    while (!c->closing && !c->broken) {
        ssize_t n = request_read(&c->in, c->fd);
        if (n <= 0) {
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EMSGSIZE) {
                reply_error(c, "ERR Protocol error: request is too large");
                write_replies(c);
            }
            break;
        }
        execute_input(c);
        write_replies(c);
        server_count_commands(c->commands_run);
        c->commands_run = 0;
    }
    conn_end(c);
}

void conn_start(int fd)
{
    conn *c = gort_new(conn);
    c->fd = fd;
    c->db = db_number(0);
    request_init(&c->in);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* no use on unix sockets */
    if (!server_add_client(c)) {
        static const char sorry[] = "-ERR max number of clients reached\r\n";
        (void)!send(fd, sorry, sizeof(sorry) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        gort_close_fd(fd);
        return;
    }
    gort_go(conn_serve, c);
}
