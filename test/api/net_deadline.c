// Deadlines of descriptors: on every kind that is waited for, set before, during and after a wait.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST notmodes=determ
// TEST timeout=120
#define _GNU_SOURCE
#include "../goroutines.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SOON (3 * GORT_MS)

// ---- kinds --------------------------------------------------------------------------------------

// fd[0] reads what is written to fd[1].
static void make_pipe(int fd[2])
{
    CHECK_EQ(pipe2(fd, O_CLOEXEC), 0);
}
static void make_stream(int fd[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
}
static void make_datagram(int fd[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
}
static void make_tcp(int fd[2])
{
    char address[64];
    int listener = gort_listen("tcp", "127.0.0.1:0");
    CHECK_GT(gort_local_addr(listener, address, sizeof address), 0);
    fd[1] = gort_dial("tcp", address, 0);
    fd[0] = gort_accept(listener);
    CHECK(fd[0] >= 0 && fd[1] >= 0);
    CHECK_EQ(gort_close_fd(listener), 0);
}
static void make_udp(int fd[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
    fd[1] = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(bind(fd[0], (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(getsockname(fd[0], (struct sockaddr *)&a, &len), 0);
    CHECK_EQ(connect(fd[1], (struct sockaddr *)&a, len), 0);
}

static void (*const kinds[])(int fd[2]) = { make_pipe, make_stream, make_datagram, make_tcp,
                                            make_udp };
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void close_both(int fd[2])
{
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

static void check_times_out(int fd, int64_t at)
{
    char byte;
    CHECK_FAILS(gort_read(fd, &byte, 1), ETIMEDOUT);
    CHECK_GE(gort_now(), at);
}

static void check_passes(int fd[2])
{
    char byte = 0;
    CHECK_EQ(gort_write(fd[1], "x", 1), 1);
    CHECK_EQ(gort_read(fd[0], &byte, 1), 1);
    CHECK_EQ(byte, 'x');
}

// ---- reading ------------------------------------------------------------------------------------

TEST(reading_gives_up)
{
    for (int k = 0; k < KINDS; k++) {
        int fd[2];
        kinds[k](fd);
        int64_t at = gort_now() + SOON;
        CHECK_EQ(gort_set_deadline(fd[0], at, 0), 0);
        check_times_out(fd[0], at);
        check_times_out(fd[0], at); // at once
        CHECK_EQ(gort_set_deadline(fd[0], 0, 0), 0);
        check_passes(fd);
        close_both(fd);
    }
}

// A deadline that is over: what is there is not read.
TEST(a_deadline_that_is_over)
{
    for (int k = 0; k < KINDS; k++) {
        int fd[2];
        kinds[k](fd);
        check_passes(fd);
        CHECK_EQ(gort_write(fd[1], "y", 1), 1);
        CHECK_EQ(gort_set_deadline(fd[0], 1, 0), 0);
        check_times_out(fd[0], 0);
        CHECK_EQ(gort_set_deadline(fd[0], -GORT_S, 0), 0);
        check_times_out(fd[0], 0);
        CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 1000 * GORT_S, 0), 0);
        char byte;
        CHECK_EQ(gort_read(fd[0], &byte, 1), 1);
        CHECK_EQ(byte, 'y');
        close_both(fd);
    }
}

TEST(what_comes_in_time_is_read)
{
    for (int k = 0; k < KINDS; k++) {
        int fd[2];
        kinds[k](fd);
        CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 1000 * GORT_S, 0), 0);
        for (int i = 0; i < 3; i++)
            check_passes(fd);
        close_both(fd);
    }
}

// ---- a wait goes on -----------------------------------------------------------------------------

struct reader {
    int fd;
    int result, error; // of its read
    char byte;
    uint32_t done; // atomic
};

static void read_one(void *arg)
{
    struct reader *r = arg;
    errno = 0;
    r->result = (int)gort_read(r->fd, &r->byte, 1);
    r->error = errno;
    STORE(&r->done, 1u);
}

static void start_reader(struct reader *r, int fd)
{
    *r = (struct reader){ .fd = fd };
    gort_go(read_one, r);
    gort_sleep(GORT_MS); // mostly it waits by now
}

static void check_result(struct reader *r, int result, int error)
{
    WAIT_FOR(LOAD(&r->done));
    CHECK_EQ(r->result, result);
    if (result < 0) CHECK_EQ(r->error, error);
}

TEST(set_under_a_reader)
{
    for (int k = 0; k < KINDS; k++) {
        int fd[2];
        struct reader r;
        kinds[k](fd);
        start_reader(&r, fd[0]);
        CHECK_EQ(gort_set_deadline(fd[0], gort_now() + GORT_MS, 0), 0);
        check_result(&r, -1, ETIMEDOUT);
        close_both(fd);
    }
}

TEST(earlier_under_a_reader)
{
    int fd[2];
    struct reader r;
    make_tcp(fd);
    CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 1000 * GORT_S, 0), 0);
    start_reader(&r, fd[0]);
    CHECK_EQ(gort_set_deadline(fd[0], 1, 0), 0);
    check_result(&r, -1, ETIMEDOUT);
    close_both(fd);
}

TEST(later_under_a_reader)
{
    int fd[2];
    struct reader r;
    make_stream(fd);
    CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 500 * GORT_S, 0), 0);
    start_reader(&r, fd[0]);
    CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 1000 * GORT_S, 0), 0);
    gort_sleep(GORT_MS);
    CHECK_EQ(LOAD(&r.done), 0);
    CHECK_EQ(gort_set_deadline(fd[0], 0, 0), 0);
    gort_sleep(GORT_MS);
    CHECK_EQ(LOAD(&r.done), 0);
    CHECK_EQ(gort_write(fd[1], "z", 1), 1);
    check_result(&r, 1, 0);
    close_both(fd);
}

// All who wait for their turn give up too.
TEST(readers_in_a_row)
{
    int fd[2];
    struct reader r[4];
    make_pipe(fd);
    for (int i = 0; i < 4; i++)
        start_reader(&r[i], fd[0]);
    CHECK_EQ(gort_set_deadline(fd[0], gort_now() + GORT_MS, 0), 0);
    for (int i = 0; i < 4; i++)
        check_result(&r[i], -1, ETIMEDOUT);
    close_both(fd);
}

TEST(closing_comes_first)
{
    int fd[2];
    struct reader r;
    make_tcp(fd);
    CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 1000 * GORT_S, 0), 0);
    start_reader(&r, fd[0]);
    WAIT_FOR(count_waiting("IO wait") == 1);
    close_both(fd);
    check_result(&r, -1, ECANCELED);
}

// ---- writing and accepting ----------------------------------------------------------------------

TEST(writing_gives_up)
{
    static char much[1 << 22];
    for (int k = 0; k < KINDS; k++) {
        int fd[2];
        kinds[k](fd);
        int64_t at = gort_now() + SOON;
        if (kinds[k] == make_udp || kinds[k] == make_datagram) {
            CHECK_EQ(gort_set_deadline(fd[1], 0, 1), 0);
            CHECK_FAILS(gort_write(fd[1], much, 1), ETIMEDOUT);
        } else {
            CHECK_EQ(gort_set_deadline(fd[1], 0, at), 0);
            ssize_t n; // a TCP connection may hold all of it, and more
            while ((n = gort_write(fd[1], much, sizeof much)) == (ssize_t)sizeof much)
                continue;
            CHECK_EQ(n, -1);
            CHECK_EQ(errno, ETIMEDOUT);
            CHECK_GE(gort_now(), at);
        }
        close_both(fd);
    }
}

// Each direction has its own.
TEST(directions_are_apart)
{
    int fd[2];
    make_tcp(fd);
    CHECK_EQ(gort_set_deadline(fd[0], 1, 0), 0);
    CHECK_EQ(gort_write(fd[0], "a", 1), 1);
    check_times_out(fd[0], 0);
    CHECK_EQ(gort_set_deadline(fd[0], 0, 1), 0);
    CHECK_FAILS(gort_write(fd[0], "a", 1), ETIMEDOUT);
    check_passes(fd);
    close_both(fd);
}

static void accept_late(const char *network, const char *address)
{
    int fd = gort_listen(network, address);
    CHECK_GE(fd, 0);
    int64_t at = gort_now() + SOON;
    CHECK_EQ(gort_set_deadline(fd, at, 0), 0);
    CHECK_FAILS(gort_accept(fd), ETIMEDOUT);
    CHECK_GE(gort_now(), at);
    CHECK_FAILS(gort_accept(fd), ETIMEDOUT);
    CHECK_EQ(gort_close_fd(fd), 0);
}

TEST(accepting_gives_up)
{
    char name[64];
    snprintf(name, sizeof name, "@gort-deadline-%d", (int)getpid());
    accept_late("tcp", "127.0.0.1:0");
    accept_late("unix", name);
}

// ---- what has none ------------------------------------------------------------------------------

TEST(what_has_no_deadlines)
{
    CHECK_FAILS(gort_set_deadline(-1, 0, 0), EBADF);
    CHECK_FAILS(gort_set_deadline(999, 0, 0), EBADF);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_FAILS(gort_set_deadline(fd, gort_now(), 0), ENOTSUP);
    CHECK_EQ(gort_close_fd(fd), 0);
}

// What the number meant before does not hold for what it means now.
TEST(a_number_means_something_new)
{
    int fd[2], again[2];
    make_stream(fd);
    CHECK_EQ(gort_set_deadline(fd[0], 1, 1), 0);
    close_both(fd);
    make_stream(again);
    CHECK(again[0] == fd[0] || again[1] == fd[0]);
    check_passes(again);
    close_both(again);
}

// ---- a race -------------------------------------------------------------------------------------

// The deadline moves all the time; each read ends by data or by a deadline that has come.
struct racer {
    int fd[2];
    int64_t reads;
    uint32_t done; // atomic
};

static void read_on(void *arg)
{
    struct racer *r = arg;
    char byte;
    int64_t timeouts = 0;
    for (int64_t i = 0; i < r->reads; i++)
        if (gort_read(r->fd[0], &byte, 1) < 0) {
            CHECK_EQ(errno, ETIMEDOUT);
            timeouts++;
        }
    STORE(&r->done, 1u);
}

TEST(deadlines_that_move)
{
    struct racer r = { .reads = test_count(2000) };
    uint64_t seed = test_seed();
    make_stream(r.fd);
    gort_go(read_on, &r);
    while (!LOAD(&r.done)) {
        int64_t ns = (int64_t)(test_random(&seed) % 60) * GORT_US;
        CHECK_EQ(gort_set_deadline(r.fd[0], gort_now() + ns, 0), 0);
        if (test_random(&seed) % 4 == 0) gort_sleep((int64_t)(test_random(&seed) % 80) * GORT_US);
        // It does not wait: while the reader does not run for long, there may be no room.
        if (test_random(&seed) % 64 == 0) (void)send(r.fd[1], "q", 1, MSG_DONTWAIT);
    }
    close_both(r.fd);
}

// Set once, under a reader that may be anywhere in its call: it gives up, always.
TEST(a_deadline_is_not_missed)
{
    int fd[2];
    make_stream(fd);
    uint64_t seed = test_seed();
    for (int64_t i = 0; i < test_count(3000); i++) {
        struct reader r = { .fd = fd[0] };
        CHECK_EQ(gort_set_deadline(fd[0], 0, 0), 0);
        gort_go(read_one, &r);
        for (uint64_t n = test_random(&seed) % 300; n > 0; n--)
            __asm__ volatile("" ::: "memory");
        if (test_random(&seed) % 4 == 0) gort_yield();
        CHECK_EQ(gort_set_deadline(fd[0], 1, 0), 0);
        check_result(&r, -1, ETIMEDOUT);
    }
    close_both(fd);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(reading_gives_up);
    RUN(a_deadline_that_is_over);
    RUN(what_comes_in_time_is_read);
    RUN(set_under_a_reader);
    RUN(earlier_under_a_reader);
    RUN(later_under_a_reader);
    RUN(readers_in_a_row);
    RUN(closing_comes_first);
    RUN(writing_gives_up);
    RUN(directions_are_apart);
    RUN(accepting_gives_up);
    RUN(what_has_no_deadlines);
    RUN(a_number_means_something_new);
    RUN_ON_ALL(deadlines_that_move);
    RUN_ON_ALL(a_deadline_is_not_missed);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
