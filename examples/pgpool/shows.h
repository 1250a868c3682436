/* What the program shows of the pool.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef PGPOOL_SHOWS_H
#define PGPOOL_SHOWS_H

#include <stdbool.h>

typedef struct {
    const char *conninfo;
    int goroutines, statements, connections;
} shows;

/* Prints a line for each; true: all came as they should. */
bool shows_run(const shows *s);

#endif
