// Inline allocation is torn neither by stops, nor by signals of the program, nor by a stop inside a
// handler of the program that interrupted it.
//
// Goroutines allocate in tight loops, keep a ring of what they made, and check that it stays
// theirs. Signals of the program interrupt them; the handlers last long enough for a stop to find
// them. Another goroutine collects all the time. Without the roll-back of outer frames an object is
// given out twice within seconds.
//
// Each scenario is a process of its own, for the runtime remembers whether there ever was a
// handler:
//   mixed       handlers on the goroutine's stack and apart; two whose masks do not tell that they
//               run: one has SA_NODEFER, the other's signal was blocked when the threads began
//   once        SA_RESETHAND: no signal has a handler while the only one runs
//   removed     the handler removes itself first
//   replaced    another thread ignores the signal while its handler runs
//   own-stack   on an alternate stack that the program has set
//   nested      a handler on the goroutine's stack, interrupted by one apart
// But for the first the goroutines run at the end of a deep stack, which is not searched unasked.
// Where a handler must be gone while it runs there is one goroutine and no collection but the one
// that its handler waits for: any other could see the handler.
// TEST notmodes=determ
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../goroutines.h"

enum { WORKERS = 3, RING = 64, SPIN_NS = 30000, STEP_NS = 1000000, SEND_US = 150, SIGNALS = 4 };
#define DEEP ((size_t)512 << 10)
#define OWN_STACK ((size_t)64 << 10)
#define DEEP_STACK ((size_t)2 << 20)

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
static uint64_t handled[SIGNALS];     // atomic
static uint64_t entered;              // atomic; calls of handlers begun
static uint64_t answered;             // atomic; of those, the last for which there was a collection
static uint64_t *wait_for = &entered; // atomic; collections follow this count
static bool in_step;                  // constant: handlers wait for that
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
    uint64_t mine = __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
    struct timespec from, now;
    int64_t most = in_step ? STEP_NS : SPIN_NS, spent;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        spent = (now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec;
    } while (spent < most && !(in_step && LOAD(&answered) >= mine));
    for (int i = 0; i < SIGNALS; i++)
        if (sig == signal_of(i)) __atomic_fetch_add(&handled[i], 1, __ATOMIC_RELEASE);
}

static void removes_itself(int sig)
{
    signal(sig, SIG_DFL);
    handler(sig);
}

static void install(int i, void (*fn)(int), int flags)
{
    struct sigaction act = { .sa_handler = fn, .sa_flags = SA_RESTART | flags };
    CHECK_EQ(sigaction(signal_of(i), &act, NULL), 0);
}

static timer_t start_timer(int i, long ns)
{
    timer_t t;
    struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal_of(i) };
    struct itimerspec when = { { 0, ns }, { 0, ns } };
    CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &t), 0);
    CHECK_EQ(timer_settime(t, 0, &when, NULL), 0);
    return t;
}

static void mask_last(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_of(SIGNALS - 1));
    CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

// ---- scenarios ----------------------------------------------------------------------------------

static void send_to(int worker, int i)
{
    pthread_kill(workers[worker].thread, signal_of(i));
}

static void mixed_begin(void)
{
    install(0, handler, 0);
    install(1, handler, SA_ONSTACK);
    install(2, handler, SA_NODEFER);
    install(3, handler, 0);
    start_timer(0, 70000);
    start_timer(1, 110000);
}

static void mixed_send(int n)
{
    send_to(n % WORKERS, 2 + n / WORKERS % 2);
    if (n % WORKERS == WORKERS - 1) usleep(SEND_US);
}

static void step_begin(void)
{
    in_step = true;
    gort_set_gc_percent(-1);
}

static uint64_t replaced; // atomic; calls of handlers whose action is gone

static void replaced_begin(void)
{
    step_begin();
    STORE(&wait_for, &replaced);
}

static void wait_until_equal(uint64_t *count, uint64_t value)
{
    while (LOAD(count) != value && !LOAD(&quit))
        sched_yield();
}

// The signal comes at once after its action was set, or a look may see the handler before it is
// gone. The pause before: after a collection calls take their slow paths, where stops wait for the
// handler.
static void step(void (*fn)(int), int flags, bool replace)
{
    uint64_t n = LOAD(&entered) + 1;
    usleep(SEND_US);
    install(0, fn, flags);
    send_to(0, 0);
    wait_until_equal(&entered, n); // before that the default action would end the process
    if (replace) signal(signal_of(0), SIG_IGN);
    STORE(&replaced, n);
    wait_until_equal(&handled[0], n);
    wait_until_equal(&answered, n);
}

static void once_send(int n)
{
    (void)n;
    step(handler, SA_RESETHAND, false);
}

static void removed_send(int n)
{
    (void)n;
    step(removes_itself, 0, false);
}

static void replaced_send(int n)
{
    (void)n;
    step(handler, 0, true);
}

static void own_stack_begin(void)
{
    install(0, handler, SA_ONSTACK);
}

static void nested_begin(void)
{
    install(0, handler, 0);
    install(1, handler, SA_ONSTACK);
}

static void paired_send(int n)
{
    send_to(n % WORKERS, 0);
    usleep(10);
    send_to(n % WORKERS, 1);
    if (n % WORKERS == WORKERS - 1) usleep(SEND_US);
}

static void single_send(int n)
{
    send_to(n % WORKERS, 0);
    if (n % WORKERS == WORKERS - 1) usleep(SEND_US);
}

static const struct scenario {
    const char *name;
    void (*begin)(void);
    void (*send)(int n);
    int workers, signals; // so many of signal_of are sent
    bool deep, own_stack;
} scenarios[] = {
    { "mixed", mixed_begin, mixed_send, WORKERS, SIGNALS, false, false },
    { "once", step_begin, once_send, 1, 1, true, false },
    { "removed", step_begin, removed_send, 1, 1, true, false },
    { "replaced", replaced_begin, replaced_send, 1, 1, true, false },
    { "own-stack", own_stack_begin, single_send, WORKERS, 1, true, true },
    { "nested", nested_begin, paired_send, WORKERS, 2, true, false },
};
static const struct scenario *scenario;

static void *send(void *unused)
{
    for (int i = 0; i < scenario->workers; i++)
        while (!LOAD(&workers[i].ready))
            sched_yield();
    for (int n = 0; !LOAD(&quit); n++)
        scenario->send(n);
    return unused;
}

// ---- the goroutines -----------------------------------------------------------------------------

static void check_object(const object *o, const object *at, uint64_t id)
{
    CHECK_PTR_EQ(o->self, at);
    CHECK_EQ(o->owner, id);
}

static void allocate(uint64_t id)
{
    uint64_t n = 0;
    object *ring[RING] = { NULL };
    plain *plains[RING] = { NULL };
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
}

static __attribute__((noinline)) void allocate_deep(uint64_t id)
{
    volatile char frame[DEEP];
    frame[0] = frame[DEEP - 1] = 1;
    allocate(id);
    CHECK_EQ(frame[0] + frame[DEEP - 1], 2);
}

static void work(void *arg)
{
    uint64_t id = (uint64_t)(uintptr_t)arg;
    stack_t own = { .ss_sp = malloc(OWN_STACK), .ss_size = OWN_STACK }, former;
    gort_lock_thread();
    mask_last(SIG_UNBLOCK);
    if (scenario->own_stack) CHECK_EQ(sigaltstack(&own, &former), 0);
    workers[id - 1].thread = pthread_self();
    STORE(&workers[id - 1].ready, 1);
    if (scenario->deep)
        allocate_deep(id);
    else
        allocate(id);
    if (scenario->own_stack) CHECK_EQ(sigaltstack(&former, NULL), 0);
    free(own.ss_sp);
    mask_last(SIG_BLOCK); // as it was
    gort_unlock_thread();
    gort_waitgroup_done(&group);
}

static void collect(void *unused)
{
    (void)unused;
    while (!LOAD(&quit)) {
        uint64_t seen = LOAD(LOAD(&wait_for));
        if (in_step && seen == LOAD(&answered)) {
            gort_sleep(5 * GORT_US);
            continue;
        }
        gort_gc();
        STORE(&answered, seen);
        if (!in_step) gort_sleep(20 * GORT_US);
    }
    gort_waitgroup_done(&group);
}

static double metric(const char *name)
{
    double value;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

#define ROLLED_OUTER "/gort/sched/stops/rolled-back-outer:events"

// Debug modes and sanitizers take the way that has no ranges; with few Ps no stop may come in time;
// an emulator that translates a range as one piece delivers no signal within it.
static bool must_meet_ranges(void)
{
    if (test_is_emulated()) return false;
#ifdef __SANITIZE_ADDRESS__
    return false;
#else
    return getenv("GORTDEBUG") == NULL && getenv("GORTMAXPROCS") == NULL && gort_max_procs(0) > 1;
#endif
}

static bool seen_all(bool ranges)
{
    for (int i = 0; i < scenario->signals; i++)
        if (LOAD(&handled[i]) == 0) return false;
    return !ranges || metric(ROLLED_OUTER) > 0;
}

static void allocations_stay_whole(void)
{
    bool must = must_meet_ranges();
    scenario->begin();
    gort_waitgroup_add(&group, scenario->workers + 1);
    gort_go_options deep = { .stack_size = DEEP_STACK };
    for (int i = 1; i <= scenario->workers; i++)
        gort_go_opt(&deep, work, (void *)(intptr_t)i);
    gort_go(collect, NULL);
    pthread_t sender;
    CHECK_EQ(pthread_create(&sender, NULL, send, NULL), 0);
    int64_t end = gort_now() + (int64_t)test_count(2000) * GORT_MS;
    while (gort_now() < end || !seen_all(must)) // the time limit is the other end
        gort_sleep(10 * GORT_MS);
    for (int i = 0; i < SIGNALS; i++)
        signal(signal_of(i), SIG_IGN); // what is on its way meets no default action
    STORE(&quit, 1);
    pthread_join(sender, NULL);
    for (int i = 0; i < SIGNALS; i++)
        signal(signal_of(i), SIG_IGN);
    gort_waitgroup_wait(&group);
    printf("%s: handled %lu, %lu, %lu and %lu, rolled back %.0f, below handlers %.0f\n",
           scenario->name, handled[0], handled[1], handled[2], handled[3],
           metric("/gort/sched/stops/rolled-back:events"), metric(ROLLED_OUTER));
}

static int test_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    allocations_stay_whole();
    return 0;
}

// In a child, before which this process has touched no signal's action.
static void run_scenario(const struct scenario *s, int argc, char **argv)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        scenario = s;
        exit(gort_run(test_main, argc, argv));
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    mask_last(SIG_BLOCK);
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (argc < 2 || strcmp(argv[1], scenarios[i].name) == 0)
            run_scenario(&scenarios[i], argc, argv);
    return 0;
}
