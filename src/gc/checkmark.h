/* Verification of marking: GORTDEBUG=gccheckmark.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_CHECKMARK_H
#define GORT_GC_CHECKMARK_H

#include "base/config.h"

/* Finds everything reachable once more and compares with the marks of the cycle (its number).  A
 * reachable object without a mark is fatal, with a report; those reached from stacks alone are counted.
 * World stopped, inside roots_hold_loader, marking complete, nothing swept; raw. */
void checkmark_run_stw(uint64_t cycle);

/* Test: called before the comparison (true) and after it.  NULL: nobody. */
extern void (*checkmark_observer)(bool before);

#endif
