/* Counters that many goroutines add to: each P has a cell of its own.
 *
 *     gort_counter *requests = gort_counter_make();
 *     gort_counter_add(requests, 1);
 *     int64_t n = gort_counter_read(requests);
 *
 * To add costs as much as adding to a plain variable, on any number of Ps: no lock, no atomic
 * instruction, no cache line that another P writes.  To read costs a look at each P's cell.
 *
 * A read returns the sum of all additions that came before it, and of some of those that run
 * beside it: none that came before is missing, and none counts twice.  So where nobody adds it is
 * exact; and what only grows is never seen to fall by one goroutine, nor by two that read one
 * after the other.  It is no picture of one moment: of two additions beside it the later may be in
 * the sum and the earlier not.  Sums beyond 64 bits wrap.
 *
 * Note [Adding].  Finding the P's cell and adding to it is one restartable range (inline.h) whose
 * last instruction, one addition to memory, is the only one with an effect: nobody else writes the
 * cell, and a stop before it makes the thread look again whose P it has.  A thread without a P,
 * and a P beyond those there were when the counter was made, go by the call.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_COUNTER_H
#define GORT_COUNTER_H

#include <gort/base.h>
#include <gort/inline.h>

GORT_BEGIN_DECLS

/* A collected object.  Its fields are private. */
typedef struct gort_counter {
    char *cells;    /* GORT_COUNTER_STRIDE bytes for each of the first Ps */
    uint64_t bytes; /* of cells */
    char *more;     /* atomic: those of all Ps, once one beyond the first has added */
} gort_counter;

/* A counter at 0. */
GORT_API gort_counter *gort_counter_make(void) GORT_ALLOCATES;
/* The sum. */
GORT_API int64_t gort_counter_read(const gort_counter *c) GORT_NONNULL(1);

GORT_API void gort_counter_add_slow(gort_counter *c, int64_t n) GORT_NONNULL(1);

/* Adds n, which may be negative.  On a goroutine.  Never blocks, never switches goroutines. */
__attribute__((__always_inline__)) static inline void gort_counter_add(gort_counter *c, int64_t n)
{
    char *cells = c->cells;
    uint64_t bytes = c->bytes;
#if defined(__x86_64__)
    __asm__ goto("71:\n\t"
                 "movq gort_tls@gottpoff(%%rip), %%rax\n\t"
                 "movq %%fs:(%%rax), %%rax\n\t"
                 "movq %c3(%%rax), %%rax\n\t"
                 "cmpq %1, %%rax\n\t"
                 "jae %l[slow]\n\t"
                 "addq %2, (%0,%%rax)\n"
                 "72:\n\t" GORT_RANGE_RECORD_
                 :
                 : "r"(cells), "r"(bytes), "re"(n), "i"(GORT_CACHE_CELL)
                 : "memory", "cc", "rax"
                 : slow);
#else
    __asm__ goto("71:\n\t"
                 "adrp x16, :gottprel:gort_tls\n\t"
                 "ldr x16, [x16, :gottprel_lo12:gort_tls]\n\t"
                 "mrs x17, tpidr_el0\n\t"
                 "ldr x16, [x17, x16]\n\t"
                 "ldr x16, [x16, %3]\n\t"
                 "cmp x16, %1\n\t"
                 "b.hs %l[slow]\n\t"
                 "ldr x17, [%0, x16]\n\t"
                 "add x17, x17, %2\n\t"
                 "str x17, [%0, x16]\n"
                 "72:\n\t" GORT_RANGE_RECORD_
                 :
                 : "r"(cells), "r"(bytes), "r"(n), "i"(GORT_CACHE_CELL)
                 : "memory", "cc", "x16", "x17"
                 : slow);
#endif
    return;
slow:
    gort_counter_add_slow(c, n);
}

GORT_END_DECLS

#endif
