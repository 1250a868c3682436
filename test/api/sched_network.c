// What descriptors bring is noticed though every goroutine that runs computes: nobody looks for work
// then, and only the monitor asks the poller.
//
// On one P, which each goroutine that has read keeps: it makes no call until the end, and only then
// does a thread of the program's own write to the next one. (A thread may wait in the poller from
// before the first, while there were more Ps. It sees that one's data, and has no P to look again.)
// test/removals.txt takes the look out.
// TEST notmodes=determ
// TEST timeout=60
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../goroutines.h"

enum { READERS = 3 }; // with the main goroutine no more than may compute without a P

static int fds[READERS][2];
static int nread; // atomic
static gort_waitgroup done;

static void compute(void)
{
    while (LOAD(&nread) < READERS)
        ;
}

static void read_one(void *arg)
{
    char byte = 0;
    CHECK_EQ(gort_read(*(int *)arg, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    ADD(&nread, 1);
    compute();
    gort_waitgroup_done(&done);
}

static void *write_all(void *arg)
{
    for (int i = 0; i < READERS; i++) {
        CHECK_EQ(write(fds[i][1], "x", 1), 1);
        while (LOAD(&nread) == i)
            usleep(100);
    }
    return arg;
}

static void round_of(bool sockets)
{
    pthread_t thread;
    nread = 0;
    gort_waitgroup_add(&done, READERS);
    for (int i = 0; i < READERS; i++) {
        CHECK_EQ(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) : pipe(fds[i]), 0);
        gort_go(read_one, &fds[i][0]);
    }
    WAIT_FOR(count_waiting("IO wait") == READERS);
    CHECK_EQ(pthread_create(&thread, NULL, write_all, NULL), 0);
    compute();
    gort_waitgroup_wait(&done);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(gort_close_fd(fds[i][0]) + close(fds[i][1]), 0);
}

TEST(pipes)
{
    round_of(false);
}

TEST(sockets)
{
    round_of(true);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON(1, pipes);
    RUN_ON(1, sockets);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
