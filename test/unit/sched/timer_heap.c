// The heap of timers: against a model, at its bounds, with threads that remove what others fire.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "../../test.h"
#include "base/atomic.h"
#include "sched/sched.h"
#include "sched/timer.h"

// ---- fired timers leave a trace; the list of ready goroutines is not needed -------------------

struct item {
    struct timer timer;
    uint32_t fired; // atomic
    int64_t at;     // time of the run that fired it
};

static int64_t now; // what the present call of timer_run_due was told

static void note_fired(struct timer *t, struct ready_list *ready)
{
    struct item *i = t->arg;
    ready->n++;
    i->at = now;
    atomic_fetch_add_relaxed(&i->fired, 1);
}

static void item_init(struct item *i, int64_t when)
{
    *i = (struct item){ .timer = { .when = when, .fn = note_fired, .arg = i } };
}

static uint32_t run_due(struct p *p, int64_t time)
{
    struct ready_list ready = { NULL, NULL, 0 };
    now = time;
    timer_run_due(p, time, &ready);
    return ready.n;
}

static struct p ps[4];

TEST(empty_heap)
{
    CHECK_EQ(timer_first(&ps[0]), 0);
    CHECK_EQ(run_due(&ps[0], INT64_MAX), 0);
    struct timer never = { .when = 5 };
    CHECK(!timer_remove(&never));
}

TEST(one_timer)
{
    struct item i;
    item_init(&i, 100);
    CHECK(timer_add(&ps[0], &i.timer));
    CHECK_EQ(timer_first(&ps[0]), 100);
    CHECK_EQ(run_due(&ps[0], 99), 0);
    CHECK_EQ(run_due(&ps[0], 100), 1);
    CHECK_EQ(i.fired, 1);
    CHECK_EQ(timer_first(&ps[0]), 0);
    CHECK(!timer_remove(&i.timer));
    CHECK(timer_add(&ps[1], &i.timer)); // again, elsewhere
    CHECK(timer_remove(&i.timer));
    CHECK(!timer_remove(&i.timer));
    CHECK_EQ(timer_first(&ps[1]), 0);
    CHECK_EQ(run_due(&ps[1], INT64_MAX), 0);
}

TEST(only_the_earliest_says_so)
{
    struct item i[4];
    item_init(&i[0], 50);
    item_init(&i[1], 50);
    item_init(&i[2], 60);
    item_init(&i[3], 40);
    CHECK(timer_add(&ps[0], &i[0].timer));
    CHECK(!timer_add(&ps[0], &i[1].timer));
    CHECK(!timer_add(&ps[0], &i[2].timer));
    CHECK(timer_add(&ps[0], &i[3].timer));
    CHECK_EQ(timer_first(&ps[0]), 40);
    CHECK(timer_remove(&i[3].timer));
    CHECK_EQ(timer_first(&ps[0]), 50);
    CHECK_EQ(run_due(&ps[0], 50), 2);
    CHECK_EQ(timer_first(&ps[0]), 60);
    CHECK_EQ(run_due(&ps[0], 60), 1);
}

TEST(times_at_the_bounds)
{
    struct item i[3];
    item_init(&i[0], INT64_MAX);
    item_init(&i[1], 0); // 0 would say that there is none
    item_init(&i[2], INT64_MIN);
    for (int k = 0; k < 3; k++)
        (void)timer_add(&ps[0], &i[k].timer);
    CHECK_EQ(timer_first(&ps[0]), 1);
    CHECK_EQ(run_due(&ps[0], 1), 2);
    CHECK_EQ(timer_first(&ps[0]), INT64_MAX);
    CHECK_EQ(run_due(&ps[0], INT64_MAX - 1), 0);
    CHECK(timer_remove(&i[0].timer));
}

// A crowd due at once is fired in several calls, and `first` says that there is more.
TEST(a_crowd)
{
    enum { N = 5000 };
    static struct item i[N];
    for (int k = 0; k < N; k++) {
        item_init(&i[k], 7);
        (void)timer_add(&ps[0], &i[k].timer);
    }
    uint32_t fired = 0, calls = 0;
    while (timer_first(&ps[0]) != 0) {
        uint32_t n = run_due(&ps[0], 7);
        CHECK_GT(n, 0);
        CHECK_LT(n, N / 2);
        fired += n;
        calls++;
    }
    CHECK_EQ(fired, N);
    CHECK_GT(calls, 2);
    for (int k = 0; k < N; k++)
        CHECK_EQ(i[k].fired, 1);
}

// Random calls; after each the heap's first is the model's least, and what fires was due.
TEST(against_a_model)
{
    enum { N = 1500 };
    static struct item items[N];
    static bool waits[N];
    uint64_t seed = test_seed();
    int64_t time = 1000;
    for (int k = 0; k < N; k++)
        item_init(&items[k], 0);
    for (int64_t round = test_count(60000); round > 0; round--) {
        uint32_t k = test_random(&seed) % N;
        struct item *i = &items[k];
        if (test_random(&seed) % 64 == 0) {
            time += (int64_t)(test_random(&seed) % 300);
            while (timer_first(&ps[2]) != 0 && timer_first(&ps[2]) <= time)
                CHECK_GT(run_due(&ps[2], time), 0);
            for (int j = 0; j < N; j++) {
                if (waits[j] && items[j].timer.when <= time) {
                    CHECK_EQ(items[j].fired, 1);
                    waits[j] = false;
                }
                CHECK_EQ(items[j].fired, waits[j] ? 0 : items[j].fired);
            }
        } else if (waits[k]) {
            CHECK(timer_remove(&i->timer));
            waits[k] = false;
        } else {
            item_init(i, time + 1 + (int64_t)(test_random(&seed) % 5000));
            bool earliest = timer_add(&ps[2], &i->timer);
            CHECK_EQ(earliest,
                     timer_first(&ps[2]) == i->timer.when && ps[2].timers.a[0] == &i->timer);
            waits[k] = true;
        }
        if (round % 16 != 0) continue;
        int64_t least = 0;
        uint32_t n = 0;
        for (int j = 0; j < N; j++) {
            if (!waits[j]) continue;
            n++;
            if (least == 0 || items[j].timer.when < least) least = items[j].timer.when;
        }
        CHECK_EQ(timer_first(&ps[2]), least);
        CHECK_EQ(ps[2].timers.n, n);
    }
    for (int j = 0; j < N; j++)
        if (waits[j]) CHECK(timer_remove(&items[j].timer));
    CHECK_EQ(timer_first(&ps[2]), 0);
}

TEST(they_fire_in_order)
{
    enum { N = 3000 };
    static struct item i[N];
    uint64_t seed = test_seed() + 1;
    int64_t sum = 0;
    for (int k = 0; k < N; k++) {
        item_init(&i[k], 1 + (int64_t)(test_random(&seed) % 1000));
        (void)timer_add(&ps[0], &i[k].timer);
    }
    for (int64_t t = 1; t <= 1000; t++)
        sum += run_due(&ps[0], t);
    CHECK_EQ(sum, N);
    for (int k = 0; k < N; k++)
        CHECK_EQ(i[k].at, i[k].timer.when);
}

TEST(an_heir_gets_all)
{
    enum { N = 1000 };
    static struct item i[N];
    for (int k = 0; k < N; k++) {
        item_init(&i[k], 1 + (k * 7) % N);
        (void)timer_add(&ps[k % 2], &i[k].timer);
    }
    timer_move_all_stw(&ps[0], &ps[1]);
    CHECK_EQ(timer_first(&ps[0]), 0);
    CHECK_EQ(ps[0].timers.n, 0);
    CHECK_EQ(timer_first(&ps[1]), 1);
    CHECK(timer_remove(&i[500].timer));
    uint32_t fired = 0;
    for (int64_t t = 1; t <= N; t++)
        fired += run_due(&ps[1], t);
    CHECK_EQ(fired, N - 1);
    timer_move_all_stw(&ps[0], &ps[1]); // nothing to move
    CHECK_EQ(timer_first(&ps[1]), 0);
}

// Some threads add and remove timers in their own frames while others fire them: each timer either
// fires or is removed, and nobody touches it after timer_remove.
static uint32_t race_over, race_left;
static uint64_t race_removed, race_fired;

static void race_fire(struct timer *t, struct ready_list *ready)
{
    (void)ready;
    for (volatile int spin = 100; spin > 0; spin--)
        ; // whoever removes it meanwhile has to wait
    atomic_fetch_add_relaxed((uint32_t *)t->arg, 1);
}

static void race_round(struct p *p, int64_t when)
{
    uint32_t fired = 0;
    struct timer t = { .when = when, .fn = race_fire, .arg = &fired };
    crit_enter();
    (void)timer_add(p, &t);
    for (volatile int spin = (int)(when % 7) * 20; spin > 0; spin--)
        ;
    bool removed = timer_remove(&t);
    crit_exit();
    CHECK_EQ(atomic_load_relaxed(&fired), removed ? 0 : 1);
    atomic_fetch_add_relaxed(removed ? &race_removed : &race_fired, 1);
    memset(&t, 0xff, sizeof t); // the frame is somebody else's now
    *(volatile uint32_t *)&fired = 77;
}

static void *race_owner(void *arg)
{
    uint64_t seed = test_seed() + (uintptr_t)arg;
    // At least so many, and until both ends of the race were seen: a busy machine may not let the
    // other threads run for a while.
    for (int64_t i = test_count(100000);
         i > 0 || atomic_load_relaxed(&race_fired) == 0 || atomic_load_relaxed(&race_removed) == 0;
         i--)
        race_round(&ps[test_random(&seed) % 2], 1 + (int64_t)(test_random(&seed) % 1000));
    if (atomic_fetch_sub_acqrel(&race_left, 1) == 1) atomic_store_release(&race_over, 1);
    return NULL;
}

static void *race_runner(void *arg)
{
    uint64_t seed = test_seed() ^ (uintptr_t)arg;
    while (!atomic_load_acquire(&race_over)) {
        struct ready_list ready = { NULL, NULL, 0 };
        crit_enter();
        timer_run_due(&ps[test_random(&seed) % 2], 500, &ready);
        crit_exit();
    }
    return NULL;
}

TEST(firing_and_removing_race)
{
    pthread_t owner[3], runner[2];
    race_left = 3;
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&runner[i], NULL, race_runner, (void *)(i + 1)), 0);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&owner[i], NULL, race_owner, (void *)(i + 10)), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(owner[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(runner[i], NULL);
    CHECK_GT(race_removed, 0);
    CHECK_GT(race_fired, 0);
    CHECK_EQ(timer_first(&ps[0]), 0);
    CHECK_EQ(timer_first(&ps[1]), 0);
}

int main(void)
{
    (void)test_seed(); // chosen before threads ask
    for (int i = 0; i < 4; i++)
        timer_heap_init(&ps[i].timers);
    RUN(empty_heap);
    RUN(one_timer);
    RUN(only_the_earliest_says_so);
    RUN(times_at_the_bounds);
    RUN(a_crowd);
    RUN(against_a_model);
    RUN(they_fire_in_order);
    RUN(an_heir_gets_all);
    RUN(firing_and_removing_race);
    return 0;
}
