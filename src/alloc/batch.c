/* Several objects at once.
 *
 * In the slots of a class, with their pointers in the page's bitmap, objects are taken up to
 * BATCH_OBJECTS in one critical section: the guards, the P and the section are paid once.  Their
 * addresses wait in an array of the caller's stack, where the collector finds them, and are stored
 * outside the section, each with its barrier.  Other objects are made one by one.
 *
 * Answers to: nothing in Go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/malloc.h"
#include "gort/mem.h"

#define BATCH_OBJECTS 64

/* Takes up to n, at least one; fewer when one of them is to be observed. */
static size_t take_some(const struct shape *s, unsigned class, void **got, size_t n)
{
    unsigned spc = span_class_make(class, s->noscan);
    size_t elem = span_class_elem_size(spc), k = 0;
    struct mcache_notes notes = { false, false };
    struct p *p = alloc_enter(s->call);
    while (k < n && !notes.observe) {
        uintptr_t x = mcache_take(p->mcache, spc, elem);
        if (unlikely(x == 0)) x = alloc_slot_slow(&p, spc, s, &notes);
        if (!s->noscan) alloc_write_bitmap(x, (unsigned)(elem / WORD_SIZE), s->mask);
        got[k++] = (void *)x;
    }
    atomic_fence_release(); /* Note [Publishing] */
    alloc_leave(got[k - 1], s, notes);
    return k;
}

static size_t take_one(const struct gort_type *t, void **got)
{
    got[0] = gort_new_raw(t);
    return 1;
}

void gort_new_batch_raw(const struct gort_type *t, void **out, size_t n)
{
    void *got[BATCH_OBJECTS];
    size_t bytes, least = t->size > sizeof(out[0]) ? t->size : sizeof(out[0]);
    if (__builtin_mul_overflow(least, n, &bytes)) alloc_overflow_slow(n, least, "gort_new_batch");
    bool noscan = (t->flags & GORT_TYPE_NOSCAN) != 0;
    bool slots = !heap->params.never_reuse && t->size >= (noscan ? TINY_MAX + 1 : WORD_SIZE) &&
                 t->size <= BITMAP_MAX && t->align <= 16;
    struct shape s = { .size = t->size,
                       .align = 8,
                       .noscan = noscan,
                       .layout = layout_word(t, LAYOUT_REPEAT, 0),
                       .call = "gort_new_batch" };
    if (slots) s.mask = type_mask(t);
    for (size_t done = 0; done < n;) {
        size_t want = n - done < BATCH_OBJECTS ? n - done : BATCH_OBJECTS;
        size_t k = slots ? take_some(&s, size_class_of(t->size), got, want) : take_one(t, got);
        for (size_t i = 0; i < k; i++)
            gort_store_pointer(&out[done + i], got[i]);
        done += k;
    }
}
