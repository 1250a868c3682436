// Datagrams: sockets that gort made and foreign ones, whole messages and their senders, edges of
// size, deadlines, closing, many senders at once.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const char *address_of(int fd)
{
    enum { SIZE = 64 };
    char *text = gort_alloc_noscan(SIZE);
    CHECK_GT(gort_local_addr(fd, text, SIZE), 0);
    return text;
}

static int listen_at(const char *network, const char *address)
{
    int fd = gort_listen(network, address);
    CHECK_GE(fd, 0);
    return fd;
}

TEST(there_and_back)
{
    static const char *const hosts[][2] = { { "udp", "127.0.0.1:0" }, { "udp4", "localhost:0" } };
    for (int i = 0; i < 2; i++) {
        struct sockaddr_storage from;
        uint32_t len = sizeof from;
        char buf[32];
        int server = listen_at(hosts[i][0], hosts[i][1]);
        int client = gort_dial(hosts[i][0], address_of(server), 0);
        CHECK_GE(client, 0);
        CHECK_EQ(gort_write(client, "question", 8), 8);
        CHECK_EQ(gort_recvfrom(server, buf, sizeof buf, (struct sockaddr *)&from, &len), 8);
        CHECK(memcmp(buf, "question", 8) == 0);
        CHECK_EQ(len, sizeof(struct sockaddr_in));
        CHECK_EQ(gort_sendto(server, "answer", 6, (struct sockaddr *)&from, len), 6);
        CHECK_EQ(gort_read(client, buf, sizeof buf), 6);
        CHECK(memcmp(buf, "answer", 6) == 0);
        CHECK_EQ(gort_close_fd(client), 0);
        CHECK_EQ(gort_close_fd(server), 0);
    }
}

// A message stays one: neither joined to the next, nor is the rest of a long one kept.
TEST(messages_are_whole)
{
    char buf[16];
    static char large[65507], got[65507]; // the most that fits
    int server = listen_at("udp", "127.0.0.1:0"), client = gort_dial("udp", address_of(server), 0);
    CHECK_EQ(gort_sendto(client, "", 0, NULL, 0), 0);
    CHECK_EQ(gort_sendto(client, "0123456789", 10, NULL, 0), 10);
    CHECK_EQ(gort_sendto(client, "ab", 2, NULL, 0), 2);
    CHECK_EQ(gort_recvfrom(server, buf, sizeof buf, NULL, NULL), 0);
    CHECK_EQ(gort_recvfrom(server, buf, 4, NULL, NULL), 4);
    CHECK(memcmp(buf, "0123", 4) == 0);
    CHECK_EQ(gort_recvfrom(server, buf, sizeof buf, NULL, NULL), 2);
    for (unsigned i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7);
    CHECK_EQ(gort_sendto(client, large, sizeof large, NULL, 0), sizeof large);
    CHECK_EQ(gort_recvfrom(server, got, sizeof got, NULL, NULL), sizeof large);
    CHECK(memcmp(got, large, sizeof large) == 0);
    CHECK_FAILS(gort_sendto(client, large, sizeof large + 1, NULL, 0), EMSGSIZE);
    CHECK_EQ(gort_close_fd(client), 0);
    CHECK_EQ(gort_close_fd(server), 0);
}

TEST(misuse)
{
    int fds[2], server = listen_at("udp", "127.0.0.1:0");
    struct sockaddr_in to = { .sin_family = AF_INET };
    uint32_t len = sizeof to;
    char byte;
    CHECK_FAILS(gort_recvfrom(-1, &byte, 1, NULL, NULL), EBADF);
    CHECK_FAILS(gort_sendto(-1, &byte, 1, NULL, 0), EBADF);
    CHECK_FAILS(gort_recvfrom(server, NULL, 1, NULL, NULL), EFAULT);
    CHECK_FAILS(gort_recvfrom(server, &byte, 1, (struct sockaddr *)&to, NULL), EFAULT);
    CHECK_FAILS(gort_sendto(server, &byte, SIZE_MAX, (struct sockaddr *)&to, len), EINVAL);
    CHECK_FAILS(gort_sendto(server, &byte, 1, NULL, 0), EDESTADDRREQ);
    CHECK_FAILS(gort_accept(server), EOPNOTSUPP);
    CHECK_FAILS(gort_listen("udp", address_of(server)), EADDRINUSE);
    CHECK_FAILS(gort_listen("udp", "127.0.0.1:x"), EINVAL);
    CHECK_EQ(pipe(fds), 0);
    CHECK_FAILS(gort_recvfrom(fds[0], &byte, 1, NULL, NULL), ENOTSOCK);
    CHECK_FAILS(gort_sendto(fds[1], "x", 1, NULL, 0), ENOTSOCK);
    CHECK_EQ(gort_close_fd(fds[0]) | gort_close_fd(fds[1]) | gort_close_fd(server), 0);
}

static int ended; // atomic

static void receive_until_closed(void *arg)
{
    char byte;
    CHECK_FAILS(gort_recvfrom(*(int *)arg, &byte, 1, NULL, NULL), ECANCELED);
    STORE(&ended, 1);
}

TEST(waits_end)
{
    char byte;
    int fd = listen_at("udp", "127.0.0.1:0");
    int64_t at = gort_now() + 3 * GORT_MS;
    CHECK_EQ(gort_set_deadline(fd, at, 0), 0);
    CHECK_FAILS(gort_recvfrom(fd, &byte, 1, NULL, NULL), ETIMEDOUT);
    CHECK_GE(gort_now(), at);
    CHECK_FAILS(gort_recvfrom(fd, &byte, 1, NULL, NULL), ETIMEDOUT);
    CHECK_EQ(gort_set_deadline(fd, 0, 0), 0);
    STORE(&ended, 0);
    gort_go(receive_until_closed, &fd);
    WAIT_FOR(count_waiting("IO wait") == 1);
    CHECK_EQ(gort_close_fd(fd), 0);
    WAIT_FOR(LOAD(&ended) == 1);
}

// ---- many ---------------------------------------------------------------------------------------

enum { SENDERS = 20, ROUNDS = 200 };
struct message {
    uint32_t sender, round;
};
static int server;
static int done; // atomic

// Sends the next when the last was answered, so that the kernel drops none.
static void send_rounds(void *arg)
{
    struct message m = { .sender = (uint32_t)(uintptr_t)arg }, back;
    int fd = gort_dial("udp", address_of(server), 0);
    CHECK_GE(fd, 0);
    for (m.round = 0; m.round < ROUNDS; m.round++) {
        CHECK_EQ(gort_write(fd, &m, sizeof m), sizeof m);
        CHECK_EQ(gort_read(fd, &back, sizeof back), sizeof back);
        CHECK(memcmp(&back, &m, sizeof m) == 0);
    }
    CHECK_EQ(gort_close_fd(fd), 0);
    ADD(&done, 1);
}

static void answer_all(void *unused)
{
    struct message m;
    struct sockaddr_storage from;
    uint32_t len = sizeof from;
    (void)unused;
    while (gort_recvfrom(server, &m, sizeof m, (struct sockaddr *)&from, &len) == sizeof m) {
        CHECK_EQ(gort_sendto(server, &m, sizeof m, (struct sockaddr *)&from, len), sizeof m);
        len = sizeof from;
    }
    CHECK(errno == ECANCELED || errno == EBADF); // it waited, or came later
    ADD(&done, 1);
}

TEST(many_senders)
{
    STORE(&done, 0);
    server = listen_at("udp", "127.0.0.1:0");
    for (int i = 0; i < 3; i++)
        gort_go(answer_all, NULL);
    for (int i = 0; i < SENDERS; i++)
        gort_go(send_rounds, (void *)(uintptr_t)i);
    WAIT_FOR(LOAD(&done) == SENDERS);
    CHECK_EQ(gort_close_fd(server), 0);
    WAIT_FOR(LOAD(&done) == SENDERS + 3);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(there_and_back);
    RUN(messages_are_whole);
    RUN(misuse);
    RUN(waits_end);
    RUN_ON_ALL(many_senders);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
