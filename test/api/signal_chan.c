// Signals on channels: to one and to several, merged and dropped, what may not be had, giving back,
// a storm of them under load.
//
// TEST timeout=60
// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "../goroutines.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void send_to_process(int sig)
{
    CHECK_EQ(kill(getpid(), sig), 0);
}

static void check_comes(gort_signal_channel c, int sig)
{
    int got = 0;
    CHECK(gort_recv(c, &got));
    CHECK_EQ(got, sig);
}

static void check_empty(gort_signal_channel c)
{
    int got;
    CHECK_EQ(gort_try_recv(c, &got), GORT_EMPTY);
}

TEST(one_is_received)
{
    static const int kinds[] = { SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP,
                                 SIGQUIT, SIGCHLD, SIGPIPE, SIGALRM };
    gort_signal_channel c = gort_chan_make(int, 1);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        CHECK_EQ(gort_signal_notify(c, kinds[i]), 0);
        send_to_process(kinds[i]);
        check_comes(c, kinds[i]);
        CHECK_EQ(raise(kinds[i]), 0); // to this very thread
        check_comes(c, kinds[i]);
    }
    CHECK_EQ(gort_signal_notify(c, SIGRTMIN + 3), 0);
    CHECK_EQ(gort_signal_notify(c, SIGRTMAX), 0);
    if (!test_is_emulated()) {
        send_to_process(SIGRTMAX);
        check_comes(c, SIGRTMAX);
    }
    gort_signal_stop(c);
}

TEST(several_channels)
{
    gort_signal_channel a = gort_chan_make(int, 4), b = gort_chan_make(int, 4);
    CHECK_EQ(gort_signal_notify(a, SIGUSR1), 0);
    CHECK_EQ(gort_signal_notify(a, SIGUSR1), 0); // no second time
    CHECK_EQ(gort_signal_notify(b, SIGUSR1), 0);
    CHECK_EQ(gort_signal_notify(b, SIGUSR2), 0);
    send_to_process(SIGUSR1);
    check_comes(a, SIGUSR1);
    check_comes(b, SIGUSR1);
    send_to_process(SIGUSR2);
    check_comes(b, SIGUSR2);
    gort_signal_stop(b);
    send_to_process(SIGUSR1);
    check_comes(a, SIGUSR1);
    check_empty(a);
    check_empty(b);
    gort_signal_stop(a);
    gort_signal_stop(a); // nothing to stop
}

// Both had come when the second did: the first fills the channel.
TEST(without_room_it_is_dropped)
{
    gort_signal_channel small = gort_chan_make(int, 1), large = gort_chan_make(int, 8);
    CHECK_EQ(gort_signal_notify(small, SIGUSR1), 0);
    CHECK_EQ(gort_signal_notify(small, SIGUSR2), 0);
    CHECK_EQ(gort_signal_notify(large, SIGUSR1), 0);
    CHECK_EQ(gort_signal_notify(large, SIGUSR2), 0);
    send_to_process(SIGUSR1);
    check_comes(large, SIGUSR1);
    send_to_process(SIGUSR2);
    check_comes(large, SIGUSR2);
    CHECK_EQ(gort_signal_notify(large, SIGUSR1), 0); // waits until all had their turn
    check_comes(small, SIGUSR1);
    check_empty(small);
    gort_signal_stop(small);
    gort_signal_stop(large);
}

TEST(what_can_not_be_had)
{
    gort_signal_channel c = gort_chan_make(int, 1);
    static const int kinds[] = { 0,       -1,     65,     1000,   SIGKILL, SIGSTOP,
                                 SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32,      33 };
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        CHECK_FAILS(gort_signal_notify(c, kinds[i]), EINVAL);
    CHECK_FAILS(gort_signal_notify(NULL, SIGUSR1), EINVAL);
    gort_signal_stop(c);
}

// ---- giving back --------------------------------------------------------------------------------

static int handled; // atomic

static void handler(int sig)
{
    (void)sig;
    ADD(&handled, 1);
}

TEST(the_program_s_handler_comes_back)
{
    struct sigaction mine = { .sa_handler = handler }, now;
    gort_signal_channel a = gort_chan_make(int, 1), b = gort_chan_make(int, 1);
    CHECK_EQ(sigaction(SIGUSR2, &mine, NULL), 0);
    CHECK_EQ(gort_signal_notify(a, SIGUSR2), 0);
    CHECK_EQ(gort_signal_notify(b, SIGUSR2), 0);
    send_to_process(SIGUSR2);
    check_comes(a, SIGUSR2);
    check_comes(b, SIGUSR2);
    gort_signal_stop(a);
    send_to_process(SIGUSR2);
    check_comes(b, SIGUSR2);
    CHECK_EQ(LOAD(&handled), 0);
    gort_signal_stop(b);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(LOAD(&handled), 1);
    signal(SIGUSR2, SIG_IGN);
    CHECK_EQ(gort_signal_notify(a, SIGUSR2), 0);
    gort_signal_stop(a);
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_IGN);
    signal(SIGUSR2, SIG_DFL);
    CHECK_EQ(gort_signal_notify(a, SIGUSR2), 0);
    gort_signal_stop(a);
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
}

// ---- many ---------------------------------------------------------------------------------------

enum { STORM = 20000 };
static int storm_over; // atomic

static void *storm(void *unused)
{
    for (int i = 0; i < STORM; i++)
        send_to_process(i % 2 == 0 ? SIGUSR1 : SIGUSR2);
    STORE(&storm_over, 1);
    return unused;
}

static void make_garbage(void *unused)
{
    (void)unused;
    while (!LOAD(&storm_over)) {
        gort_keep_alive(gort_alloc(100));
        gort_yield();
    }
}

// Whatever comes last comes: no signal is left behind in the word of bits.
TEST(a_storm)
{
    pthread_t thread;
    int got, counts[65] = { 0 };
    gort_signal_channel c = gort_chan_make(int, 2);
    CHECK_EQ(gort_signal_notify(c, SIGUSR1), 0);
    CHECK_EQ(gort_signal_notify(c, SIGUSR2), 0);
    STORE(&storm_over, 0);
    for (int i = 0; i < 3; i++)
        gort_go(make_garbage, NULL);
    CHECK_EQ(pthread_create(&thread, NULL, storm, NULL), 0);
    while (!LOAD(&storm_over)) {
        while (gort_try_recv(c, &got) == GORT_GOT)
            counts[got]++;
        gort_yield();
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_LE(counts[SIGUSR1] + counts[SIGUSR2], STORM);
    for (int sig = SIGUSR1; sig != 0; sig = sig == SIGUSR1 ? SIGUSR2 : 0)
        do {
            send_to_process(sig);
            CHECK(gort_recv(c, &got)); // or a straggler
        } while (got != sig);
    gort_signal_channel last = gort_chan_make(int, 1);
    CHECK_EQ(gort_signal_notify(last, SIGHUP), 0);
    for (int i = 0; i < 200; i++) {
        send_to_process(SIGHUP);
        check_comes(last, SIGHUP);
    }
    gort_signal_stop(c);
    gort_signal_stop(last);
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(one_is_received);
    RUN(several_channels);
    RUN(without_room_it_is_dropped);
    RUN(what_can_not_be_had);
    RUN(the_program_s_handler_comes_back);
    RUN_ON_ALL(a_storm);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
