// A mutex that may be given up, and the turns of descriptors, which are such: who waits for one is
// woken by the deadline, by a deadline that is set meanwhile, by the end of its context and by the
// close, while somebody else has the turn and keeps it.
//
// SPDX-License-Identifier: BSD-3-Clause
// TEST timeout=600
#include "goroutines.h"

#include <sys/socket.h>

#include "base/atomic.h"
#include "lang/mutex.h"
#include "lang/net_fd.h"
#include "os/os.h"
#include "sched/sched.h"

#define MS ((int64_t)1000000)

// ---- the mutex ----------------------------------------------------------------------------------

enum { USERS = 12 };

static gort_mutex m;
static uint32_t epoch;        // atomic
static uint32_t inside, left; // atomic: who has the mutex; goroutines that go on
static uint32_t gave_up, got; // atomic

struct wait {
    struct mutex_wait public;
    int64_t until;       // 0: for ever
    uint32_t impatience; // gives up at the n-th look; 0: never
    bool is_told;        // others tell all, after each look
};

static bool looks(struct mutex_wait *w)
{
    struct wait *x = (struct wait *)w;
    w->sema.epoch = &epoch;
    w->sema.seen = atomic_load_seq(&epoch);
    w->sema.deadline = x->until;
    if (x->is_told) {
        atomic_fetch_add_seq(&epoch, 1u);
        mutex_end_waits(&m);
    }
    if (x->impatience != 0 && --x->impatience == 0) return false;
    return x->until == 0 || os_now() < x->until;
}

static void work(uint64_t *r)
{
    CHECK_EQ(atomic_fetch_add_acqrel(&inside, 1u), 0);
    if (test_random(r) % 4 == 0) g_yield();
    if (test_random(r) % 64 == 0) g_sleep((int64_t)(test_random(r) % 1500000)); // others starve
    CHECK_EQ(atomic_fetch_sub_acqrel(&inside, 1u), 1);
    mutex_unlock(&m);
}

// Deadlines that are over at once, soon, and never.
static void use(void *arg)
{
    uint64_t r = test_seed() + (uintptr_t)arg;
    for (int64_t i = test_count(6000); i > 0; i--) {
        struct wait w = { .public.goes_on = looks };
        uint64_t kind = test_random(&r) % 4;
        if (kind < 2)
            w.until = os_now() + (int64_t)(test_random(&r) % (kind == 0 ? 20000 : 400000));
        if (kind == 2) w.impatience = 1 + (uint32_t)(test_random(&r) % 2);
        bool locked = mutex_lock_until(g_self(), &m, &w.public, WAIT_IO);
        atomic_fetch_add_relaxed(locked ? &got : &gave_up, 1u);
        if (locked) work(&r);
    }
    atomic_fetch_sub_acqrel(&left, 1u);
}

// Others make them all look again.
static void tell(void *arg)
{
    uint64_t r = test_seed() + 77;
    (void)arg;
    while (atomic_load_acquire(&left) != 0) {
        atomic_fetch_add_seq(&epoch, 1u);
        mutex_end_waits(&m);
        g_sleep((int64_t)(test_random(&r) % 200000));
    }
}

// Whatever becomes of them, one at a time has it, and in the end nobody, nor anything of it.
TEST(some_give_up)
{
    atomic_store_relaxed(&gave_up, 0);
    atomic_store_relaxed(&got, 0);
    atomic_store_relaxed(&left, (uint32_t)USERS);
    for (int i = 0; i < USERS; i++)
        gort_go(use, (void *)(uintptr_t)i);
    gort_go(tell, NULL);
    WAIT_FOR(atomic_load_acquire(&left) == 0);
    CHECK_GT(atomic_load_relaxed(&got), 0);
    CHECK_EQ(atomic_load_relaxed(&m.state), 0);
    CHECK_EQ(atomic_load_relaxed(&m.sema), 0);
    CHECK_EQ(sema_waiters(&m.sema), 0);
    CHECK(sema_table_is_valid());
}

static uint32_t answer; // atomic: 1 given up, 2 locked

static void lock_once(void *arg)
{
    bool locked = mutex_lock_until(g_self(), &m, arg, WAIT_IO);
    if (locked) mutex_unlock(&m);
    atomic_store_release(&answer, locked ? 2u : 1u);
}

static struct wait *start(int64_t until)
{
    static struct wait w;
    w = (struct wait){ .public.goes_on = looks, .until = until };
    atomic_store_relaxed(&answer, 0);
    gort_go(lock_once, &w);
    WAIT_FOR(sema_waiters(&m.sema) == 1 || atomic_load_acquire(&answer) != 0);
    return &w;
}

static void ends_with(uint32_t wanted)
{
    WAIT_FOR(atomic_load_acquire(&answer) != 0);
    CHECK_EQ(atomic_load_acquire(&answer), wanted);
}

// While it is held all the time.
TEST(each_way_to_end)
{
    mutex_lock(g_self(), &m, WAIT_MUTEX);
    start(os_now() + MS);
    ends_with(1);
    struct wait *w = start(0);
    w->until = 1; // it is not looked at before the next line
    mutex_end_wait(&m, &w->public);
    ends_with(1);
    w = start(os_now() + 1000000 * MS);
    w->until = 1;
    atomic_fetch_add_seq(&epoch, 1u);
    mutex_end_waits(&m);
    ends_with(1);
    CHECK_EQ(sema_waiters(&m.sema), 0);
    w = start(os_now() + 1000000 * MS);
    atomic_fetch_add_seq(&epoch, 1u);
    mutex_end_waits(&m); // goes on
    mutex_unlock(&m);
    ends_with(2);
    CHECK_EQ(atomic_load_relaxed(&m.state), 0);
}

// Told before it sleeps, by either, it does not sleep.
TEST(told_before_it_sleeps)
{
    mutex_lock(g_self(), &m, WAIT_MUTEX);
    struct wait w = { .public.goes_on = looks, .impatience = 2 };
    mutex_end_wait(&m, &w.public);
    atomic_store_relaxed(&answer, 0);
    gort_go(lock_once, &w);
    ends_with(1);
    CHECK_EQ(w.impatience, 0);
    struct wait x = { .public.goes_on = looks, .impatience = 2, .is_told = true };
    atomic_store_relaxed(&answer, 0);
    gort_go(lock_once, &x);
    ends_with(1);
    mutex_unlock(&m);
}

// mutex.c: its bits of the word.
enum { LOCKED = 1, WOKEN = 2, STARVING = 4, WAITER = 8 };

// It sleeps, and the word is made `now`; then its wait is ended.
static void ends_at(uint32_t now)
{
    mutex_lock(g_self(), &m, WAIT_MUTEX);
    struct wait *w = start(0);
    CHECK_EQ(atomic_load_relaxed(&m.state), LOCKED + WAITER);
    w->until = 1;
    atomic_store_relaxed(&m.state, now);
    mutex_end_wait(&m, &w->public);
}

// Note [Giving up]: the unlock has changed the word, and the unit is on its way.
static void takes_what_is_due(uint32_t now)
{
    ends_at(now);
    gort_sleep(2 * GORT_MS); // time to go wrong
    CHECK_EQ(atomic_load_acquire(&answer), 0);
    CHECK_EQ(atomic_load_relaxed(&m.state), now);
    sema_release(&m.sema);
    ends_with(2);
    CHECK_EQ(atomic_load_relaxed(&m.state), 0);
    CHECK_EQ(atomic_load_relaxed(&m.sema), 0);
}

// The same, and the unit becomes a newcomer's, who is in the count.
static void leaves_it_to_a_newcomer(uint32_t now, uint32_t then)
{
    ends_at(now);
    atomic_store_release(&m.state, now + WAITER);
    ends_with(1);
    CHECK_EQ(atomic_load_relaxed(&m.state), then);
    CHECK_EQ(sema_waiters(&m.sema), 0);
    atomic_store_release(&m.state, 0u);
}

TEST(who_is_the_only_one_left)
{
    takes_what_is_due(WOKEN);
    takes_what_is_due(STARVING + WAITER);
    leaves_it_to_a_newcomer(WOKEN, WOKEN);
    leaves_it_to_a_newcomer(STARVING + WAITER, STARVING + WAITER);
    ends_at(LOCKED + STARVING + WAITER);
    ends_with(1);
    CHECK_EQ(atomic_load_relaxed(&m.state), LOCKED); // nobody to be handed it
    mutex_unlock(&m);
}

// ---- turns --------------------------------------------------------------------------------------

static int fd[2];
static struct net_op holder; // main has the turn to read and to write, and does nothing

static void take_turn(enum poll_mode mode)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    CHECK_EQ(net_op_begin(&holder, g_self(), fd[0], mode, 0), 0);
}

static void leave_turn(void)
{
    net_op_end(&holder);
    CHECK_EQ(atomic_load_relaxed(&holder.fd_info->turn[holder.mode].state), 0);
    (void)gort_close_fd(fd[0]); // or it was closed
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

enum call { READ, WRITE, WAIT_READ, WAIT_WRITE, RECV, SEND };

struct caller {
    enum call call;
    int64_t until; // of gort_wait_fd
    int result, error;
    uint32_t done; // atomic
};

static void operate(void *arg)
{
    struct caller *c = arg;
    char byte = 'x';
    errno = 0;
    switch (c->call) {
    case READ:
        c->result = (int)gort_read(fd[0], &byte, 1);
        break;
    case WRITE:
        c->result = (int)gort_write(fd[0], &byte, 1);
        break;
    case RECV:
        c->result = (int)gort_recvfrom(fd[0], &byte, 1, NULL, NULL);
        break;
    case SEND:
        c->result = (int)gort_sendto(fd[0], &byte, 1, NULL, 0);
        break;
    default:
        c->result = gort_wait_fd(fd[0], c->call == WAIT_WRITE, c->until);
    }
    c->error = errno;
    atomic_store_release(&c->done, 1u);
}

static enum poll_mode mode_of(enum call call)
{
    return call == WRITE || call == WAIT_WRITE || call == SEND ? POLL_WRITE : POLL_READ;
}

static void begin(struct caller *c, enum call call, int64_t until)
{
    *c = (struct caller){ .call = call, .until = until };
    take_turn(mode_of(call));
    gort_go(operate, c);
}

static void until_queued(void)
{
    WAIT_FOR(sema_waiters(&holder.fd_info->turn[holder.mode].sema) == 1);
}

static void ended(struct caller *c, int error)
{
    WAIT_FOR(atomic_load_acquire(&c->done));
    CHECK_EQ(c->result, -1);
    CHECK_EQ(c->error, error);
    leave_turn();
}

TEST(a_deadline_is_set_while_it_waits)
{
    struct caller c;
    for (enum call call = READ; call <= SEND; call++) {
        begin(&c, call, 0);
        until_queued();
        CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 2 * GORT_MS, gort_now() + 2 * GORT_MS), 0);
        ended(&c, ETIMEDOUT);
        begin(&c, call, 0);
        CHECK_EQ(gort_set_deadline(fd[0], gort_now() + GORT_S * 1000, gort_now() + GORT_S * 1000),
                 0);
        until_queued();
        CHECK_EQ(gort_set_deadline(fd[0], 1, 1), 0); // earlier
        ended(&c, ETIMEDOUT);
    }
}

TEST(its_own_deadline)
{
    struct caller c;
    begin(&c, WAIT_READ, gort_now() + 2 * GORT_MS);
    ended(&c, ETIMEDOUT);
    begin(&c, WAIT_WRITE, gort_now() + 2 * GORT_MS);
    CHECK_EQ(gort_set_deadline(fd[0], 0, gort_now() + GORT_S * 1000), 0);
    ended(&c, ETIMEDOUT);
}

// Put off while it waits, and put off again: it goes on, until it is over.
TEST(a_deadline_that_moves_away)
{
    struct caller c;
    begin(&c, READ, 0);
    CHECK_EQ(gort_set_deadline(fd[0], gort_now() + 500 * GORT_S, 0), 0);
    until_queued();
    CHECK_EQ(gort_set_deadline(fd[0], 0, 0), 0);
    until_queued();
    CHECK_EQ(gort_write(fd[1], "y", 1), 1);
    CHECK_EQ(atomic_load_acquire(&c.done), 0);
    net_op_end(&holder);
    WAIT_FOR(atomic_load_acquire(&c.done));
    CHECK_EQ(c.result, 1);
    CHECK_EQ(gort_close_fd(fd[0]), 0);
    CHECK_EQ(gort_close_fd(fd[1]), 0);
}

TEST(a_close)
{
    struct caller c;
    for (enum call call = READ; call <= SEND; call++) {
        begin(&c, call, 0);
        until_queued();
        CHECK_EQ(gort_close_fd(fd[0]), 0);
        ended(&c, ECANCELED);
    }
}

static uint32_t ends; // atomic

static void operate_until(void *arg)
{
    gort_context *context = arg;
    struct caller c = { .call = holder.mode == POLL_READ ? READ : WAIT_WRITE };
    CHECK_EQ(gort_context_run(context, operate, &c), ETIMEDOUT);
    CHECK_EQ(c.done, 0); // it has left the call
    atomic_fetch_add_acqrel(&ends, 1u);
}

TEST(a_context_ends)
{
    for (enum poll_mode mode = POLL_READ; mode <= POLL_WRITE; mode++) {
        take_turn(mode);
        atomic_store_relaxed(&ends, 0);
        gort_context *c = gort_context_make(NULL);
        for (int i = 0; i < 3; i++)
            gort_go(operate_until, c);
        WAIT_FOR(sema_waiters(&holder.fd_info->turn[mode].sema) == 3);
        gort_context_cancel(c, ETIMEDOUT);
        WAIT_FOR(atomic_load_acquire(&ends) == 3);
        gort_go(operate_until, gort_context_until(NULL, gort_now() + GORT_MS));
        WAIT_FOR(atomic_load_acquire(&ends) == 4);
        leave_turn();
    }
}

// Set or closed under one that may be anywhere in its call, but for having the turn.
TEST(nothing_is_missed)
{
    uint64_t seed = test_seed();
    for (int64_t i = 0; i < test_count(2000); i++) {
        struct caller c;
        begin(&c, READ, 0);
        for (uint64_t n = test_random(&seed) % 400; n > 0; n--)
            __asm__ volatile("" ::: "memory");
        if (test_random(&seed) % 4 == 0) gort_yield();
        if (i % 2 == 0)
            CHECK_EQ(gort_set_deadline(fd[0], 1, 0), 0);
        else if (test_random(&seed) % 4 != 0)
            until_queued(); // a close before that finds nothing to tell
        if (i % 2 == 0) {
            ended(&c, ETIMEDOUT);
            continue;
        }
        CHECK_EQ(gort_close_fd(fd[0]), 0);
        WAIT_FOR(atomic_load_acquire(&c.done));
        CHECK(c.result == -1 && (c.error == ECANCELED || c.error == EBADF));
        leave_turn();
    }
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON_ALL(some_give_up);
    RUN_ON_ALL(each_way_to_end);
    RUN_ON_ALL(told_before_it_sleeps);
    RUN_ON_ALL(who_is_the_only_one_left);
    RUN_ON_ALL(a_deadline_is_set_while_it_waits);
    RUN_ON_ALL(its_own_deadline);
    RUN_ON_ALL(a_deadline_that_moves_away);
    RUN_ON_ALL(a_close);
    RUN_ON_ALL(a_context_ends);
    RUN_ON_ALL(nothing_is_missed);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
