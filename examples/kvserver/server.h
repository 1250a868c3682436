/* The server: listening sockets, the list of clients, and what is counted for INFO.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef KV_SERVER_H
#define KV_SERVER_H

#include "conn.h"

#define SERVER_VERSION "0.1.0"
#define SERVER_SPEAKS_LIKE "7.0.15" /* the version of Redis that replies are modelled on */
#define SERVER_ADDRESS_SIZE 128

/* Once, before anything else here: the descriptor limit, the background goroutine. */
void server_init(void);

/* Listens and accepts in a goroutine.  network, address: as gort_listen.  False with errno set. */
bool server_listen(const char *network, const char *address);

/* Where the last server_listen listens: "127.0.0.1:6379". */
const char *server_address(void);

/* A line is written to this descriptor to end the program; safe in signal handlers. */
int server_stop_fd(void);
/* Parks until somebody asked for the end. */
void server_wait_for_stop(void);

/* Enters c among the clients; false when there are too many. */
bool server_add_client(conn *c);
void server_remove_client(conn *c);
/* Calls visit for each client, with the list locked. */
void server_each_client(void (*visit)(conn *c, void *arg), void *arg);
void server_set_client_name(conn *c, text name);

/* Adds to the count of executed commands. */
void server_count_commands(uint64_t n);

typedef struct server_counts {
    uint64_t clients, max_clients, connections, rejected, commands;
    int64_t started; /* gort_now() of server_init */
} server_counts;
void server_read_counts(server_counts *out);
void server_set_max_clients(uint64_t n);

#endif
