/* Verification of marking: GORTDEBUG=gccheckmark.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_CHECKMARK_H
#define GORT_GC_CHECKMARK_H

#include "base/config.h"

/* Finds everything reachable once more and compares with the marks of the cycle (its number).  A
 * reachable object without a mark is fatal, with a report; those reached from stacks alone are
 * counted, unless the present stop is the one in which all was marked.  World stopped, inside
 * roots_hold_loader, marking complete, nothing swept; raw. */
void checkmark_run_stw(uint64_t cycle, bool in_one_stop);

/* The same search for another purpose (stuck.c): what can be reached from roots other than
 * goroutines, and from what the caller adds.  Everything from begin to end in one stop, inside
 * roots_hold_loader, while no cycle marks.  other: hears of each word that is in no object. */
struct g;
void reach_begin_stw(void (*other)(uintptr_t word));
void reach_word(uintptr_t word);
void reach_words(uintptr_t lo, uintptr_t hi);
void reach_goroutine(struct g *g); /* its record and stack */
void reach_all(void);              /* what is reached from what was reached */
enum reach { REACH_NO_OBJECT, REACH_NOT, REACH_REACHED };
enum reach reach_object(uintptr_t address); /* of the object that it lies in */
void reach_end(void);

/* Test: called before the comparison (true) and after it.  NULL: nobody. */
extern void (*checkmark_observer)(bool before);

#endif
