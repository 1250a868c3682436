// TCP over loopback: echo, streams larger than any buffer, half-closing, closing under waiters,
// several readers and writers of one descriptor, refusal, deadlines of dialling.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

static char address[128];

static int listen_any(void)
{
    int fd = gort_listen("tcp", "127.0.0.1:0");
    CHECK_GE(fd, 0);
    CHECK_GT(gort_local_addr(fd, address, sizeof address), 0);
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0);
    return fd;
}

static int dial(void)
{
    int fd = gort_dial("tcp", address, 0);
    CHECK_GE(fd, 0);
    return fd;
}

// A connected pair.
static void connect_pair(int fd[2])
{
    int l = listen_any();
    fd[0] = dial();
    fd[1] = gort_accept(l);
    CHECK_GE(fd[1], 0);
    CHECK_EQ(gort_close_fd(l), 0);
}

static void close_pair(int fd[2])
{
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

// ---- echo --------------------------------------------------------------------------------------

static void echo(void *arg)
{
    int fd = *(int *)arg;
    char buf[4096];
    ssize_t n;
    while ((n = gort_read(fd, buf, sizeof buf)) > 0)
        CHECK_EQ(gort_write(fd, buf, (size_t)n), n);
    CHECK_EQ(n, 0);
    CHECK_EQ(gort_close_fd(fd), 0);
}

static void serve(void *arg)
{
    int l = *(int *)arg;
    for (;;) {
        int fd = gort_accept(l);
        if (fd < 0) {
            CHECK(errno == ECANCELED || errno == EBADF); // closed meanwhile, or before the call
            return;
        }
        gort_go_copy(echo, &fd, sizeof fd);
    }
}

static void read_full(int fd, void *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = gort_read(fd, (char *)buf + done, n - done);
        CHECK_GT(r, 0);
        done += (size_t)r;
    }
}

static int clients_done;

static void talk(void *arg)
{
    uint64_t random = test_seed() + (uint64_t)(uintptr_t)arg;
    int fd = dial();
    for (int i = 0; i < 30; i++) {
        char out[600], in[600];
        size_t n = 1 + test_random(&random) % sizeof out;
        for (size_t k = 0; k < n; k++)
            out[k] = (char)test_random(&random);
        CHECK_EQ(gort_write(fd, out, n), n);
        read_full(fd, in, n);
        CHECK(memcmp(in, out, n) == 0);
    }
    CHECK_EQ(gort_close_fd(fd), 0);
    ADD(&clients_done, 1);
}

TEST(many_clients)
{
    enum { N = 50 };
    int l = listen_any();
    STORE(&clients_done, 0);
    gort_go_copy(serve, &l, sizeof l);
    for (uintptr_t i = 0; i < N; i++)
        gort_go(talk, (void *)i);
    WAIT_FOR(LOAD(&clients_done) == N);
    CHECK_EQ(gort_close_fd(l), 0);
    WAIT_FOR(gort_num_goroutines() == 1);
}

// ---- long streams ------------------------------------------------------------------------------

enum { STREAM = 8 << 20 };

static void write_stream(void *arg)
{
    int fd = *(int *)arg;
    uint32_t *all = gort_alloc_noscan(STREAM);
    for (uint32_t i = 0; i < STREAM / 4; i++)
        all[i] = i * 2654435761u;
    CHECK_EQ(gort_write(fd, all, STREAM), STREAM); // parks many times
    CHECK_EQ(gort_close_fd(fd), 0);
}

TEST(a_long_write_is_whole)
{
    int fd[2];
    connect_pair(fd);
    gort_go_copy(write_stream, &fd[0], sizeof fd[0]);
    uint32_t *buf = gort_alloc_noscan(100000), next = 0;
    size_t held = 0;
    for (;;) {
        ssize_t n = gort_read(fd[1], (char *)buf + held, 100000 - held);
        CHECK_GE(n, 0);
        if (n == 0) break;
        held += (size_t)n;
        for (size_t i = 0; i < held / 4; i++)
            CHECK_EQ(buf[i], next++ * 2654435761u);
        memmove(buf, buf + held / 4, held % 4);
        held %= 4;
    }
    CHECK_EQ(held, 0);
    CHECK_EQ(next, STREAM / 4);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

// Each write arrives in one piece, whoever writes beside it.
struct line_writer {
    int fd, who;
    int *done;
};
enum { LINE = 30000, LINES = 20, WRITERS = 5 };

static void write_lines(void *arg)
{
    struct line_writer *w = arg;
    char *line = gort_alloc_noscan(LINE);
    memset(line, 'a' + w->who, LINE);
    for (int i = 0; i < LINES; i++)
        CHECK_EQ(gort_write(w->fd, line, LINE), LINE);
    ADD(w->done, 1);
}

TEST(writers_take_turns)
{
    int fd[2], done = 0, counts[WRITERS] = { 0 };
    connect_pair(fd);
    for (int i = 0; i < WRITERS; i++) {
        struct line_writer w = { fd[0], i, &done };
        gort_go_copy(write_lines, &w, sizeof w);
    }
    char *line = gort_alloc_noscan(LINE);
    for (int i = 0; i < LINES * WRITERS; i++) {
        read_full(fd[1], line, LINE);
        for (int k = 1; k < LINE; k++)
            CHECK_EQ(line[k], line[0]);
        counts[line[0] - 'a']++;
    }
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(counts[i], LINES);
    WAIT_FOR(LOAD(&done) == WRITERS);
    close_pair(fd);
}

struct waiter {
    int fd, error;
    ssize_t result;
    int *done;
};

// ---- ends of streams ---------------------------------------------------------------------------

TEST(half_closing)
{
    int fd[2];
    char buf[100];
    connect_pair(fd);
    CHECK_EQ(gort_write(fd[0], "question", 8), 8);
    CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
    read_full(fd[1], buf, 8);
    CHECK_EQ(gort_read(fd[1], buf, sizeof buf), 0);
    CHECK_EQ(gort_read(fd[1], buf, sizeof buf), 0);
    CHECK_EQ(gort_write(fd[1], "answer", 6), 6);
    read_full(fd[0], buf, 6);
    CHECK(memcmp(buf, "answer", 6) == 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
    CHECK_EQ(gort_read(fd[0], buf, sizeof buf), 0);
    CHECK_EQ(gort_close_fd(fd[0]), 0);
}

// The end comes together with the last bytes, before the reader begins.
TEST(an_end_that_is_there_already)
{
    for (int i = 0; i < 200; i++) {
        int fd[2];
        char buf[100];
        connect_pair(fd);
        CHECK_EQ(gort_write(fd[0], "last", 4), 4);
        CHECK_EQ(gort_close_fd(fd[0]), 0);
        if (i % 2 == 0) gort_sleep(100 * GORT_US);
        CHECK_EQ(gort_read(fd[1], buf, sizeof buf), 4);
        CHECK_EQ(gort_read(fd[1], buf, sizeof buf), 0);
        CHECK_EQ(gort_close_fd(fd[1]), 0);
    }
}

TEST(writing_to_who_is_gone)
{
    int fd[2];
    static char big[100000];
    connect_pair(fd);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
    ssize_t r;
    do // no SIGPIPE ends the process
        r = gort_write(fd[0], big, sizeof big);
    while (r > 0);
    CHECK_EQ(r, -1);
    CHECK(errno == EPIPE || errno == ECONNRESET);
    CHECK_EQ(gort_close_fd(fd[0]), 0);
}

// Urgent data ends a read early, at its mark, with more to come.
static void read_past_urgent(void *arg)
{
    struct waiter *w = arg;
    char got[8] = { 0 };
    for (size_t n = 0; n < 6;) {
        ssize_t r = gort_read(w->fd, got + n, sizeof got - n);
        CHECK_GT(r, 0);
        n += (size_t)r;
    }
    CHECK_STR_EQ(got, "abcdef");
    ADD(w->done, 1);
}

TEST(urgent_data_is_passed_over)
{
    for (int i = 0; i < 20; i++) {
        int fd[2], done = 0;
        connect_pair(fd);
        struct waiter w = { .fd = fd[1], .done = &done };
        if (i % 4 < 2) gort_go(read_past_urgent, &w); // the reader waits, or finds it all there
        if (i % 2 == 0) gort_sleep(GORT_MS);
        CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
        CHECK_EQ(send(fd[0], "x", 1, MSG_OOB), 1);
        CHECK_EQ(send(fd[0], "def", 3, 0), 3);
        if (i % 2 == 0) gort_sleep(GORT_MS);
        if (i % 4 >= 2) gort_go(read_past_urgent, &w);
        WAIT_FOR(LOAD(&done) == 1);
        close_pair(fd);
    }
}

static void read_rest(void *arg)
{
    struct waiter *w = arg;
    char got[8];
    CHECK_GT(gort_read(w->fd, got, sizeof got), 0);
    ADD(w->done, 1);
}

// A read that took all there was waits first the next time.  Meanwhile others looked, and left
// something.
TEST(what_others_leave_is_read)
{
    for (int i = 0; i < 20; i++) {
        int fd[2], done = 0;
        char got[8];
        connect_pair(fd);
        struct waiter w = { .fd = fd[1], .done = &done };
        CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
        CHECK_EQ(gort_read(fd[1], got, sizeof got), 3);
        CHECK_EQ(send(fd[0], "defg", 4, 0), 4);
        gort_sleep(GORT_MS); // that the poller has told of it
        if (i % 2 == 0)
            CHECK_EQ(gort_wait_fd(fd[1], false, 0), 0);
        else
            CHECK_EQ(gort_recvfrom(fd[1], got, 1, NULL, NULL), 1);
        gort_go(read_rest, &w);
        WAIT_FOR(LOAD(&done) == 1);
        close_pair(fd);
    }
}

static void reset(int fd)
{
    struct linger l = { .l_onoff = 1, .l_linger = 0 };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
}

static void reset_later(void *arg)
{
    gort_sleep(5 * GORT_MS);
    reset(*(int *)arg);
}

TEST(a_reset_wakes_the_reader)
{
    int fd[2];
    char buf[10];
    connect_pair(fd);
    gort_go_copy(reset_later, &fd[0], sizeof fd[0]);
    CHECK_FAILS(gort_read(fd[1], buf, sizeof buf), ECONNRESET);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

// ---- closing under those who wait --------------------------------------------------------------

static void wait_reading(void *arg)
{
    struct waiter *w = arg;
    char buf[10];
    w->result = gort_read(w->fd, buf, sizeof buf);
    w->error = errno;
    ADD(w->done, 1);
}

static void wait_writing(void *arg)
{
    struct waiter *w = arg;
    static char big[32 << 20];
    w->result = gort_write(w->fd, big, sizeof big);
    w->error = errno;
    ADD(w->done, 1);
}

static void wait_accepting(void *arg)
{
    struct waiter *w = arg;
    w->result = gort_accept(w->fd);
    w->error = errno;
    ADD(w->done, 1);
}

static void close_under(int fd, int readers, int writers, int acceptors)
{
    struct waiter w[12];
    int n = readers + writers + acceptors, done = 0;
    for (int i = 0; i < n; i++) {
        w[i] = (struct waiter){ .fd = fd, .result = 5, .done = &done };
        gort_go(i < readers             ? wait_reading
                : i < readers + writers ? wait_writing
                                        : wait_accepting,
                &w[i]);
    }
    WAIT_FOR(count_waiting(NULL) == n);
    CHECK_EQ(LOAD(&done), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    WAIT_FOR(LOAD(&done) == n);
    for (int i = 0; i < n; i++) {
        CHECK_EQ(w[i].result, -1);
        CHECK_EQ(w[i].error, ECANCELED);
    }
}

TEST(close_wakes_waiters)
{
    int fd[2];
    connect_pair(fd);
    close_under(fd[0], 1, 0, 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
    connect_pair(fd);
    close_under(fd[0], 0, 1, 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
    connect_pair(fd);
    close_under(fd[0], 4, 3, 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
    close_under(listen_any(), 0, 0, 5);
}

TEST(a_closed_descriptor)
{
    int fd[2];
    char buf[10];
    connect_pair(fd);
    close_pair(fd);
    for (int i = 0; i < 2; i++) {
        CHECK_FAILS(gort_read(fd[i], buf, sizeof buf), EBADF);
        CHECK_FAILS(gort_write(fd[i], buf, sizeof buf), EBADF);
        CHECK_FAILS(gort_accept(fd[i]), EBADF);
        CHECK_FAILS(gort_close_fd(fd[i]), EBADF);
        CHECK_FAILS(gort_local_addr(fd[i], buf, sizeof buf), EBADF);
    }
}

// ---- dialling ----------------------------------------------------------------------------------

TEST(nobody_listens)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); // so that nobody else will
    CHECK_EQ(bind(taken, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_GT(gort_local_addr(taken, address, sizeof address), 0);
    for (int i = 0; i < 20; i++)
        CHECK_FAILS(gort_dial("tcp", address, 0), ECONNREFUSED);
    CHECK_FAILS(gort_dial("tcp", address, gort_now() + 1000 * GORT_S), ECONNREFUSED);
    CHECK_EQ(gort_close_fd(taken), 0);
}

TEST(deadlines_of_dialling)
{
    int l = listen_any();
    CHECK_FAILS(gort_dial("tcp", address, 1), ETIMEDOUT);
    CHECK_FAILS(gort_dial("tcp", address, gort_now()), ETIMEDOUT);
    CHECK_FAILS(gort_dial("tcp", address, -1), ETIMEDOUT);
    int fd = gort_dial("tcp", address, gort_now() + 1000 * GORT_S);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    CHECK_EQ(gort_close_fd(l), 0);
}

// A backlog that is full: the kernel answers no more.
TEST(a_dial_that_nobody_answers)
{
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd[8], n = 0;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(l, 0), 0);
    CHECK_GT(gort_local_addr(l, address, sizeof address), 0);
    int64_t before = 0;
    while (n < 8) {
        before = gort_now();
        fd[n] = gort_dial("tcp", address, before + 50 * GORT_MS);
        if (fd[n] < 0) break;
        n++;
    }
    if (n < 8) { // else this kernel queues more
        CHECK_EQ(errno, ETIMEDOUT);
        CHECK_GE(gort_now() - before, 50 * GORT_MS);
    }
    while (n > 0)
        CHECK_EQ(gort_close_fd(fd[--n]), 0);
    CHECK_EQ(gort_close_fd(l), 0);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(many_clients);
    RUN_ON_ALL(a_long_write_is_whole);
    RUN_ON_ALL(writers_take_turns);
    RUN_ON_ALL(half_closing);
    RUN_ON_ALL(an_end_that_is_there_already);
    RUN(writing_to_who_is_gone);
    RUN_ON_ALL(urgent_data_is_passed_over);
    RUN_ON_ALL(what_others_leave_is_read);
    RUN_ON_ALL(a_reset_wakes_the_reader);
    RUN_ON_ALL(close_wakes_waiters);
    RUN(a_closed_descriptor);
    RUN(nobody_listens);
    RUN(deadlines_of_dialling);
    RUN_ON_ALL(a_dial_that_nobody_answers);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
