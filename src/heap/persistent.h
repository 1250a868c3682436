/* Permanent off-heap memory: a bump allocator whose memory is never given back.
 *
 * Every allocation names the counter that its bytes belong to, so each byte is in exactly one class
 * of the statistics.  Memory is zero.  NULL when the kernel refuses.
 *
 * Locking: PERSISTENT, inside.  Answers to: persistentalloc in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_PERSISTENT_H
#define GORT_HEAP_PERSISTENT_H

#include "base/config.h"

/* align: a power of two up to the system page, 0 for 8.  counter: bytes are added atomically. */
void *persistent_alloc(size_t size, size_t align, uint64_t *counter);
/* Whole pages for one owner: zero, page-aligned, untouched pages cost nothing. */
void *persistent_map(size_t size, uint64_t *counter);
/* Gives what persistent_map returned back, for who finds that he does not need it. */
void persistent_unmap(void *p, size_t size, uint64_t *counter);
/* Bytes of chunks that were not handed out: free, lost at a chunk's end or to alignment, or a
 * chunk's head.  In no caller's counter. */
uint64_t persistent_unused(void);
/* Bytes that both calls have mapped: what the callers' counters hold, and persistent_unused. */
uint64_t persistent_mapped(void);
/* Was p handed out of a chunk of this allocator (tests, address classification). */
bool persistent_contains(const void *p);

#endif
