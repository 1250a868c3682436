// Waiting until a goroutine is where it is said to be: the list of goroutines has the text; and for
// what others print.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_LISTED_H
#define GORT_TEST_LISTED_H

#include <gort.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// For one goroutine of the program.
static inline bool is_listed(const char *part)
{
    static char text[1 << 16];
    FILE *f = tmpfile();
    if (f == NULL || gort_goroutines_write(fileno(f)) != 0) abort();
    ssize_t n = pread(fileno(f), text, sizeof text - 1, 0);
    fclose(f);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, part) != NULL;
}

// The test's time limit is the other end.
static inline void wait_till_listed(const char *part)
{
    while (!is_listed(part))
        gort_sleep(GORT_MS);
}

// So many bytes are on standard error, where that is a file.
static inline bool is_printed(off_t bytes)
{
    struct stat st;
    return fstat(STDERR_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size >= bytes;
}

// For what another goroutine or thread ends the process with.
__attribute__((noreturn)) static inline void wait_for_the_end(void)
{
    for (;;)
        gort_sleep(GORT_S);
}

#endif
