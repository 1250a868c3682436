/* GORTDEBUG=gccolors=N: how many objects are white, grey and black, N times while a cycle marks.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_COLORS_H
#define GORT_GC_COLORS_H

#include "base/config.h"

#define COLORS_MOST 62 /* samples of a cycle, besides the first and the last */

struct colors_sample {
    uint64_t white, grey, black; /* objects */
    uint64_t words;              /* words on their way to a marker: they may point to white ones */
};

/* World stopped: marking beside the program begins, after one that scanned so many bytes; nothing
 * is left. */
void colors_begin_stw(uint64_t last_scan_work);
void colors_end_stw(void);
/* On a goroutine, outside sections: takes a sample, if one is due.  Stops the world. */
void colors_look_slow(void);
/* The holder of the cycle's lock: prints the samples of cycle `number`. */
void colors_print(uint64_t number);
/* Those of the last cycle, how many: a test's look. */
const struct colors_sample *colors_samples(uint32_t *n);

#endif
