// A mixed soak: everything at once, for as long as one likes, with flat memory.
//
//     SOAK_SECONDS=1800 build/release/test/stress/soak_long
//
// Time is cut into windows. In each, goroutines of all kinds run beside each other until the window
// is over: they send, sleep, talk over sockets and pipes, read files, change maps, lock, build
// trees, start others, panic, cancel, block, and attach threads, while one collects and changes the
// number of Ps. Each kind keeps a book: what was given must have been taken when all have ended (a
// message sent was received, a timer set was called or stopped, ...), each once, and its contents
// are checked on the way.
//
// Between windows nothing of them is left: as many goroutines and descriptors as before the first;
// and of memory not more than what the first window left, but for a share that does not grow with
// the number of windows. That is for what conservative marking keeps by stale words, and what the
// runtime keeps for the most goroutines there were. How fast anything is, the machine decides:
// nothing is asserted of it.
//
// TEST modes=none timeout=1200
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include <dirent.h>

#include "soak_waits.h"
#include "soak_works.h"

#define SECONDS 60    // as it comes; SOAK_SECONDS
#define WINDOWS 10    // at least
#define WINDOW_MAX 30 // seconds

// Bytes of objects, and resident ones with stacks, tables and what the C library has: see above. A
// window has about so much alive at once, and makes gigabytes.
#define HEAP_SHARE (1 << 20)
#define MEMORY_SHARE (32 << 20)
// 64 calls of files, 24 other blocking calls, 5 for each of 8 Ps, some of the runtime's.
#define THREADS_MAX 160

// ---- windows ------------------------------------------------------------------------------------

static void start_all(void)
{
    start_channels();
    start(4, set_timers, NULL);
    start(4, wait_for_times, NULL);
    start_line(&tcp, 6);
    start_line(&local, 6);
    start(4, use_pipes, NULL);
    start(4, use_files, NULL);
    start(3, change_map, NULL);
    gort_set(&shared_map, gort_cmap_make(int64_t, struct parcel *, 0));
    for (uintptr_t i = 0; i < 3; i++)
        start(1, change_shared_map, (void *)i);
    start(4, use_locks, NULL);
    start(3, build_trees, NULL);
    start(3, start_others, NULL);
    start(2, panic_and_catch, NULL);
    start(3, cancel_waits, NULL);
    start(4, block, NULL);
    gort_set(&from_threads, gort_chan_make(int64_t, 0));
    start(1, use_threads, NULL);
    start(1, disturb, NULL);
}

// What the globals reach is of this window.
static void drop_all(void)
{
    for (int i = 0; i < LINES; i++)
        gort_set(&lines[i], NULL);
    gort_set(&from_threads, NULL);
    CHECK_EQ(gort_cmap_len(shared_map), 0);
    gort_set(&shared_map, NULL);
}

static void check_books(void)
{
    for (int i = 0; i < LAWS; i++) {
        test_current = law_names[i];
        WAIT_FOR(LOAD(&taken[i]) == LOAD(&given[i])); // timers' functions may be on their way
        CHECK_GT(LOAD(&given[i]), 0);
    }
    test_current = "between windows";
    check_accounts();
}

static int64_t count_entries(const char *path)
{
    int64_t n = 0;
    DIR *d = opendir(path);
    CHECK(d != NULL);
    while (readdir(d) != NULL)
        n++;
    CHECK_EQ(closedir(d), 0);
    return n - 2; // . and ..
}

static int64_t resident(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f != NULL);
    CHECK_EQ(fscanf(f, "%*d %lld", &pages), 1);
    CHECK_EQ(fclose(f), 0);
    return pages * sysconf(_SC_PAGESIZE);
}

struct left {
    int64_t goroutines, fds, threads, heap, memory, cycles;
};

static struct left look(void)
{
    gort_stats s;
    gort_gc();
    gort_gc(); // the first may have begun while a window's last goroutines ran
    gort_free_os_memory();
    gort_read_stats(&s);
    return (struct left){
        .goroutines = gort_num_goroutines(),
        .fds = count_entries("/proc/self/fd"),
        .threads = count_entries("/proc/self/task"),
        .heap = (int64_t)s.heap_alloc,
        .memory = resident(),
        .cycles = (int64_t)s.num_gc,
    };
}

static void print(int window, const struct left *l)
{
    printf("window %3d: %" PRId64 " goroutines, %" PRId64 " descriptors, %" PRId64
           " threads, %" PRId64 " KB of objects, %" PRId64 " KB resident, %" PRId64
           " cycles; so far",
           window, l->goroutines, l->fds, l->threads, l->heap >> 10, l->memory >> 10, l->cycles);
    for (int i = 0; i < LAWS; i++)
        printf(" %s %" PRId64, law_names[i], given[i]);
    printf("\n");
    fflush(stdout);
}

static void one_window(int64_t seconds)
{
    test_current = "a window";
    STORE(&over, 0);
    start_all();
    gort_sleep(seconds * GORT_S);
    STORE(&over, 1);
    gort_waitgroup_wait(&workers);
    check_books();
    drop_all();
}

// Some descriptors are the runtime's from the first use on: all kinds have been used before.
static void soak(int64_t seconds)
{
    int64_t length = seconds / WINDOWS < 1 ? 1 : seconds / WINDOWS;
    if (length > WINDOW_MAX) length = WINDOW_MAX;
    int goroutines = gort_num_goroutines();
    struct left first = { 0 };
    for (int i = 0; i == 0 || i < seconds / length; i++) {
        one_window(length);
        WAIT_FOR(gort_num_goroutines() == goroutines); // the last ones leave
        struct left now = look();
        print(i, &now);
        if (i == 0) first = now;
        CHECK_EQ(now.fds, first.fds);
        CHECK_LE(now.threads, THREADS_MAX);
        CHECK_LE(now.heap, first.heap + HEAP_SHARE);
        if (!SANITIZED) CHECK_LE(now.memory, first.memory + MEMORY_SHARE);
    }
}

static int run(int argc, char **argv)
{
    const char *text = getenv("SOAK_SECONDS");
    char *rest = NULL;
    int64_t seconds = text != NULL ? strtoll(text, &rest, 10) : SECONDS;
    (void)argc, (void)argv;
    if (text != NULL && (rest == text || *rest != '\0' || seconds <= 0 || seconds > 1000000)) {
        fprintf(stderr, "SOAK_SECONDS: not a number of seconds: %s\n", text);
        return 1;
    }
    CHECK(mkdtemp(directory) != NULL);
    snprintf(unix_address, sizeof unix_address, "%s/socket", directory);
    soak(seconds);
    CHECK_EQ(rmdir(directory), 0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
