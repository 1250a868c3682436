// Stop-the-world: nothing moves while it lasts, everything goes on after, whatever threads do.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../expect_fatal.h"
#include "sched_test.h"

#define SPINNERS 6
static struct group group;
static uint32_t quit;
static struct {
    volatile uint64_t n;
    char pad[56];
} counters[64];

static void spin(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    // Long stretches without a call; an endless one would keep its P's queue waiting.
    while (!atomic_load_relaxed(&quit)) {
        for (int i = 0; i < 100000; i++)
            counters[me].n++;
        g_yield();
    }
    group_done(&group);
}

// Lives in critical sections.
static void sections(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    while (!atomic_load_relaxed(&quit)) {
        for (int i = 0; i < 10000; i++) {
            crit_enter();
            counters[me].n++;
            crit_exit();
        }
        g_yield();
    }
    group_done(&group);
}

static void yielder(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    while (!atomic_load_relaxed(&quit)) {
        counters[me].n++;
        g_yield();
    }
    group_done(&group);
}

static void nothing(void *arg)
{
    (void)arg;
}
static void blocker(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    while (!atomic_load_relaxed(&quit)) {
        counters[me].n++;
        blocking_call(nothing, NULL, (uintptr_t)nothing);
    }
    group_done(&group);
}

struct look {
    uint64_t a[64], b[64];
    uint64_t ranges;
};

static void stop_and_look(void *arg)
{
    struct look *l = arg;
    struct stop_result r;
    world_stop(STOP_TEST, &r);
    for (int i = 0; i < 64; i++)
        l->a[i] = counters[i].n;
    l->ranges = 0;
    for (uint32_t i = 0; i < g_table_size(); i++) {
        struct scan_range out[G_RANGES];
        struct g *g = g_at(i);
        if (g != NULL) l->ranges += (uint64_t)g_scan_ranges_stw(g, out);
    }
    int64_t end = os_now() + 20000;
    while (os_now() < end)
        ;
    for (int i = 0; i < 64; i++)
        l->b[i] = counters[i].n;
    world_start();
}

static void nothing_moves(void)
{
    void (*kinds[])(void *) = { spin, sections, yielder, blocker };
    uint32_t n = 0;
    for (int i = 0; i < SPINNERS; i++, n++)
        g_start(kinds[i % 2], (void *)(uintptr_t)n, NULL, 0);
    for (int i = 0; i < 6; i++, n++)
        g_start(kinds[2 + i % 2], (void *)(uintptr_t)n, NULL, 0);
    atomic_store_relaxed(&group.left, n);
    struct look l;
    for (int i = 0; i < test_count(500); i++) {
        call_on_system_stack(stop_and_look, &l);
        for (int k = 0; k < 64; k++)
            CHECK_EQ(l.a[k], l.b[k]);
        CHECK_GT(l.ranges, 0);
        if (i % 4 == 0) g_yield();
    }
    atomic_store_relaxed(&quit, 1u);
    group_wait(&group);
    // (Not each: a goroutine in the queue of a P whose goroutine computes waits for an idle thief.)
    uint64_t moved = 0;
    for (uint32_t k = 0; k < n; k++)
        moved += counters[k].n;
    CHECK_GT(moved, 0);
}

// Several goroutines stop the world at once: each gets its turn.
static uint32_t stops;
static void stop_once(void *arg)
{
    (void)arg;
    world_stop(STOP_TEST, NULL);
    atomic_store_relaxed(&stops, atomic_load_relaxed(&stops) + 1); // exclusive by the stop
    world_start();
}
static void stopper(void *arg)
{
    for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
        call_on_system_stack(stop_once, NULL);
        if (i % 8 == 0) g_yield();
    }
    group_done(&group);
}
static void racing_stoppers(void)
{
    uintptr_t each = (uintptr_t)test_count(200);
    group.left = 8;
    for (int i = 0; i < 8; i++)
        g_start(stopper, (void *)each, NULL, 0);
    group_wait(&group);
    CHECK_EQ(stops, 8 * each);
}

// The number of Ps changes under load and nothing is lost.
static void resize(void *arg)
{
    world_stop(STOP_PROCS, NULL);
    p_resize_stw((int)(uintptr_t)arg);
    world_start();
}
static void resizing(void)
{
    group.left = 40;
    for (uintptr_t i = 0; i < 40; i++)
        g_start(i % 2 ? yielder : blocker, (void *)i, NULL, 0);
    static const int sizes[] = { 1, 16, 2, 7, 1, 3, 16, 4 };
    for (int i = 0; i < test_count(400); i++) {
        call_on_system_stack(resize, (void *)(uintptr_t)sizes[i % 8]);
        for (int k = 0; k < 5; k++)
            g_yield();
    }
    atomic_store_relaxed(&quit, 1u);
    group_wait(&group);
}

// Foreign threads attach, park, and leave, while the world stops.
static struct lock meet_lock;
static struct g *waiting;
static uint32_t handed, threads_left;

static void *foreign(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(m_attach(), 0);
        CHECK(g_self() != NULL);
        for (int k = 0; k < 10; k++) {
            p_pin();
            lock_acquire(&meet_lock);
            struct g *partner = waiting;
            if (partner != NULL) {
                waiting = NULL;
                handed++;
                lock_release(&meet_lock);
                g_ready(partner);
            } else {
                waiting = g_self();
                g_park_unlock(&meet_lock, WAIT_CHAN_RECV);
            }
            p_unpin();
            counters[63].n++;
        }
        m_detach();
    }
    atomic_fetch_sub_acqrel(&threads_left, 1);
    return NULL;
}

static void foreign_threads(void)
{
    lock_init(&meet_lock, RANK_SEMATABLE);
    threads_left = 4;
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, foreign, NULL), 0);
    struct look l;
    while (atomic_load_acquire(&threads_left) != 0) {
        call_on_system_stack(stop_and_look, &l);
        CHECK_EQ(l.a[63], l.b[63]);
        // The last one may wait alone.
        p_pin();
        lock_acquire(&meet_lock);
        struct g *g = waiting;
        if (g != NULL && atomic_load_acquire(&threads_left) == 1) {
            waiting = NULL;
            g_ready(g);
        }
        lock_release(&meet_lock);
        p_unpin();
        g_yield();
    }
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

// A locked goroutine stays on its thread.
static void locked(void *arg)
{
    (void)arg;
    g_lock_thread();
    int tid = os_thread_id();
    for (int i = 0; i < 300; i++) {
        g_yield();
        CHECK_EQ(os_thread_id(), tid);
        if (i % 10 == 0) blocking_call(nothing, NULL, (uintptr_t)nothing);
        CHECK_EQ(os_thread_id(), tid);
    }
    g_unlock_thread();
    g_yield();
    group_done(&group);
}
static void locked_to_threads(void)
{
    group.left = 10;
    for (int i = 0; i < 10; i++)
        g_start(locked, NULL, NULL, 0);
    group_wait(&group);
}

// Registers and frames of blocking regions are in the scanned ranges.
// Looks at raw frames, so unchecked by AddressSanitizer.
__attribute__((no_sanitize_address)) static never_inline void region(uintptr_t secret)
{
    uintptr_t hidden = secret ^ 0x5555;
    __asm__ volatile("" : "+r"(hidden));
    blocking_enter(__builtin_frame_address(0), __builtin_frame_address(0), ARCH_OWN_FRAME_END());
    struct g *g = m_self()->curg;
    struct scan_range out[G_RANGES];
    int n = g_scan_ranges_stw(g, out); // its own: frozen, so readable without a stop
    bool found = false;
    for (int i = 0; i < n; i++)
        for (uintptr_t *w = (uintptr_t *)out[i].lo; w < (uintptr_t *)out[i].hi; w++)
            if (*w == hidden) found = true;
    CHECK(found);
    blocking_exit();
    __asm__ volatile("" : "+r"(hidden));
    CHECK_EQ(hidden, secret ^ 0x5555);
}
static void frozen_frames(void)
{
    for (uintptr_t i = 0; i < 100; i++)
        region(0x123456789abc0000 + i);
}

// A stop signal that the program ignored is sent again.
static uint32_t running;
static void compute(void *arg)
{
    (void)arg;
    atomic_store_release(&running, 1u);
    while (!atomic_load_relaxed(&quit))
        counters[0].n++;
    group_done(&group);
}

struct action { // the kernel's
    uintptr_t handler, rest[8];
};
static void change_action(const struct action *to, struct action *from)
{
    CHECK_EQ(syscall(SYS_rt_sigaction, preempt_signal(), to, from, 8L), 0);
}

// The stopper has sent one in vain when it sends one again.
static void *heed_again(void *former)
{
    while (world_stop_repeats() == 0)
        sched_yield();
    change_action(former, NULL);
    return NULL;
}

static void ignored_signals(void)
{
    if (p_count() == 1) return; // nobody runs beside the stopper
    struct action former, ignoring;
    pthread_t t;
    group.left = 1;
    g_start(compute, NULL, NULL, 0);
    while (!atomic_load_acquire(&running))
        g_yield();
    change_action(NULL, &former);
    ignoring = former;
    ignoring.handler = (uintptr_t)SIG_IGN;
    CHECK_EQ(world_stop_repeats(), 0);
    change_action(&ignoring, NULL);
    CHECK_EQ(pthread_create(&t, NULL, heed_again, &former), 0);
    call_on_system_stack(stop_once, NULL);
    pthread_join(t, NULL);
    CHECK_GE(world_stop_repeats(), 1);
    atomic_store_relaxed(&quit, 1u);
    group_wait(&group);
}

// A thread that does not stop is reported, once for each stop, with the place where it was seen
// last.
static uint32_t reports; // atomic
static struct m *deaf;   // atomic; the thread
static uint32_t is_deaf; // atomic
static struct m *reported;
static uintptr_t reported_at;

static void note_slow(struct m *m, uintptr_t pc)
{
    reported = m;
    reported_at = pc;
    atomic_fetch_add_acqrel(&reports, 1u);
}

static void stop_late(void *unused)
{
    (void)unused;
    sigset_t signal;
    sigemptyset(&signal);
    sigaddset(&signal, preempt_signal());
    atomic_store_release(&deaf, m_self());
    while (atomic_load_acquire(&stops) == 0)
        arch_pause(); // this one stops it
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &signal, NULL), 0);
    atomic_store_release(&is_deaf, 1u);
    while (atomic_load_acquire(&reports) == 0)
        arch_pause();
    CHECK_EQ(atomic_load_relaxed(&stops), 1);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &signal, NULL), 0); // it stops here
    CHECK_EQ(atomic_load_relaxed(&stops), 2);
    group_done(&group);
}

static void slow_threads_are_reported(void)
{
    if (p_count() != 2) return; // it takes a second
    group.left = 1;
    g_start(stop_late, NULL, NULL, 0);
    while (atomic_load_acquire(&deaf) == NULL)
        sched_yield();
    call_on_system_stack(stop_once, NULL);
    while (atomic_load_acquire(&is_deaf) == 0)
        sched_yield();
    sched_hooks.stop_slow = note_slow;
    call_on_system_stack(stop_once, NULL);
    CHECK_EQ(reports, 1);
    // The kernel may have kept another one from running, too.
    CHECK(reported != NULL && reported != m_self());
    if (reported == deaf) CHECK(reported_at != 0);
    group_wait(&group);
}

// What became ready during a stop is noticed when the world starts, though nobody is in the poller;
// and so does the monitor wake.
static void reader(void *arg)
{
    CHECK_EQ(netpoll_wait(*(int *)arg, POLL_READ, 0), 0);
    group_done(&group);
}

static void starting_looks_outside(void)
{
    if (p_count() != 1) return; // others would be in the poller
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(netpoll_adopt(ends[0]), 0);
    group.left = 1;
    struct g *g = g_start(reader, &ends[0], NULL, 0);
    while (netpoll_waiters() == 0)
        g_yield();
    CHECK_EQ(write(ends[1], "x", 1), 1);
    atomic_store_seq(&sched.monitor_idle, 1u);
    uint32_t wakes = atomic_load_seq(&sched.monitor_wake);
    CHECK_EQ(g->status, G_WAITING);
    call_on_system_stack(stop_once, NULL);
    CHECK_EQ(g->status, G_RUNNABLE);
    CHECK_EQ(atomic_load_seq(&sched.monitor_wake), wakes + 1);
    group_wait(&group);
}

// A stop that is none: each is fatal.  The first P that another thread has, made to look as if it
// ran; a P that nobody has; a lock held.
static void with_a_running_thread(void *unused)
{
    (void)unused;
    world_stop(STOP_TEST, NULL);
    for (int i = 0; i < p_count(); i++)
        if (p_at(i)->m != NULL && p_at(i)->m != m_self()) {
            p_at(i)->m->state = M_USER;
            world_check_stw();
        }
}
static enum p_status made_up;
static void with_a_lost_p(void *unused)
{
    (void)unused;
    world_stop(STOP_TEST, NULL);
    while (sched.nidle_p == 0) { // its thread still looks for work
        world_start();
        world_stop(STOP_TEST, NULL);
    }
    for (int i = 0; i < p_count(); i++)
        if (p_at(i)->status == P_IDLE) p_at(i)->status = made_up;
    world_check_stw();
}
static void with_a_lock(void *unused)
{
    (void)unused;
    static struct lock l = LOCK_INIT(RANK_SCHED);
    lock_acquire(&l);
    world_stop(STOP_TEST, NULL);
}

static void (*bad_stop)(void *);
static void run_bad_stop(void)
{
    group.left = 1;
    g_start(compute, NULL, NULL, 0);
    while (!atomic_load_acquire(&running))
        g_yield();
    call_on_system_stack(bad_stop, NULL);
}
static void on_three(void *fn)
{
    bad_stop = *(void (**)(void *))fn;
    sched_test_run(run_bad_stop, 3);
}
static void bad_stops(void)
{
    void (*fn)(void *) = with_a_running_thread;
    expect_fatal(on_three, &fn, "stop-the-world: processor ");
    fn = with_a_lost_p;
    made_up = P_HANDED;
    expect_fatal(on_three, &fn, "stop-the-world: of 3 processors 0 are idle and 1 handed over");
    made_up = P_LENT; // by nobody
    expect_fatal(on_three, &fn, "stop-the-world: processor ");
    fn = with_a_lock;
    if (GORT_ASSERT_LEVEL >= 1) expect_fatal(on_three, &fn, "stop-the-world with a lock held");
}

int main(void)
{
    bad_stops();
    RUN_ALL(ignored_signals);
    RUN_ALL(slow_threads_are_reported);
    RUN_ALL(starting_looks_outside);
    RUN_ALL(nothing_moves);
    RUN_ALL(racing_stoppers);
    RUN_ALL(resizing);
    RUN_ALL(foreign_threads);
    RUN_ALL(locked_to_threads);
    RUN_ALL(frozen_frames);
    return 0;
}
