/* Specials: a sorted list per span.
 *
 * Sorted by slot, then kind; a list is short (few objects have any), so it is searched from its
 * head.  A bit per page in the arena tells the collector which spans have any, so that the roots
 * in specials are found without walking all spans.
 *
 * Invariants: offsets are starts of slots; the list is sorted by (offset, kind); the arena's
 * bit of the span's first page is set exactly while the list is not empty.
 *
 * Locking: special_lock around everything, the bit included.
 * Answers to: addspecial, removespecial in mheap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "heap/special.h"

#include "base/assert.h"
#include "base/bits.h"
#include "heap/span.h"

static uint64_t slot_offset(const struct span *s, uintptr_t object)
{
    check(object >= s->base && object < s->limit);
    return span_slot(s, span_index_of(s, object)) - s->base;
}

/* The link at which a record of this place is, or belongs: the first one not before it. */
static struct special **find_link(struct span *s, uint64_t offset, unsigned kind)
{
    struct special **link = &s->specials;
    for (struct special *x; (x = *link) != NULL; link = &x->next) {
        if (x->offset > offset) break;
        if (x->offset == offset && x->kind >= kind) break;
    }
    return link;
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

static bool is_at(const struct special *x, uint64_t offset, unsigned kind)
{
    return x != NULL && x->offset == offset && x->kind == kind;
}

bool special_add(struct span *s, uintptr_t object, struct special *sp)
{
    check(sp->kind < SPECIAL_KINDS);
    uint64_t offset = slot_offset(s, object);
    lock_acquire(&s->special_lock);
    struct special **link = find_link(s, offset, sp->kind);
    bool taken = sp->kind != SPECIAL_CLEANUP && is_at(*link, offset, sp->kind);
    if (!taken) {
        /* Cleanups run in the order in which they were added: behind the last one. */
        while (is_at(*link, offset, sp->kind))
            link = &(*link)->next;
        sp->offset = offset;
        sp->next = *link;
        *link = sp;
        note_list(s);
    }
    lock_release(&s->special_lock);
    return !taken;
}

struct special *special_find(struct span *s, uintptr_t object, enum special_kind kind)
{
    uint64_t offset = slot_offset(s, object);
    lock_acquire(&s->special_lock);
    struct special *found = *find_link(s, offset, kind);
    if (!is_at(found, offset, kind)) found = NULL;
    lock_release(&s->special_lock);
    return found;
}

static struct special *unlink_locked(struct span *s, struct special **link)
{
    struct special *sp = *link;
    *link = sp->next;
    sp->next = NULL;
    note_list(s);
    return sp;
}

struct special *special_remove(struct span *s, uintptr_t object, enum special_kind kind)
{
    uint64_t offset = slot_offset(s, object);
    struct special *found = NULL;
    lock_acquire(&s->special_lock);
    struct special **link = find_link(s, offset, kind);
    if (is_at(*link, offset, kind)) found = unlink_locked(s, link);
    lock_release(&s->special_lock);
    return found;
}

bool special_remove_record(struct span *s, struct special *sp)
{
    lock_acquire(&s->special_lock);
    struct special **link = &s->specials;
    while (*link != NULL && *link != sp)
        link = &(*link)->next;
    bool found = *link == sp;
    if (found) unlink_locked(s, link);
    lock_release(&s->special_lock);
    return found;
}

struct special *special_take_slot(struct span *s, uint32_t index)
{
    uint64_t offset = span_slot(s, index) - s->base;
    lock_acquire(&s->special_lock);
    struct special **first = find_link(s, offset, 0), **last = first;
    while (*last != NULL && (*last)->offset == offset)
        last = &(*last)->next;
    struct special *chain = NULL;
    if (last != first) {
        chain = *first;
        *first = *last;
        *last = NULL;
    }
    note_list(s);
    lock_release(&s->special_lock);
    return chain;
}

void special_put_slot(struct span *s, struct special *chain)
{
    if (chain == NULL) return;
    lock_acquire(&s->special_lock);
    struct special **link = find_link(s, chain->offset, 0), *last = chain;
    while (last->next != NULL) {
        check(last->next->offset == chain->offset && last->next->kind >= last->kind);
        last = last->next;
    }
    last->next = *link;
    *link = chain;
    note_list(s);
    lock_release(&s->special_lock);
}

/* ---- walking -------------------------------------------------------------------------------------- */

static void each_of_span(struct span *s, void (*fn)(struct span *, struct special *, void *),
                         void *arg)
{
    lock_acquire(&s->special_lock);
    for (struct special *sp = s->specials; sp != NULL; sp = sp->next)
        fn(s, sp, arg);
    lock_release(&s->special_lock);
}

void special_each_in_arena(size_t arena, void (*fn)(struct span *s, struct special *sp, void *arg),
                           void *arg)
{
    struct arena *a = arena_at(arena);
    for (size_t w = 0; w < ARENA_BITMAP_WORDS; w++) {
        /* Relaxed: a bit set meanwhile belongs to a special whose adder tells the collector. */
        uint64_t bits = atomic_load_relaxed(&a->special_pages[w]);
        for (; bits != 0; bits &= bits - 1) {
            struct span *s = atomic_load_acquire(&a->spans[w * 64 + bits_ctz64(bits)]);
            if (s != NULL) each_of_span(s, fn, arg);
        }
    }
}

void special_each(void (*fn)(struct span *s, struct special *sp, void *arg), void *arg)
{
    for (size_t i = 0; i < arena_count(); i++)
        special_each_in_arena(i, fn, arg);
}
