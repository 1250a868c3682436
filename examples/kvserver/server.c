/* The server; see server.h.
 *
 * When the descriptor table is full, accept(2) fails and the client stays in the queue, so the
 * listening socket stays readable: a loop that just tries again burns a core and serves nobody.
 * So one descriptor is held in reserve; it is closed for as long as it takes to accept that one
 * client, tell it why, and close it.
 *
 * Locking: clients_lock protects the list and the fields of conn that say so.  It is never held
 * together with a shard's lock.  It protects the counts too, but for that of commands.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_MAX_CLIENTS 100000
#define RETRY_PERIOD (20 * GORT_MS)

static gort_mutex clients_lock;
static conn *clients; /* doubly linked, the newest first */
static uint64_t last_client_id;

static uint64_t commands_executed; /* relaxed atomic */
static server_counts counts = { .max_clients = DEFAULT_MAX_CLIENTS };
static char listen_address[SERVER_ADDRESS_SIZE];
static int stop_pipe[2] = { -1, -1 };

static gort_mutex reserve_lock;
static int reserve_fd = -1; /* protected by reserve_lock */

/* ---- Clients ---- */

bool server_add_client(conn *c)
{
    gort_mutex_lock(&clients_lock);
    bool room = counts.clients < counts.max_clients;
    if (room) {
        counts.clients++;
        counts.connections++;
        c->id = ++last_client_id;
        c->since = gort_now();
        gort_init(&c->next, clients);
        if (clients != NULL) gort_set(&clients->prev, c);
        gort_set(&clients, c);
    } else {
        counts.rejected++;
    }
    gort_mutex_unlock(&clients_lock);
    return room;
}

void server_remove_client(conn *c)
{
    gort_mutex_lock(&clients_lock);
    counts.clients--;
    if (c->prev != NULL) {
        gort_set(&c->prev->next, c->next);
    } else {
        gort_set(&clients, c->next);
    }
    if (c->next != NULL) gort_set(&c->next->prev, c->prev);
    gort_mutex_unlock(&clients_lock);
}

void server_each_client(void (*visit)(conn *c, void *arg), void *arg)
{
    gort_mutex_lock(&clients_lock);
    for (conn *c = clients; c != NULL; c = c->next) {
        visit(c, arg);
    }
    gort_mutex_unlock(&clients_lock);
}

void server_set_client_name(conn *c, text name)
{
    str *s = name.len == 0 ? NULL : str_new(name);
    gort_mutex_lock(&clients_lock);
    gort_set(&c->name, s);
    gort_mutex_unlock(&clients_lock);
}

/* ---- Counters ---- */

void server_count_commands(uint64_t n)
{
    __atomic_fetch_add(&commands_executed, n, __ATOMIC_RELAXED);
}

void server_read_counts(server_counts *out)
{
    gort_mutex_lock(&clients_lock);
    *out = counts;
    out->commands = __atomic_load_n(&commands_executed, __ATOMIC_RELAXED);
    gort_mutex_unlock(&clients_lock);
}

void server_set_max_clients(uint64_t n)
{
    gort_mutex_lock(&clients_lock);
    counts.max_clients = n;
    gort_mutex_unlock(&clients_lock);
}

/* ---- Accepting ---- */

static void count_rejected(void)
{
    gort_mutex_lock(&clients_lock);
    counts.rejected++;
    gort_mutex_unlock(&clients_lock);
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Accepts one client only to tell it that there is no room.  False when not even that worked. */
static bool turn_away(int listener)
{
    static const char sorry[] = "-ERR max number of clients reached\r\n";
    bool accepted = false;
    gort_mutex_lock(&reserve_lock);
    if (reserve_fd >= 0) close(reserve_fd);
    struct pollfd waiting = { .fd = listener, .events = POLLIN };
    if (poll(&waiting, 1, 0) == 1) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)!send(fd, sorry, sizeof(sorry) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            close(fd);
            accepted = true;
        }
    }
    reserve_fd = open_reserve();
    gort_mutex_unlock(&reserve_lock);
    if (accepted) count_rejected();
    return accepted;
}

static void accept_clients(void *arg)
{
    int listener = *(int *)arg;
    for (;;) {
        int fd = gort_accept(listener);
        if (fd >= 0) {
            conn_start(fd);
            continue;
        }
        switch (errno) {
        case EMFILE:
        case ENFILE:
            if (!turn_away(listener)) gort_sleep(RETRY_PERIOD);
            break;
        case ECONNABORTED:
        case EINTR:
            break;
        case EBADF:
        case EINVAL:
        case ECANCELED:
            return; /* the listener is closed */
        default:
            gort_sleep(RETRY_PERIOD); /* memory is short; the client waits in the queue */
            break;
        }
    }
}

bool server_listen(const char *network, const char *address)
{
    int listener = gort_listen(network, address);
    if (listener < 0) return false;
    if (gort_local_addr(listener, listen_address, sizeof(listen_address)) < 0) {
        snprintf(listen_address, sizeof(listen_address), "%s", address);
    }
    gort_go_copy(accept_clients, &listener, sizeof(listener));
    return true;
}

const char *server_address(void)
{
    return listen_address;
}

/* ---- Start and end ---- */

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void server_init(void)
{
    counts.started = gort_now();
    raise_descriptor_limit();
    dict_seed();
    reserve_fd = open_reserve();
    if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        perror("kvserver: pipe");
        exit(1);
    }
    gort_go(db_housekeeping, NULL);
}

int server_stop_fd(void)
{
    return stop_pipe[1];
}

void server_wait_for_stop(void)
{
    char byte;
    while (gort_read(stop_pipe[0], &byte, 1) < 0 && errno == EINTR) {
    }
}
