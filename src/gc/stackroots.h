/* Roots: what goroutines hold on their stacks, in registers and in their records.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_STACKROOTS_H
#define GORT_GC_STACKROOTS_H

#include "sched/sched_data.h"

#define STACK_PIECE_BYTES (64 * KB) /* scanned at a time: a stop waits for so much */

/* ---- while the world is stopped -------------------------------------------------------------- */

void stackroots_prepare_stw(void);
/* Marking will run beside the program: scans goroutines whose threads wait inside the runtime, this
 * one's too, or a piece of each; all: those too whose threads were stopped in the program.  Returns
 * how many will scan their own when they are released. */
uint32_t stackroots_begin_stw(bool all);
/* A cycle begins, which somebody asked for or not, and will be tried in one stop or not: does it
 * look for pages of waiting stacks to give back? */
void stackroots_trim_stw(bool asked, bool in_stop, int64_t now);

/* ---- any time while marking ------------------------------------------------------------------ */

/* Marker: goroutine g, unless somebody else does that; where the world is stopped throughout all of
 * it, else a piece.  Returns the bytes.  *room: of pages that may be given back, less what was. */
uint64_t stackroots_scan(struct g *g, size_t *room);
/* Marker: what newborns hold, of n records from the first one named.  Returns the bytes. */
uint64_t stackroots_scan_newborns(uint32_t first, uint32_t n);
/* Bytes that one step may give back in this cycle. */
size_t stackroots_trim_room(void);
/* Marker: a piece of some stack of which there is a rest; adds its bytes.  false: there is none. */
bool stackroots_scan_rest(uint64_t *bytes);
/* Is there one that nobody has taken?  A hint. */
bool stackroots_has_rest(void);
/* A piece of goroutine g, which is claimed, to the queue of words: sched_hooks.g_scan.  true: that
 * was all. */
bool stackroots_scan_piece(struct g *g);
/* g has a rest, and the claim has been given up: markers may have it.  sched_hooks.g_rest. */
void stackroots_put_rest(struct g *g);
/* Stacks of which a piece has been scanned, and not all.  Exact in a stop. */
uint32_t stackroots_unfinished(void);
/* Bytes of stacks scanned in this cycle. */
uint64_t stackroots_bytes(void);
/* Pieces scanned of stacks that took more than one, ever: a statistic. */
uint64_t stackroots_pieces(void);

#endif
