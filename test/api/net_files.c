// Calls of files take a thread each, but no more than 64 at a time; goroutines run meanwhile.  What
// is in memory takes none.  The disk is played by a read(2) and a write(2) of this program's own,
// which answer when they are let, and the memory by its preadv2(2).
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
#include <sys/uio.h>

enum { READERS = 200, THREADS = 64 };

static sem_t disk;
static int reading, most; // atomic; calls that the disk has not answered, and the most there were
static int writing;       // atomic; calls of write that have begun
static int done;          // atomic; goroutines

// What is in memory: each call of preadv2 answers so many bytes at most, until there were `limit`
// of them; or fails.
static struct {
    int error; // 0: answers
    size_t each, limit;
    int asked; // atomic: calls
} memory;

// Of the test's own: its standard ones may be files too, and tell of failures.
static bool is_file(int fd)
{
    struct stat st;
    return fd > 2 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t preadv2(int fd, const struct iovec *v, int count, off_t at, int flags)
{
    ADD(&memory.asked, 1);
    CHECK(is_file(fd));
    CHECK_EQ(count, 1);
    CHECK_EQ(at, -1);
    CHECK_EQ(flags, RWF_NOWAIT);
    errno = memory.error != 0 ? memory.error : EAGAIN;
    if (memory.error != 0 || memory.limit == 0) return -1;
    size_t n = v->iov_len < memory.each ? v->iov_len : memory.each;
    if (n > memory.limit) n = memory.limit;
    ssize_t r = syscall(SYS_read, fd, v->iov_base, n);
    if (r > 0) memory.limit -= (size_t)r;
    return r;
}

ssize_t write(int fd, const void *buf, size_t n)
{
    if (is_file(fd)) {
        ADD(&writing, 1);
        while (sem_wait(&disk) != 0)
            continue;
    }
    return syscall(SYS_write, fd, buf, n);
}

ssize_t read(int fd, void *buf, size_t n)
{
    if (is_file(fd)) {
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

static void memory_has(size_t limit, size_t each)
{
    memory.error = 0;
    memory.limit = limit;
    memory.each = each;
    STORE(&memory.asked, 0);
    STORE(&most, 0); // of calls of the disk: none yet
}

// The disk answers so many calls.
static void disk_answers(int calls)
{
    for (int i = 0; i < calls; i++)
        CHECK_EQ(sem_post(&disk), 0);
}

static bool disk_was_asked(void)
{
    return LOAD(&most) != 0;
}

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
    memory_has(0, 0);
    STORE(&done, 0);
    gort_go(count_up, &counter);
    for (int i = 0; i < READERS; i++)
        gort_go(read_byte, NULL);
    WAIT_FOR(LOAD(&reading) == THREADS);
    int seen = LOAD(&counter);
    WAIT_FOR(LOAD(&counter) > seen + 1000);
    CHECK_EQ(LOAD(&done), 0);
    disk_answers(READERS);
    WAIT_FOR(LOAD(&done) == READERS);
    CHECK_EQ(LOAD(&most), THREADS);
}

// ---- what is in memory --------------------------------------------------------------------------

#define TEXT "0123456789"
#define TEXT_SIZE (sizeof TEXT - 1)
#define LARGE ((size_t)64 << 10) // the largest read that asks for what is in memory

static char text_path[] = "/tmp/gort-text-XXXXXX";

static int open_text(int flags)
{
    int fd = open(text_path, flags | O_CLOEXEC);
    CHECK_GE(fd, 0);
    return fd;
}

// Reads n bytes, of which there are `expected` of the text.
static void check_text(int fd, size_t n, size_t at, size_t expected)
{
    static char buf[2 * LARGE];
    memset(buf, 'x', sizeof buf);
    CHECK_EQ(gort_read(fd, buf, n), (ssize_t)expected);
    CHECK(memcmp(buf, &TEXT[at], expected) == 0);
    CHECK(buf[expected] == 'x');
}

TEST(cached_reads_need_no_disk)
{
    int fd = open_text(O_RDONLY);
    memory_has(SIZE_MAX, SIZE_MAX);
    check_text(fd, 4, 0, 4);
    check_text(fd, LARGE, 4, TEXT_SIZE - 4);
    check_text(fd, LARGE, 0, 0); // the end
    memory_has(SIZE_MAX, 1);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    check_text(fd, LARGE, 0, TEXT_SIZE);
    CHECK(!disk_was_asked());
    CHECK_EQ(gort_close_fd(fd), 0);
}

TEST(the_disk_has_the_rest)
{
    for (size_t there = 0; there < TEXT_SIZE; there++) {
        int fd = open_text(O_RDONLY);
        memory_has(there, 3);
        disk_answers(1);
        check_text(fd, TEXT_SIZE, 0, TEXT_SIZE);
        CHECK(disk_was_asked());
        CHECK_EQ(gort_close_fd(fd), 0);
    }
}

// Not asked again: the file system does not know; asked each time: anything else.
static void errors_ask_the_disk(int error, int asked)
{
    int fd = open_text(O_RDONLY);
    memory_has(0, 0);
    memory.error = error;
    for (size_t i = 0; i < TEXT_SIZE; i++) {
        disk_answers(1);
        check_text(fd, 1, i, 1);
    }
    CHECK_EQ(LOAD(&memory.asked), asked);
    CHECK_EQ(gort_close_fd(fd), 0);
}

TEST(errors)
{
    errors_ask_the_disk(EOPNOTSUPP, 1);
    errors_ask_the_disk(EAGAIN, TEXT_SIZE);
    errors_ask_the_disk(EIO, TEXT_SIZE);
    errors_ask_the_disk(EOPNOTSUPP, 1); // of the number's next file it is found out anew
}

TEST(large_reads_do_not_ask)
{
    int fd = open_text(O_RDONLY);
    memory_has(SIZE_MAX, SIZE_MAX);
    disk_answers(1);
    check_text(fd, LARGE + 1, 0, TEXT_SIZE);
    CHECK_EQ(LOAD(&memory.asked), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
}

// Not every file system opens one so.
TEST(the_disk_itself_is_not_asked_first)
{
    int fd = open(text_path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (fd < 0) return;
    char *page = aligned_alloc(4096, 4096);
    memory_has(SIZE_MAX, SIZE_MAX);
    disk_answers(1);
    CHECK_EQ(gort_read(fd, page, 4096), (ssize_t)TEXT_SIZE);
    CHECK_EQ(LOAD(&memory.asked), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    free(page);
}

static void write_text(void *fd)
{
    CHECK_EQ(gort_write(*(int *)fd, TEXT, TEXT_SIZE), (ssize_t)TEXT_SIZE);
    ADD(&done, 1);
}

static void read_some(void *fd)
{
    char byte;
    CHECK_GE(gort_read(*(int *)fd, &byte, 1), 0); // the position is the writer's
    ADD(&done, 1);
}

// Who writes has the file's position, for which a reader would wait without leaving its P.
TEST(not_beside_writes)
{
    int fd = open_text(O_RDWR);
    memory_has(SIZE_MAX, SIZE_MAX);
    STORE(&done, 0);
    STORE(&writing, 0);
    gort_go(write_text, &fd);
    WAIT_FOR(LOAD(&writing) == 1);
    gort_go(read_some, &fd);
    WAIT_FOR(LOAD(&reading) == 1); // the disk is asked
    CHECK_EQ(LOAD(&memory.asked), 0);
    disk_answers(2);
    WAIT_FOR(LOAD(&done) == 2);
    CHECK_EQ(gort_close_fd(fd), 0);
}

static void make_file(char *name, const char *text)
{
    int fd = mkstemp(name);
    CHECK_GE(fd, 0);
    disk_answers(1);
    CHECK_EQ(gort_write(fd, text, strlen(text)), (ssize_t)strlen(text));
    CHECK_EQ(gort_close_fd(fd), 0);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    CHECK_EQ(sem_init(&disk, 0, 0), 0);
    make_file(path, "x");
    make_file(text_path, TEXT);
    RUN_ON(1, readers_share_threads);
    RUN_ON(4, readers_share_threads);
    RUN(cached_reads_need_no_disk);
    RUN(the_disk_has_the_rest);
    RUN(errors);
    RUN(large_reads_do_not_ask);
    RUN(the_disk_itself_is_not_asked_first);
    RUN_ON(1, not_beside_writes);
    RUN_ON(4, not_beside_writes);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(unlink(text_path), 0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
