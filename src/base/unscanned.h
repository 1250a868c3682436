/* Tables of the runtime's own that lie in its data, are large, and never hold an address of the
 * heap.
 *
 * The collector searches the writable data of the program for pointers, and the runtime's is a part
 * of it, which costs each cycle its time: in a program with a small heap it was the greater part of
 * marking.  Who has a table of some kilobytes says so here, by UNSCANNED, and dataroots.c passes
 * over it.
 *
 * Written by constructors, before there is a second thread that would read it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_UNSCANNED_H
#define GORT_BASE_UNSCANNED_H

#include "base/config.h"

#define UNSCANNED_MOST 24

struct unscanned {
    uintptr_t lo, hi;
};

/* Of a multiple of 8 bytes, aligned to 8. */
void unscanned_add(const void *at, size_t size);
/* The first of them, in order of address, that ends above `at`.  false: there is none. */
bool unscanned_next(uintptr_t at, struct unscanned *out);

/* After the definition of a table of this file: an array, or a structure. */
#define UNSCANNED(table)                                                                           \
    __attribute__((__constructor__)) static void unscanned_##table(void)                           \
    {                                                                                              \
        unscanned_add(&(table), sizeof table);                                                     \
    }                                                                                              \
    _Static_assert(sizeof table % 8 == 0, "whole words")

#endif
