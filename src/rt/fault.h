/* SIGSEGV, SIGBUS, SIGFPE and SIGILL: who hears of them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_RT_FAULT_H
#define GORT_RT_FAULT_H

/* Installs the handler of the four, once, at boot; former handlers are kept for faults outside the
 * runtime's threads.  Throws when it can not. */
void fault_install(void);

#endif
