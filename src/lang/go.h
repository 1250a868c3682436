/* Goroutines as the program knows them, for boot.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_GO_H
#define GORT_LANG_GO_H

/* Calls fn(arg) as the function of the running goroutine: what it deferred has run on return.  Boot
 * calls the main function by it. */
void go_call(void (*fn)(void *), void *arg);

#endif
