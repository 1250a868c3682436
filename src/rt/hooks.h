/* What src/diag does in the course of a program: it fills the table by a constructor, since nothing
 * may name its symbols.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_RT_HOOKS_H
#define GORT_RT_HOOKS_H

#include "base/config.h"

struct rt_hooks {
    /* Boot: the environment is read, heap and collector are there; one thread, no P yet. */
    void (*configure)(void);
    /* The main function has returned: on its goroutine, while everything still runs. */
    void (*main_returned)(void);
    /* After that: what is left may be reported. */
    void (*left)(void);
    /* SIGQUIT: prints all goroutines and ends the process.  stop: on the monitor's thread, which
     * may stop the world; else in the signal's handler. */
    void (*quit)(bool stop);
    /* A line on the scheduler, and if detailed more of them; on the monitor's thread. */
    void (*sched_trace)(bool detailed);
};

extern struct rt_hooks rt_hooks; /* constant after load; NULL: nothing to be done */

#endif
