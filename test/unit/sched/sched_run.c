// Goroutines run, park, wake, yield, spread over threads, and end.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <sched.h>

#include "sched_test.h"
#include "sched/stack.h"
#include "sched/timer.h"

static struct group group;
static uint64_t sum;

static void add_one(void *arg)
{
    if ((uintptr_t)arg % 3 == 0) g_yield();
    atomic_fetch_add_relaxed(&sum, (uint64_t)(uintptr_t)arg);
    group_done(&group);
}

static void spawn_many(void)
{
    uint64_t want = 0;
    uint32_t n = (uint32_t)test_count(20000);
    group.left = n;
    for (uintptr_t i = 0; i < n; i++) {
        want += i;
        g_start(add_one, (void *)i, NULL, 0);
    }
    group_wait(&group);
    CHECK_EQ(sum, want);
    while (g_count() != 1)
        g_yield();
}

static void spawner(void *arg)
{
    uintptr_t depth = (uintptr_t)arg;
    for (int i = 0; i < 2 && depth > 0; i++)
        g_start(spawner, (void *)(depth - 1), NULL, 0);
    atomic_fetch_add_relaxed(&sum, 1);
    group_done(&group);
}

static void spawn_tree(void)
{
    group.left = (2u << 13) - 1;
    g_start(spawner, (void *)13, NULL, 0);
    group_wait(&group);
    CHECK_EQ(sum, (2u << 13) - 1);
}

// Copied arguments are the goroutine's own.
struct args {
    uint64_t value[13];
};
static void check_args(void *arg)
{
    struct args *a = arg;
    CHECK_EQ((uintptr_t)a % 16, 0);
    for (unsigned i = 0; i < 13; i++)
        CHECK_EQ(a->value[i], a->value[0] + i);
    atomic_fetch_add_relaxed(&sum, a->value[0]);
    group_done(&group);
}

static void copied_arguments(void)
{
    group.left = 1000;
    for (uint64_t i = 0; i < 1000; i++) {
        struct args a;
        for (unsigned k = 0; k < 13; k++)
            a.value[k] = i + k;
        struct g_options o = { .copy = &a, .copy_size = sizeof a };
        g_start(check_args, NULL, &o, 0);
        memset(&a, 0xff, sizeof a);
    }
    group_wait(&group);
    CHECK_EQ(sum, 999 * 1000 / 2);
}

// A token handed round a ring of parked goroutines: each wakes the next.
#define RING 50
static struct lock ring_lock;
static struct g *ring[RING];
static uint32_t token, rounds;
static uint32_t holder; // whose turn it is

static void ring_member(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg;
    for (;;) {
        p_pin();
        lock_acquire(&ring_lock);
        while (holder != me && token < rounds) {
            ring[me] = g_self();
            g_park_unlock(&ring_lock, WAIT_CHAN_RECV);
            lock_acquire(&ring_lock);
        }
        bool stop = token >= rounds;
        token++;
        holder = (me + 1) % RING;
        struct g *next = ring[holder];
        ring[holder] = NULL;
        lock_release(&ring_lock);
        if (next != NULL) g_ready(next);
        p_unpin();
        if (stop) break;
    }
    group_done(&group);
}

static void ring_of_parked(void)
{
    lock_init(&ring_lock, RANK_SEMATABLE);
    rounds = (uint32_t)test_count(100000);
    group.left = RING;
    for (uintptr_t i = 0; i < RING; i++)
        g_start(ring_member, (void *)i, NULL, 0);
    group_wait(&group);
    CHECK_GE(token, rounds);
}

// errno is a goroutine's own, whatever thread it continues on.  Out of line, as <gort.h> makes it
// for programs: compilers keep the address across calls.
static __attribute__((noinline)) void set_errno(int e)
{
    __asm__ volatile("");
    errno = e;
}
static __attribute__((noinline)) int get_errno(void)
{
    __asm__ volatile("");
    return errno;
}
static void errno_keeper(void *arg)
{
    int mine = (int)(uintptr_t)arg;
    for (int i = 0; i < 200; i++) {
        set_errno(mine);
        g_yield();
        CHECK_EQ(get_errno(), mine);
    }
    group_done(&group);
}

static void errno_is_kept(void)
{
    group.left = 40;
    for (uintptr_t i = 1; i <= 40; i++)
        g_start(errno_keeper, (void *)i, NULL, 0);
    group_wait(&group);
}

// Two goroutines that compute without calling anything run at the same time on two Ps.
static uint32_t arrived;
static void meet(void *arg)
{
    (void)arg;
    atomic_fetch_add_acqrel(&arrived, 1);
    while (atomic_load_acquire(&arrived) < 2)
        ;
    group_done(&group);
}
static void parallel(void)
{
    if (p_count() < 2) return;
    group.left = 2;
    g_start(meet, NULL, NULL, 0);
    g_start(meet, NULL, NULL, 0);
    group_wait(&group);
}

static void idle_then_wake(void)
{
    for (int i = 0; i < test_count(300); i++) {
        group.left = 8;
        for (uintptr_t k = 0; k < 8; k++)
            g_start(add_one, (void *)k, NULL, 0);
        group_wait(&group);
        struct timespec t = { 0, 50000 };
        nanosleep(&t, NULL); // other Ms go to sleep meanwhile
    }
}

// Goroutines that hand over directly, each after a round of the monitor, do not keep one waiting
// whose time has come: the monitor asks for a look around, so that it runs within a few turns
// instead of 64.
static uint32_t turns, ended;
static struct g *sleeper;
static int64_t due; // 0: it is not asleep; UNKNOWN: nobody has seen its timer
#define UNKNOWN ((int64_t)-1)

static void monitor(void *arg)
{
    struct m *m = arg;
    m_setup_thread(m);
    arch_crit_enter();
    for (;;)
        sched_monitor_round(m, INT64_MAX);
}

static void start_monitor(void)
{
    crit_enter();
    struct m *m = m_alloc(false);
    crit_exit();
    CHECK_EQ(os_thread_create(monitor, m, 256 * KB), 0);
}

static void take_turns(void *arg)
{
    (void)arg;
    while (!atomic_load_relaxed(&ended)) {
        int64_t before = atomic_load_relaxed(&sched.clock);
        while (atomic_load_relaxed(&sched.clock) == before)
            arch_pause();
        int64_t when = atomic_load_relaxed(&due), first = timer_first(p_at(0));
        bool fired = first == 0 && atomic_load_relaxed(&sleeper->status) == G_RUNNABLE;
        if (when == UNKNOWN && (first != 0 || fired))
            (void)atomic_cas_relaxed(&due, &when, fired ? before : first);
        if (when > 0 && before >= when) atomic_fetch_add_relaxed(&turns, 1);
        g_yield();
    }
    group_done(&group);
}

#define SLEEPS 10
static void due_in_time(void)
{
    if (p_count() != 1) return;
    start_monitor();
    sleeper = g_self();
    atomic_store_relaxed(&group.left, 2u);
    g_start(take_turns, NULL, NULL, 0);
    g_start(take_turns, NULL, NULL, 0);
    for (int i = 0; i < SLEEPS; i++) {
        atomic_store_relaxed(&due, UNKNOWN);
        g_sleep(1000000);
        atomic_store_relaxed(&due, (int64_t)0);
    }
    CHECK_LE(atomic_load_relaxed(&turns),
             4u * SLEEPS); // 32 each if the looks around are those of the count
    atomic_store_relaxed(&ended, 1u);
    group_wait(&group);
}

static void park_for_ever(void)
{
    p_pin();
    g_park(NULL, NULL, WAIT_CHAN_RECV);
    p_unpin();
}

static void no_deadlock_report(void)
{
    // The child dies by the report: "fatal error", status 2.
    int status = sched_test_child(park_for_ever, 2);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 2);
}

// GORTDEBUG=deterministic: who runs next is drawn, evenly, from those that wait; but one of the
// runtime's own comes first, whenever it came.
enum { DRAWN = 8, DRAWS = 1600 };
static int ran[DRAWN + 1], nran;

static void note_turn_of(void *arg)
{
    ran[nran++] = (int)(uintptr_t)arg;
}

static void drawing(void)
{
    int first[DRAWN] = { 0 };
    struct g_options own = { .is_system = true, .no_objects = true };
    for (int i = 0; i < DRAWS; i++) {
        nran = 0;
        for (uintptr_t k = 0; k < DRAWN; k++)
            g_start(note_turn_of, (void *)k, NULL, 0);
        bool with_own = i % 2 == 0;
        if (with_own) g_start(note_turn_of, (void *)(uintptr_t)DRAWN, &own, 0);
        while (nran < DRAWN + with_own)
            g_yield();
        if (with_own) CHECK_EQ(ran[0], DRAWN);
        first[ran[with_own]]++;
    }
    for (int k = 0; k < DRAWN; k++) { // 200 each; nine standard deviations
        CHECK_GT(first[k], 200 - 120);
        CHECK_LT(first[k], 200 + 120);
    }
}

static void drawn_when_deterministic(void)
{
    sched_debug.deterministic = true;
    sched_debug.migrate = 2;
    os_clock_hold();
    drawing();
}

// In a blocking call, with nobody else to run: the P is idle, and in no other thread's hands.
static void sees_an_idle_p(void *arg)
{
    (void)arg;
    CHECK_EQ(atomic_load_seq(&sched.nidle_p), 1);
}

static void the_only_p_is_kept(void)
{
    for (int i = 0; i < 100; i++)
        blocking_call(sees_an_idle_p, NULL, (uintptr_t)sees_an_idle_p);
}

static void modes(void)
{
    sched_debug.migrate = 1;
    sched_debug.tiny_runq = 1;
    spawn_many();
    ring_of_parked();
    CHECK_GT(sched_debug_migrations, 0);
}

static void note_that_it_ran(void *arg)
{
    *(bool *)arg = true;
}

// Stacks are taken faster than they are freed: an M that finds nothing to run makes some.
static void park_until_end(void *arg)
{
    (void)arg;
    p_pin();
    g_park(NULL, NULL, WAIT_CHAN_RECV);
    p_unpin();
}

static uint64_t stacks_made_ahead(void)
{
    struct stack_stats s;
    stack_read_stats(&s);
    return s.made_ahead;
}

static void stacks_are_made_ahead(void)
{
    struct stack_stats s;
    CHECK_EQ(stacks_made_ahead(), 0);
    for (int i = 0; i < 20; i++) /* few: nobody makes more */
        g_start(park_until_end, NULL, NULL, 0);
    g_yield();
    CHECK_EQ(stacks_made_ahead(), 0);
    for (int i = 0; i < 2000; i++)
        g_start(park_until_end, NULL, NULL, 0);
    stack_read_stats(&s);
    if (s.guards_by_mprotect != 0 || p_count() == 1) {
        CHECK_EQ(s.made_ahead, 0);
        return;
    }
    bool ran = false;
    while (stacks_made_ahead() == 0) { /* whoever is woken for it looks around */
        g_start(note_that_it_ran, &ran, NULL, 0);
        g_yield();
    }
    stack_read_stats(&s);
    CHECK_LE(s.slots_free, 128 + 100 * (uint64_t)p_count()); /* and what waits in Ps' caches */
}

// A class with few has few more.
static void few_are_made_for_few(void)
{
    struct stack_stats s;
    for (int i = 0; i < 40; i++)
        g_start(park_until_end, NULL, NULL, 0);
    stack_read_stats(&s);
    if (s.guards_by_mprotect != 0) return;
    for (int i = 0; !stacks_are_short(); i++) {
        CHECK_LE(i, 40);
        g_start(park_until_end, NULL, NULL, 0);
    }
    p_pin();
    struct m *m = m_self();
    CHECK(stack_make_ahead(m));
    while (stack_make_ahead(m))
        ;
    m_set_state(m, M_USER); // as it was
    p_unpin();
    stack_read_stats(&s);
    CHECK_GT(s.made_ahead, 0);
    CHECK_LE(s.slots_free, s.slots / 16 + 1);
}

// The main goroutine comes from the global queue each time, and the P is asked to look there before
// each run: the other, in the P's own ring, gets its turn all the same.
static void each_queue_its_turn(void)
{
    for (int round = 0; round < 100; round++) {
        bool ran = false;
        sched_debug.migrate = 0;
        g_start(note_that_it_ran, &ran, NULL, 0);
        sched_debug.migrate = 1;
        for (int i = 0; i < 2; i++) {
            sched_ask_to_look();
            g_yield();
        }
        CHECK(ran);
    }
}

// The same while the collector marks: a marker that runs in between takes nobody's turn.
static struct g *marker;
static bool marker_due;

static void mark_in_turns(void *unused)
{
    (void)unused;
    p_pin();
    for (;;) {
        sched_ask_to_look();
        g_park(NULL, NULL, WAIT_GC_WORKER);
    }
}

static struct g *find_marker(struct p *p)
{
    (void)p;
    if (!marker_due || marker->status != G_WAITING) return NULL;
    marker_due = false;
    return marker;
}

static void each_queue_its_turn_beside_markers(void)
{
    sched_debug.migrate = 0;
    marker = g_start(mark_in_turns, NULL, NULL, 0);
    while (marker->status != G_WAITING)
        g_yield();
    sched_hooks.find_mark_work = find_marker;
    atomic_store_relaxed(&sched.mark_wanted, 1u);
    for (int round = 0; round < 100; round++) {
        bool ran = false;
        sched_debug.migrate = 0;
        g_start(note_that_it_ran, &ran, NULL, 0);
        sched_debug.migrate = 1;
        for (int i = 0; i < 4; i++) {
            marker_due = true;
            sched_ask_to_look();
            g_yield();
        }
        CHECK(ran);
    }
    atomic_store_relaxed(&sched.mark_wanted, 0u);
}

// Those that the poller finds wait behind those that waited before, though all of them are more
// than a ring holds.  But for one at each look around: there is one for so many turns, and one for
// each round of the monitor.
enum { QUEUED = 200, FOUND = 100 };
static struct ready_list found;
static int nqueued_ran, nfound_ran, nearly;

static void wait_to_be_found(void *unused)
{
    (void)unused;
    p_pin();
    ready_list_append(&found, m_self()->curg);
    g_park(NULL, NULL, WAIT_IO);
    p_unpin();
    nfound_ran++;
    if (nqueued_ran < QUEUED) nearly++;
}

static void run_queued(void *unused)
{
    (void)unused;
    nqueued_ran++;
}

static void found_later_run_later(void)
{
    for (int i = 0; i < FOUND; i++)
        g_start(wait_to_be_found, NULL, NULL, 0);
    while (found.n != FOUND)
        g_yield();
    uint32_t rounds = atomic_load_relaxed(&sched.look_round);
    p_pin();
    for (int i = 0; i < QUEUED; i++)
        g_start(run_queued, NULL, NULL, 0);
    ready_inject(&found);
    p_unpin();
    while (nfound_ran != FOUND)
        g_yield();
    CHECK_EQ(nqueued_ran, QUEUED);
    rounds = atomic_load_relaxed(&sched.look_round) - rounds;
    CHECK_LE((uint64_t)nearly, (uint64_t)rounds + 16);
}

int main(void)
{
    RUN_ALL(spawn_many);
    RUN_ALL(spawn_tree);
    RUN_ALL(copied_arguments);
    RUN_ALL(ring_of_parked);
    RUN_ALL(errno_is_kept);
    RUN_ALL(parallel);
    RUN_ALL(due_in_time);
    CHECK_EQ(sched_test_child(drawn_when_deterministic, 1), 0);
    CHECK_EQ(sched_test_child(the_only_p_is_kept, 1), 0);
    RUN_ALL(idle_then_wake);
    RUN_ALL(stacks_are_made_ahead);
    CHECK_EQ(sched_test_child(few_are_made_for_few, 1), 0);
    RUN_ALL(modes);
    CHECK_EQ(sched_test_child(each_queue_its_turn, 1), 0);
    CHECK_EQ(sched_test_child(each_queue_its_turn_beside_markers, 1), 0);
    CHECK_EQ(sched_test_child(found_later_run_later, 1), 0);
    no_deadlock_report();
    return 0;
}
