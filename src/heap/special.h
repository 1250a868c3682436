/* Specials: records that hang on an address in an object: its start, or an inner one.
 *
 * Who adds, finds or removes a special first makes sure that the span is swept
 * (span_ensure_swept): before that, the object may be dead and the sweep is about to say so.
 *
 * Locking: span->special_lock (SPAN_SPECIALS) around the list.  A sweeper that claimed the span
 * takes the whole list out under the lock, goes through it without, and puts back what stays.
 * Answers to: special in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SPECIAL_H
#define GORT_HEAP_SPECIAL_H

#include "heap/heap_data.h"

/* Order within one object is the order of kinds. */
enum special_kind {
    SPECIAL_FINALIZER, /* at most one per address */
    SPECIAL_WEAK,      /* at most one per address */
    SPECIAL_CLEANUP,   /* any number */
    SPECIAL_PROFILE,   /* at most one per address */
    SPECIAL_KINDS
};

/* First member of each kind's record; the owner of the kind allocates and frees it. */
struct special {
    struct special *next, *prev; /* span->specials; special_lock */
    uint64_t offset : 56;        /* of the address in the span */
    uint64_t kind : 8;
};

/* false: the address has one of this kind, of which there is at most one; nothing changed. */
bool special_add(struct span *s, uintptr_t address, struct special *sp);
/* NULL: none.  Not for cleanups.  A record may be removed by others unless the caller prevents
 * it. */
struct special *special_find(struct span *s, uintptr_t address, enum special_kind kind);
/* The same, and takes it out. */
struct special *special_remove(struct span *s, uintptr_t address, enum special_kind kind);
/* Takes this very record out, which is on s, wherever in the list it is. */
void special_remove_record(struct span *s, struct special *sp);
/* All specials of spans.  fn is called under special_lock. */
void special_each(void (*fn)(struct span *s, struct special *sp, void *arg), void *arg);

/* For the sweeper: takes all out, in the list's order (special.c). */
struct special *special_take_all(struct span *s);
/* Takes the specials of the first one's slot off the front of such a chain. */
struct special *special_cut_slot(const struct span *s, struct special **chain);
/* Puts a chain, which is in the list's order, on s, which has none. */
void special_put_all(struct span *s, struct special *chain);

#endif
