// While the world stops, only raw system calls are made (rule 8 of the design): a stopped thread
// may hold any lock of the C library.
//
// That nothing calls malloc, or makes a thread, is seen by functions of that name in this program,
// which ask whether their caller has stopped the world: so no lock needs to be held by chance.
// stdio's locks and the loader's are held by a thread of the test, which is stopped in its own
// code. In a child for each way of collecting, because a process has one runtime.
//
// TEST skip=asan,tsan,ubsan,coverage timeout=240
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/wait.h>

#include "goroutines.h"
#include "sched/sched_internal.h"

// ---- who calls what locks -----------------------------------------------------------------------

static uint64_t calls; // atomic

static void must_run(const char *name)
{
    struct m *m = m_self();
    ADD(&calls, 1);
    if (m == NULL || !world_is_stopped()) return;
    uint32_t state = LOAD(&m->state);
    // Others than the stopper may be on their way in code that no stop waits for.
    if (state == M_BLOCKING || state == M_STOPPED) return;
    test_print(name);
    test_print(" was called by who has stopped the world\n");
    abort();
}

#define REPLACES_LIBCS __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

REPLACES_LIBCS void *malloc(size_t size)
{
    must_run("malloc");
    return __libc_malloc(size);
}

REPLACES_LIBCS void *calloc(size_t n, size_t size)
{
    must_run("calloc");
    return __libc_calloc(n, size);
}

REPLACES_LIBCS void *realloc(void *p, size_t size)
{
    must_run("realloc");
    return __libc_realloc(p, size);
}

REPLACES_LIBCS void free(void *p)
{
    must_run("free");
    __libc_free(p);
}

REPLACES_LIBCS int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                                  void *(*fn)(void *), void *arg)
{
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    must_run("pthread_create");
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    return next(thread, attr, fn, arg);
}

// ---- everything that stops the world ------------------------------------------------------------

typedef struct node {
    struct node *next;
    uint64_t value[3];
} node;
GORT_TYPE(node, next);

static node *kept;
static uint32_t quit; // atomic
static gort_waitgroup left;

static node *chain(int length)
{
    node *first = NULL;
    while (length-- > 0) {
        node *x = gort_new(node);
        gort_init(&x->next, first);
        first = x;
    }
    return first;
}

static void finalized(void *object)
{
    (void)object;
}

static void churn(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; !LOAD(&quit); i++) {
        node *x = chain(63);
        if (i % 64 == 0) gort_set_finalizer(x, finalized);
        gort_set(&kept, x);
        gort_yield();
    }
    gort_waitgroup_done(&left);
}

static void stop_for_everything(int round)
{
    static const int procs[] = { 1, 4, 2, 6 };
    gort_stats stats;
    gort_gc();
    gort_read_stats(&stats);
    gort_set_gc_percent(50 + round);
    gort_set_memory_limit(((int64_t)1 << 40) + round);
    gort_free_os_memory();
    gort_max_procs(procs[round % 4]);
}

TEST(nothing_that_locks_is_called)
{
    for (int i = 0; i < 3; i++) {
        gort_waitgroup_add(&left, 1);
        gort_go(churn, NULL);
    }
    for (int round = 0; round < test_count(40); round++)
        stop_for_everything(round);
    STORE(&quit, 1);
    gort_waitgroup_wait(&left);
    CHECK_GT(LOAD(&calls), 0); // the runtime makes threads by these very functions
}

// ---- stdio --------------------------------------------------------------------------------------

static uint32_t held, collected; // atomic

static void hold_stdio(void *unused)
{
    (void)unused;
    flockfile(stdout);
    flockfile(stderr);
    STORE(&held, 1);
    while (!LOAD(&collected)) // a loop of the program's own: only the handler stops it
        arch_pause();
    funlockfile(stderr);
    funlockfile(stdout);
    gort_waitgroup_done(&left);
}

// Reports of collections are written all the same.
TEST(who_holds_stdio_is_not_waited_for)
{
    gort_waitgroup_add(&left, 1);
    gort_go(hold_stdio, NULL);
    WAIT_FOR(LOAD(&held));
    for (int round = 0; round < 4; round++)
        gort_gc();
    STORE(&collected, 1);
    gort_waitgroup_wait(&left);
}

// ---- the loader ---------------------------------------------------------------------------------

static struct m *collector; // atomic: the thread that collects, once it begins

// Leaves when the collector waits for something, which is the lock that this thread has, or what a
// collection waits for before that.
static int hold_loader(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)info, (void)size, (void)unused;
    struct m *m;
    STORE(&held, 1);
    while ((m = LOAD(&collector)) == NULL || LOAD(&m->state) != M_BLOCKING)
        arch_pause();
    return 1;
}

static void be_in_the_loader(void *unused)
{
    (void)unused;
    CHECK_EQ(dl_iterate_phdr(hold_loader, NULL), 1);
    gort_waitgroup_done(&left);
}

// If it asked in the stop it would wait for a stopped thread.  No thread can begin while another
// has the loader's lock, so the collector does not let others run meanwhile.
TEST(the_loader_is_asked_before_the_stop)
{
    for (int round = 0; round < test_count(40); round++) {
        gort_gc(); // its workers are there
        STORE(&held, 0);
        STORE(&collector, NULL);
        gort_waitgroup_add(&left, 1);
        gort_go(be_in_the_loader, NULL);
        while (!LOAD(&held))
            arch_pause();
        STORE(&collector, m_self());
        gort_gc();
        gort_waitgroup_wait(&left);
    }
}

// -------------------------------------------------------------------------------------------------

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(nothing_that_locks_is_called);
    RUN_ON(4, who_holds_stdio_is_not_waited_for);
    RUN_ON(4, the_loader_is_asked_before_the_stop);
    return 0;
}

static void in_a_child(const char *debug)
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(setenv("GORTDEBUG", debug, 1), 0);
        exit(gort_run(main_goroutine, 0, NULL));
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    if (status == 0) return;
    test_print(debug);
    test_print(": this child failed\n");
    abort();
}

int main(void)
{
    test_seed();
    in_a_child("gctrace=1,gcpacertrace=1");
    in_a_child("gctrace=1,gcstoptheworld=1");
    in_a_child("gctrace=1,gcstoptheworld=2");
    in_a_child("gctrace=1,gccheckmark=1,gccheck=1");
    return 0;
}
