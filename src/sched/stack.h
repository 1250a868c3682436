/* Goroutine stacks: slots of one reserved region per size class, guards below, coloured tops.
 *
 * Answers to: stack.go (which copies stacks; C stacks can not move).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_STACK_H
#define GORT_SCHED_STACK_H

#include "sched/sched_data.h"

#define STACK_CLASSES 8          /* 64 KB << class: 64 KB .. 8 MB; larger ones by single mapping */
#define STACK_DEFAULT (256 * KB) /* slot size, guard included */
#define STACK_DEFAULT_CLASS 2    /* 64 KB << 2 */

/* Reserves what can be reserved.  Throws when not even the smallest region can be had. */
void stack_init(void);
/* A dead g with a stack of at least `size` bytes of slot (0: default), its record at the top of the
 * slot: fields stack_lo, stack_hi, slot_class, index are set, the rest zero on first use and
 * as g_bury left them on reuse.  NULL: no memory, no address space or no more guards; *error is
 * the errno.  Registers new records in the table of goroutines. */
struct g *stack_alloc(size_t size, int *error);
/* Note [Fresh stacks].  A hint: stack_make_ahead is worth calling. */
bool stacks_are_short(void);
/* By an M that found no work.  true: it tried to; it may have lost its P meanwhile. */
bool stack_make_ahead(struct m *m);
/* Gives a dead g back (LIFO per class). */
void stack_free(struct g *g);
/* Dead ones of the default class that have their pages, or fresh ones, at most *n, a chain through
 * sched_link; *n becomes how many.  NULL: none. */
struct g *stack_take_default(uint32_t *n, struct g **last);
/* Gives n of the default class back, a chain through sched_link. */
void stack_free_default(struct g *first, struct g *last, uint32_t n);
/* Note [Pages of stacks].  The first gives the pages of some dead stacks back, those that were dead
 * at the last stack_age; false: there are no more such.  In a critical section each. */
bool stack_trim_some(void);
void stack_age(void);
/* Gives pages back that lie far below g's frames, if there are any, at most `most` bytes, pages.
 * Returns the bytes.  g's stack has been claimed by the caller (g_scan_claim). */
size_t stack_trim_claimed(struct g *g, size_t most);
/* Bytes of address space and of guards in use; resident estimate for stack_sys. */
struct stack_stats {
    uint64_t slots, slots_free, bytes_reserved, bytes_sys, guards_by_mprotect;
    uint64_t bared, trimmed; /* dead and waiting stacks whose pages were given back: events */
    uint64_t made_ahead;     /* by stack_make_ahead: events */
};
void stack_read_stats(struct stack_stats *out);
/* Is addr in the guard of some slot: which goroutine, NULL otherwise.  Signal-safe. */
struct g *stack_guard_owner(uintptr_t addr);
/* Is addr within some slot (guard included): its goroutine.  Signal-safe. */
struct g *stack_owner(uintptr_t addr);
size_t stack_slot_bytes(const struct g *g);

#endif
