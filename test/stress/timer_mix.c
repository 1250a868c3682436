// Timers that are stopped, set anew and waited for by many goroutines while they fire, beside a
// collector that is kept busy; and a million of them.
//
// ThreadSanitizer counts goroutines as threads, of which it has 8,128 at most.
// TEST notmodes=determ skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- functions: each setting ends in exactly one way --------------------------------------------

typedef struct counted {
    struct counted *self; // a collected pointer, to be found whole
    int calls;            // atomic
} counted;
GORT_TYPE(counted, self);

static gort_waitgroup wg;
static int64_t total_calls, total_stops, total_sets; // atomic

static void count(void *arg)
{
    counted *c = arg;
    CHECK_PTR_EQ(c->self, c);
    ADD(&c->calls, 1);
    ADD(&total_calls, 1);
}

static counted *counted_new(void)
{
    counted *c = gort_new(counted);
    gort_init(&c->self, c);
    return c;
}

// Resets and stops say how many settings ended without a call: the others must be called.
static void set_and_stop(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    int64_t sets = 0, stops = 0;
    for (int64_t i = 0; i < test_count(40); i++) {
        gort_timer *t =
            gort_timer_func((int64_t)(test_random(&seed) % 200) * GORT_US, count, counted_new());
        sets++;
        for (int j = 0; j < 4; j++) {
            uint64_t r = test_random(&seed);
            if (r % 3 == 0) gort_sleep((int64_t)(r / 3 % 150) * GORT_US);
            if (r % 2 == 0) {
                stops += gort_timer_stop(t);
            } else {
                stops += gort_timer_reset(t, (int64_t)(r / 7 % 200) * GORT_US);
                sets++;
            }
        }
    }
    ADD(&total_sets, sets);
    ADD(&total_stops, stops);
    gort_waitgroup_done(&wg);
}

static void start(int n, void (*fn)(void *))
{
    uint64_t seed = test_seed();
    gort_waitgroup_add(&wg, n);
    for (int i = 0; i < n; i++)
        gort_go(fn, (void *)(uintptr_t)(test_random(&seed) >> 8));
}

TEST(each_setting_ends_once)
{
    total_calls = total_stops = total_sets = 0;
    start(50, set_and_stop);
    gort_waitgroup_wait(&wg);
    WAIT_FOR(LOAD(&total_calls) + total_stops == total_sets);
    gort_sleep(2 * GORT_MS);
    CHECK_EQ(LOAD(&total_calls) + total_stops, total_sets);
    CHECK_GT(total_calls, 0);
    CHECK_GT(total_stops, 0);
}

// ---- one timer, two who set it at the same time -------------------------------------------------

enum { PAIRS = 2000 };
static gort_timer *pair_timer[PAIRS];
static uint32_t arrived[PAIRS]; // atomic
static int64_t pair_calls; // atomic; of this test alone: what fires while it gives up may run later

static void count_pair(void *arg)
{
    (void)arg;
    ADD(&pair_calls, 1);
}

static void reset_together(void *arg)
{
    int64_t at = *(int64_t *)arg;
    for (int i = 0; i < PAIRS; i++) {
        ADD(&arrived[i], 1);
        for (int n = 0; LOAD(&arrived[i]) < 2; n++)
            if (n % 256 == 255) gort_yield();
        gort_timer_reset(pair_timer[i], at - gort_now());
    }
    gort_waitgroup_done(&wg);
}

// Neither leaves a setting behind that stopping does not end.
TEST(two_set_one_timer)
{
    int64_t at = gort_now() + 200 * GORT_MS;
    for (int i = 0; i < PAIRS; i++) {
        arrived[i] = 0;
        gort_set(&pair_timer[i], gort_timer_func(1000 * GORT_S, count_pair, NULL));
        CHECK(gort_timer_stop(pair_timer[i]));
    }
    gort_waitgroup_add(&wg, 2);
    gort_go_copy(reset_together, &at, sizeof at);
    gort_go_copy(reset_together, &at, sizeof at);
    gort_waitgroup_wait(&wg);
    for (int i = 0; i < PAIRS; i++)
        gort_timer_stop(pair_timer[i]);
    if (gort_now() >= at) return; // too slow to tell
    gort_sleep(at + 10 * GORT_MS - gort_now());
    CHECK_EQ(LOAD(&pair_calls), 0);
}

// ---- one timer, many who stop it and set it anew ------------------------------------------------

static gort_timer *shared;

static void fight(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    int64_t sets = 0, stops = 0;
    for (int64_t i = 0; i < test_count(1000); i++) {
        if (test_random(&seed) % 4 == 0) {
            stops += gort_timer_stop(shared);
        } else {
            stops += gort_timer_reset(shared, (int64_t)(test_random(&seed) % 3) * GORT_US);
            sets++;
        }
        if (i % 16 == 0) gort_yield();
    }
    ADD(&total_sets, sets);
    ADD(&total_stops, stops);
    gort_waitgroup_done(&wg);
}

TEST(many_have_one_timer)
{
    total_calls = total_stops = 0;
    total_sets = 1;
    gort_set(&shared, gort_timer_func(GORT_US, count, counted_new()));
    start(8, fight);
    gort_waitgroup_wait(&wg);
    WAIT_FOR(LOAD(&total_calls) + total_stops == total_sets);
    gort_sleep(2 * GORT_MS);
    CHECK_EQ(LOAD(&total_calls) + total_stops, total_sets);
}

// ---- one channel timer, many who wait for it ----------------------------------------------------

static gort_timer *clock_timer;
static int64_t received; // atomic
static uint32_t waiters; // atomic

static void wait_or_not(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    gort_chan(int64_t) c = gort_timer_channel(clock_timer);
    // At least so many, and until somebody had a value: the others' times may come first.
    for (int64_t i = 0; i < test_count(300) || LOAD(&received) == 0; i++) {
        gort_case cases[] = { gort_on_recv(c, NULL),
                              gort_on_recv(gort_after((int64_t)(test_random(&seed) % 60) * GORT_US),
                                           NULL) };
        if (gort_select(cases, 2) == 0) ADD(&received, 1);
    }
    __atomic_sub_fetch(&waiters, 1, __ATOMIC_RELEASE);
    gort_waitgroup_done(&wg);
}

// Each setting gives at most one value, and gives one unless the next setting says that it did not.
TEST(each_setting_gives_one_value)
{
    int64_t sets = 1, kept = 0;
    received = 0;
    waiters = 8;
    gort_set(&clock_timer, gort_timer_make(0));
    start(8, wait_or_not);
    uint64_t seed = test_seed();
    while (LOAD(&waiters) != 0) {
        kept += gort_timer_reset(clock_timer, (int64_t)(test_random(&seed) % 30) * GORT_US);
        sets++;
        gort_sleep((int64_t)(test_random(&seed) % 40) * GORT_US);
    }
    gort_waitgroup_wait(&wg);
    kept += gort_timer_stop(clock_timer);
    CHECK_EQ(LOAD(&received) + kept, sets);
}

// ---- a crowd is stopped while it fires ----------------------------------------------------------

enum { CROWD = 64 };

struct one {
    gort_timer *t;
    uint32_t got; // atomic
};
static struct one crowd[CROWD];
static gort_chan(int) leave;

static void take_it(void *arg)
{
    struct one *o = *(struct one **)arg;
    gort_case cases[] = { gort_on_recv(gort_timer_channel(o->t), NULL), gort_on_recv(leave, NULL) };
    STORE(&o->got, gort_select(cases, 2) == 0);
    gort_waitgroup_done(&wg);
}

static void set_crowd(int64_t at)
{
    gort_set((void **)(uintptr_t)&leave, (void *)(uintptr_t)gort_chan_make(int, 0));
    gort_waitgroup_add(&wg, CROWD);
    for (int i = 0; i < CROWD; i++) {
        struct one *o = &crowd[i];
        gort_set(&o->t, gort_timer_make(at - gort_now()));
        gort_go_copy(take_it, &o, sizeof o);
    }
}

// All are due at one moment, and at that moment they are stopped, the last first: what was still to
// come does not come.
TEST(a_crowd_is_stopped_while_it_fires)
{
    for (int64_t round = 0; round < test_count(150); round++) {
        bool stopped[CROWD];
        int64_t at = gort_now() + 2 * GORT_MS;
        set_crowd(at);
        gort_sleep(GORT_MS);
        while (gort_now() < at + round % 20 * GORT_US)
            ;
        for (int i = CROWD; i-- > 0;)
            stopped[i] = gort_timer_stop(crowd[i].t);
        gort_sleep(GORT_MS / 2);
        gort_close(leave);
        gort_waitgroup_wait(&wg);
        for (int i = 0; i < CROWD; i++)
            CHECK_EQ(LOAD(&crowd[i].got), !stopped[i]);
    }
}

// ---- arguments that only the timer has, while marking -------------------------------------------

static uint32_t end_collecting; // atomic

static void collect(void *arg)
{
    (void)arg;
    while (!LOAD(&end_collecting)) {
        gort_gc();
        for (int i = 0; i < 1000; i++) // what was freed is used again
            (void)counted_new();
    }
    gort_waitgroup_done(&wg);
}

static void hold(void *arg)
{
    counted *c = arg;
    CHECK_EQ(ADD(&c->calls, 1), 1);
    gort_sleep(5 * GORT_MS);
    CHECK_EQ(LOAD(&c->calls), 1);
    CHECK_PTR_EQ(c->self, c);
    ADD(&total_calls, 1);
}

static void set_and_forget(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    for (int64_t i = 0; i < test_count(1000); i++) {
        gort_timer_func((int64_t)(test_random(&seed) % 20000) * GORT_US / 10, hold, counted_new());
        if (i % 10 == 0) gort_sleep(100 * GORT_US);
    }
    gort_waitgroup_done(&wg);
}

TEST(arguments_while_marking)
{
    total_calls = 0;
    end_collecting = 0;
    start(4, set_and_forget);
    start(1, collect);
    WAIT_FOR(LOAD(&total_calls) == 4 * test_count(1000));
    STORE(&end_collecting, 1u);
    gort_waitgroup_wait(&wg);
}

// ---- the number of Ps changes -------------------------------------------------------------------

TEST(processors_come_and_go)
{
    static const int procs[] = { 1, 4, 2, 16, 3 };
    int before = gort_max_procs(0);
    total_calls = total_stops = total_sets = 0;
    start(20, set_and_stop);
    for (int i = 0; i < test_count(50); i++) {
        gort_max_procs(procs[i % 5]);
        gort_sleep(GORT_MS / 2);
    }
    gort_max_procs(before);
    gort_waitgroup_wait(&wg);
    WAIT_FOR(LOAD(&total_calls) + total_stops == total_sets);
}

// ---- computing goroutines do not keep timers from firing ----------------------------------------

static uint32_t quit;

static void compute(void *arg)
{
    (void)arg;
    while (!LOAD(&quit))
        for (volatile int i = 0; i < 1000; i++)
            ;
    gort_waitgroup_done(&wg);
}

static void end_computing(void *arg)
{
    (void)arg;
    STORE(&quit, 1u);
}

// All Ps compute; only the timer's function ends that.
TEST(a_function_among_computing_ones)
{
    quit = 0;
    int n = gort_max_procs(0); // nobody waits for a P but the timer
    gort_timer_func(20 * GORT_MS, end_computing, NULL);
    gort_waitgroup_add(&wg, n);
    for (int i = 0; i < n; i++)
        gort_go(compute, NULL);
    gort_waitgroup_wait(&wg);
}

// ---- a million ----------------------------------------------------------------------------------

TEST(a_million)
{
    int64_t n = test_count(1000000), begin = gort_now();
    counted *c = counted_new();
    uint64_t seed = test_seed();
    total_calls = 0;
    for (int64_t i = 0; i < n; i++)
        gort_timer_func((int64_t)(test_random(&seed) % (uint64_t)GORT_S), count, c);
    int64_t set = gort_now();
    WAIT_FOR(LOAD(&total_calls) == n);
    CHECK_EQ(c->calls, n);
    printf("a million: set in %.0f ms, called in %.0f\n", (double)(set - begin) / 1e6,
           (double)(gort_now() - begin) / 1e6);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(each_setting_ends_once);
    RUN(two_set_one_timer);
    RUN(many_have_one_timer);
    RUN(each_setting_gives_one_value);
    RUN(a_crowd_is_stopped_while_it_fires);
    RUN(arguments_while_marking);
    RUN(processors_come_and_go);
    RUN(a_function_among_computing_ones);
    RUN(a_million);
    return 0;
}

int main(int argc, char **argv)
{
    (void)test_seed(); // chosen before threads ask
    return gort_run(run, argc, argv);
}
