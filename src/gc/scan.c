/* Scanning: which words of a piece of memory are looked at.
 *
 * Where an object's pointers are depends on its span's layout:
 *   LAYOUT_BITMAP        up to BITMAP_MAX bytes: one bit per word, at the end of the page;
 *   LAYOUT_TYPED_FOOTER  above, in slots: a layout word at the end of the slot;
 *   LAYOUT_LARGE         a layout word in the span record; scanned in oblets, so that several
 *                        markers share one array, and so that no scan is long.
 * Every word found is ambiguous, whatever its type: it marks if it points into an allocated slot.
 *
 * Note [One past the end].  Compilers keep a pointer past an array's end as the only reference to
 * it (a loop that runs down).  Such a pointer equals the start of the next slot, or the end of a
 * span.  So a word of a stack or register also marks the object that ends where it points.  Words
 * in memory do not: there the program stored them, and a pointer past the end does not keep an
 * object.
 *
 * Memory order: words are read whole, beside the program that stores them: any value that a word
 * has had since marking began will do (Note [Snapshot] in cycle.c).  The layout word was published
 * by the allocation's release, or the object is black and not scanned.
 *
 * Answers to: scanobject, scanblock, scanConservative in mgcmark.go; typePointers in mbitmap.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/assert.h"
#include "base/bits.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "gort/type.h"

/* ---- ranges of words ------------------------------------------------------------------------ */

reads_foreign_words static inline uintptr_t word_at(uintptr_t p)
{
    return *(const volatile uintptr_t *)p;
}

/* As marker_see for each of them, with the marker's indices at hand: roots and arrays of pointers
 * are most of what there is to look at where the objects themselves have none. */
reads_foreign_words void scan_words(struct marker *m, uintptr_t lo, uintptr_t hi)
{
    uint32_t n = m->nwords, head = m->head, tail = m->tail;
    for (uintptr_t p = align_up(lo, WORD_SIZE); p + WORD_SIZE <= hi; p += WORD_SIZE) {
        uintptr_t word = word_at(p);
        if (word - m->lo >= m->bytes) continue;
        m->fifo[tail++ % MARK_FIFO] = marker_look(m, word);
        if (tail - head == MARK_FIFO)
            n = marker_mark(m, m->fifo[head++ % MARK_FIFO], MARK_WORDS_ROOM, n);
    }
    m->nwords = n;
    m->head = head;
    m->tail = tail;
}

/* ---- stacks: words, to be looked at later ---------------------------------------------------- */

void sink_begin(struct word_sink *k)
{
    mark_heap_range(&k->lo, &k->bytes);
    k->n = 0;
}

void sink_end(struct word_sink *k)
{
    size_t done = work_words_put(k->words, k->n);
    for (; done < k->n; done++) /* no memory for them */
        mark_directly(k->words[done]);
    k->n = 0;
}

bool scan_ends_object(uintptr_t word)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    return span_find_object(word - 1, &s, &i, &base) && base + span_elem_size(s) == word;
}

reads_foreign_words void scan_stack_words(struct word_sink *k, uintptr_t lo, uintptr_t hi)
{
    for (uintptr_t p = align_up(lo, WORD_SIZE); p + WORD_SIZE <= hi; p += WORD_SIZE) {
        uintptr_t word = word_at(p);
        if (word - k->lo > k->bytes) /* the last object's end is one past the heap */
            continue;
        sink_add(k, word);
        if (scan_ends_object(word)) sink_add(k, word - 1);
    }
}

/* ---- objects by type ------------------------------------------------------------------------- */

/* Words of [lo, hi) of one element at `at`, by mask. */
static inline void scan_mask(struct marker *m, uintptr_t at, uint64_t mask)
{
    for (; mask != 0; mask &= mask - 1)
        marker_see(m, word_at(at + WORD_SIZE * bits_ctz64(mask)));
}

static inline uintptr_t later(uintptr_t a, uintptr_t b)
{
    return a > b ? a : b;
}

static inline uintptr_t earlier(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

/* The part in [lo, hi) of one element at `at`, by runs. */
static void scan_runs(struct marker *m, const struct gort_type *t, uintptr_t at, uintptr_t lo,
                      uintptr_t hi)
{
    for (uint32_t i = 0; i < t->nruns; i++) {
        uintptr_t from = at + t->runs[i].offset, to = from + t->runs[i].size;
        scan_words(m, later(from, lo), earlier(to, hi));
    }
}

static void scan_element(struct marker *m, const struct gort_type *t, uintptr_t at, uintptr_t lo,
                         uintptr_t hi)
{
    if (t->flags & GORT_TYPE_NOSCAN) return;
    if (t->flags & GORT_TYPE_CONSERVATIVE)
        scan_words(m, later(at, lo), earlier(at + t->size, hi));
    else if (t->mask != 0 && at >= lo && at + t->size <= hi)
        scan_mask(m, at, t->mask);
    else
        scan_runs(m, t, at, lo, hi);
}

/* An object at base whose pointers `word` describes; only what lies in [lo, hi). */
static void scan_by_layout(struct marker *m, uint64_t word, uintptr_t base, uintptr_t lo,
                           uintptr_t hi)
{
    const struct gort_type *t = layout_type(word);
    unsigned tag = word & LAYOUT_TAG_MASK;
    if (t == NULL || (tag == LAYOUT_REPEAT && (t->flags & GORT_TYPE_CONSERVATIVE))) {
        scan_words(m, lo, hi);
    } else if (tag == LAYOUT_REPEAT) {
        check(t->size != 0); /* a descriptor that did not outlive its object */
        uintptr_t at = lo == base ? base : base + (lo - base) / t->size * t->size;
        for (; at < hi; at += t->size)
            scan_element(m, t, at, lo, hi);
    } else {
        uintptr_t rest = base + layout_offset(word);
        scan_element(m, t, base, lo, tag == LAYOUT_PREFIX ? earlier(hi, rest) : hi);
        if (tag == LAYOUT_PREFIX) scan_words(m, later(lo, rest), hi);
    }
}

/* ---- objects by layout ----------------------------------------------------------------------- */

void mark_kinds_init(struct mark_kinds *k)
{
    for (unsigned class = 1; class < SIZE_CLASSES; class ++) {
        const struct size_class *row = &size_class_table[class];
        for (unsigned kind = class; kind < MARK_KINDS; kind += PAGE_NOSCAN) {
            k->slot[kind].magic = row->div_magic;
            k->slot[kind].size = row->size;
        }
        k->ones[class] = class <= BITMAP_CLASSES ? slot_ones(row->size) : 0;
    }
}

/* Sees that pointer_mask can work. */
void scan_init(void)
{
    for (unsigned class = 1; class < SIZE_CLASSES; class ++) {
        const struct size_class *row = &size_class_table[class];
        unsigned n = row->size / WORD_SIZE;
        check((row->size <= BITMAP_MAX) == (class <= BITMAP_CLASSES));
        for (unsigned i = 0; class <= BITMAP_CLASSES && i < row->nelems[0]; i++)
            check(i * n % 8 + n <= 64);
    }
}

static inline void scan_small_typed(struct marker *m, const struct span *s, uintptr_t obj)
{
    uintptr_t end = obj + s->elem_size - WORD_SIZE; /* of the layout word's own place */
    scan_by_layout(m, word_at(end), obj, obj, end); /* the word may be poisoned */
}

static void scan_oblet(struct marker *m, const struct span *s, uintptr_t lo, uintptr_t end)
{
    uintptr_t hi = earlier(lo + OBLET_BYTES, end);
    m->w->scan_work += hi - lo;
    scan_by_layout(m, (uintptr_t)s->large_type, s->base, lo, hi);
}

/* The first oblet queues the others: their addresses, inside the object, stand for them.  What the
 * queue has no room for is scanned at once: Note [Overflow] in mark.c. */
static void scan_large(struct marker *m, const struct span *s, uintptr_t obj)
{
    uintptr_t end = earlier(s->base + s->large_size, s->limit);
    if (obj == s->base)
        for (uintptr_t p = obj + OBLET_BYTES; p < end; p += OBLET_BYTES)
            if (!work_put(m->w, p)) scan_oblet(m, s, p, end);
    scan_oblet(m, s, obj, end);
}

static never_inline void scan_other(struct marker *m, uintptr_t obj)
{
    const struct span *s = span_of(obj);
    if (s->layout == LAYOUT_TYPED_FOOTER) {
        scan_small_typed(m, s, obj);
    } else {
        assert_that(s->layout == LAYOUT_LARGE);
        scan_large(m, s, obj);
    }
}

void scan_object(struct marker *m, uintptr_t obj)
{
    const struct arena *a = arena_table[obj >> ARENA_SHIFT];
    unsigned kind = (unsigned)(a->page_info[arena_page_index(obj)] >> PAGE_KIND_SHIFT);
    if (unlikely(kind > BITMAP_CLASSES))
        scan_other(m, obj);
    else
        scan_mask(m, obj, pointer_mask(obj, m->kinds.ones[kind]));
}
