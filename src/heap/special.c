/* Specials: a sorted list per span.
 *
 * Sorted by slot, falling; within a slot by kind, rising; within a kind by address, falling, but
 * for cleanups, of which the latest is first.  Slots are given out from the lowest up, so a new
 * object's special mostly goes to the head of the list; a million cleanups on one object are added
 * in a million steps, and so are weak references to the elements of an array, one after the other.
 * A record is taken out wherever it is, by its links, without a search.
 *
 * A bit per page in the arena tells which spans have any.
 *
 * Invariants: offsets lie in allocated slots; the list is sorted; the arena's bit of the span's
 * first page is set exactly while the list is not empty.
 *
 * Locking: special_lock around everything, the bit included.
 * Answers to: addspecial, removespecial in mheap.go, which sorts the other way and walks half of
 * the list to add one.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/special.h"

#include "base/assert.h"
#include "base/bits.h"
#include "heap/span.h"

/* Between which two records something belongs.  NULL: at that end. */
struct place {
    struct special *before, *at;
};

/* Offsets of the slot that holds an address. */
struct slot_range {
    uint64_t lo, hi;
};

static struct slot_range slot_of(const struct span *s, uint64_t offset)
{
    uint64_t lo = span_slot(s, span_index_of(s, s->base + offset)) - s->base;
    return (struct slot_range){ lo, lo + span_elem_size(s) };
}

static uint64_t offset_of(const struct span *s, uintptr_t address)
{
    check(address >= s->base && address < s->limit);
    return address - s->base;
}

static struct place next_place(struct place p)
{
    return (struct place){ p.at, p.at->next };
}

static bool is_before(const struct special *x, uint64_t offset, unsigned kind)
{
    if (x->kind != kind) return x->kind < kind;
    return kind != SPECIAL_CLEANUP && x->offset > offset;
}

/* Where a record of this address and kind is, or would be. */
static struct place find_place(const struct span *s, uint64_t offset, unsigned kind)
{
    struct slot_range slot = slot_of(s, offset);
    struct place p = { NULL, s->specials };
    while (p.at != NULL && p.at->offset >= slot.hi)
        p = next_place(p);
    while (p.at != NULL && p.at->offset >= slot.lo && is_before(p.at, offset, kind))
        p = next_place(p);
    return p;
}

static bool is_at(struct place p, uint64_t offset, unsigned kind)
{
    return p.at != NULL && p.at->offset == offset && p.at->kind == kind;
}

static struct special *find_locked(const struct span *s, uintptr_t address, unsigned kind)
{
    check(kind != SPECIAL_CLEANUP);
    uint64_t offset = offset_of(s, address);
    struct place p = find_place(s, offset, kind);
    return is_at(p, offset, kind) ? p.at : NULL;
}

/* After any change of the list. */
static void note_list(struct span *s)
{
    uint64_t *bitmap = arena_of(s->base)->special_pages;
    if (s->specials != NULL)
        arena_bit_set(bitmap, s->base);
    else
        arena_bit_clear(bitmap, s->base);
}

static void link_locked(struct span *s, struct special *sp, struct place p)
{
    sp->prev = p.before;
    sp->next = p.at;
    if (p.at != NULL) p.at->prev = sp;
    if (p.before != NULL)
        p.before->next = sp;
    else
        atomic_store_relaxed(&s->specials, sp); /* a sweeper's hint: sweep_claimed */
    note_list(s);
}

static void unlink_locked(struct span *s, struct special *sp)
{
    if (sp->next != NULL) sp->next->prev = sp->prev;
    if (sp->prev != NULL)
        sp->prev->next = sp->next;
    else
        atomic_store_relaxed(&s->specials, sp->next);
    sp->next = sp->prev = NULL;
    note_list(s);
}

bool special_add(struct span *s, uintptr_t address, struct special *sp)
{
    check(sp->kind < SPECIAL_KINDS);
    uint64_t offset = offset_of(s, address);
    lock_acquire(&s->special_lock);
    struct place p = find_place(s, offset, sp->kind);
    bool taken = sp->kind != SPECIAL_CLEANUP && is_at(p, offset, sp->kind);
    if (!taken) {
        sp->offset = offset;
        link_locked(s, sp, p);
    }
    lock_release(&s->special_lock);
    return !taken;
}

struct special *special_find(struct span *s, uintptr_t address, enum special_kind kind)
{
    lock_acquire(&s->special_lock);
    struct special *found = find_locked(s, address, kind);
    lock_release(&s->special_lock);
    return found;
}

struct special *special_remove(struct span *s, uintptr_t address, enum special_kind kind)
{
    lock_acquire(&s->special_lock);
    struct special *found = find_locked(s, address, kind);
    if (found != NULL) unlink_locked(s, found);
    lock_release(&s->special_lock);
    return found;
}

void special_remove_record(struct span *s, struct special *sp)
{
    lock_acquire(&s->special_lock);
    check(sp->prev != NULL ? sp->prev->next == sp : s->specials == sp);
    unlink_locked(s, sp);
    lock_release(&s->special_lock);
}

/* ---- sweeping -------------------------------------------------------------------------------- */

struct special *special_take_all(struct span *s)
{
    lock_acquire(&s->special_lock);
    struct special *chain = s->specials;
    atomic_store_relaxed(&s->specials, NULL);
    note_list(s);
    lock_release(&s->special_lock);
    return chain;
}

struct special *special_cut_slot(const struct span *s, struct special **chain)
{
    struct special *first = *chain, *last = first;
    uint64_t lo = slot_of(s, first->offset).lo;
    while (last->next != NULL && last->next->offset >= lo)
        last = last->next;
    *chain = last->next;
    last->next = NULL;
    return first;
}

void special_put_all(struct span *s, struct special *chain)
{
    struct special *before = NULL;
    for (struct special *x = chain; x != NULL; before = x, x = x->next)
        x->prev = before;
    lock_acquire(&s->special_lock);
    check(s->specials == NULL);
    atomic_store_relaxed(&s->specials, chain);
    note_list(s);
    lock_release(&s->special_lock);
}

/* ---- walking --------------------------------------------------------------------------------- */

static void each_of_span(struct span *s, void (*fn)(struct span *, struct special *, void *),
                         void *arg)
{
    lock_acquire(&s->special_lock);
    for (struct special *sp = s->specials; sp != NULL; sp = sp->next)
        fn(s, sp, arg);
    lock_release(&s->special_lock);
}

static void each_of_arena(struct arena *a, void (*fn)(struct span *, struct special *, void *),
                          void *arg)
{
    for (size_t w = 0; w < ARENA_BITMAP_WORDS; w++) {
        uint64_t bits = atomic_load_relaxed(&a->special_pages[w]); /* a snapshot will do */
        for (; bits != 0; bits &= bits - 1) {
            struct span *s = atomic_load_acquire(&a->spans[w * 64 + bits_ctz64(bits)]);
            if (s != NULL) each_of_span(s, fn, arg);
        }
    }
}

void special_each(void (*fn)(struct span *s, struct special *sp, void *arg), void *arg)
{
    for (size_t i = 0; i < arena_count(); i++)
        each_of_arena(arena_at(i), fn, arg);
}
