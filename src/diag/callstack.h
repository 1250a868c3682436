/* Capturing call stacks: addresses inside calling instructions, innermost first.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_CALLSTACK_H
#define GORT_DIAG_CALLSTACK_H

#include "base/config.h"

#define CALLSTACK_MAX 64

/* The calling goroutine's frames, innermost first, at most CALLSTACK_MAX; returns how many.  Each
 * is an address inside the calling instruction.  Without the frames up to the one in which `inside`
 * lies, without public calls of gort at the inner end, and without what starts a goroutine at the
 * outer one.  NULL: none of the inner frames is left out for its place.
 * Outside critical sections: the unwinder may take the loader's lock. */
unsigned callstack_here(uintptr_t pc[CALLSTACK_MAX], const void *inside);
/* The calling thread's frames, at most max; returns how many.  Only those up to the one in which
 * `inside` lies are left out; the public call is among them, and what starts a goroutine. */
unsigned callstack_all(uintptr_t *pc, unsigned max, const void *inside);
/* May that be called in critical sections and while the world is stopped?  Only where the unwinder
 * finds its tables without the loader's lock. */
bool callstack_is_lock_free(void);
/* Takes the memory for rules (callstack.c); without, walks are slow. */
void callstack_open(uint64_t *memory);

/* The two ways of callstack_here, for tests. */
unsigned callstack_by_unwinder(uintptr_t pc[CALLSTACK_MAX], const void *inside);
bool callstack_by_rules(uintptr_t pc[CALLSTACK_MAX], const void *inside, unsigned *n);

#endif
