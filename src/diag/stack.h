/* Stacks as arrays of addresses: captured cheaply, kept once each, printed much later.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_STACK_H
#define GORT_DIAG_STACK_H

#include "base/print.h"

#define STACK_FRAMES 32 /* the innermost ones of a kept stack */

/* A stack that is kept: off-heap, constant, for ever. */
struct stack {
    const struct stack *next; /* of the same hash; stack.c */
    uint64_t hash;
    uint32_t n;
    uintptr_t pcs[]; /* innermost first; each inside its call instruction, as addr2line wants it */
};

/* The calling goroutine's stack: up to max addresses, innermost first; how many.  after: a function of the
 * runtime that the caller was called by, whose frame and those inside are left out, 0: none are. */
unsigned stack_capture(uintptr_t *pcs, unsigned max, uintptr_t after);
/* May it be called in critical sections and while the world is stopped?  Only where the unwinder finds
 * its tables without the loader's lock. */
bool stack_capture_is_lock_free(void);
/* The one record of these addresses.  NULL: no memory. */
const struct stack *stack_keep(const uintptr_t *pcs, unsigned n);
/* Stacks kept. */
uint64_t stack_count(void);
/* Frames as in a report: from the public call, if there is one, to the goroutine's function. */
void stack_print(struct print *out, const uintptr_t *pcs, unsigned n);

#endif
