// The poller: edges are kept; a wait ends once, by event, close or deadline; numbers are reused.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST skip=tsan
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "../../expect_fatal.h"
#include "sched_test.h"

#define MS INT64_C(1000000)
#define FAR (20000 * MS) // a deadline that only a lost wake-up reaches

static struct group group;

// Out of line: these use errno, whose address compilers keep.
static never_inline int try_read(int fd, void *buf, size_t n)
{
    ssize_t r = read(fd, buf, n);
    return r >= 0 ? (int)r : -errno;
}
static never_inline int try_write(int fd, const void *buf, size_t n)
{
    ssize_t r = write(fd, buf, n);
    return r >= 0 ? (int)r : -errno;
}

// Reads at least a byte, 0 at the end, or minus an error.
static int read_some(int fd, void *buf, size_t n, int64_t deadline)
{
    for (;;) {
        netpoll_arm(fd, POLL_READ);
        int r = try_read(fd, buf, n);
        if (r != -EAGAIN) return r;
        int error = netpoll_wait(fd, POLL_READ, deadline);
        if (error != 0) return -error;
    }
}

static int write_all(int fd, const void *buf, size_t n, int64_t deadline)
{
    size_t done = 0;
    while (done < n) {
        netpoll_arm(fd, POLL_WRITE);
        int r = try_write(fd, (const char *)buf + done, n - done);
        if (r >= 0) {
            done += (size_t)r;
            continue;
        }
        if (r != -EAGAIN) return r;
        int error = netpoll_wait(fd, POLL_WRITE, deadline);
        if (error != 0) return -error;
    }
    return (int)n;
}

static void open_pipe(int ends[2])
{
    CHECK_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    CHECK_EQ(netpoll_open(ends[0]), 0);
    CHECK_EQ(netpoll_open(ends[1]), 0);
}

static void open_pair(int ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_EQ(netpoll_open(ends[0]), 0);
    CHECK_EQ(netpoll_open(ends[1]), 0);
}

static void close_one(int fd)
{
    netpoll_close(fd);
    CHECK_EQ(close(fd), 0);
}

static void close_both(int ends[2])
{
    close_one(ends[0]);
    close_one(ends[1]);
}

static void wait_for_waiters(uint32_t n)
{
    int64_t limit = os_now() + FAR;
    while (netpoll_waiters() != n) {
        CHECK_LT(os_now(), limit);
        g_sleep(MS / 10);
    }
}

// Waits that have ended left no timer behind.
static void check_no_timers(void)
{
    for (int i = 0; i < p_count(); i++)
        CHECK_EQ(timer_first(p_at(i)), 0);
}

// ---- what can be opened -----------------------------------------------------------------------

static void opening(void)
{
    int ends[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_GE(file, 0);
    CHECK_EQ(netpoll_open(-1), EBADF);
    CHECK_EQ(netpoll_adopt(-1), EBADF);
    CHECK_EQ(netpoll_open(file), EPERM);
    CHECK_EQ(netpoll_adopt(file), EPERM);
    CHECK(!netpoll_is_open(file));
    CHECK(!netpoll_is_open(-1));
    CHECK(!netpoll_is_open(INT32_MAX));
    CHECK_EQ(netpoll_wait(file, POLL_READ, 0), ECANCELED);
    CHECK_EQ(netpoll_wait(-1, POLL_READ, 0), ECANCELED);
    CHECK_EQ(netpoll_wait(INT32_MAX, POLL_READ, 0), ECANCELED);
    netpoll_arm(INT32_MAX, POLL_READ);
    netpoll_close(INT32_MAX);
    close(file);
    CHECK_EQ(netpoll_open(file), EBADF);
    open_pipe(ends);
    CHECK(netpoll_is_open(ends[0]));
    CHECK_EQ(netpoll_adopt(ends[0]), 0); // stays what it is
    CHECK_EQ(netpoll_open(ends[0]), 0);  // again: registered already
    close_both(ends);
    CHECK(!netpoll_is_open(ends[0]));
    netpoll_close(ends[0]); // twice is harmless
    // The highest number that may be had.
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    int high = fcntl(ends[0], F_DUPFD_CLOEXEC, (int)limit.rlim_cur - 1);
    CHECK_GE(high, 0);
    CHECK_EQ(netpoll_open(high), 0);
    CHECK_EQ(netpoll_wait(high, POLL_READ, os_now() + MS), ETIMEDOUT);
    close_one(high);
    close(ends[0]);
    close(ends[1]);
}

// ---- edges ------------------------------------------------------------------------------------

static void edges_are_kept(void)
{
    int ends[2];
    char c;
    open_pipe(ends);
    CHECK_EQ(netpoll_wait(ends[1], POLL_WRITE, os_now() + FAR), 0); // registering reports
    netpoll_arm(ends[0], POLL_READ);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + 2 * MS), ETIMEDOUT);
    CHECK_EQ(try_write(ends[1], "x", 1), 1);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + FAR), 0);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, 1), 0); // until it is armed again
    netpoll_arm(ends[0], POLL_READ);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, 1), ETIMEDOUT); // forgotten, as asked
    CHECK_EQ(try_write(ends[1], "y", 1), 1);                  // a new edge, though data was left
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + FAR), 0);
    CHECK_EQ(read_some(ends[0], &c, 1, 0), 1);
    CHECK_EQ(c, 'x');
    CHECK(!netpoll_hup(ends[0]));
    close_one(ends[1]);
    CHECK_EQ(read_some(ends[0], &c, 1, 0), 1);
    CHECK_EQ(read_some(ends[0], &c, 1, os_now() + FAR), 0); // the end
    close_one(ends[0]);
}

static void hang_ups_are_latched(void)
{
    int ends[2];
    char text[16];
    open_pair(ends);
    netpoll_arm(ends[0], POLL_READ);
    CHECK_EQ(try_write(ends[1], "abc", 3), 3);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + FAR), 0);
    CHECK(!netpoll_hup(ends[0]));
    CHECK_EQ(shutdown(ends[1], SHUT_WR), 0);
    while (!netpoll_hup(ends[0])) {
        netpoll_arm(ends[0], POLL_READ);
        (void)netpoll_wait(ends[0], POLL_READ, os_now() + MS);
    }
    // A short read, as if before the end; the latch says to read again, though no edge will come.
    netpoll_arm(ends[0], POLL_READ);
    CHECK_EQ(try_read(ends[0], text, sizeof text), 3);
    CHECK(netpoll_hup(ends[0]));
    CHECK_EQ(try_read(ends[0], text, sizeof text), 0);
    close_both(ends);
    open_pair(ends); // probably the same numbers
    CHECK(!netpoll_hup(ends[0]));
    close_both(ends);
}

// ---- two goroutines and a pipe ----------------------------------------------------------------

static int ping[2], pong[2];
static int64_t rounds;

static void ponger(void *arg)
{
    char c;
    (void)arg;
    for (int64_t i = 0; i < rounds; i++) {
        CHECK_EQ(read_some(ping[0], &c, 1, i % 2 ? os_now() + FAR : 0), 1);
        CHECK_EQ(write_all(pong[1], &c, 1, 0), 1);
    }
    group_done(&group);
}

static void ping_pong(void)
{
    char c = 0, back;
    open_pipe(ping);
    open_pipe(pong);
    rounds = test_count(5000);
    group.left = 1;
    g_start(ponger, NULL, NULL, 0);
    for (int64_t i = 0; i < rounds; i++) {
        c++;
        CHECK_EQ(write_all(ping[1], &c, 1, 0), 1);
        CHECK_EQ(read_some(pong[0], &back, 1, os_now() + FAR), 1);
        CHECK_EQ(back, c);
    }
    group_wait(&group);
    CHECK_EQ(netpoll_waiters(), 0);
    check_no_timers();
    close_both(ping);
    close_both(pong);
}

// Many streams, each with its own bytes, through buffers that fill.
enum { STREAMS = 64 };
static int stream[STREAMS][2];
static size_t stream_bytes;

static void stream_writer(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    uint64_t seed = me;
    unsigned char buf[5000];
    size_t done = 0;
    while (done < stream_bytes) {
        size_t n = 1 + test_random(&seed) % sizeof buf;
        if (n > stream_bytes - done) n = stream_bytes - done;
        for (size_t i = 0; i < n; i++)
            buf[i] = (unsigned char)((done + i) * 31 + me);
        CHECK_EQ(write_all(stream[me][1], buf, n, os_now() + FAR), (int)n);
        done += n;
    }
    close_one(stream[me][1]);
    group_done(&group);
}

static void stream_reader(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    unsigned char buf[3000];
    size_t done = 0;
    for (;;) {
        int n = read_some(stream[me][0], buf, sizeof buf, os_now() + FAR);
        CHECK_GE(n, 0);
        if (n == 0) break;
        for (int i = 0; i < n; i++)
            CHECK_EQ(buf[i], (unsigned char)((done + (size_t)i) * 31 + me));
        done += (size_t)n;
    }
    CHECK_EQ(done, stream_bytes);
    close_one(stream[me][0]);
    group_done(&group);
}

static void many_streams(void)
{
    stream_bytes = (size_t)test_count(400000);
    group.left = 2 * STREAMS;
    for (uintptr_t i = 0; i < STREAMS; i++) {
        if (i % 2)
            open_pipe(stream[i]);
        else
            open_pair(stream[i]);
        g_start(stream_reader, (void *)i, NULL, 0);
        g_start(stream_writer, (void *)i, NULL, 0);
    }
    while (atomic_load_acquire(&group.left) != 0)
        g_sleep(MS);
    CHECK_EQ(netpoll_waiters(), 0);
}

// ---- ends of a wait ---------------------------------------------------------------------------

static int shared[2];
static int outcome[2];

static void waits(void *arg)
{
    enum poll_mode mode = (enum poll_mode)(uintptr_t)arg;
    outcome[mode] = netpoll_wait(shared[0], mode, 0);
    group_done(&group);
}

static void fill(int fd)
{
    static char zeros[65536];
    while (try_write(fd, zeros, sizeof zeros) > 0)
        ;
}

// Parks a goroutine in each direction of shared[0].
static void park_both(void)
{
    open_pair(shared);
    CHECK_EQ(netpoll_wait(shared[0], POLL_WRITE, os_now() + FAR), 0); // what registering reports
    fill(shared[0]);
    netpoll_arm(shared[0], POLL_READ);
    netpoll_arm(shared[0], POLL_WRITE);
    outcome[0] = outcome[1] = -1;
    group.left = 2;
    g_start(waits, (void *)POLL_READ, NULL, 0);
    g_start(waits, (void *)POLL_WRITE, NULL, 0);
    wait_for_waiters(2);
}

static void closing_cancels(void)
{
    for (int i = 0; i < 20; i++) {
        park_both();
        CHECK_EQ(netpoll_wait(shared[0], POLL_READ, 0), EBUSY);
        CHECK_EQ(netpoll_wait(shared[0], POLL_WRITE, os_now() + FAR), EBUSY);
        netpoll_close(shared[0]);
        group_wait(&group);
        CHECK_EQ(outcome[POLL_READ], ECANCELED);
        CHECK_EQ(outcome[POLL_WRITE], ECANCELED);
        CHECK_EQ(netpoll_waiters(), 0);
        CHECK_EQ(netpoll_wait(shared[0], POLL_READ, 0), ECANCELED);
        close(shared[0]);
        close_one(shared[1]);
    }
}

static void opening_again_cancels(void)
{
    park_both();
    CHECK_EQ(netpoll_open(shared[0]), 0);
    group_wait(&group);
    CHECK_EQ(outcome[POLL_READ], ECANCELED);
    CHECK_EQ(outcome[POLL_WRITE], ECANCELED);
    close_both(shared);
}

static void a_hang_up_wakes_both(void)
{
    park_both();
    close_one(shared[1]);
    group_wait(&group);
    CHECK_EQ(outcome[POLL_READ], 0);
    CHECK_EQ(outcome[POLL_WRITE], 0);
    CHECK(netpoll_hup(shared[0]));
    close_one(shared[0]);
}

static void deadlines(void)
{
    open_pipe(shared);
    for (int i = 0; i < 20; i++) {
        int64_t until = os_now() + i * MS / 4;
        CHECK_EQ(netpoll_wait(shared[0], POLL_READ, until), ETIMEDOUT);
        CHECK_GE(os_now(), until);
    }
    CHECK_EQ(netpoll_wait(shared[0], POLL_READ, 1), ETIMEDOUT);
    CHECK_EQ(netpoll_wait(shared[0], POLL_READ, -1), ETIMEDOUT);
    CHECK_EQ(netpoll_waiters(), 0);
    close_both(shared);
}

// A deadline, a write and a close, all at about the same time: each wait ends, and once.
static int64_t race_at;
static uint64_t race_ended[3]; // 0, ETIMEDOUT, ECANCELED

static void race_waiter(void *arg)
{
    (void)arg;
    int r = netpoll_wait(shared[0], POLL_READ, race_at);
    CHECK(r == 0 || r == ETIMEDOUT || r == ECANCELED);
    race_ended[r == 0 ? 0 : r == ETIMEDOUT ? 1 : 2]++;
    char frame[512]; // where the wait was
    memset(frame, 0xff, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (r != ECANCELED) netpoll_arm(shared[0], POLL_READ);
    group_done(&group);
}

static void race_writer(void *arg)
{
    while (os_now() < race_at - (int64_t)(uintptr_t)arg)
        g_yield();
    (void)try_write(shared[1], "x", 1);
    group_done(&group);
}

static void race_closer(void *arg)
{
    while (os_now() < race_at - (int64_t)(uintptr_t)arg)
        g_yield();
    netpoll_close(shared[0]);
    group_done(&group);
}

static void ends_race(void)
{
    uint64_t seed = test_seed();
    int64_t n = test_count(2000);
    for (int64_t i = 0; i < n || race_ended[1] == 0 || race_ended[0] + race_ended[2] == 0; i++) {
        open_pipe(shared);
        race_at = os_now() + 50000 + (int64_t)(test_random(&seed) % 100000);
        group.left = 2;
        bool closes = i % 3 == 0;
        g_start(race_waiter, NULL, NULL, 0);
        g_start(closes ? race_closer : race_writer, (void *)(uintptr_t)(test_random(&seed) % 40000),
                NULL, 0);
        while (atomic_load_acquire(&group.left) != 0)
            g_sleep(20000);
        CHECK_EQ(netpoll_waiters(), 0);
        close(shared[0]);
        close_one(shared[1]);
        netpoll_close(shared[0]);
    }
}

// ---- numbers that are used again --------------------------------------------------------------

static void reuse_after_close(void)
{
    char c;
    int for_nothing = 0;
    for (int i = 0; i < 1000; i++) {
        int ends[2];
        open_pipe(ends);
        CHECK_EQ(try_write(ends[1], "x", 1),
                 1); // an event that may come when the number is another's
        close_both(ends);
        open_pipe(ends);
        netpoll_arm(ends[0], POLL_READ);
        CHECK_EQ(try_read(ends[0], &c, 1), -EAGAIN);
        for_nothing += netpoll_wait(ends[0], POLL_READ, os_now() + 10000) != ETIMEDOUT;
        netpoll_arm(ends[0], POLL_READ);
        CHECK_EQ(try_write(ends[1], "y", 1), 1);
        CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + FAR), 0);
        CHECK_EQ(read_some(ends[0], &c, 1, os_now() + FAR), 1);
        CHECK_EQ(c, 'y');
        close_both(ends);
    }
    CHECK_LT(for_nothing, 10); // old events are dropped, but for the rarest
}

// A duplicate keeps the former file's registration alive: its events say nothing of the new one.
static void events_of_the_former_file(void)
{
    int old[2], new[2];
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(pipe2(old, O_NONBLOCK | O_CLOEXEC), 0);
        CHECK_EQ(netpoll_adopt(old[0]), 0);
        int duplicate = fcntl(old[0], F_DUPFD_CLOEXEC, 100);
        CHECK_EQ(pipe2(new, O_NONBLOCK | O_CLOEXEC), 0);
        CHECK_EQ(dup3(new[0], old[0], O_CLOEXEC), old[0]); // closes it
        CHECK_EQ(netpoll_open(old[0]), 0);
        netpoll_arm(old[0], POLL_READ);
        CHECK_EQ(try_write(old[1], "x", 1), 1);
        CHECK_EQ(netpoll_wait(old[0], POLL_READ, os_now() + 5 * MS), ETIMEDOUT);
        CHECK_EQ(try_write(new[1], "y", 1), 1);
        CHECK_EQ(netpoll_wait(old[0], POLL_READ, os_now() + FAR), 0);
        close_one(old[0]);
        close(old[1]);
        close(new[0]);
        close(new[1]);
        close(duplicate);
    }
}

// Adopted, closed by plain close(2), and the number is another pipe: no wait hangs.
static void adopt_and_leave(int ends[2], int i)
{
    CHECK_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    CHECK_EQ(netpoll_adopt(ends[0]), 0);
    if (i % 3 == 0) (void)netpoll_wait(ends[0], POLL_READ, os_now() + 1000);
    if (i % 2) CHECK_EQ(try_write(ends[1], "x", 1), 1);
    close(ends[0]);
    close(ends[1]);
}

static void plain_close(void)
{
    char c;
    int ends[2], again[2];
    for (int i = 0; i < 300; i++) {
        adopt_and_leave(ends, i);
        CHECK_EQ(pipe2(again, O_NONBLOCK | O_CLOEXEC), 0);
        CHECK_EQ(again[0], ends[0]);
        CHECK(netpoll_is_open(again[0])); // as far as we know
        netpoll_arm(again[0], POLL_READ);
        CHECK_EQ(try_read(again[0], &c, 1), -EAGAIN);
        if (i % 5 == 0) {
            CHECK_EQ(read_some(again[0], &c, 1, os_now() + 1000), -ETIMEDOUT);
        } else {
            CHECK_EQ(try_write(again[1], "z", 1), 1);
            CHECK_EQ(netpoll_wait(again[0], POLL_READ, os_now() + FAR), 0);
        }
        if (i % 4 == 0) netpoll_close(again[0]);
        close(again[0]);
        close(again[1]);
    }
    // The number is no descriptor, or one that can not be polled.
    CHECK_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    CHECK_EQ(netpoll_adopt(ends[0]), 0);
    close(ends[0]);
    close(ends[1]);
    netpoll_arm(ends[0], POLL_READ);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + FAR), EBADF);
    CHECK_EQ(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ends[0]);
    CHECK_EQ(netpoll_wait(ends[0], POLL_READ, os_now() + FAR), EPERM);
    close_one(ends[0]);
}

// Who is about to read was told to look again; then a wait to write finds that the number means
// another file.
static void a_kick_outlasts_another_file(void)
{
    int ends[2], again[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_EQ(netpoll_adopt(ends[0]), 0);
    close(ends[0]);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, again), 0);
    CHECK_EQ(again[0], ends[0]);
    netpoll_arm(again[0], POLL_READ);
    netpoll_arm(again[0], POLL_WRITE);
    netpoll_kick(again[0], POLL_READ);
    CHECK_EQ(netpoll_wait(again[0], POLL_WRITE, os_now() + FAR), 0);
    CHECK_EQ(netpoll_wait(again[0], POLL_READ, os_now() + 10 * MS), 0);
    netpoll_arm(again[0], POLL_READ);
    CHECK_EQ(netpoll_wait(again[0], POLL_READ, os_now() + MS), ETIMEDOUT);
    netpoll_close(again[0]);
    close(again[0]);
    close(again[1]);
    close(ends[1]);
}

// Whoever still waits for the former file of a reused number is told.
static void plain_close_under_a_waiter(void)
{
    int other[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, shared), 0);
    CHECK_EQ(netpoll_adopt(shared[0]), 0);
    CHECK_EQ(netpoll_wait(shared[0], POLL_WRITE, os_now() + FAR), 0);
    netpoll_arm(shared[0], POLL_READ);
    group.left = 1;
    g_start(waits, (void *)POLL_READ, NULL, 0);
    wait_for_waiters(1);
    CHECK_EQ(dup2(shared[1], shared[0]), shared[0]); // closes it
    CHECK_EQ(pipe2(other, O_NONBLOCK | O_CLOEXEC), 0);
    CHECK_EQ(dup2(other[1], shared[0]), shared[0]);
    netpoll_arm(shared[0], POLL_WRITE);
    CHECK_EQ(netpoll_wait(shared[0], POLL_WRITE, os_now() + FAR), 0); // the pipe has room
    group_wait(&group);
    CHECK_EQ(outcome[POLL_READ], ECANCELED);
    close_one(shared[0]);
    close(shared[1]);
    close(other[0]);
    close(other[1]);
}

static void in_child(void (*fn)(void))
{
    int status;
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

// ---- breaking, without a scheduler ------------------------------------------------------------

static uint32_t polls_returned;
static void *blocked_poller(void *arg)
{
    struct ready_list ready = { NULL, NULL, 0 };
    netpoll_poll((int64_t)(intptr_t)arg, &ready);
    CHECK(ready.first == NULL);
    atomic_fetch_add_acqrel(&polls_returned, 1);
    return NULL;
}

static void breaking(void)
{
    struct ready_list ready = { NULL, NULL, 0 };
    heap_init(NULL);
    netpoll_init();
    // Before the wait, and many times: it returns at once, and only the first wait does.
    for (int i = 0; i < 1000; i++)
        netpoll_break();
    netpoll_poll(0, &ready); // leaves it to who blocks
    netpoll_poll(-1, &ready);
    int64_t before = os_now();
    netpoll_poll(20 * MS, &ready);
    CHECK_GE(os_now() - before, 20 * MS);
    // During the wait.
    for (int i = 0; i < 200; i++) {
        pthread_t t;
        polls_returned = 0;
        CHECK_EQ(pthread_create(&t, NULL, blocked_poller, (void *)-1), 0);
        if (i % 2) usleep((useconds_t)i * 5);
        netpoll_break();
        CHECK_EQ(pthread_join(t, NULL), 0);
        CHECK_EQ(polls_returned, 1);
    }
    before = os_now();
    netpoll_poll(100000, &ready);
    CHECK_GE(os_now() - before, 100000);
}

// Many break at once while one polls: the last break is not swallowed.
static uint32_t breakers_over;
static void *breaker(void *arg)
{
    uint64_t seed = test_seed() + (uintptr_t)arg;
    for (int64_t i = test_count(20000); i > 0; i--) {
        netpoll_break();
        for (volatile uint64_t spin = test_random(&seed) % 200; spin > 0; spin--)
            ;
    }
    return NULL;
}
static void *polls_until_over(void *arg)
{
    struct ready_list ready = { NULL, NULL, 0 };
    while (!atomic_load_acquire(&breakers_over))
        netpoll_poll(-1, &ready);
    return arg;
}
static void many_breakers(void)
{
    pthread_t poller, t[3];
    netpoll_init();
    for (int round = 0; round < 5; round++) {
        breakers_over = 0;
        CHECK_EQ(pthread_create(&poller, NULL, polls_until_over, NULL), 0);
        for (uintptr_t i = 0; i < 3; i++)
            CHECK_EQ(pthread_create(&t[i], NULL, breaker, (void *)i), 0);
        for (int i = 0; i < 3; i++)
            pthread_join(t[i], NULL);
        atomic_store_release(&breakers_over, 1);
        netpoll_break();
        pthread_join(poller, NULL);
    }
}

// What is closed here does not wake the poller, though a duplicate lives on.
static void closed_is_silent(void)
{
    struct ready_list ready = { NULL, NULL, 0 };
    int ends[2];
    heap_init(NULL);
    netpoll_init();
    open_pipe(ends);
    int duplicate = fcntl(ends[0], F_DUPFD_CLOEXEC, 100);
    CHECK_GE(duplicate, 0);
    close_one(ends[0]);
    netpoll_close(ends[1]);
    CHECK_EQ(try_write(ends[1], "x", 1), 1);
    int64_t before = os_now();
    netpoll_poll(10 * MS, &ready);
    CHECK_GE(os_now() - before, 10 * MS);
    CHECK(ready.first == NULL);
}

static void too_few_descriptors(void *arg)
{
    struct rlimit none = { 3 + (rlim_t)(uintptr_t)arg, 100 };
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    netpoll_init();
}

int main(void)
{
    test_current = "too_few_descriptors";
    expect_fatal(too_few_descriptors, (void *)0,
                 "epoll_create1: Too many open files; the limit is ulimit -n");
    expect_fatal(too_few_descriptors, (void *)1,
                 "eventfd: Too many open files; the limit is ulimit -n");
    (void)test_seed(); // chosen before threads ask
    test_current = "main";
    in_child(breaking);
    in_child(many_breakers);
    in_child(closed_is_silent);
    RUN_ALL(opening);
    RUN_ALL(edges_are_kept);
    RUN_ALL(hang_ups_are_latched);
    RUN_ALL(ping_pong);
    RUN_ALL(many_streams);
    RUN_ALL(closing_cancels);
    RUN_ALL(opening_again_cancels);
    RUN_ALL(a_hang_up_wakes_both);
    RUN_ALL(deadlines);
    RUN_ALL(ends_race);
    RUN_ALL(reuse_after_close);
    RUN_ALL(events_of_the_former_file);
    RUN_ALL(plain_close);
    RUN_ALL(a_kick_outlasts_another_file);
    RUN_ALL(plain_close_under_a_waiter);
    return 0;
}
