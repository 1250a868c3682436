// Goroutines: starting, arguments, options, numbers, yielding, processors, time.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

// ---- starting ----------------------------------------------------------------------------------

static void add_arg(void *arg)
{
    ADD((int *)arg, 1);
}

TEST(goroutines_run)
{
    int n = 0;
    for (int i = 0; i < 1000; i++)
        gort_go(add_arg, &n);
    WAIT_FOR(LOAD(&n) == 1000);
}

struct numbers {
    int *sum, *done;
    int a, b;
    double d;
};

static void add_numbers(void *args)
{
    struct numbers *n = args;
    CHECK_EQ((uintptr_t)args % 16, 0);
    CHECK_EQ(n->b, n->a * 2);
    CHECK(n->d == n->a + 0.5);
    ADD(n->sum, n->a);
    n->a = -1; // its own copy
    ADD(n->done, 1);
}

TEST(arguments_are_copied)
{
    int sum = 0, done = 0;
    struct numbers n = { .sum = &sum, .done = &done };
    for (int i = 0; i < 100; i++) {
        n.a = i;
        n.b = 2 * i;
        n.d = i + 0.5;
        gort_go_copy(add_numbers, &n, sizeof n);
        n.a = n.b = 12345;
    }
    WAIT_FOR(LOAD(&done) == 100);
    CHECK_EQ(sum, 4950);
}

static size_t expected_size;
static int checked;

static void check_bytes(void *args)
{
    const unsigned char *b = args;
    for (size_t i = 0; i < expected_size; i++)
        CHECK_EQ(b[i], (unsigned char)(i * 11));
    ADD(&checked, 1);
}

TEST(copies_of_all_sizes)
{
    static const size_t sizes[] = { 0, 1, 7, 8, 15, 16, 17, 100, 1008, 1024, 1025, 4096, 60000 };
    static unsigned char b[60000];
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (unsigned char)(i * 11);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int before = LOAD(&checked);
        expected_size = sizes[i];
        gort_go_copy(check_bytes, sizes[i] == 0 ? NULL : b, sizes[i]);
        WAIT_FOR(LOAD(&checked) == before + 1);
    }
}

typedef struct box {
    struct box *next;
    int64_t value;
} box;
GORT_TYPE(box, next);

struct boxes {
    box *b[100];
    int *done;
};

static void check_boxes(void *args)
{
    struct boxes *x = args;
    gort_yield();
    for (int i = 0; i < 100; i++)
        CHECK_EQ(x->b[i]->value, i);
    ADD(x->done, 1);
}

__attribute__((noinline)) static void start_with_boxes(int *done)
{
    struct boxes x = { .done = done };
    for (int i = 0; i < 100; i++) {
        x.b[i] = gort_new(box);
        x.b[i]->value = i;
    }
    gort_go_copy(check_boxes, &x, sizeof x);
}

TEST(copies_are_scanned)
{
    int done = 0;
    for (int i = 0; i < 20; i++) {
        start_with_boxes(&done);
        gort_gc();
        for (int k = 0; k < 1000; k++)
            gort_new(box)->value = -1;
    }
    WAIT_FOR(LOAD(&done) == 20);
}

// The copy is too large for the caller's frame, and nothing else refers to the boxes any more.
enum { MANY_BOXES = 2000 };

static void check_many_boxes(void *args)
{
    box **b = args;
    for (int i = 0; i < MANY_BOXES; i++)
        CHECK_EQ(b[i]->value, i);
    ADD(&checked, 1);
}

__attribute__((noinline)) static void start_with_many_boxes(void)
{
    box **b = gort_alloc(MANY_BOXES * sizeof *b);
    for (int i = 0; i < MANY_BOXES; i++) {
        b[i] = gort_new(box);
        b[i]->value = i;
    }
    gort_go_copy(check_many_boxes, b, MANY_BOXES * sizeof *b);
}

static bool collecting;

static void collect_and_overwrite(void *arg)
{
    (void)arg;
    while (LOAD(&collecting)) {
        gort_gc();
        for (int k = 0; k < 5000; k++)
            gort_new(box)->value = -1;
    }
    ADD(&checked, 1);
}

TEST(large_copies_are_scanned)
{
    int before = LOAD(&checked), n = test_count(100);
    STORE(&collecting, true);
    gort_go(collect_and_overwrite, NULL);
    for (int i = 0; i < n; i++) {
        start_with_many_boxes();
        if (i % 10 == 9) gort_yield();
    }
    WAIT_FOR(LOAD(&checked) == before + n);
    STORE(&collecting, false);
    WAIT_FOR(LOAD(&checked) == before + n + 1);
}

static void check_box(void *arg)
{
    gort_yield();
    CHECK_EQ(((box *)arg)->value, 99);
    ADD(&checked, 1);
}

__attribute__((noinline)) static void start_with_box(void)
{
    box *b = gort_new(box);
    b->value = 99;
    gort_go(check_box, b);
}

TEST(the_argument_is_scanned)
{
    int before = LOAD(&checked);
    for (int i = 0; i < 20; i++) {
        start_with_box();
        gort_gc();
        for (int k = 0; k < 1000; k++)
            gort_new(box)->value = -1;
    }
    WAIT_FOR(LOAD(&checked) == before + 20);
}

static void use_stack(void *arg)
{
    volatile char big[900000];
    for (size_t i = 0; i < sizeof big; i += 1000)
        big[i] = 1;
    ADD((int *)arg, big[0]);
}

TEST(options)
{
    int n = 0;
    gort_go_opt(NULL, add_arg, &n);
    gort_go_options none = { NULL, 0 };
    gort_go_opt(&none, add_arg, &n);
    char name[100];
    memset(name, 'n', sizeof name);
    name[99] = '\0';
    gort_go_options o = { .name = name, .stack_size = 1 << 20 };
    gort_go_opt(&o, use_stack, &n);
    memset(name, 0, sizeof name);
    o.stack_size = 1;
    gort_go_opt(&o, add_arg, &n);
    o.stack_size = 3 << 20;
    gort_go_opt(&o, use_stack, &n);
    WAIT_FOR(LOAD(&n) == 5);
}

// ---- numbers -----------------------------------------------------------------------------------

enum { NUMBERED = 300 };
static uint64_t ids[NUMBERED];
static int named, placed;

static void tell_id(void *arg)
{
    (void)arg;
    uint64_t id = gort_goid();
    gort_yield();
    CHECK_EQ(gort_goid(), id);
    ids[ADD(&named, 1) - 1] = id;
    ADD(&placed, 1);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

TEST(numbers_are_not_reused)
{
    CHECK_EQ(gort_goid(), 1);
    for (int i = 0; i < NUMBERED; i++) {
        gort_go(tell_id, NULL);
        if (i % 10 == 0) gort_yield();
    }
    WAIT_FOR(LOAD(&placed) == NUMBERED);
    qsort(ids, NUMBERED, sizeof ids[0], by_number);
    CHECK_GT(ids[0], 1);
    for (int i = 1; i < NUMBERED; i++)
        CHECK_LT(ids[i - 1], ids[i]);
}

static void wait_for_end(void *arg)
{
    gort_recv((gort_chan(int))arg, NULL);
}

TEST(goroutines_are_counted)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    WAIT_FOR(gort_num_goroutines() == 1);
    for (int i = 0; i < 10; i++)
        gort_go(wait_for_end, (void *)c);
    CHECK_EQ(gort_num_goroutines(), 11);
    settle();
    CHECK_EQ(gort_num_goroutines(), 11);
    gort_close(c);
    WAIT_FOR(gort_num_goroutines() == 1);
}

// Each processor counts those that it starts and those that end there; what a processor that is no
// longer in use has counted stays.
TEST(goroutines_are_counted_over_processors)
{
    int former = gort_max_procs(8);
    for (int procs = 8; procs >= 1; procs /= 2) {
        gort_chan(int) c = gort_chan_make(int, 0);
        gort_max_procs(procs);
        for (int i = 0; i < 50; i++)
            gort_go(wait_for_end, (void *)c);
        CHECK_EQ(gort_num_goroutines(), 51);
        settle();
        CHECK_EQ(gort_num_goroutines(), 51);
        gort_max_procs(9 - procs);
        CHECK_EQ(gort_num_goroutines(), 51);
        gort_close(c);
        WAIT_FOR(gort_num_goroutines() == 1);
    }
    gort_max_procs(former);
    CHECK_EQ(gort_num_goroutines(), 1);
}

// ---- yielding and processors -------------------------------------------------------------------

static char order[64];

static void take_turns(void *arg)
{
    for (int i = 0; i < 5; i++) {
        strcat(order, arg);
        gort_yield();
    }
}

TEST(yield_takes_turns)
{
    gort_go(take_turns, "a");
    gort_go(take_turns, "b");
    settle();
    CHECK_EQ(strlen(order), 10);
    int as = 0;
    for (int i = 0; i < 10; i++)
        as += order[i] == 'a';
    CHECK_EQ(as, 5);
    if (in_mode("migrate") || in_mode("deterministic"))
        return; // the queues are mixed, the turns drawn
    CHECK(strcmp(order, "ababababab") == 0 || strcmp(order, "bababababa") == 0);
}

TEST(max_procs)
{
    int former = gort_max_procs(0);
    CHECK_GE(former, 1);
    CHECK_EQ(gort_max_procs(-3), former);
    CHECK_EQ(gort_max_procs(3), former);
    CHECK_EQ(gort_max_procs(0), 3);
    CHECK_EQ(gort_max_procs(1), 3);
    CHECK_EQ(gort_max_procs(1), 1);
    CHECK_EQ(gort_max_procs(1 << 30), 1);
    int most = gort_max_procs(0);
    CHECK_GE(most, 64);
    CHECK_EQ(gort_max_procs(former), most);
}

static void churn(void *arg)
{
    gort_chan(int) c = gort_chan_make(int, 1);
    for (int i = 0; i < 200; i++) {
        gort_send(c, i);
        gort_yield();
        int v;
        gort_recv(c, &v);
        CHECK_EQ(v, i);
    }
    ADD((int *)arg, 1);
}

TEST(procs_change_under_load)
{
    int done = 0, former = gort_max_procs(0);
    for (int i = 0; i < 50; i++)
        gort_go(churn, &done);
    uint64_t r = test_seed() + 3;
    for (int i = 0; i < 30 || LOAD(&done) < 50; i++) {
        gort_max_procs(1 + (int)(test_random(&r) % 16));
        gort_yield();
    }
    gort_max_procs(former);
    CHECK_EQ(LOAD(&done), 50);
}

// ---- time --------------------------------------------------------------------------------------

TEST(time_goes_forward)
{
    int64_t last = gort_now();
    for (int i = 0; i < 10000; i++) {
        int64_t now = gort_now();
        CHECK_GE(now, last);
        last = now;
    }
}

TEST(sleep_sleeps)
{
    static const int64_t times[] = { GORT_US, 50 * GORT_US, GORT_MS, 12 * GORT_MS };
    for (unsigned i = 0; i < 4; i++) {
        int64_t before = gort_now();
        gort_sleep(times[i]);
        CHECK_GE(gort_now() - before, times[i]);
    }
    gort_sleep(0);
    gort_sleep(-1);
    gort_sleep(INT64_MIN);
}

struct nap {
    int64_t until;
    int *next, place;
};

static void nap(void *arg)
{
    struct nap *n = arg;
    CHECK_EQ(gort_select_until(NULL, 0, n->until), -1);
    STORE(&n->place, ADD(n->next, 1));
}

// The first wakes after `delay`. false: not all slept by then, so nothing is known of their order.
static bool wake_in_order(int64_t delay)
{
    enum { N = 10 };
    struct nap n[N];
    int next = 0;
    int64_t first = gort_now() + delay;
    for (int i = 0; i < N; i++) {
        n[i] = (struct nap){ first + (i * 7 % N) * 5 * GORT_MS, &next, 0 };
        gort_go(nap, &n[i]);
    }
    settle();
    bool all_slept = gort_now() < first;
    for (int i = 0; i < N; i++) {
        WAIT_FOR(LOAD(&n[i].place) != 0);
        if (all_slept) CHECK_EQ(n[i].place, i * 7 % N + 1);
    }
    return all_slept;
}

TEST(sleepers_wake_in_order)
{
    for (int64_t delay = 10 * GORT_MS; !wake_in_order(delay); delay *= 2)
        continue;
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN_ON_ALL(goroutines_run);
    RUN_ON_ALL(arguments_are_copied);
    RUN(copies_of_all_sizes);
    RUN_ON_ALL(copies_are_scanned);
    RUN_ON_ALL(large_copies_are_scanned);
    RUN_ON_ALL(the_argument_is_scanned);
    RUN(options);
    RUN(numbers_are_not_reused);
    RUN(goroutines_are_counted);
    RUN(goroutines_are_counted_over_processors);
    RUN_IN_ORDER(yield_takes_turns);
    if (!in_mode("deterministic")) { // it has one
        RUN(max_procs);
        RUN(procs_change_under_load);
    }
    RUN(time_goes_forward);
    RUN(sleep_sleeps);
    RUN_IN_ORDER(sleepers_wake_in_order);
    return 0;
}

int main(int argc, char **argv)
{
    keep_ps();
    return gort_run(run, argc, argv);
}
