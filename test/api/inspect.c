// What a program sees of itself: its goroutines, on a descriptor, and the machine.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <gort.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")

static gort_chan(int) c;
static gort_chan(int) started;

// All that is written to a file, in malloc's memory.
static char *text_of(int (*write_to)(int fd))
{
    char path[] = "/tmp/gort-inspect-XXXXXX";
    int fd = mkstemp(path);
    CHECK_GE(fd, 0);
    unlink(path);
    CHECK_EQ(write_to(fd), 0);
    off_t n = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)n + 1);
    CHECK_EQ(pread(fd, text, (size_t)n, 0), n);
    close(fd);
    return text;
}

NOINLINE static void wait_here(gort_chan(int) on)
{
    gort_recv(on, NULL);
    RETURN_HERE();
}

NOINLINE static void waiter(void *arg)
{
    gort_send(started, 1);
    wait_here(arg);
    RETURN_HERE();
}

static int stop_spinning, spinning;

NOINLINE static void spin_here(void)
{
    __atomic_store_n(&spinning, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&stop_spinning, __ATOMIC_RELAXED))
        __asm__ volatile("" ::: "memory");
    RETURN_HERE();
}

NOINLINE static void spinner(void *arg)
{
    (void)arg;
    spin_here();
    gort_send(started, 1);
    RETURN_HERE();
}

NOINLINE static void start_here(const char *name, void (*fn)(void *))
{
    gort_go_opt(&(gort_go_options){ .name = name }, fn, (void *)(uintptr_t)c);
    RETURN_HERE();
}

NOINLINE static char *call_here(void)
{
    char *text = text_of(gort_goroutines_write);
    RETURN_HERE();
    return text;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

TEST(all_goroutines_are_written)
{
    enum { WAITERS = 20 };
    gort_set(&c, gort_chan_make(int, 0));
    gort_set(&started, gort_chan_make(int, 0));
    for (int i = 0; i < WAITERS; i++)
        start_here("waiter", waiter);
    for (int i = 0; i < WAITERS; i++)
        gort_recv(started, NULL);
    start_here("spinner", spinner);
    while (!__atomic_load_n(&spinning, __ATOMIC_SEQ_CST))
        gort_sleep(GORT_MS);
    while (gort_chan_len(c) != 0) // all of them wait, or will at once
        gort_yield();
    char *text = call_here();
    CHECK(strncmp(text, "\ngoroutine 1 [running]:\ngort_goroutines_write(...)\n", 50) == 0);
    CHECK_STR_HAS(text, "\ncall_here(...)\n");
    CHECK_EQ(count(text, ", waiter]:\n"), WAITERS);
    CHECK_EQ(count(text, "\nwaiter(...)\n"), WAITERS);
    CHECK_STR_HAS(text, ", spinner]:\n");
    CHECK_EQ(count(text, "\nspin_here(...)\n"), 1);
    CHECK_EQ(count(text, "\ncreated by start_here in goroutine 1\n"), WAITERS + 1);
    CHECK(strstr(text, "not available") == NULL);
    CHECK(strstr(text, "system]") == NULL);
    free(text);
    __atomic_store_n(&stop_spinning, 1, __ATOMIC_SEQ_CST);
    gort_recv(started, NULL);
    gort_close(c);
}

static int written(int fd)
{
    return gort_goroutines_write(fd);
}

static int pipe_fds[2];
static size_t bytes_read;

static void reader(void *arg)
{
    char buf[100];
    ssize_t n;
    (void)arg;
    while ((n = gort_read(pipe_fds[0], buf, sizeof buf)) > 0)
        bytes_read += (size_t)n;
    gort_send(started, 1);
}

// More than a pipe holds, read by a goroutine: nothing is written while the world is stopped.
TEST(a_goroutine_reads_it)
{
    enum { WAITERS = 500 };
    gort_set(&c, gort_chan_make(int, 0));
    for (int i = 0; i < WAITERS; i++)
        gort_go(waiter, (void *)(uintptr_t)c);
    for (int i = 0; i < WAITERS; i++)
        gort_recv(started, NULL);
    CHECK_EQ(pipe(pipe_fds), 0);
    gort_go(reader, NULL);
    CHECK_EQ(written(pipe_fds[1]), 0);
    CHECK_EQ(gort_close_fd(pipe_fds[1]), 0);
    gort_recv(started, NULL);
    CHECK_GT(bytes_read, 65536u);
    gort_close_fd(pipe_fds[0]);
    gort_close(c);
}

TEST(errors)
{
    errno = 0;
    CHECK_EQ(gort_goroutines_write(-1), -1);
    CHECK_EQ(errno, EBADF);
}

TEST(machine)
{
    gort_machine m;
    cpu_set_t mask;
    gort_read_machine(&m);
    CHECK_EQ(sched_getaffinity(getpid(), sizeof mask, &mask), 0);
    CHECK_EQ(m.cpus, CPU_COUNT(&mask));
    CHECK_EQ(m.procs, gort_max_procs(0));
    CHECK_EQ(m.page_size, (size_t)sysconf(_SC_PAGESIZE));
    CHECK(m.huge_page_size % m.page_size == 0);
    CHECK_GE((int)(m.cpu_quota * 1000), 0);
#ifdef __x86_64__
    CHECK_STR_EQ(m.arch, "amd64");
#endif
    CHECK_STR_EQ(m.os, "linux");
    CHECK(m.version[0] >= '0' && m.version[0] <= '9' && strchr(m.version, '.') != NULL);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(all_goroutines_are_written);
    RUN(a_goroutine_reads_it);
    RUN(errors);
    RUN(machine);
    return 0;
}

int main(int argc, char **argv)
{
    gort_machine m;
    gort_read_machine(&m); // before gort_run
    CHECK_EQ(m.procs, 0);
    CHECK_GE(m.cpus, 1);
    return gort_run(main_goroutine, argc, argv);
}
