/* Faults of the program that become panics: panic_fault.c.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_PANIC_FAULT_H
#define GORT_LANG_PANIC_FAULT_H

#include <stdbool.h>

/* In the handler of a fault: siginfo and ucontext are its arguments.  true: the goroutine panics
 * when the handler returns. */
bool panic_hand_over(int sig, void *siginfo, void *ucontext);

#endif
