/* Commands on the connection itself: PING, SELECT, CLIENT and the like.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include "builder.h"
#include "command.h"
#include "reply.h"
#include "server.h"
#include "subcommand.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

void cmd_ping(conn *c, const key *k)
{
    (void)k;
    if (arg_count(c) == 1) {
        reply_raw(c, TEXT("+PONG\r\n"));
    } else if (arg_count(c) == 2) {
        reply_bulk(c, arg(c, 1));
    } else {
        reply_wrong_arity(c, "ping");
    }
}

void cmd_echo(conn *c, const key *k)
{
    (void)k;
    reply_bulk(c, arg(c, 1));
}

void cmd_quit(conn *c, const key *k)
{
    (void)k;
    c->closing = true;
    reply_ok(c);
}

void cmd_select(conn *c, const key *k)
{
    (void)k;
    int64_t index;
    if (!arg_int(c, 1, &index)) return;
    if (index < 0 || index >= DB_COUNT) {
        reply_error(c, "ERR DB index is out of range");
        return;
    }
    c->db = db_number((int)index);
    __atomic_store_n(&c->db_index, (int)index, __ATOMIC_RELAXED); /* read by CLIENT LIST */
    reply_ok(c);
}

void cmd_auth(conn *c, const key *k)
{
    (void)k;
    reply_error(c, "ERR AUTH <password> called without any password configured for the default "
                   "user. Are you sure your configuration is correct?");
}

void cmd_hello(conn *c, const key *k)
{
    (void)k;
    int64_t version = 2;
    if (arg_count(c) > 1 && !text_to_i64(arg(c, 1), &version)) {
        reply_error(c, "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (version != 2) {
        reply_error(c, "NOPROTO unsupported protocol version");
        return;
    }
    reply_array(c, 14);
    reply_bulk(c, TEXT("server"));
    reply_bulk(c, TEXT("redis"));
    reply_bulk(c, TEXT("version"));
    reply_bulk(c, TEXT(SERVER_SPEAKS_LIKE));
    reply_bulk(c, TEXT("proto"));
    reply_int(c, 2);
    reply_bulk(c, TEXT("id"));
    reply_int(c, (int64_t)c->id);
    reply_bulk(c, TEXT("mode"));
    reply_bulk(c, TEXT("standalone"));
    reply_bulk(c, TEXT("role"));
    reply_bulk(c, TEXT("master"));
    reply_bulk(c, TEXT("modules"));
    reply_array(c, 0);
}

/* ---- CLIENT ---- */

static void address_text(const struct sockaddr_storage *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%d", host, ntohs(in->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%d", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, size, "unix:0");
    }
}

/* With the list of clients locked, so the descriptor is still the client's. */
static void describe_client(conn *c, void *arg)
{
    struct sockaddr_storage address;
    char peer[80] = "?", local[80] = "?";
    socklen_t size = sizeof(address);
    if (getpeername(c->fd, (struct sockaddr *)&address, &size) == 0) {
        address_text(&address, peer, sizeof(peer));
    }
    size = sizeof(address);
    if (getsockname(c->fd, (struct sockaddr *)&address, &size) == 0) {
        address_text(&address, local, sizeof(local));
    }
    const command *last = __atomic_load_n(&c->last_command, __ATOMIC_RELAXED);
    text name = c->name == NULL ? TEXT("") : str_text(c->name);
    build(arg, "id=%llu addr=%s laddr=%s fd=%d name=%.*s age=%lld db=%d cmd=%s\n",
          (unsigned long long)c->id, peer, local, c->fd, (int)name.len, name.bytes,
          (long long)((gort_now() - c->since) / GORT_S),
          __atomic_load_n(&c->db_index, __ATOMIC_RELAXED), last == NULL ? "NULL" : last->name);
}

static void client_list(conn *c)
{
    builder b = { 0 };
    server_each_client(describe_client, &b);
    reply_bulk(c, builder_text(&b));
}

static void describe_if_same(conn *each, void *arg)
{
    void **pair = arg;
    if (each == pair[0]) describe_client(each, pair[1]);
}

static void client_info(conn *c)
{
    builder b = { 0 };
    void *pair[2] = { c, &b };
    server_each_client(describe_if_same, pair);
    reply_bulk(c, builder_text(&b));
}

static void client_id(conn *c)
{
    reply_int(c, (int64_t)c->id);
}

static void client_getname(conn *c)
{
    if (c->name == NULL) {
        reply_null(c);
    } else {
        reply_bulk(c, str_text(c->name));
    }
}

static void client_setname(conn *c)
{
    text name = arg(c, 2);
    for (size_t i = 0; i < name.len; i++) {
        if (name.bytes[i] < '!' || name.bytes[i] > '~') {
            reply_error(c,
                        "ERR Client names cannot contain spaces, newlines or special characters.");
            return;
        }
    }
    server_set_client_name(c, name);
    reply_ok(c);
}

static void client_accept(conn *c)
{
    reply_ok(c);
}

static const subcommand client_subcommands[] = {
    { "getname", 2, client_getname, "The name of this connection." },
    { "id", 2, client_id, "The number of this connection." },
    { "info", 2, client_info, "What is known of this connection." },
    { "list", -2, client_list, "What is known of all connections." },
    { "no-evict", 3, client_accept, "Accepted; nothing is ever evicted." },
    { "setinfo", 4, client_accept, "Accepted and not kept." },
    { "setname", 3, client_setname, "Names this connection." },
};

void cmd_client(conn *c, const key *k)
{
    (void)k;
    SUBCOMMAND_RUN(c, "client", client_subcommands);
}
