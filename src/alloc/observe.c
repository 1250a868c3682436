/* Who watches allocations: the collector's stress mode, and those whom the floors above put in.
 *
 * An observed allocation comes here when the object is complete and the allocator's section is
 * over, so observers may collect, allocate outside the heap, unwind the stack and take locks.  They
 * are called on the goroutine that allocated, before the program has the address.  Which
 * allocations are observed is decided by Note [Held slots] in heap/heap_data.h; no other allocation
 * pays.
 *
 * Answers to: profilealloc in malloc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "alloc/observe.h"

#include "alloc/alloc.h"
#include "base/assert.h"
#include "base/race.h"
#include "heap/poison.h"
#include "gort/mem.h"

static void (*observers[ALLOC_OBSERVERS])(const struct alloc_event *e); /* constant after boot */
static unsigned nobservers;
static bool all;                                          /* constant after boot */
static void (*free_observer)(const struct free_event *e); /* constant after boot; NULL: none */
static uint64_t allocations;                              /* atomic; while gcstress is on */

void alloc_observer_add(void (*fn)(const struct alloc_event *e))
{
    check(nobservers < ALLOC_OBSERVERS);
    observers[nobservers++] = fn;
}

void alloc_observe(bool every, uint64_t rate)
{
    bool stress = gc_debug.gcstress != 0;
    heap_set_observe_stw((struct heap_observe){ .every = every || stress || all, .rate = rate });
}

void alloc_observe_all(void)
{
    all = true;
    alloc_observe(true, heap->observe.rate);
}

void alloc_free_observer_set(void (*fn)(const struct free_event *e))
{
    check(free_observer == NULL);
    free_observer = fn;
}

void alloc_freed(struct span *s, uintptr_t base, size_t size)
{
    (void)s;
    struct free_event e = { base, size };
    if (free_observer != NULL) free_observer(&e);
}

/* Note [Poison]: what its slot, or its pages, have beyond the object. */
static void close_rest(uintptr_t x, size_t size)
{
    size_t slot = span_elem_size(span_of(x));
    if (slot > size) poison_close(x + size, slot - size);
}

/* NULL for memory of no type. */
static const struct gort_type *type_of(const struct shape *s)
{
    const struct gort_type *t = layout_type(s->layout);
    return t == &alloc_conservative ? NULL : t;
}

static void stress(void)
{
    if (atomic_fetch_add_relaxed(&allocations, 1) % gc_debug.gcstress != 0) return;
    atomic_fetch_add_relaxed(&gc_debug_counts.gcstress, 1);
    gc_collect(GC_CAUSE_STRESS);
}

cold_path void alloc_observe_slow(void *x, const struct shape *s)
{
    struct alloc_event e = { .object = x,
                             .size = s->size,
                             .call = s->call,
                             .type = type_of(s),
                             .repeats = (s->layout & LAYOUT_TAG_MASK) == LAYOUT_REPEAT,
                             .frame = s };
    if (heap->params.poison) close_rest((uintptr_t)x, s->size);
    if (heap->params.poison && s->unzeroed) poison_blank((uintptr_t)x, s->size);
    if (race_on) race_new_memory_slow((uintptr_t)x, s->size, true);
    race_hide();
    for (unsigned i = 0; i < nobservers; i++)
        observers[i](&e);
    race_show();
    if (gc_debug.gcstress != 0) stress();
    gort_keep_alive(x);
}
