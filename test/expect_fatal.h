// Checks that a call ends the process with a report: exit code 2 and a text on standard error.
//
// The call runs in a forked child, so this is for unit tests, before they start threads. Reports of
// the whole library are tested by test/fatal/ and tools/run_fatal.py.
//
//     static void pop_empty(void *arg) { list_pop(arg); }
//     ...
//     expect_fatal(pop_empty, &l, "fatal error: pop of an empty list");
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_EXPECT_FATAL_H
#define GORT_EXPECT_FATAL_H

#include <signal.h>
#include <sys/wait.h>

#include "test.h"

// Fails the test unless fn(arg) ends with exit code 2 within 20 seconds and its standard error
// contains part.
static inline void expect_fatal(void (*fn)(void *), void *arg, const char *part)
{
    enum { WANTED_EXIT_CODE = 2, LIMIT_SECONDS = 20 };
    int ends[2];
    char text[8192];
    size_t used = 0;
    int status;

    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        alarm(LIMIT_SECONDS);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        fn(arg);
        _exit(0);
    }
    close(ends[1]);
    for (;;) {
        char rest[512];
        bool full = used == sizeof text - 1;
        ssize_t n =
            read(ends[0], full ? rest : text + used, full ? sizeof rest : sizeof text - 1 - used);
        if (n <= 0) break;
        if (!full) used += (size_t)n;
    }
    text[used] = '\0';
    close(ends[0]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_STR_HAS(text, part);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), WANTED_EXIT_CODE);
}

#endif
