/* Call frame information: how to get from a frame to its caller's.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_CFI_H
#define GORT_DIAG_CFI_H

#include "base/config.h"

/* The frame's end (CFA: above the return address) is a register plus an offset; the caller's frame
 * pointer lies in the frame, or is still in its register. */
struct cfi_rule {
    uintptr_t start;    /* of the function, or of a part of it */
    int32_t cfa_offset; /* from the stack pointer, or the frame pointer */
    int16_t bp_offset;  /* from the CFA */
    bool cfa_from_bp : 1;
    bool bp_saved : 1;  /* at bp_offset */
    bool outermost : 1; /* there is no caller */
};

/* The rule at pc, an address in the calling instruction.  false: there is none, or it needs more
 * than a rule can say (signal frames, realigned stacks).  Outside critical sections. */
bool cfi_find(uintptr_t pc, struct cfi_rule *r);

#endif
