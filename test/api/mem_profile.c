// The memory profile: exact where each allocation is sampled, near the truth where one in many is;
// frees are accounted to the collection that found them; errors of the descriptor are told.
//
// Places that allocate are told apart by their return addresses: SITE makes a function of its own,
// whose call of the allocator is not its last act.
//
// TEST timeout=120 notmodes=efence,gcefence
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <gort.h>
#include <math.h>
#include <signal.h>
#include <sys/mman.h>

#include "pprof.h"

typedef struct node {
    struct node *next;
    long words[5];
} node;
GORT_TYPE(node, next);
typedef struct quarter {
    char bytes[1024];
} quarter;
GORT_TYPE(quarter);

static void **keep;
static node *list;

#define SITE(name, argument, ...)                                                                  \
    __attribute__((noinline)) static void *name(argument)                                          \
    {                                                                                              \
        void *x = __VA_ARGS__;                                                                     \
        __asm__ volatile("" : "+r"(x) : : "memory");                                               \
        return x;                                                                                  \
    }
SITE(make_tiny, void, gort_alloc_noscan(5))
SITE(make_node, void, gort_new(node))
SITE(make_array, void, gort_new_array(long, 50))
SITE(make_quarter, void, gort_new(quarter))
SITE(make_large, void, gort_alloc(100000))
SITE(make_bytes, size_t n, gort_alloc_noscan(n))
SITE(make_scanned, size_t n, gort_alloc(n))
SITE(make_chan, void, (void *)(uintptr_t)gort_chan_make(long, 10))
SITE(make_kept, void, gort_new(node))

static struct profile *profile_now(void)
{
    int fd = memfd_create("profile", 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_mem_profile_write(fd), 0);
    struct profile *p = pprof_read(fd);
    close(fd);
    return p;
}

struct sums {
    int64_t v[4];
    uint64_t bytes; // of the largest sample
    unsigned nsamples;
};

// The samples whose innermost frame lies in the function.
static struct sums of_site(const struct profile *p, uintptr_t function)
{
    uintptr_t starts[] = { (uintptr_t)make_tiny,    (uintptr_t)make_node,  (uintptr_t)make_array,
                           (uintptr_t)make_quarter, (uintptr_t)make_large, (uintptr_t)make_bytes,
                           (uintptr_t)make_scanned, (uintptr_t)make_chan,  (uintptr_t)make_kept };
    uintptr_t end = function + 4096;
    struct sums sums = { .nsamples = 0 };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (starts[i] > function && starts[i] < end) end = starts[i];
    if (end > function + 256) end = function + 256; // the last one
    for (size_t i = 0; i < p->nsamples; i++) {
        const struct sample *s = &p->samples[i];
        if (s->nlocations == 0 || s->location[0] < function || s->location[0] >= end) continue;
        sums.nsamples++;
        for (int k = 0; k < 4; k++)
            sums.v[k] += s->value[k];
        if (s->bytes > sums.bytes) sums.bytes = s->bytes;
    }
    return sums;
}

#define SITE_SUMS(p, f) of_site((p), (uintptr_t)(f))

static void collect(void)
{
    gort_gc();
}

// ---- exact

#define KEEP 4096

__attribute__((noinline)) static void make_all(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *x[] = { make_tiny(), make_node(), make_array(), make_quarter(), make_chan() };
        for (size_t k = 0; k < 5; k++)
            if (i % 2 == 0) gort_set(&keep[5 * (i / 2) + k], x[k]);
    }
    for (size_t i = 0; i < 20; i++) {
        void *x = make_large();
        if (i % 2 == 0) gort_set(&keep[KEEP - 1 - i / 2], x);
    }
}

__attribute__((noinline)) static void clear_stack(void)
{
    char bytes[16384];
    memset(bytes, 0, sizeof bytes);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

// n made, half of them kept; a few more may be, for their addresses still lie somewhere.
static void check_site(const struct sums *s, int64_t n, int64_t size)
{
    CHECK_EQ(s->v[0], n);
    CHECK_EQ(s->v[1], n * size);
    CHECK_GE(s->v[2], n / 2);
    CHECK_LE(s->v[2], n / 2 + 8);
    CHECK_EQ(s->v[3], s->v[2] * size);
    CHECK_EQ(s->bytes, size);
}

TEST(exact_sizes_and_frees)
{
    int64_t n = test_count(1000);
    gort_set(&keep, (void **)gort_alloc(KEEP * sizeof *keep));
    make_all((size_t)n);
    clear_stack();
    collect();
    collect(); // what a first one found by a stale word is gone
    struct profile *p = profile_now();
    struct {
        void *(*f)(void);
        int64_t n, size;
    } sites[] = { { make_tiny, n, 16 },
                  { make_node, n, 48 },
                  { make_array, n, 416 },
                  { make_quarter, n, 1024 },
                  { make_large, 20, 106496 } };
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
        struct sums s = SITE_SUMS(p, sites[i].f);
        check_site(&s, sites[i].n, sites[i].size);
    }
    CHECK_EQ(SITE_SUMS(p, make_chan).v[0], n); // not inside the library
    CHECK_EQ(p->period, 1);
    pprof_free(p);
}

TEST(dropped_objects_are_freed)
{
    gort_set(&keep, (void **)NULL);
    clear_stack();
    collect();
    collect();
    struct profile *p = profile_now();
    struct sums s = SITE_SUMS(p, make_quarter);
    CHECK_GT(s.v[0], 0);
    CHECK_LE(s.v[2], 8);
    CHECK_LE(SITE_SUMS(p, make_large).v[2], 4);
    pprof_free(p);
}

TEST(head_of_the_file)
{
    static const char *const types[] = { "alloc_objects", "alloc_space", "inuse_objects",
                                         "inuse_space" };
    static const char *const units[] = { "count", "bytes", "count", "bytes" };
    struct profile *p = profile_now();
    for (int i = 0; i < 4; i++) {
        CHECK(pprof_text_is(p, p->type[i], types[i]));
        CHECK(pprof_text_is(p, p->unit[i], units[i]));
    }
    CHECK(pprof_text_is(p, p->default_text, "inuse_space"));
    // The first mapping is this program.
    uintptr_t here = (uintptr_t)make_tiny;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK_GT(n, 0);
    self[n] = '\0';
    CHECK(pprof_text_is(p, p->mapping_file[0], self));
    CHECK(here >= p->mapping_start[0] && here < p->mapping_limit[0]);
    for (size_t i = 0; i < p->nlocations; i++)
        if (p->location[i] == here) CHECK_EQ(p->location_mapping[i], 1);
    pprof_free(p);
}

static uint64_t collections(void)
{
    gort_stats s;
    gort_read_stats(&s);
    return s.num_gc;
}

// What was allocated since the last collection is not in the profile yet.
TEST(the_state_is_that_of_a_collection)
{
    collect();
    uint64_t gcs = collections();
    struct profile *p = profile_now();
    int64_t before = SITE_SUMS(p, make_node).v[0];
    pprof_free(p);
    for (int i = 0; i < 10; i++)
        make_node();
    p = profile_now();
    int64_t after = SITE_SUMS(p, make_node).v[0];
    pprof_free(p);
    if (collections() == gcs) CHECK_EQ(after, before);
    collect();
    p = profile_now();
    CHECK_EQ(SITE_SUMS(p, make_node).v[0], before + 10);
    pprof_free(p);
}

// Between the end of marking and that of the sweep the dead are not counted as in use: the state is
// then that of the collection before.  What is made right after a collection is made before the
// next one begins, but where that is asked for at any time.
TEST(what_is_not_swept_is_not_in_use)
{
    enum { DEAD = 1000, STALE = 100 };
    const char *debug = getenv("GORTDEBUG");
    bool any_time = debug != NULL && strstr(debug, "gcstress") != NULL;
    for (int round = 0; round < 10; round++) {
        collect();
        uint64_t gcs = collections();
        for (int i = 0; i < DEAD; i++)
            make_quarter();
        while (collections() == gcs)
            for (int i = 0; i < 64; i++)
                make_array();
        struct profile *p = profile_now();
        if (!any_time) CHECK_LE(SITE_SUMS(p, make_quarter).v[2], STALE);
        pprof_free(p);
    }
}

static gort_sema finalized;

static void on_final(void *obj)
{
    (void)obj;
    gort_sema_release(&finalized);
}

__attribute__((noinline)) static void make_finalized(int n)
{
    for (int i = 0; i < n; i++)
        gort_set_finalizer(make_kept(), on_final);
}

// A sample does not keep an object, a finalizer does until it ran; then it counts as freed.
TEST(finalized_objects_are_freed_later)
{
    enum { N = 50 };
    gort_sema_init(&finalized, 0);
    make_finalized(N);
    clear_stack();
    collect();
    for (int i = 0; i < N - 8; i++)
        gort_sema_acquire(&finalized);
    collect();
    collect();
    struct profile *p = profile_now();
    struct sums s = SITE_SUMS(p, make_kept);
    CHECK_EQ(s.v[0], N);
    CHECK_LE(s.v[2], 16);
    pprof_free(p);
}

static int64_t deep(int64_t depth)
{
    int64_t n = depth > 0 ? deep(depth - 1) : (make_bytes(24), 0);
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

TEST(deep_stacks_are_cut)
{
    CHECK_EQ(deep(500), 501);
    collect();
    struct profile *p = profile_now();
    size_t longest = 0;
    for (size_t i = 0; i < p->nsamples; i++)
        if (p->samples[i].nlocations > longest) longest = p->samples[i].nlocations;
    CHECK_EQ(longest, PPROF_LOCATIONS);
    CHECK_EQ(SITE_SUMS(p, make_bytes).v[1], 32); // aligned to 16
    pprof_free(p);
}

// ---- sampled

// Expected of the place that has the fewest. Their deviation is one in 64, 1.6 %.
#define SAMPLES 4096

static gort_waitgroup wg;

static void churn_small(void *n)
{
    for (int64_t i = *(int64_t *)n; i > 0; i--)
        make_scanned(i % 2 == 0 ? 64 : 60);
    gort_waitgroup_done(&wg);
}

static void churn_quarters(void *n)
{
    for (int64_t i = *(int64_t *)n / 16; i > 0; i--)
        make_bytes(1024);
    gort_waitgroup_done(&wg);
}

static void churn_large(void *n)
{
    for (int64_t i = *(int64_t *)n / 640; i > 0; i--)
        make_large();
    gort_waitgroup_done(&wg);
}

static void hold_nodes(void *n)
{
    for (int64_t i = *(int64_t *)n * 64 / 48; i > 0; i--) {
        node *x = make_kept();
        gort_init(&x->next, list);
        gort_set(&list, x);
    }
    gort_waitgroup_done(&wg);
}

// Eight standard deviations of 4000 samples: chance is so far off once in 1e14 times.
static bool is_near(int64_t got, int64_t want)
{
    bool near = fabs((double)got - (double)want) <= 0.13 * (double)want;
    if (!near) fprintf(stderr, "%" PRId64 " is not near %" PRId64 "\n", got, want);
    return near;
}

// Four goroutines make small objects, four quarters, four large ones; one keeps what it makes.
TEST(samples_estimate_the_whole)
{
    int64_t n = test_count(200000), each = n * 64, all = 4 * each;
    struct profile *p = profile_now();
    struct sums small = SITE_SUMS(p, make_scanned), quarters = SITE_SUMS(p, make_bytes),
                large = SITE_SUMS(p, make_large), kept = SITE_SUMS(p, make_kept);
    pprof_free(p);
    CHECK_EQ(gort_set_mem_profile_rate(each / SAMPLES + 1), 1);
    CHECK_EQ(gort_set_mem_profile_rate(-1), each / SAMPLES + 1);
    for (int i = 0; i < 4; i++) {
        gort_waitgroup_add(&wg, 3);
        gort_go_copy(churn_small, &n, sizeof n);
        gort_go_copy(churn_quarters, &n, sizeof n);
        gort_go_copy(churn_large, &n, sizeof n);
    }
    gort_waitgroup_add(&wg, 1);
    gort_go_copy(hold_nodes, &n, sizeof n);
    gort_waitgroup_wait(&wg);
    collect();
    p = profile_now();
    struct sums s = SITE_SUMS(p, make_scanned);
    CHECK(is_near(s.v[1] - small.v[1], all));
    CHECK(is_near(s.v[0] - small.v[0], 4 * n));
    CHECK_LE(s.v[3], all / 20);
    s = SITE_SUMS(p, make_bytes);
    CHECK(is_near(s.v[1] - quarters.v[1], all));
    s = SITE_SUMS(p, make_large);
    CHECK(is_near(s.v[1] - large.v[1], 4 * (n / 640) * 106496));
    s = SITE_SUMS(p, make_kept);
    CHECK(is_near(s.v[3] - kept.v[3], n * 64 / 48 * 48));
    CHECK_EQ(p->period, each / SAMPLES + 1);
    pprof_free(p);
    gort_set(&list, (node *)NULL);
}

static int64_t allocated_at(void *(*site)(size_t))
{
    struct profile *p = profile_now();
    int64_t bytes = SITE_SUMS(p, site).v[1];
    pprof_free(p);
    return bytes;
}

// Objects whose pages are a quarter more than their bytes; one in five is sampled.
TEST(large_objects_are_sampled_by_their_pages)
{
    enum { SIZE = 33000, PAGES = 40960 };
    int64_t n = test_count(20000), before = allocated_at(make_bytes);
    gort_set_mem_profile_rate(n * PAGES / 4000); // about 4000 samples
    for (int64_t i = 0; i < n; i++)
        make_bytes(SIZE);
    collect();
    CHECK(is_near(allocated_at(make_bytes) - before, n * PAGES));
}

static double metric(const char *name)
{
    double v = -1;
    CHECK_EQ(gort_metric_read(name, &v), 0);
    return v;
}

// What is in the block of tiny objects when every allocation becomes observed is not packed on.
TEST(tiny_objects_from_now_on)
{
    int64_t rate = gort_set_mem_profile_rate(0);
    uintptr_t before = (uintptr_t)gort_alloc_noscan(1);
    gort_set_mem_profile_rate(1);
    uintptr_t after = (uintptr_t)gort_alloc_noscan(1);
    gort_set_mem_profile_rate(rate);
    CHECK_NE(before / 16, after / 16);
}

TEST(off_is_off)
{
    int64_t rate = gort_set_mem_profile_rate(0);
    CHECK_GT(rate, 1);
    double before = metric("/gort/profile/memory/samples:objects");
    for (int64_t i = test_count(100000); i > 0; i--)
        make_bytes(1024);
    CHECK(metric("/gort/profile/memory/samples:objects") == before);
    CHECK_EQ(gort_set_mem_profile_rate(1), 0);
    make_bytes(64);
    CHECK(metric("/gort/profile/memory/samples:objects") > before);
    CHECK(metric("/gort/profile/memory/live:objects") <= before + 1000);
    CHECK(metric("/gort/profile/memory/buckets:buckets") > 0);
    CHECK(metric("/gort/profile/memory/dropped:objects") == 0);
    CHECK(metric("/memory/classes/profiling/buckets:bytes") > 0);
}

// ---- errors

TEST(errors_are_told)
{
    int full = open("/dev/full", O_WRONLY), ends[2];
    errno = 0;
    CHECK(gort_mem_profile_write(-1) == -1 && errno == EBADF);
    CHECK_GE(full, 0);
    CHECK(gort_mem_profile_write(full) == -1 && errno == ENOSPC);
    close(full);
    signal(SIGPIPE, SIG_IGN);
    CHECK_EQ(pipe(ends), 0);
    close(ends[0]);
    CHECK(gort_mem_profile_write(ends[1]) == -1 && errno == EPIPE);
    close(ends[1]);
    double before = metric("/memory/classes/profiling/buckets:bytes");
    pprof_free(profile_now());
    CHECK(metric("/memory/classes/profiling/buckets:bytes") == before); // all given back
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(exact_sizes_and_frees);
    RUN(dropped_objects_are_freed);
    RUN(head_of_the_file);
    RUN(the_state_is_that_of_a_collection);
    RUN(what_is_not_swept_is_not_in_use);
    RUN(finalized_objects_are_freed_later);
    RUN(deep_stacks_are_cut);
    RUN(samples_estimate_the_whole);
    RUN(tiny_objects_from_now_on);
    RUN(large_objects_are_sampled_by_their_pages);
    RUN(off_is_off);
    RUN(errors_are_told);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK_EQ(gort_set_mem_profile_rate(-1), 512 * 1024); // for it calls gort_mem_profile_write
    CHECK_EQ(gort_set_mem_profile_rate(1), 512 * 1024);
    CHECK_EQ(gort_set_mem_profile_rate(-1), 1);
    return gort_run(gort_main, argc, argv);
}
