// Inline allocation is torn neither by stops, nor by signals of the program, nor by a stop inside a
// handler of the program that interrupted it.
//
// Goroutines allocate in tight loops, keep a ring of what they made, and check that it stays theirs.
// Timers interrupt them by two signals, one whose handler runs on the goroutine's stack and one with
// an alternate stack; a thread sends two more whose handlers' masks do not tell that they run: one has
// SA_NODEFER, the other's signal was blocked when the threads began. The handlers last long enough for a
// stop to find them. Another goroutine collects all the time. Without the roll-back of outer frames an
// object is given out twice within seconds.
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../goroutines.h"

enum { WORKERS = 3, RING = 64, SPIN_NS = 30000, SEND_US = 150, SIGNALS = 4 };

typedef struct object object;
struct object {
    object *self;
    uint64_t owner, serial;
};
GORT_TYPE(object, self);
typedef struct {
    uint64_t owner, serial;
} plain;
GORT_TYPE(plain);

static gort_waitgroup group;
static int quit;
static uint64_t handled[SIGNALS]; // atomic
static struct {
    pthread_t thread;
    int ready;
} workers[WORKERS];

// On the goroutine's stack, apart, SA_NODEFER (of a kind that does not queue up), blocked at first.
static int signal_of(int i)
{
    static const int signals[SIGNALS] = { SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM };
    return signals[i];
}

static void handler(int sig)
{
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec < SPIN_NS);
    for (int i = 0; i < SIGNALS; i++)
        if (sig == signal_of(i)) __atomic_fetch_add(&handled[i], 1, __ATOMIC_RELAXED);
}

static void mask_last(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_of(SIGNALS - 1));
    CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

static void *send(void *unused)
{
    for (int n = 0; !LOAD(&quit); n++) {
        int to = n % WORKERS;
        if (LOAD(&workers[to].ready))
            pthread_kill(workers[to].thread, signal_of(2 + n / WORKERS % 2));
        if (to == WORKERS - 1) usleep(SEND_US);
    }
    return unused;
}

static void check_object(const object *o, const object *at, uint64_t id)
{
    CHECK_PTR_EQ(o->self, at);
    CHECK_EQ(o->owner, id);
}

static void work(void *arg)
{
    uint64_t id = (uint64_t)(uintptr_t)arg, n = 0;
    object *ring[RING] = { NULL };
    plain *plains[RING] = { NULL };
    gort_lock_thread();
    mask_last(SIG_UNBLOCK);
    workers[id - 1].thread = pthread_self();
    STORE(&workers[id - 1].ready, 1);
    while (!LOAD(&quit)) {
        for (int i = 0; i < 1000; i++, n++) {
            object *o = gort_new(object);
            CHECK(o->self == NULL && o->owner == 0 && o->serial == 0);
            gort_init(&o->self, o);
            o->owner = id;
            o->serial = n;
            if (ring[n % RING] != NULL) {
                check_object(ring[n % RING], ring[n % RING], id);
                CHECK_EQ(ring[n % RING]->serial, n - RING);
            }
            ring[n % RING] = o;
            plain *p = gort_new(plain);
            CHECK(p->owner == 0 && p->serial == 0);
            *p = (plain){ id, n };
            if (plains[n % RING] != NULL) {
                CHECK_EQ(plains[n % RING]->owner, id);
                CHECK_EQ(plains[n % RING]->serial, n - RING);
            }
            plains[n % RING] = p;
        }
    }
    mask_last(SIG_BLOCK); // as it was
    gort_unlock_thread();
    gort_waitgroup_done(&group);
}

static void collect(void *unused)
{
    (void)unused;
    while (!LOAD(&quit)) {
        gort_gc();
        gort_sleep(20 * GORT_US);
    }
    gort_waitgroup_done(&group);
}

static timer_t start_timer(int sig, long ns)
{
    timer_t t;
    struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
    struct itimerspec when = { { 0, ns }, { 0, ns } };
    CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &t), 0);
    CHECK_EQ(timer_settime(t, 0, &when, NULL), 0);
    return t;
}

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

#define ROLLED_OUTER "/gort/sched/stops/rolled-back-outer:events"

static void allocations_stay_whole(void)
{
    struct sigaction on_stack = { .sa_handler = handler, .sa_flags = SA_RESTART };
    struct sigaction apart = { .sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK };
    CHECK_EQ(sigaction(SIGUSR1, &on_stack, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR2, &apart, NULL), 0);
    CHECK_EQ(sigaction(signal_of(3), &on_stack, NULL), 0);
    on_stack.sa_flags |= SA_NODEFER;
    CHECK_EQ(sigaction(signal_of(2), &on_stack, NULL), 0);
    timer_t timers[] = { start_timer(SIGUSR1, 70000), start_timer(SIGUSR2, 110000) };
    gort_waitgroup_add(&group, WORKERS + 1);
    for (uintptr_t i = 1; i <= WORKERS; i++)
        gort_go(work, (void *)i);
    gort_go(collect, NULL);
    pthread_t sender;
    CHECK_EQ(pthread_create(&sender, NULL, send, NULL), 0);
    int64_t end = gort_now() + (int64_t)test_count(3000) * GORT_MS;
    while (gort_now() < end)
        gort_sleep(10 * GORT_MS);
    STORE(&quit, 1);
    pthread_join(sender, NULL);
    gort_waitgroup_wait(&group);
    for (int i = 0; i < 2; i++)
        timer_delete(timers[i]);
    printf("handled %lu, %lu, %lu and %lu, rolled back %.0f, below handlers %.0f\n", handled[0],
           handled[1], handled[2], handled[3], metric("/gort/sched/stops/rolled-back:events"),
           metric(ROLLED_OUTER));
    CHECK(handled[0] > 0 && handled[1] > 0 && handled[2] > 0 && handled[3] > 0);
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(allocations_stay_whole);
    return 0;
}

int main(int argc, char **argv)
{
    mask_last(SIG_BLOCK);
    return gort_run(test_main, argc, argv);
}
