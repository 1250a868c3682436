/* A one-shot event for one sleeping thread.
 *
 * note_clear before use; note_wake at most once until the next clear; note_wait returns at once if
 * the wake came first.  Memory order: wake's release pairs with wait's acquire.
 *
 * Answers to: note in lock_futex.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SYNC_NOTE_H
#define GORT_SYNC_NOTE_H

#include "base/config.h"

struct note {
    uint32_t word; /* 0: not woken; 1: woken */
};

void note_clear(struct note *n);
void note_wake(struct note *n);
void note_wait(struct note *n);
/* false: timeout_ns passed without a wake. */
bool note_wait_timeout(struct note *n, int64_t timeout_ns);

#endif
