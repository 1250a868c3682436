// Calls of files take a thread each, but no more than 64 at a time; goroutines run meanwhile.  The disk is
// played by a read(2) of this program's own, which answers when it is let.
//
// TEST notmodes=determ
// TEST timeout=60
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { READERS = 200, THREADS = 64 };

static sem_t disk;
static int reading, most; // atomic; calls that the disk has not answered, and the most there were
static int done;          // atomic; goroutines

ssize_t read(int fd, void *buf, size_t n)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        int now = ADD(&reading, 1), before = LOAD(&most);
        while (now > before && !__atomic_compare_exchange_n(&most, &before, now, false,
                                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        while (sem_wait(&disk) != 0)
            continue;
        ADD(&reading, -1);
    }
    return syscall(SYS_read, fd, buf, n);
}

static char path[] = "/tmp/gort-files-XXXXXX";

static void read_byte(void *unused)
{
    char byte = 0;
    (void)unused;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_read(fd, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(gort_close_fd(fd), 0);
    ADD(&done, 1);
}

static void count_up(void *counter)
{
    for (;;) {
        ADD((int *)counter, 1);
        gort_yield();
    }
}

TEST(readers_share_threads)
{
    static int counter;
    STORE(&done, 0);
    gort_go(count_up, &counter);
    for (int i = 0; i < READERS; i++)
        gort_go(read_byte, NULL);
    WAIT_FOR(LOAD(&reading) == THREADS);
    int seen = LOAD(&counter);
    WAIT_FOR(LOAD(&counter) > seen + 1000);
    CHECK_EQ(LOAD(&done), 0);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(sem_post(&disk), 0);
    WAIT_FOR(LOAD(&done) == READERS);
    CHECK_EQ(LOAD(&most), THREADS);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    CHECK_EQ(sem_init(&disk, 0, 0), 0);
    int fd = mkstemp(path);
    CHECK_EQ(gort_write(fd, "x", 1), 1);
    CHECK_EQ(gort_close_fd(fd), 0);
    RUN_ON(1, readers_share_threads);
    RUN_ON(4, readers_share_threads);
    CHECK_EQ(unlink(path), 0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
