/* Data of the collector that a P owns.  No prototypes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_GC_GC_DATA_H
#define GORT_GC_GC_DATA_H

#include "base/config.h"
#include "sync/lfstack.h"

#define WORKBUF_BYTES ((size_t)2048)
#define WORKBUF_ENTRIES                                                                            \
    ((WORKBUF_BYTES - sizeof(struct lfnode) - sizeof(size_t)) / sizeof(uintptr_t))

/* A buffer of grey objects.  Owned by one gcwork, or on the global full or empty list. */
struct workbuf {
    struct lfnode node; /* first: the list's link */
    size_t n;           /* entries used */
    uintptr_t obj[WORKBUF_ENTRIES];
};
_Static_assert(sizeof(struct workbuf) == WORKBUF_BYTES, "a whole number of buffers fill a span");

/* A marker's local end of the work queue.  Protected by: the thread that owns the P, or the marker
 * thread that stands in for it while the world is stopped. */
struct gcwork {
    struct workbuf *first, *second; /* buffers; `first` is popped and pushed; NULL: none */
    uint64_t bytes_marked;          /* since the last hand-over to the cycle's totals */
    uint64_t scan_work;             /* bytes scanned */
    uint64_t objects_marked;
};

/* What a P does of which the CPU limiter must know: a kind and a time, limiter.h.  Atomic: the
 * owner, and who updates the limiter. */
struct limiter_event {
    uint64_t word;
};

#endif
