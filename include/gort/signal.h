/* Signals of the process, received like anything else that is waited for.
 *
 * A handler may do next to nothing; a goroutine that receives from a channel may do everything.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SIGNAL_H
#define GORT_SIGNAL_H

#include <gort/base.h>
#include <gort/chan.h>

GORT_BEGIN_DECLS

typedef gort_chan(int) gort_signal_channel;

/* From now on sig is sent to c whenever it comes to the process, instead of what it did before.
 * Nobody waits for the receiver: a signal that c has no room for is dropped, so c is made with room
 * for one at least.  The same signal coming twice before it was sent is sent once.  A signal may go
 * to several channels, and several signals to one.  While any is asked for, goroutines that wait
 * are no deadlock.  Returns 0; -1 and errno: EINVAL: no signal, one that nobody can have (SIGKILL,
 * SIGSTOP), or one of the runtime's or of libc's own: faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL) and
 * the one that stops threads; ENOMEM, EMFILE.  Does not park for long. */
GORT_API int gort_signal_notify(gort_signal_channel c, int sig);

/* Nothing is sent to c any more.  A signal that goes to no channel now does again what it did
 * before the first gort_signal_notify of it: the program's handler, the default, or nothing.  Comes
 * before c is closed.  Does not park for long. */
GORT_API void gort_signal_stop(gort_signal_channel c);

GORT_END_DECLS

#endif
