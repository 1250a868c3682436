/* Fatal errors: the runtime's own corruption, and misuse that leaves shared state untrustworthy.
 *
 * throw never returns: it prints `fatal error: MESSAGE`, lets the installed reporter print traces,
 * and exits with 2 (or aborts, when GORTTRACEBACK=crash).  Nothing here allocates or takes a
 * lock of the runtime, so it may be called from anywhere, a signal handler included.  A second
 * throw while one is being reported (by the same thread) ends the process at once; another
 * thread's throw waits for the first to finish the process.
 *
 * Answers to: throw and fatal in panic.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_THROW_H
#define GORT_BASE_THROW_H

#include "base/config.h"

/* Prints traces after the message.  src/diag installs the real one; without it there is none. */
typedef void (*throw_reporter)(void);
void throw_set_reporter(throw_reporter fn);

/* The same way out when the caller prints its own message (panic, deadlock): throw_begin takes the
 * right to report; then print; then throw_finish, which calls the reporter and ends the process. */
void throw_begin(void);
_Noreturn void throw_finish(void);
/* Has somebody begun? */
bool throw_is_on(void);
/* For who can not do what was asked while the process ends, and must not go on as if it were done:
 * if another thread reports, sleeps until the end. */
void throw_wait(void);
/* exit status 2 by default; crash: abort() so that a core is left. */
void throw_set_crash(bool crash);

_Noreturn cold_path void throw_msg(const char *msg);
_Noreturn cold_path void throw_fmt(const char *fmt, ...) printf_like(1, 2);

#endif
