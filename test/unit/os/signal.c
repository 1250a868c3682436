// Signals: alternate stack, mask in the handler, restarted calls, faults in handlers, sending to a
// thread.
//
// TEST skip=emulated
// (the emulator keeps signals for itself)
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "os/os.h"
#include "test.h"

static char *alt_lo;
static size_t alt_size;

static void alternate_stack_make(void)
{
    alt_size = os_sigstack_size();
    CHECK_EQ(alt_size % os_page_size(), 0u);
    CHECK_GE(alt_size, 64 * KB + 2 * KB);
    alt_lo = os_mem_map(NULL, alt_size);
    CHECK(alt_lo != NULL);
    CHECK_EQ(os_sigstack_set(alt_lo, alt_size), 0);
}

static int caught, caught_tid;
static uintptr_t caught_at;
static sigset_t caught_mask;

static void on_signal(int sig, siginfo_t *info, void *ucontext)
{
    (void)ucontext;
    CHECK_EQ(info->si_signo, sig);
    caught_at = (uintptr_t)__builtin_frame_address(0);
    atomic_store_relaxed(&caught_tid, os_thread_id());
    sigprocmask(SIG_SETMASK, NULL, &caught_mask);
    atomic_store_release(&caught, sig); // pairs with the tests' loads
}

TEST(handlers_run_on_the_alternate_stack_with_signals_blocked)
{
    struct sigaction old;
    CHECK_EQ(os_signal_install(SIGUSR1, on_signal, &old), 0);
    CHECK(old.sa_handler == SIG_DFL);
    CHECK_EQ(os_thread_kill(os_thread_id(), SIGUSR1), 0);
    CHECK_EQ(caught, SIGUSR1);
    CHECK_EQ(caught_tid, os_thread_id());
    CHECK(caught_at > (uintptr_t)alt_lo && caught_at < (uintptr_t)alt_lo + alt_size);
    for (int sig = 1; sig <= 64; sig++) {
        bool fault = sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL;
        if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33)
            CHECK_EQ(sigismember(&caught_mask, sig), !fault);
    }
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK_EQ(sigismember(&now, SIGTERM), 0); // as before the signal
}

static void other_handler(int sig)
{
    (void)sig;
}

TEST(old_actions_are_returned)
{
    struct sigaction act = { .sa_handler = other_handler, .sa_flags = SA_RESTART }, old;
    sigaddset(&act.sa_mask, SIGHUP);
    sigaction(SIGUSR2, &act, NULL);
    CHECK_EQ(os_signal_install(SIGUSR2, on_signal, &old), 0);
#if !defined(__SANITIZE_THREAD__) // puts its own handler there
    CHECK(old.sa_handler == other_handler);
#endif
    CHECK(old.sa_flags & SA_RESTART);
    CHECK_EQ(os_signal_install(SIGUSR2, on_signal, NULL), 0);
    CHECK_EQ(os_signal_restore_default(SIGUSR2), 0);
    CHECK_EQ(os_signal_install(SIGKILL, on_signal, NULL), EINVAL);
    CHECK_EQ(os_signal_install(0, on_signal, NULL), EINVAL);
    CHECK_EQ(os_signal_install(65, on_signal, NULL), EINVAL);
}

TEST(blocking_defers)
{
    sigset_t mask;
    os_signal_block_all(&mask);
    atomic_store_relaxed(&caught, 0);
    CHECK_EQ(os_thread_kill(os_thread_id(), SIGUSR1), 0);
    CHECK_EQ(atomic_load_acquire(&caught), 0); // pairs with on_signal
    os_signal_unblock(SIGUSR1);
    CHECK_EQ(atomic_load_acquire(&caught), SIGUSR1);
    os_signal_block_all(NULL);
    os_signal_set_mask(&mask);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK_EQ(sigismember(&now, SIGUSR1), 0);
    CHECK_EQ(sigismember(&now, SIGTERM), 0);
}

static int pipe_ends[2], reader_tid;
static ssize_t reader_got;

static void *reader(void *arg)
{
    char c;
    (void)arg;
    atomic_store_release(&reader_tid, os_thread_id()); // pairs with the test's load
    reader_got = read(pipe_ends[0], &c, 1);
    return NULL;
}

TEST(system_calls_restart)
{
    pthread_t thread;
    CHECK_EQ(pipe(pipe_ends), 0);
    CHECK_EQ(pthread_create(&thread, NULL, reader, NULL), 0);
    while (atomic_load_acquire(&reader_tid) == 0) // pairs with reader
        os_thread_yield();
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        atomic_store_relaxed(&caught, 0);
        CHECK_EQ(os_thread_kill(reader_tid, SIGUSR1), 0);
        while (atomic_load_acquire(&caught) == 0) // pairs with on_signal
            os_thread_yield();
        CHECK_EQ(atomic_load_relaxed(&caught_tid), reader_tid);
    }
    CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
    pthread_join(thread, NULL);
    CHECK_EQ(reader_got, 1);
    // The kernel takes a moment longer than pthread_join.
    while (os_thread_kill(reader_tid, SIGUSR1) != ESRCH)
        os_thread_yield();
}

static volatile int *volatile nowhere = (volatile int *)16;

static void on_fault(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)ucontext;
    _exit(info->si_addr == (void *)nowhere ? 3 : 4);
}

static void handler_that_faults(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)info;
    (void)ucontext;
    *nowhere = 1;
}

TEST(a_fault_in_a_handler_reaches_its_own)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        os_signal_install(SIGSEGV, on_fault, NULL);
        os_signal_install(SIGUSR1, handler_that_faults, NULL);
        os_thread_kill(os_thread_id(), SIGUSR1);
        _exit(5);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 3);
}

TEST(the_alternate_stack_can_be_removed)
{
    stack_t now;
    CHECK_EQ(os_sigstack_set(NULL, 0), 0);
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK(now.ss_flags & SS_DISABLE);
    CHECK_EQ(os_sigstack_set(alt_lo, 16), ENOMEM); // too small: an error
    CHECK_EQ(os_sigstack_set(alt_lo, alt_size), 0);
}

// In a child, all of whose actions are as exec leaves them but for what act does.
static bool touched_after(void (*act)(void))
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        for (int sig = 1; sig <= 64; sig++)
            os_signal_restore_default(sig);
        if (os_signal_may_meet_handler(SIGURG)) _exit(2);
        act();
        _exit(os_signal_may_meet_handler(SIGURG));
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status) == 1;
}

static void act_own(void)
{
    os_signal_install(SIGUSR1, on_fault, NULL);
}

static void act_handler(void)
{
    signal(SIGUSR1, SIG_IGN);
}

static void sees_no_handler(int sig)
{
    struct sigaction now;
    if (sigaction(sig, NULL, &now) != 0 || now.sa_handler != SIG_DFL) _exit(3);
    if (!os_signal_may_meet_handler(SIGURG)) _exit(4);
}

static void act_reset(void)
{
    struct sigaction act = { .sa_handler = sees_no_handler, .sa_flags = (int)SA_RESETHAND };
    sigaction(SIGUSR1, &act, NULL);
    raise(SIGUSR1);
}

static void act_removed(void)
{
    struct sigaction act = { .sa_handler = sees_no_handler }, before;
    sigaction(SIGUSR1, &act, &before);
    sigaction(SIGUSR1, &before, NULL);
}

static void *nothing(void *unused)
{
    return unused;
}

static void act_thread(void)
{
    pthread_t t; // with the first one libc installs a handler of its own
    if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0) _exit(5);
}

static void act_thread_shielded(void)
{
    act_thread();
    os_signal_shield_libc(SIGURG);
    if (!os_signal_may_meet_handler(SIGUSR1)) _exit(0); // a libc without such a handler
    if (setgid(getgid()) != 0) _exit(6);
}

TEST(an_action_set_by_libc_leaves_a_trace)
{
    CHECK(!touched_after(act_thread_shielded));
    CHECK(!touched_after(act_own));
    CHECK(touched_after(act_handler));
    CHECK(touched_after(act_reset));
    CHECK(touched_after(act_removed));
}

int main(void)
{
    alternate_stack_make();
    RUN(handlers_run_on_the_alternate_stack_with_signals_blocked);
    RUN(old_actions_are_returned);
    RUN(blocking_defers);
    RUN(system_calls_restart);
    RUN(a_fault_in_a_handler_reaches_its_own);
    RUN(the_alternate_stack_can_be_removed);
    RUN(an_action_set_by_libc_leaves_a_trace);
    return 0;
}
