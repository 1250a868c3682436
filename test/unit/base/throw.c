// The ways out: message, reporter, recursion, two threads at once, a core, failing checks.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/throw.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/print.h"
#include "expect_fatal.h"
#include "test.h"

static void report(void)
{
    print_err("the traces\n");
}

static void report_that_fails(void)
{
    throw_msg("in the report");
}

static void plain(void *arg)
{
    throw_msg(arg);
}

static void formatted(void *arg)
{
    throw_fmt("number %d of %s", 7, (char *)arg);
}

static void with_reporter(void *arg)
{
    throw_set_reporter(report);
    throw_msg(arg);
}

static void recursive(void *arg)
{
    throw_set_reporter(report_that_fails);
    throw_msg(arg);
}

static void own_message(void *arg)
{
    throw_begin();
    print_err("panic: %s\n", (char *)arg);
    throw_finish();
}

static void failing_check(void *arg)
{
    check(arg == NULL);
}

static void report_slowly(void)
{
    usleep(200 * 1000);
    print_err("slow report done\n");
}

static void *throw_in_thread(void *arg)
{
    throw_fmt("thread %d", (int)(uintptr_t)arg);
    return NULL;
}

static void two_threads(void *arg)
{
    pthread_t a, b;
    (void)arg;
    throw_set_reporter(report_slowly);
    pthread_create(&a, NULL, throw_in_thread, (void *)1);
    pthread_create(&b, NULL, throw_in_thread, (void *)2);
    pthread_join(a, NULL);
}

TEST(messages)
{
    expect_fatal(plain, "all is lost", "fatal error: all is lost\n");
    expect_fatal(formatted, "nine", "fatal error: number 7 of nine\n");
    expect_fatal(own_message, "mine", "panic: mine\n");
    expect_fatal(with_reporter, "x", "fatal error: x\nthe traces\n");
}

TEST(failing_checks_name_their_place)
{
    expect_fatal(failing_check, "x", "throw.c:");
    expect_fatal(failing_check, "x", "check failed: arg == NULL");
    check(1 == 1);
    assert_that(1 == 1);
    assert_heavy(1 == 1);
}

TEST(an_error_in_the_report_ends_at_once)
{
    expect_fatal(recursive, "first", "fatal error: first\nfatal error: another error");
}

TEST(one_thread_reports_the_other_waits)
{
    expect_fatal(two_threads, NULL, "\nslow report done\n");
}

static void ignore(int sig)
{
    (void)sig;
}

TEST(crash_aborts)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        close(2);
        signal(SIGABRT, ignore); // does not get in the way
        throw_set_crash(true);
        throw_msg("core");
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    RUN(messages);
    RUN(failing_checks_name_their_place);
    RUN(an_error_in_the_report_ends_at_once);
    RUN(one_thread_reports_the_other_waits);
    RUN(crash_aborts);
    return 0;
}
