/* SIGQUIT: every goroutine is printed, and the process ends.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_RT_QUIT_H
#define GORT_RT_QUIT_H

#include "base/config.h"

/* Handles the signal, unless the program does, ignores it, or uses it to stop threads.  At boot. */
void quit_install(void);
/* The monitor, once a round: does not return when the signal has come. */
void quit_tick(void);

#endif
