// Threads: creation, masks, stacks, limits, membarrier; what others do.
//
// TEST skip=emulated
// (the emulator keeps signals for itself)
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/atomic.h"
#include "os/os.h"
#include "test.h"

static uint32_t finished; // threads of the present test that are done

static void finish(void)
{
    atomic_fetch_add_acqrel(&finished, 1); // pairs with wait_for
    os_futex_wake(&finished, 1);
}

static void wait_for(uint32_t n)
{
    uint32_t now;
    while ((now = atomic_load_acquire(&finished)) < n) // pairs with finish
        os_futex_wait(&finished, now, -1);
    atomic_store_relaxed(&finished, 0);
}

struct seen {
    int tid;
    sigset_t mask;
    uintptr_t here, lo, hi;
};

static void look_around(void *arg)
{
    struct seen *s = arg;
    s->tid = os_thread_id();
    pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
    s->here = (uintptr_t)__builtin_frame_address(0);
    os_thread_stack(&s->lo, &s->hi);
    *(volatile char *)s->lo = 1; // the lowest byte is ours
    finish();
}

TEST(a_new_thread)
{
    struct seen s;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    errno = 99;
    CHECK_EQ(os_thread_create(look_around, &s, 256 * KB), 0);
    CHECK_EQ(errno, 99);
    wait_for(1);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK(s.tid > 0 && s.tid != os_thread_id());
    for (int sig = 1; sig <= 64; sig++) {
        bool never = sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33;
        if (!never) CHECK_EQ(sigismember(&s.mask, sig), 1);
        CHECK_EQ(sigismember(&before, sig), sigismember(&after, sig));
    }
    CHECK(s.lo < s.here && s.here < s.hi);
    CHECK(s.hi - s.lo >= 200 * KB && s.hi - s.lo <= 1 * MB);
}

TEST(the_main_threads_stack)
{
    uintptr_t lo, hi, here = (uintptr_t)__builtin_frame_address(0);
    os_thread_stack(&lo, &hi);
    CHECK(lo < here && here < hi);
    CHECK_EQ(os_thread_id(), (int)getpid());
}

TEST(any_stack_size)
{
    static struct seen s[4];
    CHECK_EQ(os_thread_create(look_around, &s[0], 0), 0);
    wait_for(1);
    CHECK_EQ(os_thread_create(look_around, &s[1], 1), 0); // raised to the least
    wait_for(1);
    CHECK_EQ(os_thread_create(look_around, &s[2], 64 * KB + 1), 0);
    wait_for(1);
    CHECK_EQ(os_thread_create(look_around, &s[3], 16 * MB), 0);
    wait_for(1);
    CHECK_GE(s[3].hi - s[3].lo, 16 * MB - 64 * KB);
}

static void count_only(void *arg)
{
    atomic_fetch_add_relaxed((int *)arg, 1);
    finish();
}

TEST(many_short_threads)
{
    enum { BATCH = 20 };
    int total = 0, batches = (int)test_count(20);
    for (int b = 0; b < batches; b++) {
        for (int i = 0; i < BATCH; i++)
            CHECK_EQ(os_thread_create(count_only, &total, 64 * KB), 0);
        wait_for(BATCH);
    }
    CHECK_EQ(total, batches * BATCH);
}

// A stack that does not fit the address space: an error, and signals are open again.
TEST(failure_is_an_error)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        struct rlimit limit = { 256 * MB, 256 * MB };
        sigset_t mask;
        setrlimit(RLIMIT_AS, &limit);
        CHECK_EQ(os_address_space_limit(), 256 * MB);
        CHECK_EQ(os_thread_create(count_only, NULL, 1 * GB), EAGAIN);
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        CHECK_EQ(sigismember(&mask, SIGTERM), 0);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

// The asymmetric handshake that a stop relies on: one side pays a compiler fence only, the other
// one a membarrier; they never both miss the other's store.
static int fast_flag, slow_flag, fast_saw, slow_saw;
static bool over;           // plain: written and read on either side of an arrival
static uint32_t start_line; // round that may run; both sides spin on it

// Who waits long lets others have the CPU.
static void arrive(uint32_t *line, uint32_t round)
{
    atomic_fetch_add_seq(line, 1);
    for (uint32_t i = 1; atomic_load_seq(line) < 2 * round; i++)
        if (i % 1024 == 0)
            os_thread_yield();
        else
            os_cpu_relax_thread(1);
}

static void *fast_side(void *arg)
{
    uint32_t round = 0;
    while (!over) {
        arrive(&start_line, ++round);
        atomic_store_relaxed(&fast_flag, 1);
        atomic_fence_signal();
        fast_saw = atomic_load_relaxed(&slow_flag);
        arrive(&start_line, ++round);
        arrive(&start_line, ++round); // the slow side has judged and reset
    }
    return arg;
}

TEST(membarrier_orders_the_other_side)
{
    pthread_t thread;
    uint32_t n = (uint32_t)test_count(2000), round = 0;
    int64_t begin = os_now();
    if (!os_membarrier()) SKIP("the kernel has no membarrier");
    CHECK_EQ(pthread_create(&thread, NULL, fast_side, NULL), 0);
    for (uint32_t i = 1; !over; i++) {
        arrive(&start_line, ++round);
        atomic_store_relaxed(&slow_flag, 1);
        CHECK(os_membarrier());
        slow_saw = atomic_load_relaxed(&fast_flag);
        arrive(&start_line, ++round);
        CHECK(fast_saw || slow_saw);
        fast_flag = slow_flag = 0;
        over = i == n ||
               os_now() - begin > INT64_C(5000000000); // rounds cost time slices on a busy machine
        arrive(&start_line, ++round);
    }
    pthread_join(thread, NULL);
}

// ---- what others do -----------------------------------------------------------------------------

static struct {
    int tid;  // atomic
    int ends; // of a pipe; -1: spins
    bool end; // atomic
} other;

static void sleep_or_spin(void *unused)
{
    char byte;
    (void)unused;
    atomic_store_release(&other.tid, os_thread_id());
    if (other.ends >= 0) CHECK_EQ(read(other.ends, &byte, 1), 1);
    while (other.ends < 0 && !atomic_load_acquire(&other.end))
        arch_pause();
    finish();
}

static int start_other(int ends)
{
    int tid;
    other.tid = 0;
    other.ends = ends;
    CHECK_EQ(os_thread_create(sleep_or_spin, NULL, 256 * KB), 0);
    while ((tid = atomic_load_acquire(&other.tid)) == 0)
        os_thread_yield();
    return tid;
}

TEST(who_sleeps)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    int tid = start_other(fds[0]);
    while (!os_thread_sleeps(tid))
        os_thread_yield();
    int64_t cpu = os_thread_cpu_of(tid);
    CHECK(cpu > 0);
    for (int i = 0; i < 100; i++) {
        CHECK(os_thread_sleeps(tid));
        CHECK_EQ(os_thread_cpu_of(tid), cpu);
    }
    CHECK_EQ(write(fds[1], "x", 1), 1);
    wait_for(1);
    close(fds[0]);
    close(fds[1]);
}

TEST(who_runs_or_waits_for_a_cpu)
{
    int tid = start_other(-1);
    int64_t cpu = os_thread_cpu_of(tid);
    for (int i = 0; i < 1000; i++)
        CHECK(!os_thread_sleeps(tid)); // it is one of many on a busy machine
    while (os_thread_cpu_of(tid) - cpu < 1000000)
        os_thread_yield();
    atomic_store_release(&other.end, true);
    wait_for(1);
}

TEST(of_oneself_and_of_nobody)
{
    enum { NOBODY = 1 << 24 }; // above the kernel's numbers
    int64_t before = os_thread_cpu(), cpu = os_thread_cpu_of(os_thread_id());
    CHECK(before <= cpu && cpu <= os_thread_cpu());
    CHECK(!os_thread_sleeps(os_thread_id()));
    errno = 99;
    CHECK_EQ(os_thread_cpu_of(NOBODY), 0);
    CHECK(os_thread_sleeps(NOBODY));
    CHECK_EQ(errno, 99);
}

int main(void)
{
    RUN(a_new_thread);
    RUN(the_main_threads_stack);
    RUN(any_stack_size);
    RUN(many_short_threads);
    RUN(failure_is_an_error);
    RUN(membarrier_orders_the_other_side);
    RUN(who_sleeps);
    RUN(who_runs_or_waits_for_a_cpu);
    RUN(of_oneself_and_of_nobody);
    return 0;
}
