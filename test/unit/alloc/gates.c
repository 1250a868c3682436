// When a cycle may begin, how many begin when many ask, how often one fails to end, and what must
// not be done meanwhile.
// SPDX-License-Identifier: BSD-3-Clause
#include "../../expect_fatal.h"
#include "../gc/gc_test.h"
#include "base/throw.h"
#include "gc/background.h"
#include "gc/barrier.h"
#include "gc/cycle.h"
#include "gc/pace.h"
#include "heap/mcache.h"
#include "marking.h"

static struct gc_totals totals(void)
{
    struct gc_totals t;
    gc_read_totals(&t);
    return t;
}

// ---- gates --------------------------------------------------------------------------------------

static const struct gc_test_options no_background = { .percent = 100, .no_background = true };

static void none_begins_before_all_are_ready(void)
{
    gc_collect(GC_CAUSE_FORCED);
    CHECK_EQ(totals().cycles, 0);
    CHECK_EQ(totals().refused, 1);
    CHECK(!background_is_ready());
    gc_start_background();
    CHECK(background_is_ready());
    gc_collect(GC_CAUSE_FORCED);
    CHECK_EQ(totals().cycles, 1);
    CHECK_EQ(totals().by_cause[GC_CAUSE_FORCED], 1);
}

static void collect(void *unused)
{
    (void)unused;
    gc_collect(GC_CAUSE_FORCED);
}

static void none_begins_where_a_stop_would_wait(void)
{
    gort_gc();
    uint64_t before = totals().cycles;
    call_on_system_stack(collect, NULL);
    CHECK_EQ(totals().refused, 1);
    crit_enter();
    collect(NULL);
    crit_exit();
    CHECK_EQ(totals().refused, 2);
    CHECK_EQ(totals().cycles, before);
    gort_gc();
    CHECK_EQ(totals().cycles, before + 1);
}

static void none_begins_while_an_error_prints(void)
{
    gort_gc();
    uint64_t before = totals().cycles;
    CHECK(!throw_is_on());
    throw_begin();
    gc_collect(GC_CAUSE_FORCED);
    CHECK_EQ(totals().cycles, before);
    CHECK_EQ(totals().refused, 1);
    _exit(0);
}

static uint32_t demanding; // atomic: 1: about to, 2: came back

static void demand(void *unused)
{
    (void)unused;
    atomic_store_seq(&demanding, 1);
    gc_collect(GC_CAUSE_FORCED);
    atomic_store_seq(&demanding, 2);
}

// Nothing was collected: who demanded it does not go on.  (Whoever comes back does so at once.)
static void who_demands_one_then_waits_for_the_end(void)
{
    gort_gc();
    throw_begin();
    go(demand, NULL);
    while (atomic_load_seq(&demanding) == 0) // on the other P
        os_thread_yield();
    usleep(50000);
    CHECK_EQ(atomic_load_seq(&demanding), 1);
    _exit(0);
}

// ---- many ask at a time -------------------------------------------------------------------------

enum { RACERS = 6 };
static struct m *racing[RACERS]; // atomic
static uint32_t nracing;         // atomic
static enum gc_cause cause;

static void race(void *w)
{
    uint32_t me = atomic_fetch_add_relaxed(&nracing, 1);
    atomic_store_release(&racing[me], m_self()); // pairs with the load in race_all
    if (cause == GC_CAUSE_FORCED) {
        gort_gc();
        CHECK(heap_sweep_done());
    } else {
        gc_collect(cause);
    }
    group_done(w);
}

// All of them have asked, and wait for the lock, before anybody gets it.  How many cycles that
// made.
static uint64_t race_all(enum gc_cause why, uint32_t stoptheworld)
{
    static struct group w;
    prepare_marking();
    gc_debug.stoptheworld = stoptheworld;
    if (why == GC_CAUSE_PERIODIC) {
        gort_set_gc_percent(100); // with a held clock: the period is over
        os_clock_advance(2 * GC_PERIOD_NS);
        CHECK(gc_period_over(os_now()));
    }
    cause = why;
    w.left = RACERS;
    uint64_t before = totals().by_cause[why];
    cycle_lock();
    for (int i = 0; i < RACERS; i++)
        go(race, &w);
    atomic_store_relaxed(&gc_trigger, (uint64_t)1); // due
    for (int i = 0; i < RACERS; i++) {
        struct m *m;
        while ((m = atomic_load_acquire(&racing[i])) == NULL ||
               atomic_load_acquire(&m->state) != M_BLOCKING)
            os_thread_yield();
    }
    cycle_unlock();
    group_wait(&w);
    if (heap_marking()) gort_gc(); // helps it to its end
    return totals().by_cause[why] - before;
}

static void every_cycle_has_a_cause(void)
{
    struct gc_totals t = totals();
    uint64_t sum = 0;
    for (int i = 0; i < GC_CAUSES; i++)
        sum += t.by_cause[i];
    CHECK_EQ(sum, t.cycles);
}

static void racing_triggers_make_one_cycle(void)
{
    CHECK_EQ(race_all(GC_CAUSE_HEAP, 0), 1);
    every_cycle_has_a_cause();
}

static void racing_triggers_make_one_stopped_cycle(void)
{
    CHECK_EQ(race_all(GC_CAUSE_HEAP, 1), 1);
    every_cycle_has_a_cause();
}

// The clock stands still: the period is over, and begins anew when the cycle has ended.
static void race_periods(uint32_t stoptheworld)
{
    int64_t now = os_now();
    os_clock_hold();
    os_clock_advance_to(now);
    CHECK_EQ(race_all(GC_CAUSE_PERIODIC, stoptheworld), 1);
    CHECK(!gc_period_over(os_now()));
    every_cycle_has_a_cause();
}

static void racing_periods_make_one_cycle(void)
{
    race_periods(0);
}

static void racing_periods_make_one_stopped_cycle(void)
{
    race_periods(1);
}

// Each is served by the one cycle, and has seen its sweep.
static void callers_share_a_cycle(void)
{
    for (int i = 0; i < 500000; i++)
        gort_new(node);
    CHECK_EQ(race_all(GC_CAUSE_FORCED, 0), 1);
    every_cycle_has_a_cause();
}

// ---- work that comes late -----------------------------------------------------------------------

enum { LATE_DEPTH = 13, LATE_MOST = 8 };
// Nodes are numbered from 1.
#define LATE_SUM (((uint64_t)1 << (LATE_DEPTH + 1)) * (((uint64_t)1 << (LATE_DEPTH + 1)) - 1) / 2)
static struct hidden late[LATE_MOST];
static int late_wanted, late_done;
static struct gc_cycle_record last;

static void note_record(const struct gc_cycle_record *r)
{
    last = *r;
}

// Nothing else points to the tree.  Too much for a stop.
static void make_late_work(void)
{
    if (late_done == late_wanted) return;
    p_pin();
    barrier_log(shown(late[late_done++]), NULL);
    p_unpin();
}

__attribute__((noinline)) static void hide_trees(void)
{
    for (int i = 0; i < LATE_MOST; i++)
        late[i] = hide(tree(LATE_DEPTH, 1));
}

static uint64_t values(const node *x)
{
    return x == NULL ? 0 : x->value + values(x->left) + values(x->right);
}

static uint32_t restarts(int wanted)
{
    gort_set_gc_percent(-1);
    hide_trees();
    scrub_stack();
    late_done = 0;
    late_wanted = wanted;
    gc_debug.late_work = make_late_work;
    uint64_t before = totals().restarts;
    gort_gc();
    gc_debug.late_work = NULL;
    CHECK_EQ(totals().restarts - before, last.restarts);
    CHECK_EQ(last.stops, 2 + last.restarts);
    for (int i = 0; i < late_done; i++)
        CHECK_EQ(values(shown(late[i])), LATE_SUM);
    return last.restarts;
}

static void stops_that_find_work_are_repeated_and_counted(void)
{
    gc_cycle_listener = note_record;
    CHECK_EQ(restarts(0), 0);
    CHECK_EQ(restarts(1), 1);
    CHECK_EQ(restarts(3), 3);
    CHECK_EQ(restarts(LATE_MOST), LATE_MOST);
}

// ---- what is fatal ------------------------------------------------------------------------------

static void leave_a_cache_behind(void)
{
    gort_gc();
    int i = p_count() - 1; // idle or not
    p_at(i)->mcache->flush_gen -= 2;
    gort_gc();
}

static void read_in_listener(const struct gc_cycle_record *r)
{
    (void)r;
    (void)totals();
}

static void listen_and_ask(void)
{
    gc_cycle_listener = read_in_listener;
    gort_gc();
}

static void run_main(void *fn)
{
    gc_test_run((void (*)(void))fn, 2, &gc_test_plain);
}

// ---- settings while marking ---------------------------------------------------------------------

static void a_new_percentage_holds_at_once(void)
{
    prepare_marking();
    begin_marking();
    CHECK(heap_marking());
    struct pacer_assist before = pacer_ratio(&pace_shared);
    uint64_t stops = world_stop_count(STOP_SETTINGS);
    CHECK_EQ(gc_set_percent(10000), 100);
    CHECK_EQ(world_stop_count(STOP_SETTINGS), stops + 1);
    CHECK(pacer_ratio(&pace_shared).work_per_byte < before.work_per_byte / 2);
    CHECK(heap_marking());
    CHECK_EQ(gc_set_percent(100), 10000);
    CHECK(pacer_ratio(&pace_shared).work_per_byte > before.work_per_byte / 2);
    end_marking();
}

// Whoever allocates with a lock held would assist with it, or stop the world.
static void refill_with_a_lock_held(void)
{
    static struct lock l = LOCK_INIT(RANK_SCHED);
    crit_enter();
    lock_acquire(&l);
    gc_after_refill();
}

static const struct gc_test_options unchecked = { .percent = 100 };
static uint32_t enough; // atomic

static void allocate(void *w)
{
    while (!atomic_load_relaxed(&enough)) {
        for (int i = 0; i < 10000; i++)
            gort_new(node);
        g_yield(); // nobody takes the P away
    }
    group_done(w);
}

static void settings_change_beside_assists(void)
{
    static struct group w;
    build_wide();
    w.left = 4;
    for (uint32_t i = w.left; i > 0; i--)
        go(allocate, &w);
    for (int i = 0; i < test_count(40) || totals().cycles < 8; i++) {
        gort_set_gc_percent(20 + i * 37 % 200);
        gort_set_memory_limit(i % 3 == 0 ? INT64_MAX : (int64_t)(256 + i % 7 * 64) * MB);
        g_yield();
    }
    atomic_store_relaxed(&enough, 1);
    group_wait(&w);
}

int main(void)
{
    expect_fatal(run_main, (void *)leave_a_cache_behind, "P 1 has spans of the collection before");
    expect_fatal(run_main, (void *)listen_and_ask, "a listener of collections has allocated");
    if (GORT_ASSERT_LEVEL >= 1)
        expect_fatal(run_main, (void *)refill_with_a_lock_held, "lock_none_held()");
    gc_test_child("ready", none_begins_before_all_are_ready, 1, &no_background);
    gc_test_child("ready", none_begins_before_all_are_ready, 2, &no_background);
    RUN_ALL(none_begins_where_a_stop_would_wait);
    RUN_ALL(none_begins_while_an_error_prints);
    RUN_ON(who_demands_one_then_waits_for_the_end, 2);
    RUN_ON(racing_triggers_make_one_cycle, 16);
    RUN_ON(racing_triggers_make_one_stopped_cycle, 16);
    RUN_ON(racing_periods_make_one_cycle, 16);
    RUN_ON(racing_periods_make_one_stopped_cycle, 16);
    RUN_ON(callers_share_a_cycle, 16);
    RUN_ALL(stops_that_find_work_are_repeated_and_counted);
    RUN_ALL(a_new_percentage_holds_at_once);
    RUN_WITH(settings_change_beside_assists, &unchecked);
    return 0;
}
