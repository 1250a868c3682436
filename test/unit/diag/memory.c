// Every byte that the runtime has from the kernel is in one class of its statistics: the classes'
// sum, the sum of what was mapped, and the kernel's own list of mappings agree, to the byte,
// whatever the program did.
//
// The list is compared by its growth since before the runtime began.  malloc is kept in one heap
// that grows by brk, which is not counted; the threads' guards are mappings of libc.
//
// TEST skip=asan,tsan,emulated
// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <gort.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

#include "gc/memory.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sched.h"
#include "test.h"

// ---- the kernel's list --------------------------------------------------------------------------

static char maps[1 << 20];

static void read_maps(void)
{
    size_t used = 0;
    ssize_t n;
    int fd = open("/proc/self/maps", O_RDONLY);
    CHECK_GE(fd, 0);
    while ((n = read(fd, maps + used, sizeof maps - 1 - used)) > 0)
        used += (size_t)n;
    CHECK_LT(used, sizeof maps - 1);
    maps[used] = '\0';
    close(fd);
}

// Bytes of private mappings that are no file's, the program's data and brk's heap apart.
static uint64_t anonymous_bytes(void)
{
    uint64_t sum = 0;
    read_maps();
    for (char *line = maps, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        unsigned long lo, hi, inode;
        int name = 0;
        *end = '\0';
        CHECK_EQ(sscanf(line, "%lx-%lx %*s %*s %*s %lu %n", &lo, &hi, &inode, &name), 3);
        if (inode == 0 && line[name] == '\0') sum += hi - lo;
    }
    return sum;
}

// ---- both sums ----------------------------------------------------------------------------------

static uint64_t maps_before, kernel_before;

static uint64_t asked(void)
{
    return os_mem_mapped() + os_thread_stack_bytes() +
           (uint64_t)os_threads_made() * os_page_size(); // guards
}

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

// gort_stats divides the same bytes.
static bool stats_agree(void)
{
    gort_stats s;
    gort_read_stats(&s);
    CHECK_LE(s.heap_released, s.heap_sys);
    CHECK_LE(s.heap_alloc, s.heap_sys - s.heap_released);
    double heap =
        metric("/memory/classes/heap/objects:bytes") + metric("/memory/classes/heap/unused:bytes") +
        metric("/memory/classes/heap/free:bytes") + metric("/memory/classes/heap/released:bytes") +
        metric("/gort/gc/work-buffers:bytes");
    return heap == (double)s.heap_sys &&
           metric("/memory/classes/heap/stacks:bytes") == (double)s.stack_sys &&
           metric("/memory/classes/total:bytes") ==
               (double)s.heap_sys + (double)s.stack_sys + (double)s.meta_sys;
}

static bool agrees(bool report)
{
    const gort_metric *all;
    double total = 0, reserved = 0, mapped = 0, sum = 0;
    size_t n = gort_metrics(&all);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].name, "/memory/classes/total:bytes") == 0)
            total = all[i].value;
        else if (strncmp(all[i].name, "/memory/classes/", 16) == 0)
            sum += all[i].value;
        if (strcmp(all[i].name, "/gort/memory/reserved:bytes") == 0) reserved = all[i].value;
        if (strcmp(all[i].name, "/gort/memory/mapped:bytes") == 0) mapped = all[i].value;
    }
    CHECK(sum == total); // always
    uint64_t in_maps = anonymous_bytes() - maps_before, in_calls = asked() - kernel_before;
    if (report)
        fprintf(stderr,
                "classes %.0f + reserved %.0f, mapped %.0f (more by %.0f); maps %lu, calls %lu\n",
                total, reserved, mapped, mapped - total - reserved, (unsigned long)in_maps,
                (unsigned long)in_calls);
    return total + reserved == mapped && in_maps == in_calls && stats_agree();
}

// The runtime's threads may be in the middle of something, but not for ever: the time limit is the
// other end.
static void check_sums(void)
{
    for (int i = 1; !agrees(i % 4096 == 0); i++)
        gort_sleep(GORT_MS);
}

// ---- what takes memory --------------------------------------------------------------------------

static char *kept[4096];

TEST(at_the_start)
{
    check_sums();
}

TEST(objects_of_all_sizes)
{
    for (size_t i = 0; i < array_len(kept); i++)
        gort_set(&kept[i], (char *)gort_alloc(i * i % 100000 + i));
    check_sums();
    gort_set(&kept[0], (char *)gort_alloc_noscan((size_t)300 << 20)); // a larger arena
    check_sums();
    gort_set(&kept[1], (char *)gort_alloc((size_t)3 << 30)); // another region of the page tables
    check_sums();
    for (size_t i = 0; i < array_len(kept); i++)
        gort_set(&kept[i], (char *)NULL);
    gort_gc();
    gort_gc();
    check_sums();
}

static void dirties(void *wg)
{
    memset(gort_alloc_noscan(20 << 20), 1, 20 << 20);
    gort_waitgroup_done(wg);
}

// Where nothing is left on a stack that is looked at.
static void on_goroutine_of_its_own(void)
{
    static gort_waitgroup wg;
    gort_waitgroup_add(&wg, 1);
    gort_go(dirties, &wg);
    gort_waitgroup_wait(&wg);
}

TEST(memory_given_back)
{
    static const char released[] = "/memory/classes/heap/released:bytes";
    on_goroutine_of_its_own();
    double live = metric("/memory/classes/heap/objects:bytes");
    CHECK(live >= 20 << 20);
    do // the goroutine may still be about to end, its stack a root
        gort_gc();
    while (metric("/memory/classes/heap/objects:bytes") > live - (20 << 20));
    crit_enter();
    size_t n = heap_release_free(SIZE_MAX);
    crit_exit();
    CHECK(metric(released) >= (double)n); // the scavenger may have been faster
    CHECK(metric(released) >= 10 << 20);
    check_sums();
}

static gort_chan(int) gate;
static gort_waitgroup done;

static void sleeper(void *arg)
{
    gort_sleep(arg != NULL ? GORT_MS : GORT_US);
    gort_recv(gate, NULL);
    gort_waitgroup_done(&done);
}

static void release_sleepers(void)
{
    gort_close(gate);
    gort_waitgroup_wait(&done);
}

// Stacks of every size, their records, their waiters, timers.
TEST(goroutines)
{
    gort_set(&gate, gort_chan_make(int, 0));
    for (int64_t i = 0; i < test_count(3000); i++) {
        gort_go_options o = { .stack_size = (size_t)65536 << (i % 10) };
        gort_waitgroup_add(&done, 1);
        gort_go_opt(&o, sleeper, i % 2 ? &gate : NULL);
    }
    check_sums();
    release_sleepers();
    check_sums();
}

static int fired;
static void finalized(void *p)
{
    (void)p;
    __atomic_fetch_add(&fired, 1, __ATOMIC_RELAXED);
}

TEST(finalizers)
{
    for (int64_t i = 0; i < test_count(5000); i++)
        gort_set_finalizer(gort_alloc_noscan(64), finalized);
    check_sums();
    gort_gc();
    check_sums();
}

TEST(registered_roots)
{
    static uintptr_t range[3000];
    for (size_t i = 0; i < array_len(range); i++)
        gort_root_add(&range[i], 8);
    check_sums();
    gort_gc();
    check_sums();
    for (size_t i = 0; i < array_len(range); i++)
        gort_root_remove(&range[i]);
    check_sums();
}

// Records of descriptors: of the poller's and of the network calls'.
static void on_descriptor(int fd)
{
    int ends[2];
    char c = 1;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(dup2(ends[0], fd), fd);
    CHECK_EQ(gort_write(ends[1], &c, 1), 1);
    CHECK_EQ(gort_read(fd, &c, 1), 1);
    CHECK_EQ(gort_close_fd(fd), 0);
    CHECK_EQ(gort_close_fd(ends[0]), 0);
    CHECK_EQ(gort_close_fd(ends[1]), 0);
}

TEST(descriptors)
{
    struct rlimit r;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &r), 0);
    for (int fd = 100; (rlim_t)fd < r.rlim_cur && fd < 20000; fd = 2 * fd + 1) {
        on_descriptor(fd);
        check_sums();
    }
}

static void *attached(void *unused)
{
    CHECK_EQ(gort_thread_attach(), 0);
    memset(gort_alloc(100), 1, 100);
    gort_thread_detach();
    return unused;
}

// On stacks of the test's own, which are no mappings.
TEST(attached_threads)
{
    static char stack[4][1 << 18] __attribute__((aligned(4096)));
    for (int round = 0; round < 3; round++) {
        pthread_t t[4];
        for (int i = 0; i < 4; i++) {
            pthread_attr_t attr;
            CHECK_EQ(pthread_attr_init(&attr), 0);
            CHECK_EQ(pthread_attr_setstack(&attr, stack[i], sizeof stack[i]), 0);
            CHECK_EQ(pthread_create(&t[i], &attr, attached, NULL), 0);
            pthread_attr_destroy(&attr);
        }
        for (int i = 0; i < 4; i++) {
            gort_enter_blocking();
            pthread_join(t[i], NULL);
            gort_exit_blocking();
        }
        check_sums();
    }
}

static void busy(void *arg)
{
    for (int64_t i = test_count(20000); i > 0; i--)
        memset(gort_alloc((size_t)i % 700 + 1), 1, 1);
    gort_waitgroup_done(arg);
}

TEST(more_and_fewer_processors)
{
    static const int counts[] = { 1, 16, 2, 16, 3, 8 };
    int old = gort_max_procs(0);
    for (size_t i = 0; i < array_len(counts); i++) {
        gort_max_procs(counts[i]);
        for (int k = 0; k < 8; k++) {
            gort_waitgroup_add(&done, 1);
            gort_go(busy, &done);
        }
        gort_waitgroup_wait(&done);
        gort_gc();
        check_sums();
        CHECK(metric("/memory/classes/metadata/mcache/inuse:bytes") ==
              (double)(counts[i] * sizeof(struct mcache)));
    }
    CHECK(metric("/memory/classes/metadata/mcache/free:bytes") ==
          (double)(8 * sizeof(struct mcache)));
    gort_max_procs(old);
}

// A mapping that nobody counts is seen: the sums do not agree by construction.
TEST(a_mapping_in_no_class_is_seen)
{
    void *p = os_mem_map(NULL, 1 << 16);
    CHECK(!agrees(false));
    os_mem_unmap(p, 1 << 16);
    check_sums();
    uint64_t nobody = 0;
    p = persistent_map(100, &nobody);
    CHECK_EQ(nobody, os_page_size());
    CHECK(!agrees(false));
    persistent_unmap(p, 100, &nobody);
    CHECK_EQ(nobody, 0);
    check_sums();
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(at_the_start);
    RUN(objects_of_all_sizes);
    RUN(memory_given_back);
    RUN(goroutines);
    RUN(finalizers);
    RUN(registered_roots);
    RUN(descriptors);
    RUN(attached_threads);
    RUN(more_and_fewer_processors);
    RUN(a_mapping_in_no_class_is_seen);
    return 0;
}

int main(int argc, char **argv)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    free(malloc(1000));
    maps_before = anonymous_bytes();
    kernel_before = asked();
    return gort_run(run, argc, argv);
}
