// Counters under load: goroutines add while others read, collect and change the number of Ps.
// TEST timeout=120
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

enum { ADDERS = 12 };

struct load {
    gort_counter *c, *both; // both: what is added to c and taken away again
    int rounds;
    int running;   // atomic
    int64_t added; // atomic: at least so much was added before
    int64_t begun; // atomic: and at most so much
    gort_waitgroup wg;
};

static void add(void *arg)
{
    struct load *l = ((struct load **)arg)[0];
    for (int i = 0; i < l->rounds; i++) {
        ADD(&l->begun, 3);
        for (int k = 0; k < 3; k++)
            gort_counter_add(l->c, 1);
        ADD(&l->added, 3);
        gort_counter_add(l->both, 1000);
        if (i % 64 == 0) gort_yield();
        gort_counter_add(l->both, -1000); // perhaps in another P's cell
    }
    ADD(&l->running, -1);
    gort_waitgroup_done(&l->wg);
}

// What is read lies between what was surely added before and what may have been after, and does
// not fall.
static void read_steadily(void *arg)
{
    struct load *l = ((struct load **)arg)[0];
    int64_t last = 0;
    while (LOAD(&l->running) != 0) {
        int64_t least = LOAD(&l->added), n = gort_counter_read(l->c), most = LOAD(&l->begun);
        CHECK_GE(n, least);
        CHECK_LE(n, most);
        CHECK_GE(n, last);
        last = n;
        gort_yield();
    }
    gort_waitgroup_done(&l->wg);
}

static void start(struct load *l, int n, void (*fn)(void *))
{
    gort_waitgroup_add(&l->wg, n);
    for (int i = 0; i < n; i++)
        gort_go_copy(fn, &l, sizeof l);
}

static struct load *load_of(int rounds)
{
    struct load *l = gort_alloc(sizeof *l);
    gort_set(&l->c, gort_counter_make());
    gort_set(&l->both, gort_counter_make());
    l->rounds = rounds;
    l->running = ADDERS;
    return l;
}

static void check_exact(const struct load *l)
{
    CHECK_EQ(gort_counter_read(l->c), (int64_t)ADDERS * l->rounds * 3);
    CHECK_EQ(gort_counter_read(l->both), 0);
}

TEST(nothing_is_lost)
{
    struct load *l = load_of(test_count(20000));
    start(l, ADDERS, add);
    start(l, 2, read_steadily);
    gort_waitgroup_wait(&l->wg);
    check_exact(l);
}

// Made on one P, used on sixteen, read on one.
TEST(the_number_of_ps_changes)
{
    static const int procs[] = { 1, 16, 3, 8, 1, 2 };
    struct load *l = load_of(test_count(8000));
    int former = gort_max_procs(1);
    gort_set(&l->c, gort_counter_make());
    start(l, ADDERS, add);
    start(l, 2, read_steadily);
    for (int i = 0; LOAD(&l->running) != 0; i++) {
        gort_max_procs(procs[i % 6]);
        gort_yield();
    }
    gort_waitgroup_wait(&l->wg);
    gort_max_procs(1);
    check_exact(l);
    gort_max_procs(former);
}

// Stops roll additions back that they meet on the way.
TEST(the_collector_stops_those_who_add)
{
    struct load *l = load_of(test_count(20000));
    start(l, ADDERS, add);
    while (LOAD(&l->running) != 0) {
        gort_gc();
        gort_yield();
    }
    gort_waitgroup_wait(&l->wg);
    check_exact(l);
}

// Goroutines that compute lose their P between one addition and the next, or in it.
struct hog {
    gort_counter *c;
    int64_t until;
    int64_t *n;
    gort_waitgroup *wg;
};
static void hog(void *arg)
{
    struct hog *h = arg;
    int64_t n = 0;
    while (gort_now() < h->until)
        for (int i = 0; i < 10000; i++, n++)
            gort_counter_add(h->c, 1);
    ADD(h->n, n);
    gort_waitgroup_done(h->wg);
}

static void run_hogs(gort_counter *c)
{
    gort_waitgroup *wg = gort_new(gort_waitgroup);
    int64_t *n = gort_new(int64_t);
    struct hog h = { c, gort_now() + test_count(100) * GORT_MS, n, wg };
    gort_waitgroup_add(wg, 6);
    for (int i = 0; i < 6; i++)
        gort_go_copy(hog, &h, sizeof h);
    gort_waitgroup_wait(wg);
    CHECK_EQ(gort_counter_read(h.c), *n);
}

TEST(goroutines_that_compute_lose_nothing)
{
    run_hogs(gort_counter_make());
}

// The same by the call, which the Ps need that the counter does not know.
TEST(goroutines_that_compute_on_later_ps_lose_nothing)
{
    gort_max_procs(1);
    gort_counter *c = gort_counter_make();
    gort_max_procs(4);
    run_hogs(c);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON_ALL(nothing_is_lost);
    RUN(the_number_of_ps_changes);
    RUN_ON_ALL(the_collector_stops_those_who_add);
    RUN_ON(2, goroutines_that_compute_lose_nothing);
    RUN_ON(4, goroutines_that_compute_on_later_ps_lose_nothing);
    return 0;
}

int main(int argc, char **argv)
{
    test_seed();
    return gort_run(run, argc, argv);
}
