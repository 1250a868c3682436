// What tests of the public interface share: a main goroutine, and waiting for others.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_GOROUTINES_H
#define GORT_TEST_GOROUTINES_H

#include <gort.h>

#include "test.h"

// The callee-saved registers, for an assembly statement that clears them of what a compiler kept
// there.
#if defined(__x86_64__)
#define SAVED_REGISTERS "rbx", "r12", "r13", "r14", "r15"
#elif defined(__aarch64__)
#define SAVED_REGISTERS "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28"
#endif

// On one P: lets every other goroutine run until it waits. Each yield puts the caller behind all
// that can run; the test modes make calls yield now and then themselves.
static int test_turns __attribute__((unused));
static inline void settle(void)
{
    TEST_ORDERED(&test_turns);
    for (int i = 0; i < 32; i++)
        gort_yield();
    TEST_SAW_ALL();
}

// A test mode is on.
static inline bool in_mode(const char *name)
{
    const char *text = getenv("GORTDEBUG");
    return text != NULL && strstr(text, name) != NULL;
}

// Orders on one P hold while it stays where it is. A thread that the kernel lets wait for 10 ms, in
// the middle of anything, would lose it, and its goroutine go on by itself beside the others. So a
// program that has tests of such orders calls this before gort_run, and runs them by RUN_IN_ORDER:
// not in the modes that are about taking Ps away, nor where a queue of some goroutines overflows.
static inline void keep_ps(void)
{
    const char *former = getenv("GORTDEBUG");
    char text[512];
    if (in_mode("slice")) return;
    snprintf(text, sizeof text, "%s%sslice=10000000", former ? former : "", former ? "," : "");
    CHECK_EQ(setenv("GORTDEBUG", text, 1), 0);
}

static inline bool order_holds(void)
{
    return (!in_mode("slice") || in_mode("slice=10000000")) && !in_mode("tinyrunq");
}

// With any number of Ps: waits for the condition, which another goroutine brings about.
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        int64_t test_until_ = gort_now() + 200 * GORT_S;                                           \
        while (!(condition)) {                                                                     \
            if (gort_now() > test_until_)                                                          \
                test_fail(__FILE__, __LINE__, #condition, "200 s passed");                         \
            gort_sleep(50 * GORT_US);                                                              \
        }                                                                                          \
        TEST_SAW_ALL();                                                                            \
    } while (0)

// A call that reports as POSIX ones do.
#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((call), -1);                                                                      \
        CHECK_EQ(errno, error);                                                                    \
    } while (0)

// How many goroutines wait, the runtime's own apart, by what a report says of each in brackets;
// `why` NULL: for anything.
static inline int count_waiting(const char *why)
{
    FILE *f = tmpfile();
    char line[512];
    int n = 0;
    CHECK(f != NULL);
    int fd = dup(fileno(f)); // what gort has used it closes: the number may be a socket's next
    CHECK_GE(gort_goroutines_write(fd), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    rewind(f);
    while (fgets(line, sizeof line, f) != NULL) {
        const char *state = strncmp(line, "goroutine ", 10) == 0 ? strchr(line, '[') : NULL;
        if (state == NULL || strncmp(state, "[run", 4) == 0) continue; // running, runnable
        n += why == NULL || strncmp(state + 1, why, strlen(why)) == 0;
    }
    CHECK_EQ(fclose(f), 0);
    return n;
}

#define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define ADD(p, v) __atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL)

// Runs a test with so many Ps.
#define RUN_ON(procs, name)                                                                        \
    do {                                                                                           \
        int test_former_ = gort_max_procs(procs);                                                  \
        RUN(name);                                                                                 \
        gort_max_procs(test_former_);                                                              \
    } while (0)

// With one, in a program that began with keep_ps.
#define RUN_IN_ORDER(name)                                                                         \
    do {                                                                                           \
        if (order_holds()) RUN_ON(1, name);                                                        \
    } while (0)

// And with several numbers of them.
#define RUN_ON_ALL(name)                                                                           \
    do {                                                                                           \
        RUN_ON(1, name);                                                                           \
        RUN_ON(2, name);                                                                           \
        RUN_ON(4, name);                                                                           \
        RUN_ON(16, name);                                                                          \
    } while (0)

// The message of the panic of fn(arg); fails the test if there is none.
static gort_panic_info test_panic_ __attribute__((unused));
#define CHECK_PANICS(fn, arg, text)                                                                \
    do {                                                                                           \
        CHECK(gort_try((fn), (arg), &test_panic_));                                                \
        CHECK_STR_EQ(test_panic_.message, text);                                                   \
    } while (0)

#endif
