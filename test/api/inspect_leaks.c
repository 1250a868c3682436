// Goroutines that wait for ever are found, and none that can still be woken, by whatever way.
//
// AddressSanitizer's shadow can not be looked through: there the call says so.
//
// TEST skip=tsan
// TEST notmodes=efence,determ
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <gort.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "../goroutines.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")
#define AS_ARG(c) ((void *)(uintptr_t)(c))

typedef gort_chan(int) ints;

// What a frame left in dead stack and in registers must not count as a way to wake somebody.
NOINLINE static void scrub(void)
{
    volatile char bytes[16384];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
    __asm__ volatile("" : : "r"(bytes) : SAVED_REGISTERS, "memory");
}

static int waiting; // have said that they will wait at once
static int woken;   // of these, did not wait for ever

// How many are leaked, once all that were started wait.
static int leaked(void)
{
    scrub();
    gort_sleep(20 * GORT_MS);
    return gort_goroutines_leaked(-1);
}

// On a goroutine of its own, whose frames end with it.
static void (*to_be_done)(void);
static int done;

static void do_it(void *arg)
{
    (void)arg;
    to_be_done();
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

// Channels that nobody has lie between those of the cases: a word on a stack that has the address
// of one object counts for the one before it, too.
static void apart_from_here(void (*fn)(void))
{
    (void)gort_chan_make(int, 0);
    int before = __atomic_load_n(&done, __ATOMIC_SEQ_CST);
    to_be_done = fn;
    gort_go(do_it, NULL);
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) == before)
        gort_yield();
}

// A word that a frame left may hide what was leaked last: then the next one shows it.
static void expect_found(void (*leak)(void), int n)
{
    int before = leaked(), got = before;
    for (int i = 0; i < 20 && got < before + n; i++) {
        apart_from_here(leak);
        got = leaked();
    }
    CHECK_GE(got, before + n);
}

static ints held;   // a global, for whatever a case keeps
static ints *apart; // malloc's memory

static void receiver(void *arg)
{
    ints c = arg;
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    gort_recv(c, NULL);
    __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
}

static void lost_receiver(void *arg)
{
    ints c = arg;
    gort_recv(c, NULL);
}

static void sender(void *arg)
{
    ints c = arg;
    gort_send(c, 1);
}

NOINLINE static void leak_receiver(void)
{
    gort_go(lost_receiver, AS_ARG(gort_chan_make(int, 0)));
    RETURN_HERE();
}

NOINLINE static void leak_sender(void)
{
    gort_go(sender, AS_ARG(gort_chan_make(int, 0)));
    RETURN_HERE();
}

static void nil_receiver(void *arg)
{
    ints none = arg;
    gort_recv(none, NULL);
}

static void leak_nil(void)
{
    gort_go(nil_receiver, NULL);
}

static void selector(void *arg)
{
    ints *c = arg;
    int v = 1;
    gort_case cases[] = { gort_on_recv(c[0], &v), gort_on_send(c[1], &v) };
    gort_select(cases, 2);
}

NOINLINE static void leak_selector(void)
{
    ints c[2] = { gort_chan_make(int, 0), gort_chan_make(int, 0) };
    gort_go_copy(selector, c, sizeof c);
    RETURN_HERE();
}

static void locker(void *arg)
{
    gort_mutex *m = arg;
    gort_mutex_lock(m);
    gort_mutex_lock(m); // nobody unlocks it
}

static void waits_for_group(void *arg)
{
    gort_waitgroup *g = arg;
    gort_waitgroup_add(g, 1);
    gort_waitgroup_wait(g);
}

NOINLINE static void leak_lockers(void)
{
    gort_go(locker, gort_new(gort_mutex));
    gort_go(waits_for_group, gort_new(gort_waitgroup));
    RETURN_HERE();
}

// Two that wait for each other, and a third that waits for one of them.
static void waits_for_first(void *arg)
{
    ints *c = arg;
    gort_recv(c[0], NULL);
    gort_send(c[1], 1);
}

static void waits_for_second(void *arg)
{
    ints *c = arg;
    gort_recv(c[1], NULL);
    gort_send(c[0], 1);
}

NOINLINE static void leak_circle(void)
{
    ints c[2] = { gort_chan_make(int, 0), gort_chan_make(int, 0) };
    gort_go_copy(waits_for_first, c, sizeof c);
    gort_go_copy(waits_for_second, c, sizeof c);
    gort_go_copy(waits_for_second, c, sizeof c);
    RETURN_HERE();
}

static char text[65536];
static int report_fd;

static void read_report(int fd)
{
    memset(text, 0, sizeof text);
    CHECK_GE(pread(fd, text, sizeof text - 1, 0), 0);
}

TEST(those_who_wait_for_ever_are_found)
{
    CHECK_EQ(leaked(), 0);
    expect_found(leak_receiver, 1);
    expect_found(leak_sender, 1);
    expect_found(leak_nil, 1);
    expect_found(leak_selector, 1);
    expect_found(leak_lockers, 2);
    expect_found(leak_circle, 3);
    CHECK_GE(gort_goroutines_leaked(report_fd), 9);
    read_report(report_fd);
    CHECK_STR_HAS(text, " [chan receive]:\ngort_recv_raw(...)\n");
    CHECK_STR_HAS(text, "\ncreated by leak_receiver in goroutine ");
    CHECK_STR_HAS(text, "\ncreated by leak_circle in goroutine ");
    CHECK_STR_HAS(text, " [mutex lock]:\n");
    CHECK_STR_HAS(text, " [waitgroup wait]:\n");
}

// ---- ways to be woken ---------------------------------------------------------------------------

// Those who can be woken have this name.
static void go_wakes(void (*fn)(void *), void *arg)
{
    gort_go_opt(&(gort_go_options){ .name = "wakes" }, fn, arg);
}

// What a stale word seems to reach may be missing among the others: not counted here.
static void expect_not_reported(void)
{
    CHECK_EQ(ftruncate(report_fd, 0), 0);
    CHECK_EQ(lseek(report_fd, 0, SEEK_SET), 0);
    scrub();
    CHECK_GE(gort_goroutines_leaked(report_fd), 0);
    read_report(report_fd);
    CHECK(strstr(text, "wakes]") == NULL);
}

static void wait_until_woken(void)
{
    while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) != 0)
        gort_sleep(GORT_MS);
}

static void wait_until_waits(void)
{
    while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) != 1)
        gort_sleep(GORT_MS);
    gort_sleep(10 * GORT_MS);
}

// For one who wakes by himself, and may have done so.
static void wait_until_waited(int woken_before)
{
    while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) != 1 &&
           __atomic_load_n(&woken, __ATOMIC_SEQ_CST) == woken_before)
        gort_yield();
}

NOINLINE static void by_global(void)
{
    gort_set(&held, gort_chan_make(int, 0));
    go_wakes(receiver, AS_ARG(held));
}

TEST(a_global_wakes)
{
    by_global();
    wait_until_waits();
    expect_not_reported();
    gort_send(held, 1);
    wait_until_woken();
    gort_set(&held, (ints)NULL);
}

static gort_mutex in_static;

static void locks_static(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    gort_mutex_lock(&in_static);
    __atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
    gort_mutex_unlock(&in_static);
}

TEST(what_lies_outside_the_heap_may_be_known_to_anybody)
{
    gort_mutex_lock(&in_static);
    go_wakes(locks_static, NULL);
    wait_until_waits();
    expect_not_reported();
    gort_mutex_unlock(&in_static);
    wait_until_woken();
}

NOINLINE static void by_malloc(void)
{
    apart = malloc(sizeof *apart);
    *apart = gort_chan_make(int, 0); // kept alive by the receiver's stack
    go_wakes(receiver, AS_ARG(*apart));
    RETURN_HERE();
}

TEST(mallocs_memory_wakes)
{
    by_malloc();
    wait_until_waits();
    expect_not_reported();
    gort_send(*apart, 1);
    wait_until_woken();
    free(apart);
}

static void late_sender(void *arg)
{
    gort_sleep(100 * GORT_MS);
    gort_send((ints)arg, 1);
}

NOINLINE static void by_sleeper(void)
{
    ints c = gort_chan_make(int, 0);
    go_wakes(late_sender, AS_ARG(c));
    go_wakes(receiver, AS_ARG(c));
    RETURN_HERE();
}

TEST(one_who_sleeps_wakes)
{
    int before = __atomic_load_n(&woken, __ATOMIC_SEQ_CST);
    by_sleeper();
    wait_until_waited(before);
    expect_not_reported();
    wait_until_woken();
}

// The sender is woken first, by a global.
static void passes_on(void *arg)
{
    ints *c = arg;
    gort_recv(c[0], NULL);
    gort_send(c[1], 1);
}

NOINLINE static void by_chain(void)
{
    ints c[2] = { gort_chan_make(int, 0), gort_chan_make(int, 0) };
    gort_set(&held, c[0]);
    gort_go_copy(passes_on, c, sizeof c);
    go_wakes(receiver, AS_ARG(c[1]));
    RETURN_HERE();
}

TEST(a_chain_wakes)
{
    by_chain();
    wait_until_waits();
    expect_not_reported();
    gort_send(held, 1);
    wait_until_woken();
    gort_set(&held, (ints)NULL);
}

// Another goroutine has the address of a variable on the waiter's stack.
static ints **borrowed;

static void lends(void *arg)
{
    ints c = gort_chan_make(int, 0);
    (void)arg;
    *borrowed = &c;
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    gort_recv(c, NULL);
    __atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
}

TEST(an_address_in_its_stack_wakes)
{
    borrowed = calloc(1, sizeof *borrowed);
    go_wakes(lends, NULL);
    wait_until_waits();
    expect_not_reported();
    gort_send(**borrowed, 1);
    wait_until_woken();
    free(borrowed);
}

static void until_deadline(void *arg)
{
    int v;
    gort_case k[] = { gort_on_recv((ints)arg, &v), gort_on_recv((ints)arg, &v) };
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    gort_select_until(k, 2, gort_now() + 200 * GORT_MS);
    __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
}

NOINLINE static void by_deadline(void)
{
    go_wakes(until_deadline, AS_ARG(gort_chan_make(int, 0)));
    RETURN_HERE();
}

TEST(a_deadline_wakes)
{
    int before = __atomic_load_n(&woken, __ATOMIC_SEQ_CST);
    by_deadline();
    scrub();
    wait_until_waited(before);
    expect_not_reported();
    wait_until_woken();
}

typedef struct box {
    ints c;
} box;
GORT_TYPE(box, c);

static void receives_from_box(void *arg)
{
    box *b = arg;
    receiver(AS_ARG(b->c));
    gort_keep_alive(b);
}

static gort_weak *weak;

NOINLINE static void by_weak(void)
{
    box *b = gort_new(box);
    gort_init(&b->c, gort_chan_make(int, 0));
    gort_set(&weak, gort_weak_make(b));
    go_wakes(receives_from_box, b);
    RETURN_HERE();
}

TEST(a_weak_reference_wakes)
{
    by_weak();
    wait_until_waits();
    expect_not_reported();
    box *b = gort_weak_get(weak);
    CHECK(b != NULL);
    gort_send(b->c, 1);
    wait_until_woken();
}

NOINLINE static gort_context *by_context(void)
{
    return gort_context_make(NULL);
}

static void in_context(void *arg)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    (void)arg;
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    gort_recv(c, NULL);
}

static gort_context *context;

static void runs_in_context(void *arg)
{
    (void)arg;
    gort_context_run(context, in_context, NULL);
    __atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
}

TEST(a_context_wakes)
{
    gort_set(&context, by_context());
    go_wakes(runs_in_context, NULL);
    wait_until_waits();
    expect_not_reported();
    gort_context_cancel(context, 0);
    wait_until_woken();
    gort_set(&context, (gort_context *)NULL);
}

// ---- when nobody can tell -----------------------------------------------------------------------

static pthread_barrier_t barrier;

static void *stranger(void *unused)
{
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void meet(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&barrier);
}

static void join(void *t)
{
    CHECK_EQ(pthread_join(*(pthread_t *)t, NULL), 0);
}

TEST(threads_that_gort_does_not_know_may_hold_anything)
{
    pthread_t t;
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK_EQ(pthread_create(&t, NULL, stranger, NULL), 0);
    gort_blocking(meet, NULL);
    errno = 0;
    if (!test_is_emulated()) {
        CHECK_EQ(gort_goroutines_leaked(-1), -1);
        CHECK_EQ(errno, EBUSY);
    }
    gort_blocking(meet, NULL);
    gort_blocking(join, &t);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    errno = 0;
    if (gort_goroutines_leaked(-1) == -1) {
        CHECK_EQ(errno, ENOTSUP);
        return 77;
    }
    char path[] = "/tmp/gort-leaks-XXXXXX";
    report_fd = mkstemp(path);
    unlink(path);
    RUN(those_who_wait_for_ever_are_found);
    RUN(a_global_wakes);
    RUN(what_lies_outside_the_heap_may_be_known_to_anybody);
    RUN(mallocs_memory_wakes);
    RUN(one_who_sleeps_wakes);
    RUN(a_chain_wakes);
    RUN(an_address_in_its_stack_wakes);
    RUN(a_deadline_wakes);
    RUN(a_weak_reference_wakes);
    RUN(a_context_wakes);
    RUN(threads_that_gort_does_not_know_may_hold_anything);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
