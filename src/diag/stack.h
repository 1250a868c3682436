/* Stacks as arrays of addresses, which callstack.h captured: kept once each, printed much later.
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

/* The one record of these addresses.  NULL: no memory. */
const struct stack *stack_keep(const uintptr_t *pcs, unsigned n);
/* Stacks kept. */
uint64_t stack_count(void);
/* Frames as in a report: from the public call, if there is one, to the goroutine's function. */
void stack_print(struct print *out, const uintptr_t *pcs, unsigned n);

#endif
