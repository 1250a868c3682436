/* Telling AddressSanitizer or MemorySanitizer which heap memory is nobody's.
 *
 * Note [Poison].  While heap_params.poison is on, of the memory in arenas is open exactly: what was
 * asked for of each object that is allocated; of a span the bytes that are in no slot; manual
 * spans.  All else is closed: free slots, what a slot has beyond the object, free pages that were
 * objects'.  The program's compiled-in checks (a read, a write, memcpy) then find a use after free
 * and an overflow at the instruction.  So each allocation must be seen (heap_observe.every), and in
 * this order:
 *   - a span is made: its pages are opened, its slots closed;
 *   - a window is zeroed: opened for that;
 *   - a slot is handed out: opened;
 *   - the object is complete: what is beyond it is closed (alloc/observe.c);
 *   - the sweep finds it dead: closed; a span is given back: all its pages are.
 * The runtime's own reads of dead or foreign words are not instrumented (reads_foreign_words).
 *
 * The sanitizers are asked for by weak symbols: the library need not be built with them, and
 * without them poison_available is false.
 *
 * Answers to: asanpoison in asan.go, msanfree in msan.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_POISON_H
#define GORT_HEAP_POISON_H

#include "base/config.h"

/* Does the program have one of the sanitizers? */
bool poison_available(void);
/* May be used / may not. */
void poison_open(uintptr_t base, size_t n);
void poison_close(uintptr_t base, size_t n);
/* May be used, but has no value yet: only MemorySanitizer knows that. */
void poison_blank(uintptr_t base, size_t n);

#endif
