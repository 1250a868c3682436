// Addresses, unix sockets, and descriptors that gort did not make: pipes, socket pairs, datagrams,
// files, standard input; a full descriptor table; numbers that are used again.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <fcntl.h>
#include <pthread.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char folder[] = "/tmp/gort-net-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

// ---- addresses ---------------------------------------------------------------------------------

TEST(addresses_that_can_not_be_parsed)
{
    static const char *const bad[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:1x",
        "127.0.0.1: 1",
        "127.0.0:80:1",
        "127.0.0.256:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[]:80",
        "[127.0.0.1]:80",
        "[fe80::1%nosuchinterface]:80",
        "123456789012345678901234567890123456789012345678901234567890123456789:80"
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_FAILS(gort_listen("tcp", bad[i]), EINVAL);
        CHECK_FAILS(gort_dial("tcp", bad[i], 0), EINVAL);
    }
    CHECK_FAILS(gort_dial("tcp", ":80", 0), EINVAL);
    CHECK_FAILS(gort_listen("tcp4", "[::1]:0"), EINVAL);
    CHECK_FAILS(gort_listen("tcp6", "127.0.0.1:0"), EINVAL);
    static const char *const networks[] = { "", "TCP", "udp5", "tcp5", "unixgram", "tcp " };
    for (unsigned i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        CHECK_FAILS(gort_listen(networks[i], "127.0.0.1:0"), EINVAL);
        CHECK_FAILS(gort_dial(networks[i], "127.0.0.1:1", 0), EINVAL);
    }
    CHECK_FAILS(gort_listen("unix", ""), EINVAL);
    char long_path[300];
    memset(long_path, 'x', sizeof long_path);
    long_path[299] = '\0';
    CHECK_FAILS(gort_listen("unix", long_path), ENAMETOOLONG);
    CHECK_FAILS(gort_dial("unix", long_path, 0), ENAMETOOLONG);
    long_path[108] = '\0';
    CHECK_FAILS(gort_listen("unix", long_path), ENAMETOOLONG);
}

static void answer_one(void *arg)
{
    int fd = gort_accept(*(int *)arg);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_write(fd, "hello", 5), 5);
    CHECK_EQ(gort_close_fd(fd), 0);
}

// A client that dials `to` (NULL: where the listener is) reaches a listener at `at`.
static void reaches(const char *network, const char *at, const char *dial_network, const char *to,
                    const char *shown)
{
    char local[128], buf[10], target[128];
    int l = gort_listen(network, at);
    CHECK_GE(l, 0);
    int n = gort_local_addr(l, local, sizeof local);
    CHECK_EQ(n, strlen(local));
    CHECK(strncmp(local, shown, strlen(shown)) == 0);
    snprintf(target, sizeof target, "%s%s", to ? to : local, to ? strrchr(local, ':') + 1 : "");
    gort_go(answer_one, &l);
    int fd = gort_dial(dial_network, target, gort_now() + 1000 * GORT_S);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_read(fd, buf, sizeof buf), 5);
    CHECK_EQ(gort_read(fd, buf, sizeof buf), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    CHECK_EQ(gort_close_fd(l), 0);
}

static bool have_ipv6(void)
{
    int fd = gort_listen("tcp6", "[::1]:0");
    if (fd >= 0) gort_close_fd(fd);
    return fd >= 0;
}

TEST(ways_to_write_an_address)
{
    reaches("tcp", "127.0.0.1:0", "tcp", NULL, "127.0.0.1:");
    reaches("tcp4", "127.0.0.1:00", "tcp4", NULL, "127.0.0.1:");
    reaches("tcp", "localhost:0", "tcp", "localhost:", "127.0.0.1:");
    reaches("tcp4", ":0", "tcp", "127.0.0.1:", "0.0.0.0:");
    reaches("tcp", "0.0.0.0:0", "tcp", "127.0.0.1:", "0.0.0.0:");
    if (!have_ipv6()) {
        reaches("tcp", ":0", "tcp", "127.0.0.1:", "0.0.0.0:");
        return;
    }
    reaches("tcp", "[::1]:0", "tcp", NULL, "[::1]:");
    reaches("tcp6", "localhost:0", "tcp6", "localhost:", "[::1]:");
    reaches("tcp", ":0", "tcp", "127.0.0.1:", "[::]:"); // both families
    reaches("tcp", ":0", "tcp", "[::1]:", "[::]:");
    reaches("tcp6", ":0", "tcp", "[::1]:", "[::]:");
    reaches("tcp", "[::1%1]:0", "tcp", "[::1]:", "[::1");
}

TEST(buffers_for_addresses)
{
    char buf[64];
    int l = gort_listen("tcp", "127.0.0.1:0");
    int n = gort_local_addr(l, buf, sizeof buf);
    CHECK_GT(n, 10);
    for (int size = 0; size <= n; size++)
        CHECK_FAILS(gort_local_addr(l, buf, (size_t)size), ENOSPC);
    CHECK_EQ(gort_local_addr(l, buf, (size_t)n + 1), n);
    // Taken already.
    CHECK_FAILS(gort_listen("tcp", buf), EADDRINUSE);
    CHECK_EQ(gort_close_fd(l), 0);
    l = gort_listen("tcp", buf);
    CHECK_GE(l, 0);
    CHECK_EQ(gort_close_fd(l), 0);
    CHECK_FAILS(gort_local_addr(-1, buf, sizeof buf), EBADF);
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK_FAILS(gort_local_addr(file, buf, sizeof buf), ENOTSOCK);
    CHECK_FAILS(gort_accept(file), ENOTSOCK);
    close(file);
}

// ---- unix sockets ------------------------------------------------------------------------------

TEST(unix_sockets)
{
    const char *path = path_of("socket");
    reaches("unix", path, "unix", NULL, path);
    CHECK_FAILS(gort_listen("unix", path), EADDRINUSE); // the file is still there
    CHECK_FAILS(gort_dial("unix", path, 0), ECONNREFUSED);
    CHECK_EQ(unlink(path), 0);
    CHECK_FAILS(gort_dial("unix", path, 0), ENOENT);
    char name[64];
    snprintf(name, sizeof name, "@gort-test-%d", (int)getpid());
    reaches("unix", name, "unix", NULL, name);
}

static int dialled;

static void dial_unix(void *arg)
{
    char c;
    int fd = gort_dial("unix", arg, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_read(fd, &c, 1), 1);
    CHECK_EQ(gort_close_fd(fd), 0);
    ADD(&dialled, 1);
}

// More dial at once than the backlog holds: they wait.
TEST(a_full_backlog)
{
    enum { N = 20 };
    const char *path = path_of("backlog");
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    strcpy(a.sun_path, path);
    int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(l, 1), 0);
    STORE(&dialled, 0);
    for (int i = 0; i < N; i++)
        gort_go(dial_unix, (void *)(uintptr_t)path);
    WAIT_FOR(count_waiting(NULL) == N); // two to be read to, the others for a place
    CHECK_FAILS(gort_dial("unix", path, gort_now() + 5 * GORT_MS), ETIMEDOUT);
    for (int i = 0; i < N; i++) {
        int fd = gort_accept(l); // made elsewhere, blocking until now
        CHECK_GE(fd, 0);
        CHECK_EQ(gort_write(fd, "x", 1), 1);
        CHECK_EQ(gort_close_fd(fd), 0);
    }
    WAIT_FOR(LOAD(&dialled) == N);
    CHECK_EQ(gort_close_fd(l), 0);
}

// ---- descriptors from elsewhere ----------------------------------------------------------------

struct copier {
    int in, out;
    int *done;
};

static void copy_all(void *arg)
{
    struct copier *c = arg;
    char buf[3000];
    ssize_t n;
    while ((n = gort_read(c->in, buf, sizeof buf)) > 0)
        CHECK_EQ(gort_write(c->out, buf, (size_t)n), n);
    CHECK_EQ(n, 0);
    CHECK_EQ(gort_close_fd(c->out), 0);
    CHECK_EQ(gort_close_fd(c->in), 0);
    ADD(c->done, 1);
}

static void pump(void *arg)
{
    int fd = *(int *)arg;
    static unsigned char block[100000];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (unsigned char)(i % 251);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gort_write(fd, block, sizeof block), sizeof block);
    CHECK_EQ(gort_close_fd(fd), 0);
}

// Through a chain of pairs; make(fd): fd[0] is read, fd[1] written.
static void through(void (*make)(int fd[2]))
{
    enum { LINKS = 5 };
    int fd[LINKS][2], done = 0;
    for (int i = 0; i < LINKS; i++)
        make(fd[i]);
    for (int i = 1; i < LINKS; i++) {
        struct copier c = { fd[i - 1][0], fd[i][1], &done };
        gort_go_copy(copy_all, &c, sizeof c);
    }
    gort_go_copy(pump, &fd[0][1], sizeof fd[0][1]);
    unsigned char buf[7000];
    size_t total = 0;
    ssize_t n;
    while ((n = gort_read(fd[LINKS - 1][0], buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++, total++)
            CHECK_EQ(buf[i], (unsigned char)(total % 100000 % 251));
    CHECK_EQ(n, 0);
    CHECK_EQ(total, 1000000);
    WAIT_FOR(LOAD(&done) == LINKS - 1);
    CHECK_EQ(gort_close_fd(fd[LINKS - 1][0]), 0);
}

static void make_pipe(int fd[2])
{
    CHECK_EQ(pipe2(fd, O_CLOEXEC), 0);
}

static void make_stream_pair(int fd[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

TEST(pipes_and_pairs)
{
    through(make_pipe);
    through(make_stream_pair);
}

static void read_byte(void *arg)
{
    struct copier *c = arg;
    char b;
    errno = 0;
    CHECK_EQ(gort_read(c->in, &b, 1), -1);
    CHECK_EQ(errno, ECANCELED);
    ADD(c->done, 1);
}

TEST(close_wakes_a_pipe_reader)
{
    int fd[2], done = 0;
    make_pipe(fd);
    struct copier c = { .in = fd[0], .done = &done };
    gort_go(read_byte, &c);
    gort_go(read_byte, &c);
    WAIT_FOR(count_waiting(NULL) == 2);
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    WAIT_FOR(LOAD(&done) == 2);
    close(fd[1]);
}

TEST(wrong_end_of_a_pipe)
{
    int fd[2];
    char b = 0;
    make_pipe(fd);
    CHECK_FAILS(gort_read(fd[1], &b, 1), EBADF);
    CHECK_FAILS(gort_write(fd[0], &b, 1), EBADF);
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

// ---- pipes without a reader --------------------------------------------------------------------

static int pipe_signals;

static void on_sigpipe(int sig)
{
    (void)sig;
    ADD(&pipe_signals, 1);
}

static bool is_pending(int sig)
{
    sigset_t pending;
    CHECK_EQ(sigpending(&pending), 0);
    return sigismember(&pending, sig) == 1;
}

static bool is_blocked(int sig)
{
    sigset_t mask;
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    return sigismember(&mask, sig) == 1;
}

static void write_to_nobody(int times)
{
    int fd[2];
    make_pipe(fd);
    CHECK_EQ(gort_write(fd[1], "x", 1), 1);
    close(fd[0]);
    for (int i = 0; i < times; i++)
        CHECK_FAILS(gort_write(fd[1], "x", 1), EPIPE);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

static void close_reader_soon(void *arg)
{
    gort_sleep(5 * GORT_MS);
    close(*(int *)arg);
}

// SIGPIPE has its default action: it would end the process.
TEST(a_pipe_without_reader)
{
    int fd[2];
    static char block[300000];
    write_to_nobody(3);
    make_pipe(fd);
    gort_go(close_reader_soon, &fd[0]);
    CHECK_FAILS(gort_write(fd[1], block, sizeof block), EPIPE); // after a part of it
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

TEST(handlers_of_sigpipe_are_not_run)
{
    struct sigaction ours = { .sa_handler = on_sigpipe }, former;
    sigset_t set;
    int fd[2];
    gort_lock_thread();
    CHECK_EQ(sigaction(SIGPIPE, &ours, &former), 0);
    write_to_nobody(3);
    CHECK(!is_blocked(SIGPIPE));
    CHECK_EQ(LOAD(&pipe_signals), 0);
    // Where the program blocks it: what it did itself stays pending, and nothing is added.
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    write_to_nobody(3);
    CHECK(is_blocked(SIGPIPE));
    CHECK(!is_pending(SIGPIPE));
    make_pipe(fd);
    close(fd[0]);
    CHECK_EQ(write(fd[1], "x", 1), -1);
    CHECK(is_pending(SIGPIPE));
    write_to_nobody(3);
    CHECK(is_pending(SIGPIPE));
    close(fd[1]);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(LOAD(&pipe_signals), 1);
    CHECK_EQ(sigaction(SIGPIPE, &former, NULL), 0);
    gort_unlock_thread();
}

// Standard output and error are as in any other program: the signal comes.  0 is not.
TEST(standard_output_without_reader)
{
    struct sigaction ours = { .sa_handler = on_sigpipe }, former;
    int fd[2], keep[3], before = LOAD(&pipe_signals);
    make_pipe(fd);
    close(fd[0]);
    CHECK_EQ(sigaction(SIGPIPE, &ours, &former), 0);
    for (int i = 0; i < 3; i++) {
        keep[i] = dup(i);
        CHECK_EQ(dup2(fd[1], i), i);
        errno = 0;
        ssize_t n = gort_write(i, "x", 1);
        int error = errno;
        CHECK_EQ(dup2(keep[i], i), i);
        close(keep[i]);
        CHECK_EQ(n, -1);
        CHECK_EQ(error, EPIPE);
        CHECK_EQ(LOAD(&pipe_signals), before + i);
    }
    CHECK_EQ(sigaction(SIGPIPE, &former, NULL), 0);
    close(fd[1]);
}

// ---- other descriptors -------------------------------------------------------------------------

// Datagrams: each read is one of them, also when it is shorter than the buffer.
TEST(datagrams)
{
    int fd[2];
    char buf[100];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    for (int i = 1; i <= 5; i++)
        CHECK_EQ(gort_write(fd[1], "12345", (size_t)i), i);
    for (int i = 1; i <= 5; i++)
        CHECK_EQ(gort_read(fd[0], buf, sizeof buf), i);
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

TEST(an_eventfd)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t n = 3;
    CHECK_EQ(gort_write(fd, &n, sizeof n), sizeof n);
    n = 0;
    CHECK_EQ(gort_read(fd, &n, sizeof n), sizeof n);
    CHECK_EQ(n, 3);
    CHECK_EQ(gort_close_fd(fd), 0);
}

TEST(files)
{
    const char *path = path_of("file");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_GT(fd, 2);
    static char block[300000];
    memset(block, 'b', sizeof block);
    CHECK_EQ(gort_write(fd, block, sizeof block), sizeof block);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ssize_t total = 0, n;
    while ((n = gort_read(fd, block, 70000)) > 0)
        total += n;
    CHECK_EQ(n, 0);
    CHECK_EQ(total, sizeof block);
    CHECK_EQ(gort_close_fd(fd), 0);
    CHECK_EQ(unlink(path), 0);
    int dir = open(folder, O_RDONLY | O_CLOEXEC);
    CHECK_FAILS(gort_read(dir, block, 10), EISDIR);
    CHECK_EQ(gort_close_fd(dir), 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), full = open("/dev/full", O_RDWR | O_CLOEXEC);
    CHECK_EQ(gort_read(null, block, 10), 0);
    CHECK_EQ(gort_write(null, block, 10), 10);
    CHECK_FAILS(gort_write(full, block, 10), ENOSPC);
    CHECK_EQ(gort_close_fd(null), 0);
    CHECK_EQ(gort_close_fd(full), 0);
}

static void write_soon(void *arg)
{
    gort_sleep(10 * GORT_MS);
    CHECK_EQ(write(*(int *)arg, "in", 2), 2);
}

// 0 to 2 are read and written as they are: whoever shares them does not see O_NONBLOCK.
TEST(standard_input)
{
    int fd[2], keep = dup(0);
    char buf[10];
    make_pipe(fd);
    CHECK_EQ(dup2(fd[0], 0), 0);
    gort_go(write_soon, &fd[1]);
    CHECK_EQ(gort_read(0, buf, sizeof buf), 2);
    CHECK_EQ(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
    // Even if somebody made it so.
    CHECK_EQ(fcntl(0, F_SETFL, O_NONBLOCK), 0);
    gort_go(write_soon, &fd[1]);
    CHECK_EQ(gort_read(0, buf, sizeof buf), 2);
    CHECK_EQ(dup2(keep, 0), 0);
    close(keep);
    close(fd[0]);
    close(fd[1]);
}

static uint64_t memory_mapped(void)
{
    gort_stats stats;
    gort_read_stats(&stats);
    return stats.meta_sys;
}

TEST(arguments)
{
    int fd[2];
    make_pipe(fd);
    CHECK_FAILS(gort_read(fd[0], NULL, 1), EFAULT);
    CHECK_FAILS(gort_write(fd[1], NULL, 1), EFAULT);
    CHECK_EQ(gort_read(fd[0], NULL, 0), 0);
    CHECK_EQ(gort_write(fd[1], NULL, 0), 0);
    char b;
    CHECK_FAILS(gort_read(fd[0], &b, SIZE_MAX), EINVAL);
    CHECK_FAILS(gort_write(fd[1], &b, SIZE_MAX / 2 + 1), EINVAL);
    static const int bad[] = { -1, -100, INT32_MIN, 100000, INT32_MAX };
    uint64_t mapped = memory_mapped();
    for (int i = 0; i < 5; i++) {
        CHECK_FAILS(gort_read(bad[i], &b, 1), EBADF);
        CHECK_FAILS(gort_write(bad[i], &b, 1), EBADF);
        CHECK_FAILS(gort_accept(bad[i]), EBADF);
        CHECK_FAILS(gort_close_fd(bad[i]), EBADF);
    }
    CHECK_LT(memory_mapped(), mapped + (1 << 30)); // no records for numbers that are not open
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

// ---- numbers that are used again ---------------------------------------------------------------

TEST(a_number_means_something_new)
{
    for (int i = 0; i < 50; i++) {
        int fd[2];
        char buf[10];
        if (i % 3 == 0)
            make_pipe(fd);
        else if (i % 3 == 1)
            make_stream_pair(fd);
        else
            fd[0] = fd[1] = eventfd(1, EFD_CLOEXEC);
        if (i % 3 == 2) {
            uint64_t n;
            CHECK_EQ(gort_read(fd[0], &n, sizeof n), sizeof n);
            CHECK_EQ(gort_close_fd(fd[0]), 0);
            continue;
        }
        gort_go(write_soon, &fd[1]);
        CHECK_EQ(gort_read(fd[0], buf, sizeof buf), 2);
        CHECK_EQ(gort_close_fd(fd[0]), 0);
        CHECK_EQ(gort_close_fd(fd[1]), 0);
    }
}

// ---- a full descriptor table -------------------------------------------------------------------

TEST(no_descriptor_is_left)
{
    struct rlimit old, low;
    char address[64];
    int l = gort_listen("tcp", "127.0.0.1:0"), spare[200], n = 0;
    CHECK_GT(gort_local_addr(l, address, sizeof address), 0);
    int client = gort_dial("tcp", address, 0);
    CHECK_GE(client, 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 100;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < 200 && (spare[n] = dup(l)) >= 0)
        n++;
    CHECK_LT(n, 200);
    CHECK_FAILS(gort_accept(l), EMFILE);
    CHECK_FAILS(gort_listen("tcp", "127.0.0.1:0"), EMFILE);
    CHECK_FAILS(gort_dial("tcp", address, 0), EMFILE);
    close(spare[--n]);
    int fd = gort_accept(l); // the connection still waits
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_write(client, "x", 1), 1);
    char b;
    CHECK_EQ(gort_read(fd, &b, 1), 1);
    CHECK_EQ(gort_close_fd(fd), 0);
    while (n > 0)
        close(spare[--n]);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_EQ(gort_close_fd(client), 0);
    CHECK_EQ(gort_close_fd(l), 0);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    CHECK(mkdtemp(folder) != NULL);
    RUN(addresses_that_can_not_be_parsed);
    RUN(ways_to_write_an_address);
    RUN(buffers_for_addresses);
    RUN_ON_ALL(unix_sockets);
    RUN(a_full_backlog);
    RUN_ON_ALL(pipes_and_pairs);
    RUN_ON_ALL(close_wakes_a_pipe_reader);
    RUN(wrong_end_of_a_pipe);
    RUN_ON_ALL(a_pipe_without_reader);
    RUN(handlers_of_sigpipe_are_not_run);
    RUN(standard_output_without_reader);
    RUN(datagrams);
    RUN(an_eventfd);
    RUN(files);
    RUN_ON_ALL(standard_input);
    RUN(arguments);
    RUN_ON_ALL(a_number_means_something_new);
    RUN(no_descriptor_is_left);
    unlink(path_of("socket"));
    unlink(path_of("backlog"));
    CHECK_EQ(rmdir(folder), 0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
