// The client of the echo loads: HOST:PORT CONNECTIONS MESSAGES.
//
// Each connection has one message of 512 bytes on the way.  One thread, epoll; what it measures is
// from the write to the moment the whole answer has been read.  Prints the latency's median and
// 99th percentile in microseconds, messages, and the wall time for each.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 512
#define EVENTS 256

struct connection {
    int fd;
    size_t got;
    int64_t sent_at;
    unsigned char seed;
};

static uint64_t check;
static double *latencies;
static int answered, started, messages;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void send_one(struct connection *c)
{
    unsigned char message[MESSAGE];
    if (started == messages) return;
    started++;
    c->seed++;
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (unsigned char)(c->seed + i);
    c->got = 0;
    c->sent_at = now();
    if (write(c->fd, message, sizeof message) != sizeof message) fail("write");
}

static void receive(struct connection *c)
{
    unsigned char answer[MESSAGE];
    ssize_t n = read(c->fd, answer, sizeof answer - c->got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) fail("read");
    for (ssize_t i = 0; i < n; i++)
        if (answer[i] != (unsigned char)(c->seed + c->got + (size_t)i)) fail("a wrong answer");
    c->got += (size_t)n;
    if (c->got < MESSAGE) return;
    latencies[answered++] = (double)(now() - c->sent_at) / 1e3;
    check += (uint64_t)MESSAGE;
    send_one(c);
}

static struct sockaddr_in parse(const char *text)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    char host[64];
    int port;
    if (sscanf(text, "%63[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &a.sin_addr) != 1)
        fail("the address");
    a.sin_port = htons((uint16_t)port);
    return a;
}

static void open_one(int poll, struct connection *c, const struct sockaddr_in *a)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)a, sizeof *a) != 0) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e) != 0) fail("epoll_ctl");
}

static void run(int poll, struct connection *all, int n)
{
    struct epoll_event events[EVENTS];
    for (int i = 0; i < n; i++)
        send_one(&all[i]);
    while (answered < messages) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST:PORT CONNECTIONS MESSAGES\n", argv[0]);
        return 2;
    }
    struct sockaddr_in a = parse(argv[1]);
    int n = atoi(argv[2]);
    messages = atoi(argv[3]);
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
        most.rlim_cur = most.rlim_max;
        setrlimit(RLIMIT_NOFILE, &most);
    }
    struct connection *all = calloc((size_t)n, sizeof *all);
    latencies = calloc((size_t)messages, sizeof *latencies);
    int poll = epoll_create1(0);
    if (all == NULL || latencies == NULL || poll < 0) fail("start");
    for (int i = 0; i < n; i++)
        open_one(poll, &all[i], &a);
    int64_t begin = now();
    run(poll, all, n);
    double wall = (double)(now() - begin) / 1e3;
    qsort(latencies, (size_t)messages, sizeof *latencies, ascending);
    printf("p50 %.3f\np99 %.3f\n", latencies[messages / 2], latencies[messages / 100 * 99]);
    printf("messages %d\nwall-each %.6f\n", messages, wall / messages);
    printf("check %llu\n", (unsigned long long)check);
    return 0;
}
