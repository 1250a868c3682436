// Threads: locking a goroutine to its thread, blocking regions, foreign threads.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <pthread.h>
#include <sys/syscall.h>

static pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

// ---- locking -----------------------------------------------------------------------------------

static int done;

static void stay(void *arg)
{
    (void)arg;
    gort_lock_thread();
    gort_lock_thread();
    pid_t id = thread_id();
    for (int i = 0; i < 20; i++) {
        gort_yield();
        CHECK_EQ(thread_id(), id);
        gort_sleep(20 * GORT_US);
        CHECK_EQ(thread_id(), id);
    }
    gort_unlock_thread();
    gort_yield();
    CHECK_EQ(thread_id(), id);
    gort_unlock_thread();
    ADD(&done, 1);
}

TEST(a_locked_goroutine_stays)
{
    STORE(&done, 0);
    for (int i = 0; i < 6; i++)
        gort_go(stay, NULL);
    WAIT_FOR(LOAD(&done) == 6);
}

static void end_locked(void *arg)
{
    (void)arg;
    gort_lock_thread();
    ADD(&done, 1);
}

TEST(a_goroutine_may_end_locked)
{
    STORE(&done, 0);
    for (int i = 0; i < 10; i++)
        gort_go(end_locked, NULL);
    WAIT_FOR(LOAD(&done) == 10);
    WAIT_FOR(gort_num_goroutines() == 1);
}

// ---- blocking ----------------------------------------------------------------------------------

static int ticks, ticks_awaited;

static void tick(void *arg)
{
    (void)arg;
    while (!LOAD(&done)) {
        ADD(&ticks, 1);
        gort_yield();
    }
    STORE(&done, 2);
}

// Blocks its thread; on a busy machine, until the others have had their turn.
static void sleep_a_while(void)
{
    usleep(20000);
    for (int i = 0; i < 30000 && LOAD(&ticks) < LOAD(&ticks_awaited); i++)
        usleep(1000);
}

// Its P serves others meanwhile, also when it is the only one.
static void others_run_during(void (*block)(void))
{
    STORE(&done, 0);
    STORE(&ticks, 0);
    STORE(&ticks_awaited, 3);
    gort_go(tick, NULL);
    block();
    CHECK_GE(LOAD(&ticks), 3);
    STORE(&ticks_awaited, 0);
    STORE(&done, 1);
    WAIT_FOR(LOAD(&done) == 2);
}

static void block_between(void)
{
    gort_enter_blocking();
    sleep_a_while();
    errno = 77;
    gort_exit_blocking();
    CHECK_EQ(errno, 77);
}

static void sleep_on_thread(void *arg)
{
    sleep_a_while();
    *(int *)arg = 5;
}

static void block_in_call(void)
{
    int n = 0;
    gort_blocking(sleep_on_thread, &n);
    CHECK_EQ(n, 5);
}

TEST(blocking_regions)
{
    others_run_during(block_between);
    others_run_during(block_in_call);
}

enum { MANY = 20 };
static int blocked; // atomic

// Until all are here: none waits for another one's end.
static void meet_on_threads(void *unused)
{
    (void)unused;
    ADD(&blocked, 1);
    while (LOAD(&blocked) < MANY)
        usleep(100);
}

static void block_a_while(void *arg)
{
    int n = 0;
    gort_blocking(meet_on_threads, NULL);
    for (int i = 0; i < 5; i++) {
        gort_blocking(sleep_on_thread, &n);
        block_between();
    }
    ADD((int *)arg, 1);
}

TEST(many_block_at_once)
{
    int ended = 0;
    STORE(&blocked, 0);
    for (int i = 0; i < MANY; i++)
        gort_go(block_a_while, &ended);
    WAIT_FOR(LOAD(&ended) == MANY);
}

typedef struct box {
    struct box *next;
    int64_t value;
} box;
GORT_TYPE(box, next);

static void collect(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        gort_gc();
        for (int k = 0; k < 2000; k++)
            gort_new(box)->value = -1;
    }
    STORE(&done, 1);
}

static void wait_for_collector(void *arg)
{
    (void)arg;
    while (!LOAD(&done))
        usleep(100);
}

// What the caller holds is kept while it blocks.
TEST(collections_during_blocking)
{
    for (int i = 0; i < 5; i++) {
        box *b = gort_new(box);
        b->value = i;
        STORE(&done, 0);
        gort_go(collect, NULL);
        gort_blocking(wait_for_collector, NULL);
        CHECK_EQ(b->value, i);
        STORE(&done, 0);
        gort_go(collect, NULL);
        gort_enter_blocking();
        while (!LOAD(&done))
            usleep(100);
        gort_exit_blocking();
        CHECK_EQ(b->value, i);
    }
}

// ---- foreign threads ---------------------------------------------------------------------------

struct foreign {
    gort_chan(int) in, out;
    int attached, calls;
    bool deferred_ran;
};

static void note_deferred(void *arg)
{
    ((struct foreign *)arg)->deferred_ran = true;
}

static void panic_now(void *arg)
{
    (void)arg;
    gort_panic("on a foreign thread");
}

static void *foreign_thread(void *arg)
{
    struct foreign *f = arg;
    CHECK_EQ(gort_goid(), 0);
    CHECK_EQ(gort_thread_attach(), 0);
    CHECK_NE(gort_goid(), 0);
    errno = 0;
    CHECK_EQ(gort_thread_attach(), -1);
    CHECK_EQ(errno, EALREADY);
    STORE(&f->attached, 1);
    gort_defer(note_deferred, f);
    gort_panic_info info;
    CHECK(gort_try(panic_now, NULL, &info));
    CHECK_STR_EQ(info.message, "on a foreign thread");
    int v;
    while (gort_recv(f->in, &v)) {
        box *b = gort_new(box);
        b->value = v;
        gort_yield();
        if (v % 50 == 0) gort_gc();
        gort_sleep(v % 3);
        gort_send(f->out, (int)b->value * 2);
        f->calls++;
    }
    gort_close(f->out);
    gort_thread_detach();
    CHECK(f->deferred_ran);
    CHECK_EQ(gort_goid(), 0);
    return NULL;
}

static void join(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
}

TEST(a_foreign_thread_attaches)
{
    for (int round = 0; round < 4; round++) {
        struct foreign *f = gort_alloc(sizeof *f);
        gort_chan(int) in = gort_chan_make(int, (size_t)round), out = gort_chan_make(int, 0);
        gort_set(&f->in, in);
        gort_set(&f->out, out);
        static struct foreign *root; // malloc'ed thread arguments are not scanned
        gort_set(&root, f);
        pthread_t t;
        CHECK_EQ(pthread_create(&t, NULL, foreign_thread, f), 0);
        // Until then nobody could answer, and waiting for it would be a deadlock.
        WAIT_FOR(LOAD(&f->attached));
        for (int i = 0; i < 100; i++) {
            int v;
            gort_send(in, i);
            CHECK(gort_recv(out, &v));
            CHECK_EQ(v, 2 * i);
        }
        gort_close(in);
        CHECK(!gort_recv(out, NULL));
        gort_blocking(join, &t);
        CHECK_EQ(f->calls, 100);
    }
}

static gort_mutex shared_mutex;
static int64_t shared_count;

static int exits;

static void count_exit(void *arg)
{
    (void)arg;
    gort_yield(); // it may do what deferred calls may
    __atomic_fetch_add(&exits, 1, __ATOMIC_SEQ_CST);
}

static void *locking_thread(void *arg)
{
    (void)arg;
    CHECK_EQ(gort_thread_attach(), 0);
    gort_defer(count_exit, NULL);
    for (int i = 0; i < 300; i++) {
        gort_mutex_lock(&shared_mutex);
        shared_count++;
        gort_mutex_unlock(&shared_mutex);
    }
    return NULL; // exits attached: is detached, after what it deferred
}

TEST(foreign_threads_share_a_mutex)
{
    enum { N = 4 };
    pthread_t t[N];
    shared_count = 0;
    for (int i = 0; i < N; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, locking_thread, NULL), 0);
    for (int i = 0; i < 300; i++) {
        gort_mutex_lock(&shared_mutex);
        shared_count++;
        gort_mutex_unlock(&shared_mutex);
        gort_yield();
    }
    for (int i = 0; i < N; i++)
        gort_blocking(join, &t[i]);
    CHECK_EQ(__atomic_exchange_n(&exits, 0, __ATOMIC_SEQ_CST), N);
    CHECK_EQ(shared_count, (N + 1) * 300);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(a_locked_goroutine_stays);
    RUN_ON_ALL(a_goroutine_may_end_locked);
    RUN_ON_ALL(blocking_regions);
    RUN_ON_ALL(many_block_at_once);
    RUN_ON_ALL(collections_during_blocking);
    RUN_ON_ALL(a_foreign_thread_attaches);
    RUN_ON_ALL(foreign_threads_share_a_mutex);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
