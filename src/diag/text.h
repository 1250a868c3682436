/* Text that is made while the world is stopped, and written when it runs again.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_DIAG_TEXT_H
#define GORT_DIAG_TEXT_H

#include "base/print.h"

struct text {
    struct print out; /* prints into it */
    char *buf;        /* off-heap */
    size_t n, room;
    uint64_t lost; /* bytes that found no room */
};

/* Room for so many bytes, of which only those that are used cost memory.  false: no address
 * space. */
bool text_begin(struct text *t, size_t room);
/* Frees it. */
void text_end(struct text *t);
/* Writes it, on a goroutine.  0 or errno. */
int text_write(struct text *t, int fd);

#endif
