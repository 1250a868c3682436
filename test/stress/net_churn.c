// Connections that come and go at random, closed under their users, with descriptor numbers used
// again at once. Nothing hangs, and no byte arrives at the wrong place. On 1, 2, 4 and 16 Ps.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <sys/socket.h>

static char address[64];
static int served, talked;

// The client's first eight bytes are its name; each answer begins with them.
struct message {
    uint64_t name, number;
    unsigned char filler[200];
};

static bool read_message(int fd, struct message *m)
{
    for (size_t done = 0; done < sizeof *m;) {
        ssize_t n = gort_read(fd, (char *)m + done, sizeof *m - done);
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static void serve(void *arg)
{
    int fd = *(int *)arg;
    struct message m;
    uint64_t random = test_seed() + (uint64_t)fd;
    while (read_message(fd, &m)) {
        if (gort_write(fd, &m, sizeof m) != sizeof m) break;
        if (test_random(&random) % 50 == 0) break; // gives up on the client
    }
    CHECK_EQ(gort_close_fd(fd), 0);
    ADD(&served, -1);
}

static void accept_all(void *arg)
{
    int l = *(int *)arg;
    for (;;) {
        int fd = gort_accept(l);
        if (fd < 0) {
            CHECK(errno == ECANCELED || errno == EBADF); // closed meanwhile, or before the call
            break;
        }
        ADD(&served, 1);
        gort_go_copy(serve, &fd, sizeof fd);
    }
    ADD(&served, -1);
}

static void talk_once(uint64_t name, uint64_t *random)
{
    struct message out = { .name = name }, in;
    int fd = gort_dial("tcp", address, gort_now() + 1000 * GORT_S);
    CHECK_GE(fd, 0);
    uint64_t rounds = test_random(random) % 20;
    for (uint64_t i = 0; i < rounds; i++) {
        out.number = i;
        if (gort_write(fd, &out, sizeof out) != sizeof out) break;
        if (test_random(random) % 30 == 0) break; // leaves without reading
        if (!read_message(fd, &in)) break;
        CHECK_EQ(in.name, name);
        CHECK_EQ(in.number, i);
    }
    CHECK_EQ(gort_close_fd(fd), 0);
}

static void talk(void *arg)
{
    uint64_t base = (uint64_t)(uintptr_t)arg << 32, random = test_seed() + base;
    for (int64_t i = 0; i < test_count(40); i++)
        talk_once(base + (uint64_t)i, &random);
    ADD(&talked, 1);
}

TEST(clients_come_and_go)
{
    enum { CLIENTS = 20 };
    int l = gort_listen("tcp", "127.0.0.1:0");
    CHECK_GE(l, 0);
    CHECK_GT(gort_local_addr(l, address, sizeof address), 0);
    STORE(&served, 2);
    STORE(&talked, 0);
    gort_go_copy(accept_all, &l, sizeof l);
    gort_go_copy(accept_all, &l, sizeof l);
    for (uintptr_t i = 0; i < CLIENTS; i++)
        gort_go(talk, (void *)(i + 1));
    WAIT_FOR(LOAD(&talked) == CLIENTS);
    CHECK_EQ(gort_close_fd(l), 0);
    WAIT_FOR(LOAD(&served) == 0);
}

// ---- closing under a reader and a writer -------------------------------------------------------

struct victim {
    int fd, done;
};

static void read_on(void *arg)
{
    struct victim *v = arg;
    char buf[512];
    while (gort_read(v->fd, buf, sizeof buf) > 0)
        ;
    CHECK(errno == ECANCELED || errno == EBADF);
    ADD(&v->done, 1);
}

static void write_on(void *arg)
{
    struct victim *v = arg;
    static const char block[70000];
    while (gort_write(v->fd, block, sizeof block) > 0)
        ;
    CHECK(errno == ECANCELED || errno == EBADF);
    ADD(&v->done, 1);
}

// Nobody else makes descriptors meanwhile, so EBADF is sure where ECANCELED came too late.
TEST(close_at_any_moment)
{
    for (int64_t i = 0; i < test_count(150); i++) {
        int fd[2];
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        struct victim v = { fd[0], 0 };
        gort_go(read_on, &v);
        gort_go(read_on, &v);
        gort_go(write_on, &v);
        if (i % 3 == 0) CHECK_EQ(gort_write(fd[1], "abc", 3), 3);
        if (i % 5 == 0)
            gort_sleep(200 * GORT_US);
        else
            for (int64_t k = 0; k < i % 4; k++)
                gort_yield();
        CHECK_EQ(gort_close_fd(fd[0]), 0);
        WAIT_FOR(LOAD(&v.done) == 3);
        CHECK_EQ(gort_close_fd(fd[1]), 0);
    }
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(clients_come_and_go);
    RUN_ON_ALL(close_at_any_moment);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
