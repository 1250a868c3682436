/* Specials: records that hang on an object's offset in its span.
 *
 * Who adds, finds or removes a special first makes sure that the span is swept
 * (span_ensure_swept): before that, the object may be dead and the sweep is about to say so.
 *
 * Locking: span->special_lock (SPAN_SPECIALS) around the list.  A sweeper that claimed the span takes
 * a dead object's specials out under the lock and hands them to the hook without it.
 * Answers to: special in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_HEAP_SPECIAL_H
#define GORT_HEAP_SPECIAL_H

#include "heap/heap_data.h"

/* Order within one object is the order of kinds. */
enum special_kind {
    SPECIAL_FINALIZER, /* at most one per object */
    SPECIAL_WEAK,      /* at most one per object */
    SPECIAL_CLEANUP,   /* any number */
    SPECIAL_PROFILE,   /* at most one per object */
    SPECIAL_KINDS
};

/* First member of each kind's record; the owner of the kind allocates and frees it. */
struct special {
    struct special *next; /* span->specials; special_lock */
    uint64_t offset;      /* of the object's first byte in the span */
    uint8_t kind;
    uint8_t flags; /* the kind's own */
    uint8_t reserved[6];
};

/* false: the object has one of this kind, of which there is at most one; nothing changed.
 * object: any address in it. */
bool special_add(struct span *s, uintptr_t object, struct special *sp);
/* NULL: none.  Found records may be removed by others unless the caller prevents it. */
struct special *special_find(struct span *s, uintptr_t object, enum special_kind kind);
/* Takes the first of this kind out. */
struct special *special_remove(struct span *s, uintptr_t object, enum special_kind kind);
/* Takes this very record out.  false: it was not in the list. */
bool special_remove_record(struct span *s, struct special *sp);
/* All specials of spans: for the collector's roots.  fn is called under special_lock. */
void special_each(void (*fn)(struct span *s, struct special *sp, void *arg), void *arg);
/* The same for one arena (arena_at(i)), so that the walk can be divided. */
void special_each_in_arena(size_t arena, void (*fn)(struct span *s, struct special *sp, void *arg),
                           void *arg);

/* For the sweeper: takes out all specials of slot index; sorted chain. */
struct special *special_take_slot(struct span *s, uint32_t index);
/* Puts a chain, all of one slot, back. */
void special_put_slot(struct span *s, struct special *chain);

#endif
